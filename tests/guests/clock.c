/* The clock of the time of day jumps forward and back by years. The module must not look at it. */
#include "guest.h"
#include <sys/syscall.h>
#include <sys/time.h>

static bool armed;
static int monotonic, others;

/* Called by the module. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (armed) {
        bool is_monotonic = clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_COARSE ||
                            clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_BOOTTIME;
        monotonic += is_monotonic;
        others += !is_monotonic;
        if (!is_monotonic)
            time->tv_sec += others % 2 ? 100000000 : -100000000;
    }
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    (void)zone;
    others += armed;
    *time = (struct timeval){others % 2 ? 100000000 : 2000000000, 0};
    return 0;
}

time_t time(time_t *result)
{
    others += armed;
    time_t now = others % 2 ? 100000000 : 2000000000;
    if (result)
        *result = now;
    return now;
}

int main(void)
{
    module_function("gethostbyname4_r");
    armed = true;
    int found = ask("host.local"), again = ask("host.local"), slow = ask("slow300-clock.local");
    double start = now_ms();
    int missing = ask("nobody.local");
    double took = now_ms() - start;
    start = now_ms();
    int still_missing = ask("nobody.local");
    double cached = now_ms() - start;
    must_find("other.local", AF_UNSPEC);
    armed = false;
    if (found != 2 || again != 2 || slow != 2 || missing != -HOST_NOT_FOUND || still_missing != missing)
        fail("%d, %d, %d, %d, %d", found, again, slow, missing, still_missing);
    if (took < 1900 || took > 2600 || cached > 100)
        fail("a missing name took %.0f ms, then %.0f ms", took, cached);
    if (others != 0 || monotonic == 0)
        fail("the module read the monotonic clocks %d times and other clocks %d times", monotonic, others);
    printf("%d readings of monotonic clocks\n", monotonic);
}
