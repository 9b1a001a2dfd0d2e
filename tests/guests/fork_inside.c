/* A process that is forked in the middle of a lookup by the thread that makes it: by fork, _Fork and vfork, from a signal
 * handler and from other threads. Parent and child both get on. */
#include "guest.h"

pid_t _Fork(void);

static volatile sig_atomic_t way;
static volatile pid_t forked = -1;

/* How many the process has when it begins. */
static char descriptors[16];

static void fork_in_handler(int signal)
{
    (void)signal;
    forked = way ? _Fork() : fork();
}

static void fork_in_the_middle(int the_way)
{
    way = the_way;
    forked = -1;
    struct sigaction action = {.sa_handler = fork_in_handler};
    sigaction(SIGINT, &action, NULL);
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGINT};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec soon = {.it_value = {.tv_nsec = 100000000}};
    timer_settime(timer, 0, &soon, NULL);
    char name[64];
    snprintf(name, sizeof name, "slow200-%d.local", the_way);
    int before = open_descriptors(), found = ask(name);
    /* Both read from the same sockets, and either may have taken an answer that was the other's. */
    int next = ask("next.local");
    if (forked == 0)
        _exit(found > 0 && next == 2 ? 0 : 1);
    int status;
    if (forked < 0)
        fail("no fork");
    waitpid(forked, &status, 0);
    if (found <= 0 || next != 2 || status != 0)
        fail("fork %d: parent %d and %d, child %d", the_way, found, next, status);
    expect_descriptors(before, "after a fork inside");
    timer_delete(timer);
}

static void *ask_slowly(void *argument)
{
    for (int number = 0; number < 8; number++) {
        char name[64];
        snprintf(name, sizeof name, "slow80-%ld-%d.local", (long)argument, number);
        ask(name);
    }
    return NULL;
}

/* What is executed inherits no socket. */
static void execute_beside_lookups(void)
{
    pthread_t threads[4];
    for (long number = 0; number < 4; number++)
        pthread_create(&threads[number], NULL, ask_slowly, (void *)number);
    for (int number = 0; number < 50; number++) {
        pid_t pid = vfork();
        if (pid == 0) {
            execl("/proc/self/exe", "fork_inside", descriptors, NULL);
            _exit(9);
        }
        int status;
        waitpid(pid, &status, 0);
        if (status != 0)
            fail("the executed program has more descriptors than are its own");
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
    fork_in_the_middle(0);
    fork_in_the_middle(1);
    execute_beside_lookups();
    printf("fork, _Fork, vfork\n");
}
