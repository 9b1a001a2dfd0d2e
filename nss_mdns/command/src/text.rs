//! Text from elsewhere, in a form that a terminal prints as it is. Everything that the program writes and has not made itself
//! goes through [`printable`].

/// Text from the network, a file or the command line, with escapes for what a terminal does not print as it is.
pub(crate) fn printable(octets: &[u8]) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(octets).chars() {
        if is_printable(character) {
            text.push(character);
        } else {
            text.extend(character.escape_default());
        }
    }
    text
}

/// False for characters that a terminal does not print as they are: control characters, and those that change the
/// direction of the text.
pub(crate) fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// How many characters are to be inserted, removed or replaced to make one text the other; longer texts differ wholly.
pub(crate) fn distance(one: &str, other: &str) -> usize {
    const LONGEST: usize = 32;
    if one.len() > LONGEST || other.len() > LONGEST {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, octet) in one.bytes().enumerate() {
        let mut next = vec![index + 1];
        for ((above, diagonal), there) in row.iter().skip(1).zip(&row).zip(other.bytes()) {
            let left = next.last().copied().unwrap_or_default();
            next.push((diagonal + usize::from(octet != there)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_of_texts_is_the_number_of_changes() {
        for (one, other, expected) in
            [("", "", 0), ("abc", "abc", 0), ("", "abc", 3), ("retrun", "return", 2), ("a", "ab", 1)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected), "{one} {other}");
        }
        assert_eq!(distance("", &"x".repeat(33)), usize::MAX);
    }

    #[test]
    fn text_from_the_network_cannot_control_a_terminal() {
        assert_eq!(printable(b"printer.local"), "printer.local");
        assert_eq!(printable("b\u{fc}ro".as_bytes()), "b\u{fc}ro");
        assert_eq!(printable(b"a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(printable("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(printable(b"a\xffb"), "a\u{fffd}b");
    }
}
