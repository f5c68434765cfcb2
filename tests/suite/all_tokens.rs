//! Everybody's tokens, for administrators: filters, search, paging, changes of many, the file, and what others see of it.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use diesel::prelude::*;
use hallpass::account;
use hallpass::actor::Actor;
use hallpass::jobs::catch_up;
use hallpass::policy::Policy;
use hallpass::token::{self, NewToken};
use hallpass::types::{AccountId, Lines, Role, Stamp};

use crate::support::{Answer, Form, PASSWORD, Person, Site, selector};

const LIST: (&str, &str) = ("GET", "/api/v1/zones");
const ADDRESS: &str = "/admin/tokens";

/// Tokens without an expiry have a tab of their own.
fn lenient() -> Policy {
    Policy { allow_never: true, ..Policy::default() }
}

fn site() -> Site {
    Site::with(lenient())
}

/// A token made past the pages; the answer is its value.
fn made(site: &Site, owner: &str, name: &str, change: impl FnOnce(&mut NewToken)) -> String {
    let mut new = NewToken {
        name: name.into(),
        description: String::new(),
        expires_at: Some(Stamp::from(site.now() + TimeDelta::days(90))),
        access_set: None,
        scopes: ["pdns/zones:listZones"].into_iter().collect(),
        allow: Lines::default(),
        ip_allow: Lines::default(),
        rate_per_minute: None,
        enabled: true,
    };
    change(&mut new);
    // Each a moment later than the one before, so that they have an order.
    site.pass_unheard(TimeDelta::milliseconds(1));
    let value = site.app.write_now(|tx| {
        let owner = account::by_email(tx.conn, owner)?.unwrap();
        Ok(token::generate(tx, &Actor::operator(), &owner, new, "hp")?.1)
    });
    value.unwrap().reveal().to_owned()
}

fn id_of(site: &Site, email: &str) -> AccountId {
    site.app.db.read(|conn| Ok(account::by_email(conn, email)?.unwrap().id)).unwrap()
}

fn names(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, 200, "{}", page.text());
    page.html().select(&selector("tbody .wrap:nth-child(2) .name")).map(|name| name.text().collect()).collect()
}

/// The counts of the tabs, in their order.
fn counts(page: &Answer) -> Vec<String> {
    page.html().select(&selector(".tabs b")).map(|count| count.text().collect()).collect()
}

fn find(person: &Person<'_>, text: &str) -> (String, Answer) {
    let form = person.get(ADDRESS).form("/admin/tokens/find").with(&[("q", text)]);
    let answer = person.post("/admin/tokens/find", &form);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let to = answer.header("location").to_owned();
    let page = person.get(&to);
    (to, page)
}

/// Presses a button for the rows of these names in a view.
fn press(person: &Person<'_>, query: &str, verb: &str, wanted: &[&str]) -> (String, Answer) {
    let page = person.get(&format!("{ADDRESS}{query}"));
    let action = format!("/admin/tokens/action{query}");
    let mut form: Form = page.form("/admin/tokens/action").with(&[("do", verb)]);
    for row in page.html().select(&selector("tbody tr")) {
        let name: String = row.select(&selector(".name")).next().unwrap().text().collect();
        if wanted.contains(&name.as_str()) {
            let id = row.select(&selector("input[name=id]")).next().unwrap().attr("value").unwrap().to_owned();
            form = form.and("id", &id);
        }
    }
    (action.clone(), person.post(&action, &form))
}

fn confirmed(person: &Person<'_>, page: &Answer, verb: &str) -> Answer {
    person.confirm(page, &format!("/admin/tokens/{verb}"))
}

/// Maria the owner, Ada an admin, Jan and Vera: with tokens of each kind.
fn several(site: &Site) -> (Person<'_>, Person<'_>) {
    let maria = site.owner_with_zones();
    let ada = site.person("ada@example.com", Role::Admin);
    site.person("jan@example.com", Role::Contributor);
    site.person("vera@example.com", Role::Viewer);
    let at = |days| Some(Stamp::from(site.now() + TimeDelta::days(days)));
    made(site, "jan@example.com", "ci-deploy", |_| ());
    made(site, "jan@example.com", "ci-soon", |new| new.expires_at = at(5));
    made(site, "jan@example.com", "endless", |new| new.expires_at = None);
    made(site, "maria@example.com", "everything", |new| new.scopes = ["*"].into_iter().collect());
    made(site, "maria@example.com", "narrow", |new| {
        new.scopes = ["pdns/*"].into_iter().collect();
        new.ip_allow = ["10.0.0.0/8"].into_iter().collect();
    });
    made(site, "ada@example.com", "off", |new| new.enabled = false);
    (maria, ada)
}

#[test]
fn an_administrator_sees_everybody_s_tokens_by_tab_and_by_owner_and_others_see_no_such_page() {
    let site = site();
    let (maria, ada) = several(&site);
    for person in [&maria, &ada] {
        let page = person.get(ADDRESS);
        assert_eq!(names(&page), ["off", "narrow", "everything", "endless", "ci-soon", "ci-deploy"]);
        assert_eq!(counts(&page), ["6", "1", "1", "0", "1", "1", "0"]);
    }
    for (tab, found) in [("expiring", "ci-soon"), ("never", "endless"), ("broad", "everything"), ("disabled", "off")] {
        assert_eq!(names(&ada.get(&format!("{ADDRESS}?status={tab}"))), [found], "{tab}");
    }
    let jan = id_of(&site, "jan@example.com");
    let page = ada.get(&format!("{ADDRESS}?owner={jan}&sort=name"));
    assert_eq!(names(&page), ["ci-deploy", "ci-soon", "endless"]);
    assert!(
        page.body.contains("Tokens of <b>jan</b>, jan@example.com. <a href=\"/admin/tokens?sort=name\">Show everybody")
    );
    assert_eq!(counts(&page), ["3", "1", "1", "0", "0", "0", "0"]);
    assert_eq!(ada.get(&format!("{ADDRESS}?owner=nobody")).status, 404);

    let jan = site.visitor();
    jan.sign_in("jan@example.com", PASSWORD);
    for path in [ADDRESS, "/admin/tokens.csv"] {
        assert_ne!(jan.get(path).status, 200, "{path}");
    }
    assert!(!jan.get("/settings/tokens").body.contains("/admin/tokens"));
}

#[test]
fn what_is_unused_for_ninety_days_and_what_has_expired_have_tabs_of_their_own() {
    let site = site();
    let (_, ada) = several(&site);
    let late = made(&site, "jan@example.com", "late", |new| {
        new.expires_at = Some(Stamp::from(site.now() + TimeDelta::days(300)));
    });
    site.pass(TimeDelta::days(89));
    assert_eq!(site.verify(&late, LIST.0, LIST.1).status, 200);
    hallpass::jobs::flush_usage(&site.app).unwrap();
    catch_up(&site.app).unwrap();
    site.pass(TimeDelta::days(2));
    assert_eq!(ada.sign_in("ada@example.com", PASSWORD).status, 303);
    let page = ada.get(&format!("{ADDRESS}?status=unused"));
    let unused: BTreeSet<String> = names(&page).into_iter().collect();
    let all: BTreeSet<String> =
        ["ci-deploy", "ci-soon", "endless", "everything", "narrow", "off"].map(String::from).into();
    assert_eq!(unused, all, "but not the one that was used two days ago");
    assert_eq!(counts(&page), ["7", "0", "1", "6", "1", "1", "5"]);
    assert_eq!(names(&ada.get(&format!("{ADDRESS}?status=unused&sort=name")))[0], "ci-deploy");
    assert_eq!(names(&ada.get(&format!("{ADDRESS}?sort=-used")))[0], "late");
}

#[test]
fn a_search_is_by_the_beginning_of_a_name_an_owner_or_a_value() {
    let site = site();
    let (_, ada) = several(&site);
    let value = made(&site, "jan@example.com", "Été 100%_done", |_| ());
    let found = |text: &str| -> BTreeSet<String> { names(&find(&ada, text).1).into_iter().collect() };
    let set = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
    assert_eq!(found("ci-"), set(&["ci-deploy", "ci-soon"]));
    assert_eq!(found("CI-d"), set(&["ci-deploy"]));
    assert_eq!(found("maria@"), set(&["everything", "narrow"]));
    assert_eq!(found("ada"), set(&["off"]));
    assert_eq!(found(&value[..8]), set(&["Été 100%_done"]));
    assert_eq!(found("été"), set(&["Été 100%_done"]));
    assert_eq!(found("été 100%_"), set(&["Été 100%_done"]));
    for nothing in ["%", "_", "deploy", "\\", "'", "\u{10ffff}", "%00", "c_-"] {
        assert_eq!(found(nothing), set(&[]), "{nothing}");
    }
    for odd in ["%00", "%00ci", "ci%00", "%ff", "%F4%8F%BF%BF", "%C3%28", "%0d%0a"] {
        let status = ada.get(&format!("{ADDRESS}?q={odd}")).status;
        assert!(matches!(status, 200 | 400 | 422), "{odd} {status}");
    }
    for odd in ["status=%00", "sort=%00", "after=%00", "owner=%00x", "after=x&sort=-expires", "sort=nonsense"] {
        let status = ada.get(&format!("{ADDRESS}?{odd}")).status;
        assert!(matches!(status, 200 | 400 | 404 | 422), "{odd} {status}");
    }
    let (to, page) = find(&ada, &format!("Bearer {value}"));
    assert_eq!(to, format!("{ADDRESS}?q={}", &value[..8]));
    assert!(page.text().contains("The pasted value is that of Été 100%_done of jan@example.com."), "{}", page.text());
    assert!(!page.body.contains(&value[..9]));
    let unknown = hallpass::secret::Secret::generate("hp", &hallpass::secret::Random::of_the_machine()).unwrap();
    assert!(find(&ada, unknown.reveal()).1.text().contains("No token has or had the value that you pasted."));
}

/// 500 tokens of 20 owners with the same names, ends and uses again and again.
fn many(site: &Site) {
    for n in 0..20 {
        let email = format!("p{n}@example.com");
        site.app
            .write_now(|tx| {
                let draft =
                    account::PersonDraft { name: format!("p{n}"), email: email.clone(), role: Role::Contributor };
                account::add_person(tx, &Actor::operator(), draft.with("none".into(), None))
            })
            .unwrap();
        for i in 0..25 {
            made(site, &email, &format!("job-{i}"), |new| {
                new.expires_at = match i % 5 {
                    0 => None,
                    1 => Some(Stamp::from(site.now() + TimeDelta::days(3))),
                    days => Some(Stamp::from(site.now() + TimeDelta::days(days * 20))),
                };
                new.enabled = i % 4 != 0;
            });
        }
    }
    site.app
        .db
        .write(|conn| {
            let some = "UPDATE tokens SET used_at = created_at WHERE name_key LIKE '%1' OR name_key LIKE '%3'";
            Ok(diesel::sql_query(some).execute(conn)?)
        })
        .unwrap();
}

fn ids(page: &Answer) -> Vec<String> {
    let boxes = page.html();
    boxes.select(&selector("input[name=id]")).map(|id| id.attr("value").unwrap().to_owned()).collect()
}

#[test]
fn every_order_of_every_tab_is_paged_without_loss_and_without_doubles_there_and_back() {
    let site = site();
    let maria = site.owner_with_zones();
    many(&site);
    let link = |page: &Answer, id: &str| -> Option<String> {
        let html = page.html();
        html.select(&selector(&format!("#{id}"))).next().map(|link| link.attr("href").unwrap().to_owned())
    };
    for (status, expected) in [("", 500), ("expiring", 100), ("never", 100), ("disabled", 140)] {
        for sort in ["name", "-name", "expires", "-expires", "used", "-used", "created", "-created"] {
            let mut there: Vec<Vec<String>> = Vec::new();
            let mut page = maria.get(&format!("{ADDRESS}?status={status}&sort={sort}"));
            let first = ids(&page);
            there.push(first.clone());
            while let Some(older) = link(&page, "older") {
                page = maria.get(&older);
                there.push(ids(&page));
            }
            let all: Vec<&String> = there.iter().flatten().collect();
            let distinct: BTreeSet<&String> = all.iter().copied().collect();
            assert_eq!((all.len(), distinct.len()), (expected, expected), "{status} {sort}");
            let mut back = vec![ids(&page)];
            while let Some(newer) = link(&page, "newer") {
                page = maria.get(&newer);
                back.insert(0, ids(&page));
            }
            assert_eq!(back, there, "{status} {sort}");
        }
    }
}

#[test]
fn many_tokens_of_many_owners_are_disabled_enabled_and_removed_at_once_with_the_admin_in_the_log() {
    let site = site();
    let (_, ada) = several(&site);
    let value = made(&site, "jan@example.com", "nightly", |_| ());
    let (_, page) = press(&ada, "", "disable", &["nightly", "ci-deploy", "narrow", "off"]);
    let text = page.text();
    assert!(text.contains("Disable 4 tokens?") && text.contains("1 of them is disabled already"), "{text}");
    assert!(text.contains("They belong to 3 accounts: jan@example.com (2 tokens)"), "{text}");
    assert_eq!(confirmed(&ada, &page, "disable").status, 303);
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 401);
    let events = site.texts("SELECT actor_name || ' ' || subject_name AS text FROM events WHERE action = 'token.disable' ORDER BY subject_name");
    assert_eq!(events, ["ada ci-deploy", "ada narrow", "ada nightly"]);
    let (_, page) = press(&ada, "", "enable", &["nightly"]);
    assert_eq!(confirmed(&ada, &page, "enable").status, 303);
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 200);
    hallpass::jobs::flush_usage(&site.app).unwrap();
    let (_, page) = press(&ada, "", "remove", &["nightly", "off"]);
    assert!(page.text().contains("Something still depends on it."), "{}", page.text());
    assert_eq!(confirmed(&ada, &page, "remove").status, 303);
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 401);
    assert_eq!(names(&ada.get(ADDRESS)).len(), 5);
    // Twice is not done twice, and a wrong password does nothing.
    assert_eq!(confirmed(&ada, &page, "remove").status, 303);
    let (_, page) = press(&ada, "", "remove", &["narrow"]);
    let form = page.form("/admin/tokens/remove").with(&[("password", "wrong")]);
    assert_eq!(ada.post("/admin/tokens/remove", &form).status, 422);
    assert_eq!(names(&ada.get(ADDRESS)).len(), 5);
}

#[test]
fn all_that_match_are_changed_and_nothing_else() {
    let site = site();
    let maria = site.owner_with_zones();
    many(&site);
    let page = maria.get(&format!("{ADDRESS}?status=never"));
    let form = page.form("/admin/tokens/action").with(&[("do", "remove"), ("all", "match")]);
    let page = maria.post("/admin/tokens/action?status=never", &form);
    assert!(page.text().contains("Remove 100 tokens?"), "{}", page.text());
    assert_eq!(confirmed(&maria, &page, "remove").status, 303);
    assert_eq!(counts(&maria.get(ADDRESS))[..3], ["400", "100", "0"]);
}

#[test]
fn a_new_expiry_is_within_the_policy_of_each_owner_s_role_and_the_rest_stays_as_it_is() {
    let mut policy = lenient();
    policy.max_lifetime_by_role.insert(Role::Contributor, 95);
    let site = Site::with(policy);
    let (maria, _) = several(&site);
    let day = (site.now() + TimeDelta::days(120)).date_naive().to_string();
    let (action, page) = press(&maria, "", "expiry", &["ci-deploy", "endless", "narrow", "ci-soon"]);
    assert!(page.text().contains("Set the expiry of 4 tokens"), "{}", page.text());
    let past = maria.post(&action, &page.form(&action).with(&[("expires_at", "2026-01-01")]));
    assert!(past.status == 422 && past.text().contains("That day is in the past."), "{}", past.text());
    let asked = maria.post(&action, &page.form(&action).with(&[("expires_at", &day)]));
    let text = asked.text();
    // Without an end any day is nearer; Jan's others may live 95 days, Maria's a year.
    assert!(text.contains("Set the expiry of 2 tokens?"), "{text}");
    assert!(text.contains("2 tokens will not change. The policy allows up to 95 days"), "{text}");
    assert_eq!(confirmed(&maria, &asked, "expiry").status, 303);
    let ends = site.texts("SELECT name || ' ' || CAST(expires_at AS TEXT) AS text FROM tokens ORDER BY name");
    let moved: Vec<&String> = ends.iter().filter(|end| end.contains(&day)).collect();
    assert_eq!(moved.len(), 2, "{ends:?}");
    assert!(moved[0].starts_with("endless") && moved[1].starts_with("narrow"));
    assert_eq!(site.texts("SELECT subject_name AS text FROM events WHERE action = 'token.edit'").len(), 2);
}

#[test]
fn an_admin_brings_the_end_of_an_owner_s_token_nearer_but_not_further_away() {
    let site = site();
    let (_, ada) = several(&site);
    for (days, moved) in [(120, false), (30, true)] {
        let day = (site.now() + TimeDelta::days(days)).date_naive().to_string();
        let (action, page) = press(&ada, "", "expiry", &["everything"]);
        let asked = ada.post(&action, &page.form(&action).with(&[("expires_at", &day)]));
        assert_eq!(asked.text().contains("role is above yours"), !moved, "{}", asked.text());
        confirmed(&ada, &asked, "expiry");
        let ends = site.texts("SELECT CAST(expires_at AS TEXT) AS text FROM tokens WHERE name = 'everything'");
        assert_eq!(ends[0].contains(&day), moved, "{ends:?}");
    }
}

#[test]
fn the_file_has_what_the_list_has_and_no_cell_that_a_spreadsheet_would_run() {
    let site = site();
    let maria = site.owner_with_zones();
    many(&site);
    let value = made(&site, "p1@example.com", "=1+1", |_| ());
    let answer = maria.get("/admin/tokens.csv?sort=name");
    assert!(answer.status == 200 && answer.header("content-type").starts_with("text/csv"));
    let text = &answer.body;
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(rows.len(), 502);
    assert!(
        rows[0].starts_with("\"id\",\"name\",\"starts_with\",\"owner\"") && rows[1].contains("\"'=1+1\""),
        "{}",
        rows[1]
    );
    assert!(!text.contains(&value[..9]));
    assert_eq!(maria.get("/admin/tokens.csv?status=never").body.lines().count(), 101);
    assert_eq!(maria.get("/admin/tokens.csv?q=job-1").body.lines().count(), 1 + 20 * 11);
    assert_eq!(maria.get("/admin/tokens.csv?owner=nobody").body.lines().count(), 1);
}

#[test]
fn only_an_owner_is_offered_a_token_for_another_person_and_an_admin_cannot_post_one() {
    let site = site();
    let (maria, ada) = several(&site);
    let jan = id_of(&site, "jan@example.com");
    let generate = format!("/settings/tokens/new?owner={jan}");
    let query = format!("{ADDRESS}?owner={jan}");
    assert!(maria.get(&query).body.contains(&generate));
    assert!(!ada.get(&query).body.contains("/settings/tokens/new"));
    let form = ada.get("/settings/tokens/new").form("/settings/tokens/new");
    let form =
        form.with(&[("name", "for-jan"), ("set", "custom"), ("owner", jan.as_str())]).and("m", "zones:listZones");
    let asked = ada.post("/settings/tokens/new", &form);
    if asked.status == 200 && asked.body.contains("name=\"password\"") {
        ada.confirm(&asked, "/settings/tokens/new/confirm");
    }
    let of_jan = format!("SELECT name AS text FROM tokens WHERE owner_id = '{jan}' AND name = 'for-jan'");
    assert!(site.texts(&of_jan).is_empty());
}

#[test]
fn the_page_of_another_s_token_leads_back_to_everybody_s() {
    let site = site();
    let (_, ada) = several(&site);
    let page = ada.get(ADDRESS);
    let html = page.html();
    let href = html.select(&selector("tbody tr:last-child .name")).next().unwrap().attr("href").unwrap().to_owned();
    let page = ada.get(&href);
    let html = page.html();
    let current = html.select(&selector(".nav [aria-current=page]")).next().unwrap();
    assert_eq!(current.attr("href").unwrap(), ADDRESS);
    assert!(page.body.contains(&format!("href=\"{ADDRESS}?owner=")), "Cancel leads back");
}

#[test]
fn use_is_caught_up_with_a_little_late_and_changes_no_version() {
    let site = site();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let state = || {
        site.texts("SELECT CAST(version AS TEXT) || ' ' || coalesce(CAST(used_at AS TEXT), '-') AS text FROM tokens")
    };
    let use_it = || {
        assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 200);
        hallpass::jobs::flush_usage(&site.app).unwrap();
        catch_up(&site.app).unwrap();
    };
    let version = state()[0].split(' ').next().unwrap().to_owned();
    assert!(state()[0].ends_with(" -"));
    use_it();
    let first = state();
    assert!(first[0].starts_with(&format!("{version} 2026-11-23")), "{first:?}");
    site.pass(TimeDelta::minutes(2));
    use_it();
    assert_eq!(state(), first, "not at every turn");
    site.pass(TimeDelta::minutes(9));
    use_it();
    assert_ne!(state(), first);
}
