//! The lists that say which codes and words are sensitive: data with a version and a source, read, checked and
//! compiled (`profiles/handoff/sensitivity.json`, and what an operator lays over it).
//!
//! A document has `name`, `version`, `systems` (other names of a code system, and whether its codes are compared
//! without dots), `confidentiality` (what a label demands; `R` where it is not listed), `lists` (codes, and prefixes of
//! codes, that ask for labels), `origins` (labels of what a partner under a regime brings in) and `words` (folded, whole
//! words; they ask for nothing but care). A list of a later document replaces the one of the same `id` before it.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use serde_json::Value;

use super::label::{is_known, rank};
use super::words::Words;
use crate::fhir::{Element, Issue, read};

/// A set of labels: one bit each, in the order of [`Lists::labels`].
pub type Mask = u128;

/// Codes, words and origins of one document; more is no list of picks any more.
const ENTRIES_MAX: usize = 200_000;
const TEXT: &str = include_str!("../../profiles/handoff/sensitivity.json");

static BUNDLED: LazyLock<Option<Document>> =
    LazyLock::new(|| read::json(TEXT.as_bytes()).ok().and_then(|json| Document::read(&json).ok()));

/// One document, checked.
#[derive(Clone, Debug)]
pub struct Document {
    pub name: String,
    pub version: String,
    systems: Vec<System>,
    confidentiality: Vec<(String, u8)>,
    lists: Vec<List>,
    origins: Vec<Origin>,
    words: Vec<WordList>,
}

#[derive(Clone, Debug)]
struct System {
    url: String,
    also: Vec<String>,
    undotted: bool,
}

#[derive(Clone, Debug)]
struct List {
    id: String,
    system: String,
    labels: Vec<String>,
    source: String,
    codes: Vec<String>,
    prefixes: Vec<String>,
}

#[derive(Clone, Debug)]
struct Origin {
    id: String,
    regime: String,
    labels: Vec<String>,
    source: String,
}

#[derive(Clone, Debug)]
struct WordList {
    id: String,
    labels: Vec<String>,
    source: String,
    words: Vec<String>,
}

/// A list, for people: `handoff labels list`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// `name@version` of its document.
    pub document: String,
    pub id: String,
    /// A code system, `words`, or `regime …`.
    pub of: String,
    pub labels: Vec<String>,
    pub count: usize,
    pub source: String,
}

/// All documents as one, ready to be asked.
#[derive(Debug)]
pub struct Lists {
    version: String,
    labels: Vec<String>,
    /// The confidentiality that each label demands.
    ranks: Vec<u8>,
    systems: Vec<(String, usize)>,
    tables: Vec<Table>,
    origins: Vec<(String, Mask)>,
    pub(super) words: Words,
    listed: Vec<Listed>,
    /// The bundled document could not be read: nothing is called normal.
    pub(super) is_blind: bool,
}

#[derive(Debug, Default)]
struct Table {
    undotted: bool,
    codes: HashMap<String, Mask>,
    prefixes: HashMap<String, Mask>,
    shortest: usize,
    longest: usize,
}

impl Document {
    /// The one in the binary. A test keeps it readable.
    pub fn bundled() -> Option<&'static Document> {
        BUNDLED.as_ref()
    }

    /// The bytes of the one in the binary, for whoever asks whether it has changed.
    pub fn bundled_text() -> &'static str {
        TEXT
    }

    /// # Errors
    /// Every problem, each with the place in the document.
    pub fn read(json: &Value) -> Result<Document, Vec<Issue>> {
        let root = Element::new(json);
        let mut problems = Problems::default();
        if json.as_object().is_none() {
            problems.add("", "expected an object with `name`, `version` and `lists`");
            return Err(problems.0);
        }
        for (name, _) in root.object().into_iter().flatten() {
            if !["name", "version", "about", "systems", "confidentiality", "lists", "origins", "words"]
                .contains(&name.as_str())
            {
                problems.add(name, "is not known here");
            }
        }
        let document = Document {
            name: problems.text(root, "name", ""),
            version: problems.text(root, "version", ""),
            systems: each(root, "systems", |at, one| System {
                url: problems.text(one, "system", at),
                also: problems.texts(one, "also", at),
                undotted: one.flag("undotted") == Some(true),
            }),
            confidentiality: problems.confidentiality(root),
            lists: each(root, "lists", |at, one| problems.list(one, at)),
            origins: each(root, "origins", |at, one| Origin {
                id: problems.text(one, "id", at),
                regime: problems.text(one, "regime", at),
                labels: problems.labels(one, at),
                source: problems.sourced(one, at),
            }),
            words: each(root, "words", |at, one| WordList {
                id: problems.text(one, "id", at),
                labels: problems.labels(one, at),
                source: problems.sourced(one, at),
                words: problems.words(one, at),
            }),
        };
        problems.once(&document);
        if problems.0.is_empty() { Ok(document) } else { Err(problems.0) }
    }

    fn key(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    fn listed(&self) -> Vec<Listed> {
        let document = self.key();
        let line = |id: &str, of: String, labels: &[String], count, source: &str| Listed {
            document: document.clone(),
            id: id.to_string(),
            of,
            labels: labels.to_vec(),
            count,
            source: source.to_string(),
        };
        let lists = self.lists.iter().map(|list| {
            line(&list.id, list.system.clone(), &list.labels, list.codes.len() + list.prefixes.len(), &list.source)
        });
        let origins =
            self.origins.iter().map(|one| line(&one.id, format!("regime {}", one.regime), &one.labels, 1, &one.source));
        let words =
            self.words.iter().map(|one| line(&one.id, "words".into(), &one.labels, one.words.len(), &one.source));
        lists.chain(origins).chain(words).collect()
    }
}

impl Lists {
    /// The bundled document with these laid over it, in their order.
    pub fn over_bundled(more: &[Document]) -> Lists {
        let bundled = Document::bundled();
        Lists { is_blind: bundled.is_none(), ..Lists::of(bundled.into_iter().chain(more)) }
    }

    /// Documents as one; of lists with one id the last counts.
    pub fn of<'d>(documents: impl Iterator<Item = &'d Document> + Clone) -> Lists {
        let last: BTreeMap<String, String> =
            documents.clone().flat_map(Document::listed).map(|line| (line.id, line.document)).collect();
        let counts = |id: &str, document: &Document| last.get(id) == Some(&document.key());
        let mut lists = Lists {
            version: documents.clone().map(Document::key).collect::<Vec<String>>().join(" "),
            labels: Vec::new(),
            ranks: Vec::new(),
            systems: Vec::new(),
            tables: Vec::new(),
            origins: Vec::new(),
            words: Words::default(),
            listed: Vec::new(),
            is_blind: false,
        };
        for document in documents.clone() {
            document.systems.iter().for_each(|system| lists.system(system));
            for (code, rank) in &document.confidentiality {
                let bit = lists.bit(code);
                lists.ranks[bit] = *rank;
            }
        }
        for document in documents {
            for list in document.lists.iter().filter(|list| counts(&list.id, document)) {
                let (mask, table) = (lists.mask(&list.labels), lists.table(&list.system));
                lists.tables[table].add(list, mask);
            }
            for origin in document.origins.iter().filter(|origin| counts(&origin.id, document)) {
                let mask = lists.mask(&origin.labels);
                lists.origins.push((origin.regime.clone(), mask));
            }
            for words in document.words.iter().filter(|words| counts(&words.id, document)) {
                let mask = lists.mask(&words.labels);
                words.words.iter().for_each(|word| lists.words.add(word, mask));
            }
            lists.listed.extend(document.listed().into_iter().filter(|line| counts(&line.id, document)));
        }
        lists
    }

    /// Every document by `name@version`.
    pub fn version(&self) -> &str {
        &self.version
    }

    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// What a code asks for.
    pub(super) fn of_code(&self, system: &str, code: &str) -> Mask {
        let table = self.systems.iter().find(|(url, _)| url == system).and_then(|(_, at)| self.tables.get(*at));
        table.map_or(0, |table| table.find(code))
    }

    /// What the origin of a resource asks for, by the regimes that bind it.
    pub(super) fn of_origin(&self, regimes: &[String]) -> Mask {
        let bound = self.origins.iter().filter(|(regime, _)| regimes.contains(regime));
        bound.fold(0, |all, (_, mask)| all | mask)
    }

    /// Whether anything is asked of a regime.
    pub fn knows_regime(&self, regime: &str) -> bool {
        self.origins.iter().any(|(known, _)| known == regime)
    }

    /// The codes of a set.
    pub(super) fn names(&self, mask: Mask) -> impl Iterator<Item = &str> {
        self.labels.iter().enumerate().filter(move |(bit, _)| mask >> bit & 1 == 1).map(|(_, code)| code.as_str())
    }

    /// The highest confidentiality that a set of labels demands.
    pub(super) fn demanded(&self, mask: Mask) -> Option<u8> {
        self.ranks.iter().enumerate().filter(|(bit, _)| mask >> bit & 1 == 1).map(|(_, rank)| *rank).max()
    }

    /// The label of that code as a set, empty for one that the lists do not speak of.
    pub(super) fn one(&self, code: &str) -> Mask {
        self.labels.iter().position(|known| known == code).map_or(0, |bit| 1 << bit)
    }

    fn bit(&mut self, code: &str) -> usize {
        if let Some(bit) = self.labels.iter().position(|known| known == code) {
            return bit;
        }
        // INVARIANT: `label` knows fewer codes than there are bits; a test counts them.
        self.labels.push(code.to_string());
        self.ranks.push(rank("R").unwrap_or(u8::MAX));
        self.labels.len() - 1
    }

    fn mask(&mut self, labels: &[String]) -> Mask {
        labels.iter().fold(0, |all, code| all | 1 << self.bit(code))
    }

    fn table(&mut self, url: &str) -> usize {
        if let Some((_, at)) = self.systems.iter().find(|(known, _)| known == url) {
            return *at;
        }
        self.tables.push(Table::default());
        self.systems.push((url.to_string(), self.tables.len() - 1));
        self.tables.len() - 1
    }

    fn system(&mut self, system: &System) {
        let at = self.table(&system.url);
        self.tables[at].undotted |= system.undotted;
        for url in &system.also {
            if !self.systems.iter().any(|(known, _)| known == url) {
                self.systems.push((url.clone(), at));
            }
        }
    }
}

impl Table {
    fn add(&mut self, list: &List, mask: Mask) {
        for code in &list.codes {
            *self.codes.entry(self.written(code)).or_default() |= mask;
        }
        for prefix in &list.prefixes {
            let prefix = self.written(prefix);
            let length = prefix.len();
            self.shortest = if self.prefixes.is_empty() { length } else { self.shortest.min(length) };
            self.longest = self.longest.max(length);
            *self.prefixes.entry(prefix).or_default() |= mask;
        }
    }

    fn written(&self, code: &str) -> String {
        if self.undotted { undotted(code) } else { code.to_string() }
    }

    fn find(&self, code: &str) -> Mask {
        let plain;
        let code = if self.undotted && code.bytes().any(|byte| byte == b'.' || byte.is_ascii_lowercase()) {
            plain = undotted(code);
            plain.as_str()
        } else {
            code
        };
        let mut found = self.codes.get(code).copied().unwrap_or(0);
        if !self.prefixes.is_empty() {
            for length in self.shortest..=self.longest.min(code.len()) {
                found |= code.get(..length).and_then(|start| self.prefixes.get(start)).copied().unwrap_or(0);
            }
        }
        found
    }
}

/// ICD-10-CM's codes are sent with and without their dot.
fn undotted(code: &str) -> String {
    code.chars().filter(|letter| *letter != '.').map(|letter| letter.to_ascii_uppercase()).collect()
}

fn each<T>(root: Element, name: &str, mut read: impl FnMut(&str, Element) -> T) -> Vec<T> {
    root.each(name).enumerate().map(|(at, one)| read(&format!("{name}[{at}]"), one)).collect()
}

/// What is wrong with a document, each with its place.
#[derive(Default)]
struct Problems(Vec<Issue>);

impl Problems {
    fn add(&mut self, at: &str, text: impl Into<String>) {
        self.0.push(Issue::error("invalid", "label-lists", text).at(at));
    }

    fn text(&mut self, of: Element, name: &str, at: &str) -> String {
        match of.text(name).filter(|text| !text.trim().is_empty()) {
            Some(text) => text.to_string(),
            None => {
                self.add(&within(at, name), "expected a text");
                String::new()
            }
        }
    }

    /// Where it comes from; and why, which is for readers alone.
    fn sourced(&mut self, of: Element, at: &str) -> String {
        self.text(of, "why", at);
        self.text(of, "source", at)
    }

    fn texts(&mut self, of: Element, name: &str, at: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (place, one) in of.each(name).enumerate() {
            match one.as_str().filter(|text| !text.trim().is_empty()) {
                Some(text) => found.push(text.to_string()),
                None => self.add(&format!("{}[{place}]", within(at, name)), "expected a text"),
            }
        }
        found
    }

    fn labels(&mut self, of: Element, at: &str) -> Vec<String> {
        let labels = self.texts(of, "labels", at);
        if labels.is_empty() {
            self.add(&within(at, "labels"), "expected at least one code of v3-ActCode that labels");
        }
        for (place, code) in labels.iter().enumerate().filter(|(_, code)| !is_known(code)) {
            self.add(&format!("{at}.labels[{place}]"), format!("`{code}` is no code of v3-ActCode that labels"));
        }
        labels
    }

    fn confidentiality(&mut self, root: Element) -> Vec<(String, u8)> {
        let mut found = Vec::new();
        for (label, code) in root.get("confidentiality").object().into_iter().flatten() {
            let at = format!("confidentiality.{label}");
            if !is_known(label) {
                self.add(&at, "is no code of v3-ActCode that labels");
            }
            match code.as_str().and_then(rank) {
                Some(rank) => found.push((label.clone(), rank)),
                None => self.add(&at, "expected one of U, L, M, N, R, V"),
            }
        }
        found
    }

    fn list(&mut self, one: Element, at: &str) -> List {
        let mut codes = Vec::new();
        for (place, entry) in one.each("codes").enumerate() {
            match entry.as_str().or_else(|| entry.text("code")).filter(|code| !code.trim().is_empty()) {
                Some(code) => codes.push(code.trim().to_string()),
                None => self.add(&format!("{at}.codes[{place}]"), "expected a `code`"),
            }
        }
        let mut prefixes = Vec::new();
        for (place, entry) in one.each("prefixes").enumerate() {
            let prefix = entry.as_str().or_else(|| entry.text("code"));
            match prefix.map(str::trim).filter(|prefix| (2..=16).contains(&prefix.len())) {
                Some(prefix) => prefixes.push(prefix.to_string()),
                None => self.add(&format!("{at}.prefixes[{place}]"), "expected 2 to 16 letters and digits"),
            }
        }
        if codes.len() + prefixes.len() > ENTRIES_MAX {
            self.add(at, format!("expected at most {ENTRIES_MAX} codes"));
        }
        List {
            id: self.text(one, "id", at),
            system: self.text(one, "system", at),
            labels: self.labels(one, at),
            source: self.sourced(one, at),
            codes,
            prefixes,
        }
    }

    fn words(&mut self, one: Element, at: &str) -> Vec<String> {
        let words = self.texts(one, "words", at);
        for (place, word) in words.iter().enumerate() {
            if !Words::reads(word) {
                let text = "expected one to six words of at most 32 letters and digits each";
                self.add(&format!("{at}.words[{place}]"), text);
            }
        }
        words
    }

    /// An id names one list of its document.
    fn once(&mut self, document: &Document) {
        let mut known: BTreeMap<String, ()> = BTreeMap::new();
        for line in document.listed().into_iter().filter(|line| !line.id.is_empty()) {
            if known.insert(line.id.clone(), ()).is_some() {
                self.add("lists", format!("the id `{}` is there twice", line.id));
            }
        }
    }
}

fn within(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_string() } else { format!("{at}.{name}") }
}
