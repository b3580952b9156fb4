//! `+`, `-`, `*`, `/`, `div`, `mod`, `&` (N1, 6.6 and 6.7). What is too large, and a division by nothing, is empty.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::evaluate::{Found, Run};
use super::item::{Item, Items};
use super::moment::Moment;
use super::quantity::{Quantity, Unit};
use super::scope::Failure;
use super::tree::Operator;

impl<'a> Run<'a> {
    pub fn arithmetic(&self, operator: Operator, left: &Items<'a>, right: &Items<'a>) -> Found<'a> {
        let what = "one item on each side of an operator";
        let (left, right) = (self.value(left, what)?, self.value(right, what)?);
        if operator == Operator::Concatenate {
            let nothing = || Some(Item::text(""));
            return match (left.or_else(nothing), right.or_else(nothing)) {
                (Some(Item::Text(left)), Some(Item::Text(right))) => self.joined(&left, &right),
                _ => Err(unfit(operator)),
            };
        }
        let (Some(left), Some(right)) = (left, right) else { return Ok(Items::None) };
        match (operator, &left, &right) {
            (Operator::Plus, Item::Text(left), Item::Text(right)) => self.joined(left, right),
            (_, Item::Integer(left), Item::Integer(right)) => Ok(whole(operator, *left, *right).into()),
            (Operator::Plus | Operator::Minus, Item::Moment(moment), Item::Quantity(quantity)) => {
                Ok(moved(operator, moment, quantity)?.map(Item::Moment).into())
            }
            (_, Item::Quantity(left), Item::Quantity(right)) => measured(operator, left, right),
            (Operator::Times, Item::Quantity(quantity), number)
            | (Operator::Times, number, Item::Quantity(quantity))
                if number.number().is_some() =>
            {
                measured(operator, quantity, &unmeasured(number))
            }
            (Operator::Divide, Item::Quantity(quantity), number) if number.number().is_some() => {
                measured(operator, quantity, &unmeasured(number))
            }
            (_, left, right) => match left.number().zip(right.number()) {
                Some((left, right)) => Ok(exact(operator, left, right).into()),
                None => Err(unfit(operator)),
            },
        }
    }

    fn joined(&self, left: &str, right: &str) -> Found<'a> {
        self.pay_text(left.len() + right.len())?;
        Ok(Items::One(Item::text(format!("{left}{right}"))))
    }

    pub fn negated(&self, items: Items<'a>) -> Found<'a> {
        let Some(item) = self.value(&items, "one number")? else { return Ok(Items::None) };
        match item {
            Item::Integer(number) => Ok(number.checked_neg().map(Item::Integer).into()),
            // Zero has no sign.
            Item::Decimal(number) if number.is_zero() => Ok(Items::One(Item::Decimal(number))),
            Item::Decimal(number) => Ok(Items::One(Item::Decimal(-number))),
            Item::Quantity(quantity) => {
                Ok(Items::One(Item::Quantity(Box::new(Quantity::new(-quantity.value, quantity.unit)))))
            }
            _ => Err(Failure::Wrong("expected a number behind `-`".into())),
        }
    }
}

fn unfit(operator: Operator) -> Failure {
    Failure::Wrong(format!("expected operands that `{}` can take", operator.sign()))
}

fn unmeasured(item: &Item) -> Quantity {
    Quantity::new(item.number().unwrap_or_default(), Unit::one())
}

fn whole<'a>(operator: Operator, left: i32, right: i32) -> Option<Item<'a>> {
    match operator {
        Operator::Plus => left.checked_add(right).map(Item::Integer),
        Operator::Minus => left.checked_sub(right).map(Item::Integer),
        Operator::Times => left.checked_mul(right).map(Item::Integer),
        Operator::Div => left.checked_div(right).map(Item::Integer),
        Operator::Mod => left.checked_rem(right).map(Item::Integer),
        operator => exact(operator, left.into(), right.into()),
    }
}

fn exact<'a>(operator: Operator, left: Decimal, right: Decimal) -> Option<Item<'a>> {
    match operator {
        Operator::Plus => left.checked_add(right).map(Item::Decimal),
        Operator::Minus => left.checked_sub(right).map(Item::Decimal),
        Operator::Times => left.checked_mul(right).map(Item::Decimal),
        Operator::Divide => left.checked_div(right).map(Item::Decimal),
        Operator::Div => left.checked_div(right)?.trunc().to_i32().map(Item::Integer),
        Operator::Mod => left.checked_rem(right).map(Item::Decimal),
        _ => None,
    }
}

fn measured<'a>(operator: Operator, left: &Quantity, right: &Quantity) -> Found<'a> {
    let result = match operator {
        Operator::Plus => left.plus(right),
        Operator::Minus => left.plus(&Quantity::new(-right.value, right.unit.clone())),
        Operator::Times => left.times(right),
        Operator::Divide => left.divided_by(right),
        operator => return Err(unfit(operator)),
    };
    Ok(result.map(|quantity| Item::Quantity(Box::new(quantity))).into())
}

/// Time is added in units of the calendar; a fraction of one is let go (N1, 6.6.7).
fn moved(operator: Operator, moment: &Moment, quantity: &Quantity) -> Result<Option<Moment>, Failure> {
    let Some(unit) = quantity.unit.calendar() else {
        return Err(Failure::Wrong("expected a quantity of time to add to a date".into()));
    };
    let Some(amount) = quantity.value.trunc().to_i64() else { return Ok(None) };
    let amount = if operator == Operator::Minus { amount.checked_neg() } else { Some(amount) };
    Ok(amount.and_then(|amount| moment.plus(amount, unit)))
}
