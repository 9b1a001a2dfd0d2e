//! Target `hosts_line`: arbitrary octets as `nsswitch.conf`, read by both of glibc's parsers. All spans are inside the
//! file and in order; a service that is added changes nothing else for either parser, and the file is the same octet for
//! octet when it is removed again; the explanation has a problem where the edit is refused.
//!
//! `tests/tests/nsswitch.rs` compares the reading with the real glibc.

use nss_mdns_command::nsswitch::{Actions, Glibc, HostsLine, Kind, Reading, SERVICES, System};
use nss_mdns_command::nsswitch::{explain, insert, read, remove};

use crate::input::Input;

/// Reads, explains and edits one file.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let service = SERVICES.get(usize::from(input.u8() % 8)).copied();
    let file = input.take(usize::MAX);
    for glibc in [Glibc::V2_31, Glibc::V2_33] {
        if let Reading::Line(line) = read(file, glibc) {
            check_spans(file, &line);
        }
        check_explanation(file, glibc);
    }
    check_insertion(file, service);
    if let Ok(Some(edit)) = remove(file, service) {
        let new = edit.apply(file);
        assert_eq!(new.len() + edit.span.len(), file.len());
    }
}

fn check_spans(file: &[u8], line: &HostsLine) {
    let mut end = line.span.start;
    for service in &line.services {
        let name = &file[service.name.clone()];
        assert!(!name.is_empty() && !name.iter().any(|octet| b" \t\n\x0b\x0c\r\0[".contains(octet)), "{name:?}");
        assert!(end <= service.name.start && service.span().end <= line.span.end);
        if let Some(brackets) = &service.brackets {
            let text = &file[brackets.clone()];
            assert!(text.starts_with(b"[") && text.ends_with(b"]") && service.name.end <= brackets.start);
        }
        end = service.span().end;
    }
    if let Some(mistake) = &line.end {
        assert!(end <= mistake.found.start && mistake.found.end <= line.span.end);
    }
}

fn check_explanation(file: &[u8], glibc: Glibc) {
    let system = System { glibc, path: "nsswitch.conf", is_authselects: false, why_missing: &|_| None };
    let findings = explain(file, &system);
    assert!(findings.iter().all(|finding| !finding.text.contains('\n')));
    let is_editable = insert(file, None).is_ok();
    assert!(is_editable || findings.iter().any(|finding| finding.kind == Kind::Problem), "{findings:?}");
}

fn check_insertion(file: &[u8], service: Option<&str>) {
    let Ok(Some(edit)) = insert(file, service) else { return };
    let new = edit.apply(file);
    assert_eq!(insert(&new, service), Ok(None));
    let removal = remove(&new, service).expect("it can be removed").expect("it is there");
    assert_eq!(removal.apply(&new), file);
    let name = service.unwrap_or(SERVICES[0]);
    for glibc in [Glibc::V2_31, Glibc::V2_33] {
        let (before, mut after) = (services(file, glibc), services(&new, glibc));
        let place = after.iter().position(|(other, _)| *other == name.as_bytes()).expect("it is on the line");
        after.remove(place);
        assert_eq!(before, after, "{glibc:?}");
    }
}

/// The names of the services that this version of glibc asks, with their actions.
fn services(file: &[u8], glibc: Glibc) -> Vec<(&[u8], Actions)> {
    match read(file, glibc) {
        Reading::Line(line) => {
            line.services.iter().map(|service| (&file[service.name.clone()], service.actions)).collect()
        }
        Reading::Default | Reading::Broken(_) => Vec::new(),
    }
}
