//! The entries of `/etc/hosts`, which programs get if the service `files` comes before the module.

use std::fs;

use crate::text::printable;

/// The file that the service `files` reads.
const FILE: &str = "/etc/hosts";

/// What `/etc/hosts` has for a name, as a sentence.
pub(crate) fn entry(name: &[u8]) -> Option<String> {
    let (number, address) = find(&fs::read(FILE).ok()?, name)?;
    Some(format!(
        "line {number} of {FILE} has {address} for this name: programs get that, because files comes before the module"
    ))
}

/// The number of the first line that has this name, from 1, and its address.
fn find(file: &[u8], name: &[u8]) -> Option<(usize, String)> {
    let name = name.strip_suffix(b".").unwrap_or(name);
    file.split(|&octet| octet == b'\n').enumerate().find_map(|(index, line)| {
        let line = line.split(|&octet| octet == b'#').next()?;
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        let address = words.next()?;
        words.any(|word| word.eq_ignore_ascii_case(name)).then(|| (index + 1, printable(address)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_entry_of_a_name_is_found() {
        let file = b"# a.local\n127.0.0.1 localhost # a.local\n192.0.2.1\tb.local A.local\n192.0.2.2 a.local\n";
        assert_eq!(find(file, b"a.Local."), Some((3, "192.0.2.1".into())));
        assert_eq!((find(file, b"192.0.2.1"), find(file, b"c.local")), (None, None));
    }
}
