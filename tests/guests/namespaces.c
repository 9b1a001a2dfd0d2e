/* Lookups through copies of glibc in link-map namespaces of their own (dlmopen). Each namespace has its own module and
 * its own cache. */
#include "guest.h"
#include <link.h>

enum { NAMESPACES = 8, ROUNDS = 20 };

typedef int resolve(const char *, const char *, const struct addrinfo *, struct addrinfo **);

struct copy {
    void *libc;
    resolve *resolve;
    void (*free)(struct addrinfo *);
};

static struct copy copies[NAMESPACES];

static void load(struct copy *copy)
{
    copy->libc = dlmopen(LM_ID_NEWLM, "libc.so.6", RTLD_NOW);
    if (!copy->libc)
        fail("dlmopen: %s", dlerror());
    copy->resolve = (resolve *)dlsym(copy->libc, "getaddrinfo");
    copy->free = (void (*)(struct addrinfo *))dlsym(copy->libc, "freeaddrinfo");
    if (!copy->resolve || !copy->free || copy->resolve == getaddrinfo)
        fail("no getaddrinfo of its own");
}

static void must_find_in(const struct copy *copy, const char *name)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    int error = copy->resolve(name, NULL, &hints, &found);
    if (error != 0)
        fail("%s in namespace %td: error %d", name, copy - copies, error);
    copy->free(found);
}

static int mappings_of_module(void)
{
    int count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, "libnss_mdns") && strstr(line, " r-xp ");
    fclose(maps);
    return count;
}

int main(void)
{
    must_find("host.local", AF_UNSPEC);
    int before = open_descriptors();
    for (int number = 0; number < NAMESPACES; number++)
        load(&copies[number]);
    for (int round = 0; round < ROUNDS; round++)
        for (int number = 0; number < NAMESPACES; number++) {
            char name[64];
            snprintf(name, sizeof name, "host-%d-%d.local", round, number);
            must_find_in(&copies[number], name);
            must_find_in(&copies[number], "host.local");
        }
    must_find("next.local", AF_UNSPEC);
    expect_descriptors(before, "after lookups in namespaces");
    pid_t pid = fork();
    if (pid == 0) {
        for (int number = 0; number < NAMESPACES; number++)
            must_find_in(&copies[number], "child.local");
        must_find("child.local", AF_UNSPEC);
        exit(0);
    }
    int status;
    waitpid(pid, &status, 0);
    if (status != 0)
        fail("child: %#x", status);
    printf("%d mappings of the module\n", mappings_of_module());
    return mappings_of_module() != NAMESPACES + 1;
}
