/* leave WAY: a signal handler does not return to the lookup that it interrupted. With `jump` it jumps out by siglongjmp,
 * with `exit` it ends the thread, with `cancel` it cancels the thread. With `asynchronous`, threads that allow this at
 * any time are cancelled by another one. Nothing is left behind, and the next lookup works. */
#include "signals.h"

enum { ROUNDS = 200 };

/* How long after the start of a lookup the signal arrives, in milliseconds: at every point of the first millisecond,
 * in which sockets are opened and queries are sent, and while the lookup waits. */
static double delay(int round)
{
    return round % 4 == 3 ? 1 + round / 4 : 0.005 * round;
}

/* Starts a lookup that nobody responds to. The name is new, because an earlier lookup of it may have ended and be
 * cached. */
static void look_up_missing_name(bool through_glibc)
{
    static int number;
    char name[64];
    snprintf(name, sizeof name, "nobody-%d.local", __sync_fetch_and_add(&number, 1));
    if (through_glibc)
        look_up(name, AF_UNSPEC);
    else
        ask(name);
}

static sigjmp_buf back;

static void jump(int signal)
{
    siglongjmp(back, signal);
}

static void jump_once(int signal, int round, const struct state *before)
{
    volatile bool jumped = true;
    /* Every second jump does not restore the signal mask, so the program must find the one that its handler had. */
    bool restored = round % 2 == 0;
    handle(signal, jump, restored ? 0 : SA_NODEFER);
    volatile timer_t timer = NULL;
    double start = now_ms();
    if (sigsetjmp(back, restored) == 0) {
        timer = send_after(signal, delay(round), 0);
        look_up_missing_name(false);
        /* The signal may have arrived after the lookup only if it was held back. */
        sleep_ms(200);
        jumped = false;
    }
    /* The signal may have arrived before the timer was known here. Before glibc 2.34, a null one is read. */
    if (timer)
        timer_delete(timer);
    if (!jumped)
        fail("signal %d was not delivered", signal);
    if (now_ms() - start > 1500)
        fail("signal %d was delivered after %.0f ms", signal, now_ms() - start);
    expect_mask(&before->mask, 0, "after a jump");
    if (round % 10 == 3)
        expect_unharmed(before, "after a jump");
}

static void jump_out(void)
{
    const int signals[] = {SIGINT, SIGTERM, SIGRTMIN + 1, SIGUSR1, SIGALRM, SIGQUIT, SIGRTMAX, SIGXCPU};
    struct state before = state_now();
    for (int number = 0; number < COUNT_OF(signals); number++) {
        struct memory memory = {0};
        for (int round = 0; round < ROUNDS; round++) {
            /* The first rounds may fill the cache and the heap. */
            if (round == ROUNDS / 10)
                memory = memory_now();
            jump_once(signals[number], round, &before);
        }
        expect_memory(&memory, ROUNDS, "after jumps");
        expect_unharmed(&before, "after jumps");
    }
    /* glibc's own frames are jumped over as well. */
    for (int round = 0; round < 8; round++) {
        if (sigsetjmp(back, 1) == 0) {
            handle(SIGINT, jump, 0);
            timer_t timer = send_after(SIGINT, 100, 0);
            look_up_missing_name(true);
            timer_delete(timer);
            fail("no jump out of getaddrinfo");
        }
        expect_unharmed(&before, "after a jump out of getaddrinfo");
        must_find("host.local", AF_UNSPEC);
    }
}

static int unwound;

static void note_unwinding(void *argument)
{
    (void)argument;
    __sync_fetch_and_add(&unwound, 1);
}

static void exit_thread(int signal)
{
    pthread_exit((void *)(intptr_t)signal);
}

static void cancel_thread(int signal)
{
    (void)signal;
    pthread_cancel(pthread_self());
    pthread_testcancel();
}

static volatile bool started;

static void *look_up_until_ended(void *round)
{
    pthread_cleanup_push(note_unwinding, NULL);
    started = true;
    /* One thread in eight looks up the name through glibc. */
    look_up_missing_name((intptr_t)round % 8 == 7);
    sleep_ms(200);
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return NULL;
}

static void end_thread(int signal, int round, void *expected)
{
    /* A signal would find glibc's own allocations unfinished if it came too early. */
    double ms = round % 8 == 7 ? 40 + round / 8 : delay(round);
    pthread_t thread;
    void *result;
    started = false;
    pthread_create(&thread, NULL, look_up_until_ended, (void *)(intptr_t)round);
    while (!started)
        usleep(10);
    double start = now_ms();
    sleep_ms(ms);
    pthread_kill(thread, signal);
    pthread_join(thread, &result);
    if (result != expected)
        fail("a thread returned %p instead of %p after signal %d", result, expected, signal);
    if (now_ms() - start > 1500)
        fail("a thread ended %.0f ms after signal %d", now_ms() - start - ms, signal);
}

static void end_threads(void (*handler)(int))
{
    const int signals[] = {SIGTERM, SIGUSR1, SIGRTMIN + 1};
    mallopt(M_ARENA_MAX, 1);
    for (int number = 0; number < COUNT_OF(signals); number++) {
        handle(signals[number], handler, 0);
        void *expected = handler == exit_thread ? (void *)(intptr_t)signals[number] : PTHREAD_CANCELED;
        struct state before = {0};
        struct memory memory = {0};
        for (int round = 0; round < ROUNDS; round++) {
            if (round == ROUNDS / 10) {
                before = state_now();
                memory = memory_now();
            }
            end_thread(signals[number], round, expected);
        }
        if (unwound != ROUNDS * (number + 1))
            fail("%d of %d threads were unwound", unwound, ROUNDS * (number + 1));
        expect_unharmed(&before, "after the end of threads");
        expect_memory(&memory, ROUNDS, "after the end of threads");
    }
}

static void *allow_cancellation_and_look_up(void *number)
{
    char name[64];
    snprintf(name, sizeof name, "slow300-asynchronous-%d.local", (int)(intptr_t)number);
    pthread_cleanup_push(note_unwinding, NULL);
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    ask(name);
    pthread_testcancel();
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancel_asynchronously(void)
{
    enum { THREADS = 20 };
    struct state before = state_now();
    pthread_t threads[THREADS];
    for (int number = 0; number < THREADS; number++)
        pthread_create(&threads[number], NULL, allow_cancellation_and_look_up, (void *)(intptr_t)number);
    for (int number = 0; number < THREADS; number++) {
        sleep_ms(5);
        pthread_cancel(threads[number]);
    }
    /* Some versions of glibc do not report PTHREAD_CANCELED here. */
    for (int number = 0; number < THREADS; number++)
        pthread_join(threads[number], NULL);
    if (unwound != THREADS)
        fail("%d of %d threads were unwound", unwound, THREADS);
    expect_unharmed(&before, "after asynchronous cancellation");
}

int main(int count, char **arguments)
{
    const char *way = count > 1 ? arguments[1] : "jump";
    must_find("host.local", AF_UNSPEC);
    if (ask("host.local") != 2)
        fail("no addresses");
    if (strcmp(way, "jump") == 0)
        jump_out();
    else if (strcmp(way, "asynchronous") == 0)
        cancel_asynchronously();
    else
        end_threads(strcmp(way, "exit") == 0 ? exit_thread : cancel_thread);
    printf("%d rounds for each signal\n", ROUNDS);
}
