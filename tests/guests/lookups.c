/* lookups REMEMBERED NEW [THREADS]: so many lookups of what is remembered and of what is not, by so many threads at once;
 * then no descriptor is open and no octet in use that was not before. */
#include "guest.h"
#include <malloc.h>

static int threads;

struct share {
    const char *kind;
    long first, count;
};

static void *do_share(void *argument)
{
    const struct share *share = argument;
    bool is_new = strcmp(share->kind, "new") == 0;
    for (long number = share->first; number < share->first + share->count; number++) {
        char name[64];
        /* All names are of one length, so that all that is remembered is of one size. */
        snprintf(name, sizeof name, "%s-%08ld.local", share->kind, is_new ? number : number % 8);
        if (ask(name) <= 0)
            fail("%s: not found", name);
    }
    return NULL;
}

static void look_up_all(const char *kind, long first, long count)
{
    struct share shares[64];
    pthread_t ids[64];
    long each = count / threads;
    for (int thread = 0; thread < threads; thread++) {
        shares[thread] = (struct share){kind, first + thread * each, each};
        if (threads > 1)
            pthread_create(&ids[thread], NULL, do_share, &shares[thread]);
        else
            do_share(&shares[thread]);
    }
    for (int thread = 0; threads > 1 && thread < threads; thread++)
        pthread_join(ids[thread], NULL);
}

/* Kilobytes of memory that the process has. */
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

/* All the lookups, and what is in use then that was not before. */
static struct growth grown_by(long remembered, long new, long first)
{
    size_t octets = mallinfo2().uordblks;
    long kilobytes = resident();
    double start = now_ms();
    look_up_all("new", first, new);
    double middle = now_ms();
    look_up_all("old", 0, remembered);
    double end = now_ms();
    /* As full of as many names as it was. */
    look_up_all("new", 80000000, 640);
    look_up_all("old", 0, 64);
    struct growth growth = {(long)(mallinfo2().uordblks - octets), resident() - kilobytes};
    /* valgrind has a heap of its own, grows as it likes, and counts for itself. */
    const char *preloaded = getenv("LD_PRELOAD");
    if (preloaded && strstr(preloaded, "vgpreload"))
        growth = (struct growth){0, 0};
    printf("%ld remembered, %.2f us each; %ld new, %.0f us each; %ld octets more in use, %ld KiB more resident; ",
           remembered, (end - middle) * 1e3 / (remembered + 1), new, (middle - start) * 1e3 / (new + 1), growth.octets,
           growth.kilobytes);
    return growth;
}

int main(int count, char **arguments)
{
    enum { ROUNDS = 4 };
    long remembered = count > 1 ? atol(arguments[1]) : 1000, new = count > 2 ? atol(arguments[2]) : 1000;
    threads = count > 3 ? atoi(arguments[3]) : 1;
    setvbuf(stdout, NULL, _IOFBF, 8192);
    printf("%d thread%s: ", threads, threads == 1 ? "" : "s");
    /* All that is allocated is then counted, whichever thread did it. */
    mallopt(M_ARENA_MAX, 1);
    /* More than are remembered at once, and enough for most of what is done once. */
    look_up_all("new", 90000000, 2048);
    look_up_all("old", 0, 64);
    look_up_all("new", 80000000, 640);
    look_up_all("old", 0, 64);
    resident();
    int descriptors = open_descriptors();
    /* What is lost is lost every time. In one round or other the table of names doubles for the last time, and a host of
     * which one family came too late takes 16 octets less than one of both: many threads make the machine so busy that there
     * are always some, and leave pages between them that nobody needs. One octet lost by each lookup would be more. */
    struct growth most = threads == 1 ? (struct growth){0, 0} : (struct growth){256 * 16, 64};
    for (int round = 0; round < ROUNDS; round++) {
        struct growth growth = grown_by(remembered, new, round * new);
        expect_descriptors(descriptors, "after all lookups");
        if (growth.octets <= most.octets && growth.kilobytes <= most.kilobytes) {
            printf("0 descriptors\n");
            return 0;
        }
    }
    fflush(stdout);
    fail("it grows each time");
}
