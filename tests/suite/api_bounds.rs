//! No token begets a stronger one: what a narrow token may generate, edit and regenerate.

use serde_json::{Value, json};

use crate::support::{Answer, Site};

const TOKENS: &str = "/api/v1/tokens";
/// By name: beside an allow list a wildcard carries no method along that names no resource.
const MANAGE: [&str; 3] = ["hallpass/tokens:edit", "hallpass/tokens:generate", "hallpass/tokens:regenerate"];

fn with_management(scopes: &[&str]) -> Vec<String> {
    MANAGE.iter().chain(scopes).map(|scope| (*scope).to_owned()).collect()
}

struct Family {
    site: Site,
    /// Narrowed in every way.
    narrow: String,
    /// Of a sibling with every right.
    wide: String,
}

fn family() -> Family {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let manager = maria.generate("wide", &["hallpass/*", "*"]);
    let body = json!({
        "name": "narrow", "scopes": with_management(&["zones:listZones", "zones:readZone"]), "allow": ["zones:a", "zones:b"],
        "ip_allow": ["203.0.113.0/24"], "rate_per_minute": 1000, "lifetime_days": 30,
    });
    let narrow = site.api(&manager, "POST", TOKENS, body);
    assert_eq!(narrow.status, 201, "{}", narrow.body);
    let narrow = narrow.json()["value"].as_str().unwrap().to_owned();
    let wide = site.texts("SELECT id AS text FROM tokens WHERE name = 'wide'").remove(0);
    Family { site, narrow, wide }
}

impl Family {
    /// A call by the narrow one, from an address of its list.
    fn call(&self, value: &str, method: &str, path: &str, body: Value) -> Answer {
        let body = body.to_string();
        self.site.call(value, method, path, &[("x-forwarded-for", "203.0.113.9")], Some(body.as_bytes()))
    }

    fn narrow(&self, method: &str, path: &str, body: Value) -> Answer {
        self.call(&self.narrow, method, path, body)
    }
}

/// As narrow as the narrow one itself.
fn child() -> Value {
    json!({
        "scopes": ["zones:readZone"], "allow": ["zones:a"], "ip_allow": ["203.0.113.7"], "rate_per_minute": 1000,
        "lifetime_days": 30,
    })
}

fn refused(answer: &Answer, word: &str) {
    assert_eq!(answer.status, 403, "{word}: {}", answer.body);
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains(word), "{detail}");
}

#[test]
fn a_child_is_within_its_parent_in_methods_resources_addresses_rate_and_life() {
    let family = family();
    let post = |member: &str, value: Value| {
        let mut body = child();
        body[member] = value;
        family.narrow("POST", TOKENS, body)
    };
    assert_eq!(post("name", json!("same")).status, 201);
    for (member, value, word) in [
        ("scopes", json!(["zones:deleteZone"]), "methods"),
        ("scopes", json!(["zones:*"]), "methods"),
        ("scopes", json!(["*"]), "methods"),
        ("scopes", json!(["zones:readZone", "hallpass/events:list"]), "methods"),
        ("allow", json!(["zones:c"]), "resources"),
        ("allow", json!(["zones:*"]), "resources"),
        ("allow", json!([]), "resources"),
        ("ip_allow", json!(["10.0.0.1"]), "addresses"),
        ("ip_allow", json!(["0.0.0.0/0"]), "addresses"),
        ("ip_allow", json!([]), "addresses"),
        ("rate_per_minute", json!(1001), "requests"),
        ("rate_per_minute", json!(null), "requests"),
        ("lifetime_days", json!(31), "time"),
    ] {
        refused(&post(member, value.clone()), word);
    }
    let mut body = child();
    body.as_object_mut().unwrap().remove("lifetime_days");
    body["access_set"] = json!("full-access");
    body.as_object_mut().unwrap().remove("scopes");
    refused(&family.narrow("POST", TOKENS, body), "methods");
}

#[test]
fn a_narrow_token_neither_edits_nor_regenerates_a_wider_sibling() {
    let family = family();
    let path = format!("{TOKENS}/{}", family.wide);
    for body in [json!({ "name": "mine" }), json!({ "enabled": false }), json!({ "scopes": ["zones:readZone"] })] {
        refused(&family.narrow("PATCH", &path, body), "methods");
    }
    refused(&family.narrow("POST", &format!("{path}/regenerate"), json!({})), "methods");
    assert_eq!(family.site.rows("tokens").iter().filter(|row| row.contains("mine")).count(), 0);
}

#[test]
fn a_token_may_narrow_itself_and_never_widen_itself_again() {
    let family = family();
    let id = family.site.texts("SELECT id AS text FROM tokens WHERE name = 'narrow'").remove(0);
    let edit = |body: Value| family.narrow("PATCH", &format!("{TOKENS}/{id}"), body);
    refused(&edit(json!({ "expires_at": "2027-03-01" })), "time");
    refused(&edit(json!({ "scopes": with_management(&["*"]) })), "methods");
    assert_eq!(edit(json!({ "scopes": with_management(&["zones:readZone"]) })).status, 200);
    refused(&edit(json!({ "scopes": with_management(&["zones:readZone", "zones:listZones"]) })), "methods");
    // It may put a new value in the place of its own: rotation by a script.
    let renewed = family.narrow("POST", &format!("{TOKENS}/{id}/regenerate"), json!({ "grace_seconds": 60 }));
    assert_eq!(renewed.status, 201, "{}", renewed.body);
    let longer = json!({ "expires_at": "2027-03-01" });
    let value = renewed.json()["value"].as_str().unwrap().to_owned();
    refused(&family.call(&value, "POST", &format!("{TOKENS}/{id}/regenerate"), longer), "time");
}

#[test]
fn a_former_value_hands_on_no_more_life_than_its_grace_leaves_it() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let former = maria.generate("parent", &["hallpass/tokens:*", "zones:*"]);
    let present = maria.regenerate("parent", "24h");
    let end = "2026-11-24T09:40:00.000Z";
    let post = |value: &str, name: &str, more: Value| {
        let mut body = json!({ "name": name, "scopes": ["zones:listZones"] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        site.api(value, "POST", TOKENS, body)
    };
    refused(&post(&former, "later", json!({ "lifetime_days": 7 })), "time");
    refused(&post(&former, "later", json!({ "expires_at": "2026-11-24T09:40:00.001Z" })), "time");
    let made = post(&former, "proposed", json!({}));
    assert_eq!((made.status, &made.json()["token"]["expires_at"]), (201, &json!(end)), "{}", made.body);
    assert_eq!(post(&former, "sooner", json!({ "expires_at": "2026-11-24T09:40:00Z" })).status, 201);
    assert_eq!(post(&present, "later", json!({ "lifetime_days": 7 })).status, 201);
    // Nor does it renew its own token, or any other that outlives it; the present value does.
    let path = format!("{TOKENS}/{}", site.texts("SELECT id AS text FROM tokens WHERE name = 'parent'").remove(0));
    refused(&site.api(&former, "POST", &format!("{path}/regenerate"), json!({})), "time");
    refused(&site.api(&former, "PATCH", &path, json!({ "description": "mine" })), "time");
    site.pass(chrono::TimeDelta::hours(24));
    assert_eq!(post(&former, "late", json!({})).status, 401);
    assert_eq!(site.verify(made.json()["value"].as_str().unwrap(), "GET", "/api/v1/zones").status, 401);
    assert_eq!(site.api(&present, "POST", &format!("{path}/regenerate"), json!({})).status, 201);
}

#[test]
fn a_session_token_stands_for_its_person_and_has_no_bounds() {
    let site = family().site;
    let value = site.log_in("maria@example.com");
    let body = json!({ "name": "all", "scopes": ["*", "hallpass/*"], "lifetime_days": 300 }).to_string();
    let headers = [("x-confirm-password", crate::support::PASSWORD)];
    let answer = site.call(&value, "POST", TOKENS, &headers, Some(body.as_bytes()));
    assert_eq!(answer.status, 201, "{}", answer.body);
}

#[test]
fn what_stands_on_the_pages_has_no_bounds_of_a_token() {
    let site = family().site;
    let maria = site.visitor();
    maria.sign_in("maria@example.com", crate::support::PASSWORD);
    maria.generate("by page", &["*"]);
}
