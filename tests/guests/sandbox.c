/* Processes in seccomp sandboxes. First, one system call at a time fails with an error: the lookup must succeed or fail
 * cleanly. Then every system call that a lookup does not need kills the process. */
#include "guest.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define SKIP_UNLESS(value, count) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (count))
#define RETURN(what) BPF_STMT(BPF_RET | BPF_K, (what))

static void install(struct sock_filter *filter, size_t length)
{
    struct sock_fprog program = {(unsigned short)length, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        fail("seccomp: %s", strerror(errno));
}

/* Makes a system call fail with `error`: always, or only with this first argument if it is not negative. */
static void deny(int call, int argument, int error)
{
    struct sock_filter always[] = {LOAD(nr), SKIP_UNLESS((unsigned)call, 1), RETURN(SECCOMP_RET_ERRNO | error),
                                   RETURN(SECCOMP_RET_ALLOW)};
    struct sock_filter sometimes[] = {LOAD(nr),
                                      SKIP_UNLESS((unsigned)call, 3),
                                      LOAD(args[0]),
                                      SKIP_UNLESS((unsigned)argument, 1),
                                      RETURN(SECCOMP_RET_ERRNO | error),
                                      RETURN(SECCOMP_RET_ALLOW)};
    if (argument < 0)
        install(always, sizeof always / sizeof *always);
    else
        install(sometimes, sizeof sometimes / sizeof *sometimes);
}

struct rule {
    const char *name;
    int call, argument;
    /* How many addresses are still found, or the negated h_errno. */
    int expected;
};

static const struct rule rules[] = {
    {"netlink", SYS_socket, AF_NETLINK, 2},
    {"IPv6", SYS_socket, AF_INET6, 2},
    {"IPv4", SYS_socket, AF_INET, 2},
    {"any socket", SYS_socket, -1, -NO_RECOVERY},
    {"setsockopt", SYS_setsockopt, -1, -NO_RECOVERY},
    {"bind", SYS_bind, -1, 2},
    {"getrandom", SYS_getrandom, -1, 2},
    {"madvise", SYS_madvise, -1, 2},
    {"uname", SYS_uname, -1, 2},
    {"ioctl", SYS_ioctl, -1, 2},
    {"newfstatat", SYS_newfstatat, -1, 2},
    {"openat", SYS_openat, -1, 2},
    {"read", SYS_read, -1, 2},
    {"fcntl", SYS_fcntl, -1, 2},
    {"sendmsg", SYS_sendmsg, -1, -NO_RECOVERY},
    {"rt_sigprocmask", SYS_rt_sigprocmask, -1, 2},
    {"signalfd4", SYS_signalfd4, -1, 2},
};

static int child_of_rule(const struct rule *rule, int error)
{
    deny(rule->call, rule->argument, error);
    int found = 0;
    /* On a busy machine a part of an answer may arrive too late; then another name is tried. */
    for (int attempt = 0; attempt < 8 && (attempt == 0 || (found > 0 && found < rule->expected)); attempt++) {
        char name[64];
        snprintf(name, sizeof name, "host-%d.local", attempt);
        double start = now_ms();
        found = ask(name);
        if (now_ms() - start > 2400)
            fail("%s fails with %d: the lookup took %.0f ms", rule->name, error, now_ms() - start);
    }
    if (found != rule->expected)
        fail("%s fails with %d: the lookup returned %d", rule->name, error, found);
    /* No rule affects names that the module does not handle. */
    if (ask("host.example") != -HOST_NOT_FOUND)
        fail("%s fails with %d: wrong result for a foreign name", rule->name, error);
    return 0;
}

/* The system calls that the module may use, and those that this program needs to handle a signal and to exit; any other
 * kills the process. Except for setsockopt, madvise and signalfd4, getaddrinfo uses the same ones to query a DNS server. */
static const int allowed[] = {
    SYS_socket,  SYS_bind,  SYS_setsockopt, SYS_sendmsg,        SYS_sendto,        SYS_recvmsg, SYS_recvfrom,
    SYS_close,   SYS_mmap,  SYS_getrandom,  SYS_munmap,         SYS_madvise,       SYS_mprotect, SYS_brk,
    SYS_uname,   SYS_write, SYS_exit_group, SYS_rt_sigprocmask, SYS_clock_gettime, SYS_openat,  SYS_read,
    SYS_connect, SYS_fstat, SYS_signalfd4,      SYS_getsockname,    SYS_rt_sigreturn,
/* Which of these exist depends on the architecture. glibc calls one of each group. */
#ifdef SYS_poll
    SYS_poll,
#else
    SYS_ppoll,
#endif
#ifdef SYS_newfstatat
    SYS_newfstatat,
#endif
#ifdef SYS_fstatat64
    SYS_fstatat64, SYS_fstat64,
#endif
#ifdef SYS_clock_gettime64
    SYS_clock_gettime64,
#endif
#ifdef SYS_mmap2
    SYS_mmap2, SYS_statx,
#endif
#ifdef SYS_socketcall
    SYS_socketcall,
#endif
#ifdef SYS_sigreturn
    SYS_sigreturn,
#endif
#if !__GLIBC_PREREQ(2, 33) && defined SYS_stat
    SYS_stat,
#endif
};

static volatile sig_atomic_t handled;

static void count_signal(int signal)
{
    (void)signal;
    handled++;
}

static int child_on_the_list(void)
{
    /* A signal interrupts the lookup of a missing name. */
    struct itimerval timer = {.it_interval = {.tv_usec = 500000}, .it_value = {.tv_usec = 500000}};
    signal(SIGALRM, count_signal);
    setitimer(ITIMER_REAL, &timer, NULL);
    enum { COUNT = sizeof allowed / sizeof *allowed };
    struct sock_filter filter[2 * COUNT + 2];
    size_t length = 0;
    filter[length++] = (struct sock_filter)LOAD(nr);
    for (int index = 0; index < COUNT; index++) {
        filter[length++] = (struct sock_filter)SKIP_UNLESS((unsigned)allowed[index], 1);
        filter[length++] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
    }
    filter[length++] = (struct sock_filter)RETURN(SECCOMP_RET_KILL_PROCESS);
    install(filter, length);
    if (ask("host.local") != 2 || ask("host.local") != 2)
        return 1;
    if (ask("nobody.local") != -HOST_NOT_FOUND || ask("a..local") != -HOST_NOT_FOUND)
        return 2;
    if (ask("many50-host.local") != 50 || ask("host.example") != -HOST_NOT_FOUND)
        return 3;
    return handled == 0 ? 4 : 0;
}

static void expect_success(pid_t pid, const char *name)
{
    int status;
    waitpid(pid, &status, 0);
    if (status != 0)
        fail("%s: status %#x", name, status);
}

int main(void)
{
    static const int errors[] = {EPERM, ENOSYS, EAFNOSUPPORT, EACCES};
    int count = 0;
    module_function("gethostbyname4_r");
    fflush(stdout);
    for (size_t rule = 0; rule < sizeof rules / sizeof *rules; rule++)
        for (size_t error = 0; error < sizeof errors / sizeof *errors; error++, count++) {
            pid_t pid = fork();
            if (pid == 0)
                _exit(child_of_rule(&rules[rule], errors[error]));
            expect_success(pid, rules[rule].name);
        }
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_on_the_list());
    expect_success(pid, "the list");
    printf("%d rules, and a list of %zu system calls\n", count, sizeof allowed / sizeof *allowed);
}
