//! The name of a host, as a program passed it to the resolver.

use crate::wire::{InvalidName, Name};

/// A valid name, and whether it was written with a dot at its end. There are no escapes, so this is all of the text but the
/// length octets that took the place of the dots.
#[derive(Clone, Debug)]
pub struct HostName {
    /// The name.
    pub name: Name,
    /// True for `printer.local.`, false for `printer.local`.
    pub trailing_dot: bool,
}

impl HostName {
    /// The name that `text` stands for.
    ///
    /// # Errors
    /// Those of [`Name::from_text`].
    pub fn from_text(text: &[u8]) -> Result<Self, InvalidName> {
        Ok(Self { name: Name::from_text(text)?, trailing_dot: text.ends_with(b".") })
    }

    /// True if the last labels of the name, with at least one more before them, are those of `suffix`, in which dots stand
    /// between labels. A dot at the suffix's end demands one at the name's end, and no dot demands none.
    pub(crate) fn ends_in(&self, suffix: &[u8]) -> bool {
        let (labels, trailing_dot) = match suffix.strip_suffix(b".") {
            Some(labels) => (labels, true),
            None => (suffix, false),
        };
        let labels = || labels.split(|&octet| octet == b'.');
        let Some(before) = self.name.labels().count().checked_sub(labels().count()) else { return false };
        let same = |(own, label): (&[u8], &[u8])| own.eq_ignore_ascii_case(label);
        before > 0 && trailing_dot == self.trailing_dot && self.name.labels().skip(before).zip(labels()).all(same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffixes_of_names() {
        for (name, suffix, expected) in [
            ("printer.local", "local", true),
            ("PRINTER.Local", "loCAL", true),
            ("a.b.local", "local", true),
            ("a.b.local", "b.local", true),
            ("b.local", "b.local", false),
            ("xb.local", "b.local", false),
            ("printer.local", "local.", false),
            ("printer.local.", "local.", true),
            ("printer.local.", "local", false),
            ("printer.local", "printer", false),
            ("local", "a.b.local", false),
        ] {
            let host = HostName::from_text(name.as_bytes()).unwrap();
            assert_eq!(host.ends_in(suffix.as_bytes()), expected, "{name} {suffix}");
        }
    }
}
