//! `nss-mdns check NAME` tells the story of a lookup.

use tests::lan::{Families, Host};
use tests::scenario::{Scenario, with_avahi, with_scripted};

type Tested = Result<(), String>;

/// What `nss-mdns check` prints, and its exit status.
fn check(host: &Host, arguments: &[&str]) -> Result<(String, Option<i32>), String> {
    let program = tests::module::path()?.with_file_name("nss-mdns");
    let outcome = host.run(&[&[&*program.to_string_lossy(), "check"], arguments].concat());
    assert_eq!(outcome.stderr, "", "{outcome:?}");
    Ok((outcome.stdout, outcome.code))
}

#[test]
fn look() -> Tested {
    let lan = with_avahi()?;
    println!(
        "{}",
        check(&lan.client, &["printer.local", "printer.local", "nobody.local", "a.b.local", "client.local"])?.0
    );
    println!("{}", check(&lan.client, &["--json", "printer.local"])?.0);
    let v4 = lan.client.eth0().v4.unwrap().to_string();
    println!("{}", check(&lan.client, &[&v4, "10.77.1.1", "printer", "www.example.org", "a..local"])?.0);
    let lan = Scenario::with(Families::Both, |host| tests::responders::avahi_v4(host, "printer"))?;
    println!("{}", check(&lan.client, &["printer.local"])?.0);
    let lan = Scenario::with(Families::Both, |host| tests::responders::zeroconf_v4(host, "printer"))?;
    println!("{}", check(&lan.client, &["printer.local"])?.0);
    let lan = with_avahi()?;
    tests::firewalls::ufw(&lan.client)?;
    println!("{}", check(&lan.client, &["printer.local"])?.0);
    let lan = with_scripted("printer.local", &["--like", "android"])?;
    println!("{}", check(&lan.client, &["printer.local"])?.0);
    Ok(())
}
