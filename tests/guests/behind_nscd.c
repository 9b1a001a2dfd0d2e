/* A program whose lookups are answered by nscd: it gets the same results and never loads the module itself. */
#include "guest.h"
#include <link.h>

static int is_module(struct dl_phdr_info *info, size_t size, void *unused)
{
    (void)size;
    (void)unused;
    return strstr(info->dlpi_name, "libnss_mdns") != NULL;
}

int main(void)
{
    for (int round = 0; round < 2; round++) {
        must_find("host.local", AF_UNSPEC);
        must_find("many500-nscd.local", AF_UNSPEC);
        for (int family = 0; family < 2; family++) {
            struct hostent *host = gethostbyname2("entry.local", family ? AF_INET6 : AF_INET);
            if (!host || !host->h_addr_list[0])
                fail("gethostbyname2");
        }
        struct in6_addr ip;
        inet_pton(AF_INET6, "fe80::1", &ip);
        struct hostent *host = gethostbyaddr(&ip, sizeof ip, AF_INET6);
        if (!host || strcmp(host->h_name, "reverse.local") != 0)
            fail("gethostbyaddr");
        if (look_up("a..local", AF_UNSPEC) != EAI_NONAME)
            fail("a malformed name was not rejected");
    }
    if (dl_iterate_phdr(is_module, NULL))
        fail("the module is loaded in this process: nscd was not used");
    printf("found by nscd\n");
}
