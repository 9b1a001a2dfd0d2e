/* outcomes NOTFOUND UNAVAIL LINE: every outcome of a lookup through each of glibc's calls, with this hosts line. The two
 * letters say who answers when the module says that: F for the service behind it, N for nobody. */
#include "guest.h"
#include <strings.h>

extern int __nss_configure_lookup(const char *, const char *);

/* Who answered: M the module, F the files; or else N nobody, D nobody but the name exists, ? something else. */
static char who_has(int family, const void *address)
{
    static const unsigned char of_files[16] = {0xfd, 0x99};
    const unsigned char *octets = address;
    if (family == AF_INET)
        return octets[0] == 10 ? 'M' : octets[0] == 127 ? 'F' : '?';
    return memcmp(octets, of_files, 2) == 0 ? 'F' : octets[0] >= 0xfd ? 'M' : '?';
}

static char by_getaddrinfo(const char *name, int family, int flags)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags}, *found = NULL;
    int result = getaddrinfo(name, NULL, &hints, &found);
    if (result != 0)
        return result == EAI_NONAME ? 'N' : result == EAI_NODATA ? 'D' : '?';
    char who = 'M';
    for (struct addrinfo *each = found; each; each = each->ai_next) {
        const void *address = each->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)each->ai_addr)->sin_addr
                                                         : (void *)&((struct sockaddr_in6 *)each->ai_addr)->sin6_addr;
        if (each == found)
            who = who_has(each->ai_family, address);
        else if (who != who_has(each->ai_family, address))
            who = '?';
    }
    if (flags & AI_CANONNAME && (!found->ai_canonname || strcasecmp(found->ai_canonname, name) != 0))
        who = '?';
    freeaddrinfo(found);
    return who;
}

static char by_entry(const struct hostent *host)
{
    if (!host)
        return h_errno == HOST_NOT_FOUND ? 'N' : h_errno == NO_DATA ? 'D' : '?';
    return who_has(host->h_addrtype, host->h_addr_list[0]);
}

static void expect(const char *call, const char *name, char expected, char who)
{
    if (who != expected)
        fail("%s of %s: %c instead of %c", call, name, who, expected);
}

/* All calls that may ask for a name: those for IPv6 have an expectation of their own. */
static void by_name(const char *name, char v4, char v6, char both)
{
    expect("getaddrinfo", name, both, by_getaddrinfo(name, AF_UNSPEC, 0));
    expect("getaddrinfo, AF_INET", name, v4, by_getaddrinfo(name, AF_INET, 0));
    expect("getaddrinfo, AF_INET6", name, v6, by_getaddrinfo(name, AF_INET6, 0));
    expect("getaddrinfo, AI_CANONNAME", name, both, by_getaddrinfo(name, AF_UNSPEC, AI_CANONNAME));
    expect("getaddrinfo, AF_INET, AI_CANONNAME", name, v4, by_getaddrinfo(name, AF_INET, AI_CANONNAME));
    expect("getaddrinfo, AF_INET6, AI_CANONNAME", name, v6, by_getaddrinfo(name, AF_INET6, AI_CANONNAME));
    expect("gethostbyname", name, v4, by_entry(gethostbyname(name)));
    expect("gethostbyname2, AF_INET", name, v4, by_entry(gethostbyname2(name, AF_INET)));
    expect("gethostbyname2, AF_INET6", name, v6, by_entry(gethostbyname2(name, AF_INET6)));
}

static char who_names(const char *name)
{
    return strcmp(name, "reverse.local") == 0 ? 'M' : strcmp(name, "files.example") == 0 ? 'F' : '?';
}

static void by_address_of(const char *text, char expected)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 2};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    bool is_v6 = inet_pton(AF_INET6, text, &v6.sin6_addr) == 1;
    inet_pton(AF_INET, text, &v4.sin_addr);
    const struct hostent *host = is_v6 ? gethostbyaddr(&v6.sin6_addr, 16, AF_INET6) : gethostbyaddr(&v4.sin_addr, 4, AF_INET);
    expect("gethostbyaddr", text, expected, host ? who_names(host->h_name) : h_errno == HOST_NOT_FOUND ? 'N' : '?');
    const struct sockaddr *address = is_v6 ? (void *)&v6 : (void *)&v4;
    socklen_t length = is_v6 ? sizeof v6 : sizeof v4;
    char name[256];
    int result = getnameinfo(address, length, name, sizeof name, NULL, 0, NI_NAMEREQD);
    expect("getnameinfo", text, expected, result == 0 ? who_names(name) : result == EAI_NONAME ? 'N' : '?');
    /* Without a name, the number. */
    if (getnameinfo(address, length, name, sizeof name, NULL, 0, 0) != 0)
        fail("getnameinfo of %s does not print the number", text);
}

int main(int count, char **arguments)
{
    if (count < 4 || __nss_configure_lookup("hosts", arguments[3]) != 0)
        fail("outcomes NOTFOUND UNAVAIL LINE");
    char not_found = *arguments[1], unavailable = *arguments[2];
    char no_data = not_found == 'F' ? 'F' : 'D';
    by_name("host.local", 'M', 'M', 'M');
    /* No IPv6 address, which the first call for both finds out. */
    by_name("many1-outcomes.local", 'M', no_data, 'M');
    by_name("nobody.local", not_found, not_found, not_found);
    by_name("a..local", not_found, not_found, not_found);
    by_name("host.example", unavailable, unavailable, unavailable);
    by_address_of("fe80::7", 'M');
    by_address_of("fe80::dead", not_found);
    by_address_of("10.1.2.3", unavailable);
    printf("%s\n", arguments[3]);
}
