//! A Questionnaire, read once: its questions in one list, each knowing what is inside it.

use std::cell::{Cell, OnceCell};
use std::collections::HashMap;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

/// Questions of one form; more are not looked at.
const QUESTIONS_MAX: usize = 20_000;
/// Groups within groups; what lies deeper is not looked at.
pub const DEPTH_MAX: usize = 64;
/// Expressions that are evaluated for one response.
const EXPRESSIONS_MAX: usize = 200;
/// Contained value sets that are looked into for one response.
const LOOKED_INTO_MAX: usize = 20_000;
/// What a compiled pattern may take, so that no form makes a server slow or large.
const PATTERN_BYTES_MAX: usize = 256 * 1024;

/// What an item asks for (R4 item-type).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Group,
    Display,
    /// `question`: the abstract code, which no form should use.
    Abstract,
    Boolean,
    Decimal,
    Integer,
    Date,
    DateTime,
    Time,
    String,
    Text,
    Url,
    Choice,
    OpenChoice,
    Attachment,
    Reference,
    Quantity,
    Unknown,
}

pub struct Form<'q> {
    /// The form and its response: what either contains, the form may name by `#id`.
    pub holders: [&'q Value; 2],
    pub questions: Vec<Question<'q>>,
    /// Those that are in no other.
    pub top: Vec<usize>,
    by_link: HashMap<&'q str, usize>,
    /// Whether there was more than is looked at.
    pub is_cut: bool,
    /// Expressions that were evaluated for it.
    computed: Cell<usize>,
    /// Contained value sets that were looked into.
    looked_into: Cell<usize>,
}

pub struct Question<'q> {
    pub link_id: &'q str,
    pub kind: Kind,
    pub item: &'q Value,
    pub parent: Option<usize>,
    /// Which one of its siblings it is.
    pub place: usize,
    pub children: Vec<usize>,
    pattern: OnceCell<Option<Regex>>,
    /// What the expression that enables it says of the response.
    pub computed: OnceCell<Option<bool>>,
}

impl Kind {
    fn named(code: &str) -> Kind {
        match code {
            "group" => Kind::Group,
            "display" => Kind::Display,
            "question" => Kind::Abstract,
            "boolean" => Kind::Boolean,
            "decimal" => Kind::Decimal,
            "integer" => Kind::Integer,
            "date" => Kind::Date,
            "dateTime" => Kind::DateTime,
            "time" => Kind::Time,
            "string" => Kind::String,
            "text" => Kind::Text,
            "url" => Kind::Url,
            "choice" => Kind::Choice,
            "open-choice" => Kind::OpenChoice,
            "attachment" => Kind::Attachment,
            "reference" => Kind::Reference,
            "quantity" => Kind::Quantity,
            _ => Kind::Unknown,
        }
    }

    /// The types of an answer's value; none where there is nothing to compare with.
    pub fn values(self) -> &'static [&'static str] {
        match self {
            Kind::Boolean => &["Boolean"],
            Kind::Decimal => &["Decimal"],
            Kind::Integer => &["Integer"],
            Kind::Date => &["Date"],
            Kind::DateTime => &["DateTime"],
            Kind::Time => &["Time"],
            Kind::String | Kind::Text => &["String"],
            Kind::Url => &["Uri"],
            Kind::Choice | Kind::OpenChoice => &["Coding", "Date", "Time", "Integer", "String"],
            Kind::Attachment => &["Attachment"],
            Kind::Reference => &["Reference"],
            Kind::Quantity => &["Quantity"],
            Kind::Group | Kind::Display | Kind::Abstract | Kind::Unknown => &[],
        }
    }
}

impl<'q> Form<'q> {
    pub fn read(root: &'q Value, response: &'q Value) -> Form<'q> {
        let mut form = Form {
            holders: [root, response],
            questions: Vec::new(),
            top: Vec::new(),
            by_link: HashMap::new(),
            is_cut: false,
            computed: Cell::new(0),
            looked_into: Cell::new(0),
        };
        form.top = form.gather(root, None, 0);
        form
    }

    fn gather(&mut self, holder: &'q Value, parent: Option<usize>, depth: usize) -> Vec<usize> {
        let items = list(holder, "item");
        if depth > DEPTH_MAX {
            self.is_cut |= !items.is_empty();
            return Vec::new();
        }
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            if self.questions.len() >= QUESTIONS_MAX {
                self.is_cut = true;
                break;
            }
            let at = self.questions.len();
            let link_id = text(item, "linkId").unwrap_or("");
            self.questions.push(Question {
                link_id,
                kind: Kind::named(text(item, "type").unwrap_or("")),
                item,
                parent,
                place: found.len(),
                children: Vec::new(),
                pattern: OnceCell::new(),
                computed: OnceCell::new(),
            });
            // Of two with one linkId (R4 que-2 forbids that) the first counts.
            self.by_link.entry(link_id).or_insert(at);
            found.push(at);
            let children = self.gather(item, Some(at), depth + 1);
            self.questions[at].children = children;
        }
        found
    }

    /// Whether one more expression may be evaluated: each may look at the whole response.
    pub fn may_compute(&self) -> bool {
        self.computed.set(self.computed.get() + 1);
        self.computed.get() <= EXPRESSIONS_MAX
    }

    /// Whether one more contained value set may be looked into: they may include each other, and themselves.
    pub fn may_look_into(&self) -> bool {
        self.looked_into.set(self.looked_into.get() + 1);
        self.looked_into.get() <= LOOKED_INTO_MAX
    }

    pub fn find(&self, link_id: &str) -> Option<usize> {
        self.by_link.get(link_id).copied()
    }

    /// The questions directly inside one, or at the top.
    pub fn inside(&self, parent: Option<usize>) -> &[usize] {
        parent.map_or(&self.top, |parent| &self.questions[parent].children)
    }
}

impl<'q> Question<'q> {
    pub fn says(&self, flag: &str) -> bool {
        self.item.get(flag).and_then(Value::as_bool) == Some(true)
    }

    pub fn list(&self, name: &str) -> &'q [Value] {
        list(self.item, name)
    }

    pub fn text(&self, name: &str) -> Option<&'q str> {
        text(self.item, name)
    }

    /// The values of its extensions by the last part of their URL, with the values' types: `("Integer", 2)`.
    pub fn extensions(&self, name: &'q str) -> impl Iterator<Item = (&'q str, &'q Value)> {
        self.list("extension")
            .iter()
            .filter(move |extension| text(extension, "url").and_then(|url| url.rsplit('/').next()) == Some(name))
            .filter_map(valued)
    }

    pub fn count(&self, name: &'q str) -> Option<u64> {
        self.extensions(name).find_map(|(_, value)| value.as_u64())
    }

    /// The pattern of the `regex` extension; `None` for one that cannot be read here.
    pub fn pattern(&self) -> Option<&Regex> {
        self.pattern
            .get_or_init(|| {
                let (_, pattern) = self.extensions("regex").next()?;
                let whole = format!("^(?:{})$", pattern.as_str()?);
                RegexBuilder::new(&whole).size_limit(PATTERN_BYTES_MAX).build().ok()
            })
            .as_ref()
    }
}

/// The `value[x]` of an element: what follows `value`, and the value.
pub fn valued(element: &Value) -> Option<(&str, &Value)> {
    choice(element, "value")
}

/// A choice element by its name without the type.
pub fn choice<'v>(element: &'v Value, name: &str) -> Option<(&'v str, &'v Value)> {
    element.as_object()?.iter().find_map(|(key, value)| {
        let kind = key.strip_prefix(name).filter(|kind| kind.starts_with(|first: char| first.is_ascii_uppercase()))?;
        Some((kind, value))
    })
}

pub fn text<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    value.get(name).and_then(Value::as_str)
}

pub fn list<'v>(value: &'v Value, name: &str) -> &'v [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
