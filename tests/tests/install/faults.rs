//! Faults during an installation: read-only folders, full disks, a kill at any moment.

use super::*;

#[test]
fn read_only_folders_are_refused_before_anything_is_changed() {
    for (folder, refused) in [("/etc", "/etc/ld.so.conf.d"), (library_folder(), library_folder())] {
        let mut root = Root::new();
        root.ok(&format!("mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"));
        let before = root.traces();
        assert_refused(&root.install("--no-check"), &format!("{refused} cannot be written to"));
        assert_same(&before, &root.traces(), folder);
    }
}

#[test]
fn the_installation_is_rolled_back_if_nsswitch_conf_cannot_be_replaced() {
    let mut root = Root::with_debian_package();
    let before = root.snapshot();
    // rename() cannot replace a mount point.
    root.ok("mount --bind /etc/nsswitch.conf /etc/nsswitch.conf");
    let done = root.install("--no-check");
    assert_eq!(done.status, 1, "{done:?}");
    assert!(done.err.contains("nss-mdns: /etc/nsswitch.conf: is a mount point and cannot be replaced"), "{done:?}");
    root.ok("umount /etc/nsswitch.conf");
    assert_same(&before, &root.snapshot(), "after the failure");
}

#[test]
fn a_full_etc_is_refused_without_changes() {
    let mut refused = 0;
    let choices = [0, 1, 2, 4, 200];
    for pages in choices {
        let mut root = Root::new();
        root.ok(&format!(
            "mkdir /mnt/etc; mount -t tmpfs -o size=1m none /mnt/etc
             cp -a /etc/nsswitch.conf /etc/passwd /etc/group /etc/alternatives /etc/ld.so.conf /etc/ld.so.conf.d /mnt/etc/
              mount --bind /mnt/etc /etc; ldconfig
             head -c {} /dev/zero >/etc/room; cat /dev/zero >/etc/filling 2>/dev/null; rm /etc/room",
            pages * 4096
        ));
        let before = root.snapshot();
        let done = root.install("--no-check");
        if done.status == 0 {
            assert_eq!(root.read(CONF), NSSWITCH_AFTER, "{pages} pages");
            root.uninstalled();
        } else {
            refused += 1;
            assert!(done.err.contains("is the disk full?") || done.err.contains("No space left"), "{done:?}");
        }
        assert_same(&before, &root.snapshot(), &format!("with {pages} pages left: {done:?}"));
    }
    assert!((1..choices.len()).contains(&refused), "both outcomes must occur; {refused} refusals");
}

#[test]
fn a_full_library_folder_is_refused_without_changes() {
    let pages = |path: &Path| std::fs::metadata(path).expect("a file").len().div_ceil(4096);
    let (object, program) = (pages(module()), pages(&module().with_file_name("nss-mdns")));
    let mut refused = 0;
    let choices = [0, 1, object / 2, object - 1, object, object + program, object + program + 40];
    for pages in choices {
        let mut root = Root::new();
        root.ok(&format!(
            "mkdir /mnt/lib; mount -t tmpfs -o size=8m none /mnt/lib
             head -c {} /dev/zero >/mnt/lib/room; cat /dev/zero >/mnt/lib/filling 2>/dev/null; rm /mnt/lib/room",
            pages * 4096
        ));
        let before = root.ok("MORE=/mnt/lib; snapshot");
        let done = root.install("--no-check --libdir /mnt/lib");
        if done.status == 0 {
            assert_eq!(root.install("--uninstall --libdir /mnt/lib").status, 0);
        } else {
            refused += 1;
            assert_eq!(done.status, 1, "{done:?}");
            assert!(done.err.contains("is the disk full?") || done.err.contains("No space left"), "{done:?}");
        }
        assert_same(&before, &root.ok("MORE=/mnt/lib; snapshot"), &format!("{pages} pages left: {done:?}"));
    }
    assert!((5..choices.len()).contains(&refused), "both outcomes must occur; {refused} refusals");
}

/// Kills the installation before its first change, then before its second, and so on. Uninstalls after each kill; after
/// every fourth kill, first completes the installation. Returns the number of kills.
#[track_caller]
fn kill_at_each_moment_of_the_installation(root: &mut Root) -> u32 {
    root.ok(KILLER);
    root.remember_other_files();
    let before = root.snapshot();
    let mut moments = 0;
    while moments < 200 && root.killed_at(moments + 1, "--no-check") {
        moments += 1;
        let what = format!("killed before change {moments}");
        root.assert_consistent(&what);
        if moments % 4 == 0 {
            root.installed();
            assert_eq!(root.read(CONF), NSSWITCH_AFTER, "{what}");
            root.assert_consistent(&what);
            root.assert_glibc_loads_from(&folder());
        }
        root.uninstalled();
        assert_same(&before, &root.snapshot(), &what);
    }
    moments
}

#[test]
fn a_kill_at_any_moment_of_the_installation_leaves_a_consistent_system() {
    let moments = kill_at_each_moment_of_the_installation(&mut Root::with_debian_package());
    assert!((30..200).contains(&moments), "{moments} kills were tried");
}

#[test]
fn a_kill_at_any_moment_of_the_removal_leaves_a_consistent_system() {
    let mut root = Root::with_debian_package();
    root.ok(KILLER);
    root.remember_other_files();
    let before = root.snapshot();
    let mut moments = 0;
    root.installed();
    while moments < 200 && root.killed_at(moments + 1, "--uninstall") {
        moments += 1;
        let what = format!("killed before change {moments}");
        root.assert_consistent(&what);
        if moments % 4 == 0 {
            root.installed();
        }
        root.uninstalled();
        assert_same(&before, &root.snapshot(), &what);
        root.installed();
    }
    assert!((12..200).contains(&moments), "{moments} kills were tried");
}

#[test]
fn a_kill_at_any_moment_of_an_upgrade_leaves_each_file_old_or_new() {
    let mut root = Root::new();
    root.ok("cp -r /mnt/archive /mnt/newer; cd /mnt/newer
         for file in libnss_mdns.so nss-mdns docs/man/nss-mdns.8; do echo newer >>$file; done");
    root.ok(KILLER);
    let before = root.snapshot();
    let exchange = "mv /mnt/archive /mnt/other; mv /mnt/newer /mnt/archive; mv /mnt/other /mnt/newer";
    let mut moments = 0;
    loop {
        root.installed();
        root.ok(exchange);
        let killed = moments < 200 && root.killed_at(moments + 1, "--no-check");
        let what = format!("killed before change {}", moments + 1);
        assert_eq!(root.read(CONF), NSSWITCH_AFTER, "{what}");
        let object = NAMES.iter().map(|name| ("libnss_mdns.so", format!("{}/{name}", folder())));
        for (file, place) in object.chain(EXTRAS.map(|(_, file, place)| (file, place.to_owned()))) {
            root.ok(&format!("cmp -s /mnt/archive/{file} {place} || cmp -s /mnt/newer/{file} {place}"));
        }
        if moments % 4 == 0 {
            root.installed();
            root.ok("cmp /mnt/archive/nss-mdns /usr/local/bin/nss-mdns");
        }
        root.ok(exchange);
        root.uninstalled();
        assert_same(&before, &root.snapshot(), &what);
        if !killed {
            break;
        }
        moments += 1;
    }
    assert!((10..200).contains(&moments), "{moments} kills were tried");
}

#[test]
fn a_kill_after_any_delay_leaves_a_consistent_system() {
    let mut root = Root::with_debian_package();
    root.remember_other_files();
    let before = root.snapshot();
    for centiseconds in (0..30).step_by(3) {
        let what = format!("killed after {centiseconds}0 ms");
        root.run(&format!("setsid sh {INSTALL} --no-check & sleep 0.{centiseconds:02}; kill -9 -$!; wait $!"));
        root.ok("flock -w 10 /etc true");
        root.assert_consistent(&what);
        root.uninstalled();
        assert_same(&before, &root.snapshot(), &what);
    }
}

#[test]
fn an_interrupted_installation_is_rolled_back() {
    let mut root = Root::with_debian_package();
    let before = root.snapshot();
    root.ok("mkdir /mnt/bin; printf '#!/bin/sh\n[ \"$1\" = -p ] || kill -TERM $PPID\nexec /usr/sbin/ldconfig \"$@\"\n' >/mnt/bin/ldconfig
         chmod 755 /mnt/bin/ldconfig");
    let done = root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check --libdir $LIBDIR"));
    assert_refused(&done, "interrupted");
    assert_same(&before, &root.snapshot(), "after the interruption");
}

#[test]
fn a_second_run_at_the_same_time_is_refused() {
    let mut root = Root::new();
    let before = root.traces();
    let done = root.run(&format!("exec 8</etc; flock -n 8; sh {INSTALL} --no-check"));
    assert_refused(&done, "another install.sh is running");
    assert_same(&before, &root.traces(), "after the refusal");
}
