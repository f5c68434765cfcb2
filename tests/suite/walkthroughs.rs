//! Walks through the product with the real binary, each as somebody would who comes from another one. The first is in `client`.

use chrono::TimeDelta;
use hallpass::policy::Policy;
use hallpass::types::{Extender, Role};
use serde_json::{Value, json};

use crate::proxies::nginx::IN_QUERY;
use crate::proxies::stage::Scene;
use crate::proxies::{DESCRIPTION, START, STOP};
use crate::support::{PASSWORD, Site};
use crate::terminal::{Terminal, told};

const MARIA: &str = "maria@example.com";
const JAN: &str = "jan@example.com";
const LIST: &[&str] = &["--scope", "zones:listZones"];

fn with<'a>(one: &[&'a str], other: &[&'a str]) -> Vec<&'a str> {
    [one, other].concat()
}

/// Everything about a token, as a program reads it.
fn described(terminal: &Terminal, id: &str) -> Value {
    serde_json::from_str(&terminal.done(&["token", "describe", id, "-o", "json"])).unwrap()
}

fn refused(terminal: &Terminal, arguments: &[&str], code: i32, part: &str) {
    let said = terminal.run(arguments, &format!("{PASSWORD}\n"));
    assert_eq!((said.code, said.err.contains(part)), (code, true), "{arguments:?}: {}", said.err);
}

#[test]
fn lifetimes_are_proposed_limited_shortened_and_never_extended_but_by_an_administrator() {
    let site = Site::with(Policy { extend_expiry: Extender::Admin, ..Policy::default() });
    let maria = site.owner_with_zones();
    site.person(JAN, Role::Contributor);
    let (jan, boss) = (Terminal::signed_in(&site, JAN), Terminal::signed_in(&site, MARIA));

    let made = jan.done(&with(&["token", "create", "--name", "ci", "--ttl", "30d"], LIST));
    let (id, value) = (told(&made, "id"), told(&made, "value"));
    assert_eq!(described(&jan, id)["expires_at"], "2026-12-23T23:59:59.000Z");
    jan.done(&with(&["token", "create", "--name", "usual"], LIST));
    assert_eq!(described(&jan, "usual")["expires_at"], "2027-02-21T23:59:59.000Z", "90 days");
    // What is beyond the longest life is refused, and nothing is cut silently.
    refused(&jan, &with(&["token", "create", "--name", "long", "--ttl", "400d"], LIST), 1, "The policy allows up to");
    refused(&jan, &with(&["token", "create", "--name", "long", "--never"], LIST), 1, "without an expiry");

    let wide = jan.done(&["token", "list", "-o", "wide"]);
    let line = wide.lines().find(|line| line.contains(id)).unwrap();
    assert!(line.contains("ci") && line.contains(&value[..8]) && line.contains("zones:listZones"), "{wide}");
    assert!(!wide.contains("long"));

    jan.done(&["token", "edit", id, "--expires-at", "2026-12-10"]);
    assert_eq!(described(&jan, id)["expires_at"], "2026-12-10T23:59:59.000Z");
    refused(&jan, &["token", "edit", id, "--expires-at", "2026-12-20"], 1, "only administrators");
    boss.done(&["token", "edit", id, "--expires-at", "2026-12-20"]);
    assert_eq!(described(&jan, id)["expires_at"], "2026-12-20T23:59:59.000Z");

    assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 200);
    jan.done(&["token", "edit", id, "--disable"]);
    assert_eq!(described(&jan, id)["enabled"], false);
    assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 401, "at once");
    jan.done(&["token", "edit", id, "--enable"]);

    boss.write("policy.yaml", "policy:\n  token_api: false\n");
    boss.done(&["apply", "policy.yaml", "--yes"]);
    assert_eq!(jan.run(&["token", "list"], "").code, 5, "the routes are not there");
    assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 200, "tokens go on");
    assert_eq!(maria.get("/settings/tokens").status, 200, "and so do the pages");
    boss.write("policy.yaml", "policy:\n  token_api: true\n");
    boss.done(&["apply", "policy.yaml", "--yes"]);
    assert!(jan.done(&["token", "list"]).contains(id));
}

#[test]
fn a_token_is_narrowed_to_scopes_and_resources_removed_softly_and_for_good() {
    let site = Site::start();
    site.owner_with_zones();
    site.person("ada@example.com", Role::Admin);
    site.person(JAN, Role::Contributor);
    let terminal = Terminal::signed_in(&site, MARIA);
    let create = |more: &[&str]| terminal.done(&with(&["token", "create", "-q"], more)).trim().to_owned();
    let asks = |value: &str, method: &str, path: &str| site.verify(value, method, &format!("/api/v1{path}")).status;

    let two = create(&with(&["--name", "two", "--expiration-days", "7", "--scope", "zones:readZone"], LIST));
    assert_eq!(
        (asks(&two, "GET", "/zones"), asks(&two, "GET", "/zones/a"), asks(&two, "DELETE", "/zones/a")),
        (200, 200, 403)
    );
    assert_eq!(described(&terminal, "two")["expires_at"], "2026-11-30T22:59:59.000Z", "the end of the day in Berlin");

    let wildcard = create(&["--name", "wildcard", "--scope", "zones:*"]);
    assert_eq!((asks(&wildcard, "DELETE", "/zones/a"), asks(&wildcard, "GET", "/zones/a/keys")), (200, 403));

    // An allow list is exclusive: what it does not name is refused, and so is what names no resource by a wildcard.
    let narrow = create(&["--name", "narrow", "--scope", "zones:*", "--allow", "zones:a"]);
    assert_eq!(
        (asks(&narrow, "GET", "/zones/a"), asks(&narrow, "GET", "/zones/b"), asks(&narrow, "GET", "/zones")),
        (200, 403, 403)
    );

    let short = create(&with(&["--name", "short", "--expiration-days", "1"], LIST));
    assert!(terminal.done(&["token", "revoke", "two"]).contains("Removed two."));
    assert_eq!(asks(&two, "GET", "/zones"), 401);
    let removed = terminal.done(&["token", "list", "--include-revoked", "-o", "json"]);
    let removed: Vec<Value> = serde_json::from_str(&removed).unwrap();
    let row = removed.iter().find(|token| token["name"] == "two").unwrap();
    assert_eq!(row["status"], "removed");
    terminal.done(&["token", "remove", row["id"].as_str().unwrap(), "--purge"]);
    assert!(!terminal.done(&["token", "list", "--include-revoked"]).contains("two"));

    let create = with(&["token", "create", JAN, "--name", "his", "-q"], LIST);
    refused(&Terminal::signed_in(&site, "ada@example.com"), &create, 4, "");
    let his = terminal.done(&create);
    assert_eq!(site.verify(his.trim(), "GET", "/api/v1/zones").header("x-hallpass-account"), JAN);

    site.pass(TimeDelta::days(2));
    assert_eq!(asks(&short, "GET", "/zones"), 401);
    let terminal = Terminal::signed_in(&site, MARIA);
    assert!(!terminal.done(&["token", "list"]).contains("short"));
    let all = terminal.done(&["token", "list", "--include-expired"]);
    assert!(all.lines().any(|line| line.contains("short") && line.contains("expired")), "{all}");
}

#[test]
fn a_service_account_outlives_its_values_and_takes_them_all_along() {
    let site = Site::start();
    site.owner_with_zones();
    let terminal = Terminal::signed_in(&site, MARIA);
    let file = "teams: [{ name: DNS, managers: [maria@example.com] }]\n\
        service_accounts: [{ name: backup, role: token_creator, owner: { team: DNS }, description: Nightly }]\n";
    terminal.write("hallpass.yaml", file);
    terminal.done(&["apply", "hallpass.yaml", "--yes"]);
    let scopes = ["--scope", "zones:listZones", "--scope", "hallpass/tokens:list", "--scope", "hallpass/tokens:edit"];
    let made = terminal.done(&with(&["token", "create", "backup", "--name", "nightly"], &scopes));
    let (id, first) = (told(&made, "id"), told(&made, "value").to_owned());
    let answer = site.verify(&first, "GET", "/api/v1/zones");
    let header = |name: &str| answer.header(name).to_owned();
    assert_eq!(
        [header("x-hallpass-account"), header("x-hallpass-role"), header("x-hallpass-teams")],
        ["backup", "token_creator", "DNS"]
    );
    assert_eq!(header("x-hallpass-account-kind"), "service");

    let second = terminal.done(&["token", "regenerate", id, "--grace", "12h", "-q"]).trim().to_owned();
    let alive = |value: &str| site.verify(value, "GET", "/api/v1/zones").status == 200;
    assert!(alive(&first) && alive(&second));
    assert_eq!(described(&terminal, id)["previous_expires_at"], "2026-11-23T21:40:00.000Z");
    site.pass(TimeDelta::hours(12));
    assert!(!alive(&first) && alive(&second), "the end of the former value");
    let third = terminal.done(&["token", "regenerate", id, "--grace", "1h", "-q"]).trim().to_owned();
    assert!(alive(&second) && alive(&third));

    // What it does itself is told under its name.
    let own = Terminal::new();
    let address = site.url("/");
    let as_backup = [("HALLPASS_URL", address.as_str()), ("HALLPASS_TOKEN", third.as_str())];
    let said = own.run_with(&as_backup, &["token", "edit", "nightly", "--description", "By itself"], "");
    assert_eq!(said.code, 0, "{}", said.err);

    let session = site.log_in(MARIA);
    let found = site.api(&session, "GET", "/api/v1/service-accounts?q=backup", Value::Null).json();
    let path = format!("/api/v1/service-accounts/{}", found["items"][0]["id"].as_str().unwrap());
    let removed = site.call(&session, "DELETE", &path, &[("x-confirm-password", PASSWORD)], None);
    assert_eq!(removed.status, 204, "{}", removed.body);
    assert!(!alive(&second) && !alive(&third), "all values");
    let events = site.api(&session, "GET", "/api/v1/events?all=true&limit=200", Value::Null).json();
    let told_of = |actor: &str, action: &str, subject: &str| {
        let is = |event: &Value| {
            (&event["actor"]["name"], &event["action"], &event["subject"]["name"])
                == (&json!(actor), &json!(action), &json!(subject))
        };
        assert!(events["items"].as_array().unwrap().iter().any(is), "{actor} {action} {subject}: {events:#}");
    };
    told_of("Maria Keller", "account.generate", "backup");
    told_of("backup", "token.edit", "nightly");
    told_of("Maria Keller", "account.remove", "backup");
}

#[test]
fn an_access_set_and_chosen_methods_pass_nginx_as_a_session_parameter() {
    let site = Site::with(Policy { value_in_query: true, ..Policy::default() });
    site.owner();
    let terminal = Terminal::signed_in(&site, MARIA);
    terminal.write("environments.json", DESCRIPTION);
    let file = "apis:\n  - slug: jelastic\n    description: environments.json\n    options: { case_insensitive: true }\n    \
        access_sets:\n      - { slug: maven, name: Maven Plugin, scopes: [\"file:*\", control:stopenv] }\n";
    terminal.write("hallpass.yaml", file);
    terminal.done(&["apply", "hallpass.yaml", "--yes"]);
    let session = site.log_in(MARIA);
    let sets = site.api(&session, "GET", "/api/v1/access-sets", Value::Null).json();
    let slugs: Vec<&str> = sets["items"].as_array().unwrap().iter().map(|set| set["slug"].as_str().unwrap()).collect();
    assert_eq!(slugs, ["read-only", "full-access", "maven"]);

    // A change by a session needs the password once more.
    let body = json!({ "name": "plugin", "access_set": "maven" }).to_string();
    let generate =
        |headers: &[(&str, &str)]| site.call(&session, "POST", "/api/v1/tokens", headers, Some(body.as_bytes()));
    for headers in [&[][..], &[("x-confirm-password", "not my password")]] {
        let answer = generate(headers);
        assert_eq!(
            (answer.status, &answer.json()["type"]),
            (403, &json!("urn:hallpass:unconfirmed")),
            "{}",
            answer.body
        );
    }
    let made = generate(&[("x-confirm-password", PASSWORD)]);
    assert_eq!((made.status, &made.json()["token"]["access_set"]), (201, &json!("maven")), "{}", made.body);
    let plugin = made.json()["value"].as_str().unwrap().to_owned();
    let chosen = terminal.done(&["token", "create", "--name", "chosen", "--scope", "control:startenv", "-q"]);
    let chosen = chosen.trim();

    let scene = Scene::before(&IN_QUERY, site.address, plugin.clone());
    let post = |target: &str, value: &str| {
        format!("POST {target}?session={value} HTTP/1.1\r\nHost: api.test\r\nContent-Length: 0\r\n\r\n").into_bytes()
    };
    for (target, value, status) in
        [(STOP, plugin.as_str(), 200), (START, &plugin, 403), (START, chosen, 200), (STOP, chosen, 403)]
    {
        assert_eq!(scene.ask(&post(target, value)).status, status, "{target}");
    }
    assert_eq!(scene.api.count(), 2);
    let received = scene.api.last();
    assert_eq!(received.line, format!("POST {START} HTTP/1.1"), "without the value");
    assert_eq!(received.said("X-Hallpass-Token-Name"), ["chosen"]);
    terminal.done(&["token", "revoke", "plugin"]);
    assert_eq!(scene.ask(&post(STOP, &plugin)).status, 401, "from the next request on");
}
