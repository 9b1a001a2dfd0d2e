/* stack [NAME]: measures how much stack a call uses, by filling the stack with a pattern. Then makes calls in threads
 * with the smallest possible stack. With NAME, only measures the lookup of that name, with and without netlink. */
#include "guest.h"
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { SIZE = 256 * 1024, LIMIT = 6 * 1024, PATTERN = 0x5a };

static by_name4 *name4;
static by_address *address;
static const char *name;

static bool no_netlink;

/* Called by the module. Without netlink it reads the interfaces through ioctl. */
int socket(int domain, int type, int protocol)
{
    if (no_netlink && domain == AF_NETLINK) {
        errno = EAFNOSUPPORT;
        return -1;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}

static void call(void)
{
    static char buffer[4096];
    int error, h_error;
    if (name) {
        struct gaih_addrtuple_ *first = NULL;
        name4(name, &first, buffer, sizeof buffer, &error, &h_error, NULL);
    } else {
        struct in6_addr ip;
        struct hostent host;
        inet_pton(AF_INET6, "fe80::77", &ip);
        address(&ip, sizeof ip, AF_INET6, &host, buffer, sizeof buffer, &error, &h_error);
    }
}

static char *stack;
static size_t used;

static void *measure(void *argument)
{
    /* Fills everything below this frame, except for what this function may still need itself. */
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    size_t filled = here - 512 - (uintptr_t)stack, rest = 0;
    volatile char *octets = stack;
    for (size_t at = 0; at < filled; at++)
        octets[at] = PATTERN;
    call();
    while (rest < filled && octets[rest] == PATTERN)
        rest++;
    used = here - (uintptr_t)stack - rest;
    return argument;
}

static size_t report(const char *what, const char *which)
{
    name = which;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, SIZE);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, measure, NULL) != 0)
        fail("cannot create a thread");
    pthread_join(thread, NULL);
    printf("%s %zu; ", what, used);
    if (used > LIMIT)
        fail("%s: %zu octets of stack", what, used);
    return used;
}

static void *call_and_return(void *argument)
{
    call();
    return argument;
}

static void call_on_small_stack(const char *which)
{
    name = which;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) != 0)
        fail("cannot set the smallest stack size");
    pthread_t thread;
    if (pthread_create(&thread, &attributes, call_and_return, NULL) != 0)
        fail("cannot create a thread with a small stack");
    pthread_join(thread, NULL);
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    name4 = module_function("gethostbyname4_r");
    address = module_function("gethostbyaddr_r");
    stack = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (count > 1) {
        report(arguments[1], arguments[1]);
        /* The child has an empty cache, so it queries again. */
        if (fork() == 0) {
            no_netlink = true;
            report("without netlink", arguments[1]);
            return 0;
        }
        int status;
        wait(&status);
        return status != 0;
    }
    report("query", "first.local");
    report("50 addresses", "many50-first.local");
    report("500 addresses", "many500-first.local");
    report("hit", "first.local");
    report("reverse", NULL);
    report("no response", "nobody.local");
    report("foreign name", "host.example");
    report("malformed", "a..local");
    call_on_small_stack("small.local");
    call_on_small_stack("small.local");
    call_on_small_stack(NULL);
    printf("and stacks of %ld\n", (long)PTHREAD_STACK_MIN);
}
