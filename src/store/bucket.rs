//! Which bucket a person's rows live in (reference: storage rules, 1). The one place that knows.
//!
//! A bucket is 12 bits. Ids that we assign are UUIDs of version 7 that carry it in the 12 bits behind the version,
//! so that a read by id goes to one place without a look-up. A name that we did not assign hashes to its bucket
//! and has a row in `id_bucket`.

use uuid::Uuid;

pub const BUCKETS: i64 = 4096;

/// The bucket inside an id of our own making; `None` for any other.
pub fn bucket_in(id: &str) -> Option<i64> {
    let uuid = Uuid::try_parse(id).ok().filter(|_| id.len() == 36)?;
    (uuid.get_version_num() == 7)
        .then(|| i64::from(u16::from_be_bytes([uuid.as_bytes()[6], uuid.as_bytes()[7]]) & 0x0fff))
}

/// Puts a bucket into the bits of a version 7 id that RFC 9562 (5.7) leaves to chance.
pub fn embed(id: Uuid, bucket: i64) -> Uuid {
    let mut bytes = *id.as_bytes();
    let bits = (bucket & 0x0fff) as u16 | 0x7000;
    bytes[6..8].copy_from_slice(&bits.to_be_bytes());
    Uuid::from_bytes(bytes)
}

/// FNV-1a, folded to 12 bits: stable for as long as data lives, so it is written out here.
pub fn bucket_of_name(id: &str) -> i64 {
    let hash = id.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    i64::from((hash >> 20) ^ (hash & 0x0fff)) % BUCKETS
}

/// The bucket of a person, as far as the id alone says it.
pub(super) fn home(patient: &str) -> i64 {
    bucket_in(patient).unwrap_or_else(|| bucket_of_name(patient))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_of_ours_carries_its_bucket() {
        let plain = Uuid::parse_str("01936d2e-4b3c-7abc-8000-000000000001").unwrap();
        for bucket in [0, 1, 4095] {
            assert_eq!(bucket_in(&embed(plain, bucket).to_string()), Some(bucket));
        }
        for other in ["ana", "6f0e6a52-4d0b-4a0e-8a11-000000000001", ""] {
            assert_eq!(bucket_in(other), None, "{other}");
        }
        assert!((0..BUCKETS).contains(&bucket_of_name("ana")));
    }
}
