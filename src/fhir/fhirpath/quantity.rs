//! Quantities: a number with a unit of UCUM, or of the calendar (N1, 4.1.8 and 6.6).
//!
//! A month and a year of the calendar have no fixed length, so they are not UCUM's `mo` and `a`; up to the week the
//! two agree.

use std::cmp::Ordering;
use std::fmt;

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

use super::decimal;

#[derive(Clone, Debug, PartialEq)]
pub struct Quantity {
    pub value: Decimal,
    pub unit: Unit,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Unit {
    /// `1` when there is none.
    Ucum(Box<str>),
    Calendar(Calendar),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Calendar {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
}

use Calendar::*;

const WORDS: [(Calendar, &str, &str, &str); 8] = [
    (Year, "year", "years", "a"),
    (Month, "month", "months", "mo"),
    (Week, "week", "weeks", "wk"),
    (Day, "day", "days", "d"),
    (Hour, "hour", "hours", "h"),
    (Minute, "minute", "minutes", "min"),
    (Second, "second", "seconds", "s"),
    (Millisecond, "millisecond", "milliseconds", "ms"),
];
/// Conversion factors are floating point; quantities that differ by less are one.
const TOLERANCE: f64 = 1e-10;

impl Calendar {
    /// `day` and `days`.
    pub fn named(word: &str) -> Option<Calendar> {
        WORDS.iter().find(|(_, one, many, _)| *one == word || *many == word).map(|(calendar, ..)| *calendar)
    }

    fn words(self) -> (&'static str, &'static str, &'static str) {
        WORDS
            .iter()
            .find(|(calendar, ..)| *calendar == self)
            .map_or(("", "", ""), |(_, one, many, code)| (one, many, code))
    }

    /// UCUM's unit of the same length.
    fn definite(self) -> Option<&'static str> {
        (!matches!(self, Year | Month)).then(|| self.words().2)
    }
}

impl Unit {
    pub fn ucum(code: &str) -> Unit {
        Unit::Ucum(code.into())
    }

    pub fn one() -> Unit {
        Unit::ucum("1")
    }

    fn code(&self) -> Option<&str> {
        match self {
            Unit::Ucum(code) => Some(code),
            Unit::Calendar(calendar) => calendar.definite(),
        }
    }

    /// The unit of the calendar in which time is added: `day`, UCUM's `d`, but not its `mo` (N1, 6.6.7).
    pub fn calendar(&self) -> Option<Calendar> {
        match self {
            Unit::Calendar(calendar) => Some(*calendar),
            Unit::Ucum(code) => {
                let definite =
                    WORDS.iter().find(|(calendar, .., word)| **word == **code && calendar.definite().is_some());
                definite.map(|(calendar, ..)| *calendar).or_else(|| Calendar::named(code))
            }
        }
    }
}

impl Quantity {
    pub fn new(value: Decimal, unit: Unit) -> Quantity {
        Quantity { value, unit }
    }

    /// `4 days`, `10 'mg'`, `1.5`.
    pub fn parse(text: &str) -> Option<Quantity> {
        let text = text.trim();
        let end = text.find(|letter: char| !(letter.is_ascii_digit() || "+-.".contains(letter))).unwrap_or(text.len());
        let (number, rest) = text.split_at(end);
        let value = decimal::parse(number)?;
        let unit = rest.trim_start();
        if unit.is_empty() {
            return Some(Quantity::new(value, Unit::one()));
        }
        match unit.strip_prefix('\'') {
            Some(quoted) => {
                let code = quoted.strip_suffix('\'').filter(|code| !code.is_empty() && !code.contains('\''))?;
                Some(Quantity::new(value, Unit::ucum(code)))
            }
            None if rest.len() > unit.len() => {
                Calendar::named(unit).map(|calendar| Quantity::new(value, Unit::Calendar(calendar)))
            }
            None => None,
        }
    }

    /// `None`: they are of different dimensions, or nobody knows the units.
    pub fn compare(&self, other: &Quantity) -> Option<Ordering> {
        let (mine, theirs) = self.brought_together(other)?;
        Some(mine.cmp(&theirs))
    }

    /// Equal as far as the less precise of both says (N1, 6.1.2).
    pub fn is_equivalent(&self, other: &Quantity) -> bool {
        let loose = |unit: &Unit| match unit {
            Unit::Calendar(calendar) => Unit::ucum(calendar.words().2),
            unit => unit.clone(),
        };
        let (one, two) = (Quantity::new(self.value, loose(&self.unit)), Quantity::new(other.value, loose(&other.unit)));
        match one.brought_together(&two) {
            Some((mine, theirs)) if one.unit == two.unit => decimal::are_equivalent(mine, theirs),
            Some((mine, theirs)) => {
                // The other's digits behind the point were written in its own unit: mine say how exact both are.
                let digits = mine.normalize().scale();
                let near = theirs.round_dp(digits) == mine.round_dp(digits);
                let back = two.brought_together(&one);
                near || back.is_some_and(|(theirs, mine)| {
                    let digits = theirs.normalize().scale();
                    mine.round_dp(digits) == theirs.round_dp(digits)
                })
            }
            None => false,
        }
    }

    pub fn is_comparable(&self, other: &Quantity) -> bool {
        self.brought_together(other).is_some()
    }

    /// Both numbers in the unit of the first.
    fn brought_together(&self, other: &Quantity) -> Option<(Decimal, Decimal)> {
        if self.unit == other.unit {
            return Some((self.value, other.value));
        }
        if let (Unit::Calendar(mine), Unit::Calendar(theirs)) = (&self.unit, &other.unit) {
            let twelve = Decimal::from(12);
            match (mine, theirs) {
                (Year, Month) => return Some((self.value.checked_mul(twelve)?, other.value)),
                (Month, Year) => return Some((self.value, other.value.checked_mul(twelve)?)),
                _ => {}
            }
        }
        let theirs = convert(other.value, other.unit.code()?, self.unit.code()?)?;
        let apart = theirs.checked_sub(self.value)?.abs().to_f64()?;
        let size = self.value.abs().max(theirs.abs()).to_f64()?;
        // What differs only by the factor's last bits is the same.
        Some((self.value, if apart <= size * TOLERANCE { self.value } else { theirs }))
    }

    /// The sum in the unit of the first; `None` when there is none.
    pub fn plus(&self, other: &Quantity) -> Option<Quantity> {
        let value = if self.unit == other.unit {
            other.value
        } else {
            convert(other.value, other.unit.code()?, self.unit.code()?)?
        };
        Some(Quantity::new(self.value.checked_add(value)?, self.unit.clone()))
    }

    pub fn times(&self, other: &Quantity) -> Option<Quantity> {
        let unit = joined(self.unit.code()?, '.', other.unit.code()?);
        Some(Quantity::new(self.value.checked_mul(other.value)?, unit))
    }

    pub fn divided_by(&self, other: &Quantity) -> Option<Quantity> {
        let (mine, theirs) = (self.unit.code()?, other.unit.code()?);
        let unit = if mine == theirs { Unit::one() } else { joined(mine, '/', theirs) };
        Some(Quantity::new(self.value.checked_div(other.value)?, unit))
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.unit {
            Unit::Ucum(code) => write!(out, "{} '{code}'", self.value),
            Unit::Calendar(calendar) => {
                let (one, many, _) = calendar.words();
                write!(out, "{} {}", self.value, if self.value == Decimal::ONE { one } else { many })
            }
        }
    }
}

/// Whether a text is a unit of UCUM.
pub fn is_ucum(code: &str) -> bool {
    code.len() <= CODE_BYTES_MAX && ucum::validate(code).is_ok()
}

/// Longer than any unit that means something.
const CODE_BYTES_MAX: usize = 256;

fn convert(value: Decimal, from: &str, to: &str) -> Option<Decimal> {
    if from.len().max(to.len()) > CODE_BYTES_MAX {
        return None;
    }
    let (from_is, to_is) = (ucum::analyze(from).ok()?, ucum::analyze(to).ok()?);
    if from_is.dimension != to_is.dimension {
        return None;
    }
    if from_is.is_special || to_is.is_special {
        return Decimal::from_f64(ucum::convert(value.to_f64()?, from, to).ok()?);
    }
    // Factors of ten keep all digits of the number.
    value.checked_mul(Decimal::from_f64(from_is.factor / to_is.factor)?)
}

fn joined(one: &str, sign: char, two: &str) -> Unit {
    let grouped = |code: &str| if code.contains(['/', '.']) { format!("({code})") } else { code.to_string() };
    match (one, sign, two) {
        (one, _, "1") => Unit::ucum(one),
        ("1", '.', two) => Unit::ucum(two),
        (one, sign, two) => Unit::Ucum(format!("{}{sign}{}", grouped(one), grouped(two)).into()),
    }
}
