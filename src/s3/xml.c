#include "s3_internal.h"
#include <expat.h>
#include <muniment/util/clock.h>
#include <muniment/util/memory.h>
#include <muniment/util/utf8.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    DEPTH_MAX = 16,
    PATH_MAX_LENGTH = 1024,
    TEXT_MAX = 64 * 1024,
    PIECE = 1024 * 1024, /* expat counts in int */
    YEAR_TEXT = 4,
};

/*
 * XML has no control characters, not even as references, and nothing that is not UTF-8, but keys do, and servers repeat
 * keys that they were asked about. For expat each such byte becomes a character of a private area, and itself again
 * afterwards.
 */

static const char STAND_IN[] = "\xf3\xb0"; /* and two bytes more: U+F0000 to U+F00FF */
enum { STAND_IN_LENGTH = 4 };

static bool is_control(unsigned byte) {
    return byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r';
}

size_t s3_xml_character(const char *text, size_t left) {
    const size_t length = utf8_length(text, left);
    const bool none = length == 0 || is_control((unsigned char)*text);
    return none || (length == 3 && memcmp(text, "\xef\xbf", 2) == 0 && text[2] > '\xbd') ? 0 : length;
}

/* How many bytes at `at` are a reference to a control character; 0: it is none. */
static size_t find_reference(const char *at, size_t left, unsigned *byte) {
    char text[12];

    snprintf(text, sizeof text, "%.*s", (int)(left < sizeof text ? left : sizeof text), at);
    if (strncmp(text, "&#", 2) != 0)
        return 0;
    const bool hexadecimal = text[2] == 'x';
    const char *digits = text + (hexadecimal ? 3 : 2);
    const size_t count = strspn(digits, hexadecimal ? "0123456789abcdefABCDEF" : "0123456789");
    if (count == 0 || digits[count] != ';')
        return 0;
    const unsigned long number = strtoul(digits, NULL, hexadecimal ? 16 : 10);
    *byte = (unsigned)number;
    return number > 0 && number < 0x20 && is_control(*byte) ? (size_t)(digits - text) + count + 1 : 0;
}

/* True when there was something to replace, and nothing that makes it ambiguous; the document is then in `to`. */
static bool stand_in(const char *data, size_t length, struct buffer *to) {
    bool ambiguous = memmem(data, length, "<![CDATA[", 9) != NULL;
    size_t done = 0, step;

    for (size_t i = 0; i < length && !ambiguous; i += step) {
        unsigned byte = (unsigned char)data[i];
        step = 1;
        if (byte >= 0x20 && byte < 0x7f && byte != '&')
            continue;
        const size_t character = s3_xml_character(data + i, length - i);
        const size_t found = byte == '&' ? find_reference(data + i, length - i, &byte) : character == 0;
        step = found > 0 ? found : character;
        ambiguous = byte == 0 || (character == STAND_IN_LENGTH && memcmp(data + i, STAND_IN, 2) == 0);
        if (found == 0)
            continue;
        buffer_put(to, data + done, i - done);
        buffer_put(to, STAND_IN, sizeof STAND_IN - 1);
        buffer_put_u8(to, (uint8_t)(0x80 | byte >> 6));
        buffer_put_u8(to, (uint8_t)(0x80 | (byte & 0x3f)));
        done = i + found;
    }
    if (done == 0 || ambiguous)
        return false;
    buffer_put(to, data + done, length - done);
    return true;
}

static void stand_back(char *text) {
    char *to = text;

    for (const char *at = text; *at != '\0'; at++)
        if (strncmp(at, STAND_IN, sizeof STAND_IN - 1) == 0) {
            *to++ = (char)((at[2] & 3) << 6 | (at[3] & 0x3f));
            at += STAND_IN_LENGTH - 1;
        } else {
            *to++ = *at;
        }
    *to = '\0';
}

/* A document on its way through expat. */
struct reading {
    XML_Parser parser;
    s3_element *element;
    void *context;
    struct err *err;
    bool ended; /* somebody below has set err */

    char path[PATH_MAX_LENGTH];
    size_t lengths[DEPTH_MAX]; /* of the path above each open element */
    unsigned depth;
    bool leaf;          /* no element inside the innermost one has ended yet */
    struct buffer text; /* since the last tag */
    bool replaced;      /* some of it stands in for bytes that XML has not */
};

static void refuse(struct reading *reading, const char *why) {
    if (!reading->ended)
        err_set(reading->err, ERR_CORRUPT, "line %lu of the answer: %s",
                (unsigned long)XML_GetCurrentLineNumber(reading->parser), why);
    reading->ended = true;
    XML_StopParser(reading->parser, XML_FALSE);
}

static bool text_is_blank(const struct buffer *text) {
    for (size_t i = 0; i < text->length; i++)
        if (!strchr(" \t\r\n", text->data[i]))
            return false;
    return true;
}

static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes) {
    struct reading *reading = data;
    const size_t at = strlen(reading->path), length = strlen(name);
    (void)attributes;

    if (reading->ended)
        return;
    if (reading->depth == DEPTH_MAX || at + 1 + length >= sizeof reading->path) {
        refuse(reading, "elements are nested too deep");
        return;
    }
    if (!text_is_blank(&reading->text)) {
        refuse(reading, "text stands between elements");
        return;
    }
    reading->lengths[reading->depth++] = at;
    snprintf(reading->path + at, sizeof reading->path - at, "%s%s", at > 0 ? "/" : "", name);
    reading->leaf = true;
    buffer_clear(&reading->text);
}

static void XMLCALL on_end(void *data, const XML_Char *name) {
    struct reading *reading = data;
    (void)name;

    if (reading->ended)
        return;
    if (!reading->leaf && !text_is_blank(&reading->text)) {
        refuse(reading, "text stands between elements");
        return;
    }
    const char *text = reading->leaf ? buffer_text(&reading->text) : "";
    if (reading->replaced && reading->leaf)
        stand_back((char *)reading->text.data);
    if (reading->element(reading->context, reading->path, text, reading->err) != 0) {
        reading->ended = true;
        XML_StopParser(reading->parser, XML_FALSE);
        return;
    }
    reading->path[reading->lengths[--reading->depth]] = '\0';
    reading->leaf = false;
    buffer_clear(&reading->text);
}

static void XMLCALL on_text(void *data, const XML_Char *text, int length) {
    struct reading *reading = data;

    if (reading->ended)
        return;
    if (reading->text.length + (size_t)length > TEXT_MAX) {
        refuse(reading, "an element has more than 64 KiB of text");
        return;
    }
    buffer_put(&reading->text, text, (size_t)length);
}

/* Entities are declared in a document type, so none ever is. */
static void XMLCALL on_doctype(void *data, const XML_Char *name, const XML_Char *system, const XML_Char *public,
                               int internal) {
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    refuse(data, "it has a document type declaration");
}

static void XMLCALL on_declaration(void *data, const XML_Char *version, const XML_Char *encoding, int standalone) {
    (void)version;
    (void)standalone;
    if (encoding && strcasecmp(encoding, "UTF-8") != 0)
        refuse(data, "its encoding is not UTF-8");
}

static int feed(struct reading *reading, const char *data, size_t length) {
    while (!reading->ended) {
        const size_t piece = length < PIECE ? length : PIECE;
        const bool last = piece == length;
        if (XML_Parse(reading->parser, data, (int)piece, last) != XML_STATUS_OK) {
            refuse(reading, XML_ErrorString(XML_GetErrorCode(reading->parser)));
            break;
        }
        if (last)
            break;
        data += piece;
        length -= piece;
    }
    return reading->ended ? -1 : 0;
}

int s3_xml_parse(const void *data, size_t length, s3_element *element, void *context, struct err *err) {
    struct reading reading = { .element = element, .context = context, .err = err };
    const char *at = data;
    struct buffer copy = { 0 };

    /* Servers that keep a connection awake while they work send white space first. */
    while (length > 0 && strchr(" \t\r\n", *at) && *at != '\0') {
        at++;
        length--;
    }
    reading.replaced = length > 0 && stand_in(at, length, &copy);
    if (reading.replaced) {
        at = (const char *)copy.data;
        length = copy.length;
    }
    reading.parser = mem_require(XML_ParserCreate("UTF-8"));
    XML_SetUserData(reading.parser, &reading);
    XML_SetElementHandler(reading.parser, on_start, on_end);
    XML_SetCharacterDataHandler(reading.parser, on_text);
    XML_SetStartDoctypeDeclHandler(reading.parser, on_doctype);
    XML_SetXmlDeclHandler(reading.parser, on_declaration);
    const int result = feed(&reading, length > 0 ? at : "", length);
    XML_ParserFree(reading.parser);
    buffer_release(&reading.text);
    buffer_release(&copy);
    return result;
}

struct below {
    const char *root;
    s3_element *element;
    void *context;
};

static int take_below(void *context, const char *path, const char *text, struct err *err) {
    const struct below *below = context;
    const size_t length = strcspn(path, "/");

    if (length != strlen(below->root) || strncmp(path, below->root, length) != 0)
        return err_set(err, ERR_CORRUPT, "the answer is a %.*s, not a %s", (int)(length < 64 ? length : 64), path,
                       below->root);
    return below->element(below->context, path[length] == '/' ? path + length + 1 : "", text, err);
}

int s3_xml_parse_below(const char *root, const struct buffer *document, s3_element *element, void *context,
                       struct err *err) {
    struct below below = { .root = root, .element = element, .context = context };
    return s3_xml_parse(document->data, document->length, take_below, &below, err);
}

void s3_xml_escape(struct buffer *out, const char *text) {
    for (; *text != '\0'; text++) {
        const unsigned char byte = (unsigned char)*text;
        if (byte < 0x20 || byte == 0x7f || strchr("&<>\"'", byte))
            buffer_printf(out, "&#%u;", byte);
        else
            buffer_put_u8(out, byte);
    }
}

/*
 * Errors
 */

static int see_error(void *context, const char *path, const char *text, struct err *err) {
    bool *seen = context;

    (void)text;
    if (strcmp(path, "Error") != 0 && strncmp(path, "Error/", 6) != 0)
        return err_set(err, ERR_CORRUPT, "it is no error");
    *seen = true;
    return 0;
}

bool s3_xml_is_error(const void *data, size_t length) {
    struct err ignored = { 0 };
    bool seen = false;

    /* One that is cut off is still an error. */
    return s3_xml_parse(data, length, see_error, &seen, &ignored) == 0 || seen;
}

/*
 * What text says
 */

/* "2026-11-21T10:20:30" and what may follow it, to the form without a fraction. */
static bool without_fraction(const char *text, char *plain, size_t size) {
    const size_t whole = strcspn(text, ".");
    const char *rest = text + whole;

    if (strlen(text) < 20 || text[10] != 'T')
        return false;
    if (*rest == '.') {
        const size_t digits = strspn(rest + 1, "0123456789");
        if (digits == 0)
            return false;
        rest += 1 + digits;
    }
    const int length = snprintf(plain, size, "%.*s%s", (int)whole, text, rest);
    return length > 0 && (size_t)length < size;
}

/* "Sat, 21 Nov 2026 10:20:30 GMT", the one form that may be sent (RFC 9110), to the other. */
static bool from_http(const char *text, char *plain, size_t size) {
    static const char months[] = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec";
    static const char form[] = "aaa, 00 aaa 0000 00:00:00 GMT";
    char month[4] = { 0 };

    if (strlen(text) != sizeof form - 1)
        return false;
    for (size_t i = 0; form[i] != '\0'; i++) {
        const bool letter = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= 'A' && text[i] <= 'Z');
        const bool digit = text[i] >= '0' && text[i] <= '9';
        if (form[i] == 'a' ? !letter : form[i] == '0' ? !digit : text[i] != form[i])
            return false;
    }
    memcpy(month, text + 8, 3);
    const char *found = strstr(months, month);
    if (!found || (found - months) % 4 != 0)
        return false;
    const unsigned number = (unsigned)(found - months) / 4 + 1;
    snprintf(plain, size, "%.*s-%02u-%.2sT%.8sZ", (int)YEAR_TEXT, text + 12, number, text + 5, text + 17);
    return true;
}

int s3_parse_time(const char *text, int64_t *when, struct err *err) {
    char plain[64];
    struct err ignored = { 0 };

    if ((!without_fraction(text, plain, sizeof plain) && !from_http(text, plain, sizeof plain)) ||
        clock_parse(plain, when, &ignored) < 0)
        return err_set(err, ERR_CORRUPT, "'%.64s' is not a time", text);
    return 0;
}

/* Moves past a number. */
static bool take_number(const char **at, uint64_t *number) {
    const char *begin = *at;
    bool overflow = false;

    for (*number = 0; **at >= '0' && **at <= '9'; ++*at)
        overflow |= __builtin_mul_overflow(*number, 10, number) || __builtin_add_overflow(*number, **at - '0', number);
    return *at > begin && !overflow;
}

int s3_parse_number(const char *text, uint64_t *number, struct err *err) {
    const char *at = text;
    uint64_t value;

    if (!take_number(&at, &value) || *at != '\0')
        return err_set(err, ERR_CORRUPT, "'%.32s' is not a number", text);
    *number = value;
    return 0;
}

int s3_parse_range(const char *text, struct s3_range *range, struct err *err) {
    static const char unit[] = "bytes ";
    const char *at = text + sizeof unit - 1;

    if (strncmp(text, unit, sizeof unit - 1) == 0 && take_number(&at, &range->first) && *at++ == '-' &&
        take_number(&at, &range->last) && *at++ == '/' && take_number(&at, &range->total) && *at == '\0' &&
        range->first <= range->last && range->last < range->total)
        return 0;
    return err_set(err, ERR_CORRUPT, "'%.64s' is not a range of bytes", text);
}

int s3_parse_etag(const char *text, char etag[S3_ETAG_MAX], struct err *err) {
    size_t length = strlen(text);

    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text++;
        length -= 2;
    }
    if (length >= S3_ETAG_MAX)
        return err_set(err, ERR_CORRUPT, "an ETag has %zu bytes", length);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7f)
            return err_set(err, ERR_CORRUPT, "an ETag has bytes that none may have");
    memcpy(etag, text, length);
    etag[length] = '\0';
    return 0;
}
