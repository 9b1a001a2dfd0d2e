//! The module and its five links: where they are installed, and what happens to the files of other packages.

use super::*;

#[test]
fn the_module_and_its_links_are_installed_and_removed_without_residue() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    root.ok("cmp $MODULE $LIBDIR/libnss_mdns.so.2");
    assert_eq!(root.ok("stat -c '%F %a %u %g' $LIBDIR/libnss_mdns.so.2"), "regular file 644 0 0\n");
    for link in &NAMES[1..] {
        assert_eq!(root.ok(&format!("readlink $LIBDIR/{link}")), "libnss_mdns.so.2\n");
    }
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    assert_eq!(root.ok("ls -d $LIBDIR/nss-mdns-*"), format!("{}/nss-mdns-kept\n", library_folder()));
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn a_second_run_changes_nothing() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    let once = root.snapshot();
    let again = root.installed();
    assert!(again.out.contains("nothing to do"), "{again:?}");
    assert_same(&once, &root.snapshot(), "after the second installation");
    root.uninstalled();
    let again = root.uninstalled();
    assert!(again.out.contains("nothing to do"), "{again:?}");
    assert_same(&before, &root.snapshot(), "after the second removal");
}

#[test]
fn a_newer_module_is_a_new_file_and_leaves_the_one_in_use_intact() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    root.ok("ln $LIBDIR/libnss_mdns.so.2 /usr/lib64/in-use; printf newer >>/mnt/archive/libnss_mdns.so");
    let done = root.installed();
    assert_eq!(done.out.lines().filter(|line| line.starts_with("install ")).count(), 1, "{done:?}");
    root.ok("cmp /mnt/archive/libnss_mdns.so $LIBDIR/libnss_mdns.so.2");
    root.ok("cmp $MODULE /usr/lib64/in-use && rm /usr/lib64/in-use");
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn the_files_of_debians_package_are_restored_byte_for_byte() {
    let mut root = Root::with_debian_package();
    let before = root.snapshot();
    let theirs = root.ok("cksum <$LIBDIR/libnss_mdns4_minimal.so.2");
    root.installed();
    root.ok("ldconfig");
    for name in NAMES {
        root.ok(&format!("cmp $MODULE $LIBDIR/{name}"));
    }
    root.uninstalled();
    assert_eq!(root.ok("cksum <$LIBDIR/libnss_mdns4_minimal.so.2"), theirs);
    assert_same(&before, &root.snapshot(), "after the removal");
    assert_eq!(root.ok("dpkg --verify libnss-mdns"), "");
}

#[test]
fn the_line_that_debians_package_wrote_is_kept() {
    let mut root = Root::new();
    root.ok(&format!("dpkg --install {}", debian_package().display()));
    let line = "hosts:          files mdns4_minimal [NOTFOUND=return] dns\n";
    assert!(root.read(CONF).contains(line));
    let before = root.snapshot();
    root.installed();
    assert!(root.read(CONF).contains(line));
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn debians_package_can_be_installed_later_upgraded_and_purged() {
    let mut root = Root::new();
    root.installed();
    for _ in 0..2 {
        root.ok(&format!("dpkg --install {}", debian_package().display()));
        for name in NAMES {
            root.ok(&format!("cmp $MODULE $LIBDIR/{name}"));
        }
    }
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    root.uninstalled();
    assert_eq!(root.ok("dpkg --verify libnss-mdns"), "", "all files of the package must be in place");
    root.installed();
    root.ok("dpkg --purge libnss-mdns");
    assert!(!root.read(CONF).contains("mdns"), "the purge of the package takes every mdns service off the line");
    root.installed();
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    root.uninstalled();
    assert_eq!(root.read(CONF), NSSWITCH);
    assert_eq!(root.ok("ls $LIBDIR | grep -c mdns; true"), "0\n");
    assert_eq!(root.ok("dpkg-divert --list | grep -c mdns; true"), "0\n");
}

#[test]
fn another_diversion_of_a_name_is_refused() {
    let mut root = Root::new();
    root.ok("dpkg-divert --quiet --local --no-rename --divert /mnt/elsewhere --add $LIBDIR/libnss_mdns6.so.2");
    let before = root.snapshot();
    let done = root.install("--no-check");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains("dpkg does not let the names of the module be diverted"), "{done:?}");
    assert_same(&before, &root.snapshot(), "after the refusal");
}

/// A system without dpkg and with a fake ldconfig, which lists the libc in `folder`.
pub(crate) fn root_of_another_distribution(folder: &str) -> Root {
    let mut root = Root::new();
    root.ok(&format!("mkdir -p {folder} /mnt/bin; cp $LIBDIR/libc.so.6 {folder}/libc.so.6"));
    root.write(
        "/mnt/bin/ldconfig",
        &format!(
            "#!/bin/sh\n[ \"$1\" = -p ] || exec /usr/sbin/ldconfig \"$@\"\n\
             echo '3 libs found in cache'\n\
             printf '\\tlibc.so.6 (libc6, hwcap: \"x86-64-v3\") => /usr/lib/v3/libc.so.6\\n'\n\
             printf '\\tlibc.so.6 (libc6,x86-64, OS ABI: Linux 3.2.0) => {folder}/libc.so.6\\n'\n\
             printf '\\tlibcrypt.so.2 (libc6,x86-64) => /usr/lib/other/libcrypt.so.2\\n'\n"
        ),
    );
    root.ok("mkdir /usr/lib/v3; cp $LIBDIR/libc.so.6 /usr/lib/v3/");
    root.ok("chmod 755 /mnt/bin/ldconfig; mount --bind /dev/null /var/lib/dpkg/status");
    root
}

#[test]
fn the_folders_of_fedora_and_arch_are_found_and_other_packages_files_are_kept() {
    for folder in ["/usr/lib64", "/usr/lib"] {
        let mut root = root_of_another_distribution(folder);
        let install = format!("PATH=/mnt/bin:$PATH sh {INSTALL}");
        root.ok(&format!("cd {folder}; echo theirs >libnss_mdns4_minimal.so.2; ln -s elsewhere libnss_mdns6.so.2"));
        let snapshot = format!("MORE=$(ls -d {folder}/libnss_* {folder}/nss-mdns-* 2>/dev/null); snapshot");
        root.ok("ldconfig");
        let before = root.ok(&snapshot);
        let out = root.ok(&format!("{install} --no-check"));
        assert!(out.contains(&format!("install {folder}/libnss_mdns.so.2\n")), "{out}");
        assert!(!out.contains("divert"), "{out}");
        for name in NAMES {
            root.ok(&format!("cmp $MODULE {folder}/{name}"));
        }
        // Other package managers have no diversions. A file that one of them puts over ours is kept as well.
        root.ok(&format!("cd {folder}; rm libnss_mdns_minimal.so.2; echo newer >libnss_mdns_minimal.so.2"));
        root.ok(&format!("{install} --no-check; cmp $MODULE {folder}/libnss_mdns_minimal.so.2"));
        root.ok(&format!("{install} --uninstall"));
        assert_eq!(root.read(&format!("{folder}/libnss_mdns_minimal.so.2")), "newer\n");
        root.ok(&format!("rm {folder}/libnss_mdns_minimal.so.2; ldconfig"));
        assert_same(&before, &root.ok(&snapshot), folder);
    }
}

#[test]
fn a_file_that_another_package_put_over_ours_is_not_removed() {
    let mut root = root_of_another_distribution("/usr/lib64");
    root.ok("echo older >/usr/lib64/libnss_mdns.so.2");
    root.ok(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check"));
    root.ok("rm /usr/lib64/libnss_mdns.so.2; echo newer >/usr/lib64/libnss_mdns.so.2");
    root.ok(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --uninstall"));
    assert_eq!(root.read("/usr/lib64/libnss_mdns.so.2"), "newer\n");
    assert_eq!(root.ok("ls /usr/lib64 | grep mdns"), "libnss_mdns.so.2\n");
}

#[test]
fn a_second_architecture_has_its_own_folder() {
    let mut root = Root::new();
    let i386 = "/usr/lib/i386-linux-gnu";
    // Only the ELF headers differ: class 1 (32-bit), machine 3 (i386).
    root.ok(&format!(
        "mkdir -p {i386}; for file in /mnt/archive/libnss_mdns.so $LIBDIR/libc.so.6; do
             {{ printf '\\177ELF\\001'; head -c 18 $file | tail -c +6; printf '\\003\\000'; tail -c +21 $file; }} \
             >/mnt/$(basename $file)
         done; mv /mnt/libc.so.6 {i386}/; ldconfig"
    ));
    let snapshot = format!("MORE={i386}; snapshot");
    let before = root.ok(&snapshot);
    let done = root.install(&format!("--no-check --libdir {i386}"));
    assert_refused(&done, "is built for another architecture");
    root.installed();
    let out = root.ok(&format!("sh {INSTALL} --no-check --module /mnt/libnss_mdns.so"));
    assert!(out.contains(&format!("install {i386}/libnss_mdns.so.2\n")), "{out}");
    root.ok(&format!("sh {INSTALL} --uninstall --libdir {i386}"));
    assert_eq!(root.read(CONF), NSSWITCH_AFTER, "the other folder's module still needs the service");
    root.ok(&format!("sh {INSTALL} --no-check --module /mnt/libnss_mdns.so"));
    root.uninstalled();
    assert_same(&before, &root.ok(&snapshot), "after the removal of both");
}

#[test]
fn a_damaged_module_is_refused_before_it_can_crash_programs() {
    let mut root = Root::new();
    root.ok("head -c 8192 $MODULE >/mnt/archive/libnss_mdns.so");
    let before = root.traces();
    assert_refused(&root.install("--no-check"), "libnss_mdns.so cannot be loaded: a program that tries to crashes");
    root.ok("sed 's/libc\\.so\\.6/libc.so.7/' $MODULE >/mnt/archive/libnss_mdns.so");
    assert_refused(
        &root.install("--no-check"),
        "libnss_mdns.so cannot be loaded: libc.so.7: cannot open shared object",
    );
    assert_same(&before, &root.traces(), "after the refusals");
}
