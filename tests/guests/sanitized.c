/* Looks up names in each way that may leave something behind: found, cached, missing, by address, in
 * several threads, and in a child. Built with the sanitizers of the compiler, which report at exit. */
#include "guest.h"

static void *look_up_one(void *name)
{
    must_find(name, AF_UNSPEC);
    return NULL;
}

static void look_up_all(void)
{
    must_find("host.local", AF_UNSPEC);
    must_find("host.local", AF_INET);
    must_find("host.local", AF_INET6);
    if (look_up("nobody.local", AF_UNSPEC) == 0)
        fail("a missing host is found");
    struct sockaddr_in address = {.sin_family = AF_INET};
    inet_pton(AF_INET, "169.254.1.1", &address.sin_addr);
    char name[256];
    getnameinfo((struct sockaddr *)&address, sizeof address, name, sizeof name, NULL, 0, NI_NAMEREQD);
    pthread_t threads[4];
    static char names[4][32];
    for (int thread = 0; thread < 4; thread++) {
        snprintf(names[thread], sizeof *names, "host-%d.local", thread);
        pthread_create(&threads[thread], NULL, look_up_one, names[thread]);
    }
    for (int thread = 0; thread < 4; thread++)
        pthread_join(threads[thread], NULL);
}

int main(void)
{
    look_up_all();
    pid_t child = fork();
    if (child == 0) {
        look_up_all();
        exit(0);
    }
    int status;
    waitpid(child, &status, 0);
    if (status != 0)
        fail("the child: status %#x", status);
    return 0;
}
