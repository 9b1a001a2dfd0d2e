/* What the module asks of the kernel, seen by a process that stands in between: nothing that could raise SIGPIPE, nothing
 * that blocks but poll, no descriptor that an executed program would inherit. */
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
        fail("recvmsg may block");
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
        fail("a socket that may block or be inherited: family %d, type %#x", domain, type);
    opened++;
    return (int)syscall(SYS_socket, domain, type, protocol);
}

int main(void)
{
    if (signal(SIGPIPE, SIG_DFL) != SIG_DFL)
        fail("SIGPIPE was not at its default");
    module_function("gethostbyname4_r");
    armed = 1;
    int found = ask("host.local"), silence = ask("nobody.local");
    int sent_before = sent, opened_before = opened, polled_before = polled;
    int again = ask("host.local"), not_ours = ask("host.example");
    armed = 0;
    if (found != 2 || silence != -HOST_NOT_FOUND || again != 2 || not_ours != -HOST_NOT_FOUND)
        fail("%d, %d, %d, %d", found, silence, again, not_ours);
    if (!sent || !received || !polled || !opened)
        fail("nothing was seen: %d sent, %d received, %d polled, %d opened", sent, received, polled, opened);
    if (sent != sent_before || opened != opened_before || polled != polled_before)
        fail("what is remembered, or not ours, reaches the network");
    struct sigaction action;
    sigaction(SIGPIPE, NULL, &action);
    if (action.sa_handler != SIG_DFL)
        fail("SIGPIPE is not at its default any more");
    printf("%d sent, %d received, %d polls, %d sockets\n", sent, received, polled, opened);
}
