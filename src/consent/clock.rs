//! The moment of a question, and how long what was found at it will hold.
//!
//! Everything that compares with "now" does so here, so that no boundary is looked at without being remembered:
//! the next one is when time alone could change the answer.

use std::cell::Cell;

use crate::fhir::{Instant, Interval, Zone};

pub struct Clock<'a> {
    pub at: Instant,
    pub zone: &'a Zone,
    next: Cell<Option<Instant>>,
}

impl<'a> Clock<'a> {
    pub fn new(at: Instant, zone: &'a Zone) -> Self {
        Clock { at, zone, next: Cell::new(None) }
    }

    /// Whether now lies in the interval.
    pub fn within(&self, interval: Interval) -> bool {
        let begun = self.reached(interval.start);
        let over = self.reached(interval.end);
        begun && !over
    }

    /// Whether that moment has come.
    pub fn reached(&self, moment: Instant) -> bool {
        if moment > self.at && moment < Instant::MAX {
            self.next.set(Some(self.next.get().map_or(moment, |next| next.min(moment))));
        }
        moment <= self.at
    }

    /// The first boundary ahead of those that were looked at.
    pub fn next_change(&self) -> Option<Instant> {
        self.next.get()
    }
}
