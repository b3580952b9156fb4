//! An expression, read: names and literals are resolved once, so that evaluating looks nothing up by text.

use regex::Regex;
use rust_decimal::Decimal;

use super::catalogue::Function;
use super::moment::Moment;
use super::node::Name;
use super::quantity::Quantity;

#[derive(Clone, Debug)]
pub enum Expr {
    /// `{}`.
    Empty,
    Literal(Literal),
    /// `$this`, and what a path begins with when it says nothing else.
    This,
    Index,
    Total,
    Variable(Variable),
    /// A name that a path begins with and that looks like a type: `Patient`.
    Entry(Name),
    Member(Box<Expr>, Name),
    At(Box<Expr>, Box<Expr>),
    Call(Box<Call>),
    Typed(Box<Typed>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Binary(Box<(Operator, Expr, Expr)>),
}

#[derive(Clone, Debug)]
pub struct Call {
    pub on: Expr,
    pub function: Function,
    pub args: Vec<Expr>,
    /// Of a regular expression that is written out.
    pub pattern: Option<Regex>,
}

/// `is`, `as` and `ofType`, as operators or as functions.
#[derive(Clone, Debug)]
pub struct Typed {
    pub on: Expr,
    pub test: Test,
    pub type_name: TypeName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Test {
    Is,
    /// As an operator: R4's own invariants write `answer is Boolean` of a FHIR boolean (que-7), and mean it.
    IsOperator,
    As,
    OfType,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeName {
    /// `FHIR`, `System`, or none.
    pub namespace: Option<Box<str>>,
    pub name: Box<str>,
}

#[derive(Clone, Debug)]
pub enum Literal {
    Boolean(bool),
    Integer(i32),
    Decimal(Decimal),
    Text(Box<str>),
    Moment(Moment),
    Quantity(Box<Quantity>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Variable {
    Context,
    Resource,
    RootResource,
    Other(Box<str>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    Times,
    Divide,
    Div,
    Mod,
    Plus,
    Minus,
    Concatenate,
    Union,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    Equivalent,
    NotEqual,
    NotEquivalent,
    In,
    Contains,
    And,
    Or,
    Xor,
    Implies,
}

impl Operator {
    /// As it is written, and how strongly it binds: the higher, the tighter (N1, 6.8).
    pub const ALL: [(Operator, &'static str, u8); 22] = [
        (Operator::Times, "*", 10),
        (Operator::Divide, "/", 10),
        (Operator::Div, "div", 10),
        (Operator::Mod, "mod", 10),
        (Operator::Plus, "+", 9),
        (Operator::Minus, "-", 9),
        (Operator::Concatenate, "&", 9),
        (Operator::Union, "|", 7),
        (Operator::Less, "<", 6),
        (Operator::LessOrEqual, "<=", 6),
        (Operator::Greater, ">", 6),
        (Operator::GreaterOrEqual, ">=", 6),
        (Operator::Equal, "=", 5),
        (Operator::Equivalent, "~", 5),
        (Operator::NotEqual, "!=", 5),
        (Operator::NotEquivalent, "!~", 5),
        (Operator::In, "in", 4),
        (Operator::Contains, "contains", 4),
        (Operator::And, "and", 3),
        (Operator::Or, "or", 2),
        (Operator::Xor, "xor", 2),
        (Operator::Implies, "implies", 1),
    ];
    /// Between `+` and `|`.
    pub const TYPE_TEST_BINDS: u8 = 8;

    pub fn sign(self) -> &'static str {
        Operator::ALL.iter().find(|(operator, ..)| *operator == self).map_or("", |(_, sign, _)| sign)
    }
}

impl Expr {
    /// The parts that it is made of.
    pub fn parts(&self) -> Vec<&Expr> {
        match self {
            Expr::Empty
            | Expr::Literal(_)
            | Expr::This
            | Expr::Index
            | Expr::Total
            | Expr::Variable(_)
            | Expr::Entry(_) => Vec::new(),
            Expr::Member(on, _) | Expr::Negative(on) | Expr::Positive(on) => vec![on],
            Expr::At(on, index) => vec![on, index],
            Expr::Call(call) => std::iter::once(&call.on).chain(&call.args).collect(),
            Expr::Typed(typed) => vec![&typed.on],
            Expr::Binary(binary) => vec![&binary.1, &binary.2],
        }
    }

    /// How many parts are within each other, counted without recursion.
    pub fn height(&self) -> usize {
        let (mut highest, mut open) = (0, vec![(self, 1)]);
        while let Some((tree, height)) = open.pop() {
            highest = highest.max(height);
            open.extend(tree.parts().into_iter().map(|part| (part, height + 1)));
        }
        highest
    }
}
