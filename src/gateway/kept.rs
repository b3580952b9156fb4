//! Grounds that are kept from one request to the next, each under the epoch that it was read at.
//!
//! A person's epoch moves in the transaction of every write that the person's decisions read (rules.md 25), so what
//! is kept is never asked by its age: whoever uses it compares the epoch with the one on disk.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::grounds::Ground;

/// Bytes of the resources that grounds were read from, in each of two halves; in memory they are some times as much.
const BYTES_MAX: usize = 8 << 20;

/// The grounds that were used lately, and those that were used before: when the young ones fill their half, the old
/// ones go.
#[derive(Default)]
pub struct Kept(Mutex<Halves>);

#[derive(Default)]
struct Halves {
    young: HashMap<String, Arc<Ground>>,
    old: HashMap<String, Arc<Ground>>,
    bytes: usize,
}

impl Kept {
    /// What is known of a patient, by id, whether or not it still is so.
    pub fn get(&self, patient: &str) -> Option<Arc<Ground>> {
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = halves.young.get(patient) {
            return Some(found.clone());
        }
        let found = halves.old.remove(patient)?;
        halves.add(patient, found.clone());
        Some(found)
    }

    pub fn put(&self, patient: &str, ground: Arc<Ground>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).add(patient, ground);
    }
}

impl Halves {
    fn add(&mut self, patient: &str, ground: Arc<Ground>) {
        self.bytes += ground.bytes();
        if let Some(before) = self.young.insert(patient.to_string(), ground) {
            self.bytes -= before.bytes();
        }
        if self.bytes > BYTES_MAX {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
    }
}
