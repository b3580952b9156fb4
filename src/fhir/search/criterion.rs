//! What must hold of a resource that a search finds, as a tree.
//!
//! A chain (`patient.name`) and its reverse (`_has`) are criteria on another resource, reached by a reference; so the
//! tree nests, to a stated depth (FHIR R4 search.html#chaining, #has).

use crate::fhir::Interval;

use super::params::ParamKind;

/// FHIR R4 search.html#prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prefix {
    Eq,
    Ne,
    Gt,
    Lt,
    Ge,
    Le,
    Sa,
    Eb,
    Ap,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Criterion {
    Filter(Filter),
    /// Any of these holds: a chain over several target types, a compartment.
    Any(Vec<Criterion>),
    /// It is of this type, and this holds.
    OfKind(String, Box<Criterion>),
    /// The reference `param` leads to a `kind` that fits.
    Chain {
        param: String,
        kind: String,
        then: Box<Criterion>,
    },
    /// A `kind` that fits points here by its reference `param`.
    Has {
        kind: String,
        param: String,
        then: Box<Criterion>,
    },
}

/// One parameter: any of its tests, or none of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// The name that the index rows bear: the parameter's code, with a suffix for what is indexed beside its values
    /// (see `extract`).
    pub param: String,
    pub tests: Vec<Test>,
    /// `:not`, `:not-in`: no value passes any test.
    pub negated: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    Id(String),
    Updated(Prefix, Interval),
    /// An absent part is not tested; an empty system means that there is none.
    Token {
        system: Option<String>,
        code: Option<String>,
    },
    /// Any of these codes of a system; an element that has no system of its own (a `code`) fits by its code alone.
    Codes {
        system: String,
        codes: Vec<String>,
    },
    /// `kind` is empty for a reference that is no `Type/id`, and `None` when the caller named none.
    Reference {
        kind: Option<String>,
        id: String,
    },
    Date(Prefix, Interval),
    TextStarts(String),
    TextContains(String),
    TextExact(String),
    /// What a code is called.
    Word(String),
    Uri(String),
    UriBelow(String),
    Number(Prefix, f64, f64),
    Quantity {
        prefix: Prefix,
        low: f64,
        high: f64,
        system: Option<String>,
        code: Option<String>,
    },
    /// A position between these latitudes and within one of these spans of longitude, in degrees.
    Near {
        latitudes: (f64, f64),
        longitudes: Vec<(f64, f64)>,
    },
    /// Both on values that stand together.
    Composite(Box<Test>, Box<Test>),
    Missing(ParamKind, bool),
}

impl Prefix {
    /// The prefix of a value, `eq` when it has none, and what follows.
    pub fn split(text: &str) -> (Prefix, &str) {
        let prefix = match text.get(..2) {
            Some("eq") => Prefix::Eq,
            Some("ne") => Prefix::Ne,
            Some("gt") => Prefix::Gt,
            Some("lt") => Prefix::Lt,
            Some("ge") => Prefix::Ge,
            Some("le") => Prefix::Le,
            Some("sa") => Prefix::Sa,
            Some("eb") => Prefix::Eb,
            Some("ap") => Prefix::Ap,
            _ => return (Prefix::Eq, text),
        };
        (prefix, &text[2..])
    }
}

impl Test {
    fn weight(&self) -> usize {
        match self {
            Test::Codes { codes, .. } => 1 + codes.len() / 8,
            _ => 1,
        }
    }
}

impl Criterion {
    /// A resource of type `kind` points at the owner of a compartment by one of these parameters.
    pub fn belongs_to(owner: (&str, &str), kind: &str, params: &[String]) -> Criterion {
        let of_kind = |criterion: Criterion| Criterion::OfKind(kind.to_string(), Box::new(criterion));
        let filter = |param: &str, test: Test| Filter { param: param.to_string(), tests: vec![test], negated: false };
        let points = |param: &String| {
            let test = Test::Reference { kind: Some(owner.0.to_string()), id: owner.1.to_string() };
            of_kind(Criterion::Filter(filter(param, test)))
        };
        let mut any: Vec<Criterion> = params.iter().map(points).collect();
        if kind == owner.0 {
            // Everybody is in their own compartment.
            any.push(of_kind(Criterion::Filter(filter("_id", Test::Id(owner.1.to_string())))));
        }
        Criterion::Any(any)
    }

    /// How many values it compares with.
    pub fn tests(&self) -> usize {
        match self {
            Criterion::Filter(filter) => filter.tests.iter().map(Test::weight).sum(),
            Criterion::Any(parts) => parts.iter().map(Criterion::tests).sum(),
            Criterion::OfKind(_, part) => part.tests(),
            Criterion::Chain { then, .. } | Criterion::Has { then, .. } => then.tests(),
        }
    }

    /// How many other resources this looks at for one that is found.
    pub fn steps(&self) -> usize {
        match self {
            Criterion::Filter(_) => 0,
            Criterion::Any(parts) => parts.iter().map(Criterion::steps).sum(),
            Criterion::OfKind(_, part) => part.steps(),
            Criterion::Chain { then, .. } | Criterion::Has { then, .. } => 1 + then.steps(),
        }
    }

    /// The types whose resources this looks at, besides the one that is searched.
    pub fn visit_kinds<'a>(&'a self, visit: &mut impl FnMut(&'a str)) {
        match self {
            Criterion::Filter(_) => {}
            Criterion::OfKind(_, part) => part.visit_kinds(visit),
            Criterion::Any(parts) => parts.iter().for_each(|part| part.visit_kinds(visit)),
            Criterion::Chain { kind, then, .. } | Criterion::Has { kind, then, .. } => {
                visit(kind);
                then.visit_kinds(visit);
            }
        }
    }

    /// The one Patient whom this says the resource is about.
    pub fn patient(&self, kind: &str) -> Option<&str> {
        match self {
            Criterion::Filter(filter) if !filter.negated => match filter.tests.as_slice() {
                [Test::Id(id)] if kind == "Patient" => Some(id.as_str()),
                [Test::Reference { kind: Some(target), id }]
                    if target == "Patient" && names_a_person(&filter.param) =>
                {
                    Some(id.as_str())
                }
                _ => None,
            },
            Criterion::Chain { param, kind, then } if kind == "Patient" && names_a_person(param) => then.patient(kind),
            _ => None,
        }
    }
}

/// The parameters that say whose record a resource belongs to.
pub fn names_a_person(param: &str) -> bool {
    matches!(param, "patient" | "subject")
}
