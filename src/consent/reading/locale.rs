//! The words of one language, as data: templates with `{places}`, and plain words for codes.
//!
//! What a table does not have is said by the code itself; a test holds the tables to the same keys.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::civil::DateTime;
use serde::Deserialize;

use crate::fhir::{Instant, Zone};

/// In which a reading is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    Spanish,
}

#[derive(Debug, Default, Deserialize)]
pub struct Locale {
    pub language: String,
    pub name: String,
    months: Vec<String>,
    day: String,
    month: String,
    moment: String,
    list: BTreeMap<String, String>,
    texts: BTreeMap<String, String>,
    standing: BTreeMap<String, String>,
    laws: BTreeMap<String, Vec<String>>,
    purposes: BTreeMap<String, String>,
    actions: BTreeMap<String, String>,
    kinds: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    ranks: Vec<String>,
}

static ENGLISH: LazyLock<Locale> = LazyLock::new(|| serde_json::from_str(include_str!("en.json")).unwrap_or_default());
static SPANISH: LazyLock<Locale> = LazyLock::new(|| serde_json::from_str(include_str!("es.json")).unwrap_or_default());

impl Language {
    pub const ALL: [Language; 2] = [Language::English, Language::Spanish];

    /// By its tag: `es`, `es-MX`.
    pub fn named(tag: &str) -> Option<Language> {
        let tag = tag.split('-').next().unwrap_or("").to_ascii_lowercase();
        Language::ALL.into_iter().find(|language| language.code() == tag)
    }

    /// `en`.
    pub fn code(self) -> &'static str {
        match self {
            Language::English => "en",
            Language::Spanish => "es",
        }
    }

    /// As it calls itself.
    pub fn name(self) -> &'static str {
        &self.locale().name
    }

    /// A word or sentence of its table.
    pub fn text(self, key: &str) -> &'static str {
        self.locale().texts.get(key).map_or("", String::as_str)
    }

    /// Whether a Consent counts, by the code of its standing.
    pub fn standing(self, code: &str) -> String {
        self.locale().standing(code)
    }

    /// The plain words for a type, or its name.
    pub fn kind(self, kind: &str) -> &str {
        self.locale().kind(kind).unwrap_or(kind)
    }

    pub(super) fn locale(self) -> &'static Locale {
        match self {
            Language::English => &ENGLISH,
            Language::Spanish => &SPANISH,
        }
    }
}

impl Locale {
    /// A sentence with its places filled in.
    pub fn say(&self, key: &str, places: &[(&str, &str)]) -> String {
        fill(self.texts.get(key).map_or(key, String::as_str), places)
    }

    /// `one, two and three`.
    pub fn list(&self, words: &[String]) -> String {
        let (comma, and) = (self.joint("comma"), self.joint("and"));
        match words {
            [] => String::new(),
            [one] => one.clone(),
            [first @ .., last] => {
                // Spanish says `e` before the sound of an i.
                let vowel = self.language == "es" && last.to_lowercase().starts_with(['i', 'í']);
                format!("{}{}{last}", first.join(comma), if vowel { " e " } else { and })
            }
        }
    }

    /// Whether it counts, by the code of a [`Footing`](crate::consent::Footing).
    pub fn standing(&self, code: &str) -> String {
        self.standing.get(code).cloned().unwrap_or_else(|| code.to_string())
    }

    /// What a policy of ours adds, by the end of its address.
    pub fn law(&self, policy: &str) -> &[String] {
        self.laws.get(policy).map_or(&[], Vec::as_slice)
    }

    pub fn purpose(&self, code: &str) -> Option<&str> {
        self.purposes.get(code).map(String::as_str)
    }

    pub fn action(&self, code: &str) -> Option<&str> {
        self.actions.get(code).map(String::as_str)
    }

    pub fn kind(&self, kind: &str) -> Option<&str> {
        self.kinds.get(kind).map(String::as_str)
    }

    pub fn label(&self, code: &str) -> Option<&str> {
        self.labels.get(code).map(String::as_str)
    }

    pub fn rank(&self, rank: u8) -> &str {
        self.ranks.get(usize::from(rank)).map_or("?", String::as_str)
    }

    /// A FHIR date as far as it goes, a moment as the clocks of a zone show it; as it was written if it is neither.
    pub fn date(&self, text: &str, zone: &Zone) -> String {
        if let Some(at) = Instant::parse(text) {
            return self.moment(zone.civil(at));
        }
        let mut parts = text.splitn(3, '-');
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<usize>().ok());
        let (year, month, day) = (parts.next().unwrap_or(text), number(parts.next()), number(parts.next()));
        match (month.and_then(|month| self.months.get(month.checked_sub(1)?)), day) {
            (Some(month), Some(day)) => self.day(year, month, &day.to_string()),
            (Some(month), None) => fill(&self.month, &[("month", month), ("year", year)]),
            (None, _) => text.to_string(),
        }
    }

    fn moment(&self, at: DateTime) -> String {
        let month = self.months.get(usize::try_from(at.month() - 1).unwrap_or(0)).map_or("", String::as_str);
        let day = self.day(&at.year().to_string(), month, &at.day().to_string());
        fill(&self.moment, &[("day", &day), ("time", &at.strftime("%H:%M").to_string())])
    }

    fn day(&self, year: &str, month: &str, day: &str) -> String {
        fill(&self.day, &[("day", day), ("month", month), ("year", year)])
    }

    fn joint(&self, name: &str) -> &str {
        self.list.get(name).map_or(", ", String::as_str)
    }

    /// The keys of all tables, for the test that compares them.
    #[cfg(test)]
    pub fn keys(&self) -> Vec<String> {
        let of =
            |name: &str, keys: Vec<&String>| keys.into_iter().map(|key| format!("{name} {key}")).collect::<Vec<_>>();
        let mut all = of("texts", self.texts.keys().collect());
        all.extend(of("standing", self.standing.keys().collect()));
        all.extend(of("laws", self.laws.keys().collect()));
        all.extend(of("purposes", self.purposes.keys().collect()));
        all.extend(of("actions", self.actions.keys().collect()));
        all.extend(of("kinds", self.kinds.keys().collect()));
        all.extend(of("labels", self.labels.keys().collect()));
        all.push(format!("{} months, {} ranks", self.months.len(), self.ranks.len()));
        all
    }
}

/// Each `{place}` by its words; what fills a place is not looked at again.
fn fill(template: &str, places: &[(&str, &str)]) -> String {
    let mut said = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some((before, behind)) = rest.split_once('{') {
        said.push_str(before);
        let Some((name, behind)) = behind.split_once('}') else {
            rest = behind;
            break;
        };
        said.push_str(places.iter().find(|(place, _)| *place == name).map_or("", |(_, words)| words));
        rest = behind;
    }
    said.push_str(rest);
    said
}
