//! The mistakes that senders make, each named at its element; and what is rare and right.

mod fhirpath;
mod own;
mod published;
mod terms;
mod xml;

use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::fhir::search::path::Path;
use crate::fhir::search::{Fact, ParamKind, Params};
use crate::fhir::{Issue, Outcome, Resource, Severity};

use super::import::Batch;
use super::primitive::Primitive;
use super::{Against, Package, Profiles};

const US_CORE: &str = "http://hl7.org/fhir/us/core/StructureDefinition";

fn profiles() -> &'static Profiles {
    static HELD: OnceLock<Profiles> = OnceLock::new();
    HELD.get_or_init(Profiles::bundled)
}

fn examine(value: Value) -> Outcome {
    profiles().examine(&Resource::from_value(value).unwrap(), &Against::default())
}

fn errors(outcome: &Outcome) -> Vec<(&str, &str)> {
    let errors = outcome.0.iter().filter(|issue| issue.severity == Severity::Error);
    errors.map(|issue| (issue.expression.as_str(), issue.rule)).collect()
}

fn careplan(change: impl FnOnce(&mut Value)) -> Outcome {
    let mut plan = json!({
        "resourceType": "CarePlan", "meta": {"profile": [format!("{US_CORE}/us-core-careplan|7.0.0")]},
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\">a plan</div>"},
        "status": "active", "intent": "plan", "subject": {"reference": "Patient/1"},
        "category": [{"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}]}],
        "activity": [{"detail": {"status": "in-progress", "quantity": {"value": 1.50}}}]
    });
    change(&mut plan);
    examine(plan)
}

#[test]
fn the_right_plan_passes() {
    // US Core's own code system of categories is not at hand, which is said.
    let said = careplan(|_| {}).0;
    assert!(matches!(&said[..], [Issue { rule: "system-unheld", severity: Severity::Warning, .. }]), "{said:?}");
}

#[test]
fn each_mistake_is_named_at_its_element() {
    type Change = fn(&mut Value);
    let table: [(Change, &str, &str); 24] = [
        (|plan| plan["status"] = "actve".into(), "CarePlan.status", "binding"),
        (|plan| plan["status"] = json!(["active"]), "CarePlan.status", "json-type"),
        (|plan| plan["foo"] = 1.into(), "CarePlan.foo", "unknown-element"),
        (|plan| plan["_subject"] = json!({"id": "x"}), "CarePlan._subject", "unknown-element"),
        (|plan| plan["category"] = json!([]), "CarePlan.category", "empty"),
        (|plan| plan["category"][0]["coding"][0]["code"] = "x".into(), "CarePlan.category", "slice"),
        (|plan| drop(plan.as_object_mut().unwrap().remove("category")), "CarePlan.category", "cardinality-min"),
        (|plan| plan["text"]["status"] = "empty".into(), "CarePlan.text.status", "binding"),
        (|plan| plan["text"]["div"] = "<div onclick=\"x()\"/>".into(), "CarePlan.text.div", "format"),
        (|plan| plan["text"]["div"] = "<p/>".into(), "CarePlan.text.div", "format"),
        (|plan| plan["subject"]["reference"] = "Device/1".into(), "CarePlan.subject", "reference-target"),
        (|plan| plan["subject"]["reference"] = "patient seven".into(), "CarePlan.subject", "reference"),
        (|plan| plan["subject"]["reference"] = "#p".into(), "CarePlan.subject", "ref-1"),
        (|plan| plan["created"] = "2026-02-30".into(), "CarePlan.created", "format"),
        (|plan| plan["created"] = "2026-02-03T10:00Z".into(), "CarePlan.created", "format"),
        (|plan| plan["period"] = json!({"start": "2026-05", "end": "2026-04-30"}), "CarePlan.period", "per-1"),
        (|plan| plan["activity"][0] = json!({}), "CarePlan.activity[0]", "empty"),
        (|plan| plan["activity"][0]["detail"]["status"] = "".into(), "CarePlan.activity[0].detail.status", "format"),
        (
            |plan| plan["activity"][0]["detail"]["scheduledString"] = 1.into(),
            "CarePlan.activity[0].detail.scheduled",
            "json-type",
        ),
        (|plan| plan["instantiatesUri"] = json!(["a", null]), "CarePlan.instantiatesUri[1]", "null"),
        (|plan| plan["extension"] = json!([{"url": "http://x"}]), "CarePlan.extension[0]", "ext-1"),
        (
            |plan| plan["contained"] = json!([{"resourceType": "Goal"}]),
            "CarePlan.contained[0].description",
            "cardinality-min",
        ),
        (|plan| plan["contained"] = json!([{"resourceType": "Gaol"}]), "CarePlan.contained[0]", "kind-unknown"),
        (
            |plan| plan["meta"]["profile"] = json!([format!("{US_CORE}/us-core-goal")]),
            "CarePlan.meta.profile",
            "profile-type",
        ),
    ];
    for (change, expression, rule) in table {
        let outcome = careplan(change);
        assert!(errors(&outcome).contains(&(expression, rule)), "{expression} {rule}: {:?}", errors(&outcome));
    }
}

#[test]
fn what_is_rare_and_right_passes() {
    type Change = fn(&mut Value);
    let table: [Change; 6] = [
        |plan| plan["instantiatesUri"] = json!(["http://a", null]),
        |plan| plan["subject"] = json!({"reference": "urn:uuid:6f0e"}),
        |plan| plan["subject"] = json!({"reference": "Patient?identifier=a|b"}),
        |plan| plan["subject"] = json!({"display": "someone"}),
        |plan| plan["created"] = "2026-11-22T10:00:60.123-05:00".into(),
        |plan| {
            plan["contained"] = json!([{"resourceType": "Claim", "id": "c", "anything": 1}]);
            plan["supportingInfo"] = json!([{"reference": "#c"}]);
        },
    ];
    for (index, change) in table.into_iter().enumerate() {
        let outcome = careplan(|plan| {
            change(plan);
            if index == 0 {
                plan["_instantiatesUri"] = json!([null, {"extension": [{"url": "http://x", "valueCode": "unknown"}]}]);
            }
        });
        assert_eq!(errors(&outcome), [], "{index}");
    }
}

#[test]
fn all_problems_come_at_once_and_in_document_order() {
    let outcome = careplan(|plan| {
        plan["intent"] = "x".into();
        plan["status"] = "x".into();
        plan["note"] = json!([]);
    });
    let places: Vec<&str> = errors(&outcome).into_iter().map(|(place, _)| place).collect();
    assert_eq!(places, ["CarePlan.status", "CarePlan.intent", "CarePlan.note"]);
}

#[test]
fn an_unknown_profile_is_a_warning_that_names_it() {
    let outcome = careplan(|plan| plan["meta"]["profile"] = json!(["http://nowhere/x"]));
    assert!(!outcome.has_errors());
    let said = outcome.0.iter().find(|issue| issue.rule == "profile-unknown").unwrap();
    assert!(said.severity == Severity::Warning && said.text.contains("`http://nowhere/x`"));
}

#[test]
fn an_error_is_not_crowded_out_by_warnings() {
    let outcome = careplan(|plan| {
        let contained: Vec<Value> = (0..3_000).map(|_| json!({"resourceType": "Claim"})).collect();
        plan["contained"] = contained.into();
        plan["status"] = "x".into();
    });
    assert!(outcome.has_errors());
    assert_eq!(outcome.0.len(), 101);
    assert_eq!(outcome.0[100].text, "2903 more issues are not listed");
}

#[test]
fn messages_quote_no_names() {
    let outcome = examine(json!({
        "resourceType": "Patient", "meta": {"profile": [format!("{US_CORE}/us-core-patient")]},
        "name": "Amy Shaw", "birthDate": "Amy Shaw", "address": [{"use": 1, "line": "Amy Shaw", "postalCode": " "}],
        "gender": "female", "identifier": [{"system": "http://x", "value": ["Amy Shaw"]}], "telecom": [{"value": "Amy Shaw"}]
    }));
    assert!(errors(&outcome).len() >= 6, "{outcome:?}");
    assert!(!format!("{outcome:?}").contains("Shaw"), "{outcome:?}");
}

#[test]
fn primitives_are_held_to_their_formats() {
    for (name, right, wrong) in [
        ("boolean", json!([true]), json!(["true", 1])),
        ("integer", json!([0, -2_147_483_648]), json!([2_147_483_648_u64, 1.5, "1"])),
        ("positiveInt", json!([1]), json!([0])),
        ("unsignedInt", json!([0]), json!([-1])),
        ("decimal", json!([1.50, -3, 1e3]), json!(["1"])),
        ("string", json!(["a", " "]), json!(["", 1])),
        ("code", json!(["a b"]), json!([" a", "a ", "a  b", ""])),
        ("id", json!(["a-1.B"]), json!(["", "a_b", "a".repeat(65)])),
        ("oid", json!(["urn:oid:1.2.0"]), json!(["1.2", "urn:oid:3.1", "urn:oid:1.02", "urn:oid:1"])),
        (
            "uuid",
            json!(["urn:uuid:c757873d-ec9a-4326-a141-556f43239520"]),
            json!(["urn:uuid:C757873D-ec9a-4326-a141-556f43239520"]),
        ),
        ("uri", json!(["urn:x", "a"]), json!(["a b", ""])),
        (
            "date",
            json!(["2024", "2024-02", "2024-02-29"]),
            json!(["2023-02-29", "0000", "2024-2", "2024-02-29T00:00:00Z"]),
        ),
        (
            "dateTime",
            json!(["2024", "2024-02-29T23:59:59+14:00"]),
            json!(["2024-02-29T24:00:00Z", "2024-02-29T10:00:00", "2024-02-29T10:00:00+15:00"]),
        ),
        ("instant", json!(["2024-02-29T10:00:00.1Z"]), json!(["2024-02-29"])),
        ("time", json!(["10:00:00.5"]), json!(["10:00", "24:00:00", "10:00:00."])),
        ("base64Binary", json!(["TQ==", "TW Fu"]), json!(["TQ=", "*", ""])),
        (
            "xhtml",
            json!(["<div>on=1</div>"]),
            json!(["<divx></divx>", "<div><script/></div>", "<div><a href=\"javascript:x\"/></div>"]),
        ),
    ] {
        let primitive = Primitive::named(name).unwrap();
        right.as_array().unwrap().iter().for_each(|value| assert!(primitive.check(value).is_ok(), "{name} {value}"));
        wrong.as_array().unwrap().iter().for_each(|value| assert!(primitive.check(value).is_err(), "{name} {value}"));
    }
}

/// A profile with a closed slicing by type and a slice by value, as a package from outside.
fn imported(derive: impl Fn(&mut Value)) -> Package {
    let mut definition = json!({
        "resourceType": "StructureDefinition", "url": "http://x/plan", "name": "Plan", "kind": "resource", "type": "CarePlan",
        "baseDefinition": "http://hl7.org/fhir/StructureDefinition/CarePlan", "derivation": "constraint",
        "differential": {"element": [
            {"id": "CarePlan.identifier", "path": "CarePlan.identifier", "max": "2",
             "slicing": {"discriminator": [{"type": "value", "path": "system"}], "rules": "closed"}},
            {"id": "CarePlan.identifier:mrn", "path": "CarePlan.identifier", "sliceName": "mrn", "min": 1, "max": "1"},
            {"id": "CarePlan.identifier:mrn.system", "path": "CarePlan.identifier.system", "min": 1, "fixedUri": "http://mrn"},
            {"id": "CarePlan.identifier:mrn.value", "path": "CarePlan.identifier.value", "min": 1},
            {"id": "CarePlan.title", "path": "CarePlan.title", "min": 1},
            {"id": "CarePlan.note", "path": "CarePlan.note", "max": "0"}
        ]}
    });
    derive(&mut definition);
    let mut batch = Batch::default();
    batch.add_file("plan.json", definition.to_string().as_bytes());
    batch.into_package(profiles())
}

#[test]
fn an_imported_profile_is_enforced_with_its_slices() {
    let profiles = Profiles::bundled().with(imported(|_| {}));
    let check = |identifier: Value, more: Value| {
        let mut plan = json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "Patient/1"},
            "title": "t", "identifier": identifier});
        more.as_object().unwrap().iter().for_each(|(name, value)| plan[name] = value.clone());
        let found =
            profiles.examine(&Resource::from_value(plan).unwrap(), &Against::of(&["http://x/plan".to_string()]));
        errors(&found).into_iter().map(|(place, rule)| format!("{place} {rule}")).collect::<Vec<_>>()
    };
    let mrn = json!({"system": "http://mrn", "value": "1"});
    assert!(check(json!([mrn]), json!({})).is_empty());
    assert_eq!(check(json!(null), json!({})), ["CarePlan.identifier json-type"]);
    assert_eq!(
        check(json!([{"system": "http://mrn", "value": "1"}]), json!({"title": 1})),
        ["CarePlan.title json-type"]
    );
    assert_eq!(check(json!([mrn, mrn]), json!({})), ["CarePlan.identifier slice"]);
    assert_eq!(check(json!([mrn, {"system": "http://y"}]), json!({})), ["CarePlan.identifier[1] slice"]);
    assert_eq!(check(json!([{"system": "http://mrn"}]), json!({})), ["CarePlan.identifier[0].value cardinality-min"]);
    assert_eq!(check(json!([mrn]), json!({"note": [{"text": "x"}]})), ["CarePlan.note cardinality-max"]);
}

#[test]
fn a_required_slice_requires_its_list() {
    let profiles = Profiles::bundled().with(imported(|_| {}));
    let plan = json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "Patient/1"}, "title": "t"});
    let found = profiles.examine(&Resource::from_value(plan).unwrap(), &Against::of(&["http://x/plan".to_string()]));
    assert_eq!(errors(&found), [("CarePlan.identifier", "cardinality-min")]);
}

#[test]
fn a_slice_without_a_minimum_of_its_own_is_not_required_where_its_list_is() {
    let slice = |it: &mut Value| {
        it["differential"]["element"] = json!([
            {"id": "CarePlan", "path": "CarePlan"},
            {"id": "CarePlan.identifier", "path": "CarePlan.identifier", "min": 1,
             "slicing": {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}},
            {"id": "CarePlan.identifier:mrn", "path": "CarePlan.identifier", "sliceName": "mrn", "max": "1"},
            {"id": "CarePlan.identifier:mrn.system", "path": "CarePlan.identifier.system", "min": 1, "fixedUri": "http://mrn"}]);
    };
    for with_ids in [true, false] {
        let profiles = Profiles::bundled().with(imported(|it| {
            slice(it);
            let elements = it["differential"]["element"].as_array_mut().unwrap().iter_mut();
            elements.filter(|_| !with_ids).for_each(|element| {
                element.as_object_mut().unwrap().remove("id");
            });
        }));
        let check = |identifiers: Value| {
            let mut plan = json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "Patient/1"}});
            if !identifiers.is_null() {
                plan["identifier"] = identifiers;
            }
            let asked = ["http://x/plan".to_string()];
            let found = profiles.examine(&Resource::from_value(plan).unwrap(), &Against::of(&asked));
            errors(&found).into_iter().map(|(place, rule)| format!("{place} {rule}")).collect::<Vec<_>>()
        };
        let mrn = json!({"system": "http://mrn", "value": "1"});
        assert!(check(json!([{"system": "http://other", "value": "1"}])).is_empty(), "ids: {with_ids}");
        assert!(check(json!([mrn])).is_empty(), "ids: {with_ids}");
        assert_eq!(check(json!([mrn, mrn])), ["CarePlan.identifier slice"], "ids: {with_ids}");
        assert_eq!(check(json!(null)), ["CarePlan.identifier cardinality-min"], "ids: {with_ids}");
    }
}

#[test]
fn profiles_that_stand_on_each_other_in_a_circle_are_refused() {
    let structure = |url: &str, base: &str| {
        json!({"resourceType": "StructureDefinition", "url": url, "name": "x", "kind": "resource", "type": "CarePlan",
            "baseDefinition": base, "derivation": "constraint",
            "differential": {"element": [{"id": "CarePlan.title", "path": "CarePlan.title", "min": 1}]}})
    };
    let mut batch = Batch::default();
    let core = "http://hl7.org/fhir/StructureDefinition/CarePlan";
    let mut last = core.to_string();
    let long = (0..9).map(|at| {
        let url = format!("urn:long{at}");
        structure(&url, &std::mem::replace(&mut last, url.clone()))
    });
    let short = [
        structure("urn:a", "urn:b"),
        structure("urn:b", "urn:a"),
        structure("urn:c", "urn:c"),
        structure("urn:d", core),
    ];
    for (at, one) in long.chain(short).enumerate() {
        batch.add_file(&format!("{at}.json"), one.to_string().as_bytes());
    }
    let package = batch.into_package(profiles());
    let refused: std::collections::BTreeSet<&str> =
        package.refused.iter().map(|refused| refused.what.as_str()).collect();
    assert_eq!(refused, std::collections::BTreeSet::from(["urn:a", "urn:b", "urn:c", "urn:long8"]));
}

#[test]
fn a_version_that_was_sent_leads_into_no_other_folder() {
    let mut batch = Batch::default();
    let definition = json!({"resourceType": "CodeSystem", "url": "http://x.example/codes", "version": "1/../../../etc", "content": "complete"});
    batch.add_file("codes.json", definition.to_string().as_bytes());
    let ids: Vec<_> = batch.split().into_iter().filter_map(|batch| batch.id).collect();
    assert_eq!(ids, [("x.example".to_string(), "1......etc".to_string())]);
}

#[test]
fn a_profile_whose_parent_is_missing_says_so() {
    let profiles = Profiles::bundled().with(imported(|it| it["baseDefinition"] = "http://x/parent".into()));
    let plan = json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": {"reference": "Patient/1"}});
    let found = profiles.examine(&Resource::from_value(plan).unwrap(), &Against::of(&["http://x/plan".to_string()]));
    assert!(found.0.iter().any(|issue| issue.rule == "profile-unknown" && issue.text.contains("`http://x/parent`")));
}

#[test]
fn every_bundled_profile_compiles() {
    for listed in profiles().list() {
        let entry = profiles().entry(&listed.url).unwrap();
        assert!(!entry.head.is_profile() || profiles().overlay(entry).is_some(), "{}", listed.url);
    }
}

#[test]
fn what_cannot_be_used_is_said() {
    for (change, why) in [
        ((|it| it["type"] = "Claim".into()) as fn(&mut Value), "no definition here"),
        (|it| it["kind"] = "logical".into(), "of kind `logical`"),
        (|it| it["differential"]["element"][4]["id"] = "CarePlan.titel".into(), "is none of `CarePlan`"),
        (|it| it["url"] = "".into(), "no canonical"),
        (|it| it["resourceType"] = "ConceptMap".into(), "no definition that is used"),
    ] {
        let package = imported(change);
        assert!(matches!(&package.refused[..], [one] if one.why.contains(why)), "{why}: {:?}", package.refused);
    }
}

#[test]
fn a_package_is_read_from_its_archive_and_again_from_its_files() {
    let definition = json!({"resourceType": "SearchParameter", "url": "http://x/SearchParameter/a", "code": "a", "base": ["Task"],
        "type": "token", "expression": "Task.code"});
    let mut archive = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (path, content) in [
        ("package/package.json", json!({"name": "x.y", "version": "1.0.0"})),
        ("package/SearchParameter-a.json", definition.clone()),
        ("package/example/Task-a.json", json!({"resourceType": "Task"})),
        ("elsewhere/SearchParameter-b.json", definition),
    ] {
        let content = content.to_string();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_cksum();
        archive.append_data(&mut header, path, content.as_bytes()).unwrap();
    }
    let bytes = archive.into_inner().unwrap().finish().unwrap();
    let package = Batch::from_tgz(&bytes).unwrap().into_package(profiles());
    assert_eq!((package.name.as_str(), package.version.as_str(), package.refused.len()), ("x.y", "1.0.0", 0));
    let again = Package::from_files("x.y", "1.0.0", &package.files());
    assert_eq!(again.files(), package.files());
    assert_eq!(again.search_parameters().count(), 1);
    assert!(Batch::from_tgz(&bytes[..20]).is_err());
    assert!(Batch::from_tgz(b"no archive").is_err());
}

#[test]
fn of_a_large_package_only_what_some_types_need_is_kept() {
    let element = |path: &str, strength: &str, set: &str| {
        json!({"id": path, "path": path, "type": [{"code": "code"}],
            "binding": {"strength": strength, "valueSet": format!("http://x/{set}|1.0")}})
    };
    let structure = |kind: &str| {
        json!({"resourceType": "StructureDefinition", "url": format!("http://x/{kind}"), "kind": "resource", "type": kind,
            "derivation": "specialization", "snapshot": {"element": [{"id": kind, "path": kind},
                element(&format!("{kind}.status"), "required", "status"), element(&format!("{kind}.site"), "example", "site")]}})
    };
    let set = |name: &str| {
        json!({"resourceType": "ValueSet", "url": format!("http://x/{name}"),
            "compose": {"include": [{"system": format!("http://x/{name}-codes")}]}})
    };
    let system = |name: &str| {
        json!({"resourceType": "CodeSystem", "url": format!("http://x/{name}-codes"), "content": "complete",
            "concept": [{"code": "a"}]})
    };
    let parameter = |kind: &str| {
        json!({"resourceType": "SearchParameter", "url": format!("http://x/{kind}-status"), "code": "status",
            "base": [kind], "type": "token", "expression": format!("{kind}.status")})
    };
    let mut batch = Batch::default();
    let all = [structure("Kept"), structure("Left"), set("status"), set("site"), system("status"), system("site")];
    for (index, definition) in all.into_iter().chain([parameter("Kept"), parameter("Left")]).enumerate() {
        batch.add_file(&format!("{index}.json"), definition.to_string().as_bytes());
    }
    let package = batch.only(&["Kept".to_string()], &Profiles::default()).into_package(profiles());
    let files: Vec<String> = package.files().into_iter().map(|(_, bytes)| String::from_utf8(bytes).unwrap()).collect();
    assert_eq!(files.len(), 4);
    for file in files {
        assert_eq!(file.lines().count(), 1, "{file}");
        assert!(!file.contains("Left") && !file.contains("site-codes"), "{file}");
    }
}

#[test]
fn the_types_with_definitions_are_known() {
    assert!(profiles().knows("CarePlan") && !profiles().knows("Claim") && !profiles().knows("DomainResource"));
    assert_eq!(profiles().kinds().len(), 40);
    assert!(profiles().search_parameters().len() > 600);
}

#[test]
fn every_parameter_can_be_compiled_and_a_composite_has_its_parts() {
    let mut params = Params::default();
    for it in profiles().search_parameters() {
        params.add(&Fact {
            url: &it.url,
            code: &it.code,
            bases: &it.base,
            kind: &it.kind,
            expression: &it.expression,
            targets: &it.target,
            components: &it.components,
        });
    }
    assert_eq!(params.left_out, Vec::<String>::new());
    let mut composites = 0;
    for param in profiles().kinds().iter().flat_map(|kind| params.of(kind)) {
        assert_eq!(param.kind == ParamKind::Composite, param.components.len() == 2, "{}", param.url);
        for part in &param.components {
            assert!(ParamKind::named(&part.kind).is_some() && Path::within(&part.expression).is_ok(), "{part:?}");
        }
        composites += usize::from(!param.components.is_empty());
    }
    assert_eq!(composites, 14);
}

#[test]
fn compartments_name_parameters_that_there_are() {
    let codes: Vec<&str> = profiles().compartments().map(|(code, _)| code).collect();
    assert_eq!(codes, ["Device", "Encounter", "Patient", "Practitioner", "RelatedPerson"]);
    let linked = profiles().compartment("Patient").unwrap();
    assert_eq!(linked["Coverage"], ["policy-holder", "subscriber", "beneficiary", "payor"]);
    assert!(!linked.contains_key("Organization") && profiles().compartment("Group").is_none());
    let parameters = profiles().search_parameters();
    for (kind, names) in codes.iter().flat_map(|code| profiles().compartment(code).unwrap()) {
        // A type by its own id is written `{def}`.
        for name in names.iter().filter(|name| profiles().knows(kind) && *name != "{def}") {
            assert!(parameters.iter().any(|it| it.code == *name && it.base.contains(kind)), "{kind}.{name}");
        }
    }
}

#[test]
fn a_hierarchy_is_walked_up_and_down_and_a_value_set_is_listed_up_to_a_bound() {
    let system = "http://terminology.hl7.org/CodeSystem/condition-ver-status";
    let profiles = profiles();
    assert_eq!(profiles.ancestors(system, "provisional").unwrap(), ["provisional", "unconfirmed"]);
    assert_eq!(profiles.descendants(system, "unconfirmed").unwrap(), ["differential", "provisional", "unconfirmed"]);
    assert_eq!(profiles.is_below(system, "provisional", "unconfirmed"), Some(true));
    assert_eq!(profiles.is_below(system, "unconfirmed", "provisional"), Some(false));
    assert_eq!(profiles.is_below(system, "nonsense", "unconfirmed"), None);
    assert_eq!(profiles.is_below("http://snomed.info/sct", "1", "2"), None);
    let set = profiles.expansion("http://hl7.org/fhir/ValueSet/medication-status|4.0.1", 10).unwrap();
    let of = "http://hl7.org/fhir/CodeSystem/medication-status";
    assert_eq!(set.codes, [(of, "active"), (of, "entered-in-error"), (of, "inactive")]);
    assert!(set.open.is_empty() && !set.cut);
    assert!(profiles.expansion("http://hl7.org/fhir/ValueSet/medication-status", 2).unwrap().cut);
    assert!(profiles.expansion("http://example.org/none", 2).is_none());
}

#[test]
fn an_outline_says_what_a_summary_keeps() {
    let of = |kind: &str| profiles().outline(kind).unwrap();
    let shown = |kind: &str, name: &str| of(kind).find(name).map(|it| (it.summary, it.mandatory, it.modifier));
    assert_eq!(shown("CarePlan", "status"), Some((true, true, true)));
    assert_eq!(shown("CarePlan", "goal"), Some((false, false, false)));
    assert_eq!(shown("Observation", "valueQuantity"), Some((true, false, false)));
    assert_eq!(shown("Observation", "value"), None);
    let inside = of("Observation").find("component").unwrap().inner.unwrap();
    assert!(inside.find("code").unwrap().mandatory);
    let typed = inside.find("code").unwrap().inner.unwrap();
    assert!(typed.find("coding").unwrap().summary && typed.find("status").is_none());
    assert!(of("Bundle").find("type").unwrap().inner.is_none());
}

#[test]
fn the_smallest_example_of_every_type_passes() {
    let broken = profiles().kinds().iter().filter_map(|kind| {
        let outcome = examine(profiles().smallest(kind).unwrap());
        outcome.has_errors().then(|| format!("{kind}: {:?} {:?}", errors(&outcome), profiles().smallest(kind)))
    });
    assert_eq!(broken.collect::<Vec<String>>(), [""; 0]);
}

#[test]
fn invariants_known_by_key_are_enforced() {
    let subject = json!({"reference": "Patient/1"});
    for (key, resource) in [
        (
            "cpl-3",
            json!({"resourceType": "CarePlan", "status": "active", "intent": "plan", "subject": subject,
            "activity": [{"detail": {"status": "scheduled"}, "reference": {"reference": "Task/1"}}]}),
        ),
        (
            "obs-6",
            json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"}, "valueString": "x",
            "dataAbsentReason": {"text": "x"}}),
        ),
        (
            "obs-7",
            json!({"resourceType": "Observation", "status": "final", "code": {"coding": [{"system": "s:", "code": "1"}]},
            "valueString": "x", "component": [{"code": {"coding": [{"system": "s:", "code": "1"}]}}]}),
        ),
        ("con-4", json!({"resourceType": "Condition", "subject": subject, "abatementString": "x"})),
        (
            "inv-1",
            json!({"resourceType": "Task", "status": "requested", "intent": "order",
            "authoredOn": "2026-01-03T00:00:00Z", "lastModified": "2026-01-02T00:00:00Z"}),
        ),
        (
            "ctm-1",
            json!({"resourceType": "CareTeam",
            "participant": [{"member": {"reference": "Patient/1"}, "onBehalfOf": {"reference": "Organization/1"}}]}),
        ),
        ("pat-1", json!({"resourceType": "Patient", "contact": [{"gender": "female"}]})),
        (
            "dom-2",
            json!({"resourceType": "Patient", "contained": [
                {"resourceType": "Patient", "contained": [{"resourceType": "Patient"}]}]}),
        ),
        ("dom-3", json!({"resourceType": "Patient", "contained": [{"resourceType": "Patient", "id": "x"}]})),
        (
            // Neither is later for certain: the two are not equally exact.
            "per-1",
            json!({"resourceType": "Patient", "name": [{"period": {"start": "2026-05-01", "end": "2026-05-01T09:00:00Z"}}]}),
        ),
        (
            "per-1",
            json!({"resourceType": "Patient", "name": [{"period": {"start": "2026-05-02", "end": "2026-05-01"}}]}),
        ),
    ] {
        let outcome = examine(resource);
        assert!(errors(&outcome).iter().any(|(_, rule)| *rule == key), "{key}: {outcome:?}");
    }
}

#[test]
fn an_extension_is_allowed_where_its_definition_says_and_understood_where_it_changes_a_meaning() {
    let birth_place =
        json!({"url": "http://hl7.org/fhir/StructureDefinition/patient-birthPlace", "valueAddress": {"city": "X"}});
    let birth_time =
        json!({"url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime", "valueDateTime": "2020"});
    let reason = json!({"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"});
    let strange = json!({"url": "http://x.example/strange", "valueBoolean": true});
    for (patient, expected) in [
        (json!({"extension": [birth_place]}), vec![]),
        (json!({"birthDate": "2020", "_birthDate": {"extension": [birth_time]}}), vec![]),
        (json!({"_birthDate": {"extension": [reason]}}), vec![]),
        (json!({"name": [{"extension": [reason], "family": "F"}]}), vec![]),
        (json!({"name": [{"extension": [birth_place]}]}), vec![("Patient.name[0].extension[0]", "extension-context")]),
        (json!({"extension": [birth_time]}), vec![("Patient.extension[0]", "extension-context")]),
        (json!({"extension": [strange]}), vec![]),
        (json!({"modifierExtension": [strange]}), vec![("Patient.modifierExtension[0]", "modifier-unknown")]),
        (json!({"modifierExtension": [birth_place]}), vec![("Patient.modifierExtension[0]", "extension-modifier")]),
    ] {
        let mut value = json!({"resourceType": "Patient"});
        value.as_object_mut().unwrap().extend(patient.as_object().unwrap().clone());
        assert_eq!(errors(&examine(value)), expected, "{patient}");
    }
    let said = examine(json!({"resourceType": "Patient", "extension": [strange, strange]}));
    assert_eq!(said.0.iter().filter(|issue| issue.rule == "extension-unknown").count(), 1, "{said:?}");
    let consent = examine(json!({"resourceType": "Consent", "modifierExtension": [strange]}));
    assert!(!errors(&consent).iter().any(|(_, rule)| *rule == "modifier-unknown"), "the decision denies, and says so");
}

#[test]
fn a_chain_of_references_is_judged_without_going_all_its_way() {
    let sdohcc = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition";
    let task = |at: usize| {
        json!({"fullUrl": format!("https://a.example/Task/{at}"), "resource": {
            "resourceType": "Task", "id": at.to_string(), "status": "requested", "intent": "order",
            "meta": {"profile": [format!("{sdohcc}/SDOHCC-TaskForReferralManagement")]},
            "partOf": [{"reference": format!("Task/{}", at + 1)}]}})
    };
    let entries: Vec<Value> = (0..2_000).map(task).collect();
    let outcome = examine(json!({"resourceType": "Bundle", "type": "collection", "entry": entries}));
    assert!(outcome.has_errors(), "each of them lacks what its profile asks for");
}

#[test]
fn a_resource_that_refers_to_itself_is_judged_once() {
    let itself: Vec<Value> = (0..20).map(|_| json!({"reference": "#"})).collect();
    let outcome = examine(json!({"resourceType": "Observation", "status": "final", "code": {"text": "x"},
        "meta": {"profile": ["http://hl7.org/fhir/StructureDefinition/vitalsigns"]}, "hasMember": itself}));
    assert!(errors(&outcome).iter().any(|(_, rule)| *rule == "reference-profile"), "{outcome:?}");
}

#[test]
fn value_sets_that_include_themselves_are_looked_through_to_a_bound() {
    let includes: Vec<Value> = (0..20).map(|_| json!("#v")).collect();
    let outcome =
        examine(json!({"resourceType": "QuestionnaireResponse", "status": "completed", "questionnaire": "#q",
        "contained": [
            {"resourceType": "Questionnaire", "id": "q", "status": "active", "item": [
                {"linkId": "1", "type": "choice", "answerValueSet": "#v"}]},
            {"resourceType": "ValueSet", "id": "v", "compose": {"include": [{"valueSet": includes}]}}],
        "item": [{"linkId": "1", "answer": [{"valueCoding": {"system": "http://s.example", "code": "c"}}]}]}));
    assert!(!outcome.0.is_empty());
}

#[test]
fn what_is_not_there_breaks_no_invariant_about_it() {
    let entry = json!({"request": {"method": "DELETE", "url": "Goal/1"}});
    let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": [entry]});
    let form = json!({"resourceType": "Questionnaire", "status": "draft", "item": [{"linkId": "1", "type": "string",
        "enableWhen": [{"question": "2", "operator": "exists", "answerBoolean": true}]}]});
    for (resource, key) in [(bundle, "bdl-8"), (form.clone(), "que-0"), (form, "que-12")] {
        let found = examine(resource);
        assert!(!found.0.iter().any(|issue| issue.rule == key), "{key}: {found:?}");
    }
}

#[test]
fn a_vital_sign_that_does_not_hold_to_its_profile_is_a_warning() {
    let outcome = examine(json!({"resourceType": "Observation", "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}}));
    assert!(!outcome.has_errors());
    assert!(outcome.0.iter().any(|issue| issue.rule == "vital-signs"), "{outcome:?}");
}

#[test]
fn a_hostile_resource_costs_no_more_than_a_moment() {
    let wrong: Vec<Value> =
        (0..20_000).map(|_| json!({"detail": {"status": "zzzzzzzzzzzzzzzzzzzz"}, "x": 1})).collect();
    let claims: Vec<String> = (0..20_000).map(|number| format!("http://x/{number}")).collect();
    let started = std::time::Instant::now();
    let outcome = careplan(|plan| {
        plan["activity"] = wrong.into();
        plan["meta"]["profile"] = json!(claims);
        plan["identifier"] = json!([{"system": "a"}]);
    });
    assert_eq!(outcome.0.len(), 101);
    assert!(started.elapsed().as_secs() < 5, "{:?}", started.elapsed());
}

#[test]
fn a_coding_of_an_open_system_is_not_refused_and_what_is_not_checked_is_said() {
    let url = "http://hl7.org/fhir/us/sdoh-clinicalcare/StructureDefinition/SDOHCC-Condition";
    assert!(
        profiles().unsaid(url).iter().any(|unsaid| unsaid.contains("http://snomed.info/sct")),
        "{:?}",
        profiles().unsaid(url)
    );
}
