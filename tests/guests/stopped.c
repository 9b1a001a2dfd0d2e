/* stopped SECONDS: a process is stopped during a lookup, for longer than the lookup may take, and then continued. */
#include "guest.h"

static double seconds = 5;

/* What the child looks up, and checks. */
struct lookup {
    const char *name;
    int least, most;
};

static void run_child(const struct lookup *lookup)
{
    int before = open_descriptors();
    int found = ask(lookup->name);
    if (found < lookup->least || found > lookup->most)
        fail("%s: %d", lookup->name, found);
    expect_descriptors(before, "after a stop");
    /* A new name, and the same one again: that the process was stopped is no proof that the host is missing. */
    if (ask("next.local") != 2)
        fail("the next lookup");
    if (strncmp(lookup->name, "nobody", 6) != 0 && ask(lookup->name) != 2)
        fail("%s is not found after a stop", lookup->name);
    exit(0);
}

int main(int count, char **arguments)
{
    static const struct lookup lookups[] = {
        {"nobody-stopped.local", -HOST_NOT_FOUND, -HOST_NOT_FOUND},
        /* The response arrives while the process is stopped. */
        {"slow300-stopped.local", 2, 2},
        /* The response arrives before the process is stopped. */
        {"slow50-stopped.local", 2, 2},
    };
    enum { COUNT = sizeof lookups / sizeof *lookups };
    pid_t children[COUNT];
    if (count > 1)
        seconds = atof(arguments[1]);
    module_function("gethostbyname4_r");
    for (int number = 0; number < COUNT; number++) {
        children[number] = fork();
        if (children[number] == 0)
            run_child(&lookups[number]);
    }
    sleep_ms(150);
    for (int number = 0; number < COUNT; number++)
        kill(children[number], SIGSTOP);
    sleep_ms(seconds * 1000);
    for (int number = 0; number < COUNT; number++)
        kill(children[number], SIGCONT);
    double start = now_ms();
    for (int number = 0; number < COUNT; number++) {
        int status;
        waitpid(children[number], &status, 0);
        if (status != 0)
            fail("%s: status %#x", lookups[number].name, status);
    }
    /* The deadline has passed. The child that finds nothing then looks up one more name. */
    if (now_ms() - start > 1000)
        fail("the lookups ended %.0f ms after the process was continued", now_ms() - start);
    printf("stopped for %.0f s\n", seconds);
}
