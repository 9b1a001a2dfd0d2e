//! Text from elsewhere, such that a terminal prints it as it is. Everything that the program writes and has not made itself
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_the_network_cannot_control_a_terminal() {
        assert_eq!(printable(b"printer.local"), "printer.local");
        assert_eq!(printable("b\u{fc}ro".as_bytes()), "b\u{fc}ro");
        assert_eq!(printable(b"a\x1b[2Jb"), "a\\u{1b}[2Jb");
        assert_eq!(printable("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(printable(b"a\xffb"), "a\u{fffd}b");
    }
}
