//! Laws by property: random consents, resources and questions from a small seeded generator.

use super::*;
use crate::consent::directive::Answer;
use crate::consent::label::ACT_CODE;
use crate::consent::purpose::covering;
use crate::consent::rule::{ACTION, Effect as RuleEffect, PARTICIPATION, Rule};
use crate::consent::select::{Inherited, Lens};

/// A linear congruential generator: the same seeds tell the same stories.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn some(&mut self, from: &[&str], make: impl Fn(&str) -> Value) -> Value {
        (0..1 + self.below(2)).map(|_| make(self.pick(from))).collect()
    }

    fn day(&mut self) -> String {
        format!("2026-{:02}-{:02}", 1 + self.below(12), 1 + self.below(28))
    }

    fn period(&mut self) -> Value {
        match self.below(4) {
            0 => json!({"start": self.day()}),
            1 => json!({"end": self.day()}),
            2 => json!({"start": "2026-01-01", "end": self.day()}),
            _ => json!({"start": self.day(), "end": "2026-12-31"}),
        }
    }

    fn provision(&mut self, depth: usize) -> Value {
        let mut rule = json!({"type": self.pick(&["permit", "deny"])});
        if self.one_in(4) {
            rule["purpose"] = self.some(
                &["TREAT", "ETREAT", "HRESCH", "HLEGAL", "NEW"],
                |code| json!({"system": ACT_REASON, "code": code}),
            );
        }
        if self.one_in(4) {
            rule["securityLabel"] = self.some(&["N", "R", "SUD", "ETH", "HIV", "PSYTHPN", "NEW"], |code| {
                let system = if code.len() == 1 { CONFIDENTIALITY } else { ACT_CODE };
                json!({"system": system, "code": code})
            });
        }
        if self.one_in(5) {
            rule["class"] = self.some(
                &["Observation", "Goal", "Resource"],
                |code| json!({"system": "http://hl7.org/fhir/resource-types", "code": code}),
            );
        }
        if self.one_in(6) {
            rule["code"] = self.some(&["a", "b", ""], |code| json!({"coding": [{"system": "urn:s", "code": code}]}));
        }
        if self.one_in(6) {
            rule["dataPeriod"] = self.period();
        }
        if self.one_in(6) {
            let meaning = self.pick(&["instance", "related", "dependents", "authoredby", "aura"]);
            let key = if meaning == "authoredby" { "Organization/clinic" } else { "Observation/o1" };
            rule["data"] = json!([{"meaning": meaning, "reference": {"reference": key}}]);
        }
        if self.one_in(5) {
            rule["action"] =
                self.some(&["access", "disclose", "new"], |code| json!({"coding": [{"system": ACTION, "code": code}]}));
        }
        if self.one_in(4) {
            let role = self.pick(&["IRCP", "PRCP", "CST", "NEW"]);
            rule["actor"] = self.some(&["Organization/clinic", "Organization/harbor", "Group/team"], |key| {
                json!({"role": {"coding": [{"system": PARTICIPATION, "code": role}]}, "reference": {"reference": key}})
            });
        }
        if self.one_in(8) {
            rule["period"] = self.period();
        }
        if self.one_in(25) {
            rule["modifierExtension"] = json!([{"url": "urn:unknown", "valueBoolean": true}]);
        }
        if depth > 0 {
            let children = self.below(3);
            rule["provision"] = (0..children).map(|_| self.provision(depth - 1)).collect();
        }
        rule
    }

    fn consent(&mut self, id: usize) -> Resource {
        let mut more =
            json!({"provision": self.provision(3), "status": self.pick(&["active", "active", "active", "inactive"])});
        if self.one_in(3) {
            let policy = self.pick(&["sharing", "42cfr-part2", "vawa"]);
            more["policy"] = json!([{"uri": format!("https://handoff.example/fhir/policy/{policy}")}]);
            more["organization"] = json!([{"reference": "Organization/clinic"}]);
            more["sourceAttachment"] = json!({"title": "signed"});
        }
        if self.one_in(12) {
            more["policyRule"] = json!({"coding": [{"system": ACT_CODE, "code": "OPTOUT"}]});
        }
        let recorded = format!("{}T12:00:00Z", self.day());
        consent(&format!("c{id}"), &recorded, more)
    }

    fn resource(&mut self, id: usize) -> Resource {
        let kind = self.pick(&["Observation", "Observation", "Goal"]);
        let mut made = json!({
            "resourceType": kind, "id": format!("o{id}"), "subject": {"reference": "Patient/ana"}, "meta": {},
        });
        if !self.one_in(8) {
            made["meta"]["source"] =
                json!(self.pick(&["Organization/clinic", "Organization/harbor", "Organization/haven"]));
        }
        let labels = [("N", CONFIDENTIALITY), ("R", CONFIDENTIALITY), ("V", CONFIDENTIALITY)];
        let more = ["SUD", "ETHUD", "HIV", "42CFRPart2", "PSYTHPN"];
        let mut security = vec![];
        if !self.one_in(6) {
            let (code, system) = labels[self.below(3)];
            security.push(json!({"system": system, "code": code}));
        }
        if self.one_in(2) {
            security.push(json!({"system": ACT_CODE, "code": self.pick(&more)}));
        }
        if self.one_in(8) {
            security.push(json!({"system": ACT_REASON, "code": self.pick(&["TREAT", "HRESCH"])}));
        }
        made["meta"]["security"] = json!(security);
        if self.one_in(2) {
            made["effectiveDateTime"] = json!(self.day());
        }
        if self.one_in(2) {
            made["code"] = json!({"coding": [{"system": "urn:s", "code": self.pick(&["a", "b"])}]});
        }
        if self.one_in(3) {
            made["derivedFrom"] = json!([{"reference": "Observation/o1"}]);
        }
        if self.one_in(2) {
            made["performer"] = json!([{"reference": self.pick(&["Practitioner/ito", "Organization/harbor"])}]);
        }
        resource(made)
    }

    fn question(&mut self, world: &World) -> Question {
        let purposes: Vec<&str> =
            (0..1 + self.below(2)).map(|_| self.pick(&["TREAT", "BTG", "HRESCH", "HLEGAL"])).collect();
        let organization = self.pick(&["Organization/clinic", "Organization/harbor"]);
        let action = [Action::Access, Action::Disclose][self.below(2)];
        let mut asked = question(world, organization, &purposes);
        asked.recipient = Recipient::of(world, organization, Some("Practitioner/ito"), &[]);
        asked.action = action;
        asked.at = Instant::parse(&format!("{}T15:00:00Z", self.day())).unwrap();
        asked
    }

    fn policy(&mut self) -> Policy {
        let name = self.pick(&["deny", "permit", "permit-treatment", "permit-normal", "emergency-only"]);
        Policy {
            overlays: ["state-hiv".to_string()].into(),
            ..Policy::with_default(DefaultPolicy::named(name).unwrap())
        }
    }
}

fn wide_world() -> World {
    let mut world = World::over(std::sync::Arc::new(world()));
    let with = |system: &str, code: &str| json!([{"coding": [{"system": system, "code": code}]}]);
    for made in [
        json!({"resourceType": "Organization", "id": "haven", "type": with(REGIME, "vawa")}),
        json!({"resourceType": "Organization", "id": "clinic", "type": [
            {"coding": [{"system": PARTNER_KIND, "code": "clinic"}, {"system": REGIME, "code": "part2"}]}]}),
        json!({"resourceType": "Practitioner", "id": "ito"}),
        json!({"resourceType": "PractitionerRole", "id": "ito", "practitioner": {"reference": "Practitioner/ito"},
               "organization": {"reference": "Organization/clinic"}, "period": {"end": "2026-09-30"}}),
        json!({"resourceType": "Group", "id": "team", "member": [
            {"entity": {"reference": "Practitioner/ito"}, "period": {"start": "2026-04-01"}}]}),
        json!({"resourceType": "Observation", "id": "o1", "hasMember": [{"reference": "Observation/o2"}]}),
    ] {
        world.add(resource(made));
    }
    world
}

struct Story {
    world: World,
    directives: Vec<Directive>,
    policy: Policy,
    question: Question,
    facts: Vec<Facts>,
}

fn stories() -> impl Iterator<Item = (Chance, Story)> {
    (0..1_000).map(|seed| {
        let mut chance = Chance(seed * 7_919 + 1);
        let world = wide_world();
        let count = 1 + chance.below(3);
        let directives = (0..count).map(|id| Directive::read(&chance.consent(id))).collect();
        let facts = (1..5).map(|id| Facts::of(&chance.resource(id), &world)).collect();
        let (policy, question) = (chance.policy(), chance.question(&world));
        (chance, Story { world, directives, policy, question, facts })
    })
}

impl Story {
    fn residual(&self, directives: Vec<Directive>, at: Instant) -> Residual {
        let person = Directives::of("Patient/ana", directives, &self.world, &self.policy);
        specialise(&person, &self.world, &Question { at, ..self.question.clone() })
    }

    fn shown(&self, directives: Vec<Directive>) -> Vec<bool> {
        let residual = self.residual(directives, self.question.at);
        self.facts.iter().map(|facts| residual.decide(facts).permits()).collect()
    }
}

#[test]
fn what_the_store_is_told_is_what_is_decided() {
    let mut shown = 0;
    for (_, story) in stories() {
        let residual = story.residual(story.directives.clone(), story.question.at);
        let condition = residual.condition();
        for facts in &story.facts {
            let decision = residual.decide(facts);
            assert_eq!(condition.holds(facts), decision.permits(), "{condition:?}\n{facts:?}\n{decision:?}");
            assert!(!decision.reasons().is_empty());
            shown += usize::from(decision.permits());
        }
    }
    assert!((300..3_700).contains(&shown), "the stories say little: {shown} shown");
}

#[test]
fn adding_a_deny_never_shows_more() {
    for (mut chance, story) in stories() {
        let mut provision = chance.provision(0);
        provision["type"] = json!("deny");
        let added = Directive::read(&consent("added", "2026-06-01T12:00:00Z", json!({"provision": provision})));
        let before = story.shown(story.directives.clone());
        let after = story.shown(story.directives.iter().cloned().chain([added]).collect());
        assert!(before.iter().zip(&after).all(|(before, after)| *before || !after));
    }
}

#[test]
fn restricting_what_a_directive_opens_never_shows_more_where_silence_is_closed() {
    for (_, mut story) in stories() {
        story.policy = Policy::deny();
        let whole = story.shown(story.directives.clone());
        let narrowed = story.directives.iter().cloned().map(|own| own.opens_only("Organization/clinic")).collect();
        let narrowed = story.shown(narrowed);
        let denying = story.shown(story.directives.iter().cloned().map(Directive::denies_only).collect());
        assert!(whole.iter().zip(&narrowed).all(|(whole, narrowed)| *whole || !narrowed));
        assert!(denying.iter().all(|shown| !shown));
    }
}

#[test]
fn until_it_changes_time_alone_changes_nothing() {
    for (mut chance, story) in stories() {
        let at = story.question.at;
        let residual = story.residual(story.directives.clone(), at);
        let until = residual.changes_at().unwrap_or(Instant::parse("2030-01-01T00:00:00Z").unwrap());
        assert!(until > at);
        let between = at.0 + (until.0 - at.0 - 1) / 8 * chance.below(9) as i64;
        for later in [Instant(between), Instant(until.0 - 1)] {
            let then = story.residual(story.directives.clone(), later);
            assert_eq!(residual.condition(), then.condition());
        }
    }
}

#[test]
fn clauses_say_what_the_tree_of_rules_says() {
    let mut compared = 0;
    for (_, mut story) in stories() {
        story.policy = Policy::deny();
        story.directives.truncate(1);
        story.question.purposes.truncate(1);
        let directive = &story.directives[0];
        let residual = story.residual(story.directives.clone(), story.question.at);
        let clock = Clock::new(story.question.at, &story.question.zone);
        let person = Directives::of("Patient/ana", story.directives.clone(), &story.world, &story.policy);
        let effect = match directive.answer {
            Answer::Permit => RuleEffect::Permit,
            Answer::Deny => RuleEffect::Deny,
            _ => continue,
        };
        if person.heard(&story.world, &clock).is_empty() {
            continue;
        }
        let lens = Lens {
            world: &story.world,
            clock: &clock,
            closure: &story.question.recipient.closure(&story.world, &clock),
            action: story.question.action.code(),
            purposes: &covering(&story.question.purposes[0]),
            directive,
            zone: directive.zone(&story.question.zone),
        };
        for facts in &story.facts {
            let decision = residual.decide(facts);
            let by_law = decision.reasons().iter().any(|reason| reason.rule() == "R15");
            let said = match (decision.effect(), decision.is_decided()) {
                (Effect::Permit, _) => Some(RuleEffect::Permit),
                (Effect::Deny, true) if by_law => Some(RuleEffect::Permit),
                (Effect::Deny, true) => Some(RuleEffect::Deny),
                _ => None,
            };
            assert_eq!(said, root_value(&lens, effect, facts), "{directive:?}\n{facts:?}\n{decision:?}");
            compared += 1;
        }
    }
    assert!(compared > 1_000);
}

/// R4 as it is written: a value is that of the children that apply, deny before permit, else the rule's own.
fn root_value(lens: &Lens, effect: RuleEffect, facts: &Facts) -> Option<RuleEffect> {
    let root = &lens.directive.root;
    let matched = lens.matches(root, effect, Inherited::default());
    let (surely, maybe) = (matched.surely.holds(facts), matched.maybe().holds(facts));
    let vague = effect == RuleEffect::Deny && maybe && !surely;
    let own = match effect {
        RuleEffect::Permit => surely,
        RuleEffect::Deny => maybe,
    };
    of_children(lens, root, Inherited::default().below(root), vague, facts).or(own.then_some(effect))
}

fn of_children(lens: &Lens, rule: &Rule, above: Inherited, vague: bool, facts: &Facts) -> Option<RuleEffect> {
    let values: Vec<RuleEffect> =
        rule.children.iter().filter_map(|child| value(lens, child, above, vague, facts)).collect();
    [RuleEffect::Deny, RuleEffect::Permit].into_iter().find(|effect| values.contains(effect))
}

fn value(lens: &Lens, rule: &Rule, above: Inherited, vague: bool, facts: &Facts) -> Option<RuleEffect> {
    let matched = lens.matches(rule, rule.effect, above);
    let (surely, maybe) = (matched.surely.holds(facts), matched.maybe().holds(facts));
    let (applies, vague) = match rule.effect {
        RuleEffect::Permit => (surely && !vague, vague),
        RuleEffect::Deny => (maybe, vague || !surely),
    };
    applies.then(|| of_children(lens, rule, above.below(rule), vague, facts).unwrap_or(rule.effect))
}
