//! Which of what partners filed about a person counts (rules.md 17, 20).
//!
//! A permit of somebody else's opens that somebody's own data; a deny of anybody's counts. What widens access by
//! being on file (a team, a visit, a revision) counts from the Patient's origin and the operator alone.

use crate::consent::{Directive, World};
use crate::store::Stored;

use super::enroll::OPERATOR;

/// What is believed of what is on file: laid over a world, and the directives that are heard.
pub fn believed<'r>(rows: impl Iterator<Item = &'r Stored> + Clone, world: &mut World) -> Vec<Directive> {
    let origins: Vec<(&str, &str)> =
        rows.clone().filter(|row| row.kind == "Patient").map(|row| (row.id.as_str(), row.origin.as_str())).collect();
    let mut directives = Vec::new();
    for row in rows {
        let of_person = origins.iter().find(|(id, _)| Some(*id) == row.patient.as_deref()).map(|(_, origin)| *origin);
        let believed = row.origin == OPERATOR || of_person == Some(row.origin.as_str());
        let Some(mut resource) = row.resource() else { continue };
        if row.kind == "Consent" {
            let directive = Directive::read(&resource);
            // A permit of somebody else's opens that somebody's own data; a deny of anybody's counts.
            let own = format!("Organization/{}", row.origin);
            directives.push(if believed { directive } else { directive.opens_only(&own) });
        } else if believed {
            // A link is one side's word until it is confirmed (rules.md 20, 21); nothing confirms one yet.
            resource.remove("link");
            world.add(resource);
        }
    }
    directives
}
