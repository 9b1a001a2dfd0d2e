import java.net.InetAddress;
import java.net.URL;

/** Names NAME: prints the addresses of a host, one per line, and then the page that it serves. */
public class Names {
    public static void main(String[] arguments) throws Exception {
        for (InetAddress address : InetAddress.getAllByName(arguments[0])) {
            System.out.println(address.getHostAddress());
        }
        try (var page = new URL("http://" + arguments[0] + "/").openStream()) {
            page.transferTo(System.out);
        }
    }
}
