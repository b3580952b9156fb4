//! What an expression works on: items, each a place in a resource or a value of FHIRPath's own.

use std::borrow::Cow;

use rust_decimal::Decimal;

use super::model::System;
use super::moment::{Form, Moment};
use super::node::Node;
use super::quantity::Quantity;

#[derive(Clone, Debug, PartialEq)]
pub enum Item<'a> {
    Node(Node<'a>),
    Boolean(bool),
    Integer(i32),
    Decimal(Decimal),
    Text(Cow<'a, str>),
    Moment(Moment),
    Quantity(Box<Quantity>),
    /// What `type()` answers.
    Type(Box<TypeInfo>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeInfo {
    pub namespace: &'static str,
    pub name: String,
}

impl<'a> Item<'a> {
    pub fn text(text: impl Into<Cow<'a, str>>) -> Item<'a> {
        Item::Text(text.into())
    }

    /// The type of a value of FHIRPath's own.
    pub fn system(&self) -> Option<System> {
        Some(match self {
            Item::Node(_) | Item::Type(_) => return None,
            Item::Boolean(_) => System::Boolean,
            Item::Integer(_) => System::Integer,
            Item::Decimal(_) => System::Decimal,
            Item::Text(_) => System::Text,
            Item::Moment(moment) => match moment.form {
                Form::Date => System::Date,
                Form::DateTime => System::DateTime,
                Form::Time => System::Time,
            },
            Item::Quantity(_) => System::Quantity,
        })
    }

    /// A number, whole or not.
    pub fn number(&self) -> Option<Decimal> {
        match self {
            Item::Integer(number) => Some(Decimal::from(*number)),
            Item::Decimal(number) => Some(*number),
            _ => None,
        }
    }

    pub fn as_node(&self) -> Option<Node<'a>> {
        match self {
            Item::Node(node) => Some(*node),
            _ => None,
        }
    }
}

impl System {
    pub const ALL: [System; 8] = [
        System::Boolean,
        System::Integer,
        System::Decimal,
        System::Text,
        System::Date,
        System::DateTime,
        System::Time,
        System::Quantity,
    ];

    pub fn name(self) -> &'static str {
        match self {
            System::Boolean => "Boolean",
            System::Integer => "Integer",
            System::Decimal => "Decimal",
            System::Text => "String",
            System::Date => "Date",
            System::DateTime => "DateTime",
            System::Time => "Time",
            System::Quantity => "Quantity",
        }
    }

    pub fn named(name: &str) -> Option<System> {
        System::ALL.into_iter().find(|system| system.name() == name)
    }
}

/// What an expression gives: mostly nothing or one item, and those are not worth an allocation.
#[derive(Clone, Debug, PartialEq, Default)]
pub enum Items<'a> {
    #[default]
    None,
    One(Item<'a>),
    Many(Vec<Item<'a>>),
}

impl<'a> Items<'a> {
    pub fn push(&mut self, item: Item<'a>) {
        *self = match std::mem::take(self) {
            Items::None => Items::One(item),
            Items::One(first) => Items::Many(vec![first, item]),
            Items::Many(mut all) => {
                all.push(item);
                Items::Many(all)
            }
        };
    }

    pub fn as_slice(&self) -> &[Item<'a>] {
        match self {
            Items::None => &[],
            Items::One(item) => std::slice::from_ref(item),
            Items::Many(all) => all,
        }
    }

    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    pub fn iter(&self) -> std::slice::Iter<'_, Item<'a>> {
        self.as_slice().iter()
    }

    pub fn into_vec(self) -> Vec<Item<'a>> {
        match self {
            Items::None => Vec::new(),
            Items::One(item) => vec![item],
            Items::Many(all) => all,
        }
    }
}

impl<'a> From<Option<Item<'a>>> for Items<'a> {
    fn from(item: Option<Item<'a>>) -> Self {
        item.map_or(Items::None, Items::One)
    }
}

impl<'a> From<Vec<Item<'a>>> for Items<'a> {
    fn from(mut all: Vec<Item<'a>>) -> Self {
        match all.len() {
            0 => Items::None,
            1 => all.pop().into(),
            _ => Items::Many(all),
        }
    }
}

impl<'a> FromIterator<Item<'a>> for Items<'a> {
    fn from_iter<I: IntoIterator<Item = Item<'a>>>(items: I) -> Self {
        let mut all = Items::None;
        items.into_iter().for_each(|item| all.push(item));
        all
    }
}
