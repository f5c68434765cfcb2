//! What an operator says of an API beside its description, by programs: options and access sets.

use hallpass::types::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Site, ZONES};

const PDNS: &str = "/api/v1/apis/pdns";
const SET: &str = "/api/v1/access-sets/readers";

fn start() -> (Site, String) {
    let site = Site::start();
    let value = site.owner_with_zones().generate("wide", &["hallpass/*", "*"]);
    (site, value)
}

fn fields(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 422, "{}", answer.body);
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn options_that_are_named_change_and_count_at_once() {
    let (site, value) = start();
    let token = site.api(&value, "POST", "/api/v1/tokens", json!({ "scopes": ["zones:listZones"] }));
    let token = token.json()["value"].as_str().unwrap().to_owned();
    assert_eq!(site.verify(&token, "GET", "/api/v1/zones").status, 200);
    let tag = site.api(&value, "GET", PDNS, Value::Null).header("etag").to_owned();
    let changed = site.api(&value, "PATCH", PDNS, json!({ "base_path": "/v2", "kinds": ["write *:listZones"] }));
    assert_eq!(changed.status, 200, "{}", changed.body);
    assert_eq!(changed.json()["base_path"], "/v2");
    assert_eq!(site.verify(&token, "GET", "/api/v1/zones").status, 403);
    assert_eq!(site.verify(&token, "GET", "/v2/zones").status, 200);
    let kept = site.api(&value, "PATCH", PDNS, json!({ "base_path": null })).json();
    assert_eq!((&kept["options"]["kinds"], &kept["base_path"]), (&json!(["write *:listZones"]), &json!("/api/v1")));
    let stale = site.call(&value, "PATCH", PDNS, &[("if-match", &tag)], Some(b"{}"));
    assert_eq!(stale.status, 412, "{}", stale.body);
    assert_eq!(
        fields(&site.api(&value, "PATCH", PDNS, json!({ "kinds": ["x"], "hosts": ["a b"] }))),
        ["hosts", "kinds"]
    );
    assert_eq!(fields(&site.api(&value, "PATCH", PDNS, json!({ "kind": [] }))), ["kind"]);
    assert_eq!(site.api(&value, "PATCH", "/api/v1/apis/other", json!({})).status, 404);
}

#[test]
fn an_import_says_whether_the_description_is_the_one_that_is_there() {
    let (site, value) = start();
    let put = |text: &str| site.call(&value, "PUT", &format!("{PDNS}?dry_run=true"), &[], Some(text.as_bytes())).json();
    assert_eq!(put(ZONES)["same"], true);
    for (member, text) in [("summary", "Another summary"), ("operationId", "another")] {
        let mut other: Value = serde_json::from_str(ZONES).unwrap();
        other["paths"]["/search"]["get"][member] = json!(text);
        assert_eq!(put(&other.to_string())["same"], false, "{member}");
    }
    let elsewhere = site.call(&value, "PUT", "/api/v1/apis/other?dry_run=true", &[], Some(ZONES.as_bytes()));
    assert_eq!(elsewhere.json()["same"], false);
}

#[test]
fn an_access_set_is_made_changed_used_and_removed() {
    let (site, value) = start();
    let body =
        json!({ "api": "pdns", "name": "Readers", "scopes": ["zones:listZones"], "least_role": "token_creator" });
    let made = site.api(&value, "PUT", SET, body.clone());
    assert_eq!(made.status, 200, "{}", made.body);
    assert_eq!(made.json()["scopes"], json!(["zones:listZones"]));
    let token = site.api(&value, "POST", "/api/v1/tokens", json!({ "access_set": "readers" }));
    assert_eq!((token.status, &token.json()["token"]["scopes"]), (201, &json!(["zones:listZones"])));
    let mut wider = body.clone();
    wider["scopes"] = json!(["zones:*"]);
    assert_eq!(site.api(&value, "PUT", SET, wider).json()["scopes"], json!(["zones:*"]));
    let again = site.api(&value, "GET", "/api/v1/tokens", Value::Null).json();
    let kept = again["items"].as_array().unwrap().iter().find(|token| token["access_set"] == "readers").unwrap();
    assert_eq!(kept["scopes"], json!(["zones:listZones"]), "tokens keep what they got");
    for (member, wrong) in
        [("api", json!("other")), ("name", json!("")), ("scopes", json!(["zones:nothing"])), ("scopes", json!([]))]
    {
        let mut body = body.clone();
        body[member] = wrong;
        assert_eq!(fields(&site.api(&value, "PUT", SET, body)), [member]);
    }
    assert_eq!(fields(&site.api(&value, "PUT", "/api/v1/access-sets/custom", body.clone())), ["slug"]);
    assert_eq!(fields(&site.api(&value, "PUT", "/api/v1/access-sets/read-only", body)), ["slug"]);
    assert_eq!(site.api(&value, "DELETE", "/api/v1/access-sets/read-only", Value::Null).status, 404);
    assert_eq!(site.api(&value, "DELETE", SET, Value::Null).status, 204);
    assert_eq!(site.api(&value, "DELETE", SET, Value::Null).status, 404);
}

#[test]
fn options_and_access_sets_are_an_administrator_s() {
    let (site, _) = start();
    let jan = site.person("jan@example.com", Role::Contributor);
    drop(jan);
    let value = site.log_in("jan@example.com");
    let password = [("x-confirm-password", crate::support::PASSWORD)];
    let body = json!({ "api": "pdns", "name": "Readers", "scopes": ["zones:listZones"] }).to_string();
    for (method, path, body) in [("PATCH", PDNS, "{}"), ("PUT", SET, body.as_str()), ("DELETE", SET, "")] {
        let answer = site.call(&value, method, path, &password, Some(body.as_bytes()).filter(|body| !body.is_empty()));
        assert!(matches!(answer.status, 403 | 404), "{method} {path}: {}", answer.body);
    }
}
