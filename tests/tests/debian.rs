//! The Debian package: built by its script, then installed, used, upgraded and purged by the real dpkg on a complete
//! system. Each test has a private root, so the machine does not change.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use tests::module::workspace;
use tests::private_root::{Done, Root, assert_same, library_folder};

const CONF: &str = "/etc/nsswitch.conf";
const BEFORE: &str = "# the administrator's own\nhosts:          files dns # as ever\nnetworks:       files\n";
const AFTER: &str = "# the administrator's own\nhosts:          files mdns_minimal [NOTFOUND=return] dns # as ever\n\
    networks:       files\n";
const NAME: &str = "libnss-mdns-nodaemon";

/// All files and folders except the databases of dpkg and apt, without the modification time of nsswitch.conf.
const SNAPSHOT: &str = r"snapshot | grep -v -E '/var/lib/(dpkg/(status|available|info)|apt)' |
    sed -E '\,/etc/nsswitch\.conf f ,s/ [0-9.]+ $//'";

/// Two interfaces that are connected to each other, so that there is a link on which to query the machine's own name.
const LINK: &str = "ip link add lan0 type veth peer name lan1 && ip link set lan0 up && ip link set lan1 up &&
    ip addr add 192.0.2.7/24 dev lan0";

/// The path of the package, which is built once for all tests of this file.
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
    // Rebuilding the index of the manual pages would take longer than the test.
    root.ok("file=/var/lib/dpkg/triggers/File; [ ! -e $file ] || sed -i '/ man-db/d' $file");
    root
}

/// Installs the package. Returns what dpkg printed to standard error.
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

/// Makes a copy of a package, changed by a script, which runs in the folder that contains the unpacked package as `it`.
/// Returns the path of the copy.
#[track_caller]
fn changed(root: &mut Root, package: &str, name: &str, script: &str) -> String {
    root.ok(&format!(
        "cd /mnt && rm -rf it && dpkg-deb --raw-extract {package} it && {{ {script}\n}} &&
         dpkg-deb --root-owner-group -Znone --build it {name}.deb"
    ));
    format!("/mnt/{name}.deb")
}

/// A newer version of the package, to upgrade to.
#[track_caller]
fn newer(root: &mut Root) -> String {
    changed(
        root,
        package(),
        "newer",
        "sed -i 's/^Version: .*/Version: 999-1/' it/DEBIAN/control; printf newer >>it/usr/bin/nss-mdns",
    )
}

#[track_caller]
fn assert_all_six_files_are_ours(root: &mut Root) {
    root.ok("for name in mdns mdns4 mdns6 mdns_minimal mdns4_minimal mdns6_minimal; do
        cmp $MODULE $LIBDIR/libnss_$name.so.2 || exit 1; done");
}

#[track_caller]
fn assert_failed(done: &Done, sentence: &str) {
    assert_ne!(done.status, 0, "{done:?}");
    assert!(done.err.contains(sentence), "{sentence:?} is not in {:?}", done.err);
}

/// The paths of all files in the package, those of compressed files without `.gz`.
fn contents() -> Vec<String> {
    let output = Command::new("dpkg-deb").args(["--contents", package()]).output().expect("dpkg-deb");
    let listing = String::from_utf8(output.stdout).expect("names");
    let files = listing.lines().filter(|line| !line.starts_with('d')).filter_map(|line| line.split_whitespace().nth(5));
    let mut files: Vec<_> = files.map(|file| file.trim_start_matches('.').trim_end_matches(".gz").to_owned()).collect();
    files.sort();
    files
}

#[test]
fn the_package_contains_the_files_of_every_package() {
    let libdir = library_folder();
    let multiarch = libdir.rsplit('/').next().expect("a folder");
    // The library folder as it is written in the file list of the C library's package: /lib or /usr/lib.
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
        format!("/usr/lib/{multiarch}/{NAME}/nss-mdns"),
        format!("/usr/share/doc/{NAME}/changelog"),
        format!("/usr/share/doc/{NAME}/changelog.Debian"),
        format!("/usr/share/doc/{NAME}/copyright"),
        format!("/usr/share/lintian/overrides/{NAME}"),
    ]);
    expected.sort();
    assert_eq!(contents(), expected);
}

#[test]
fn lintian_reports_nothing() {
    let output = Command::new("lintian").args(["--allow-root", "--no-cfg", package()]).output();
    let output = output.expect("lintian is installed: run tests/deps");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn the_package_can_be_installed_used_upgraded_and_removed_without_residue() {
    for removal in ["--remove", "--purge"] {
        let mut root = prepared(BEFORE);
        root.ok(LINK);
        root.ok(&format!("dpkg --install {} && dpkg --purge {NAME}", package()));
        root.write(CONF, BEFORE);
        let before = root.ok(SNAPSHOT);
        let done = root.run(&format!("dpkg --install {}", package()));
        assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
        let changed = "\nlibnss-mdns-nodaemon: change line 2 of /etc/nsswitch.conf:\nlibnss-mdns-nodaemon: - hosts: ";
        assert!(done.out.contains(changed), "{done:?}");
        assert_eq!(root.read(CONF), AFTER);
        assert_all_six_files_are_ours(&mut root);
        assert_eq!(root.ok(&format!("dpkg --verify {NAME}")), "");
        assert!(root.ok("getent hosts workbench.local").contains("workbench.local"));
        root.run("nss-mdns check");
        assert_ne!(root.run("nss-mdns --help").status, 127);
        assert!(root.ok("ldconfig -p").contains("libnss_mdns4_minimal.so.2 "));
        let newer = newer(&mut root);
        root.ok(&format!("dpkg --install {newer} && rm -r /mnt/it {newer}"));
        assert_eq!(root.read(CONF), AFTER, "an upgrade must not change the line");
        assert!(root.ok("getent hosts workbench.local").contains("workbench.local"));
        root.ok(&format!("dpkg {removal} {NAME}"));
        assert_same(&before, &root.ok(SNAPSHOT), removal);
        assert_eq!(root.read(CONF), BEFORE);
        assert_eq!(root.ok(&format!("dpkg-query --show {NAME} 2>/dev/null; true")), "", "nothing is left to purge");
        root.ok("[ ! -e /run/libnss-mdns-nodaemon ]");
    }
}

#[test]
fn when_dpkg_replaces_debians_package_the_service_on_the_line_is_kept_until_the_purge() {
    let mut root = prepared(BEFORE);
    install_debians(&mut root);
    let theirs = BEFORE.replace("files dns", "files mdns4_minimal [NOTFOUND=return] dns");
    assert_eq!(root.read(CONF), theirs);
    let said = install(&mut root);
    assert_all_six_files_are_ours(&mut root);
    assert!(said.contains("libnss-mdns is removed but not purged"), "{said}");
    assert_eq!(root.read(CONF), theirs, "the line must stay as the administrator had it");
    root.ok(LINK);
    assert!(root.ok("getent hosts workbench.local").contains("192.0.2.7"));
    purge(&mut root);
    assert_eq!(root.read(CONF), BEFORE, "the purge must remove the services that the package took over");
}

/// apt without package sources on the network. Its files are in a separate folder.
const APT: &str = "apt-get -y -o APT::Sandbox::User=root -o Dir::Cache=/mnt/apt -o Dir::Log=/mnt/apt \
    -o Dir::State=/mnt/apt -o Dir::State::status=/var/lib/dpkg/status";

/// apt removes the old package first. With `--purge` it purges that package at the very end, which removes the service
/// from the line, so the new package has to add it again.
#[test]
fn when_apt_replaces_debians_package_the_service_is_put_on_the_line() {
    for purge in ["", "--purge"] {
        let mut root = prepared(BEFORE);
        root.ok("mkdir -p /mnt/apt/lists/partial /mnt/apt/archives/partial");
        install_debians(&mut root);
        let done = root.run(&format!("{APT} {purge} install {}", package()));
        assert_eq!(done.status, 0, "{done:?}");
        assert_all_six_files_are_ours(&mut root);
        assert_eq!(root.read(CONF), AFTER);
        // apt runs the scripts on a terminal and copies their messages to its own output.
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
fn when_debians_package_was_removed_before_the_service_is_put_on_the_line() {
    let mut root = prepared(BEFORE);
    install_debians(&mut root);
    root.ok("dpkg --remove libnss-mdns");
    assert_eq!(root.read(CONF), BEFORE);
    install(&mut root);
    assert_eq!(root.read(CONF), AFTER);
    purge(&mut root);
    assert_eq!(root.read(CONF), BEFORE);
}

/// Debian's postrm removes every mdns service from the line, and nothing can prevent that. This package warns about it
/// when it is installed. `dpkg-reconfigure` adds the service again, and so does the next upgrade.
#[test]
fn after_a_later_purge_of_debians_package_the_service_can_be_restored() {
    let mut root = prepared(BEFORE);
    let newer = newer(&mut root);
    for restore in
        [&format!("DEBIAN_FRONTEND=noninteractive dpkg-reconfigure {NAME}"), &format!("dpkg --install {newer}")]
    {
        root.write(CONF, BEFORE);
        install_debians(&mut root);
        let said = install(&mut root);
        assert!(said.contains("'dpkg-reconfigure libnss-mdns-nodaemon' then puts it there again"), "{said}");
        root.ok("dpkg --purge libnss-mdns");
        assert_all_six_files_are_ours(&mut root);
        assert_eq!(root.read(CONF), BEFORE);
        root.ok(restore);
        assert_eq!(root.read(CONF), AFTER);
        root.write(CONF, BEFORE);
        root.ok(&format!("dpkg --install {newer}"));
        assert_eq!(root.read(CONF), BEFORE, "a later change by the administrator must be kept");
        purge(&mut root);
        assert_eq!(root.read(CONF), BEFORE);
    }
}

#[test]
fn debians_package_conflicts_with_the_installed_package() {
    let mut root = prepared(BEFORE);
    install(&mut root);
    let done = root.run(&format!("dpkg --install {}", debian_package().display()));
    assert_failed(&done, "conflicting packages");
    assert_all_six_files_are_ours(&mut root);
    assert_eq!(root.read(CONF), AFTER);
}

/// Neither the installation nor the purge of the package changes such a line.
#[test]
fn a_line_that_already_names_a_service_is_never_changed() {
    for service in ["mdns", "mdns4", "mdns6", "mdns_minimal", "mdns4_minimal", "mdns6_minimal"] {
        let mut root = prepared(&BEFORE.replace("dns", &format!("{service} dns")));
        let before = root.read(CONF);
        assert_eq!(install(&mut root), "");
        assert_eq!(root.read(CONF), before);
        purge(&mut root);
        assert_eq!(root.read(CONF), before, "the administrator put the service there");
    }
}

/// Hosts lines with the expected result: the new text, or the reason why the line is left alone. Other tests show what
/// `nss-mdns hosts` does with many lines. These few lines show that the package uses it.
#[rustfmt::skip]
const LINES: &[(&str, Result<&str, &str>)] = &[
    (" \thosts : files   resolve [!UNAVAIL=return] dns\n", Ok(" \thosts : files   mdns_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns\n")),
    ("hosts: files dns\nhosts: files\n", Err("it has more than one hosts line")),
    ("hosts: files\0 dns\n", Err("it holds NUL bytes")),
];

#[test]
fn unusual_hosts_lines_are_preserved_byte_for_byte() {
    let mut root = prepared(BEFORE);
    for (text, expected) in LINES {
        root.write(CONF, text);
        root.ok("chmod 640 /etc/nsswitch.conf");
        let said = install(&mut root);
        match expected {
            Ok(wanted) => assert_eq!((root.read(CONF), &*said), ((*wanted).to_owned(), "")),
            Err(reason) => {
                assert_eq!(root.read(CONF), *text);
                assert!(said.contains("/etc/nsswitch.conf: ") && said.contains(reason), "{said}");
                assert!(said.contains("The file was left alone"), "{said}");
                assert!(said.contains("put 'mdns_minimal [NOTFOUND=return]' on the hosts line"), "{said}");
            }
        }
        assert_eq!(root.ok("stat -c %a /etc/nsswitch.conf; ls /etc | grep nsswitch"), "640\nnsswitch.conf\n");
        purge(&mut root);
        assert_eq!(root.read(CONF), *text);
    }
}

#[test]
fn later_changes_by_the_administrator_are_kept() {
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
        assert_eq!(root.read(CONF), now, "an upgrade must not restore the line");
        purge(&mut root);
        assert_eq!(root.read(CONF), then);
    }
}

/// dpkg removes this package in favour of a conflicting one, fails to install that, and reverts the removal.
#[test]
fn a_reverted_removal_restores_the_previous_line() {
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
fn a_symbolic_link_is_preserved_and_a_missing_file_is_no_error() {
    let mut root = prepared(BEFORE);
    root.ok("mkdir /etc/site && mv /etc/nsswitch.conf /etc/site/switch && ln -s site/switch /etc/nsswitch.conf");
    install(&mut root);
    assert_eq!(root.ok("readlink /etc/nsswitch.conf; cat /etc/site/switch"), format!("site/switch\n{AFTER}"));
    root.ok("rm /etc/site/switch");
    purge(&mut root);
    let said = install(&mut root);
    assert!(said.contains("/etc/nsswitch.conf: cannot be found"), "{said}");
    purge(&mut root);
}

/// It may be the only copy of what an administrator had.
#[test]
fn an_older_backup_of_nsswitch_conf_is_kept() {
    let mut root = prepared(BEFORE);
    root.ok("echo older >/etc/nsswitch.conf.before-nss-mdns");
    install(&mut root);
    assert_eq!(root.read(CONF), AFTER);
    purge(&mut root);
    assert_eq!(root.read(CONF), BEFORE);
    assert_eq!(root.read("/etc/nsswitch.conf.before-nss-mdns"), "older\n");
}

#[test]
fn an_unwritable_nsswitch_conf_prevents_neither_installation_nor_removal() {
    let mut root = prepared(BEFORE);
    // rename() cannot replace a mount point.
    let (pin, release) = ("mount --bind /etc/nsswitch.conf /etc/nsswitch.conf", "umount /etc/nsswitch.conf");
    root.ok(pin);
    let said = install(&mut root);
    assert!(said.contains("cannot be ") && said.contains("put 'mdns_minimal [NOTFOUND=return]'"), "{said}");
    root.ok(release);
    assert_eq!(root.ok("ls /etc | grep nsswitch"), "nsswitch.conf\n", "no temporary file may be left");
    purge(&mut root);
    install(&mut root);
    root.ok(pin);
    let done = root.run(&format!("dpkg --purge {NAME}"));
    assert_eq!(done.status, 0, "{done:?}");
    assert!(done.err.contains("cannot be ") && done.err.contains("mdns_minimal stays on the hosts line"), "{done:?}");
    root.ok(release);
    assert_eq!(root.ok("ls /etc | grep nsswitch; ls /var/lib | grep nss; true"), "nsswitch.conf\n");
}

#[test]
fn the_package_is_refused_if_install_sh_has_installed_the_module() {
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
fn install_sh_can_install_over_the_package_and_uninstall_again() {
    let mut root = prepared(BEFORE);
    install(&mut root);
    let names = "find /mnt/upper -name '*mdns*' ! -path '*/dpkg/*' | sort";
    let before = root.ok(names);
    root.ok("cp $MODULE /mnt/other.so && printf newer >>/mnt/other.so && cp \"${MODULE%/*}/nss-mdns\" /mnt/");
    root.ok("sh $CHECKOUT/install.sh --module /mnt/other.so --no-check");
    let loaded = "LD_DEBUG=libs getent -s mdns4 ahosts nowhere 2>&1 | sed -n 's/.*trying file=//p' | grep libnss_mdns4";
    let own = format!("{}/nss-mdns/libnss_mdns4.so.2\n", library_folder());
    assert_eq!(root.ok(loaded), own);
    // The package can be upgraded in this state.
    root.ok(&format!("dpkg --install {}", package()));
    assert_eq!(root.ok(loaded), own);
    root.ok("sh $CHECKOUT/install.sh --uninstall");
    assert_all_six_files_are_ours(&mut root);
    assert_ne!(root.ok(loaded), own);
    assert_eq!(root.ok(&format!("dpkg --verify {NAME}")), "");
    assert_eq!(root.read(CONF), AFTER);
    assert_same(&before, &root.ok(names), "after the removal");
    purge(&mut root);
    assert_eq!(root.read(CONF), BEFORE);
}

#[test]
fn the_rule_for_apparmor_is_copied_and_removed_where_abstractions_are() {
    let mut root = prepared(BEFORE);
    root.ok("mkdir -p /etc/apparmor.d/abstractions");
    install(&mut root);
    let rule = "/etc/apparmor.d/abstractions/nameservice.d/nss-mdns";
    root.ok(&format!("cmp $CHECKOUT/packaging/apparmor {rule}"));
    let newer = newer(&mut root);
    root.ok(&format!("dpkg --install {newer} && cmp $CHECKOUT/packaging/apparmor {rule}"));
    purge(&mut root);
    assert_eq!(root.ok("ls /etc/apparmor.d/abstractions"), "");
}

/// dpkg removes the files of the old package after it has unpacked those of the new one. If the two packages spell the
/// folder differently, dpkg does not notice that these are the same files.
#[test]
fn the_package_is_refused_over_a_debian_package_that_spells_its_folder_differently() {
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
    assert_eq!(root.ok("ls $LIBDIR/libnss_mdns*.so.2 | wc -l"), "6\n", "all files of libnss-mdns must still be there");
    root.ok("dpkg --remove libnss-mdns");
    install(&mut root);
    assert_all_six_files_are_ours(&mut root);
}

#[test]
fn the_service_and_the_command_stay_until_the_last_architecture_is_purged() {
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
    assert_eq!(root.read(CONF), AFTER, "the other architecture still needs the service");
    assert_ne!(root.run("nss-mdns --help").status, 127);
    root.ok(&format!("dpkg --purge {NAME}:i386"));
    assert_eq!(root.read(CONF), BEFORE);
    assert_eq!(root.run("nss-mdns check").status, 127);
}
