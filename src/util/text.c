#include <muniment/util/buffer.h>
#include <muniment/util/memory.h>
#include <muniment/util/text.h>
#include <muniment/util/utf8.h>
#include <string.h>

bool text_is_control(const char *character, size_t length) {
    const unsigned char last = (unsigned char)character[length - 1];
    return length == 1 ? last < 0x20 || last == 0x7f : length == 2 && character[0] == '\xc2' && last < 0xa0;
}

size_t text_width(const char *text) {
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

char *text_escape(const char *text, const char *spared, const char *marked) {
    struct buffer out = { 0 };
    for (size_t left = strlen(text), length; left > 0; text += length, left -= length) {
        length = utf8_length(text, left);
        const bool plain =
            length > 0 && !text_is_control(text, length) && (length > 1 || strchr(marked, *text) == NULL);
        if (!plain)
            length = 1;
        if (plain || strchr(spared, *text) != NULL)
            buffer_put(&out, text, length);
        else
            buffer_printf(&out, "\\x%02x", (unsigned char)*text);
    }
    char *escaped = mem_string(buffer_text(&out));
    buffer_release(&out);
    return escaped;
}
