#include <muniment/source/postgres.h>
#include <muniment/util/hex.h>
#include <muniment/util/memory.h>
#include <string.h>

char *postgres_entry_database(const char *path) {
    static const char FOLDER[] = "databases/", SUFFIX[] = ".dump";
    size_t length = strlen(path), folder = sizeof FOLDER - 1, suffix = sizeof SUFFIX - 1;
    if (length <= folder + suffix || strncmp(path, FOLDER, folder) != 0 || strcmp(path + length - suffix, SUFFIX) != 0)
        return NULL;

    char *name = mem_format("%.*s", (int)(length - folder - suffix), path + folder), *to = name;
    for (const char *from = name; *from != '\0'; from++) {
        char digits[3] = { 0 };
        uint8_t byte;
        if (*from == '%' && from[1] != '\0' && from[2] != '\0') {
            digits[0] = from[1] >= 'A' && from[1] <= 'F' ? (char)(from[1] - 'A' + 'a') : from[1];
            digits[1] = from[2] >= 'A' && from[2] <= 'F' ? (char)(from[2] - 'A' + 'a') : from[2];
            if (hex_decode(&byte, 1, digits) && byte != 0) {
                *to++ = (char)byte;
                from += 2;
                continue;
            }
        }
        *to++ = *from;
    }
    *to = '\0';
    return name;
}
