//! Regenerating values and their grace periods by the pages.

use chrono::TimeDelta;
use hallpass::policy::Policy;

use crate::support::{PASSWORD, Site};

const LIST: (&str, &str) = ("GET", "/api/v1/zones");

#[test]
fn without_grace_the_old_value_is_dead_with_the_answer() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let old = maria.generate("ci", &["zones:listZones"]);
    let new = maria.regenerate("ci", "0");
    assert_ne!(old, new);
    assert_eq!(site.verify(&old, LIST.0, LIST.1).status, 401);
    let answer = site.verify(&new, LIST.0, LIST.1);
    assert_eq!((answer.status, answer.header("x-hallpass-token-name")), (200, "ci"));
    let list = maria.get("/settings/tokens").text();
    assert!(list.contains(&new[..8]) && !list.contains(&old[..8]), "{list}");
}

#[test]
fn in_grace_both_values_work_until_its_last_instant_and_not_after() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let old = maria.generate("ci", &["zones:listZones"]);
    let new = maria.regenerate("ci", "24h");
    let list = maria.get("/settings/tokens").text();
    assert!(list.contains("In grace period") && list.contains("until 24 Nov, 10:40"), "{list}");
    site.pass(TimeDelta::hours(24) - TimeDelta::milliseconds(1));
    for value in [&old, &new] {
        assert_eq!(site.verify(value, LIST.0, LIST.1).status, 200);
    }
    site.pass(TimeDelta::milliseconds(1));
    assert_eq!(site.verify(&old, LIST.0, LIST.1).status, 401);
    assert_eq!(site.verify(&new, LIST.0, LIST.1).status, 200);
    maria.sign_in("maria@example.com", PASSWORD);
    assert!(!maria.get("/settings/tokens").text().contains("In grace period"));
}

#[test]
fn the_grace_may_end_at_a_chosen_instant_of_the_person_s_zone_within_the_policy() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let old = maria.generate("ci", &["zones:listZones"]);
    let until = |moment: &str| maria.ask_to_regenerate("ci", &[("grace", "custom"), ("previous_expires_at", moment)]);
    for (moment, sentence) in [
        ("2026-11-23T10:39", "That moment has passed. Choose a later one, or stop the old value now."),
        ("2026-11-30T10:41", "The policy keeps an old value for up to 7 days. Choose an earlier moment."),
        ("soon", "“soon” is not a day. Type it like 2027-02-22 or 22-02-2027."),
        ("2026-11-24T25:00", "“2026-11-24T25:00” is not a moment. Type it like 2027-02-22 14:30."),
        ("", "Choose a day, or type one like 2027-02-22 or 22-02-2027."),
    ] {
        let refused = until(moment);
        assert_eq!((refused.status, refused.error_of("previous_expires_at").as_str()), (422, sentence), "{moment}");
    }
    let page = until("2026-11-25T12:00");
    assert!(page.text().contains("works until Wed 25 Nov, 12:00"), "{}", page.text());
    let action = format!("{}/regenerate/confirm", maria.page_of("ci"));
    assert_eq!(maria.confirm(&page, &action).status, 200);
    // Noon in Berlin is 11:00 UTC; the test begins at 09:40 on the 23rd.
    site.pass(TimeDelta::hours(49) + TimeDelta::minutes(20) - TimeDelta::milliseconds(1));
    assert_eq!(site.verify(&old, LIST.0, LIST.1).status, 200);
    site.pass(TimeDelta::milliseconds(1));
    assert_eq!(site.verify(&old, LIST.0, LIST.1).status, 401);
}

#[test]
fn a_grace_beyond_the_policy_is_neither_offered_nor_taken() {
    let site = Site::with(Policy { max_grace: 1, ..Policy::default() });
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let page = maria.get(&maria.page_of("ci")).text();
    assert!(page.contains("Keep both for 24 hours") && !page.contains("Keep both for 3 days"), "{page}");
    let refused = maria.ask_to_regenerate("ci", &[("grace", "72h")]);
    assert_eq!(
        (refused.status, refused.error_of("grace").as_str()),
        (422, "The policy keeps an old value for up to 1 day. Choose an earlier moment.")
    );
    assert_eq!(maria.ask_to_regenerate("ci", &[("grace", "soon")]).status, 422);
}

#[test]
fn a_token_in_grace_ends_that_first_or_stops_all_old_values() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let first = maria.generate("ci", &["zones:listZones"]);
    let second = maria.regenerate("ci", "24h");
    let page = maria.get(&maria.page_of("ci"));
    assert!(page.text().contains("End grace now") && !page.text().contains("Keep both for"), "{}", page.text());
    let refused = maria.ask_to_regenerate("ci", &[("grace", "24h")]);
    assert_eq!(
        refused.error_of("grace"),
        "An older value is still in its grace period. End that first, or stop all old values now."
    );
    let third = maria.regenerate("ci", "0");
    assert_eq!([&first, &second, &third].map(|value| site.verify(value, LIST.0, LIST.1).status), [401, 401, 200]);
}

#[test]
fn the_grace_can_be_ended_at_once() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let old = maria.generate("ci", &["zones:listZones"]);
    let new = maria.regenerate("ci", "72h");
    assert_eq!(site.verify(&old, LIST.0, LIST.1).status, 200);
    hallpass::jobs::flush_usage(&site.app).unwrap();
    let address = maria.page_of("ci");
    let action = format!("{address}/end-grace");
    let page = maria.post(&action, &maria.get(&address).form(&action));
    assert!(page.text().contains("End the grace period now?"), "{}", page.text());
    assert_eq!(maria.confirm(&page, &format!("{action}/confirm")).status, 303);
    assert_eq!([&old, &new].map(|value| site.verify(value, LIST.0, LIST.1).status), [401, 200]);
    assert!(maria.get("/settings/tokens").text().contains("The old value of ci has stopped."));
    let again = maria.post(&format!("{action}/confirm"), &page.form(&format!("{action}/confirm")));
    assert_eq!(again.status, 303);
    assert!(maria.get("/settings/tokens").text().contains("already ended"));
}

#[test]
fn an_expired_token_gets_a_new_expiry_with_its_new_value_and_the_old_one_stays_dead() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let old = maria.generate_from(&maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "7")]));
    site.pass(TimeDelta::days(9));
    maria.sign_in("maria@example.com", PASSWORD);
    assert!(maria.get(&maria.page_of("ci")).text().contains("New expiry"));
    for (fields, field, sentence) in [
        (
            [("grace", "24h"), ("lifetime", "30"), ("expires_at", "")],
            "grace",
            "The old value has expired, so it cannot be kept. Stop it now.",
        ),
        (
            [("grace", "0"), ("lifetime", "custom"), ("expires_at", "")],
            "expires_at",
            "Choose the day on which the token stops working.",
        ),
        (
            [("grace", "0"), ("lifetime", "custom"), ("expires_at", "2028-01-01")],
            "expires_at",
            "The policy allows up to 1 year. Choose an earlier day.",
        ),
    ] {
        let refused = maria.ask_to_regenerate("ci", &fields);
        assert_eq!((refused.status, refused.error_of(field).as_str()), (422, sentence));
    }
    let page = maria.ask_to_regenerate("ci", &[("grace", "0"), ("lifetime", "30")]);
    assert!(page.text().contains("1 Jan 2027 (in 30 days)"), "{}", page.text());
    let action = format!("{}/regenerate/confirm", maria.page_of("ci"));
    let new = maria.confirm(&page, &action).attribute("#value", "value");
    assert_eq!([&old, &new].map(|value| site.verify(value, LIST.0, LIST.1).status), [401, 200]);
}

#[test]
fn a_disabled_token_stays_so_with_its_new_value() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    maria.press("disable", &["ci"]);
    let page = maria.ask_to_regenerate("ci", &[("grace", "0")]);
    assert!(page.text().contains("The token is disabled and stays so"), "{}", page.text());
    let value = maria.regenerate("ci", "0");
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 401);
    maria.press("enable", &["ci"]);
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 200);
}

#[test]
fn a_confirm_that_is_pressed_twice_makes_one_value_and_names_the_token() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let page = maria.post("/settings/tokens/new", &maria.token_form("ci", &["zones:listZones"]));
    let form = page.form("/settings/tokens/new/confirm").with(&[("password", PASSWORD)]);
    let value = maria.post("/settings/tokens/new/confirm", &form).attribute("#value", "value");
    let again = maria.post("/settings/tokens/new/confirm", &form);
    assert!(again.text().contains("This value was already shown"), "{}", again.text());
    assert!(again.text().contains("The token ci") && again.text().contains(&value[..8]), "{}", again.text());
    assert!(again.body.contains(&format!("{}?#regenerate", maria.page_of("ci"))));
    assert!(!again.body.contains(&value));

    let page = maria.ask_to_regenerate("ci", &[("grace", "24h")]);
    let action = format!("{}/regenerate/confirm", maria.page_of("ci"));
    let new = maria.confirm(&page, &action).attribute("#value", "value");
    let again = maria.confirm(&page, &action);
    assert!(again.text().contains("This value was already shown"), "{}", again.text());
    assert!(!again.body.contains(&new));
    assert_eq!(site.texts("SELECT CAST(number AS TEXT) AS text FROM generations ORDER BY number"), ["1", "2"]);
}

#[test]
fn a_confirm_of_a_value_that_was_regenerated_meanwhile_does_nothing() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let waiting = maria.ask_to_regenerate("ci", &[("grace", "0")]);
    let value = maria.regenerate("ci", "0");
    let stale = maria.confirm(&waiting, &format!("{}/regenerate/confirm", maria.page_of("ci")));
    assert_eq!(stale.status, 422);
    assert!(stale.text().contains("You regenerated its value just now."), "{}", stale.text());
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 200);
}

#[test]
fn ending_a_grace_ends_the_one_that_was_on_the_page_and_no_other() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    maria.regenerate("ci", "24h");
    let address = maria.page_of("ci");
    let action = format!("{address}/end-grace");
    let waiting = maria.post(&action, &maria.get(&address).form(&action));
    let third = maria.regenerate("ci", "0");
    let fourth = maria.regenerate("ci", "72h");
    assert_eq!(maria.confirm(&waiting, &format!("{action}/confirm")).status, 303);
    assert!(maria.get(&address).text().contains("Nothing was ended. Look at the token again."));
    assert_eq!([&third, &fourth].map(|value| site.verify(value, LIST.0, LIST.1).status), [200, 200]);
}

#[test]
fn a_stale_choice_of_grace_is_still_chosen() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let address = maria.page_of("ci");
    let action = format!("{address}/regenerate");
    let form = maria.get(&address).form(&action).with(&[("grace", "72h")]);
    maria.edit("ci", |form| form.with(&[("description", "x")]));
    let stale = maria.post(&action, &form);
    assert_eq!(stale.status, 422);
    assert!(stale.form(&action).0.contains(&("grace".into(), "72h".into())), "{}", stale.text());
}

#[test]
fn the_page_of_the_value_tells_its_end_in_the_zone_of_who_looks() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate_from(&maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "90")]));
    let profile =
        maria.get("/settings/profile").form("/settings/profile").with(&[("time_zone", "America/Los_Angeles")]);
    assert_eq!(maria.post("/settings/profile", &profile).status, 303);
    let page = maria.ask_to_regenerate("ci", &[("grace", "0")]);
    let revealed = maria.confirm(&page, &format!("{}/regenerate/confirm", maria.page_of("ci")));
    assert!(revealed.text().contains("21 Feb 2027, 14:59, America/Los_Angeles"), "{}", revealed.text());
}

#[test]
fn use_of_an_ended_value_is_told_to_its_owner_and_kills_nothing() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let old = maria.generate("ci", &["zones:listZones"]);
    let new = maria.regenerate("ci", "0");
    let of_old = site.verify(&old, LIST.0, LIST.1);
    let unknown = hallpass::secret::Secret::generate("hp", &site.app.random).unwrap();
    let of_unknown = site.verify(unknown.reveal(), LIST.0, LIST.1);
    assert_eq!((of_old.status, &of_old.body), (of_unknown.status, &of_unknown.body), "who sends it learns nothing");
    assert_eq!(of_old.header("x-hallpass-reference"), "");
    assert!(!maria.get(&maria.page_of("ci")).text().contains("was used after that"));
    site.pass(TimeDelta::minutes(3));
    site.verify(&old, LIST.0, LIST.1);
    hallpass::jobs::flush_usage(&site.app).unwrap();
    let page = maria.get(&maria.page_of("ci")).text();
    let said = format!("The old value {}… stopped 23 Nov, 10:40 and was used after that, last just now.", &old[..8]);
    assert!(page.contains(&said), "{page}");
    let activity = maria.get("/settings/activity?show=refused").text();
    assert!(activity.contains("An old value was used after it had stopped.") && activity.contains("401"), "{activity}");
    assert_eq!(site.verify(&new, LIST.0, LIST.1).status, 200);
    // A process that starts now knows of it as well; a removed token's values tell nothing.
    let beside = site.beside();
    assert_eq!(beside.verify(&old, LIST.0, LIST.1).status, 401);
    hallpass::jobs::flush_usage(&beside.app).unwrap();
    assert_eq!(site.rows("refusals").len(), 3);
    maria.remove("ci");
    site.verify(&old, LIST.0, LIST.1);
    hallpass::jobs::flush_usage(&site.app).unwrap();
    assert_eq!(site.rows("refusals").len(), 3);
}
