import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Threads look up names while others collect garbage, print the stacks of all threads, and close sockets on which
 * threads wait. The JVM sends signals for the last two, and reads the stacks of running threads with its flight recorder.
 */
public class Signals {
    private static final int THREADS = 8;

    public static void main(String[] arguments) throws Exception {
        InetAddress.getAllByName("host.local");
        var pool = Executors.newFixedThreadPool(THREADS, Signals::daemon);
        for (int round = 0; round < 3; round++) {
            var lookups = new ArrayList<Future<Boolean>>();
            for (int thread = 0; thread < THREADS; thread++) {
                var name = (thread % 2 == 0 ? "slow300-" : "nobody-") + round + "-" + thread + ".local";
                lookups.add(pool.submit((Callable<Boolean>) () -> isFound(name)));
            }
            long longest = disturb(lookups);
            for (int thread = 0; thread < THREADS; thread++) {
                if (lookups.get(thread).get() != (thread % 2 == 0)) {
                    throw new AssertionError("lookup " + thread + " of round " + round);
                }
            }
            System.out.println("the longest pause was " + longest + " ms");
            // Whatever waits for a lookup waits for two seconds.
            if (longest > 1000) {
                throw new AssertionError("a pause of " + longest + " ms");
            }
        }
        pool.shutdown();
    }

    /** A thread that does not keep the program from ending when a check has failed. */
    private static Thread daemon(Runnable task) {
        var thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    }

    private static boolean isFound(String name) {
        try {
            return InetAddress.getAllByName(name).length > 0;
        } catch (UnknownHostException unknown) {
            return false;
        }
    }

    /** Until the lookups have ended, does what makes the JVM stop threads. Returns the longest pause in milliseconds. */
    private static long disturb(List<Future<Boolean>> lookups) throws Exception {
        long longest = 0;
        while (!lookups.stream().allMatch(Future::isDone)) {
            long start = System.nanoTime();
            System.gc();
            ManagementFactory.getThreadMXBean().dumpAllThreads(true, true);
            interruptRead();
            longest = Math.max(longest, (System.nanoTime() - start) / 1_000_000);
        }
        return longest;
    }

    /** Closes a pipe while another thread waits for data from it. The JVM wakes the thread by a signal. */
    private static void interruptRead() throws Exception {
        var pipe = java.nio.channels.Pipe.open();
        var reader = new Thread(() -> {
            try {
                pipe.source().read(java.nio.ByteBuffer.allocate(1));
            } catch (java.io.IOException closed) {
                // As intended.
            }
        });
        reader.start();
        Thread.sleep(5);
        pipe.source().close();
        reader.join();
        pipe.sink().close();
    }
}
