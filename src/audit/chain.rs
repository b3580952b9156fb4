//! The chain: each record's hash covers the one before it, so that an edit, a removal or a swap shows.

use aws_lc_rs::digest::{SHA256, digest};

use crate::fhir::Instant;

/// A link with its record, as the log gives them back in order.
#[derive(Clone, Debug)]
pub struct Link {
    pub number: i64,
    pub record: String,
    pub hash: String,
    /// When and what; `None` when the record is gone.
    pub content: Option<(Instant, String)>,
}

/// The first thing that is wrong with a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    pub number: i64,
    pub record: String,
    pub what: String,
}

/// Goes along the links, in order, and remembers where it is.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    pub number: i64,
    pub hash: String,
}

/// The hash of link `number`: SHA-256 over the previous hash and everything the record says, lower-case hex.
pub fn hash(previous: &str, number: i64, record: &str, at: Instant, body: &str) -> String {
    // Newlines cannot occur in what stands before the body, so no two contents give the same text.
    let text = format!("{previous}\n{number}\n{record}\n{}\n{body}", at.0);
    let digit = |nibble: u8| char::from_digit(u32::from(nibble), 16).unwrap_or('0');
    let digest = digest(&SHA256, text.as_bytes());
    digest.as_ref().iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

impl Verifier {
    /// # Errors
    /// What is wrong with this link; the first one is the one to name.
    pub fn check(&mut self, link: &Link) -> Result<(), Break> {
        let broken = |number: i64, what: &str| Break { number, record: link.record.clone(), what: what.to_string() };
        if link.number != self.number + 1 {
            return Err(broken(self.number + 1, "is missing from the chain"));
        }
        let Some((at, body)) = &link.content else { return Err(broken(link.number, "was removed")) };
        let expected = hash(&self.hash, link.number, &link.record, *at, body);
        if expected != link.hash {
            return Err(broken(link.number, "was changed, or is not in its place"));
        }
        self.number = link.number;
        self.hash = expected;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log() -> Vec<Link> {
        let mut previous = String::new();
        (1..=4)
            .map(|number| {
                let (record, at, body) = (format!("r{number}"), Instant(number), format!("body {number}"));
                previous = hash(&previous, number, &record, at, &body);
                Link { number, record, hash: previous.clone(), content: Some((at, body)) }
            })
            .collect()
    }

    fn first_break(log: &[Link]) -> Option<i64> {
        let mut verifier = Verifier::default();
        log.iter().find_map(|link| verifier.check(link).err()).map(|found| found.number)
    }

    #[test]
    fn a_log_that_nobody_touched_verifies() {
        assert_eq!(first_break(&log()), None);
    }

    #[test]
    fn an_edit_a_removal_and_a_swap_are_found_where_they_are() {
        let mut edited = log();
        edited[1].content = Some((Instant(2), "another body".into()));
        assert_eq!(first_break(&edited), Some(2));

        let mut removed = log();
        removed[2].content = None;
        assert_eq!(first_break(&removed), Some(3));

        let mut cut = log();
        cut.remove(1);
        assert_eq!(first_break(&cut), Some(2));

        let mut swapped = log();
        let first = swapped[1].content.clone();
        swapped[1].content = swapped[2].content.clone();
        swapped[2].content = first;
        assert_eq!(first_break(&swapped), Some(2));
    }
}
