//! `now()`, `today()`, `timeOfDay()` (N1, 5.9): of the moment that the caller gave, in UTC.

use super::super::catalogue::Function;
use super::super::evaluate::{Found, Run};
use super::super::item::{Item, Items};
use super::super::moment::Moment;
use super::super::scope::Failure;

impl<'a> Run<'a> {
    pub fn moment(&self, function: Function) -> Found<'a> {
        let Some(now) = self.scope.now.and_then(Moment::now) else {
            return Err(Failure::Unknown("nobody knows here what time it is".into()));
        };
        Ok(Items::One(Item::Moment(match function {
            Function::Today => now.date(),
            Function::TimeOfDay => now.time(),
            _ => now,
        })))
    }
}
