use std::sync::OnceLock;

use serde_json::json;

use super::*;
use crate::fhir::Severity;

fn form(items: Value) -> Value {
    json!({"resourceType": "Questionnaire", "url": "https://handoff.example/form", "status": "active", "item": items})
}

fn response(status: &str, items: Value) -> Value {
    json!({"resourceType": "QuestionnaireResponse", "status": status, "item": items})
}

/// What is said of a response, as `rule@place` with `?` for a warning and `!` for an information.
fn said(form: &Value, response: &Value) -> Vec<String> {
    static HELD: OnceLock<Profiles> = OnceLock::new();
    let issues = check(HELD.get_or_init(Profiles::bundled), response, form);
    let spelled = issues.iter().map(|issue| {
        let mark = match issue.severity {
            Severity::Error => "",
            Severity::Warning => "?",
            Severity::Information => "!",
        };
        let place = issue.expression.replace("QuestionnaireResponse", "").replace("item", "i").replace("answer", "a");
        format!("{mark}{}@{}", issue.rule, place.trim_start_matches('.'))
    });
    spelled.collect()
}

fn extension(name: &str, value: Value) -> Value {
    let mut extension = json!({"url": format!("http://hl7.org/fhir/StructureDefinition/{name}")});
    value.as_object().into_iter().flatten().for_each(|(key, value)| extension[key] = value.clone());
    extension
}

#[test]
fn items_stand_where_the_form_has_them_and_in_its_order() {
    let form = form(json!([
        {"linkId": "g", "type": "group", "item": [{"linkId": "a", "type": "string"}, {"linkId": "b", "type": "string"}]},
        {"linkId": "c", "type": "display"},
        {"linkId": "d", "type": "string", "text": "Name?"}]));
    let answer = |link: &str| json!({"linkId": link, "answer": [{"valueString": "x"}]});
    let table = [
        (json!([{"linkId": "g", "item": [answer("a"), answer("b")]}, {"linkId": "c"}, answer("d")]), vec![]),
        (json!([{"linkId": "g", "item": [answer("b"), answer("a")]}]), vec!["link-id-order@i[0].i[1]"]),
        (json!([answer("a")]), vec!["link-id-misplaced@i[0]"]),
        (json!([{"linkId": "g", "item": [answer("z")]}]), vec!["link-id-unknown@i[0].i[0]"]),
        (json!([{"linkId": "g", "answer": [{"valueString": "x"}]}]), vec!["group-answered@i[0]"]),
        (json!([answer("c")]), vec!["display-answered@i[0]"]),
        (json!([answer("d"), answer("d")]), vec!["item-repeats@i[1]"]),
        (json!([{"linkId": "d", "item": [answer("z")]}]), vec!["item-outside-answer@i[0]"]),
        (json!([{"linkId": "d", "text": "Another?"}]), vec!["?item-text@i[0].text"]),
    ];
    for (items, expected) in table {
        assert_eq!(said(&form, &response("completed", items.clone())), expected, "{items}");
    }
}

#[test]
fn what_is_required_is_there_once_the_form_is_filled_in() {
    let form = form(json!([
        {"linkId": "a", "type": "string", "required": true},
        {"linkId": "g", "type": "group", "required": true, "item": [{"linkId": "b", "type": "string", "required": true}]}]));
    let nothing = json!([]);
    let half = json!([{"linkId": "a"}, {"linkId": "g", "item": [{"linkId": "b", "answer": [{"valueString": "x"}]}]}]);
    let table = [
        ("completed", &nothing, vec!["answer-required@", "answer-required@"]),
        ("amended", &half, vec!["answer-required@i[0]"]),
        ("in-progress", &half, vec!["?answer-required@i[0]"]),
        ("stopped", &nothing, vec![]),
        ("entered-in-error", &half, vec![]),
    ];
    for (status, items, expected) in table {
        assert_eq!(said(&form, &response(status, items.clone())), expected, "{status} {items}");
    }
}

#[test]
fn an_answer_has_the_type_of_its_question() {
    let fitting = [
        ("boolean", json!({"valueBoolean": true})),
        ("decimal", json!({"valueDecimal": 1.5})),
        ("integer", json!({"valueInteger": 1})),
        ("date", json!({"valueDate": "2026-03"})),
        ("dateTime", json!({"valueDateTime": "2026-03-02"})),
        ("time", json!({"valueTime": "08:00:00"})),
        ("string", json!({"valueString": "x"})),
        ("text", json!({"valueString": "x\ny"})),
        ("url", json!({"valueUri": "urn:x"})),
        ("attachment", json!({"valueAttachment": {"title": "x"}})),
        ("reference", json!({"valueReference": {"display": "x"}})),
        ("quantity", json!({"valueQuantity": {"value": 1}})),
    ];
    for (kind, _) in &fitting {
        let form = form(json!([{"linkId": "a", "type": kind}]));
        for (other, answer) in &fitting {
            let found = said(&form, &response("completed", json!([{"linkId": "a", "answer": [answer]}])));
            let same = kind == other || (*kind == "text" && *other == "string");
            match (*kind, *other) {
                ("string", "text") => assert_eq!(found, ["?answer-lines@i[0].a[0].value"]),
                _ if same => assert!(found.is_empty(), "{kind}: {found:?}"),
                _ => assert_eq!(found, ["answer-type@i[0].a[0].value"], "{kind} with {other}"),
            }
        }
    }
}

#[test]
fn choices_are_those_that_the_form_offers() {
    let coding = |code: &str| json!({"valueCoding": {"system": "urn:s", "code": code, "display": code.to_uppercase()}});
    let mut alone = coding("none");
    alone["extension"] = json!([extension("questionnaire-optionExclusive", json!({"valueBoolean": true}))]);
    let options = json!([coding("a"), coding("b"), alone]);
    let word = |text: &str| json!({"valueString": text});
    let table = [
        ("choice", vec![coding("a"), coding("b")], vec![]),
        ("choice", vec![coding("z")], vec!["answer-option@i[0].a[0].value"]),
        ("choice", vec![word("a")], vec!["answer-option@i[0].a[0].value"]),
        ("choice", vec![coding("none")], vec![]),
        ("choice", vec![coding("a"), coding("none")], vec!["answer-option@i[0].a[1].value"]),
        ("open-choice", vec![word("something else")], vec![]),
        ("open-choice", vec![word("A")], vec!["?answer-text@i[0].a[0].value"]),
        ("open-choice", vec![coding("z")], vec!["answer-option@i[0].a[0].value"]),
    ];
    for (kind, answers, expected) in table {
        let form = form(json!([{"linkId": "q", "type": kind, "repeats": true, "answerOption": options}]));
        let response = response("completed", json!([{"linkId": "q", "answer": answers}]));
        assert_eq!(said(&form, &response), expected, "{kind} {answers:?}");
    }
}

#[test]
fn a_value_set_may_lie_in_the_form_or_in_the_response() {
    let set = json!({"resourceType": "ValueSet", "id": "s", "status": "active", "compose": {
        "include": [{"system": "urn:s", "concept": [{"code": "a"}, {"code": "b"}]}, {"system": "urn:unknown"}],
        "exclude": [{"system": "urn:s", "concept": [{"code": "b"}]}]}});
    let form = form(json!([{"linkId": "q", "type": "choice", "answerValueSet": "#s"}]));
    let (mut of_form, of_response) = (form.clone(), form);
    of_form["contained"] = json!([set]);
    let table = [
        ("urn:s", "a", vec![]),
        ("urn:s", "b", vec!["answer-option@i[0].a[0].value"]),
        ("urn:s", "z", vec!["answer-option@i[0].a[0].value"]),
        ("urn:unknown", "a", vec!["?binding-unchecked@i[0].a[0].value"]),
    ];
    for (system, code, expected) in table {
        let coding = json!({"valueCoding": {"system": system, "code": code}});
        let mut response = response("completed", json!([{"linkId": "q", "answer": [coding]}]));
        assert_eq!(said(&of_form, &response), expected, "{system}|{code}");
        response["contained"] = json!([set]);
        assert_eq!(said(&of_response, &response), expected, "{system}|{code}");
    }
}

#[test]
fn bounds_are_the_forms() {
    let bounds = |name: &str, value: Value| json!([extension(name, value)]);
    let km = |value: i64, code: &str| json!({"value": value, "system": "http://unitsofmeasure.org", "code": code});
    let table = [
        ("string", json!({"maxLength": 2}), json!({"valueString": "abc"}), "answer-length"),
        (
            "string",
            json!({"extension": bounds("minLength", json!({"valueInteger": 4}))}),
            json!({"valueString": "abc"}),
            "answer-length",
        ),
        (
            "string",
            json!({"extension": bounds("regex", json!({"valueString": "[0-9]+"}))}),
            json!({"valueString": "1a"}),
            "answer-format",
        ),
        (
            "integer",
            json!({"extension": bounds("minValue", json!({"valueInteger": 5}))}),
            json!({"valueInteger": 4}),
            "answer-range",
        ),
        (
            "decimal",
            json!({"extension": bounds("maxValue", json!({"valueDecimal": 0.5}))}),
            json!({"valueDecimal": 0.51}),
            "answer-range",
        ),
        (
            "decimal",
            json!({"extension": bounds("maxDecimalPlaces", json!({"valueInteger": 1}))}),
            json!({"valueDecimal": 1.25}),
            "answer-decimals",
        ),
        (
            "date",
            json!({"extension": bounds("maxValue", json!({"valueDate": "2026-01-31"}))}),
            json!({"valueDate": "2026-02-01"}),
            "answer-range",
        ),
        (
            "quantity",
            json!({"extension": bounds("sdc-questionnaire-maxQuantity", json!({"valueQuantity": km(2, "km")}))}),
            json!({"valueQuantity": km(2001, "m")}),
            "answer-range",
        ),
        (
            "quantity",
            json!({"extension": bounds("minValue", json!({"valueQuantity": km(2, "km")}))}),
            json!({"valueQuantity": km(2, "kg")}),
            "answer-unit",
        ),
        (
            "quantity",
            json!({"extension": bounds("minValue", json!({"valueQuantity": km(2, "km")}))}),
            json!({"valueQuantity": km(2, "furlong")}),
            "?answer-unit-unknown",
        ),
        (
            "quantity",
            json!({"extension": bounds("questionnaire-unitOption", json!({"valueCoding": {"system": "http://unitsofmeasure.org", "code": "kg"}}))}),
            json!({"valueQuantity": km(2, "g")}),
            "answer-unit",
        ),
        (
            "attachment",
            json!({"extension": bounds("mimeType", json!({"valueCode": "image/png"}))}),
            json!({"valueAttachment": {"contentType": "image/gif"}}),
            "answer-attachment",
        ),
        (
            "attachment",
            json!({"extension": bounds("maxSize", json!({"valueDecimal": 3}))}),
            json!({"valueAttachment": {"data": "AAAAAAA="}}),
            "answer-attachment",
        ),
        (
            "reference",
            json!({"extension": bounds("questionnaire-referenceResource", json!({"valueCode": "Patient"}))}),
            json!({"valueReference": {"reference": "Group/1"}}),
            "answer-reference",
        ),
        (
            "string",
            json!({"readOnly": true, "initial": [{"valueString": "x"}]}),
            json!({"valueString": "y"}),
            "?answer-read-only",
        ),
    ];
    for (kind, bound, answer, expected) in table {
        let mut item = json!({"linkId": "a", "type": kind});
        bound.as_object().into_iter().flatten().for_each(|(key, value)| item[key] = value.clone());
        let found = said(&form(json!([item])), &response("completed", json!([{"linkId": "a", "answer": [answer]}])));
        assert_eq!(found, [format!("{expected}@i[0].a[0].value")], "{bound}");
        let free = form(json!([{"linkId": "a", "type": kind}]));
        let found = said(&free, &response("completed", json!([{"linkId": "a", "answer": [answer]}])));
        assert!(found.is_empty(), "without {bound}: {found:?}");
    }
}

#[test]
fn answers_are_counted() {
    let occurs = |name: &str| extension(name, json!({"valueInteger": 2}));
    let form = form(json!([
        {"linkId": "one", "type": "integer"},
        {"linkId": "few", "type": "integer", "repeats": true, "extension": [occurs("questionnaire-minOccurs"), occurs("questionnaire-maxOccurs")]},
        {"linkId": "group", "type": "group", "repeats": true, "extension": [occurs("questionnaire-maxOccurs")]}]));
    let answers = |link: &str, count: usize| json!({"linkId": link, "answer": (0..count).map(|at| json!({"valueInteger": at})).collect::<Vec<Value>>()});
    let group = json!({"linkId": "group"});
    let table = [
        (json!([answers("one", 1), answers("few", 2), group, group]), vec![]),
        (json!([answers("one", 2)]), vec!["answer-repeats@i[0]"]),
        (json!([answers("few", 1)]), vec!["answer-occurs@i[0]"]),
        (json!([answers("few", 3)]), vec!["answer-occurs@i[0]"]),
        (json!([group, group, group]), vec!["answer-occurs@i[0]"]),
    ];
    for (items, expected) in table {
        assert_eq!(said(&form, &response("completed", items.clone())), expected, "{items}");
    }
}

/// A form with a source question `s` and a dependent one `d` that is asked under a condition, and required then.
fn conditional(kind: &str, conditions: Value, behavior: Option<&str>) -> Value {
    let mut dependent = json!({"linkId": "d", "type": "string", "required": true, "enableWhen": conditions});
    if let Some(behavior) = behavior {
        dependent["enableBehavior"] = json!(behavior);
    }
    form(json!([{"linkId": "s", "type": kind, "repeats": true}, {"linkId": "t", "type": "boolean"}, dependent]))
}

/// Whether the dependent question is asked: it is missed when left out, or refused when answered.
fn asked(form: &Value, given: &[Value]) -> &'static str {
    let mut items = given.to_vec();
    let missed = said(form, &response("completed", json!(items)));
    items.push(json!({"linkId": "d", "answer": [{"valueString": "x"}]}));
    let refused = said(form, &response("completed", json!(items)));
    match (
        missed.iter().any(|one| one.starts_with("answer-required")),
        refused.iter().any(|one| one.starts_with("not-enabled")),
    ) {
        (true, false) => "yes",
        (false, true) => "no",
        (false, false) => "unsure",
        (true, true) => "both",
    }
}

#[test]
fn a_condition_decides_whether_a_question_is_asked() {
    let source = |answers: Value| vec![json!({"linkId": "s", "answer": answers})];
    let integer = |operator: &str| json!([{"question": "s", "operator": operator, "answerInteger": 5}]);
    let coding = |code: &str| json!({"system": "urn:s", "code": code});
    let table = [
        (
            "integer",
            json!([{"question": "s", "operator": "exists", "answerBoolean": true}]),
            source(json!([{"valueInteger": 1}])),
            "yes",
        ),
        ("integer", json!([{"question": "s", "operator": "exists", "answerBoolean": true}]), vec![], "no"),
        ("integer", json!([{"question": "s", "operator": "exists", "answerBoolean": false}]), vec![], "yes"),
        ("integer", integer("="), source(json!([{"valueInteger": 4}, {"valueInteger": 5}])), "yes"),
        ("integer", integer("="), source(json!([{"valueInteger": 4}])), "no"),
        ("integer", integer("="), vec![], "no"),
        ("integer", integer("!="), source(json!([{"valueInteger": 4}])), "yes"),
        ("integer", integer("!="), source(json!([{"valueInteger": 5}])), "no"),
        ("integer", integer("!="), source(json!([{"valueInteger": 4}, {"valueInteger": 5}])), "unsure"),
        ("integer", integer(">"), source(json!([{"valueInteger": 6}])), "yes"),
        ("integer", integer(">"), source(json!([{"valueInteger": 5}])), "no"),
        ("integer", integer("<"), source(json!([{"valueInteger": 4}])), "yes"),
        ("integer", integer("<"), source(json!([{"valueInteger": 5}])), "no"),
        ("integer", integer(">="), source(json!([{"valueInteger": 5}])), "yes"),
        ("integer", integer("<="), source(json!([{"valueInteger": 6}])), "no"),
        (
            "choice",
            json!([{"question": "s", "operator": "=", "answerCoding": coding("a")}]),
            source(json!([{"valueCoding": coding("a")}])),
            "yes",
        ),
        (
            "choice",
            json!([{"question": "s", "operator": "=", "answerCoding": coding("a")}]),
            source(json!([{"valueCoding": coding("b")}])),
            "no",
        ),
        ("integer", json!([{"question": "nobody", "operator": "exists", "answerBoolean": true}]), vec![], "unsure"),
    ];
    for (kind, conditions, given, expected) in table {
        assert_eq!(asked(&conditional(kind, conditions.clone(), None), &given), expected, "{conditions} {given:?}");
    }
}

#[test]
fn several_conditions_are_met_all_or_any() {
    let conditions = json!([
        {"question": "s", "operator": "=", "answerInteger": 1},
        {"question": "t", "operator": "=", "answerBoolean": true}]);
    let one = vec![json!({"linkId": "s", "answer": [{"valueInteger": 1}]})];
    let both = vec![one[0].clone(), json!({"linkId": "t", "answer": [{"valueBoolean": true}]})];
    let table = [
        (Some("all"), &one, "no"),
        (Some("all"), &both, "yes"),
        (Some("any"), &one, "yes"),
        (Some("any"), &vec![], "no"),
        (None, &one, "unsure"),
        (None, &both, "yes"),
    ];
    for (behavior, given, expected) in table {
        assert_eq!(
            asked(&conditional("integer", conditions.clone(), behavior), given),
            expected,
            "{behavior:?} {given:?}"
        );
    }
}

#[test]
fn a_condition_looks_at_the_nearest_answers() {
    let inner = json!([
        {"linkId": "s", "type": "boolean"},
        {"linkId": "d", "type": "string", "required": true, "enableWhen": [{"question": "s", "operator": "=", "answerBoolean": true}]}]);
    let form = form(json!([{"linkId": "g", "type": "group", "repeats": true, "item": inner}]));
    let group = |flag: bool| json!({"linkId": "g", "item": [{"linkId": "s", "answer": [{"valueBoolean": flag}]}]});
    let found = said(&form, &response("completed", json!([group(false), group(true), group(false)])));
    assert_eq!(found, ["answer-required@i[1]"]);
}

#[test]
fn nobody_waits_for_what_is_inside_a_question_that_is_not_asked() {
    let form = form(json!([
        {"linkId": "s", "type": "boolean"},
        {"linkId": "g", "type": "group", "enableWhen": [{"question": "s", "operator": "=", "answerBoolean": true}],
         "item": [{"linkId": "a", "type": "string", "required": true}]}]));
    let items = |flag: bool| json!([{"linkId": "s", "answer": [{"valueBoolean": flag}]}, {"linkId": "g"}]);
    assert_eq!(said(&form, &response("completed", items(true))), ["answer-required@i[1]"]);
    assert!(said(&form, &response("completed", items(false))).is_empty());
}

#[test]
fn items_go_on_under_an_answer() {
    let form = form(
        json!([{"linkId": "a", "type": "boolean", "item": [{"linkId": "b", "type": "integer", "required": true}]}]),
    );
    let under = |items: Value| json!([{"linkId": "a", "answer": [{"valueBoolean": true, "item": items}]}]);
    let answered = json!([{"linkId": "b", "answer": [{"valueString": "x"}]}]);
    assert_eq!(said(&form, &response("completed", under(answered))), ["answer-type@i[0].a[0].i[0].a[0].value"]);
    assert_eq!(said(&form, &response("completed", under(json!([])))), ["answer-required@i[0].a[0]"]);
}

#[test]
fn an_expression_may_decide_whether_a_question_is_asked() {
    let by = |expression: &str| {
        let value = json!({"language": "text/fhirpath", "expression": expression});
        let url = "http://hl7.org/fhir/uv/sdc/StructureDefinition/sdc-questionnaire-enableWhenExpression";
        let extension = json!([{"url": url, "valueExpression": value}]);
        form(json!([{"linkId": "s", "type": "integer"},
            {"linkId": "d", "type": "string", "required": true, "extension": extension}]))
    };
    let given = [json!({"linkId": "s", "answer": [{"valueInteger": 5}]})];
    let table = [
        ("%resource.item.where(linkId = 's').answer.value > 4", "yes"),
        ("%resource.item.where(linkId = 's').answer.value > 5", "no"),
        ("%ofTheForm = 5", "unsure"),
        ("item.where(", "unsure"),
    ];
    for (expression, expected) in table {
        assert_eq!(asked(&by(expression), &given), expected, "{expression}");
    }
}

#[test]
fn the_form_is_contained_or_named() {
    let contained = json!({"resourceType": "Questionnaire", "id": "f"});
    let holder = json!({"questionnaire": "#f", "contained": [contained]});
    assert_eq!(source(&holder), Source::Contained(&contained));
    assert_eq!(source(&json!({"questionnaire": "#g", "contained": [contained]})), Source::Nowhere);
    assert_eq!(source(&json!({"questionnaire": "urn:f|2"})), Source::Canonical("urn:f|2"));
    let stored = json!({"resourceType": "Questionnaire", "url": "urn:f", "version": "2"});
    assert!(is_named(&stored, "urn:f") && is_named(&stored, "urn:f|2") && !is_named(&stored, "urn:f|1"));
}

#[test]
fn a_response_that_would_take_too_long_is_cut_and_says_so() {
    let inner: Vec<Value> = (0..600).map(|at| json!({"linkId": format!("q{at}"), "type": "string"})).collect();
    let form = form(json!([{"linkId": "g", "type": "group", "repeats": true, "item": inner}]));
    let groups: Vec<Value> = (0..600).map(|_| json!({"linkId": "g"})).collect();
    assert_eq!(said(&form, &response("completed", json!(groups))), ["?response-too-large@"]);
}

#[test]
fn a_forms_conditions_look_at_another_question_asked_before() {
    let when = |question: &str| json!([{"question": question, "operator": "exists", "answerBoolean": true}]);
    let with = |first: &str, inner: &str| {
        form(json!([
            {"linkId": "a", "type": "group", "enableWhen": when(first), "item": [{"linkId": "b", "type": "string"}]},
            {"linkId": "c", "type": "group", "item": [{"linkId": "d", "type": "string", "enableWhen": when(inner)}]}]))
    };
    let said = |form: &Value| -> Vec<String> {
        conditions(form).into_iter().map(|issue| format!("{}@{}", issue.rule, issue.expression)).collect()
    };
    assert_eq!(said(&with("b", "a")), ["condition-inside@Questionnaire.item[0].enableWhen[0]"]);
    assert_eq!(said(&with("c", "b")), ["condition-order@Questionnaire.item[0].enableWhen[0]"]);
    assert_eq!(
        said(&with("d", "z")),
        [
            "condition-order@Questionnaire.item[0].enableWhen[0]",
            "condition-unknown@Questionnaire.item[1].item[0].enableWhen[0]",
        ]
    );
    assert_eq!(
        said(&with("a", "d")),
        [
            "condition-inside@Questionnaire.item[0].enableWhen[0]",
            "condition-inside@Questionnaire.item[1].item[0].enableWhen[0]",
        ]
    );
}
