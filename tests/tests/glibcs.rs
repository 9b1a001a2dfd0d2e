//! The C programs of `tests/guests` with other versions of glibc, in the roots that `tests/glibcs` has fetched.

use std::path::{Path, PathBuf};
use tests::guest::ProgramLan;
use tests::module::{self, SERVICES, file_name, target};

type Tested = Result<(), String>;

/// Programs that test the interface, and those that endanger a lookup. Some of them run for less time than in
/// `guests.rs`. `INDEX` is the index of the client's interface.
const PROGRAMS: [&[&str]; 40] = [
    &["abi", "INDEX"],
    &["outcomes", "N", "N", "N", "mdns_minimal"],
    &["outcomes", "N", "F", "F", "mdns_minimal [NOTFOUND=return] files"],
    &["plain", "0"],
    &["namespaces"],
    &["clock"],
    &["faults"],
    &["flood", "1000"],
    &["pending"],
    &["prompt", "8"],
    &["stopped", "5"],
    &["uring"],
    &["asynchronous"],
    &["cancel"],
    &["contended", "8", "1"],
    &["descriptors", "stdio"],
    &["descriptors", "closed"],
    &["descriptors", "reused"],
    &["descriptors", "many"],
    &["descriptors", "none"],
    &["fork_inside"],
    &["forks", "4", "200"],
    &["handlers", "fork"],
    &["handlers", "long"],
    &["handlers", "mask"],
    &["handlers", "nested"],
    &["handlers", "queue"],
    &["handlers", "raise"],
    &["leave", "cancel"],
    &["leave", "exit"],
    &["leave", "jump"],
    &["lookups", "20000", "1000"],
    &["manners"],
    &["memory"],
    &["reenter"],
    &["reload"],
    &["sandbox"],
    &["sanitized"],
    &["stack"],
    &["storm"],
];

/// The content of `/etc/hosts` for `outcomes`: addresses for the names that the module may leave to the service `files`.
const HOSTS_OF_OUTCOMES: &str = "\
127.9.9.9 nobody.local\nfd99::9 nobody.local\n127.9.9.9 a..local\nfd99::9 a..local\n\
127.9.9.9 host.example\nfd99::9 host.example\nfd99::9 many1-outcomes.local\n\
127.9.9.9 failing.local\nfd99::9 failing.local\n\
fe80::dead files.example\nfe80::f files.example\n10.1.2.3 files.example\n";

/// The content of `/etc/hosts` for all others. `reenter` looks up this name.
const HOSTS: &str = "127.9.9.9 inner-file.local\n";

fn folder() -> PathBuf {
    target().join("glibcs")
}

fn releases() -> Result<Vec<String>, String> {
    let names = std::env::var("RELEASES").map_err(|_| "run tests/glibcs".to_owned())?;
    Ok(names.split(' ').map(str::to_owned).collect())
}

/// Mounts a copy of a root in the client, with this module, and with the settings of the client.
fn mount_root(lan: &ProgramLan, release: &str, module: &Path) -> Tested {
    let root = folder().join(release);
    let [first, others @ ..] = &SERVICES;
    let (file, others) = (file_name(first), (*others).map(file_name).join(" "));
    lan.client.script(&format!(
        "mkdir -p /run/root /run/upper /run/work
        mount -t overlay -o lowerdir={root},upperdir=/run/upper,workdir=/run/work overlay /run/root
        mount -t proc proc /run/root/proc || {{ mkdir -p /run/root/proc; mount -t proc proc /run/root/proc; }}
        cd /run/root/etc
        cp /etc/nsswitch.conf /etc/nss-mdns.conf /etc/resolv.conf .
        cp -r {programs} /run/root/programs
        library=$(dirname $(find /run/root/lib/ /run/root/usr/lib/ -name libc.so.6 | head -n 1))
        cp {module} $library/{file}
        for name in {others}; do ln -s {file} $library/$name; done",
        root = root.display(),
        programs = folder().join("programs").display(),
        module = module.display(),
    ))?;
    Ok(())
}

fn run(lan: &ProgramLan, words: &[&str]) -> Tested {
    let hosts = if words[0] == "outcomes" { HOSTS_OF_OUTCOMES } else { HOSTS };
    lan.client.write("/run/root/etc/hosts", hosts)?;
    let index = lan.client.eth0().index.to_string();
    let program = format!("/programs/{}", words[0]);
    let arguments = words[1..].iter().map(|&word| if word == "INDEX" { index.as_str() } else { word });
    let command: Vec<&str> = ["chroot", "/run/root", &program].into_iter().chain(arguments).collect();
    // Before glibc 2.34, its own libraries resolve symbols at the first call, which takes 2 KiB of stack once.
    let variables: &[_] = if words[0] == "stack" { &[("LD_BIND_NOW", "1".into())] } else { &[] };
    let outcome = lan.run_with(variables, &command)?;
    println!("  {}: {}{}", words.join(" "), outcome.stdout.trim(), outcome.stderr.trim());
    if outcome.success() && outcome.stderr.is_empty() { Ok(()) } else { Err(format!("{words:?}: {outcome:?}")) }
}

/// The version of glibc in a root, such as 2.31.
fn version(lan: &ProgramLan) -> Result<String, String> {
    let text = lan.client.script("chroot /run/root ldd --version")?;
    Ok(text.lines().next().and_then(|line| line.split(' ').next_back()).unwrap_or_default().to_owned())
}

#[test]
#[ignore = "needs roots of other releases; tests/glibcs runs it"]
fn the_module_works_with_other_versions_of_glibc() -> Tested {
    let module = folder().join("module/release/libnss_mdns.so");
    let mut failures = Vec::new();
    for release in releases()? {
        for words in PROGRAMS {
            let lan = ProgramLan::new()?;
            mount_root(&lan, &release, &module)?;
            if words == PROGRAMS[0] {
                println!("{release}: glibc {}", version(&lan)?);
            }
            if let Err(why) = run(&lan, words) {
                failures.push(format!("{release}: {why}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
    Ok(())
}

/// A module needs the version of glibc with which it was built, or a newer one.
#[test]
#[ignore = "needs roots of other releases; tests/glibcs runs it"]
fn the_module_of_this_machine_works_with_newer_versions_of_glibc() -> Tested {
    let number = |version: &str| version.rsplit('.').next().and_then(|minor| minor.parse::<u32>().ok()).unwrap_or(0);
    for release in releases()? {
        let lan = ProgramLan::new()?;
        mount_root(&lan, &release, module::path()?)?;
        let own = lan.client.script("ldd --version")?;
        let own = own.lines().next().and_then(|line| line.split(' ').next_back()).unwrap_or_default();
        let version = version(&lan)?;
        if number(&version) >= number(own) {
            println!("{release}: glibc {version}, module built with {own}");
            run(&lan, &["abi", "INDEX"])?;
            run(&lan, &["plain", "0"])?;
        }
    }
    Ok(())
}
