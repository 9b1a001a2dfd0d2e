/* forks [THREADS [FORKS [unwiped]]]: a process forks while its threads are inside lookups; the threads fork as well.
 * Each child looks up a name that the parent has cached and a new one. No child may hang, and each has its own cache.
 * With `unwiped`, madvise fails as on a kernel without MADV_WIPEONFORK. */
#include "guest.h"
#include <sys/mman.h>
#include <sys/syscall.h>

static bool unwiped;

/* Called by the module. */
int madvise(void *start, size_t length, int advice)
{
    if (unwiped) {
        errno = EINVAL;
        return -1;
    }
    return (int)syscall(SYS_madvise, start, length, advice);
}

/* The number of sockets that have been opened. */
static unsigned long opened;

int socket(int domain, int type, int protocol)
{
    __sync_fetch_and_add(&opened, 1);
    return (int)syscall(SYS_socket, domain, type, protocol);
}

static volatile bool stop;
static volatile unsigned long lookups;

/* Runs in a child: 0 for success, 2 if only one address was found, 1 and 3 for failures. */
static int child(int number)
{
    char name[64];
    snprintf(name, sizeof name, "child-%d.local", number);
    int same = ask("same0-0.local"), other = ask(name);
    if (same <= 0 || other <= 0)
        return 1;
    /* The new name must be cached now, even if another thread held the cache's lock at the time of the fork. */
    unsigned long before = opened;
    if (ask(name) != other || opened != before)
        return other == 2 ? 3 : 2;
    return same == 2 && other == 2 ? 0 : 2;
}

/* Waits at most `limit` milliseconds for a child. Returns its status, or -1 if it hangs, in which case it is killed. */
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

static int forked, hung, failed, incomplete;

static void fork_once(int number)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(number));
    int status = wait_for(pid, 5000);
    __sync_fetch_and_add(&forked, 1);
    __sync_fetch_and_add(&hung, status == -1);
    __sync_fetch_and_add(&failed, status > 0 && WEXITSTATUS(status) != 2);
    __sync_fetch_and_add(&incomplete, status > 0 && WEXITSTATUS(status) == 2);
}

static void *look_up_and_fork(void *argument)
{
    for (unsigned long number = 0; !stop; number++) {
        char name[64];
        /* Mostly cached names, because these lookups take the cache's lock. */
        snprintf(name, sizeof name, "%s%lu-%ld.local", number % 16 ? "same" : "new", number % 16 ? 0 : number,
                 (long)argument);
        if (ask(name) < 0)
            fail("%s: not found", name);
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
        pthread_create(&askers[number], NULL, look_up_and_fork, (void *)number);
    for (int number = 0; number < forks; number++)
        fork_once(number);
    stop = true;
    for (int number = 0; number < threads; number++)
        pthread_join(askers[number], NULL);
    printf("%d forks, %d by the first of %d threads, and %lu lookups: %d hung, %d failed, %d found one family\n",
           forked, forks, threads + 1, lookups, hung, failed, incomplete);
    return hung != 0 || failed != 0;
}
