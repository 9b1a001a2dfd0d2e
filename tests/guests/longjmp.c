/* Signal handlers jump out of a lookup: nothing is leaked, and the next lookup works. */
#include "guest.h"
#include <setjmp.h>

static sigjmp_buf back;

static void jump(int signal)
{
    siglongjmp(back, signal);
}

int main(void)
{
    static const int signals[] = {SIGALRM, SIGVTALRM, SIGPIPE, SIGCHLD, SIGTSTP,  SIGIO,
                                  SIGHUP,  SIGUSR1,   SIGUSR2, SIGPROF, SIGURG, SIGWINCH};
    enum { COUNT = sizeof signals / sizeof *signals };
    must_find("host.local", AF_INET);
    int before = open_descriptors();
    for (volatile int number = 0; number < COUNT; number++) {
        struct sigaction action = {.sa_handler = jump};
        sigaction(signals[number], &action, NULL);
        struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = signals[number]};
        timer_t timer;
        timer_create(CLOCK_MONOTONIC, &event, &timer);
        char name[64];
        snprintf(name, sizeof name, "slow120-%d.local", number);
        volatile bool jumped = true;
        if (sigsetjmp(back, 1) == 0) {
            struct itimerspec soon = {.it_value = {.tv_nsec = 50000000}};
            timer_settime(timer, 0, &soon, NULL);
            look_up(name, AF_INET);
            /* The lookup may have ended before the signal was delivered. */
            sleep_ms(100);
            jumped = false;
        }
        timer_delete(timer);
        if (!jumped)
            fail("signal %d was not delivered", signals[number]);
        expect_descriptors(before, "after a jump");
        snprintf(name, sizeof name, "next-%d.local", number);
        must_find(name, AF_INET);
    }
    printf("%d signals\n", COUNT);
}
