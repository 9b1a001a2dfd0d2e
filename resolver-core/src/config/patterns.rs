//! Patterns of interfaces' names, as a shell has them: `*` for any octets, `?` for one, `[a-f]` for one of several, `[!a-f]`
//! or `[^a-f]` for one of all others.

use crate::try_alloc;

/// The longest pattern, in octets: a name has 15, and patterns hardly more.
const MAX_PATTERN: usize = 64;

/// A list of patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InterfacePatterns {
    // Each with a NUL before it: a list of lists would be an allocation for each.
    text: Vec<u8>,
}

impl InterfacePatterns {
    /// Adds a pattern; false if it is none, or there is no memory for it.
    pub(crate) fn push(&mut self, pattern: &[u8]) -> bool {
        let valid = !pattern.is_empty() && pattern.len() <= MAX_PATTERN && is_pattern(pattern);
        valid
            && try_alloc::reserve(&mut self.text, pattern.len() + 1)
            && try_alloc::push(&mut self.text, 0)
            && try_alloc::extend(&mut self.text, pattern)
    }

    /// True if one of the patterns matches the whole of `name`.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.iter().any(|pattern| matches(pattern, name))
    }

    /// True if `name` itself is in the list.
    pub(crate) fn names(&self, name: &[u8]) -> bool {
        self.iter().any(|pattern| pattern == name)
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|&octet| octet == 0).filter(|pattern| !pattern.is_empty())
    }
}

/// True if every bracket is closed, and what stands there could be in a name.
fn is_pattern(pattern: &[u8]) -> bool {
    let is_in_no_name = |octet: &u8| *octet <= b' ' || matches!(octet, b'/' | b',' | 0x7f);
    let mut rest = pattern;
    while let Some((_, behind)) = Element::first(rest) {
        rest = behind;
    }
    rest.is_empty() && !pattern.iter().any(is_in_no_name)
}

/// What stands at one place of a pattern.
#[derive(Clone, Copy)]
enum Element<'a> {
    Any,
    One,
    Set { members: &'a [u8], negated: bool },
    Octet(u8),
}

impl<'a> Element<'a> {
    /// The first element of a pattern, and what stands behind it; None at its end, or for a bracket that is not closed.
    fn first(pattern: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (&octet, rest) = pattern.split_first()?;
        match octet {
            b'*' => Some((Self::Any, rest)),
            b'?' => Some((Self::One, rest)),
            b'[' => {
                let (negated, rest) = match rest.split_first() {
                    Some((b'!' | b'^', rest)) => (true, rest),
                    _ => (false, rest),
                };
                // A closing bracket at the first place is a member.
                let end = rest.iter().skip(1).position(|&octet| octet == b']')? + 1;
                let (members, rest) = rest.split_at_checked(end)?;
                Some((Self::Set { members, negated }, rest.get(1..)?))
            }
            octet => Some((Self::Octet(octet), rest)),
        }
    }

    fn takes(self, octet: u8) -> bool {
        match self {
            Self::Any => false,
            Self::One => true,
            Self::Set { members, negated } => contains(members, octet) != negated,
            Self::Octet(own) => own == octet,
        }
    }
}

/// True if `octet` is among the members of a set, some of which are ranges.
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

/// True if `pattern` matches the whole of `name`. Only the last `*` is ever gone back to, so the time is bounded by the
/// product of the lengths.
fn matches(mut pattern: &[u8], mut name: &[u8]) -> bool {
    let mut last_star: Option<(&[u8], &[u8])> = None;
    loop {
        let element = Element::first(pattern);
        match (element, name.split_first()) {
            (Some((Element::Any, behind)), _) => {
                last_star = Some((behind, name));
                pattern = behind;
            }
            (None, None) => return pattern.is_empty(),
            (Some((element, behind)), Some((&octet, rest))) if element.takes(octet) => {
                pattern = behind;
                name = rest;
            }
            _ => {
                // Let the last star take one octet more.
                let Some((behind, from)) = last_star else { return false };
                let Some(from) = from.get(1..) else { return false };
                last_star = Some((behind, from));
                pattern = behind;
                name = from;
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
    fn what_patterns_match() {
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
    fn what_is_no_pattern() {
        let long = "a".repeat(MAX_PATTERN + 1);
        for pattern in ["", "[", "[]", "[a", "[!]", "[^]", "a b", "a/b", "a,b", "a\0", "[a\0]", &long] {
            assert!(!InterfacePatterns::default().push(pattern.as_bytes()), "{pattern:?}");
        }
    }

    #[test]
    fn names_without_a_pattern_are_known() {
        let mut patterns = InterfacePatterns::default();
        assert!(!patterns.matches(b"") && !patterns.matches(b"wg0"));
        assert!(patterns.push(b"wg*") && patterns.push(b"tun0"));
        assert!(patterns.matches(b"wg0") && !patterns.names(b"wg0"));
        assert!(patterns.matches(b"tun0") && patterns.names(b"tun0"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

        /// The C library's fnmatch is of the same opinion.
        #[test]
        fn patterns_are_the_shells(pattern in "([ab*?-]|\\[[!^]?[ab-][ab!^-]{0,2}\\]){1,6}", name in "[ab!^-]{0,8}") {
            let mut patterns = InterfacePatterns::default();
            prop_assert!(patterns.push(pattern.as_bytes()), "{}", pattern);
            let text = |text: &str| CString::new(text).unwrap();
            let expected = fnmatch(&text(&pattern), &text(&name));
            prop_assert_eq!(patterns.matches(name.as_bytes()), expected, "{} {}", pattern, name);
        }
    }
}
