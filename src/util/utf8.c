#include <muniment/util/utf8.h>
#include <stdbool.h>
#include <stdint.h>

size_t utf8_length(const char *text, size_t left) {
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } FORMS[] = { { 0x80, 0x00, 0 }, { 0xe0, 0xc0, 0x80 }, { 0xf0, 0xe0, 0x800 }, { 0xf8, 0xf0, 0x10000 } };
    const unsigned char *at = (const unsigned char *)text;

    for (size_t i = 0; i < sizeof FORMS / sizeof *FORMS && i < left; i++) {
        if ((at[0] & FORMS[i].mask) != FORMS[i].lead)
            continue;
        uint32_t point = (uint32_t)(at[0] & ~FORMS[i].mask);
        for (size_t j = 1; j <= i; j++) {
            if ((at[j] & 0xc0) != 0x80)
                return 0;
            point = point << 6 | (at[j] & 0x3f);
        }
        const bool surrogate = point >= 0xd800 && point <= 0xdfff;
        return point >= FORMS[i].least && point <= 0x10ffff && !surrogate ? i + 1 : 0;
    }
    return 0;
}
