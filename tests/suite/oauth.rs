//! Introspection (RFC 7662) and revocation (RFC 7009), sentence by sentence of their texts.

use chrono::TimeDelta;
use hallpass::policy::Policy;
use hallpass::types::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Person, Site};

const INTROSPECT: &str = "/oauth/introspect";
const REVOKE: &str = "/oauth/revoke";
const RIGHT: &str = "hallpass/verify:introspect";

/// A token with the right to introspect.
fn caller(person: &Person<'_>) -> String {
    person.generate("introspection", &[RIGHT])
}

fn json(answer: &Answer) -> Value {
    assert_eq!(answer.header("content-type"), "application/json", "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn introspect(site: &Site, caller: &str, value: &str) -> Value {
    let answer = site.post(INTROSPECT, caller, &[("token", value)]);
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"), "{}", answer.body);
    json(&answer)
}

fn revoke(site: &Site, caller: &str, value: &str) -> u16 {
    site.post(REVOKE, caller, &[("token", value), ("token_type_hint", "access_token")]).status
}

#[test]
fn a_living_token_is_told_with_the_members_of_rfc_7662() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let by = caller(&maria);
    let value = maria.generate("ci", &["zones:readZone", "zones:listZones"]);
    let told = introspect(&site, &by, &value);
    assert_eq!(told["active"], true);
    let mut scopes: Vec<&str> = told["scope"].as_str().unwrap().split(' ').collect();
    scopes.sort_unstable();
    assert_eq!(scopes, ["zones:listZones", "zones:readZone"]);
    let id = maria.id_of("ci");
    for (member, expected) in [
        ("client_id", json!(id)),
        ("jti", json!(id)),
        ("username", json!("maria@example.com")),
        ("token_type", json!("Bearer")),
        ("iat", json!(site.now().timestamp())),
        ("iss", json!("http://127.0.0.1:8080/")),
        ("token_name", json!("ci")),
        ("account_kind", json!("person")),
        ("role", json!("owner")),
    ] {
        assert_eq!(told[member], expected, "{member}");
    }
    // 90 days by policy, to the end of that day in Berlin.
    assert_eq!(told["exp"], "2027-02-21T22:59:59Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().timestamp());
    assert!(!told["sub"].as_str().unwrap().is_empty());
    assert!(told.get("allowed").is_none(), "nothing was asked of a request");
}

#[test]
fn a_member_without_a_value_is_left_out_and_a_value_in_grace_ends_with_its_grace() {
    let site = Site::with(Policy { allow_never: true, ..Policy::default() });
    let maria = site.owner_with_zones();
    let by = caller(&maria);
    let old = maria.generate_from(&maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "never")]));
    assert!(introspect(&site, &by, &old).get("exp").is_none());
    let new = maria.regenerate("ci", "24h");
    assert_eq!(introspect(&site, &by, &old)["exp"], site.now().timestamp() + 24 * 60 * 60);
    assert_eq!(introspect(&site, &by, &new)["active"], true);
    site.pass(TimeDelta::hours(24));
    assert_eq!(introspect(&site, &by, &old), json!({ "active": false }));
}

#[test]
fn whatever_is_unknown_dead_or_somebody_else_s_is_inactive_and_nothing_more() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    site.person("boss@example.com", Role::Owner);
    let jan = site.person("jan@example.com", Role::Contributor);
    let by_jan = caller(&jan);
    let by_maria = caller(&maria);
    let removed = jan.generate("removed", &["zones:listZones"]);
    let disabled = jan.generate("disabled", &["zones:listZones"]);
    let expired = jan.generate_from(&jan.token_form("expired", &["zones:listZones"]).with(&[("lifetime", "7")]));
    let foreign = maria.generate("foreign", &["zones:listZones"]);
    jan.remove("removed");
    jan.press("disable", &["disabled"]);
    site.pass(TimeDelta::days(8));
    let frozen = site.person("eva@example.com", Role::Contributor).generate("frozen", &["zones:listZones"]);
    assert_eq!(introspect(&site, &by_maria, &frozen)["active"], true, "an owner sees everybody's");
    site.app
        .write_now(|tx| {
            let eva = hallpass::account::by_email(tx.conn, "eva@example.com")?.unwrap();
            hallpass::account::disable(tx, &hallpass::actor::Actor::operator(), &eva.id)
        })
        .unwrap();
    let unknown = format!("hp_{}", "0".repeat(42));
    for value in [&removed, &disabled, &expired, &foreign, &unknown, "x", " "] {
        assert_eq!(site.post(INTROSPECT, &by_jan, &[("token", value)]).body, r#"{"active":false}"#, "{value}");
    }
    assert_eq!(introspect(&site, &by_maria, &frozen), json!({ "active": false }));
}

#[test]
fn with_method_and_uri_it_says_what_that_request_would_need() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let by = caller(&maria);
    let form = maria.token_form("ci", &["zones:readZone"]).with(&[
        ("allow", "pdns/zones:example.org"),
        ("ip_allow", "203.0.113.0/24"),
        ("rate_per_minute", "1"),
    ]);
    let value = maria.generate_from(&form);
    let ask = |method: &str, uri: &str, ip: &str| {
        let fields = [("token", value.as_str()), ("method", method), ("uri", uri), ("ip", ip)];
        json(&site.post(INTROSPECT, &by, &fields))
    };
    for _ in 0..3 {
        let told = ask("GET", "/api/v1/zones/example.org?full=1", "203.0.113.9");
        assert_eq!((&told["allowed"], &told["required_scope"]), (&json!(true), &json!("zones:readZone")));
        assert!(told.get("refused_by").is_none(), "asking uses up no request of its rate");
    }
    let told = ask("GET", "https://dns.example.com/api/v1/zones/example.org", "203.0.113.9");
    assert_eq!(told["allowed"], true, "{told}");
    for (method, uri, ip, scope, rule) in [
        ("DELETE", "/api/v1/zones/example.org", "203.0.113.9", json!("zones:deleteZone"), "scopes"),
        ("GET", "/api/v1/zones/example.com", "203.0.113.9", json!("zones:readZone"), "allow list"),
        ("GET", "/api/v1/zones/example.org", "198.51.100.1", json!("zones:readZone"), "address"),
        ("GET", "/api/v1/zones/example.org", "", json!("zones:readZone"), "address"),
        ("GET", "/nothing", "203.0.113.9", Value::Null, "no method"),
        ("GET", "/api/v1/zones/..%2fadmin", "203.0.113.9", Value::Null, ""),
    ] {
        let told = ask(method, uri, ip);
        assert_eq!((&told["active"], &told["allowed"]), (&json!(true), &json!(false)), "{uri} {told}");
        assert_eq!(told["required_scope"], scope, "{uri} {told}");
        assert!(told["refused_by"].as_str().unwrap().contains(rule), "{uri} {told}");
    }
    let half = site.post(INTROSPECT, &by, &[("token", &value), ("method", "GET")]);
    assert_eq!((half.status, json(&half)["error"].clone()), (400, json!("invalid_request")));
}

#[test]
fn the_caller_proves_itself_and_its_right() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["*"]);
    for path in [INTROSPECT, REVOKE] {
        let nobody = site.post(path, "", &[("token", &value)]);
        assert_eq!((nobody.status, nobody.header("www-authenticate")), (401, "Bearer realm=\"hallpass\""));
        let wrong = site.post(path, &format!("hp_{}", "0".repeat(42)), &[("token", &value)]);
        let challenge = "Bearer realm=\"hallpass\", error=\"invalid_token\"";
        assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, challenge));
        let narrow = site.post(path, &value, &[("token", &value)]);
        let challenge = format!("Bearer realm=\"hallpass\", error=\"insufficient_scope\", scope=\"{RIGHT}\"");
        assert_eq!((narrow.status, narrow.header("www-authenticate")), (403, challenge.as_str()));
        assert_eq!(narrow.header("content-type"), "application/problem+json");
        assert!(!narrow.header("x-hallpass-reference").is_empty());
    }
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200, "nothing was revoked");
    let by = caller(&maria);
    maria.remove("introspection");
    assert_eq!(site.post(INTROSPECT, &by, &[("token", &value)]).status, 401);
}

#[test]
fn a_caller_s_address_list_and_rate_hold_here_too() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let elsewhere = maria.token_form("elsewhere", &[RIGHT]).with(&[("ip_allow", "203.0.113.0/24")]);
    let elsewhere = maria.generate_from(&elsewhere);
    assert_eq!(site.post(INTROSPECT, &elsewhere, &[("token", "x")]).status, 403);
    let slow = maria.generate_from(&maria.token_form("slow", &[RIGHT]).with(&[("rate_per_minute", "1")]));
    assert_eq!(site.post(INTROSPECT, &slow, &[("token", "x")]).status, 200);
    let over = site.post(INTROSPECT, &slow, &[("token", "x")]);
    assert_eq!((over.status, over.header("ratelimit-policy")), (429, "\"token\";q=1;w=60"));
    assert!(!over.header("retry-after").is_empty());
}

#[test]
fn a_request_that_is_none_is_told_in_the_words_of_rfc_6749() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let by = caller(&maria);
    for path in [INTROSPECT, REVOKE] {
        for fields in [&[][..], &[("token", "")], &[("token", "x"), ("token", "y")], &[("toke", "x")]] {
            let answer = site.post(path, &by, fields);
            assert_eq!((answer.status, json(&answer)["error"].clone()), (400, json!("invalid_request")), "{fields:?}");
        }
        let large = "x".repeat(17_000);
        assert_eq!(site.post(path, &by, &[("token", &large)]).status, 400);
        let get = site.ask(path, &[("Authorization", &format!("Bearer {by}"))]);
        assert_eq!((get.status, get.header("allow")), (405, "POST"));
        assert_eq!(get.header("content-type"), "application/problem+json");
    }
    let other = site.ask("/oauth/token", &[]);
    assert_eq!((other.status, other.header("content-type")), (404, "application/problem+json"));
}

#[test]
fn revoking_a_value_removes_its_token_at_once_and_says_in_the_log_who_did() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let by = caller(&maria);
    let value = maria.generate("ci", &["zones:listZones"]);
    assert_eq!(revoke(&site, &by, &value), 200);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 401);
    assert_eq!(revoke(&site, &by, &value), 200, "once more is no error");
    let events = site.rows("events");
    let removal = events.iter().find(|row| row.contains("token.remove")).unwrap();
    assert!(removal.contains(&format!("token {}", maria.id_of("introspection"))), "{removal}");
    assert_eq!(events.iter().filter(|row| row.contains("token.remove")).count(), 1);
}

#[test]
fn revoking_a_former_value_ends_its_grace_and_leaves_the_new_one() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let by = caller(&maria);
    let old = maria.generate("ci", &["zones:listZones"]);
    let new = maria.regenerate("ci", "24h");
    assert_eq!(site.verify(&old, "GET", "/api/v1/zones").status, 200);
    assert_eq!(revoke(&site, &by, &old), 200);
    assert_eq!(site.verify(&old, "GET", "/api/v1/zones").status, 401);
    assert_eq!(site.verify(&new, "GET", "/api/v1/zones").status, 200);
}

#[test]
fn an_unknown_value_is_revoked_without_a_word_and_a_foreign_one_is_not() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    let by_jan = caller(&jan);
    let foreign = maria.generate("ci", &["zones:listZones"]);
    assert_eq!(revoke(&site, &by_jan, &format!("hp_{}", "0".repeat(42))), 200);
    assert_eq!(revoke(&site, &by_jan, "x"), 200);
    let refused = site.post(REVOKE, &by_jan, &[("token", &foreign)]);
    assert_eq!((refused.status, json(&refused)["error"].clone()), (400, json!("unauthorized_client")));
    assert_eq!(site.verify(&foreign, "GET", "/api/v1/zones").status, 200);
    let by_maria = caller(&maria);
    let of_jan = jan.generate("of jan", &["zones:listZones"]);
    assert_eq!(revoke(&site, &by_maria, &of_jan), 200, "an owner may");
    assert_eq!(site.verify(&of_jan, "GET", "/api/v1/zones").status, 401);
}

#[test]
fn hallpass_itself_is_no_api_that_a_proxy_can_ask_about() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let by = caller(&maria);
    let bearer = format!("Bearer {by}");
    let headers =
        [("X-Original-Method", "POST"), ("X-Original-URI", "/oauth/introspect"), ("Authorization", bearer.as_str())];
    assert_eq!(site.ask("/verify?api=hallpass", &headers).status, 403);
    assert_eq!(site.ask("/verify", &headers).status, 403);
}

#[test]
fn its_calls_are_counted_and_its_refusals_are_explained() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let narrow = maria.generate("narrow", &["zones:listZones"]);
    let refused = site.post(INTROSPECT, &narrow, &[("token", "x")]);
    let reference = refused.header("x-hallpass-reference").to_owned();
    hallpass::jobs::flush_usage(&site.app).unwrap();
    let page = maria.get(&format!("/settings/activity?q={reference}")).text();
    assert!(page.contains(RIGHT) && page.contains("scopes"), "{page}");
}
