/*
 * What serves all tests of a program that speak to the scratch object store: a bucket of each kind, where tests keep to
 * keys of their own, and a proxy before the store. Include <cmocka.h> and what it needs first.
 */
#ifndef MUNIMENT_TESTS_RGW_WORLD_H
#define MUNIMENT_TESTS_RGW_WORLD_H

#include "fault_proxy.h"
#include "rgw.h"

struct rgw_world {
    char *plain, *versioned, *locked;
    struct fault_proxy *proxy;
};

/* Before all tests of the program, whose `*state` it becomes, and after them. Without a server it is empty. */
int rgw_world_make(void **state);
int rgw_world_drop(void **state);

/* First in each test, as test_rgw_ready(); the proxy has no rules. */
const struct rgw_world *rgw_world_of(void **state);

/* A client through the proxy, which is given these rules; it is the caller's to close. */
struct s3 *rgw_world_faulty(const struct rgw_world *world, const char *rules);

#endif
