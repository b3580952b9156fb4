//! Equality, equivalence and order (N1, 6.1 and 6.2).

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::HashSet;

use serde_json::{Map, Value};

use super::decimal;
use super::evaluate::Run;
use super::item::{Item, Items};
use super::logic::Truth;
use super::model::{Kind, System};
use super::moment::{Form, Moment};
use super::node::Node;
use super::quantity::{Quantity, Unit};
use super::scope::Failure;
use super::tree::Operator;

/// So few items are compared with each other sooner than looked up.
const COMPARED_MAX: usize = 8;

impl<'a> Run<'a> {
    /// A primitive as the value that it is, a Quantity as a quantity; anything else as it was
    /// (R4 fhirpath.html#types).
    pub fn simple(&self, item: &Item<'a>) -> Item<'a> {
        match item {
            Item::Node(node) => self.value_of(*node).unwrap_or_else(|| item.clone()),
            item => item.clone(),
        }
    }

    pub fn value_of(&self, node: Node<'a>) -> Option<Item<'a>> {
        let shape = self.model().shape(node.kind());
        match (node.value()?, shape.system) {
            (Value::Bool(value), _) => Some(Item::Boolean(*value)),
            (Value::Number(number), Some(System::Decimal)) => decimal::parse(number.as_str()).map(Item::Decimal),
            (Value::Number(number), _) => match number.as_str().parse() {
                Ok(whole) => Some(Item::Integer(whole)),
                Err(_) => decimal::parse(number.as_str()).map(Item::Decimal),
            },
            (Value::String(text), system) => {
                let form = match system {
                    Some(System::Date) => Form::Date,
                    Some(System::DateTime) => Form::DateTime,
                    Some(System::Time) => Form::Time,
                    _ => return Some(Item::Text(Cow::Borrowed(text))),
                };
                Some(Moment::parse(text, form).map_or_else(|| Item::text(text.as_str()), Item::Moment))
            }
            (Value::Object(object), Some(System::Quantity)) => {
                quantity(object).map(|quantity| Item::Quantity(Box::new(quantity)))
            }
            _ => None,
        }
    }

    pub fn are_equal(&self, left: &[Item<'a>], right: &[Item<'a>]) -> Truth {
        if left.is_empty() || right.is_empty() {
            return Ok(None);
        }
        if left.len() != right.len() {
            return Ok(Some(false));
        }
        let mut all = Some(true);
        for (left, right) in left.iter().zip(right) {
            match self.is_equal(left, right)? {
                Some(false) => return Ok(Some(false)),
                None => all = None,
                Some(true) => {}
            }
        }
        Ok(all)
    }

    /// `None` where the two cannot be told apart: moments of different precision, units of different dimensions.
    pub fn is_equal(&self, left: &Item<'a>, right: &Item<'a>) -> Truth {
        self.pay(1)?;
        if let (Item::Node(one), Item::Node(two)) = (left, right)
            && (one == two || (one.value().is_some_and(Value::is_object) && two.value().is_some_and(Value::is_object)))
        {
            return Ok(Some(one == two || self.is_same_content(*one, *two)?));
        }
        let (left, right) = self.alike(left, right);
        Ok(match (&left, &right) {
            (Item::Boolean(one), Item::Boolean(two)) => Some(one == two),
            (Item::Integer(one), Item::Integer(two)) => Some(one == two),
            (Item::Text(one), Item::Text(two)) => Some(one == two),
            (Item::Moment(one), Item::Moment(two)) if one.is_of_form(two) => {
                one.compare(two).map(|order| order == Ordering::Equal)
            }
            (Item::Quantity(one), Item::Quantity(two)) => one.compare(two).map(|order| order == Ordering::Equal),
            (Item::Type(one), Item::Type(two)) => Some(one == two),
            (Item::Node(one), Item::Node(two)) => Some(self.is_same_content(*one, *two)?),
            (one, two) => Some(one.number().zip(two.number()).is_some_and(|(one, two)| one == two)),
        })
    }

    /// Both as values; a number beside a quantity is one without a unit, a text of no known type beside a moment is
    /// read as one.
    fn alike(&self, left: &Item<'a>, right: &Item<'a>) -> (Item<'a>, Item<'a>) {
        let untyped = |item: &Item<'a>| item.as_node().is_some_and(|node| node.kind() == Kind::UNKNOWN);
        let (one, two) = (self.simple(left), self.simple(right));
        match (one, two) {
            (Item::Text(text), Item::Moment(moment)) if untyped(left) => {
                (read(text, moment.form), Item::Moment(moment))
            }
            (Item::Moment(moment), Item::Text(text)) if untyped(right) => {
                (Item::Moment(moment), read(text, moment.form))
            }
            (Item::Quantity(quantity), other) if other.number().is_some() => (Item::Quantity(quantity), plain(other)),
            (other, Item::Quantity(quantity)) if other.number().is_some() => (plain(other), Item::Quantity(quantity)),
            both => both,
        }
    }

    fn is_same_content(&self, one: Node<'a>, two: Node<'a>) -> Result<bool, Failure> {
        let same = |one: Option<&Value>, two: Option<&Value>| match (one, two) {
            (Some(one), Some(two)) => self.is_same_json(one, two),
            (one, two) => Ok(one.is_none() && two.is_none()),
        };
        Ok(same(one.value(), two.value())? && same(one.sibling(), two.sibling())?)
    }

    fn is_same_json(&self, one: &Value, two: &Value) -> Result<bool, Failure> {
        let mut pairs = vec![(one, two)];
        while let Some((one, two)) = pairs.pop() {
            self.pay(1)?;
            match (one, two) {
                (Value::Object(one), Value::Object(two)) => {
                    if one.len() != two.len() {
                        return Ok(false);
                    }
                    for (name, value) in one {
                        match two.get(name) {
                            Some(other) => pairs.push((value, other)),
                            None => return Ok(false),
                        }
                    }
                }
                (Value::Array(one), Value::Array(two)) if one.len() == two.len() => pairs.extend(one.iter().zip(two)),
                (Value::Number(one), Value::Number(two)) => {
                    let (one, two) = (one.as_str(), two.as_str());
                    if one != two && decimal::parse(one).is_none_or(|one| decimal::parse(two) != Some(one)) {
                        return Ok(false);
                    }
                }
                (one, two) if one != two => return Ok(false),
                _ => {}
            }
        }
        Ok(true)
    }

    /// Never empty, whatever the order, and forgiving: case and spaces of texts, digits of numbers (N1, 6.1.2).
    pub fn are_equivalent(&self, left: &[Item<'a>], right: &[Item<'a>]) -> Result<bool, Failure> {
        if left.len() != right.len() {
            return Ok(false);
        }
        let mut open: Vec<&Item<'a>> = right.iter().collect();
        for item in left {
            let mut found = None;
            for (at, other) in open.iter().enumerate() {
                if self.is_equivalent(item, other)? {
                    found = Some(at);
                    break;
                }
            }
            match found {
                Some(at) => open.swap_remove(at),
                None => return Ok(false),
            };
        }
        Ok(true)
    }

    fn is_equivalent(&self, left: &Item<'a>, right: &Item<'a>) -> Result<bool, Failure> {
        self.pay(1)?;
        let (one, two) = self.alike(left, right);
        match (&one, &two) {
            (Item::Text(one), Item::Text(two)) => {
                self.pay_text(one.len() + two.len())?;
                Ok(folded(one) == folded(two))
            }
            (Item::Moment(one), Item::Moment(two)) => {
                Ok(one.is_of_form(two) && one.compare(two) == Some(Ordering::Equal))
            }
            (Item::Quantity(one), Item::Quantity(two)) => Ok(one.is_equivalent(two)),
            (one, two) => match one.number().zip(two.number()) {
                Some((one, two)) => Ok(decimal::are_equivalent(one, two)),
                None => Ok(self.is_equal(one, two)?.unwrap_or(false)),
            },
        }
    }

    pub fn in_order(&self, operator: Operator, left: &Items<'a>, right: &Items<'a>) -> Truth {
        let what = "one item on each side of a comparison";
        let (Some(left), Some(right)) = (self.only(left, what)?, self.only(right, what)?) else { return Ok(None) };
        Ok(self.order(left, right)?.map(|order| match operator {
            Operator::Less => order.is_lt(),
            Operator::LessOrEqual => order.is_le(),
            Operator::Greater => order.is_gt(),
            _ => order.is_ge(),
        }))
    }

    /// # Errors
    /// That such items have no order.
    pub fn order(&self, left: &Item<'a>, right: &Item<'a>) -> Result<Option<Ordering>, Failure> {
        let (one, two) = self.alike(left, right);
        match (&one, &two) {
            (Item::Text(one), Item::Text(two)) => Ok(Some(one.cmp(two))),
            (Item::Moment(one), Item::Moment(two)) if one.is_of_form(two) => Ok(one.compare(two)),
            (Item::Quantity(one), Item::Quantity(two)) => Ok(one.compare(two)),
            // Without a value there is nothing to compare: only an extension says why.
            (Item::Node(node), _) | (_, Item::Node(node)) if self.model().shape(node.kind()).system.is_some() => {
                Ok(None)
            }
            (one, two) => match one.number().zip(two.number()) {
                Some((one, two)) => Ok(Some(one.cmp(&two))),
                None => Err(Failure::Wrong("expected two numbers, texts, moments or quantities to compare".into())),
            },
        }
    }

    pub fn is_among(&self, item: &Item<'a>, all: &[Item<'a>]) -> Result<bool, Failure> {
        for other in all {
            if self.is_equal(item, other)? == Some(true) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Without what equals an earlier one.
    pub fn distinct(&self, items: Vec<Item<'a>>) -> Result<Vec<Item<'a>>, Failure> {
        let mut kept: Vec<Item<'a>> = Vec::with_capacity(items.len());
        if items.len() <= COMPARED_MAX {
            for item in items {
                if !self.is_among(&item, &kept)? {
                    kept.push(item);
                }
            }
            return Ok(kept);
        }
        // Many are mostly texts, `linkId` or `fullUrl`, and a text equals only texts: those are looked up.
        let (mut texts, mut others) = (HashSet::new(), Vec::new());
        for item in items {
            self.pay(1)?;
            let is_new = match self.simple(&item) {
                Item::Text(text) => texts.insert(text),
                _ => {
                    let is_new = !self.is_among(&item, &others)?;
                    others.extend(is_new.then(|| item.clone()));
                    is_new
                }
            };
            kept.extend(is_new.then_some(item));
        }
        Ok(kept)
    }
}

impl Moment {
    /// A date may be compared with a dateTime, neither with a time.
    pub fn is_of_form(&self, other: &Moment) -> bool {
        (self.form == Form::Time) == (other.form == Form::Time)
    }
}

/// R4 fhirpath.html#quantity: UCUM's code, or else what the unit is called; one with a comparator is no number.
fn quantity(object: &Map<String, Value>) -> Option<Quantity> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    let Value::Number(number) = object.get("value")? else { return None };
    if object.contains_key("comparator") {
        return None;
    }
    let unit = text("code").or_else(|| text("unit")).map_or_else(Unit::one, Unit::ucum);
    Some(Quantity::new(decimal::parse(number.as_str())?, unit))
}

fn read<'a>(text: Cow<'a, str>, form: Form) -> Item<'a> {
    let form = if form == Form::Time { Form::Time } else { Form::DateTime };
    Moment::parse(&text, form).map_or(Item::Text(text), Item::Moment)
}

fn plain(item: Item<'_>) -> Item<'_> {
    match item.number() {
        Some(number) => Item::Quantity(Box::new(Quantity::new(number, Unit::one()))),
        None => item,
    }
}

fn folded(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
