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
fn kill_the_installation_at_each_change(root: &mut Root, killed_at: fn(&mut Root, u32, &str) -> bool) -> u32 {
    root.remember_other_files();
    let before = root.snapshot();
    let mut moments = 0;
    while moments < 200 && killed_at(root, moments + 1, "--no-check") {
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
    let moments = kill_the_installation_at_each_change(&mut Root::with_debian_package(), Root::killed_at);
    assert!((40..200).contains(&moments), "{moments} kills were tried");
}

#[test]
fn a_kill_while_ldconfig_runs_for_the_installation_leaves_a_consistent_system() {
    let mut root = Root::with_debian_package();
    root.ok(LDCONFIG_KILLER);
    let moments = kill_the_installation_at_each_change(&mut root, Root::killed_in_ldconfig_at);
    assert!((5..200).contains(&moments), "{moments} kills were tried");
}

/// Kills the removal like [`kill_the_installation_at_each_change`].
#[track_caller]
fn kill_the_removal_at_each_change(root: &mut Root, killed_at: fn(&mut Root, u32, &str) -> bool) -> u32 {
    root.remember_other_files();
    let before = root.snapshot();
    let mut moments = 0;
    root.installed();
    while moments < 200 && killed_at(root, moments + 1, "--uninstall") {
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
    moments
}

#[test]
fn a_kill_at_any_moment_of_the_removal_leaves_a_consistent_system() {
    let moments = kill_the_removal_at_each_change(&mut Root::with_debian_package(), Root::killed_at);
    assert!((25..200).contains(&moments), "{moments} kills were tried");
}

#[test]
fn a_kill_while_ldconfig_runs_for_the_removal_leaves_a_consistent_system() {
    let mut root = Root::with_debian_package();
    root.ok(LDCONFIG_KILLER);
    let moments = kill_the_removal_at_each_change(&mut root, Root::killed_in_ldconfig_at);
    assert!((5..200).contains(&moments), "{moments} kills were tried");
}

#[test]
fn a_kill_at_any_moment_of_an_upgrade_leaves_each_file_old_or_new() {
    let mut root = Root::new();
    root.ok("cp -r /mnt/archive /mnt/newer; cd /mnt/newer
         for file in libnss_mdns.so nss-mdns docs/man/nss-mdns.8; do echo newer >>$file; done");
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
    assert!((35..200).contains(&moments), "{moments} kills were tried");
}

#[test]
fn a_kill_after_any_delay_leaves_a_consistent_system() {
    let mut root = Root::with_debian_package();
    root.remember_other_files();
    let before = root.snapshot();
    let mut kills = 0;
    for milliseconds in (0..100).step_by(7) {
        let what = format!("killed after {milliseconds} ms");
        let done =
            root.run(&format!("setsid sh {INSTALL} --no-check & sleep 0.{milliseconds:03}; kill -9 -$!; wait $!"));
        kills += u32::from(done.status == 137);
        root.ok("flock -w 10 /etc true");
        root.remove_file_of_killed_ldconfig();
        root.assert_consistent(&what);
        root.uninstalled();
        assert_same(&before, &root.snapshot(), &what);
    }
    assert!(kills > 0, "no run was killed");
}

/// An overlay whose upper layer has no extended attributes, like that of some containers.
#[test]
fn where_folders_cannot_be_renamed_a_kill_at_any_moment_can_be_repaired() {
    let mut root = Root::new();
    root.ok("mkdir /mnt/ram /mnt/lib && mount -t ramfs none /mnt/ram && cd /mnt/ram && mkdir lower upper work &&
        mount -t overlay none -o lowerdir=lower,upperdir=upper,workdir=work /mnt/lib &&
        mkdir /mnt/lib/one && ! python3 -c 'import os; os.rename(\"/mnt/lib/one\", \"/mnt/lib/two\")' && rmdir /mnt/lib/one");
    let before = root.snapshot();
    let (install, uninstall) = ("--no-check --libdir /mnt/lib", "--uninstall --libdir /mnt/lib");
    for (prepared, arguments) in [(uninstall, install), (install, uninstall)] {
        // Every second change.
        let mut moments = 0;
        loop {
            assert_eq!(root.install(prepared).status, 0);
            let killed = moments < 200 && root.killed_at(moments + 1, arguments);
            let what = format!("{arguments} killed before change {}", moments + 1);
            if moments % 8 == 0 {
                let done = root.install(install);
                assert_eq!(done.status, 0, "{what}: {done:?}");
                root.assert_glibc_loads_from("/mnt/lib/nss-mdns");
            }
            let done = root.install(uninstall);
            assert_eq!((done.status, &*root.ok("ls -A /mnt/lib")), (0, ""), "{what}: {done:?}");
            assert_same(&before, &root.snapshot(), &what);
            if !killed {
                break;
            }
            moments += 2;
        }
        assert!((30..200).contains(&moments), "{arguments}: {moments} changes were made");
    }
}

/// Puts a program in the place of ldconfig that runs this command before the real one.
fn hook_ldconfig(root: &mut Root, command: &str) {
    root.ok(&format!(
        "mkdir -p /mnt/bin; printf '#!/bin/sh\n[ \"$1\" = -p ] || {command}\nexec /usr/sbin/ldconfig \"$@\"\n' >/mnt/bin/ldconfig
         chmod 755 /mnt/bin/ldconfig"
    ));
}

#[test]
fn an_interrupted_installation_is_rolled_back() {
    let mut root = Root::with_debian_package();
    let before = root.snapshot();
    // The last one is what a terminal does: it also interrupts ldconfig.
    for command in ["kill -HUP $PPID", "kill -INT $PPID", "kill -TERM $PPID", "kill -INT 0"] {
        hook_ldconfig(&mut root, command);
        let done = root.run(&format!("PATH=/mnt/bin:$PATH setsid -w sh {INSTALL} --no-check --libdir $LIBDIR"));
        assert_refused(&done, "interrupted");
        assert_same(&before, &root.snapshot(), command);
    }
}

/// As under nohup.
#[test]
fn an_ignored_signal_does_not_interrupt_an_installation() {
    let mut root = Root::new();
    hook_ldconfig(&mut root, "kill -HUP $PPID");
    root.ok(&format!("trap '' HUP; PATH=/mnt/bin:$PATH sh {INSTALL} --no-check"));
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
}

#[test]
fn an_interruption_at_any_moment_of_the_installation_is_rolled_back() {
    let mut root = Root::new();
    let before = root.snapshot();
    for moment in 1..200 {
        let done = root.run(&format!("RAISE_CHANGE_AT={moment} {} sh {INSTALL} --no-check", preload()));
        if done.status == 0 {
            assert!(moment > 40, "{moment} moments were tried");
            return;
        }
        assert_refused(&done, "interrupted");
        assert_same(&before, &root.snapshot(), &format!("interrupted before change {moment}"));
    }
    panic!("it makes more than 200 changes");
}

#[test]
fn an_interrupted_removal_says_so_and_can_be_repeated() {
    let mut root = Root::new();
    let before = root.snapshot();
    for moment in 1..200 {
        root.installed();
        let done = root.run(&format!("RAISE_CHANGE_AT={moment} {} sh {INSTALL} --uninstall", preload()));
        if done.status == 0 {
            assert!(moment > 25, "{moment} moments were tried");
            return;
        }
        assert_refused(&done, "interrupted");
        root.uninstalled();
        assert_same(&before, &root.snapshot(), &format!("interrupted before change {moment}"));
    }
    panic!("it makes more than 200 changes");
}

/// A test cannot cut the power, but it can see that everything is on the disk in time.
#[test]
fn files_are_flushed_before_the_folder_takes_its_place_and_the_library_folder_afterwards() {
    let mut root = Root::new();
    root.ok(&format!("touch /mnt/trace; TRACE=/mnt/trace {} sh {INSTALL} --no-check", preload()));
    let calls = root.read("/mnt/trace");
    let calls: Vec<_> = calls.lines().collect();
    let rename = calls.iter().position(|call| *call == "rename").expect("a rename");
    let count = |name: &str| calls[..rename].iter().filter(|call| **call == name).count();
    // The files, and the folder.
    assert_eq!(count("fsync"), count("open64") + 1, "{calls:?}");
    assert!(count("open64") > 6, "{calls:?}");
    assert_eq!(calls[rename - 1..rename + 2], ["fsync", "rename", "fsync"], "{calls:?}");
}

#[test]
fn an_installation_whose_output_cannot_be_written_succeeds() {
    let mut root = Root::new();
    let before = root.snapshot();
    let done = root.run(&format!("sh {INSTALL} --no-check >/dev/full"));
    assert_eq!(done.status, 0, "{done:?}");
    assert_eq!(root.read(CONF), NSSWITCH_AFTER);
    root.assert_glibc_loads_from(&folder());
    assert_eq!(root.run(&format!("sh {INSTALL} --uninstall >/dev/full")).status, 0);
    assert_same(&before, &root.snapshot(), "after the removal");
}

/// It would otherwise write a cache that names a folder which the next run has removed.
#[test]
fn a_second_run_is_refused_while_the_ldconfig_of_a_killed_run_works() {
    let mut root = Root::new();
    let before = root.snapshot();
    hook_ldconfig(&mut root, "{ kill -9 $PPID; sleep 2; }");
    assert_eq!(root.run(&format!("PATH=/mnt/bin:$PATH sh {INSTALL} --no-check --libdir $LIBDIR")).status, 137);
    assert_refused(&root.install("--uninstall"), "another install.sh is running");
    root.ok("flock -w 10 /etc true");
    root.uninstalled();
    assert_same(&before, &root.snapshot(), "after the removal");
}

#[test]
fn a_second_run_at_the_same_time_is_refused() {
    let mut root = Root::new();
    let before = root.traces();
    let done = root.run(&format!("exec 8</etc; flock -n 8; sh {INSTALL} --no-check"));
    assert_refused(&done, "another install.sh is running");
    assert_same(&before, &root.traces(), "after the refusal");
}
