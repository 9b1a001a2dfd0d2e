//! The program `nss-mdns`, the manual pages, the example and the rule for AppArmor: the links to them, and that files
//! of other origin are not overwritten.

use super::*;

#[test]
fn the_program_the_pages_and_the_example_are_installed_and_removed_without_residue() {
    let mut root = Root::new();
    let before = root.snapshot();
    let done = root.installed();
    for (mode, file, place) in EXTRAS {
        assert!(done.out.contains(&format!("link {place}\n")), "{done:?}");
        root.ok(&format!("[ -L {place} ] && cmp /mnt/archive/{file} {place}"));
        assert_eq!(root.ok(&format!("stat -L -c '%F %a %u %g' {place}")), format!("regular file {mode} 0 0\n"));
    }
    root.ok("/usr/local/bin/nss-mdns --version");
    assert_eq!(root.ok("ls -d /etc/nss-mdns.conf 2>/dev/null; true"), "");
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn the_installed_pages_are_found_and_readable() {
    let mut root = Root::new();
    root.installed();
    for (section, page) in [("1", "nss-mdns"), ("5", "nss-mdns.conf"), ("8", "nss-mdns")] {
        let file = format!("{}/{page}.{section}", folder());
        assert_eq!(root.ok(&format!("man -w {section} {page}")).trim(), file);
        // As a user who does not own the file.
        let place = format!("/usr/local/share/man/man{section}/{page}.{section}");
        let text = root.ok(&format!("unshare -U mandoc -T ascii {place}"));
        assert!(text.contains(page), "{text}");
    }
}

#[test]
fn the_administrators_settings_are_never_changed() {
    let mut root = Root::new();
    root.ok("printf 'timeout = 500\\n' >/etc/nss-mdns.conf; chmod 640 /etc/nss-mdns.conf");
    let before = root.ok("stat -c '%a %s %Y %Z %i' /etc/nss-mdns.conf");
    root.installed();
    root.uninstalled();
    assert_eq!(root.ok("stat -c '%a %s %Y %Z %i' /etc/nss-mdns.conf"), before);
}

#[test]
fn existing_files_of_other_origin_are_left_alone() {
    let mut root = Root::new();
    root.ok("echo theirs >/usr/local/bin/nss-mdns; mkdir -p /usr/local/share/man/man8 /usr/local/share/man/man5
         ln -s /mnt/elsewhere /usr/local/share/man/man8/nss-mdns.8; mkdir /usr/local/share/man/man5/nss-mdns.conf.5");
    let before = root.snapshot();
    let done = root.installed();
    for (_, _, place) in [EXTRAS[0], EXTRAS[2], EXTRAS[3]] {
        assert!(done.out.contains(&format!("leave {place} as it is: ")), "{done:?}");
        assert!(!done.out.contains(&format!("link {place}\n")), "{done:?}");
    }
    assert!(root.installed().out.contains("nothing to do"));
    root.ok("[ ! -e /mnt/elsewhere ]");
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn a_file_that_took_the_place_of_a_link_is_not_removed() {
    let mut root = Root::new();
    let (_, _, example) = EXTRAS[4];
    root.installed();
    root.ok(&format!("rm {example}; echo '# mine' >{example}"));
    let done = root.installed();
    assert!(done.out.contains(&format!("leave {example} as it is")), "{done:?}");
    root.uninstalled();
    assert_eq!(root.read(example), "# mine\n");
    for (_, _, place) in &EXTRAS[..4] {
        root.ok(&format!("[ ! -e {place} ] && [ ! -L {place} ]"));
    }
}

#[test]
fn newer_files_replace_older_ones_by_rename() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    root.ok(&format!(
        "ln {}/nss-mdns /usr/local/in-use
         printf newer >>/mnt/archive/nss-mdns; echo newer >>/mnt/archive/docs/man/nss-mdns.8",
        folder()
    ));
    let done = root.installed();
    assert_eq!(done.out.lines().filter(|line| line.starts_with("install ")).count(), 2, "{done:?}");
    root.ok("cmp /mnt/archive/nss-mdns /usr/local/bin/nss-mdns");
    root.ok("cmp \"${MODULE%/*}/nss-mdns\" /usr/local/in-use && rm /usr/local/in-use");
    let list = root.ok(&format!("cat {}/outside", folder()));
    for version in 0..3 {
        root.ok(&format!("printf {version} >>/mnt/archive/nss-mdns"));
        root.installed();
        assert_eq!(root.ok(&format!("cat {}/outside", folder())), list, "the list must not grow");
    }
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn another_prefix_replaces_the_first_one() {
    let mut root = Root::new();
    let before = root.ok("MORE=/mnt/opt; snapshot; ls /mnt");
    root.installed();
    let prefix = "'/mnt/opt/my site'";
    let done = root.install(&format!("--no-check --prefix={prefix}"));
    assert_eq!(done.status, 0, "{done:?}");
    root.ok(&format!("cmp /mnt/archive/nss-mdns {prefix}/bin/nss-mdns"));
    for (_, _, place) in EXTRAS {
        assert!(done.out.contains(&format!("remove {place}\n")), "{done:?}");
        root.ok(&format!("[ ! -e {place} ]"));
    }
    root.uninstalled();
    assert_same(&before, &root.ok("MORE=/mnt/opt; snapshot; ls /mnt"), "after the removal");
}

#[track_caller]
fn assert_all_there(root: &mut Root, what: &str) {
    for (_, file, place) in EXTRAS {
        assert_eq!(root.run(&format!("cmp /mnt/archive/{file} {place}")).status, 0, "{what}: {place}");
    }
}

#[test]
fn another_spelling_of_the_prefix_is_the_same_prefix() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    root.ok("ln -s ../usr/local /mnt/alias");
    let list = root.ok(&format!("cat {}/outside", folder()));
    for prefix in ["/usr/local/", "/usr/local/.", "/usr//local", "/usr/../usr/local", "/mnt/alias"] {
        let done = root.install(&format!("--no-check --prefix {prefix}"));
        assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
        assert!(done.out.contains("nothing to do"), "{done:?}");
        assert_eq!(root.ok(&format!("cat {}/outside", folder())), list, "{prefix}");
        assert_all_there(&mut root, prefix);
    }
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

/// The kernel need not have AppArmor for this.
#[test]
fn the_rule_for_apparmor_is_installed_where_abstractions_are() {
    let mut root = Root::new();
    root.ok("mkdir -p /etc/apparmor.d/abstractions");
    let snapshot = "MORE=/etc/apparmor.d; snapshot";
    let before = root.ok(snapshot);
    root.installed();
    let rule = root.read("/etc/apparmor.d/abstractions/nameservice.d/nss-mdns");
    assert!(rule.ends_with("\n/etc/nss-mdns.conf r,\n"), "{rule}");
    root.uninstalled();
    assert_same(&before, &root.ok(snapshot), "after the removal");
}

#[test]
fn a_missing_program_or_page_is_refused_before_anything_is_changed() {
    let mut root = Root::new();
    for (_, file, _) in EXTRAS {
        root.ok(&format!("mv /mnt/archive/{file} /mnt/away"));
        let before = root.traces();
        assert_refused(&root.install("--no-check"), &format!("/mnt/archive/{file}, which belongs beside the module"));
        if file.contains("example") {
            root.ok(&format!("sh {INSTALL} --destdir /mnt/stage; rm -r /mnt/stage"));
        } else {
            assert_refused(&root.install("--destdir /mnt/stage"), &format!("/mnt/archive/{file}, which belongs"));
        }
        assert_same(&before, &root.traces(), file);
        root.ok(&format!("[ ! -e /mnt/stage ]; mv /mnt/away /mnt/archive/{file}"));
    }
    root.ok("{ printf '\\177ELF\\001'; tail -c +6 $MODULE; } >/mnt/archive/nss-mdns");
    assert_refused(&root.install("--no-check"), "nss-mdns is built for another architecture");
}

#[test]
fn read_only_and_full_prefixes_are_refused_without_changes() {
    let mut root = Root::new();
    let mut refused = 0;
    root.installed();
    root.ok("mount --bind /usr/local /usr/local && mount -o remount,bind,ro /usr/local");
    let before = root.traces();
    assert_refused(&root.install("--uninstall"), "cannot be written to (is it mounted read-only?)");
    assert_same(&before, &root.traces(), "after the refused removal");
    root.ok("umount /usr/local");
    root.uninstalled();
    root.ok("mount --bind /usr/local /usr/local && mount -o remount,bind,ro /usr/local");
    let before = root.traces();
    assert_refused(&root.install("--no-check"), "cannot be written to (is it mounted read-only?)");
    assert_same(&before, &root.traces(), "after the refused installation");
    root.ok("umount /usr/local");

    // Links take no room, but an inode each.
    for inodes in 1..16 {
        root.ok(&format!("mkdir -p /mnt/opt; mount -t tmpfs -o size=2m,nr_inodes={} none /mnt/opt", inodes + 1));
        let before = root.ok("MORE=/mnt/opt; snapshot");
        let done = root.install("--no-check --prefix /mnt/opt");
        if done.status == 0 {
            root.uninstalled();
        } else {
            refused += 1;
            assert_eq!(done.status, 1, "{done:?}");
            assert!(done.err.contains("No space left on device"), "{done:?}");
        }
        assert_same(&before, &root.ok("MORE=/mnt/opt; snapshot"), &format!("{inodes} inodes: {done:?}"));
        root.ok("umount /mnt/opt");
    }
    assert!((4..15).contains(&refused), "both outcomes must occur; {refused} refusals");
}

#[test]
fn an_upgrade_without_disk_space_keeps_the_older_files() {
    let mut root = Root::new();
    root.ok("mkdir -p /mnt/lib; mount -t tmpfs -o size=4m none /mnt/lib");
    assert_eq!(root.install("--no-check --libdir /mnt/lib").status, 0);
    root.ok("echo newer >>/mnt/archive/docs/man/nss-mdns.8; echo newer >>/mnt/archive/nss-mdns
         head -c 65536 /dev/zero >/mnt/lib/room; cat /dev/zero >/mnt/lib/filling 2>/dev/null; rm /mnt/lib/room");
    let files = "cd /mnt/lib; find . -type f -exec cksum {} + | LC_ALL=C sort";
    let before = root.ok(files);
    let done = root.install("--no-check --libdir /mnt/lib");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(
        done.err.contains("/mnt/lib/nss-mdns.new/libnss_mdns.so.2: cannot be written: No space left on device"),
        "{done:?}"
    );
    assert_same(&before, &root.ok(files), "after the refusal");
    root.ok("rm /mnt/lib/filling");
    assert_eq!(root.install("--no-check --libdir /mnt/lib").status, 0);
    root.ok("cmp /mnt/archive/nss-mdns /usr/local/bin/nss-mdns");
    assert_eq!(root.install("--uninstall --libdir /mnt/lib").status, 0);
    assert_eq!(root.ok("ls -A /mnt/lib"), "");
}
