#include "script.h"
#include <limits.h>
#include <muniment/util/memory.h>
#include <muniment/util/process.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 24, OUTPUT_MAX = 64 << 20 };

char *script_path(const char *script) {
    char program[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);
    if (length <= 0) {
        fprintf(stderr, "tests/lib/script: no /proc/self/exe\n");
        exit(1);
    }
    program[length] = '\0';
    for (int i = 0; i < 4; i++) {
        char *slash = strrchr(program, '/');
        if (slash != NULL)
            *slash = '\0';
    }
    return mem_format("%s/tests/%s", program, script);
}

static int run(const char *script, const char *const *arguments, const char *const *environment, struct buffer *out,
               struct err *err) {
    const char *all[ARGUMENTS_MAX + 2] = { 0 };
    struct buffer unwanted = { 0 };
    char *path = script_path(script);
    all[0] = path;
    for (size_t i = 0; arguments[i] != NULL && i < ARGUMENTS_MAX; i++)
        all[i + 1] = arguments[i];
    const struct process_options options = { .arguments = all, .environment = environment };
    int result = process_capture(&options, OUTPUT_MAX, out != NULL ? out : &unwanted, err);
    buffer_release(&unwanted);
    free(path);
    return result;
}

void script_run(const char *script, const char *const *arguments, const char *const *environment, struct buffer *out) {
    struct err err = { 0 };
    if (run(script, arguments, environment, out, &err) == 0)
        return;
    fprintf(stderr, "tests/%s: %s\n", script, err.message);
    exit(1);
}

bool script_succeeds(const char *script, const char *const *arguments) {
    struct err err = { 0 };
    return run(script, arguments, NULL, NULL, &err) == 0;
}
