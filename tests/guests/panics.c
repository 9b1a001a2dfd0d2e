/* The module panics at each fault injection point of a lookup: the call fails, nothing is printed and nothing is
 * leaked. Needs a build of the module with panic injection. */
#include "guest.h"

/* The unwinder of gcc 13 and later can call these if a program has registered stack frames. The module registers none,
 * so its panics do not wait for other threads. */
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    (void)condition, (void)mutex;
    fail("pthread_cond_wait was called");
}

int pthread_cond_broadcast(pthread_cond_t *condition)
{
    (void)condition;
    fail("pthread_cond_broadcast was called");
}

int main(void)
{
    by_name4 *by_name = module_function("gethostbyname4_r");
    by_name2 *by_name_and_family = module_function("gethostbyname2_r");
    by_address *by_address_ = module_function("gethostbyaddr_r");
    void *module = dlopen("libnss_mdns_minimal.so.2", RTLD_NOW | RTLD_NOLOAD);
    void (*panic_at)(uint32_t) = (void (*)(uint32_t))dlsym(module, "nss_mdns_panic_at");
    if (!panic_at)
        fail("this build has no panic injection");
    if (ask("before.local") != 2)
        fail("no addresses");
    int before = open_descriptors(), panics = 0;
    for (uint32_t point = 1; point <= 10; point++) {
        char name[64], buffer[1024], untouched[1024];
        struct gaih_addrtuple_ *first = NULL;
        struct hostent host;
        struct in6_addr ip;
        int error = ERANGE, h_error = NETDB_INTERNAL;
        memset(buffer, 0x5a, sizeof buffer);
        memset(untouched, 0x5a, sizeof untouched);
        snprintf(name, sizeof name, "point-%u.local", point);
        inet_pton(AF_INET6, "fe80::1:0", &ip);
        ip.s6_addr[15] = point;
        panic_at(point);
        errno = 4711;
        int statuses[] = {
            by_name(name, &first, buffer, sizeof buffer, &error, &h_error, NULL),
            by_name_and_family(name, AF_INET, &host, buffer, sizeof buffer, &error, &h_error),
        };
        if (error != EIO || h_error != NO_RECOVERY || first || errno != 4711)
            fail("point %u: errno %d, h_errno %d", point, error, h_error);
        int reverse = by_address_(&ip, 16, AF_INET6, &host, buffer, sizeof buffer, &error, &h_error);
        panic_at(0);
        if (statuses[0] != NSS_STATUS_UNAVAIL || statuses[1] != NSS_STATUS_UNAVAIL || reverse != NSS_STATUS_UNAVAIL)
            fail("point %u: statuses %d, %d, %d", point, statuses[0], statuses[1], reverse);
        if (error != EIO || h_error != HOST_NOT_FOUND)
            fail("point %u, reverse: errno %d, h_errno %d", point, error, h_error);
        if (memcmp(buffer, untouched, sizeof buffer) != 0)
            fail("point %u: the buffer was written", point);
        expect_descriptors(before, "after a panic");
        if (ask(name) != 2)
            fail("point %u: the next lookup failed", point);
        panics += 3;
    }
    printf("%d panics\n", panics);
}
