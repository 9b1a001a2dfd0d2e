/* Threads are cancelled at every point of a lookup: no descriptor stays open, nothing aborts, the next lookup works. */
#include "guest.h"

enum { THREADS = 24, EARLY = 300 };

static void *look_up_unknown_name(void *argument)
{
    long number = (long)argument;
    char name[64];
    snprintf(name, sizeof name, "nobody-%ld.local", number);
    /* One thread in four calls the module directly, the others through glibc. */
    if (number % 4 == 3)
        ask(name);
    else
        look_up(name, AF_INET);
    pthread_testcancel();
    return NULL;
}

static void *look_up_repeatedly(void *argument)
{
    for (int turn = 0;; turn++) {
        char name[64];
        snprintf(name, sizeof name, "early-%ld-%d.local", (long)argument, turn % 4);
        /* Not through glibc, which leaves its own sockets open if the thread is cancelled. */
        ask(name);
        pthread_testcancel();
    }
    return NULL;
}

/* Cancels threads at every point of a short lookup: each one five microseconds later than the one before. */
static void cancel_early(void)
{
    for (long number = 0; number < EARLY; number++) {
        pthread_t thread;
        pthread_create(&thread, NULL, look_up_repeatedly, (void *)number);
        sleep_ms(0.005 * number);
        pthread_cancel(thread);
        void *result;
        pthread_join(thread, &result);
        if (result != PTHREAD_CANCELED)
            fail("early thread %ld was not cancelled: %p", number, result);
    }
}

int main(void)
{
    must_find("host.local", AF_INET);
    ask("host.local");
    int before = open_descriptors();
    pthread_t threads[THREADS];
    for (long number = 0; number < THREADS; number++) {
        pthread_create(&threads[number], NULL, look_up_unknown_name, (void *)number);
        sleep_ms(20);
    }
    for (int number = 0; number < THREADS; number++)
        pthread_cancel(threads[number]);
    for (int number = 0; number < THREADS; number++) {
        void *result;
        pthread_join(threads[number], &result);
        if (result != PTHREAD_CANCELED)
            fail("thread %d was not cancelled: %p", number, result);
    }
    expect_descriptors(before, "after cancellation");
    cancel_early();
    expect_descriptors(before, "after early cancellation");
    must_find("next.local", AF_UNSPEC);
    printf("%d threads cancelled\n", THREADS + EARLY);
}
