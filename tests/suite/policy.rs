//! The policy: read at every request, saved in the database, heard of by every process.

use chrono::TimeDelta;
use hallpass::policy::{Confirm, Policy, Saved};
use hallpass::tx::Change;

use crate::support::{PASSWORD, Site};

fn save(site: &Site, policy: Policy) {
    let saved = site.app.write_now(|tx| {
        let saved = Saved { version: tx.version()?, policy };
        saved.store(tx.conn)?;
        tx.changed(Change::Policy(saved));
        Ok(())
    });
    saved.unwrap();
}

#[test]
fn a_saved_policy_replaces_the_file_s_at_once_here_and_with_the_next_look_elsewhere() {
    let site = Site::with(Policy { max_grace: 3, ..Policy::default() });
    let other = site.beside();
    assert_eq!((site.app.policy().max_grace, other.app.policy().max_grace), (3, 3), "as in the file");
    save(&site, Policy { max_grace: 2, ..Policy::default() });
    assert_eq!((site.app.policy().max_grace, other.app.policy().max_grace), (2, 3));
    other.app.follow().unwrap();
    assert_eq!(other.app.policy().max_grace, 2);
    save(&other, Policy { max_grace: 1, ..Policy::default() });
    site.app.follow().unwrap();
    assert_eq!((site.app.policy().max_grace, site.beside().app.policy().max_grace), (1, 1));
}

fn with_window() -> Site {
    Site::with(Policy { confirm: Confirm::Within(15), ..Policy::default() })
}

#[test]
fn within_the_window_a_change_is_looked_at_and_done_without_the_password() {
    let site = with_window();
    let maria = site.owner_with_zones();
    site.pass(TimeDelta::minutes(14));
    let page = maria.post("/settings/tokens/new", &maria.token_form("ci", &["zones:listZones"]));
    assert!(page.text().contains("Check and confirm") && !page.body.contains("name=\"password\""), "{}", page.text());
    let action = "/settings/tokens/new/confirm";
    let made = maria.post(action, &page.form(action));
    assert_eq!(made.status, 200, "signing in gave the password 14 minutes ago: {}", made.text());
    assert!(made.attribute("#value", "value").starts_with("hp_"));
}

#[test]
fn after_the_window_the_password_is_asked_for_again_and_opens_the_next() {
    let site = with_window();
    let maria = site.owner_with_zones();
    let action = "/settings/tokens/new/confirm";
    let early = maria.post("/settings/tokens/new", &maria.token_form("early", &["zones:listZones"]));
    site.pass(TimeDelta::minutes(15));
    let late = maria.post(action, &early.form(action));
    assert_eq!(
        (late.status, late.error_of("password").as_str()),
        (422, "It is a while since you gave your password. Type it to go on.")
    );
    assert!(!site.rows("events").iter().any(|row| row.contains("confirm.refuse")), "that is no wrong password");
    assert_eq!(maria.post(action, &late.form(action).with(&[("password", "wrong")])).status, 422);
    assert!(site.rows("events").iter().any(|row| row.contains("confirm.refuse")), "this is one");
    assert_eq!(maria.post(action, &late.form(action).with(&[("password", PASSWORD)])).status, 200);

    site.pass(TimeDelta::minutes(14));
    let next = maria.ask_for("disable", &["early"]);
    assert!(!next.body.contains("name=\"password\""), "that one counts from when it was given");
    assert_eq!(maria.post("/settings/tokens/disable", &next.form("/settings/tokens/disable")).status, 303);
    site.pass(TimeDelta::minutes(2));
    assert!(maria.ask_for("enable", &["early"]).body.contains("name=\"password\""), "no change prolongs it");
}

#[test]
fn a_password_given_in_one_session_counts_in_no_other() {
    let site = with_window();
    let maria = site.owner_with_zones();
    let elsewhere = site.visitor();
    elsewhere.sign_in("maria@example.com", PASSWORD);
    site.pass(TimeDelta::minutes(16));
    maria.generate("ci", &["zones:listZones"]);
    assert!(!maria.ask_for("disable", &["ci"]).body.contains("name=\"password\""));
    assert!(elsewhere.ask_for("disable", &["ci"]).body.contains("name=\"password\""));
    let page = elsewhere.ask_for("disable", &["ci"]).form("/settings/tokens/disable").without("password");
    assert_eq!(elsewhere.post("/settings/tokens/disable", &page).status, 422);
}

#[test]
fn without_a_window_no_change_goes_without_its_password() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let page = maria.ask_for("disable", &["ci"]).form("/settings/tokens/disable").without("password");
    assert_eq!(maria.post("/settings/tokens/disable", &page).status, 422);
    assert!(site.rows("events").iter().any(|row| row.contains("confirm.refuse")));
}
