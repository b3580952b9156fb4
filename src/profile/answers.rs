//! What a terminology service is asked, answered from the codes at hand (FHIR R4 terminology-service.html).
//!
//! It never guesses: what a set or a system holds that is not at hand is named, and a question that cannot be
//! answered is refused rather than answered with `false`.

use crate::fhir::Issue;
use crate::fhir::terms::{
    Coding, Contained, Expand, Expanded, LookedUp, Lookup, Outlined, Subsumes, Validate, Validated,
};

use super::Profiles;
use super::coding::is_alike;
use super::compose::{self, Expander};
use super::facts::CodeSystem;
use super::found::{listed, shown};
use super::grammar;
use super::system::Order;
use super::terminology::{Membership, Set, nearest_of};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Unanswered {
    /// What is asked about is not held here.
    NotHeld(Issue),
    /// It is held, and cannot be listed or told.
    CannotTell(Issue),
}

/// A set that is held, or one that came with the question.
enum Asked<'p> {
    Held(&'p Set),
    Sent(Box<Set>),
}

impl Asked<'_> {
    fn set(&self) -> &Set {
        match self {
            Asked::Held(set) => set,
            Asked::Sent(set) => set,
        }
    }
}

impl Profiles {
    /// # Errors
    /// The set is not held, or none of it can be listed.
    pub fn expand(&self, asked: &Expand) -> Result<Expanded, Unanswered> {
        let held = self.asked(asked.url.as_deref(), asked.set.as_ref(), asked.version.as_deref())?;
        let set = held.set();
        let words: Vec<String> =
            asked.filter.iter().flat_map(|filter| filter.split_whitespace()).map(str::to_lowercase).collect();
        let mut expanded = Expanded {
            url: asked.url.clone().unwrap_or_default(),
            version: set.version.clone(),
            name: set.name.clone(),
            offset: asked.offset,
            open: set.open().map(str::to_string).collect(),
            ..Expanded::default()
        };
        if !expanded.open.is_empty() && set.each().next().is_none() {
            let url = asked.url.as_deref().unwrap_or("the value set that was sent");
            let systems =
                listed(expanded.open.iter().map(|system| if system == "*" { "systems unknown" } else { system }));
            let text = format!("`{}` cannot be expanded: codes of {systems} are not held here", shown(url));
            return Err(Unanswered::CannotTell(Issue::error("too-costly", "expansion", text)));
        }
        let mut system: Option<(&str, Option<&CodeSystem>)> = None;
        for (url, code, own) in set.each() {
            let known = match system {
                Some((last, known)) if last == url => known,
                _ => {
                    let known = self.code_system(url).map(AsRef::as_ref);
                    expanded.used.push(versioned(url, known));
                    system = Some((url, known));
                    known
                }
            };
            let display = match own {
                "" => known.and_then(|known| known.find(code)).map_or("", |(_, display)| display),
                own => own,
            };
            let is_inactive = known.is_some_and(|known| known.is_inactive(code));
            if asked.active_only && is_inactive || !words.iter().all(|word| has_word(code, display, word)) {
                continue;
            }
            expanded.total += 1;
            if expanded.total <= asked.offset || expanded.contains.len() >= asked.count {
                continue;
            }
            let designations = known.filter(|_| asked.designations).and_then(|known| known.designations.get(code));
            expanded.contains.push(Contained {
                system: url.to_string(),
                code: code.to_string(),
                display: display.to_string(),
                is_abstract: known.is_some_and(|known| known.is_abstract(code)),
                is_inactive,
                designations: designations.cloned().unwrap_or_default(),
            });
        }
        Ok(expanded)
    }

    /// Whether one of the codings is in the set, by the name it is called.
    ///
    /// # Errors
    /// The set is not held, or nobody here can tell.
    pub fn validate_in_set(&self, asked: &Validate) -> Result<Validated, Unanswered> {
        let held = self.asked(asked.url.as_deref(), asked.set.as_ref(), asked.version.as_deref())?;
        let set = held.set();
        let (mut wrong, mut unknown) = (None, false);
        for coding in &asked.codings {
            let Some(system) = self.system_in(set, coding) else {
                unknown |= coding.system.is_empty() && set.judge_code(&coding.code) == Membership::Unknown;
                wrong = wrong.or_else(|| Some(stranger(set, coding, asked.url.as_deref())));
                continue;
            };
            let coding = Coding { system: system.to_string(), ..coding.clone() };
            match set.judge(&coding.system, &coding.code) {
                Membership::Member => {
                    let found = self.named(&coding, set.display(&coding.system, &coding.code));
                    if found.is_good {
                        return Ok(found);
                    }
                    wrong = Some(found);
                }
                Membership::Unknown => unknown = true,
                Membership::Stranger => wrong = wrong.or_else(|| Some(stranger(set, &coding, asked.url.as_deref()))),
            }
        }
        if unknown {
            let systems = listed(set.open().map(|system| if system == "*" { "systems unknown" } else { system }));
            let text = format!("nobody here can tell: codes of {systems} are not held here");
            return Err(Unanswered::CannotTell(Issue::error("not-supported", "code-unchecked", text)));
        }
        Ok(wrong.unwrap_or_default())
    }

    /// Whether each coding's system has it, by the name it is called; one that is good is enough.
    ///
    /// # Errors
    /// A system is not held.
    pub fn validate_in_system(&self, asked: &Validate) -> Result<Validated, Unanswered> {
        let mut wrong = None;
        for coding in &asked.codings {
            let found = match self.code_system(&coding.system) {
                Some(_) => self.named_in(self.held(&coding.system, asked.version.as_deref())?, coding)?,
                None => match grammar::judge(&coding.system, &coding.code) {
                    Some(is_good) => Validated {
                        is_good,
                        message: (!is_good).then(|| {
                            format!("`{}` is not how a code of `{}` is written", shown(&coding.code), coding.system)
                        }),
                        system: coding.system.clone(),
                        code: coding.code.clone(),
                        display: String::new(),
                    },
                    None => return Err(not_held("code system", &coding.system)),
                },
            };
            if found.is_good {
                return Ok(found);
            }
            wrong = wrong.or(Some(found));
        }
        Ok(wrong.unwrap_or_default())
    }

    /// # Errors
    /// The system is not held, or does not have the code.
    pub fn look_up(&self, asked: &Lookup) -> Result<LookedUp, Unanswered> {
        let held = self.held(&asked.coding.system, asked.version.as_deref())?;
        let Some((code, display)) = held.find(&asked.coding.code) else {
            return Err(no_code(held, &asked.coding.code));
        };
        let mut properties: Vec<(&'static str, Outlined)> = Vec::new();
        let code_of = |code: &str| Outlined::Code(code.to_string());
        properties.extend(held.parents(code).iter().map(|parent| ("parent", code_of(parent))));
        properties.extend(held.children(code).map(|child| ("child", code_of(child))));
        if let Some(status) = held.property("status", code) {
            properties.push(("status", code_of(status)));
        }
        properties.push(("inactive", Outlined::Flag(held.is_inactive(code))));
        properties.push(("notSelectable", Outlined::Flag(held.is_abstract(code))));
        let is_asked = |name: &str| asked.properties.is_empty() || asked.properties.iter().any(|it| it == name);
        properties.retain(|(name, _)| is_asked(name));
        let designations = held.designations.get(code).filter(|_| is_asked("designation"));
        Ok(LookedUp {
            name: held.name.clone().unwrap_or_else(|| held.url.clone()),
            version: held.version.clone(),
            display: if display.is_empty() { code.to_string() } else { display.to_string() },
            designations: designations.cloned().unwrap_or_default(),
            properties,
        })
    }

    /// A code of concept-subsumption-outcome.
    ///
    /// # Errors
    /// The system is not held, or does not have both codes.
    pub fn subsumption(&self, asked: &Subsumes) -> Result<&'static str, Unanswered> {
        let held = self.held(&asked.system, asked.version.as_deref())?;
        let find = |code: &str| held.find(code).map(|(code, _)| code).ok_or_else(|| no_code(held, code));
        Ok(match held.order(find(&asked.left)?, find(&asked.right)?) {
            Order::Same => "equivalent",
            Order::Above => "subsumes",
            Order::Below => "subsumed-by",
            Order::Apart => "not-subsumed",
        })
    }

    /// The code systems at hand, sorted, each with its version.
    pub fn held_systems(&self) -> Vec<(String, Option<String>)> {
        let mut urls: Vec<&String> = self.systems.keys().collect();
        urls.sort();
        let held = urls.into_iter().filter_map(|url| self.code_system(url)).filter(|held| !held.is_supplement());
        held.map(|held| (held.url.clone(), held.version.clone())).collect()
    }

    fn asked(
        &self,
        url: Option<&str>,
        sent: Option<&serde_json::Value>,
        version: Option<&str>,
    ) -> Result<Asked<'_>, Unanswered> {
        if let Some(sent) = sent {
            if compose::parts(sent) > compose::PARTS_MAX {
                let text = format!("`valueSet`: expected at most {} includes and excludes", compose::PARTS_MAX);
                return Err(Unanswered::CannotTell(Issue::error("too-costly", "expansion", text)));
            }
            let facts = Expander::new(self, &[], std::iter::empty()).facts(sent);
            return Ok(Asked::Sent(Box::new(Set::new(facts, self))));
        }
        let url = url.unwrap_or("");
        let set = self.set(url).ok_or_else(|| not_held("value set", url))?;
        same_version("value set", url, version, set.version.as_deref())?;
        Ok(Asked::Held(set))
    }

    fn held(&self, url: &str, version: Option<&str>) -> Result<&CodeSystem, Unanswered> {
        let held =
            self.code_system(url).filter(|held| !held.is_supplement()).ok_or_else(|| not_held("code system", url))?;
        same_version("code system", url, version, held.version.as_deref())?;
        Ok(held)
    }

    /// The system of a coding; of a bare code, the one that the set has it of.
    fn system_in<'s>(&self, set: &'s Set, coding: &'s Coding) -> Option<&'s str> {
        if !coding.system.is_empty() {
            return Some(&coding.system);
        }
        set.systems().find(|system| set.judge(system, &coding.code) == Membership::Member)
    }

    /// A coding that is in a set, by the name it is called.
    fn named(&self, coding: &Coding, own: Option<&str>) -> Validated {
        let held = self.code_system(&coding.system);
        let display = held.and_then(|held| held.find(&coding.code)).map_or("", |(_, display)| display);
        let names = own.into_iter().chain(held.into_iter().flat_map(|held| held.names(&coding.code)));
        called(coding, own.unwrap_or(display), names.collect())
    }

    fn named_in(&self, held: &CodeSystem, coding: &Coding) -> Result<Validated, Unanswered> {
        let Some((code, display)) = held.find(&coding.code) else {
            if !held.is_complete() {
                let text = format!("nobody here can tell: not all codes of `{}` are held here", held.url);
                return Err(Unanswered::CannotTell(Issue::error("not-supported", "code-unchecked", text)));
            }
            return Ok(Validated {
                message: Some(unknown_code(held, &coding.code)),
                system: coding.system.clone(),
                code: coding.code.clone(),
                ..Validated::default()
            });
        };
        Ok(called(&Coding { code: code.to_string(), ..coding.clone() }, display, held.names(code).collect()))
    }
}

/// A code that is good, unless it is called what it is not.
fn called(coding: &Coding, display: &str, names: Vec<&str>) -> Validated {
    let is_wrong = |said: &&String| !names.is_empty() && !names.iter().any(|name| is_alike(name, said));
    let wrong = coding.display.as_ref().filter(is_wrong);
    Validated {
        is_good: wrong.is_none(),
        message: wrong.map(|_| {
            format!("the display is not what the code is called: expected {}", listed(names.into_iter().take(3)))
        }),
        system: coding.system.clone(),
        code: coding.code.clone(),
        display: display.to_string(),
    }
}

fn stranger(set: &Set, coding: &Coding, url: Option<&str>) -> Validated {
    let near = match set.nearest(&coding.code).as_slice() {
        [] => String::new(),
        near => format!(", such as {}", listed(near.iter().copied())),
    };
    let set = url.map_or("the value set".to_string(), |url| format!("`{url}`"));
    Validated {
        message: Some(format!("`{}` is not in {set}: expected one of its codes{near}", shown(&coding.code))),
        system: coding.system.clone(),
        code: coding.code.clone(),
        ..Validated::default()
    }
}

fn unknown_code(held: &CodeSystem, code: &str) -> String {
    format!("`{}` is no code of `{}`; near are {}", shown(code), held.url, listed(nearest_of(held, code)))
}

fn no_code(held: &CodeSystem, code: &str) -> Unanswered {
    Unanswered::NotHeld(Issue::error("not-found", "code-unknown", unknown_code(held, code)))
}

fn not_held(what: &str, url: &str) -> Unanswered {
    let text = format!("{what} `{}` is not held here", shown(url));
    Unanswered::NotHeld(Issue::error("not-found", "terminology-unheld", text))
}

fn same_version(what: &str, url: &str, asked: Option<&str>, held: Option<&str>) -> Result<(), Unanswered> {
    match (asked, held) {
        (Some(asked), Some(held)) if asked != held => {
            let text = format!("{what} `{}` is held here in version `{held}`, not `{}`", shown(url), shown(asked));
            Err(Unanswered::NotHeld(Issue::error("not-found", "terminology-version", text)))
        }
        _ => Ok(()),
    }
}

fn versioned(url: &str, held: Option<&CodeSystem>) -> String {
    match held.and_then(|held| held.version.as_ref()) {
        Some(version) => format!("{url}|{version}"),
        None => url.to_string(),
    }
}

fn has_word(code: &str, display: &str, word: &str) -> bool {
    code.to_lowercase().contains(word) || display.to_lowercase().contains(word)
}
