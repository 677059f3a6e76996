#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <muniment/s3/credentials.h>
#include <muniment/util/file.h>
#include <muniment/util/memory.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "../lib/scratch.h"

static const char *const VARIABLES[] = { "CREDENTIALS_DIRECTORY",
                                         "MUNIMENT_S3_MY_B2_ACCESS_KEY",
                                         "MUNIMENT_S3_MY_B2_SECRET_KEY",
                                         "MUNIMENT_S3_MY_B2_SESSION_TOKEN",
                                         "AWS_ACCESS_KEY_ID",
                                         "AWS_SECRET_ACCESS_KEY",
                                         "AWS_SESSION_TOKEN",
                                         "AWS_PROFILE",
                                         "AWS_SHARED_CREDENTIALS_FILE" };

struct fixture {
    char *folder;
    struct s3_service service; /* its strings are the fixture's */
    char name[16], file[256];
};

static int set_up(void **state) {
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->folder = scratch_make();
    strcpy(fixture->name, "my-b2");
    fixture->service.name = fixture->name;
    for (size_t i = 0; i < sizeof VARIABLES / sizeof *VARIABLES; i++)
        unsetenv(VARIABLES[i]);
    setenv("HOME", fixture->folder, 1);
    *state = fixture;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *fixture = *state;
    scratch_remove(fixture->folder);
    free(fixture);
    return 0;
}

static const char *write_file(struct fixture *fixture, const char *name, mode_t mode, const char *text) {
    struct err err = { 0 };
    snprintf(fixture->file, sizeof fixture->file, "%s/%s", fixture->folder, name);
    if (strchr(name, '/')) {
        char *parent = mem_format("%.*s", (int)(strrchr(fixture->file, '/') - fixture->file), fixture->file);
        assert_success(file_make_folders(parent, 0700, &err), &err);
        free(parent);
    }
    assert_success(file_replace(fixture->file, 0600, text, strlen(text), &err), &err);
    assert_int_equal(chmod(fixture->file, mode), 0);
    return fixture->file;
}

static void named(struct fixture *fixture, const char *text) {
    write_file(fixture, "keys", 0600, text);
    fixture->service.credentials = fixture->file;
}

static void found(struct fixture *fixture, const char *access, const char *secret, const char *token) {
    struct s3_credentials *credentials;
    struct err err = { 0 };
    assert_success(s3_credentials_load(&fixture->service, &credentials, &err), &err);
    assert_string_equal(credentials->access_key, access);
    assert_string_equal(credentials->secret_key, secret);
    assert_string_equal(credentials->session_token, token);
    s3_credentials_free(credentials);
}

/* And no message holds what could be a secret. */
static void refused(struct fixture *fixture, enum err_code code, const char *because) {
    struct s3_credentials *credentials;
    struct err err = { 0 };
    assert_int_equal(s3_credentials_load(&fixture->service, &credentials, &err), -1);
    assert_null(credentials);
    if (err.code != code || !strstr(err.message, because))
        fail_msg("code %d: '%s' does not say '%s'", (int)err.code, err.message, because);
    if (strstr(err.message, "hidden") || strstr(err.hint, "hidden"))
        fail_msg("'%s' shows the secret", err.message);
}

static void a_named_file_holds_two_or_three_lines(void **state) {
    named(*state, "access_key = AKIA\nsecret_key = s/e+c=\n");
    found(*state, "AKIA", "s/e+c=", "");
    named(*state, "# b2\r\n\r\n  secret_key=s\r\n; more\naccess_key =\tAKIA\nsession_token = t==");
    found(*state, "AKIA", "s", "t==");
}

static void a_named_file_may_be_one_of_aws(void **state) {
    struct fixture *fixture = *state;
    static char other[] = "other", absent[] = "absent";
    named(*state, "[default]\naws_access_key_id = A\naws_secret_access_key = S\nregion = eu\n\n"
                  "[other]\naws_access_key_id = A2\ns3 =\n  aws_access_key_id = no\n"
                  "aws_secret_access_key = S2\naws_session_token = T2\n");
    found(*state, "A", "S", "");
    setenv("AWS_PROFILE", "other", 1);
    found(*state, "A2", "S2", "T2");
    unsetenv("AWS_PROFILE");
    fixture->service.profile = other;
    found(*state, "A2", "S2", "T2");
    fixture->service.profile = absent;
    refused(*state, ERR_KEY, "has no profile [absent]");
}

static void a_file_that_others_may_read_is_refused(void **state) {
    static const mode_t modes[] = { 0640, 0604, 0620, 0610, 0601 };
    struct fixture *fixture = *state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        write_file(fixture, "keys", modes[i], "access_key = A\nsecret_key = hidden\n");
        fixture->service.credentials = fixture->file;
        refused(*state, ERR_INVALID, "others may read");
    }
}

static void a_named_file_must_be_there_whatever_other_places_hold(void **state) {
    struct fixture *fixture = *state;
    static char absent[] = "/nonexistent/keys";
    setenv("AWS_ACCESS_KEY_ID", "A", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
    found(*state, "A", "S", "");
    fixture->service.credentials = absent;
    refused(*state, ERR_KEY, "/nonexistent/keys");
    fixture->service.credentials = fixture->folder;
    refused(*state, ERR_INVALID, "no regular file");
}

static void malformed_files_are_refused_by_line(void **state) {
    static const char *const cases[][2] = {
        { "access_key = A\nsecret_key = hidden hidden\n", "line 2: the value has a blank" },
        { "access_key = A\nsecret_key = \"hidden\"\n", "line 2: the value has a blank, a quote" },
        { "access_key = A\nsecret_key =\n", "line 2: there is no value" },
        { "access_key = A\nhidden\n", "line 2: it is not \"name = value\"" },
        { "access_key = A\nhidden=\n", "line 2: it is none of" },
        { "access_key = A\naccess_key = hidden\n", "line 2: this was said before" },
        { "access_key = A\n\nsecret_key = hidden\xff\n", "line 3: the value has a blank" },
        { "access_key = A\n", "has no secret key" },
        { "secret_key = hidden\n", "has no access key" },
        { "", "has no access key" },
        { "[default\naws_access_key_id = A\n", "line 1: it is no \"[profile]\"" },
        { "[default]\naws_access_key_id = A\n", "has no secret key in [default]" },
        { "[default]\naws_access_key_id = A\naws_secret_access_key = hidden\n[default]\naws_access_key_id = B\n",
          "line 5: this was said before" },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        named(*state, cases[i][0]);
        refused(*state, ERR_INVALID, cases[i][1]);
    }
}

static void values_and_files_have_a_limit(void **state) {
    char *text = mem_alloc(70001);
    memset(text, 'h', 70000);
    text[70000] = '\0';
    named(*state, text);
    refused(*state, ERR_INVALID, "larger than 65536");
    memcpy(text, "access_key = A\nsecret_key = ", 28);
    text[28 + S3_SECRET_MAX] = '\0';
    named(*state, text);
    refused(*state, ERR_INVALID, "line 2: the value is too long");
    setenv("AWS_ACCESS_KEY_ID", text + 28, 1);
    setenv("AWS_SECRET_ACCESS_KEY", "hidden", 1);
    ((struct fixture *)*state)->service.credentials = NULL;
    refused(*state, ERR_INVALID, "AWS_ACCESS_KEY_ID is too long");
    free(text);
}

static void the_folder_of_systemd_comes_before_the_environment(void **state) {
    struct fixture *fixture = *state;
    setenv("MUNIMENT_S3_MY_B2_ACCESS_KEY", "E", 1);
    setenv("MUNIMENT_S3_MY_B2_SECRET_KEY", "ES", 1);
    setenv("CREDENTIALS_DIRECTORY", fixture->folder, 1);
    found(*state, "E", "ES", "");
    write_file(*state, "s3-my-b2", 0440, "access_key = D\nsecret_key = DS\n");
    found(*state, "D", "DS", "");
    write_file(*state, "s3-my-b2", 0444, "access_key = D\nsecret_key = hidden\n");
    refused(*state, ERR_INVALID, "others may read");
}

static void the_environment_of_a_service_comes_before_that_of_aws(void **state) {
    setenv("AWS_ACCESS_KEY_ID", "A", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "S", 1);
    setenv("AWS_SESSION_TOKEN", "T", 1);
    found(*state, "A", "S", "T");
    setenv("MUNIMENT_S3_MY_B2_ACCESS_KEY", "E", 1);
    setenv("MUNIMENT_S3_MY_B2_SECRET_KEY", "ES", 1);
    found(*state, "E", "ES", "");
    setenv("MUNIMENT_S3_MY_B2_SESSION_TOKEN", "ET", 1);
    found(*state, "E", "ES", "ET");
}

static void half_a_pair_is_refused(void **state) {
    setenv("AWS_SECRET_ACCESS_KEY", "hidden", 1);
    refused(*state, ERR_INVALID, "AWS_SECRET_ACCESS_KEY is set, but AWS_ACCESS_KEY_ID is not");
    setenv("MUNIMENT_S3_MY_B2_ACCESS_KEY", "E", 1);
    refused(*state, ERR_INVALID, "MUNIMENT_S3_MY_B2_ACCESS_KEY is set, but MUNIMENT_S3_MY_B2_SECRET_KEY is not");
    setenv("MUNIMENT_S3_MY_B2_SECRET_KEY", "hidden\n", 1);
    refused(*state, ERR_INVALID, "MUNIMENT_S3_MY_B2_SECRET_KEY has a blank");
}

static void a_profile_comes_from_the_file_of_aws_and_not_from_the_environment(void **state) {
    struct fixture *fixture = *state;
    static char other[] = "other";
    write_file(fixture, ".aws/credentials", 0600,
               "[default]\naws_access_key_id = A\naws_secret_access_key = S\n"
               "[ other ]\naws_access_key_id = A2\naws_secret_access_key = S2\n");
    found(*state, "A", "S", "");
    setenv("AWS_ACCESS_KEY_ID", "E", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "ES", 1);
    found(*state, "E", "ES", "");
    fixture->service.profile = other;
    found(*state, "A2", "S2", "");
    write_file(fixture, "elsewhere", 0600, "[other]\naws_access_key_id = A3\naws_secret_access_key = S3\n");
    setenv("AWS_SHARED_CREDENTIALS_FILE", fixture->file, 1);
    found(*state, "A3", "S3", "");
}

static void without_credentials_the_hint_lists_the_places(void **state) {
    struct fixture *fixture = *state;
    struct s3_credentials *credentials;
    struct err err = { 0 };
    assert_int_equal(s3_credentials_load(&fixture->service, &credentials, &err), -1);
    assert_int_equal(err.code, ERR_KEY);
    assert_string_equal(err.message, "credentials of service 'my-b2': there are no credentials");
    assert_non_null(strstr(err.hint, "MUNIMENT_S3_NAME_ACCESS_KEY"));
    assert_non_null(strstr(err.hint, "~/.aws/credentials"));
    fixture->service.name = NULL;
    refused(*state, ERR_KEY, "credentials of object storage: there are no credentials");
}

#define with_fixture(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        with_fixture(a_named_file_holds_two_or_three_lines),
        with_fixture(a_named_file_may_be_one_of_aws),
        with_fixture(a_file_that_others_may_read_is_refused),
        with_fixture(a_named_file_must_be_there_whatever_other_places_hold),
        with_fixture(malformed_files_are_refused_by_line),
        with_fixture(values_and_files_have_a_limit),
        with_fixture(the_folder_of_systemd_comes_before_the_environment),
        with_fixture(the_environment_of_a_service_comes_before_that_of_aws),
        with_fixture(half_a_pair_is_refused),
        with_fixture(a_profile_comes_from_the_file_of_aws_and_not_from_the_environment),
        with_fixture(without_credentials_the_hint_lists_the_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
