/* flood PERIOD: SIGPROF arrives every PERIOD microseconds, as a profiler sends it. Lookups find slow hosts, and end at
 * their deadline. */
#include "signals.h"

static volatile unsigned long handled;

static void count_signal(int signal)
{
    (void)signal;
    handled++;
}

static void expect_signals(double took, double period, const char *during)
{
    /* A handler usually runs within 10 ms, on a busy machine within 40 ms. */
    double most = took / (period < 10 ? 10 : period);
    if (handled < most / 4)
        fail("only %lu signals were handled in %.0f ms, during %s", handled, took, during);
    printf("%lu signals in %.0f ms; ", handled, took);
    handled = 0;
}

int main(int count, char **arguments)
{
    enum { ROUNDS = 5 };
    double period = (count > 1 ? atof(arguments[1]) : 1000) / 1000;
    if (ask("host.local") != 2)
        fail("no addresses");
    struct state before = state_now();
    handle(SIGPROF, count_signal, SA_RESTART);
    timer_t timer = send_after(SIGPROF, period, period);
    handled = 0;
    for (int round = 0; round < ROUNDS; round++) {
        char name[64];
        snprintf(name, sizeof name, "slow300-%d.local", round);
        double start = now_ms();
        int found = ask(name);
        double took = now_ms() - start;
        if (found != 2)
            fail("%s: %d after %.0f ms and %lu signals", name, found, took, handled);
        expect_signals(took, period, name);
    }
    double start = now_ms(), processor = processor_ms();
    int missing = ask("nobody.local");
    double took = now_ms() - start;
    processor = processor_ms() - processor;
    if (missing != -HOST_NOT_FOUND || took < 1900 || took > 2600)
        fail("missing name: %d after %.0f ms", missing, took);
    expect_signals(took, period, "nobody.local");
    timer_delete(timer);
    expect_unharmed(&before, "after the flood");
    printf("%.0f ms of processor time in the last lookup\n", processor);
}
