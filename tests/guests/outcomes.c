/* outcomes NOTFOUND UNAVAIL TRYAGAIN LINE [WHY]: every outcome of a lookup through each of glibc's calls, with this hosts
 * line. The three letters say who answers when the module says that: F for the service behind it, N for nobody. With a
 * reason, the outcomes of lookups that fail for it:
 *   down      there is no interface to ask on
 *   none      no descriptor is left for the module
 *   refused   it may not open a socket
 *   panic     it panics (in the build that can be made to) */
#include "guest.h"
#include <strings.h>
#include <sys/syscall.h>

extern int __nss_configure_lookup(const char *, const char *);

/* What the module's calls of socket() fail with, if they do. glibc's own calls do not come by here. */
static int refusal;

int socket(int domain, int type, int protocol)
{
    if (refusal) {
        errno = refusal;
        return -1;
    }
    return (int)syscall(SYS_socket, domain, type, protocol);
}

/* Who answered: M the module, F the files; or else N nobody, D nobody but the name exists, A nobody for now, X nobody ever,
 * ? something else. */
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
        return h_errno == HOST_NOT_FOUND ? 'N'
               : h_errno == NO_DATA      ? 'D'
               : h_errno == TRY_AGAIN    ? 'A'
               : h_errno == NO_RECOVERY  ? 'X'
                                         : '?';
    return who_has(host->h_addrtype, host->h_addr_list[0]);
}

static void expect(const char *call, const char *name, char expected, char who)
{
    /* getaddrinfo has no word of its own for that. */
    if (expected == 'X' && strncmp(call, "getaddrinfo", 11) == 0 && (who == 'N' || who == 'D'))
        return;
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

static char not_found, unavailable, try_again;

/* A name of which so many addresses are remembered. On a busy machine a part of an answer may come too late; then another
 * name is taken. */
static const char *remembered(const char *prefix, int addresses)
{
    static char name[64];
    for (int attempt = 0; attempt < 20; attempt++) {
        snprintf(name, sizeof name, "%s-%d.local", prefix, attempt);
        if (ask_into(name, 65536) == addresses)
            return name;
    }
    fail("no name with %d addresses", addresses);
}

static void usual(void)
{
    char no_data = not_found == 'F' ? 'F' : 'D';
    by_name(remembered("host", 2), 'M', 'M', 'M');
    /* More than fits into the buffer that glibc begins with. */
    by_name(remembered("many500-outcomes", 500), 'M', 'M', 'M');
    /* No IPv6 address, which the first call for both finds out. */
    by_name("many1-outcomes.local", 'M', no_data, 'M');
    by_name("nobody.local", not_found, not_found, not_found);
    by_name("a..local", not_found, not_found, not_found);
    by_name("host.example", unavailable, unavailable, unavailable);
    /* A family that is none. */
    if (gethostbyname2("host.local", AF_UNIX))
        fail("an entry of no family");
    by_address_of("fe80::7", 'M');
    by_address_of("fe80::dead", not_found);
    by_address_of("10.1.2.3", unavailable);
}

/* A lookup that fails: `who` answers, or if that is N, nobody for the reason that `otherwise` stands for. */
static void failing(char who, char otherwise)
{
    char expected = who == 'F' ? 'F' : otherwise;
    by_name("failing.local", expected, expected, expected);
    /* A reverse lookup that fails lets the number be printed, and asks the next service even where there will be more of
     * what ran out. */
    by_address_of("fe80::f", unavailable);
}

static void panic(void)
{
    void *module = dlopen("libnss_mdns_minimal.so.2", RTLD_NOW);
    void (*panic_at)(uint32_t) = module ? (void (*)(uint32_t))dlsym(module, "nss_mdns_panic_at") : NULL;
    if (!panic_at)
        fail("this build cannot be made to panic");
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
        usual();
    }
    printf("%s %s\n", arguments[4], why);
}
