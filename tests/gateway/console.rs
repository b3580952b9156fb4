//! The walk with only a browser: links, cookies and forms, as a browser would send them.

use handoff::gateway::{enroll, sign_in};
use handoff::partner::{Role, User};
use reqwest::header::SET_COOKIE;

use crate::harness::{On, TestGateway, fixture, key};
use crate::on_both;

/// Somebody at a browser, with the cookie that signing in gave.
pub struct Browser {
    base: String,
    cookie: String,
}

/// A page, and the status it came with.
pub struct Page {
    pub status: u16,
    pub text: String,
}

impl Browser {
    pub async fn sign_in(gw: &TestGateway, user: &str) -> Browser {
        let link = sign_in::link_for(&gw.ctx, user).await.unwrap().unwrap();
        let answer = reqwest::get(format!("{}/console/sign-in?link={link}", gw.address)).await.unwrap();
        let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_string();
        Browser { base: gw.address.clone(), cookie }
    }

    pub async fn opens(&self, path: &str) -> Page {
        let request = reqwest::Client::new().get(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let answer = request.send().await.unwrap();
        Page { status: answer.status().as_u16(), text: answer.text().await.unwrap() }
    }

    async fn sends(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let request = client.post(format!("{}{path}", self.base)).header("cookie", &self.cookie);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
        let answer = request.send().await.unwrap();
        Page { status: answer.status().as_u16(), text: answer.text().await.unwrap() }
    }

    /// Takes a step of a referral with the form that its page shows.
    async fn takes(&self, path: &str, step: &str, fields: &[(&str, &str)]) -> Page {
        let page = self.opens(path).await;
        let (seal, version) = (page.field("seal"), page.field("version"));
        let mut all = vec![("seal", seal.as_str()), ("version", version.as_str()), ("step", step)];
        all.extend_from_slice(fields);
        self.sends(path, &all).await
    }
}

impl Page {
    fn field(&self, name: &str) -> String {
        let at = self.text.find(&format!("name=\"{name}\" value=\"")).unwrap();
        self.text[at..].split("value=\"").nth(1).unwrap().split('"').next().unwrap().to_string()
    }
}

pub async fn start(on: On) -> TestGateway {
    let gw = TestGateway::exchange_with(on, |config| config.console.sign_in_links = true).await;
    for (id, role) in [("omar", Role::Compliance), ("clara", Role::CaseManager)] {
        let user = User { id: id.into(), partner: "river-clinic".into(), role, btg: false, practitioner: None };
        enroll::user(&gw.ctx, &user).await.unwrap();
    }
    gw
}

on_both!(an_agency_with_only_a_browser_answers_a_referral);
async fn an_agency_with_only_a_browser_answers_a_referral(on: On) {
    let gw = start(on).await;
    let clinic = gw.system("river-clinic").await;
    let task = clinic.submits(&fixture("carla")).await.one("Task");
    let (api, page) = (format!("/fhir/{}", key(&task)), format!("/console/referrals/{}", task["id"].as_str().unwrap()));

    let felix = Browser::sign_in(&gw, "corner-food-bank-worker").await;
    let inbox = felix.opens("/console/inbox").await;
    assert!(inbox.text.contains("A weekly food parcel, delivered") && inbox.text.contains("Carla Cedar-Sample"));
    assert!(inbox.text.contains(&page));

    let silent = felix.takes(&page, "rejected", &[]).await;
    assert_eq!(silent.status, 422);
    assert!(silent.text.contains("role=\"alert\""), "a reason is asked for");
    assert_eq!(felix.takes(&page, "accepted", &[]).await.status, 303);
    assert_eq!(felix.takes(&page, "in-progress", &[("note", "first parcel on Thursday")]).await.status, 303);
    let done = felix.takes(&page, "completed", &[("outcome", "A parcel every week since March")]).await;
    assert_eq!(done.status, 303, "{}", done.text);

    let closed = clinic.get(&api).await.is(200).body;
    assert_eq!(closed["status"], "completed");
    assert_eq!(closed["note"][0]["text"], "first parcel on Thursday");
    let output = closed["output"][0]["valueReference"]["reference"].as_str().unwrap();
    let procedure = clinic.get(&format!("/fhir/{output}")).await.is(200).body;
    assert_eq!(procedure["code"]["text"], "A parcel every week since March");
    assert_eq!(procedure["meta"]["source"], "Organization/corner-food-bank");
}

on_both!(a_form_without_its_seal_does_nothing);
async fn a_form_without_its_seal_does_nothing(on: On) {
    let gw = start(on).await;
    let clinic = gw.system("river-clinic").await;
    let task = clinic.submits(&fixture("carla")).await.one("Task");
    let page = format!("/console/referrals/{}", task["id"].as_str().unwrap());
    let felix = Browser::sign_in(&gw, "corner-food-bank-worker").await;
    for seal in ["", "0000"] {
        let fields = [("seal", seal), ("version", "1"), ("step", "accepted")];
        assert_eq!(felix.sends(&page, &fields).await.status, 403);
    }
    assert_eq!(clinic.get(&format!("/fhir/{}", key(&task))).await.is(200).body["status"], "requested");
}

on_both!(everybody_opens_their_own_pages_alone);
async fn everybody_opens_their_own_pages_alone(on: On) {
    let gw = start(on).await;
    let ana = gw.system("river-clinic").await.submits(&fixture("ana")).await;
    let page = format!("/console/referrals/{}", ana.one("Task")["id"].as_str().unwrap());
    let felix = Browser::sign_in(&gw, "corner-food-bank-worker").await;
    assert_eq!(felix.opens(&page).await.status, 404, "somebody else's referral");
    assert_eq!(felix.opens("/console/log").await.status, 403);
    let omar = Browser::sign_in(&gw, "omar").await;
    assert_eq!(omar.opens("/console/inbox").await.status, 403);
    assert_eq!(omar.opens("/console/log").await.status, 200);
    let nobody = Browser { base: gw.address.clone(), cookie: "handoff_session=forged".into() };
    for path in ["/console/inbox", "/console/log", page.as_str()] {
        let shown = nobody.opens(path).await;
        assert!(!shown.text.contains("Ana"), "{path}: {}", shown.status);
    }
}

on_both!(an_officer_reads_who_saw_what_and_why);
async fn an_officer_reads_who_saw_what_and_why(on: On) {
    let gw = start(on).await;
    let sent = gw.system("river-clinic").await.submits(&fixture("ana")).await;
    let social = gw.system("county-social-service").await;
    social.get(&format!("/fhir/{}", sent.key("CarePlan"))).await.is(200);
    social.get(&format!("/fhir/{}", sent.key("Condition"))).await.is(404);
    let omar = Browser::sign_in(&gw, "omar").await;
    let log = omar.opens("/console/log?partner=county-social-service").await.text;
    assert!(log.contains(&sent.key("CarePlan")) && log.contains(&sent.key("Condition")));
    assert!(log.contains("/_history/1") && log.contains("provision"), "the rule of the version that decided");
    assert!(!log.contains("Alder"), "decisions, not clinical content");
    let refused = omar.opens("/console/log?verdict=deny").await.text;
    assert!(refused.contains(&sent.key("Condition")) && !refused.contains(&sent.key("CarePlan")));
}

on_both!(links_that_sign_in_work_only_where_they_are_turned_on);
async fn links_that_sign_in_work_only_where_they_are_turned_on(on: On) {
    let gw = TestGateway::exchange(on, None).await;
    let link = sign_in::link_for(&gw.ctx, "corner-food-bank-worker").await.unwrap().unwrap();
    let answer = reqwest::get(format!("{}/console/sign-in?link={link}", gw.address)).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get(SET_COOKIE)), (401, None));
}

on_both!(an_officer_verifies_and_reviews_with_one_click);
async fn an_officer_verifies_and_reviews_with_one_click(on: On) {
    let gw = start(on).await;
    for (id, partner, role) in
        [("hilda", "harbor-housing", Role::Compliance), ("oscar", "county-social-service", Role::Operator)]
    {
        let user = User { id: id.into(), partner: partner.into(), role, btg: false, practitioner: None };
        enroll::user(&gw.ctx, &user).await.unwrap();
    }
    let (clinic, housing) = (gw.system("river-clinic").await, gw.system("harbor-housing").await);
    let patient = key(&clinic.creates(&crate::harness::patient()).await);
    let consent = key(&clinic.creates(&crate::filing::round_trip(&patient)).await);
    let goal = key(&housing.creates(&crate::filing::goal(&patient)).await);
    let verify = |browser: Browser, consent: String| async move {
        let page = browser.opens("/console/work").await;
        assert!(page.text.contains("Waiting for verification") && page.text.contains(&consent), "{}", page.text);
        let seal = page.field("seal");
        let fields = [("seal", seal.as_str()), ("about", consent.as_str()), ("what", "awaiting-verification")];
        assert_eq!(browser.sends("/console/work", &fields[1..]).await.status, 403, "without its seal");
        browser.sends("/console/work", &fields).await.status
    };
    let omar = Browser::sign_in(&gw, "omar").await;
    assert_eq!(verify(omar, consent.clone()).await, 422, "who filed it does not verify it");
    assert!(!crate::filing::sees(&clinic, &patient, &goal).await);
    assert_eq!(verify(Browser::sign_in(&gw, "hilda").await, consent.clone()).await, 303);
    assert!(crate::filing::sees(&clinic, &patient, &goal).await);

    // The operator speaks for everybody.
    let other = key(&clinic.creates(&crate::harness::patient()).await);
    let consent = key(&clinic.creates(&crate::filing::round_trip(&other)).await);
    let goal = key(&housing.creates(&crate::filing::goal(&other)).await);
    assert!(!crate::filing::sees(&clinic, &other, &goal).await);
    assert_eq!(verify(Browser::sign_in(&gw, "oscar").await, consent).await, 303);
    assert!(crate::filing::sees(&clinic, &other, &goal).await);
    let felix = Browser::sign_in(&gw, "corner-food-bank-worker").await;
    assert_eq!(felix.opens("/console/work").await.status, 403);
}
