/* abi IFINDEX [any]: every function of every service, called as glibc calls it, with buffers of every length and
 * alignment. The expected results are derived from the definition of the interface, not from the module. With `any`,
 * only names of more than two labels, for settings that allow any number of labels. */
#include "guest.h"
#include <strings.h>

typedef enum nss_status by_name1(const char *, struct hostent *, char *, size_t, int *, int *);
typedef enum nss_status by_name3(const char *, int, struct hostent *, char *, size_t, int *, int *, int32_t *, char **);
typedef enum nss_status by_address2(const void *, socklen_t, int, struct hostent *, char *, size_t, int *, int *,
                                    int32_t *);

enum { MARGIN = 64, LARGEST = 1 << 16, CANARY = 0xa5, STALE = 1234567 };

/* The size and the alignment of a pointer; the size of a tuple, which is two pointers and six words. */
enum { POINTER = sizeof(char *), TUPLE = 2 * POINTER + 6 * 4 };

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
    void **functions[] = {(void **)&service->name1, (void **)&service->name2,   (void **)&service->name3,
                       (void **)&service->name4, (void **)&service->address, (void **)&service->address2};
    char file[64], full[128];
    snprintf(file, sizeof file, "libnss_%s.so.2", service->name);
    void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        fail("%s: %s", file, dlerror());
    for (int index = 0; index < 6; index++) {
        snprintf(full, sizeof full, "_nss_%s_%s", service->name, names[index]);
        *functions[index] = dlsym(module, full);
        if (!*functions[index])
            fail("%s", full);
    }
}

/* Values that may be in errno and h_errno before a call. The module's result must not depend on them. */
static const int stale[][2] = {{ERANGE, NETDB_INTERNAL}, {0, 0}, {STALE, STALE}, {ENOENT, TRY_AGAIN}};

/* The error codes that a call writes. In every third call errnop points to errno itself, as it does in glibc. */
struct codes {
    int before, error, h_error;
    int *errnop;
};

static void prepare(struct codes *codes)
{
    codes->before = codes->error = stale[calls % 4][0];
    codes->h_error = stale[calls % 4][1];
    codes->errnop = calls % 3 ? &codes->error : &errno;
    errno = calls % 3 ? STALE : codes->before;
    calls++;
}

/* The error code that the call wrote. Checks that errno is unchanged if errnop pointed elsewhere. */
static int error_of(const char *what, const struct codes *codes)
{
    if (codes->errnop != &errno && errno != STALE)
        fail("%s: errno changed to %d", what, errno);
    return *codes->errnop;
}

static bool inside(const void *pointer, size_t size, const unsigned char *start, size_t length)
{
    const unsigned char *octets = pointer;
    return octets >= start && octets + size <= start + length;
}

static void expect_untouched(const char *what)
{
    if (memcmp(arena, untouched, sizeof arena) != 0)
        fail("%s: memory outside the outputs was written", what);
}

/* After success, only the buffer may have been written to. */
static void expect_margins(const char *what, const unsigned char *start, size_t length)
{
    memset(arena + (start - arena), CANARY, length);
    expect_untouched(what);
}

static void expect_short(const char *what, size_t length, int status, const struct codes *codes)
{
    int error = error_of(what, codes), h_error = codes->h_error;
    if (status != NSS_STATUS_TRYAGAIN || error != ERANGE || h_error != NETDB_INTERNAL)
        fail("%s, %zu octets: status %d, errno %d, h_errno %d", what, length, status, error, h_error);
    expect_untouched(what);
}

/* The responder has `count` addresses for a name. The first half are IPv4; every second one of the others is
 * link-local. */
static int v4_count(int count)
{
    return (count + 1) / 2;
}

static int v6_count(int count)
{
    return count / 2;
}

/* A host entry has link-local IPv6 addresses only if there are no others. */
static int entry_count(int count, int family)
{
    return family == AF_INET ? v4_count(count) : (v6_count(count) + 1) / 2;
}

static void expect_success(const char *what, size_t length, int status, const struct codes *codes)
{
    int error = error_of(what, codes);
    if (status != NSS_STATUS_SUCCESS || error != codes->before || codes->h_error != NETDB_SUCCESS)
        fail("%s, %zu octets: status %d, errno %d, h_errno %d", what, length, status, error, codes->h_error);
}

/* The octets of the responder's address number `number` among those of its family and scope. */
static void address_of(int family, bool local, int number, unsigned char octets[16])
{
    memset(octets, 0, 16);
    int last = family == AF_INET6 ? 2 * number + local : number, end = family == AF_INET6 ? 16 : 4;
    octets[0] = family == AF_INET ? 10 : local ? 0xfe : 0xfd;
    octets[1] = family == AF_INET ? 88 : local ? 0x80 : 0x77;
    if (family == AF_INET6)
        octets[13] = 0x88;
    octets[end - 2] = (unsigned char)(last >> 8);
    octets[end - 1] = (unsigned char)last;
}

static bool is_aligned(const void *pointer)
{
    return (uintptr_t)pointer % POINTER == 0;
}

static size_t padding(const unsigned char *start)
{
    return -(uintptr_t)start % POINTER;
}

/* Checks a host entry. For a reverse lookup, `ip` is the address that was looked up, the only one in the entry.
 * Otherwise it is NULL. */
static void check_entry(const char *what, const struct hostent *host, const char *name, int family, int count,
                        const void *ip, const unsigned char *start, size_t length)
{
    int size = family == AF_INET ? 4 : 16;
    if (host->h_addrtype != family || host->h_length != size)
        fail("%s: address family %d, length %d", what, host->h_addrtype, host->h_length);
    if (!inside(host->h_name, strlen(name) + 1, start, length) || strcmp(host->h_name, name) != 0)
        fail("%s: wrong name", what);
    if (!inside(host->h_aliases, POINTER, start, length) || !is_aligned(host->h_aliases) || *host->h_aliases)
        fail("%s: wrong aliases", what);
    if (!inside(host->h_addr_list, POINTER * (count + 1), start, length) || !is_aligned(host->h_addr_list))
        fail("%s: the address list is misplaced", what);
    for (int index = 0; index < count; index++) {
        unsigned char expected[16];
        address_of(family, false, index, expected);
        if (!inside(host->h_addr_list[index], size, start, length))
            fail("%s: address %d is outside the buffer", what, index);
        if (!ip && memcmp(host->h_addr_list[index], expected, size) != 0)
            fail("%s: wrong address %d", what, index);
        if (ip && memcmp(host->h_addr_list[index], ip, size) != 0)
            fail("%s: wrong address", what);
    }
    if (host->h_addr_list[count])
        fail("%s: the address list has no end", what);
}

static void check_tuples(const char *what, const struct service *service, const struct gaih_addrtuple_ *tuple,
                         const struct gaih_addrtuple_ *own, const char *name, int count, const unsigned char *start,
                         size_t length)
{
    int v4 = 0, v6 = 0, numbers[3] = {0};
    for (; tuple; tuple = tuple->next) {
        if (tuple != own && (!inside(tuple, sizeof *tuple, start, length) || !is_aligned(tuple)))
            fail("%s: a tuple is outside the buffer", what);
        if (!inside(tuple->name, strlen(name) + 1, start, length) || strcmp(tuple->name, name) != 0)
            fail("%s: wrong name", what);
        bool local = tuple->family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL((struct in6_addr *)tuple->addr);
        if (tuple->scopeid != (local ? interface : 0))
            fail("%s: wrong scope %u", what, tuple->scopeid);
        /* Addresses of the same family and scope keep the responder's order. An IPv4 address is padded with zeros. */
        unsigned char expected[16];
        address_of(tuple->family, local, numbers[tuple->family == AF_INET ? 0 : 1 + local]++, expected);
        if (memcmp(tuple->addr, expected, sizeof expected) != 0)
            fail("%s: wrong address", what);
        v4 += tuple->family == AF_INET;
        v6 += tuple->family == AF_INET6;
        if (v4 + v6 > count)
            fail("%s: too many tuples", what);
    }
    if (v4 != (service->v4 ? v4_count(count) : 0) || v6 != (service->v6 ? v6_count(count) : 0))
        fail("%s: %d IPv4 and %d IPv6 tuples", what, v4, v6);
}

static void check_ttl(const char *what, int32_t ttl)
{
    if (ttl < 0 || ttl > 10)
        fail("%s: TTL %d", what, ttl);
}

/* Checks gethostbyname_r, gethostbyname2_r and gethostbyname3_r. */
static void entries(const struct service *service, int which, int family, const char *name, int count)
{
    char what[128];
    snprintf(what, sizeof what, "%s gethostbyname%d_r, family %d, %s", service->name, which, family, name);
    count = entry_count(count, family);
    for (int alignment = 0; alignment < 8; alignment++) {
        unsigned char *start = arena + MARGIN + alignment;
        size_t address = family == AF_INET ? 4 : 16;
        size_t enough = padding(start) + POINTER * (1 + count + 1) + address * count + strlen(name) + 1;
        for (size_t length = 0; length <= enough + 8; length++) {
            int status;
            struct hostent host, before;
            memset(&host, 0x5a, sizeof host);
            before = host;
            int32_t ttl = INT32_MAX;
            char *canonical = what;
            bool null = calls % 2;
            char *buffer = (char *)start;
            struct codes codes;
            prepare(&codes);
            if (which == 1)
                status = service->name1(name, &host, buffer, length, codes.errnop, &codes.h_error);
            else if (which == 2)
                status = service->name2(name, family, &host, buffer, length, codes.errnop, &codes.h_error);
            else
                status = service->name3(name, family, &host, buffer, length, codes.errnop, &codes.h_error,
                                        null ? NULL : &ttl, null ? NULL : &canonical);
            if (length < enough) {
                expect_short(what, length, status, &codes);
                if (memcmp(&host, &before, sizeof host) != 0 || ttl != INT32_MAX || canonical != what)
                    fail("%s: an output was written", what);
                continue;
            }
            expect_success(what, length, status, &codes);
            check_entry(what, &host, name, family, count, NULL, start, length);
            if (which == 3 && !null) {
                check_ttl(what, ttl);
                if (canonical != host.h_name)
                    fail("%s: wrong canonical name", what);
            }
            expect_margins(what, start, length);
        }
    }
}

static void tuples(const struct service *service, const char *name, int count, bool pass_first)
{
    char what[128];
    snprintf(what, sizeof what, "%s gethostbyname4_r, %s%s", service->name, name,
             pass_first ? ", first tuple passed in" : "");
    int all = (service->v4 ? v4_count(count) : 0) + (service->v6 ? v6_count(count) : 0);
    for (int alignment = 0; alignment < 8; alignment++) {
        unsigned char *start = arena + MARGIN + alignment;
        size_t enough = padding(start) + TUPLE * (all - pass_first) + strlen(name) + 1;
        for (size_t length = 0; length <= enough + 8; length++) {
            struct codes codes;
            struct gaih_addrtuple_ own, before, *first = pass_first ? &own : NULL;
            memset(&own, 0x5a, sizeof own);
            before = own;
            int32_t ttl = INT32_MAX;
            bool null = calls % 2;
            prepare(&codes);
            int status = service->name4(name, &first, (char *)start, length, codes.errnop, &codes.h_error,
                                        null ? NULL : &ttl);
            if (length < enough) {
                expect_short(what, length, status, &codes);
                if (memcmp(&own, &before, sizeof own) != 0 || first != (pass_first ? &own : NULL) || ttl != INT32_MAX)
                    fail("%s: an output was written", what);
                continue;
            }
            expect_success(what, length, status, &codes);
            if (!first || (pass_first && first != &own))
                fail("%s: wrong first tuple", what);
            check_tuples(what, service, first, pass_first ? &own : NULL, name, count, start, length);
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
        size_t enough = padding(start) + POINTER * 3 + 16 + sizeof name;
        for (size_t length = 0; length <= enough + 8; length++) {
            int status;
            struct codes codes;
            struct hostent host, before;
            memset(&host, 0x5a, sizeof host);
            before = host;
            int32_t ttl = INT32_MAX;
            bool null = calls % 2;
            prepare(&codes);
            if (with_ttl)
                status = service->address2(&ip, 16, AF_INET6, &host, (char *)start, length, codes.errnop,
                                           &codes.h_error, null ? NULL : &ttl);
            else
                status = service->address(&ip, 16, AF_INET6, &host, (char *)start, length, codes.errnop,
                                          &codes.h_error);
            if (!service->v6) {
                int error = error_of(what, &codes);
                if (status != NSS_STATUS_UNAVAIL || error != 0 || codes.h_error != HOST_NOT_FOUND)
                    fail("%s: status %d, errno %d, h_errno %d", what, status, error, codes.h_error);
                expect_untouched(what);
                continue;
            }
            if (length < enough) {
                expect_short(what, length, status, &codes);
                if (memcmp(&host, &before, sizeof host) != 0 || ttl != INT32_MAX)
                    fail("%s: an output was written", what);
                continue;
            }
            expect_success(what, length, status, &codes);
            check_entry(what, &host, name, AF_INET6, 1, &ip, start, length);
            if (with_ttl && !null)
                check_ttl(what, ttl);
            expect_margins(what, start, length);
        }
    }
}

static void expect(const char *what, int status, int error, int h_error, const int (*expected)[3])
{
    if (status != (*expected)[0] || error != (*expected)[1] || h_error != (*expected)[2])
        fail("%s: status %d, errno %d, h_errno %d", what, status, error, h_error);
    expect_untouched(what);
}

static const int not_ours[3] = {NSS_STATUS_UNAVAIL, 0, HOST_NOT_FOUND};
static const int malformed[3] = {NSS_STATUS_NOTFOUND, ENOENT, HOST_NOT_FOUND};
static const int no_data[3] = {NSS_STATUS_NOTFOUND, ENOENT, NO_DATA};
static const int bad_family[3] = {NSS_STATUS_UNAVAIL, EAFNOSUPPORT, NO_RECOVERY};
static const int bad_address[3] = {NSS_STATUS_UNAVAIL, EAFNOSUPPORT, HOST_NOT_FOUND};

/* A name that must not be found, by every function, with every stale value. */
static void refused(const struct service *service, const char *name, const int (*expected)[3])
{
    char what[400];
    char *start = (char *)arena + MARGIN + 3;
    int family = service->v4 ? AF_INET : AF_INET6;
    /* Twelve rounds, so that each of the four functions is called with each of the four stale values, and with either
     * errnop. */
    for (size_t index = 0; index < 12; index++, calls++) {
        int status;
        struct codes codes;
        struct hostent host;
        struct gaih_addrtuple_ *first = NULL;
        int32_t ttl = INT32_MAX;
        char *canonical = what;
        snprintf(what, sizeof what, "%s, `%.100s`", service->name, name);
#define TRY(call)                                                                                                      \
    prepare(&codes);                                                                                                   \
    status = (call);                                                                                                   \
    expect(what, status, error_of(what, &codes), codes.h_error, expected)
        TRY(service->name1(name, &host, start, 512, codes.errnop, &codes.h_error));
        TRY(service->name2(name, family, &host, start, 512, codes.errnop, &codes.h_error));
        TRY(service->name3(name, family, &host, start, 512, codes.errnop, &codes.h_error, &ttl, &canonical));
        TRY(service->name4(name, &first, start, 512, codes.errnop, &codes.h_error, &ttl));
        if (first || ttl != INT32_MAX || canonical != what)
            fail("%s: an output was written", what);
    }
}

static void expect_name(const char *what, const char *found, const char *name)
{
    size_t length = strlen(name), last = name[length - 1] == '.';
    if (strlen(found) != length - last || strncasecmp(found, name, length - last) != 0)
        fail("%s: the canonical name is `%s`", what, found);
    memset(arena + MARGIN, CANARY, 4096);
    expect_untouched(what);
}

/* A name that must be found, by every function. */
static void accepted(const struct service *service, const char *name)
{
    char what[400], *start = (char *)arena + MARGIN, *canonical = NULL;
    struct gaih_addrtuple_ *first = NULL;
    struct hostent host;
    struct codes codes;
    int family = service->v4 ? AF_INET : AF_INET6;
    snprintf(what, sizeof what, "%s, `%.300s`", service->name, name);
    prepare(&codes);
    expect_success(what, 4096, service->name4(name, &first, start, 4096, codes.errnop, &codes.h_error, NULL), &codes);
    expect_name(what, first->name, name);
    for (int which = service->v4 ? 1 : 2; which <= 3; which++) {
        int status;
        prepare(&codes);
        if (which == 1)
            status = service->name1(name, &host, start, 4096, codes.errnop, &codes.h_error);
        else if (which == 2)
            status = service->name2(name, family, &host, start, 4096, codes.errnop, &codes.h_error);
        else
            status = service->name3(name, family, &host, start, 4096, codes.errnop, &codes.h_error, NULL, &canonical);
        expect_success(what, 4096, status, &codes);
        if (which == 3 && canonical != host.h_name)
            fail("%s: the canonical name is not that of the entry", what);
        expect_name(what, host.h_name, name);
    }
}

/* A name of `length` octets, in labels of at most 63. */
static const char *of_length(size_t length)
{
    static char name[600];
    memset(name, 'z', length);
    for (size_t at = 63; at + 7 < length; at += 64)
        name[at] = '.';
    strcpy(name + length - 6, ".local");
    return name;
}

static void names(const struct service *service)
{
    char label[80], long_label[80], longest[300], longer[300], binary[300];
    memset(label, 'x', 63), label[63] = 0;
    memset(long_label, 'x', 64), long_label[64] = 0;
    snprintf(binary, sizeof binary, "%s", "\x80\xfe\xff\xc0.local");
    static const char *const foreign[] = {"", "a", ".", "local", "host", "host.example", "local.", "host.locale",
                                          "hostlocal", "host.local.example", "host.local..", "10.0.0.1",
                                          "::1", "..", " ", "a.b.local"};
    static const char *const bad[] = {".local", "..local", "a..local", "a\x01.local", "\x7f.local", "a\n.local"};
    static const char *const good[] = {"a.local", "A.LOCAL", "host.local.", "two words.local",
                                       "b\xc3\xbc" "cher.local", "under_score.local", "-.local", "0.local",
                                       "a\"b'c\\d.local", "%s%n.local"};
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
    /* 253 octets are 255 in wire form. Names of more than two labels are not looked up, regardless of their length. */
    refused(service, of_length(100), &not_ours);
    refused(service, of_length(252), &not_ours);
    refused(service, of_length(253), &not_ours);
    snprintf(longest, sizeof longest, "%s.", of_length(253));
    refused(service, longest, &not_ours);
    static const size_t over[] = {254, 255, 256, 257, 300, 512};
    for (size_t index = 0; index < sizeof over / sizeof *over; index++)
        refused(service, of_length(over[index]), &malformed);
    /* About 2,000 octets, in valid labels and in one label. */
    char huge[2100] = "";
    for (int index = 0; index < 30; index++)
        strcat(strcat(huge, label), ".");
    refused(service, strcat(huge, "local"), &malformed);
    memset(huge, 'y', 2000);
    strcpy(huge + 2000, ".local");
    refused(service, huge, &malformed);
}

static void names_of_any_labels(const struct service *service)
{
    char dotted[300];
    snprintf(dotted, sizeof dotted, "%s.", of_length(253));
    accepted(service, "a.b.local");
    accepted(service, of_length(100));
    accepted(service, of_length(252));
    accepted(service, of_length(253));
    accepted(service, dotted);
    refused(service, of_length(254), &malformed);
    refused(service, of_length(255), &malformed);
    refused(service, "a..b.local", &malformed);
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
    /* gethostbyname has no family argument: it means IPv4. */
    error = ERANGE, h_error = NETDB_INTERNAL;
    status = service->name1("a.local", &host, start, 512, &error, &h_error);
    if (!service->v4)
        expect(service->name, status, error, h_error, &no_data);
    memset(arena, CANARY, sizeof arena);
    /* In functions with a family argument, AF_UNSPEC means IPv4, too. */
    error = ERANGE, h_error = NETDB_INTERNAL;
    status = service->name2("a.local", AF_UNSPEC, &host, start, 512, &error, &h_error);
    if (!service->v4)
        expect(service->name, status, error, h_error, &no_data);
    else if (status != NSS_STATUS_SUCCESS || host.h_addrtype != AF_INET || host.h_length != 4)
        fail("%s, AF_UNSPEC: status %d, family %d", service->name, status, host.h_addrtype);
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
            expect("address length for IPv4", status, error, h_error, &bad_address);
        error = ERANGE, h_error = NETDB_INTERNAL;
        /* With the right length there may be an answer. */
        if (length == 16)
            continue;
        status = service->address(ip, length, AF_INET6, &host, start, 512, &error, &h_error);
        expect("address length for IPv6", status, error, h_error, &bad_address);
    }
}

/* Returns a name with that many addresses, all of them cached. On a busy machine one family may arrive too late; then
 * another name is tried. */
static void cached_name(char *name, size_t size, int addresses)
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
        if (count > 2) {
            names_of_any_labels(service);
            continue;
        }
        for (size_t size = 0; size < 4; size++) {
            char name[64];
            int addresses = counts[size];
            cached_name(name, sizeof name, addresses);
            if (service->v4 || addresses > 1) {
                tuples(service, name, addresses, false);
                tuples(service, name, addresses, true);
            }
            if (service->v4)
                entries(service, 1, AF_INET, name, addresses);
            for (int which = 2; which <= 3; which++) {
                if (service->v4)
                    entries(service, which, AF_INET, name, addresses);
                if (service->v6 && addresses > 1)
                    entries(service, which, AF_INET6, name, addresses);
            }
        }
        reverse(service, false);
        reverse(service, true);
        names(service);
        families(service);
    }
    printf("%lu calls\n", calls);
}
