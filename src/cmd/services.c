#include "invocation_internal.h"
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

/* What the options say of a service. Strings are replaced. */
static void apply_service_options(const struct options *options, struct s3_service *service) {
    static const struct {
        enum option option;
        size_t offset;
    } TEXTS[] = {
        { OPTION_CREDENTIALS, offsetof(struct s3_service, credentials) },
        { OPTION_REGION, offsetof(struct s3_service, region) },
        { OPTION_CA_FILE, offsetof(struct s3_service, ca_file) },
    };
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        char **text = (char **)((char *)service + TEXTS[i].offset);
        if (!option_given(options, TEXTS[i].option))
            continue;
        free(*text);
        *text = mem_string(option_text(options, TEXTS[i].option));
    }
    service->plain_http |= option_given(options, OPTION_PLAIN_HTTP);
}

const struct s3_service *invocation_url_service(struct invocation *invocation) {
    struct s3_services *services = &invocation->url_services;
    if (services->count == 0) {
        services->items = mem_array(1, sizeof *services->items);
        services->count = 1;
        apply_service_options(&invocation->options, &services->items[0]);
    }
    return &services->items[0];
}

/* True for "s3:NAME/...", false for a URL and for a folder. */
static bool names_a_service(const char *address) {
    return s3_is_address(address) && strncmp(address + strcspn(address, "/") - 1, "://", 3) != 0;
}

int invocation_services(struct invocation *invocation, const char *address, const struct s3_services **services,
                        struct err *err) {
    invocation_url_service(invocation);
    *services = &invocation->url_services;
    if (names_a_service(address)) {
        if (invocation_settings(invocation, err) != 0) {
            err->hint[0] = '\0'; /* that of the configuration: whoever has none needs another */
            err_hint(err, "an address without configuration is a URL: s3:https://HOST/BUCKET/PREFIX");
            return err_wrap(err, "find the service of '%s'", address);
        }
        *services = &invocation->settings.services;
    }
    return 0;
}

void invocation_adjust_service(struct invocation *invocation, const char *address) {
    struct s3_services *services = &invocation->settings.services;
    for (size_t i = 0; s3_is_address(address) && i < services->count; i++) {
        const char *name = services->items[i].name;
        size_t length = name != NULL ? strlen(name) : 0;
        if (length > 0 && strncmp(address + 3, name, length) == 0 &&
            (address[3 + length] == '/' || address[3 + length] == '\0'))
            apply_service_options(&invocation->options, &services->items[i]);
    }
}
