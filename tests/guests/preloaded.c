/* A library for LD_PRELOAD whose socket() first looks up a name, like libraries that redirect connections to a proxy.
 * It aborts the process on endless recursion. */
#define _GNU_SOURCE
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int socket(int domain, int type, int protocol)
{
    static __thread int depth;
    struct addrinfo *found = NULL;
    if (++depth > 8)
        abort();
    if (getaddrinfo("inner.local", NULL, NULL, &found) == 0)
        freeaddrinfo(found);
    depth--;
    return (int)syscall(SYS_socket, domain, type, protocol);
}
