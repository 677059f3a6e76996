#include "s3_internal.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char ALPHANUMERIC[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char DIGITS[] = "0123456789";

enum { HOST_NAME_MAX_LENGTH = 253, LABEL_MAX = 63 };

static bool label_is_valid(const char *label, size_t length) {
    if (length == 0 || length > LABEL_MAX || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++)
        if (!strchr(ALPHANUMERIC, label[i]) && label[i] != '-' && label[i] != '_')
            return false;
    return true;
}

/* A name whose last label is a number is an address to resolvers ("127.1", "2130706433", "0x7f.1"), each in its own
 * way: only the plain form of four numbers is taken. */
static bool name_is_valid(const char *host) {
    const char *label = host;

    if (strlen(host) > HOST_NAME_MAX_LENGTH)
        return false;
    for (;;) {
        const size_t length = strcspn(label, ".");
        if (!label_is_valid(label, length))
            return false;
        if (label[length] == '\0')
            break;
        label += length + 1;
    }
    return strspn(label, DIGITS) != strlen(label) && strncmp(label, "0x", 2) != 0;
}

static bool host_is_valid(struct s3_endpoint *endpoint) {
    struct in_addr four;
    struct in6_addr six;
    const size_t length = strlen(endpoint->host);

    if (endpoint->host[0] == '[') {
        char inner[INET6_ADDRSTRLEN];
        if (length < 4 || length - 2 >= sizeof inner || endpoint->host[length - 1] != ']')
            return false;
        memcpy(inner, endpoint->host + 1, length - 2);
        inner[length - 2] = '\0';
        endpoint->numeric = true;
        if (inet_pton(AF_INET6, inner, &six) != 1)
            return false;
        endpoint->loopback = IN6_IS_ADDR_LOOPBACK(&six);
        return true;
    }
    if (inet_pton(AF_INET, endpoint->host, &four) == 1) {
        endpoint->numeric = true;
        endpoint->loopback = ntohl(four.s_addr) >> 24 == 127;
        return true;
    }
    endpoint->loopback = strcmp(endpoint->host, "localhost") == 0;
    return name_is_valid(endpoint->host);
}

static bool port_is_valid(struct s3_endpoint *endpoint, const char *text, size_t length) {
    if (length == 0 || length > 5 || strspn(text, DIGITS) < length)
        return false;
    endpoint->port = (unsigned)strtoul(text, NULL, 10);
    return endpoint->port >= 1 && endpoint->port <= 65535;
}

static bool path_is_valid(struct s3_endpoint *endpoint, const char *text) {
    size_t length = strlen(text);

    if (length > 0 && text[length - 1] == '/')
        length--;
    if ((length > 0 && text[0] != '/') || length >= sizeof endpoint->path)
        return false;
    memcpy(endpoint->path, text, length);
    for (const char *at = endpoint->path; *at != '\0';) {
        const size_t component = strcspn(++at, "/");
        if (component == 0 || (component == 1 && at[0] == '.') || (component == 2 && at[0] == '.' && at[1] == '.'))
            return false;
        for (size_t i = 0; i < component; i++)
            if (!strchr(ALPHANUMERIC, at[i] >= 'A' && at[i] <= 'Z' ? at[i] + 32 : at[i]) && !strchr("-._~", at[i]))
                return false;
        at += component;
    }
    return true;
}

int s3_endpoint_parse(const char *url, struct s3_endpoint *endpoint, struct err *err) {
    const char *at;

    *endpoint = (struct s3_endpoint){ 0 };
    /* What stands before an '@' may be a password, so nothing of it is shown. */
    if (strchr(url, '@') != NULL)
        return err_set(err, ERR_INVALID, "a URL of object storage has no user or password");
    if (strncasecmp(url, "https://", 8) == 0)
        at = url + 8;
    else if (strncasecmp(url, "http://", 7) == 0)
        at = url + 7;
    else
        return err_set(err, ERR_INVALID, "'%s' begins with neither https:// nor http://", url);
    endpoint->tls = at == url + 8;
    endpoint->port = endpoint->tls ? 443 : 80;

    const size_t authority = strcspn(at, "/?#");
    const size_t length = at[0] == '[' ? strcspn(at, "]/?#") + 1 : strcspn(at, ":/?#");
    if (length == 0 || length > authority || length >= sizeof endpoint->host)
        return err_set(err, ERR_INVALID, "'%s' names no host", url);
    for (size_t i = 0; i < length; i++)
        endpoint->host[i] = at[i] >= 'A' && at[i] <= 'Z' ? (char)(at[i] + 32) : at[i];
    if (!host_is_valid(endpoint))
        return err_set(err, ERR_INVALID, "'%s' is no host name or address, in '%s'", endpoint->host, url);

    if (length < authority && (at[length] != ':' || !port_is_valid(endpoint, at + length + 1, authority - length - 1)))
        return err_set(err, ERR_INVALID, "'%s' has a port that is no number from 1 to 65535", url);
    if (!path_is_valid(endpoint, at + authority))
        return err_set(err, ERR_INVALID,
                       "'%s' has a path that is more than plain components (letters, digits and -._~)", url);

    if (endpoint->port == (endpoint->tls ? 443u : 80u))
        snprintf(endpoint->authority, sizeof endpoint->authority, "%s", endpoint->host);
    else
        snprintf(endpoint->authority, sizeof endpoint->authority, "%s:%u", endpoint->host, endpoint->port);
    return 0;
}
