//! When a delivery that failed is tried again, and when it is given up.

use crate::fhir::Instant;
use crate::store::DeliveryState;

/// The first wait; each further one is twice the last.
const FIRST_SECS: i64 = 30;
const LONGEST_SECS: i64 = 24 * 3_600;
/// After this long a person must look.
const GIVE_UP_SECS: i64 = 7 * 24 * 3_600;

/// What a partner's answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Taken.
    Taken,
    /// Refused for good: the same bytes will be refused again.
    Refused,
    /// Not now: busy, broken, or not reached.
    NotNow,
}

/// By HTTP status: 408, 425, 429 and 5xx pass, other 4xx do not. A redirect is not followed and is no acceptance.
pub fn answer(status: u16) -> Answer {
    match status {
        200..=299 => Answer::Taken,
        408 | 425 | 429 | 500..=599 | 300..=399 => Answer::NotNow,
        _ => Answer::Refused,
    }
}

/// What follows from an answer to attempt number `attempts` (from 0). `spread` in 0..1000 keeps partners' retries
/// from falling together.
pub fn next(answer: Answer, attempts: i64, created_at: Instant, now: Instant, spread: i64) -> (DeliveryState, Instant) {
    match answer {
        Answer::Taken => (DeliveryState::Delivered, now),
        // A refusal is retried too, slowly: partners mend their servers, and a person sees it waiting.
        Answer::Refused | Answer::NotNow => {
            let doubled = FIRST_SECS.saturating_mul(1_i64 << attempts.clamp(0, 20));
            let wait = doubled.min(LONGEST_SECS);
            let due_at = now.plus_millis(wait * 900 + wait * spread / 5);
            if due_at > created_at.plus_secs(GIVE_UP_SECS) {
                (DeliveryState::Dead, now)
            } else {
                (DeliveryState::Due, due_at)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_from_half_a_minute_to_a_day_and_end_after_a_week() {
        let mut now = Instant(0);
        let mut waits = Vec::new();
        for attempts in 0..64 {
            let (state, due_at) = next(Answer::NotNow, attempts, Instant(0), now, 500);
            if state == DeliveryState::Dead {
                break;
            }
            waits.push((due_at.0 - now.0) / 1_000_000);
            now = due_at;
        }
        assert_eq!(waits[..5], [30, 60, 120, 240, 480]);
        assert_eq!(waits.iter().max(), Some(&86_400));
        assert!(now.0 > 5 * 86_400 * 1_000_000 && now.0 < 7 * 86_400 * 1_000_000);
    }

    #[test]
    fn only_a_success_is_an_acceptance() {
        for (status, expected) in [
            (200, Answer::Taken),
            (201, Answer::Taken),
            (302, Answer::NotNow),
            (400, Answer::Refused),
            (422, Answer::Refused),
            (429, Answer::NotNow),
            (503, Answer::NotNow),
        ] {
            assert_eq!(answer(status), expected, "{status}");
        }
    }
}
