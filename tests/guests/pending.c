/* Signals without a handler, and signals that the program itself holds back: the lookup neither delays them nor takes
 * them, and does not keep the processor busy while one is pending. */
#include "signals.h"

/* Looks up a host that responds after 300 ms, without using the processor for more than a moment. */
static void find_slow_host(const char *when)
{
    static int number;
    char name[64];
    snprintf(name, sizeof name, "slow300-%d.local", number++);
    double start = now_ms(), processor = processor_ms();
    int found = ask(name);
    double took = now_ms() - start;
    processor = processor_ms() - processor;
    if (found != 2 || took < 290 || took > 1900)
        fail("%s: %d addresses after %.0f ms", when, found, took);
    if (processor > 100)
        fail("%s: %.0f ms of processor time", when, processor);
}

/* A signal that the caller blocks stays pending, and arrives when the caller unblocks it. */

static volatile sig_atomic_t handled;

static void count_signal(int signal)
{
    (void)signal;
    handled++;
}

static void leave_blocked_signals_pending(void)
{
    const int signals[] = {SIGALRM, SIGUSR1, SIGTERM, SIGRTMIN + 1, SIGURG};
    for (int number = 0; number < COUNT_OF(signals); number++) {
        int signal = signals[number];
        sigset_t set, pending;
        sigemptyset(&set);
        sigaddset(&set, signal);
        handle(signal, count_signal, 0);
        pthread_sigmask(SIG_BLOCK, &set, NULL);
        struct state before = state_now();
        handled = 0;
        raise(signal);
        kill(getpid(), signal);
        find_slow_host("a blocked signal is pending");
        timer_t timer = send_after(signal, 100, 0);
        find_slow_host("a blocked signal arrives");
        timer_delete(timer);
        sigpending(&pending);
        if (handled != 0 || sigismember(&pending, signal) != 1)
            fail("signal %d was taken: %d", signal, handled);
        expect_unharmed(&before, "while a signal is pending");
        pthread_sigmask(SIG_UNBLOCK, &set, NULL);
        if (handled == 0)
            fail("signal %d was lost", signal);
    }
}

/* Another thread waits for the signals. Each reaches it, during lookups too. */

static volatile int received;

static void *receive(void *set)
{
    for (;;) {
        int signal;
        if (sigwait(set, &signal) == 0)
            received++;
    }
    return NULL;
}

static void leave_signals_to_a_waiting_thread(void)
{
    sigset_t set, none;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGRTMIN + 4);
    handle(SIGUSR1, SIG_DFL, 0);
    pthread_sigmask(SIG_BLOCK, &set, &none);
    pthread_t waiter;
    pthread_create(&waiter, NULL, receive, &set);
    timer_t timer = send_after(SIGRTMIN + 4, 5, 5);
    timer_t other = send_after(SIGUSR1, 7, 7);
    for (int round = 0; round < 3; round++)
        find_slow_host("another thread waits for signals");
    timer_delete(timer);
    timer_delete(other);
    /* Of about 310 signals. Several may be merged on a busy machine. */
    if (received < 150)
        fail("the waiting thread received %d signals", received);
    pthread_cancel(waiter);
    pthread_join(waiter, NULL);
    struct timespec now = {0};
    while (sigtimedwait(&set, NULL, &now) > 0)
        ;
    pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* A thread that handles signals gets those of the process, although this thread is inside a lookup. */

static pthread_t busy;
static volatile int handled_elsewhere;

static void count_where(int signal)
{
    (void)signal;
    handled_elsewhere += !pthread_equal(pthread_self(), busy);
    handled++;
}

static void *sleep_for_a_while(void *argument)
{
    sleep_ms(800);
    return argument;
}

static void leave_signals_to_a_handling_thread(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    busy = pthread_self();
    pthread_t other;
    pthread_create(&other, NULL, sleep_for_a_while, NULL);
    handle(SIGUSR2, count_where, 0);
    /* This thread blocks the signal, the other one does not. */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    handled = 0;
    timer_t timer = send_after(SIGUSR2, 10, 10);
    find_slow_host("another thread handles signals");
    timer_delete(timer);
    pthread_join(other, NULL);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    if (handled_elsewhere < 15)
        fail("the other thread handled %d of %d signals", handled_elsewhere, handled);
}

/* Ignored signals arrive at a high rate. */
static void ignore_signals(void)
{
    const int signals[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT, SIGUSR1, SIGTERM, SIGRTMIN + 1};
    for (int number = 0; number < COUNT_OF(signals); number++) {
        bool ignored_by_default = number < 4;
        struct state before = state_now();
        handle(signals[number], ignored_by_default ? SIG_DFL : SIG_IGN, 0);
        timer_t timer = send_after(signals[number], 1, 1);
        find_slow_host("signals are ignored");
        timer_delete(timer);
        expect_unharmed(&before, "after ignored signals");
    }
    handle(SIGTERM, SIG_DFL, 0);
}

/* Signals that end the process do so at once. */
static void end_processes(void)
{
    const int signals[] = {SIGALRM, SIGTERM, SIGINT, SIGUSR1, SIGPROF, SIGVTALRM, SIGHUP, SIGRTMIN + 1};
    for (int number = 0; number < COUNT_OF(signals); number++) {
        handle(signals[number], SIG_DFL, 0);
        double start = now_ms();
        pid_t pid = fork();
        if (pid == 0) {
            send_after(signals[number], 100, 0);
            ask("nobody.local");
            _exit(0);
        }
        int status;
        waitpid(pid, &status, 0);
        double took = now_ms() - start;
        if (!WIFSIGNALED(status) || WTERMSIG(status) != signals[number] || took > 500)
            fail("signal %d: status %#x after %.0f ms", signals[number], status, took);
    }
}

/* SIGTSTP stops the process at once. */
static void stop_process(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        /* SIGTSTP does not stop a process group without a parent in the session, such as that of a test run by setsid. */
        setpgid(0, 0);
        send_after(SIGTSTP, 100, 0);
        _exit(ask("slow300-stopped.local") == 2 ? 0 : 1);
    }
    int status;
    double start = now_ms();
    waitpid(pid, &status, WUNTRACED);
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTSTP || now_ms() - start > 500)
        fail("SIGTSTP: status %#x after %.0f ms", status, now_ms() - start);
    kill(pid, SIGCONT);
    waitpid(pid, &status, 0);
    if (status != 0)
        fail("after SIGTSTP and SIGCONT: status %#x", status);
}

int main(void)
{
    if (ask("host.local") != 2)
        fail("no addresses");
    struct state before = state_now();
    leave_blocked_signals_pending();
    leave_signals_to_a_waiting_thread();
    leave_signals_to_a_handling_thread();
    ignore_signals();
    expect_unharmed(&before, "after all signals");
    end_processes();
    stop_process();
    printf("done\n");
}
