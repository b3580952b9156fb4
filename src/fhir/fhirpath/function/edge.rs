//! How exact a value is: its precision, the least and the greatest that it may stand for, and whether two can be
//! compared at all.

use super::super::catalogue::Function;
use super::super::decimal;
use super::super::evaluate::{Found, Frame, Run};
use super::super::item::{Item, Items};
use super::super::quantity::Quantity;
use super::super::scope::Failure;
use super::super::tree::Call;

impl<'a> Run<'a> {
    pub fn edge(&self, call: &'a Call, on: &Items<'a>, frame: &Frame<'_, 'a>) -> Found<'a> {
        let name = call.function.name();
        let Some(item) = self.value(on, "one value")? else { return Ok(Items::None) };
        match call.function {
            Function::Precision => {
                let digits = match &item {
                    Item::Integer(_) => 0,
                    Item::Decimal(number) => number.scale() as i32,
                    Item::Moment(moment) => moment.digits(),
                    _ => return Err(Failure::Wrong(format!("`{name}()` is for numbers and moments"))),
                };
                Ok(Items::One(Item::Integer(digits)))
            }
            Function::Comparable => {
                let other = self.arg(call, 0, frame)?;
                match (&item, self.value(&other, "one quantity")?) {
                    (_, None) => Ok(Items::None),
                    (Item::Quantity(one), Some(Item::Quantity(two))) => {
                        Ok(Items::One(Item::Boolean(one.is_comparable(&two))))
                    }
                    _ => Err(Failure::Wrong(format!("`{name}()` is for quantities"))),
                }
            }
            function => {
                let (digits, upper) = (self.whole_arg(call, 0, frame)?, function == Function::HighBoundary);
                let bound = match &item {
                    Item::Moment(moment) => moment.boundary(digits, upper).map(Item::Moment),
                    Item::Quantity(quantity) => decimal::boundary(quantity.value, digits, upper)
                        .map(|value| Item::Quantity(Box::new(Quantity::new(value, quantity.unit.clone())))),
                    item => match item.number() {
                        Some(number) => decimal::boundary(number, digits, upper).map(Item::Decimal),
                        None => {
                            return Err(Failure::Wrong(format!("`{name}()` is for numbers, moments and quantities")));
                        }
                    },
                };
                Ok(bound.into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::fhir::fhirpath::tests::{all, none};

    #[test]
    fn values_say_how_exact_they_are() {
        all(&[
            ("1.587.lowBoundary() | 1.587.highBoundary()", "1.58650000, 1.58750000"),
            ("1.587.lowBoundary(2) | 1.587.highBoundary(2)", "1.58, 1.59"),
            ("(-1.587).lowBoundary(2) | (-1.587).highBoundary(2)", "-1.59, -1.58"),
            ("1.587.lowBoundary(-1) | 1.587.lowBoundary(40)", ""),
            ("1.5 'cm'.lowBoundary(2)", "1.45 'cm'"),
            ("@2014.lowBoundary(6) | @2014.highBoundary(6)", "2014-01, 2014-12"),
            ("@2024-02.highBoundary()", "2024-02-29"),
            ("@2014-01-01T08.highBoundary(17)", "2014-01-01T08:59:59.999-12:00"),
            ("@2014-01-01T08:05+08:00.lowBoundary(17)", "2014-01-01T08:05:00.000+08:00"),
            ("@T10:30.highBoundary(9)", "10:30:59.999"),
            ("@2014.lowBoundary(5)", ""),
            ("birthDate.highBoundary()", "1980-05-31"),
            ("1.58700.precision() | @2014.precision() | @T10:30:00.000.precision()", "5, 4, 9"),
            ("1 'cm'.comparable(1 '[in_i]') and 1 'cm'.comparable(1 's').not()", "true"),
        ]);
        none(&[("'a'.precision()", "is for numbers"), ("'a'.lowBoundary()", "is for numbers")]);
    }
}
