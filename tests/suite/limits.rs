//! What an operator limits: least roles of methods and access sets, lifetimes of single roles, the REST API for tokens; each on
//! the pages, in the API, and where requests are verified.

use chrono::TimeDelta;
use hallpass::policy::Policy;
use hallpass::types::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Person, Site, ZONES};

const TOKENS: &str = "/api/v1/tokens";
const NEW: &str = "/settings/tokens/new";

/// Maria, owner; deleting zones needs the role admin, creating one contributor.
fn with_least_roles(site: &Site) -> Person<'_> {
    let maria = site.owner();
    maria.import("pdns", ZONES, &[("least_roles", "admin zones:deleteZone\ncontributor zones:createZone")]);
    maria
}

/// The first sentence of a 422 of the API, with its field.
fn refused(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 422, "{}", answer.body);
    let one = answer.json()["errors"][0].clone();
    (one["field"].as_str().unwrap().to_owned(), one["message"].as_str().unwrap().to_owned())
}

fn names(answer: &Answer, list: &str) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()["items"].as_array().unwrap().iter().map(|one| one[list].as_str().unwrap().to_owned()).collect()
}

fn set_role(site: &Site, email: &str, role: Role) {
    site.app
        .write_now(|tx| {
            let account = hallpass::account::by_email(tx.conn, email)?.unwrap();
            hallpass::account::set_role(tx, &hallpass::actor::Actor::operator(), &account.id, role, account.version)
        })
        .unwrap();
}

#[test]
fn a_method_s_least_role_counts_on_the_page_and_in_the_api() {
    let site = Site::start();
    with_least_roles(&site);
    for (role, deletes, creates) in [
        (Role::TokenCreator, false, false),
        (Role::Contributor, false, true),
        (Role::Admin, true, true),
        (Role::Owner, true, true),
    ] {
        let email = format!("{role}@example.com");
        let jan = site.person(&email, role);
        let manager = jan.generate("manager", &["hallpass/*", "pdns/*"]);
        for (method, least, may) in [
            ("zones:deleteZone", "admin", deletes),
            ("zones:createZone", "contributor", creates),
            ("zones:listZones", "", true),
        ] {
            let sentence = format!("{method} needs the role {least}.");
            let page = jan.post(NEW, &jan.token_form(method, &[method]));
            let call =
                site.api(&manager, "POST", TOKENS, json!({ "name": format!("api {method}"), "scopes": [method] }));
            match may {
                true => assert_eq!((page.status, call.status), (200, 201), "{role} {method}: {}", call.body),
                false => {
                    assert_eq!((page.status, page.error_of("m")), (422, sentence.clone()), "{role}");
                    assert_eq!(refused(&call), ("scopes".into(), sentence), "{role}");
                }
            }
            let offered = names(&site.api(&manager, "GET", "/api/v1/methods?api=pdns", Value::Null), "name");
            assert_eq!(
                offered.iter().any(|name| method.ends_with(&format!(":{name}"))),
                may,
                "{role} {method} {offered:?}"
            );
            assert_eq!(jan.get(NEW).body.contains(&format!("value=\"{method}\"")), may, "{role} {method}");
        }
    }
}

#[test]
fn a_wildcard_reaches_no_method_above_the_role_and_a_new_role_counts_at_the_next_request() {
    let site = Site::start();
    with_least_roles(&site);
    let jan = site.person("jan@example.com", Role::Contributor);
    let wide = jan.generate("wide", &["pdns/*"]);
    let passes = |method: &str, path: &str| site.verify(&wide, method, path).status == 200;
    let all = || [passes("GET", "/api/v1/zones"), passes("POST", "/api/v1/zones"), passes("DELETE", "/api/v1/zones/a")];
    assert_eq!(all(), [true, true, false]);
    let refused = site.verify(&wide, "DELETE", "/api/v1/zones/a");
    assert_eq!(refused.status, 403);
    assert!(
        refused.header("www-authenticate").contains("insufficient_scope"),
        "{}",
        refused.header("www-authenticate")
    );
    for (role, expected) in [
        (Role::Admin, [true, true, true]),
        (Role::TokenCreator, [true, false, false]),
        (Role::Viewer, [true, false, false]),
        (Role::Contributor, [true, true, false]),
    ] {
        set_role(&site, "jan@example.com", role);
        assert_eq!(all(), expected, "{role}");
    }
    // Raised by an operator: at once too, and back again.
    let maria = site.visitor();
    maria.sign_in("maria@example.com", crate::support::PASSWORD);
    for (least, expected) in [("admin *:*", [false, false, false]), ("viewer *:*", [true, true, true])] {
        let form = maria.get("/admin/apis/pdns").form("/admin/apis/pdns/options").with(&[("least_roles", least)]);
        let page = maria.post("/admin/apis/pdns/options", &form);
        assert_eq!(maria.confirm(&page, "/admin/apis/pdns/options").status, 303, "{}", page.text());
        assert_eq!(all(), expected, "{least}");
    }
}

#[test]
fn an_access_set_s_least_role_counts_on_the_page_and_in_the_api() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let address = "/admin/apis/pdns/sets/new";
    let form = maria.get(address).form(address).with(&[
        ("name", "Zone reader"),
        ("slug", "zone-reader"),
        ("scopes", "zones:listZones"),
        ("least_role", "contributor"),
    ]);
    assert_eq!(maria.confirm(&maria.post(address, &form), address).status, 303);
    let sentence = "There is no access set “zone-reader”. Choose one of those below.";
    for (role, may) in [(Role::TokenCreator, false), (Role::Contributor, true), (Role::Owner, true)] {
        let jan = site.person(&format!("{role}@example.com"), role);
        let manager = jan.generate("manager", &["hallpass/*", "pdns/*"]);
        let page = jan.post(NEW, &jan.token_form("ci", &[]).with(&[("set", "zone-reader")]));
        let call = site.api(&manager, "POST", TOKENS, json!({ "name": "api", "access_set": "zone-reader" }));
        match may {
            true => {
                assert_eq!((page.status, call.status), (200, 201), "{role}: {}", call.body);
                let value = call.json()["value"].as_str().unwrap().to_owned();
                assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
            }
            false => {
                assert_eq!((page.status, call.status), (422, 422), "{role}");
                assert!(page.text().contains(sentence), "{}", page.text());
                assert_eq!(refused(&call).1, sentence);
            }
        }
        let offered = names(&site.api(&manager, "GET", "/api/v1/access-sets", Value::Null), "slug");
        assert_eq!(offered.contains(&"zone-reader".to_owned()), may, "{role} {offered:?}");
        assert_eq!(jan.get(NEW).body.contains("value=\"zone-reader\""), may, "{role}");
    }
}

#[test]
fn a_role_s_own_longest_lifetime_counts_on_the_page_in_the_api_and_at_a_new_value() {
    let policy = Policy { max_lifetime_by_role: [(Role::Contributor, 30)].into(), ..Policy::default() };
    let site = Site::with(policy);
    site.owner_with_zones();
    let sentence = "The policy allows up to 30 days. Choose an earlier day.";
    for (role, may) in [(Role::TokenCreator, true), (Role::Contributor, false), (Role::Admin, true)] {
        let jan = site.person(&format!("{role}@example.com"), role);
        let form = jan.token_form("manager", &["hallpass/*", "pdns/*"]).with(&[("lifetime", "30")]);
        let manager = jan.generate_from(&form);
        let page = jan.post(NEW, &jan.token_form("long", &["zones:listZones"]).with(&[("lifetime", "90")]));
        let call = |body: Value| site.api(&manager, "POST", TOKENS, body);
        let long = call(json!({ "name": "days", "lifetime_days": 90, "scopes": ["zones:listZones"] }));
        match may {
            // A token's child ends with it, so that the page tells more than the API here.
            true => assert_eq!((page.status, page.error_of("expires_at").as_str()), (200, ""), "{role}"),
            false => {
                assert_eq!((page.status, page.error_of("expires_at").as_str()), (422, sentence), "{role}");
                assert_eq!(refused(&long).1, sentence, "{role}");
            }
        }
        // What is left out is what the role may have.
        let usual = call(json!({ "name": "usual", "scopes": ["zones:listZones"] }));
        assert_eq!(usual.status, 201, "{role}: {}", usual.body);
        let expired = site.now() + TimeDelta::days(32);
        let end =
            usual.json()["token"]["expires_at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
        assert!(may || end < expired, "{role} {end}");
        // An edit and a new value are within it too.
        let id = usual.json()["token"]["id"].as_str().unwrap().to_owned();
        let far = (site.now() + TimeDelta::days(60)).to_rfc3339();
        for (method, path) in [("PATCH", format!("{TOKENS}/{id}")), ("POST", format!("{TOKENS}/{id}/regenerate"))] {
            let answer = site.api(&manager, method, &path, json!({ "expires_at": far }));
            assert!(may || answer.status == 422, "{role} {method}: {}", answer.body);
        }
    }
}

#[test]
fn with_the_token_api_off_its_routes_are_there_for_nobody_and_all_else_goes_on() {
    let site = Site::with(Policy { token_api: false, ..Policy::default() });
    let maria = site.owner_with_zones();
    let value = maria.generate("wide", &["hallpass/*", "pdns/*"]);
    let id = maria.id_of("wide");
    for credential in [value.as_str(), "", "hp_nonsense"] {
        for (method, path) in [
            ("GET", TOKENS.to_owned()),
            ("POST", TOKENS.to_owned()),
            ("GET", format!("{TOKENS}/{id}")),
            ("PATCH", format!("{TOKENS}/{id}")),
            ("DELETE", format!("{TOKENS}/{id}")),
            ("POST", format!("{TOKENS}/{id}/regenerate")),
        ] {
            let answer = site.api(credential, method, &path, if method == "GET" { Value::Null } else { json!({}) });
            assert_eq!(answer.status, 404, "{credential:?} {method} {path}: {}", answer.body);
        }
    }
    assert_eq!(site.api(&value, "GET", "/api/v1/whoami", Value::Null).status, 200);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200, "tokens go on");
    maria.generate("by page", &["zones:listZones"]);
    maria.regenerate("by page", "0");
    maria.press("disable", &["by page"]);
    maria.remove("by page");
    // Switched on by the page, it is there at the next request.
    let form = maria.get("/admin/policy").form("/admin/policy").with(&[("token_api", "on")]);
    let page = maria.post("/admin/policy", &form);
    assert_eq!(maria.confirm(&page, "/admin/policy/confirm").status, 303, "{}", page.text());
    assert_eq!(site.api(&value, "GET", TOKENS, Value::Null).status, 200);
}
