//! To whom a person's data went, so many years back, as the law has it told on request (consent.md section 5). Read from
//! the log, every record that says anything of the person.

use serde_json::Value;

use crate::fhir::reference::is_id;
use crate::fhir::{Element, Instant};
use crate::store::LogFilter;

use super::Context;

/// Something that went to somebody.
#[derive(Clone, Debug, PartialEq)]
pub struct Accounted {
    pub at: Instant,
    pub recipient: String,
    pub origin: String,
    pub purposes: Vec<String>,
    pub key: String,
    pub version: i64,
    /// `consent`, or `delivered`.
    pub why: String,
}

/// Records of one look.
const FETCHED: usize = 500;
const YEAR_SECS: i64 = 31_557_600;

/// The disclosures of a person that are told under a regime, oldest first.
///
/// # Errors
/// A regime without an accounting, an id that is none, or what the database said.
pub async fn accounting(ctx: &Context, patient: &str, regime: &str) -> Result<Vec<Accounted>, String> {
    if !is_id(patient) {
        return Err("--patient: expected the id of a Patient".to_string());
    }
    let partners = ctx.partners().await?;
    let regimes = ctx.regimes();
    let told = regimes.accounting(regime);
    let told =
        told.ok_or_else(|| format!("--regime: `{regime}` has no accounting; `handoff regimes list` says which have"))?;
    let from = ctx.now().plus_secs(-told.years * YEAR_SECS);
    let is_of_regime = |origin: &str| match &told.origin_regime {
        None => true,
        Some(regime) => partners.iter().any(|partner| partner.id == origin && partner.regimes.contains(regime)),
    };
    let (mut found, mut until, mut known) = (Vec::new(), None, std::collections::BTreeSet::new());
    loop {
        let mentions = Some(patient.to_string());
        let filter = LogFilter { mentions, from: Some(from), until, limit: FETCHED, ..LogFilter::default() };
        let rows = ctx.store.log(&filter).await?;
        for row in rows.iter().filter(|row| known.insert(row.id.clone())) {
            let Ok(record) = serde_json::from_str::<Value>(&row.body) else { continue };
            let went = disclosed(Element::new(&record), row.at, patient);
            found.extend(went.into_iter().filter_map(|(one, duties)| {
                let owed = told.obligation.as_ref().is_none_or(|code| duties.contains(code));
                (owed && is_of_regime(&one.origin) && one.origin != one.recipient).then_some(one)
            }));
        }
        match rows.last() {
            // More of the same moment may be behind the last: it is looked at once more.
            Some(last) if rows.len() == FETCHED => {
                until = Some(last.at.plus_millis(1)).filter(|next| Some(*next) != until).or(Some(last.at))
            }
            _ => break,
        }
    }
    found.reverse();
    Ok(found)
}

/// What a record says went out of this person's, with the obligations that went with it.
fn disclosed(record: Element, at: Instant, patient: &str) -> Vec<(Accounted, Vec<String>)> {
    let text = |element: Element, name: &str| element.text(name).unwrap_or("").to_string();
    let texts = |element: Element, name: &str| {
        element.each(name).filter_map(Element::as_str).map(str::to_string).collect::<Vec<String>>()
    };
    let went = record.each("released").filter(|shown| {
        shown.text("patient") == Some(patient) && matches!(shown.text("why"), Some("consent" | "delivered"))
    });
    went.map(|shown| {
        let decision = shown.get("decision");
        let one = Accounted {
            at,
            recipient: text(record, "partner"),
            origin: text(shown, "party"),
            purposes: texts(decision, "purposes"),
            key: text(shown, "key"),
            version: shown.get("version").value().and_then(Value::as_i64).unwrap_or(0),
            why: text(shown, "why"),
        };
        (one, texts(decision, "obligations"))
    })
    .collect()
}
