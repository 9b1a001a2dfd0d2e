/* The module's system calls, which this program intercepts: none can raise SIGPIPE, only poll can block, and executed
 * programs inherit no descriptor. */
#include "guest.h"
#include <poll.h>
#include <sys/syscall.h>

static int sent, received, polled, opened, armed;

ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    if (armed && !(flags & MSG_NOSIGNAL))
        fail("sendmsg without MSG_NOSIGNAL");
    sent++;
    return syscall(SYS_sendmsg, fd, message, flags);
}

ssize_t send(int fd, const void *octets, size_t length, int flags)
{
    if (armed && !(flags & MSG_NOSIGNAL))
        fail("send without MSG_NOSIGNAL");
    return syscall(SYS_sendto, fd, octets, length, flags, NULL, 0);
}

ssize_t recvmsg(int fd, struct msghdr *message, int flags)
{
    if (armed && !(flags & MSG_DONTWAIT))
        fail("recvmsg without MSG_DONTWAIT");
    received++;
    return syscall(SYS_recvmsg, fd, message, flags);
}

int poll(struct pollfd *descriptors, nfds_t count, int timeout)
{
    if (armed && (timeout < 0 || timeout > 2001))
        fail("poll with a timeout of %d", timeout);
    polled++;
    struct timespec time = {timeout / 1000, timeout % 1000 * 1000000l};
    return (int)syscall(SYS_ppoll, descriptors, count, timeout < 0 ? NULL : &time, NULL, 0);
}

int socket(int domain, int type, int protocol)
{
    if (armed && (type & (SOCK_CLOEXEC | SOCK_NONBLOCK)) != (SOCK_CLOEXEC | SOCK_NONBLOCK))
        fail("a socket that can block or be inherited: family %d, type %#x", domain, type);
    opened++;
    return (int)syscall(SYS_socket, domain, type, protocol);
}

int main(void)
{
    if (signal(SIGPIPE, SIG_DFL) != SIG_DFL)
        fail("SIGPIPE is not handled by default");
    module_function("gethostbyname4_r");
    armed = 1;
    int found = ask("host.local"), unknown = ask("nobody.local");
    int sent_before = sent, opened_before = opened, polled_before = polled;
    int again = ask("host.local"), foreign = ask("host.example");
    armed = 0;
    if (found != 2 || unknown != -HOST_NOT_FOUND || again != 2 || foreign != -HOST_NOT_FOUND)
        fail("%d, %d, %d, %d", found, unknown, again, foreign);
    if (!sent || !received || !polled || !opened)
        fail("calls were not intercepted: %d sent, %d received, %d polled, %d opened", sent, received, polled, opened);
    if (sent != sent_before || opened != opened_before || polled != polled_before)
        fail("the lookup of a cached or foreign name used the network");
    struct sigaction action;
    sigaction(SIGPIPE, NULL, &action);
    if (action.sa_handler != SIG_DFL)
        fail("the module changed the handling of SIGPIPE");
    printf("%d sent, %d received, %d polls, %d sockets\n", sent, received, polled, opened);
}
