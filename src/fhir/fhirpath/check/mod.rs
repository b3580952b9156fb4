//! Whether an expression can be meant for a type: a walk over its tree with types instead of data.
//!
//! It refuses only what can give no sensible answer for any resource: an element that no possible type has, an
//! operator on what it cannot take. Of a type without a definition, of any resource and of what a reference leads to
//! nothing is known, and everything goes.

mod call;
mod operator;

use std::cell::Cell;

use super::model::{Content, Kind, Model, System};
use super::node::Name;
use super::tree::{Expr, Literal, Test, TypeName, Typed, Variable};

/// What in an expression cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    pub why: String,
}

/// What a part of an expression may give.
#[derive(Clone, Debug, PartialEq)]
struct Static {
    /// `None`: anything. Empty: nothing at all.
    types: Option<Vec<Type>>,
    /// `children()` come in no order that could be relied on (N1, 5.8).
    is_ordered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Type {
    Fhir(Kind),
    System(System),
}

type Checked = Result<Static, Misuse>;

pub fn check(tree: &Expr, context: Kind, model: &Model) -> Result<(), Misuse> {
    let this = Static::of(Type::Fhir(context));
    let left = Cell::new(PARTS_MAX);
    let checker = Checker { model, context: this.clone(), is_exploring: false, left: &left };
    checker.check(tree, &this).map(|_| ())
}

/// Parts looked at: of `repeat()` within `repeat()` each multiplies.
const PARTS_MAX: u32 = 50_000;

struct Checker<'m> {
    model: &'m Model,
    context: Static,
    left: &'m Cell<u32>,
    /// Gathering which types `repeat()` comes by: an unknown element is then only not there.
    is_exploring: bool,
}

impl Static {
    fn any() -> Static {
        Static { types: None, is_ordered: true }
    }

    fn nothing() -> Static {
        Static { types: Some(Vec::new()), is_ordered: true }
    }

    fn of(one: Type) -> Static {
        Static { types: Some(vec![one]), is_ordered: true }
    }

    fn system(system: System) -> Static {
        Static::of(Type::System(system))
    }

    /// What either may give.
    fn or(self, other: Static) -> Static {
        let types = self.types.zip(other.types).map(|(mut types, more)| {
            types.extend(more.into_iter().filter(|one| !types.contains(one)).collect::<Vec<_>>());
            types
        });
        Static { types, is_ordered: true }
    }
}

fn misuse<T>(why: String) -> Result<T, Misuse> {
    Err(Misuse { why })
}

impl Checker<'_> {
    fn check(&self, tree: &Expr, this: &Static) -> Checked {
        match self.left.get().checked_sub(1) {
            Some(left) => self.left.set(left),
            None => return misuse("the expression repeats too much within itself".into()),
        }
        match tree {
            Expr::Empty => Ok(Static::nothing()),
            Expr::Literal(literal) => Ok(Static::system(literal.system())),
            Expr::This => Ok(this.clone()),
            Expr::Index => Ok(Static::system(System::Integer)),
            Expr::Total => Ok(Static::any()),
            Expr::Variable(variable) => Ok(self.variable(variable)),
            Expr::Entry(name) => self.entry(name, this),
            Expr::Member(on, name) => self.member(&self.check(on, this)?, name),
            Expr::At(on, index) => {
                self.check(index, this)?;
                self.in_order(self.check(on, this)?, "an index")
            }
            Expr::Call(call) => self.call(call, this),
            Expr::Typed(typed) => self.typed(typed, this),
            Expr::Negative(on) => {
                let found = self.check(on, this)?;
                self.expect_number(&found, "`-`")?;
                Ok(found)
            }
            Expr::Positive(on) => self.check(on, this),
            Expr::Binary(binary) => {
                let (operator, left, right) = &**binary;
                self.operator(*operator, self.check(left, this)?, self.check(right, this)?)
            }
        }
    }

    fn variable(&self, variable: &Variable) -> Static {
        let is_resource = |one: &Type| matches!(one, Type::Fhir(kind) if self.model.shape(*kind).is_resource);
        match variable {
            Variable::Context => self.context.clone(),
            Variable::Resource if self.context.types.iter().flatten().all(is_resource) => self.context.clone(),
            _ => Static::any(),
        }
    }

    fn entry(&self, name: &Name, this: &Static) -> Checked {
        let Some(types) = &this.types else { return Ok(Static::any()) };
        let named = self.model.kind(&name.plain);
        let is_of = |one: &Type| matches!(one, Type::Fhir(kind) if self.model.is(*kind, named));
        if named != Kind::UNKNOWN && types.iter().any(is_of) {
            return Ok(this.clone());
        }
        // `Patient.name` may be said of what is only known to be some resource.
        let may_be =
            |one: &Type| matches!(one, Type::Fhir(kind) if *kind == Kind::UNKNOWN || self.model.is(named, *kind));
        if types.iter().any(may_be) {
            return Ok(Static::of(Type::Fhir(named)));
        }
        if named != Kind::UNKNOWN && !types.is_empty() {
            return misuse(format!("a path of {} cannot begin with `{}`", self.names(types), name.plain));
        }
        self.member(this, name)
    }

    fn member(&self, on: &Static, name: &Name) -> Checked {
        let Some(types) = &on.types else { return Ok(Static::any()) };
        let (mut found, mut is_known) = (Static::nothing(), types.is_empty());
        for one in types {
            let Type::Fhir(kind) = one else { continue };
            let shape = self.model.shape(*kind);
            match shape.field(&name.plain) {
                Some(field) => {
                    is_known = true;
                    let of_field = match &field.content {
                        Content::Resource => Static::any(),
                        _ => Static {
                            types: Some(field.kinds().into_iter().map(Type::Fhir).collect()),
                            is_ordered: true,
                        },
                    };
                    found = found.or(of_field);
                }
                None if shape.is_open => return Ok(Static::any()),
                None => {}
            }
        }
        if !is_known && !self.is_exploring {
            return misuse(format!("`{}` is no element of {}", name.plain, self.names(types)));
        }
        Ok(found)
    }

    fn typed(&self, typed: &Typed, this: &Static) -> Checked {
        self.check(&typed.on, this)?;
        let TypeName { namespace, name } = &typed.type_name;
        let kind = self.model.kind(name);
        let system = System::named(name).filter(|_| namespace.as_deref() != Some("FHIR"));
        if kind == Kind::UNKNOWN && system.is_none() && namespace.as_deref() != Some("System") {
            return misuse(format!("`{name}` is no type that is known here"));
        }
        if matches!(typed.test, Test::Is | Test::IsOperator) {
            return Ok(Static::system(System::Boolean));
        }
        let fhir = Some(kind).filter(|kind| *kind != Kind::UNKNOWN && namespace.as_deref() != Some("System"));
        let types = fhir.map(Type::Fhir).into_iter().chain(system.map(Type::System)).collect();
        Ok(Static { types: Some(types), is_ordered: true })
    }

    fn in_order(&self, on: Static, what: &str) -> Checked {
        if on.is_ordered { Ok(on) } else { misuse(format!("{what} needs an order, and children have none")) }
    }

    /// What it may be as a value; `None` where that is not known.
    fn systems(&self, on: &Static) -> Option<Vec<System>> {
        let mut systems = Vec::new();
        for one in on.types.as_ref()? {
            match one {
                Type::System(system) => systems.push(*system),
                Type::Fhir(kind) => {
                    let shape = self.model.shape(*kind);
                    match shape.system {
                        Some(system) => systems.push(system),
                        None if shape.is_open => return None,
                        None => {}
                    }
                }
            }
        }
        Some(systems)
    }

    fn expect(&self, on: &Static, fits: impl Fn(System) -> bool, what: &str) -> Result<(), Misuse> {
        let is_nothing = on.types.as_ref().is_some_and(Vec::is_empty);
        match self.systems(on) {
            Some(systems) if !is_nothing && !systems.iter().any(|system| fits(*system)) => {
                let types = on.types.as_deref().unwrap_or_default();
                misuse(format!("{what} cannot take {}", self.names(types)))
            }
            _ => Ok(()),
        }
    }

    fn expect_number(&self, on: &Static, what: &str) -> Result<(), Misuse> {
        self.expect(on, |system| matches!(system, System::Integer | System::Decimal | System::Quantity), what)
    }

    fn names(&self, types: &[Type]) -> String {
        let names: Vec<&str> = types
            .iter()
            .map(|one| match one {
                Type::Fhir(kind) => self.model.name(*kind),
                Type::System(system) => system.name(),
            })
            .collect();
        match &names[..] {
            [] => "nothing".into(),
            [one] => (*one).into(),
            [one, two] => format!("{one} or {two}"),
            [one, ..] => format!("{one} or {} others", names.len() - 1),
        }
    }
}

impl Literal {
    fn system(&self) -> System {
        self.item().system().unwrap_or(System::Text)
    }
}
