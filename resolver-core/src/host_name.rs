//! The name of a host, as a program passed it to the resolver.

use crate::wire::{InvalidName, Name};

/// A valid name, and whether it was written with a dot at its end. These two represent the text completely, except for
/// how it was escaped.
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
        Ok(Self { name: Name::from_text(text)?, trailing_dot: has_trailing_dot(text) })
    }

    /// True if the name ends in the labels of `suffix` and has at least one label before them. `suffix` is text without
    /// a leading dot. It must end in a dot if the name was written with one, and must not if it was written without.
    pub(crate) fn ends_in(&self, suffix: &[u8]) -> bool {
        let (labels, trailing_dot) = match suffix.strip_suffix(b".") {
            Some(labels) => (labels, true),
            None => (suffix, false),
        };
        trailing_dot == self.trailing_dot && self.name.labels_before(labels).is_some_and(|before| before > 0)
    }
}

/// True if `text` ends in a dot that is not escaped.
fn has_trailing_dot(text: &[u8]) -> bool {
    let backslashes = |text: &[u8]| text.iter().rev().take_while(|&&octet| octet == b'\\').count();
    text.strip_suffix(b".").is_some_and(|text| backslashes(text) % 2 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escaped_dot_is_no_trailing_dot() {
        for (text, expected) in [
            ("printer.local", false),
            ("printer.local.", true),
            ("printer.local\\.", false),
            ("printer.local\\\\.", true),
            ("printer.local\\046", false),
            ("printer.local\\046.", true),
        ] {
            assert_eq!(HostName::from_text(text.as_bytes()).unwrap().trailing_dot, expected, "{text}");
        }
    }

    #[test]
    fn a_name_ends_in_a_suffix_of_whole_labels_after_at_least_one_more() {
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
