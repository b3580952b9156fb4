//! Decimal numbers: exact, with the zeros that were written.

use rust_decimal::Decimal;
use rust_decimal::RoundingStrategy;

/// `1.50`, `-3`; of JSON also `1e-7`.
pub fn parse(text: &str) -> Option<Decimal> {
    let text = text.strip_prefix('+').unwrap_or(text);
    if text.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    let starts_well = text.trim_start_matches('-').starts_with(|first: char| first.is_ascii_digit());
    (starts_well && !text.ends_with('.') && !text.contains('_')).then(|| text.parse().ok())?
}

/// Equal when both are rounded to the digits of the less precise; zeros at the end do not count (N1, 6.1.2).
pub fn are_equivalent(one: Decimal, two: Decimal) -> bool {
    let digits = one.normalize().scale().min(two.normalize().scale());
    let rounded = |number: Decimal| number.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero);
    rounded(one) == rounded(two)
}

/// Digits that a boundary may be written with.
const BOUNDARY_DIGITS_MAX: i32 = 28;
const BOUNDARY_DIGITS: i32 = 8;

/// The least or the greatest number that is rounded to this one, written with so many digits behind the point.
pub fn boundary(number: Decimal, digits: Option<i32>, upper: bool) -> Option<Decimal> {
    let digits = digits.unwrap_or(BOUNDARY_DIGITS);
    if !(0..=BOUNDARY_DIGITS_MAX).contains(&digits) {
        return None;
    }
    let half = Decimal::try_new(5, number.scale() + 1).ok()?;
    let edge = if upper { number.checked_add(half)? } else { number.checked_sub(half)? };
    // Outwards it is rounded, inwards it is cut, so that the boundary stays where it was.
    let outwards = upper != number.is_sign_negative();
    let strategy = if outwards { RoundingStrategy::MidpointAwayFromZero } else { RoundingStrategy::ToZero };
    let mut bound = edge.round_dp_with_strategy(digits as u32, strategy);
    bound.rescale(digits as u32);
    Some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_exactly_or_not_at_all() {
        for (text, expected) in [
            ("1.50", Some("1.50")),
            ("-0.0034", Some("-0.0034")),
            ("+7", Some("7")),
            ("1.5e3", Some("1500")),
            ("25E-1", Some("2.5")),
            ("79228162514264337593543950335", Some("79228162514264337593543950335")),
            ("99999999999999999999999999999", None),
            ("9e2147483647", None),
            ("1e-99999999999", None),
            ("1.", None),
            (".5", None),
            ("1_000", None),
            ("", None),
            ("-", None),
            ("abc", None),
        ] {
            assert_eq!(parse(text).map(|number| number.to_string()).as_deref(), expected, "{text}");
        }
    }
}
