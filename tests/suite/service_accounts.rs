//! Service accounts: whose they are, what their tokens may, tokens generated for them, and what becomes of both.

use hallpass::types::Role;

use crate::support::{Answer, Person, Site};
use crate::teams;

const NEW: &str = "/admin/service-accounts/new";

pub fn make(person: &Person<'_>, name: &str, role: &str, owner: &str) -> String {
    let answer = person.confirm(&ask_to_make(person, name, role, owner), NEW);
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").trim_start_matches("/admin/service-accounts/").to_owned()
}

pub fn ask_to_make(person: &Person<'_>, name: &str, role: &str, owner: &str) -> Answer {
    let form = person.get(NEW).form(NEW).with(&[("name", name), ("role", role), ("owner", owner)]);
    person.post(NEW, &form)
}

pub fn ask(person: &Person<'_>, id: &str, verb: &str, fields: &[(&str, &str)]) -> Answer {
    let action = match verb {
        "" => address(id),
        verb => format!("{}/{verb}", address(id)),
    };
    let form = person.get(&address(id)).form(&action).with(fields);
    person.post(&action, &form)
}

fn address(id: &str) -> String {
    format!("/admin/service-accounts/{id}")
}

pub fn press(person: &Person<'_>, id: &str, verb: &str) {
    let answer = person.confirm(&ask(person, id, verb, &[]), &format!("{}/{verb}", address(id)));
    assert_eq!(answer.status, 303, "{}", answer.text());
}

fn give(person: &Person<'_>, id: &str, owner: &str) {
    let page = ask(person, id, "owner", &[("owner", owner)]);
    let answer = person.confirm(&page, &format!("{}/owner", address(id)));
    assert_eq!(answer.status, 303, "{}", answer.text());
}

fn status(site: &Site, value: &str) -> u16 {
    site.verify(value, "GET", "/api/v1/zones").status
}

#[test]
fn a_token_of_a_service_account_acts_as_it_and_dies_with_it() {
    let site = Site::start();
    site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    let id = make(&jan, "svc-ci", "viewer", "me");
    let value = jan.generate_from(&jan.token_form("deploy", &["zones:listZones"]).with(&[("owner", &id)]));
    let pass = site.verify(&value, "GET", "/api/v1/zones");
    for (name, expected) in [("account", "svc-ci"), ("account-kind", "service"), ("role", "viewer"), ("teams", "")] {
        assert_eq!(pass.header(&format!("x-hallpass-{name}")), expected);
    }
    let node = site.beside();
    press(&jan, &id, "disable");
    assert_eq!(status(&site, &value), 401);
    node.app.follow().unwrap();
    assert_eq!(status(&node, &value), 401);
    press(&jan, &id, "enable");
    assert_eq!(status(&site, &value), 200);

    // What still uses it is named, with where from.
    hallpass::jobs::flush_usage(&site.app).unwrap();
    let question = ask(&jan, &id, "remove", &[]);
    assert!(question.text().contains("Something still depends on it."), "{}", question.text());
    let answer = jan.confirm(&question, &format!("{}/remove", address(&id)));
    assert_eq!(answer.status, 303);
    assert_eq!(status(&site, &value), 401);
    node.app.follow().unwrap();
    assert_eq!(status(&node, &value), 401);
    assert_eq!(jan.get(&address(&id)).status, 404);
    assert!(jan.get("/settings/tokens").text().contains("No tokens yet"));
    // The name is free again.
    make(&jan, "svc-ci", "viewer", "me");
}

#[test]
fn handed_to_a_team_it_is_the_team_s_at_the_next_request_and_its_members_see_the_tokens() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    let eva = site.person("eva@example.com", Role::Contributor);
    let team = teams::make(&maria, "Payments", "jan@example.com");
    teams::add(&jan, &team, "eva@example.com", "member");
    let id = make(&jan, "svc-ci", "contributor", "me");
    let value = jan.generate_from(&jan.token_form("deploy", &["zones:listZones"]).with(&[("owner", &id)]));
    assert!(jan.get("/settings/tokens").text().contains("svc-ci"), "one's service account's tokens are in one's list");
    assert_eq!(eva.get(&address(&id)).status, 404);
    let node = site.beside();

    give(&jan, &id, &team);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").header("x-hallpass-teams"), "Payments");
    node.app.follow().unwrap();
    assert_eq!(node.verify(&value, "GET", "/api/v1/zones").header("x-hallpass-teams"), "Payments");
    let list = eva.get(&format!("/settings/tokens?team={team}"));
    assert!(list.text().contains("deploy") && list.text().contains("svc-ci"), "{}", list.text());
    assert!(!eva.get("/settings/tokens").text().contains("deploy"));

    // A member regenerates it, and the event says which person acted.
    let token = list.attribute("tbody input[name=id]", "value");
    let action = format!("/settings/tokens/{token}/regenerate");
    let page = eva.get(&format!("/settings/tokens/{token}"));
    assert!(page.text().contains("by jan") && page.text().contains("the service account svc-ci of Payments"));
    let page = eva.post(&action, &page.form(&action).with(&[("grace", "0")]));
    let revealed = eva.confirm(&page, &format!("{action}/confirm"));
    assert!(revealed.text().contains("the service account svc-ci"), "{}", revealed.text());
    let newer = revealed.attribute("#value", "value");
    assert_eq!((status(&site, &value), status(&site, &newer)), (401, 200));
    let log = jan.get(&format!("{}/activity", address(&id))).text();
    assert!(
        log.contains("Value regenerated") && log.contains("eva") && log.contains("Service account handed over"),
        "{log}"
    );
}

#[test]
fn a_service_account_is_made_on_the_way_with_its_token_or_not_at_all() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    let team = teams::make(&maria, "Payments", "jan@example.com");
    let new = "/settings/tokens/new";
    // Without a script the choice is sent and the form comes again, with nothing lost.
    let form =
        jan.token_form("deploy", &["zones:listZones"]).with(&[("owner", "new"), ("do", "owner"), ("description", "x")]);
    let again = jan.post(new, &form);
    assert_eq!(again.status, 200);
    let form = again.form(new);
    for (name, value) in [("name", "deploy"), ("description", "x"), ("m", "zones:listZones"), ("owner", "new")] {
        assert!(form.0.contains(&(name.into(), value.into())), "{name}: {:?}", form.0);
    }
    let refused = jan.post(new, &form.clone().with(&[("service_role", "admin"), ("name", "")]));
    assert_eq!(refused.status, 422);
    assert_eq!(refused.error_of("service_name"), "A name has 1 to 100 characters.");
    assert!(!refused.error_of("name").is_empty());

    let form = form.with(&[("service_name", "=svc"), ("service_owner", &team), ("service_role", "contributor")]);
    let refused = jan.post(new, &form.clone().with(&[("service_role", "admin")]));
    assert_eq!(refused.error_of("service_role"), "The role admin is above yours, contributor.");
    let question = jan.post(new, &form);
    assert!(question.text().contains("=svc, a new service account of Payments with the role contributor"));
    assert!(!site.rows("accounts").iter().any(|row| row.contains("=svc")), "nothing before the password");
    let wrong =
        jan.post(&format!("{new}/confirm"), &question.form(&format!("{new}/confirm")).with(&[("password", "x")]));
    assert!(wrong.error_of("password").contains("not right") && wrong.text().contains("=svc"));
    let value = jan.confirm(&question, &format!("{new}/confirm")).attribute("#value", "value");
    let pass = site.verify(&value, "GET", "/api/v1/zones");
    assert_eq!((pass.header("x-hallpass-account"), pass.header("x-hallpass-teams")), ("=svc", "Payments"));

    // Somebody was faster with the name: neither account nor token.
    let question = jan.post(new, &form.clone().with(&[("service_name", "second")]));
    make(&jan, "second", "viewer", "me");
    let before = site.rows("tokens").len();
    let refused = jan.confirm(&question, &format!("{new}/confirm"));
    assert_eq!(refused.status, 422);
    assert!(refused.error_of("service_name").starts_with("There is already a service account with this name."));
    assert_eq!(site.rows("tokens").len(), before);
}

#[test]
fn who_may_make_none_and_has_none_to_choose_is_not_asked_for_whom() {
    let site = Site::start();
    site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::TokenCreator);
    assert!(!jan.get("/settings/tokens/new").body.contains("name=\"owner\""));
    assert_eq!(jan.get("/admin/service-accounts").status, 404);
    assert_eq!(jan.get(NEW).status, 404);
    let form = jan.token_form("x", &["zones:listZones"]).with(&[("owner", "new"), ("service_name", "y")]);
    assert_eq!(jan.post("/settings/tokens/new", &form).status, 403);
}

#[test]
fn no_role_is_above_the_maker_s_or_the_owner_s() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    let refused = ask_to_make(&jan, "svc", "admin", "me");
    assert_eq!(refused.error_of("role"), "The role admin is above yours, contributor.");
    // By an administrator for the team that jan manages: jan sees it, but takes no value of it and changes neither role nor owner.
    let team = teams::make(&maria, "Payments", "jan@example.com");
    let high = make(&maria, "svc-high", "admin", &team_of(&maria, &team));
    let page = jan.get(&address(&high));
    assert!(!page.body.contains("Generate token") && !page.body.contains("/owner\""));
    assert_eq!(jan.get(&format!("/settings/tokens/new?owner={high}")).status, 403);
    let refused = ask(&jan, &high, "", &[("role", "viewer")]);
    assert_eq!(refused.error_of("role"), "The role admin is above yours, contributor.");
    let form = page.form("/theme").without("theme").without("next").with(&[("owner", "me")]);
    assert_eq!(jan.post(&format!("{}/owner", address(&high)), &form).status, 403);
    press(&jan, &high, "disable");
    assert_eq!(jan.post(&format!("{}/enable", address(&high)), &form).status, 403, "but to stop it is always allowed");
    // Nor is it given to a person below its role.
    let refused = ask(&maria, &high, "owner", &[("owner_other", "jan@example.com")]);
    assert_eq!(refused.error_of("owner"), "The role admin is above that of jan, contributor.");
}

/// What an administrator writes who is not in the team: its id comes by the link on its page.
fn team_of(person: &Person<'_>, team: &str) -> String {
    assert_eq!(person.get(&format!("{NEW}?owner={team}")).status, 200);
    team.to_owned()
}

#[test]
fn a_lowered_service_account_is_refused_what_needs_the_higher_role_at_once() {
    let site = Site::start();
    let maria = site.owner();
    maria.import("pdns", crate::support::ZONES, &[("least_roles", "contributor zones:listZones")]);
    let id = make(&maria, "svc", "contributor", "me");
    let value = maria.generate_from(&maria.token_form("ci", &["zones:listZones"]).with(&[("owner", &id)]));
    assert_eq!(status(&site, &value), 200);
    let page = ask(&maria, &id, "", &[("role", "viewer")]);
    assert_eq!(maria.confirm(&page, &address(&id)).status, 303);
    assert_eq!(status(&site, &value), 403);
    // And the form offers for it no more than its role may.
    let form = maria.get(&format!("/settings/tokens/new?owner={id}")).form("/settings/tokens/new");
    let refused = maria.post("/settings/tokens/new", &form.with(&[("set", "custom")]).and("m", "zones:listZones"));
    assert_eq!(refused.status, 422);
}

#[test]
fn none_belongs_to_another_service_account_or_to_who_is_disabled() {
    let site = Site::start();
    let maria = site.owner();
    let jan = site.person("jan@example.com", Role::Contributor);
    let first = make(&jan, "first", "viewer", "me");
    let second = make(&jan, "second", "viewer", "me");
    let sentence = "A service account belongs to a person or a team, not to another service account.";
    assert_eq!(ask_to_make(&jan, "third", "viewer", &first).error_of("owner"), sentence);
    assert_eq!(ask(&jan, &first, "owner", &[("owner", &second)]).error_of("owner"), sentence);
    assert_eq!(ask(&jan, &first, "owner", &[("owner", &first)]).error_of("owner"), sentence);
    // Another person is not there for who administers nothing, whatever their id.
    let eva = site.app.db.read(|conn| hallpass::account::by_email(conn, "maria@example.com")).unwrap().unwrap();
    assert_eq!(ask(&jan, &first, "owner", &[("owner", eva.id.as_str())]).status, 404);
    assert_eq!(ask(&jan, &first, "owner", &[("owner_other", "maria@example.com")]).status, 403);
    site.app
        .write_now(|tx| {
            let jan = hallpass::account::by_email(tx.conn, "jan@example.com")?.unwrap();
            hallpass::account::disable(tx, &hallpass::actor::Actor::operator(), &jan.id)
        })
        .unwrap();
    let form = maria.get(NEW).form(NEW).with(&[("name", "x"), ("role", "viewer"), ("owner_other", "jan@example.com")]);
    assert!(maria.post(NEW, &form).error_of("owner_other").starts_with("Nobody with this e-mail address"));
}

#[test]
fn names_are_unique_and_none_looks_like_a_person() {
    let site = Site::start();
    let maria = site.owner();
    make(&maria, "svc", "viewer", "me");
    for (name, sentence) in [
        ("svc", "There is already a service account with this name. Choose another."),
        ("maria@example.com", "A service account's name cannot hold @, so that nobody takes it for a person."),
        ("", "A name has 1 to 100 characters."),
    ] {
        assert_eq!(ask_to_make(&maria, name, "viewer", "me").error_of("name"), sentence);
    }
    assert_eq!(ask_to_make(&maria, "x", "king", "me").error_of("role"), "Choose one of the roles.");
}

#[test]
fn of_two_who_change_it_at_once_the_second_is_told_and_loses_nothing() {
    let site = Site::start();
    let maria = site.owner();
    let id = make(&maria, "svc", "viewer", "me");
    let eva = site.person("eva@example.com", Role::Admin);
    let open = eva.get(&address(&id));
    let late = eva.post(&format!("{}/owner", address(&id)), &open.form(&format!("{}/owner", address(&id))));
    let page = ask(&maria, &id, "", &[("description", "by maria")]);
    assert_eq!(maria.confirm(&page, &address(&id)).status, 303);

    let page = eva.post(&address(&id), &open.form(&address(&id)).with(&[("description", "by eva")]));
    let refused = eva.confirm(&page, &address(&id));
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("Somebody else changed this meanwhile"), "{}", refused.text());
    assert!(refused.form(&address(&id)).0.contains(&("description".into(), "by eva".into())));
    assert_eq!(eva.confirm(&late, &format!("{}/owner", address(&id))).status, 303);
    assert!(eva.get(&address(&id)).text().contains("Maria Keller"), "and the owner is who it was");
    let saved = eva.confirm(&eva.post(&address(&id), &refused.form(&address(&id))), &address(&id));
    assert_eq!(saved.status, 303);
}

#[test]
fn a_pasted_value_is_found_in_whichever_list_one_may_see_it_in() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    let eva = site.person("eva@example.com", Role::Viewer);
    let team = teams::make(&maria, "Payments", "jan@example.com");
    let id = make(&jan, "svc", "viewer", &team);
    let value = jan.generate_from(&jan.token_form("deploy", &["zones:listZones"]).with(&[("owner", &id)]));
    let find = |person: &Person<'_>| {
        let form = person.get("/settings/tokens").form("/theme").without("theme").with(&[("q", &value)]);
        person.post("/settings/tokens/find", &form).header("location").to_owned()
    };
    assert!(find(&jan).starts_with(&format!("/settings/tokens?team={team}&q=")));
    assert!(find(&maria).starts_with(&format!("/settings/tokens?team={team}&q=")), "an administrator sees all");
    assert_eq!(find(&eva), "/settings/tokens", "and who is in no team finds nothing");
}
