//! What the engine answers, by tables; the functions' own tables stand beside them.

use serde_json::{Value, json};

use super::*;

/// A Patient, what it is made of, and no more.
pub fn model() -> Model {
    let one = |name, code| Element { name, is_choice: false, is_list: false, types: vec![(name, code)], node: None };
    let many = |name, code| Element { is_list: true, ..one(name, code) };
    let value = |types: Vec<(&'static str, &'static str)>| Element { is_choice: true, types, ..one("value", "") };
    let type_of = |name, base, nodes| Definition { name, base, is_resource: false, nodes };
    let extension = || many("extension", "Extension");
    let values = vec![
        ("valueString", "string"),
        ("valueBoolean", "boolean"),
        ("valueQuantity", "Quantity"),
        ("valueDateTime", "dateTime"),
        ("valueReference", "Reference"),
    ];
    let patient = vec![
        vec![
            one("id", "id"),
            many("contained", "Resource"),
            extension(),
            one("active", "boolean"),
            many("name", "HumanName"),
            one("birthDate", "date"),
            one("gender", "code"),
            Element { node: Some(1), ..many("contact", "BackboneElement") },
            many("generalPractitioner", "Reference"),
            value(values.clone()),
        ],
        vec![extension(), one("name", "HumanName"), one("period", "Period")],
    ];
    let definitions = [
        type_of("Element", None, vec![vec![one("id", "string"), extension()]]),
        type_of("BackboneElement", Some("Element"), vec![vec![one("id", "string"), extension()]]),
        type_of("string", Some("Element"), vec![vec![one("id", "string"), extension()]]),
        type_of("code", Some("string"), vec![vec![one("id", "string"), extension()]]),
        type_of("Extension", Some("Element"), vec![vec![extension(), one("url", "uri"), value(values)]]),
        type_of(
            "HumanName",
            Some("Element"),
            vec![vec![extension(), one("use", "code"), one("family", "string"), many("given", "string")]],
        ),
        type_of("Period", Some("Element"), vec![vec![one("start", "dateTime"), one("end", "dateTime")]]),
        type_of(
            "Quantity",
            Some("Element"),
            vec![vec![one("value", "decimal"), one("unit", "string"), one("code", "code")]],
        ),
        type_of("Reference", Some("Element"), vec![vec![one("reference", "string"), one("type", "uri")]]),
        Definition { name: "Patient", base: Some("DomainResource"), is_resource: true, nodes: patient },
    ];
    Model::new(&definitions, &["Practitioner", "Organization", "Person"])
}

pub fn ana() -> Value {
    json!({
        "resourceType": "Patient", "id": "ana", "active": true, "birthDate": "1980-05",
        "contained": [{"resourceType": "Practitioner", "id": "pat"}],
        "name": [
            {"use": "official", "family": "Silva", "given": ["Ana", "Maria"],
             "_given": [{"extension": [{"url": "http://x/called", "valueBoolean": true}]}, null]},
            {"use": "usual", "_family": {"extension": [{"url": "http://x/why", "valueString": "masked"}]}, "given": ["Nina"]},
        ],
        "gender": "female",
        "contact": [{"name": {"family": "Costa"}, "period": {"start": "2020-01-01", "end": "2020-01-01T10:00:00Z"}}],
        "generalPractitioner": [{"reference": "#pat"}, {"reference": "Organization/1"}, {"reference": "urn:uuid:1"}],
        "valueQuantity": {"value": 1.50, "unit": "metres", "code": "m"},
    })
}

/// The items of an expression as texts, or why there are none.
pub fn found(expression: &str, value: &Value) -> Result<Vec<String>, String> {
    let (model, expression) = (model(), Expression::parse(expression).map_err(|why| why.to_string())?);
    let root = Node::resource(value, &model);
    let scope = Scope::new(&model, root).at(crate::fhir::Instant::parse("2026-11-22T12:00:00Z").unwrap());
    let items = expression.evaluate(root, &scope).map_err(|why| why.to_string())?;
    Ok(items.iter().map(|item| shown(item, &model)).collect())
}

fn shown(item: &Item, model: &Model) -> String {
    match item {
        Item::Node(node) => match node.value() {
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
            None => format!("<{}>", model.name(node.kind())),
        },
        Item::Boolean(value) => value.to_string(),
        Item::Integer(number) => number.to_string(),
        Item::Decimal(number) => number.to_string(),
        Item::Text(text) => text.to_string(),
        Item::Moment(moment) => moment.to_string(),
        Item::Quantity(quantity) => quantity.to_string(),
        Item::Type(info) => format!("{}.{}", info.namespace, info.name),
    }
}

/// Each expression with its items, separated by `, `; on Ana.
pub fn all(table: &[(&str, &str)]) {
    let ana = ana();
    for (expression, expected) in table {
        assert_eq!(found(expression, &ana).map(|items| items.join(", ")), Ok((*expected).to_string()), "{expression}");
    }
}

/// Each expression with a part of the sentence that says why it has no answer; on Ana.
pub fn none(table: &[(&str, &str)]) {
    let ana = ana();
    for (expression, why) in table {
        match found(expression, &ana) {
            Ok(items) => panic!("{expression} gives {items:?}"),
            Err(said) => assert!(said.contains(why), "{expression}: {said}"),
        }
    }
}

#[test]
fn paths_find_elements_choices_and_what_stands_beside_primitives() {
    all(&[
        ("Patient.name.given", "Ana, Maria, Nina"),
        ("name.given[1]", "Maria"),
        ("`Patient`.name.`given`.first()", "Ana"),
        ("value.code", "m"),
        ("valueQuantity", ""),
        ("contact.name.family", "Costa"),
        ("name.given.where(hasExtension('http://x/called'))", "Ana"),
        ("name.given.extension('http://x/called').value", "true"),
        ("name.family.count()", "2"),
        ("name.family.hasValue()", "false"),
        ("name[1].family.hasValue()", "false"),
        ("name[1].family.extension.value", "masked"),
        ("contained.id", "pat"),
        ("Person.name", ""),
        ("nothing.at.all", ""),
        ("name.where(use = 'usual').given", "Nina"),
        ("name.select(use & ':' & given.first())", "official:Ana, usual:Nina"),
        ("name.given.where($index > 0)", "Maria, Nina"),
        ("children().count() > 10", "true"),
        ("%resource.id | %context.id | %rootResource.id", "ana"),
        ("%`vs-x` & '|' & %'ext-y'", "http://hl7.org/fhir/ValueSet/x|http://hl7.org/fhir/StructureDefinition/y"),
    ]);
}

#[test]
fn types_are_told_apart() {
    all(&[
        ("value is Quantity", "true"),
        ("value.is(FHIR.Quantity)", "true"),
        ("active is boolean", "true"),
        ("active.is(Boolean)", "false"),
        // R4's que-7 writes it as an operator and means FHIR's.
        ("active is Boolean", "true"),
        ("active is System.Boolean", "false"),
        ("gender is string", "true"),
        ("gender.ofType(string)", ""),
        ("gender as code", "female"),
        ("1 is Integer", "true"),
        ("1 is FHIR.Integer", "false"),
        ("contained is Practitioner", "true"),
        ("contained is DomainResource", "true"),
        ("Patient is Resource", "true"),
        ("Patient is Element", "false"),
        ("birthDate.type().name & ' ' & birthDate.type().namespace", "date FHIR"),
        ("(1).type()", "System.Integer"),
        ("contact.type().name", "BackboneElement"),
    ]);
    none(&[("gender.as(nonsense)", "`nonsense` is no type"), ("name is HumanName", "found 2 items")]);
}

#[test]
fn references_lead_where_they_can_be_followed() {
    all(&[
        ("generalPractitioner[0].resolve().id", "pat"),
        ("generalPractitioner[0].resolve() is Practitioner", "true"),
        ("generalPractitioner[1].resolve() is Organization", "true"),
        ("generalPractitioner[1].resolve() is Practitioner", "false"),
        ("generalPractitioner.resolve().count()", "3"),
        ("'#'.resolve().id", "ana"),
        ("'#nobody'.resolve()", ""),
    ]);
    none(&[
        ("generalPractitioner[1].resolve().name", "not at hand"),
        ("generalPractitioner[2].resolve() is Practitioner", "unknown type"),
        ("gender.memberOf('http://x/set')", "cannot be listed"),
        ("conformsTo('http://x/profile')", "no definition"),
    ]);
    all(&[("conformsTo('http://hl7.org/fhir/StructureDefinition/Person')", "false")]);
}

#[test]
fn entries_of_a_bundle_are_found_by_their_urls() {
    let bundle = json!({"resourceType": "Bundle", "entry": [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "a"}},
        {"fullUrl": "https://ehr.example/fhir/Patient/b", "resource": {"resourceType": "Patient", "id": "b"}}]});
    for (expression, expected) in [
        ("'urn:uuid:1'.resolve().id", "a"),
        ("'Patient/b'.resolve().id", "b"),
        ("'https://ehr.example/fhir/Patient/b'.resolve().id", "b"),
        ("entry.resource.id", "a, b"),
        ("entry.resource.ofType(Patient).count()", "2"),
    ] {
        assert_eq!(found(expression, &bundle).map(|items| items.join(", ")), Ok(expected.to_string()), "{expression}");
    }
}

#[test]
fn logic_knows_true_false_and_nothing() {
    let table = [("true", Some(true)), ("false", Some(false)), ("{}", None)];
    for (left, one) in table {
        for (right, two) in table {
            let and = if one == Some(false) || two == Some(false) { Some(false) } else { one.zip(two).map(|_| true) };
            let or = if one == Some(true) || two == Some(true) { Some(true) } else { one.zip(two).map(|_| false) };
            let xor = one.zip(two).map(|(one, two)| one != two);
            let implies = match (one, two) {
                (Some(false), _) | (_, Some(true)) => Some(true),
                (Some(true), Some(false)) => Some(false),
                _ => None,
            };
            for (word, expected) in [("and", and), ("or", or), ("xor", xor), ("implies", implies)] {
                let expected = expected.map_or(String::new(), |truth| truth.to_string());
                all(&[(&format!("{left} {word} {right}"), &expected)]);
            }
        }
    }
    all(&[("'a' and true", "true"), ("name.exists() and {}.not().empty()", "true")]);
    none(&[("name and true", "found 2 items")]);
}

#[test]
fn an_invariant_that_gives_nothing_does_not_hold() {
    let (model, ana) = (model(), ana());
    let root = Node::resource(&ana, &model);
    let scope = Scope::new(&model, root);
    let holds = |expression: &str| Expression::parse(expression).unwrap().holds(root, &scope);
    for (expression, expected) in [
        ("active", true),
        ("active.not()", false),
        ("nothing", false),
        ("name", true),
        ("gender", true),
        ("contact.period.all(start <= end)", false),
        ("name.all(given.exists())", true),
        ("name.exists(family = 'Costa')", false),
    ] {
        assert_eq!(holds(expression), Ok(expected), "{expression}");
    }
    assert!(matches!(holds("'Organization/1'.resolve().name"), Err(Failure::Unknown(_))));
    assert!(matches!(holds("name < 1"), Err(Failure::Wrong(_))));
}

#[test]
fn operators_bind_as_the_specification_says() {
    all(&[
        ("1 + 2 * 3", "7"),
        ("-1 + 2", "1"),
        ("2 | 1 + 1", "2"),
        ("1 | 1 is Integer", "1, true"),
        ("true or false and false", "true"),
        ("true and '0215' in ('0215' | '0216')", "true"),
        ("1 = 1 and 2 > 1", "true"),
        ("false implies false implies false", "false"),
        ("2 * 3 div 4", "1"),
        ("name.given[0] = 'Ana' // a comment", "true"),
        ("/* one */ 1 /* two */", "1"),
    ]);
    none(&[("-1.convertsToInteger()", "expected a number"), ("1 > 2 is Boolean", "to compare")]);
}

#[test]
fn an_expression_is_shared_by_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Expression>();
    shared::<Model>();
}

#[test]
fn what_is_no_expression_is_refused_where_it_ends_to_be_one() {
    for (text, at) in [
        ("", 0),
        ("name.", 5),
        ("name..given", 5),
        ("(name", 5),
        ("name)", 4),
        ("1 +", 3),
        ("name.where()", 12),
        ("name.nonsense()", 5),
        ("'open", 5),
        ("'\\q'", 2),
        ("@2015-13", 8),
        ("@T14:34:28Z", 11),
        ("$that", 0),
        ("2 + 2 /* open", 6),
        ("name given", 5),
        ("3000000000", 10),
        ("name.matches('(')", 17),
        ("and", 0),
        ("#", 0),
    ] {
        assert_eq!(Expression::parse(text).map(|_| ()).map_err(|why| why.at), Err(at), "{text}");
    }
}

#[test]
fn nothing_nests_deeper_than_the_stack_bears() {
    let deep = |open: &str, inner: &str, close: &str, times: usize| {
        Expression::parse(&format!("{}{inner}{}", open.repeat(times), close.repeat(times))).is_ok()
    };
    assert!(deep("(", "1", ")", 30));
    assert!(!deep("(", "1", ")", 10_000));
    assert!(!deep("-", "1", "", 10_000));
    assert!(!deep("a.where(", "b", ")", 10_000));
    assert!(!deep("", "a", ".a", 10_000));
    assert!(!deep("", "a", " + a", 10_000));
    assert!(!deep("", "a", "[0]", 10_000));
    // Nested brackets, each with a long path behind it: the tree is high though no bracket is deep.
    let mut text = "a".to_string();
    for _ in 0..40 {
        text = format!("({text}){}", ".a".repeat(40));
    }
    assert!(Expression::parse(&text).is_err());
}

#[test]
fn what_costs_too_much_is_given_up() {
    let (model, ana) = (model(), ana());
    let root = Node::resource(&ana, &model);
    let scope = Scope::new(&model, root).budget(Budget { steps: 50_000, bytes: 10_000 });
    let numbers: String = (0..100).map(|number| number.to_string()).collect::<Vec<_>>().join("|");
    for text in [
        format!("({numbers}).select({numbers}).select({numbers})"),
        format!("({numbers}).aggregate($total & $total & 'abc', '')"),
        format!("({numbers}).repeat($this + 1)"),
        "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'.replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa').replace('', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')".to_string(),
    ] {
        let expression = Expression::parse(&text).unwrap_or_else(|why| panic!("{why}"));
        assert!(matches!(expression.evaluate(root, &scope), Err(Failure::TooCostly(_))), "{}", &text[..40.min(text.len())]);
    }
}

#[test]
fn a_check_by_types_finds_what_cannot_be_meant() {
    let model = model();
    let check = |text: &str| Expression::parse(text).unwrap().check(model.kind("Patient"), &model);
    for sound in [
        "name.given",
        "Patient.name.where(use = 'official').given.first().startsWith('A')",
        "contained.anything.at.all",
        "value.as(Quantity).unit",
        "value.unit",
        "generalPractitioner.resolve().name",
        "birthDate + 7 days > today()",
        "name.select(given | family).count() = 7",
        "iif(name.exists(), name.given, {})",
        "%resource.birthDate < now()",
        "repeat(contact | name).given.exists()",
        "gender.trace('gender').length() > 1",
        "birthDate.toString().length() = 10",
        "name.sort(-family).given",
        "extension('x').value.ofType(string) = 'y'",
        "contact.name.family.extension.exists()",
    ] {
        assert_eq!(check(sound), Ok(()), "{sound}");
    }
    let deep = format!("{}name{}", "repeat(contact | ".repeat(30), ")".repeat(30));
    for (unsound, why) in [
        ("name.given1", "`given1` is no element of HumanName"),
        ("valueQuantity", "`valueQuantity` is no element of Patient"),
        ("Person.name", "a path of Patient cannot begin with `Person`"),
        ("(value as Period).unit", "`unit` is no element of Period"),
        ("value.as(string1)", "`string1` is no type"),
        ("children().skip(1)", "needs an order"),
        ("children()[0]", "needs an order"),
        ("name.startsWith('A')", "`startsWith()` cannot take HumanName"),
        ("birthDate + 7", "`+` cannot take date and Integer"),
        ("'a' - 'b'", "`-` cannot take String and String"),
        ("active > 1", "`>` cannot take boolean and Integer"),
        ("iif('yes', 1, 2)", "the criterion of `iif()` cannot take String"),
        ("name.where(given.family = 'x')", "`family` is no element of string"),
        ("-active", "`-` cannot take boolean"),
        ("gender.abs()", "`abs()` cannot take code"),
        ("repeat(contact | nothing)", "`nothing` is no element"),
        (&deep, "repeats too much"),
    ] {
        match check(unsound) {
            Ok(()) => panic!("{unsound} is accepted"),
            Err(misuse) => assert!(misuse.why.contains(why), "{unsound}: {}", misuse.why),
        }
    }
}
