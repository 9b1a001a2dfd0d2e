/* races ROUNDS FILE: many threads use the module at once, from its first use on, while its settings in FILE change.
 * ThreadSanitizer ends the process with status 66 if it detects a data race. This program is linked with the
 * sanitizer's runtime, but only the module is instrumented. */
#include "guest.h"

enum { THREADS = 12, RACE_DETECTED = 66 };

void *__interceptor_malloc(size_t);
void *__interceptor_calloc(size_t, size_t);
void *__interceptor_realloc(void *, size_t);
int __interceptor_posix_memalign(void **, size_t, size_t);
void __tsan_write8(void *);

/* How many of this thread's next allocations fail. The module then uses its reserve. */
static __thread int failures_left;

static bool fails(void)
{
    if (failures_left == 0)
        return false;
    failures_left--;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails() ? NULL : __interceptor_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails() ? NULL : __interceptor_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails() ? NULL : __interceptor_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    return fails() ? ENOMEM : __interceptor_posix_memalign(memory, alignment, size);
}

static pthread_barrier_t start;
static by_name4 *by_name;
static by_name2 *by_name_and_family;
static by_address *by_address_;

static void reverse(unsigned char last)
{
    struct in6_addr ip;
    struct hostent host;
    char buffer[1024];
    int error, h_error;
    inet_pton(AF_INET6, "fe80::99", &ip);
    ip.s6_addr[15] = last;
    by_address_(&ip, 16, AF_INET6, &host, buffer, sizeof buffer, &error, &h_error);
}

static int entry(const char *name)
{
    struct hostent host;
    char buffer[1024];
    int error, h_error;
    return by_name_and_family(name, AF_INET, &host, buffer, sizeof buffer, &error, &h_error);
}

/* A lookup fails temporarily while other threads without memory use more than half of the reserve. */
enum { TRIES = 200 };

static int ask_until_available(const char *name)
{
    int found = ask(name);
    for (int tries = 0; found == -TRY_AGAIN && tries < TRIES; tries++) {
        usleep(5000);
        found = ask(name);
    }
    return found;
}

static int entry_until_available(const char *name)
{
    int status = entry(name);
    for (int tries = 0; status == NSS_STATUS_TRYAGAIN && tries < TRIES; tries++) {
        usleep(5000);
        status = entry(name);
    }
    return status;
}

/* Looks up names that all threads share and names that only this thread uses; cached, new and unknown names. */
static void *look_up_everything(void *argument)
{
    long thread = (long)argument;
    char name[64];
    pthread_barrier_wait(&start);
    for (int turn = 0; turn < 40; turn++) {
        snprintf(name, sizeof name, "shared-%d.local", turn % 8);
        int found = ask_until_available(name);
        if (found <= 0)
            fail("%s: %d", name, found);
        snprintf(name, sizeof name, "own-%ld-%d.local", thread, turn);
        int status = turn % 8 == 0 ? entry_until_available(name) : NSS_STATUS_SUCCESS;
        if (status != NSS_STATUS_SUCCESS)
            fail("%s: status %d", name, status);
        /* Without memory the lookup may fail, but the next one must work. */
        failures_left = turn % 4 == 1 ? 30 : 0;
        snprintf(name, sizeof name, "poor-%ld-%d.local", thread % 4, turn);
        ask(name);
        failures_left = 0;
        reverse((unsigned char)(turn % 4));
        entry("shared-0.local");
        ask("a..local");
        ask("host.example");
    }
    /* Several threads look up an unknown name at once, and cache that there was no response. */
    if (thread % 3 == 0 && ask_until_available("nobody.local") != -HOST_NOT_FOUND)
        fail("an unknown name was found");
    return NULL;
}

static const char *settings;
static volatile bool stop;

static void *change_settings(void *argument)
{
    char new[256];
    snprintf(new, sizeof new, "%s.new", settings);
    for (int turn = 0; !stop; turn++) {
        FILE *file = fopen(new, "w");
        if (!file)
            fail("%s: %s", new, strerror(errno));
        fprintf(file, "cache-size = %d\nallow-interfaces = lo e*\n", 20 + turn % 400);
        fclose(file);
        if (rename(new, settings) != 0)
            fail("%s: %s", settings, strerror(errno));
        usleep(2000);
    }
    return argument;
}

static void *write_unsynchronised(void *word)
{
    for (int turn = 0; turn < 100000; turn++)
        __tsan_write8(word);
    return NULL;
}

static void run(int threads, void *(*work)(void *), void *argument)
{
    pthread_t ids[THREADS];
    pthread_barrier_init(&start, NULL, threads);
    for (long number = 0; number < threads; number++)
        pthread_create(&ids[number], NULL, work, argument ? argument : (void *)number);
    for (int number = 0; number < threads; number++)
        pthread_join(ids[number], NULL);
}

/* Runs a round in a child, in which nothing has used the module before. Round -1 is a deliberate race. */
static int status_of(int round)
{
    pid_t pid = fork();
    if (pid == 0) {
        static uint64_t word;
        if (round < 0) {
            close(2);
            run(2, write_unsynchronised, &word);
        } else {
            pthread_t changer;
            pthread_create(&changer, NULL, change_settings, NULL);
            run(THREADS, look_up_everything, NULL);
            stop = true;
            pthread_join(changer, NULL);
        }
        exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int main(int count, char **arguments)
{
    if (count < 3)
        fail("races ROUNDS FILE");
    int rounds = atoi(arguments[1]);
    settings = arguments[2];
    by_name = module_function("gethostbyname4_r");
    by_name_and_family = module_function("gethostbyname2_r");
    by_address_ = module_function("gethostbyaddr_r");
    if (status_of(-1) != RACE_DETECTED)
        fail("a deliberate race was not detected");
    for (int round = 0; round < rounds; round++) {
        int status = status_of(round);
        if (status != 0)
            fail("round %d: status %d", round, status);
    }
    printf("%d rounds of %d threads without a race\n", rounds, THREADS);
}
