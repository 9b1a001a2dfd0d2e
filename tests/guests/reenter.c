/* A process whose socket() looks up a name itself, like that of some preloaded libraries. The module refuses the inner
 * lookup, and glibc asks the next service; the outer lookup works. */
#include "guest.h"
#include <sys/syscall.h>

static int inner, refused, depth, armed;

int socket(int domain, int type, int protocol)
{
    if (armed) {
        if (++depth > 4)
            fail("endless recursion");
        inner++;
        by_name4 *function = module_function("gethostbyname4_r");
        struct gaih_addrtuple_ *first = NULL;
        char buffer[1024];
        int error = 0, h_error = 0;
        int status = function("inner.local", &first, buffer, sizeof buffer, &error, &h_error, NULL);
        refused += status == NSS_STATUS_UNAVAIL && error == EDEADLK && h_error == NO_RECOVERY;
        /* Through glibc, the inner lookup is handled by `files`, the last service. */
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
            fail("the outer lookup returned %d", found);
    }
    if (inner == 0 || inner != refused)
        fail("%d inner lookups, %d refused", inner, refused);
    if (ask("inner.local") != 2)
        fail("the inner name was not found afterwards");
    printf("%d inner lookups refused\n", refused);
}
