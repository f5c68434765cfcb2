//! Tokens by the API: generate, list, describe, edit, regenerate, remove, as the contract has them.

use chrono::TimeDelta;
use hallpass::types::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Site};

const TOKENS: &str = "/api/v1/tokens";

/// A site with the zones, and the value of a token that may manage tokens and all of the zones.
fn start() -> (Site, String) {
    let site = Site::start();
    let value = site.owner_with_zones().generate("manager", &["hallpass/*", "*"]);
    (site, value)
}

fn made(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 201, "{}", answer.body);
    let told = answer.json();
    (told["token"]["id"].as_str().unwrap().into(), told["value"].as_str().unwrap().into())
}

fn errors(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 422, "{}", answer.body);
    answer.json()["errors"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap().into()).collect()
}

fn names(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap().into()).collect()
}

#[test]
fn a_generated_token_is_told_with_every_member_and_works() {
    let (site, manager) = start();
    let answer = site.api(
        &manager,
        "POST",
        TOKENS,
        json!({
            "name": "ci", "description": "Deploys", "lifetime_days": 30, "scopes": ["zones:listZones", "zones:readZone"],
            "allow": ["zones:example.org"], "rate_per_minute": 60,
        }),
    );
    let (id, value) = made(&answer);
    assert_eq!(answer.header("location"), format!("{TOKENS}/{id}"));
    let token = answer.json()["token"].clone();
    let mut members: Vec<&String> = token.as_object().unwrap().keys().collect();
    members.sort();
    let contract = "id, name, description, kind, owner, created_by, starts_with, status, scopes, access_set, allow, ip_allow, \
        rate_per_minute, enabled, created_at, expires_at, removed_at, previous_expires_at, last_used";
    let mut expected: Vec<&str> = contract.split(", ").collect();
    expected.sort_unstable();
    assert_eq!(members, expected);
    assert_eq!(token["owner"]["name"], "Maria Keller");
    assert_eq!(
        (&token["kind"], &token["status"], &token["enabled"]),
        (&json!("personal"), &json!("active"), &json!(true))
    );
    assert_eq!(token["scopes"], json!(["zones:listZones", "zones:readZone"]));
    // The end of the day in Berlin.
    assert_eq!(token["expires_at"], "2026-12-23T22:59:59.999Z".replace(".999", ".000"));
    assert_eq!((&token["last_used"], &token["access_set"]), (&Value::Null, &Value::Null));
    assert_eq!(token["starts_with"], value[..8]);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
    let described = site.api(&manager, "GET", &format!("{TOKENS}/{id}"), Value::Null);
    assert_eq!(described.json(), token);
    assert!(!described.body.contains(&value));
    assert!(described.header("etag").starts_with('"'));
}

#[test]
fn what_is_left_out_is_as_the_policy_and_the_form_propose() {
    let (site, manager) = start();
    let token = site.api(&manager, "POST", TOKENS, json!({ "access_set": "read-only" })).json()["token"].clone();
    assert!(token["name"].as_str().unwrap().starts_with("token-"));
    assert_eq!((&token["access_set"], &token["expires_at"]), (&json!("read-only"), &json!("2027-02-21T22:59:59.000Z")));
    assert_eq!(errors(&site.api(&manager, "POST", TOKENS, json!({}))), ["scopes"]);
}

#[test]
fn an_expiry_is_an_instant_a_day_or_never_where_the_policy_allows_it() {
    let (site, manager) = start();
    let post = |expires: Value| site.api(&manager, "POST", TOKENS, json!({ "scopes": ["*"], "expires_at": expires }));
    let expires = |answer: Answer| answer.json()["token"]["expires_at"].clone();
    assert_eq!(expires(post(json!("2026-11-23T12:00:00Z"))), "2026-11-23T12:00:00.000Z");
    assert_eq!(expires(post(json!("2026-11-23T14:00:00+02:00"))), "2026-11-23T12:00:00.000Z");
    assert_eq!(expires(post(json!("2026-12-01"))), "2026-12-01T22:59:59.000Z");
    for wrong in [
        json!(null),
        json!("2026-11-23T09:40:00Z"),
        json!("2026-11-22"),
        json!("2027-11-24T23:00:00Z"),
        json!("soon"),
        json!(""),
    ] {
        assert_eq!(errors(&post(wrong.clone())), ["expires_at"], "{wrong}");
    }
    let both = json!({ "scopes": ["*"], "expires_at": "2026-12-01", "lifetime_days": 3 });
    assert_eq!(errors(&site.api(&manager, "POST", TOKENS, both)), ["lifetime_days"]);
    let both = json!({ "scopes": ["*"], "access_set": "read-only" });
    assert_eq!(errors(&site.api(&manager, "POST", TOKENS, both)), ["access_set"]);
    let long = json!({ "scopes": ["*"], "lifetime_days": 366 });
    assert_eq!(errors(&site.api(&manager, "POST", TOKENS, long)), ["expires_at"]);
}

#[test]
fn a_list_leaves_out_what_is_over_unless_it_is_asked_for() {
    let (site, manager) = start();
    site.pass(TimeDelta::seconds(1));
    for (name, days) in [("short", 1), ("long", 60), ("off", 60), ("gone", 60)] {
        let body = json!({ "name": name, "lifetime_days": days, "scopes": ["zones:listZones"] });
        made(&site.api(&manager, "POST", TOKENS, body));
        site.pass(TimeDelta::seconds(1));
    }
    let id = |name: &str| site.texts(&format!("SELECT id AS text FROM tokens WHERE name = '{name}'")).remove(0);
    assert_eq!(
        site.api(&manager, "PATCH", &format!("{TOKENS}/{}", id("off")), json!({ "enabled": false })).status,
        200
    );
    assert_eq!(site.api(&manager, "DELETE", &format!("{TOKENS}/{}", id("gone")), Value::Null).status, 204);
    site.pass(TimeDelta::days(3));
    let list = |query: &str| names(&site.api(&manager, "GET", &format!("{TOKENS}?{query}"), Value::Null));
    assert_eq!(list(""), ["off", "long", "manager"]);
    assert_eq!(list("include_expired=true"), ["off", "long", "short", "manager"]);
    assert_eq!(list("include_removed=true"), ["gone", "off", "long", "manager"]);
    assert_eq!(list("include_removed=true&include_expired=true").len(), 5);
    assert_eq!(list("status=expired"), ["short"]);
    assert_eq!(list("status=removed"), ["gone"]);
    assert_eq!(list("status=disabled"), ["off"]);
    assert_eq!(list("status=active"), ["long", "manager"]);
    assert_eq!(list("sort=name"), ["long", "manager", "off"]);
    assert_eq!(list("sort=-name&q=a"), ["manager"]);
    assert_eq!(list("sort=expires"), ["long", "off", "manager"]);
    // Use is written in batches; what was never used comes last.
    assert_eq!(list("sort=used").len(), 3);
}

#[test]
fn each_status_of_a_list_is_the_status_that_its_rows_tell() {
    let (site, manager) = start();
    let post = |body: Value| made(&site.api(&manager, "POST", TOKENS, body)).0;
    for nth in 0..4 {
        post(json!({ "name": format!("a{nth}"), "scopes": ["*"], "lifetime_days": 5 + 10 * nth }));
    }
    let graceful = post(json!({ "name": "grace", "scopes": ["*"] }));
    let renewed =
        site.api(&manager, "POST", &format!("{TOKENS}/{graceful}/regenerate"), json!({ "grace_seconds": 3600 }));
    assert_eq!(renewed.status, 201, "{}", renewed.body);
    let mut seen = 0;
    for status in ["active", "expiring", "grace", "disabled", "frozen", "expired", "removed"] {
        let answer = site.api(&manager, "GET", &format!("{TOKENS}?status={status}"), Value::Null).json();
        for row in answer["items"].as_array().unwrap() {
            assert_eq!(row["status"], status);
            seen += 1;
        }
        assert_eq!(answer["total"], answer["items"].as_array().unwrap().len());
    }
    assert_eq!(seen, 6, "each token has one status");
}

#[test]
fn pages_of_a_list_hold_every_row_once_in_every_order() {
    let (site, manager) = start();
    for nth in 0..7 {
        let body = json!({ "name": format!("t{nth}"), "scopes": ["*"], "lifetime_days": 30 - nth % 3 });
        made(&site.api(&manager, "POST", TOKENS, body));
    }
    for sort in ["created", "-created", "name", "-name", "expires", "-expires", "used", "-used"] {
        let whole = names(&site.api(&manager, "GET", &format!("{TOKENS}?sort={sort}"), Value::Null));
        let (mut paged, mut after) = (Vec::new(), String::new());
        loop {
            let answer = site.api(&manager, "GET", &format!("{TOKENS}?limit=3&sort={sort}{after}"), Value::Null);
            paged.extend(names(&answer));
            assert_eq!(answer.json()["total"], 8);
            match answer.json()["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{sort}");
        assert_eq!(whole.len(), 8);
    }
}

#[test]
fn another_s_tokens_are_for_administrators_and_missing_for_everybody_else() {
    let (site, manager) = start();
    let jan = site.person("jan@example.com", Role::Contributor);
    site.pass(TimeDelta::seconds(1));
    let value = jan.generate("jan", &["hallpass/*", "zones:listZones"]);
    let maria = site.texts("SELECT id AS text FROM accounts WHERE role = 'owner'").remove(0);
    let jan_id = site.texts("SELECT id AS text FROM accounts WHERE role = 'contributor'").remove(0);
    let of_maria = site.texts("SELECT id AS text FROM tokens WHERE name = 'manager'").remove(0);
    assert_eq!(names(&site.api(&value, "GET", TOKENS, Value::Null)), ["jan"]);
    assert_eq!(site.api(&value, "GET", &format!("{TOKENS}?all=true"), Value::Null).status, 403);
    assert_eq!(site.api(&value, "GET", &format!("{TOKENS}?owner={maria}"), Value::Null).status, 404);
    assert_eq!(names(&site.api(&manager, "GET", &format!("{TOKENS}?all=true"), Value::Null)), ["jan", "manager"]);
    assert_eq!(names(&site.api(&manager, "GET", &format!("{TOKENS}?owner={jan_id}"), Value::Null)), ["jan"]);
    let there = |method: &str, path: String, body: Value| {
        let missing =
            site.api(&value, method, &path.replace("ID", "019ab000-0000-7000-8000-000000000000"), body.clone());
        let foreign = site.api(&value, method, &path.replace("ID", &of_maria), body);
        assert_eq!((foreign.status, foreign.body), (404, missing.body), "{method} {path}");
    };
    there("GET", format!("{TOKENS}/ID"), Value::Null);
    there("PATCH", format!("{TOKENS}/ID"), json!({ "name": "mine" }));
    there("DELETE", format!("{TOKENS}/ID"), Value::Null);
    there("DELETE", format!("{TOKENS}/ID?purge=true"), Value::Null);
    there("POST", format!("{TOKENS}/ID/regenerate"), json!({}));
    // For another person an owner alone generates.
    let body = json!({ "name": "for jan", "owner": jan_id, "scopes": ["zones:listZones"] });
    let answer = site.api(&manager, "POST", TOKENS, body);
    assert_eq!(answer.json()["token"]["owner"]["id"], jan_id);
    let body = json!({ "name": "for maria", "owner": maria, "scopes": ["zones:listZones"] });
    assert!(matches!(site.api(&value, "POST", TOKENS, body).status, 403 | 404));
}

#[test]
fn an_edit_changes_what_it_names_and_nothing_else() {
    let (site, manager) = start();
    let body = json!({ "name": "ci", "access_set": "read-only", "allow": ["zones:a"], "rate_per_minute": 5 });
    let (id, value) = made(&site.api(&manager, "POST", TOKENS, body));
    let path = format!("{TOKENS}/{id}");
    let before = site.api(&manager, "GET", &path, Value::Null).json();
    let after = site.api(&manager, "PATCH", &path, json!({ "description": "New" }));
    assert_eq!(after.status, 200, "{}", after.body);
    let mut expected = before.clone();
    expected["description"] = json!("New");
    assert_eq!(after.json(), expected);
    let after =
        site.api(&manager, "PATCH", &path, json!({ "rate_per_minute": null, "allow": [], "enabled": false })).json();
    assert_eq!(
        (&after["rate_per_minute"], &after["allow"], &after["enabled"]),
        (&Value::Null, &json!([]), &json!(false))
    );
    assert_eq!(after["access_set"], "read-only");
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 401, "disabled at once");
    let after = site.api(&manager, "PATCH", &path, json!({ "scopes": ["zones:listZones"], "enabled": true })).json();
    assert_eq!((&after["access_set"], &after["scopes"]), (&Value::Null, &json!(["zones:listZones"])));
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
    assert_eq!(errors(&site.api(&manager, "PATCH", &path, json!({ "name": "manager" }))), ["name"]);
    assert_eq!(errors(&site.api(&manager, "PATCH", &path, json!({ "scopes": [] }))), ["scopes"]);
    assert_eq!(errors(&site.api(&manager, "PATCH", &path, json!({ "access_set": "read-only" }))), ["access_set"]);
}

#[test]
fn an_edit_over_what_changed_meanwhile_is_412() {
    let (site, manager) = start();
    let (id, _) = made(&site.api(&manager, "POST", TOKENS, json!({ "name": "ci", "scopes": ["*"] })));
    let path = format!("{TOKENS}/{id}");
    let tag = site.api(&manager, "GET", &path, Value::Null).header("etag").to_owned();
    let edit = |tag: &str, name: &str| {
        let body = json!({ "name": name }).to_string();
        site.call(&manager, "PATCH", &path, &[("if-match", tag)], Some(body.as_bytes()))
    };
    let first = edit(&tag, "one");
    assert_eq!(first.status, 200, "{}", first.body);
    let second = edit(&tag, "two");
    assert_eq!((second.status, second.header("content-type")), (412, "application/problem+json"));
    assert_eq!(edit(first.header("etag"), "two").status, 200);
    assert_eq!(edit("*", "three").status, 200);
    assert_eq!(edit("W/\"x\", \"y\"", "four").status, 412);
    assert_eq!(edit("", "five").status, 200);
}

#[test]
fn a_regenerated_value_takes_the_place_of_the_former_at_once_or_after_its_grace() {
    let (site, manager) = start();
    let (id, first) = made(&site.api(&manager, "POST", TOKENS, json!({ "name": "ci", "scopes": ["*"] })));
    let path = format!("{TOKENS}/{id}/regenerate");
    let works = |value: &str| site.verify(value, "GET", "/api/v1/zones").status == 200;
    let second = made(&site.call(&manager, "POST", &path, &[], None)).1;
    assert!(!works(&first) && works(&second));
    let answer = site.api(&manager, "POST", &path, json!({ "grace_seconds": 90 }));
    assert_eq!(answer.json()["token"]["previous_expires_at"], "2026-11-23T09:41:30.000Z");
    let third = made(&answer).1;
    assert!(works(&second) && works(&third));
    assert_eq!(errors(&site.api(&manager, "POST", &path, json!({ "grace_seconds": 5 }))), ["grace_seconds"]);
    site.pass(TimeDelta::seconds(90));
    assert!(!works(&second) && works(&third));
    let until = json!({ "previous_expires_at": "2026-11-24T00:00:00Z" });
    assert_eq!(site.api(&manager, "POST", &path, until).status, 201);
    for wrong in [
        json!({ "previous_expires_at": "2026-12-24T00:00:00Z" }),
        json!({ "previous_expires_at": "2026-11-01T00:00:00Z" }),
        json!({ "previous_expires_at": "2026-11-24T00:00:00Z", "grace_seconds": 4 }),
    ] {
        assert_eq!(site.api(&manager, "POST", &path, wrong).status, 422);
    }
}

#[test]
fn a_call_that_is_repeated_under_its_key_makes_one_token_and_tells_its_value_once() {
    let (site, manager) = start();
    let post = |path: &str, key: &str, body: &str| {
        site.call(&manager, "POST", path, &[("idempotency-key", key)], Some(body.as_bytes()))
    };
    let body = r#"{"name":"ci","scopes":["*"]}"#;
    let (id, value) = made(&post(TOKENS, "k1", body));
    let again = post(TOKENS, "k1", body);
    assert_eq!((again.status, again.header("idempotency-replayed")), (200, "true"), "{}", again.body);
    assert_eq!((&again.json()["token"]["id"], &again.json()["value"]), (&json!(id), &Value::Null));
    assert!(!again.body.contains(&value));
    let other = post(TOKENS, "k1", r#"{"name":"other","scopes":["*"]}"#);
    assert_eq!(errors(&other), ["Idempotency-Key"]);
    let path = format!("{TOKENS}/{id}/regenerate");
    assert_eq!(errors(&post(&path, "k1", body)).len(), 1, "one key is for one call");
    let (_, second) = made(&post(&path, "k2", "{}"));
    let again = post(&path, "k2", "{}");
    assert_eq!((again.status, &again.json()["value"]), (200, &Value::Null));
    assert_eq!(site.verify(&second, "GET", "/api/v1/zones").status, 200, "the repeat ended nothing");
    site.pass(TimeDelta::hours(24));
    made(&post(&path, "k2", "{}"));
    for wrong in ["a b", "é", &"x".repeat(256)] {
        assert_eq!(errors(&post(TOKENS, wrong, body)), ["Idempotency-Key"], "{wrong}");
    }
    // A refused call keeps no key.
    assert_eq!(post(TOKENS, "k3", r#"{"name":"ci","scopes":["*"]}"#).status, 422);
    made(&post(TOKENS, "k3", r#"{"name":"ci2","scopes":["*"]}"#));
}

#[test]
fn a_removed_token_stays_in_the_history_and_a_purged_one_only_in_the_log() {
    let (site, manager) = start();
    let (id, value) = made(&site.api(&manager, "POST", TOKENS, json!({ "name": "ci", "scopes": ["*"] })));
    let beside = site.beside();
    beside.app.follow().unwrap();
    let path = format!("{TOKENS}/{id}");
    assert_eq!(beside.verify(&value, "GET", "/api/v1/zones").status, 200);
    assert_eq!(site.api(&manager, "DELETE", &path, Value::Null).status, 204);
    assert_eq!(site.api(&manager, "DELETE", &path, Value::Null).status, 404);
    assert_eq!(site.api(&manager, "GET", &path, Value::Null).json()["status"], "removed");
    assert_eq!(site.api(&manager, "DELETE", &format!("{path}?purge=true"), Value::Null).status, 204);
    assert_eq!(site.api(&manager, "GET", &path, Value::Null).status, 404);
    assert!(site.rows("tokens").iter().chain(&site.rows("generations")).all(|row| !row.contains(&id)));
    assert!(site.rows("events").iter().any(|row| row.contains("token.purge") && row.contains(&id)));
    // A living one that is purged dies at once, and in other processes when they hear of it.
    let (id, value) = made(&site.api(&manager, "POST", TOKENS, json!({ "name": "ci", "scopes": ["*"] })));
    beside.app.follow().unwrap();
    assert_eq!(beside.verify(&value, "GET", "/api/v1/zones").status, 200);
    assert_eq!(site.api(&manager, "DELETE", &format!("{TOKENS}/{id}?purge=true"), Value::Null).status, 204);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 401);
    beside.app.follow().unwrap();
    assert_eq!(beside.verify(&value, "GET", "/api/v1/zones").status, 401);
}
