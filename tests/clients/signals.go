// Goroutines look up names through libc while others allocate, compute, and are profiled. Go's runtime interrupts
// threads by SIGURG to stop them for a collection, and by SIGPROF to take samples.
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/pprof"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const rounds, lookups = 3, 8

// The longest times that a collection took, and that a signal needed to arrive, in nanoseconds.
var longestCollection, longestSignal int64

var stop int32

func main() {
	if _, err := net.LookupHost("host.local"); err != nil {
		fail(err)
	}
	before := descriptors()
	var profile bytes.Buffer
	runtime.SetCPUProfileRate(1000)
	pprof.StartCPUProfile(&profile)
	var disturbers sync.WaitGroup
	for _, disturb := range []func(){collect, compute, sendSignals} {
		disturbers.Add(1)
		go func(disturb func()) {
			defer disturbers.Done()
			for atomic.LoadInt32(&stop) == 0 {
				disturb()
			}
		}(disturb)
	}
	for round := 0; round < rounds; round++ {
		lookUp(round)
	}
	atomic.StoreInt32(&stop, 1)
	disturbers.Wait()
	pprof.StopCPUProfile()
	fmt.Printf("collections took %v at most, signals %v\n", time.Duration(longestCollection), time.Duration(longestSignal))
	// Whatever waits for a lookup waits for two seconds.
	if longestCollection > int64(time.Second) || longestSignal > int64(time.Second) {
		fail("late")
	}
	// Go itself keeps a descriptor for its poller.
	if after := descriptors(); after > before+1 {
		fail(fmt.Sprintf("%d descriptors, %d before", after, before))
	}
}

// lookUp looks up names at the same time. Every second one exists.
func lookUp(round int) {
	var group sync.WaitGroup
	for number := 0; number < lookups; number++ {
		group.Add(1)
		go func(number int) {
			defer group.Done()
			name := fmt.Sprintf("%s-%d-%d.local", [...]string{"slow300", "nobody"}[number%2], round, number)
			start := time.Now()
			_, err := net.LookupHost(name)
			if took := time.Since(start); (err == nil) != (number%2 == 0) || took > 2800*time.Millisecond {
				fail(name, err, took)
			}
		}(number)
	}
	group.Wait()
}

var kept [][]byte

func collect() {
	kept = nil
	for number := 0; number < 64; number++ {
		kept = append(kept, make([]byte, 64<<10))
	}
	start := time.Now()
	runtime.GC()
	keepLongest(&longestCollection, time.Since(start))
}

// compute runs without a call, so that the runtime can stop it only by a signal.
func compute() {
	sum := 0
	for number := 0; number < 1<<24; number++ {
		sum += number ^ sum<<1
	}
	if sum == 42 {
		fmt.Println(sum)
	}
}

// sendSignals sends this process a signal that it handles, and one that only the runtime handles.
func sendSignals() {
	arrived := make(chan os.Signal, 1)
	signal.Notify(arrived, syscall.SIGUSR1)
	defer signal.Stop(arrived)
	start := time.Now()
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGURG)
	<-arrived
	keepLongest(&longestSignal, time.Since(start))
	time.Sleep(10 * time.Millisecond)
}

func keepLongest(longest *int64, took time.Duration) {
	if int64(took) > atomic.LoadInt64(longest) {
		atomic.StoreInt64(longest, int64(took))
	}
}

func descriptors() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		fail(err)
	}
	return len(entries)
}

func fail(what ...interface{}) {
	fmt.Println(what...)
	os.Exit(1)
}
