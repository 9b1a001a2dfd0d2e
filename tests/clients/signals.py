"""Alarms during lookups. Python notes a signal at once, and wakes whoever reads the wakeup descriptor. The main thread
runs the handler, which raises an exception, as soon as it is not inside a lookup."""

import os
import signal
import socket
import threading
import time


class Timeout(Exception):
    pass


def raise_timeout(number, frame):
    raise Timeout


def look_up(name):
    try:
        socket.getaddrinfo(name, None)
        return "found"
    except socket.gaierror:
        return "missing"
    except Timeout:
        return "timeout"


def timed(call, *arguments):
    start = time.monotonic()
    return call(*arguments), time.monotonic() - start


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def expect(result, wanted, least, most):
    ended, took = result
    assert ended == wanted and least <= took <= most, f"{ended} after {took:.3f} s"


def wait_for(alarms, count):
    """When the interpreter noted each of this many alarms, by the clock of `time.monotonic`."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    times = []
    for _ in range(count):
        alarms.recv(1)
        times.append(time.monotonic())
    return times


def main():
    signal.signal(signal.SIGALRM, raise_timeout)
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    assert look_up("host.local") == "found"
    before = descriptors()

    # The main thread is inside a lookup. Another thread sees at once that the signal has arrived.
    signal.set_wakeup_fd(writer.fileno())
    delays = []
    for number in range(5):
        times = []
        waiter = threading.Thread(target=lambda: times.extend(wait_for(reader, 1)))
        waiter.start()
        start = time.monotonic()
        signal.setitimer(signal.ITIMER_REAL, 0.1)
        ended = look_up(f"slow300-{number}.local")
        waiter.join()
        assert ended == "timeout", ended
        delays.append(times[0] - start - 0.1)
    assert sorted(delays)[2] < 0.05, delays
    signal.set_wakeup_fd(-1)

    # The lookup is in another thread. The main thread runs the handler at once.
    results = []
    asker = threading.Thread(target=lambda: results.append(timed(look_up, "nobody-thread.local")))
    asker.start()
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    expect(timed(sleep, 1), "timeout", 0.19, 0.4)
    asker.join()
    expect(results[0], "missing", 1.8, 2.8)

    # The lookup ends by itself before the alarm.
    signal.setitimer(signal.ITIMER_REAL, 1.8)
    expect(timed(look_up, "slow300-next.local"), "found", 0.2, 1.7)
    signal.setitimer(signal.ITIMER_REAL, 0)
    assert descriptors() == before, f"{descriptors()} descriptors instead of {before}"
    print("done")


def sleep(seconds):
    try:
        time.sleep(seconds)
        return "slept"
    except Timeout:
        return "timeout"


main()
