//! Coming and going: set-up, sign-in, guessing, sessions.

use chrono::TimeDelta;
use hallpass::types::Role;

use crate::support::{PASSWORD, Site};

#[test]
fn the_first_owner_is_made_with_the_printed_code_alone() {
    let site = Site::start();
    let visitor = site.visitor();
    assert_eq!(visitor.get("/").header("location"), "/setup");
    let form = visitor.get("/setup").form("/setup").with(&[
        ("code", "not-the-code"),
        ("name", "Maria Keller"),
        ("email", "maria@example.com"),
        ("password", PASSWORD),
    ]);
    let refused = visitor.post("/setup", &form);
    assert_eq!(refused.status, 422);
    assert_eq!(
        refused.error_of("code"),
        "This is not the code that Hallpass printed when it was started. Look there again."
    );
    let kept = refused.form("/setup");
    assert!(kept.0.contains(&("email".into(), "maria@example.com".into())), "what was typed is kept");
    assert!(kept.0.contains(&("password".into(), String::new())), "but for the password");

    let made = visitor.post("/setup", &kept.with(&[("code", site.setup_code()), ("password", PASSWORD)]));
    assert_eq!((made.status, made.header("location")), (303, "/admin/apis"));
    assert_eq!(visitor.get("/admin/apis").status, 200, "and is signed in");
}

#[test]
fn after_set_up_there_is_no_second_one_for_anybody() {
    let site = Site::start();
    site.owner();
    let stranger = site.visitor();
    assert_eq!(stranger.get("/setup").status, 404);
    let form = stranger.get("/login").form("/login").with(&[
        ("code", site.setup_code()),
        ("name", "Eve"),
        ("email", "eve@example.com"),
        ("password", PASSWORD),
    ]);
    assert_eq!(stranger.post("/setup", &form).status, 404);
}

#[test]
fn each_wrong_field_of_the_set_up_has_its_sentence() {
    let site = Site::start();
    let visitor = site.visitor();
    let form = visitor.get("/setup").form("/setup").with(&[("code", site.setup_code())]);
    for (name, email, password, field, sentence) in [
        ("", "maria@example.com", PASSWORD, "name", "A name has 1 to 100 characters."),
        ("Maria", "maria", PASSWORD, "email", "This is not an e-mail address, such as maria@example.com."),
        (
            "Maria",
            "maria@example.com",
            "fourteen chars",
            "password",
            "A password has to have at least 15 characters; this one has 14.",
        ),
        ("Maria", "maria@example.com", "passwordpassword", "password", "easy to guess"),
        ("Maria", "maria@example.com", "maria@example.com", "password", "easy to guess"),
    ] {
        let answer =
            visitor.post("/setup", &form.clone().with(&[("name", name), ("email", email), ("password", password)]));
        assert_eq!(answer.status, 422);
        assert!(answer.error_of(field).contains(sentence), "{field}: {}", answer.error_of(field));
    }
}

#[test]
fn whatever_the_spelling_of_the_address_it_is_one_account() {
    let site = Site::start();
    site.owner();
    let again = site.visitor().sign_in("  Maria@EXAMPLE.com ", PASSWORD);
    assert_eq!((again.status, again.header("location")), (303, "/settings/tokens"));
}

#[test]
fn an_unknown_address_and_a_wrong_password_get_the_same_answer() {
    let site = Site::start();
    site.owner();
    let known = site.visitor().sign_in("maria@example.com", "wrong");
    let unknown = site.visitor().sign_in("nobody@example.com", "wrong");
    assert_eq!((known.status, unknown.status), (422, 422));
    assert_eq!(known.text(), unknown.text());
}

#[test]
fn guessing_is_slowed_from_the_third_wrong_password_and_ends_at_the_hundredth() {
    let site = Site::start();
    site.owner();
    let visitor = site.visitor();
    for _ in 0..3 {
        assert_eq!(visitor.sign_in("maria@example.com", "wrong").status, 422);
    }
    let refused = visitor.sign_in("MARIA@example.com", PASSWORD);
    assert_eq!((refused.status, refused.header("retry-after")), (429, "1"), "even the right one has to wait");
    assert!(refused.text().contains("Wait a second"), "{}", refused.text());

    for _ in 3..30 {
        site.pass(TimeDelta::minutes(15));
        assert_eq!(visitor.sign_in("maria@example.com", "wrong").status, 422);
    }
    let thirtieth = visitor.sign_in("maria@example.com", "wrong");
    assert_eq!((thirtieth.status, thirtieth.header("retry-after")), (429, "900"));
    for _ in 30..100 {
        site.pass(TimeDelta::minutes(15));
        assert_eq!(visitor.sign_in("maria@example.com", "wrong").status, 422);
    }
    site.pass(TimeDelta::hours(23));
    assert_eq!(visitor.sign_in("maria@example.com", PASSWORD).status, 429);
    site.pass(TimeDelta::hours(2));
    assert_eq!(visitor.sign_in("maria@example.com", PASSWORD).status, 303, "nobody is locked out for good");
}

#[test]
fn confirming_and_signing_in_share_one_counter() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let page = maria.post("/settings/tokens/new", &maria.token_form("ci", &["zones:listZones"]));
    let form = page.form("/settings/tokens/new/confirm").with(&[("password", "wrong")]);
    let first = maria.post("/settings/tokens/new/confirm", &form);
    assert_eq!(
        (first.status, first.error_of("password").as_str()),
        (422, "That password is not right. 2 tries left before a short wait.")
    );
    maria.post("/settings/tokens/new/confirm", &form);
    assert_eq!(site.visitor().sign_in("maria@example.com", "wrong").status, 422);
    let waiting = maria.post("/settings/tokens/new/confirm", &form.with(&[("password", PASSWORD)]));
    assert_eq!(waiting.status, 429);
    site.pass(TimeDelta::seconds(1));
    let done = maria.post(
        "/settings/tokens/new/confirm",
        &waiting.form("/settings/tokens/new/confirm").with(&[("password", PASSWORD)]),
    );
    assert_eq!(done.status, 200);
}

#[test]
fn a_session_ends_after_an_hour_without_use_and_after_a_day_in_any_case() {
    let site = Site::start();
    let maria = site.owner();
    for _ in 0..46 {
        site.pass(TimeDelta::minutes(31));
        assert_eq!(maria.get("/settings/tokens").status, 200, "{}", site.now());
    }
    site.pass(TimeDelta::minutes(31));
    assert_eq!(maria.get("/settings/tokens").header("location"), "/login?why=ended&next=%2Fsettings%2Ftokens");

    assert_eq!(maria.sign_in("maria@example.com", PASSWORD).status, 303);
    site.pass(TimeDelta::minutes(61));
    assert_eq!(maria.get("/settings/tokens").status, 303);
}

#[test]
fn signing_in_makes_a_new_key_and_signing_out_ends_it() {
    let site = Site::start();
    let maria = site.owner();
    let first = maria.cookie("hallpass").unwrap();
    maria.sign_in("maria@example.com", PASSWORD);
    let second = maria.cookie("hallpass").unwrap();
    assert_ne!(first, second);
    let thief = site.visitor();
    thief.set_cookie("hallpass", &first);
    assert_eq!(thief.get("/settings/tokens").status, 303, "the former key is dead");

    let form = maria.get("/settings/tokens").form("/logout");
    assert_eq!(maria.post("/logout", &form).header("location"), "/login?why=out");
    thief.set_cookie("hallpass", &second);
    assert_eq!(thief.get("/settings/tokens").status, 303);
}

#[test]
fn disabling_an_account_ends_its_sessions_and_keeps_it_out() {
    let site = Site::start();
    site.owner();
    let jan = site.person("jan@example.com", Role::Contributor);
    assert_eq!(jan.get("/settings/tokens").status, 200);
    let operator = hallpass::actor::Actor::operator();
    site.app
        .write_now(|tx| {
            let jan = hallpass::account::by_email(tx.conn, "jan@example.com")?.unwrap();
            hallpass::account::disable(tx, &operator, &jan.id)
        })
        .unwrap();
    assert_eq!(jan.get("/settings/tokens").status, 303);
    assert_eq!(site.visitor().sign_in("jan@example.com", PASSWORD).status, 422);
}

#[test]
fn the_last_owner_cannot_be_disabled() {
    let site = Site::start();
    site.owner();
    let refused = site.app.write_now(|tx| {
        let maria = hallpass::account::by_email(tx.conn, "maria@example.com")?.unwrap();
        hallpass::account::disable(tx, &hallpass::actor::Actor::operator(), &maria.id)
    });
    assert_eq!(refused.unwrap_err().to_string(), "This is the last owner. Make another owner first.");
}

#[test]
fn after_signing_in_one_goes_where_one_wanted_to_but_never_to_another_site() {
    let site = Site::start();
    site.owner();
    for (next, to) in [
        ("/settings/tokens?q=ci", "/settings/tokens?q=ci"),
        ("https://evil.example/", "/settings/tokens"),
        ("//evil.example", "/settings/tokens"),
        ("/\\evil.example", "/settings/tokens"),
    ] {
        let visitor = site.visitor();
        let form = visitor.get("/login").form("/login").with(&[
            ("email", "maria@example.com"),
            ("password", PASSWORD),
            ("next", next),
        ]);
        assert_eq!(visitor.post("/login", &form).header("location"), to);
    }
}

#[test]
fn the_theme_is_kept_in_a_cookie() {
    let site = Site::start();
    let maria = site.owner();
    let form = maria.get("/settings/tokens").form("/theme").with(&[("theme", "dark"), ("next", "/settings/tokens")]);
    assert_eq!(maria.post("/theme", &form).header("location"), "/settings/tokens");
    assert_eq!(maria.get("/settings/tokens").attribute("html", "data-theme"), "dark");
}
