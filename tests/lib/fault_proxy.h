/*
 * A proxy before the scratch object store that fails on demand: tests/tools/fault-proxy, whose head lists the faults.
 * It ends with this program, however that ends.
 */
#ifndef MUNIMENT_TESTS_FAULT_PROXY_H
#define MUNIMENT_TESTS_FAULT_PROXY_H

struct fault_proxy;

struct fault_proxy *fault_proxy_start(void); /* needs test_rgw_available() */

/* One that speaks TLS: its endpoint is https://, and the file holds the certificate to trust. It takes no rules. */
struct fault_proxy *fault_proxy_start_tls(void);
char *fault_proxy_ca_file(const struct fault_proxy *proxy); /* the path is the caller's */

void fault_proxy_stop(struct fault_proxy *proxy);
const char *fault_proxy_endpoint(const struct fault_proxy *proxy);

/* Replaces the rules, a line each ("" for none), and sets the counters to zero. */
void fault_proxy_set(struct fault_proxy *proxy, const char *rules);

/* How many requests of this kind went by since; or another of the counts that the tool's head lists. */
unsigned long fault_proxy_count(struct fault_proxy *proxy, const char *kind);

/* How often the rules of this fault took effect. */
unsigned long fault_proxy_taken(struct fault_proxy *proxy, const char *fault);

/* A line for every request since: "METHOD TARGET STATUS FAULT". The text is the caller's. */
char *fault_proxy_log(struct fault_proxy *proxy);

#endif
