/* abi IFINDEX: every function of every service, called as glibc calls them, with every buffer. What is to be seen is
 * worked out here from the interface's definition, not from the module. */
#include "guest.h"
#include <strings.h>

typedef enum nss_status by_name1(const char *, struct hostent *, char *, size_t, int *, int *);
typedef enum nss_status by_name3(const char *, int, struct hostent *, char *, size_t, int *, int *, int32_t *, char **);
typedef enum nss_status by_address2(const void *, socklen_t, int, struct hostent *, char *, size_t, int *, int *,
                                    int32_t *);

enum { MARGIN = 64, LARGEST = 1 << 16, CANARY = 0xa5, STALE = 1234567 };

static unsigned char arena[LARGEST + 2 * MARGIN] __attribute__((aligned(8)));
static unsigned char untouched[sizeof arena];
static uint32_t interface;
static unsigned long calls;

struct service {
    const char *name;
    bool v4, v6;
    by_name1 *name1;
    by_name2 *name2;
    by_name3 *name3;
    by_name4 *name4;
    by_address *address;
    by_address2 *address2;
};

static struct service services[] = {
    {.name = "mdns", .v4 = true, .v6 = true},         {.name = "mdns4", .v4 = true},
    {.name = "mdns6", .v6 = true},                    {.name = "mdns_minimal", .v4 = true, .v6 = true},
    {.name = "mdns4_minimal", .v4 = true},            {.name = "mdns6_minimal", .v6 = true},
};

static void load(struct service *service)
{
    static const char *const names[] = {"gethostbyname_r",  "gethostbyname2_r", "gethostbyname3_r",
                                        "gethostbyname4_r", "gethostbyaddr_r",  "gethostbyaddr2_r"};
    void **places[] = {(void **)&service->name1, (void **)&service->name2,   (void **)&service->name3,
                       (void **)&service->name4, (void **)&service->address, (void **)&service->address2};
    char file[64], full[128];
    snprintf(file, sizeof file, "libnss_%s.so.2", service->name);
    void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        fail("%s: %s", file, dlerror());
    for (int index = 0; index < 6; index++) {
        snprintf(full, sizeof full, "_nss_%s_%s", service->name, names[index]);
        *places[index] = dlsym(module, full);
        if (!*places[index])
            fail("%s", full);
    }
}

/* The values that glibc's caller may have left behind; success must not be mistaken for them, nor failure. */
static const int stale[][2] = {{ERANGE, NETDB_INTERNAL}, {0, 0}, {STALE, STALE}, {ENOENT, TRY_AGAIN}};

static bool inside(const void *pointer, size_t size, const unsigned char *start, size_t length)
{
    const unsigned char *octets = pointer;
    return octets >= start && octets + size <= start + length;
}

static void expect_untouched(const char *what)
{
    if (memcmp(arena, untouched, sizeof arena) != 0)
        fail("%s: writes where it must not", what);
}

/* After success: only the buffer may have been written to. */
static void expect_margins(const char *what, const unsigned char *start, size_t length)
{
    memset(arena + (start - arena), CANARY, length);
    expect_untouched(what);
}

static void expect_short(const char *what, size_t length, int status, int error, int h_error)
{
    if (status != NSS_STATUS_TRYAGAIN || error != ERANGE || h_error != NETDB_INTERNAL)
        fail("%s, %zu octets: status %d, errno %d, h_errno %d", what, length, status, error, h_error);
    expect_untouched(what);
}

/* The addresses that the responder gives a name: the first half IPv4, of the others every second link-local. */
static int v4_count(int count)
{
    return (count + 1) / 2;
}

static int v6_count(int count)
{
    return count / 2;
}

/* In a host entry, global ones alone where there are any. */
static int entry_count(int count, int family)
{
    return family == AF_INET ? v4_count(count) : (v6_count(count) + 1) / 2;
}

static size_t padding(const unsigned char *start)
{
    return -(uintptr_t)start % 8;
}

/* The next length to try: each, but of the hundreds that are far from enough for a long answer only some. */
static size_t after(size_t length, size_t enough)
{
    return length + (enough > 3000 && length + 100 < enough && length > 100 ? 97 : 1);
}

static void check_entry(const char *what, const struct hostent *host, const char *name, int family, int count,
                        const unsigned char *start, size_t length)
{
    int size = family == AF_INET ? 4 : 16;
    if (host->h_addrtype != family || host->h_length != size)
        fail("%s: family %d, length %d", what, host->h_addrtype, host->h_length);
    if (!inside(host->h_name, strlen(name) + 1, start, length) || strcmp(host->h_name, name) != 0)
        fail("%s: the name", what);
    if (!inside(host->h_aliases, sizeof(char *), start, length) || (uintptr_t)host->h_aliases % 8 || *host->h_aliases)
        fail("%s: the aliases", what);
    if (!inside(host->h_addr_list, sizeof(char *) * (count + 1), start, length) || (uintptr_t)host->h_addr_list % 8)
        fail("%s: the list", what);
    for (int index = 0; index < count; index++)
        if (!inside(host->h_addr_list[index], size, start, length))
            fail("%s: address %d", what, index);
    if (host->h_addr_list[count])
        fail("%s: the list does not end", what);
}

static void check_tuples(const char *what, const struct service *service, const struct gaih_addrtuple_ *tuple,
                         const struct gaih_addrtuple_ *given, const char *name, int count, const unsigned char *start,
                         size_t length)
{
    int v4 = 0, v6 = 0;
    for (; tuple; tuple = tuple->next) {
        if (tuple != given && (!inside(tuple, sizeof *tuple, start, length) || (uintptr_t)tuple % 8))
            fail("%s: a tuple is outside of the buffer", what);
        if (!inside(tuple->name, strlen(name) + 1, start, length) || strcmp(tuple->name, name) != 0)
            fail("%s: the name", what);
        bool local = tuple->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL((struct in6_addr *)tuple->addr);
        if (tuple->scopeid != (local ? interface : 0))
            fail("%s: scope %u", what, tuple->scopeid);
        if (tuple->family == AF_INET && (tuple->addr[1] || tuple->addr[2] || tuple->addr[3]))
            fail("%s: an IPv4 address of more than one word", what);
        v4 += tuple->family == AF_INET;
        v6 += tuple->family == AF_INET6;
        if (v4 + v6 > count)
            fail("%s: too many tuples", what);
    }
    if (v4 != (service->v4 ? v4_count(count) : 0) || v6 != (service->v6 ? v6_count(count) : 0))
        fail("%s: %d and %d tuples", what, v4, v6);
}

static void check_ttl(const char *what, int32_t ttl)
{
    if (ttl < 0 || ttl > 10)
        fail("%s: a TTL of %d", what, ttl);
}

/* gethostbyname_r, 2_r and 3_r. */
static void entries(const struct service *service, int which, int family, const char *name, int count)
{
    char what[128];
    snprintf(what, sizeof what, "%s gethostbyname%d_r, family %d, %s", service->name, which, family, name);
    count = entry_count(count, family);
    for (int alignment = 0; alignment < 8; alignment++) {
        unsigned char *start = arena + MARGIN + alignment;
        size_t enough = padding(start) + 8 * (1 + count + 1) + (family == AF_INET ? 4 : 16) * count + strlen(name) + 1;
        for (size_t length = 0; length <= enough + 8; length = after(length, enough)) {
            int error = stale[calls % 4][0], h_error = stale[calls % 4][1], status, error_before = error;
            struct hostent host, before;
            memset(&host, 0x5a, sizeof host);
            before = host;
            int32_t ttl = INT32_MAX;
            char *canonical = what;
            bool null = calls % 2;
            char *buffer = (char *)start;
            errno = STALE;
            if (which == 1)
                status = service->name1(name, &host, buffer, length, &error, &h_error);
            else if (which == 2)
                status = service->name2(name, family, &host, buffer, length, &error, &h_error);
            else
                status = service->name3(name, family, &host, buffer, length, &error, &h_error, null ? NULL : &ttl,
                                        null ? NULL : &canonical);
            calls++;
            if (errno != STALE)
                fail("%s: errno", what);
            if (length < enough) {
                expect_short(what, length, status, error, h_error);
                if (memcmp(&host, &before, sizeof host) != 0 || ttl != INT32_MAX || canonical != what)
                    fail("%s: the outputs are touched", what);
                continue;
            }
            if (status != NSS_STATUS_SUCCESS || error != error_before || h_error != NETDB_SUCCESS)
                fail("%s, %zu octets: status %d, errno %d, h_errno %d", what, length, status, error, h_error);
            check_entry(what, &host, name, family, count, start, length);
            if (which == 3 && !null) {
                check_ttl(what, ttl);
                if (canonical != host.h_name)
                    fail("%s: the canonical name", what);
            }
            expect_margins(what, start, length);
        }
    }
}

static void tuples(const struct service *service, const char *name, int count, bool give)
{
    char what[128];
    snprintf(what, sizeof what, "%s gethostbyname4_r, %s%s", service->name, name, give ? ", first given" : "");
    int all = (service->v4 ? v4_count(count) : 0) + (service->v6 ? v6_count(count) : 0);
    for (int alignment = 0; alignment < 8; alignment++) {
        unsigned char *start = arena + MARGIN + alignment;
        size_t enough = padding(start) + 40 * (all - give) + strlen(name) + 1;
        for (size_t length = 0; length <= enough + 8; length = after(length, enough)) {
            int error = stale[calls % 4][0], h_error = stale[calls % 4][1], error_before = error;
            struct gaih_addrtuple_ own, before, *first = give ? &own : NULL;
            memset(&own, 0x5a, sizeof own);
            before = own;
            int32_t ttl = INT32_MAX;
            bool null = calls % 2;
            errno = STALE;
            int status =
                service->name4(name, &first, (char *)start, length, &error, &h_error, null ? NULL : &ttl);
            calls++;
            if (errno != STALE)
                fail("%s: errno", what);
            if (length < enough) {
                expect_short(what, length, status, error, h_error);
                if (memcmp(&own, &before, sizeof own) != 0 || first != (give ? &own : NULL) || ttl != INT32_MAX)
                    fail("%s: the outputs are touched", what);
                continue;
            }
            if (status != NSS_STATUS_SUCCESS || error != error_before || h_error != NETDB_SUCCESS)
                fail("%s, %zu octets: status %d, errno %d, h_errno %d", what, length, status, error, h_error);
            if (!first || (give && first != &own))
                fail("%s: the first tuple", what);
            check_tuples(what, service, first, give ? &own : NULL, name, count, start, length);
            if (!null)
                check_ttl(what, ttl);
            expect_margins(what, start, length);
        }
    }
}

static void reverse(const struct service *service, bool with_ttl)
{
    char what[128];
    snprintf(what, sizeof what, "%s gethostbyaddr%s_r", service->name, with_ttl ? "2" : "");
    static const char name[] = "reverse.local";
    struct in6_addr ip;
    inet_pton(AF_INET6, "fe80::abc", &ip);
    for (int alignment = 0; alignment < 8; alignment++) {
        unsigned char *start = arena + MARGIN + alignment;
        size_t enough = padding(start) + 8 * 3 + 16 + sizeof name;
        for (size_t length = 0; length <= enough + 8; length++) {
            int error = stale[calls % 4][0], h_error = stale[calls % 4][1], status, error_before = error;
            struct hostent host, before;
            memset(&host, 0x5a, sizeof host);
            before = host;
            int32_t ttl = INT32_MAX;
            bool null = calls % 2;
            if (with_ttl)
                status = service->address2(&ip, 16, AF_INET6, &host, (char *)start, length, &error, &h_error,
                                           null ? NULL : &ttl);
            else
                status = service->address(&ip, 16, AF_INET6, &host, (char *)start, length, &error, &h_error);
            calls++;
            if (!service->v6) {
                if (status != NSS_STATUS_UNAVAIL || error != 0 || h_error != HOST_NOT_FOUND)
                    fail("%s: status %d, errno %d, h_errno %d", what, status, error, h_error);
                expect_untouched(what);
                continue;
            }
            if (length < enough) {
                expect_short(what, length, status, error, h_error);
                if (memcmp(&host, &before, sizeof host) != 0 || ttl != INT32_MAX)
                    fail("%s: the outputs are touched", what);
                continue;
            }
            if (status != NSS_STATUS_SUCCESS || error != error_before || h_error != NETDB_SUCCESS)
                fail("%s, %zu octets: status %d, errno %d, h_errno %d", what, length, status, error, h_error);
            check_entry(what, &host, name, AF_INET6, 1, start, length);
            if (memcmp(host.h_addr_list[0], &ip, 16) != 0)
                fail("%s: the address", what);
            if (with_ttl && !null)
                check_ttl(what, ttl);
            expect_margins(what, start, length);
        }
    }
}

static void expect(const char *what, int status, int error, int h_error, const int (*expected)[3])
{
    calls++;
    if (status != (*expected)[0] || error != (*expected)[1] || h_error != (*expected)[2])
        fail("%s: status %d, errno %d, h_errno %d", what, status, error, h_error);
    expect_untouched(what);
}

static const int not_ours[3] = {NSS_STATUS_UNAVAIL, 0, HOST_NOT_FOUND};
static const int malformed[3] = {NSS_STATUS_NOTFOUND, ENOENT, HOST_NOT_FOUND};
static const int no_data[3] = {NSS_STATUS_NOTFOUND, ENOENT, NO_DATA};
static const int bad_family[3] = {NSS_STATUS_UNAVAIL, EAFNOSUPPORT, NO_RECOVERY};
static const int bad_address[3] = {NSS_STATUS_UNAVAIL, EAFNOSUPPORT, HOST_NOT_FOUND};

/* A name that is not found, by every function, with every stale value. */
static void refused(const struct service *service, const char *name, const int (*expected)[3])
{
    char what[400];
    char *start = (char *)arena + MARGIN + 3;
    int family = service->v4 ? AF_INET : AF_INET6;
    for (size_t index = 0; index < 4; index++) {
        int error, h_error, status;
        struct hostent host;
        struct gaih_addrtuple_ *first = NULL;
        int32_t ttl = INT32_MAX;
        char *canonical = what;
        snprintf(what, sizeof what, "%s, `%.100s`", service->name, name);
#define TRY(call)                                                                                                      \
    error = stale[index][0], h_error = stale[index][1];                                                                \
    status = (call);                                                                                                   \
    expect(what, status, error, h_error, expected)
        TRY(service->name1(name, &host, start, 512, &error, &h_error));
        TRY(service->name2(name, family, &host, start, 512, &error, &h_error));
        TRY(service->name3(name, family, &host, start, 512, &error, &h_error, &ttl, &canonical));
        TRY(service->name4(name, &first, start, 512, &error, &h_error, &ttl));
        if (first || ttl != INT32_MAX || canonical != what)
            fail("%s: the outputs are touched", what);
    }
}

static void accepted(const struct service *service, const char *name)
{
    struct gaih_addrtuple_ *first = NULL;
    int error = ERANGE, h_error = NETDB_INTERNAL;
    int status = service->name4(name, &first, (char *)arena + MARGIN, 4096, &error, &h_error, NULL);
    calls++;
    if (status != NSS_STATUS_SUCCESS || h_error != NETDB_SUCCESS)
        fail("%s, `%s`: status %d, errno %d, h_errno %d", service->name, name, status, error, h_error);
    size_t length = strlen(name), last = name[length - 1] == '.';
    if (strlen(first->name) != length - last || strncasecmp(first->name, name, length - last) != 0)
        fail("%s, `%s`: the canonical name is `%s`", service->name, name, first->name);
    expect_margins(name, arena + MARGIN, 4096);
}

static void names(const struct service *service)
{
    char label[80], long_label[80], longest[300], longer[300], binary[300];
    memset(label, 'x', 63), label[63] = 0;
    memset(long_label, 'x', 64), long_label[64] = 0;
    snprintf(binary, sizeof binary, "%s", "\x80\xfe\xff\xc0.local");
    static const char *const foreign[] = {"", ".", "local", "host", "host.example", "local.", "host.locale", "hostlocal",
                                          "host.local.example", "host.local..", "10.0.0.1", "::1", "..", " ", "a.b.local"};
    static const char *const bad[] = {".local", "..local", "a..local", "a\x01.local", "\x7f.local", "a\n.local"};
    static const char *const good[] = {"a.local", "A.LOCAL", "host.local.", "two words.local", "b\xc3\xbc" "cher.local",
                                       "under_score.local", "-.local", "0.local", "a\"b'c\\d.local", "%s%n.local"};
    for (size_t index = 0; index < sizeof foreign / sizeof *foreign; index++)
        refused(service, foreign[index], &not_ours);
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++)
        refused(service, bad[index], &malformed);
    for (size_t index = 0; index < sizeof good / sizeof *good; index++)
        accepted(service, good[index]);
    accepted(service, binary);
    snprintf(longest, sizeof longest, "%s.local", label);
    accepted(service, longest);
    snprintf(longer, sizeof longer, "%s.local", long_label);
    refused(service, longer, &malformed);
    /* 2,000 octets, all in good labels and all in one. */
    char huge[2100] = "";
    for (int index = 0; index < 30; index++)
        strcat(strcat(huge, label), ".");
    refused(service, strcat(huge, "local"), &malformed);
    memset(huge, 'y', 2000);
    strcpy(huge + 2000, ".local");
    refused(service, huge, &malformed);
}

static void families(const struct service *service)
{
    static const int bad[] = {1, -1, 3, 9, 11, 99, 65536 + AF_INET, INT32_MAX, INT32_MIN};
    char *start = (char *)arena + MARGIN;
    char what[128];
    struct hostent host;
    int error, h_error, status;
    for (size_t index = 0; index < sizeof bad / sizeof *bad; index++) {
        snprintf(what, sizeof what, "%s, family %d", service->name, bad[index]);
        error = ERANGE, h_error = NETDB_INTERNAL;
        status = service->name2("a.local", bad[index], &host, start, 512, &error, &h_error);
        expect(what, status, error, h_error, &bad_family);
        error = ERANGE, h_error = NETDB_INTERNAL;
        status = service->name3("a.local", bad[index], &host, start, 512, &error, &h_error, NULL, NULL);
        expect(what, status, error, h_error, &bad_family);
        error = ERANGE, h_error = NETDB_INTERNAL;
        status = service->address("0123456789abcdef", 16, bad[index], &host, start, 512, &error, &h_error);
        expect(what, status, error, h_error, &bad_address);
    }
    /* gethostbyname has no family: it means IPv4. */
    error = ERANGE, h_error = NETDB_INTERNAL;
    status = service->name1("a.local", &host, start, 512, &error, &h_error);
    if (!service->v4)
        expect(service->name, status, error, h_error, &no_data);
    memset(arena, CANARY, sizeof arena);
    for (int family = 0; family < 2; family++) {
        bool has = family ? service->v6 : service->v4;
        snprintf(what, sizeof what, "%s, %s", service->name, family ? "IPv6" : "IPv4");
        error = ERANGE, h_error = NETDB_INTERNAL;
        status = service->name2("a.local", family ? AF_INET6 : AF_INET, &host, start, 512, &error, &h_error);
        if (!has)
            expect(what, status, error, h_error, &no_data);
        else if (status != NSS_STATUS_SUCCESS)
            fail("%s: status %d", what, status);
        memset(arena, CANARY, sizeof arena);
    }
    for (socklen_t length = 0; length < 40; length++) {
        unsigned char ip[40] = {0xfe, 0x80, 1};
        error = ERANGE, h_error = NETDB_INTERNAL;
        status = service->address(ip, length, AF_INET, &host, start, 512, &error, &h_error);
        if (length != 4)
            expect("a length for IPv4", status, error, h_error, &bad_address);
        error = ERANGE, h_error = NETDB_INTERNAL;
        /* With the right length it may have an answer. */
        if (length == 16)
            continue;
        status = service->address(ip, length, AF_INET6, &host, start, 512, &error, &h_error);
        expect("a length for IPv6", status, error, h_error, &bad_address);
    }
}

/* A name with so many addresses, all of which are remembered. On a busy machine half of an answer may come too late; then
 * another name is taken. */
static void remembered_name(char *name, size_t size, int addresses)
{
    static char buffer[LARGEST];
    for (int attempt = 0; attempt < 50; attempt++) {
        struct gaih_addrtuple_ *first = NULL;
        int error, h_error, found = 0;
        snprintf(name, size, "many%d-%lu-%d.local", addresses, calls, attempt);
        if (services[0].name4(name, &first, buffer, sizeof buffer, &error, &h_error, NULL) != NSS_STATUS_SUCCESS)
            continue;
        for (; first; first = first->next)
            found++;
        if (found == addresses)
            return;
    }
    fail("no name with %d addresses", addresses);
}

int main(int count, char **arguments)
{
    static const int counts[] = {1, 2, 50, 500};
    interface = count > 1 ? (uint32_t)atoi(arguments[1]) : 0;
    memset(arena, CANARY, sizeof arena);
    memset(untouched, CANARY, sizeof untouched);
    for (size_t index = 0; index < sizeof services / sizeof *services; index++)
        load(&services[index]);
    for (size_t index = 0; index < sizeof services / sizeof *services; index++) {
        const struct service *service = &services[index];
        for (size_t which = 0; which < 4; which++) {
            char name[64];
            int addresses = counts[which];
            remembered_name(name, sizeof name, addresses);
            if (service->v4 || addresses > 1) {
                tuples(service, name, addresses, false);
                tuples(service, name, addresses, true);
            }
            if (service->v4)
                entries(service, 1, AF_INET, name, addresses);
            for (int kind = 2; kind <= 3; kind++) {
                if (service->v4)
                    entries(service, kind, AF_INET, name, addresses);
                if (service->v6 && addresses > 1)
                    entries(service, kind, AF_INET6, name, addresses);
            }
        }
        reverse(service, false);
        reverse(service, true);
        names(service);
        families(service);
    }
    printf("%lu calls\n", calls);
}
