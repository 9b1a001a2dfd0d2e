//! Names that are not asked for, and what would change that.

use tests::lan::Families;
use tests::scenario::{Scenario, with_scripted};

use super::{Tested, check};

#[test]
fn a_name_of_three_labels_is_explained() -> Tested {
    let lan = with_scripted("printer.site.local", &[])?;
    let told = check(&lan.client, &["printer.site.local"])?;
    told.has_status(1);
    told.has(&[
        "lookup printer.site.local: problem: not asked for: it has 3 labels, and only names of 2 are asked for (the setting labels), because \
         others usually belong to sites that serve .local by DNS; to change that, set labels = any in /etc/nss-mdns.conf, or \
         add .site.local to /etc/mdns.allow for the services mdns, mdns4 and mdns6",
        "lookup printer.site.local: remedy: printf '\\nlabels = any\\n' | sudo tee -a /etc/nss-mdns.conf",
    ]);
    told.has_no("asked on");
    // What is proposed helps: the setting, and the list.
    told.apply_remedy(&lan.client, "lookup printer.site.local")?;
    check(&lan.client, &["printer.site.local"])?.has_status(0);
    // So it does if the file ends without a newline, or has the setting already.
    for settings in ["timeout = 500", "timeout = 500\nLabels=2 # as ever\n"] {
        lan.client.script(&format!(
            "mkdir -p /etc/site; ln -sf site/conf /etc/nss-mdns.conf; printf '{settings}' >/etc/site/conf"
        ))?;
        check(&lan.client, &["printer.site.local"])?.apply_remedy(&lan.client, "lookup printer.site.local")?;
        let told = check(&lan.client, &["printer.site.local"])?;
        told.has_status(0);
        told.has(&["settings: /etc/nss-mdns.conf has: timeout = 500; labels = any"]);
        lan.client.script("test -L /etc/nss-mdns.conf")?;
    }
    lan.client.script("rm /etc/nss-mdns.conf; echo .site.local >/etc/mdns.allow")?;
    let told = check(&lan.client, &["printer.site.local"])?;
    assert!(told.after("lookup printer.site.local: ").ends_with(" ms; by the full services only)"), "{}", told.text);
    // But the hosts line has no full service.
    told.has(&[
        "lookup printer.site.local: problem: the hosts line has only minimal services, which do not look it up: programs do \
         not find it",
        "lookup printer.site.local: remedy: sudo nss-mdns hosts add --service mdns",
    ]);
    told.has_status(1);
    told.apply_remedy(&lan.client, "lookup printer.site.local")?;
    check(&lan.client, &["printer.site.local"])?.has_status(0);
    lan.client.write("/etc/mdns.allow", ".other\n")?;
    check(&lan.client, &["printer.site.local"])?.after(
        "lookup printer.site.local: problem: not asked for: it has 3 labels, and only names of 2 are asked for (the setting labels), because \
         others usually belong to sites that serve .local by DNS; to change that, set labels = any in /etc/nss-mdns.conf, or \
         add .site.local to /etc/mdns.allow for the services mdns, mdns4 and mdns6",
    );
    Ok(())
}

#[test]
fn names_of_search_domains_are_explained() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.write("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch corp.local\n")?;
    let told = check(&lan.client, &["host.corp.local", "corp.local"])?;
    for (name, settings) in
        [("host.corp.local", "labels = any and unicast-local = off"), ("corp.local", "unicast-local = off")]
    {
        told.has(&[format!(
            "lookup {name}: left to DNS, and not asked for on the link: corp.local is a search domain in /etc/resolv.conf; \
             {settings} in /etc/nss-mdns.conf would change that"
        )]);
    }
    told.has_status(0);
    told.has_no("asked on");
    lan.client.write("/etc/nss-mdns.conf", "unicast-local = off\ntimeout = 50\n")?;
    let told = check(&lan.client, &["corp.local"])?;
    told.has(&["asked on eth0: 224.0.0.251 for A and AAAA"]);
    lan.client.write("/etc/resolv.conf", "nameserver 127.0.0.1\nsearch local\n")?;
    lan.client.write("/etc/nss-mdns.conf", "timeout = 50\n")?;
    let told = check(&lan.client, &["intranet.local"])?;
    told.has(&["local is a search domain in /etc/resolv.conf: if nobody on the link answers, the name is left to DNS"]);
    told.has_status(1);
    Ok(())
}

#[test]
fn names_outside_local_are_explained() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    let told = check(&lan.client, &["printer", "www.example.org", "a..local"])?;
    told.has_status(1);
    told.has(&[
        "lookup printer: problem: not asked for: names without a dot are left to other services; write printer.local \
         (search domains apply only to DNS)",
        "lookup www.example.org: problem: not asked for: it is not under .local; the services mdns, mdns4 and mdns6 also \
         look up the domains that /etc/mdns.allow lists",
    ]);
    told.after("lookup a..local: problem: it is not a valid name (");
    check(&lan.client, &[r"a\.b.local"])?.has(&[
        r"lookup a\.b.local: problem: not asked for: an escape in it stands for a character that programs do not accept in the name of a host",
    ]);
    lan.client.write("/etc/mdns.allow", ".example\n")?;
    check(&lan.client, &["www.example.org"])?.has(&[
        "lookup www.example.org: problem: not asked for: it is not under .local, and /etc/mdns.allow lists no suffix of it \
         (only the services mdns, mdns4 and mdns6 read that file)",
    ]);
    Ok(())
}

#[test]
fn an_entry_of_etc_hosts_is_noted_if_programs_get_it() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.script("printf '192.0.2.9 printer.local\\n' >>/etc/hosts")?;
    let note = "of /etc/hosts has 192.0.2.9 for this name: programs get that, because files comes before the module";
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(0);
    let line = told.after("lookup printer.local: note: line ");
    assert!(line.ends_with(note), "{line}");
    lan.client.use_services("mdns_minimal [NOTFOUND=return] files dns")?;
    check(&lan.client, &["printer.local"])?.has_no(note);
    Ok(())
}

#[test]
fn a_link_to_no_file_is_noted() -> Tested {
    let lan = Scenario::silent(Families::V4)?;
    lan.client.script("ln -s nowhere /etc/nss-mdns.conf")?;
    let told = check(&lan.client, &[])?;
    told.has(&[
        "settings: note: /etc/nss-mdns.conf is a symbolic link to a file that does not exist: the defaults hold",
    ]);
    told.has_status(0);
    Ok(())
}

#[test]
fn a_list_without_entries_is_mended_by_its_remedy() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.use_services("files mdns4 [NOTFOUND=return] dns")?;
    lan.client.write("/etc/mdns.allow", "# no newline ends this")?;
    check(&lan.client, &[])?.apply_remedy(&lan.client, "allowed")?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has(&["allowed: /etc/mdns.allow has: .local"]);
    told.has_status(0);
    Ok(())
}

#[test]
fn a_list_that_leaves_out_local_is_explained() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.use_services("files mdns4 [NOTFOUND=return] dns")?;
    lan.client.write("/etc/mdns.allow", ".example\n")?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(1);
    told.has(&[
        "lookup printer.local: problem: the hosts line has only full services, which do not look it up: programs do not find \
         it",
        "allowed: /etc/mdns.allow has: .example",
    ]);
    told.apply_remedy(&lan.client, "lookup printer.local")?;
    check(&lan.client, &["printer.local"])?.has_status(0);
    Ok(())
}

#[test]
fn a_service_that_lacks_the_family_is_explained() -> Tested {
    let lan = with_scripted("printer.local", &[])?;
    lan.client.use_services("files mdns6_minimal [NOTFOUND=return] dns")?;
    check(&lan.client, &["printer.local"])?.has_status(0);
    let lan = Scenario::with(Families::V4, |printer| tests::responders::scripted(printer, "printer.local", &[]))?;
    lan.client.use_services("files mdns6_minimal [NOTFOUND=return] dns")?;
    let told = check(&lan.client, &["printer.local"])?;
    told.has_status(1);
    told.has(&[
        "lookup printer.local: problem: the services on the hosts line that look it up return only IPv6 addresses, and it has none",
    ]);
    told.apply_remedy(&lan.client, "lookup printer.local")?;
    check(&lan.client, &["printer.local"])?.has_status(0);
    Ok(())
}
