//! The policy: read at every request, saved in the database, heard of by every process.

use chrono::TimeDelta;
use hallpass::policy::{Confirm, Policy, Saved};
use hallpass::policy_change::{self, Existing, Proposal, cutting};
use hallpass::tx::Change;

use hallpass::types::Role;

use crate::support::{Answer, PASSWORD, Person, Site};

const PAGE: &str = "/admin/policy";
const CONFIRM: &str = "/admin/policy/confirm";

/// Fills the form and asks what it would touch.
fn ask(person: &Person<'_>, fields: &[(&str, &str)]) -> Answer {
    person.post(PAGE, &person.get(PAGE).form(PAGE).with(fields))
}

/// Changes settings on the page; what lives too long is kept.
fn change(person: &Person<'_>, fields: &[(&str, &str)]) {
    let saved = person.confirm(&ask(person, fields), CONFIRM);
    assert_eq!((saved.status, saved.header("location")), (303, PAGE), "{}", saved.text());
}

/// The sentences of what is touched.
fn touched(page: &Answer) -> Vec<String> {
    let html = page.html();
    let lines = scraper::Selector::parse("#touched li").unwrap();
    html.select(&lines).map(|line| line.text().collect()).collect()
}

/// The end of a token as the database has it.
fn end_of(site: &Site, name: &str) -> String {
    let at =
        if site.app.db.is_shared() { "to_char(expires_at, 'YYYY-MM-DD HH24:MI')" } else { "substr(expires_at, 1, 16)" };
    site.texts(&format!("SELECT coalesce({at}, 'never') AS text FROM tokens WHERE name = '{name}'")).remove(0)
}

fn put(site: &Site, policy: Policy) {
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
    put(&site, Policy { max_grace: 2, ..Policy::default() });
    assert_eq!((site.app.policy().max_grace, other.app.policy().max_grace), (2, 3));
    other.app.follow().unwrap();
    assert_eq!(other.app.policy().max_grace, 2);
    put(&other, Policy { max_grace: 1, ..Policy::default() });
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
    site.pass(TimeDelta::minutes(8));
    let early = maria.post("/settings/tokens/new", &maria.token_form("early", &["zones:listZones"]));
    site.pass(TimeDelta::minutes(8));
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

#[test]
fn the_policy_is_there_for_administrators_alone_and_is_saved_with_their_password() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    assert_eq!(jan.get(PAGE).status, 404);
    let eva = site.person("eva@example.com", Role::Admin);
    assert!(eva.get(PAGE).text().contains("Nobody has saved a policy yet: these are the settings of the file."));
    let review = ask(&eva, &[("max_lifetime", "180"), ("confirm", "window"), ("confirm_minutes", "20")]);
    let text = review.text();
    assert!(text.contains("Longest lifetime 180 days, was 365 days"), "{text}");
    assert!(text.contains("Ask for the password once in 20 minutes, was at every change"), "{text}");
    assert!(text.contains("Nothing that there is now."), "{text}");
    assert_eq!(site.app.policy().max_lifetime, 365, "nothing is changed until it is confirmed");
    let wrong = eva.post(CONFIRM, &review.form(CONFIRM).with(&[("password", "wrong")]));
    assert_eq!((wrong.status, site.app.policy().max_lifetime), (422, 365));
    assert_eq!(eva.confirm(&review, CONFIRM).status, 303);
    assert_eq!((site.app.policy().max_lifetime, site.app.policy().confirm), (180, Confirm::Within(20)));
    assert!(maria.get(PAGE).text().contains("Saved by eva just now."));
    let detail = site.texts("SELECT detail AS text FROM events WHERE action = 'policy.edit'").remove(0);
    let detail: serde_json::Value = serde_json::from_str(&detail).unwrap();
    assert_eq!(detail["before"], serde_json::json!({ "max_lifetime": 365, "confirm": "always" }));
    assert_eq!(detail["after"], serde_json::json!({ "max_lifetime": 180, "confirm": 20 }));

    let again = ask(&eva, &[("max_lifetime", "90")]);
    assert!(again.body.contains("name=\"password\""), "the window does not hold for the policy");
    let used = eva.post(CONFIRM, &review.form(CONFIRM).with(&[("password", PASSWORD)]));
    assert_eq!((used.status, site.app.policy().max_lifetime), (303, 180), "the used confirmation does nothing again");
}

#[test]
fn what_cannot_be_is_told_at_its_field_and_nothing_is_saved() {
    let site = Site::start();
    let maria = site.owner();
    let number = "Type a whole number of days, such as 365.";
    for (field, typed, sentence) in [
        ("default_lifetime", "366", "366 days is more than the longest lifetime, 365 days. Lower it."),
        ("max_lifetime", "0", "This is a whole number of days from 1 to 36,500."),
        ("max_lifetime", "1000000000000", "This is a whole number of days from 1 to 36,500."),
        ("max_lifetime", "-1", number),
        ("max_lifetime", "a year", number),
        ("max_lifetime", "", number),
        ("max_lifetime_admin", "400", "This is a whole number of days from 1 to the longest lifetime, 365 days."),
        ("tokens_per_account", "0", "This is a whole number from 1 to 1,000,000."),
        ("session_idle", "1m", "This is a time from 5 minutes to 366 days."),
        (
            "session_idle",
            "48h",
            "A session cannot end by itself later than it ends in any case. Lower this, or raise the longest session.",
        ),
        ("session_lifetime", "soon", "Type a time such as 30m, 1h or 24h."),
        ("password_min", "7", "This is a whole number of characters from 8 to 128."),
        ("expiring_notice", "14 days", "Type whole numbers of days with commas between them, such as 14, 7, 1."),
        ("extend_expiry", "viewer", "Choose one of the answers that the form has."),
        ("confirm", "never", "Choose one of the answers that the form has."),
        ("allow_never", "maybe", "Choose one of the answers that the form has."),
    ] {
        let form = maria.get(PAGE).form(PAGE).with(&[("max_grace", "3"), (field, typed)]);
        let answer = maria.post(PAGE, &form);
        assert_eq!((answer.status, answer.error_of(field).as_str()), (422, sentence), "{field}={typed}");
        let kept = answer.form(PAGE).0;
        assert!(kept.contains(&("max_grace".into(), "3".into())), "what else was typed stays");
        if !typed.contains("maybe") && field != "extend_expiry" && field != "confirm" {
            assert!(kept.contains(&(field.into(), typed.into())), "{field}={typed}");
        }
    }
    let window = maria.get(PAGE).form(PAGE).with(&[("confirm", "window"), ("confirm_minutes", "0")]);
    assert_eq!(
        maria.post(PAGE, &window).error_of("confirm_minutes"),
        "This is a whole number of minutes from 1 to 1,440."
    );
    let fields: Vec<String> = maria.get(PAGE).form(PAGE).0.into_iter().map(|(name, _)| name).collect();
    for field in fields.iter().filter(|name| !["form_token", "seen", "confirm_minutes"].contains(&name.as_str())) {
        let answer = maria.post(PAGE, &maria.get(PAGE).form(PAGE).without(field));
        let sentence = "This field did not come with the form. Open the page again.";
        assert_eq!((answer.status, answer.error_of(field).as_str()), (422, sentence), "{field}");
    }
    let unknown = maria.post(PAGE, &maria.get(PAGE).form(PAGE).and("max_lifetime_root", "10"));
    let sentence = "There is no role “root” that could have a limit of its own.";
    assert_eq!((unknown.status, unknown.error_of("max_lifetime").as_str()), (422, sentence));
    let same = maria.post(PAGE, &maria.get(PAGE).form(PAGE));
    assert!(same.text().contains("Nothing is different from before, so there is nothing to save."));
    assert_eq!(*site.app.policy(), Policy::default());
    assert!(site.rows("settings").iter().all(|row| !row.contains("max_lifetime")), "nothing was saved");
}

#[test]
fn of_two_who_change_it_at_once_the_second_is_told_what_the_first_changed_and_keeps_what_they_typed() {
    let site = Site::start();
    let maria = site.owner();
    let eva = site.person("eva@example.com", Role::Admin);
    let opened = maria.get(PAGE).form(PAGE).with(&[("max_grace", "3")]);
    let reviewed = maria.post(PAGE, &opened);
    change(&eva, &[("max_lifetime", "180"), ("max_grace", "5")]);

    for late in [maria.post(PAGE, &opened), maria.confirm(&reviewed, CONFIRM)] {
        let text = late.text();
        assert_eq!(late.status, 409, "{text}");
        assert!(text.contains("The policy was changed meanwhile by eva (just now)."), "{text}");
        assert!(
            text.contains("Longest lifetime: 180 days, was 365 days; Grace of an old value: 5 days, was 7 days."),
            "{text}"
        );
        assert_eq!((site.app.policy().max_lifetime, site.app.policy().max_grace), (180, 5), "hers alone is saved");
        let form = late.form(PAGE).0;
        let has = |name: &str, text: &str| form.contains(&(name.into(), text.into()));
        assert!(has("max_grace", "3") && has("max_lifetime", "180"), "mine over hers: {form:?}");
    }
    let again = maria.post(PAGE, &opened);
    let saved = maria.confirm(&maria.post(PAGE, &again.form(PAGE)), CONFIRM);
    assert_eq!(saved.status, 303);
    assert_eq!((site.app.policy().max_lifetime, site.app.policy().max_grace), (180, 3));
}

#[test]
fn before_saving_it_is_counted_what_it_would_touch() {
    let site = Site::with(Policy { allow_never: true, ..Policy::default() });
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    for (name, days) in [("week", "7"), ("quarter", "90"), ("year", "365"), ("ever", "never"), ("gone", "365")] {
        maria.generate_from(&maria.token_form(name, &["zones:listZones"]).with(&[("lifetime", days)]));
    }
    maria.remove("gone");
    for name in ["one", "two"] {
        jan.generate_from(&jan.token_form(name, &["zones:listZones"]).with(&[("lifetime", "90")]));
    }
    maria.regenerate("week", "72h");

    let page = ask(&maria, &[("max_lifetime", "90"), ("allow_never", "off"), ("tokens_per_account", "3")]);
    assert_eq!(
        touched(&page),
        [
            "1 token lives longer than 90 days.",
            "1 token never expires.",
            "1 account has more than 3 tokens. They keep them and cannot generate more."
        ],
        "a token of 90 days ends with its last day, and that is no longer than 90 days"
    );
    assert!(!page.body.contains("end_now"), "nothing would end at once");

    let page = ask(
        &maria,
        &[("max_lifetime", "90"), ("default_lifetime", "30"), ("max_lifetime_contributor", "30"), ("max_grace", "1")],
    );
    assert_eq!(
        touched(&page),
        [
            "2 tokens live longer than 30 days.",
            "1 token lives longer than 90 days.",
            "1 old value works longer than 1 day beside the new one."
        ]
    );
    site.pass(TimeDelta::days(80));
    let maria = site.visitor();
    maria.sign_in("maria@example.com", PASSWORD);
    let page = ask(&maria, &[("max_lifetime", "60"), ("default_lifetime", "30"), ("allow_never", "off")]);
    assert_eq!(touched(&page), ["4 tokens live longer than 60 days.", "1 token never expires."]);
    assert!(page.text().contains("5 tokens: the new limit lies in the past, and whatever uses them fails at once."));
}

#[test]
fn tokens_are_kept_or_cut_to_the_new_limit_and_the_index_hears_of_it() {
    let site = Site::with(Policy { allow_never: true, ..Policy::default() });
    let maria = site.owner_with_zones();
    let generate = |name: &str, days: &str| {
        maria.generate_from(&maria.token_form(name, &["zones:listZones"]).with(&[("lifetime", days)]))
    };
    let (old, ever) = (generate("old", "365"), generate("ever", "never"));
    site.pass(TimeDelta::days(40));
    maria.sign_in("maria@example.com", PASSWORD);
    let young = maria.generate_from(&maria.token_form("young", &["zones:listZones"]).with(&[("lifetime", "365")]));
    let lives = |value: &str| site.verify(value, "GET", "/api/v1/zones").status == 200;
    let lower = [("max_lifetime", "30"), ("default_lifetime", "30"), ("allow_never", "off")];

    change(&maria, &lower);
    assert_eq!((end_of(&site, "ever").as_str(), lives(&old) && lives(&ever) && lives(&young)), ("never", true), "kept");

    // Nothing of the policy changes any more: what lives too long can still be cut.
    let page = ask(&maria, &lower);
    assert!(page.text().contains("No setting."), "{}", page.text());
    let cut = maria.post(CONFIRM, &page.form(CONFIRM).with(&[("password", PASSWORD), ("existing", "cut")]));
    assert_eq!(cut.status, 303, "{}", cut.text());
    assert!(maria.get(PAGE).text().contains("Saved the policy. Cut 1 token."), "{}", maria.get(PAGE).text());
    assert_eq!(end_of(&site, "young"), "2027-02-01 09:40", "30 days after its value was generated");
    assert_eq!((end_of(&site, "ever").as_str(), lives(&old), lives(&ever)), ("never", true, true), "not ended unasked");

    let other = site.beside();
    let page = ask(&maria, &lower);
    assert_eq!(touched(&page), ["1 token lives longer than 30 days.", "1 token never expires."]);
    let form = page.form(CONFIRM).with(&[("password", PASSWORD), ("existing", "cut"), ("end_now", "on")]);
    assert_eq!(maria.post(CONFIRM, &form).status, 303);
    assert!(maria.get(PAGE).text().contains("Cut 2 tokens, of which 2 ended at once."));
    assert_eq!((lives(&old), lives(&ever), lives(&young)), (false, false, true));
    other.app.follow().unwrap();
    assert_eq!(other.verify(&old, "GET", "/api/v1/zones").status, 401, "in the other process too");
    let events = site.rows("events");
    assert_eq!(events.iter().filter(|row| row.contains("token.edit") && row.contains("policy")).count(), 3);
    site.pass(TimeDelta::days(30));
    assert!(!lives(&young));
}

#[test]
fn a_cut_reaches_the_grace_of_an_old_value_and_both_ends_of_one_token() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let old = maria.generate_from(&maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "365")]));
    let new = maria.regenerate("ci", "72h");
    let page = ask(&maria, &[("max_grace", "1"), ("max_lifetime", "90")]);
    let form = page.form(CONFIRM).with(&[("password", PASSWORD), ("existing", "cut")]);
    assert_eq!(maria.post(CONFIRM, &form).status, 303);
    let lives = |value: &str| site.verify(value, "GET", "/api/v1/zones").status == 200;
    assert!(lives(&old) && lives(&new));
    site.pass(TimeDelta::days(1));
    assert_eq!((lives(&old), lives(&new)), (false, true));
    site.pass(TimeDelta::days(89));
    assert!(!lives(&new));
}

#[test]
fn a_cut_is_many_small_changes_and_goes_on_in_another_process_where_the_first_was_broken_off() {
    const MANY: usize = 450;
    let site = Site::with(Policy { tokens_per_account: 1_000, ..Policy::default() });
    let maria = site.owner_with_zones();
    let operator = hallpass::actor::Actor::operator();
    site.app
        .write_now(|tx| {
            let owner = hallpass::account::by_email(tx.conn, "maria@example.com")?.unwrap();
            for nth in 0..MANY {
                let new = hallpass::token::NewToken {
                    name: format!("t{nth}"),
                    description: String::new(),
                    expires_at: Some(tx.now.plus(TimeDelta::days(100))),
                    access_set: None,
                    scopes: ["pdns/zones:listZones"].iter().collect(),
                    allow: Default::default(),
                    ip_allow: Default::default(),
                    rate_per_minute: None,
                    enabled: true,
                };
                hallpass::token::generate(tx, &operator, &owner, new, "hp")?;
            }
            Ok(())
        })
        .unwrap();
    let seen = site.app.db.read(|conn| policy_change::current(conn, &site.app.policy())).unwrap();
    let policy = Policy { max_lifetime: 10, default_lifetime: 10, ..seen.policy.clone() };
    let existing = Existing::Cut { end_now: false };
    let proposal = Proposal { seen: seen.version, policy };
    site.app.write_now(|tx| policy_change::save(tx, &operator, &proposal, existing)).unwrap();
    assert!(maria.get(PAGE).text().contains("Tokens are being cut to this policy: 0 tokens so far."));

    let other = site.beside();
    let resume = || actix_web::rt::System::new().block_on(cutting::resume(&other.app)).unwrap();
    let changes = || site.texts("SELECT CAST(version AS TEXT) AS text FROM tokens GROUP BY version").len();
    let before = changes();
    resume();
    assert_eq!(changes(), before, "somebody may still be at it");
    site.pass(TimeDelta::minutes(1));
    resume();
    assert_eq!(changes(), 3, "200 in each change");
    let cut =
        "SELECT CAST(count(*) AS TEXT) AS text FROM events WHERE action = 'token.edit' AND actor_name = 'operator'";
    assert_eq!(site.texts(cut), [MANY.to_string()], "each is told once, and by whom");
    assert!(!maria.get(PAGE).text().contains("being cut"));
    assert_eq!(end_of(&site, "t449"), "2026-12-03 09:40");
    site.app.follow().unwrap();
    assert!(touched(&ask(&maria, &[("max_lifetime", "11")])).is_empty(), "the first process has heard of all");

    // Another policy that keeps what there is ends a cut that is not done.
    let seen = site.app.db.read(|conn| policy_change::current(conn, &site.app.policy())).unwrap();
    let lower = |days: u32, seen| Proposal {
        seen,
        policy: Policy { max_lifetime: days, default_lifetime: 1, ..Policy::default() },
    };
    site.app.write_now(|tx| policy_change::save(tx, &operator, &lower(5, seen.version), existing)).unwrap();
    let seen = site.app.db.read(|conn| policy_change::current(conn, &site.app.policy())).unwrap();
    site.app.write_now(|tx| policy_change::save(tx, &operator, &lower(4, seen.version), Existing::Keep)).unwrap();
    site.pass(TimeDelta::minutes(2));
    resume();
    assert_eq!(end_of(&site, "t449"), "2026-12-03 09:40");
}

/// Maria at one of the processes, in a new session.
fn maria_at(site: &Site) -> Person<'_> {
    let maria = site.visitor();
    assert_eq!(maria.sign_in("maria@example.com", PASSWORD).status, 303);
    maria
}

fn offers(answer: &Answer, css: &str) -> bool {
    answer.html().select(&scraper::Selector::parse(css).unwrap()).next().is_some()
}

const NEW: &str = "/settings/tokens/new";

/// Whether a process obeys a setting at its next request; the value is one that lives.
type Obeys = fn(&Site, &str) -> bool;

/// What is changed on the page, and how it shows.
const SETTINGS: &[(&[(&str, &str)], Obeys)] = &[
    (&[("default_lifetime", "30")], |site, _| {
        maria_at(site).get(NEW).form(NEW).0.contains(&("lifetime".into(), "30".into()))
    }),
    (&[("max_lifetime", "90")], |site, _| {
        let maria = maria_at(site);
        let answer = maria.post(NEW, &maria.token_form("long", &["zones:listZones"]).with(&[("lifetime", "365")]));
        let told = "The policy allows up to 90 days. Choose an earlier day.";
        answer.error_of("expires_at") == told && !offers(&maria.get(NEW), "option[value='365']")
    }),
    (&[("max_lifetime_owner", "20")], |site, _| {
        let maria = maria_at(site);
        let form = maria.token_form("long", &["zones:listZones"]).with(&[("lifetime", "30")]);
        maria.post(NEW, &form).error_of("expires_at") == "The policy allows up to 20 days. Choose an earlier day."
    }),
    (&[("allow_never", "on")], |site, _| {
        let maria = maria_at(site);
        let form = maria.token_form("ever", &["zones:listZones"]).with(&[("lifetime", "never")]);
        maria.post(NEW, &form).status == 200 && offers(&maria.get(NEW), "option[value=never]")
    }),
    (&[("max_grace", "1")], |site, _| {
        let answer = maria_at(site).ask_to_regenerate("ci", &[("grace", "72h")]);
        answer.error_of("grace") == "The policy keeps an old value for up to 1 day. Choose an earlier moment."
            && !offers(&answer, "input[name=grace][value='72h']")
    }),
    (&[("tokens_per_account", "1")], |site, _| {
        let maria = maria_at(site);
        let form = maria.token_form("second", &["zones:listZones"]);
        let answer = maria.confirm(&maria.post(NEW, &form), "/settings/tokens/new/confirm");
        if answer.status == 200 {
            maria.remove("second");
        }
        answer.error_of("name") == "You have 1 of 1 tokens. Remove one to generate another."
    }),
    (&[("expiring_notice", "100, 7")], |site, _| {
        maria_at(site).get("/settings/tokens").text().contains("Expires soon 1")
    }),
    (&[("confirm", "window")], |site, _| {
        !maria_at(site).ask_for("disable", &["ci"]).body.contains("name=\"password\"")
    }),
    (&[("session_idle", "5m")], |site, _| {
        let maria = maria_at(site);
        site.pass_unheard(TimeDelta::minutes(6));
        maria.get("/settings/tokens").header("location").starts_with("/login")
    }),
    (&[("session_lifetime", "30m"), ("session_idle", "30m")], |site, _| {
        let maria = maria_at(site);
        site.pass_unheard(TimeDelta::minutes(20));
        assert_eq!(maria.get("/settings/tokens").status, 200);
        site.pass_unheard(TimeDelta::minutes(11));
        maria.get("/settings/tokens").header("location").starts_with("/login")
    }),
    (&[("password_min", "40")], |site, _| {
        let (maria, page) = (maria_at(site), "/settings/password");
        let new = "eight yellow tricycles swim";
        let typed = [("password", PASSWORD), ("new_password", new), ("new_password_again", "")];
        maria.post(page, &maria.get(page).form(page).with(&typed)).error_of("new_password").contains("40")
    }),
    (&[("value_in_query", "on")], |site, value| {
        let uri = format!("/api/v1/zones?access_token={value}");
        site.ask("/verify", &[("X-Original-Method", "GET"), ("X-Original-URI", &uri)]).status == 200
    }),
    (&[("token_api", "off")], |site, _| site.app.policy().must_have_token_api().is_err()),
];

#[test]
fn each_setting_counts_from_the_next_request_here_and_from_the_next_look_in_another_process() {
    for (fields, obeys) in SETTINGS {
        let site = Site::start();
        let maria = site.owner_with_zones();
        let value = maria.generate("ci", &["zones:listZones"]);
        let other = site.beside();
        assert!(!obeys(&site, &value), "{fields:?} before");
        change(&maria, fields);
        assert!(obeys(&site, &value), "{fields:?} here");
        assert!(!obeys(&other, &value), "{fields:?} unheard");
        other.app.follow().unwrap();
        assert!(obeys(&other, &value), "{fields:?} heard");
    }
}

#[test]
fn with_extend_expiry_at_admin_everybody_else_can_only_shorten_by_whatever_form() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    jan.generate_from(&jan.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "30")]));
    let address = jan.page_of("ci");
    let lifetime = |days: &str| jan.edit_form("ci").with(&[("lifetime", days)]);
    let waiting = jan.post(&address, &lifetime("60"));
    assert_eq!(waiting.status, 200);
    change(&maria, &[("extend_expiry", "admin")]);
    let told = "The policy lets only administrators move an expiry further away. Choose an earlier day.";
    let late = jan.confirm(&waiting, &format!("{address}/confirm"));
    assert_eq!(
        (late.status, late.error_of("expires_at").as_str()),
        (422, told),
        "what waited is judged by the new one"
    );
    assert_eq!(jan.post(&address, &lifetime("60")).error_of("expires_at"), told);
    jan.regenerate("ci", "0");
    assert_eq!(end_of(&site, "ci"), "2026-12-23 23:59", "a new value has the same end");
    jan.edit("ci", |form| form.with(&[("lifetime", "7")]));
    assert_eq!(end_of(&site, "ci"), "2026-11-30 23:59");
    let form = maria.get(&address).form(&address).with(&[("lifetime", "90")]);
    assert_eq!(maria.confirm(&maria.post(&address, &form), &format!("{address}/confirm")).status, 303);
}

#[test]
fn what_waits_for_its_password_is_judged_by_the_policy_of_the_moment_of_the_change() {
    let site = Site::with(Policy { allow_never: true, ..Policy::default() });
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let eva = site.person("eva@example.com", Role::Admin);
    let ask_for = |name: &str, lifetime: &str| {
        maria.post(NEW, &maria.token_form(name, &["zones:listZones"]).with(&[("lifetime", lifetime)]))
    };
    let (year, ever, quarter) = (ask_for("year", "365"), ask_for("ever", "never"), ask_for("quarter", "90"));
    let edited = maria.post(&maria.page_of("ci"), &maria.edit_form("ci").with(&[("lifetime", "365")]));
    let kept = maria.ask_to_regenerate("ci", &[("grace", "72h")]);
    change(&eva, &[("max_lifetime", "90"), ("allow_never", "off"), ("max_grace", "2")]);

    let confirm = |page: &Answer| maria.confirm(page, "/settings/tokens/new/confirm");
    assert_eq!(confirm(&year).error_of("expires_at"), "The policy allows up to 90 days. Choose an earlier day.");
    let told = "The policy does not allow tokens without an expiry. Choose a date.";
    assert_eq!(confirm(&ever).error_of("expires_at"), told);
    assert_eq!(confirm(&quarter).status, 200, "90 days are 90 days, to the end of the last one");
    let address = maria.page_of("ci");
    let told = "The policy allows up to 90 days. Choose an earlier day.";
    assert_eq!(maria.confirm(&edited, &format!("{address}/confirm")).error_of("expires_at"), told);
    let told = "The policy keeps an old value for up to 2 days. Choose an earlier moment.";
    assert_eq!(maria.confirm(&kept, &format!("{address}/regenerate/confirm")).error_of("grace"), told);
}
