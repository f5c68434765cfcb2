//! People: the list and its search, changes by administrators, invitations, and leaving.

use std::sync::Barrier;

use chrono::TimeDelta;
use diesel::prelude::*;
use hallpass::account::{self, Order, PersonDraft, Wish, invitation};
use hallpass::actor::{Actor, Via};
use hallpass::error::{Error, Result};
use hallpass::types::{AccountId, Role};

use crate::support::{Answer, Form, PASSWORD, Person, Site, ZONES};

const NEW_PASSWORD: &str = "four purple lamps glow";
const MISSING: &str = "019ab000-0000-7000-8000-000000000000";

fn id_of(site: &Site, email: &str) -> String {
    let found = site.app.db.read(|conn| account::by_email(conn, email)).unwrap();
    found.unwrap().id.to_string()
}

pub fn page_of(site: &Site, email: &str) -> String {
    format!("/admin/accounts/{}", id_of(site, email))
}

/// The form of one button on a person's page; `None` where it is not there.
pub fn form_for(page: &Answer, verb: &str) -> Option<Form> {
    let html = page.html();
    let css = scraper::Selector::parse("main form").unwrap();
    let fields = scraper::Selector::parse("input[name], select[name]").unwrap();
    html.select(&css).find_map(|form| {
        let fields: Vec<(String, String)> = form
            .select(&fields)
            .map(|field| (field.attr("name").unwrap().into(), field.attr("value").unwrap_or_default().into()))
            .collect();
        fields.contains(&("do".into(), verb.into())).then_some(Form(fields))
    })
}

/// Presses a button on a person's page, and confirms it.
pub fn press(me: &Person<'_>, email: &str, verb: &str, fields: &[(&str, &str)]) -> Answer {
    let address = page_of(me.site, email);
    let form = form_for(&me.get(&address), verb).unwrap_or_else(|| panic!("no button {verb}")).with(fields);
    let page = me.post(&address, &form);
    me.confirm(&page, &address)
}

/// Invites by the pages; the answer is the path of the link.
pub fn invite(me: &Person<'_>, name: &str, email: &str, role: &str) -> String {
    let form = me.get("/admin/accounts/new").form("/admin/accounts/new");
    let page = me.post("/admin/accounts/new", &form.with(&[("name", name), ("email", email), ("role", role)]));
    path_of(&me.confirm(&page, "/admin/accounts/new"))
}

fn path_of(revealed: &Answer) -> String {
    assert_eq!(revealed.status, 200, "{}", revealed.text());
    let link = revealed.attribute("#value", "value");
    link.strip_prefix("http://127.0.0.1:8080").unwrap().to_owned()
}

/// Opens a link and sets a password by it.
fn accept(visitor: &Person<'_>, link: &str, password: &str) -> Answer {
    let form = visitor.get(link).form(link);
    visitor.post(link, &form.with(&[("password", password), ("time_zone", "Europe/Berlin")]))
}

fn actor_of(site: &Site, email: &str) -> Actor {
    let found = site.app.db.read(|conn| account::by_email(conn, email)).unwrap().unwrap();
    Actor {
        account: Some(found.id),
        name: found.name,
        role: found.role,
        via: Via::CommandLine,
        origin: Default::default(),
    }
}

fn execute(site: &Site, sql: &str) {
    site.app.db.write(|conn| Ok(diesel::sql_query(sql).execute(conn)?)).unwrap();
}

fn team(site: &Site, id: &str, name: &str) {
    execute(
        site,
        &format!(
            "INSERT INTO teams (id, name, created_at, version, description) VALUES ('{id}', '{name}', '2026-11-23 09:40:00', 1, '')"
        ),
    );
}

/// A service account of that person, with a token; the answer is the token's value.
fn service(site: &Site, owner: &str, name: &str) -> String {
    let of = id_of(site, owner);
    execute(
        site,
        &format!(
            "INSERT INTO accounts (id, kind, name, role, owner_account_id, enabled, time_zone, date_style, created_at, version, description, name_key, folded) \
             VALUES ('019ab000-0000-7000-8000-{:012x}', 'service', '{name}', 'contributor', '{of}', {yes}, '', 'word', '2026-11-23 09:40:00', 1, '', '{name}', '{name}')",
            name.len() + 4096,
            yes = if site.app.db.is_shared() { "true" } else { "1" },
        ),
    );
    let id: AccountId =
        site.texts(&format!("SELECT id AS text FROM accounts WHERE name = '{name}'"))[0].as_str().into();
    let new = hallpass::token::NewToken {
        name: format!("{name}-token"),
        description: String::new(),
        expires_at: Some((site.now() + TimeDelta::days(30)).into()),
        access_set: None,
        scopes: ["pdns/zones:listZones"].iter().collect(),
        allow: Default::default(),
        ip_allow: Default::default(),
        rate_per_minute: None,
        enabled: true,
    };
    let made = site.app.write_now(|tx| {
        let owner = account::by_id(tx.conn, &id)?;
        hallpass::token::generate(tx, &Actor::operator(), &owner, new.clone(), "hp")
    });
    let value = made.unwrap().1.reveal().to_owned();
    // The row was written behind the index's back.
    let patched = site.app.write_now(|tx| {
        let version = tx.version()?;
        let row = hallpass::schema::accounts::table.find(&id);
        Ok(diesel::update(row).set(hallpass::schema::accounts::version.eq(version)).execute(tx.conn)?)
    });
    patched.unwrap();
    site.app.follow().unwrap();
    value
}

fn passes(site: &Site, value: &str) -> bool {
    site.verify(value, "GET", "/api/v1/zones").status == 200
}

#[test]
fn the_list_finds_people_by_words_that_begin_with_what_was_typed() {
    let site = Site::start();
    let maria = site.owner();
    site.person("jan.novak@example.com", Role::Contributor);
    site.person("ana@example.org", Role::Viewer);
    let names = |query: &str| -> Vec<String> {
        let page = maria.get(&format!("/admin/accounts{query}"));
        assert_eq!(page.status, 200, "{}", page.text());
        let css = scraper::Selector::parse("tbody .name").unwrap();
        page.html().select(&css).map(|name| name.text().collect::<String>()).collect()
    };
    assert_eq!(names(""), ["ana", "jan.novak", "Maria Keller"]);
    assert_eq!(names("?q=KEL"), ["Maria Keller"], "a later word of the name");
    assert_eq!(names("?q=kel+mar"), ["Maria Keller"], "words in any order");
    assert_eq!(names("?q=novak"), ["jan.novak"], "a part of the address");
    assert_eq!(names("?q=ana@example.org"), ["ana"], "the whole address");
    assert_eq!(names("?q=eller"), Vec::<String>::new(), "not the middle of a word");
    assert_eq!(names("?q=%25"), Vec::<String>::new());
    assert_eq!(names("?role=viewer"), ["ana"]);
    assert_eq!(names("?status=disabled"), Vec::<String>::new());
    let form = maria.get("/settings/profile").form("/settings/profile").with(&[("name", "Maria Brandt")]);
    assert_eq!(maria.post("/settings/profile", &form).status, 303);
    assert_eq!((names("?q=brandt").len(), names("?q=keller").len()), (1, 0), "a new name is found, the old one is not");
}

#[test]
fn the_list_goes_on_and_back_by_key() {
    let site = Site::start();
    let maria = site.owner();
    site.app
        .write_now(|tx| {
            for nth in 0..120 {
                let draft = PersonDraft {
                    name: format!("Person {nth:03}"),
                    email: format!("p{nth}@example.com"),
                    role: Role::Viewer,
                };
                invitation::invite(tx, &Actor::operator(), &draft)?;
            }
            Ok(())
        })
        .unwrap();
    let first = maria.get("/admin/accounts?status=invited");
    assert!(first.text().contains("120 people") && first.body.contains("Person 000"), "{}", first.text());
    let next = |page: &Answer| page.attribute("a[rel=next]", "href");
    let second = maria.get(&next(&first));
    assert!(
        second.body.contains("Person 050") && second.body.contains("Person 099") && !second.body.contains("Person 100")
    );
    let third = maria.get(&next(&second));
    assert!(third.body.contains("Person 119") && !third.body.contains("rel=\"next\""));
    let back = maria.get(&third.attribute("a[rel=prev]", "href"));
    assert!(back.body.contains("Person 050") && back.body.contains("Person 099"));
    let start = maria.get(&back.attribute("a[rel=prev]", "href"));
    assert!(start.body.contains("Person 000") && !start.body.contains("rel=\"prev\""));
    let found = maria.get("/admin/accounts?q=person+07");
    assert!(found.text().contains("10 people"), "{}", found.text());
}

#[test]
fn people_of_a_former_version_are_found_once_their_words_are_written() {
    let site = Site::start();
    let maria = site.owner();
    execute(&site, "DELETE FROM account_words");
    assert!(maria.get("/admin/accounts?q=keller").text().contains("Nobody"));
    hallpass::jobs::prune_all(&site.app).unwrap();
    assert!(maria.get("/admin/accounts?q=keller").text().contains("1 person"));
}

#[test]
fn an_invited_person_sets_a_password_by_the_link_once_and_is_signed_in() {
    let site = Site::start();
    let maria = site.owner();
    site.pass(TimeDelta::seconds(1));
    let link = invite(&maria, "Jan Novák", "jan@example.com", "contributor");
    site.pass(TimeDelta::seconds(1));
    assert!(maria.get("/admin/accounts?status=invited").text().contains("Jan Novák"));
    assert_eq!(site.visitor().sign_in("jan@example.com", PASSWORD).status, 422, "nobody comes in before");

    let jan = site.visitor();
    let page = jan.get(&link);
    assert!(page.text().contains("Welcome, Jan Novák") && page.text().contains("jan@example.com"), "{}", page.text());
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
    let short = accept(&jan, &link, "short");
    assert_eq!(short.status, 422);
    assert!(short.error_of("password").contains("at least 15 characters"));
    let done = accept(&jan, &link, PASSWORD);
    assert_eq!((done.status, done.header("location")), (303, "/settings/tokens"));
    assert_eq!(jan.get("/settings/tokens").status, 200);
    assert!(maria.get(&page_of(&site, "jan@example.com")).text().contains("Active"));
    let zone = site.texts("SELECT time_zone AS text FROM accounts WHERE email = 'jan@example.com'");
    assert_eq!(zone, ["Europe/Berlin"]);

    let events =
        site.texts("SELECT action || ' ' || actor_name AS text FROM events WHERE action LIKE 'account.%' ORDER BY id");
    assert_eq!(events[1..], ["account.invite Maria Keller", "account.accept Jan Novák"]);
}

#[test]
fn a_link_that_is_unknown_used_replaced_old_or_of_a_disabled_account_answers_alike() {
    let site = Site::start();
    let maria = site.owner();
    let used = invite(&maria, "Jan", "jan@example.com", "viewer");
    let stranger = site.visitor();
    assert_eq!(accept(&site.visitor(), &used, PASSWORD).status, 303);
    let replaced = invite(&maria, "Ana", "ana@example.com", "viewer");
    let form = form_for(&maria.get(&page_of(&site, "ana@example.com")), "link").unwrap();
    let address = format!("{}/link", page_of(&site, "ana@example.com"));
    let fresh = path_of(&maria.confirm(&maria.post(&address, &form), &address));
    assert_ne!(fresh, replaced);
    let disabled = invite(&maria, "Eve", "eve@example.com", "viewer");
    assert_eq!(press(&maria, "eve@example.com", "disable", &[]).status, 303);
    let old = invite(&maria, "Tom", "tom@example.com", "viewer");

    let plain = |answer: &Answer| {
        // The form's token is another each time.
        let token = answer.attribute("[name=form_token]", "value");
        let next = answer.attribute("[name=next]", "value");
        answer.body.replace(&token, "").replace(&next, "")
    };
    let unknown = stranger.get("/invite/no-such-key-that-anybody-made-up");
    assert_eq!(unknown.status, 404);
    assert!(unknown.text().contains("This link does not work"), "{}", unknown.text());
    assert_eq!(stranger.get(&old).status, 200);
    assert_eq!(stranger.get(&fresh).status, 200);
    let form = stranger.get(&old).form(&old);
    site.pass(TimeDelta::days(7));
    for link in [&used, &replaced, &disabled, &old, &fresh] {
        let answer = stranger.get(link);
        assert_eq!((answer.status, plain(&answer)), (404, plain(&unknown)), "{link}");
        let posted = stranger.post(link, &form.clone().with(&[("password", PASSWORD)]));
        assert_eq!((posted.status, posted.text()), (404, unknown.text()), "{link}");
    }
    assert_eq!(site.visitor().sign_in("tom@example.com", PASSWORD).status, 422);
    maria.sign_in("maria@example.com", PASSWORD);
    assert_eq!(press(&maria, "eve@example.com", "enable", &[]).status, 303);
    assert_eq!(stranger.get(&disabled).status, 404, "a dead link does not come to life again");
}

#[test]
fn of_two_who_come_with_one_link_at_once_one_sets_the_password() {
    let site = Site::start();
    let maria = site.owner();
    let link = invite(&maria, "Jan", "jan@example.com", "viewer");
    let start = Barrier::new(2);
    let come = || {
        let visitor = site.visitor();
        let form = visitor.get(&link).form(&link).with(&[("password", PASSWORD)]);
        start.wait();
        visitor.post(&link, &form).status
    };
    let mut statuses = std::thread::scope(|scope| {
        let both = [scope.spawn(come), scope.spawn(come)];
        both.map(|one| one.join().unwrap())
    });
    statuses.sort();
    assert_eq!(statuses, [303, 404]);
}

#[test]
fn a_password_link_leaves_the_old_password_until_it_is_used_and_then_ends_all_sessions() {
    let site = Site::start();
    let maria = site.owner();
    let jan = site.person("jan@example.com", Role::Contributor);
    let address = format!("{}/link", page_of(&site, "jan@example.com"));
    let form = form_for(&maria.get(&page_of(&site, "jan@example.com")), "link").unwrap();
    let page = maria.post(&address, &form);
    assert!(page.text().contains("Until it is used the old password goes on"), "{}", page.text());
    let revealed = maria.confirm(&page, &address);
    let link = path_of(&revealed);
    assert_eq!(revealed.header("cache-control"), "no-store");
    assert!(revealed.text().contains("Nothing is mailed"));
    let again = maria.post(&address, &page.form(&address).with(&[("password", PASSWORD)]));
    assert_eq!(again.status, 303, "it is shown once");

    assert_eq!(site.visitor().sign_in("jan@example.com", PASSWORD).status, 303);
    assert_eq!(jan.get("/settings/tokens").status, 200);
    let visitor = site.visitor();
    assert!(visitor.get(&link).text().contains("A new password for jan"));
    assert_eq!(accept(&visitor, &link, NEW_PASSWORD).status, 303);
    assert_eq!(visitor.get("/settings/tokens").status, 200);
    assert_eq!(jan.get("/settings/tokens").status, 303, "the other sessions have ended");
    assert_eq!(site.visitor().sign_in("jan@example.com", PASSWORD).status, 422);
    assert_eq!(site.visitor().sign_in("jan@example.com", NEW_PASSWORD).status, 303);
}

#[test]
fn a_role_is_given_taken_and_never_above_one_s_own() {
    let site = Site::start();
    let maria = site.owner();
    let ada = site.person("ada@example.com", Role::Admin);
    let jan = site.person("jan@example.com", Role::Viewer);
    let done = press(&ada, "jan@example.com", "role", &[("role", "contributor")]);
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(jan.get("/settings/tokens").status, 200, "nobody is signed out by it");
    assert_eq!(site.texts("SELECT role AS text FROM accounts WHERE email = 'jan@example.com'"), ["contributor"]);
    let address = page_of(&site, "jan@example.com");
    let page = ada.get(&address);
    assert!(
        !page.body.contains("value=\"admin\"") && !page.body.contains("value=\"owner\""),
        "what may not be given is not there"
    );
    for role in ["admin", "owner"] {
        let form = form_for(&page, "role").unwrap().with(&[("role", role)]);
        let refused = ada.post(&address, &form);
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("owner"), "{}", refused.text());
    }
    let form = form_for(&page, "role").unwrap();
    assert_eq!(ada.post(&address, &form.with(&[("role", "emperor")])).status, 422);
    let of_owner = ada.get(&page_of(&site, "maria@example.com"));
    assert!(of_owner.text().contains("Only owners may change"), "{}", of_owner.text());
    for verb in ["role", "disable", "link", "end_sessions"] {
        assert!(form_for(&of_owner, verb).is_none(), "{verb}");
    }
    assert_eq!(press(&maria, "jan@example.com", "role", &[("role", "owner")]).status, 303);
}

#[test]
fn the_last_owner_is_neither_lowered_nor_disabled() {
    let site = Site::start();
    let maria = site.owner();
    let address = page_of(&site, "maria@example.com");
    let sentence = "This is the last owner. Make another owner first.";
    let page = maria.get(&address);
    let lowered = maria.post(&address, &form_for(&page, "role").unwrap().with(&[("role", "admin")]));
    assert_eq!((lowered.status, lowered.text().contains(sentence)), (403, true));
    let disabled = maria.post(&address, &form_for(&page, "disable").unwrap());
    assert_eq!((disabled.status, disabled.text().contains(sentence)), (403, true));
    let left = maria.get(&format!("{address}/leave"));
    assert_eq!((left.status, left.text().contains(sentence)), (403, true));
    let invited = invite(&maria, "Otto", "otto@example.com", "owner");
    let still = maria.post(&address, &form_for(&maria.get(&address), "disable").unwrap());
    assert_eq!(still.status, 403, "an owner who never came does not count");
    accept(&site.visitor(), &invited, PASSWORD);
    assert_eq!(press(&maria, "maria@example.com", "disable", &[]).status, 303);
    assert_eq!(maria.get("/settings/tokens").status, 303, "and one is out oneself");
}

#[test]
fn of_two_owners_who_disable_each_other_at_the_same_moment_one_stays() {
    let site = Site::start();
    site.owner();
    site.person("otto@example.com", Role::Owner);
    let emails = ["maria@example.com", "otto@example.com"];
    let versions = emails.map(|email| site.app.db.read(|conn| account::by_email(conn, email)).unwrap().unwrap());
    let start = Barrier::new(2);
    let disable = |by: usize| -> Result<()> {
        let actor = actor_of(&site, emails[by]);
        let other = &versions[1 - by];
        let order = Order { id: other.id.clone(), seen: other.version, wish: Wish::Disable };
        start.wait();
        loop {
            let done = site.app.write_now(|tx| account::obey(tx, &actor, &order).map(drop));
            if !matches!(done, Err(Error::Busy(_))) {
                return done;
            }
        }
    };
    let done = std::thread::scope(|scope| {
        let both = [scope.spawn(|| disable(0)), scope.spawn(|| disable(1))];
        both.map(|one| one.join().unwrap().is_ok())
    });
    assert_eq!(done.iter().filter(|ok| **ok).count(), 1, "{done:?}");
}

#[test]
fn of_two_admins_who_change_one_account_the_second_looks_again() {
    let site = Site::start();
    let maria = site.owner();
    let ada = site.person("ada@example.com", Role::Admin);
    site.person("jan@example.com", Role::Viewer);
    let address = page_of(&site, "jan@example.com");
    let form = form_for(&ada.get(&address), "role").unwrap().with(&[("role", "contributor")]);
    let waiting = ada.post(&address, &form);
    assert_eq!(press(&maria, "jan@example.com", "role", &[("role", "token_creator")]).status, 303);
    let late = ada.confirm(&waiting, &address);
    assert_eq!(late.status, 422);
    assert!(late.text().contains("changed meanwhile"), "{}", late.text());
    let later = ada.post(&address, &form);
    assert!(later.status == 422 && later.text().contains("changed meanwhile"), "already before the password");
    let role = site.texts("SELECT role AS text FROM accounts WHERE email = 'jan@example.com'");
    assert_eq!(role, ["token_creator"]);
}

#[test]
fn sessions_are_ended_and_wrong_passwords_forgotten() {
    let site = Site::start();
    let maria = site.owner();
    let jan = site.person("jan@example.com", Role::Viewer);
    for _ in 0..3 {
        site.visitor().sign_in("jan@example.com", "wrong");
    }
    let page = maria.get(&page_of(&site, "jan@example.com"));
    assert!(
        page.text().contains("1 session.") && page.text().contains("3 wrong passwords in a row"),
        "{}",
        page.text()
    );
    assert_eq!(site.visitor().sign_in("jan@example.com", PASSWORD).status, 429);
    assert_eq!(press(&maria, "jan@example.com", "reset", &[]).status, 303);
    assert_eq!(site.visitor().sign_in("jan@example.com", PASSWORD).status, 303);
    assert_eq!(press(&maria, "jan@example.com", "end_sessions", &[]).status, 303);
    assert_eq!(jan.get("/settings/tokens").status, 303);
    let page = maria.get(&page_of(&site, "jan@example.com"));
    assert!(form_for(&page, "reset").is_none() && form_for(&page, "end_sessions").is_none());
}

#[test]
fn what_is_typed_wrong_in_an_invitation_is_told_at_its_field() {
    let site = Site::start();
    let maria = site.owner();
    let ada = site.person("ada@example.com", Role::Admin);
    let form = maria.get("/admin/accounts/new").form("/admin/accounts/new");
    let long = "x".repeat(300);
    let long_email = format!("{long}@example.com");
    for (name, email, role, field, sentence) in [
        ("", "a@example.com", "viewer", "name", "1 to 100 characters"),
        (long.as_str(), "a@example.com", "viewer", "name", "1 to 100 characters"),
        ("A\u{202e}b", "a@example.com", "viewer", "name", "control characters"),
        ("A\tb", "a@example.com", "viewer", "name", "control characters"),
        ("A", "not an address", "viewer", "email", "not an e-mail address"),
        ("A", "a\0@example.com", "viewer", "email", "not an e-mail address"),
        ("A", long_email.as_str(), "viewer", "email", "not an e-mail address"),
        ("A", " MARIA@example.com", "viewer", "email", "already an account"),
        ("A", "a@example.com", "emperor", "role", "Choose one of the roles"),
    ] {
        let refused =
            maria.post("/admin/accounts/new", &form.clone().with(&[("name", name), ("email", email), ("role", role)]));
        assert_eq!(refused.status, 422, "{name} {email}");
        assert!(refused.error_of(field).contains(sentence), "{name} {email}: {}", refused.error_of(field));
    }
    let form = ada.get("/admin/accounts/new").form("/admin/accounts/new");
    let above =
        ada.post("/admin/accounts/new", &form.with(&[("name", "A"), ("email", "a@example.com"), ("role", "admin")]));
    assert!(above.status == 422 && above.error_of("role").contains("owner"), "{}", above.text());
}

/// Jan with two tokens and a service account, ready to leave; the values of the three tokens.
fn leaver(site: &Site) -> [String; 3] {
    let jan = site.person("jan@example.com", Role::Contributor);
    let values = [jan.generate("ci", &["zones:listZones"]), jan.generate("old", &["zones:listZones"])];
    let [ci, old] = values;
    [ci, old, service(site, "jan@example.com", "nightly")]
}

fn leave_form(me: &Person<'_>, email: &str) -> (String, Form) {
    let address = format!("{}/leave", page_of(me.site, email));
    let form = me.get(&address).form(&address);
    (address, form)
}

fn field_of(me: &Person<'_>, address: &str, name: &str) -> String {
    let page = me.get(address);
    let html = page.html();
    let css = scraper::Selector::parse("label").unwrap();
    let label = html.select(&css).find(|label| label.text().collect::<String>().ends_with(&format!(": {name}")));
    label.unwrap_or_else(|| panic!("no choice for {name}")).attr("for").unwrap().to_owned()
}

#[test]
fn a_leaver_s_token_goes_on_under_a_team_with_a_new_value_and_the_rest_is_frozen_or_removed() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    team(&site, "t-1", "Platform");
    let [ci, old, nightly] = leaver(&site);
    assert!(passes(&site, &ci) && passes(&site, &old) && passes(&site, &nightly));
    let page = maria.get(&page_of(&site, "jan@example.com"));
    assert!(form_for(&page, "disable").is_none(), "with something to decide the button leads to the choices");
    let (address, form) = leave_form(&maria, "jan@example.com");
    let text = maria.get(&address).text();
    assert!(text.contains("1 method, read only") && text.contains("3 things to decide"), "{text}");
    let form = form.with(&[(&field_of(&maria, &address, "ci"), "t-1"), (&field_of(&maria, &address, "old"), "remove")]);
    let page = maria.post(&address, &form);
    for part in ["goes to Platform, new value", "is removed for good", "is disabled, with 1 token"] {
        assert!(page.text().contains(part), "{part}: {}", page.text());
    }
    assert!(passes(&site, &ci), "nothing happens before the password");
    let result = maria.confirm(&page, &address);
    assert_eq!((result.status, result.header("cache-control")), (200, "no-store"));
    let value = result.attribute("input.value", "value");
    assert!(passes(&site, &value) && value != ci);
    for dead in [&ci, &old, &nightly] {
        assert_eq!(site.verify(dead, "GET", "/api/v1/zones").status, 401);
    }
    let headers = site.verify(&value, "GET", "/api/v1/zones");
    let of = |name: &str| headers.header(name).to_owned();
    assert_eq!((of("x-hallpass-account"), of("x-hallpass-account-kind")), ("jan-ci".into(), "service".into()));
    assert_eq!((of("x-hallpass-teams"), of("x-hallpass-token-name")), ("Platform".into(), "ci".into()));
    assert_eq!(site.visitor().sign_in("jan@example.com", PASSWORD).status, 422);

    let again = maria.post(&address, &page.form(&address).with(&[("password", PASSWORD)]));
    assert_eq!(again.status, 303, "the values are shown once");
    let owners = site.texts("SELECT a.name AS text FROM events e JOIN accounts a ON a.id = e.owner_id WHERE e.action = 'token.hand_over' ORDER BY a.name");
    assert_eq!(owners, ["jan", "jan-ci"], "seen in both activities");
    let told = site.texts("SELECT detail AS text FROM events WHERE action = 'token.hand_over'");
    assert!(told[0].contains("jan@example.com") && told[0].contains("jan-ci"), "{}", told[0]);
}

#[test]
fn a_service_account_goes_to_a_team_with_a_new_value_for_each_token() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    team(&site, "t-1", "Platform");
    let [.., nightly] = leaver(&site);
    let (address, form) = leave_form(&maria, "jan@example.com");
    let form = form.with(&[(&field_of(&maria, &address, "nightly"), "t-1")]);
    let result = maria.confirm(&maria.post(&address, &form), &address);
    let value = result.attribute("input.value", "value");
    assert!(passes(&site, &value) && !passes(&site, &nightly));
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").header("x-hallpass-teams"), "Platform");
    assert_eq!(press(&maria, "jan@example.com", "enable", &[]).status, 303);
    assert!(passes(&site, &value), "and what was handed over stays where it is");
}

#[test]
fn what_goes_to_a_team_loses_the_methods_that_its_role_does_not_reach() {
    let site = Site::start();
    let maria = site.owner();
    maria.import("pdns", ZONES, &[("least_roles", "admin zones:deleteZone\nadmin keys:*")]);
    team(&site, "t-1", "Platform");
    let ada = site.person("ada@example.com", Role::Admin);
    let former = ada.generate("ci", &["zones:listZones", "zones:deleteZone"]);
    ada.generate("keys", &["keys:listKeys"]);
    assert_eq!(site.verify(&former, "DELETE", "/api/v1/zones/a").status, 200);
    let (address, form) = leave_form(&maria, "ada@example.com");
    let (ci, keys) = (field_of(&maria, &address, "ci"), field_of(&maria, &address, "keys"));
    let refused = maria.post(&address, &form.clone().with(&[(&keys, "t-1")]));
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("keys could do nothing under the role contributor"), "{}", refused.text());
    let page = maria.post(&address, &form.with(&[(&ci, "t-1")]));
    assert!(page.text().contains("goes to Platform, new value, loses 1 method"), "{}", page.text());
    let value = maria.confirm(&page, &address).attribute("input.value", "value");
    assert!(passes(&site, &value));
    assert_eq!(site.verify(&value, "DELETE", "/api/v1/zones/a").status, 403);
    let scopes = site.texts("SELECT scopes AS text FROM tokens WHERE name = 'ci'");
    assert_eq!(scopes, ["pdns/zones:listZones"]);
}

#[test]
fn what_is_frozen_comes_back_with_the_account_but_service_accounts_one_by_one() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let [ci, old, nightly] = leaver(&site);
    let (address, form) = leave_form(&maria, "jan@example.com");
    let done = maria.confirm(&maria.post(&address, &form), &address);
    assert_eq!(done.status, 303, "{}", done.text());
    assert!(!passes(&site, &ci) && !passes(&site, &nightly));
    let page = maria.get(&page_of(&site, "jan@example.com"));
    let confirm = maria.post(&page_of(&site, "jan@example.com"), &form_for(&page, "enable").unwrap());
    assert!(confirm.text().contains("service accounts stay disabled"), "{}", confirm.text());
    assert_eq!(maria.confirm(&confirm, &page_of(&site, "jan@example.com")).status, 303);
    assert!(passes(&site, &ci) && passes(&site, &old) && !passes(&site, &nightly));
}

#[test]
fn a_choice_that_is_out_of_date_does_nothing() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    team(&site, "t-1", "Platform");
    let jan = site.person("jan@example.com", Role::Contributor);
    let ci = jan.generate("ci", &["zones:listZones"]);
    let (address, form) = leave_form(&maria, "jan@example.com");
    let field = field_of(&maria, &address, "ci");
    let page = maria.post(&address, &form.clone().with(&[(&field, "t-1")]));
    let late = jan.generate("late", &["zones:listZones"]);
    let refused = maria.confirm(&page, &address);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("changed meanwhile") && refused.text().contains("late"), "{}", refused.text());
    assert!(passes(&site, &ci) && passes(&site, &late));
    let gone = maria.post(&address, &form.with(&[(&field, "t-2")]));
    assert!(gone.status == 422 && gone.text().contains("This team is gone"), "{}", gone.text());
}

#[test]
fn somebody_with_nothing_living_is_disabled_after_a_plain_confirm() {
    let site = Site::start();
    let maria = site.owner();
    let jan = site.person("jan@example.com", Role::Viewer);
    let page = jan.get("/settings/profile");
    assert_eq!(press(&maria, "jan@example.com", "disable", &[]).header("location"), page_of(&site, "jan@example.com"));
    assert_eq!(jan.get("/settings/tokens").status, 303);
    let form = page.form("/settings/profile").with(&[("name", "Jan typed this")]);
    let answer = jan.post("/settings/profile", &form);
    assert_eq!(answer.status, 401, "an open form is not taken any more");
    assert!(answer.body.contains("Jan+typed+this"), "what was typed is not lost");
}

/// (method, path behind the account's, fields)
type Action = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// Every action of these pages.
const ACTIONS: &[Action] = &[
    ("GET", "", &[]),
    ("GET", "/leave", &[]),
    ("POST", "", &[("do", "role"), ("role", "viewer")]),
    ("POST", "", &[("do", "disable")]),
    ("POST", "", &[("do", "enable")]),
    ("POST", "", &[("do", "end_sessions")]),
    ("POST", "", &[("do", "reset")]),
    ("POST", "/link", &[]),
    ("POST", "/leave", &[]),
];

#[test]
fn every_action_by_every_role_on_oneself_on_lower_and_on_higher_people() {
    let site = Site::start();
    let owner = site.owner();
    let mut people = vec![("maria@example.com", Role::Owner, owner)];
    for (email, role) in [
        ("v@example.com", Role::Viewer),
        ("t@example.com", Role::TokenCreator),
        ("c@example.com", Role::Contributor),
        ("a@example.com", Role::Admin),
    ] {
        people.push((email, role, site.person(email, role)));
    }
    site.person("o2@example.com", Role::Owner);
    let of = |email: &str| site.app.db.read(|conn| account::by_email(conn, email)).unwrap().unwrap();
    for (email, role, person) in &people {
        let token = person.get("/settings/profile").form("/theme").0.into_iter().find(|(name, _)| name == "form_token");
        let token = token.unwrap().1;
        for (target, target_role) in
            people.iter().map(|(email, role, _)| (*email, *role)).chain([("o2@example.com", Role::Owner)])
        {
            let account = of(target);
            for (method, path, fields) in ACTIONS {
                let come = |id: &str| {
                    let form = Form(vec![("form_token".into(), token.clone())])
                        .with(fields)
                        .with(&[("seen", &account.version.to_string())]);
                    person.send(method, &format!("/admin/accounts/{id}{path}"), &form)
                };
                let (there, missing) = (come(account.id.as_str()), come(MISSING));
                let what = format!("{role} {email} {method} {path} {fields:?} on {target}");
                assert_eq!(missing.status, 404, "{what}");
                let may_look = *role >= Role::Admin;
                let may_change = may_look && (target_role < Role::Admin || *role == Role::Owner);
                if !may_look {
                    let plain = |answer: &Answer| {
                        let token = answer.attribute("[name=form_token]", "value");
                        let next = answer.attribute("[name=next]", "value");
                        answer.body.replace(&token, "").replace(&next, "")
                    };
                    assert_eq!((there.status, plain(&there)), (404, plain(&missing)), "{what}");
                } else if *method == "GET" && path.is_empty() {
                    assert_eq!(there.status, 200, "{what}");
                } else if !may_change {
                    assert_eq!(there.status, 403, "{what}");
                } else if *path == "/link" && email == &target {
                    assert_eq!(there.status, 403, "{what}: one's own password is changed elsewhere");
                } else {
                    assert!([200, 303].contains(&there.status), "{what}: {} {}", there.status, there.text());
                }
            }
        }
    }
}

#[test]
fn the_core_refuses_whatever_the_page_did() {
    let site = Site::start();
    site.owner();
    for (email, role) in
        [("c@example.com", Role::Contributor), ("a@example.com", Role::Admin), ("v@example.com", Role::Viewer)]
    {
        site.person(email, role);
    }
    let of = |email: &str| site.app.db.read(|conn| account::by_email(conn, email)).unwrap().unwrap();
    let wishes = [Wish::Role(Role::Viewer), Wish::Disable, Wish::Enable, Wish::EndSessions, Wish::ResetGuesses];
    for (by, target, allowed, missing) in [
        ("c@example.com", "v@example.com", false, true),
        ("c@example.com", "c@example.com", false, true),
        ("a@example.com", "maria@example.com", false, false),
        ("a@example.com", "a@example.com", false, false),
        ("a@example.com", "v@example.com", true, false),
    ] {
        let actor = actor_of(&site, by);
        for wish in wishes {
            let account = of(target);
            let order = Order { id: account.id.clone(), seen: account.version, wish };
            let done = site.app.write_now(|tx| account::obey(tx, &actor, &order));
            assert_eq!(done.is_ok(), allowed, "{by} {wish:?} {target}");
            assert_eq!(matches!(done, Err(Error::Missing)), missing, "{by} {wish:?} {target}");
        }
        let link = site.app.write_now(|tx| {
            let account = account::by_email(tx.conn, target)?.unwrap();
            invitation::make_link(tx, &actor, &account.id, account.version)
        });
        assert_eq!(link.is_ok(), allowed, "{by} link {target}");
    }
    let draft = PersonDraft { name: "N".into(), email: "n@example.com".into(), role: Role::Admin };
    let admin = actor_of(&site, "a@example.com");
    assert!(matches!(site.app.write_now(|tx| invitation::invite(tx, &admin, &draft)), Err(Error::Forbidden(_))));
}
