//! The Debian package: built by its one command, then installed, used, upgraded and purged by the real dpkg on a whole
//! system, each test in a private root of its own, so that the machine stays as it was.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use tests::module::workspace;
use tests::root::{Done, Root, assert_same, library_folder};

const CONF: &str = "/etc/nsswitch.conf";
const BEFORE: &str = "# the administrator's own\nhosts:          files dns # as ever\nnetworks:       files\n";
const AFTER: &str = "# the administrator's own\nhosts:          files mdns_minimal [NOTFOUND=return] dns # as ever\nnetworks:       files\n";
const NAME: &str = "libnss-mdns-nodaemon";

/// Every file and folder but what dpkg and apt keep of their own work, and without the time of nsswitch.conf.
const SNAPSHOT: &str = r"snapshot | grep -v -E '/var/lib/(dpkg/(status|available|info)|apt)' |
    sed -E '\,/etc/nsswitch\.conf f ,s/ [0-9.]+ $//'";

/// Two interfaces that are each other's network, for the machine's own name to be asked on.
const LINK: &str = "ip link add lan0 type veth peer name lan1 && ip link set lan0 up && ip link set lan1 up &&
    ip addr add 192.0.2.7/24 dev lan0";

/// The package, built once for all tests here.
fn package() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        let output = Command::new(workspace().join("packaging/build-deb")).output().expect("build-deb starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let path = String::from_utf8(output.stdout).expect("a path");
        path.trim_end().to_owned()
    })
}

fn debian_package() -> PathBuf {
    tests::deps::package("libnss-mdns").expect("Debian's own package")
}

fn prepared(conf: &str) -> Root {
    let mut root = Root::new();
    root.write(CONF, conf);
    // The index of all manual pages takes longer than everything else.
    root.ok("file=/var/lib/dpkg/triggers/File; [ ! -e $file ] || sed -i '/ man-db/d' $file");
    root
}

/// Installs the package; what it says on standard error.
#[track_caller]
fn install(root: &mut Root) -> String {
    let done = root.run(&format!("dpkg --install {}", package()));
    assert_eq!(done.status, 0, "{done:?}");
    done.err
}

#[track_caller]
fn install_debians(root: &mut Root) {
    root.ok(&format!("dpkg --install {}", debian_package().display()));
}

#[track_caller]
fn purge(root: &mut Root) {
    root.ok(&format!("dpkg --purge {NAME}"));
    assert_eq!(
        root.ok(&format!("dpkg-query --show {NAME} 2>&1; true")),
        format!("dpkg-query: no packages found matching {NAME}\n")
    );
}

/// A copy of a package whose control data and files a script has changed in the folder `it`; its path.
#[track_caller]
fn changed(root: &mut Root, package: &str, name: &str, script: &str) -> String {
    root.ok(&format!(
        "cd /mnt && rm -rf it && dpkg-deb --raw-extract {package} it && {{ {script}\n}} &&
         dpkg-deb --root-owner-group -Znone --build it {name}.deb"
    ));
    format!("/mnt/{name}.deb")
}

/// The newer version that an upgrade is to.
#[track_caller]
fn newer(root: &mut Root) -> String {
    changed(
        root,
        package(),
        "newer",
        "sed -i 's/^Version: .*/Version: 999-1/' it/DEBIAN/control; printf newer >>it/usr/bin/nss-mdns-check",
    )
}

#[track_caller]
fn assert_the_six_are_ours(root: &mut Root) {
    root.ok("for name in mdns mdns4 mdns6 mdns_minimal mdns4_minimal mdns6_minimal; do
        cmp $MODULE $LIBDIR/libnss_$name.so.2 || exit 1; done");
}

#[track_caller]
fn assert_failed(done: &Done, sentence: &str) {
    assert_ne!(done.status, 0, "{done:?}");
    assert!(done.err.contains(sentence), "{sentence:?} is not in {:?}", done.err);
}

/// The paths in a package, without folders; compressed ones without `.gz`.
fn contents() -> Vec<String> {
    let output = Command::new("dpkg-deb").args(["--contents", package()]).output().expect("dpkg-deb");
    let listing = String::from_utf8(output.stdout).expect("names");
    let files = listing.lines().filter(|line| !line.starts_with('d')).filter_map(|line| line.split_whitespace().nth(5));
    let mut files: Vec<_> = files.map(|file| file.trim_start_matches('.').trim_end_matches(".gz").to_owned()).collect();
    files.sort();
    files
}

#[test]
fn it_holds_what_every_package_holds() {
    let libdir = library_folder();
    let multiarch = libdir.rsplit('/').next().expect("a folder");
    // As the C library's own package spells the folder.
    let spelling = String::from_utf8(
        Command::new("dpkg-query")
            .args(["--search", &format!("*/{multiarch}/libc.so.6")])
            .output()
            .expect("dpkg")
            .stdout,
    );
    let spelling = spelling.expect("names").trim_end().rsplit(": ").next().expect("a path").replace("/libc.so.6", "");
    let mut expected = tests::packages::expected(&spelling, &format!("/usr/share/doc/{NAME}"));
    expected.retain(|path| !path.ends_with("/CHANGELOG.md"));
    expected.extend([
        format!("/usr/lib/{multiarch}/nss-mdns-check"),
        format!("/usr/share/doc/{NAME}/changelog"),
        format!("/usr/share/doc/{NAME}/changelog.Debian"),
        format!("/usr/share/doc/{NAME}/copyright"),
        format!("/usr/share/lintian/overrides/{NAME}"),
    ]);
    expected.sort();
    assert_eq!(contents(), expected);
}

#[test]
fn lintian_has_nothing_to_say() {
    let output = Command::new("lintian").args(["--allow-root", "--no-cfg", package()]).output();
    let output = output.expect("lintian is installed: run tests/deps");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn it_is_installed_used_upgraded_and_gone_without_a_trace() {
    for removal in ["--remove", "--purge"] {
        let mut root = prepared(BEFORE);
        root.ok(LINK);
        root.ok(&format!("dpkg --install {} && dpkg --purge {NAME}", package()));
        root.write(CONF, BEFORE);
        let before = root.ok(SNAPSHOT);
        assert_eq!(install(&mut root), "");
        assert_eq!(root.read(CONF), AFTER);
        assert_the_six_are_ours(&mut root);
        assert_eq!(root.ok(&format!("dpkg --verify {NAME}")), "");
        assert!(root.ok("getent hosts workbench.local").contains("workbench.local"));
        root.run("nss-mdns-check");
        assert_ne!(root.run("nss-mdns-check --help").status, 127);
        assert!(root.ok("ldconfig -p").contains("libnss_mdns4_minimal.so.2 "));
        let newer = newer(&mut root);
        root.ok(&format!("dpkg --install {newer} && rm -r /mnt/it {newer}"));
        assert_eq!(root.read(CONF), AFTER, "an upgrade leaves the line");
        assert!(root.ok("getent hosts workbench.local").contains("workbench.local"));
        root.ok(&format!("dpkg {removal} {NAME}"));
        assert_same(&before, &root.ok(SNAPSHOT), removal);
        assert_eq!(root.read(CONF), BEFORE);
        assert_eq!(root.ok(&format!("dpkg-query --show {NAME} 2>/dev/null; true")), "", "nothing is left to purge");
        root.ok("[ ! -e /run/libnss-mdns-nodaemon ]");
    }
}

#[test]
fn where_dpkg_replaces_debians_package_its_line_is_taken_over() {
    let mut root = prepared(BEFORE);
    install_debians(&mut root);
    let theirs = BEFORE.replace("files dns", "files mdns4_minimal [NOTFOUND=return] dns");
    assert_eq!(root.read(CONF), theirs);
    let said = install(&mut root);
    assert_the_six_are_ours(&mut root);
    assert!(said.contains("libnss-mdns is removed but not purged"), "{said}");
    assert_eq!(root.read(CONF), theirs, "the line is what the administrator had");
    root.ok(LINK);
    assert!(root.ok("getent hosts workbench.local").contains("192.0.2.7"));
    purge(&mut root);
    assert_eq!(root.read(CONF), BEFORE, "with the package go the services that it took over");
}

/// apt that knows nothing of the network's packages, and keeps its files apart.
const APT: &str = "apt-get -y -o APT::Sandbox::User=root -o Dir::Cache=/mnt/apt -o Dir::Log=/mnt/apt \
    -o Dir::State=/mnt/apt -o Dir::State::status=/var/lib/dpkg/status";

/// apt removes the one first. With `--purge` it purges that at the very end, which takes the service off the line again.
#[test]
fn where_apt_replaces_debians_package_the_line_names_the_service() {
    for purge in ["", "--purge"] {
        let mut root = prepared(BEFORE);
        root.ok("mkdir -p /mnt/apt/lists/partial /mnt/apt/archives/partial");
        install_debians(&mut root);
        let done = root.run(&format!("{APT} {purge} install {}", package()));
        assert_eq!(done.status, 0, "{done:?}");
        assert_the_six_are_ours(&mut root);
        assert_eq!(root.read(CONF), AFTER);
        // apt gives the scripts a terminal, and shows what they say there.
        assert_eq!(done.out.contains("is removed but not purged"), purge.is_empty(), "{done:?}");
        let theirs = debian_package();
        let done = root.run(&format!("{APT} {purge} --no-install-recommends install {}", theirs.display()));
        assert_eq!(done.status, 0, "{done:?}");
        assert_eq!(root.read(CONF), AFTER.replace("mdns_minimal", "mdns4_minimal"));
        assert_eq!(root.ok("dpkg --verify libnss-mdns"), "");
        root.ok("dpkg --purge libnss-mdns");
        assert_eq!(root.read(CONF), BEFORE);
    }
}

#[test]
fn when_debians_package_was_removed_before_the_service_is_put_there() {
    let mut root = prepared(BEFORE);
    install_debians(&mut root);
    root.ok("dpkg --remove libnss-mdns");
    assert_eq!(root.read(CONF), BEFORE);
    install(&mut root);
    assert_eq!(root.read(CONF), AFTER);
    purge(&mut root);
    assert_eq!(root.read(CONF), BEFORE);
}

/// Debian's postrm cannot be kept from taking every mdns service off the line. The package has said so, knows the way back,
/// and takes it by itself when it is upgraded.
#[test]
fn after_a_later_purge_of_debians_package_the_service_comes_back() {
    let mut root = prepared(BEFORE);
    let newer = newer(&mut root);
    for way_back in
        [&format!("DEBIAN_FRONTEND=noninteractive dpkg-reconfigure {NAME}"), &format!("dpkg --install {newer}")]
    {
        root.write(CONF, BEFORE);
        install_debians(&mut root);
        let said = install(&mut root);
        assert!(said.contains("'dpkg-reconfigure libnss-mdns-nodaemon' then puts it there again"), "{said}");
        root.ok("dpkg --purge libnss-mdns");
        assert_the_six_are_ours(&mut root);
        assert_eq!(root.read(CONF), BEFORE);
        root.ok(way_back);
        assert_eq!(root.read(CONF), AFTER);
        root.write(CONF, BEFORE);
        root.ok(&format!("dpkg --install {newer}"));
        assert_eq!(root.read(CONF), BEFORE, "what the administrator does after that is kept");
        purge(&mut root);
        assert_eq!(root.read(CONF), BEFORE);
    }
}

#[test]
fn debians_package_is_not_installed_over_it_by_accident() {
    let mut root = prepared(BEFORE);
    install(&mut root);
    let done = root.run(&format!("dpkg --install {}", debian_package().display()));
    assert_failed(&done, "conflicting packages");
    assert_the_six_are_ours(&mut root);
    assert_eq!(root.read(CONF), AFTER);
}

/// Hosts lines that are left as they are, on the way in and on the way out.
#[test]
fn a_line_that_names_a_service_already_stays_for_ever() {
    for service in ["mdns", "mdns4", "mdns6", "mdns_minimal", "mdns4_minimal", "mdns6_minimal"] {
        let mut root = prepared(&BEFORE.replace("dns", &format!("{service} dns")));
        let before = root.read(CONF);
        assert_eq!(install(&mut root), "");
        assert_eq!(root.read(CONF), before);
        purge(&mut root);
        assert_eq!(root.read(CONF), before, "it was the administrator's");
    }
}

/// Hosts lines with what becomes of them: the new text, or the reason why they stay. The functions are install.sh's, and
/// `install/hosts_line.rs` tries all kinds of lines on them; these show that they are at work here.
#[rustfmt::skip]
const LINES: &[(&str, Result<&str, &str>)] = &[
    (" \thosts : files   resolve [!UNAVAIL=return] dns\n", Ok(" \thosts : files   mdns_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns\n")),
    ("hosts: files dns\nhosts: files\n", Err("it has more than one hosts line")),
    ("hosts: files\0 dns\n", Err("it holds NUL bytes")),
];

#[test]
fn odd_hosts_lines_are_kept_to_the_byte() {
    let mut root = prepared(BEFORE);
    for (text, expected) in LINES {
        root.write(CONF, text);
        root.ok("chmod 640 /etc/nsswitch.conf");
        let said = install(&mut root);
        match expected {
            Ok(wanted) => assert_eq!((root.read(CONF), &*said), ((*wanted).to_owned(), "")),
            Err(reason) => {
                assert_eq!(root.read(CONF), *text);
                assert!(said.contains("/etc/nsswitch.conf was left alone") && said.contains(reason), "{said}");
                assert!(said.contains("put 'mdns_minimal [NOTFOUND=return]' on its hosts line"), "{said}");
            }
        }
        assert_eq!(root.ok("stat -c %a /etc/nsswitch.conf; ls /etc | grep nsswitch"), "640\nnsswitch.conf\n");
        purge(&mut root);
        assert_eq!(root.read(CONF), *text);
    }
}

#[test]
fn what_the_administrator_changed_since_is_kept() {
    for (now, then) in [
        ("rpc: db\nhosts: files mdns_minimal dns # unicast .local\n", "rpc: db\nhosts: files dns # unicast .local\n"),
        ("hosts: files mdns4_minimal [NOTFOUND=return] dns\n", "hosts: files mdns4_minimal [NOTFOUND=return] dns\n"),
        (BEFORE, BEFORE),
        ("passwd: files\n", "passwd: files\n"),
    ] {
        let mut root = prepared(BEFORE);
        install(&mut root);
        root.write(CONF, now);
        let newer = newer(&mut root);
        root.ok(&format!("dpkg --install {newer}"));
        assert_eq!(root.read(CONF), now, "an upgrade puts nothing back");
        purge(&mut root);
        assert_eq!(root.read(CONF), then);
    }
}

/// dpkg has removed the one to make room for the other, which then fails, and takes the removal back.
#[test]
fn a_removal_that_is_taken_back_restores_what_was_there() {
    let mut root = prepared(BEFORE);
    install(&mut root);
    let rival = changed(
        &mut root,
        package(),
        "rival",
        "cd it && rm -rf lib usr DEBIAN/* && mkdir -p usr/share/rival && touch usr/share/rival/file &&
         printf 'Package: rival\\nVersion: 1\\nArchitecture: all\\nMaintainer: nobody <nobody@rival.example>\\n' >DEBIAN/control &&
         printf 'Conflicts: %s\\nReplaces: %s\\nDescription: rival\\n' libnss-mdns-nodaemon libnss-mdns-nodaemon >>DEBIAN/control &&
         printf '#!/bin/sh\\nexit 1\\n' >DEBIAN/preinst && chmod 755 DEBIAN/preinst && cd ..",
    );
    for conf in [AFTER, BEFORE] {
        root.write(CONF, conf);
        root.ok("rm -f /run/libnss-mdns-nodaemon");
        assert_ne!(root.run(&format!("dpkg --install {rival}")).status, 0);
        assert_eq!(root.ok(&format!("dpkg-query --show --showformat '${{db:Status-Status}}' {NAME}")), "installed");
        assert_eq!(root.read(CONF), conf);
        root.ok("[ ! -e /run/libnss-mdns-nodaemon ]");
    }
}

#[test]
fn a_symbolic_link_stays_one_and_a_missing_file_is_no_obstacle() {
    let mut root = prepared(BEFORE);
    root.ok("mkdir /etc/site && mv /etc/nsswitch.conf /etc/site/switch && ln -s site/switch /etc/nsswitch.conf");
    install(&mut root);
    assert_eq!(root.ok("readlink /etc/nsswitch.conf; cat /etc/site/switch"), format!("site/switch\n{AFTER}"));
    root.ok("rm /etc/site/switch");
    purge(&mut root);
    let said = install(&mut root);
    assert!(said.contains("/etc/nsswitch.conf is not there"), "{said}");
    purge(&mut root);
}

#[test]
fn a_file_that_cannot_be_written_keeps_nobody_from_installing_or_removing() {
    let mut root = prepared(BEFORE);
    // A mount point cannot be renamed over.
    let (pin, release) = ("mount --bind /etc/nsswitch.conf /etc/nsswitch.conf", "umount /etc/nsswitch.conf");
    root.ok(pin);
    let said = install(&mut root);
    assert!(said.contains("/etc/nsswitch.conf cannot be written: put 'mdns_minimal"), "{said}");
    root.ok(release);
    assert_eq!(root.ok("ls /etc | grep nsswitch"), "nsswitch.conf\n", "nothing half done stays");
    purge(&mut root);
    install(&mut root);
    root.ok(pin);
    let done = root.run(&format!("dpkg --purge {NAME}"));
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.err.contains("cannot be written: mdns_minimal stays on its hosts line"), "{done:?}");
    root.ok(release);
    assert_eq!(root.ok("ls /etc | grep nsswitch; ls /var/lib | grep nss; true"), "nsswitch.conf\n");
}

#[test]
fn where_install_sh_has_put_the_module_the_package_is_refused() {
    let mut root = prepared(BEFORE);
    root.ok("sh $CHECKOUT/install.sh --module $MODULE --no-check");
    let before = root.ok(SNAPSHOT);
    let done = root.run(&format!("dpkg --install {}", package()));
    assert_failed(&done, "run 'install.sh --uninstall' first");
    assert_same(&before, &root.ok(SNAPSHOT), "after the refusal");
    root.ok("sh $CHECKOUT/install.sh --uninstall");
    install(&mut root);
    assert_eq!(root.read(CONF), AFTER);
}

#[test]
fn install_sh_may_come_over_the_package_and_go_again() {
    let mut root = prepared(BEFORE);
    install(&mut root);
    let names = "find /mnt/upper -name '*mdns*' ! -path '*/dpkg/*' | sort";
    let before = root.ok(names);
    root.ok("cp $MODULE /mnt/other.so && printf newer >>/mnt/other.so && cp \"${MODULE%/*}/nss-mdns-check\" /mnt/");
    root.ok("sh $CHECKOUT/install.sh --module /mnt/other.so --no-check && cmp /mnt/other.so $LIBDIR/libnss_mdns4.so.2");
    // An upgrade of the package goes on beside it.
    root.ok(&format!("dpkg --install {} && cmp /mnt/other.so $LIBDIR/libnss_mdns4.so.2", package()));
    root.ok("sh $CHECKOUT/install.sh --uninstall");
    assert_the_six_are_ours(&mut root);
    assert_eq!(root.ok(&format!("dpkg --verify {NAME}")), "");
    assert_eq!(root.read(CONF), AFTER);
    assert_same(&before, &root.ok(names), "after the removal");
    purge(&mut root);
    assert_eq!(root.read(CONF), BEFORE);
}

/// dpkg would remove the files of the one that goes after those of the other are there, and they are the same ones.
#[test]
fn over_a_debian_package_whose_folder_is_spelled_otherwise_it_is_refused() {
    let mut root = prepared(BEFORE);
    let moved = changed(
        &mut root,
        &debian_package().to_string_lossy(),
        "moved",
        "if [ -d it/lib ]; then mkdir -p it/usr && mv it/lib it/usr/lib; else mv it/usr/lib it/lib; fi; rm it/DEBIAN/md5sums",
    );
    root.ok(&format!("dpkg --install {moved}"));
    let done = root.run(&format!("dpkg --install {}", package()));
    assert_failed(&done, "remove libnss-mdns first");
    assert_eq!(root.ok("ls $LIBDIR/libnss_mdns*.so.2 | wc -l"), "6\n", "theirs are all there");
    root.ok("dpkg --remove libnss-mdns");
    install(&mut root);
    assert_the_six_are_ours(&mut root);
}

#[test]
fn the_line_goes_with_the_last_architecture_and_the_command_works_to_the_end() {
    let mut root = prepared(BEFORE);
    let foreign = changed(
        &mut root,
        package(),
        "foreign",
        "own=${LIBDIR##*/}; for folder in it/lib it/usr/lib; do
             [ ! -d $folder/$own ] || mv $folder/$own $folder/i386-linux-gnu; done
         sed -i 's/^Architecture: .*/Architecture: i386/; /^Depends: /d' it/DEBIAN/control
         rm it/DEBIAN/md5sums; sed -i \"s,$own,i386-linux-gnu,\" it/DEBIAN/preinst",
    );
    root.ok("dpkg --add-architecture i386; mkdir -p /usr/lib/i386-linux-gnu");
    install(&mut root);
    let done = root.run(&format!("dpkg --install {foreign}"));
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    let native = root.ok("dpkg --print-architecture");
    root.ok(&format!("dpkg --purge {NAME}:{native}"));
    assert_eq!(root.read(CONF), AFTER, "the other architecture still needs it");
    assert_ne!(root.run("nss-mdns-check --help").status, 127);
    root.ok(&format!("dpkg --purge {NAME}:i386"));
    assert_eq!(root.read(CONF), BEFORE);
    assert_eq!(root.run("nss-mdns-check").status, 127);
}
