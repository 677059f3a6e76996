#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "scratch.h"
#include <ftw.h>
#include <muniment/util/memory.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPEN_FOLDERS = 32 };

static _Noreturn void give_up(const char *what, const char *name) {
    fprintf(stderr, "cannot %s '%s'\n", what, name);
    exit(2);
}

char *scratch_make(void) {
    const char *base = getenv("TMPDIR");
    char *folder = mem_format("%s/muniment-test-XXXXXX", base != NULL && *base != '\0' ? base : "/tmp");

    if (mkdtemp(folder) == NULL)
        give_up("make the folder", folder);
    return folder;
}

/* A test may have taken its own right to write away. */
static int open_up(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)walk;
    if (type == FTW_D || type == FTW_DNR)
        (void)chmod(path, status->st_mode | S_IRWXU);
    return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

void scratch_remove(char *folder) {
    if (folder == NULL)
        return;
    nftw(folder, open_up, OPEN_FOLDERS, FTW_PHYS);
    if (nftw(folder, remove_one, OPEN_FOLDERS, FTW_PHYS | FTW_DEPTH) != 0)
        give_up("remove", folder);
    free(folder);
}

/* nftw hands nothing through to its callback. */
static _Thread_local size_t counted;

static int count_one(const char *path, const struct stat *status, int type, struct FTW *walk) {
    (void)path;
    (void)status;
    (void)type;
    if (walk->level > 0)
        counted++;
    return 0;
}

size_t scratch_count(const char *folder) {
    counted = 0;
    nftw(folder, count_one, OPEN_FOLDERS, FTW_PHYS);
    return counted;
}

pid_t scratch_fork(void) {
    const pid_t parent = getpid();
    const pid_t child = fork();

    if (child < 0)
        give_up("fork for", "a test");
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(127);
    }
    return child;
}

void assert_words(const struct err *err, const char *const *words) {
    for (; *words; words++)
        if (!strstr(err->message, *words) && !strstr(err->hint, *words))
            fail_msg("no '%s' in '%s' (%s)", *words, err->message, err->hint);
}
