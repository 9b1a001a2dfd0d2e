/* Common code of the test programs: access to the module's functions, lookups through glibc, and checks.
 * A program exits with status 0 if every check passed. Otherwise it prints the failed check to standard output. */
#ifndef GUEST_H
#define GUEST_H

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <nss.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* struct gaih_addrtuple of nss.h: one address, and a link to the next. */
struct gaih_addrtuple_ {
    struct gaih_addrtuple_ *next;
    char *name;
    int family;
    uint32_t addr[4];
    uint32_t scopeid;
};

typedef enum nss_status by_name2(const char *, int, struct hostent *, char *, size_t, int *, int *);
typedef enum nss_status by_name4(const char *, struct gaih_addrtuple_ **, char *, size_t, int *, int *, int32_t *);
typedef enum nss_status by_address(const void *, socklen_t, int, struct hostent *, char *, size_t, int *, int *);

/* Reports a failed check and ends the program. */
__attribute__((noreturn, format(printf, 1, 2), unused)) static void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char text[512];
    int length = vsnprintf(text, sizeof text - 1, format, arguments);
    va_end(arguments);
    length = length < (int)sizeof text - 1 ? length : (int)sizeof text - 2;
    text[length] = '\n';
    if (write(1, text, length + 1) < 0)
        _exit(3);
    _exit(1);
}

/* Milliseconds of the monotonic clock. */
__attribute__((unused)) static double now_ms(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

__attribute__((unused)) static void sleep_ms(double ms)
{
    struct timespec time = {(time_t)(ms / 1000), (long)((ms - (long)(ms / 1000) * 1000.0) * 1e6)};
    while (nanosleep(&time, &time) != 0 && errno == EINTR)
        ;
}

/* A function of the module, for the service that the environment variable SERVICE names. The default is mdns_minimal,
 * whose file is the module itself; those of the other services are links to it. */
__attribute__((unused)) static void *module_function(const char *name)
{
    static void *module;
    const char *service = getenv("SERVICE");
    char full[128];
    if (!service)
        service = "mdns_minimal";
    snprintf(full, sizeof full, "libnss_%s.so.2", service);
    if (!module)
        module = dlopen(full, RTLD_NOW | RTLD_LOCAL);
    if (!module)
        fail("dlopen: %s", dlerror());
    snprintf(full, sizeof full, "_nss_%s_%s", service, name);
    void *function = dlsym(module, full);
    if (!function)
        fail("dlsym: %s", dlerror());
    return function;
}

/* Calls the module directly for all addresses of a name. Returns their number, or the negated h_errno. Checks that
 * errno is unchanged, after success and after failure. */
__attribute__((unused)) static int ask_into(const char *name, size_t size)
{
    static by_name4 *function;
    if (!function)
        function = module_function("gethostbyname4_r");
    struct gaih_addrtuple_ *first = NULL;
    char buffer[size];
    int error = 0, h_error = -99;
    errno = 4711;
    int status = function(name, &first, buffer, sizeof buffer, &error, &h_error, NULL);
    if (errno != 4711)
        fail("%s: errno changed to %d", name, errno);
    if (status != NSS_STATUS_SUCCESS)
        return h_error > 0 ? -h_error : -99;
    int count = 0;
    for (; first; first = first->next)
        count++;
    return count;
}

__attribute__((unused)) static int ask(const char *name)
{
    return ask_into(name, 2048);
}

/* Looks up all addresses of a name through glibc. Returns 0 or the error of getaddrinfo. */
__attribute__((unused)) static int look_up(const char *name, int family)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int result = getaddrinfo(name, NULL, &hints, &found);
    if (result == 0)
        freeaddrinfo(found);
    return result;
}

/* Looks up a name through glibc. Fails if it is not found. */
__attribute__((unused)) static void must_find(const char *name, int family)
{
    int result = look_up(name, family);
    if (result != 0)
        fail("getaddrinfo of %s: %s", name, gai_strerror(result));
}

/* The number of open descriptors, without the one that is opened to count them. */
__attribute__((unused)) static int open_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        fail("/proc/self/fd: %s", strerror(errno));
    int count = -1;
    for (struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

__attribute__((unused)) static void expect_descriptors(int before, const char *after)
{
    int count = open_descriptors();
    if (count != before)
        fail("%d descriptors open %s, %d before", count, after, before);
}

#endif
