//! Law as data (consent.md section 5): rows, what is refused when a consent is filed, how little is said of whom, and
//! what is the least that a purpose needs. What is bundled is `profiles/handoff/regimes.json` and `minimum.json`; an
//! operator's documents are laid over it, row by row.
//!
//! Code knows no statute. It knows tests of data and question, and needs that a permitting rule meets or not. What a
//! row says and code does not know fails closed: such a scope covers everything, such a way opens nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};

use super::condition::{Atom, Condition};
use super::directives::Directives;
use super::discretion::Discretion;
use super::label::{ACT_CODE, ANY_CODE, with_all_below};
use super::minimum::Minimum;
use super::purpose::{ACT_REASON, covering, is_within};
use super::world::{PARTNER_KIND, REGIME, World};
use super::{clock::Clock, who::Recipient};
use crate::fhir::Element;

/// `policy.uri` of a consent under a policy of ours starts with this.
pub const POLICY: &str = "https://handoff.example/fhir/policy/";

/// The lists of a document whose items are known by their id.
pub const LISTS: [&str; 5] = ["rows", "filing", "accounting", "discretion", "minimum"];

static BUNDLED: LazyLock<Arc<Regimes>> = LazyLock::new(|| Arc::new(Regimes::read(&Regimes::shipped())));

/// The law of an exchange.
#[derive(Debug)]
pub struct Regimes {
    pub version: String,
    rows: Vec<Row>,
    filing: Vec<FilingRule>,
    accounting: Vec<Accounting>,
    discretion: Vec<Discretion>,
    pub minimum: Minimum,
}

impl Regimes {
    /// What is compiled in.
    pub fn bundled() -> Arc<Regimes> {
        BUNDLED.clone()
    }

    /// The document that is compiled in, of both files.
    pub fn shipped() -> Value {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap_or(Value::Null);
        let mut law = read(include_str!("../../profiles/handoff/regimes.json"));
        let least = read(include_str!("../../profiles/handoff/minimum.json"));
        if let (Some(law), Some(least)) = (law.as_object_mut(), least.get("minimum")) {
            law.insert("minimum".into(), least.clone());
        }
        law
    }

    /// A document over another one: an item replaces the one of its id, or comes behind the others.
    pub fn merged(below: &Value, above: &Value) -> Value {
        let mut merged = below.clone();
        for list in LISTS {
            let items = Element::new(above).each(list).filter_map(Element::value);
            for item in items {
                let known = merged.get_mut(list).and_then(Value::as_array_mut);
                match known {
                    None => merged[list] = json!([item]),
                    Some(known) => match known.iter_mut().find(|own| own.get("id") == item.get("id")) {
                        Some(own) => *own = item.clone(),
                        None => known.push(item.clone()),
                    },
                }
            }
        }
        if let Some(version) = above.get("version") {
            merged["version"] = version.clone();
        }
        merged
    }

    /// A document as far as it can be read; what cannot be closes.
    pub fn read(document: &Value) -> Regimes {
        let document = Element::new(document);
        let mut rows: Vec<Row> = document.each("rows").map(Row::read).collect();
        if rows.is_empty() {
            // A table that cannot be read closes everything; a test keeps the bundled one readable.
            rows.push(Row::closed());
        }
        Regimes {
            version: document.text("version").unwrap_or("").to_string(),
            rows,
            filing: document.each("filing").map(FilingRule::read).collect(),
            accounting: document.each("accounting").map(Accounting::read).collect(),
            discretion: document.each("discretion").map(Discretion::read).collect(),
            minimum: Minimum::read(document),
        }
    }

    /// All rows, in their order.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Whether a disclosure to such a recipient may have to be the least that the purpose needs, whatever is disclosed.
    pub fn may_owe_the_least(&self, purpose: &str, kind: &str, regimes: &[String]) -> bool {
        let owes = |row: &&Row| row.obligations.iter().any(|duty| duty.code == super::release::LEAST);
        let may = |row: &Row| row.scope.as_ref().is_none_or(|scope| scope.may(purpose, kind, regimes).0);
        self.rows.iter().filter(owes).any(may)
    }

    /// What is refused when a consent is filed.
    pub fn filing_rules(&self) -> &[FilingRule] {
        &self.filing
    }

    /// What is shown with what is released under an obligation.
    pub fn notice(&self, code: &str) -> Option<&Notice> {
        self.rows
            .iter()
            .flat_map(|row| &row.obligations)
            .filter(|duty| duty.code == code)
            .find_map(|duty| duty.notice.as_ref())
    }

    /// What is told of recipients under a regime.
    pub fn accounting(&self, id: &str) -> Option<&Accounting> {
        self.accounting.iter().find(|one| one.id == id)
    }

    /// How little is said of a partner of that kind under those regimes, and of the people it serves.
    pub fn discretion(&self, kind: &str, regimes: &[String]) -> Option<&Discretion> {
        self.discretion.iter().find(|one| one.concerns(kind, regimes))
    }
}

/// Two tables are the same if they are one: nothing compares what is in them.
impl PartialEq for Regimes {
    fn eq(&self, other: &Regimes) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Eq for Regimes {}

#[derive(Debug)]
pub struct Row {
    pub id: String,
    pub title: String,
    /// Off unless the policy lists it.
    pub is_switch: bool,
    /// It does not concern data that comes from the recipient's own house.
    pub is_disclosure: bool,
    pub scope: Option<Test>,
    pub is_allowed: bool,
    pub ways: Vec<Way>,
    pub obligations: Vec<Obligation>,
    pub emergency_opens: bool,
    pub emergency_obligations: Vec<String>,
}

/// One way to satisfy a row: a rule that permitted and has everything.
#[derive(Debug)]
pub struct Way {
    pub when: Option<Test>,
    pub needs: Vec<Option<Need>>,
}

#[derive(Debug)]
pub struct Obligation {
    pub code: String,
    pub when: Option<Test>,
    pub notice: Option<Notice>,
}

/// What goes with each disclosure in words, for the people who read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// The mark of v3-ActCode that says that there is something to be shown.
    pub mark: String,
    pub text: String,
}

/// To whom a person's data went is told on request, so many years back: what was released under an obligation, or came
/// from a partner under a regime.
#[derive(Debug)]
pub struct Accounting {
    pub id: String,
    pub years: i64,
    pub obligation: Option<String>,
    pub origin_regime: Option<String>,
}

/// Something to know of the data or of the question.
#[derive(Debug)]
pub enum Test {
    Anything,
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    OriginRegime(String),
    OriginKind(String),
    Label(String),
    LabelOrBelow(String),
    OutsidePurposeLabels,
    PurposeWithin(Vec<String>),
    RecipientKind(String),
    RecipientRegime(String),
    PatientUnder(i32),
}

/// Something that the permitting rule, or its consent, must have.
#[derive(Debug)]
pub enum Need {
    Policy(String),
    Discloser,
    Recipient,
    Designation,
    Purpose,
    OnlyPurpose(String),
    Records,
    Date,
    Signature,
    End,
    EndUnlessPurposesWithin(Vec<String>),
    Signers,
    Mention(Vec<String>),
    Received { policy: String, purposes: Vec<String>, custodian_regime: String },
    AnyOf(Vec<Option<Need>>),
}

#[derive(Debug)]
pub struct FilingRule {
    pub id: String,
    pub policy: String,
    pub refuse: Refuse,
    pub expression: String,
    pub text: String,
}

#[derive(Debug)]
pub enum Refuse {
    MixedPurposes {
        within: Vec<String>,
        besides: Vec<String>,
    },
    NoEnd,
    SignedByRelatedAlone,
    /// What it asks is not understood.
    Whatever,
}

/// The question, as tests see it.
pub struct Asked<'a> {
    pub world: &'a World,
    pub clock: &'a Clock<'a>,
    pub recipient: &'a Recipient,
    pub person: &'a Directives,
    pub purpose: &'a str,
}

impl Accounting {
    /// Without a number of years that is understood everything is told.
    fn read(one: Element) -> Accounting {
        let text = |name: &str| one.text(name).map(str::to_string);
        Accounting {
            id: text("id").unwrap_or_default(),
            years: one.get("years").value().and_then(Value::as_i64).unwrap_or(100),
            obligation: text("obligation"),
            origin_regime: text("originRegime"),
        }
    }
}

impl Row {
    fn read(row: Element) -> Row {
        let emergency = row.get("emergency");
        Row {
            id: row.text("id").unwrap_or("").to_string(),
            title: row.text("title").unwrap_or("").to_string(),
            is_switch: row.flag("switch") == Some(true),
            is_disclosure: row.flag("disclosure") == Some(true),
            scope: Test::read(row.get("scope")),
            is_allowed: row.flag("allowed") == Some(true),
            ways: row.each("ways").map(Way::read).collect(),
            obligations: row.each("obligations").map(Obligation::read).collect(),
            emergency_opens: emergency.flag("opens") == Some(true),
            emergency_obligations: texts(emergency, "obligations"),
        }
    }

    fn closed() -> Row {
        Row {
            id: "unreadable".into(),
            title: String::new(),
            is_switch: false,
            is_disclosure: false,
            scope: None,
            is_allowed: false,
            ways: Vec::new(),
            obligations: Vec::new(),
            emergency_opens: false,
            emergency_obligations: Vec::new(),
        }
    }

    /// The data that the row names, whoever receives it.
    pub fn names(&self, asked: &Asked) -> Condition {
        self.scope.as_ref().map_or(Condition::Always, |scope| scope.condition(asked))
    }

    /// The data to which the row applies for this recipient.
    pub fn applies(&self, asked: &Asked) -> Condition {
        let own = Condition::is(Atom::Origin(asked.recipient.house()));
        let foreign = if self.is_disclosure { own.negate() } else { Condition::Always };
        Condition::all([self.names(asked), foreign])
    }
}

impl Way {
    fn read(way: Element) -> Way {
        let when = if way.get("when").exists() { Test::read(way.get("when")) } else { Some(Test::Anything) };
        Way { when, needs: way.each("needs").map(Need::read).collect() }
    }
}

impl Obligation {
    fn read(obligation: Element) -> Obligation {
        let when = obligation.get("when");
        let when = if when.exists() { Test::read(when) } else { Some(Test::Anything) };
        let text = |name: &str| obligation.text(name).map(str::to_string);
        let notice = text("mark").zip(text("text")).map(|(mark, text)| Notice { mark, text });
        Obligation { code: text("code").unwrap_or_default(), when, notice }
    }

    /// What cannot be read binds.
    pub fn binds(&self, asked: &Asked) -> Condition {
        self.when.as_ref().map_or(Condition::Always, |when| when.condition(asked))
    }
}

impl Test {
    /// `None` when any part of it is not known.
    pub(super) fn read(test: Element) -> Option<Test> {
        let (name, value) = test.object()?.iter().next()?;
        let text = || value.as_str().map(str::to_string);
        let each = || test.each(name).map(Test::read).collect::<Option<Vec<Test>>>();
        Some(match name.as_str() {
            "all" => Test::All(each()?),
            "any" => Test::Any(each()?),
            "not" => Test::Not(Box::new(Test::read(test.get("not"))?)),
            "originRegime" => Test::OriginRegime(text()?),
            "originKind" => Test::OriginKind(text()?),
            "label" => Test::Label(text()?),
            "labelOrBelow" => Test::LabelOrBelow(text()?),
            "outsidePurposeLabels" => Test::OutsidePurposeLabels,
            "purposeWithin" => Test::PurposeWithin(texts(test, name)),
            "recipientKind" => Test::RecipientKind(text()?),
            "recipientRegime" => Test::RecipientRegime(text()?),
            "patientUnder" => Test::PatientUnder(value.as_i64().and_then(|years| i32::try_from(years).ok())?),
            _ => return None,
        })
    }

    /// Whether it may hold, and whether it may fail, for what is known of a question without its data.
    fn may(&self, purpose: &str, kind: &str, regimes: &[String]) -> (bool, bool) {
        let known = |holds: bool| (holds, !holds);
        match self {
            Test::Anything => (true, false),
            Test::All(tests) => tests
                .iter()
                .map(|test| test.may(purpose, kind, regimes))
                .fold((true, false), |all, one| (all.0 && one.0, all.1 || one.1)),
            Test::Any(tests) => tests
                .iter()
                .map(|test| test.may(purpose, kind, regimes))
                .fold((false, true), |all, one| (all.0 || one.0, all.1 && one.1)),
            Test::Not(test) => {
                let (holds, fails) = test.may(purpose, kind, regimes);
                (fails, holds)
            }
            Test::PurposeWithin(purposes) => known(is_within_any(purpose, purposes)),
            Test::RecipientKind(own) => known(own == kind),
            Test::RecipientRegime(own) => known(regimes.contains(own)),
            _ => (true, true),
        }
    }

    pub fn condition(&self, asked: &Asked) -> Condition {
        let origin =
            |system: &str, code: &str| Condition::is(Atom::Origin(asked.world.organizations_with(system, code)));
        match self {
            Test::Anything => Condition::Always,
            Test::All(tests) => Condition::all(tests.iter().map(|test| test.condition(asked))),
            Test::Any(tests) => Condition::any(tests.iter().map(|test| test.condition(asked))),
            Test::Not(test) => test.condition(asked).negate(),
            Test::OriginRegime(code) => origin(REGIME, code),
            Test::OriginKind(code) => origin(PARTNER_KIND, code),
            Test::Label(code) => labelled(ACT_CODE, [code.as_str()]),
            Test::LabelOrBelow(code) => labelled(ACT_CODE, with_all_below(code)),
            Test::OutsidePurposeLabels => Condition::all([
                labelled(ACT_REASON, [ANY_CODE]),
                labelled(ACT_REASON, covering(asked.purpose)).negate(),
            ]),
            Test::PurposeWithin(purposes) => Condition::constant(is_within_any(asked.purpose, purposes)),
            Test::RecipientKind(kind) => Condition::constant(asked.recipient.is_kind(kind)),
            Test::RecipientRegime(regime) => Condition::constant(asked.recipient.is_under(regime)),
            Test::PatientUnder(years) => Condition::constant(asked.person.is_under(*years, asked.clock)),
        }
    }
}

impl Need {
    /// `None` is a need that nothing meets.
    pub(super) fn read(need: Element) -> Option<Need> {
        let (name, value) = need.object()?.iter().next()?;
        let text = || value.as_str().map(str::to_string);
        Some(match name.as_str() {
            "policy" => Need::Policy(text()?),
            "discloser" => Need::Discloser,
            "recipient" => Need::Recipient,
            "designation" => Need::Designation,
            "purpose" => Need::Purpose,
            "onlyPurpose" => Need::OnlyPurpose(text()?),
            "records" => Need::Records,
            "date" => Need::Date,
            "signature" => Need::Signature,
            "end" => Need::End,
            "endUnlessPurposesWithin" => Need::EndUnlessPurposesWithin(texts(need, name)),
            "signers" => Need::Signers,
            "mention" => Need::Mention(texts(need, name)),
            "anyOf" => Need::AnyOf(need.each(name).map(Need::read).collect()),
            "received" => {
                let received = need.get(name);
                Need::Received {
                    policy: received.text("policy")?.to_string(),
                    purposes: texts(received, "purposesWithin"),
                    custodian_regime: received.text("custodianRegime")?.to_string(),
                }
            }
            _ => return None,
        })
    }
}

impl FilingRule {
    /// What it does not say in a way that is understood, it refuses.
    pub(super) fn read(rule: Element) -> FilingRule {
        let refuse = rule.get("refuse");
        let refuse = if refuse.get("purposesWithin").exists() {
            Refuse::MixedPurposes { within: texts(refuse, "purposesWithin"), besides: texts(refuse, "besides") }
        } else if refuse.flag("noEnd") == Some(true) {
            Refuse::NoEnd
        } else if refuse.flag("signedByRelatedAlone") == Some(true) {
            Refuse::SignedByRelatedAlone
        } else {
            Refuse::Whatever
        };
        let text = |name: &str| rule.text(name).unwrap_or("").to_string();
        FilingRule {
            id: text("id"),
            policy: text("policy"),
            refuse,
            expression: text("expression"),
            text: text("text"),
        }
    }
}

pub fn is_within_any(purpose: &str, ancestors: &[String]) -> bool {
    ancestors.iter().any(|ancestor| is_within(purpose, ancestor))
}

fn labelled<'a>(system: &str, codes: impl IntoIterator<Item = &'a str>) -> Condition {
    let labels: BTreeSet<(String, String)> =
        codes.into_iter().map(|code| (system.to_string(), code.to_string())).collect();
    Condition::is(Atom::Label(labels))
}

pub(super) fn texts(element: Element, name: &str) -> Vec<String> {
    element.each(name).filter_map(Element::as_str).map(str::to_string).collect()
}
