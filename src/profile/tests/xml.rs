//! Both spellings of a resource say the same: the XML converter of `fhir` on the definitions of this room.

use serde_json::{Value, json};

use crate::fhir::read;
use crate::fhir::xml::{self, Layout};

use super::profiles;
use super::published::examples;

fn written(value: &Value) -> String {
    xml::text(value, profiles(), Layout::default()).unwrap()
}

fn read_back(text: &str) -> Value {
    xml::resource(text.as_bytes(), profiles()).unwrap().into_value()
}

/// `(rule, expression, location)` of each problem.
fn problems(text: &str) -> Vec<(&'static str, String, String)> {
    let issues = xml::resource(text.as_bytes(), profiles()).unwrap_err();
    issues.into_iter().map(|issue| (issue.rule, issue.expression, issue.location.unwrap_or_default())).collect()
}

/// A Patient's children, in their namespace.
fn patient(children: &str) -> String {
    format!("<Patient xmlns=\"http://hl7.org/fhir\">{children}</Patient>")
}

/// What it is in XML, on one line without the declaration, and that it comes back.
#[track_caller]
fn is_written(value: Value, expected: &str) {
    let text = written(&value);
    assert_eq!(text.strip_prefix(r#"<?xml version="1.0" encoding="UTF-8"?>"#), Some(expected));
    assert_eq!(read_back(&text), value);
    let pretty = Layout { is_pretty: true, ..Layout::default() };
    assert_eq!(read_back(&xml::text(&value, profiles(), pretty).unwrap()), value, "pretty");
}

#[test]
fn every_published_example_comes_back_as_it_was() {
    let (mut same, mut unknown) = (0, Vec::new());
    for (name, value) in examples() {
        // Numbers by their digits, objects without regard to order, a narrative's lines as XML ends them.
        let mut value = read::json(value.to_string().as_bytes()).unwrap();
        if let Some(Value::String(div)) = value.pointer_mut("/text/div") {
            *div = div.replace("\r\n", "\n");
        }
        match xml::text(&value, profiles(), Layout::default()) {
            Ok(text) => {
                assert_eq!(read_back(&text), value, "{name}");
                same += 1;
            }
            Err(issues) => {
                assert!(issues.iter().all(|issue| issue.rule == "kind-unsupported"), "{name}: {issues:?}");
                unknown.push(name);
            }
        }
    }
    eprintln!("{same} examples came back; without a definition: {unknown:?}");
}

#[test]
fn elements_stand_in_the_order_of_their_definition() {
    is_written(
        json!({"birthDate": "1990-01", "active": true, "resourceType": "Patient", "name": [{"given": ["A", "B"], "family": "C"}],
            "id": "p", "meta": {"versionId": "1"}}),
        "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"p\"/><meta><versionId value=\"1\"/></meta><active value=\"true\"/>\
         <name><family value=\"C\"/><given value=\"A\"/><given value=\"B\"/></name><birthDate value=\"1990-01\"/></Patient>",
    );
}

#[test]
fn ids_and_extensions_of_primitives_stand_where_they_belong() {
    is_written(
        json!({"resourceType": "Patient", "id": "p", "_active": {"extension": [{"url": "http://x", "valueCode": "asked"}]},
            "name": [{"id": "n", "given": ["A", null, "C"],
                "_given": [null, {"id": "g"}, {"extension": [{"url": "http://y", "valueBoolean": false}]}]}],
            "birthDate": "1990", "_birthDate": {"id": "b"}}),
        "<Patient xmlns=\"http://hl7.org/fhir\"><id value=\"p\"/>\
         <active><extension url=\"http://x\"><valueCode value=\"asked\"/></extension></active>\
         <name id=\"n\"><given value=\"A\"/><given id=\"g\"/><given value=\"C\"><extension url=\"http://y\">\
         <valueBoolean value=\"false\"/></extension></given></name><birthDate value=\"1990\" id=\"b\"/></Patient>",
    );
}

#[test]
fn resources_within_resources_are_wrapped() {
    is_written(
        json!({"resourceType": "Bundle", "type": "transaction", "entry": [{"fullUrl": "urn:uuid:1",
            "resource": {"resourceType": "Goal", "contained": [{"resourceType": "Patient", "id": "c", "active": true}],
                "subject": {"reference": "#c"}},
            "request": {"method": "POST", "url": "Goal"}}]}),
        "<Bundle xmlns=\"http://hl7.org/fhir\"><type value=\"transaction\"/><entry><fullUrl value=\"urn:uuid:1\"/><resource>\
         <Goal><contained><Patient><id value=\"c\"/><active value=\"true\"/></Patient></contained>\
         <subject><reference value=\"#c\"/></subject></Goal></resource>\
         <request><method value=\"POST\"/><url value=\"Goal\"/></request></entry></Bundle>",
    );
    is_written(
        json!({"resourceType": "Parameters", "parameter": [
            {"name": "r", "resource": {"resourceType": "Patient", "id": "p"}},
            {"name": "many", "part": [{"name": "d", "valueDecimal": 1}, {"name": "i", "part": [{"name": "u", "valueUri": "urn:x"}]}]}]}),
        "<Parameters xmlns=\"http://hl7.org/fhir\"><parameter><name value=\"r\"/><resource><Patient><id value=\"p\"/></Patient>\
         </resource></parameter><parameter><name value=\"many\"/><part><name value=\"d\"/><valueDecimal value=\"1\"/></part>\
         <part><name value=\"i\"/><part><name value=\"u\"/><valueUri value=\"urn:x\"/></part></part></parameter></Parameters>",
    );
    is_written(
        json!({"resourceType": "Questionnaire", "status": "draft", "item": [{"linkId": "1", "type": "group",
            "item": [{"linkId": "1.1", "type": "group", "item": [{"linkId": "1.1.1", "type": "display"}]}]}]}),
        "<Questionnaire xmlns=\"http://hl7.org/fhir\"><status value=\"draft\"/><item><linkId value=\"1\"/><type value=\"group\"/>\
         <item><linkId value=\"1.1\"/><type value=\"group\"/><item><linkId value=\"1.1.1\"/><type value=\"display\"/></item></item></item>\
         </Questionnaire>",
    );
}

#[test]
fn values_keep_their_text() {
    for (decimal, spelled) in
        [("1.50", "1.50"), ("-0.0", "-0.0"), ("100000000000000000000000.1", "100000000000000000000000.1")]
    {
        let text = format!(r#"{{"resourceType":"Observation","valueQuantity":{{"value":{decimal}}}}}"#);
        let value = read::json(text.as_bytes()).unwrap();
        let xml = written(&value);
        assert!(xml.contains(&format!("<valueQuantity><value value=\"{spelled}\"/></valueQuantity>")), "{xml}");
        assert_eq!(read_back(&xml).to_string(), text);
    }
    is_written(
        json!({"resourceType": "DocumentReference", "content": [{"attachment": {"data": "aGFuZG9mZg==", "size": 7}}],
            "description": " a\tb\r\nc\n\"<&>' é𝄞 "}),
        "<DocumentReference xmlns=\"http://hl7.org/fhir\">\
         <description value=\" a&#9;b&#13;&#10;c&#10;&quot;&lt;&amp;&gt;' é𝄞 \"/>\
         <content><attachment><data value=\"aGFuZG9mZg==\"/><size value=\"7\"/></attachment></content></DocumentReference>",
    );
}

#[test]
fn a_narrative_is_markup_in_one_and_text_in_the_other() {
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang='en'><!-- x --><p class=\"a &amp; b\">1 &lt; 2&#160;é</p>\n<br /></div>";
    is_written(
        json!({"resourceType": "Patient", "text": {"status": "generated", "div": div}, "active": true}),
        &patient(&format!("<text><status value=\"generated\"/>{div}</text><active value=\"true\"/>")),
    );
    // In words of HTML, without its namespace, with the line ends of Windows: the same content, as XML has it.
    let loose =
        json!({"resourceType": "Patient", "text": {"status": "generated", "div": " <div>a&nbsp;b\r\n<i/></div>"}});
    assert_eq!(
        read_back(&written(&loose))["text"]["div"],
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">a\u{a0}b\n<i/></div>"
    );
    // A prefix, CDATA and a processing instruction are a document's ways to say the same.
    let prefixed = "<f:Patient xmlns:f=\"http://hl7.org/fhir\" xmlns:h=\"http://www.w3.org/1999/xhtml\"><f:text>\
        <f:status value=\"generated\"/><h:div title='a'><h:p>x<![CDATA[<&]]></h:p><?pi?></h:div></f:text></f:Patient>";
    assert_eq!(
        read_back(prefixed)["text"]["div"],
        "<div xmlns=\"http://www.w3.org/1999/xhtml\" title='a'><p>x&lt;&amp;</p></div>"
    );
}

#[test]
fn a_narrative_cannot_break_out_of_its_place() {
    for div in [
        "<div></div><active value=\"true\"/>",
        "<div></text><active value=\"true\"/></div>",
        "<div>",
        "<div><p></div>",
        "<div>&custom;</div>",
        "<div title=\"<\"/>",
        "<div a=\"1\" a=\"2\"/>",
        "<div><script xmlns=\"http://hl7.org/fhir\"/></div>",
        "<!DOCTYPE div><div/>",
        "<div/>text",
        "<p/>",
        "<div>\u{1}</div>",
        "<div>]]></div>",
        "<div x:y=\"1\"/>",
        "plain",
        "",
    ] {
        let value = json!({"resourceType": "Patient", "text": {"status": "generated", "div": div}});
        let issues = xml::text(&value, profiles(), Layout::default()).unwrap_err();
        assert_eq!((issues.len(), issues[0].expression.as_str()), (1, "Patient.text.div"), "{div}: {issues:?}");
    }
}

#[test]
fn what_a_document_may_have_besides_is_passed_over() {
    let text = "\u{feff}<?xml version=\"1.0\" encoding='utf-8'?>\n<!-- a --><?pi x?>\n<Patient xmlns=\"http://hl7.org/fhir\"\n \
        xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"http://hl7.org/fhir ../patient.xsd\">\n\
        <!-- b -->\t<active value = 'true' ></active>\n<birthDate value=\"19&#57;0\"/><?pi?></Patient>\n<!-- c -->\n";
    assert_eq!(read_back(text), json!({"resourceType": "Patient", "active": true, "birthDate": "1990"}));
    // Unescaped line breaks and tabs in an attribute are spaces to every reader of XML (3.3.3).
    assert_eq!(read_back(&patient("<gender value=\"a\r\nb\tc&#10;d\"/>"))["gender"], "a b c\nd");
}

#[test]
fn all_mistakes_are_named_at_once_with_place_and_expectation() {
    let text = patient(
        "\n<shoeSize value=\"44\"/>\n<active value=\"yes\"/>\n<name colour=\"x\">text<given/></name><name><family value=\"A\"/>\n\
         <family value=\"B\"/><nick><x/></nick></name>\n<gender>m</gender>\n<deceasedString value=\"x\"/>\n\
         <birthDate xmlns=\"urn:other\" value=\"1990\"/><address value=\"x\"/><multipleBirthInteger value=\"1.\"/>\n<active value=\"true\"/>",
    );
    let expected = [
        ("unknown-element", "Patient.shoeSize", "line 2, column 1"),
        ("format", "Patient.active", "line 3, column 1"),
        ("unknown-attribute", "Patient.name[0]", "line 4, column 1"),
        ("text", "Patient.name[0]", "line 4, column 18"),
        ("empty", "Patient.name[0].given[0]", "line 4, column 22"),
        ("cardinality-max", "Patient.name[1].family", "line 5, column 1"),
        ("unknown-element", "Patient.name[1].nick", "line 5, column 20"),
        ("text", "Patient.gender", "line 6, column 9"),
        ("empty", "Patient.gender", "line 6, column 9"),
        ("unknown-element", "Patient.deceasedString", "line 7, column 1"),
        ("namespace", "Patient.birthDate", "line 8, column 1"),
        ("unknown-attribute", "Patient.address[0]", "line 8, column 44"),
        ("format", "Patient.multipleBirth", "line 8, column 64"),
        ("order", "Patient.active", "line 9, column 1"),
        ("cardinality-max", "Patient.active", "line 9, column 1"),
    ];
    let found = problems(&text);
    let found: Vec<(&str, &str, &str)> =
        found.iter().map(|(rule, place, at)| (*rule, place.as_str(), at.as_str())).collect();
    assert_eq!(found, expected);
    let near = xml::resource(patient("<names/>").as_bytes(), profiles()).unwrap_err();
    assert!(near[0].text.ends_with("is it `name`?"), "{}", near[0].text);
    let listed = xml::resource(patient("<link><x/></link>").as_bytes(), profiles()).unwrap_err();
    assert!(listed[0].text.contains("`other` or `type`"), "{}", listed[0].text);
}

#[test]
fn what_is_no_fhir_xml_is_refused_in_one_sentence() {
    let deep = format!("{}{}", "<extension url=\"x\">".repeat(60), "</extension>".repeat(60));
    let many: String = (0..40).map(|count| format!(" a{count}=\"\"")).collect();
    let bound: String = (0..31).map(|count| format!(" xmlns:a{count}=\"\"")).collect();
    let around = format!("<name{bound}><period{bound}/></name>");
    for (text, said) in [
        ("".to_string(), "empty"),
        (" \n".into(), "empty"),
        ("hello".into(), "text"),
        ("{\"resourceType\":\"Patient\"}".into(), "text"),
        ("<Patient/>".into(), "namespace"),
        ("<Patient xmlns=\"http://hl7.org/fhir\"/><Patient/>".into(), "one root"),
        ("<Patient xmlns=\"http://hl7.org/fhir\">".into(), "end tag"),
        ("<Patient xmlns=\"http://hl7.org/fhir\"></Goal>".into(), "end tag"),
        ("<Patient xmlns=\"http://hl7.org/fhir\"".into(), "end of a tag"),
        ("<f:Patient xmlns=\"http://hl7.org/fhir\"/>".into(), "prefix"),
        ("<Nonsense xmlns=\"http://hl7.org/fhir\"/>".into(), "no resource type"),
        ("<DomainResource xmlns=\"http://hl7.org/fhir\"/>".into(), "no resource type"),
        ("<?xml version=\"1.0\" encoding=\"latin1\"?><Patient xmlns=\"http://hl7.org/fhir\"/>".into(), "UTF-8"),
        (" <?xml version=\"1.0\"?><Patient xmlns=\"http://hl7.org/fhir\"/>".into(), "declaration"),
        ("<!DOCTYPE Patient><Patient xmlns=\"http://hl7.org/fhir\"/>".into(), "DOCTYPE"),
        (
            "<!DOCTYPE p [<!ENTITY a SYSTEM \"file:///etc/passwd\">]><Patient xmlns=\"http://hl7.org/fhir\"><gender value=\"&a;\"/></Patient>".into(),
            "DOCTYPE",
        ),
        ("<!DOCTYPE p [<!ENTITY a \"".into(), "DOCTYPE"),
        (patient("<!DOCTYPE p>"), "DOCTYPE"),
        (patient("<gender value=\"&a;\"/>"), "no other entity"),
        (patient("<gender value=\"&nbsp;\"/>"), "no other entity"),
        (patient("<gender value=\"&#0;\"/>"), "no other entity"),
        (patient("<gender value=\"&#x1;\"/>"), "no other entity"),
        (patient("<gender value=\"&#xD800;\"/>"), "no other entity"),
        (patient("<gender value=\"&#+65;\"/>"), "no other entity"),
        (patient("<gender value=\"&#99999999999;\"/>"), "no other entity"),
        (patient("<gender value=\"a & b\"/>"), "no other entity"),
        (patient("&a;"), "no other entity"),
        (patient("<gender value=\"<\"/>"), "&lt;"),
        (patient("<gender value=\"\0\"/>"), "control"),
        (patient("<gender value=\"\u{b}\"/>"), "control"),
        (patient("<gender value=\"\u{fffe}\"/>"), "control"),
        (patient("<gender value=a/>"), "quotes"),
        (patient("<gender value/>"), "`=`"),
        (patient("<gender id=\"a\"value=\"a\"/>"), "white space"),
        (patient("<gender value=\"a\" value=\"b\"/>"), "once"),
        (patient(&format!("<gender{many}/>")), "at most 32"),
        (patient(&around), "at most 32"),
        (patient(&deep), "100 levels"),
        (patient("<contained/>"), "expected a resource"),
        (patient("<contained><Patient/><Patient/></contained>"), "one resource"),
        (patient("<contained><Nonsense><a><b/></a></Nonsense></contained>"), "no resource type"),
        (patient("<text><div/></text>"), "namespace"),
        (patient("<text><div xmlns=\"http://www.w3.org/1999/xhtml\"><p></div></text>"), "end tag"),
        (patient("<text><div xmlns=\"http://www.w3.org/1999/xhtml\">&nbsp;</div></text>"), "no other entity"),
        (patient("<!-- a -- b -->"), "`--`"),
    ] {
        let issues = xml::resource(text.as_bytes(), profiles()).unwrap_err();
        assert_eq!(issues.len(), 1, "{text:.80}: {issues:?}");
        assert!(issues[0].text.contains(said), "{text:.80}: {}", issues[0].text);
    }
    assert!(xml::resource(b"\xff\xfe<\0", profiles()).unwrap_err()[0].text.contains("UTF-8"));
    let many = patient(&"<x/>".repeat(10_000));
    assert_eq!(problems(&many).len(), 101, "and it says that it ended there");
}

#[test]
fn what_xml_cannot_say_is_refused_where_it_is() {
    for (value, place) in [
        (json!({"resourceType": "Patient", "shoeSize": 44}), "Patient"),
        (json!({"resourceType": "Patient", "name": [{"family": "a\u{1}b"}]}), "Patient.name[0].family"),
        (json!({"resourceType": "Patient", "name": [{"id": "a", "_id": {"extension": []}}]}), "Patient.name[0]"),
        (json!({"resourceType": "Patient", "name": ["Ana"]}), "Patient.name[0]"),
        (json!({"resourceType": "Patient", "contained": [{"resourceType": "Nonsense"}]}), "Patient.contained[0]"),
        (json!({"resourceType": "Patient", "active": {"x": 1}}), "Patient.active"),
        (json!({"resourceType": "Nonsense"}), "Nonsense"),
        (json!(7), "Resource"),
    ] {
        let issues = xml::text(&value, profiles(), Layout::default()).unwrap_err();
        assert_eq!((issues.len(), issues[0].expression.as_str()), (1, place), "{issues:?}");
    }
    let lossy = Layout { is_lossy: true, ..Layout::default() };
    let text = xml::text(&json!({"resourceType": "Patient", "gender": "a\u{1}"}), profiles(), lossy).unwrap();
    assert!(text.contains("a\u{fffd}"), "{text}");
}

#[test]
fn pretty_xml_has_an_element_a_line() {
    let value = json!({"resourceType": "Patient", "contained": [{"resourceType": "Goal", "id": "g"}], "active": true,
        "text": {"status": "generated", "div": "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a</p></div>"}});
    let text = xml::text(&value, profiles(), Layout { is_pretty: true, ..Layout::default() }).unwrap();
    let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<Patient xmlns="http://hl7.org/fhir">
  <text>
    <status value="generated"/>
    <div xmlns="http://www.w3.org/1999/xhtml"><p>a</p></div>
  </text>
  <contained>
    <Goal>
      <id value="g"/>
    </Goal>
  </contained>
  <active value="true"/>
</Patient>
"#;
    assert_eq!(text, expected);
}

/// Broken in all the ways that three thousand seeds find: an answer each time, and what is read can be written.
#[test]
fn mutations_are_answered_and_never_panic() {
    let div = "<div xmlns=\"http://www.w3.org/1999/xhtml\"><p>a &amp; b &#160; c</p><!-- d --><br/></div>";
    let value = json!({"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {"resourceType": "Patient",
        "text": {"status": "generated", "div": div}, "contained": [{"resourceType": "Goal", "id": "g"}],
        "extension": [{"url": "http://x", "valueDecimal": 1}], "active": true, "birthDate": "1990",
        "_birthDate": {"id": "é"}, "name": [{"given": ["A", null], "_given": [null, {"id": "x"}], "family": "a\n\"&<"}]}}]});
    let whole = format!("<?xml version=\"1.0\"?><!-- a --><?pi b?>{}", &written(&value)[38..]).into_bytes();
    let pieces: [&[u8]; 16] = [
        b"<",
        b">",
        b"/>",
        b"\"",
        b"&",
        b";",
        b"<!--",
        b"-->",
        b"<![CDATA[",
        b"]]>",
        b"<?",
        b"<!DOCTYPE a [",
        b"\0",
        b"\xff",
        b"xmlns:a=\"\"",
        b"</",
    ];
    let (mut read, mut seed) = (0, 0x9e37_79b9_7f4a_7c15_u64);
    let mut random = |below: usize| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed % below as u64).unwrap()
    };
    for _ in 0..3_000 {
        let mut text = whole.clone();
        for _ in 0..=random(3) {
            let (at, other) = (random(text.len()), random(text.len()));
            match random(5) {
                0 => text[at] = u8::try_from(random(256)).unwrap(),
                1 => drop(text.splice(at..at, pieces[random(pieces.len())].iter().copied())),
                2 => drop(text.drain(at.min(other)..at.max(other).min(at.min(other) + 40))),
                3 => text.truncate(at.max(1)),
                _ => text = [&text[..at.max(other)], &text[at.min(other)..]].concat(),
            }
        }
        if let Ok(resource) = xml::resource(&text, profiles()) {
            read += 1;
            let _ = xml::text(resource.value(), profiles(), Layout::default());
        }
    }
    assert!(read > 20, "some stay readable: {read}");
}
