#include <muniment/retention/plan.h>
#include <stdio.h>
#include <string.h>

char *form_tiers(char text[FORM_TEXT], uint8_t tiers) {
    static const struct {
        uint8_t bit;
        const char *name;
    } NAMES[] = {
        { TIER_DAILY, "daily" }, { TIER_WEEKLY, "weekly" }, { TIER_MONTHLY, "monthly" }, { TIER_YEARLY, "yearly" }
    };
    size_t length = 0;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        if (tiers & NAMES[i].bit)
            length += (size_t)snprintf(text + length, FORM_TEXT - length, "%s%s", length > 0 ? " " : "", NAMES[i].name);
    }
    if (length == 0)
        strcpy(text, "-");
    return text;
}
