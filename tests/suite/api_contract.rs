//! Route table, description and contract (the product's section 7) say the same: nothing is missing in any of them, and what
//! the contract does not name is told here as ours.

use std::collections::BTreeSet;

use hallpass::api::ROUTES;
use hallpass::api::bearer::Guard;
use serde_json::{Value, json};

use crate::support::Site;

/// One call of the contract.
struct Call {
    method: &'static str,
    path: &'static str,
    /// Parameters of the query, and below them those that are ours.
    query: &'static [&'static str],
    our_query: &'static [&'static str],
    /// Members of the body.
    body: &'static [&'static str],
    /// Members of the answer; none for 204.
    answer: &'static [&'static str],
    status: &'static str,
}

const TOKEN: &[&str] = &[
    "id",
    "name",
    "description",
    "kind",
    "owner",
    "created_by",
    "starts_with",
    "status",
    "scopes",
    "access_set",
    "allow",
    "ip_allow",
    "rate_per_minute",
    "enabled",
    "created_at",
    "expires_at",
    "removed_at",
    "previous_expires_at",
    "last_used",
];
const LIST: &[&str] = &["items", "next", "total"];
const PAGED: &[&str] = &["limit", "after"];
/// Their answers are ours to say: the contract has "as the pages", or none.
const OPEN: &[&str] = &["*"];
const NONE: &[&str] = &[];

macro_rules! calls {
    ($($method:ident $path:literal ?$query:expr; +$ours:expr; $body:expr => $status:literal $answer:expr;)*) => {
        &[$(Call {
            method: stringify!($method),
            path: $path,
            query: $query,
            our_query: $ours,
            body: $body,
            answer: $answer,
            status: $status,
        }),*]
    };
}

#[rustfmt::skip]
const CONTRACT: &[Call] = calls! {
    POST "/api/v1/auth/login" ?NONE; +NONE; &["email", "password"] => "201" &["value", "token"];
    POST "/api/v1/auth/logout" ?NONE; +NONE; NONE => "204" NONE;
    GET "/api/v1/whoami" ?NONE; +NONE; NONE => "200" &["account", "role", "token", "scopes"];
    POST "/api/v1/tokens" ?NONE; +NONE;
        &["name", "description", "owner", "expires_at", "lifetime_days", "scopes", "access_set", "allow", "ip_allow", "rate_per_minute"]
        => "201" &["token", "value"];
    GET "/api/v1/tokens" ?&["owner", "all", "status", "include_expired", "include_removed", "q", "sort", "limit", "after"]; +NONE; NONE
        => "200" LIST;
    GET "/api/v1/tokens/{id}" ?NONE; +NONE; NONE => "200" TOKEN;
    PATCH "/api/v1/tokens/{id}" ?NONE; +NONE;
        &["name", "description", "expires_at", "scopes", "allow", "ip_allow", "rate_per_minute", "enabled"] => "200" TOKEN;
    POST "/api/v1/tokens/{id}/regenerate" ?NONE; +NONE; &["previous_expires_at", "grace_seconds", "expires_at"]
        => "201" &["token", "value"];
    DELETE "/api/v1/tokens/{id}" ?&["purge"]; +NONE; NONE => "204" NONE;
    GET "/api/v1/methods" ?&["api", "q"]; +PAGED; NONE => "200" LIST;
    GET "/api/v1/access-sets" ?NONE; +PAGED; NONE => "200" LIST;
    GET "/api/v1/apis" ?NONE; +PAGED; NONE => "200" LIST;
    GET "/api/v1/apis/{slug}" ?NONE; +NONE; NONE => "200" OPEN;
    PUT "/api/v1/apis/{slug}" ?NONE; +&["dry_run"]; NONE => "200" OPEN;
    DELETE "/api/v1/apis/{slug}" ?NONE; +NONE; NONE => "204" NONE;
    GET "/api/v1/accounts" ?NONE; +&["status", "role", "q", "limit", "after"]; NONE => "200" LIST;
    GET "/api/v1/service-accounts" ?NONE; +&["q", "limit", "after"]; NONE => "200" LIST;
    GET "/api/v1/teams" ?NONE; +&["q", "limit", "after"]; NONE => "200" LIST;
    GET "/api/v1/sessions" ?NONE; +PAGED; NONE => "200" LIST;
    GET "/api/v1/policy" ?NONE; +NONE; NONE
        => "200" &["default_lifetime", "max_lifetime", "max_lifetime_by_role", "allow_never", "extend_expiry", "confirm", "max_grace",
        "tokens_per_account", "token_api", "session_idle", "session_lifetime", "password_min", "expiring_notice", "value_in_query"];
    GET "/api/v1/events" ?NONE; +&["all", "action", "subject", "q", "limit", "after"]; NONE => "200" LIST;
    GET "/api/openapi.json" ?NONE; +NONE; NONE => "200" OPEN;
};

/// What "as the pages" comes to: what the pages can do with people, service accounts, teams, sessions and the policy. And
/// introspection and revocation, which are in section 6.
const OURS: &[(&str, &str)] = &[
    ("POST", "/api/v1/accounts"),
    ("GET", "/api/v1/accounts/{id}"),
    ("PATCH", "/api/v1/accounts/{id}"),
    ("DELETE", "/api/v1/accounts/{id}/sessions"),
    ("POST", "/api/v1/service-accounts"),
    ("GET", "/api/v1/service-accounts/{id}"),
    ("PATCH", "/api/v1/service-accounts/{id}"),
    ("DELETE", "/api/v1/service-accounts/{id}"),
    ("POST", "/api/v1/teams"),
    ("GET", "/api/v1/teams/{id}"),
    ("PATCH", "/api/v1/teams/{id}"),
    ("DELETE", "/api/v1/teams/{id}"),
    ("PUT", "/api/v1/teams/{id}/members/{account}"),
    ("DELETE", "/api/v1/teams/{id}/members/{account}"),
    ("DELETE", "/api/v1/sessions"),
    ("DELETE", "/api/v1/sessions/{id}"),
    ("PATCH", "/api/v1/policy"),
    ("POST", "/oauth/introspect"),
    ("POST", "/oauth/revoke"),
];

struct Described(Value);

impl Described {
    fn operation(&self, method: &str, path: &str) -> &Value {
        &self.0["paths"][path][method.to_lowercase()]
    }

    fn schema<'s>(&'s self, schema: &'s Value) -> &'s Value {
        match schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
            Some(name) => &self.0["components"]["schemas"][name],
            None => schema,
        }
    }

    /// Names of the members of a JSON body or answer.
    fn members(&self, content: &Value) -> BTreeSet<String> {
        let schema = self.schema(&content["application/json"]["schema"]);
        schema["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    fn parameters(&self, operation: &Value, place: &str) -> BTreeSet<String> {
        let all = operation["parameters"].as_array().into_iter().flatten();
        all.filter(|one| one["in"] == place).map(|one| one["name"].as_str().unwrap().to_owned()).collect()
    }
}

fn described() -> Described {
    Described(Site::start().api("", "GET", "/api/openapi.json", Value::Null).json())
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_calls_of_contract_routes_and_description_are_the_same() {
    let told = described();
    let of_contract = CONTRACT.iter().map(|call| (call.method.to_owned(), call.path.to_owned()));
    let ours = OURS.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned()));
    assert_eq!(CONTRACT.iter().filter(|call| OURS.contains(&(call.method, call.path))).count(), 0);
    let wanted: BTreeSet<(String, String)> = of_contract.chain(ours).collect();
    let routes: BTreeSet<_> = ROUTES.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    let paths = told.0["paths"].as_object().unwrap().iter();
    let described: BTreeSet<_> = paths
        .flat_map(|(path, methods)| {
            methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()))
        })
        .collect();
    assert_eq!(routes, wanted);
    assert_eq!(described, wanted);
    assert_eq!(ROUTES.len(), wanted.len(), "no call is there twice");
}

#[test]
fn every_parameter_and_member_of_the_contract_is_described_and_no_other() {
    let told = described();
    for call in CONTRACT {
        let name = format!("{} {}", call.method, call.path);
        let operation = told.operation(call.method, call.path);
        let query = set(call.query).union(&set(call.our_query)).cloned().collect::<BTreeSet<_>>();
        assert_eq!(told.parameters(operation, "query"), query, "{name}");
        assert_eq!(told.members(&operation["requestBody"]["content"]), set(call.body), "{name}");
        let answers = operation["responses"].as_object().unwrap();
        let good =
            answers.keys().find(|status| status.starts_with('2') && *status != "200").map_or("200", String::as_str);
        assert_eq!(good, call.status, "{name}");
        if call.answer != OPEN {
            assert_eq!(told.members(&answers[call.status]["content"]), set(call.answer), "{name}");
        }
    }
}

#[test]
fn a_token_and_a_problem_are_told_as_the_contract_has_them() {
    let told = described();
    let schemas = &told.0["components"]["schemas"];
    let names = |schema: &Value| -> BTreeSet<String> {
        told.schema(schema)["properties"].as_object().unwrap().keys().cloned().collect()
    };
    let token = &schemas["Token"];
    assert_eq!(names(token), set(TOKEN));
    assert_eq!(names(&token["properties"]["owner"]), set(&["id", "kind", "name"]));
    let used = &token["properties"]["last_used"];
    let some = used["oneOf"].as_array().unwrap().iter().find(|one| one["$ref"].is_string()).unwrap();
    assert_eq!(names(some), set(&["at", "ip", "user_agent"]));
    // `reference` is of section 6.
    assert_eq!(names(&schemas["Problem"]), set(&["type", "title", "status", "detail", "errors", "reference"]));
    assert_eq!(names(&schemas["Problem"]["properties"]["errors"]["items"]), set(&["field", "message"]));
    for (schema, list) in schemas.as_object().unwrap().iter().filter(|(name, _)| name.ends_with("List")) {
        assert_eq!(names(list), set(LIST), "{schema}");
    }
    let statuses = json!(["removed", "expired", "disabled", "frozen", "grace", "expiring", "active"]);
    assert_eq!(token["properties"]["status"]["enum"], statuses);
    assert_eq!(token["properties"]["kind"]["enum"], json!(["personal", "service", "session"]));
    for (name, member) in token["properties"].as_object().unwrap().iter().filter(|(name, _)| name.ends_with("_at")) {
        assert_eq!(member["format"], "date-time", "{name}");
    }
}

#[test]
fn what_is_answered_has_the_members_that_are_described() {
    let site = Site::start();
    let told = Described(site.api("", "GET", "/api/openapi.json", Value::Null).json());
    let wide = site.owner_with_zones().generate("wide", &["*", "hallpass/*"]);
    let of = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    for call in CONTRACT.iter().filter(|call| call.method == "GET" && !call.path.contains('{')) {
        let answer = site.api(&wide, "GET", call.path, Value::Null).json();
        let schema = &told.operation("GET", call.path)["responses"]["200"]["content"];
        if call.answer != OPEN {
            assert_eq!(of(&answer), told.members(schema), "{}", call.path);
        }
        if let Some(first) = answer["items"].as_array().and_then(|items| items.first()) {
            let list = told.schema(&schema["application/json"]["schema"]);
            let item = told.schema(&list["properties"]["items"]["items"]);
            let names = item["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
            assert_eq!(of(first), names, "{}", call.path);
        }
    }
    let made = site.api(&wide, "POST", "/api/v1/tokens", json!({ "scopes": ["*"], "lifetime_days": 1 }));
    assert_eq!((made.status, of(&made.json()), of(&made.json()["token"])), (201, set(&["token", "value"]), set(TOKEN)));
}

#[test]
fn every_call_says_what_it_needs_and_how_it_may_be_refused() {
    let told = described();
    for row in ROUTES {
        let (name, operation) = (format!("{} {}", row.method, row.path), told.operation(row.method, row.path));
        let headers = told.parameters(operation, "header");
        assert_eq!(
            operation["security"],
            if row.guard == Guard::Stranger { json!([]) } else { json!([{ "token": [] }]) },
            "{name}"
        );
        assert_eq!(headers.contains("X-Confirm-Password"), row.guard == Guard::Confirmed, "{name}");
        let is_repeatable = ["tokens::generate", "tokens::regenerate"].contains(&row.handler.replace(' ', "").as_str());
        assert_eq!(headers.contains("Idempotency-Key"), is_repeatable, "{name}");
        assert_eq!(headers.contains("If-Match"), row.method == "PATCH", "{name}");
        let answers = operation["responses"].as_object().unwrap();
        let must = |status: &str, needed: bool| assert!(!needed || answers.contains_key(status), "{name} {status}");
        for status in ["401", "429", "500", "503"] {
            must(status, true);
        }
        must("403", row.guard != Guard::Stranger);
        must("404", row.path.contains('{'));
        must("412", row.method == "PATCH");
        let has_json = operation["requestBody"]["content"]["application/json"].is_object();
        for status in ["413", "415", "422"] {
            must(status, has_json);
        }
        must("422", !told.parameters(operation, "query").is_empty());
        if has_json {
            let schema = told.schema(&operation["requestBody"]["content"]["application/json"]["schema"]);
            assert!(schema["example"].is_object() || row.path == "/api/v1/policy", "{name} has an example");
        }
    }
}
