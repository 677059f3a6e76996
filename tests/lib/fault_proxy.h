/*
 * A proxy before the scratch object store that fails on demand: tests/tools/fault-proxy, whose head lists the faults.
 * It ends with this program, however that ends.
 */
#ifndef MUNIMENT_TESTS_FAULT_PROXY_H
#define MUNIMENT_TESTS_FAULT_PROXY_H

struct fault_proxy;

struct fault_proxy *fault_proxy_start(void); /* needs test_rgw_available() */
void fault_proxy_stop(struct fault_proxy *proxy);
const char *fault_proxy_endpoint(const struct fault_proxy *proxy);

/* Replaces the rules, a line each ("" for none), and sets the counters to zero. */
void fault_proxy_set(struct fault_proxy *proxy, const char *rules);

/* How many requests of this kind went by since. */
unsigned long fault_proxy_count(struct fault_proxy *proxy, const char *kind);

#endif
