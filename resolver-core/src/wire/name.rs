//! Domain names (RFC 1035, sections 3.1 and 4.1.4; RFC 6762, section 16).
//!
//! ```text
//!  7  p  r  i  n  t  e  r  5  l  o  c  a  l  0
//! ```
//! Labels are octets, UTF-8 by convention. They are stored unchanged. Comparison ignores the case of ASCII letters
//! only.

use core::fmt;
use core::hash::{Hash, Hasher};
use std::net::IpAddr;

use super::reader::{Reader, WireError};

/// The maximum size of a name, in octets of its uncompressed wire form with the final zero (RFC 1035, section 3.1).
pub const MAX_NAME: usize = 255;

/// The maximum size of a label, in octets (RFC 1035, section 3.1).
const MAX_LABEL: usize = 63;

/// The maximum number of compression pointers in one name. A well-formed name needs at most one for each label, and
/// real responders chain only a few.
const MAX_HOPS: usize = 32;

/// A valid domain name in uncompressed wire form. Comparison and hashing ignore the case of ASCII letters.
#[derive(Clone)]
pub struct Name {
    length: u8,
    octets: [u8; MAX_NAME],
}

/// Why a text is not a domain name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidName {
    /// Two dots in a row, a leading dot, or no text at all.
    EmptyLabel,
    /// A label of more than 63 octets.
    LabelTooLong,
    /// More than 255 octets in wire form.
    NameTooLong,
    /// An ASCII control character, as it is or as an escape.
    ControlCharacter,
}

impl Name {
    /// The root: the name without labels.
    pub fn root() -> Self {
        Self { length: 1, octets: [0; MAX_NAME] }
    }

    /// No octets yet, not even the final zero: a name under construction.
    fn empty() -> Self {
        Self { length: 0, octets: [0; MAX_NAME] }
    }

    /// Parses labels separated by dots, with an optional dot at the end.
    ///
    /// The escapes that programs print are decoded (RFC 1035, section 5.1): `\DDD`, with three decimal digits, is the
    /// octet of that value; `\.` and `\\` are a dot and a backslash in a label. Any other backslash stands for itself.
    ///
    /// # Errors
    /// [`InvalidName`]: the first reason why `text` is not a name.
    pub fn from_text(mut text: &[u8]) -> Result<Self, InvalidName> {
        let mut name = Self::empty();
        loop {
            text = name.push_text(text)?;
            if text.is_empty() {
                return name.finish().ok_or(InvalidName::NameTooLong);
            }
        }
    }

    /// Appends the first label of `text`. Returns what follows the label and its dot.
    fn push_text<'a>(&mut self, mut text: &'a [u8]) -> Result<&'a [u8], InvalidName> {
        let mut label = [0; MAX_LABEL];
        let mut length = 0;
        while let Some((&first, tail)) = text.split_first() {
            text = tail;
            let octet = match first {
                b'.' => break,
                b'\\' => {
                    let (octet, tail) = unescape(tail).unwrap_or((first, tail));
                    text = tail;
                    octet
                }
                octet => octet,
            };
            if octet.is_ascii_control() {
                return Err(InvalidName::ControlCharacter);
            }
            *label.get_mut(length).ok_or(InvalidName::LabelTooLong)? = octet;
            length += 1;
        }
        let label = label.get(..length).filter(|label| !label.is_empty()).ok_or(InvalidName::EmptyLabel)?;
        self.push(label).ok_or(InvalidName::NameTooLong)?;
        Ok(text)
    }

    /// The name that owns the PTR record of an address: `4.3.2.1.in-addr.arpa`, or 32 digits under `ip6.arpa` (RFC
    /// 1035, section 3.5; RFC 3596, section 2.5).
    pub fn of_address(ip: IpAddr) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut name = Self::empty();
        let mut push = |label: &[u8]| {
            let pushed = name.push(label);
            debug_assert!(pushed.is_some(), "the longest such name has 74 octets");
        };
        match ip {
            IpAddr::V4(ip) => {
                for octet in ip.octets().into_iter().rev() {
                    let digits = [octet / 100, octet / 10 % 10, octet % 10].map(|digit| b'0' + digit);
                    let zeros = digits.iter().take(2).take_while(|&&digit| digit == b'0').count();
                    push(digits.get(zeros..).unwrap_or_default());
                }
                push(b"in-addr");
            }
            IpAddr::V6(ip) => {
                for octet in ip.octets().into_iter().rev() {
                    for digit in [octet & 0xf, octet >> 4] {
                        push(DIGITS.get(usize::from(digit)..).and_then(|rest| rest.get(..1)).unwrap_or_default());
                    }
                }
                push(b"ip6");
            }
        }
        push(b"arpa");
        push(b"");
        name
    }

    /// Reads a name, following compression pointers, and moves `reader` past it.
    ///
    /// A pointer must lead to an offset before the run of labels that it ends, so there can be no loop.
    ///
    /// # Errors
    /// [`WireError`]. The position of `reader` is then unspecified.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut name = Self::root();
        name.overwrite_from(reader)?;
        Ok(name)
    }

    /// Like [`Name::read`], but overwrites this name. This saves stack: a returned name is copied from function to
    /// function, 256 octets each time.
    ///
    /// # Errors
    /// Those of [`Name::read`]. This name is then the root.
    pub fn overwrite_from(&mut self, reader: &mut Reader<'_>) -> Result<(), WireError> {
        self.length = 0;
        let read = walk(reader, |label| self.push(label).ok_or(WireError::NameTooLong));
        if read.is_err() {
            self.length = 0;
            // Cannot fail: there is room for one octet.
            let _ = self.push(&[]);
        }
        read
    }

    /// True if the name at `reader` parses and equals this one. It is compared in place, because a copy would take 256
    /// octets of the caller's stack.
    pub fn is_at(&self, mut reader: Reader<'_>) -> bool {
        let mut rest = self.as_wire();
        let same = walk(&mut reader, |label| {
            let (&length, tail) = rest.split_first().ok_or(Differs)?;
            let (own, tail) = tail.split_at_checked(usize::from(length)).ok_or(Differs)?;
            rest = tail;
            if own.eq_ignore_ascii_case(label) { Ok(()) } else { Err(Differs) }
        });
        same.is_ok()
    }

    /// Moves `reader` past a name, without following its pointer.
    ///
    /// # Errors
    /// [`WireError`] if the end of the name cannot be found.
    pub fn skip(reader: &mut Reader<'_>) -> Result<(), WireError> {
        loop {
            match Element::read(reader)? {
                Element::Label(_) => {}
                Element::End | Element::Pointer(_) => return Ok(()),
            }
        }
    }

    /// The name in uncompressed wire form, including the final zero.
    pub fn as_wire(&self) -> &[u8] {
        self.octets.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// The labels from left to right, without the root's empty label.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.as_wire();
        core::iter::from_fn(move || {
            let (&length, tail) = rest.split_first()?;
            let (label, tail) = tail.split_at_checked(usize::from(length)).filter(|(label, _)| !label.is_empty())?;
            rest = tail;
            Some(label)
        })
    }

    /// True if the last label is `local` and at least one label precedes it (RFC 6762, section 3).
    pub fn is_local(&self) -> bool {
        const SUFFIX: &[u8] = b"\x05local\x00";
        let wire = self.as_wire();
        self.labels().count() > 1
            && wire
                .len()
                .checked_sub(SUFFIX.len())
                .and_then(|start| wire.get(start..))
                .is_some_and(|end| end.eq_ignore_ascii_case(SUFFIX))
    }

    /// How many labels precede those of `suffix` in this name; None if it does not end in them. `suffix` is text without
    /// escapes and without a dot at its start or end.
    pub(crate) fn labels_before(&self, suffix: &[u8]) -> Option<usize> {
        let labels = || suffix.split(|&octet| octet == b'.');
        let before = self.labels().count().checked_sub(labels().count())?;
        let same = |(own, label): (&[u8], &[u8])| own.eq_ignore_ascii_case(label);
        self.labels().skip(before).zip(labels()).all(same).then_some(before)
    }

    /// True if the name can be returned to a caller as a host name. Every label must be UTF-8 without control
    /// characters, white space, dots, backslashes, or characters that are invisible or change the direction of text. No
    /// label may begin with a hyphen, because a program could take the name for an option.
    pub fn is_clean(&self) -> bool {
        self.is_clean_with_spaces() && !self.labels().any(|label| label.contains(&b' '))
    }

    /// As [`Name::is_clean`], but the labels may have spaces (U+0020), like the names that people give their computers.
    pub(crate) fn is_clean_with_spaces(&self) -> bool {
        let is_unclean = |char: char| {
            char.is_control() || char.is_whitespace() && char != ' ' || is_invisible(char) || matches!(char, '.' | '\\')
        };
        self.labels().all(|label| {
            core::str::from_utf8(label).is_ok_and(|label| !label.starts_with('-') && !label.chars().any(is_unclean))
        })
    }

    /// Passes the name as text to `write`, in pieces: the labels with dots between them, without a dot at the end.
    pub fn write_text(&self, mut write: impl FnMut(&[u8])) {
        for (index, label) in self.labels().enumerate() {
            if index > 0 {
                write(b".");
            }
            write(label);
        }
    }

    /// The number of octets that [`Name::write_text`] writes.
    pub fn text_len(&self) -> usize {
        // Each length octet except the first becomes a dot, and the final zero is dropped.
        self.as_wire().len().saturating_sub(2)
    }

    /// Appends a label of at most 63 octets; an empty label ends the name. None if the name would be too long.
    fn push(&mut self, label: &[u8]) -> Option<()> {
        self.push_octets(&[u8::try_from(label.len()).ok()?])?;
        self.push_octets(label)
    }

    /// Appends the final zero. None if the name would be too long.
    fn finish(mut self) -> Option<Self> {
        self.push_octets(&[0])?;
        Some(self)
    }

    fn push_octets(&mut self, octets: &[u8]) -> Option<()> {
        let start = usize::from(self.length);
        let end = start + octets.len();
        self.octets.get_mut(start..end)?.copy_from_slice(octets);
        self.length = u8::try_from(end).ok()?;
        Some(())
    }
}

/// The octet that an escape stands for, and what follows the escape. `text` begins after the backslash. None if that
/// begins no escape.
fn unescape(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [octet @ (b'.' | b'\\'), tail @ ..] => Some((*octet, tail)),
        [a @ b'0'..=b'9', b @ b'0'..=b'9', c @ b'0'..=b'9', tail @ ..] => {
            let value = [a, b, c].into_iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
            Some((u8::try_from(value).ok()?, tail))
        }
        _ => None,
    }
}

/// True for Unicode format characters that are invisible but affect how the text around them is displayed: direction
/// marks and overrides, joiners, the byte order mark, the soft hyphen.
fn is_invisible(char: char) -> bool {
    matches!(char, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The name in the message is malformed, or is not the one that it is compared with.
struct Differs;

impl From<WireError> for Differs {
    fn from(_: WireError) -> Self {
        Self
    }
}

/// Passes each label of the name at `reader` to `each`, and finally the root's empty label. Moves `reader` past the
/// name. [`Name::read`] describes which pointers are followed.
fn walk<E: From<WireError>>(reader: &mut Reader<'_>, mut each: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
    let mut run_start = reader.offset();
    let Some(mut target) = walk_run(reader, &mut each)? else { return Ok(()) };
    for _ in 0..MAX_HOPS {
        let mut run = reader.follow_pointer(target, run_start)?;
        run_start = target;
        match walk_run(&mut run, &mut each)? {
            None => return Ok(()),
            Some(next) => target = next,
        }
    }
    Err(WireError::BadPointer.into())
}

/// Passes the labels up to the end of the name, or up to a pointer, to `each`. Returns the target of the pointer.
fn walk_run<E: From<WireError>>(
    reader: &mut Reader<'_>,
    each: &mut impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Option<usize>, E> {
    loop {
        match Element::read(reader)? {
            Element::Label(label) => each(label)?,
            Element::Pointer(target) => return Ok(Some(target)),
            Element::End => return each(&[]).map(|()| None),
        }
    }
}

/// One element of a name in wire form.
enum Element<'a> {
    Label(&'a [u8]),
    Pointer(usize),
    End,
}

impl<'a> Element<'a> {
    fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let length = reader.u8()?;
        match length >> 6 {
            0 if length == 0 => Ok(Self::End),
            0 => Ok(Self::Label(reader.octets(usize::from(length))?)),
            3 => Ok(Self::Pointer(usize::from(length & 0x3f) << 8 | usize::from(reader.u8()?))),
            _ => Err(WireError::ReservedLabel),
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        // Length octets are at most 63 and letters start at 65, so folding the whole wire form changes letters only.
        self.as_wire().eq_ignore_ascii_case(other.as_wire())
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.as_wire() {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut result = Ok(());
        self.write_text(|piece| {
            if result.is_ok() {
                result = write!(formatter, "{}", piece.escape_ascii());
            }
        });
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_text(text.as_bytes()).unwrap()
    }

    fn text(name: &Name) -> Vec<u8> {
        let mut text = Vec::new();
        name.write_text(|piece| text.extend_from_slice(piece));
        text
    }

    fn read(message: &[u8], at: usize) -> Result<Name, WireError> {
        let mut reader = Reader::new(message);
        reader.octets(at).unwrap();
        Name::read(&mut reader)
    }

    fn is_at(message: &[u8], at: usize, name: &Name) -> bool {
        let mut reader = Reader::new(message);
        reader.octets(at).unwrap();
        name.is_at(reader)
    }

    #[test]
    fn a_name_is_compared_in_place() {
        let printer = name("printer.local");
        for (message, at, same) in [
            (&b"\x07printer\x05local\x00"[..], 0, true),
            (b"\x07PRINTER\x05Local\x00", 0, true),
            (b"\x05local\x00\x07printer\xc0\x00", 7, true),
            (b"\x07printer\x05local\x01x\x00", 0, false),
            (b"\x07printer\x00\x05local\x00", 0, false),
            (b"\x05local\x00", 0, false),
            (b"\x00", 0, false),
            (b"\x0dprinter.local\x00", 0, false),
            (b"\x07printer\x05local", 0, false),
            (b"\x07printer\x05local\xc0\x00", 0, false),
            (b"\x47printer\x05local\x00", 0, false),
        ] {
            assert_eq!(is_at(message, at, &printer), same, "{message:?}");
        }
        // '@' and '`' differ by the case bit only, but they are not letters.
        assert!(!is_at(b"\x01`\x05local\x00", 0, &name("@.local")));
    }

    #[test]
    fn text_and_wire_form_agree() {
        let wire = b"\x07printer\x05local\x00";
        for written in ["printer.local", "printer.local."] {
            let name = name(written);
            assert_eq!(name.as_wire(), wire);
            assert_eq!(text(&name), b"printer.local");
            assert_eq!(name.text_len(), 13);
        }
        assert_eq!(read(wire, 0).unwrap(), name("printer.local"));
    }

    #[test]
    fn invalid_texts_are_rejected_with_a_reason() {
        let long_label = format!("{}.local", "a".repeat(64));
        let long_name = format!("{}.local", ["a".repeat(63).as_str(); 4].join("."));
        for (text, reason) in [
            ("", InvalidName::EmptyLabel),
            (".", InvalidName::EmptyLabel),
            (".local", InvalidName::EmptyLabel),
            ("a..local", InvalidName::EmptyLabel),
            ("a.local..", InvalidName::EmptyLabel),
            (&long_label, InvalidName::LabelTooLong),
            (&long_name, InvalidName::NameTooLong),
            ("a\nb.local", InvalidName::ControlCharacter),
        ] {
            assert_eq!(Name::from_text(text.as_bytes()).err(), Some(reason), "{text:?}");
        }
    }

    #[test]
    fn escapes_are_decoded() {
        for (text, labels) in [
            // As avahi-browse and getent print names.
            ("b\\195\\188ro.local", &["b\u{fc}ro".as_bytes(), b"local"][..]),
            ("Johns\\032MacBook.local.", &[b"Johns MacBook", b"local"]),
            ("a\\.b.local", &[b"a.b", b"local"]),
            ("a\\046b.local", &[b"a.b", b"local"]),
            ("a\\\\b.local", &[b"a\\b", b"local"]),
            ("a\\092032b.local", &[b"a\\032b", b"local"]),
            ("a.local\\.", &[b"a", b"local."]),
            ("a\\255.local", &[b"a\xff", b"local"]),
        ] {
            assert!(name(text).labels().eq(labels.iter().copied()), "{text:?}: {:?}", name(text));
        }
        // The limit of a label counts what the escapes stand for.
        assert_eq!(name(&format!("{}.local", "\\097".repeat(63))), name(&format!("{}.local", "a".repeat(63))));
        assert_eq!(
            Name::from_text(format!("{}.local", "\\097".repeat(64)).as_bytes()).err(),
            Some(InvalidName::LabelTooLong)
        );
    }

    #[test]
    fn a_backslash_that_begins_no_escape_stands_for_itself() {
        for text in ["a\\", "a\\b", "a\\1", "a\\12", "a\\12b", "a\\256", "a\\999", "a\\-1 ", "\\x097"] {
            let name = name(&format!("{text}x.local"));
            assert!(name.labels().eq([format!("{text}x").as_bytes(), b"local"]), "{text:?}: {name:?}");
        }
        assert_eq!(text(&name("a.local\\")), b"a.local\\");
    }

    #[test]
    fn an_escaped_control_character_is_rejected() {
        for text in ["a\\000.local", "a\\010.local", "a\\127.local"] {
            assert_eq!(Name::from_text(text.as_bytes()).err(), Some(InvalidName::ControlCharacter), "{text:?}");
        }
    }

    #[test]
    fn the_longest_label_and_name_are_valid() {
        name(&format!("{}.local", "a".repeat(63)));
        let longest = format!("{}.{}", ["a".repeat(63).as_str(); 3].join("."), "b".repeat(61));
        assert_eq!(name(&longest).as_wire().len(), MAX_NAME);
        assert!(Name::from_text(format!("{longest}b").as_bytes()).is_err());
    }

    #[test]
    fn names_of_addresses_are_in_reverse_notation() {
        for (ip, text) in [
            ("169.254.10.0", "0.10.254.169.in-addr.arpa"),
            ("1.20.103.255", "255.103.20.1.in-addr.arpa"),
            ("fe80::12:34ab", "b.a.4.3.2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.e.f.ip6.arpa"),
        ] {
            assert_eq!(Name::of_address(ip.parse().unwrap()), name(text));
        }
    }

    #[test]
    fn comparison_ignores_ascii_case_only() {
        assert_eq!(name("PRINTER.Local"), name("printer.lOCAL"));
        assert_ne!(name("B\u{dc}RO.local"), name("b\u{fc}ro.local"));
        assert_ne!(name("printer.local"), name("printer-local"));
        // '@' and '`' differ by the case bit only, but they are not letters.
        assert_ne!(name("@.local"), name("`.local"));
    }

    #[test]
    fn local_names_have_a_label_before_local() {
        for (text, local) in [
            ("printer.local", true),
            ("a.b.LOCAL.", true),
            ("local", false),
            ("notlocal", false),
            ("printer.notlocal", false),
            ("printer.local.example", false),
            ("5local.x", false),
        ] {
            assert_eq!(name(text).is_local(), local, "{text}");
        }
    }

    #[test]
    fn clean_names_are_visible_text_and_no_options() {
        for (label, clean) in [
            (&b"printer"[..], true),
            ("b\u{fc}ro".as_bytes(), true),
            (b"a_b-c", true),
            (b"-rf", false),
            (b"a b", false),
            (b"a.b", false),
            (b"a\\b", false),
            (b"a\0b", false),
            (b"a\x1bb", false),
            ("a\u{85}b".as_bytes(), false),
            ("a\u{202e}b".as_bytes(), false),
            ("a\u{200b}b".as_bytes(), false),
            ("a\u{feff}b".as_bytes(), false),
            (b"a\xffb", false),
        ] {
            let mut wire = vec![u8::try_from(label.len()).unwrap()];
            wire.extend_from_slice(label);
            wire.extend_from_slice(b"\x05local\x00");
            assert_eq!(read(&wire, 0).unwrap().is_clean(), clean, "{label:?}");
        }
    }

    #[test]
    fn backward_pointers_are_followed() {
        let message = b"\x05local\x00\x07printer\xc0\x00\x03www\xc0\x07";
        assert_eq!(read(message, 7).unwrap(), name("printer.local"));
        assert_eq!(read(message, 17).unwrap(), name("www.printer.local"));
    }

    #[test]
    fn pointers_that_do_not_lead_before_their_run_are_rejected() {
        for (what, message) in [
            ("to itself", &b"\xc0\x00"[..]),
            ("forwards", b"\xc0\x02\x01a\x00"),
            ("to the start of the run that it ends", b"\x01a\xc0\x00"),
            ("past the end", b"\xc0\xff"),
        ] {
            assert_eq!(read(message, 0).err(), Some(WireError::BadPointer), "{what}");
        }
        // Two pointers to each other. The target of the second one precedes it, but not the run that it ends.
        assert_eq!(read(b"\xc0\x02\xc0\x00", 2).err(), Some(WireError::BadPointer));
    }

    #[test]
    fn labels_at_the_target_of_a_pointer_end_before_the_run_with_the_pointer() {
        // The label at 0 claims 5 octets, but the pointer begins after 3 of them.
        assert_eq!(read(b"\x05abc\xc0\x00", 4).err(), Some(WireError::Truncated));
    }

    #[test]
    fn the_number_of_pointers_is_limited() {
        let mut message = vec![0u8; 2];
        for hop in 0..200u16 {
            message.extend_from_slice(&(0xc000 | (hop * 2)).to_be_bytes());
        }
        let root = Name::read(&mut Reader::new(&[0])).unwrap();
        assert!(read(&message, 2 * MAX_HOPS).is_ok() && is_at(&message, 2 * MAX_HOPS, &root));
        assert_eq!(read(&message, 2 * (MAX_HOPS + 1)).err(), Some(WireError::BadPointer));
        assert!(!is_at(&message, 2 * (MAX_HOPS + 1), &root));
    }

    #[test]
    fn names_of_more_than_255_octets_are_rejected() {
        let mut message = Vec::new();
        for _ in 0..4 {
            message.push(63);
            message.extend_from_slice(&[b'a'; 63]);
        }
        message.push(0);
        assert_eq!(read(&message, 0).err(), Some(WireError::NameTooLong));
    }

    #[test]
    fn reserved_labels_and_truncated_names_are_rejected() {
        assert_eq!(read(b"\x40a", 0).err(), Some(WireError::ReservedLabel));
        assert_eq!(read(b"\x80a", 0).err(), Some(WireError::ReservedLabel));
        for message in [&b""[..], b"\x05loc", b"\x05local", b"\xc0"] {
            assert_eq!(read(message, 0).err(), Some(WireError::Truncated));
        }
    }

    #[test]
    fn skipping_ends_where_reading_does() {
        for message in [&b"\x05local\x00rest"[..], b"\x01a\xc0\x63rest"] {
            let mut reader = Reader::new(message);
            Name::skip(&mut reader).unwrap();
            assert_eq!(reader.octets(4), Ok(&b"rest"[..]));
        }
    }
}
