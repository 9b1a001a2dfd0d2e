/* memory [NAMES | pieces]: malloc fails from its Nth call on, or only in its Nth call, for every N that occurs.
 * Every lookup must return, and once malloc works again, the next lookup must succeed. Only calls of the module
 * fail. NAMES is the number of cached names when malloc begins to fail. With the default number, the cache's table
 * grows when one more name is cached. With `pieces`, malloc fails for every size above some limit, as if memory were
 * fragmented; cache-size must be 4096. */
#include "guest.h"
#include <malloc.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

enum { NEVER = 1 << 30 };

/* The calls so far, the first one that fails, and whether it is the only one. */
static volatile int calls, first = NEVER, only_one;

/* Allocations above this size always fail. */
static volatile size_t largest = SIZE_MAX;

static bool fails(size_t size)
{
    if (size > largest) {
        errno = ENOMEM;
        return true;
    }
    int call = __sync_fetch_and_add(&calls, 1);
    if (only_one ? call != first : call < first)
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

/* Lookups of every kind. They may fail, but must not return a wrong answer. */
static void look_up_all(int number)
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

static int child(int number, int cached)
{
    for (int count = 0; count < cached; count++) {
        char name[64];
        snprintf(name, sizeof name, "remembered-%d.local", count);
        ask(name);
    }
    fail_from(number);
    look_up_all(number);
    bool was_last = calls <= number;
    /* Repeated lookups must not use up the allocator's reserve. */
    int rounds = number == 0 ? 300 : 20;
    for (int count = 0; count < rounds; count++)
        look_up_all(number * 100 + count);
    fail_from(NEVER);
    int again = ask("again.local");
    if (again <= 0)
        fail("call %d: %d when malloc works again", number, again);
    return was_last ? 10 : 0;
}

/* Looks up more names than the cache holds, while malloc fails for sizes above `size`. */
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

static void *ask_without_memory(void *argument)
{
    for (int count = 0; count < 5; count++) {
        char name[64];
        snprintf(name, sizeof name, "slow%d-thread-%ld-%d.local", count % 2 ? 200 : 1, (long)argument, count);
        ask(name);
    }
    return NULL;
}

/* Lets malloc fail in so many threads at once that the allocator's reserve is too small for them. */
static int child_with_threads(void)
{
    enum { THREADS = 200 };
    pthread_t threads[THREADS];
    for (long number = 0; number < THREADS; number++)
        pthread_create(&threads[number], NULL, ask_without_memory, (void *)number);
    fail_from(0);
    for (int number = 0; number < THREADS; number++)
        pthread_join(threads[number], NULL);
    fail_from(NEVER);
    return ask("again.local") <= 0;
}

static int wait_for(pid_t pid)
{
    int status;
    waitpid(pid, &status, 0);
    return status;
}

/* Lets malloc fail from each of its calls on, or in each one alone. Returns the number of calls that the first round of
 * lookups makes. */
static int every_call(int cached, int one)
{
    only_one = one;
    for (int number = 0; number < 2000; number++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(child(number, cached));
        int status = wait_for(pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 10)
            return number;
        if (status != 0)
            fail("%d names cached, call %d%s: status %#x", cached, number, one ? " alone" : "", status);
    }
    fail("malloc is called too often");
}

static void in_pieces(void)
{
    static const size_t sizes[] = {66000, 80000, 100000, 150000, 200000, 300000, 400000};
    enum { COUNT = sizeof sizes / sizeof *sizes };
    for (int index = 0; index < COUNT; index++) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(child_in_pieces(sizes[index]));
        int status = wait_for(pid);
        if (status != 0)
            fail("malloc of at most %zu octets: status %#x", sizes[index], status);
    }
    /* A single table for that many names would be larger than the largest allocation that the reserve serves. */
    int large = every_call(895, false);
    printf("%d limits of size; failing from each of %d calls on with a large cache\n", COUNT, large);
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
    int status = wait_for(pid);
    if (status != 0)
        fail("many threads: status %#x", status);
    printf("failing from each of %d calls on, each of %d alone, each of %d on with %d names cached\n", count, alone,
           full, names);
}
