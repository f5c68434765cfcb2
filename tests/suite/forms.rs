//! What surrounds every form: its token, its origin, its confirmation, the headers of every answer.

use chrono::TimeDelta;

use crate::support::{Form, PASSWORD, Site};

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
