//! The Questionnaires that the responses in a request answer: those that come with it, and those on file that its
//! caller may read.

use crate::auth::Caller;
use crate::fhir::Resource;
use crate::fhir::search::{Criteria, Query};
use crate::profile::{Forms, forms_of};

use super::{Context, Error, reach};

/// Forms that are looked up for one request; the responses to others are stored with the word that nobody compared
/// them with their form.
const LOOKED_UP_MAX: usize = 50;
/// Questionnaires with one URL, the one that changed last first.
const VERSIONS_MAX: usize = 20;

/// Of the same request the nearest counts, so that a form and its first answers may come together.
pub async fn at_hand<'r>(
    ctx: &Context,
    caller: &Caller,
    resources: impl Iterator<Item = &'r Resource>,
) -> Result<Forms, Error> {
    let (mut forms, mut wanted) = (Forms::default(), Vec::new());
    for resource in resources {
        match resource.kind() {
            "Questionnaire" => forms.add(resource.value()),
            "QuestionnaireResponse" | "Bundle" => wanted.extend(forms_of(resource)),
            _ => {}
        }
    }
    wanted.sort_unstable();
    wanted.dedup();
    wanted.retain(|canonical| !forms.has(canonical));
    if wanted.is_empty() {
        return Ok(forms);
    }
    let within = reach::own(ctx, caller.partner()).await?;
    for canonical in wanted.into_iter().take(LOOKED_UP_MAX) {
        let url = canonical.split('|').next().unwrap_or(canonical);
        let Some(query) = by_url(ctx, url) else { continue };
        let found = ctx.store.search(&query, &within, None).await?.rows;
        found.iter().filter_map(|row| row.resource()).for_each(|form| forms.add(form.value()));
    }
    Ok(forms)
}

fn by_url(ctx: &Context, url: &str) -> Option<Query> {
    let criteria = Criteria::new("Questionnaire", vec![("url".to_string(), escaped(url))]);
    let query = criteria.read(&ctx.reading_all("", true)).ok()?;
    Some(Query { count: VERSIONS_MAX, ..query })
}

/// In a search, a comma, a bar and a dollar sign part values (R4 search.html#escaping).
fn escaped(url: &str) -> String {
    url.replace('\\', "\\\\").replace(',', "\\,").replace('|', "\\|").replace('$', "\\$")
}
