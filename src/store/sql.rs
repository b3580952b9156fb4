//! SQL text that runs on both databases, with its values.
//!
//! Text is `'static`, so that no value can slip into it; values go in by `bind` alone.

/// A value for a placeholder.
#[derive(Clone, Debug, PartialEq)]
pub enum Bind {
    Int(i64),
    Real(f64),
    Text(String),
    MaybeText(Option<String>),
}

impl From<i64> for Bind {
    fn from(value: i64) -> Bind {
        Bind::Int(value)
    }
}

impl From<f64> for Bind {
    fn from(value: f64) -> Bind {
        Bind::Real(value)
    }
}

impl From<&str> for Bind {
    fn from(value: &str) -> Bind {
        Bind::Text(value.to_string())
    }
}

impl From<String> for Bind {
    fn from(value: String) -> Bind {
        Bind::Text(value)
    }
}

impl From<Option<&str>> for Bind {
    fn from(value: Option<&str>) -> Bind {
        Bind::MaybeText(value.map(str::to_string))
    }
}

/// A statement in the making.
#[derive(Clone, Debug, Default)]
pub struct Sql {
    pub(super) text: String,
    pub(super) binds: Vec<Bind>,
}

impl Sql {
    pub fn new(text: &'static str) -> Sql {
        // Most statements fit: each is built once for every request that needs it.
        Sql { text: String::with_capacity(512), binds: Vec::with_capacity(12) }.push(text)
    }

    pub fn led_by(mut self, text: &'static str) -> Sql {
        self.text.insert_str(0, text);
        self
    }

    /// The text with `$1`, `$2`, …, as PostgreSQL wants it. No literal of ours has a question mark.
    pub fn numbered(&self) -> String {
        let mut text = String::with_capacity(self.text.len() + self.binds.len() * 2);
        for (number, part) in self.text.split('?').enumerate() {
            if number > 0 {
                text.push('$');
                text.push_str(&number.to_string());
            }
            text.push_str(part);
        }
        text
    }

    pub fn push(mut self, text: &'static str) -> Sql {
        self.text.push_str(text);
        self
    }

    pub fn bind(mut self, value: impl Into<Bind>) -> Sql {
        self.binds.push(value.into());
        // Values stand in the order of their places. SQLite would look up `$7` among all names before it, each time.
        self.text.push('?');
        self
    }

    /// `?, ?, ?`; with no values, what matches nothing.
    pub fn bind_list<T: Into<Bind>>(mut self, values: impl IntoIterator<Item = T>) -> Sql {
        let mut first = true;
        for value in values {
            if !first {
                self = self.push(", ");
            }
            self = self.bind(value);
            first = false;
        }
        if first { self.push("NULL") } else { self }
    }

    /// `a OR b`, in brackets; with no parts, what is never true.
    pub fn any<T>(self, parts: impl IntoIterator<Item = T>, each: impl FnMut(Sql, T) -> Sql) -> Sql {
        self.joined(parts, " OR ", "1 = 0", each)
    }

    /// `a AND b`, in brackets; with no parts, what is always true.
    pub fn all<T>(self, parts: impl IntoIterator<Item = T>, each: impl FnMut(Sql, T) -> Sql) -> Sql {
        self.joined(parts, " AND ", "1 = 1", each)
    }

    fn joined<T>(
        mut self,
        parts: impl IntoIterator<Item = T>,
        between: &'static str,
        empty: &'static str,
        mut each: impl FnMut(Sql, T) -> Sql,
    ) -> Sql {
        self = self.push("(");
        let mut first = true;
        for part in parts {
            if !first {
                self = self.push(between);
            }
            self = each(self, part);
            first = false;
        }
        if first {
            self = self.push(empty);
        }
        self.push(")")
    }

    /// `(?, ?), (?, ?)`: the rows of an INSERT.
    pub fn rows(mut self, rows: impl IntoIterator<Item = Vec<Bind>>) -> Sql {
        let mut first = true;
        for row in rows {
            self = self.push(if first { "(" } else { ", (" });
            self = self.bind_list(row).push(")");
            first = false;
        }
        self
    }
}
