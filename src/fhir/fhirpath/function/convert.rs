//! Conversions (N1, 5.5): each as `toX()`, empty where it cannot be, and as `convertsToX()`.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::super::catalogue::Function;
use super::super::decimal;
use super::super::evaluate::{Found, Run};
use super::super::item::{Item, Items};
use super::super::moment::{Form, Moment};
use super::super::quantity::{Quantity, Unit};

impl<'a> Run<'a> {
    pub fn convert(&self, function: Function, on: &Items<'a>) -> Found<'a> {
        use Function::*;
        let Some(item) = self.value(on, "one item to convert")? else {
            return Ok(Items::None);
        };
        let (converted, is_question) = match function {
            ToBoolean => (boolean(&item), false),
            ConvertsToBoolean => (boolean(&item), true),
            ToInteger => (integer(&item), false),
            ConvertsToInteger => (integer(&item), true),
            ToDecimal => (number(&item), false),
            ConvertsToDecimal => (number(&item), true),
            ToQuantity => (quantity(&item), false),
            ConvertsToQuantity => (quantity(&item), true),
            ToDate => (moment(&item, Form::Date), false),
            ConvertsToDate => (moment(&item, Form::Date), true),
            ToDateTime => (moment(&item, Form::DateTime), false),
            ConvertsToDateTime => (moment(&item, Form::DateTime), true),
            ToTime => (moment(&item, Form::Time), false),
            ConvertsToTime => (moment(&item, Form::Time), true),
            ConvertsToText => (text(&item).map(Item::Text), true),
            _ => (text(&item).map(Item::Text), false),
        };
        Ok(if is_question { Items::One(Item::Boolean(converted.is_some())) } else { converted.into() })
    }
}

fn boolean<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    const TRUE: [&str; 6] = ["true", "t", "yes", "y", "1", "1.0"];
    const FALSE: [&str; 6] = ["false", "f", "no", "n", "0", "0.0"];
    let truth = match item {
        Item::Boolean(value) => Some(*value),
        Item::Text(text) => {
            let is_one = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
            is_one(&TRUE).then_some(true).or(is_one(&FALSE).then_some(false))
        }
        item => match item.number()? {
            number if number == Decimal::ONE => Some(true),
            number if number == Decimal::ZERO => Some(false),
            _ => None,
        },
    };
    truth.map(Item::Boolean)
}

fn integer<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let number = match item {
        Item::Integer(number) => Some(*number),
        Item::Boolean(value) => Some(i32::from(*value)),
        Item::Text(text) => text.parse().ok(),
        _ => None,
    };
    number.map(Item::Integer)
}

fn number<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let number = match item {
        Item::Boolean(value) => Some(Decimal::from(i32::from(*value))),
        Item::Text(text) if !text.contains(['e', 'E']) => decimal::parse(text),
        item => item.number(),
    };
    number.map(Item::Decimal)
}

fn quantity<'a>(item: &Item<'a>) -> Option<Item<'a>> {
    let quantity = match item {
        Item::Quantity(quantity) => Some(quantity.as_ref().clone()),
        Item::Boolean(value) => Some(Quantity::new(i32::from(*value).into(), Unit::one())),
        Item::Text(text) => Quantity::parse(text),
        item => item.number().map(|number| Quantity::new(number, Unit::one())),
    };
    quantity.map(|quantity| Item::Quantity(Box::new(quantity)))
}

fn moment<'a>(item: &Item<'a>, form: Form) -> Option<Item<'a>> {
    let moment = match item {
        Item::Moment(moment) => match (moment.form, form) {
            (Form::Date, Form::DateTime) => Some(moment.date_time()),
            (Form::DateTime, Form::Date) => Some(moment.date()),
            (had, wanted) => (had == wanted).then_some(*moment),
        },
        // A text of a dateTime is a date too, as far as it goes.
        Item::Text(text) if form == Form::Date => Moment::parse(text, Form::DateTime).map(Moment::date),
        Item::Text(text) => Moment::parse(text, form),
        _ => None,
    };
    moment.map(Item::Moment)
}

/// As it is written in a text; `None` for what is no single value.
pub fn text<'a>(item: &Item<'a>) -> Option<Cow<'a, str>> {
    Some(match item {
        Item::Text(text) => text.clone(),
        Item::Boolean(value) => (if *value { "true" } else { "false" }).into(),
        Item::Integer(number) => number.to_string().into(),
        Item::Decimal(number) => number.to_string().into(),
        Item::Moment(moment) => moment.to_string().into(),
        Item::Quantity(quantity) => quantity.to_string().into(),
        Item::Node(_) | Item::Type(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::fhir::fhirpath::tests::{all, none};

    #[test]
    fn values_are_converted_or_nothing() {
        all(&[
            ("'1'.toInteger() | '1.1'.toInteger() | true.toInteger()", "1"),
            ("'-7'.toInteger()", "-7"),
            ("'1.50'.toDecimal()", "1.50"),
            ("'1e3'.toDecimal()", ""),
            ("true.toDecimal()", "1"),
            ("'Yes'.toBoolean() | 'n'.toBoolean()", "true, false"),
            ("2.toBoolean()", ""),
            ("1.0.toBoolean()", "true"),
            ("1.0.toString()", "1.0"),
            ("4 days.toString() & '|' & 1 'mg'.toString() & '|' & 1 day.toString()", "4 days|1 'mg'|1 day"),
            ("'4 days'.toQuantity()", "4 days"),
            ("'10.5 \\'mg\\''.toQuantity()", "10.5 'mg'"),
            ("'4 wk'.toQuantity()", ""),
            ("'4days'.toQuantity()", ""),
            ("'2015-02-04T14:34'.toDateTime()", "2015-02-04T14:34"),
            ("'2015-02-04T14:34'.toDate()", "2015-02-04"),
            ("@2015.toDateTime()", "2015"),
            ("'14:34:28.123'.toTime()", "14:34:28.123"),
            ("'25:00'.toTime()", ""),
            ("'2015-02-30'.convertsToDate()", "false"),
            ("birthDate.toString()", "1980-05"),
            ("active.convertsToInteger()", "true"),
            ("name.first().convertsToString()", "false"),
            ("{}.toInteger()", ""),
        ]);
        none(&[("name.toInteger()", "found 2 items")]);
    }
}
