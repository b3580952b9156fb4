//! A dozen Consents as they are read aloud in both languages, and how easy they are to read.

use std::fmt::Write;

use serde_json::{Value, json};

use super::*;
use crate::fhir::Instant;

const ACT_CODE: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";
const REASON: &str = "http://terminology.hl7.org/CodeSystem/v3-ActReason";
const LEVEL: &str = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality";

fn who(role: &str, key: &str) -> Value {
    let system = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType";
    json!({"role": {"coding": [{"system": system, "code": role}]}, "reference": {"reference": key}})
}

fn coding(system: &str, code: &str) -> Value {
    json!({"system": system, "code": code})
}

fn class(code: &str) -> Value {
    coding("http://hl7.org/fhir/resource-types", code)
}

fn action(code: &str) -> Value {
    json!({"coding": [coding("http://terminology.hl7.org/CodeSystem/consentaction", code)]})
}

fn consent(provision: Value) -> Value {
    json!({"resourceType": "Consent", "id": "c1", "status": "active",
        "scope": {"coding": [coding("http://terminology.hl7.org/CodeSystem/consentscope", "patient-privacy")]},
        "patient": {"reference": "Patient/ana"}, "dateTime": "2026-01-15T10:00:00-05:00",
        "performer": [{"reference": "Patient/ana"}], "organization": [{"reference": "Organization/clinic"}],
        "provision": provision})
}

fn with(mut consent: Value, name: &str, value: Value) -> Value {
    consent[name] = value;
    consent
}

/// Name, Consent and how it stands.
fn dozen() -> Vec<(&'static str, Value, Footing)> {
    let housing = || who("IRCP", "Organization/housing");
    let in_force = Footing::InForce;
    let year = json!({"start": "2026-01-15", "end": "2027-01-15"});
    vec![
        (
            "all to one agency",
            consent(json!({"type": "permit", "period": year, "actor": [housing()],
            "purpose": [coding(REASON, "COC")]})),
            in_force,
        ),
        (
            "some kinds to two agencies",
            consent(json!({"type": "permit",
            "actor": [housing(), who("IRCP", "Organization/food")], "class": [class("CarePlan"), class("Goal")],
            "purpose": [coding(REASON, "TREAT"), coding(REASON, "COC")], "action": [action("access")]})),
            in_force,
        ),
        (
            "all but HIV",
            consent(json!({"type": "permit", "actor": [housing()], "purpose": [coding(REASON, "TREAT")],
            "provision": [{"type": "deny", "securityLabel": [coding(ACT_CODE, "HIV")]}]})),
            in_force,
        ),
        (
            "an exception to an exception",
            consent(json!({"type": "permit", "actor": [housing()],
            "provision": [{"type": "deny", "securityLabel": [coding(ACT_CODE, "MH")],
                "provision": [{"type": "permit", "class": [class("MedicationStatement")],
                    "actor": [who("IRCP", "Practitioner/lee")]}]}]})),
            in_force,
        ),
        ("nobody", consent(json!({"type": "deny"})), in_force),
        (
            "only in an emergency",
            with(
                with(consent(json!({})), "policyRule", json!({"coding": [coding(ACT_CODE, "EMRGONLY")]})),
                "performer",
                json!([{"display": "Maria Alder"}]),
            ),
            in_force,
        ),
        (
            "a deny for payment from some day on",
            consent(json!({"type": "permit", "actor": [housing()],
            "provision": [{"type": "deny", "purpose": [coding(REASON, "HPAYMT")], "period": {"start": "2026-06-01"},
                "dataPeriod": {"start": "2025-01", "end": "2025-12-31"}}]})),
            Footing::NotYet,
        ),
        (
            "a shelter's release",
            with(
                consent(json!({"type": "permit", "period": {"end": "2026-03-01T12:00:00Z"},
            "actor": [housing(), who("CST", "Organization/shelter")], "class": [class("ServiceRequest")],
            "securityLabel": [coding(LEVEL, "R")]})),
                "policy",
                json!([{"uri": "https://handoff.example/fhir/policy/vawa"}]),
            ),
            in_force,
        ),
        (
            "drug treatment",
            with(
                consent(json!({"type": "permit", "period": year, "actor": [housing()],
            "purpose": [coding(REASON, "TREAT")], "securityLabel": [coding(ACT_CODE, "SUD")]})),
                "policy",
                json!([{"uri": "https://handoff.example/fhir/policy/42cfr-part2"}]),
            ),
            in_force,
        ),
        (
            "what is not understood",
            consent(json!({"type": "permit", "actor": [housing()],
            "class": [coding("urn:other", "Thing")],
            "provision": [{"type": "deny", "securityLabel": [{"system": ACT_CODE, "code": "ODD", "display": "odd things"}]}]})),
            in_force,
        ),
        ("no clear answer", with(consent(json!({"actor": [housing()]})), "status", json!("draft")), Footing::Draft),
        (
            "named records and authors",
            consent(json!({"type": "deny",
            "data": [{"meaning": "authoredby", "reference": {"reference": "Organization/clinic"}}],
            "provision": [{"type": "permit", "actor": [housing()],
                "data": [{"meaning": "instance", "reference": {"reference": "CarePlan/7", "display": "My housing plan"}}],
                "code": [{"coding": [{"system": "http://loinc.org", "code": "1-1", "display": "Blood sugar"}]}]}]})),
            Footing::TakenBack,
        ),
    ]
}

fn names() -> Names {
    let named = [
        ("Patient/ana", "Ana Alder"),
        ("Organization/clinic", "River Clinic"),
        ("Organization/housing", "Harbor Housing"),
        ("Organization/food", "Corner Food Bank"),
        ("Organization/shelter", "Safe Haven"),
        ("Practitioner/lee", "Dr. Lee"),
    ];
    named.into_iter().map(|(key, name)| (key.to_string(), name.to_string())).collect()
}

fn read(consent: Value, standing: Footing, language: Language) -> Reading {
    reading(&Resource::from_value(consent).unwrap(), standing, &names(), language, &Zone::utc())
}

/// The wording is looked at by people: a change of it is a change of `wording.LANGUAGE.txt`, which
/// `HANDOFF_WRITE_WORDING=1` writes anew.
#[test]
fn the_wording_of_a_dozen_consents_is_as_it_was_looked_at() {
    for language in Language::ALL {
        let mut said = String::new();
        for (name, consent, standing) in dozen() {
            let _ = write!(said, "=== {name} ===\n{}\n", read(consent, standing, language).text());
        }
        let path = format!("{}/src/consent/reading/tests/wording.{}.txt", env!("CARGO_MANIFEST_DIR"), language.code());
        if std::env::var_os("HANDOFF_WRITE_WORDING").is_some() {
            std::fs::write(&path, &said).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        for (at, (now, then)) in said.lines().zip(kept.lines()).enumerate() {
            assert_eq!(now, then, "line {} of {path}", at + 1);
        }
        assert_eq!(said.lines().count(), kept.lines().count(), "{path}");
    }
}

#[test]
fn both_languages_have_the_same_words() {
    assert_eq!(Language::English.locale().keys(), Language::Spanish.locale().keys());
    assert!(Language::English.locale().keys().len() > 200);
    for language in Language::ALL {
        assert_eq!(Language::named(language.code()), Some(language));
        for standing in [Footing::InForce, Footing::Awaiting, Footing::Unproved, Footing::Other, Footing::DeniesOnly] {
            assert!(language.locale().standing(standing.code()).contains(' '), "{standing:?}");
        }
    }
    assert_eq!(Language::named("es-MX"), Some(Language::Spanish));
    assert_eq!(Language::named("fr"), None);
}

/// Every purpose and label that is enforced has plain words.
#[test]
fn every_purpose_has_words() {
    for code in
        ["TREAT", "COC", "ETREAT", "BTG", "HPAYMT", "HOPERAT", "HLEGAL", "HRESCH", "PATRQT", "PUBHLTH", "HMARKT"]
    {
        assert!(crate::consent::is_purpose(code));
        for language in Language::ALL {
            assert!(language.locale().purpose(code).is_some(), "{code}");
        }
    }
}

#[test]
fn what_nested_rules_take_over_is_said_where_it_holds() {
    let housing = who("IRCP", "Organization/housing");
    let text = |provision: Value| read(consent(provision), Footing::InForce, Language::English).text();
    // A nested deny that states no purpose holds for every purpose; a nested permit takes those above it (R4).
    let both = |effect: &str| {
        text(json!({"type": "permit", "actor": [housing], "purpose": [coding(REASON, "TREAT")],
            "provision": [{"type": effect, "class": [class("Goal")]}]}))
    };
    assert!(
        both("deny").contains("Who may not see it: the same as above.\n    What: goals.\n    Why: for any reason.")
    );
    assert!(
        both("permit").contains("Who may see it: the same as above.\n    What: goals.\n    Why: the same as above.")
    );
}

#[test]
fn hostile_text_stays_text() {
    let evil = with(consent(json!({"type": "permit"})), "organization", json!([{"display": "<script>{name}&\""}]));
    let html = read(evil, Footing::InForce, Language::English).html();
    assert!(html.contains("&lt;script&gt;{name}&amp;&quot;") && !html.contains("<script"), "{html}");
}

#[test]
fn moments_are_told_in_the_zone_in_which_they_are_read() {
    let until = |end: &str| consent(json!({"type": "permit", "period": {"end": end}}));
    let text = |end: &str| read(until(end), Footing::InForce, Language::English).text();
    assert!(text("2026-03-01T02:30:00Z").contains("It ends on February 28, 2026 at 21:30."));
    assert!(text("2026-03").contains("Its last day is March 2026."));
}

/// Words and sentences of a reading, names and codes of others included.
fn prose(language: Language) -> Vec<String> {
    let all = dozen().into_iter().map(|(_, consent, standing)| read(consent, standing, language));
    all.flat_map(|reading| reading.sentences().into_iter().map(str::to_string).collect::<Vec<_>>())
        .flat_map(|line| line.split_inclusive(['.', ':', ';']).map(str::to_string).collect::<Vec<_>>())
        .filter(|sentence| sentence.chars().any(char::is_alphabetic))
        .collect()
}

fn words(sentence: &str) -> Vec<String> {
    let words = sentence.split(|letter: char| !letter.is_alphanumeric() && letter != '\'');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// Groups of vowels, the silent e at an end aside.
fn syllables_english(word: &str) -> usize {
    let word = word.trim_end_matches("es").trim_end_matches("ed");
    let word = if word.ends_with("le") { word } else { word.trim_end_matches('e') };
    groups(word, |letter| "aeiouy".contains(letter)).max(1)
}

/// Vowels, of which a weak one beside another makes no syllable of its own unless it has an accent.
fn syllables_spanish(word: &str) -> usize {
    let letters: Vec<char> = word.chars().collect();
    let (strong, weak) = ("aeoáéóíú", "iuüy");
    let mut count = 0;
    for (place, letter) in letters.iter().enumerate() {
        let is_vowel = |at: usize| letters.get(at).is_some_and(|near| strong.contains(*near) || weak.contains(*near));
        let silent = *letter == 'u' && place > 0 && "qg".contains(letters[place - 1]) && is_vowel(place + 1);
        if strong.contains(*letter) {
            count += 1;
        } else if weak.contains(*letter) && !silent {
            let beside = (place > 0 && is_vowel(place - 1)) || is_vowel(place + 1);
            count += usize::from(!beside);
        }
    }
    count.max(1)
}

fn groups(word: &str, vowel: impl Fn(char) -> bool) -> usize {
    let mut before = false;
    let mut count = 0;
    for letter in word.chars() {
        let now = vowel(letter);
        count += usize::from(now && !before);
        before = now;
    }
    count
}

/// Words a sentence, and syllables a word.
fn measured(language: Language, syllables: fn(&str) -> usize) -> (f64, f64) {
    // Headings and short items would flatter it.
    let prose: Vec<String> = prose(language).into_iter().filter(|sentence| words(sentence).len() > 5).collect();
    let words: Vec<String> = prose.iter().flat_map(|sentence| words(sentence)).collect();
    let count: usize = words.iter().map(|word| syllables(word)).sum();
    (words.len() as f64 / prose.len() as f64, count as f64 / words.len() as f64)
}

/// Flesch-Kincaid: the grade in an American school; twelve years are the sixth.
#[test]
fn the_english_is_for_readers_of_twelve() {
    let (length, syllables) = measured(Language::English, syllables_english);
    let grade = 0.39 * length + 11.8 * syllables - 15.59;
    assert!(grade <= 4.0, "grade {grade:.1} ({length:.1} words a sentence, {syllables:.2} syllables a word)");
}

/// Fernandez-Huerta (70 and more: fairly easy) and INFLESZ, which is Szigriszt's (65 and more: fairly easy).
#[test]
fn the_spanish_is_for_readers_of_twelve() {
    let (length, syllables) = measured(Language::Spanish, syllables_spanish);
    let huerta = 206.84 - 60.0 * syllables - 1.02 * length;
    let inflesz = 206.835 - 62.3 * syllables - length;
    assert!(
        huerta >= 85.0 && inflesz >= 80.0,
        "{huerta:.1}, {inflesz:.1} ({length:.1} words, {syllables:.2} syllables)"
    );
}

#[test]
fn no_sentence_is_long() {
    for language in Language::ALL {
        for sentence in prose(language) {
            assert!(words(&sentence).len() <= 22, "{sentence}");
        }
    }
}

#[test]
fn a_standing_is_what_the_consent_says_of_itself() {
    let at = |text: &str| Instant::parse(text).unwrap();
    let year = json!({"type": "permit", "period": {"start": "2026-01-15", "end": "2027-01-15"}});
    for (status, moment, expected) in [
        ("active", "2026-03-01T00:00:00Z", Footing::InForce),
        ("active", "2026-01-15T04:59:59Z", Footing::NotYet),
        ("active", "2027-01-16T05:00:00Z", Footing::Ended),
        ("inactive", "2026-03-01T00:00:00Z", Footing::TakenBack),
        ("draft", "2026-03-01T00:00:00Z", Footing::Draft),
        ("proposed", "2026-03-01T00:00:00Z", Footing::Draft),
        ("rejected", "2026-03-01T00:00:00Z", Footing::Rejected),
        ("entered-in-error", "2026-03-01T00:00:00Z", Footing::Mistake),
    ] {
        let consent = Resource::from_value(with(consent(year.clone()), "status", json!(status))).unwrap();
        assert_eq!(Footing::alone(&consent, at(moment), &Zone::utc()), expected, "{status} {moment}");
    }
}
