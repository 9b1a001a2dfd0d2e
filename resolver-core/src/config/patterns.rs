//! Interface name patterns, in the syntax of the shell: `*` matches any octets, `?` one octet, `[a-f]` one octet of a
//! set, and `[!a-f]` or `[^a-f]` one octet that is not in the set.

use crate::try_alloc;

/// The maximum length of a pattern, in octets. Interface names have at most 15 octets, and patterns are rarely longer.
const MAX_PATTERN: usize = 64;

/// A list of interface name patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfacePatterns {
    // Each pattern after a NUL: one allocation for the whole list.
    text: Vec<u8>,
}

impl InterfacePatterns {
    /// Adds a pattern. False if it is invalid, or if there is no memory for it.
    pub(crate) fn push(&mut self, pattern: &[u8]) -> bool {
        let valid = !pattern.is_empty() && pattern.len() <= MAX_PATTERN && is_valid(pattern);
        valid
            && try_alloc::reserve(&mut self.text, pattern.len() + 1)
            && try_alloc::push(&mut self.text, 0)
            && try_alloc::extend(&mut self.text, pattern)
    }

    /// True if one of the patterns matches the whole of `name`.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.iter().any(|pattern| matches(pattern, name))
    }

    /// True if the list contains `name` itself, not just a wildcard pattern that matches it.
    pub(crate) fn names(&self, name: &[u8]) -> bool {
        self.iter().any(|pattern| pattern == name)
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|&octet| octet == 0).filter(|pattern| !pattern.is_empty())
    }
}

/// True if every bracket is closed, and every octet can occur in an interface name.
fn is_valid(pattern: &[u8]) -> bool {
    let is_never_in_a_name = |octet: &u8| *octet <= b' ' || matches!(octet, b'/' | b',' | 0x7f);
    let mut rest = pattern;
    while let Some((_, tail)) = Element::first(rest) {
        rest = tail;
    }
    rest.is_empty() && !pattern.iter().any(is_never_in_a_name)
}

/// One element of a pattern.
#[derive(Clone, Copy)]
enum Element<'a> {
    AnyOctets,
    AnyOctet,
    Set { members: &'a [u8], negated: bool },
    Octet(u8),
}

impl<'a> Element<'a> {
    /// The first element of a pattern, and the rest. None at the end of the pattern, or for a bracket that is not
    /// closed.
    fn first(pattern: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&octet, rest) = pattern.split_first()?;
        match octet {
            b'*' => Some((Self::AnyOctets, rest)),
            b'?' => Some((Self::AnyOctet, rest)),
            b'[' => {
                let (negated, rest) = match rest.split_first() {
                    Some((b'!' | b'^', rest)) => (true, rest),
                    _ => (false, rest),
                };
                // A closing bracket in the first position is a member.
                let end = rest.iter().skip(1).position(|&octet| octet == b']')? + 1;
                let (members, rest) = rest.split_at_checked(end)?;
                Some((Self::Set { members, negated }, rest.get(1..)?))
            }
            octet => Some((Self::Octet(octet), rest)),
        }
    }

    /// True if this element matches one octet. The function `matches` handles `*`.
    fn matches(self, octet: u8) -> bool {
        match self {
            Self::AnyOctets => false,
            Self::AnyOctet => true,
            Self::Set { members, negated } => contains(members, octet) != negated,
            Self::Octet(own) => own == octet,
        }
    }
}

/// True if `octet` is in a set of octets and ranges of octets.
fn contains(mut members: &[u8], octet: u8) -> bool {
    loop {
        match *members {
            [] => return false,
            [first, b'-', last, ..] => {
                if (first..=last).contains(&octet) {
                    return true;
                }
                members = members.get(3..).unwrap_or_default();
            }
            [member, ..] => {
                if member == octet {
                    return true;
                }
                members = members.get(1..).unwrap_or_default();
            }
        }
    }
}

/// True if `pattern` matches the whole of `name`. It backtracks to the last `*` only, so the time is bounded by the
/// product of the lengths.
fn matches(mut pattern: &[u8], mut name: &[u8]) -> bool {
    let mut last_star: Option<(&[u8], &[u8])> = None;
    loop {
        let element = Element::first(pattern);
        match (element, name.split_first()) {
            (Some((Element::AnyOctets, tail)), _) => {
                last_star = Some((tail, name));
                pattern = tail;
            }
            (None, None) => return pattern.is_empty(),
            (Some((element, tail)), Some((&octet, rest))) if element.matches(octet) => {
                pattern = tail;
                name = rest;
            }
            _ => {
                // Let the last `*` match one octet more.
                let Some((tail, start)) = last_star else { return false };
                let Some(start) = start.get(1..) else { return false };
                last_star = Some((tail, start));
                pattern = tail;
                name = start;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::CString;

    use proptest::prelude::*;

    use super::*;
    use crate::sys::tests::fnmatch;

    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, matching, others) in [
            ("eth0", &["eth0"][..], &["eth", "eth00", "ETH0", "xeth0"][..]),
            ("*", &["", "eth0"], &[]),
            ("eth*", &["eth", "eth0", "eth0.5"], &["et", "veth0"]),
            ("*0", &["0", "eth0", "eth00"], &["eth1", ""]),
            ("e*h*0", &["eh0", "eth0", "eth10", "ehh0"], &["e0", "eth1"]),
            ("eth?", &["eth0"], &["eth", "eth10"]),
            ("br-[0-9a-f]*", &["br-0", "br-f1"], &["br-", "br-g1"]),
            ("[!v]*", &["eth0"], &["veth0", ""]),
            ("[^v]*", &["eth0"], &["veth0", ""]),
            ("[]]", &["]"], &["[", ""]),
            ("[a-]x", &["ax", "-x"], &["bx"]),
            ("**", &["", "a"], &[]),
        ] {
            let mut patterns = InterfacePatterns::default();
            assert!(patterns.push(pattern.as_bytes()), "{pattern}");
            for name in matching {
                assert!(patterns.matches(name.as_bytes()), "{pattern} {name}");
            }
            for name in others {
                assert!(!patterns.matches(name.as_bytes()), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn invalid_patterns_are_rejected() {
        let long = "a".repeat(MAX_PATTERN + 1);
        for pattern in ["", "[", "[]", "[a", "[!]", "[^]", "a b", "a/b", "a,b", "a\0", "[a\0]", &long] {
            assert!(!InterfacePatterns::default().push(pattern.as_bytes()), "{pattern:?}");
        }
    }

    #[test]
    fn names_are_distinguished_from_wildcard_patterns() {
        let mut patterns = InterfacePatterns::default();
        assert!(!patterns.matches(b"") && !patterns.matches(b"wg0"));
        assert!(patterns.push(b"wg*") && patterns.push(b"tun0"));
        assert!(patterns.matches(b"wg0") && !patterns.names(b"wg0"));
        assert!(patterns.matches(b"tun0") && patterns.names(b"tun0"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn patterns_match_as_in_fnmatch(
            pattern in "([ab*?-]|\\[[!^]?[ab-][ab!^-]{0,2}\\]){1,6}",
            name in "[ab!^-]{0,8}",
        ) {
            let mut patterns = InterfacePatterns::default();
            prop_assert!(patterns.push(pattern.as_bytes()), "{}", pattern);
            let text = |text: &str| CString::new(text).unwrap();
            let expected = fnmatch(&text(&pattern), &text(&name));
            prop_assert_eq!(patterns.matches(name.as_bytes()), expected, "{} {}", pattern, name);
        }
    }
}
