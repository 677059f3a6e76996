#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <muniment/cmd/config.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>

#include "../lib/scratch.h"

/* A file with one configuration, and what came of reading it. */
struct fixture {
    char *folder;
    char *file;
    struct settings settings;
    struct buffer problems;
    struct err err;
};

static int make_folder(void **state) {
    struct fixture *fixture = mem_zalloc(sizeof *fixture);
    fixture->folder = scratch_make();
    fixture->file = mem_format("%s/muniment.conf", fixture->folder);
    *state = fixture;
    return 0;
}

static int remove_folder(void **state) {
    struct fixture *fixture = *state;
    settings_release(&fixture->settings);
    buffer_release(&fixture->problems);
    scratch_remove(fixture->folder);
    free(fixture->file);
    free(fixture);
    return 0;
}

static int load(struct fixture *fixture, const char *text, struct configuration_request request) {
    struct err err = { 0 };
    settings_release(&fixture->settings);
    buffer_clear(&fixture->problems);
    err_clear(&fixture->err);
    assert_success(file_replace(fixture->file, 0600, text, strlen(text), &err), &err);
    request.file = fixture->file;
    return configuration_load(&request, &fixture->settings, &fixture->problems, &fixture->err);
}

static void assert_loads(struct fixture *fixture, const char *text) {
    if (load(fixture, text, (struct configuration_request){ 0 }) != 0)
        fail_msg("%s\n%s", fixture->err.message, buffer_text(&fixture->problems));
    assert_int_equal(fixture->problems.length, 0);
}

/* Each of the expected texts must be in a line of its own problem; there are no other problems. */
static void assert_problems(struct fixture *fixture, const char *text, size_t count, const char *const *expected) {
    if (load(fixture, text, (struct configuration_request){ 0 }) == 0)
        fail_msg("accepted:\n%s", text);
    assert_int_equal(fixture->err.code, ERR_INVALID);
    assert_null(fixture->settings.sets);
    const char *problems = buffer_text(&fixture->problems);
    size_t lines = 0;
    for (const char *at = problems; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    for (size_t i = 0; i < count; i++)
        if (strstr(problems, expected[i]) == NULL)
            fail_msg("no problem says: %s\n%s", expected[i], problems);
    if (lines != count)
        fail_msg("%zu problems, not %zu:\n%s", lines, count, problems);
}

#define assert_problem(fixture, text, expected) assert_problems(fixture, text, 1, (const char *const[]){ expected })

/* A whole configuration around the settings of one set and of its sources. */
static char *around(const char *set, const char *sources) {
    return mem_format("repository = \"/backup\";\nsets = ( {\n name = \"app\"; write_key = \"/keys/app.write\";\n%s\n"
                      " sources = (\n%s\n );\n} );\n",
                      set, sources);
}

#define ONE_SOURCE "{ name = \"etc\"; kind = \"files\"; paths = [\"/etc\"]; }"

static void every_key_is_read(void **state) {
    struct fixture *fixture = *state;
    assert_loads(
        fixture,
        "repository = \"/backup/\"; state = \"/state\";\n"
        "sets = ( { name = \"app\"; write_key = \"/k/app.write\"; read_key = \"/k/app.read\";\n"
        "  retention = { daily = 1; weekly = 2; monthly = 3; yearly = 4; max_age = \"90d\"; timezone = "
        "\"Asia/Tokyo\";\n"
        "    purge_within = \"0d\"; interval = \"12h\"; strict = true; };\n"
        "  sources = (\n"
        "    { name = \"db\"; kind = \"postgres\"; uri = \"service=app\"; databases = [\"a*\", \"b\"]; exclude = "
        "\"x\";\n"
        "      globals = false; role_passwords = false; count_rows = false; bin_dir = \"/pg/bin\"; lock_timeout = "
        "\"1m\";\n"
        "      options = [\"--no-comments\"]; },\n"
        "    { name = \"etc\"; kind = \"files\"; paths = [\"/etc\"]; exclude = [\"*.tmp\"]; may_change = [\"*.log\"];\n"
        "      one_file_system = true; exclude_caches = true; },\n"
        "    { name = \"cfg\"; kind = \"command\"; command = [\"redis-cli\", \"--rdb\", \"-\"]; output = \"dump.rdb\"; "
        "} );\n"
        "  mirrors = ( { name = \"off\"; path = \"/mnt/off\"; schedule = \"weekly\"; verify_percent = 7; } );\n"
        "  compression = 9; session_length = \"2h\"; check_percent = 3;\n"
        "  journal_keep = \"400d\"; erasure_promise = \"30d\"; after_restore = [\"/usr/bin/erase\", \"-q\"]; } );\n");

    const struct settings *settings = &fixture->settings;
    assert_string_equal(settings->repository, "/backup");
    assert_string_equal(settings->state, "/state");
    assert_int_equal(settings->set_count, 1);
    const struct set_settings *set = settings_find_set(settings, "app");
    assert_non_null(set);
    assert_string_equal(set->write_key, "/k/app.write");
    assert_string_equal(set->read_key, "/k/app.read");
    assert_int_equal(
        set->policy.daily + 10 * set->policy.weekly + 100 * set->policy.monthly + 1000 * set->policy.yearly, 4321);
    assert_int_equal(set->policy.max_age, 90 * 86400);
    assert_string_equal(set->policy.timezone, "Asia/Tokyo");
    assert_int_equal(set->policy.purge_within, 0);
    assert_int_equal(set->policy.interval, 12 * 3600);
    assert_true(set->policy.strict);
    assert_int_equal(set->compression, 9);
    assert_int_equal(set->session_length, 7200);
    assert_int_equal(set->check_percent, 3);
    assert_int_equal(set->journal_keep, 400 * 86400);
    assert_int_equal(set->erasure_promise, 30 * 86400);
    assert_int_equal(set->after_restore.count, 2);
    assert_string_equal(set->after_restore.items[0], "/usr/bin/erase");

    const struct source *source = &set->sources[0];
    assert_ptr_equal(source->kind, &SOURCE_POSTGRES);
    assert_string_equal(source->postgres.uri, "service=app");
    assert_int_equal(source->postgres.databases.count, 2);
    assert_string_equal(source->postgres.exclude.items[0], "x"); /* one string stands for an array of one */
    assert_false(source->postgres.globals || source->postgres.role_passwords || source->postgres.count_rows);
    assert_string_equal(source->postgres.bin_dir, "/pg/bin");
    assert_int_equal(source->postgres.lock_timeout, 60);
    assert_string_equal(source->postgres.options.items[0], "--no-comments");
    source = &set->sources[1];
    assert_ptr_equal(source->kind, &SOURCE_FILES);
    assert_string_equal(source->files.may_change.items[0], "*.log");
    assert_true(source->files.one_file_system && source->files.exclude_caches);
    source = &set->sources[2];
    assert_ptr_equal(source->kind, &SOURCE_COMMAND);
    assert_int_equal(source->command.arguments.count, 3);
    assert_string_equal(source->command.output, "dump.rdb");
    assert_string_equal(set->mirrors[0].path, "/mnt/off");
    assert_int_equal(set->mirrors[0].schedule, MIRROR_WEEKLY);
    assert_int_equal(set->mirrors[0].verify_percent, 7);
}

static void what_is_left_out_has_its_default(void **state) {
    struct fixture *fixture = *state;
    char *text = around("mirrors = ( { name = \"m\"; path = \"/m\"; } );",
                        "{ name = \"db\"; kind = \"postgres\"; uri = \"service=app\"; bin_dir = \"\"; },"
                        "{ name = \"c\"; kind = \"command\"; command = \"date\"; }");
    assert_loads(fixture, text);
    free(text);
    const struct set_settings *set = &fixture->settings.sets[0];
    assert_string_equal(fixture->settings.state, "/var/lib/muniment");
    assert_null(set->read_key);
    assert_int_equal(set->policy.daily, 7);
    assert_int_equal(set->policy.weekly, 4);
    assert_int_equal(set->policy.monthly, 6);
    assert_int_equal(set->policy.max_age, 0);
    assert_int_equal(set->policy.interval, 86400);
    assert_int_equal(set->policy.purge_within, 7 * 86400);
    assert_string_equal(set->policy.timezone, "UTC");
    assert_int_equal(set->session_length, 86400);
    assert_true(set->sources[0].postgres.globals && set->sources[0].postgres.role_passwords);
    assert_true(set->sources[0].postgres.count_rows);
    assert_null(set->sources[0].postgres.bin_dir);
    assert_int_equal(set->sources[0].postgres.lock_timeout, 600);
    assert_string_equal(set->sources[1].command.output, "output");
    assert_int_equal(set->mirrors[0].schedule, MIRROR_DAILY);
    assert_int_equal(set->mirrors[0].verify_percent, 5);
}

#define SERVICES                                                                                                       \
    "services = ( { name = \"b2\"; endpoint = \"https://s3.eu-central-003.backblazeb2.com\"; },\n"                     \
    " { name = \"old\"; endpoint = \"http://localhost:9000\"; signature = \"v2\"; } );\n"

static void services_and_addresses_are_read(void **state) {
    struct fixture *fixture = *state;
    assert_loads(
        fixture,
        "services = ( { name = \"b2\"; endpoint = \"https://s3.eu-central-003.backblazeb2.com\"; region = \"r-1\";\n"
        "  credentials = \"b2.credentials\"; profile = \"backup\"; ca_file = \"/etc/ca.pem\"; signature = \"v4\";\n"
        "  addressing = \"host\"; plain_http = true; connections = 9; retry_for = \"5m\";\n"
        "  upload_limit = \"10M\"; download_limit = 5000; } );\n"
        "repository = \"s3:b2/acme/muniment/\"; repository_lock = \"governance\";\n"
        "sets = ( { name = \"app\"; write_key = \"/k/app.write\";\n"
        "  sources = ( { name = \"uploads\"; kind = \"s3\"; buckets = [\"s3:b2/uploads\", \"s3:b2/avatars/eu\"];\n"
        "    include = [\"*.jpg\"]; exclude = [\"*.tmp\"]; tags = false; } );\n"
        "  mirrors = ( { name = \"off\"; path = \"s3:https://s3.example.org/acme\"; lock = \"compliance\"; } ); } "
        ");\n");
    const struct settings *settings = &fixture->settings;
    assert_int_equal(settings->services.count, 1);
    const struct s3_service *service = &settings->services.items[0];
    char *credentials = mem_format("%s/b2.credentials", fixture->folder);
    assert_string_equal(service->credentials, credentials);
    free(credentials);
    assert_string_equal(service->region, "r-1");
    assert_string_equal(service->profile, "backup");
    assert_string_equal(service->ca_file, "/etc/ca.pem");
    assert_int_equal(service->signature, S3_SIGNATURE_V4);
    assert_int_equal(service->addressing, S3_ADDRESSING_HOST);
    assert_true(service->plain_http);
    assert_int_equal(service->connections, 9);
    assert_int_equal(service->retry_for, 300);
    assert_int_equal(service->upload_limit, 10 << 20);
    assert_int_equal(service->download_limit, 5000);
    assert_string_equal(settings->repository, "s3:b2/acme/muniment");
    assert_int_equal(settings->repository_lock, S3_LOCK_GOVERNANCE);
    const struct set_settings *set = &settings->sets[0];
    assert_string_equal(set->mirrors[0].path, "s3:https://s3.example.org/acme");
    assert_int_equal(set->mirrors[0].lock, S3_LOCK_COMPLIANCE);
    const struct source *source = &set->sources[0];
    assert_int_equal(source->bucket.places.count, 2);
    assert_string_equal(source->bucket.places.items[1], "s3:b2/avatars/eu");
    assert_string_equal(source->bucket.include.items[0], "*.jpg");
    assert_string_equal(source->bucket.exclude.items[0], "*.tmp");
    assert_false(source->bucket.tags);
    assert_ptr_equal(source->bucket.services, &settings->services);
}

static void addresses_that_could_not_work_are_refused(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *repository, *set, *sources, *problem;
    } CASES[] = {
        { "s3:b3/acme", "", "", "there is no service 'b3'; there are: b2, old" },
        { "s3:b2", "", "", "'repository' is \"s3:b2\": it names no bucket" },
        { "s3:http://example.org/acme", "", "", "'repository': " },
        { "/b", "mirrors = ( { name = \"m\"; path = \"s3:b2/acme//m\"; } );", "", "'path': " },
        { "/b", "mirrors = ( { name = \"m\"; path = \"/m\"; lock = \"governance\"; } );", "",
          "'/m' is a folder: only object storage has locks" },
        { "/b", "mirrors = ( { name = \"m\"; path = \"s3:old/acme\"; lock = \"compliance\"; } );", "",
          "signature \"v2\", which knows no locks" },
        { "/b", "mirrors = ( { name = \"m\"; path = \"s3:b2/acme\"; lock = \"legal\"; } );", "",
          "'lock' is \"legal\": it must be \"none\", \"governance\" or \"compliance\"" },
        { "s3:b2/acme", "mirrors = ( { name = \"m\"; path = \"s3:b2/acme/mirror\"; } );", "",
          "mirror 'm' is the repository itself" },
        { "s3:b2/acme/a",
          "mirrors = ( { name = \"m\"; path = \"s3:https://s3.eu-central-003.backblazeb2.com/acme\"; } );", "",
          "mirror 'm' is the repository itself" },
        { "/b", "mirrors = ( { name = \"a\"; path = \"s3:b2/mmm\"; }, { name = \"b\"; path = \"s3:b2/mmm/b\"; } );", "",
          "two mirrors of this set are at 's3:b2/mmm/b'" },
        { "s3:b2/acme/muniment", "", "{ name = \"u\"; kind = \"s3\"; buckets = \"s3:b2/acme\"; }",
          "'s3:b2/acme' holds the store 's3:b2/acme/muniment'" },
        { "/b", "", "{ name = \"u\"; kind = \"s3\"; buckets = [\"acme\"]; }", "an address such as" },
        { "/b", "", "{ name = \"u\"; kind = \"s3\"; }", "source 'u' has no 'buckets'" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *text =
            mem_format(SERVICES "repository = \"%s\"; sets = ( { name = \"app\"; write_key = \"/k\"; %s\n"
                                "sources = ( %s ); } );",
                       CASES[i].repository, CASES[i].set, CASES[i].sources[0] != '\0' ? CASES[i].sources : ONE_SOURCE);
        if (load(fixture, text, (struct configuration_request){ 0 }) == 0)
            fail_msg("accepted:\n%s", text);
        if (strstr(buffer_text(&fixture->problems), CASES[i].problem) == NULL)
            fail_msg("no problem says: %s\n%s", CASES[i].problem, buffer_text(&fixture->problems));
        free(text);
    }
}

static void stores_that_only_look_alike_are_apart(void **state) {
    struct fixture *fixture = *state;
    assert_loads(fixture,
                 SERVICES "repository = \"s3:b2/acme/m\"; sets = ( { name = \"app\"; write_key = \"/k\";\n"
                          "mirrors = ( { name = \"a\"; path = \"s3:b2/acme/mirror\"; }, { name = \"b\"; path = "
                          "\"s3:old/acme/m\"; } );\n"
                          "sources = ( { name = \"u\"; kind = \"s3\"; buckets = \"s3:b2/acme\"; exclude = [\"m/**\", "
                          "\"mirror/**\"]; } ); } );");
}

static void a_broken_service_is_one_problem(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *service, *problem;
    } CASES[] = {
        { "name = \"b2\";", "service 'b2' has no 'endpoint'" },
        { "name = \"b2\"; endpoint = \"ftp://example.org\";", "endpoint" },
        { "name = \"b2\"; endpoint = \"http://example.org\";", "plain_http" },
        { "name = \"b2\"; endpoint = \"https://example.org\"; signature = \"v3\";", "\"v4\" or \"v2\"" },
        { "name = \"b2\"; endpoint = \"https://example.org\"; connections = 65;", "it must be from 1 to 64" },
        { "name = \"b2\"; endpoint = \"https://example.org\"; retry_for = \"2d\";", "it must be from 1 s to 1 d" },
        { "name = \"b2\"; endpoint = \"https://example.org\"; upload_limit = \"10MB\";", "bytes a second" },
        { "name = \"b2\"; endpoint = \"https://example.org\"; secret_key = \"hush\";",
          "'secret_key' is not a key of service 'b2'" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *text = mem_format("services = ( { %s } );\nrepository = \"s3:b2/acme\"; sets = ( { name = \"app\"; "
                                "write_key = \"/k\"; sources = ( " ONE_SOURCE " ); } );",
                                CASES[i].service);
        assert_problem(fixture, text, CASES[i].problem);
        assert_null(strstr(buffer_text(&fixture->problems), "hush"));
        free(text);
    }
}

static void a_misspelt_key_is_named_with_its_line_and_the_nearest_one(void **state) {
    struct fixture *fixture = *state;
    char *text = around("retension = { daily = 1; };", ONE_SOURCE);
    char *place = mem_format("%s:4: 'retension' is not a key of set 'app'; did you mean 'retention'?", fixture->file);
    assert_problem(fixture, text, place);
    free(place);
    free(text);
}

static void all_problems_are_reported_not_only_the_first(void **state) {
    struct fixture *fixture = *state;
    static const char *const EXPECTED[] = {
        "'repositry' is not a key of the configuration; did you mean 'repository'?",
        "the configuration has no 'repository'",
        "'daily' must be a whole number, not a string",
        "'weekly' is -1: it must be from 0 to",
        "'timezone' is \"Mars/Olympus\"",
        "'paths' holds \"etc\": absolute paths are needed",
        "has no usable path",
        "'write_key' is \"keys/app\"",
        "two sources 'a'",
        "'kind' is \"comand\": did you mean \"command\"?",
    };
    assert_problems(
        fixture,
        "repositry = \"/b\";\nsets = ( { name = \"app\"; write_key = \"keys/app\";\n"
        "retention = { daily = \"7\"; weekly = -1; timezone = \"Mars/Olympus\"; };\n"
        "sources = ( { name = \"a\"; kind = \"files\"; paths = [\"etc\"]; },\n"
        "{ name = \"a\"; kind = \"files\"; paths = \"/etc\"; }, { name = \"c\"; kind = \"comand\"; } ); } );\n",
        sizeof EXPECTED / sizeof *EXPECTED, EXPECTED);
}

static void what_could_not_work_is_refused(void **state) {
    struct fixture *fixture = *state;
    static const struct {
        const char *set, *sources, *problem;
    } CASES[] = {
        { "compression = 20;", ONE_SOURCE, "'compression' is 20: it must be from 1 to 19" },
        { "check_percent = 101;", ONE_SOURCE, "it must be from 0 to 100" },
        { "session_length = \"1m\";", ONE_SOURCE, "'session_length' is \"1m\"" },
        { "session_length = 3600;", ONE_SOURCE, "a span in quotes" },
        { "read_key = \"/keys/app.write\";", ONE_SOURCE, "the same file" },
        { "retention = { max_age = \"90d\"; };", ONE_SOURCE, "retention keeps nothing" },
        { "retention = { daily = 1; max_age = \"90\"; };", ONE_SOURCE, "'max_age'" },
        { "retention = 7;", ONE_SOURCE, "'retention' must be a group" },
        { "retention = { daily = 1; strict = 1; };", ONE_SOURCE, "'strict' must be true or false" },
        { "mirrors = ( { name = \"m\"; path = \"/backup\"; } );", ONE_SOURCE, "is the repository itself" },
        { "mirrors = ( { name = \"m\"; path = \"/m\"; schedule = \"hourly\"; } );", ONE_SOURCE,
          "\"daily\", \"weekly\"" },
        { "mirrors = ( { name = \"a\"; path = \"/m\"; }, { name = \"b\"; path = \"/m/\"; } );", ONE_SOURCE,
          "two mirrors of this set are at '/m'" },
        { "mirrors = { name = \"m\"; };", ONE_SOURCE, "'mirrors' must be a list of groups" },
        { "", "{ name = \"etc\"; paths = [\"/etc\"]; }", "a source needs a 'kind'" },
        { "", "{ name = \"a/b\"; kind = \"files\"; paths = [\"/etc\"]; }", "make a name" },
        { "", "{ kind = \"files\"; paths = [\"/etc\"]; }", "a source has no 'name'" },
        { "", "{ name = \"etc\"; kind = \"files\"; paths = [\"/etc\"]; uri = \"x\"; }",
          "'uri' is not a key of source 'etc'" },
        { "", "{ name = \"all\"; kind = \"files\"; paths = [\"/\"]; }", "holds the store '/backup'" },
        { "", "{ name = \"db\"; kind = \"postgres\"; uri = \"host=h password=secret\"; }", "holds a password" },
        { "", "{ name = \"db\"; kind = \"postgres\"; uri = \"postgresql://u:secret@h/db\"; }", "holds a password" },
        { "", "{ name = \"c\"; kind = \"command\"; command = \"x\"; output = \"../x\"; }", "'output' must be" },
        { "", "{ name = \"c\"; kind = \"command\"; command = [\"x\", 3]; }", "'command' must be a string" },
        { "", "", "'sources' is empty" },
        { "", "\"etc\"", "'sources' holds a string" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        char *text = around(CASES[i].set, CASES[i].sources);
        if (strstr(CASES[i].problem, "'command' must") != NULL)
            assert_int_not_equal(load(fixture, text, (struct configuration_request){ 0 }), 0);
        else
            assert_problem(fixture, text, CASES[i].problem);
        assert_null(strstr(buffer_text(&fixture->problems), "secret"));
        free(text);
    }
}

static void a_store_inside_a_path_is_fine_where_it_is_excluded(void **state) {
    struct fixture *fixture = *state;
    char *text = around("", "{ name = \"all\"; kind = \"files\"; paths = [\"/\"]; exclude = [\"/backup\"]; }");
    assert_loads(fixture, text);
    free(text);
}

static void sets_share_neither_names_nor_keys(void **state) {
    struct fixture *fixture = *state;
    static const char *const EXPECTED[] = { "there are two sets 'app'", "two sets use the key '/k'" };
    assert_problems(fixture,
                    "repository = \"/b\"; sets = (\n"
                    "{ name = \"app\"; write_key = \"/k\"; sources = ( " ONE_SOURCE " ); },\n"
                    "{ name = \"app\"; write_key = \"/k\"; sources = ( " ONE_SOURCE " ); } );\n",
                    2, EXPECTED);
}

static void a_file_that_is_not_libconfig_is_refused_with_its_line(void **state) {
    struct fixture *fixture = *state;
    char *place = mem_format("%s:2: ", fixture->file);
    assert_problem(fixture, "repository = \"/b\";\nsets = (;\n", place);
    free(place);
    assert_problem(fixture, "repository = \"/b\"; repository = \"/c\"; sets = ();\n", "duplicate");
}

static void a_file_that_is_absent_or_open_to_others_is_refused(void **state) {
    struct fixture *fixture = *state;
    struct configuration_request request = { .file = "/nonexistent/muniment.conf" };
    assert_failure(configuration_load(&request, &fixture->settings, &fixture->problems, &fixture->err), ERR_INVALID,
                   &fixture->err);

    char *text = around("", ONE_SOURCE);
    assert_loads(fixture, text);
    free(text);
    settings_release(&fixture->settings);
    assert_int_equal(chmod(fixture->file, 0666), 0);
    request.file = fixture->file;
    assert_failure(configuration_load(&request, &fixture->settings, &fixture->problems, &fixture->err), ERR_INVALID,
                   &fixture->err);
}

static void a_bare_key_name_is_a_credential_else_beside_the_file(void **state) {
    struct fixture *fixture = *state;
    const char *text =
        "repository = \"/b\"; sets = ( { name = \"app\"; write_key = \"app.write\"; sources = ( " ONE_SOURCE " ); } );";
    assert_loads(fixture, text);
    char *beside = mem_format("%s/app.write", fixture->folder);
    assert_string_equal(fixture->settings.sets[0].write_key, beside);
    free(beside);

    assert_int_equal(load(fixture, text, (struct configuration_request){ .credentials = "/run/credentials/m" }), 0);
    assert_string_equal(fixture->settings.sets[0].write_key, "/run/credentials/m/app.write");
}

static void a_request_is_stronger_than_the_file(void **state) {
    struct fixture *fixture = *state;
    char *text = around("", ONE_SOURCE);
    assert_int_equal(
        load(fixture, text, (struct configuration_request){ .repository = "/elsewhere", .state = "/memory" }), 0);
    assert_string_equal(fixture->settings.repository, "/elsewhere");
    assert_string_equal(fixture->settings.state, "/memory");
    free(text);
}

static void what_is_shown_can_be_read_back_and_means_the_same(void **state) {
    struct fixture *fixture = *state;
    char *text =
        around("retention = { daily = 3; max_age = \"36h\"; timezone = \"Europe/Copenhagen\"; };"
               "mirrors = ( { name = \"m\"; path = \"/m\\\"\\\\m\"; schedule = \"manual\"; } );",
               "{ name = \"db\"; kind = \"postgres\"; uri = \"service=app\"; databases = [\"a\\\"b\"]; }," ONE_SOURCE
               ", { name = \"c\"; kind = \"command\"; command = [\"a\", \"b c\"]; }");
    assert_loads(fixture, text);
    struct buffer first = { 0 }, second = { 0 };
    configuration_show(&fixture->settings, &first);
    char *shown = mem_string(buffer_text(&first));
    assert_loads(fixture, shown);
    configuration_show(&fixture->settings, &second);
    assert_string_equal(shown, buffer_text(&second));
    assert_string_equal(fixture->settings.sets[0].mirrors[0].path, "/m\"\\m");
    free(shown);
    free(text);

    assert_loads(fixture, SERVICES "repository = \"s3:b2/acme\"; repository_lock = \"compliance\";\n"
                                   "sets = ( { name = \"app\"; write_key = \"/k\";\n"
                                   "mirrors = ( { name = \"a\"; path = \"s3:b2/two\"; lock = \"governance\"; } );\n"
                                   "sources = ( { name = \"u\"; kind = \"s3\"; buckets = \"s3:b2/three\"; } ); } );");
    buffer_clear(&first);
    buffer_clear(&second);
    configuration_show(&fixture->settings, &first);
    shown = mem_string(buffer_text(&first));
    assert_loads(fixture, shown);
    configuration_show(&fixture->settings, &second);
    assert_string_equal(shown, buffer_text(&second));
    assert_int_equal(fixture->settings.sets[0].mirrors[0].lock, S3_LOCK_GOVERNANCE);
    free(shown);
    buffer_release(&first);
    buffer_release(&second);
}

static void the_sample_configuration_is_good(void **state) {
    struct fixture *fixture = *state;
    struct configuration_request request = { .file = "etc/muniment.conf" };
    if (configuration_load(&request, &fixture->settings, &fixture->problems, &fixture->err) != 0)
        fail_msg("%s\n%s", fixture->err.message, buffer_text(&fixture->problems));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(every_key_is_read),
        CASE(what_is_left_out_has_its_default),
        CASE(services_and_addresses_are_read),
        CASE(addresses_that_could_not_work_are_refused),
        CASE(stores_that_only_look_alike_are_apart),
        CASE(a_broken_service_is_one_problem),
        CASE(a_misspelt_key_is_named_with_its_line_and_the_nearest_one),
        CASE(all_problems_are_reported_not_only_the_first),
        CASE(what_could_not_work_is_refused),
        CASE(a_store_inside_a_path_is_fine_where_it_is_excluded),
        CASE(sets_share_neither_names_nor_keys),
        CASE(a_file_that_is_not_libconfig_is_refused_with_its_line),
        CASE(a_file_that_is_absent_or_open_to_others_is_refused),
        CASE(a_bare_key_name_is_a_credential_else_beside_the_file),
        CASE(a_request_is_stronger_than_the_file),
        CASE(what_is_shown_can_be_read_back_and_means_the_same),
        CASE(the_sample_configuration_is_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
