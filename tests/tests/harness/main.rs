//! The harness itself: its LANs carry packets, its responders answer a bare query, and it leaves no process behind.

mod firewalls;
mod wifi;

use std::time::Duration;
use tests::helpers::{binary, capture, query};
use tests::lan::{Families, Network};
use tests::responders::{avahi, scripted, zeroconf};

/// The answers to a bare query, without the line that shows the elapsed time.
fn answers(outcome: &tests::run::Outcome) -> Vec<&str> {
    outcome.stdout.lines().filter(|line| !line.starts_with("after ")).collect()
}

fn responder_answers(start: fn(&tests::lan::Host) -> Result<tests::run::Daemon, String>) -> Result<(), String> {
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    let client = network.host("client", &[&lan])?;
    let _daemon = start(&printer)?;
    let v4 = printer.eth0().v4.ok_or("no IPv4")?.to_string();
    let v6 = printer.eth0().v6.ok_or("no IPv6")?.to_string();
    let outcome = query(&client, "printer.local", "a");
    assert!(answers(&outcome).contains(&v4.as_str()), "{outcome:?}");
    let outcome = query(&client, "printer.local", "aaaa");
    assert!(answers(&outcome).contains(&v6.as_str()), "{outcome:?}");
    assert_eq!(query(&client, "nobody.local", "a").code, Some(1));
    Ok(())
}

#[test]
fn avahi_answers_a_bare_query() -> Result<(), String> {
    responder_answers(|host| avahi(host, "printer"))
}

#[test]
fn zeroconf_answers_a_bare_query() -> Result<(), String> {
    responder_answers(|host| zeroconf(host, "printer"))
}

#[test]
fn the_scripted_responder_answers_a_bare_query() -> Result<(), String> {
    responder_answers(|host| scripted(host, "printer.local", &[]))
}

#[test]
fn the_scripted_responder_answers_a_reverse_lookup() -> Result<(), String> {
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    let client = network.host("client", &[&lan])?;
    let _daemon = scripted(&printer, "printer.local", &[])?;
    let name = tests::wire::reverse_name(printer.eth0().v4.ok_or("no IPv4")?.into());
    assert_eq!(answers(&query(&client, &name, "ptr")), ["printer.local"]);
    Ok(())
}

#[test]
fn a_capture_contains_a_query_and_its_response() -> Result<(), String> {
    let network = Network::new()?;
    let lan = network.lan(Families::V4)?;
    let printer = network.host("printer", &[&lan])?;
    let client = network.host("client", &[&lan])?;
    let _daemon = scripted(&printer, "printer.local", &[])?;
    let capture = capture(&client, "eth0")?;
    query(&client, "printer.local", "a");
    assert_eq!(capture.to_group().len(), 1, "{:?}", capture.packets());
    assert_eq!(capture.packets().len(), 2, "{:?}", capture.packets());
    Ok(())
}

/// Makes a folder with everything of the root folder in it, and runs a program with it as its root folder.
const IN_PLAIN_CHROOT: &str = "
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/root
    for entry in /*; do
        [ $entry != /mnt ] || continue
        if [ -L $entry ]; then cp -P $entry /mnt/root; elif [ -d $entry ]; then
            mkdir /mnt/root$entry
            mount --rbind $entry /mnt/root$entry
        fi
    done
    exec chroot /mnt/root \"$@\"";

#[test]
fn the_demonstration_reports_a_plain_chroot() -> Result<(), String> {
    let mut command = std::process::Command::new("unshare");
    if tests::sandbox::unprivileged() {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--mount", "sh", "-euc", IN_PLAIN_CHROOT, "sh"]).arg(binary("try_it")?);
    command.env("PATH", tests::sandbox::path()).env("NSS_MDNS_MODULE", tests::module::path()?);
    let outcome = tests::run::run(command, Duration::from_secs(20))?;
    assert!(outcome.stderr.contains("in a chroot whose root folder is not a mount point"), "{outcome:?}");
    Ok(())
}

/// A signal that this process ignores until the value is dropped.
struct Ignored {
    signal: libc::c_int,
    before: libc::sighandler_t,
}

impl Ignored {
    fn new(signal: libc::c_int) -> Ignored {
        // SAFETY: ignoring a signal needs no handler.
        Ignored { signal, before: unsafe { libc::signal(signal, libc::SIG_IGN) } }
    }
}

impl Drop for Ignored {
    fn drop(&mut self) {
        // SAFETY: restores what signal(2) returned.
        unsafe { libc::signal(self.signal, self.before) };
    }
}

/// As under `nohup`, and in the background of a shell script.
#[test]
fn commands_do_not_inherit_ignored_signals() -> Result<(), String> {
    let _ignored = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT].map(Ignored::new);
    let network = Network::new()?;
    let client = network.host("client", &[&network.lan(Families::V4)?])?;
    let mut root = tests::private_root::Root::new();
    for signal in ["HUP", "INT", "QUIT"] {
        let script = format!("exec 2>/dev/null; ulimit -c 0; sh -c 'kill -{signal} $$; echo ignored' || :");
        assert_eq!(client.script(&script)?.trim(), "", "{signal}");
        assert_eq!(root.run(&script).out.trim(), "", "{signal}");
    }
    Ok(())
}

#[test]
fn a_dropped_network_leaves_no_process_behind() -> Result<(), String> {
    let network = Network::new()?;
    let lan = network.lan(Families::Both)?;
    let printer = network.host("printer", &[&lan])?;
    // A process in a new session outlives its parent. Only the end of the namespaces kills it.
    let mark = 100_000 + std::process::id();
    printer.script(&format!("setsid sleep {mark} >/dev/null 2>&1 </dev/null &"))?;
    let running = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let command = |entry: std::fs::DirEntry| std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let wanted = format!("sleep\0{mark}\0");
        processes.map(command).filter(|line| *line == wanted.as_bytes()).count()
    };
    let becomes = |count| {
        (0..200).any(|_| {
            let reached = running() == count;
            if !reached {
                std::thread::sleep(Duration::from_millis(10));
            }
            reached
        })
    };
    assert!(becomes(1));
    drop((printer, lan, network));
    assert!(becomes(0));
    Ok(())
}
