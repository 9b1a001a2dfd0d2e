//! Hosts with many interfaces: which are queried, how many packets and descriptors a lookup takes, and what is left to the
//! program.

use tests::lan::{Families, Host, Lan, Network};
use tests::lookups::{all, found, python, python_getaddrinfo, routable};
use tests::module::path;
use tests::responders::scripted;
use tests::run::Daemon;

type Tested = Result<(), String>;

/// A client whose first interface to the LAN of the printer comes after many others.
struct Lans {
    _daemons: Vec<Daemon>,
    printer: Host,
    client: Host,
    _lan: Lan,
    _network: Network,
}

/// Starts the printer with these options, and adds other interfaces to the client before it is connected to the LAN.
fn behind(options: &[&str], add: impl FnOnce(&Host) -> Tested) -> Result<Lans, String> {
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    let daemon = scripted(&printer, "printer.local", options)?;
    let mut client = network.client("client", &[])?;
    add(&client)?;
    network.attach(&mut client, &lan)?;
    Ok(Lans { _daemons: vec![daemon], printer, client, _lan: lan, _network: network })
}

/// Adds interfaces like those that Calico adds for containers: up, with a link-local IPv6 address only.
fn add_calico(client: &Host, pairs: usize) -> Tested {
    let names: String =
        (0..pairs).map(|number| format!("link add cali{number} type veth peer name peer{number}\n")).collect();
    let up: String = (0..pairs).map(|number| format!("link set cali{number} up\nlink set peer{number} up\n")).collect();
    client.write("/run/host/links", &(names + &up))?;
    let addresses = 2 * pairs;
    client
        .script(&format!(
            "ip -batch /run/host/links
             until [ \"$(ip -o -6 address show scope link -tentative | grep -c 'cali\\|peer')\" -ge {addresses} ]; do
                 sleep 0.05
             done"
        ))
        .map(drop)
}

#[test]
fn an_interface_with_a_routable_address_is_queried_before_many_without() -> Tested {
    let lans = behind(&[], |client| add_calico(client, 25))?;
    let outcome = lans.client.run(&["getent", "ahosts", "printer.local"]);
    assert_eq!(found(&outcome), all(&lans.printer, lans.client.eth0()), "{outcome:?}");
    Ok(())
}

#[test]
fn the_lan_is_queried_before_the_bridges_of_containers() -> Tested {
    // First by what the interface is, then by the default route.
    let lans = behind(&["--unicast", "never"], |client| client.add_container_bridges(40))?;
    let is_found = || {
        let outcome = python_getaddrinfo(&lans.client, "printer.local");
        assert!(found(&outcome).is_superset(&routable(&lans.printer)), "{outcome:?}");
    };
    is_found();
    let v4 = lans.client.eth0().v4.ok_or("no IPv4")?;
    lans.client.script(&format!(
        "ip link add lan type bridge mcast_snooping 0
         ip address del {v4}/24 dev eth0
         ip link set eth0 master lan
         ip link set lan up
         ip address add {v4}/24 dev lan
         ip route add default via 10.77.1.200
         until ip -o link show lan | grep -q LOWER_UP; do sleep 0.05; done"
    ))?;
    is_found();
    Ok(())
}

#[test]
fn multicast_responses_are_received_on_more_interfaces_than_one_socket_can_join() -> Tested {
    // The kernel lets one socket be a member on 20 interfaces over IPv4, and binds one to a single interface over IPv6.
    for transport in ["4", "6"] {
        let options = ["--unicast", "never", "--only-over", transport];
        let add = |client: &Host| {
            add_calico(client, 24)?;
            let add = |number| format!("address add 172.16.{number}.1/24 dev cali{number}\n");
            client.write("/run/host/addresses", &(0..24).map(add).collect::<String>())?;
            client.script("ip -batch /run/host/addresses").map(drop)
        };
        let lans = behind(&options, add)?;
        let outcome = python_getaddrinfo(&lans.client, "printer.local");
        assert!(found(&outcome).is_superset(&routable(&lans.printer)), "over IPv{transport}: {outcome:?}");
    }
    Ok(())
}

/// Looks up a name that nobody has and meanwhile, once the sockets are open, prints how many more descriptors there are
/// than before, and how many files could be opened.
const DESCRIPTORS: &str = "
import os, resource, socket, sys, threading, time
limit, left = int(sys.argv[1]), int(sys.argv[2])
try:
    socket.getaddrinfo('first.local', 80)
except OSError:
    pass
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
kept = []
count = lambda: len(os.listdir('/proc/self/fd'))
while limit - count() > left:
    kept.append(os.open('/dev/null', os.O_RDONLY))
before = count()
def look_up():
    try:
        socket.getaddrinfo('second.local', 80)
    except OSError:
        pass
thread = threading.Thread(target=look_up)
thread.start()
most = before
opened = []
end = time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        most = max(most, count())
        if len(opened) < 10:
            opened.append(os.open('/dev/null', os.O_RDONLY))
            before += 1
            most += 1
    except OSError as error:
        print('failed', error)
        break
    time.sleep(0.02)
print(most - before, len(opened))
thread.join()
";

/// How many descriptors a lookup took, and how many files the program could open meanwhile, with this limit and so many
/// descriptors left.
fn descriptors(client: &Host, limit: u32, left: u32) -> Result<(usize, usize), String> {
    client.write("/etc/nss-mdns.conf", "timeout = 1500\ndaemon = off\n")?;
    let outcome = python(client, DESCRIPTORS, &[&limit.to_string(), &left.to_string()]);
    let numbers: Vec<_> = outcome.stdout.split_whitespace().map(str::parse).collect();
    match numbers.as_slice() {
        [Ok(taken), Ok(opened)] => Ok((*taken, *opened)),
        _ => Err(format!("{outcome:?}")),
    }
}

#[test]
fn the_number_of_descriptors_is_bounded_and_some_are_left_to_the_program() -> Tested {
    let lans = behind(&[], |client| client.add_container_bridges(40))?;
    let (taken, opened) = descriptors(&lans.client, 1024, 900)?;
    assert_eq!(taken, 5, "a socket for queries and a multicast listener of each family, and one for pending signals");
    assert_eq!(opened, 10);
    // Near the limit, the lookup works without multicast listeners.
    let (taken, opened) = descriptors(&lans.client, 60, 16)?;
    assert_eq!((taken, opened), (3, 10));
    Ok(())
}

#[test]
fn retransmissions_on_many_interfaces_are_limited() -> Tested {
    let lans = behind(&[], |client| add_calico(client, 20))?;
    lans.client.firewall(
        "table inet counted {
            chain output {
                type filter hook output priority 0
                udp dport 5353 counter
            }
        }",
    )?;
    lans.client.write("/etc/nss-mdns.conf", "neighbours = off\n")?;
    let outcome = lans.client.run(&["getent", "ahosts", "nobody.local"]);
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    let counted =
        lans.client.script("nft list table inet counted | sed -n 's/.*counter packets \\([0-9]*\\).*/\\1/p'")?;
    let packets: usize = counted.trim().parse().map_err(|_| counted)?;
    // 21 on the LAN: three questions, and each in two ways in the three repeats. Without IPv4, two questions: 14 packets
    // on the next seven interfaces, and six on nine others, where they are repeated only once.
    assert_eq!(packets, 21 + 7 * 14 + 9 * 6);
    Ok(())
}

#[test]
fn the_check_tests_the_listeners_that_a_lookup_has() -> Tested {
    let lans = behind(&[], |client| {
        client.script("echo 2 >/proc/sys/net/ipv4/igmp_max_memberships")?;
        client.add_container_bridges(5)
    })?;
    let program = path()?.with_file_name("nss-mdns");
    let outcome = lans.client.run(&[&program.to_string_lossy(), "check"]);
    let over_v4 =
        |text: &str| outcome.stdout.lines().filter(|line| line.contains("over IPv4") && line.contains(text)).count();
    // Two listeners are members on two interfaces each.
    assert_eq!(over_v4("queries to UDP port 5353 are admitted"), 4, "{outcome:?}");
    assert_eq!(over_v4("problem: over IPv4, not tested: there is no multicast listener"), 2, "{outcome:?}");
    Ok(())
}
