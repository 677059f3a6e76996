#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <muniment/util/memory.h>
#include <stdlib.h>

#include "rgw_world.h"

int rgw_world_make(void **state) {
    struct rgw_world *world = mem_zalloc(sizeof *world);

    *state = world;
    if (!test_rgw_available())
        return 0;
    world->plain = test_rgw_bucket(TEST_BUCKET_PLAIN);
    world->versioned = test_rgw_bucket(TEST_BUCKET_VERSIONED);
    world->locked = test_rgw_bucket(TEST_BUCKET_LOCKED);
    world->proxy = fault_proxy_start();
    return 0;
}

int rgw_world_drop(void **state) {
    struct rgw_world *world = *state;

    if (test_rgw_available()) {
        fault_proxy_stop(world->proxy);
        test_rgw_drop(world->plain);
        test_rgw_drop(world->versioned);
        test_rgw_drop(world->locked);
    }
    free(world);
    return 0;
}

const struct rgw_world *rgw_world_of(void **state) {
    const struct rgw_world *world = test_rgw_ready(state);

    fault_proxy_set(world->proxy, "");
    return world;
}

struct s3 *rgw_world_faulty(const struct rgw_world *world, const char *rules) {
    fault_proxy_set(world->proxy, rules);
    return test_rgw_client(fault_proxy_endpoint(world->proxy));
}
