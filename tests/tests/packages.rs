//! The packages for other distributions and the release archive: each is built by its script and, as far as a Debian
//! system allows, installed and used. Each test has a private root, so the machine does not change.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use tests::module::{target, workspace};
use tests::packages::{expected, version};
use tests::private_root::{Done, Root, assert_same};

const CONF: &str = "/etc/nsswitch.conf";
const BEFORE: &str = "hosts:          files dns\n";
const AFTER: &str = "hosts:          files mdns_minimal [NOTFOUND=return] dns\n";
const DOCS: &str = "/usr/share/doc/nss-mdns-nodaemon";

/// Runs a script that builds a package; returns the path that it prints.
#[track_caller]
fn build(script: &str) -> String {
    let output = Command::new(workspace().join("packaging").join(script)).output().expect("the script starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("a path").trim_end().to_owned()
}

#[track_caller]
fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|why| panic!("{program}: {why}: run tests/deps"));
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// The files in a listing as absolute paths in order, those of compressed files without `.gz`.
fn files(listing: &str) -> Vec<String> {
    let paths = listing.lines().filter(|line| !line.ends_with('/'));
    let mut paths: Vec<_> =
        paths.map(|path| format!("/{}", path.trim_start_matches('/').trim_end_matches(".gz"))).collect();
    paths.sort();
    paths
}

fn with(mut paths: Vec<String>, more: &[String]) -> Vec<String> {
    paths.extend_from_slice(more);
    paths.sort();
    paths
}

#[test]
fn all_packages_have_the_version_of_the_workspace() {
    let version = version();
    for (file, line) in [
        ("packaging/debian/changelog", format!("nss-mdns-nodaemon ({version}-")),
        ("packaging/rpm/nss-mdns-nodaemon.spec", format!("\nVersion:        {version}\n")),
        ("packaging/arch/PKGBUILD", format!("\npkgver={version}\n")),
    ] {
        let text = std::fs::read_to_string(workspace().join(file)).expect(file);
        assert!(text.contains(&line), "{file} does not say {line:?}");
    }
}

/// The text that follows a crate's name on a line of `LICENSE-crates`.
fn notice<'a>(notices: &'a str, name: &str) -> Option<&'a str> {
    notices.lines().find_map(|line| line.strip_prefix("    ")?.strip_prefix(name)?.strip_prefix(' '))
}

#[test]
fn every_crate_in_the_binaries_is_listed_with_one_of_its_licences() {
    let notices = std::fs::read_to_string(workspace().join("LICENSE-crates")).expect("LICENSE-crates");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = [
        "tree",
        "--locked",
        "--package",
        "nss_mdns",
        "--package",
        "nss-mdns-command",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--no-dedupe",
    ];
    let tree = Command::new(cargo).args(tree).args(["--format", "{p}|{l}"]).current_dir(workspace()).output();
    let tree = String::from_utf8(tree.expect("cargo tree").stdout).expect("text");
    // cargo prints the folder of the project's own crates after their names.
    let foreign: BTreeSet<_> = tree.lines().filter(|line| !line.is_empty() && !line.contains(" (/")).collect();
    assert!(foreign.len() >= 5, "{tree}");
    for line in foreign {
        let (name, offered) = line.split_once('|').expect("a licence");
        let name = name.split(' ').next().expect("a name");
        let notice = notice(&notices, name).unwrap_or_else(|| panic!("LICENSE-crates does not name {name}"));
        let chosen = notice.split_whitespace().next().expect("a licence");
        assert!(offered.split(" OR ").any(|licence| licence == chosen), "{name}: {chosen} of {offered}");
        assert!(notices.contains(&format!("\n--- {chosen} ---\n")), "the text of {chosen} is missing");
    }
}

/// The targets of the links in a Markdown text that lead to other files, without their anchors.
fn links(text: &str) -> Vec<&str> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains(':')).map(|target| target.split('#').next().unwrap_or_default()).collect()
}

/// Installs a fake authselect, which supports the two features and stores the enabled ones in /mnt/features.
const AUTHSELECT: &str = r#"mkdir /mnt/bin; touch /mnt/features; cat >/usr/bin/authselect <<'END'
#!/bin/sh
case $1 in
check) ;;
is-feature-enabled) grep -qx "$2" /mnt/features ;;
enable-feature) echo "$2" >>/mnt/features ;;
disable-feature) sed -i "/^$2$/d" /mnt/features ;;
esac
END
chmod 755 /usr/bin/authselect"#;

#[test]
fn the_rpm_package_configures_authselect_and_is_removed_without_residue() {
    let package = build("build-rpm");
    let libdir = output("rpm", &["--eval", "%{_libdir}"]);
    let licenses = format!("/usr/share/licenses/nss-mdns-nodaemon-{}", version());
    let listed =
        output("rpm", &["--query", "--package", &package, "--queryformat", "[%{FILEMODES:perms} %{FILENAMES}\n]"]);
    let listed = listed.lines().filter(|line| !line.starts_with('d'));
    let listed: String = listed.filter_map(|line| line.split_once(' ')).map(|(_, path)| format!("{path}\n")).collect();
    // On Fedora, the name of the folder of licences has no version.
    let listed = listed.replace("/licenses/nss-mdns-nodaemon/", &format!("/licenses/nss-mdns-nodaemon-{}/", version()));
    let expected = expected(libdir.trim_end(), DOCS);
    let expected = with(expected, &[format!("{licenses}/LICENSE-APACHE"), format!("{licenses}/LICENSE-MIT")]);
    assert_eq!(files(&listed), expected);
    let of_kind = |kind| output("rpm", &["--query", "--package", &package, kind]);
    assert!(of_kind("--docfiles").contains(&format!("{DOCS}/README.md\n")), "{}", of_kind("--docfiles"));
    assert!(of_kind("--licensefiles").contains("/LICENSE-crates\n"), "{}", of_kind("--licensefiles"));

    let mut root = Root::new();
    root.write(CONF, BEFORE);
    root.ok(AUTHSELECT);
    let rpm = "rpm --dbpath /mnt/rpm";
    // Folders are left out, because rpm does not remove those that other packages may use as well.
    let snapshot = "snapshot | grep -v ' d [0-7]* [0-9]*:[0-9]*$'";
    let before = root.ok(snapshot);
    for on in ["", "with-mdns4\n"] {
        root.ok(&format!("printf '{on}' >/mnt/features"));
        root.ok(&format!("{rpm} --install --nodeps {package}"));
        root.ok("cmp $MODULE $(rpm --eval %_libdir)/libnss_mdns4_minimal.so.2");
        assert_eq!(root.read("/mnt/features"), "with-mdns4\nwith-mdns6\n");
        root.ok(&format!("{rpm} --verify --nodeps nss-mdns-nodaemon"));
        root.ok(&format!("{rpm} --upgrade --nodeps --replacepkgs {package}"));
        assert_eq!(root.read("/mnt/features"), "with-mdns4\nwith-mdns6\n", "an upgrade must not change the features");
        root.ok(&format!("{rpm} --erase nss-mdns-nodaemon"));
        assert_eq!(root.read("/mnt/features"), on, "features that were enabled before must stay enabled");
        assert_eq!(root.read(CONF), BEFORE);
        assert_same(&before, &root.ok(snapshot), "after the removal");
        root.ok(&format!("! ls -d {DOCS} /var/lib/nss-mdns-nodaemon 2>/dev/null"));
    }
}

#[test]
fn the_rpm_package_is_not_built_in_a_path_with_a_space() {
    let folder = target().join("a blank");
    let _ = std::fs::remove_file(&folder);
    std::os::unix::fs::symlink(workspace(), &folder).expect("a link");
    let output = Command::new(folder.join("packaging/build-rpm")).output().expect("the script starts");
    std::fs::remove_file(&folder).expect("the link");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.starts_with("build-rpm: rpmbuild cannot build in a folder whose path has a blank"), "{said}");
}

#[test]
fn the_arch_package_contains_the_files_of_every_package_and_prints_instructions() {
    let package = build("build-arch");
    let listed = output("bsdtar", &["-tf", &package]);
    let listed: Vec<_> = files(&listed).into_iter().filter(|path| !path.starts_with("/.")).collect();
    let licenses = ["APACHE", "MIT"].map(|name| format!("/usr/share/licenses/nss-mdns-nodaemon/LICENSE-{name}"));
    assert_eq!(listed, with(expected("/usr/lib", DOCS), &licenses));
    let readme = output("bsdtar", &["-xOf", &package, &format!("{}/README.md", DOCS.trim_start_matches('/'))]);
    assert_eq!(links(&readme), Vec::<&str>::new(), "a package has no sources to link to");
    assert!(readme.starts_with("# nss_mdns\n\nThis is the README of the sources"), "{readme}");
    assert!(!readme.contains(".conf.example"), "in a package, the examples have other names");
    let about = output("bsdtar", &["-xOf", &package, ".PKGINFO"]);
    for line in ["pkgname = nss-mdns-nodaemon\n", "conflict = nss-mdns\n", "provides = nss-mdns\n", "depend = glibc\n"]
    {
        assert!(about.contains(line), "{line:?} is not in {about}");
    }

    let mut root = Root::new();
    root.ok(&format!("cd /mnt && bsdtar -xf {package} .INSTALL usr && cmp usr/lib/libnss_mdns4.so.2 $MODULE"));
    let mut said = |conf: &str, function: &str| {
        root.write(CONF, conf);
        root.ok(&format!("PATH=/mnt/usr/bin:$PATH bash -c '. /mnt/.INSTALL; {function}'"))
    };
    assert!(said(BEFORE, "post_install").contains("nss-mdns hosts add\n"));
    assert_eq!(said(AFTER, "post_install"), "");
    assert!(said(AFTER, "pre_remove").contains("still names the module"));
    assert_eq!(said(BEFORE, "pre_remove"), "");
    root.ok("mkdir -p /etc/apparmor.d/abstractions; cp -r /mnt/usr/share/nss-mdns /usr/share/");
    root.ok("bash -c '. /mnt/.INSTALL; post_upgrade'");
    root.ok("cmp $CHECKOUT/packaging/apparmor /etc/apparmor.d/abstractions/nameservice.d/nss-mdns");
    root.ok("bash -c '. /mnt/.INSTALL; pre_remove'");
    assert_eq!(root.ok("ls /etc/apparmor.d/abstractions"), "");
}

#[test]
fn the_release_archive_installs_without_cargo_and_is_removed_without_residue() {
    let archive = build("archive");
    let mut root = Root::new();
    root.write(CONF, BEFORE);
    root.ok("ip link add lan0 type veth peer name lan1 && ip link set lan0 up && ip link set lan1 up &&
        ip addr add 192.0.2.7/24 dev lan0");
    assert_ne!(root.run("command -v cargo").status, 0, "the private root must have no cargo");
    root.ok(&format!("mkdir /mnt/archive && tar -C /mnt/archive -xf {archive} && mv /mnt/archive/*/* /mnt/archive/"));
    let before = root.snapshot();
    let done = root.run("sh /mnt/archive/install.sh");
    assert_eq!(done.status, 0, "{done:?}");
    assert_eq!(root.read(CONF), AFTER);
    root.ok("cmp $MODULE $LIBDIR/nss-mdns/libnss_mdns4.so.2 && cmp /mnt/archive/nss-mdns /usr/local/bin/nss-mdns");
    root.ok("cmp /mnt/archive/docs/man/nss-mdns.8 /usr/local/share/man/man8/nss-mdns.8");
    assert!(root.ok("getent hosts workbench.local").contains("workbench.local"));
    root.ok("sh /mnt/archive/install.sh --uninstall");
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn links_in_the_documents_of_the_release_archive_have_targets() {
    let archive = build("archive");
    let listed = output("tar", &["-tf", &archive]);
    let there: BTreeSet<_> = listed.lines().collect();
    let documents: Vec<_> = there.iter().filter(|path| path.ends_with(".md")).collect();
    assert!(documents.len() >= 7, "{documents:?}");
    for document in documents {
        let text = output("tar", &["-xOf", &archive, document]);
        let folder = Path::new(document).parent().expect("a folder");
        for link in links(&text) {
            let path = folder.join(link);
            assert!(there.contains(&*path.to_string_lossy()), "{document}: {link}");
        }
    }
}

#[test]
fn without_cargo_the_archive_is_made_of_existing_binaries_and_a_message_says_so() {
    build("archive");
    let Done { status, out, err: said } = Root::new().run(r#"CARGO_HOME=/nonexistent "$CHECKOUT/packaging/archive""#);
    assert_eq!(status, 0, "{said}");
    assert!(
        said.starts_with("use ")
            && said.contains(", as built before; to build it again, this is missing: Rust 1.85 or newer with cargo"),
        "{said}"
    );
    assert_eq!((said.lines().count(), out.is_empty()), (1, false), "{said}");
}

#[test]
fn a_debian_package_cannot_be_built_without_debhelper_and_the_message_says_so() {
    let few = workspace().join("target/without-debhelper");
    std::fs::create_dir_all(&few).expect("a folder");
    for program in ["sh", "dirname", "sed", "id"] {
        let _ = std::os::unix::fs::symlink(Path::new("/usr/bin").join(program), few.join(program));
    }
    let mut build = Command::new(workspace().join("packaging/build-deb"));
    let output = build.env("PATH", few).env_remove("CARGO_HOME").output().expect("the script starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.lines().count()), (Some(1), 1), "{said}");
    assert!(said.starts_with("build-deb: this is missing: the package debhelper (apt-get install"), "{said}");
}

#[test]
fn a_second_run_waits_for_the_first() {
    for script in ["build-deb", "archive"] {
        std::thread::scope(|scope| {
            scope.spawn(|| build(script));
            build(script);
        });
    }
}

#[test]
fn packages_are_reproducible_byte_for_byte() {
    for script in ["build-deb", "archive"] {
        let first = std::fs::read(build(script)).expect("the package");
        let again = std::fs::read(build(script)).expect("the package");
        assert!(first == again, "{script} built two different packages");
    }
}
