/* A process forks during a lookup: by fork and _Fork in a signal handler of the thread that looks up, and by vfork in
 * another thread. Parent and child both continue to work. */
#include "guest.h"

pid_t _Fork(void);

/* Whether to call _Fork instead of fork. */
static volatile sig_atomic_t use_Fork;
static volatile pid_t forked = -1;

/* The number of open descriptors when the process starts, as text. */
static char descriptors[16];

static void fork_in_handler(int signal)
{
    (void)signal;
    forked = use_Fork ? _Fork() : fork();
}

static void fork_during_lookup(int variant)
{
    use_Fork = variant;
    forked = -1;
    struct sigaction action = {.sa_handler = fork_in_handler};
    sigaction(SIGINT, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGINT};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec soon = {.it_value = {.tv_nsec = 100000000}};
    timer_settime(timer, 0, &soon, NULL);
    char name[64];
    snprintf(name, sizeof name, "slow200-%d.local", variant);
    int before = open_descriptors(), found = ask(name);
    /* Parent and child read from the same sockets, so either may have received the other's answer. */
    int next = ask("next.local");
    if (forked == 0)
        _exit(found > 0 && next == 2 ? 0 : 1);
    int status;
    if (forked < 0)
        fail("no fork");
    waitpid(forked, &status, 0);
    if (found <= 0 || next != 2 || status != 0)
        fail("fork %d: parent %d and %d, child %d", variant, found, next, status);
    expect_descriptors(before, "after a fork during a lookup");
    timer_delete(timer);
}

static void *ask_in_thread(void *argument)
{
    for (int number = 0; number < 8; number++) {
        char name[64];
        snprintf(name, sizeof name, "slow80-%ld-%d.local", (long)argument, number);
        ask(name);
    }
    return NULL;
}

/* A program that is executed during lookups inherits no socket. */
static void execute_during_lookups(void)
{
    pthread_t threads[4];
    for (long number = 0; number < 4; number++)
        pthread_create(&threads[number], NULL, ask_in_thread, (void *)number);
    for (int number = 0; number < 50; number++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execl("/proc/self/exe", "fork_inside", descriptors, NULL);
            _exit(9);
        }
        int status;
        waitpid(pid, &status, 0);
        if (status != 0)
            fail("the executed program inherited descriptors");
        usleep(5000);
    }
    for (int number = 0; number < 4; number++)
        pthread_join(threads[number], NULL);
}

int main(int count, char **arguments)
{
    if (count > 1)
        return open_descriptors() != atoi(arguments[1]);
    snprintf(descriptors, sizeof descriptors, "%d", open_descriptors());
    if (ask("host.local") != 2)
        fail("no addresses");
    fork_during_lookup(0);
    fork_during_lookup(1);
    execute_during_lookups();
    printf("fork, _Fork, vfork\n");
}
