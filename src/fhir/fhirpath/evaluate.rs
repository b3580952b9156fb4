//! The walk over an expression's tree.
//!
//! INVARIANT: what recurses here is the tree, whose height is bounded when it is read; data are walked by loops.

use std::cell::Cell;
use std::ops::ControlFlow;

use super::item::{Item, Items};
use super::model::Model;
use super::node::{Name, Node};
use super::scope::{Failure, Scope};
use super::tree::{Expr, Literal, Operator, Variable};

/// One evaluation: what it may ask, and what is left to spend.
pub struct Run<'a> {
    pub scope: &'a Scope<'a>,
    pub context: Node<'a>,
    steps: Cell<u32>,
    bytes: Cell<u32>,
}

/// What `$this`, `$index` and `$total` are where an expression is evaluated.
#[derive(Clone, Copy)]
pub struct Frame<'f, 'a> {
    pub this: &'f [Item<'a>],
    pub index: usize,
    pub total: &'f [Item<'a>],
}

impl<'f, 'a> Frame<'f, 'a> {
    pub fn new(this: &'f [Item<'a>]) -> Frame<'f, 'a> {
        Frame { this, index: 0, total: &[] }
    }

    /// The same with another `$this`.
    pub fn of(&self, item: &'f Item<'a>, index: usize) -> Frame<'f, 'a> {
        Frame { this: std::slice::from_ref(item), index, total: self.total }
    }
}

pub type Found<'a> = Result<Items<'a>, Failure>;

impl<'a> Run<'a> {
    pub fn new(scope: &'a Scope<'a>, context: Node<'a>) -> Run<'a> {
        Run { scope, context, steps: Cell::new(scope.budget.steps), bytes: Cell::new(scope.budget.bytes) }
    }

    pub fn model(&self) -> &'a Model {
        self.scope.model
    }

    /// Pays for work that grows with the data.
    pub fn pay(&self, steps: usize) -> Result<(), Failure> {
        let left = self.steps.get().checked_sub(u32::try_from(steps).unwrap_or(u32::MAX));
        self.steps.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(Failure::TooCostly("the expression takes more steps than it may"))
    }

    /// Pays for text that is made.
    pub fn pay_text(&self, bytes: usize) -> Result<(), Failure> {
        let left = self.bytes.get().checked_sub(u32::try_from(bytes).unwrap_or(u32::MAX));
        self.bytes.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or(Failure::TooCostly("the expression makes more text than it may"))
    }

    pub fn items(&self, tree: &'a Expr, frame: &Frame<'_, 'a>) -> Found<'a> {
        self.pay(1)?;
        match tree {
            Expr::Empty => Ok(Items::None),
            Expr::Literal(literal) => Ok(Items::One(literal.item())),
            Expr::This => Ok(frame.this.iter().cloned().collect()),
            Expr::Index => Ok(Items::One(Item::Integer(i32::try_from(frame.index).unwrap_or(i32::MAX)))),
            Expr::Total => Ok(frame.total.iter().cloned().collect()),
            Expr::Variable(variable) => self.variable(variable),
            Expr::Entry(name) if self.is_entered(name, frame) => Ok(frame.this.iter().cloned().collect()),
            Expr::Entry(name) => self.members(frame.this, name),
            Expr::Member(on, name) => match &**on {
                Expr::This => self.members(frame.this, name),
                on => self.members(self.items(on, frame)?.as_slice(), name),
            },
            Expr::At(on, index) => {
                let index = self.items(index, frame)?;
                let found = self.items(on, frame)?;
                match self.whole(&index, "an index")? {
                    Some(index) => Ok(usize::try_from(index).ok().and_then(|at| found.iter().nth(at).cloned()).into()),
                    None => Ok(Items::None),
                }
            }
            Expr::Call(call) => self.call(call, frame),
            Expr::Typed(typed) => self.typed(typed, frame),
            Expr::Negative(on) => self.negated(self.items(on, frame)?),
            Expr::Positive(on) => self.items(on, frame),
            Expr::Binary(binary) => {
                let (operator, left, right) = &**binary;
                self.binary(*operator, left, right, frame)
            }
        }
    }

    /// A path may begin with the type that it is about (N1, 4).
    fn is_entered(&self, name: &Name, frame: &Frame<'_, 'a>) -> bool {
        match frame.this {
            [Item::Node(node)] => self.model().is_named(node.kind(), &name.plain),
            _ => false,
        }
    }

    fn members(&self, on: &[Item<'a>], name: &Name) -> Found<'a> {
        let mut found = Items::None;
        for item in on {
            match item {
                Item::Node(node) => {
                    self.is_reachable(*node)?;
                    let _ = node.each(name, self.model(), &mut |member| {
                        found.push(Item::Node(member));
                        ControlFlow::Continue(())
                    });
                }
                Item::Type(info) => {
                    let part = match &*name.plain {
                        "name" => Some(info.name.clone()),
                        "namespace" => Some(info.namespace.to_string()),
                        _ => None,
                    };
                    part.into_iter().for_each(|part| found.push(Item::text(part)));
                }
                _ => {}
            }
        }
        self.pay(found.len())?;
        Ok(found)
    }

    /// Whether there is any, without gathering them.
    pub fn any(&self, tree: &'a Expr, frame: &Frame<'_, 'a>) -> Result<bool, Failure> {
        let Expr::Member(on, name) = tree else { return Ok(!self.items(tree, frame)?.is_empty()) };
        self.pay(1)?;
        match &**on {
            Expr::This => self.any_member(frame.this, name),
            on => self.any_member(self.items(on, frame)?.as_slice(), name),
        }
    }

    fn any_member(&self, on: &[Item<'a>], name: &Name) -> Result<bool, Failure> {
        for item in on {
            match item {
                Item::Node(node) => {
                    self.is_reachable(*node)?;
                    if node.each(name, self.model(), &mut |_| ControlFlow::Break(())).is_break() {
                        return Ok(true);
                    }
                }
                other => {
                    if !self.members(std::slice::from_ref(other), name)?.is_empty() {
                        return Ok(true);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Of what a reference leads to perhaps only the type is known.
    pub fn is_reachable(&self, node: Node<'a>) -> Result<(), Failure> {
        if node.is_hollow() {
            return Err(Failure::Unknown("the reference leads to a resource that is not at hand".into()));
        }
        Ok(())
    }

    fn variable(&self, variable: &'a Variable) -> Found<'a> {
        let node = |node| Ok(Items::One(Item::Node(node)));
        match variable {
            Variable::Context => node(self.context),
            Variable::Resource => node(self.scope.resource),
            Variable::RootResource => node(self.scope.root),
            Variable::Other(name) => match self.scope.variables.iter().find(|(known, _)| **known == **name) {
                Some((_, items)) => Ok(items.clone().into()),
                None => Err(Failure::Wrong(format!("`%{name}` is no variable here"))),
            },
        }
    }

    fn binary(&self, operator: Operator, left: &'a Expr, right: &'a Expr, frame: &Frame<'_, 'a>) -> Found<'a> {
        use Operator::*;
        match operator {
            Union => {
                let mut found = self.items(left, frame)?.into_vec();
                found.extend(self.items(right, frame)?.into_vec());
                Ok(self.distinct(found)?.into())
            }
            Times | Divide | Div | Mod | Plus | Minus | Concatenate => {
                let (left, right) = (self.items(left, frame)?, self.items(right, frame)?);
                self.arithmetic(operator, &left, &right)
            }
            _ => Ok(self.compared(operator, left, right, frame)?.map(Item::Boolean).into()),
        }
    }

    /// The only item, when there is one.
    ///
    /// # Errors
    /// That there are several: nobody knows which is meant.
    pub fn only<'f>(&self, items: &'f Items<'a>, what: &str) -> Result<Option<&'f Item<'a>>, Failure> {
        match items.as_slice() {
            [] => Ok(None),
            [item] => Ok(Some(item)),
            many => Err(Failure::Wrong(format!("expected {what}, found {} items", many.len()))),
        }
    }

    /// The only item as a value; a primitive that has only extensions has none.
    pub fn value(&self, items: &Items<'a>, what: &str) -> Result<Option<Item<'a>>, Failure> {
        let simple = self.only(items, what)?.map(|item| self.simple(item));
        let is_bare = |node: Node<'a>| !node.has_value() && self.model().shape(node.kind()).is_primitive;
        Ok(simple.filter(|item| !item.as_node().is_some_and(is_bare)))
    }

    /// A whole number, as an argument.
    pub fn whole(&self, items: &Items<'a>, what: &str) -> Result<Option<i32>, Failure> {
        match self.value(items, what)? {
            None => Ok(None),
            Some(Item::Integer(number)) => Ok(Some(number)),
            Some(_) => Err(Failure::Wrong(format!("expected {what}, which is a whole number"))),
        }
    }
}

impl Literal {
    pub fn item(&self) -> Item<'_> {
        match self {
            Literal::Boolean(value) => Item::Boolean(*value),
            Literal::Integer(number) => Item::Integer(*number),
            Literal::Decimal(number) => Item::Decimal(*number),
            Literal::Text(text) => Item::text(&**text),
            Literal::Moment(moment) => Item::Moment(*moment),
            Literal::Quantity(quantity) => Item::Quantity(quantity.clone()),
        }
    }
}
