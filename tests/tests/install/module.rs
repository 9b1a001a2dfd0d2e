//! The module and its five links: where they are installed, and what happens to the files of other packages.

use super::*;

#[test]
fn the_module_and_its_links_are_installed_and_removed_without_residue() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    root.ok(&format!("cmp $MODULE {}/libnss_mdns.so.2", folder()));
    assert_eq!(root.ok(&format!("stat -c '%F %a %u %g' {}/libnss_mdns.so.2", folder())), "regular file 644 0 0\n");
    for link in &NAMES[1..] {
        assert_eq!(root.ok(&format!("readlink {}/{link}", folder())), "libnss_mdns.so.2\n");
    }
    assert_eq!(root.read(&loader_conf()), format!("{}\n", folder()));
    root.assert_glibc_loads_from(&folder());
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    assert_eq!(root.ok("ls -d $LIBDIR/*nss?mdns*"), format!("{}\n", folder()));
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
    root.ok(&format!("ln {}/libnss_mdns.so.2 /usr/lib64/in-use; printf newer >>/mnt/archive/libnss_mdns.so", folder()));
    let done = root.installed();
    assert_eq!(done.out.lines().filter(|line| line.starts_with("install ")).count(), 1, "{done:?}");
    root.ok(&format!("cmp /mnt/archive/libnss_mdns.so {}/libnss_mdns.so.2", folder()));
    root.ok("cmp $MODULE /usr/lib64/in-use && rm /usr/lib64/in-use");
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn a_missing_file_of_the_folder_is_restored() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    for file in ["libnss_mdns.so.2", "libnss_mdns4_minimal.so.2", "nss-mdns", "ld.so.conf"] {
        root.ok(&format!("rm {}/{file}", folder()));
        root.installed();
        root.ok(&format!("[ -s {}/{file} ]", folder()));
    }
    for damage in [format!("rm {}", loader_conf()), format!("ln -sf nowhere {}", loader_conf())] {
        root.ok(&format!("{damage}; ldconfig"));
        let said = root.ok(&format!("{}/nss-mdns check; true", folder()));
        assert!(said.contains("files: problem: ") && said.contains("/etc/ld.so.cache, does not list "), "{said}");
        root.installed();
        root.assert_glibc_loads_from(&folder());
    }
    // The cache alone.
    root.ok("rm /etc/ld.so.cache");
    let said = root.ok(&format!("{}/nss-mdns check; true", folder()));
    assert!(said.contains("\nfiles: remedy: sudo ldconfig\n"), "{said}");
    root.ok("ldconfig");
    root.assert_glibc_loads_from(&folder());
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn a_folder_of_other_origin_is_refused() {
    let mut root = Root::new();
    root.ok(&format!("mkdir {0}; echo theirs >{0}/file", folder()));
    let before = root.traces();
    assert_refused(&root.install("--no-check"), "nss-mdns is here, and is not of an installation by install.sh");
    assert!(root.uninstalled().out.contains("nothing to do"));
    assert_same(&before, &root.traces(), "after the refusals");
    // A killed run may have left an empty one.
    root.ok(&format!("rm {}/file", folder()));
    root.installed();
    root.assert_glibc_loads_from(&folder());
}

#[test]
fn the_module_is_preferred_to_debians_whose_files_are_untouched() {
    let mut root = Root::with_debian_package();
    root.remember_other_files();
    let before = root.snapshot();
    root.assert_glibc_loads_from(library_folder());
    root.installed();
    root.ok("ldconfig");
    root.assert_glibc_loads_from(&folder());
    root.assert_other_files_are_untouched("after the installation");
    assert_eq!(root.ok("dpkg --verify libnss-mdns"), "");
    root.uninstalled();
    root.assert_glibc_loads_from(library_folder());
    assert_same(&before, &root.snapshot(), "after the removal");
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
        root.assert_glibc_loads_from(&folder());
        assert_eq!(root.ok("dpkg --verify libnss-mdns"), "", "the package's own files must be in place");
    }
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    root.uninstalled();
    assert_eq!(root.ok("dpkg --verify libnss-mdns"), "", "all files of the package must be in place");
    root.installed();
    root.ok("dpkg --purge libnss-mdns");
    root.assert_glibc_loads_from(&folder());
    assert!(!root.read(CONF).contains("mdns"), "the purge of the package takes every mdns service off the line");
    root.installed();
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    root.uninstalled();
    assert_eq!(root.read(CONF), NSSWITCH);
    assert_eq!(root.ok("ls $LIBDIR | grep -c mdns; true"), "0\n");
}

/// The loader ignores `LD_LIBRARY_PATH` and the like in such programs, but not its cache.
#[test]
fn setuid_programs_load_the_module() {
    let mut root = Root::with_debian_package();
    root.installed();
    root.ok("cc -o /mnt/secure -x c - <<'END'
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
int main(void) {
    struct addrinfo *found;
    char line[512];
    getaddrinfo(\"nobody.local\", NULL, NULL, &found);
    FILE *maps = fopen(\"/proc/self/maps\", \"r\");
    while (fgets(line, sizeof line, maps))
        if (strstr(line, \"libnss_mdns\")) { printf(\"%lu %s\", getauxval(AT_SECURE), strchr(line, '/')); return 0; }
    return 1;
}
END
        chmod 4755 /mnt/secure");
    // An ordinary user's namespace has only one user, for whom no program is setuid.
    let (user, secure) = if unprivileged() { ("", 0) } else { ("setpriv --reuid 1 ", 1) };
    assert_eq!(root.ok(&format!("{user}/mnt/secure")), format!("{secure} {}/libnss_mdns.so.2\n", folder()));
}

/// A system with a fake ldconfig, which lists the libc in `folder`.
pub(crate) fn root_of_another_distribution(folder: &str) -> Root {
    let mut root = Root::new();
    root.ok(&format!("mkdir -p {folder} /mnt/bin; cp $LIBDIR/libc.so.6 {folder}/libc.so.6"));
    root.write(
        "/mnt/bin/ldconfig",
        format!(
            "#!/bin/sh\n[ \"$1\" = -p ] || exec /usr/sbin/ldconfig \"$@\"\n\
             echo '3 libs found in cache'\n\
             printf '\\tlibc.so.6 (libc6, hwcap: \"x86-64-v3\") => /usr/lib/v3/libc.so.6\\n'\n\
             printf '\\tlibc.so.6 (libc6,x86-64, OS ABI: Linux 3.2.0) => {folder}/libc.so.6\\n'\n\
             printf '\\tlibcrypt.so.2 (libc6,x86-64) => /usr/lib/other/libcrypt.so.2\\n'\n\
             /usr/sbin/ldconfig -p | grep libnss_mdns\n"
        ),
    );
    root.ok("mkdir /usr/lib/v3; cp $LIBDIR/libc.so.6 /usr/lib/v3/");
    root.ok("chmod 755 /mnt/bin/ldconfig");
    root
}

#[test]
fn the_folders_of_fedora_and_arch_are_found_and_other_packages_files_are_untouched() {
    for libdir in ["/usr/lib64", "/usr/lib"] {
        let mut root = root_of_another_distribution(libdir);
        let install = format!("PATH=/mnt/bin:$PATH sh {INSTALL}");
        root.ok(&format!("cd {libdir}; echo theirs >libnss_mdns4_minimal.so.2; ln -s elsewhere libnss_mdns6.so.2"));
        let snapshot = format!("MORE=$(ls -d {libdir}/libnss_* {libdir}/nss-mdns* 2>/dev/null); snapshot");
        root.ok("ldconfig");
        let before = root.ok(&snapshot);
        let out = root.ok(&format!("{install} --no-check"));
        assert!(out.contains(&format!("install {libdir}/nss-mdns/libnss_mdns.so.2\n")), "{out}");
        root.assert_glibc_loads_from(&format!("{libdir}/nss-mdns"));
        assert_eq!(root.read(&format!("{libdir}/libnss_mdns4_minimal.so.2")), "theirs\n");
        root.ok(&format!("{install} --uninstall"));
        root.ok("ldconfig");
        assert_same(&before, &root.ok(&snapshot), libdir);
    }
}

#[test]
fn a_loader_that_does_not_read_the_configuration_folder_is_refused() {
    let mut root = Root::new();
    root.ok("grep -v include /etc/ld.so.conf >/mnt/conf; rm /etc/ld.so.conf; cp /mnt/conf /etc/ld.so.conf; ldconfig");
    let before = root.snapshot();
    assert_refused(&root.install("--no-check"), "the loader does not look into");
    assert_same(&before, &root.snapshot(), "after the refusal");
}

/// A module with a SONAME is in the loader's cache under that name only.
#[test]
fn a_module_with_a_soname_is_refused() {
    let mut root = Root::new();
    root.ok("{ for service in mdns mdns4 mdns6 mdns_minimal mdns4_minimal mdns6_minimal; do
                 echo \"int _nss_${service}_gethostbyname4_r(void) { return 0; }\"; done; } |
             cc -shared -o /mnt/archive/libnss_mdns.so -Wl,-soname=libnss_mdns.so.2 -x c -");
    let before = root.snapshot();
    assert_refused(&root.install("--no-check"), "the loader does not look into");
    assert_same(&before, &root.snapshot(), "after the refusal");
}

/// A shared object for a 32-bit system that ldconfig and `install.sh` accept: an ELF header, two program headers, the
/// dynamic section and the strings that it names. `needed` is the library that it depends on.
fn object_for_32_bits(needed: &str) -> Vec<u8> {
    // The companion of this machine: i386, or ARM with hard floating point.
    let (machine, flags) = if cfg!(target_arch = "x86_64") { (3_u16, 0_u32) } else { (40, 0x0500_0400) };
    let strings = format!("\0{needed}\0_nss_mdns_minimal_gethostbyname4_r\0");
    let (dynamic, text) = (52 + 2 * 32, 52 + 2 * 32 + 4 * 8);
    let size = text + u32::try_from(strings.len()).expect("a short text");
    let mut octets = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let words = |values: &[u32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>();
    octets.extend([3, machine].map(u16::to_le_bytes).concat());
    octets.extend(words(&[1, 0, 52, 0, flags]));
    octets.extend([52_u16, 32, 2, 40, 0, 0].map(u16::to_le_bytes).concat());
    // Type, offset, two addresses, two sizes, flags, alignment: PT_LOAD and PT_DYNAMIC.
    octets.extend(words(&[1, 0, 0, 0, size, size, 5, 4096]));
    octets.extend(words(&[2, dynamic, dynamic, dynamic, 32, 32, 4, 4]));
    // DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_NULL.
    octets.extend(words(&[1, 1, 5, text, 10, size - text, 0, 0]));
    octets.extend(strings.as_bytes());
    octets
}

#[test]
fn a_second_architecture_has_its_own_folder() {
    let mut root = Root::new();
    let libdir = "/usr/lib/i386-linux-gnu";
    root.ok(&format!("mkdir -p {libdir}"));
    root.write("/mnt/libnss_mdns.so", object_for_32_bits("libc.so.6"));
    root.write(&format!("{libdir}/libc.so.6"), object_for_32_bits("ld-linux.so.2"));
    root.ok(&format!("echo {libdir} >/etc/ld.so.conf.d/other.conf; ldconfig"));
    let snapshot = format!("MORE={libdir}; snapshot");
    let before = root.ok(&snapshot);
    let done = root.install(&format!("--no-check --libdir {libdir}"));
    assert_refused(&done, "is built for another architecture");
    root.installed();
    // Without its loader, no program for i386 can run, and the check says nothing of them.
    let loader = "/lib/ld-linux.so.2";
    let check =
        format!("[ -e {loader} ] || {{ : >{loader} && trap 'rm {loader}' EXIT; }}; {}/nss-mdns check", folder());
    let done = root.run(&check);
    assert!(done.out.contains(&format!("whose C library is in {libdir}, have no module")), "{done:?}");
    let conf = format!("/etc/ld.so.conf.d/00-nss-mdns{}.conf", libdir.replace('/', "-"));
    root.ok(&format!("echo theirs >{conf}"));
    assert_refused(&root.install("--no-check --module /mnt/libnss_mdns.so"), "the loader does not look into");
    root.ok(&format!("rm {conf}; [ ! -e {libdir}/nss-mdns ]"));
    assert_eq!(root.read(CONF), NSSWITCH_AFTER, "the first folder's module still needs the service");
    let done = root.install("--no-check --module /mnt/libnss_mdns.so");
    assert_eq!((done.status, &*done.err), (0, ""), "{done:?}");
    assert!(done.out.contains(&format!("install {libdir}/nss-mdns/libnss_mdns.so.2\n")), "{done:?}");
    assert!(!done.out.contains("bin/nss-mdns"), "one program is enough: {done:?}");
    assert_eq!(root.ok(&format!("ldconfig -p | grep -c {libdir}/nss-mdns/libnss_mdns")), "6\n");
    root.assert_glibc_loads_from(&folder());
    root.ok(&format!("sh {INSTALL} --uninstall --libdir {libdir}"));
    assert_eq!(root.read(CONF), NSSWITCH_AFTER, "the other folder's module still needs the service");
    root.ok(&format!("sh {INSTALL} --no-check --module /mnt/libnss_mdns.so"));
    root.ok(&format!("sh {INSTALL} --uninstall --libdir {}", library_folder()));
    assert_eq!(root.read(CONF), NSSWITCH_AFTER, "the other folder's module still needs the service");
    root.installed();
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
    root.ok("{ printf damaged; tail -c +8 $MODULE; } >/mnt/archive/libnss_mdns.so");
    assert_refused(&root.install("--no-check"), "libnss_mdns.so: invalid ELF header");
    assert_same(&before, &root.traces(), "after the refusals");
    // Over a module that works.
    root.ok("cp /mnt/archive/libnss_mdns.so /mnt/damaged; cp $MODULE /mnt/archive/");
    root.installed();
    let before = root.traces();
    root.ok("cp /mnt/damaged /mnt/archive/libnss_mdns.so");
    assert_refused(&root.install("--no-check"), "libnss_mdns.so: invalid ELF header");
    root.ok("cp $MODULE /mnt/archive/");
    let relevant =
        |traces: &str| traces.lines().filter(|line| !line.contains("/archive")).collect::<Vec<_>>().join("\n");
    assert_same(&relevant(&before), &relevant(&root.traces()), "after the refusal of an upgrade");
}

/// A library folder that no distribution has, with octets that are no UTF-8, is found by the link in /etc.
#[test]
fn an_installation_in_any_folder_is_found_and_removed() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.ok("folder=$(printf '/mnt/l\\377 b') && mkdir \"$folder\" && ln -s \"$folder\" /mnt/link");
    root.ok(&format!("sh {INSTALL} --no-check --libdir /mnt/link"));
    assert_eq!(root.ok("LC_ALL=C ldconfig -p | grep -a -c '=> /mnt/l.* b/nss-mdns/libnss_mdns'"), "6\n");
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    root.uninstalled();
    root.ok("rmdir /mnt/link/ 2>/dev/null; rmdir \"$(readlink /mnt/link)\" && rm /mnt/link");
    assert_same(&before, &root.snapshot(), "after the removal");
    assert_eq!(root.run("ldconfig -p | grep nss-mdns").out, "");
}

#[test]
fn without_ldconfig_an_uninstallation_stops_and_can_be_repeated() {
    let mut root = Root::new();
    let before = root.snapshot();
    root.installed();
    root.ok("mount --bind /dev/null /usr/sbin/ldconfig");
    let done = root.install("--uninstall");
    assert!(done.status == 1 && done.err.contains("ldconfig"), "{done:?}");
    root.ok("umount /usr/sbin/ldconfig");
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
    assert_eq!(root.run("ldconfig -p | grep nss-mdns").out, "");
}

#[test]
fn modes_that_keep_users_out_are_corrected() {
    let mut root = Root::new();
    root.installed();
    root.ok(&format!("chmod 600 {0}/libnss_mdns.so.2; chmod 700 {0}", folder()));
    let done = root.installed();
    assert!(done.out.contains(&format!("install {}/libnss_mdns.so.2\n", folder())), "{done:?}");
    assert_eq!(root.ok(&format!("stat -c %a {0} {0}/libnss_mdns.so.2", folder())), "755\n644\n");
}
