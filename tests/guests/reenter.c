/* A process whose socket() resolves a name itself, as preloaded libraries do: the inner lookup is refused, and so made by the
 * next service; the outer works. */
#include "guest.h"
#include <sys/syscall.h>

static int inner, refused, depth, armed;

int socket(int domain, int type, int protocol)
{
    if (armed) {
        if (++depth > 4)
            fail("the module calls itself without end");
        inner++;
        by_name4 *function = module_function("gethostbyname4_r");
        struct gaih_addrtuple_ *first = NULL;
        char buffer[1024];
        int error = 0, h_error = 0;
        int status = function("inner.local", &first, buffer, sizeof buffer, &error, &h_error, NULL);
        refused += status == NSS_STATUS_UNAVAIL && error == EDEADLK && h_error == NO_RECOVERY;
        /* Through glibc: the files, which come last, know it. */
        must_find("inner-file.local", AF_INET);
        depth--;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}

extern int __nss_configure_lookup(const char *, const char *);

int main(void)
{
    __nss_configure_lookup("hosts", "mdns_minimal [NOTFOUND=return] files");
    for (int number = 0; number < 3; number++) {
        char name[64];
        snprintf(name, sizeof name, "outer-%d.local", number);
        armed = 1;
        int found = ask(name);
        armed = 0;
        if (found != 2)
            fail("the outer lookup finds %d", found);
    }
    if (inner == 0 || inner != refused)
        fail("%d inner lookups, %d refused", inner, refused);
    if (ask("inner.local") != 2)
        fail("the inner name is not found afterwards");
    printf("%d inner lookups refused\n", refused);
}
