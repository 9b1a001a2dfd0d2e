//! The options of `install.sh`, and the arguments that it refuses.

use super::*;

#[test]
fn destdir_receives_the_files_for_a_package_and_the_system_is_unchanged() {
    let mut root = Root::new();
    let before = root.traces();
    root.ok(&format!("cd /mnt && mkdir stage && sh {INSTALL} --destdir stage --libdir=/usr/lib64"));
    let link = |name: &str| format!("usr/lib64/{name} l 777 libnss_mdns.so.2");
    let mut wanted: Vec<String> = NAMES[1..].iter().copied().map(link).collect();
    wanted.push("usr/lib64/libnss_mdns.so.2 f 644 ".into());
    wanted.push("usr/share/nss-mdns/apparmor f 644 ".into());
    for (mode, _, place) in &EXTRAS[..4] {
        wanted.push(format!("usr/{} f {mode} ", place.trim_start_matches("/usr/local/")));
    }
    wanted.sort();
    let found = root.ok("cd /mnt/stage && find . ! -type d -printf '%P %y %m %l\\n' | LC_ALL=C sort");
    assert_eq!(found.lines().collect::<Vec<_>>(), wanted);
    assert_eq!(root.ok("find /mnt/stage -type d | wc -l"), "10\n");
    root.ok("cmp $MODULE /mnt/stage/usr/lib64/libnss_mdns.so.2");
    root.ok("cmp /mnt/archive/nss-mdns /mnt/stage/usr/bin/nss-mdns");
    // Again over the existing files: a newer program, another prefix, and a module for another architecture.
    root.ok(&format!(
        "{{ printf '\\177ELF\\001'; tail -c +6 $MODULE; }} >/mnt/libnss_mdns.so; echo newer >/mnt/nss-mdns
         sh {INSTALL} --destdir /mnt/stage --libdir /usr/lib64 --prefix /opt --module /mnt/libnss_mdns.so
         cmp /mnt/libnss_mdns.so /mnt/stage/usr/lib64/libnss_mdns.so.2 && cmp /mnt/nss-mdns /mnt/stage/opt/bin/nss-mdns"
    ));
    let done = root.install("--destdir /mnt/stage --module /mnt/libnss_mdns.so");
    assert_refused(&done, "no folder has a libc.so.6 of the module's architecture: name one with --libdir DIR");
    assert_same(&before, &root.traces(), "after staging");
}

#[test]
fn destdir_needs_no_root_and_builds_with_cargo() {
    let stage = workspace().join(format!("target/install-test-{}", std::process::id()));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = cargo().parent().map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&path));
    let output = Command::new(workspace().join("install.sh"))
        .arg("--destdir")
        .arg(&stage)
        .env("PATH", std::env::join_paths(folders).expect("a path"))
        .output()
        .expect("install.sh starts");
    let staged = std::fs::read(stage.join(library_folder().trim_start_matches('/')).join(NAMES[0]));
    let _ = std::fs::remove_dir_all(&stage);
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("build the module and nss-mdns\n"));
    assert!(staged.expect("the object") == std::fs::read(module()).expect("the module"));
}

#[test]
fn a_dry_run_prints_the_changes_and_makes_none() {
    let mut root = Root::with_debian_package();
    let before = root.traces();
    let done = root.run(&format!("unshare -U sh {INSTALL} --dry-run"));
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    let change = "- hosts:          files dns\n+ hosts:          files mdns_minimal [NOTFOUND=return] dns\n";
    assert!(done.out.contains(change), "{done:?}");
    assert_eq!(done.out.matches("would install").count(), 6, "{done:?}");
    assert_eq!(done.out.matches("would link").count(), 6, "{done:?}");
    assert_same(&before, &root.traces(), "after the dry run");
    root.write(CONF, "passwd: files\n");
    assert_refused(&root.install("--dry-run"), "it has no hosts line");

    root.write(CONF, NSSWITCH);
    root.installed();
    let before = root.traces();
    let done = root.run(&format!("unshare -U sh {INSTALL} --uninstall --dry-run"));
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    let change = "- hosts:          files mdns_minimal [NOTFOUND=return] dns\n+ hosts:          files dns\n";
    assert!(done.out.contains(change), "{done:?}");
    assert_eq!(done.out.matches("would remove").count(), 7, "{done:?}");
    assert_same(&before, &root.traces(), "after the second dry run");
}

/// Makes a source tree in which nothing has been built. Its cargo leaves a file, /mnt/built, and then fails.
fn unbuilt_tree(root: &mut Root) {
    root.source_tree("/mnt/archive");
    root.ok("rm /mnt/archive/libnss_mdns.so /mnt/archive/nss-mdns; mkdir -p /mnt/bin; cat >/mnt/bin/cargo <<'END'
#!/bin/sh
[ \"$1\" != --version ] || { echo cargo 1.85.0; exit; }
touch /mnt/built; exit 101
END
chmod 755 /mnt/bin/cargo");
}

#[test]
fn a_dry_run_before_the_first_build_says_what_it_cannot_show() {
    let mut root = Root::new();
    unbuilt_tree(&mut root);
    let before = root.traces();
    let done = root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --dry-run"));
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    assert!(done.out.starts_with("would build the module and nss-mdns\n"), "{done:?}");
    let line = "\nwould add mdns_minimal to the hosts line of /etc/nsswitch.conf if it is not there\n";
    assert!(done.out.contains(line), "{done:?}");
    assert!(done.out.ends_with("(the program that shows every change is not built yet)\n"), "{done:?}");
    assert_same(&before, &root.traces(), "after the dry run");
    root.ok("[ ! -e /mnt/built ]");
}

#[test]
fn a_wrong_library_folder_is_refused_before_the_build() {
    let mut root = Root::new();
    unbuilt_tree(&mut root);
    let done = root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --libdir /mnt/nowhere"));
    assert_refused(&done, "/mnt/nowhere is not a folder");
    root.ok("[ ! -e /mnt/built ]");
    root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --libdir $LIBDIR"));
    root.ok("[ -e /mnt/built ]");
}

#[test]
fn the_installed_program_uninstalls_if_there_is_none_beside_the_script() {
    let mut root = Root::new();
    let before = root.snapshot();
    for prefix in ["/usr/local", "/mnt/opt"] {
        assert_eq!(root.install(&format!("--no-check --prefix {prefix}")).status, 0);
        root.ok("mv /mnt/archive/nss-mdns /mnt/away");
        assert!(root.uninstalled().out.contains(&format!("\nremove {}\n", folder())));
        assert_eq!(root.uninstalled().out, "nothing to do: the module is not installed\n");
        assert_same(&before, &root.snapshot(), prefix);
        root.ok("mv /mnt/away /mnt/archive/nss-mdns");
    }
    root.ok(&format!("rm /mnt/archive/nss-mdns; mkdir {}.new", folder()));
    assert_refused(&root.install("--uninstall"), "no nss-mdns that runs here is beside this script or installed");
}

#[test]
fn the_program_names_the_arguments_that_it_lacks() {
    let mut root = Root::new();
    for (arguments, reason) in [
        ("install", "--module or --files is missing"),
        ("install --module /mnt/archive/libnss_mdns.so", "--module or --files is missing"),
        ("install --module /mnt/archive/libnss_mdns.so --files /mnt/archive here", "unexpected argument \"here\""),
        ("uninstall --prefix /usr", "invalid option '--prefix'"),
    ] {
        let done = root.run(&format!("/mnt/archive/nss-mdns {arguments}"));
        assert_eq!(done.status, 2, "{arguments}: {done:?}");
        assert!(done.err.contains(reason) && done.err.ends_with("; see nss-mdns --help\n"), "{done:?}");
    }
}

#[test]
fn without_root_the_script_refuses_to_run() {
    let mut root = Root::new();
    let before = root.traces();
    for arguments in ["", "--uninstall"] {
        assert_refused(&root.run(&format!("unshare -U sh {INSTALL} {arguments}")), "this needs root");
    }
    assert_same(&before, &root.traces(), "after the refusals");
}

#[test]
fn without_cargo_and_without_a_built_module_the_script_refuses_to_run() {
    let mut root = Root::new();
    root.ok("rm /mnt/archive/libnss_mdns.so; touch /mnt/archive/Cargo.toml");
    let before = root.traces();
    assert_refused(&root.install(""), "the module is not built, and cannot be built here");
    assert_refused(&root.install("--destdir /mnt/stage"), "the module is not built, and cannot be built here");
    assert_refused(&root.install("--try"), "--try needs the source tree");
    assert_same(&before, &root.traces(), "after the refusals");
}

/// If `build.target` is set in the user's configuration of cargo, the files in target/release are from an older build.
#[test]
fn the_files_that_cargo_reports_as_built_are_installed() {
    let mut root = Root::new();
    root.source_tree("/mnt/archive");
    root.ok("mkdir -p /mnt/bin /mnt/archive/target/release /mnt/archive/target/host/release; cd /mnt/archive
         for file in libnss_mdns.so nss-mdns; do
             mv $file target/host/release/; { cat target/host/release/$file; echo older; } >target/release/$file
         done");
    root.ok(r#"cat >/mnt/bin/cargo <<'END'
#!/bin/sh
echo '{"reason":"compiler-artifact","filenames":["/mnt/archive/target/host/release/libresolver_core.rlib"]}'
echo '{"reason":"compiler-artifact","filenames":["/mnt/archive/target/host/release/libnss_mdns.so"],"executable":null}'
END
chmod 755 /mnt/bin/cargo"#);
    root.ok(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check"));
    root.ok("cmp $MODULE $LIBDIR/nss-mdns/libnss_mdns.so.2 && cmp \"${MODULE%/*}/nss-mdns\" /usr/local/bin/nss-mdns");
}

#[test]
fn the_script_finds_the_files_beside_it_through_a_link_and_in_an_unusual_folder() {
    let mut root = Root::new();
    root.ok("cd /mnt; cp -r archive ./-a; ln -s archive/install.sh link");
    let from = root.ok("cd /mnt; sh -- -a/install.sh --dry-run --no-check");
    assert!(from.starts_with("use /mnt/-a/libnss_mdns.so, shipped with this script\n"), "{from}");
    let from = root.ok("cd /; sh /mnt/link --dry-run --no-check");
    assert!(from.starts_with("use /mnt/archive/libnss_mdns.so, shipped with this script\n"), "{from}");
}

#[test]
fn a_failing_build_changes_nothing() {
    let mut root = Root::new();
    root.source_tree("/mnt/archive");
    root.ok("mkdir /mnt/bin; printf '#!/bin/sh\nexit 101\n' >/mnt/bin/cargo
         chmod 755 /mnt/bin/cargo");
    let before = root.traces();
    assert_refused(&root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL}")), "cargo could not build libnss_mdns.so");
    assert_same(&before, &root.traces(), "after the failed build");
}

#[test]
fn under_sudo_the_build_runs_as_the_calling_user() {
    let mut root = Root::new();
    root.ok("mkdir -p /mnt/bin /mnt/tree; cp -r /mnt/archive/* /mnt/tree/
         printf '#!/bin/sh\nmkdir -p target/release && cp libnss_mdns.so nss-mdns target/release/\n' >/mnt/bin/cargo
         chmod 755 /mnt/bin/cargo");
    root.source_tree("/mnt/tree");
    let run = "PATH=/mnt/bin:$PATH SUDO_USER=nobody sh /mnt/tree/install.sh --no-check";
    if unprivileged() {
        // An unprivileged user's namespace has only one user, so a fake runuser records how it is called.
        root.ok("printf '#!/bin/sh\necho \"$@\" >>/mnt/watched; shift 3; exec \"$@\"\n' >/mnt/bin/runuser
             chmod 755 /mnt/bin/runuser");
        assert!(root.ok(run).contains("build the module and nss-mdns as nobody\n"));
        assert!(root.read("/mnt/watched").contains("-u nobody -- env HOME="));
        return;
    }
    root.ok("chown -R nobody /mnt/tree");
    assert!(root.ok(run).contains("build the module and nss-mdns as nobody\n"));
    assert_eq!(root.ok("stat -c %U /mnt/tree/target/release/libnss_mdns.so"), "nobody\n");
    root.ok("rm -r /mnt/tree/target; chown -R root /mnt/tree");
    root.ok(run);
    assert_eq!(root.ok("stat -c %U /mnt/tree/target/release/libnss_mdns.so"), "root\n", "root owns the tree");
}

#[test]
fn wrong_usage_prints_one_line_and_exits_with_status_2() {
    let mut root = Root::new();
    for arguments in [
        "--frobnicate",
        "extra",
        "--libdir",
        "--dry-run=yes",
        "--uninstall --destdir /mnt/stage",
        "--check --destdir /mnt/stage",
        "--destdir /mnt/stage --libdir lib",
        "--destdir /mnt/stage --prefix usr",
        "--no-check --prefix \"$(printf '/mnt/a\\nb')\"",
        "--no-check --libdir \"$(mkdir -p \"$(printf '/mnt/a\\nb')\" && printf '/mnt/a\\nb')\"",
    ] {
        let done = root.install(arguments);
        assert_eq!((done.status, done.err.lines().count()), (2, 1), "{arguments}: {done:?}");
        assert!(done.err.contains("--help"), "{done:?}");
    }
    let help = root.install("--help");
    assert_eq!((help.status, &*help.err), (0, ""));
    let text = std::fs::read_to_string(workspace().join("install.sh")).expect("install.sh");
    let parsed = &text[text.find("        --help | -h)").expect("the options")..];
    let options = parsed
        .split_whitespace()
        .take_while(|word| *word != "*)")
        .filter(|word| word.starts_with("--") && word.len() > 2);
    let options: Vec<_> = options.map(|word| word.trim_end_matches(')')).collect();
    assert_eq!(options.len(), 10, "{options:?}");
    for option in options {
        assert!(help.out.contains(option), "--help must name {option}");
    }
}

#[test]
fn invalid_paths_are_refused() {
    let mut root = Root::new();
    let before = root.traces();
    assert_refused(&root.install("--module /etc/passwd"), "/etc/passwd is not the module");
    assert_refused(&root.install("--module $LIBDIR/libc.so.6"), "libc.so.6 is not the module");
    assert_refused(&root.install("--module /mnt/nowhere"), "/mnt/nowhere does not exist");
    assert_refused(&root.install("--libdir /mnt/nowhere"), "/mnt/nowhere is not a folder");
    assert_same(&before, &root.traces(), "after the refusals");
}

#[test]
fn the_demonstration_names_all_that_is_missing_before_it_builds() {
    let mut root = Root::new();
    root.source_tree("/mnt/archive");
    root.ok("cd $CHECKOUT && cp --parents tests/try /mnt/archive/");
    root.ok("mkdir /mnt/few; for program in sh dirname readlink id getent; do
             ln -s $(command -v $program) /mnt/few/; done");
    let done = root.run(&format!("cd /mnt/archive; PATH=/mnt/few; mount() {{ :; }}; /mnt/few/sh {INSTALL} --try"));
    assert_eq!((done.status, &*done.out), (1, ""), "{done:?}");
    for missing in ["Rust 1.85 or newer", "a C compiler", "the program unshare (package util-linux)"] {
        assert!(done.err.contains(missing), "{missing}: {done:?}");
    }
    assert!(!done.err.contains("ping") && !done.err.contains("getent"), "{done:?}");
    // An older cargo.
    root.ok("mkdir /mnt/bin; printf '#!/bin/sh\necho cargo 1.65.0\n' >/mnt/bin/cargo; chmod 755 /mnt/bin/cargo");
    let done = root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --try"));
    assert!(done.status == 1 && done.err.contains("Rust 1.85 or newer with cargo"), "{done:?}");
    assert!(done.err.contains("instead of cargo 1.65.0"), "{done:?}");
}

#[test]
fn in_a_plain_chroot_the_demonstration_says_what_is_in_the_way() {
    let mut root = Root::new();
    root.source_tree("/mnt/archive");
    root.ok("cd $CHECKOUT && cp --parents tests/try /mnt/archive/");
    root.ok("printf '#!/bin/sh\necho cargo 1.85.0\n' >/mnt/archive/cargo; chmod 755 /mnt/archive/cargo
         mkdir -p /mnt/jail/archive /mnt/jail/tmp; cp -r /mnt/archive/. /mnt/jail/archive/
         for folder in usr bin sbin lib lib64 etc proc dev sys; do
             [ ! -e /$folder ] || { mkdir -p /mnt/jail/$folder && mount --rbind /$folder /mnt/jail/$folder; }
         done");
    let done = root.run("PATH=/archive:$PATH chroot /mnt/jail sh /archive/install.sh --try");
    assert_refused(
        &done,
        "--try makes a private network in namespaces, which is not possible here: this is a plain chroot",
    );
}
