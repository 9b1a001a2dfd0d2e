/* A process that changes to an empty root after its first lookup: no /etc, no /proc. */
#include "guest.h"
#include <sys/stat.h>

int main(void)
{
    must_find("before.local", AF_UNSPEC);
    ask("before.local");
    char folder[] = "/run/empty-XXXXXX";
    if (!mkdtemp(folder) || chroot(folder) != 0 || chdir("/") != 0)
        fail("chroot: %s", strerror(errno));
    if (ask("inside.local") != 2)
        fail("not found in an empty root");
    must_find("inside-too.local", AF_UNSPEC);
    double start = now_ms();
    if (ask("nobody.local") != -HOST_NOT_FOUND || now_ms() - start > 2200)
        fail("wrong result or delay for an unknown name in an empty root");
    printf("found in an empty root\n");
}
