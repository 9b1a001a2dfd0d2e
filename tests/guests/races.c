/* races ROUNDS FILE: many threads in the module at once, from its first use on, while its settings in FILE change, under
 * ThreadSanitizer, which ends the process with status 66 where two of them meet without order. Linked with the sanitizer's
 * runtime; only the module is instrumented. */
#include "guest.h"

enum { THREADS = 12, FOUND = 66 };

void *__interceptor_malloc(size_t);
void *__interceptor_calloc(size_t, size_t);
void *__interceptor_realloc(void *, size_t);
int __interceptor_posix_memalign(void **, size_t, size_t);
void __tsan_write8(void *);

/* Allocations of this thread that are yet to fail: the module has a reserve for those. */
static __thread int failing;

static bool fails(void)
{
    if (failing == 0)
        return false;
    failing--;
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

/* While others without memory have used half of the reserve, a lookup fails for the moment (EAI_AGAIN). */
enum { TRIES = 200 };

static int ask_with_patience(const char *name)
{
    int found = ask(name);
    for (int tries = 0; found == -TRY_AGAIN && tries < TRIES; tries++) {
        usleep(5000);
        found = ask(name);
    }
    return found;
}

static int entry_with_patience(const char *name)
{
    int status = entry(name);
    for (int tries = 0; status == NSS_STATUS_TRYAGAIN && tries < TRIES; tries++) {
        usleep(5000);
        status = entry(name);
    }
    return status;
}

/* The same names for all threads, and some of each one's own; what is remembered, what is not, and what nobody knows. */
static void *look_up_everything(void *argument)
{
    long thread = (long)argument;
    char name[64];
    pthread_barrier_wait(&start);
    for (int turn = 0; turn < 40; turn++) {
        snprintf(name, sizeof name, "shared-%d.local", turn % 8);
        int found = ask_with_patience(name);
        if (found <= 0)
            fail("%s: %d", name, found);
        snprintf(name, sizeof name, "own-%ld-%d.local", thread, turn);
        int status = turn % 8 == 0 ? entry_with_patience(name) : NSS_STATUS_SUCCESS;
        if (status != NSS_STATUS_SUCCESS)
            fail("%s: status %d", name, status);
        /* Without memory anything may come of it, but the next must work. */
        failing = turn % 4 == 1 ? 30 : 0;
        snprintf(name, sizeof name, "poor-%ld-%d.local", thread % 4, turn);
        ask(name);
        failing = 0;
        reverse((unsigned char)(turn % 4));
        entry("shared-0.local");
        ask("a..local");
        ask("host.example");
    }
    /* Silence, asked for together and remembered together. */
    if (thread % 3 == 0 && ask_with_patience("nobody.local") != -HOST_NOT_FOUND)
        fail("nobody is found");
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

static void *write_without_order(void *word)
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

/* In a child, whose first use of the module is the first of all. */
static int status_of(int round)
{
    pid_t pid = fork();
    if (pid == 0) {
        static uint64_t word;
        if (round < 0) {
            close(2);
            run(2, write_without_order, &word);
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
    if (status_of(-1) != FOUND)
        fail("a race that is there is not found");
    for (int round = 0; round < rounds; round++) {
        int status = status_of(round);
        if (status != 0)
            fail("round %d: status %d", round, status);
    }
    printf("%d rounds of %d threads without a race\n", rounds, THREADS);
}
