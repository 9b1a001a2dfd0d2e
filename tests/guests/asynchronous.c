/* Lookups through getaddrinfo_a, whose helper threads have small stacks. */
#include "guest.h"

int main(void)
{
    enum { COUNT = 12 };
    static char names[COUNT][64];
    static struct gaicb requests[COUNT];
    struct gaicb *list[COUNT];
    for (int number = 0; number < COUNT; number++) {
        snprintf(names[number], sizeof names[number], "slow50-%d.local", number);
        requests[number].ar_name = names[number];
        list[number] = &requests[number];
    }
    if (getaddrinfo_a(GAI_WAIT, list, COUNT, NULL) != 0)
        fail("getaddrinfo_a");
    for (int number = 0; number < COUNT; number++) {
        if (gai_error(list[number]) != 0)
            fail("%s: %s", names[number], gai_strerror(gai_error(list[number])));
        freeaddrinfo(requests[number].ar_result);
    }
    printf("%d requests\n", COUNT);
}
