/* forks [THREADS [FORKS [unwiped]]]: children of a process whose threads are inside lookups, and fork as well. Each child looks
 * up a name that is remembered and one that is not; none may hang, and each has a memory of its own. The kernel may be one
 * that wipes no page in a child. */
#include "guest.h"
#include <sys/mman.h>
#include <sys/syscall.h>

static bool unwiped;

/* What the module calls. */
int madvise(void *start, size_t length, int advice)
{
    if (unwiped) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, start, length, advice);
}

static unsigned long opened;

int socket(int domain, int type, int protocol)
{
    __sync_fetch_and_add(&opened, 1);
    return (int)syscall(SYS_socket, domain, type, protocol);
}

static volatile bool stop;
static volatile unsigned long lookups;

/* In a child: 0 if all is well. */
static int child(int number)
{
    char name[64];
    snprintf(name, sizeof name, "child-%d.local", number);
    int same = ask("same0-0.local"), other = ask(name);
    if (same <= 0 || other <= 0)
        return 1;
    /* What was asked for just now is remembered, whoever held the lock when the child was made. */
    unsigned long before = opened;
    if (ask(name) != other || opened != before)
        return other == 2 ? 3 : 2;
    return same == 2 && other == 2 ? 0 : 2;
}

/* Waits at most this long for a child; its status, or -1 if it hangs. */
static int wait_for(pid_t pid, double limit)
{
    int status;
    for (double end = now_ms() + limit; now_ms() < end; usleep(200))
        if (waitpid(pid, &status, WNOHANG) == pid)
            return status;
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

static int forked, hung, failed, partly;

static void fork_once(int number)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(number));
    int status = wait_for(pid, 5000);
    __sync_fetch_and_add(&forked, 1);
    __sync_fetch_and_add(&hung, status == -1);
    __sync_fetch_and_add(&failed, status > 0 && WEXITSTATUS(status) != 2);
    __sync_fetch_and_add(&partly, status > 0 && WEXITSTATUS(status) == 2);
}

/* Each thread forks now and then, too. */
static void *keep_asking(void *argument)
{
    for (unsigned long number = 0; !stop; number++) {
        char name[64];
        /* Mostly what is remembered: that is where the lock is. */
        snprintf(name, sizeof name, "%s%lu-%ld.local", number % 16 ? "same" : "new", number % 16 ? 0 : number,
                 (long)argument);
        if (ask(name) < 0)
            fail("%s was not found", name);
        if (number % 1024 == 1023)
            fork_once((int)(1000000 * ((long)argument + 1) + number));
        __sync_fetch_and_add(&lookups, 1);
    }
    return NULL;
}

int main(int count, char **arguments)
{
    int threads = count > 1 ? atoi(arguments[1]) : 4;
    int forks = count > 2 ? atoi(arguments[2]) : 1000;
    unwiped = count > 3;
    must_find("host.local", AF_INET);
    if (ask("same0-0.local") != 2)
        fail("no addresses");
    pthread_t askers[64];
    for (long number = 0; number < threads; number++)
        pthread_create(&askers[number], NULL, keep_asking, (void *)number);
    for (int number = 0; number < forks; number++)
        fork_once(number);
    stop = true;
    for (int number = 0; number < threads; number++)
        pthread_join(askers[number], NULL);
    printf("%d forks, %d of them by the first of %d threads, and %lu lookups: %d hung, %d failed, %d with one family\n", forked,
           forks, threads + 1, lookups, hung, failed, partly);
    return hung != 0 || failed != 0;
}
