/* usage: contended THREADS SECONDS
 * Looks up one name, and then again in many threads at the same time, for less time than the answer is cached. One of
 * them looks up another name. Prints the number of calls. The test counts the packets. */
#include "guest.h"

static volatile bool stop;

/* Finds another name while all other threads use the cache: its answer must be cached too. */
static void *look_up_another(void *calls)
{
    while (!stop) {
        if (ask("another.local") != 2)
            fail("another name is not found");
        ++*(long *)calls;
    }
    return NULL;
}

static void *look_up_again(void *calls)
{
    while (!stop) {
        if (ask("host.local") != 2)
            fail("a cached name is not found");
        ++*(long *)calls;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    enum { MAX = 64 };
    static struct {
        long calls, padding[15];
    } counts[MAX];
    pthread_t threads[MAX];
    int count = argc > 1 ? atoi(argv[1]) : 0;
    if (argc != 3 || count < 1 || count > MAX)
        fail("usage: contended THREADS SECONDS");
    if (ask("host.local") != 2)
        fail("not found");
    for (int thread = 0; thread < count; thread++)
        if (pthread_create(&threads[thread], NULL, thread ? look_up_again : look_up_another, &counts[thread].calls) != 0)
            fail("no thread");
    sleep_ms(1000 * atof(argv[2]));
    stop = true;
    long calls = 0;
    for (int thread = 0; thread < count; thread++) {
        pthread_join(threads[thread], NULL);
        calls += counts[thread].calls;
    }
    printf("%ld calls\n", calls);
    return 0;
}
