#include "invocation_internal.h"
#include <muniment/evidence/document.h>
#include <muniment/util/clock.h>
#include <muniment/util/file.h>
#include <string.h>

enum { DOCUMENT_MAX = 256 * 1024 * 1024 };

static void say(struct output *output, const struct document_signature *signature, const struct report_mark *mark,
                size_t length) {
    static const char *const FORMATS[] = { "text", "JSON", "CSV", "HTML" };
    char from[CLOCK_TEXT], until[CLOCK_TEXT], generated[CLOCK_TEXT];
    output_text(output, "verified:  whole and unchanged since it was signed (%s, %zu bytes)\n",
                FORMATS[signature->format], length);
    output_text(output, "set:       %s\n", signature->set_id);
    output_text(output, "signed by: host %s, certified by the set's root key\n", signature->host);
    if (mark->id[0] != '\0') {
        output_text(output, "report:    %s\n", mark->id);
        output_text(output, "period:    %s to %s\n", clock_format(from, mark->from), clock_format(until, mark->until));
        output_text(output, "generated: %s\n", clock_format(generated, mark->generated));
    }

    json_begin(output, "verified_document");
    json_text(output, "format", FORMATS[signature->format]);
    json_count(output, "bytes", length);
    json_text(output, "set_id", signature->set_id);
    json_text(output, "signer", signature->host);
    json_text(output, "report", mark->id[0] != '\0' ? mark->id : NULL);
    json_time(output, "from", mark->from);
    json_time(output, "until", mark->until);
    json_time(output, "generated", mark->generated);
    json_end(output);
}

static int run_verify_report(struct invocation *invocation, struct err *err) {
    const char *name = invocation->words[0], *path = strcmp(name, "-") == 0 ? "/dev/stdin" : name;
    const char *key = option_text(&invocation->options, OPTION_PUBLIC_KEY);
    struct document_signature signature;
    struct buffer document = { 0 };
    struct keys keys = { 0 };
    struct report_mark mark;
    int result = -1;
    if (key == NULL) {
        err_set(err, ERR_INVALID, "'verify-report' needs the set's public key");
        return err_hint(err, "--public-key FILE; 'muniment key public SET' prints it, and it is no secret");
    }
    if (keys_load_public(&keys, key, err) != 0 || file_read(path, DOCUMENT_MAX, &document, err) != 0)
        goto out;
    if (document_verify(&keys, document.data, document.length, &signature, err) != 0) {
        err_wrap(err, "%s", name);
        goto out;
    }
    (void)report_find_mark(document.data, document.length, signature.set_id, &mark); /* a certificate has none */
    say(invocation->output, &signature, &mark, document.length);
    result = 0;
out:
    buffer_release(&document);
    keys_wipe(&keys);
    return result;
}

const struct command COMMAND_VERIFY_REPORT = {
    .name = "verify-report",
    .arguments = "FILE --public-key FILE",
    .summary = "verify the signature of a report or a certificate",
    .help = "Needs neither configuration nor network: the file and the set's public key are enough. FILE may be '-'.\n"
            "A file that was changed, cut, or never signed ends it with status 20, another set's key with 12.\n",
    .accepts = OPTION_BIT(OPTION_PUBLIC_KEY),
    .least = 1,
    .most = 1,
    .run = run_verify_report,
};
