//! Which operands an operator can take, and what it gives for them.

use super::super::model::System;
use super::super::tree::Operator;
use super::{Checked, Checker, Static, Type, misuse};

impl Checker<'_> {
    pub fn operator(&self, operator: Operator, left: Static, right: Static) -> Checked {
        use Operator::*;
        match operator {
            Union => Ok(left.or(right)),
            Times | Divide | Div | Mod | Plus | Minus | Concatenate => self.calculated(operator, &left, &right),
            Less | LessOrEqual | Greater | GreaterOrEqual => {
                self.calculated(operator, &left, &right)?;
                Ok(Static::system(System::Boolean))
            }
            _ => Ok(Static::system(System::Boolean)),
        }
    }

    /// By each pair of what the operands may be: at least one must do.
    fn calculated(&self, operator: Operator, left: &Static, right: &Static) -> Checked {
        let is_nothing = |side: &Static| side.types.as_ref().is_some_and(Vec::is_empty);
        if is_nothing(left) || is_nothing(right) {
            return Ok(Static::any());
        }
        let (Some(lefts), Some(rights)) = (self.systems(left), self.systems(right)) else { return Ok(Static::any()) };
        let pairs = lefts.iter().flat_map(|left| rights.iter().map(move |right| (*left, *right)));
        let mut types: Vec<Type> = Vec::new();
        for given in pairs.filter_map(|(left, right)| given(operator, left, right)).map(Type::System) {
            if !types.contains(&given) {
                types.push(given);
            }
        }
        if types.is_empty() {
            let names = |side: &Static| self.names(side.types.as_deref().unwrap_or_default());
            return misuse(format!("`{}` cannot take {} and {}", operator.sign(), names(left), names(right)));
        }
        Ok(Static { types: Some(types), is_ordered: true })
    }
}

fn given(operator: Operator, left: System, right: System) -> Option<System> {
    use Operator::*;
    use System::*;
    let is_number = |system| matches!(system, Integer | Decimal);
    let is_day = |system| matches!(system, Date | DateTime);
    match operator {
        Concatenate => (left == Text && right == Text).then_some(Text),
        Less | LessOrEqual | Greater | GreaterOrEqual => {
            let measured = |one, other| one == Quantity && (other == Quantity || is_number(other));
            let both = |fits: &dyn Fn(System) -> bool| fits(left) && fits(right);
            let fits = both(&is_number)
                || both(&is_day)
                || (left == right && matches!(left, Text | Time))
                || measured(left, right)
                || measured(right, left);
            fits.then_some(Boolean)
        }
        _ => match (left, right) {
            (Text, Text) if operator == Plus => Some(Text),
            (Integer, Integer) if operator != Divide => Some(Integer),
            (Integer | Decimal, Integer | Decimal) if operator == Div => Some(Integer),
            (Integer | Decimal, Integer | Decimal) => Some(Decimal),
            (Date | DateTime | Time, Quantity) if matches!(operator, Plus | Minus) => Some(left),
            (Quantity, Quantity) if !matches!(operator, Div | Mod) => Some(Quantity),
            (Quantity, Integer | Decimal) if matches!(operator, Times | Divide) => Some(Quantity),
            (Integer | Decimal, Quantity) if operator == Times => Some(Quantity),
            _ => None,
        },
    }
}
