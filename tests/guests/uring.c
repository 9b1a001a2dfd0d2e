/* A server that uses io_uring, without a library: a ring with requests in flight completes them during a lookup, and
 * the completions do not disturb the lookup. */
#include "guest.h"
#include <linux/io_uring.h>
#include <linux/time_types.h>
#include <sys/mman.h>
#include <sys/syscall.h>

enum { ENTRIES = 16, READ = 1, TICK = 2 };

static int ring;
static struct io_uring_params parameters;
static char *submission, *completion;
static struct io_uring_sqe *requests;

#define FIELD(area, offset) ((unsigned *)((area) + parameters.offset))

static void set_up_ring(void)
{
    ring = (int)syscall(SYS_io_uring_setup, ENTRIES, &parameters);
    if (ring < 0)
        fail("io_uring_setup: %s", strerror(errno));
    size_t length = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    submission = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    length = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    completion = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    length = parameters.sq_entries * sizeof(struct io_uring_sqe);
    requests = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    if (submission == MAP_FAILED || completion == MAP_FAILED || requests == MAP_FAILED)
        fail("mmap of the ring: %s", strerror(errno));
}

static void submit(struct io_uring_sqe request)
{
    unsigned tail = *FIELD(submission, sq_off.tail), index = tail & *FIELD(submission, sq_off.ring_mask);
    requests[index] = request;
    FIELD(submission, sq_off.array)[index] = index;
    __atomic_store_n(FIELD(submission, sq_off.tail), tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 0, 0, NULL, 0) != 1)
        fail("io_uring_enter: %s", strerror(errno));
}

/* Takes a completion. Returns false if there is none. */
static bool take(struct io_uring_cqe *taken)
{
    unsigned head = *FIELD(completion, cq_off.head);
    if (head == __atomic_load_n(FIELD(completion, cq_off.tail), __ATOMIC_ACQUIRE))
        return false;
    struct io_uring_cqe *entries = (struct io_uring_cqe *)(completion + parameters.cq_off.cqes);
    *taken = entries[head & *FIELD(completion, cq_off.ring_mask)];
    __atomic_store_n(FIELD(completion, cq_off.head), head + 1, __ATOMIC_RELEASE);
    return true;
}

static int reader, writer;
static char text[16];

static void read_pipe(void)
{
    submit((struct io_uring_sqe){
        .opcode = IORING_OP_READ, .fd = reader, .addr = (uintptr_t)text, .len = sizeof text, .user_data = READ});
}

/* Completes every 20 ms, so that the kernel interrupts the lookup's system call. */
static void start_tick(void)
{
    static struct __kernel_timespec time = {0, 20000000};
    submit((struct io_uring_sqe){
        .opcode = IORING_OP_TIMEOUT, .fd = -1, .addr = (uintptr_t)&time, .len = 1, .user_data = TICK});
}

static void *write_pipe(void *argument)
{
    for (int number = 0; number < 4; number++) {
        sleep_ms(40);
        if (write(writer, "12345678", 8) != 8)
            fail("write: %s", strerror(errno));
    }
    return argument;
}

static void look_up_during_requests(const char *name, int expected)
{
    pthread_t thread;
    for (int number = 0; number < 4; number++)
        start_tick();
    read_pipe();
    pthread_create(&thread, NULL, write_pipe, NULL);
    double start = now_ms();
    int found = ask(name);
    if (found != expected || now_ms() - start > 2600)
        fail("%s: %d after %.0f ms", name, found, now_ms() - start);
    pthread_join(thread, NULL);
    int ticks = 0, octets = 0;
    for (double end = now_ms() + 2000; (ticks < 4 || octets < 32) && now_ms() < end; usleep(1000))
        for (struct io_uring_cqe entry; take(&entry);) {
            if (entry.user_data == TICK)
                ticks += entry.res == -ETIME;
            else if (entry.user_data != READ || entry.res <= 0)
                fail("completion %llu: %d", (unsigned long long)entry.user_data, entry.res);
            else if ((octets += entry.res) < 32)
                read_pipe();
        }
    if (ticks != 4 || octets != 32)
        fail("%s: %d ticks and %d octets", name, ticks, octets);
}

int main(void)
{
    int ends[2];
    if (ask("host.local") != 2 || pipe(ends) != 0)
        fail("no addresses");
    reader = ends[0];
    writer = ends[1];
    set_up_ring();
    int before = open_descriptors();
    for (int round = 0; round < 5; round++) {
        char name[64];
        snprintf(name, sizeof name, "slow300-%d.local", round);
        look_up_during_requests(name, 2);
    }
    look_up_during_requests("nobody.local", -HOST_NOT_FOUND);
    look_up_during_requests("host.local", 2);
    expect_descriptors(before, "after lookups");
    printf("done\n");
}
