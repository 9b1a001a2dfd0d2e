# Signals during lookups of bash, which looks up the name in /dev/tcp/NAME/PORT itself, and of programs that it starts.

fail() {
    echo "$*"
    exit 1
}

# Milliseconds of the clock since boot.
now() {
    local uptime
    read -r uptime _ </proc/uptime
    echo $((10#${uptime/./} * 10))
}

# took START LEAST MOST WHAT: fails unless between LEAST and MOST milliseconds have passed.
took() {
    local ms=$(($(now) - $1))
    ((ms >= $2 - 10 && ms <= $3)) || fail "$4: after $ms ms"
}

# timeout(1) ends a program by each signal, at once.
for signal in TERM INT ALRM HUP USR1 PROF RTMIN+1; do
    start=$(now)
    timeout -s "$signal" 0.2 getent ahosts "nobody-$signal.local" && fail "$signal: found"
    took "$start" 200 700 "timeout -s $signal"
done

# The same, while bash itself is inside the lookup.
for signal in TERM ALRM HUP USR1; do
    start=$(now)
    timeout -s "$signal" 0.2 bash -c "exec 3<>/dev/tcp/nobody-$signal.local/80" 2>/dev/null && fail "$signal: connected"
    took "$start" 200 700 "bash, ended by $signal"
done

# A trapped signal does not disturb the lookup: the host is found, but refuses or cannot be reached. The trap runs after
# the lookup.
trapped=0
trap 'trapped=$((trapped + 1))' USR1
for number in 1 2 3; do
    (
        sleep 0.1
        kill -USR1 $$
    ) &
    start=$(now)
    message=$({ exec 3<>"/dev/tcp/slow300-$number.local/80"; } 2>&1)
    took "$start" 290 1900 "slow300-$number.local"
    [[ $message != *"ame or service not known"* && $message != *"No address"* ]] || fail "trap: $message"
    wait
done

# `read -t` gives up at once, although the program that it reads from is inside a lookup.
start=$(now)
read -r -t 0.2 line < <(getent ahosts nobody-read.local) && fail "read: $line"
took "$start" 200 700 "read -t"

# A lookup in the background is ended by its job number, at once.
getent ahosts nobody-job.local &
sleep 0.1
start=$(now)
kill -HUP %?nobody-job
wait %?nobody-job 2>/dev/null
took "$start" 0 500 "a job"
echo "done: $trapped traps"
