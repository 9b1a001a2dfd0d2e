/* memory [NAMES | pieces]: a process whose malloc fails from some call on, for every such call: every lookup returns, and when
 * there is memory again the next one works. The module's calls of malloc are the only ones that fail. NAMES is how many names
 * are remembered when the memory is full; by default, one less than make the table of names grow. With `pieces`, malloc fails
 * for all that is larger than some size, as where there is memory in small pieces alone; the cache is to have 4,096 names. */
#include "guest.h"
#include <malloc.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

enum { NEVER = 1 << 30 };

/* The calls so far, and which is the first to fail; or just the one. */
static volatile int calls, first = NEVER, just_one;

/* What is larger fails in any case. */
static volatile size_t largest = SIZE_MAX;

static bool fails(size_t size)
{
    if (size > largest) {
        errno = ENOMEM;
        return true;
    }
    int call = __sync_fetch_and_add(&calls, 1);
    if (just_one ? call != first : call < first)
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return fails(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return fails(count * size) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    return fails(size) ? NULL : __libc_realloc(memory, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
    if (fails(size))
        return ENOMEM;
    *memory = __libc_memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}

static void fail_from(int call)
{
    calls = 0;
    first = call;
}

static int reverse(void)
{
    static by_address *function;
    if (!function)
        function = module_function("gethostbyaddr_r");
    struct in6_addr ip;
    struct hostent host;
    char buffer[1024];
    int error, h_error;
    inet_pton(AF_INET6, "fe80::99", &ip);
    return function(&ip, 16, AF_INET6, &host, buffer, sizeof buffer, &error, &h_error);
}

/* Any answer will do, but not a wrong one. */
static void try_all(int number)
{
    char name[64];
    snprintf(name, sizeof name, "many50-%d.local", number);
    int many = ask(name);
    if (many != -TRY_AGAIN && !(many > 0 && many <= 50) && many != -HOST_NOT_FOUND)
        fail("call %d: %d", number, many);
    ask("host.local");
    ask("a..local");
    reverse();
}

static int child(int number, int remembered)
{
    for (int count = 0; count < remembered; count++) {
        char name[64];
        snprintf(name, sizeof name, "remembered-%d.local", count);
        ask(name);
    }
    fail_from(number);
    try_all(number);
    bool all_tried = calls <= number;
    /* Again and again: what had to make do must not pile up. */
    int rounds = number == 0 ? 300 : 20;
    for (int count = 0; count < rounds; count++)
        try_all(number * 100 + count);
    fail_from(NEVER);
    int again = ask("again.local");
    if (again <= 0)
        fail("call %d: %d when there is memory again", number, again);
    return all_tried ? 10 : 0;
}

/* With memory for pieces of this size alone, as many names as the cache is to have. */
static int child_in_pieces(size_t size)
{
    largest = size;
    for (int count = 0; count < 4400; count++) {
        char name[64];
        snprintf(name, sizeof name, "piece-%d.local", count);
        if (ask(name) <= 0)
            return 1;
    }
    return 0;
}

static void *ask_without(void *argument)
{
    for (int count = 0; count < 5; count++) {
        char name[64];
        snprintf(name, sizeof name, "slow%d-thread-%ld-%d.local", count % 2 ? 200 : 1, (long)argument, count);
        ask(name);
    }
    return NULL;
}

/* So many that the reserve would not do for all of them at once. */
static int child_with_threads(void)
{
    enum { THREADS = 200 };
    pthread_t threads[THREADS];
    for (long number = 0; number < THREADS; number++)
        pthread_create(&threads[number], NULL, ask_without, (void *)number);
    fail_from(0);
    for (int number = 0; number < THREADS; number++)
        pthread_join(threads[number], NULL);
    fail_from(NEVER);
    return ask("again.local") <= 0;
}

static int end_of(pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    return status;
}

/* The number of calls that a first round of lookups makes. */
static int every_call(int remembered, int one)
{
    just_one = one;
    for (int number = 0; number < 2000; number++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(child(number, remembered));
        int status = end_of(pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 10)
            return number;
        if (status != 0)
            fail("%d remembered, call %d%s: status %#x", remembered, number, one ? " alone" : "", status);
    }
    fail("too many calls");
}

static void in_pieces(void)
{
    static const size_t sizes[] = {66000, 80000, 100000, 150000, 200000, 300000, 400000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    for (int index = 0; index < COUNT; index++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(child_in_pieces(sizes[index]));
        int status = end_of(pid);
        if (status != 0)
            fail("pieces of %zu octets: status %#x", sizes[index], status);
    }
    printf("%d sizes of pieces\n", COUNT);
}

int main(int argument_count, char **arguments)
{
    int names = argument_count > 1 ? atoi(arguments[1]) : 223;
    module_function("gethostbyname4_r");
    module_function("gethostbyaddr_r");
    if (argument_count > 1 && strcmp(arguments[1], "pieces") == 0) {
        in_pieces();
        return 0;
    }
    int count = every_call(0, false);
    int alone = every_call(0, true);
    int full = every_call(names, false);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_with_threads());
    int status = end_of(pid);
    if (status != 0)
        fail("threads: status %#x", status);
    printf("failing from each of %d calls on, each of %d alone, each of %d with a full memory\n", count, alone, full);
}
