//! The daemons on this machine that take part in the lookup of hosts, or that use multicast DNS themselves.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;

use resolver_core::config::Config;
use resolver_core::wire::MDNS_PORT;

use super::report::{Level, Report};
use super::story::enumerate;

/// Reports the daemons.
///
/// # Errors
/// Those of writing.
pub(crate) fn tell<W: Write>(config: &Config, report: &mut Report<W>) -> io::Result<()> {
    let mut is_any = false;
    if answers(&["/run/nscd/socket", "/var/run/nscd/socket"]) {
        is_any = true;
        let text = "nscd answers the programs' lookups: it caches answers, asks the services with the hosts line and the \
                    module that it loaded when it started, and drops the interface of link-local addresses";
        report.finding("daemons", Level::Note, text.into(), Some("sudo systemctl restart nscd".into()))?;
    }
    if answers(&["/run/avahi-daemon/socket"]) {
        is_any = true;
        let text = match config.daemon {
            true => "avahi-daemon runs: lookups ask it too if nobody responds at once",
            false => "avahi-daemon runs: lookups do not ask it, because daemon = off",
        };
        report.good("daemons", text)?;
    }
    if answers(&["/run/systemd/resolve/io.systemd.Resolve"]) {
        is_any = true;
        report.good("daemons", "systemd-resolved runs: lookups do not ask it; the service resolve would")?;
    }
    let users = users_of_port();
    if let Some(users) = users.as_ref().filter(|users| !users.is_empty()) {
        is_any = true;
        let users = enumerate(users.iter().cloned());
        report.good("daemons", format!("UDP port {MDNS_PORT} is open in processes of {users}"))?;
    }
    match (is_any, users) {
        (true, _) => Ok(()),
        (false, Some(_)) => {
            report.good("daemons", format!("no daemon answers lookups, and no process uses UDP port {MDNS_PORT}"))
        }
        (false, None) => report.good("daemons", "no daemon answers lookups; /proc/net/udp cannot be read"),
    }
}

/// True if a daemon accepts connections to one of these sockets.
fn answers(paths: &[&str]) -> bool {
    paths.iter().any(|path| UnixStream::connect(path).is_ok())
}

/// The users whose processes have a UDP socket on port 5353; None if that cannot be read.
fn users_of_port() -> Option<BTreeSet<String>> {
    // A kernel without IPv6 has no second table.
    let tables = [fs::read_to_string("/proc/net/udp").ok()?, fs::read_to_string("/proc/net/udp6").unwrap_or_default()];
    let accounts = fs::read("/etc/passwd").unwrap_or_default();
    let accounts = String::from_utf8_lossy(&accounts);
    Some(tables.iter().flat_map(|table| uids_on_port(table)).map(|uid| account(&accounts, uid)).collect())
}

/// The user ids of the sockets on port 5353 in a table such as `/proc/net/udp` (proc(5)).
fn uids_on_port(table: &str) -> impl Iterator<Item = u32> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace();
        let (_, port) = fields.nth(1)?.split_once(':')?;
        let uid = fields.nth(5)?.parse().ok()?;
        (u16::from_str_radix(port, 16) == Ok(MDNS_PORT)).then_some(uid)
    })
}

/// The name of a user in the text of `/etc/passwd`, or the number.
fn account(accounts: &str, uid: u32) -> String {
    let name = accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    name.unwrap_or_else(|| format!("user {uid}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_of_the_port_are_read() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
            \x20 123: 00000000:14E9 00000000:0000 07 00000000:00000000 00:00000000 00000000   110        0 20101 2 0000 0\n\
            \x20 124: 0100007F:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000   101        0 20102 2 0000 0\n";
        assert_eq!(uids_on_port(table).collect::<Vec<_>>(), [110]);
        assert_eq!(account("root:x:0:0::/:/bin/sh\navahi:x:110:115::/:/bin/false\n", 110), "avahi");
        assert_eq!(account("", 110), "user 110");
    }
}
