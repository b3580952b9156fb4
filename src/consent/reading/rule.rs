//! One rule in words, with what it takes over from the rules above it (consent.md R3, R4, R7 to R9).

use super::{Block, Line, Reader};
use crate::consent::directive::Answer;
use crate::consent::label::ACT_CODE;
use crate::consent::purpose::ACT_REASON;
use crate::consent::rule::{Actor, Class, Data, Effect, Label, Listed, Meaning, Role, Rule, Who};
use crate::consent::select::Inherited;
use crate::consent::span::Span;

/// How a rule stands to the one above it, for the sentence that leads it.
#[derive(Clone, Copy)]
enum Lead {
    Root,
    /// Directly under the root: it holds wherever it matches.
    Below,
    /// Deeper: it holds only within the rule above it.
    Within,
}

impl Reader<'_> {
    /// The root's yes or no, and then what is different.
    pub(super) fn choices(&self) -> Vec<Block> {
        let root = &self.directive.root;
        let effect = self.root_effect();
        let heading = self.say(if effect == Effect::Permit { "yes" } else { "no" }, &[]);
        let intro = match self.directive.answer {
            Answer::Permit => "root-permit",
            Answer::Deny => "root-deny",
            Answer::EmergencyOnly => "root-emergency",
            Answer::Unclear => {
                return vec![Block { heading: self.say("choice", &[]), lines: vec![self.line("root-unclear", &[])] }];
            }
        };
        let below = self.parts(root, effect, Inherited::default(), Lead::Root);
        let mut blocks = vec![Block { heading, lines: vec![Line { text: self.say(intro, &[]), below }] }];
        let above = Inherited::default().below(root);
        if !root.children.is_empty() {
            let lines = root.children.iter().map(|child| self.nested(child, effect, above, Lead::Below)).collect();
            blocks.push(Block { heading: self.say("different", &[]), lines });
        }
        blocks
    }

    fn nested(&self, rule: &Rule, over: Effect, above: Inherited, lead: Lead) -> Line {
        let key = match (lead, rule.effect == over, rule.effect) {
            (Lead::Within, _, Effect::Permit) => "of-that-permit",
            (Lead::Within, _, Effect::Deny) => "of-that-deny",
            (_, true, Effect::Permit) => "also-permit",
            (_, true, Effect::Deny) => "also-deny",
            (_, false, Effect::Permit) => "but-permit",
            (_, false, Effect::Deny) => "but-deny",
        };
        let mut below = self.parts(rule, rule.effect, above, lead);
        let inner = above.below(rule);
        below.extend(rule.children.iter().map(|child| self.nested(child, rule.effect, inner, Lead::Within)));
        Line { text: self.say(key, &[]), below }
    }

    /// Every selector as a sentence: who, whose, what, why, how, when.
    fn parts(&self, rule: &Rule, effect: Effect, above: Inherited, lead: Lead) -> Vec<Line> {
        let mut lines = self.who(rule, effect, above);
        lines.extend(self.what(rule, effect, lead));
        lines.push(self.why(rule, effect, above));
        lines.extend(self.how(rule, effect, above));
        if let Some(period) = &rule.period {
            lines.extend(self.span(period, ["between", "from", "until"]));
        }
        if effect == Effect::Deny && is_widened(rule) {
            lines.push(self.line("widened", &[]));
        }
        lines
    }

    fn who(&self, rule: &Rule, effect: Effect, above: Inherited) -> Vec<Line> {
        let key = if effect == Effect::Permit { "who-permit" } else { "who-deny" };
        let Some(actors) = heard(rule.actor.as_ref(), effect) else {
            // What is taken over is said as such, unless it was not understood and so means anybody.
            let taken = rule.actor.is_none() && heard(above.actor, effect).is_some();
            return vec![self.line(key, &[("names", &self.say(if taken { "same-who" } else { "who-any" }, &[]))])];
        };
        let called = |role: Role| -> Vec<String> {
            actors.known.iter().filter(|actor| actor.role == role).map(|actor| self.actor(actor)).collect()
        };
        let (recipients, holders) = (called(Role::Recipient), called(Role::Holder));
        let names = match (recipients.is_empty(), holders.is_empty()) {
            (false, _) => self.locale.list(&recipients),
            (true, false) => self.say("who-any", &[]),
            (true, true) => self.say("who-nobody", &[]),
        };
        let mut lines = vec![self.line(key, &[("names", &names)])];
        if !holders.is_empty() {
            lines.push(self.line("holder", &[("names", &self.locale.list(&holders))]));
        }
        lines
    }

    fn actor(&self, actor: &Actor) -> String {
        match &actor.who {
            Who::Key(key) => self.called(key).unwrap_or_else(|| key.clone()),
            Who::Identifier((_, value)) => value.clone(),
            Who::Contained(id) => self.contained(id).unwrap_or_else(|| format!("#{id}")),
        }
    }

    /// What a reference is called, or what the Consent shows beside it.
    fn called(&self, key: &str) -> Option<String> {
        if let Some(name) = self.names.get(key) {
            return Some(name.clone());
        }
        let mut shown = None;
        self.consent.root().walk(&mut |element| {
            let is_it = element.text("reference").is_some_and(|text| crate::fhir::Reference::parse(text).key() == key);
            if let (true, None, Some(display)) = (is_it, &shown, element.text("display")) {
                shown = Some(display.to_string());
            }
        });
        shown
    }

    fn what(&self, rule: &Rule, effect: Effect, lead: Lead) -> Vec<Line> {
        let suffix = if effect == Effect::Permit { "permit" } else { "deny" };
        let mut lines = Vec::new();
        if let Some(codes) = heard(rule.code.as_ref(), effect) {
            let words: Vec<String> = codes.known.iter().map(|code| self.code(code)).collect();
            lines.push(self.line(&format!("code-{suffix}"), &[("codes", &self.locale.list(&words))]));
        }
        if let Some(labels) = heard(rule.label.as_ref(), effect) {
            lines.extend(self.labels(labels, suffix));
        }
        if let Some(period) = &rule.data_period {
            let keys = ["between", "from", "until"].map(|key| format!("data-{key}-{suffix}"));
            lines.extend(self.span(period, [keys[0].as_str(), keys[1].as_str(), keys[2].as_str()]));
            if effect == Effect::Deny {
                lines.push(self.line("undated-deny", &[]));
            }
        }
        if let Some(data) = heard(rule.data.as_ref(), effect) {
            lines.extend(self.data(data, effect, suffix));
        }
        let kinds = match (heard(rule.class.as_ref(), effect), lead) {
            (Some(classes), _) => {
                let words: Vec<String> = classes.known.iter().map(|class| self.class(class)).collect();
                Some(self.locale.list(&words))
            }
            // Below a nested rule, whatever that one was about.
            (None, Lead::Within) => Some(self.say("same", &[])),
            (None, _) if lines.is_empty() => Some(self.say("what-all", &[])),
            (None, _) => None,
        };
        if let Some(kinds) = kinds {
            lines.insert(0, self.line("what", &[("kinds", &kinds)]));
        }
        if effect == Effect::Permit && is_void(rule) {
            lines = vec![self.line("opens-nothing", &[])];
        }
        lines
    }

    fn class(&self, class: &Class) -> String {
        match class {
            Class::Kind(kind) => self.kind(kind),
            Class::Profile(url) => {
                let name = self.displays.get(&("urn:ietf:rfc:3986".to_string(), url.clone()));
                let last = url.rsplit('/').next().unwrap_or(url);
                self.say("profile", &[("name", name.map_or(last, String::as_str))])
            }
        }
    }

    fn kind(&self, kind: &str) -> String {
        let known = self.locale.kind(kind).map(str::to_string);
        let shown =
            || self.displays.get(&(crate::consent::rule::RESOURCE_TYPES.to_string(), kind.to_string())).cloned();
        known.or_else(shown).unwrap_or_else(|| kind.to_string())
    }

    fn code(&self, code: &(String, String)) -> String {
        self.displays.get(code).cloned().unwrap_or_else(|| code.1.clone())
    }

    fn labels(&self, labels: &Listed<Label>, suffix: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut words = Vec::new();
        for label in &labels.known {
            match label {
                Label::Rank(rank) => {
                    lines.push(self.line(&format!("rank-{suffix}"), &[("rank", self.locale.rank(*rank))]));
                }
                Label::Code(system, code) => words.push(self.label(system, code)),
            }
        }
        if !words.is_empty() {
            let names = self.locale.list(&words);
            lines.insert(0, self.line(&format!("label-{suffix}"), &[("labels", &names)]));
        }
        lines.push(self.line(&format!("unsorted-{suffix}"), &[]));
        lines
    }

    fn label(&self, system: &str, code: &str) -> String {
        let table = match system {
            ACT_CODE => self.locale.label(code),
            ACT_REASON => self.locale.purpose(code),
            _ => None,
        };
        table.map_or_else(|| self.code(&(system.to_string(), code.to_string())), str::to_string)
    }

    fn data(&self, data: &Listed<Data>, effect: Effect, suffix: &str) -> Vec<Line> {
        let mut lines = Vec::new();
        for (meaning, key) in [
            (Meaning::Instance, "data-instance"),
            (Meaning::Related, "data-related"),
            (Meaning::Dependents, "data-dependents"),
            (Meaning::AuthoredBy, "data-authoredby"),
        ] {
            let of = data.known.iter().filter(|one| one.meaning == meaning);
            let names: Vec<String> = of.map(|one| self.record(&one.key, meaning)).collect();
            if !names.is_empty() {
                lines.push(self.line(&format!("{key}-{suffix}"), &[("names", &self.locale.list(&names))]));
            }
        }
        let by_author = data.known.iter().any(|one| one.meaning == Meaning::AuthoredBy);
        if by_author && effect == Effect::Deny {
            lines.push(self.line("unsigned-deny", &[]));
        }
        lines
    }

    /// One record that is named: by its name, else by its type.
    fn record(&self, key: &str, meaning: Meaning) -> String {
        if let Some(name) = self.called(key) {
            return name;
        }
        if meaning == Meaning::AuthoredBy {
            return key.to_string();
        }
        match key.split_once('/').map(|(kind, _)| kind) {
            Some(kind) => self.say("a-record", &[("kind", &self.kind(kind))]),
            None => self.say("some-record", &[]),
        }
    }

    /// A nested deny without purposes holds for every purpose; a nested permit takes those above it (R4).
    fn why(&self, rule: &Rule, effect: Effect, above: Inherited) -> Line {
        let taken = rule.purpose.is_none() && effect == Effect::Permit && above.purpose.is_some();
        let words = match heard(rule.purpose.as_ref(), effect) {
            _ if taken => self.say("same", &[]),
            Some(purposes) if !purposes.known.is_empty() => {
                let known = purposes.known.iter();
                self.locale.list(&known.map(|code| self.purpose(code)).collect::<Vec<String>>())
            }
            Some(_) => self.say("why-none", &[]),
            None => self.say("why-any", &[]),
        };
        self.line("why", &[("purposes", &words)])
    }

    fn purpose(&self, code: &str) -> String {
        let shown = || self.displays.get(&(ACT_REASON.to_string(), code.to_string())).cloned();
        self.locale.purpose(code).map(str::to_string).or_else(shown).unwrap_or_else(|| code.to_string())
    }

    fn how(&self, rule: &Rule, effect: Effect, above: Inherited) -> Option<Line> {
        let key = if effect == Effect::Permit { "how" } else { "how-deny" };
        let Some(actions) = heard(rule.action.as_ref(), effect) else {
            let taken = above.action.filter(|_| rule.action.is_none());
            return taken.map(|_| self.line(key, &[("actions", &self.say("same", &[]))]));
        };
        let words: Vec<String> =
            actions.known.iter().map(|code| self.locale.action(code).unwrap_or(code).to_string()).collect();
        (!words.is_empty()).then(|| self.line(key, &[("actions", &self.locale.list(&words))]))
    }

    /// A period, with the last day told where it is a day.
    fn span(&self, span: &Span, [between, from, until]: [&str; 3]) -> Option<Line> {
        let (start, end) = (span.start().map(|text| self.date(text)), span.end().map(|text| self.date(text)));
        match (start, end) {
            (Some(start), Some(end)) => Some(self.line(between, &[("start", &start), ("end", &end)])),
            (Some(start), None) => Some(self.line(from, &[("start", &start)])),
            (None, Some(end)) => Some(self.line(until, &[("end", &end)])),
            (None, None) => None,
        }
    }
}

/// The values that a selector is told by; none when it matches everything: on a deny, what is not understood may be
/// anything (R13).
fn heard<T>(listed: Option<&Listed<T>>, effect: Effect) -> Option<&Listed<T>> {
    listed.filter(|listed| effect == Effect::Permit || !listed.known.is_empty())
}

/// Whether a deny reaches further than its words that are understood.
fn is_widened(rule: &Rule) -> bool {
    fn some<T>(listed: &Option<Listed<T>>) -> bool {
        listed.as_ref().is_some_and(|listed| listed.has_unknown)
    }
    rule.is_blurred
        || some(&rule.actor)
        || some(&rule.action)
        || some(&rule.purpose)
        || some(&rule.label)
        || some(&rule.class)
        || some(&rule.code)
        || some(&rule.data)
}

/// Whether a permit can match nothing, for want of a value that is understood.
fn is_void(rule: &Rule) -> bool {
    fn none<T>(listed: &Option<Listed<T>>) -> bool {
        listed.as_ref().is_some_and(|listed| listed.known.is_empty())
    }
    let unread = |span: &Option<Span>| span.as_ref().is_some_and(|span| !span.is_readable());
    rule.is_blurred
        || none(&rule.actor)
        || none(&rule.action)
        || none(&rule.purpose)
        || none(&rule.label)
        || none(&rule.class)
        || none(&rule.code)
        || none(&rule.data)
        || unread(&rule.period)
        || unread(&rule.data_period)
}
