/* plain SECURE: a program that looks up names through glibc. The tests also link it statically or start it with other
 * privileges. SECURE is the expected value of AT_SECURE. */
#include "guest.h"
#include <sys/auxv.h>

int main(int count, char **arguments)
{
    unsigned long secure = count > 1 ? strtoul(arguments[1], NULL, 10) : 0;
    if (getauxval(AT_SECURE) != secure)
        fail("AT_SECURE is %lu", getauxval(AT_SECURE));
    must_find("host.local", AF_UNSPEC);
    must_find("host.local", AF_INET6);
    if (look_up("a..local", AF_UNSPEC) != EAI_NONAME)
        fail("a malformed name was not rejected");
    struct hostent *host = gethostbyname("host.local");
    if (!host || host->h_length != 4 || host->h_addr_list[0][0] != 10)
        fail("gethostbyname");
    printf("found\n");
}
