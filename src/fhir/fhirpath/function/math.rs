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
        let Some(item) = self.only(on, "one number")?.map(|item| self.simple(item)) else { return Ok(Items::None) };
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
            Function::Exp => number.checked_exp().map(Item::Decimal),
            Function::Ln => number.checked_ln().map(Item::Decimal),
            Function::Sqrt => number.sqrt().map(Item::Decimal),
            function => {
                let other = self.arg(call, 0, frame)?;
                let Some(other) = self.only(&other, "one argument")?.map(|item| self.simple(item)) else {
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
