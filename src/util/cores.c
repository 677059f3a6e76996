#include <muniment/util/cores.h>
#include <unistd.h>

unsigned cores_online(void) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (unsigned)cores : 1;
}
