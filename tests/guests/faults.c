/* Signals that a thread causes itself, and that its handler repairs: the kernel ends a process that blocks them. A
 * sandbox emulates system calls in a handler of SIGSYS. A garbage collector with write barriers handles SIGSEGV. */
#include "guest.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <ucontext.h>

static volatile int faults;

/* Makes the interrupted system call return an error. */
static void set_result(ucontext_t *context, int error)
{
#if defined __x86_64__
    context->uc_mcontext.gregs[REG_RAX] = -error;
#elif defined __i386__
    context->uc_mcontext.gregs[REG_EAX] = -error;
#elif defined __aarch64__
    context->uc_mcontext.regs[0] = (unsigned long)-error;
#elif defined __arm__
    context->uc_mcontext.arm_r0 = (unsigned long)-error;
#elif defined __riscv
    context->uc_mcontext.__gregs[REG_A0] = (unsigned long)-error;
#elif defined __powerpc64__
    /* An error is positive, and flagged in the condition register. */
    context->uc_mcontext.gp_regs[3] = (unsigned long)error;
    context->uc_mcontext.gp_regs[38] |= 0x10000000;
#elif defined __s390x__
    context->uc_mcontext.gregs[2] = (unsigned long)-error;
#else
#error "Which register holds the result of a system call?"
#endif
}

static void emulate(int signal, siginfo_t *info, void *context)
{
    if (signal != SIGSYS || info->si_code != 1 /* SYS_SECCOMP */)
        fail("signal %d, code %d", signal, info->si_code);
    faults++;
    set_result(context, ENOSYS);
}

/* Makes a system call raise SIGSYS. */
static void trap(int call)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        fail("seccomp: %s", strerror(errno));
}

static void expect_success(pid_t pid, const char *what)
{
    int status;
    waitpid(pid, &status, 0);
    if (status != 0)
        fail("%s: status %#x", what, status);
}

/* System calls without which a lookup works. */
static void emulate_system_calls(void)
{
    static const struct {
        const char *name;
        int call;
        /* Whether a lookup makes the call at all, if others do not fail. */
        bool is_used;
    } calls[] = {{"bind", SYS_bind, true},        {"getrandom", SYS_getrandom, true}, {"openat", SYS_openat, true},
                 {"madvise", SYS_madvise, true}, {"connect", SYS_connect, false},    {"uname", SYS_uname, false}};
    struct sigaction action = {.sa_sigaction = emulate, .sa_flags = SA_SIGINFO};
    sigaction(SIGSYS, &action, NULL);
    for (size_t number = 0; number < sizeof calls / sizeof *calls; number++) {
        pid_t pid = fork();
        if (pid == 0) {
            trap(calls[number].call);
            int found = ask("host.local");
            if (found != 2)
                fail("%s: %d", calls[number].name, found);
            if (calls[number].is_used && faults == 0)
                fail("%s was not called", calls[number].name);
            _exit(0);
        }
        expect_success(pid, calls[number].name);
    }
}

/* The memory that the caller passes is protected. */

static char *pages;
static const size_t length = 16384;

static void unprotect(int signal, siginfo_t *info, void *context)
{
    (void)context;
    char *address = info->si_addr;
    if (signal != SIGSEGV || address < pages || address >= pages + length)
        fail("signal %d at %p", signal, info->si_addr);
    faults++;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    mprotect(pages + (address - pages) / page * page, page, PROT_READ | PROT_WRITE);
}

/* A name, the outputs and the buffer are all in protected memory. `protection` says how. */
static void look_up_into_protected_memory(const char *name, int protection)
{
    by_name4 *function = module_function("gethostbyname4_r");
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    pages = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(pages, name);
    struct outputs {
        struct gaih_addrtuple_ *first;
        int error, h_error, ttl;
    } *outputs = (void *)(pages + (length > page ? page : 256));
    char *buffer = (char *)outputs + (length > 2 * page ? page : 256);
    memset(outputs, 0, sizeof *outputs);
    faults = 0;
    mprotect(pages, length, protection);
    int status = function(pages, &outputs->first, buffer, 2048, &outputs->error, &outputs->h_error, &outputs->ttl);
    if (status != NSS_STATUS_SUCCESS || !outputs->first || faults == 0)
        fail("%s: status %d after %d faults", name, status, faults);
    munmap(pages, length);
}

static void unprotect_memory(void)
{
    struct sigaction action = {.sa_sigaction = unprotect, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    look_up_into_protected_memory("barrier-1.local", PROT_READ);
    look_up_into_protected_memory("barrier-2.local", PROT_NONE);
    look_up_into_protected_memory("barrier-1.local", PROT_NONE);
}

int main(void)
{
    /* The first lookup is that of each child. */
    module_function("gethostbyname4_r");
    emulate_system_calls();
    unprotect_memory();
    printf("done\n");
}
