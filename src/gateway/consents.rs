//! Consents as people look at them: which there are of a person, how each stands, and one in plain words.
//!
//! For its filer, its custodian, compliance of whose Patient it is about, and the operator (rules.md 17). Who may not
//! open a Consent gets the words for one that does not exist. What leaves is a reading, never the resource.

use crate::audit::{Disclosure, Record, Refusal};
use crate::auth::Caller;
use crate::consent::{Directive, Footing, Language, Names, Reading, name_of, reading};
use crate::fhir::interaction::Interaction;
use crate::fhir::reference::is_id;
use crate::fhir::{Instant, Reference, Resource};
use crate::partner::Partner;
use crate::store::{Fault, Stored};

use super::grounds::{Ground, Grounds, grounds_of};
use super::record::{self, Request};
use super::what_if::Asker;
use super::{Context, Error, No, reach};

/// Names that one reading looks up.
const NAMES_MAX: usize = 100;
const VERSIONS_MAX: i64 = 50;

/// A Consent in one line.
#[derive(Clone, Debug)]
pub struct ConsentLine {
    pub id: String,
    pub standing: Footing,
    /// The partners that filed and keep it, by id.
    pub filed_by: String,
    pub kept_by: Option<String>,
    pub updated_at: Instant,
    pub version: i64,
    /// JSON pointers of what is not enforced.
    pub unenforced: Vec<String>,
}

/// A Consent that was opened.
#[derive(Debug)]
pub struct OpenedConsent {
    pub line: ConsentLine,
    /// The id of the Patient.
    pub patient: String,
    pub reading: Reading,
    /// Number, moment and status of each version, newest first.
    pub versions: Vec<(i64, Instant, String)>,
}

/// The Consents of a person that the caller may open, newest first.
///
/// # Errors
/// Unknown, for a person whom the caller may not know of.
pub async fn consents_of(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    patient: &str,
) -> Result<Vec<ConsentLine>, Error> {
    let asker = Asker::new(ctx, caller).await?;
    let mut record = record::start(ctx, caller, request, "search-type", "Consent".to_string());
    let rows = if is_id(patient) { ctx.store.grounds(patient).await? } else { Vec::new() };
    let person = rows.iter().find(|row| row.kind == "Patient" && row.id == patient);
    let origin = person.map(|person| person.origin.clone());
    let opened: Vec<Stored> =
        rows.iter().filter(|row| row.kind == "Consent" && asker.opens(row, origin.as_deref())).cloned().collect();
    if opened.is_empty() && !person.is_some_and(|person| asker.knows(person)) {
        return Err(refuse(ctx, &mut record, "Patient", patient).await?);
    }
    record.patient = Some(patient.to_string());
    record.released.extend(opened.iter().map(|row| disclosure(row, caller)));
    record::keep(ctx, &record).await?;
    let grounds = Grounds::of_rows(ctx, &[patient.to_string()], &rows).await?;
    let mut lines: Vec<ConsentLine> = opened.iter().filter_map(|row| line(ctx, &grounds, row)).collect();
    lines.sort_by(|one, other| (other.updated_at, &other.id).cmp(&(one.updated_at, &one.id)));
    Ok(lines)
}

/// One Consent in plain words.
///
/// # Errors
/// Unknown, for one that is not there or that the caller may not open.
pub async fn open_consent(
    ctx: &Context,
    caller: &Caller,
    request: &Request,
    id: &str,
    language: Language,
) -> Result<OpenedConsent, Error> {
    let partners = ctx.partners().await?;
    let asker = Asker::new(ctx, caller).await?;
    let mut record = record::start(ctx, caller, request, "reading", format!("Consent/{id}"));
    let stored = if is_id(id) { ctx.store.for_decision("Consent", id).await? } else { None };
    let stored = stored.filter(|stored| !stored.deleted);
    let patient = stored.as_ref().and_then(|stored| stored.patient.clone()).unwrap_or_default();
    let person = if stored.is_some() { ctx.store.for_decision("Patient", &patient).await? } else { None };
    let origin = person.as_ref().map(|person| person.origin.as_str());
    let opened = stored.filter(|stored| asker.opens(stored, origin));
    let Some((stored, consent)) = opened.and_then(|stored| stored.resource().map(|consent| (stored, consent))) else {
        return Err(refuse(ctx, &mut record, "Consent", id).await?);
    };
    record.released.push(disclosure(&stored, caller));
    record::keep(ctx, &record).await?;

    let grounds = grounds_of(ctx, std::slice::from_ref(&patient)).await?;
    let Some(line) = line(ctx, &grounds, &stored) else { return Err(Error::unknown("Consent", id)) };
    let names = names(ctx, caller, &partners, &consent).await?;
    let reading = reading(&consent, line.standing, &names, language, &ctx.zone);
    let mut versions = vec![version(&stored, &consent)];
    for number in (1..stored.version).rev().take(VERSIONS_MAX as usize) {
        let Some(older) = ctx.store.vread(&stored, number).await? else { continue };
        versions.extend(older.resource().map(|resource| version(&older, &resource)));
    }
    Ok(OpenedConsent { line, patient, reading, versions })
}

/// The same words for what is hidden and for what is not there; the attempt is in the log.
async fn refuse(ctx: &Context, record: &mut Record, kind: &str, id: &str) -> Result<Error, Fault> {
    let why = "unknown".to_string();
    record.target = format!("{kind}/{id}");
    record.refused.push(Refusal { key: record.target.clone(), patient: None, party: None, why, decision: None });
    record::keep(ctx, record).await?;
    Ok(Error::unknown(kind, id))
}

fn disclosure(row: &Stored, caller: &Caller) -> Disclosure {
    Disclosure {
        key: format!("Consent/{}", row.id),
        version: row.version,
        party: row.origin.clone(),
        why: if row.belongs_to(caller.partner()) { "own" } else { "compliance" },
        patient: row.patient.clone(),
        decision: None,
    }
}

fn line(ctx: &Context, grounds: &Grounds, row: &Stored) -> Option<ConsentLine> {
    let consent = row.as_resource()?;
    let ground = row.patient.as_deref().and_then(|patient| grounds.of(patient));
    let among = |ground: &Ground| Footing::among(ground.directives(), ground.world(), consent, ctx.now(), &ctx.zone);
    let among = ground.and_then(among);
    Some(ConsentLine {
        id: row.id.clone(),
        standing: among.unwrap_or_else(|| Footing::alone(consent, ctx.now(), &ctx.zone)),
        filed_by: row.origin.clone(),
        kept_by: row.holder.clone(),
        updated_at: row.updated_at,
        version: row.version,
        unenforced: Directive::read(consent).unenforced().to_vec(),
    })
}

fn version(row: &Stored, consent: &Resource) -> (i64, Instant, String) {
    (row.version, row.updated_at, consent.root().text("status").unwrap_or("").to_string())
}

/// What the caller may know of what a Consent names: agencies and staff of the directory, and its own people.
async fn names(ctx: &Context, caller: &Caller, partners: &[Partner], consent: &Resource) -> Result<Names, Fault> {
    let mut names: Names = partners.iter().map(|one| (format!("Organization/{}", one.id), one.name.clone())).collect();
    let mut wanted = Vec::new();
    consent.root().walk(&mut |element| {
        let named = element.text("reference").map(|text| Reference::parse(text).key());
        wanted.extend(named.filter(|key| !wanted.contains(key)).filter(|_| wanted.len() < NAMES_MAX));
    });
    let own = reach::own(ctx, caller.partner()).await?;
    for key in wanted {
        let Some((kind, id)) = key.split_once('/') else { continue };
        let is_open = match kind {
            "Organization" | "Practitioner" => true,
            // Compliance sees decisions and Consents, and nobody's record (rules.md 18).
            "Patient" | "RelatedPerson" => caller.may(Interaction::Read, kind),
            _ => false,
        };
        if !is_open || names.contains_key(&key) {
            continue;
        }
        let found = ctx.store.read(kind, id, &own).await?.and_then(|stored| stored.resource());
        if let Some(name) = found.as_ref().and_then(name_of) {
            names.insert(key, name);
        }
    }
    Ok(names)
}

/// The first language of a header or a parameter that there are words for.
///
/// # Errors
/// A parameter that names none.
pub fn language_of(named: Option<&str>, preferred: Option<&str>) -> Result<Language, Error> {
    if let Some(tag) = named {
        return Language::named(tag).ok_or_else(|| {
            let known: Vec<&str> = Language::ALL.into_iter().map(Language::code).collect();
            let text = format!("`language`: expected one of {}", known.join(", "));
            Error::one(No::Unreadable, crate::fhir::Issue::error("value", "parameter-value", text))
        });
    }
    let tags = preferred.unwrap_or("").split(',').map(|tag| tag.split(';').next().unwrap_or("").trim());
    Ok(tags.filter_map(Language::named).next().unwrap_or(Language::English))
}
