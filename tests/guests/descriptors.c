/* descriptors stdio | closed | reused | many | none: the standard descriptors are closed, another thread closes all
 * descriptors, another thread closes them and reuses their numbers, thousands are open, or none is available. */
#include "guest.h"
#include <sys/resource.h>

static int out;

static volatile int result;

static void *ask_in_thread(void *argument)
{
    result = ask(argument);
    return NULL;
}

static pthread_t begin(const char *name)
{
    pthread_t thread;
    result = -100;
    pthread_create(&thread, NULL, ask_in_thread, (void *)name);
    return thread;
}

/* If descriptors 0 to 2 are closed, no socket may take their place: the host process may write its output to them. */
static void closed_stdio(void)
{
    out = fcntl(1, F_DUPFD, 100);
    ask("warm.local");
    close(0), close(1), close(2);
    int in_use = 0;
    for (int number = 0; number < 5; number++) {
        char name[64];
        snprintf(name, sizeof name, "slow100-%d.local", number);
        pthread_t thread = begin(name);
        sleep_ms(50);
        for (int fd = 0; fd < 3; fd++)
            in_use += fcntl(fd, F_GETFD) >= 0;
        pthread_join(thread, NULL);
        if (result != 2)
            in_use += 100;
    }
    dup2(out, 1);
    if (in_use)
        fail("descriptors 0 to 2 are in use, or a lookup failed: %d", in_use);
}

/* The number of open descriptors below 64. Opens none itself. */
static int open_below_64(void)
{
    int count = 0;
    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* The number of sockets of a lookup that waits for its response. A lookup opens others for a moment, so this is the number
 * that is seen most often. */
static int sockets_of_a_lookup(const char *name)
{
    int seen[64] = {0}, before = open_below_64(), sockets = 1;
    pthread_t thread = begin(name);
    for (; result == -100; sleep_ms(1)) {
        int more = open_below_64() - before;
        seen[more > 0 ? more : 0]++;
    }
    pthread_join(thread, NULL);
    for (int count = 1; count < 64; count++)
        if (seen[count] > seen[sockets])
            sockets = count;
    if (result <= 0 || !seen[sockets])
        fail("%s: %d, without a socket", name, result);
    return sockets;
}

/* Waits until a lookup has all its sockets. On a busy machine, its thread may start late. */
static void wait_for_sockets(int before, int sockets)
{
    for (int tries = 0; open_below_64() < before + sockets; tries++) {
        if (tries == 5000 || result != -100)
            fail("%d sockets, not %d", open_below_64() - before, sockets);
        sleep_ms(1);
    }
}

/* Another thread closes all descriptors during the lookup. With `reuse` it opens files in their place, which must stay
 * open. */
static void closed_by_another(bool reuse)
{
    out = fcntl(1, F_DUPFD, 3);
    ask("warm.local");
    int sockets = sockets_of_a_lookup("slow700-closed.local");
    for (int number = 0; number < 12; number++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%d.local", number % 2 ? "slow500" : "slow1", number);
        int before = open_below_64();
        pthread_t thread = begin(name);
        if (number % 2)
            wait_for_sockets(before, sockets);
        double start = now_ms();
        sleep_ms(number % 2 ? 30 * number : 0.1 * number);
        for (int fd = 3; fd < 64; fd++)
            if (fd != out)
                close(fd);
        int others[8], lost = 0;
        for (int count = 0; reuse && count < 8; count++)
            others[count] = open("/dev/null", O_RDWR);
        pthread_join(thread, NULL);
        /* In even rounds the lookup may still be opening its sockets. It may then close a file that has taken the
         * number of one of them, so only odd rounds are checked. */
        for (int count = 0; reuse && number % 2 && count < 8; count++)
            lost += fcntl(others[count], F_GETFD) < 0;
        if (lost)
            fail("%s: the lookup closed %d files that were opened meanwhile", name, lost);
        /* A lookup without any usable socket ends early. */
        if (now_ms() - start > (reuse ? 2400 : 1500))
            fail("%s took %.0f ms", name, now_ms() - start);
        if (ask("warm2.local") != 2 || ask(number % 2 ? "next.local" : "other.local") != 2)
            fail("the next lookup failed");
    }
}

/* Another thread closes one of the sockets, which the module notices when it retransmits. Then the thread reuses the
 * number. */
static void closed_and_reused_later(void)
{
    ask("warm.local");
    int sockets = sockets_of_a_lookup("slow700-one-closed.local");
    for (int number = 0; number < 3; number++) {
        char name[64];
        snprintf(name, sizeof name, "slow1700-later-%d.local", number);
        /* The number that the first socket will have; the others follow. */
        int first = fcntl(0, F_DUPFD, 3);
        close(first);
        int before = open_below_64();
        pthread_t thread = begin(name);
        wait_for_sockets(before, sockets);
        if (close(first + number) != 0)
            fail("%s: no socket has number %d", name, first + number);
        sleep_ms(700);
        int other = open("/dev/null", O_RDWR);
        if (other != first + number)
            fail("%s: the new file has number %d, not %d", name, other, first + number);
        pthread_join(thread, NULL);
        if (result <= 0)
            fail("%s: %d, although other sockets were left", name, result);
        if (close(other) != 0)
            fail("%s: the lookup closed a file that was opened meanwhile", name);
    }
}

static void many(void)
{
    struct rlimit limit = {4096, 4096};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        fail("setrlimit: %s", strerror(errno));
    for (int count = 0; count < 2500; count++)
        if (open("/dev/null", O_RDONLY) < 0)
            fail("open: %s", strerror(errno));
    must_find("many.local", AF_UNSPEC);
    if (ask("many2.local") != 2)
        fail("not found with 2,500 descriptors");
}

/* Limits descriptors to numbers below `count`. */
static void limit_descriptors(rlim_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void none(void)
{
    /* First in a child, before the module is loaded: glibc cannot load it, and may never try again. The child must not
     * crash. */
    pid_t pid = fork();
    if (pid == 0) {
        limit_descriptors(3);
        look_up("early.local", AF_UNSPEC);
        limit_descriptors(1024);
        look_up("early.local", AF_UNSPEC);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (status != 0)
        fail("before the module was loaded: status %d", status);
    must_find("loaded.local", AF_UNSPEC);
    ask("loaded.local");
    for (int available = 0; available < 8; available++) {
        limit_descriptors(3 + available);
        char name[64];
        snprintf(name, sizeof name, "none-%d.local", available);
        int found = ask(name);
        if (available == 0 && found != -TRY_AGAIN)
            fail("with no descriptor available: %d", found);
        if (found <= 0 && found != -TRY_AGAIN)
            fail("with %d descriptors available: %d", available, found);
        /* glibc calls the next service, which has no descriptors either. */
        if (available == 0 && look_up(name, AF_INET) == 0)
            fail("getaddrinfo found the name with no descriptor available");
    }
    limit_descriptors(1024);
    must_find("again.local", AF_UNSPEC);
}

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    if (strcmp(what, "stdio") == 0)
        closed_stdio();
    else if (strcmp(what, "closed") == 0)
        closed_by_another(false);
    else if (strcmp(what, "reused") == 0)
        closed_by_another(true), closed_and_reused_later();
    else if (strcmp(what, "many") == 0)
        many();
    else if (strcmp(what, "none") == 0)
        none();
    else
        fail("stdio | closed | reused | many | none");
}
