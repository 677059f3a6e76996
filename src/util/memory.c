#include <muniment/util/memory.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Takes no memory itself, and runs no exit handlers, which might. */
static _Noreturn void out_of_memory(void) {
    static const char line[] = "muniment: out of memory\n";
    const ssize_t ignored = write(STDERR_FILENO, line, sizeof line - 1);
    (void)ignored; /* there is nobody left to tell */
    _exit(1);
}

static size_t multiply(size_t count, size_t size) {
    size_t product;
    if (__builtin_mul_overflow(count, size, &product))
        out_of_memory();
    return product;
}

void *mem_require(void *memory) {
    if (memory == NULL)
        out_of_memory();
    return memory;
}

void *mem_alloc(size_t size) {
    return mem_require(malloc(size > 0 ? size : 1));
}

void *mem_zalloc(size_t size) {
    return mem_require(calloc(1, size > 0 ? size : 1));
}

void *mem_array(size_t count, size_t size) {
    return mem_zalloc(multiply(count, size));
}

void *mem_resize(void *memory, size_t count, size_t size) {
    const size_t bytes = multiply(count, size);
    return mem_require(realloc(memory, bytes > 0 ? bytes : 1));
}

char *mem_string(const char *text) {
    return text != NULL ? mem_require(strdup(text)) : NULL;
}

char *mem_format(const char *format, ...) {
    va_list arguments;
    char *text = NULL;

    va_start(arguments, format);
    const int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        out_of_memory();
    return text;
}

void *mem_grow(void *memory, size_t *capacity, size_t need, size_t size) {
    size_t more = *capacity;

    if (need <= *capacity)
        return memory;
    if (more < 8)
        more = 8;
    while (more < need)
        more = more > SIZE_MAX / 2 ? need : more * 2;
    memory = mem_resize(memory, more, size);
    *capacity = more;
    return memory;
}

void mem_free_strings(char **strings, size_t count) {
    if (strings == NULL)
        return;
    for (size_t i = 0; i < count; i++)
        free(strings[i]);
    free(strings);
}
