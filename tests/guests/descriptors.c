/* stdio | closed | reused | many | none: descriptors that are closed, too many, or none left. */
#include "guest.h"
#include <sys/resource.h>

static int out;

static volatile int result;

static void *ask_slowly(void *argument)
{
    result = ask(argument);
    return NULL;
}

static pthread_t begin(const char *name)
{
    pthread_t thread;
    result = -100;
    pthread_create(&thread, NULL, ask_slowly, (void *)name);
    return thread;
}

/* With the descriptors 0 to 2 closed, no socket is ever one of them: the host may write to those what is meant for the
 * terminal. */
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
        fail("descriptors 0 to 2 are used: %d", in_use);
}

/* Another thread closes everything in the middle, and in one case uses the numbers for itself: what it opened stays open. */
static void closed_by_another(bool reuse)
{
    out = fcntl(1, F_DUPFD, 3);
    ask("warm.local");
    for (int number = 0; number < 12; number++) {
        char name[64];
        snprintf(name, sizeof name, "%s-%d.local", number % 2 ? "slow300" : "slow1", number);
        double start = now_ms();
        pthread_t thread = begin(name);
        sleep_ms(number % 2 ? 30 * number : 0.1 * number);
        for (int fd = 3; fd < 64; fd++)
            if (fd != out)
                close(fd);
        int others[8], lost = 0;
        for (int count = 0; reuse && count < 8; count++)
            others[count] = open("/dev/null", O_RDWR);
        pthread_join(thread, NULL);
        /* The early ones may be closed at any time: by the thread that opens sockets when its own are closed. */
        for (int count = 0; reuse && number % 2 && count < 8; count++)
            lost += fcntl(others[count], F_GETFD) < 0;
        if (lost)
            fail("%s: %d of the files that were opened meanwhile are closed", name, lost);
        /* Where nothing is left to wait for, nothing is waited for. */
        if (now_ms() - start > (reuse ? 2400 : 1500))
            fail("%s took %.0f ms", name, now_ms() - start);
        if (ask("warm2.local") != 2 || ask(number % 2 ? "next.local" : "other.local") != 2)
            fail("the next lookup fails");
    }
}

/* Another thread closes one of the sockets, which the module finds out when it asks again; and then uses the number. */
static void closed_and_reused_later(void)
{
    ask("warm.local");
    for (int number = 0; number < 3; number++) {
        char name[64];
        snprintf(name, sizeof name, "slow700-later-%d.local", number);
        /* The number that the first of the sockets will have; the next ones follow. */
        int first = fcntl(0, F_DUPFD, 3);
        close(first);
        pthread_t thread = begin(name);
        sleep_ms(100);
        if (close(first + number) != 0)
            fail("%s: no socket has number %d", name, first + number);
        sleep_ms(350);
        int other = open("/dev/null", O_RDWR);
        if (other != first + number)
            fail("%s: the number is %d, not %d", name, other, first + number);
        pthread_join(thread, NULL);
        if (result <= 0)
            fail("%s: %d, though other sockets were left", name, result);
        if (close(other) != 0)
            fail("%s: a file that was opened meanwhile is closed", name);
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

/* None left. `limit` is where the next would be. */
static void leave(rlim_t count)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = count;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static void none(void)
{
    /* Before the first load, in a child: glibc cannot load the module, and may never try again. It lives. */
    pid_t pid = fork();
    if (pid == 0) {
        leave(3);
        look_up("early.local", AF_UNSPEC);
        leave(1024);
        look_up("early.local", AF_UNSPEC);
        _exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (status != 0)
        fail("before the first load: %d", status);
    must_find("loaded.local", AF_UNSPEC);
    ask("loaded.local");
    for (int more = 0; more < 8; more++) {
        leave(3 + more);
        char name[64];
        snprintf(name, sizeof name, "none-%d.local", more);
        int found = ask(name);
        if (more == 0 && found != -TRY_AGAIN)
            fail("with no descriptor left: %d", found);
        if (found <= 0 && found != -TRY_AGAIN)
            fail("with %d descriptors left: %d", more, found);
        /* glibc asks the next service, which has no descriptors either. */
        if (more == 0 && look_up(name, AF_INET) == 0)
            fail("getaddrinfo finds it with no descriptor left");
    }
    leave(1024);
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
