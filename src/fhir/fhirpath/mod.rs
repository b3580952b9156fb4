//! FHIRPath (N1, http://hl7.org/fhirpath/N1) with FHIR's additions (R4 fhirpath.html): one engine for invariants,
//! search parameters, patches and extraction.
//!
//! An expression is read once into a tree whose names and literals are resolved, and evaluated against resources as
//! they are: nodes point into the JSON, nothing of it is copied. What the types are is told by a [`Model`], what lies
//! beyond the resource by [`Surroundings`]; there is no I/O and no clock here. Depth, time and the size of results are
//! bounded for any expression and any resource, and no input makes it panic.
//!
//! ```text
//! let invariant = Expression::parse("code.empty() or system.exists()")?;
//! let scope = Scope::new(&model, Node::resource(&value, &model));
//! invariant.holds(quantity, &scope)?
//! ```

mod arithmetic;
mod catalogue;
mod check;
mod decimal;
mod equal;
mod evaluate;
mod function;
mod item;
mod logic;
mod model;
mod moment;
mod node;
mod parse;
mod quantity;
mod scope;
mod token;
mod tree;
mod types;

#[cfg(test)]
mod tests;

pub use check::Misuse;
pub use item::{Item, TypeInfo};
pub use model::{Definition, Element, Kind, Model, System};
pub use moment::Moment;
pub use node::Node;
pub use quantity::{Quantity, Unit, is_ucum};
pub use scope::{Budget, Coded, Failure, Resolved, Scope, Surroundings};
pub use token::Unreadable;

use evaluate::{Frame, Run};

/// An expression, read once and evaluated often.
#[derive(Clone, Debug)]
pub struct Expression {
    tree: tree::Expr,
}

impl Expression {
    /// # Errors
    /// Where it is no FHIRPath, and what was expected there.
    pub fn parse(text: &str) -> Result<Expression, Unreadable> {
        Ok(Expression { tree: parse::parse(text)? })
    }

    /// What it gives for an element; that element is its `%context`.
    ///
    /// # Errors
    /// That it does not fit what it found, that something cannot be known here, or that it costs too much.
    pub fn evaluate<'a>(&'a self, context: Node<'a>, scope: &'a Scope<'a>) -> Result<Vec<Item<'a>>, Failure> {
        let this = [Item::Node(context)];
        let run = Run::new(scope, context);
        Ok(run.items(&self.tree, &Frame::new(&this))?.into_vec())
    }

    /// Whether it holds, as an invariant: nothing is false, one boolean is itself, anything else is true.
    ///
    /// # Errors
    /// As [`Expression::evaluate`].
    pub fn holds<'a>(&'a self, context: Node<'a>, scope: &'a Scope<'a>) -> Result<bool, Failure> {
        let this = [Item::Node(context)];
        let run = Run::new(scope, context);
        run.holds(&self.tree, &Frame::new(&this))
    }

    /// Whether it can be meant for elements of that type: that it names only elements which they have, and applies
    /// operators and functions to what they can take. Of what has no definition, everything can be meant.
    ///
    /// # Errors
    /// The first part that cannot.
    pub fn check(&self, context: Kind, model: &Model) -> Result<(), Misuse> {
        check::check(&self.tree, context, model)
    }
}
