//! The interface to glibc: every function of every service, with buffers of every size; and every outcome through glibc
//! itself.

use tests::deps::unpacked;
use tests::guest::{Kind, ProgramLan, compile, module_that_panics};
use tests::sandbox::unprivileged;

type Tested = Result<(), String>;

#[test]
fn every_function_conforms_to_its_interface() -> Tested {
    let lan = ProgramLan::new()?;
    let index = lan.client.eth0().index.to_string();
    lan.run_program("abi", &[&index])?;
    lan.client.write("/etc/nss-mdns.conf", "labels = any\n")?;
    lan.run_program("abi", &[&index, "any"]).map(drop)
}

/// The content of `/etc/hosts`, for the service `files`, which follows the module on the hosts line: everything that
/// the module does not find.
const FILES: &str = "\
127.9.9.9 nobody.local\nfd99::9 nobody.local\n127.9.9.9 a..local\nfd99::9 a..local\n\
127.9.9.9 host.example\nfd99::9 host.example\nfd99::9 many1-outcomes.local\n\
127.9.9.9 failing.local\nfd99::9 failing.local\n\
fe80::dead files.example\nfe80::f files.example\n10.1.2.3 files.example\n";

/// Four hosts lines: the module as the last service, in front of a service that answers, and with two kinds of actions.
/// The letters say who answers if the module returns NOTFOUND, UNAVAIL and TRYAGAIN, in this order: the service `files`
/// (F) or nobody (N).
const LINES: [[&str; 4]; 4] = [
    ["N", "N", "N", "mdns_minimal"],
    ["F", "F", "F", "mdns_minimal files"],
    ["N", "F", "F", "mdns_minimal [NOTFOUND=return] files"],
    ["N", "F", "N", "mdns_minimal [!UNAVAIL=return] files"],
];

fn outcomes(lan: &ProgramLan, variables: &[(&str, String)], why: Option<&str>) -> Tested {
    lan.client.write("/etc/hosts", FILES)?;
    std::thread::scope(|scope| {
        let run = |line: [&str; 4]| {
            let arguments: Vec<_> = line.into_iter().chain(why).collect();
            lan.run_program_with(variables, "outcomes", &arguments)
        };
        let threads = LINES.map(|line| scope.spawn(move || run(line)));
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| "failed, see above")?.map(drop))
    })
}

#[test]
fn glibc_acts_on_every_outcome_as_the_hosts_line_says() -> Tested {
    outcomes(&ProgramLan::new()?, &[], None)
}

#[test]
fn glibc_acts_on_every_failure_as_the_hosts_line_says() -> Tested {
    let lan = ProgramLan::new()?;
    outcomes(&lan, &[], Some("none"))?;
    outcomes(&lan, &[], Some("refused"))?;
    lan.client.script("ip link set eth0 down")?;
    outcomes(&lan, &[], Some("down"))
}

#[test]
fn glibc_acts_on_a_panic_as_the_hosts_line_says() -> Tested {
    let lan = ProgramLan::new()?;
    let folder = lan.install(&module_that_panics()?)?;
    outcomes(&lan, &[("LD_LIBRARY_PATH", folder)], Some("panic"))
}

#[test]
fn a_static_program_finds_names() -> Tested {
    let lan = ProgramLan::new()?;
    let program = compile("plain", Kind::Static)?;
    let outcome = lan.run_with(&[], &[&program.to_string_lossy(), "0"])?;
    assert!(outcome.success(), "{outcome:?}");
    Ok(())
}

/// A set-user-id program, started by an unprivileged user. If an unprivileged user runs the tests, there is only one
/// user, and the program has no more privileges than its caller.
#[test]
fn a_set_user_id_program_finds_names() -> Tested {
    let lan = ProgramLan::new()?;
    let program = compile("plain", Kind::Program)?;
    lan.client.script(&format!("cp {} /run/plain; chmod 4755 /run/plain", program.display()))?;
    let outcome = if unprivileged() {
        lan.run_with(&[], &["/run/plain", "0"])?
    } else {
        lan.run_with(&[], &["setpriv", "--reuid=65534", "--clear-groups", "/run/plain", "1"])?
    };
    assert!(outcome.success(), "{outcome:?}");
    Ok(())
}

/// Unlike getaddrinfo, nscd passes its own first `gaih_addrtuple`, and requests TTLs.
#[test]
fn nscd_finds_names() -> Tested {
    let lan = ProgramLan::new()?;
    let settings = "enable-cache hosts yes\npersistent hosts no\ncheck-files hosts no\nenable-cache passwd no\n";
    lan.client.write("/run/nscd/nscd.conf", settings)?;
    let mut command = lan.client.command(unpacked("usr/sbin/nscd")?);
    command.args(["--foreground", "--config-file", "/run/nscd/nscd.conf"]);
    let _nscd = lan.client.daemon("nscd", command)?;
    lan.client.script("for try in $(seq 100); do [ -S /run/nscd/socket ] && exit; sleep 0.05; done; exit 1")?;
    lan.run_program("behind_nscd", &[]).map(drop)
}
