//! What surrounds every form: its token, its origin, its confirmation, the headers of every answer.

use chrono::TimeDelta;

use hallpass::types::Role;

use crate::support::{Answer, Form, PASSWORD, Person, Site};

#[test]
fn a_form_without_its_token_or_with_another_session_s_changes_nothing() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria.token_form("ci", &["zones:listZones"]);
    let other =
        site.visitor().get("/login").form("/login").0.iter().find(|(name, _)| name == "form_token").unwrap().1.clone();
    for forged in [
        form.clone().without("form_token"),
        form.clone().with(&[("form_token", "forged")]),
        form.clone().with(&[("form_token", &other)]),
    ] {
        let refused = maria.post("/settings/tokens/new", &forged);
        assert_eq!(refused.status, 403);
        assert!(refused.text().contains("too old or was opened in another session"), "{}", refused.text());
    }
    assert_eq!(maria.post("/settings/tokens/new", &form).status, 200, "the form itself is fine");
}

#[test]
fn a_post_that_another_site_started_is_refused() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria.token_form("ci", &["zones:listZones"]);
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
    ] {
        maria.header(name, value);
        let refused = maria.post("/settings/tokens/new", &form);
        assert_eq!(refused.status, 403, "{name}: {value}");
        assert!(refused.text().contains("another site"), "{}", refused.text());
        maria.without_header(name);
    }
    maria.header("origin", site.url("").trim_end_matches('/'));
    assert_eq!(maria.post("/settings/tokens/new", &form).status, 200, "from a page of our own it passes");
}

#[test]
fn a_confirmation_posted_twice_makes_one_token_and_shows_its_value_once() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let page = maria.post("/settings/tokens/new", &maria.token_form("ci", &["zones:listZones"]));
    let form = page.form("/settings/tokens/new/confirm").with(&[("password", PASSWORD)]);
    let value = maria.post("/settings/tokens/new/confirm", &form).attribute("#value", "value");
    let again = maria.post("/settings/tokens/new/confirm", &form);
    assert!(again.text().contains("already shown"), "{}", again.text());
    assert!(!again.body.contains(&value));
    assert_eq!(site.texts("SELECT name AS text FROM tokens"), ["ci"]);
}

#[test]
fn a_confirmation_of_another_session_action_or_older_than_ten_minutes_is_none() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let confirm = "/settings/tokens/new/confirm";
    let page = maria.post("/settings/tokens/new", &maria.token_form("ci", &["zones:listZones"]));
    let key = page.form(confirm).0.iter().find(|(name, _)| name == "confirm").unwrap().1.clone();

    let elsewhere = site.visitor();
    elsewhere.sign_in("maria@example.com", PASSWORD);
    let fields = |person: &crate::support::Person<'_>| {
        person
            .get("/settings/tokens/new")
            .form("/settings/tokens/new")
            .with(&[("confirm", &key), ("password", PASSWORD)])
    };
    assert_eq!(elsewhere.post(confirm, &fields(&elsewhere)).status, 409);
    let other_action = maria.post("/settings/tokens/remove", &fields(&maria));
    assert_eq!(other_action.status, 303, "a removal with it only leads back to the list");
    site.pass(TimeDelta::minutes(10));
    assert_eq!(maria.post(confirm, &page.form(confirm).with(&[("password", PASSWORD)])).status, 409);
    assert!(site.texts("SELECT name AS text FROM tokens").is_empty());
}

#[test]
fn two_confirmations_at_the_same_moment_make_one_token() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let page = maria.post("/settings/tokens/new", &maria.token_form("ci", &["zones:listZones"]));
    let form = page.form("/settings/tokens/new/confirm").with(&[("password", PASSWORD)]);
    let revealed: usize = std::thread::scope(|scope| {
        let posts: Vec<_> = (0..4).map(|_| scope.spawn(|| maria.post("/settings/tokens/new/confirm", &form))).collect();
        posts.into_iter().map(|post| usize::from(post.join().unwrap().body.contains("id=\"value\""))).sum()
    });
    assert_eq!(revealed, 1);
    assert_eq!(site.texts("SELECT name AS text FROM tokens"), ["ci"]);
}

#[test]
fn going_back_from_the_confirmation_loses_nothing() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria.token_form("ci", &["zones:listZones", "keys:createKey"]).with(&[
        ("description", "for the pipeline"),
        ("lifetime", "30"),
        ("allow", "zones:example.org."),
        ("ip_allow", "10.0.0.0/8\n2001:db8::1"),
        ("rate_per_minute", "60"),
    ]);
    let page = maria.post("/settings/tokens/new", &form);
    let back = maria.post("/settings/tokens/new/confirm", &page.form("/settings/tokens/new/confirm").and("do", "back"));
    let filled = back.form("/settings/tokens/new");
    for (name, value) in [
        ("name", "ci"),
        ("description", "for the pipeline"),
        ("expires_at", "2026-12-23"),
        ("allow", "zones:example.org."),
        ("ip_allow", "10.0.0.0/8\n2001:db8::1"),
        ("rate_per_minute", "60"),
        ("m", "zones:listZones"),
        ("m", "keys:createKey"),
    ] {
        assert!(filled.0.contains(&(name.into(), value.into())), "{name} {value} in {filled:?}");
    }
}

#[test]
fn every_answer_has_the_headers_that_keep_a_page_to_itself() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    for path in [
        "/settings/tokens",
        "/login",
        "/nothing-here",
        "/admin/apis/none",
        "/healthz",
        "/verify",
        "/assets/0/app.css",
        "/assets/0/none",
    ] {
        let answer = maria.get(path);
        assert!(
            answer.header("content-security-policy").starts_with("default-src 'none'; script-src 'self'"),
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
    }
}

#[test]
fn a_missing_page_says_so_in_the_frame_of_whoever_looks() {
    let site = Site::start();
    let maria = site.owner();
    let missing = maria.get("/nothing-here");
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("There is no such page"), "{}", missing.text());
    assert!(missing.body.contains("Maria Keller"));
    assert!(!site.visitor().get("/nothing-here").body.contains("Maria Keller"));
}

#[test]
fn a_form_larger_than_a_megabyte_is_refused_with_a_sentence() {
    let site = Site::start();
    let maria = site.owner();
    let form = Form(vec![("name".into(), "x".repeat(1_200_000))]);
    let refused = maria.post("/settings/tokens/new", &form);
    assert_eq!(refused.status, 413);
    assert!(refused.text().contains("1 MB"), "{}", refused.text());
}

#[test]
fn a_nul_in_any_field_is_the_sender_s_mistake_on_both_databases() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let nul = "a\0b";
    let token =
        maria.get("/settings/tokens").form("/theme").0.into_iter().find(|(name, _)| name == "form_token").unwrap();
    for (path, fields) in [
        ("/login", ["email", "password", "next", "time_zone"].as_slice()),
        ("/theme", &["theme", "next"]),
        ("/settings/tokens/action?q=%00&after=%00&sort=%00", &["do", "id"]),
        ("/settings/tokens/remove", &["confirm", "id", "password"]),
        ("/settings/profile", &["name", "time_zone", "date_style", "theme"]),
        ("/settings/sessions/end", &["id", "do", "confirm"]),
        (
            "/settings/tokens/new",
            &[
                "name",
                "description",
                "lifetime",
                "expires_at",
                "set",
                "m",
                "service",
                "allow",
                "ip_allow",
                "rate_per_minute",
            ],
        ),
        ("/settings/tokens/new/confirm", &["confirm", "password"]),
        ("/settings/tokens/value.txt", &["file", "value"]),
        ("/admin/apis/new", &["slug", "text", "hosts", "base_path", "greedy", "kinds", "least_roles", "resources"]),
        ("/admin/apis/pdns/options", &["hosts", "base_path", "greedy", "kinds", "least_roles", "resources"]),
        ("/admin/apis/pdns/sets/new", &["name", "slug", "description", "scopes", "least_role"]),
    ] {
        for field in fields {
            let form = Form(vec![token.clone(), (field.to_string(), nul.into())]);
            let status = maria.post(path, &form).status;
            assert!(status < 500, "{path} {field}: {status}");
        }
    }
    for path in [
        "/settings/tokens?q=%00",
        "/settings/tokens?after=%00",
        "/admin/apis/%00",
        "/admin/apis/pdns?q=%00",
        "/settings/tokens/expiry?lifetime=%00",
    ] {
        let status = maria.get(path).status;
        assert!(status < 500, "{path}: {status}");
    }
}

const NEW: &str = "/settings/tokens/new";
const CONFIRM: &str = "/settings/tokens/new/confirm";

/// A form with something in each of its parts.
fn filled(maria: &Person<'_>) -> Form {
    maria.token_form("ci <\"&> é", &["zones:listZones", "keys:createKey"]).with(&[
        ("description", "line & line"),
        ("ip_allow", "10.0.0.0/8\n2001:db8::1"),
        ("rate_per_minute", "60"),
    ])
}

fn sign_in_at(person: &Person<'_>, asked: &Answer, email: &str, password: &str) -> Answer {
    person.post("/login", &asked.form("/login").with(&[("email", email), ("password", password)]))
}

/// Signs in at the page that answered a form, and presses the button that goes on with it.
fn go_on(person: &Person<'_>, asked: &Answer, email: &str, to: &str) -> Answer {
    let resumed = sign_in_at(person, asked, email, PASSWORD);
    assert_eq!(resumed.status, 200, "{}", resumed.text());
    assert!(resumed.text().contains("You are signed in again. Nothing was lost."), "{}", resumed.text());
    person.post(to, &resumed.form(to))
}

fn assert_filled(form: &Form) {
    for (name, value) in [
        ("name", "ci <\"&> é"),
        ("description", "line & line"),
        ("ip_allow", "10.0.0.0/8\n2001:db8::1"),
        ("rate_per_minute", "60"),
        ("m", "zones:listZones"),
        ("m", "keys:createKey"),
    ] {
        let has = |of: &str, typed: &str| of == name && typed.replace("\r\n", "\n") == value;
        assert!(form.0.iter().any(|(of, typed)| has(of, typed)), "{name} {value} in {form:?}");
    }
}

#[test]
fn a_form_sent_after_its_session_has_ended_comes_back_filled_in() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = filled(&maria);
    site.pass(TimeDelta::minutes(61));
    let asked = maria.post(NEW, &form);
    assert_eq!((asked.status, asked.header("cache-control")), (401, "no-store"));
    assert!(
        asked.text().contains("Your session has ended. Sign in again to go on where you were."),
        "{}",
        asked.text()
    );

    let wrong = sign_in_at(&maria, &asked, "maria@example.com", "wrong");
    assert_eq!(wrong.status, 422, "and a wrong password loses nothing");
    let back = go_on(&maria, &wrong, "maria@example.com", NEW);
    assert_eq!(back.status, 200);
    assert_filled(&back.form(NEW));
    assert!(site.texts("SELECT name AS text FROM tokens").is_empty(), "nothing was done without a look at it");
    maria.generate_from(&back.form(NEW));
    assert_eq!(site.texts("SELECT name AS text FROM tokens"), ["ci <\"&> é"]);
}

#[test]
fn signing_out_in_another_tab_loses_no_form_for_htmx_either() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = filled(&maria);
    maria.post("/logout", &maria.get("/settings/tokens").form("/logout"));
    maria.header("hx-request", "true");
    let asked = maria.post(NEW, &form);
    assert_eq!((asked.status, asked.header("hx-retarget"), asked.header("hx-redirect")), (401, "body", ""));
    maria.without_header("hx-request");
    assert_filled(&go_on(&maria, &asked, "maria@example.com", NEW).form(NEW));
    let config = asked.attribute("meta[name=htmx-config]", "content");
    let config: serde_json::Value = serde_json::from_str(&config).unwrap();
    let rules = config["responseHandling"].as_array().unwrap();
    let first = rules.iter().find(|rule| ["401", "[45].."].contains(&rule["code"].as_str().unwrap())).unwrap();
    assert_eq!((first["code"].as_str(), first["swap"].as_bool()), (Some("401"), Some(true)), "htmx swaps it in");
}

#[test]
fn from_a_password_step_one_comes_back_to_the_filled_form() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let step = maria.post(NEW, &filled(&maria)).form(CONFIRM).with(&[("password", PASSWORD)]);
    site.pass(TimeDelta::hours(2));
    hallpass::jobs::prune_all(&site.app).unwrap();
    let asked = maria.post(CONFIRM, &step);
    assert_eq!(asked.status, 401);
    assert!(!asked.body.contains(PASSWORD) && !asked.body.contains("seven+green"), "the password does not go along");
    let back = go_on(&maria, &asked, "maria@example.com", CONFIRM);
    assert_filled(&back.form(NEW));

    let again = maria.post(CONFIRM, &step.with(&[("form_token", &token_of(&maria)), ("password", PASSWORD)]));
    assert_eq!(again.status, 409, "the new session can look at it, and not confirm it");
    assert!(site.texts("SELECT name AS text FROM tokens").is_empty());
    site.pass(TimeDelta::hours(23));
    maria.sign_in("maria@example.com", PASSWORD);
    let late = step_back(&maria, &asked);
    assert_eq!(maria.post(CONFIRM, &late).status, 409, "after a day it is gone");
}

fn token_of(person: &Person<'_>) -> String {
    person.get("/settings/tokens").form("/theme").0.into_iter().find(|(name, _)| name == "form_token").unwrap().1
}

/// The step back that the sign-in page has carried, with a form token of now.
fn step_back(person: &Person<'_>, asked: &Answer) -> Form {
    let kept = asked.attribute("[name=kept]", "value");
    let kept = url::form_urlencoded::parse(kept.as_bytes()).into_owned().collect();
    Form(kept).with(&[("do", "back"), ("form_token", &token_of(person))])
}

#[test]
fn a_used_confirmation_cannot_be_gone_back_to() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let step = maria.post(NEW, &filled(&maria)).form(CONFIRM);
    maria.post(CONFIRM, &step.clone().with(&[("password", PASSWORD)]));
    maria.sign_in("maria@example.com", PASSWORD);
    let back = maria.post(CONFIRM, &step.with(&[("do", "back"), ("form_token", &token_of(&maria))]));
    assert!(back.text().contains("already shown"), "{}", back.text());
}

#[test]
fn somebody_else_who_signs_in_gets_the_typed_fields_and_never_what_waits_for_a_password() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    site.person("jan@example.com", Role::Contributor);
    let (form, step) = (filled(&maria), maria.post(NEW, &filled(&maria)).form(CONFIRM));
    site.pass(TimeDelta::minutes(61));
    let asked = maria.post(CONFIRM, &step);
    let refused = go_on(&maria, &asked, "jan@example.com", CONFIRM);
    assert_eq!(refused.status, 409);
    assert!(!refused.body.contains("line &amp; line") && !refused.body.contains("line &#38; line"));

    site.pass(TimeDelta::minutes(61));
    let back = go_on(&maria, &maria.post(NEW, &form), "jan@example.com", NEW);
    assert_filled(&back.form(NEW));
}

#[test]
fn a_profile_that_somebody_else_typed_is_shown_and_not_saved() {
    let site = Site::start();
    let maria = site.owner();
    site.person("jan@example.com", Role::Contributor);
    let form = maria.get("/settings/profile").form("/settings/profile").with(&[("name", "Maria K.")]);
    site.pass(TimeDelta::minutes(61));
    let asked = maria.post("/settings/profile", &form);
    let back = go_on(&maria, &asked, "jan@example.com", "/settings/profile");
    assert!(back.text().contains("Nothing of this is saved yet."), "{}", back.text());
    let mut names = site.texts("SELECT name AS text FROM accounts");
    names.sort();
    assert_eq!(names, ["Maria Keller", "jan"]);
}

#[test]
fn an_account_that_was_disabled_gets_no_way_back_in() {
    let site = Site::start();
    site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    let form = filled(&jan);
    site.app
        .write_now(|tx| {
            let jan = hallpass::account::by_email(tx.conn, "jan@example.com")?.unwrap();
            hallpass::account::disable(tx, &hallpass::actor::Actor::operator(), &jan.id)
        })
        .unwrap();
    let asked = jan.post(NEW, &form);
    assert_eq!(asked.status, 401);
    assert_eq!(sign_in_at(&jan, &asked, "jan@example.com", PASSWORD).status, 422);
}

#[test]
fn a_kept_form_goes_to_a_changing_page_of_ours_and_nowhere_else() {
    let site = Site::start();
    site.owner_with_zones();
    for to in ["https://evil.example/", "//evil.example/", "/login", "/theme", "/settings/tokens", "/nothing"] {
        let visitor = site.visitor();
        let form = visitor.get("/login").form("/login").with(&[
            ("email", "maria@example.com"),
            ("password", PASSWORD),
            ("kept", "name=a"),
            ("kept_to", to),
        ]);
        let answer = visitor.post("/login", &form);
        assert_eq!((answer.status, answer.header("location")), (303, "/settings/tokens"), "{to}");
    }
}

#[test]
fn nothing_is_kept_of_a_foreign_form_of_a_secret_or_of_one_that_is_too_large() {
    let site = Site::start();
    site.owner_with_zones();
    let stranger = site.visitor();
    let kept = |path: &str, fields: &[(&str, &str)]| {
        let form = Form(Vec::new()).with(fields);
        let answer = stranger.post(path, &form);
        assert!(matches!(answer.status, 303 | 401), "{path}: {}", answer.status);
        answer.status == 401
    };
    assert!(kept(NEW, &[("name", "ci")]));
    assert!(!kept("/settings/tokens/value.txt", &[("file", "ci"), ("value", "hp_secret")]));
    assert!(!kept("/settings/password", &[("password", PASSWORD), ("new_password", PASSWORD), ("username", "maria")]));
    assert!(!kept("/logout", &[("form_token", "x")]));
    assert!(!kept(NEW, &[("name", &"x".repeat(300_000))]));
    stranger.header("sec-fetch-site", "cross-site");
    assert!(!kept(NEW, &[("name", "ci")]));
}

#[test]
fn a_description_s_file_cannot_be_kept_but_the_fields_beside_it_are() {
    let site = Site::start();
    let maria = site.owner();
    let form = maria.get("/admin/apis/new").form("/admin/apis/new").with(&[("slug", "pdns"), ("hosts", "dns.example")]);
    site.pass(TimeDelta::minutes(61));
    let asked = maria.upload("/admin/apis/new", &form, &vec![b'x'; 2_000_000]);
    assert_eq!(asked.status, 401);
    let kept = asked.attribute("[name=kept]", "value");
    assert!(kept.contains("slug=pdns") && kept.contains("hosts=dns.example") && !kept.contains("xxx"), "{kept}");
    let back = go_on(&maria, &asked, "maria@example.com", "/admin/apis/new");
    assert!(back.form("/admin/apis/new").0.contains(&("hosts".into(), "dns.example".into())), "{}", back.text());
}
