/* lookups CACHED NEW [THREADS]: CACHED lookups of cached names and NEW lookups of new names, by that many threads at
 * once. Afterwards no more descriptors are open, and no more memory is in use, than before. */
#include "guest.h"
#include <malloc.h>

static int threads;

struct share {
    const char *prefix;
    long first, count;
};

static void *do_share(void *argument)
{
    const struct share *share = argument;
    bool is_new = strcmp(share->prefix, "new") == 0;
    for (long number = share->first; number < share->first + share->count; number++) {
        char name[64];
        /* All names have the same length, so that all cache entries have the same size. */
        snprintf(name, sizeof name, "%s-%08ld.local", share->prefix, is_new ? number : number % 8);
        if (ask(name) <= 0)
            fail("%s: not found", name);
    }
    return NULL;
}

static void look_up_all(const char *prefix, long first, long count)
{
    struct share shares[64];
    pthread_t ids[64];
    long each = count / threads;
    for (int thread = 0; thread < threads; thread++) {
        shares[thread] = (struct share){prefix, first + thread * each, each};
        if (threads > 1)
            pthread_create(&ids[thread], NULL, do_share, &shares[thread]);
        else
            do_share(&shares[thread]);
    }
    for (int thread = 0; threads > 1 && thread < threads; thread++)
        pthread_join(ids[thread], NULL);
}

/* The resident set size of the process, in KiB. */
static long resident(void)
{
    long pages = 0, size;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &size, &pages) != 2)
        fail("/proc/self/statm");
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

struct growth {
    long octets, kilobytes;
};

/* Performs all the lookups and returns how much memory has been added. */
static struct growth growth_of(long cached, long new, long first)
{
    size_t octets = mallinfo2().uordblks;
    long kilobytes = resident();
    double start = now_ms();
    look_up_all("new", first, new);
    double middle = now_ms();
    look_up_all("old", 0, cached);
    double end = now_ms();
    /* Fills the cache with the same names as before. */
    look_up_all("new", 80000000, 640);
    look_up_all("old", 0, 64);
    struct growth growth = {(long)(mallinfo2().uordblks - octets), resident() - kilobytes};
    /* Under valgrind, which has its own heap and its own leak check, memory is not measured. */
    const char *preloaded = getenv("LD_PRELOAD");
    if (preloaded && strstr(preloaded, "vgpreload"))
        growth = (struct growth){0, 0};
    printf("%ld cached, %.2f us each; %ld new, %.0f us each; %ld octets more in use, %ld KiB more resident; ",
           cached, (end - middle) * 1e3 / (cached + 1), new, (middle - start) * 1e3 / (new + 1), growth.octets,
           growth.kilobytes);
    return growth;
}

int main(int count, char **arguments)
{
    enum { ROUNDS = 4 };
    long cached = count > 1 ? atol(arguments[1]) : 1000, new = count > 2 ? atol(arguments[2]) : 1000;
    threads = count > 3 ? atoi(arguments[3]) : 1;
    setvbuf(stdout, NULL, _IOFBF, 8192);
    printf("%d thread%s: ", threads, threads == 1 ? "" : "s");
    /* With one arena, mallinfo2 counts the allocations of all threads. */
    mallopt(M_ARENA_MAX, 1);
    /* More names than the cache holds, and enough lookups for most one-time allocations. */
    look_up_all("new", 90000000, 2048);
    look_up_all("old", 0, 64);
    look_up_all("new", 80000000, 640);
    look_up_all("old", 0, 64);
    resident();
    int descriptors = open_descriptors();
    /* A leak shows in every round, so one round without growth is enough. In some round the cache's table doubles for
     * the last time. With many threads, some growth is allowed: the machine is so busy that for some hosts one family
     * arrives too late, which makes their cache entries 16 octets smaller, and the heap is fragmented. A leak of one
     * octet per lookup would exceed the limit. */
    struct growth limit = threads == 1 ? (struct growth){0, 0} : (struct growth){256 * 16, 64};
    for (int round = 0; round < ROUNDS; round++) {
        struct growth growth = growth_of(cached, new, round * new);
        expect_descriptors(descriptors, "after all lookups");
        if (growth.octets <= limit.octets && growth.kilobytes <= limit.kilobytes) {
            printf("0 descriptors\n");
            return 0;
        }
    }
    fflush(stdout);
    fail("memory grew in every round");
}
