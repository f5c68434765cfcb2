//! The API's manners: how calls are refused, whatever they are about; and that routes, description and contract are one.

use std::collections::BTreeSet;

use hallpass::api::ROUTES;
use hallpass::api::bearer::Guard;
use serde_json::{Value, json};

use crate::support::{Answer, Site};

/// What every refusal has (RFC 9457).
fn problem(answer: &Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/problem+json", "{}", answer.body);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-request-id").len(), 10, "{}", answer.body);
    let told = answer.json();
    for member in ["type", "title", "detail"] {
        assert!(told[member].as_str().is_some_and(|text| !text.is_empty()), "{member} of {told}");
    }
    assert_eq!(told["status"], status);
    told
}

fn fields(answer: &Answer) -> Vec<String> {
    let told = problem(answer, 422);
    told["errors"].as_array().unwrap().iter().map(|one| one["field"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn few_routes_have_no_scope_and_all_others_have_one_of_the_catalogue() {
    let without: Vec<&str> = ROUTES.iter().filter(|row| row.scope.is_none()).map(|row| row.path).collect();
    assert_eq!(without, ["/api/v1/auth/login", "/api/v1/auth/logout", "/api/openapi.json", "/api/v1/whoami"]);
    for (service, name, method, path) in hallpass::catalogue::own::requests() {
        let row = ROUTES.iter().find(|row| (row.method, row.path) == (method, path));
        let row = row.unwrap_or_else(|| panic!("{service}:{name} is no route"));
        assert_eq!(row.scope, Some((service, name)));
        assert!(!row.summary.is_empty());
    }
    let known: BTreeSet<_> = hallpass::catalogue::own::requests().map(|(service, name, ..)| (service, name)).collect();
    assert!(ROUTES.iter().filter_map(|row| row.scope).all(|scope| known.contains(&scope)));
}

#[test]
fn what_changes_something_asks_for_the_password_of_a_session() {
    let reads = ["/oauth/introspect", "/api/v1/auth/login", "/api/v1/auth/logout"];
    for row in ROUTES.iter().filter(|row| !reads.contains(&row.path)) {
        assert_eq!(row.method != "GET", row.guard == Guard::Confirmed, "{row:?}");
    }
}

#[test]
fn an_address_that_is_not_there_is_404_and_another_method_is_405_with_allow() {
    let site = Site::start();
    let value = site.owner_with_zones().generate("wide", &["hallpass/*"]);
    for path in ["/api/v1/nothing", "/api/v2/tokens", "/api/", "/api/v1/tokens/a/b", "/api/v1//tokens"] {
        problem(&site.api(&value, "GET", path, Value::Null), 404);
    }
    let answer = site.api(&value, "DELETE", "/api/v1/tokens", Value::Null);
    problem(&answer, 405);
    assert_eq!(answer.header("allow"), "GET, POST");
    assert_eq!(
        site.api(&value, "OPTIONS", "/api/v1/apis/pdns", Value::Null).header("allow"),
        "GET, PUT, PATCH, DELETE"
    );
    let head = site.api(&value, "HEAD", "/api/v1/tokens", Value::Null);
    assert_eq!((head.status, head.body.as_str()), (200, ""));
}

#[test]
fn a_body_is_json_of_its_size_and_without_unknown_members() {
    let site = Site::start();
    let value = site.owner_with_zones().generate("wide", &["hallpass/*", "*"]);
    let post =
        |kind: &str, body: &[u8]| site.call(&value, "POST", "/api/v1/tokens", &[("content-type", kind)], Some(body));
    for kind in ["application/x-www-form-urlencoded", "text/plain", "application/xml", "application/json2", ";"] {
        problem(&post(kind, b"{}"), 415);
    }
    problem(&post("application/json", &vec![b' '; 600 * 1024]), 413);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    for body in ["", "x", "{", "{} {}", "nul", "{\"name\":\"\\ud800\"}", "{\"name\":\"\u{1}\"}", deep.as_str()] {
        let answer = post("application/json; charset=utf-8", body.as_bytes());
        assert!(matches!(answer.status, 400 | 422), "{body:.20} {}", answer.body);
        problem(&answer, answer.status);
    }
    problem(&post("application/json", b"\xff\xfe"), 400);
    assert_eq!(fields(&post("application/json", br#"{"nmae":"x"}"#)), ["nmae"]);
    assert_eq!(fields(&post("application/json", br#"{"name":5}"#)), ["name"]);
    assert_eq!(fields(&post("application/json", br#"{"scopes":["*",7]}"#)), ["scopes[1]"]);
    assert_eq!(fields(&post("application/json", br#"{"lifetime_days":-1}"#)), ["lifetime_days"]);
    assert_eq!(fields(&post("application/json", br#"{"name":"a","name":"b"}"#)), ["name"]);
    let wrong = site.api(&value, "POST", "/api/v1/tokens", json!({ "scopes": ["zones:nothing"], "allow": ["x"] }));
    assert_eq!(fields(&wrong), ["scopes", "allow"]);
}

#[test]
fn a_query_is_refused_with_the_parameter_that_is_wrong() {
    let site = Site::start();
    let value = site.owner_with_zones().generate("wide", &["hallpass/*"]);
    for (query, field) in [
        ("limit=-1", "limit"),
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=5&limit=5", "limit"),
        ("sort=colour", "sort"),
        ("after=forged", "after"),
        ("after=", "after"),
        ("status=asleep", "status"),
        ("colour=red", "colour"),
        ("q=%00", "q"),
        ("all=maybe", "all"),
    ] {
        assert_eq!(
            fields(&site.api(&value, "GET", &format!("/api/v1/tokens?{query}"), Value::Null)),
            [field],
            "{query}"
        );
    }
}

#[test]
fn the_description_has_every_route_of_the_table_and_no_other() {
    let site = Site::start();
    let answer = site.api("", "GET", "/api/openapi.json", Value::Null);
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    let told = answer.json();
    assert_eq!(told["openapi"], "3.1.0");
    let told_of = |path: &str, method: &str| told["paths"][path][method.to_lowercase()].clone();
    let mut count = 0;
    for row in ROUTES {
        let operation = told_of(row.path, row.method);
        assert!(operation.is_object(), "{row:?}");
        assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{row:?}");
        let scope = row.scope.map(|(service, name)| json!(format!("hallpass/{service}:{name}"))).unwrap_or_default();
        assert_eq!(operation["x-hallpass-scope"], scope);
        let answers = operation["responses"].as_object().unwrap();
        assert!(answers.keys().any(|status| status.starts_with('2')), "{row:?}");
        assert!(answers.contains_key("404") || !row.path.contains('{'), "{row:?}");
        count += 1;
    }
    let paths = told["paths"].as_object().unwrap();
    assert_eq!(paths.values().map(|methods| methods.as_object().unwrap().len()).sum::<usize>(), count);
    // Each reference leads somewhere.
    for part in answer.body.split("#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(told["components"]["schemas"][name].is_object(), "{name}");
    }
}

#[test]
fn hallpass_can_import_its_own_description() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("wide", &["hallpass/*"]);
    let own = site.api("", "GET", "/api/openapi.json", Value::Null).body;
    let answer = site.call(&value, "PUT", "/api/v1/apis/copy", &[], Some(own.as_bytes()));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.json()["added"].as_array().unwrap().len(), ROUTES.len());
}

#[test]
fn the_readme_s_calls_run_as_written() {
    let site = Site::start();
    site.owner_with_zones();
    let readme = include_str!("../../README.md");
    let section = readme.split("## REST API\n").nth(1).unwrap();
    let script = section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap();
    let ran = std::process::Command::new("bash")
        .args(["-euo", "pipefail", "-c", script])
        .env("HALLPASS_URL", site.url(""))
        .env("HALLPASS_EMAIL", "maria@example.com")
        .env("HALLPASS_PASSWORD", crate::support::PASSWORD)
        .output()
        .unwrap();
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{out}\n{err}");
    assert!(out.contains("Deploys from CI"), "{out}");
    assert_eq!(site.texts("SELECT id AS text FROM tokens WHERE removed_at IS NULL").len(), 0);
}

#[test]
fn the_page_of_the_documentation_shows_every_call() {
    let site = Site::start();
    let maria = site.owner();
    for person in [&maria, &site.visitor()] {
        let page = person.get("/api/docs");
        assert_eq!(page.status, 200);
        let text = page.text();
        for row in ROUTES {
            assert!(text.contains(&format!("{} {}", row.method, row.path)), "{row:?}");
        }
        assert!(!page.body.contains("://") || page.body.matches("http").count() < 3, "no other host");
    }
    assert!(maria.get("/settings/tokens").body.contains("href=\"/api/docs\""));
}

#[test]
fn without_the_token_api_its_routes_are_not_there() {
    let site = Site::with(hallpass::policy::Policy { token_api: false, ..Default::default() });
    let value = site.owner_with_zones().generate("wide", &["hallpass/*"]);
    for row in ROUTES.iter().filter(|row| row.path.starts_with("/api/v1/tokens")) {
        problem(&site.api(&value, row.method, row.path, Value::Null), 404);
    }
    assert_eq!(site.api(&value, "GET", "/api/v1/methods", Value::Null).status, 200);
}
