/* Answers of object storage: whatever a server sends is read within bounds, or refused. The seed is a page of versions,
 * from which the other kinds are a few names away. */
#include "../../src/s3/listing_internal.h"
#include "../../src/s3/transport_internal.h"
#include "fuzz.h"
#include <string.h>

void fuzz_seed(struct buffer *seed) {
    buffer_printf(
        seed, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
              "<ListVersionsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType>"
              "<IsTruncated>true</IsTruncated><NextKeyMarker>a%%20b</NextKeyMarker>"
              "<Version><Key>a+%%2B%%20b</Key><VersionId>v&amp;1</VersionId><IsLatest>false</IsLatest>"
              "<LastModified>2026-11-21T10:20:30.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size></Version>"
              "<DeleteMarker><Key>a&#x1;</Key><VersionId>2</VersionId><IsLatest>true</IsLatest>"
              "<LastModified>Sat, 21 Nov 2026 10:20:30 GMT</LastModified></DeleteMarker></ListVersionsResult>");
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

static void read_page(enum s3_page_kind kind, const struct buffer *answer) {
    struct s3_page page;
    struct err err = { 0 };

    if (s3_page_read(kind, answer, &page, &err) < 0) {
        fuzz_require(err.code == ERR_CORRUPT || err.code == ERR_UNSUPPORTED);
        fuzz_require(page.items == NULL && page.next_key == NULL);
        return;
    }
    s3_page_sort_versions(&page);
    for (size_t i = 0; i < page.count; i++) {
        fuzz_require(page.items[i].key[0] != '\0' && strlen(page.items[i].key) <= S3_KEY_MAX);
        fuzz_require(kind == S3_PAGE_OBJECTS || (page.items[i].id && page.items[i].id[0] != '\0'));
    }
    s3_page_release(&page);
}

static void read_refusal(const uint8_t *data, size_t size) {
    const struct s3_headers headers = { 0 };
    struct s3_refusal refusal;

    s3_refusal_read(&refusal, 200, &headers, data, size);
    fuzz_require(!strpbrk(refusal.code, "\n\r\t\x1b") && !strpbrk(refusal.message, "\n\r\t\x1b"));
    if (refusal.code[0] != '\0')
        fuzz_require(s3_xml_is_error(data, size));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct buffer answer = { 0 };
    struct err err = { 0 };

    buffer_put(&answer, data, size);
    read_page(S3_PAGE_OBJECTS, &answer);
    read_page(S3_PAGE_VERSIONS, &answer);
    read_page(S3_PAGE_UPLOADS, &answer);
    buffer_release(&answer);
    if (s3_xml_parse(data, size, each, NULL, &err) < 0)
        fuzz_require(err.code == ERR_CORRUPT && err.message[0] != '\0');
    read_refusal(data, size);
    return 0;
}
