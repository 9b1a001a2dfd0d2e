/* `instant`, a name service module that answers immediately. The time that a lookup takes with it is glibc's own share.
 * Every name has two addresses, except names that begin with `nobody`: their first lookup takes two seconds, like one
 * that gets no response. */
#include "guest.h"

enum nss_status _nss_instant_gethostbyname4_r(const char *name, struct gaih_addrtuple_ **tuples, char *buffer,
                                              size_t size, int *error, int *h_error, int32_t *ttl)
{
    static bool slept;
    struct gaih_addrtuple_ *first = (struct gaih_addrtuple_ *)(void *)buffer;
    size_t length = strlen(name) + 1;
    (void)ttl;
    if (strncmp(name, "nobody", 6) == 0) {
        struct timespec timeout = {2, 0};
        if (!slept)
            nanosleep(&timeout, NULL);
        slept = true;
        *error = ENOENT;
        *h_error = HOST_NOT_FOUND;
        return NSS_STATUS_NOTFOUND;
    }
    if (size < 2 * sizeof *first + length) {
        *error = ERANGE;
        *h_error = NETDB_INTERNAL;
        return NSS_STATUS_TRYAGAIN;
    }
    char *copy = memcpy(first + 2, name, length);
    /* The first host of the test LAN. In this order glibc needs one socket less to sort the addresses. */
    first[0] = (struct gaih_addrtuple_){first + 1, copy, AF_INET6, {htonl(0xfd770001), 0, 0, htonl(1)}, 0};
    first[1] = (struct gaih_addrtuple_){NULL, copy, AF_INET, {htonl(0x0a4d0101)}, 0};
    *tuples = first;
    return NSS_STATUS_SUCCESS;
}
