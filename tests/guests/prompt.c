/* prompt THREADS: handlers run soon after their signals are sent, although all threads are inside lookups. Prints the
 * median delay for each signal. */
#include "signals.h"

enum { SAMPLES = 20, MOST_THREADS = 16 };

/* The longest median delay, in milliseconds. */
static const double LIMIT = 10;

static pthread_t askers[MOST_THREADS];
static int threads;
static volatile bool stop;
static double sent[MOST_THREADS], delay[MOST_THREADS];
static volatile int handled;

static void take_time(int signal)
{
    (void)signal;
    double now = now_ms();
    for (int thread = 0; thread < threads; thread++)
        if (pthread_equal(askers[thread], pthread_self()))
            delay[thread] = now - sent[thread];
    __sync_fetch_and_add(&handled, 1);
}

static void look_up_missing_names(long thread)
{
    char name[64];
    struct state before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    before = state_now();
    for (int number = 0; !stop; number++) {
        snprintf(name, sizeof name, "nobody-%ld-%d.local", thread, number);
        double start = now_ms();
        int result = ask(name);
        double took = now_ms() - start;
        if (result != -HOST_NOT_FOUND || took < 1900 || took > 2600)
            fail("a missing name: %d after %.0f ms", result, took);
        expect_mask(&before.mask, 0, "after a lookup");
    }
    struct state after = state_now();
    if (after.cancel_state != before.cancel_state || after.cancel_type != before.cancel_type)
        fail("cancellation state %d and type %d", after.cancel_state, after.cancel_type);
}

/* Sends a signal to every thread, waits until all have handled it, and returns the longest delay. In a process with one
 * thread that does not block signals, every second signal is sent to the process. */
static double send_to_all(int signal, int sample)
{
    handled = 0;
    for (int thread = 0; thread < threads; thread++) {
        sent[thread] = now_ms();
        if (threads == 1 && sample % 2 == 1)
            kill(getpid(), signal);
        else
            pthread_kill(askers[thread], signal);
    }
    for (double end = now_ms() + 1500; handled < threads; usleep(100))
        if (now_ms() > end)
            fail("signal %d was handled by %d of %d threads within 1.5 s", signal, handled, threads);
    double longest = 0;
    for (int thread = 0; thread < threads; thread++)
        longest = delay[thread] > longest ? delay[thread] : longest;
    return longest;
}

static void *send_signals(void *argument)
{
    const int signals[] = {SIGALRM, SIGUSR1, SIGUSR2,  SIGCHLD, SIGTERM, SIGINT,   SIGHUP,       SIGPROF,
                           SIGURG,  SIGIO,   SIGWINCH, SIGQUIT, SIGPIPE, SIGRTMIN, SIGRTMIN + 1, SIGRTMAX};
    char text[1024];
    int length = 0;
    bool late = false;
    /* Every thread is inside its lookup. */
    sleep_ms(300);
    for (int number = 0; number < COUNT_OF(signals); number++) {
        double samples[SAMPLES];
        for (int sample = 0; sample < SAMPLES; sample++) {
            samples[sample] = send_to_all(signals[number], sample);
            /* Twice in a second, a thread is between two lookups for less than this time. */
            usleep(3000);
        }
        qsort(samples, SAMPLES, sizeof *samples, ascending);
        double median = samples[SAMPLES / 2];
        late |= median >= LIMIT;
        length += snprintf(text + length, sizeof text - length, "%s%d: %.2f ms", number ? ", " : "", signals[number],
                           median);
    }
    if (late)
        fail("median delays of the signals: %s", text);
    printf("median delays of the signals: %s\n", text);
    stop = true;
    return argument;
}

static void *ask_in_thread(void *thread)
{
    look_up_missing_names((long)thread);
    return NULL;
}

int main(int count, char **arguments)
{
    threads = count > 1 ? atoi(arguments[1]) : 1;
    if (ask("host.local") != 2)
        fail("no addresses");
    struct state before = state_now();
    for (int signal = 1; signal <= SIGRTMAX; signal++)
        if (signal != SIGKILL && signal != SIGSTOP && signal != SIGSEGV && signal != SIGABRT && signal != SIGBUS &&
            signal != SIGFPE && signal != SIGILL && signal != SIGTRAP && (signal < 32 || signal >= SIGRTMIN))
            handle(signal, take_time, SA_RESTART);
    sigset_t all, none;
    sigfillset(&all);
    /* The sender handles no signal. */
    pthread_sigmask(SIG_SETMASK, &all, &none);
    pthread_t sender;
    pthread_create(&sender, NULL, send_signals, NULL);
    if (threads > 1)
        pthread_sigmask(SIG_SETMASK, &none, NULL);
    for (long thread = 1; thread < threads; thread++)
        pthread_create(&askers[thread], NULL, ask_in_thread, (void *)thread);
    askers[0] = pthread_self();
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    look_up_missing_names(0);
    pthread_setcancelstate(before.cancel_state, NULL);
    pthread_setcanceltype(before.cancel_type, NULL);
    for (long thread = 1; thread < threads; thread++)
        pthread_join(askers[thread], NULL);
    pthread_join(sender, NULL);
    expect_unharmed(&before, "after all signals");
}
