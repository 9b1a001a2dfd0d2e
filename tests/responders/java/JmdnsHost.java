import java.net.InetAddress;
import javax.jmdns.JmDNS;

/**
 * Answers for a name and one address with jmdns: JmdnsHost NAME.local ADDRESS
 *
 * <p>Prints "ready" when it listens. It answers some seconds later, when the name has been probed and announced, until it
 * is killed.
 */
public final class JmdnsHost {
    private JmdnsHost() {}

    public static void main(String[] arguments) throws Exception {
        String name = arguments[0].replaceFirst("\\.local$", "");
        JmDNS jmdns = JmDNS.create(InetAddress.getByName(arguments[1]), name);
        System.out.println("ready");
        Thread.currentThread().join();
        jmdns.close();
    }
}
