//! Where a page of a search starts: behind a row, by the values that it is sorted by. It holds while data changes:
//! what comes before that place is not seen again, what comes behind is not passed over.

use serde::{Deserialize, Serialize};

use crate::fhir::search::SortKey;

use super::sql::Bind;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct After {
    /// The order that the keys belong to.
    pub(super) order: String,
    pub(super) keys: Vec<Key>,
    pub(super) kind: String,
    pub(super) id: String,
}

/// A value that a row is sorted by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Key {
    None,
    Int(i64),
    /// By its bits: text would not give the same number back.
    Real(#[serde(with = "bits")] f64),
    Text(String),
}

impl After {
    /// The text that a page token seals.
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// `None` for what no page of ours has said, or a page in another order.
    pub fn parse(text: &str, order: &[SortKey]) -> Option<After> {
        serde_json::from_str(text).ok().filter(|after: &After| after.order == After::order_of(order))
    }

    pub(super) fn order_of(order: &[SortKey]) -> String {
        format!("{order:?}")
    }
}

impl Key {
    pub(super) fn int(&self) -> i64 {
        match self {
            Key::Int(value) => *value,
            _ => 0,
        }
    }

    pub(super) fn bind(&self) -> Bind {
        match self {
            Key::None => Bind::MaybeText(None),
            Key::Int(value) => Bind::Int(*value),
            Key::Real(value) => Bind::Real(*value),
            Key::Text(text) => Bind::Text(text.clone()),
        }
    }
}

mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&value.to_bits().to_string())
    }

    pub fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<f64, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map(f64::from_bits).map_err(serde::de::Error::custom)
    }
}
