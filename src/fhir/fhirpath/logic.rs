//! Three-valued logic (N1, 6.5): true, false, and nothing. Comparisons and tests come here first, so that an
//! invariant is worked out as booleans and not as lists of them.

use super::catalogue::Function;
use super::evaluate::{Frame, Run};
use super::item::Item;
use super::scope::Failure;
use super::tree::{Call, Expr, Operator};

/// `None` is nothing: neither true nor false.
pub type Truth = Result<Option<bool>, Failure>;

impl<'a> Run<'a> {
    /// As a criterion: one item that is no boolean is true (N1, 5.1.1: singleton evaluation).
    pub fn truth(&self, tree: &'a Expr, frame: &Frame<'_, 'a>) -> Truth {
        match tree {
            Expr::Binary(binary) if binary.0.is_boolean() => {
                self.pay(1)?;
                self.compared(binary.0, &binary.1, &binary.2, frame)
            }
            Expr::Call(call) => match self.tested(call, frame)? {
                Some(truth) => Ok(truth),
                None => self.singleton(self.call(call, frame)?.as_slice()),
            },
            tree => self.singleton(self.items(tree, frame)?.as_slice()),
        }
    }

    /// As an invariant: nothing is false, and several items are true.
    pub fn holds(&self, tree: &'a Expr, frame: &Frame<'_, 'a>) -> Result<bool, Failure> {
        match tree {
            Expr::Binary(binary) if binary.0.is_boolean() => Ok(self.truth(tree, frame)?.unwrap_or(false)),
            Expr::Call(call) => match self.tested(call, frame)? {
                Some(truth) => Ok(truth.unwrap_or(false)),
                None => Ok(self.as_invariant(self.call(call, frame)?.as_slice())),
            },
            tree => Ok(self.as_invariant(self.items(tree, frame)?.as_slice())),
        }
    }

    fn as_invariant(&self, items: &[Item<'a>]) -> bool {
        match items {
            [] => false,
            [item] => self.boolean(item).unwrap_or(true),
            _ => true,
        }
    }

    pub fn singleton(&self, items: &[Item<'a>]) -> Truth {
        match items {
            [] => Ok(None),
            [item] => Ok(Some(self.boolean(item).unwrap_or(true))),
            many => Err(Failure::Wrong(format!("expected a boolean, found {} items", many.len()))),
        }
    }

    fn boolean(&self, item: &Item<'a>) -> Option<bool> {
        match item {
            Item::Boolean(value) => Some(*value),
            Item::Node(node) => node.value().and_then(serde_json::Value::as_bool),
            _ => None,
        }
    }

    /// Functions that answer with a boolean and need no list for it; `None` for all others.
    pub fn tested(&self, call: &'a Call, frame: &Frame<'_, 'a>) -> Result<Option<Option<bool>>, Failure> {
        self.pay(1)?;
        let answer = match (call.function, call.args.first()) {
            (Function::Exists, None) => Some(self.any(&call.on, frame)?),
            (Function::Empty, None) => Some(!self.any(&call.on, frame)?),
            (Function::Not, _) => self.truth(&call.on, frame)?.map(|truth| !truth),
            (Function::Exists, Some(criterion)) => Some(self.first_match(call, criterion, true, frame)?),
            (Function::All, Some(criterion)) => Some(!self.first_match(call, criterion, false, frame)?),
            _ => return Ok(None),
        };
        Ok(Some(answer))
    }

    /// Whether for any item the criterion is true, or is not.
    fn first_match(
        &self,
        call: &'a Call,
        criterion: &'a Expr,
        wanted: bool,
        frame: &Frame<'_, 'a>,
    ) -> Result<bool, Failure> {
        let items = self.items(&call.on, frame)?;
        for (index, item) in items.iter().enumerate() {
            if (self.truth(criterion, &frame.of(item, index))? == Some(true)) == wanted {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub fn compared(&self, operator: Operator, left: &'a Expr, right: &'a Expr, frame: &Frame<'_, 'a>) -> Truth {
        use Operator::*;
        match operator {
            And => Ok(match self.truth(left, frame)? {
                Some(false) => Some(false),
                left => match (left, self.truth(right, frame)?) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
            }),
            Or => Ok(match self.truth(left, frame)? {
                Some(true) => Some(true),
                left => match (left, self.truth(right, frame)?) {
                    (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
            }),
            Implies => Ok(match self.truth(left, frame)? {
                Some(false) => Some(true),
                left => match (left, self.truth(right, frame)?) {
                    (_, Some(true)) => Some(true),
                    (Some(true), Some(false)) => Some(false),
                    _ => None,
                },
            }),
            Xor => {
                let (left, right) = (self.truth(left, frame)?, self.truth(right, frame)?);
                Ok(left.zip(right).map(|(left, right)| left != right))
            }
            _ => {
                let (left, right) = (self.items(left, frame)?, self.items(right, frame)?);
                match operator {
                    Equal => self.are_equal(left.as_slice(), right.as_slice()),
                    NotEqual => Ok(self.are_equal(left.as_slice(), right.as_slice())?.map(|equal| !equal)),
                    Equivalent => Ok(Some(self.are_equivalent(left.as_slice(), right.as_slice())?)),
                    NotEquivalent => Ok(Some(!self.are_equivalent(left.as_slice(), right.as_slice())?)),
                    In => self.contains(&right, &left),
                    Contains => self.contains(&left, &right),
                    operator => self.in_order(operator, &left, &right),
                }
            }
        }
    }

    fn contains(&self, all: &super::item::Items<'a>, one: &super::item::Items<'a>) -> Truth {
        match self.only(one, "one item")? {
            Some(item) => self.is_among(item, all.as_slice()).map(Some),
            None => Ok(None),
        }
    }
}

impl Operator {
    pub fn is_boolean(self) -> bool {
        use Operator::*;
        !matches!(self, Times | Divide | Div | Mod | Plus | Minus | Concatenate | Union)
    }
}
