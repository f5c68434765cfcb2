//! Every parameter and every member of every call, with what nobody should send: it is refused as a problem, and never a fault.

use hallpass::types::Role;
use serde_json::{Map, Value, json};

use crate::support::{Answer, Site};

/// Of a member or parameter.
fn nasty() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(18_446_744_073_709_551_615_u64),
        json!(""),
        json!(" "),
        json!("\u{0}"),
        json!("a\u{0}b"),
        json!("\u{202e}evil"),
        json!("%00%ff"),
        json!("'; DROP TABLE tokens; --"),
        json!("x".repeat(10_000)),
        json!("2026-13-45T99:99:99Z"),
        json!("+262143-01-01T00:00:00Z"),
        json!("-9999-01-01"),
        json!("019ab000-0000-7000-8000-000000000000"),
        json!([]),
        json!([null]),
        json!(["\u{0}"]),
        json!(["zones:*\n*"]),
        json!({}),
        json!({ "person": "\u{0}" }),
        json!({ "team": "x" }),
    ]
}

fn check(answer: &Answer, told: &str) {
    assert!(answer.status < 500, "{told}: {} {}", answer.status, answer.body);
    if answer.status >= 400 {
        assert_eq!(answer.header("content-type"), "application/problem+json", "{told}: {}", answer.body);
        assert!(answer.body.len() < 4_000, "{told}: the answer repeats what came, {} bytes", answer.body.len());
    }
}

/// The site, a token with every right, and the description.
fn start() -> (Site, String, Value) {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let wide = maria.generate("wide", &["*", "hallpass/*"]);
    maria.generate("victim", &["zones:listZones"]);
    site.person("jan@example.com", Role::Contributor);
    for (path, body) in [
        ("/api/v1/teams", json!({ "name": "DNS" })),
        ("/api/v1/service-accounts", json!({ "name": "backup", "role": "viewer" })),
    ] {
        let made = site.api(&wide, "POST", path, body);
        assert_eq!(made.status, 201, "{}", made.body);
    }
    let described = site.api("", "GET", "/api/openapi.json", Value::Null).json();
    (site, wide, described)
}

fn one(site: &Site, sql: &str) -> String {
    site.texts(sql).remove(0)
}

/// A path whose parameters are things that are there.
fn address(site: &Site, path: &str) -> String {
    let id = match path {
        path if path.contains("/tokens/") => one(site, "SELECT id AS text FROM tokens WHERE name = 'victim'"),
        path if path.contains("/teams/") => one(site, "SELECT id AS text FROM teams"),
        path if path.contains("/service-accounts/") => {
            one(site, "SELECT id AS text FROM accounts WHERE kind = 'service'")
        }
        _ => one(site, "SELECT id AS text FROM accounts WHERE email = 'jan@example.com'"),
    };
    let account = one(site, "SELECT id AS text FROM accounts WHERE email = 'jan@example.com'");
    path.replace("{id}", &id).replace("{account}", &account).replace("{slug}", "pdns")
}

fn operations(described: &Value) -> Vec<(String, String, Value)> {
    let paths = described["paths"].as_object().unwrap();
    let each = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().iter();
        methods.map(move |(method, operation)| (path.clone(), method.to_uppercase(), operation.clone()))
    });
    each.filter(|(path, ..)| path.starts_with("/api/v1/")).collect()
}

fn body_of(described: &Value, operation: &Value) -> Option<Map<String, Value>> {
    let schema = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    let name = schema.as_str()?.rsplit('/').next()?;
    described["components"]["schemas"][name]["properties"].as_object().cloned()
}

#[test]
fn every_member_of_every_body_refuses_what_it_cannot_take() {
    let (site, wide, described) = start();
    let mut tried = 0;
    // Before any of them is renamed.
    let each: Vec<_> = operations(&described).into_iter().map(|call| (address(&site, &call.0), call)).collect();
    for (address, (path, method, operation)) in each {
        let Some(members) = body_of(&described, &operation) else { continue };
        let value = if path.ends_with("/login") { "" } else { &wide };
        for name in members.keys() {
            for nasty in nasty() {
                let told = format!("{method} {path} {name} {:.60}", nasty.to_string());
                check(&site.api(value, &method, &address, json!({ name: nasty })), &told);
                tried += 1;
            }
        }
        let mut with = |kind: &str, body: &[u8], statuses: &[u16]| {
            let answer = site.call(value, &method, &address, &[("content-type", kind)], Some(body));
            check(&answer, &format!("{method} {path} {kind}"));
            assert!(statuses.contains(&answer.status), "{method} {path} {kind}: {} {}", answer.status, answer.body);
            tried += 1;
        };
        with("application/json", format!(r#"{{"name":"{}"}}"#, "x".repeat(1_000_000)).as_bytes(), &[413]);
        let deep = format!("{}{}", "{\"name\":".repeat(10_000), "}".repeat(10_000));
        with("application/json", deep.as_bytes(), &[400, 422]);
        with("application/json", "[".repeat(10_000).as_bytes(), &[400, 422]);
        with("application/json", br#"{"name":"\ud800"}"#, &[400, 422]);
        with("application/json", br#"{"\ud800":1}"#, &[400, 422]);
        with("application/json", b"\xff\xfe\x00", &[400, 422]);
        with("application/json", br#"{"no_such_member":1}"#, &[422]);
        with("text/html", b"{}", &[415]);
        with("multipart/form-data; boundary=x", b"--x--", &[415]);
    }
    assert!(tried > 1_000, "{tried}");
}

#[test]
fn every_parameter_of_every_query_refuses_what_it_cannot_take() {
    let (site, wide, described) = start();
    let mut tried = 0;
    for (path, method, operation) in operations(&described).into_iter().filter(|(_, method, _)| method == "GET") {
        let address = address(&site, &path);
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let name = parameter["name"].as_str().unwrap();
            for nasty in nasty() {
                let text = nasty.as_str().map_or_else(|| nasty.to_string(), str::to_owned);
                let text: String = text.chars().take(2_000).collect();
                let query = url::form_urlencoded::Serializer::new(String::new()).append_pair(name, &text).finish();
                check(
                    &site.api(&wide, &method, &format!("{address}?{query}"), Value::Null),
                    &format!("{path}?{query:.60}"),
                );
                tried += 1;
            }
            for raw in ["%ff%fe", "%", "%zz", "a&x", "%ED%A0%80"] {
                check(
                    &site.api(&wide, &method, &format!("{address}?{name}={raw}"), Value::Null),
                    &format!("{path}?{name}={raw}"),
                );
            }
        }
    }
    assert!(tried > 300, "{tried}");
}

#[test]
fn every_address_refuses_what_is_no_name_of_anything() {
    let (site, wide, described) = start();
    let ids = ["x", "%00", "%ff", "..%2f..", "'", "%20", "-1", "NULL", "%E2%80%AE", "a%0Ab", &"x".repeat(3_000)];
    for (path, method, operation) in operations(&described).into_iter().filter(|(path, ..)| path.contains('{')) {
        for id in ids {
            let address = path.replace("{id}", id).replace("{account}", id).replace("{slug}", id);
            let schema = &operation["requestBody"]["content"];
            let body = if schema.is_object() { json!({ "role": "member" }) } else { Value::Null };
            let answer = site.api(&wide, &method, &address, body);
            check(&answer, &format!("{method} {path} {id:.20}"));
            assert!(answer.status >= 400, "{method} {path} {id:.20}: {}", answer.body);
        }
    }
}

#[test]
fn headers_that_cannot_be_read_are_refused_as_problems() {
    let (site, wide, _) = start();
    let session = site.log_in("maria@example.com");
    let body = br#"{"scopes":["*"]}"#;
    for value in ["\u{e9}", "a b", "\"", "W/\"\"", &"x".repeat(5_000)] {
        for header in ["idempotency-key", "if-match", "x-confirm-password", "content-type", "x-forwarded-for"] {
            for token in [&wide, &session] {
                let answer = site.call(token, "POST", "/api/v1/tokens", &[(header, value)], Some(body));
                check(&answer, &format!("{header}: {value:.20}"));
            }
        }
    }
}
