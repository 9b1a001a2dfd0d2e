//! `nss-mdns hosts` reads `nsswitch.conf` as glibc does. The real glibc is asked: services that record their calls, and
//! thousands of random files.

use nss_mdns_command::nsswitch::{Action, Glibc, Reading, Status, read};
use std::ffi::CStr;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tests::guest::{self, Kind};
use tests::module;
use tests::private_root::Root;

/// The services that exist. What each returns is part of a case.
const RECORDERS: [&str; 3] = ["alpha", "beta", "gamma"];

/// How many random files are tried.
const RANDOM_FILES: usize = 4000;

/// A content of nsswitch.conf, and what each of the [`RECORDERS`] returns.
struct Case {
    file: Vec<u8>,
    statuses: [Status; 3],
}

/// The minor version in a text such as "2.36".
fn minor_version(version: &str) -> u32 {
    let minor = version.trim().split('.').nth(1).and_then(|minor| minor.parse().ok());
    minor.unwrap_or_else(|| panic!("{version:?} is no version of glibc"))
}

/// The minor version of this system's glibc.
fn own_version() -> u32 {
    // SAFETY: it returns a string that exists as long as the process.
    let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
    minor_version(&version.to_string_lossy())
}

fn parser(minor_version: u32) -> Glibc {
    if minor_version < 33 { Glibc::V2_31 } else { Glibc::V2_33 }
}

/// The calls that a version of glibc makes according to `nss-mdns`, in the notation of `tests/guests/hosts_line.c`.
fn expected(case: &Case, minor_version: u32) -> String {
    let line = match read(&case.file, parser(minor_version)) {
        Reading::Line(line) => line,
        Reading::Default => return String::new(),
        Reading::Broken(_) => return "!".into(),
    };
    if line.services.is_empty() {
        return "X".into();
    }
    let mut calls = String::new();
    for service in &line.services {
        let name = &case.file[service.name.clone()];
        let recorder = RECORDERS.iter().position(|recorder| recorder.as_bytes() == name);
        // A service without a library is unavailable.
        let status = recorder.map_or(Status::Unavail, |index| case.statuses[index]);
        calls.extend(recorder.map(|index| ["a", "b", "c"][index]));
        match service.actions.after(status) {
            Action::Continue => {}
            // getaddrinfo went on until 2.35.
            Action::Merge if minor_version < 36 => {}
            Action::Merge | Action::Return => break,
        }
    }
    calls
}

fn letter(status: Status) -> char {
    match status {
        Status::Success => 'S',
        Status::NotFound => 'N',
        Status::Unavail => 'U',
        Status::TryAgain => 'T',
    }
}

/// Compiles the recorders; returns their folder.
fn recorders() -> PathBuf {
    let source = module::workspace().join("tests/guests/nss_recorder.c");
    let folder = module::target().join("guests/recorders");
    for (index, service) in RECORDERS.iter().enumerate() {
        module::compile(&folder.join(format!("libnss_{service}.so.2")), |output| {
            let mut command = Command::new("cc");
            command.args(["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]);
            command.arg(format!("-DSERVICE={service}")).arg(format!("-DINDEX={index}"));
            command.arg(&source).arg("-o").arg(output);
            command
        })
        .expect("a C compiler");
    }
    folder
}

/// The input of `tests/guests/hosts_line.c`.
fn records(cases: &[Case]) -> Vec<u8> {
    let mut octets = Vec::new();
    for case in cases {
        let statuses: String = case.statuses.map(letter).iter().collect();
        octets.extend(format!("{} {statuses}\n", case.file.len()).bytes());
        octets.extend(&case.file);
        octets.push(b'\n');
    }
    octets
}

/// The calls that the real glibc makes for each case. `command` runs `tests/guests/hosts_line.c` in the root.
fn calls(root: &mut Root, cases: &[Case], command: &str) -> Vec<String> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = module::target().join("guests");
    // Nothing has been compiled there yet if only the programs in the roots of `tests/glibcs` are used.
    std::fs::create_dir_all(&folder).expect("the folder can be created");
    let input = folder.join(format!("cases-{}-{number}", std::process::id()));
    std::fs::write(&input, records(cases)).expect("the cases can be written");
    let output = root.ok(&format!("{command} <'{}'", input.display()));
    std::fs::remove_file(&input).expect("the cases can be removed");
    let calls: Vec<_> = output.lines().map(str::to_owned).collect();
    assert_eq!(calls.len(), cases.len(), "{output}");
    calls
}

/// The calls that this system's glibc makes.
fn own_calls(cases: &[Case]) -> Vec<String> {
    let program = guest::compile("hosts_line", Kind::Program).expect("a C compiler");
    let folder = recorders();
    let mut root = Root::new();
    root.ok(&format!("{NO_SERVER} >/etc/resolv.conf"));
    calls(&mut root, cases, &format!("LD_LIBRARY_PATH='{}' '{}'", folder.display(), program.display()))
}

/// So that the default line does not wait for DNS.
const NO_SERVER: &str = "rm -f /etc/resolv.conf; echo nameserver 127.0.0.1";

/// With an empty list, `getaddrinfo` reads memory that it has not set, and often crashes.
fn is_as_expected(calls: &str, expected: &str) -> bool {
    calls == expected || (expected == "X" && calls.is_empty())
}

fn compare(cases: &[Case], calls: &[String], minor_version: u32) {
    let mut differences = String::new();
    for (case, calls) in cases.iter().zip(calls) {
        let expected = expected(case, minor_version);
        if !is_as_expected(calls, &expected) {
            let file = case.file.escape_ascii();
            writeln!(differences, "\"{file}\", {:?}: glibc {calls:?}, nss-mdns {expected:?}", case.statuses)
                .expect("a String can be written to");
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// Each known oddity, with the calls if every service returns NOTFOUND: in glibc 2.31 and 2.32, and since 2.33.
#[rustfmt::skip]
const ODDITIES: &[(&str, &str, &str)] = &[
    ("hosts: alpha beta\n", "ab", "ab"),
    // The colon is optional.
    ("hosts alpha beta\n", "ab", "ab"),
    ("hosts\talpha\n", "a", "a"),
    ("hosts::alpha\n", "", "a"),
    ("hosts : alpha\n", "a", "a"),
    ("\t hosts: alpha\n", "a", "a"),
    // The last line takes effect, whatever it lacks.
    ("hosts: alpha\nhosts: beta\n", "b", "b"),
    ("hosts: alpha\nhosts beta\n", "b", "b"),
    ("hosts: alpha\nhosts:\n", "", "X"),
    ("hosts: alpha\nhosts\n", "a", "X"),
    ("hosts: alpha\nhosts: beta", "b", "a"),
    ("hosts: alpha\nhost: beta\nhostss: beta\nHOSTS: beta\n", "a", "a"),
    // Comments.
    ("#hosts: beta\nhosts: alpha\n # hosts: beta\n", "a", "a"),
    ("hosts: alpha # beta\n", "a", "ab"),
    ("hosts: alpha #beta\n", "a", "a"),
    ("hosts: alpha# beta\n", "a", "b"),
    // White space of all kinds, and none.
    ("hosts:\x0b\x0c\talpha \r\n", "a", "a"),
    ("hosts:alpha[NOTFOUND=continue]beta\n", "ab", "ab"),
    ("hosts: alpha\x0bbeta\x0cgamma\n", "abc", "abc"),
    // A NUL ends the line.
    ("hosts: alpha\0 beta\n", "a", "a"),
    ("hosts\0: alpha\n", "", ""),
    // A backslash continues nothing.
    ("hosts: alpha \\\n beta\n", "a", "a"),
    // Names are case-sensitive and may contain anything.
    ("hosts: Alpha beta] gamma\n", "c", "c"),
    ("hosts: alpha passwd: files beta\n", "ab", "ab"),
    // Actions are not case-sensitive, may be spread, and the last one for a status holds.
    ("hosts: alpha [notfound=RETURN] beta\n", "a", "a"),
    ("hosts: alpha [ NotFound = Return ] beta\n", "a", "a"),
    ("hosts: alpha [NOTFOUND=return NOTFOUND=continue] beta\n", "ab", "ab"),
    // The hosts database does not support merge: since 2.36 the search fails.
    ("hosts: alpha [NOTFOUND=merge] beta\n", "ab", "a"),
    ("hosts: alpha [!NOTFOUND=return] beta\n", "ab", "ab"),
    ("hosts: alpha [!SUCCESS=return] beta\n", "a", "a"),
    ("hosts: alpha [!UNAVAIL=return] beta\n", "a", "a"),
    ("hosts: alpha [!SUCCESS=return NOTFOUND=continue] beta\n", "ab", "ab"),
    ("hosts: omega [!UNAVAIL=return] beta\n", "b", "b"),
    ("hosts: omega [UNAVAIL=return] beta\n", "", ""),
    // A second pair of brackets, or one without a service, ends the list.
    ("hosts: alpha [SUCCESS=return] [NOTFOUND=continue] beta\n", "a", "a"),
    ("hosts: alpha [SUCCESS=return][NOTFOUND=continue] beta\n", "a", "a"),
    ("hosts: [NOTFOUND=return] alpha\n", "", "X"),
    // A mistake ends the list before its service; since 2.33 nothing of the file is read.
    ("hosts: alpha beta [NOTFOUND=stop] gamma\n", "a", "!"),
    ("hosts: alpha beta [NOTFOUND] gamma\n", "a", "!"),
    ("hosts: alpha beta [NOTFOUND=] gamma\n", "a", "!"),
    ("hosts: alpha beta [] gamma\n", "a", "!"),
    ("hosts: alpha beta [NOTFOUND=return gamma\n", "a", "!"),
    ("hosts: alpha beta [! NOTFOUND=return] gamma\n", "a", "!"),
    ("hosts: alpha beta [!!NOTFOUND=return] gamma\n", "a", "!"),
    ("hosts: alpha beta [NOTFOUND=return,SUCCESS=return] gamma\n", "a", "!"),
    ("hosts: alpha beta [UNKNOWN=return] gamma\n", "a", "!"),
    ("hosts: alpha [NOTFOUND=stop] beta\nhosts: gamma\n", "c", "!"),
    ("hosts: gamma\nservices: files [NOTFOUND=stop]\n", "c", "!"),
    ("hosts: gamma\nsudoers: files [NOTFOUND=stop]\nautomount: [\n", "c", "c"),
    // No hosts line at all.
    ("", "", ""),
    ("passwd: files\n", "", ""),
];

fn oddities() -> Vec<Case> {
    ODDITIES.iter().map(|(file, ..)| Case { file: (*file).into(), statuses: [Status::NotFound; 3] }).collect()
}

fn check_oddities(calls: &[String], minor_version: u32) {
    for (((file, old, new), case), calls) in ODDITIES.iter().zip(oddities()).zip(calls) {
        let documented = if parser(minor_version) == Glibc::V2_31 { old } else { new };
        assert_eq!(expected(&case, minor_version), *documented, "{file:?}");
        assert!(is_as_expected(calls, documented), "{file:?}: {calls:?}, not {documented:?}");
    }
}

#[test]
fn known_oddities_are_read_as_glibc_reads_them() {
    check_oddities(&own_calls(&oddities()), own_version());
}

#[test]
fn a_line_of_a_megabyte_is_read_to_its_end() {
    let filler = "omega ".repeat(200_000);
    let cases = [Case { file: format!("hosts: {filler}alpha\n").into(), statuses: [Status::NotFound; 3] }];
    compare(&cases, &own_calls(&cases), own_version());
}

/// SplitMix64 (Steele, Lea and Flood, 2014): enough for tests, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).expect("it is below a usize")
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }
}

fn random_spaces(random: &mut Random, least: usize) -> String {
    let count = least + random.below(2);
    (0..count).map(|_| random.pick(&[" ", " ", " ", "\t", "\r", "\x0b", "\x0c"])).collect()
}

fn random_case(random: &mut Random, word: &str) -> String {
    if random.one_in(2) { word.to_ascii_lowercase() } else { word.to_owned() }
}

fn random_actions(random: &mut Random) -> String {
    let mut text = String::from("[");
    for index in 0..=random.below(3) {
        text += &random_spaces(random, usize::from(index > 0));
        text += if random.one_in(4) { "!" } else { "" };
        let status = random.pick(&["SUCCESS", "NOTFOUND", "NOTFOUND", "UNAVAIL", "TRYAGAIN"]);
        text += &random_case(random, status);
        text += &[random_spaces(random, 0), "=".into(), random_spaces(random, 0)].concat();
        let action = random.pick(&["RETURN", "RETURN", "CONTINUE", "CONTINUE", "MERGE"]);
        text += &random_case(random, action);
    }
    text + &random_spaces(random, 0) + "]"
}

fn random_line(random: &mut Random) -> String {
    let mut line = random_spaces(random, 0);
    line += random.pick(&["hosts:", "hosts:", "hosts:", "hosts", "hosts :", "services: files", "sudoers:", "#"]);
    for _ in 0..random.below(5) {
        line += &random_spaces(random, 1);
        line += random.pick(&["alpha", "alpha", "beta", "beta", "gamma", "gamma", "omega", "#", ":"]);
        if random.one_in(2) {
            line += &random_spaces(random, 0);
            line += &random_actions(random);
        }
    }
    line + "\n"
}

/// A few lines, half of them damaged at a few places.
fn random_case_of(random: &mut Random) -> Case {
    let mut file: Vec<u8> = (0..=random.below(3)).flat_map(|_| random_line(random).into_bytes()).collect();
    if random.one_in(2) {
        for _ in 0..=random.below(3) {
            damage(random, &mut file);
        }
    }
    let statuses = [(); 3].map(|()| Status::ALL[random.below(4)]);
    Case { file, statuses }
}

fn damage(random: &mut Random, file: &mut Vec<u8>) {
    const OCTETS: &[u8] = b" \t\r\n\x0b\x0c\0[]!=:#\\/ahx\x80\xa0\xff";
    let place = random.below(file.len() + 1);
    let octet = OCTETS[random.below(OCTETS.len())];
    match random.below(3) {
        0 => file.insert(place, octet),
        1 if place < file.len() => file[place] = octet,
        _ if place < file.len() => drop(file.remove(place)),
        _ => {}
    }
}

/// `NSSWITCH_SEED=<number>` repeats a run.
fn random_cases() -> Vec<Case> {
    let seed = std::env::var("NSSWITCH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        let time = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970");
        u64::from(time.subsec_nanos()) ^ time.as_secs()
    });
    println!("NSSWITCH_SEED={seed}");
    let mut random = Random(seed);
    (0..RANDOM_FILES).map(|_| random_case_of(&mut random)).collect()
}

#[test]
fn random_lines_are_read_as_glibc_reads_them() {
    let cases = random_cases();
    let lengths = cases.iter().map(|case| expected(case, own_version()).len());
    let called_several = lengths.filter(|length| *length >= 2).count();
    assert!(called_several > RANDOM_FILES / 20, "only {called_several} files make glibc call several services");
    compare(&cases, &own_calls(&cases), own_version());
}

#[test]
#[ignore = "needs roots of other releases; tests/glibcs runs it"]
fn other_versions_of_glibc_read_the_lines_alike() {
    let folder = module::target().join("glibcs");
    let cases = random_cases();
    for release in std::env::var("RELEASES").expect("run tests/glibcs").split(' ') {
        let mut root = Root::new();
        root.ok(&format!(
            "mkdir /mnt/root /mnt/changes /mnt/scratch
             mount -t overlay -o lowerdir='{}',upperdir=/mnt/changes,workdir=/mnt/scratch overlay /mnt/root
             cp -r '{}' /mnt/root/programs; cd /mnt/root/etc; {NO_SERVER} >resolv.conf; echo root:x:0:0::/:/bin/sh >passwd",
            folder.join(release).display(),
            folder.join("programs").display(),
        ));
        let version = root.ok("chroot /mnt/root ldd --version | sed -n '1s/.* //p'");
        println!("{release}: glibc {version}");
        let version = minor_version(&version);
        let command = "LD_LIBRARY_PATH=/programs chroot /mnt/root /programs/hosts_line";
        check_oddities(&calls(&mut root, &oddities(), command), version);
        compare(&cases, &calls(&mut root, &cases, command), version);
    }
}
