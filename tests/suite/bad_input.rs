//! What administration must not let happen, whoever asks and however fast: roles above one's own, a place without an owner, things
//! that own each other, a team without a manager, a disabled person at work, two who change one thing.

use std::sync::Barrier;

use hallpass::types::Role;
use serde_json::{Value, json};

use crate::accounts::{form_for, page_of, press};
use crate::service_accounts::{self, ask_to_make};
use crate::support::{Answer, PASSWORD, Person, Site};
use crate::teams;

/// The password of two people for two pages, sent at the same moment.
fn at_once(people: [&Person<'_>; 2], pages: &[Answer; 2], actions: [&str; 2]) -> [Answer; 2] {
    let start = Barrier::new(2);
    let confirm = |nth: usize| {
        let form = pages[nth].form(actions[nth]).with(&[("password", PASSWORD)]);
        start.wait();
        people[nth].post(actions[nth], &form)
    };
    std::thread::scope(|scope| {
        let confirm = &confirm;
        [scope.spawn(move || confirm(0)), scope.spawn(move || confirm(1))].map(|one| one.join().unwrap())
    })
}

fn id_of(site: &Site, email: &str) -> String {
    site.texts(&format!("SELECT id AS text FROM accounts WHERE email = '{email}'")).remove(0)
}

fn ask_role(me: &Person<'_>, email: &str, role: &str) -> Answer {
    let address = page_of(me.site, email);
    me.post(&address, &form_for(&me.get(&address), "role").unwrap().with(&[("role", role)]))
}

#[test]
fn nobody_gives_a_role_above_their_own_on_any_page_or_in_the_api() {
    let site = Site::start();
    let maria = site.owner();
    let ada = site.person("ada@example.com", Role::Admin);
    let jan = site.person("jan@example.com", Role::Contributor);
    let eve = site.person("eve@example.com", Role::Viewer);
    let program = ada.generate("wide", &["hallpass/*"]);
    for role in ["owner", "admin"] {
        let form = ada.get("/admin/accounts/new").form("/admin/accounts/new");
        let typed = [("name", "X"), ("email", "x@example.com"), ("role", role)];
        let invited = ada.post("/admin/accounts/new", &form.with(&typed));
        assert!((400..500).contains(&invited.status), "{role}: {}", invited.text());
        assert_eq!(ask_role(&ada, "jan@example.com", role).status, 403, "{role}");
        let edit = site.api(
            &program,
            "PATCH",
            &format!("/api/v1/accounts/{}", id_of(&site, "jan@example.com")),
            json!({ "role": role }),
        );
        assert_eq!(edit.status, 403, "{}", edit.body);
        let body = json!({ "name": "X", "email": "x@example.com", "role": role });
        let made = site.api(&program, "POST", "/api/v1/accounts", body);
        assert!(matches!(made.status, 403 | 422), "{}", made.body);
    }
    assert_ne!(ask_to_make(&ada, "svc", "owner", "me").status, 200);
    assert_ne!(ask_to_make(&jan, "svc", "admin", "me").status, 200);
    assert_eq!(eve.get("/admin/service-accounts/new").status, 404);
    let roles = site.texts("SELECT role AS text FROM accounts ORDER BY email");
    assert_eq!(roles, ["admin", "viewer", "contributor", "owner"], "nothing of it was done");
    drop(maria);
}

#[test]
fn of_two_owners_who_lower_each_other_at_the_same_moment_one_stays() {
    for _ in 0..3 {
        let site = Site::start();
        let maria = site.owner();
        let otto = site.person("otto@example.com", Role::Owner);
        let pages = [ask_role(&maria, "otto@example.com", "admin"), ask_role(&otto, "maria@example.com", "admin")];
        let (of_otto, of_maria) = (page_of(&site, "otto@example.com"), page_of(&site, "maria@example.com"));
        let done = at_once([&maria, &otto], &pages, [&of_otto, &of_maria]);
        let mut statuses = done.each_ref().map(|answer| answer.status);
        statuses.sort();
        assert_eq!(statuses[0], 303, "{} {}", done[0].text(), done[1].text());
        assert!((400..500).contains(&statuses[1]), "{statuses:?}");
        let roles = site.texts("SELECT role AS text FROM accounts ORDER BY role");
        assert_eq!(roles, ["admin", "owner"]);
        // Who is left cannot lower themself.
        let (left, email) = match site.texts("SELECT email AS text FROM accounts WHERE role = 'owner'").remove(0) {
            email if email.starts_with("otto") => (&otto, email),
            email => (&maria, email),
        };
        let last = ask_role(left, &email, "viewer");
        assert!(last.status == 403 && last.text().contains("This is the last owner."), "{}", last.text());
    }
}

#[test]
fn no_ownership_goes_round_in_a_circle() {
    let site = Site::start();
    let maria = site.owner();
    let program = maria.generate("wide", &["hallpass/*"]);
    let first = service_accounts::make(&maria, "first", "viewer", "me");
    let second = service_accounts::make(&maria, "second", "viewer", "me");
    let sentence = "A service account belongs to a person or a team, not to another service account.";
    for (id, owner) in [(&first, &first), (&first, &second), (&second, &first)] {
        let asked = service_accounts::ask(&maria, id, "owner", &[("owner", owner)]);
        assert_eq!((asked.status, asked.error_of("owner").as_str()), (422, sentence));
        let path = format!("/api/v1/service-accounts/{id}");
        for named in [json!({ "account": owner }), json!({ "team": owner }), json!(owner)] {
            let answer = site.api(&program, "PATCH", &path, json!({ "owner": named }));
            assert!(matches!(answer.status, 404 | 422), "{named}: {} {}", answer.status, answer.body);
        }
    }
    // Nor is one a member of a team that owns it.
    let team = teams::make(&maria, "Payments", "maria@example.com");
    let member = format!("/api/v1/teams/{team}/members/{first}");
    let answer = site.api(&program, "PUT", &member, json!({ "role": "manager" }));
    assert!(matches!(answer.status, 404 | 422), "{}", answer.body);
    let owners = "SELECT coalesce(owner_account_id, owner_team_id) AS text FROM accounts WHERE kind = 'service'";
    assert_eq!(site.texts(owners), vec![id_of(&site, "maria@example.com"); 2]);
}

#[test]
fn of_two_managers_who_take_each_other_s_place_at_the_same_moment_one_stays() {
    for verb in ["member", "remove"] {
        let site = Site::start();
        let maria = site.owner();
        let jan = site.person("jan@example.com", Role::TokenCreator);
        let eva = site.person("eva@example.com", Role::TokenCreator);
        let team = teams::make(&maria, "Payments", "jan@example.com");
        teams::add(&jan, &team, "eva@example.com", "manager");
        let (of_jan, of_eva) = (id_of(&site, "jan@example.com"), id_of(&site, "eva@example.com"));
        let pages = [
            teams::ask(&jan, &team, &[("do", verb), ("account", &of_eva)]),
            teams::ask(&eva, &team, &[("do", verb), ("account", &of_jan)]),
        ];
        let action = format!("/admin/teams/{team}/members");
        let done = at_once([&jan, &eva], &pages, [&action, &action]);
        let managers = site.texts("SELECT account_id AS text FROM members WHERE role = 'manager'");
        assert_eq!(managers.len(), 1, "{verb}: {} {}", done[0].text(), done[1].text());
    }
}

#[test]
fn a_policy_whose_proposed_lifetime_is_above_the_longest_is_saved_neither_by_page_nor_by_api() {
    let site = Site::start();
    let maria = site.owner();
    let program = maria.generate("wide", &["hallpass/*"]);
    let form = maria.get("/admin/policy").form("/admin/policy");
    let answer = maria.post("/admin/policy", &form.with(&[("max_lifetime", "30"), ("default_lifetime", "31")]));
    assert_eq!(answer.status, 422);
    assert!(answer.error_of("default_lifetime").contains("more than the longest lifetime"));
    for body in [
        json!({ "max_lifetime": 30 }),
        json!({ "default_lifetime": 366 }),
        json!({ "max_lifetime": 30, "default_lifetime": 31 }),
    ] {
        let answer = site.api(&program, "PATCH", "/api/v1/policy", body.clone());
        assert_eq!(answer.status, 422, "{body}: {}", answer.body);
        assert_eq!(answer.json()["errors"][0]["field"], "default_lifetime");
    }
    assert_eq!(site.app.policy().max_lifetime, 365);
}

#[test]
fn a_disabled_person_s_open_pages_programs_and_waiting_changes_do_nothing_any_more() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let ada = site.person("ada@example.com", Role::Admin);
    site.person("jan@example.com", Role::Viewer);
    let value = ada.generate("ci", &["hallpass/*", "pdns/*"]);
    let session = site.log_in("ada@example.com");
    let form = ada.get("/settings/tokens/new").form("/settings/tokens/new");
    let waiting = ada.ask_for("remove", &["ci"]);
    let role = ask_role(&ada, "jan@example.com", "contributor");
    site.app
        .write_now(|tx| {
            let ada = hallpass::account::by_email(tx.conn, "ada@example.com")?.unwrap();
            hallpass::account::disable(tx, &hallpass::actor::Actor::operator(), &ada.id)
        })
        .unwrap();
    let is_out = |answer: &Answer| answer.status == 303 && answer.header("location").starts_with("/login");
    assert!(is_out(&ada.get("/settings/tokens")) && is_out(&ada.get("/admin/accounts")));
    // What they filled in may wait for them to sign in again; nothing of it is done.
    let typed = form.with(&[("name", "late"), ("lifetime", "30"), ("set", "read-only")]);
    let address = page_of(&site, "jan@example.com");
    for (action, form) in [
        ("/settings/tokens/new", typed),
        ("/settings/tokens/remove", waiting.form("/settings/tokens/remove").with(&[("password", PASSWORD)])),
        (&address, role.form(&address).with(&[("password", PASSWORD)])),
    ] {
        let answer = ada.post(action, &form);
        assert!(
            is_out(&answer) || answer.body.contains("action=\"/login\""),
            "{action}: {} {}",
            answer.status,
            answer.text()
        );
    }
    let tokens = "SELECT name || CASE WHEN removed_at IS NULL THEN '' ELSE ' removed' END AS text FROM tokens WHERE kind = 'personal'";
    assert_eq!(site.texts(tokens), ["ci"]);
    assert_eq!(site.api(&session, "GET", "/api/v1/whoami", Value::Null).status, 401);
    assert_eq!(site.api(&value, "GET", "/api/v1/accounts", Value::Null).status, 401);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 401);
    assert_eq!(site.visitor().sign_in("ada@example.com", PASSWORD).status, 422);
    assert_eq!(site.texts("SELECT role AS text FROM accounts WHERE email = 'jan@example.com'"), ["viewer"]);
    // Enabled again, nothing of it comes back by itself: only signing in opens a session.
    assert_eq!(press(&maria, "ada@example.com", "enable", &[]).status, 303);
    assert!(is_out(&ada.get("/settings/tokens")));
    assert_eq!(site.visitor().sign_in("ada@example.com", PASSWORD).status, 303);
}

#[test]
fn of_two_admins_who_change_one_account_at_the_same_moment_one_is_told() {
    let site = Site::start();
    let maria = site.owner();
    let ada = site.person("ada@example.com", Role::Admin);
    site.person("jan@example.com", Role::Viewer);
    let address = page_of(&site, "jan@example.com");
    let pages =
        [ask_role(&maria, "jan@example.com", "contributor"), ask_role(&ada, "jan@example.com", "token_creator")];
    let done = at_once([&maria, &ada], &pages, [&address, &address]);
    let won = done.iter().position(|answer| answer.status == 303).expect("one of them did it");
    let late = &done[1 - won];
    assert!(late.status == 422 && late.text().contains("changed meanwhile"), "{} {}", late.status, late.text());
    let role = site.texts("SELECT role AS text FROM accounts WHERE email = 'jan@example.com'");
    assert_eq!(role, [["contributor", "token_creator"][won]]);
    let events = site.texts("SELECT action AS text FROM events WHERE action = 'account.role'");
    assert_eq!(events.len(), 1, "and one event tells of one change");
}
