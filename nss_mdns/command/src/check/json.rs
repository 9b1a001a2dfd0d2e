//! Writes JSON (RFC 8259), for `nss-mdns check --json`.

use std::fmt::{self, Write};

use crate::text::is_printable;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Integer(i64),
    /// Milliseconds, written with three decimals.
    Milliseconds(f64),
    Text(String),
    List(Vec<Value>),
    /// The members, in the order in which they are written.
    Object(Vec<(&'static str, Value)>),
}

impl Value {
    /// An object without the members that are [`Value::Null`].
    pub(crate) fn object(members: impl IntoIterator<Item = (&'static str, Value)>) -> Self {
        Self::Object(members.into_iter().filter(|(_, value)| *value != Self::Null).collect())
    }

    /// A list.
    pub(crate) fn list<T: Into<Value>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Into::into).collect())
    }

    fn is_container(&self) -> bool {
        matches!(self, Self::List(_) | Self::Object(_))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Integer(value.into())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(self, 0, out)
    }
}

/// Writes a value. A list or object that contains others has one line for each item; others are on one line.
fn write(value: &Value, depth: usize, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    match value {
        Value::Null => out.write_str("null"),
        Value::Bool(value) => write!(out, "{value}"),
        Value::Integer(value) => write!(out, "{value}"),
        // JSON has no infinity and no NaN.
        Value::Milliseconds(value) if value.is_finite() => write!(out, "{value:.3}"),
        Value::Milliseconds(_) => out.write_str("null"),
        Value::Text(text) => write_text(text, out),
        Value::List(items) => {
            let has_containers = items.iter().any(Value::is_container);
            write_items(items, has_containers, ['[', ']'], depth, out, |item, out| write(item, depth + 1, out))
        }
        Value::Object(members) => {
            let has_containers = members.iter().any(|(_, value)| value.is_container());
            write_items(members, has_containers, ['{', '}'], depth, out, |(key, value), out| {
                write_text(key, out)?;
                out.write_str(": ")?;
                write(value, depth + 1, out)
            })
        }
    }
}

fn write_items<T>(
    items: &[T],
    one_a_line: bool,
    [open, close]: [char; 2],
    depth: usize,
    out: &mut fmt::Formatter<'_>,
    mut write_item: impl FnMut(&T, &mut fmt::Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    let new_line = |depth: usize, out: &mut fmt::Formatter<'_>| match one_a_line {
        true => write!(out, "\n{:width$}", "", width = 2 * depth),
        false => Ok(()),
    };
    out.write_char(open)?;
    for (index, item) in items.iter().enumerate() {
        match (index, one_a_line) {
            (0, _) => {}
            (_, true) => out.write_char(',')?,
            (_, false) => out.write_str(", ")?,
        }
        new_line(depth + 1, out)?;
        write_item(item, out)?;
    }
    if !items.is_empty() {
        new_line(depth, out)?;
    }
    out.write_char(close)
}

/// Writes a string. Control characters are escaped, as RFC 8259, section 7, requires; so are those with which a packet
/// could change the display of a terminal.
fn write_text(text: &str, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    out.write_char('"')?;
    for character in text.chars() {
        match character {
            '"' | '\\' => write!(out, "\\{character}")?,
            '\n' => out.write_str("\\n")?,
            _ if is_printable(character) => out.write_char(character)?,
            _ => character.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))?,
        }
    }
    out.write_char('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_json() {
        for (value, expected) in [
            (Value::Null, "null"),
            (true.into(), "true"),
            (Value::Integer(-3), "-3"),
            (Value::Milliseconds(1.25), "1.250"),
            (Value::Milliseconds(f64::NAN), "null"),
            (
                "b\u{fc}ro \"x\" \\ \n\t\u{1b}[0m\u{7f}\u{202e}".into(),
                r#""büro \"x\" \\ \n\u0009\u001b[0m\u007f\u202e""#,
            ),
            (Value::list(Vec::<bool>::new()), "[]"),
            (Value::list([1u32, 2]), "[1, 2]"),
            (Value::object([("a", 1u32.into()), ("b", Value::Null), ("c", "d".into())]), r#"{"a": 1, "c": "d"}"#),
            (
                Value::object([("a", Value::list(["b"])), ("c", Value::list([Value::object([("d", true.into())])]))]),
                "{\n  \"a\": [\"b\"],\n  \"c\": [\n    {\"d\": true}\n  ]\n}",
            ),
        ] {
            assert_eq!(value.to_string(), expected);
        }
    }
}
