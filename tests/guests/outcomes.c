/* outcomes NOTFOUND UNAVAIL TRYAGAIN LINE [WHY]: every outcome of a lookup through each of glibc's functions, with LINE
 * as the hosts line. Each of the first three arguments says who answers if the module returns that status: F for the
 * next service, `files`; N for nobody. With WHY, only lookups that fail for that reason:
 *   down      there is no interface to query
 *   none      no descriptor is available to the module
 *   refused   the module may not open a socket
 *   panic     the module panics (needs a build with panic injection) */
#include "guest.h"
#include <strings.h>
#include <sys/syscall.h>

extern int __nss_configure_lookup(const char *, const char *);

/* The error of the module's calls of socket(), or 0. glibc's own calls are not intercepted. */
static int refusal;

int socket(int domain, int type, int protocol)
{
    if (refusal) {
        errno = refusal;
        return -1;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}

/* Who answered: M for the module, F for the service `files`. Without an answer: N if the name does not exist, D if it
 * has no data, A for a temporary and X for a permanent failure. ? for anything else. */
static char owner_of(int family, const void *address)
{
    static const unsigned char files_prefix[2] = {0xfd, 0x99};
    const unsigned char *octets = address;
    if (family == AF_INET)
        return octets[0] == 10 ? 'M' : octets[0] == 127 ? 'F' : '?';
    return memcmp(octets, files_prefix, 2) == 0 ? 'F' : octets[0] >= 0xfd ? 'M' : '?';
}

static char by_getaddrinfo(const char *name, int family, int flags)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags}, *found = NULL;
    int result = getaddrinfo(name, NULL, &hints, &found);
    if (result != 0)
        return result == EAI_NONAME  ? 'N'
               : result == EAI_NODATA ? 'D'
               : result == EAI_AGAIN  ? 'A'
               : result == EAI_FAIL   ? 'X'
                                      : '?';
    char who = 'M';
    for (struct addrinfo *each = found; each; each = each->ai_next) {
        const void *address = each->ai_family == AF_INET ? (void *)&((struct sockaddr_in *)each->ai_addr)->sin_addr
                                                         : (void *)&((struct sockaddr_in6 *)each->ai_addr)->sin6_addr;
        if (each == found)
            who = owner_of(each->ai_family, address);
        else if (who != owner_of(each->ai_family, address))
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
        return h_errno == HOST_NOT_FOUND ? 'N'
               : h_errno == NO_DATA      ? 'D'
               : h_errno == TRY_AGAIN    ? 'A'
               : h_errno == NO_RECOVERY  ? 'X'
                                         : '?';
    return owner_of(host->h_addrtype, host->h_addr_list[0]);
}

static void expect(const char *call, const char *name, char expected, char who)
{
    /* getaddrinfo does not distinguish a permanent failure. */
    if (expected == 'X' && strncmp(call, "getaddrinfo", 11) == 0 && (who == 'N' || who == 'D'))
        return;
    if (who != expected)
        fail("%s of %s: got %c, expected %c", call, name, who, expected);
}

/* Every function that looks up a name, with the expected result for IPv4, for IPv6 and for both. */
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

static char owner_of_name(const char *name)
{
    return strcmp(name, "reverse.local") == 0 ? 'M' : strcmp(name, "files.example") == 0 ? 'F' : '?';
}

static void by_address_of(const char *text, char expected)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_scope_id = 2};
    struct sockaddr_in v4 = {.sin_family = AF_INET};
    bool is_v6 = inet_pton(AF_INET6, text, &v6.sin6_addr) == 1;
    inet_pton(AF_INET, text, &v4.sin_addr);
    const struct hostent *host =
        is_v6 ? gethostbyaddr(&v6.sin6_addr, 16, AF_INET6) : gethostbyaddr(&v4.sin_addr, 4, AF_INET);
    expect("gethostbyaddr", text, expected, host ? owner_of_name(host->h_name) : h_errno == HOST_NOT_FOUND ? 'N' : '?');
    const struct sockaddr *address = is_v6 ? (void *)&v6 : (void *)&v4;
    socklen_t length = is_v6 ? sizeof v6 : sizeof v4;
    char name[256];
    int result = getnameinfo(address, length, name, sizeof name, NULL, 0, NI_NAMEREQD);
    expect("getnameinfo", text, expected, result == 0 ? owner_of_name(name) : result == EAI_NONAME ? 'N' : '?');
    /* Without a name, getnameinfo must return the address as text. */
    if (getnameinfo(address, length, name, sizeof name, NULL, 0, 0) != 0)
        fail("getnameinfo of %s does not return the address as text", text);
}

/* Who answers after each status of the module. */
static char not_found, unavailable, try_again;

/* Returns a name with that many addresses, all of them cached. On a busy machine one family may arrive too late; then
 * another name is tried. */
static const char *cached_name(const char *prefix, int addresses)
{
    static char name[64];
    for (int attempt = 0; attempt < 20; attempt++) {
        snprintf(name, sizeof name, "%s-%d.local", prefix, attempt);
        if (ask_into(name, 65536) == addresses)
            return name;
    }
    fail("no name with %d addresses", addresses);
}

static void without_failure(void)
{
    char no_data = not_found == 'F' ? 'F' : 'D';
    by_name(cached_name("host", 2), 'M', 'M', 'M');
    /* More addresses than fit into glibc's first buffer. */
    by_name(cached_name("many500-outcomes", 500), 'M', 'M', 'M');
    /* A host without an IPv6 address. The first call, for both families, finds that out. */
    by_name("many1-outcomes.local", 'M', no_data, 'M');
    by_name("nobody.local", not_found, not_found, not_found);
    by_name("a..local", not_found, not_found, not_found);
    by_name("host.example", unavailable, unavailable, unavailable);
    /* An unsupported address family. */
    if (gethostbyname2("host.local", AF_UNIX))
        fail("a host entry of an unsupported family");
    by_address_of("fe80::7", 'M');
    by_address_of("fe80::dead", not_found);
    by_address_of("10.1.2.3", unavailable);
}

/* A lookup that fails in the module. If `who` is F, the service `files` answers. Otherwise the result is
 * `otherwise`. */
static void failing(char who, char otherwise)
{
    char expected = who == 'F' ? 'F' : otherwise;
    by_name("failing.local", expected, expected, expected);
    /* A failed reverse lookup always goes on to the next service, even if the failure is temporary. */
    by_address_of("fe80::f", unavailable);
}

static void panic(void)
{
    void *module = dlopen("libnss_mdns_minimal.so.2", RTLD_NOW);
    void (*panic_at)(uint32_t) = module ? (void (*)(uint32_t))dlsym(module, "nss_mdns_panic_at") : NULL;
    if (!panic_at)
        fail("this build has no panic injection");
    panic_at(1);
    failing(unavailable, 'X');
}

int main(int count, char **arguments)
{
    if (count < 5 || __nss_configure_lookup("hosts", arguments[4]) != 0)
        fail("outcomes NOTFOUND UNAVAIL TRYAGAIN LINE [WHY]");
    not_found = *arguments[1], unavailable = *arguments[2], try_again = *arguments[3];
    const char *why = count > 5 ? arguments[5] : "";
    if (strcmp(why, "down") == 0) {
        failing(unavailable, 'A');
    } else if (strcmp(why, "none") == 0) {
        refusal = EMFILE;
        failing(try_again, 'A');
    } else if (strcmp(why, "refused") == 0) {
        refusal = EPERM;
        failing(unavailable, 'X');
    } else if (strcmp(why, "panic") == 0) {
        panic();
    } else {
        without_failure();
    }
    printf("%s %s\n", arguments[4], why);
}
