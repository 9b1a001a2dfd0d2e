//! Programs in common languages, which call glibc in different ways, find the printer and connect to it. Tests with
//! getent, ping, curl and python are in `responders.rs`, those with Go in `go.rs`, those with a browser in
//! `chromium.rs`.

use std::sync::OnceLock;
use tests::clients::{office, saw, source};
use tests::deps::{library_path, unpacked};
use tests::lan::Host;
use tests::lookups::routable;
use tests::run::Daemon;
use tests::sandbox::unprivileged;
use tests::scenario::Scenario;

fn lan() -> &'static Scenario {
    static LAN: OnceLock<Result<Scenario, String>> = OnceLock::new();
    LAN.get_or_init(office).as_ref().unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn node_finds_the_printer() {
    let outcome = lan().client.run(&["node", &source("names.js").to_string_lossy(), "printer.local"]);
    saw(&outcome, &routable(&lan().printer));
}

#[test]
fn java_finds_the_printer() {
    let outcome = lan().client.run(&["java", &source("Names.java").to_string_lossy(), "printer.local"]);
    saw(&outcome, &routable(&lan().printer));
}

/// In the namespaces of an unprivileged user, sshd lacks the privileges that it needs for privilege separation: it
/// sends its version, but no login succeeds.
#[test]
fn ssh_logs_in_to_the_printer() -> Result<(), String> {
    let (client, printer) = (&lan().client, &lan().printer);
    client.script("mkdir -p /run/ssh; ssh-keygen -q -t ed25519 -N '' -f /run/ssh/key")?;
    let own_key = client.script("cat /run/ssh/key.pub")?;
    let (_sshd, host_key) = sshd(printer, &own_key)?;
    client.write("/run/ssh/known", &format!("printer.local {host_key}"))?;
    let options = "-v -F none -i /run/ssh/key -o BatchMode=yes -o UserKnownHostsFile=/run/ssh/known";
    let words: Vec<_> =
        ["ssh"].into_iter().chain(options.split(' ')).chain(["root@printer.local", "hostname"]).collect();
    let outcome = client.run(&words);
    let reached =
        |address: &String| outcome.stderr.contains(&format!("Connecting to printer.local [{address}] port 22"));
    assert!(routable(printer).iter().any(reached), "{outcome:?}");
    assert!(outcome.stderr.contains("remote software version OpenSSH"), "{outcome:?}");
    if !unprivileged() {
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "printer\n"), "{outcome:?}");
    }
    Ok(())
}

/// Starts OpenSSH's server, which accepts logins with the `authorized` key. Returns the server and its host key.
fn sshd(host: &Host, authorized: &str) -> Result<(Daemon, String), String> {
    let mut config = "HostKey /run/ssh/host\nAuthorizedKeysFile /run/ssh/authorized\nPidFile none\n\
                      StrictModes no\nUsePAM no\nUseDNS no\nPermitRootLogin prohibit-password\n"
        .to_owned();
    // Newer servers start these programs. Older ones have neither, and reject the keywords.
    for (keyword, program) in [("SshdSessionPath", "sshd-session"), ("SshdAuthPath", "sshd-auth")] {
        if let Ok(path) = unpacked(&format!("usr/lib/openssh/{program}")) {
            config.push_str(&format!("{keyword} {}\n", path.display()));
        }
    }
    host.write("/run/ssh/config", &config)?;
    host.write("/run/ssh/authorized", authorized)?;
    if !unprivileged() {
        // On some systems root's account is locked, and sshd then rejects logins by key as well.
        host.write("/etc/shadow", "root:*:19000:0:99999:7:::\n")?;
    }
    host.script("mkdir -p /run/sshd; chmod 755 /run/sshd; ssh-keygen -q -t ed25519 -N '' -f /run/ssh/host")?;
    let mut command = host.command("env");
    command.arg(format!("LD_LIBRARY_PATH={}", library_path())).arg(unpacked("usr/sbin/sshd")?);
    command.args(["-D", "-e", "-f", "/run/ssh/config"]);
    let daemon = host.daemon("sshd", command)?;
    daemon.wait_for("Server listening on", std::time::Duration::from_secs(10))?;
    Ok((daemon, host.script("cat /run/ssh/host.pub")?))
}
