//! People, service accounts and teams by the API: the same rules as on the pages.

use hallpass::types::Role;
use serde_json::{Value, json};

use crate::support::{Answer, Site};

fn made(answer: &Answer) -> Value {
    assert_eq!(answer.status, 201, "{}", answer.body);
    answer.json()
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_owner_invites_gives_roles_and_disables() {
    let site = Site::start();
    let owner = site.owner().generate("wide", &["hallpass/*"]);
    let body = json!({ "name": "Jan Peters", "email": "jan@example.com", "role": "contributor" });
    let answer = made(&site.api(&owner, "POST", "/api/v1/accounts", body.clone()));
    assert!(answer["link"].as_str().unwrap().starts_with("http://127.0.0.1:8080/invite/"));
    assert_eq!((&answer["account"]["status"], &answer["account"]["role"]), (&json!("invited"), &json!("contributor")));
    assert_eq!(site.api(&owner, "POST", "/api/v1/accounts", body).status, 422, "the address is taken");
    let path = format!("/api/v1/accounts/{}", id(&answer["account"]));
    let told = site.api(&owner, "GET", &path, Value::Null);
    let tag = told.header("etag").to_owned();
    let edited = site.api(&owner, "PATCH", &path, json!({ "role": "admin", "enabled": false }));
    assert_eq!(edited.status, 200, "{}", edited.body);
    assert_eq!((&edited.json()["role"], &edited.json()["enabled"]), (&json!("admin"), &json!(false)));
    let late = site.call(&owner, "PATCH", &path, &[("if-match", &tag)], Some(br#"{"role":"viewer"}"#));
    assert_eq!(late.status, 412);
    let list = site.api(&owner, "GET", "/api/v1/accounts?limit=1", Value::Null).json();
    assert_eq!((&list["total"], list["items"].as_array().unwrap().len()), (&json!(2), 1));
    let next = list["next"].as_str().unwrap();
    let list = site.api(&owner, "GET", &format!("/api/v1/accounts?limit=1&after={next}"), Value::Null).json();
    assert_eq!((&list["next"], &list["items"][0]["name"]), (&Value::Null, &json!("Maria Keller")));
    let last = site.texts("SELECT id AS text FROM accounts WHERE role = 'owner'").remove(0);
    let answer = site.api(&owner, "PATCH", &format!("/api/v1/accounts/{last}"), json!({ "enabled": false }));
    assert_eq!(answer.status, 403, "the last owner stays: {}", answer.body);
}

#[test]
fn a_contributor_sees_themself_and_nobody_else() {
    let site = Site::start();
    site.owner();
    let jan = site.person("jan@example.com", Role::Contributor).generate("wide", &["hallpass/*"]);
    let ids = |email: &str| site.texts(&format!("SELECT id AS text FROM accounts WHERE email = '{email}'")).remove(0);
    let get = |id: &str| site.api(&jan, "GET", &format!("/api/v1/accounts/{id}"), Value::Null);
    assert_eq!(get(&ids("jan@example.com")).json()["email"], "jan@example.com");
    let (foreign, missing) = (get(&ids("maria@example.com")), get("019ab000-0000-7000-8000-000000000000"));
    assert_eq!((foreign.status, foreign.body), (404, missing.body));
    for (method, path) in [("GET", "/api/v1/accounts"), ("GET", "/api/v1/policy"), ("GET", "/api/v1/events?all=true")] {
        assert_eq!(site.api(&jan, method, path, Value::Null).status, 403, "{path}");
    }
}

#[test]
fn a_team_owns_a_service_account_and_its_members_its_tokens() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let owner = maria.generate("wide", &["hallpass/*", "*"]);
    let jan = site.person("jan@example.com", Role::Contributor).generate("wide", &["hallpass/*", "*"]);
    let jan_id = site.texts("SELECT id AS text FROM accounts WHERE email = 'jan@example.com'").remove(0);
    let team = id(&made(&site.api(&owner, "POST", "/api/v1/teams", json!({ "name": "DNS", "description": "Zones" }))));
    let team_path = format!("/api/v1/teams/{team}");
    assert_eq!(site.api(&jan, "GET", &team_path, Value::Null).status, 404);
    let member = format!("{team_path}/members/{jan_id}");
    let set = site.api(&owner, "PUT", &member, json!({ "role": "member" }));
    assert_eq!((set.status, &set.json()["role"]), (200, &json!("member")), "{}", set.body);
    assert_eq!(site.api(&jan, "GET", &team_path, Value::Null).json()["members"].as_array().unwrap().len(), 2);
    let body = json!({ "name": "backup", "role": "token_creator", "owner": { "team": team } });
    let service = made(&site.api(&jan, "POST", "/api/v1/service-accounts", body));
    assert_eq!((&service["owner"], &service["owner_name"]), (&json!({ "team": team }), &json!("DNS")));
    let service = id(&service);
    let body = json!({ "name": "nightly", "owner": service, "scopes": ["zones:listZones"] });
    let token = made(&site.api(&jan, "POST", "/api/v1/tokens", body));
    assert_eq!((&token["token"]["kind"], &token["token"]["owner"]["kind"]), (&json!("service"), &json!("service")));
    let value = token["value"].as_str().unwrap();
    assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 200);
    let path = format!("/api/v1/service-accounts/{service}");
    assert_eq!(site.api(&jan, "PATCH", &path, json!({ "enabled": false })).json()["enabled"], false);
    assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 401);
    assert_eq!(site.api(&owner, "DELETE", &team_path, Value::Null).status, 403, "it still owns something");
    assert_eq!(site.api(&jan, "DELETE", &path, Value::Null).status, 204);
    assert_eq!(site.api(&jan, "GET", &path, Value::Null).status, 404);
    assert_eq!(site.api(&owner, "DELETE", &member, Value::Null).status, 204);
    assert_eq!(site.api(&owner, "DELETE", &team_path, Value::Null).status, 204);
    let events = site.api(&owner, "GET", "/api/v1/events?all=true&action=team", Value::Null).json();
    let actions: Vec<&str> =
        events["items"].as_array().unwrap().iter().map(|one| one["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["team.remove", "team.remove_member", "team.add_member", "team.make"]);
}
