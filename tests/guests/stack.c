/* stack [NAME]: how much of a thread's stack a call takes, by painting it; and calls from threads with the smallest stack there
 * is. With a name, just the lookup of that, and another one of it without netlink. */
#include "guest.h"
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { SIZE = 256 * 1024, MOST = 6 * 1024, PAINT = 0x5a };

static by_name4 *name4;
static by_address *address;
static const char *name;

static bool no_netlink;

/* What the module calls: it then goes the older ways to the interfaces. */
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
    /* Everything below this frame is painted, but for what this very function may still need. */
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    size_t painted = here - 512 - (uintptr_t)stack, rest = 0;
    volatile char *octets = stack;
    for (size_t at = 0; at < painted; at++)
        octets[at] = PAINT;
    call();
    while (rest < painted && octets[rest] == PAINT)
        rest++;
    used = here - (uintptr_t)stack - rest;
    return argument;
}

static size_t measured(const char *what, const char *which)
{
    name = which;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, stack, SIZE);
    pthread_t thread;
    if (pthread_create(&thread, &attributes, measure, NULL) != 0)
        fail("no thread");
    pthread_join(thread, NULL);
    printf("%s %zu; ", what, used);
    if (used > MOST)
        fail("%s takes %zu octets of stack", what, used);
    return used;
}

static void *call_and_return(void *argument)
{
    call();
    return argument;
}

static void small(const char *which)
{
    name = which;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    if (pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) != 0)
        fail("no small stack");
    pthread_t thread;
    if (pthread_create(&thread, &attributes, call_and_return, NULL) != 0)
        fail("no small thread");
    pthread_join(thread, NULL);
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IONBF, 0);
    name4 = module_function("gethostbyname4_r");
    address = module_function("gethostbyaddr_r");
    stack = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (count > 1) {
        measured(arguments[1], arguments[1]);
        /* What is remembered of it is forgotten. */
        if (fork() == 0) {
            no_netlink = true;
            measured("without netlink", arguments[1]);
            return 0;
        }
        int status;
        wait(&status);
        return status != 0;
    }
    measured("query", "first.local");
    measured("50 addresses", "many50-first.local");
    measured("500 addresses", "many500-first.local");
    measured("hit", "first.local");
    measured("reverse", NULL);
    measured("silence", "nobody.local");
    measured("not ours", "host.example");
    measured("malformed", "a..local");
    small("small.local");
    small("small.local");
    small(NULL);
    printf("and stacks of %ld\n", (long)PTHREAD_STACK_MIN);
}
