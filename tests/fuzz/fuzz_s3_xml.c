/* Answers of object storage: whatever a server sends is read within bounds, or refused. */
#include "../../src/s3/s3_internal.h"
#include "fuzz.h"
#include <string.h>

void fuzz_seed(struct buffer *seed) {
    buffer_printf(seed, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                        "<Error xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Code>SlowDown</Code>"
                        "<Message>a&amp;b&#65;</Message><Time>2026-11-21T10:20:30.000Z</Time>"
                        "<Date>Sat, 21 Nov 2026 10:20:30 GMT</Date></Error>");
}

static int each(void *context, const char *path, const char *text, struct err *err) {
    int64_t when;
    const size_t slashes = strcspn(path, "/");
    (void)context;
    fuzz_require(path[0] != '\0' && slashes > 0 && strlen(path) < 1024 && strlen(text) <= 65536);
    err_clear(err);
    if (s3_parse_time(text, &when, err) < 0) {
        fuzz_require(err->code == ERR_CORRUPT);
        err_clear(err);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char code[64], message[512];
    struct err err = { 0 };

    if (s3_xml_parse(data, size, each, NULL, &err) < 0)
        fuzz_require(err.code == ERR_CORRUPT && err.message[0] != '\0');
    if (s3_xml_error(data, size, code, message))
        fuzz_require(strlen(code) < sizeof code && strlen(message) < sizeof message && !strpbrk(message, "\n\r\t"));
    return 0;
}
