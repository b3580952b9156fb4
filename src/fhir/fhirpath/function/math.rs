//! Numbers (N1, 5.7): exact where they can be. What has no real result is empty.

use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, MathematicalOps, RoundingStrategy};

use super::super::catalogue::Function;
use super::super::evaluate::{Found, Frame, Run};
use super::super::item::{Item, Items};
use super::super::quantity::Quantity;
use super::super::scope::Failure;
use super::super::tree::Call;

/// A power this high is beyond any decimal, unless it is one of nearly one.
const WHOLE_POWER_MAX: i64 = 1024;

impl<'a> Run<'a> {
    pub fn math(&self, call: &'a Call, on: &Items<'a>, frame: &Frame<'_, 'a>) -> Found<'a> {
        let name = call.function.name();
        let Some(item) = self.value(on, "one number")? else { return Ok(Items::None) };
        if let (Function::Abs, Item::Quantity(quantity)) = (call.function, &item) {
            let absolute = Quantity::new(quantity.value.abs(), quantity.unit.clone());
            return Ok(Items::One(Item::Quantity(Box::new(absolute))));
        }
        let Some(number) = item.number() else { return Err(Failure::Wrong(format!("`{name}()` is for numbers"))) };
        let is_whole = matches!(item, Item::Integer(_));
        let whole = |number: Decimal| number.to_i32().map(Item::Integer);
        Ok(match call.function {
            Function::Abs if is_whole => whole(number.abs()),
            Function::Abs => Some(Item::Decimal(number.abs())),
            Function::Ceiling => whole(number.ceil()),
            Function::Floor => whole(number.floor()),
            Function::Truncate => whole(number.trunc()),
            Function::Round => {
                let digits = self.whole_arg(call, 0, frame)?.unwrap_or(0);
                let Ok(digits) = u32::try_from(digits) else {
                    return Err(Failure::Wrong("`round()` takes no negative precision".into()));
                };
                let strategy = RoundingStrategy::MidpointAwayFromZero;
                let rounded = number.round_dp_with_strategy(digits.min(28), strategy);
                Some(Item::Decimal(rounded))
            }
            // Worked out to all digits: the zeros at the end say nothing.
            Function::Exp => number.checked_exp().map(|result| Item::Decimal(result.normalize())),
            Function::Ln => number.checked_ln().map(|result| Item::Decimal(result.normalize())),
            Function::Sqrt => number.sqrt().map(|result| Item::Decimal(result.normalize())),
            function => {
                let other = self.arg(call, 0, frame)?;
                let Some(other) = self.value(&other, "one argument")? else {
                    return Ok(Items::None);
                };
                let Some(second) = other.number() else {
                    return Err(Failure::Wrong(format!("`{name}()` takes a number")));
                };
                if function == Function::Log {
                    logarithm(number, second).map(Item::Decimal)
                } else {
                    let result = power(number, second);
                    let stays_whole = is_whole && matches!(other, Item::Integer(_)) && !second.is_sign_negative();
                    result.and_then(|result| if stays_whole { whole(result) } else { Some(Item::Decimal(result)) })
                }
            }
        }
        .into())
    }
}

/// Digits of a result that is worked out as floating point.
const FLOATING_DIGITS: u32 = 12;

fn logarithm(number: Decimal, base: Decimal) -> Option<Decimal> {
    let (number, base) = (number.to_f64()?, base.to_f64()?);
    let valid = number > 0.0 && base > 0.0 && base != 1.0;
    valid.then(|| Decimal::from_f64(number.ln() / base.ln())).flatten().map(|result| result.round_dp(FLOATING_DIGITS))
}

fn power(number: Decimal, exponent: Decimal) -> Option<Decimal> {
    if exponent.is_integer() {
        let exponent = exponent.to_i64().filter(|exponent| exponent.abs() <= WHOLE_POWER_MAX)?;
        return number.checked_powi(exponent);
    }
    let result = number.to_f64()?.powf(exponent.to_f64()?);
    result.is_finite().then(|| Decimal::from_f64(result)).flatten().map(|result| result.round_dp(FLOATING_DIGITS))
}

#[cfg(test)]
mod tests {
    use crate::fhir::fhirpath::tests::{all, none};

    #[test]
    fn numbers_stay_exact() {
        all(&[
            ("0.1 + 0.2", "0.3"),
            ("1.50 + 1", "2.50"),
            ("1 / 3 * 3 ~ 1", "true"),
            ("7 div 2 | -7 div 2", "3, -3"),
            ("7.5 mod 2", "1.5"),
            ("1 / 0", ""),
            ("1 div 0 | 1 mod 0", ""),
            ("2147483647 + 1", ""),
            ("1234567890987654321.0", "1234567890987654321.0"),
            ("(-5.5).abs() | (-5).abs()", "5.5, 5"),
            ("(-5.5 'mg').abs()", "5.5 'mg'"),
            ("(-1.1).ceiling() | (-1.1).floor() | (-1.9).truncate()", "-1, -2"),
            ("3.14159.round(3)", "3.142"),
            ("2.5.round()", "3"),
            ("81.sqrt()", "9"),
            ("(-1).sqrt() | (-1).ln() | (-1).power(0.5) | 0.ln()", ""),
            ("16.log(2) = 4", "true"),
            ("1.log(1)", ""),
            ("2.power(10) | 2.5.power(2)", "1024, 6.25"),
            ("2.power(100000)", ""),
            ("0.exp()", "1"),
            ("1000000.exp()", ""),
            ("79228162514264337593543950335.0 + 1 | 79228162514264337593543950335.0 * 2", ""),
            ("79228162514264337593543950335.0 'm' = -79228162514264337593543950335.0 'cm'", ""),
            ("{}.abs()", ""),
        ]);
        none(&[("'a'.abs()", "is for numbers"), ("1.round(-1)", "no negative"), ("1 + 'a'", "`+` can take")]);
    }
}
