//! For which sorts of readers a new version changes what they are shown (rules.md 9): worked out when it is written, so
//! that searches by time need not look at versions.

use crate::consent::{Handling, Masks, views};
use crate::fhir::Resource;
use crate::fhir::view::Outline;
use crate::store::{Fault, Stored};

use super::Context;
use super::mask::Discreet;
use super::plan::Planned;

/// The sorts of readers, and whether the version that is planned differs for each; nothing where it does for all.
pub async fn of(ctx: &Context, one: &Planned, after: &Resource) -> Result<Vec<(String, bool)>, Fault> {
    let current = one.current.as_ref().filter(|current| !current.deleted);
    let Some((current, before)) = current.and_then(|current| Some((current, current.as_resource()?))) else {
        return Ok(Vec::new());
    };
    let (partners, regimes) = (ctx.partners().await?, ctx.regimes());
    // Whoever asks: nobody is of the house of nobody.
    let discreet = Discreet::of(&partners, &regimes, "");
    let mut masks = discreet.masks(ctx, current).await?;
    if !discreet.is_empty() {
        let Masks { entries, people, partners, kinds, .. } =
            discreet.masks(ctx, &Stored::supposed(after.clone(), &one.origin, None, None)).await?;
        masks.entries.extend(entries);
        masks.people.extend(people);
        masks.partners.extend(partners);
        masks.kinds.extend(kinds);
    }
    let outline = |kind: &str| -> Option<Box<dyn Outline + '_>> {
        ctx.profiles.outline(kind).map(|outline| -> Box<dyn Outline> { Box::new(outline) })
    };
    let discretion = discreet.partner(&one.origin).filter(|discretion| discretion.is_pseudonymous());
    let to = Handling { kind: "", regimes: &regimes, masks: &masks, discretion, pseudonym: None, outline: &outline };
    Ok(views(before, after, &to))
}
