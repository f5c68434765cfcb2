//! Teams: made, renamed and removed by administrators, their members changed by managers; what proxies hear of it.

use hallpass::types::Role;

use crate::support::{Answer, Person, Site};

pub fn make(person: &Person<'_>, name: &str, manager: &str) -> String {
    let answer = person.confirm(&ask_to_make(person, name, manager), "/admin/teams/new");
    assert_eq!(answer.status, 303, "{}", answer.text());
    answer.header("location").trim_start_matches("/admin/teams/").to_owned()
}

fn ask_to_make(person: &Person<'_>, name: &str, manager: &str) -> Answer {
    let form = person.get("/admin/teams/new").form("/admin/teams/new");
    person.post("/admin/teams/new", &form.with(&[("name", name), ("manager", manager)]))
}

/// Asks for a change of members: the confirm page, or what is wrong.
pub fn ask(person: &Person<'_>, team: &str, fields: &[(&str, &str)]) -> Answer {
    let form = person.get(&format!("/admin/teams/{team}")).form("/theme");
    let form = form.without("theme").without("next").with(fields);
    person.post(&format!("/admin/teams/{team}/members"), &form)
}

pub fn change(person: &Person<'_>, team: &str, fields: &[(&str, &str)]) -> Answer {
    let page = ask(person, team, fields);
    person.confirm(&page, &format!("/admin/teams/{team}/members"))
}

pub fn add(person: &Person<'_>, team: &str, email: &str, role: &str) {
    let answer = change(person, team, &[("do", "add"), ("email", email), ("role", role)]);
    assert_eq!(answer.status, 303, "{}", answer.text());
}

fn id_of(site: &Site, email: &str) -> String {
    site.app.db.read(|conn| hallpass::account::by_email(conn, email)).unwrap().unwrap().id.to_string()
}

fn teams_at(site: &Site, value: &str) -> String {
    let answer = site.verify(value, "GET", "/api/v1/zones");
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.header("x-hallpass-teams").to_owned()
}

fn rename(person: &Person<'_>, team: &str, name: &str) {
    let address = format!("/admin/teams/{team}");
    let page = person.post(&address, &person.get(&address).form(&address).with(&[("name", name)]));
    let answer = person.confirm(&page, &address);
    assert_eq!(answer.status, 303, "{}", answer.text());
}

#[test]
fn who_comes_and_goes_and_a_new_name_are_in_the_header_at_the_next_request_and_on_another_node() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    let value = jan.generate("ci", &["zones:listZones"]);
    let node = site.beside();
    assert_eq!(teams_at(&site, &value), "");

    let payments = make(&maria, "Payments", "maria@example.com");
    let team = make(&maria, "=Data & Ops", "jan@example.com");
    assert_eq!(teams_at(&site, &value), "=Data & Ops");
    add(&maria, &payments, "jan@example.com", "member");
    assert_eq!(teams_at(&site, &value), "=Data & Ops,Payments");
    node.app.follow().unwrap();
    assert_eq!(teams_at(&node, &value), "=Data & Ops,Payments");

    rename(&maria, &payments, "Billing");
    assert_eq!(teams_at(&site, &value), "=Data & Ops,Billing");
    node.app.follow().unwrap();
    assert_eq!(teams_at(&node, &value), "=Data & Ops,Billing");

    let id = id_of(&site, "jan@example.com");
    assert_eq!(change(&maria, &payments, &[("do", "remove"), ("account", &id)]).status, 303);
    assert_eq!(teams_at(&site, &value), "=Data & Ops");

    let address = format!("/admin/teams/{team}/remove");
    let page = maria.post(&address, &maria.get(&format!("/admin/teams/{team}")).form(&address));
    assert_eq!(maria.confirm(&page, &address).status, 303);
    assert_eq!(teams_at(&site, &value), "");
    node.app.follow().unwrap();
    assert_eq!(teams_at(&node, &value), "");
    assert_eq!(maria.get(&format!("/admin/teams/{team}")).status, 404);
}

#[test]
fn a_team_is_never_without_a_manager() {
    let site = Site::start();
    let maria = site.owner();
    let jan = site.person("jan@example.com", Role::TokenCreator);
    for nobody in ["", "nobody@example.com", "not an address"] {
        let refused = ask_to_make(&maria, "Payments", nobody);
        assert_eq!(refused.status, 422);
        assert!(refused.error_of("manager").contains("e-mail address"), "{}", refused.error_of("manager"));
        assert_eq!(refused.form("/admin/teams/new").0.iter().find(|(name, _)| name == "name").unwrap().1, "Payments");
    }
    let team = make(&maria, "Payments", "jan@example.com");
    add(&jan, &team, "maria@example.com", "member");
    let (me, her) = (id_of(&site, "jan@example.com"), id_of(&site, "maria@example.com"));
    for verb in ["member", "remove"] {
        let refused = ask(&jan, &team, &[("do", verb), ("account", &me)]);
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("This is the last manager of Payments."), "{}", refused.text());
    }
    // A question that was asked while there were two is answered when there is one.
    assert_eq!(change(&jan, &team, &[("do", "manager"), ("account", &her)]).status, 303);
    let late = ask(&jan, &team, &[("do", "member"), ("account", &me)]);
    assert_eq!(change(&maria, &team, &[("do", "remove"), ("account", &her)]).status, 303);
    let refused = jan.confirm(&late, &format!("/admin/teams/{team}/members"));
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("last manager"), "{}", refused.text());
}

#[test]
fn names_are_unique_and_fit_into_one_header() {
    let site = Site::start();
    let maria = site.owner();
    make(&maria, "Payments", "maria@example.com");
    for (name, sentence) in [
        ("", "A name has 1 to 100 characters."),
        ("a,b", "A team's name cannot hold a comma."),
        ("Payments", "There is already a team with this name. Choose another."),
        ("tab\tin it", "A name cannot hold control characters"),
    ] {
        let refused = ask_to_make(&maria, name, "maria@example.com");
        assert_eq!(refused.status, 422);
        assert!(refused.error_of("name").starts_with(sentence), "{name}: {}", refused.error_of("name"));
    }
    // Between the question and the password somebody else takes the name: the form again, filled in.
    let asked = ask_to_make(&maria, "Ops", "maria@example.com");
    make(&maria, "Ops", "maria@example.com");
    let refused = maria.confirm(&asked, "/admin/teams/new");
    assert_eq!((refused.status, refused.error_of("name").is_empty()), (422, false));
    assert!(refused.form("/admin/teams/new").0.contains(&("name".into(), "Ops".into())));
}

#[test]
fn of_two_who_rename_at_once_the_second_is_told_and_loses_nothing() {
    let site = Site::start();
    let maria = site.owner();
    let team = make(&maria, "Payments", "maria@example.com");
    let eva = site.person("eva@example.com", Role::Admin);
    let address = format!("/admin/teams/{team}");
    let open = eva.get(&address).form(&address);
    rename(&maria, &team, "Billing");
    let page = eva.post(&address, &open.with(&[("name", "Money")]));
    let refused = eva.confirm(&page, &address);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("Somebody else changed this meanwhile"), "{}", refused.text());
    assert!(refused.form(&address).0.contains(&("name".into(), "Money".into())));
    let saved = eva.confirm(&eva.post(&address, &refused.form(&address)), &address);
    assert_eq!(saved.status, 303);
    assert!(eva.get(&address).text().starts_with("Money"));
}

#[test]
fn a_team_that_owns_service_accounts_stays_and_they_are_named() {
    let site = Site::start();
    let maria = site.owner();
    let team = make(&maria, "Payments", "maria@example.com");
    let id = crate::service_accounts::make(&maria, "svc-pay", "viewer", &team);
    let address = format!("/admin/teams/{team}/remove");
    let form = maria.get(&format!("/admin/teams/{team}")).form(&address);
    let refused = maria.post(&address, &form);
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("Payments owns service accounts: svc-pay."), "{}", refused.text());
    crate::service_accounts::press(&maria, &id, "remove");
    assert_eq!(maria.confirm(&maria.post(&address, &form), &address).status, 303);
}

#[test]
fn only_people_whose_account_is_enabled_are_added_and_nobody_twice() {
    let site = Site::start();
    let maria = site.owner();
    let team = make(&maria, "Payments", "maria@example.com");
    crate::service_accounts::make(&maria, "svc-pay", "viewer", "me");
    for (email, sentence) in [
        ("svc-pay", "Nobody with this e-mail address"),
        ("nobody@example.com", "Nobody with this e-mail address"),
        ("maria@example.com", "Maria Keller is in this team already."),
    ] {
        let refused = ask(&maria, &team, &[("do", "add"), ("email", email), ("role", "member")]);
        assert_eq!(refused.status, 422);
        assert!(refused.error_of("email").starts_with(sentence), "{}", refused.error_of("email"));
    }
    let refused = ask(&maria, &team, &[("do", "add"), ("email", "maria@example.com"), ("role", "king")]);
    assert_eq!(refused.error_of("role"), "People are in a team as member or manager.");
}

#[test]
fn members_find_their_teams_and_nobody_else_s() {
    let site = Site::start();
    let maria = site.owner();
    let jan = site.person("jan@example.com", Role::Viewer);
    assert_eq!(jan.get("/admin/teams").status, 404);
    assert!(!jan.get("/settings/profile").body.contains("href=\"/admin/teams\""));
    make(&maria, "Ops", "maria@example.com");
    let team = make(&maria, "Payments", "maria@example.com");
    add(&maria, &team, "jan@example.com", "member");
    assert!(jan.get("/settings/profile").body.contains("href=\"/admin/teams\""));
    let list = jan.get("/admin/teams").text();
    assert!(list.contains("Payments") && !list.contains("Ops"), "{list}");
    let page = jan.get(&format!("/admin/teams/{team}"));
    assert!(page.text().contains("Maria Keller") && !page.body.contains("do=\"manager\""));
    assert!(!page.body.contains(&format!("action=\"/admin/teams/{team}/members\"")), "a member changes nobody");
    let found = maria.get("/admin/teams?q=pay").text();
    assert!(found.contains("Payments") && !found.contains("Ops"), "{found}");
}
