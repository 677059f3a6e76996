#include "plan_internal.h"
#include <stdio.h>
#include <string.h>

char *form_tiers(char text[FORM_TEXT], uint8_t tiers) {
    size_t length = 0;
    for (int kind = 0; kind < TIER_KINDS; kind++)
        if (tiers & 1 << kind)
            length += (size_t)snprintf(text + length, FORM_TEXT - length, "%s%s", length > 0 ? " " : "",
                                       TIER_TABLE[kind].name);
    if (length == 0)
        strcpy(text, "-");
    return text;
}
