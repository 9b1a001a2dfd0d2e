/* Common code of the programs that receive signals during lookups: how signals are sent, and what a handler must find
 * and leave behind. */
#ifndef SIGNALS_H
#define SIGNALS_H

#include "guest.h"
#include <malloc.h>
#include <setjmp.h>

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof *(array)))

/* What a lookup must leave as it was. */
struct state {
    int descriptors, cancel_state, cancel_type;
    sigset_t mask;
};

__attribute__((unused)) static struct state state_now(void)
{
    struct state state = {.descriptors = open_descriptors()};
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state.cancel_state);
    pthread_setcancelstate(state.cancel_state, NULL);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &state.cancel_type);
    pthread_setcanceltype(state.cancel_type, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &state.mask);
    return state;
}

/* Checks that this thread's signal mask is `mask`, to which `more` was added. Safe in a handler. */
__attribute__((unused)) static void expect_mask(const sigset_t *mask, int more, const char *when)
{
    sigset_t now;
    pthread_sigmask(SIG_BLOCK, NULL, &now);
    for (int signal = 1; signal <= SIGRTMAX; signal++)
        if (sigismember(&now, signal) != (signal == more || sigismember(mask, signal)))
            fail("signal %d is %sblocked %s", signal, sigismember(&now, signal) == 1 ? "" : "not ", when);
}

/* Checks that everything is as before, and that a lookup of a new name works. */
__attribute__((unused)) static void expect_unharmed(const struct state *before, const char *after)
{
    static int number;
    struct state now = state_now();
    if (now.descriptors != before->descriptors)
        fail("%d descriptors are open %s, %d before", now.descriptors, after, before->descriptors);
    if (now.cancel_state != before->cancel_state || now.cancel_type != before->cancel_type)
        fail("cancellation state %d and type %d %s, %d and %d before", now.cancel_state, now.cancel_type, after,
             before->cancel_state, before->cancel_type);
    expect_mask(&before->mask, 0, after);
    char name[64];
    snprintf(name, sizeof name, "next-%d.local", __sync_fetch_and_add(&number, 1));
    int found = ask(name);
    if (found != 2)
        fail("the lookup %s returned %d", after, found);
    if (open_descriptors() != before->descriptors)
        fail("the lookup %s left descriptors open", after);
}

/* Memory in use by the heap in octets, and by the process in KiB. */
struct memory {
    long octets, resident;
};

__attribute__((unused)) static struct memory memory_now(void)
{
    long size, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        fail("/proc/self/statm");
    fclose(file);
    return (struct memory){(long)mallinfo2().uordblks, pages * (sysconf(_SC_PAGESIZE) / 1024)};
}

/* Checks that `rounds` rounds have not leaked even 16 octets each. The cache may have grown in the meantime. */
__attribute__((unused)) static void expect_memory(const struct memory *before, int rounds, const char *after)
{
    struct memory now = memory_now();
    long limit = 16 * rounds + 16 * 1024;
    if (now.octets - before->octets > limit)
        fail("%ld more octets are allocated %s", now.octets - before->octets, after);
    if (now.resident - before->resident > 1024)
        fail("%ld KiB more are resident %s", now.resident - before->resident, after);
}

__attribute__((unused)) static void handle(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    if (sigaction(signal, &action, NULL) != 0)
        fail("sigaction(%d): %s", signal, strerror(errno));
}

/* A timer that sends a signal to the process after `first` milliseconds, and then every `period` milliseconds unless
 * `period` is 0. */
__attribute__((unused)) static timer_t send_after(int signal, double first, double period)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signal};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
        fail("timer_create: %s", strerror(errno));
    struct itimerspec times = {
        .it_value = {(time_t)(first / 1000), (long)(first * 1e6) % 1000000000 + 1},
        .it_interval = {(time_t)(period / 1000), (long)(period * 1e6) % 1000000000},
    };
    timer_settime(timer, 0, &times, NULL);
    return timer;
}

/* The processor time that this thread has used, in milliseconds. */
__attribute__((unused)) static double processor_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

__attribute__((unused)) static int ascending(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

#endif
