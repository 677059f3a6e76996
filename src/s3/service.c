#include <muniment/s3/service.h>
#include <muniment/util/memory.h>
#include <stdlib.h>
#include <string.h>

bool s3_is_address(const char *text) {
    return strncmp(text, "s3:", 3) == 0;
}

void s3_service_release(struct s3_service *service) {
    free(service->name);
    free(service->endpoint);
    free(service->region);
    free(service->credentials);
    free(service->profile);
    free(service->ca_file);
    *service = (struct s3_service){ 0 };
}

void s3_service_copy(struct s3_service *to, const struct s3_service *from) {
    *to = *from;
    to->name = mem_string(from->name);
    to->endpoint = mem_string(from->endpoint);
    to->region = mem_string(from->region);
    to->credentials = mem_string(from->credentials);
    to->profile = mem_string(from->profile);
    to->ca_file = mem_string(from->ca_file);
}

void s3_services_release(struct s3_services *services) {
    for (size_t i = 0; i < services->count; i++)
        s3_service_release(&services->items[i]);
    free(services->items);
    *services = (struct s3_services){ 0 };
}
