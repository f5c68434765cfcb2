//! One's own account: profile, password, sessions.

use chrono::TimeDelta;
use hallpass::types::Role;

use crate::support::{Answer, Form, PASSWORD, Person, Site};

const PROFILE: &str = "/settings/profile";
const CHANGE: &str = "/settings/password";
const SESSIONS: &str = "/settings/sessions";
const END: &str = "/settings/sessions/end";
const NEW: &str = "four quiet lamps burn";

fn profile(person: &Person<'_>, fields: &[(&str, &str)]) -> Answer {
    person.post(PROFILE, &person.get(PROFILE).form(PROFILE).with(fields))
}

fn change(person: &Person<'_>, now: &str, new: &str, again: &str) -> Answer {
    let form = person.get(CHANGE).form(CHANGE);
    person.post(CHANGE, &form.with(&[("password", now), ("new_password", new), ("new_password_again", again)]))
}

fn actions(site: &Site) -> Vec<String> {
    site.texts("SELECT action AS text FROM events ORDER BY at, id")
}

/// Another browser of the same person.
fn elsewhere<'s>(site: &'s Site, agent: &str) -> Person<'s> {
    let person = site.visitor();
    person.header("user-agent", agent);
    assert_eq!(person.sign_in("maria@example.com", PASSWORD).status, 303);
    person
}

fn ids(page: &Answer) -> Vec<String> {
    let html = page.html();
    let boxes = scraper::Selector::parse("tbody input[name=id]").unwrap();
    html.select(&boxes).map(|input| input.attr("value").unwrap().to_owned()).collect()
}

fn end(person: &Person<'_>, ids: &[&str]) -> Answer {
    let form = person.get(SESSIONS).form("/theme");
    person.post(END, &ids.iter().fold(form, |form, id| form.and("id", id)))
}

#[test]
fn a_profile_shows_name_zone_and_dates_and_saves_them_without_a_password() {
    let site = Site::start();
    let maria = site.owner();
    let page = maria.get(PROFILE);
    let form = page.form(PROFILE);
    for (name, value) in
        [("name", "Maria Keller"), ("time_zone", "Europe/Berlin"), ("date_style", "word"), ("theme", "auto")]
    {
        assert!(form.0.contains(&(name.into(), value.into())), "{name} in {form:?}");
    }
    for today in ["23 Nov 2026", "23-11-2026", "2026-11-23", "11/23/2026", "10:40"] {
        assert!(page.text().contains(today), "{today}");
    }
    assert!(page.body.contains("maria@example.com") && page.attribute("#role", "value") == "owner");

    let saved = profile(
        &maria,
        &[("name", "  Mária K. "), ("time_zone", "Asia/Kathmandu"), ("date_style", "dmy"), ("theme", "dark")],
    );
    assert_eq!((saved.status, saved.header("location")), (303, PROFILE));
    let page = maria.get(PROFILE);
    assert!(page.text().contains("Saved your profile."));
    assert!(page.text().contains("In Asia/Kathmandu it is 23-11-2026, 15:25."), "{}", page.text());
    assert_eq!(
        (page.attribute("#name", "value").as_str(), page.attribute("html", "data-theme").as_str()),
        ("Mária K.", "dark")
    );
    let event = site.texts("SELECT detail AS text FROM events WHERE action = 'account.edit'");
    let event: serde_json::Value = serde_json::from_str(&event[0]).unwrap();
    assert_eq!(
        (&event["before"]["name"], &event["after"]["time_zone"]),
        (&"Maria Keller".into(), &"Asia/Kathmandu".into())
    );
}

#[test]
fn a_saved_profile_raises_the_version_that_processes_follow_and_an_unchanged_one_does_not() {
    let site = Site::start();
    let maria = site.owner();
    let version = || site.texts("SELECT CAST(version AS TEXT) AS text FROM accounts")[0].parse::<i64>().unwrap();
    let first = version();
    profile(&maria, &[("name", "Maria K.")]);
    let second = version();
    assert!(first < second);
    assert_eq!(profile(&maria, &[]).status, 303);
    assert_eq!(version(), second);
    assert_eq!(actions(&site).iter().filter(|action| *action == "account.edit").count(), 1);
}

#[test]
fn each_wrong_field_of_a_profile_has_its_sentence_and_nothing_is_saved() {
    let site = Site::start();
    let maria = site.owner();
    let (long, most) = ("x".repeat(101), "é".repeat(100));
    for (field, value, sentence) in [
        ("name", " ", "A name has 1 to 100 characters."),
        ("name", long.as_str(), "A name has 1 to 100 characters."),
        ("name", "Maria\u{202e}Keller", "A name cannot hold control characters"),
        ("name", "Maria\u{200b}Keller", "A name cannot hold control characters"),
        ("name", "Maria\tKeller", "A name cannot hold control characters"),
        ("name", "Maria\0Keller", "A name cannot hold control characters"),
        ("time_zone", "Europe/Atlantis", "“Europe/Atlantis” is not a time zone."),
        ("time_zone", "", "is not a time zone."),
        ("date_style", "roman", "“roman” is not a date style."),
    ] {
        let refused = profile(&maria, &[(field, value)]);
        assert_eq!(refused.status, 422, "{field} {value}");
        assert!(refused.error_of(field).contains(sentence), "{field} {value}: {}", refused.error_of(field));
    }
    let all = profile(&maria, &[("name", ""), ("time_zone", "x"), ("date_style", "x")]);
    assert!(["name", "time_zone", "date_style"].iter().all(|field| !all.error_of(field).is_empty()), "all at once");
    assert_eq!(site.texts("SELECT name AS text FROM accounts"), ["Maria Keller"]);
    assert_eq!(profile(&maria, &[("name", &most)]).status, 303, "a hundred letters are fine");
}

#[test]
fn a_new_password_ends_all_other_sessions_and_gives_this_one_a_new_key() {
    let site = Site::start();
    let maria = site.owner();
    let (other, key) = (elsewhere(&site, "curl/8"), maria.cookie("hallpass").unwrap());
    let jan = site.person("jan@example.com", Role::Contributor);
    let filled_before = maria.get(PROFILE).form(PROFILE);
    let changed = change(&maria, PASSWORD, NEW, NEW);
    assert_eq!((changed.status, changed.header("location")), (303, CHANGE));
    assert!(maria.get(CHANGE).text().contains("Changed your password. 1 other session was ended."));

    assert_eq!(other.get(SESSIONS).status, 303);
    assert_eq!(jan.get(SESSIONS).status, 200, "other people's stay");
    let thief = site.visitor();
    thief.set_cookie("hallpass", &key);
    assert_eq!(thief.get(SESSIONS).status, 303, "the former key is dead");
    assert_eq!(maria.post(PROFILE, &filled_before).status, 303, "a form that was open is still good");
    assert_eq!(site.visitor().sign_in("maria@example.com", PASSWORD).status, 422);
    assert_eq!(site.visitor().sign_in("maria@example.com", NEW).status, 303);
    assert!(actions(&site).contains(&"account.password".into()));
}

#[test]
fn each_problem_of_a_new_password_stands_at_its_field_and_no_password_is_filled_in_again() {
    let site = Site::start();
    let maria = site.owner();
    for (now, new, again, problems) in [
        ("", NEW, NEW, vec![("password", "Type the password that you have now.")]),
        ("wrong", NEW, NEW, vec![("password", "That password is not right.")]),
        (PASSWORD, "", "", vec![("new_password", "Type the password that you want.")]),
        (PASSWORD, "short", "short", vec![("new_password", "at least 15 characters; this one has 5")]),
        (PASSWORD, "maria@example.com", "maria@example.com", vec![("new_password", "too easy to guess")]),
        (PASSWORD, NEW, "another", vec![("new_password_again", "not the same as the new password")]),
        (PASSWORD, PASSWORD, PASSWORD, vec![("new_password", "This is the password that you have now.")]),
        (
            "wrong",
            "short",
            "another",
            vec![("password", "not right"), ("new_password", "15 characters"), ("new_password_again", "not the same")],
        ),
        ("wrong guess of mine", "wrong guess of mine", "wrong guess of mine", vec![("password", "not right")]),
    ] {
        let refused = change(&maria, now, new, again);
        assert_eq!(refused.status, 422, "{now} {new}");
        for field in ["password", "new_password", "new_password_again"] {
            let wanted = problems.iter().find(|(of, _)| *of == field).map_or("", |(_, sentence)| sentence);
            let said = refused.error_of(field);
            assert!(said.contains(wanted) && said.is_empty() == wanted.is_empty(), "{now} {new} {field}: {said}");
            assert_eq!(refused.attribute(&format!("#{field}"), "value"), "");
        }
        // A right one between, so that nobody has to wait.
        assert_eq!(site.visitor().sign_in("maria@example.com", PASSWORD).status, 303);
    }
    assert!(!actions(&site).contains(&"account.password".into()));
    assert!(actions(&site).contains(&"confirm.refuse".into()), "a wrong one stands in the log");
}

#[test]
fn guesses_at_the_password_page_are_counted_with_all_others() {
    let site = Site::start();
    let maria = site.owner();
    for _ in 0..3 {
        assert_eq!(change(&maria, "wrong", NEW, NEW).status, 422);
    }
    let waiting = change(&maria, PASSWORD, NEW, NEW);
    assert_eq!((waiting.status, waiting.header("retry-after")), (429, "1"), "even the right one has to wait");
    assert!(!waiting.error_of("password").is_empty());
    assert_eq!(site.visitor().sign_in("maria@example.com", PASSWORD).status, 429);
    site.pass(TimeDelta::seconds(1));
    assert_eq!(change(&maria, PASSWORD, NEW, NEW).status, 303);
}

#[test]
fn a_session_that_ended_while_passwords_were_hashed_changes_none() {
    let site = Site::start();
    site.owner();
    let (account, session) = site
        .app
        .write_now(|tx| {
            let maria = hallpass::account::by_email(tx.conn, "maria@example.com")?.unwrap();
            let session = hallpass::session::start(tx, &maria, Default::default())?;
            Ok((maria, session))
        })
        .unwrap();
    let actor = hallpass::session::actor(&account, &session.id, Default::default());
    site.app.write_now(|tx| hallpass::session::sign_out(tx, &actor, &session.id)).unwrap();
    let refused =
        site.app.write_now(|tx| hallpass::account::change_password(tx, &actor, &session.id, &account, "$argon2id$x"));
    assert!(matches!(refused, Err(hallpass::error::Error::SignedOut)));
    assert_eq!(site.visitor().sign_in("maria@example.com", PASSWORD).status, 303);
}

#[test]
fn the_list_tells_where_with_what_and_since_when_and_marks_this_session() {
    let site = Site::start();
    let maria = site.owner();
    site.person("jan@example.com", Role::Contributor);
    site.pass(TimeDelta::minutes(30));
    elsewhere(&site, "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0");
    site.pass(TimeDelta::minutes(4));
    let page = maria.get(SESSIONS);
    let text = page.text();
    assert_eq!(ids(&page).len(), 2, "{text}");
    for said in ["Firefox/145.0", "X11; Linux x86_64", "127.0.0.1", "23 Nov, 10:40", "4 min ago", "2 sessions"] {
        assert!(text.contains(said), "{said} in {text}");
    }
    assert_eq!(text.matches("This one").count(), 2, "the column's heading, and one row: {text}");
    site.pass(TimeDelta::minutes(59));
    assert_eq!(ids(&maria.get(SESSIONS)).len(), 1, "an idle one has ended");
}

#[test]
fn chosen_sessions_end_with_the_password_and_the_others_go_on() {
    let site = Site::start();
    let maria = site.owner();
    let (one, two) = (elsewhere(&site, "one/1"), elsewhere(&site, "two/2"));
    let listed = maria.get(SESSIONS);
    let of_one = ids(&one.get(SESSIONS))[0].clone();
    assert!(ids(&listed).contains(&of_one));

    let asked = end(&maria, &[&of_one]);
    assert!(asked.text().contains("End 1 session?") && asked.text().contains("one/1"), "{}", asked.text());
    assert_eq!(one.get(SESSIONS).status, 200, "not before the password");
    let wrong = maria.post(END, &asked.form(END).with(&[("password", "wrong")]));
    assert_eq!(wrong.status, 422);
    let done = maria.confirm(&asked, END);
    assert_eq!((done.status, done.header("location")), (303, SESSIONS));
    assert!(maria.get(SESSIONS).text().contains("Ended 1 session."));
    assert_eq!((one.get(SESSIONS).status, two.get(SESSIONS).status), (303, 200));
    assert_eq!(actions(&site).iter().filter(|action| *action == "session.end").count(), 1);

    let again = maria.post(END, &asked.form(END).with(&[("password", PASSWORD)]));
    assert_eq!(again.header("location"), SESSIONS);
    assert!(maria.get(SESSIONS).text().contains("already confirmed"));
}

#[test]
fn all_others_end_at_once_those_too_that_began_after_the_question() {
    let site = Site::start();
    let maria = site.owner();
    let nowhere = maria.post(END, &maria.get(SESSIONS).form("/theme").with(&[("do", "others")]));
    assert!(nowhere.text().contains("You are signed in nowhere else."), "{}", nowhere.text());
    let early = elsewhere(&site, "early/1");
    let asked = maria.post(END, &maria.get(SESSIONS).form(END));
    let late = elsewhere(&site, "late/1");
    assert_eq!(maria.confirm(&asked, END).status, 303);
    assert_eq!((early.get(SESSIONS).status, late.get(SESSIONS).status, maria.get(SESSIONS).status), (303, 303, 200));
}

#[test]
fn ending_the_present_session_signs_out_and_says_so_before() {
    let site = Site::start();
    let maria = site.owner();
    let own = ids(&maria.get(SESSIONS))[0].clone();
    let asked = end(&maria, &[&own]);
    assert!(asked.text().contains("you will be signed out here"), "{}", asked.text());
    assert_eq!(maria.confirm(&asked, END).header("location"), "/login?why=out");
    assert_eq!(maria.get(SESSIONS).status, 303);
}

#[test]
fn programs_stand_beside_browsers_and_end_alike() {
    let site = Site::start();
    let maria = site.owner();
    let (one, two) = (site.log_in("maria@example.com"), site.log_in("maria@example.com"));
    let status = |value: &str| site.api(value, "GET", "/api/v1/whoami", serde_json::Value::Null).status;
    let page = maria.get(SESSIONS);
    let text = page.text();
    assert_eq!(text.matches("A program, until 24 Nov, 10:40").count(), 2, "{text}");
    let told = site.api(&one, "GET", "/api/v1/sessions", serde_json::Value::Null).json();
    let id_of = |is_meant: &dyn Fn(&serde_json::Value) -> bool| {
        let items = told["items"].as_array().unwrap();
        items.iter().find(|item| is_meant(item)).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let of_one = id_of(&|item| item["present"] == true);
    let of_two = id_of(&|item| item["kind"] == "program" && item["present"] == false);
    let mut both: Vec<String> =
        told["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
    let mut shown = ids(&page);
    both.sort();
    shown.sort();
    assert_eq!(both, shown, "page and API show the same");

    let asked = end(&maria, &[&of_one]);
    assert!(asked.text().contains("End 1 session?"), "{}", asked.text());
    assert_eq!(status(&one), 200, "not before the password");
    assert_eq!(maria.confirm(&asked, END).status, 303);
    assert_eq!((status(&one), status(&two)), (401, 200));
    let jan = site.person("jan@example.com", Role::Owner);
    assert_eq!(end(&jan, &[&of_two]).status, 404, "and nobody else's");
    let asked = maria.post(END, &maria.get(SESSIONS).form("/theme").with(&[("do", "others")]));
    assert_eq!(maria.confirm(&asked, END).status, 303);
    assert_eq!((status(&two), maria.get(SESSIONS).status), (401, 200));
    assert_eq!(actions(&site).iter().filter(|action| *action == "session.end").count(), 2);
}

#[test]
fn another_person_s_session_is_missing_and_then_none_ends() {
    let site = Site::start();
    let maria = site.owner();
    let (other, jan) = (elsewhere(&site, "curl/8"), site.person("jan@example.com", Role::Owner));
    let of_jan = ids(&jan.get(SESSIONS))[0].clone();
    let of_other = ids(&other.get(SESSIONS))[0].clone();
    assert_eq!(end(&maria, &[&of_jan]).status, 404);
    assert_eq!(end(&maria, &[&of_other, &of_jan]).status, 404);
    assert_eq!(end(&maria, &["no-such-id"]).status, 404);
    assert_eq!(end(&maria, &[]).status, 422, "and none is none");

    // One of two that ended between the question and the password: the other stays as well.
    let third = elsewhere(&site, "curl/9");
    let asked = end(&maria, &[&of_other, &ids(&third.get(SESSIONS))[0]]);
    third.post("/logout", &third.get(SESSIONS).form("/logout"));
    assert_eq!(maria.confirm(&asked, END).status, 303);
    let told = maria.get(SESSIONS).text();
    assert!(told.contains("One of the sessions has ended meanwhile. Nothing was changed"), "{told}");
    assert_eq!((other.get(SESSIONS).status, jan.get(SESSIONS).status), (200, 200));
    assert!(!actions(&site).contains(&"session.end".into()));
}

#[test]
fn everybody_finds_profile_password_and_sessions_before_the_tokens() {
    let site = Site::start();
    site.owner();
    let viewer = site.person("v@example.com", Role::Viewer);
    let page = viewer.get(PROFILE);
    let links = scraper::Selector::parse(".nav li a").unwrap();
    let html = page.html();
    let links: Vec<&str> = html.select(&links).map(|link| link.attr("href").unwrap()).collect();
    assert_eq!(links, [PROFILE, CHANGE, SESSIONS, "/settings/tokens", "/settings/activity"]);
    for path in [CHANGE, SESSIONS] {
        assert_eq!(viewer.get(path).status, 200);
    }
    let unknown = viewer.post(END, &Form(viewer.get(SESSIONS).form("/theme").0).with(&[("do", "nothing")]));
    assert_eq!(unknown.status, 422);
}
