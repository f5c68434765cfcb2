//! Session tokens: signing a program in, what it may do, what it is asked for, and what ends it.

use chrono::TimeDelta;
use hallpass::types::Role;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Site};

const LOGIN: &str = "/api/v1/auth/login";
const WHOAMI: &str = "/api/v1/whoami";
const MARIA: &str = "maria@example.com";

fn status(site: &Site, value: &str) -> u16 {
    site.api(value, "GET", WHOAMI, Value::Null).status
}

fn generate(site: &Site, value: &str, password: &str, name: &str) -> crate::support::Answer {
    let body = json!({ "name": name, "scopes": ["zones:listZones"] }).to_string();
    site.call(value, "POST", "/api/v1/tokens", &[("x-confirm-password", password)], Some(body.as_bytes()))
}

#[test]
fn who_knows_the_password_gets_a_token_for_a_day() {
    let site = Site::start();
    site.owner_with_zones();
    let answer = site.api("", "POST", LOGIN, json!({ "email": MARIA, "password": PASSWORD }));
    assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"), "{}", answer.body);
    let told = answer.json();
    let value = told["value"].as_str().unwrap();
    assert!(value.starts_with("hp_") && value.len() == 45);
    assert_eq!(
        (&told["token"]["kind"], &told["token"]["expires_at"]),
        (&json!("session"), &json!("2026-11-24T09:40:00.000Z"))
    );
    let me = site.api(value, "GET", WHOAMI, Value::Null).json();
    assert_eq!((&me["account"]["email"], &me["role"]), (&json!(MARIA), &json!("owner")));
    assert_eq!(me["scopes"], json!(["hallpass/*"]));
    site.pass(TimeDelta::hours(24) - TimeDelta::milliseconds(1));
    assert_eq!(status(&site, value), 200);
    site.pass(TimeDelta::milliseconds(1));
    assert_eq!(status(&site, value), 401);
}

#[test]
fn a_wrong_password_is_counted_with_those_of_the_pages_and_told_in_the_log() {
    let site = Site::start();
    let maria = site.owner();
    let wrong = |email: &str| site.api("", "POST", LOGIN, json!({ "email": email, "password": "wrong" }));
    for email in [MARIA, "nobody@example.com"] {
        let answer = wrong(email);
        assert_eq!(
            (answer.status, answer.header("www-authenticate")),
            (401, "Bearer realm=\"hallpass\""),
            "{}",
            answer.body
        );
    }
    assert_eq!(wrong(" MARIA@example.com").status, 401);
    assert_eq!(site.visitor().sign_in(MARIA, "wrong").status, 422);
    let answer = wrong(MARIA);
    assert_eq!((answer.status, answer.header("retry-after")), (429, "1"), "{}", answer.body);
    assert!(
        maria.get("/settings/activity").text().contains("Sign-in refused"),
        "{}",
        maria.get("/settings/activity").text()
    );
}

#[test]
fn a_change_by_a_session_token_needs_the_password_and_a_look_does_not() {
    let site = Site::start();
    site.owner_with_zones();
    let value = site.log_in(MARIA);
    assert_eq!(site.api(&value, "GET", "/api/v1/tokens", Value::Null).status, 200);
    let without = generate(&site, &value, "", "ci");
    assert_eq!(without.status, 403, "{}", without.body);
    assert_eq!(without.json()["type"], "urn:hallpass:unconfirmed");
    assert!(without.body.contains("X-Confirm-Password"));
    let wrong = generate(&site, &value, "wrong", "ci");
    assert_eq!(wrong.status, 403, "{}", wrong.body);
    assert!(wrong.body.contains("2 tries left"), "{}", wrong.body);
    assert_eq!(generate(&site, &value, PASSWORD, "ci").status, 201);
    // A right one leaves no count.
    for _ in 0..2 {
        assert_eq!(generate(&site, &value, "wrong", "ci").status, 403);
    }
    assert_eq!(generate(&site, &value, "wrong", "ci").status, 403);
    assert_eq!(generate(&site, &value, PASSWORD, "ci").status, 429);
}

#[test]
fn a_session_token_is_a_session_and_no_token_of_the_person() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = site.log_in(MARIA);
    let id = site.api(&value, "GET", WHOAMI, Value::Null).json()["token"]["id"].as_str().unwrap().to_owned();
    assert_eq!(site.api(&value, "GET", "/api/v1/tokens?include_expired=true", Value::Null).json()["total"], 0);
    assert_eq!(site.api(&value, "GET", &format!("/api/v1/tokens/{id}"), Value::Null).status, 404);
    assert_eq!(maria.get(&format!("/settings/tokens/{id}")).status, 404);
    assert!(!maria.get("/settings/tokens").text().contains("session"));
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 403, "it opens no other API");
    let sessions = site.api(&value, "GET", "/api/v1/sessions", Value::Null).json();
    let kinds: Vec<&Value> = sessions["items"].as_array().unwrap().iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["program", "browser"]);
    assert_eq!((&sessions["items"][0]["id"], &sessions["items"][0]["present"]), (&json!(id), &json!(true)));
}

#[test]
fn logout_a_new_password_and_a_disabled_account_end_it() {
    let site = Site::start();
    let maria = site.owner();
    let jan = site.person("jan@example.com", Role::Contributor);
    let (first, second) = (site.log_in(MARIA), site.log_in(MARIA));
    assert_eq!(site.api(&first, "POST", "/api/v1/auth/logout", Value::Null).status, 204);
    assert_eq!((status(&site, &first), status(&site, &second)), (401, 200));

    let form = maria.get("/settings/password").form("/settings/password");
    let fields = [
        ("password", PASSWORD),
        ("new_password", "nine purple umbrellas dance"),
        ("new_password_again", "nine purple umbrellas dance"),
    ];
    let fields: Vec<_> = fields.into_iter().filter(|(name, _)| form.0.iter().any(|(of, _)| of == name)).collect();
    let answer = maria.post("/settings/password", &form.with(&fields));
    assert_eq!(answer.status, 303, "{}", answer.text());
    assert_eq!(status(&site, &second), 401);

    let value = site.log_in("jan@example.com");
    assert_eq!(status(&site, &value), 200);
    let id = site.texts("SELECT id AS text FROM accounts WHERE email = 'jan@example.com'").remove(0);
    let id = hallpass::types::AccountId::from(id.as_str());
    site.app.write_now(|tx| hallpass::account::disable(tx, &hallpass::actor::Actor::operator(), &id)).unwrap();
    assert_eq!(status(&site, &value), 401);
    assert_eq!(jan.get("/settings/profile").status, 303);
    assert_eq!(site.texts("SELECT id AS text FROM tokens WHERE kind = 'session' AND removed_at IS NULL").len(), 0);
}

#[test]
fn a_token_that_is_no_session_cannot_be_logged_out() {
    let site = Site::start();
    let value = site.owner_with_zones().generate("ci", &["zones:listZones"]);
    let answer = site.api(&value, "POST", "/api/v1/auth/logout", Value::Null);
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(status(&site, &value), 200, "and any living token is told who it is");
}

#[test]
fn sessions_of_browsers_and_programs_end_alike() {
    let site = Site::start();
    let maria = site.owner();
    let (here, there) = (site.log_in(MARIA), site.log_in(MARIA));
    let list = || site.api(&here, "GET", "/api/v1/sessions", Value::Null).json()["items"].as_array().unwrap().clone();
    let end = |path: &str| site.call(&here, "DELETE", path, &[("x-confirm-password", PASSWORD)], None).status;
    assert_eq!(list().len(), 3);
    let other = list().iter().find(|one| one["kind"] == "program" && one["present"] == false).unwrap()["id"].clone();
    assert_eq!(end(&format!("/api/v1/sessions/{}", other.as_str().unwrap())), 204);
    assert_eq!(status(&site, &there), 401);
    assert_eq!(end(&format!("/api/v1/sessions/{}", other.as_str().unwrap())), 404);
    assert_eq!(end("/api/v1/sessions"), 204);
    assert_eq!(maria.get("/settings/profile").status, 303, "the browser has to sign in again");
    assert_eq!(list().len(), 1);
}
