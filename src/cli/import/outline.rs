//! Where the entries of a Bundle lie in a JSON text, found without keeping them: a Bundle may be larger than memory.
//!
//! Nothing is checked here. What stands around the entries is handed over as a text of its own, and each entry is read
//! by whoever takes it out, both as strictly as anything from outside.

use std::io::{BufRead, Result};

/// A piece of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    pub from: u64,
    pub len: u64,
}

/// A JSON text taken apart.
#[derive(Debug, Default, PartialEq)]
pub struct Outline {
    /// The text without what is inside its root's list `entry`.
    pub around: Vec<u8>,
    pub entries: Vec<Stretch>,
}

/// How far a text was read.
#[derive(Default)]
struct Reader {
    outline: Outline,
    at: u64,
    depth: usize,
    in_string: bool,
    is_escaped: bool,
    /// The last text among the root's own members.
    name: Vec<u8>,
    in_entries: bool,
    /// Where the entry begins that is being read, and where its last byte so far ends.
    entry: Option<(u64, u64)>,
    /// A comma was read, so that another entry must follow.
    is_awaited: bool,
}

/// Takes apart what `text` has; its first byte is the file's byte `from`.
///
/// # Errors
/// That it cannot be read.
pub fn outline(text: impl BufRead, from: u64) -> Result<Outline> {
    let mut reader = Reader { at: from, ..Reader::default() };
    for byte in text.bytes() {
        reader.take(byte?);
    }
    Ok(reader.outline)
}

impl Reader {
    fn take(&mut self, byte: u8) {
        let was_in_entries = self.in_entries;
        if self.in_string {
            self.inside_string(byte);
        } else {
            self.outside_string(byte);
        }
        if !(was_in_entries && self.in_entries) {
            self.outline.around.push(byte);
        } else if !(self.depth == 2 && byte == b',') && (self.entry.is_some() || !byte.is_ascii_whitespace()) {
            self.go_on(byte);
        }
        self.at += 1;
    }

    fn inside_string(&mut self, byte: u8) {
        match byte {
            _ if self.is_escaped => self.is_escaped = false,
            b'\\' => self.is_escaped = true,
            b'"' => self.in_string = false,
            _ => {}
        }
        if self.depth == 1 && self.in_string {
            self.name.push(byte);
        }
    }

    fn outside_string(&mut self, byte: u8) {
        match byte {
            b'"' => {
                self.in_string = true;
                if self.depth == 1 {
                    self.name.clear();
                }
            }
            b'{' | b'[' => {
                self.in_entries |= self.depth == 1 && byte == b'[' && self.name == b"entry";
                self.depth += 1;
            }
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                if self.in_entries && self.depth == 1 {
                    self.end_entry(self.is_awaited);
                    (self.in_entries, self.is_awaited) = (false, false);
                }
            }
            b',' if self.in_entries && self.depth == 2 => {
                self.end_entry(true);
                self.is_awaited = true;
            }
            _ => {}
        }
    }

    fn go_on(&mut self, byte: u8) {
        let (from, end) = self.entry.unwrap_or((self.at, self.at));
        self.entry = Some((from, if byte.is_ascii_whitespace() { end } else { self.at + 1 }));
    }

    /// Beside a comma there is an entry, if only an empty one that nobody can read.
    fn end_entry(&mut self, must_be: bool) {
        let ended = self.entry.take().or(must_be.then_some((self.at, self.at)));
        self.outline.entries.extend(ended.map(|(from, end)| Stretch { from, len: end - from }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apart(text: &str) -> (String, Vec<&str>) {
        let found = outline(text.as_bytes(), 0).unwrap();
        let entries = found.entries.iter().map(|entry| &text[entry.from as usize..(entry.from + entry.len) as usize]);
        (String::from_utf8(found.around).unwrap(), entries.collect())
    }

    #[test]
    fn a_bundle_is_taken_apart() {
        for (text, around, entries) in [
            (
                r#"{"type":"collection","entry":[ {"a":[1,"]},{"]} , {"entry":[{}]}],"x":[1]}"#,
                r#"{"type":"collection","entry":[],"x":[1]}"#,
                vec![r#"{"a":[1,"]},{"]}"#, r#"{"entry":[{}]}"#],
            ),
            (r#"{"entry":[]}"#, r#"{"entry":[]}"#, vec![]),
            (r#"{"entry": [ ] }"#, r#"{"entry": [] }"#, vec![]),
            (r#"{"x":"entry","y":[{}]}"#, r#"{"x":"entry","y":[{}]}"#, vec![]),
            (r#"{"x":{"entry":[{}]}}"#, r#"{"x":{"entry":[{}]}}"#, vec![]),
            (r#"{"entry":["a\",\"b", 1 ]}"#, r#"{"entry":[]}"#, vec![r#""a\",\"b""#, "1"]),
        ] {
            assert_eq!(apart(text), (around.to_string(), entries), "{text}");
        }
    }

    #[test]
    fn what_is_no_json_stays_so() {
        for text in [r#"{"entry":[{}] x}"#, r#"{"entry":[{}]"#, r#"{"entry":[]]}"#, r#"{"entry":[{}],"entry":[{}]}"#] {
            let (around, _) = apart(text);
            assert!(crate::fhir::read::json(around.as_bytes()).is_err(), "{text}: {around}");
        }
        for text in [r#"{"entry":[{},]}"#, r#"{"entry":[,{}]}"#, r#"{"entry":[{} {}]}"#, r#"{"entry":[{"a":}]}"#] {
            let (_, entries) = apart(text);
            assert!(
                entries.iter().any(|entry| crate::fhir::read::json(entry.as_bytes()).is_err()),
                "{text}: {entries:?}"
            );
        }
    }

    #[test]
    fn a_line_lies_where_it_lies_in_its_file() {
        let found = outline(r#"{"entry":[7]}"#.as_bytes(), 100).unwrap();
        assert_eq!(found.entries, [Stretch { from: 110, len: 1 }]);
    }
}
