/* A lookup ends at its deadline although signals arrive as fast as they can be sent, and still finds a slow host. */
#include "guest.h"

static volatile bool stop;
static volatile unsigned long handled;
static pthread_t asker;

static void handle(int signal)
{
    (void)signal;
    handled++;
}

static void *send_signals(void *argument)
{
    static const int signals[] = {SIGTERM, SIGUSR1, SIGCHLD, SIGCONT};
    for (unsigned number = 0; !stop; number++) {
        pthread_kill(asker, signals[number % 4]);
        if (number % 8 == 0)
            usleep(20);
    }
    return argument;
}

int main(void)
{
    must_find("host.local", AF_INET);
    struct sigaction action = {.sa_handler = handle};
    for (int signal = 1; signal < 32; signal++)
        if (signal != SIGKILL && signal != SIGSTOP && signal != SIGSEGV && signal != SIGABRT)
            sigaction(signal, &action, NULL);
    asker = pthread_self();
    pthread_t sender;
    pthread_create(&sender, NULL, send_signals, NULL);
    double start = now_ms();
    int unknown = ask("nobody.local");
    double took = now_ms() - start;
    int found = ask("slow300-storm.local");
    stop = true;
    pthread_join(sender, NULL);
    if (unknown != -HOST_NOT_FOUND || took < 1900 || took > 2600)
        fail("unknown name: %d after %.0f ms", unknown, took);
    if (found != 2)
        fail("%d addresses", found);
    /* Each interruption handles up to four signals, and there is one at least every 20 ms even on a busy machine. */
    if (handled < 400)
        fail("only %lu signals", handled);
    printf("no response after %.0f ms and %lu signals\n", took, handled);
}
