//! From words to a tree (N1, appendix B).
//!
//! How deep an expression nests is bounded here, so that nothing that walks the tree can run out of stack.

use super::catalogue::Function;
use super::function::pattern;
use super::node::Name;
use super::quantity::{Calendar, Quantity, Unit};
use super::token::{Token, Unreadable, tokens};
use super::tree::{Call, Expr, Literal, Operator, Test, TypeName, Typed, Variable};

/// Longer than any expression of a definition that we have seen.
const BYTES_MAX: usize = 64 * 1024;
/// Brackets, calls and operators within each other, while reading.
const DEPTH_MAX: usize = 160;
/// Parts of the tree within each other, each step of a path one of them: what evaluating recurses through.
const HEIGHT_MAX: usize = 240;

pub fn parse(text: &str) -> Result<Expr, Unreadable> {
    if text.len() > BYTES_MAX {
        return Err(Unreadable { at: BYTES_MAX, why: format!("expected at most {BYTES_MAX} bytes") });
    }
    let mut parser = Parser { tokens: tokens(text)?, at: 0, depth: 0 };
    let tree = parser.expression(0)?;
    if *parser.peek() != Token::End {
        return parser.fail("expected an operator or the end");
    }
    if tree.height() > HEIGHT_MAX {
        return Err(Unreadable { at: 0, why: format!("expected at most {HEIGHT_MAX} parts within each other") });
    }
    Ok(tree)
}

struct Parser {
    tokens: Vec<(usize, Token)>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> &Token {
        self.tokens.get(self.at).map_or(&Token::End, |(_, token)| token)
    }

    fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    fn take(&mut self, sign: &str) -> bool {
        let is_next = matches!(self.peek(), Token::Sign(next) if *next == sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, sign: &str) -> Result<(), Unreadable> {
        if self.take(sign) { Ok(()) } else { self.fail(&format!("expected `{sign}`")) }
    }

    fn fail<T>(&self, why: &str) -> Result<T, Unreadable> {
        let last = self.tokens.last().map_or(0, |(at, _)| *at);
        let at = self.tokens.get(self.at).map_or(last, |(at, _)| *at);
        Err(Unreadable { at, why: why.to_string() })
    }

    fn deeper(&mut self) -> Result<(), Unreadable> {
        self.depth += 1;
        if self.depth > DEPTH_MAX { self.fail(&format!("expected at most {DEPTH_MAX} levels")) } else { Ok(()) }
    }

    /// Operators that bind at least so tightly.
    fn expression(&mut self, least: u8) -> Result<Expr, Unreadable> {
        let entered = self.depth;
        self.deeper()?;
        let mut left = self.unary()?;
        // Each operator puts what is left of it one level down.
        while let Some((operator, binds)) = self.operator().filter(|(_, binds)| *binds >= least) {
            self.at += 1;
            self.deeper()?;
            left = match operator {
                Ok(operator) => Expr::Binary(Box::new((operator, left, self.expression(binds + 1)?))),
                Err(test) => Expr::Typed(Box::new(Typed { on: left, test, type_name: self.type_name()? })),
            };
        }
        self.depth = entered;
        Ok(left)
    }

    fn operator(&self) -> Option<(Result<Operator, Test>, u8)> {
        let word = match self.peek() {
            Token::Sign(sign) => sign,
            Token::Word(word) => word.as_str(),
            _ => return None,
        };
        match word {
            "is" => Some((Err(Test::IsOperator), Operator::TYPE_TEST_BINDS)),
            "as" => Some((Err(Test::As), Operator::TYPE_TEST_BINDS)),
            _ => {
                let known = Operator::ALL.iter().find(|(_, sign, _)| *sign == word);
                known.map(|(operator, _, binds)| (Ok(*operator), *binds))
            }
        }
    }

    fn unary(&mut self) -> Result<Expr, Unreadable> {
        let entered = self.depth;
        self.deeper()?;
        let tree = if self.take("-") {
            Expr::Negative(Box::new(self.unary()?))
        } else if self.take("+") {
            Expr::Positive(Box::new(self.unary()?))
        } else {
            self.path()?
        };
        self.depth = entered;
        Ok(tree)
    }

    fn path(&mut self) -> Result<Expr, Unreadable> {
        let entered = self.depth;
        let mut tree = self.term()?;
        loop {
            if self.take(".") {
                self.deeper()?;
                tree = self.invocation(tree)?;
            } else if self.take("[") {
                self.deeper()?;
                let index = self.expression(0)?;
                self.expect("]")?;
                tree = Expr::At(Box::new(tree), Box::new(index));
            } else {
                self.depth = entered;
                return Ok(tree);
            }
        }
    }

    fn term(&mut self) -> Result<Expr, Unreadable> {
        let literal = match self.peek() {
            Token::Word(word) => match word.as_str() {
                "true" => Literal::Boolean(true),
                "false" => Literal::Boolean(false),
                _ => return self.invocation(Expr::This),
            },
            Token::Quoted(_) => return self.invocation(Expr::This),
            Token::Dollar(_) => return self.dollar(),
            Token::Percent(name) => {
                let tree = variable(name);
                self.at += 1;
                return Ok(tree);
            }
            Token::Sign("(") => {
                self.at += 1;
                let tree = self.expression(0)?;
                self.expect(")")?;
                return Ok(tree);
            }
            Token::Sign("{") => {
                self.at += 1;
                self.expect("}")?;
                return Ok(Expr::Empty);
            }
            Token::Text(text) => Literal::Text(text.as_str().into()),
            Token::Integer(number) => Literal::Integer(*number),
            Token::Decimal(number) => Literal::Decimal(*number),
            Token::Moment(moment) => Literal::Moment(*moment),
            Token::Sign(_) | Token::End => return self.fail("expected a name or a literal"),
        };
        self.at += 1;
        Ok(Expr::Literal(self.with_unit(literal)))
    }

    /// `4 days`, `10 'mg'`.
    fn with_unit(&mut self, literal: Literal) -> Literal {
        let value = match literal {
            Literal::Integer(number) => number.into(),
            Literal::Decimal(number) => number,
            literal => return literal,
        };
        let unit = match self.peek() {
            Token::Text(code) => Unit::ucum(code),
            Token::Word(word) => match Calendar::named(word) {
                Some(calendar) => Unit::Calendar(calendar),
                None => return literal,
            },
            _ => return literal,
        };
        self.at += 1;
        Literal::Quantity(Box::new(Quantity::new(value, unit)))
    }

    fn dollar(&mut self) -> Result<Expr, Unreadable> {
        let tree = match self.peek() {
            Token::Dollar(name) if name == "this" => Expr::This,
            Token::Dollar(name) if name == "index" => Expr::Index,
            Token::Dollar(name) if name == "total" => Expr::Total,
            _ => return self.fail("expected `$this`, `$index` or `$total`"),
        };
        self.at += 1;
        Ok(tree)
    }

    /// An element or a call, on what stands before the dot.
    fn invocation(&mut self, on: Expr) -> Result<Expr, Unreadable> {
        if matches!(self.peek(), Token::Dollar(_)) {
            return self.dollar();
        }
        let (name, is_word) = match self.next() {
            Token::Word(word) => (word, true),
            Token::Quoted(word) => (word, false),
            _ => {
                self.at -= 1;
                return self.fail("expected a name");
            }
        };
        if is_word && self.take("(") {
            return self.call(on, &name);
        }
        if is_word && matches!(on, Expr::This) && RESERVED.contains(&name.as_str()) {
            self.at -= 1;
            return self.fail("expected a name or a literal");
        }
        let begins_path = matches!(on, Expr::This);
        if begins_path && name.starts_with(|first: char| first.is_ascii_uppercase()) {
            return Ok(Expr::Entry(Name::new(&name)));
        }
        Ok(Expr::Member(Box::new(on), Name::new(&name)))
    }

    fn call(&mut self, on: Expr, name: &str) -> Result<Expr, Unreadable> {
        let test = match name {
            "is" => Some(Test::Is),
            "as" => Some(Test::As),
            "ofType" => Some(Test::OfType),
            _ => None,
        };
        if let Some(test) = test {
            let type_name = self.type_name()?;
            self.expect(")")?;
            return Ok(Expr::Typed(Box::new(Typed { on, test, type_name })));
        }
        let Some((function, least, most)) = Function::named(name) else {
            self.at -= 2;
            return self.fail(&format!("`{name}()` is no function of FHIRPath"));
        };
        let mut args = Vec::new();
        while !self.take(")") {
            if !args.is_empty() {
                self.expect(",")?;
            }
            args.push(self.expression(0)?);
        }
        if args.len() < least || args.len() > most {
            let expected = if least == most { least.to_string() } else { format!("{least} to {most}") };
            return self.fail(&format!("`{name}()` takes {expected} arguments, found {}", args.len()));
        }
        let written = match (function, args.first()) {
            (
                Function::Matches | Function::MatchesFull | Function::ReplaceMatches,
                Some(Expr::Literal(Literal::Text(text))),
            ) => Some(text),
            _ => None,
        };
        let pattern = match written.map(|text| pattern(text, function == Function::MatchesFull)) {
            Some(Err(_)) => return self.fail("expected a regular expression"),
            Some(Ok(pattern)) => Some(pattern),
            None => None,
        };
        Ok(Expr::Call(Box::new(Call { on, function, args, pattern })))
    }

    /// `Quantity`, `FHIR.Quantity`, `System.String`.
    fn type_name(&mut self) -> Result<TypeName, Unreadable> {
        let first = self.type_word()?;
        // Behind an operator a dot may also go on with the path of what it gives: a namespace is one of two.
        let is_namespace = matches!(first.as_str(), "FHIR" | "System");
        if is_namespace && self.take(".") {
            let name = self.type_word()?;
            return Ok(TypeName { namespace: Some(first.into()), name: name.into() });
        }
        Ok(TypeName { namespace: None, name: first.into() })
    }

    fn type_word(&mut self) -> Result<String, Unreadable> {
        match self.next() {
            Token::Word(word) | Token::Quoted(word) => Ok(word),
            _ => {
                self.at -= 1;
                self.fail("expected the name of a type")
            }
        }
    }
}

/// Words that no path begins with.
const RESERVED: [&str; 6] = ["and", "or", "xor", "implies", "div", "mod"];

fn variable(name: &str) -> Expr {
    let known = match name {
        "context" => return Expr::Variable(Variable::Context),
        "resource" => return Expr::Variable(Variable::Resource),
        "rootResource" => return Expr::Variable(Variable::RootResource),
        "ucum" => "http://unitsofmeasure.org".to_string(),
        "sct" => "http://snomed.info/sct".to_string(),
        "loinc" => "http://loinc.org".to_string(),
        _ => match (name.strip_prefix("vs-"), name.strip_prefix("ext-")) {
            (Some(set), _) => format!("http://hl7.org/fhir/ValueSet/{set}"),
            (_, Some(extension)) => format!("http://hl7.org/fhir/StructureDefinition/{extension}"),
            _ => return Expr::Variable(Variable::Other(name.into())),
        },
    };
    Expr::Literal(Literal::Text(known.into()))
}
