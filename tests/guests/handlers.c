/* handlers WAY: signal handlers interrupt a lookup, do something and return. The lookup goes on with the time that is
 * left, and still finds a host that responds late. */
#include "signals.h"

pid_t _Fork(void);

static const char *during;
static volatile sig_atomic_t handled;

/* Looks up a host that responds after 300 ms, and checks that the handler has run. */
static void find_slow_host(int least_handled)
{
    static int number;
    char name[64];
    snprintf(name, sizeof name, "slow300-%s-%d.local", during, number++);
    double start = now_ms();
    int found = ask(name);
    double took = now_ms() - start;
    if (handled < least_handled)
        fail("%s: %d handlers ran, %d expected", during, handled, least_handled);
    if (found != 2 || took < 290 || took > 1900)
        fail("%s: %d addresses after %.0f ms", during, found, took);
    handled = 0;
}

static void expect_prompt(double sent, const char *what)
{
    if (now_ms() - sent > 200)
        fail("%s: %s after %.0f ms", during, what, now_ms() - sent);
}

/* fork: a handler forks. The child ends at once, or returns and goes on with its own lookup. */

static volatile pid_t forked;
static volatile int variant;

static void fork_in_handler(int signal)
{
    (void)signal;
    forked = variant & 1 ? _Fork() : fork();
    handled++;
    if (forked == 0 && variant & 2)
        _exit(0);
}

static void fork_during_lookups(void)
{
    const int signals[] = {SIGALRM, SIGUSR1, SIGTERM, SIGRTMIN + 2};
    struct state before = state_now();
    for (int number = 0; number < COUNT_OF(signals); number++) {
        handle(signals[number], fork_in_handler, 0);
        for (variant = 0; variant < 4; variant++) {
            forked = -1;
            timer_t timer = send_after(signals[number], 100, 0);
            double start = now_ms();
            find_slow_host(1);
            if (forked < 0)
                fail("signal %d: no fork", signals[number]);
            if (forked == 0) {
                /* The descriptors of the parent's lookup may not stay open in the child. */
                expect_unharmed(&before, "in the child");
                _exit(now_ms() - start < 2500 ? 0 : 1);
            }
            int status;
            waitpid(forked, &status, 0);
            if (status != 0)
                fail("signal %d, variant %d: child %#x", signals[number], variant, status);
            timer_delete(timer);
            expect_unharmed(&before, "after a fork");
        }
    }
}

/* nested: a handler looks up a name, and is itself interrupted by one that looks up another name. */

static volatile int inner_found, innermost_found;
static volatile bool through_glibc;

static void look_up_innermost(int signal)
{
    (void)signal;
    char name[64];
    static int number;
    int error = errno;
    snprintf(name, sizeof name, "innermost-%d.local", number++);
    innermost_found = through_glibc ? look_up(name, AF_UNSPEC) : ask(name);
    errno = error;
    handled++;
}

static void look_up_inner(int signal)
{
    (void)signal;
    char name[64];
    static int number;
    int error = errno;
    timer_t timer = send_after(SIGUSR2, 50, 0);
    snprintf(name, sizeof name, "slow100-inner-%d.local", number++);
    inner_found = through_glibc ? look_up(name, AF_UNSPEC) : ask(name);
    timer_delete(timer);
    errno = error;
    handled++;
}

static void look_up_in_handlers(void)
{
    struct state before = state_now();
    handle(SIGUSR2, look_up_innermost, 0);
    const int signals[] = {SIGALRM, SIGINT, SIGRTMIN};
    for (int number = 0; number < 2 * COUNT_OF(signals); number++) {
        through_glibc = number % 2;
        handle(signals[number / 2], look_up_inner, 0);
        timer_t timer = send_after(signals[number / 2], 50, 0);
        inner_found = innermost_found = -1000;
        find_slow_host(2);
        timer_delete(timer);
        int expected = through_glibc ? 0 : 2;
        if (inner_found != expected || innermost_found != expected)
            fail("signal %d: the inner lookups returned %d and %d", signals[number / 2], inner_found, innermost_found);
        expect_unharmed(&before, "after lookups in handlers");
    }
}

/* raise: a handler raises its own signal again, or lets it end the process. */

enum { RAISED = 500 };

static void raise_again(int signal)
{
    if (++handled < RAISED)
        raise(signal);
}

static void die_of(int signal)
{
    handle(signal, SIG_DFL, 0);
    raise(signal);
}

static void raise_in_handlers(void)
{
    struct state before = state_now();
    const int signals[] = {SIGUSR1, SIGTERM, SIGRTMIN + 1};
    for (int number = 0; number < COUNT_OF(signals); number++) {
        handle(signals[number], raise_again, 0);
        timer_t timer = send_after(signals[number], 50, 0);
        find_slow_host(RAISED);
        timer_delete(timer);
        expect_unharmed(&before, "after handlers that raise");
    }
    for (int number = 0; number < COUNT_OF(signals); number++) {
        double start = now_ms();
        pid_t pid = fork();
        if (pid == 0) {
            handle(signals[number], die_of, 0);
            send_after(signals[number], 50, 0);
            ask("nobody.local");
            _exit(0);
        }
        int status;
        waitpid(pid, &status, 0);
        if (!WIFSIGNALED(status) || WTERMSIG(status) != signals[number])
            fail("signal %d: status %#x", signals[number], status);
        expect_prompt(start + 50, "the process ended");
    }
}

/* queue: real-time signals arrive one by one, in order, with their values, on the alternate stack if there is one. */

enum { QUEUED = 8 };

static char alternate_stack[64 * 1024];
static volatile int values[QUEUED + 1];
static volatile bool outside;

static void note_value(int signal, siginfo_t *info, void *context)
{
    (void)context;
    char local;
    outside |= &local < alternate_stack || &local >= alternate_stack + sizeof alternate_stack;
    if (signal != SIGRTMIN + 3 || info->si_signo != signal || info->si_pid != getpid() || info->si_code != SI_QUEUE)
        fail("signal %d, si_signo %d, si_code %d", signal, info->si_signo, info->si_code);
    if (handled < QUEUED)
        values[handled++] = info->si_value.sival_int;
}

static void *queue_values(void *thread)
{
    sleep_ms(100);
    for (int number = 0; number < QUEUED; number++)
        pthread_sigqueue(*(pthread_t *)thread, SIGRTMIN + 3, (union sigval){.sival_int = number});
    return NULL;
}

static void note_timer(union sigval value)
{
    (void)value;
    handled++;
}

static void receive_queue(void)
{
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof alternate_stack};
    sigaltstack(&stack, NULL);
    struct state before = state_now();
    struct sigaction action = {.sa_sigaction = note_value, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGRTMIN + 3, &action, NULL);
    pthread_t self = pthread_self(), sender;
    pthread_create(&sender, NULL, queue_values, &self);
    find_slow_host(QUEUED);
    pthread_join(sender, NULL);
    for (int number = 0; number < QUEUED; number++)
        if (values[number] != number)
            fail("value %d is %d", number, values[number]);
    if (outside)
        fail("the handler did not run on the alternate stack");
    expect_unharmed(&before, "after queued signals");
    /* glibc's thread for timers uses a signal of its own. */
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = note_timer};
    timer_t timer;
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    struct itimerspec soon = {.it_value = {.tv_nsec = 50000000}};
    timer_settime(timer, 0, &soon, NULL);
    during = "timer-thread";
    find_slow_host(1);
    timer_delete(timer);
}

/* mask: a handler finds the caller's signal mask and cancellation state, and its changes of the mask apply. */

static struct state caller;

static void check_state(int signal)
{
    int state, type;
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &state);
    pthread_setcancelstate(state, NULL);
    pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type);
    pthread_setcanceltype(type, NULL);
    expect_mask(&caller.mask, signal, "in a handler");
    if (state != caller.cancel_state || type != caller.cancel_type)
        fail("cancellation state %d and type %d in a handler, %d and %d outside", state, type, caller.cancel_state,
             caller.cancel_type);
    handled++;
    /* A handler should restore errno. If one does not, `ask` must find it unchanged all the same. */
    errno = EXDEV;
}

static void find_the_callers_state(void)
{
    const int signals[] = {SIGALRM, SIGUSR1, SIGTERM, SIGINT, SIGCHLD, SIGRTMIN + 1, SIGRTMAX};
    for (int blocked = 0; blocked < 2; blocked++) {
        sigset_t set;
        sigemptyset(&set);
        if (blocked) {
            sigaddset(&set, SIGHUP);
            sigaddset(&set, SIGRTMIN + 7);
        }
        pthread_sigmask(SIG_SETMASK, &set, NULL);
        pthread_setcancelstate(blocked ? PTHREAD_CANCEL_DISABLE : PTHREAD_CANCEL_ENABLE, NULL);
        caller = state_now();
        for (int number = 0; number < COUNT_OF(signals); number++) {
            handle(signals[number], check_state, 0);
            timer_t timer = send_after(signals[number], 100, 0);
            find_slow_host(1);
            timer_delete(timer);
            expect_unharmed(&caller, "after a handler");
        }
    }
}

/* long: a handler runs for a while, even beyond the lookup's deadline, or while the response arrives. */

static volatile int handler_ms;

static void take_long(int signal)
{
    (void)signal;
    sleep_ms(handler_ms);
    handled++;
}

static void run_long_handlers(void)
{
    struct state before = state_now();
    const int signals[] = {SIGUSR1, SIGTERM, SIGRTMIN};
    for (int number = 0; number < COUNT_OF(signals); number++) {
        handle(signals[number], take_long, 0);
        /* The response arrives while the handler runs. */
        handler_ms = 400;
        timer_t timer = send_after(signals[number], 100, 0);
        find_slow_host(1);
        timer_delete(timer);
        static const int lengths[] = {500, 2500};
        for (int length = 0; length < COUNT_OF(lengths); length++) {
            handler_ms = lengths[length];
            timer = send_after(signals[number], 100, 0);
            char name[64];
            snprintf(name, sizeof name, "nobody-%d-%d.local", number, length);
            double start = now_ms();
            int result = ask(name);
            double took = now_ms() - start, limit = handler_ms > 2000 ? 100 + handler_ms + 500 : 2600;
            if (result != -HOST_NOT_FOUND || took < 1900 || took > limit || handled != 1)
                fail("handler of %d ms for signal %d: %d after %.0f ms", handler_ms, signals[number], result, took);
            handled = 0;
            timer_delete(timer);
            expect_unharmed(&before, "after a long handler");
        }
    }
}

int main(int count, char **arguments)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } ways[] = {{"fork", fork_during_lookups}, {"nested", look_up_in_handlers},    {"raise", raise_in_handlers},
                {"queue", receive_queue},      {"mask", find_the_callers_state}, {"long", run_long_handlers}};
    must_find("host.local", AF_UNSPEC);
    if (ask("host.local") != 2)
        fail("no addresses");
    for (int number = 0; count > 1 && number < COUNT_OF(ways); number++)
        if (strcmp(ways[number].name, arguments[1]) == 0) {
            during = ways[number].name;
            ways[number].run();
            printf("done\n");
            return 0;
        }
    fail("no such way");
}
