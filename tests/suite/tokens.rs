//! Generating, listing and removing tokens by the pages.

use chrono::TimeDelta;
use hallpass::policy::Policy;
use hallpass::types::Role;

use crate::support::{PASSWORD, Site};

#[test]
fn the_value_is_shown_once_and_the_list_shows_how_it_starts() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria
        .token_form("ci-deploy", &["zones:listZones"])
        .with(&[("lifetime", "90"), ("description", "for the pipeline")]);
    let page = maria.post("/settings/tokens/new", &form);
    for part in ["ci-deploy", "1 method, read only", "21 Feb 2027 (in 90 days)", "Password for maria@example.com"] {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    let revealed = maria.confirm(&page, "/settings/tokens/new/confirm");
    assert_eq!((revealed.header("cache-control"), revealed.header("content-encoding")), ("no-store", ""));
    let value = revealed.attribute("#value", "value");
    assert_eq!(value.len(), 45);
    assert!(revealed.text().contains("curl -H 'Authorization: Bearer"), "{}", revealed.text());
    assert!(revealed.text().contains("https://dns.example.org/api/v1/zones"));

    let list = maria.get("/settings/tokens");
    assert!(!list.body.contains(&value));
    for part in [
        "ci-deploy",
        &value[..8],
        "for the pipeline",
        "Custom",
        "1 method",
        "21 Feb 2027",
        "in 90 days",
        "never",
        "Active",
        "Your limit is 50",
        "Europe/Berlin",
    ] {
        assert!(list.text().contains(part), "{part} in {}", list.text());
    }
}

#[test]
fn the_value_comes_back_as_a_file_for_who_holds_the_page() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let page = maria.post("/settings/tokens/new", &maria.token_form("a/b \"c\"", &["zones:listZones"]));
    let revealed = maria.confirm(&page, "/settings/tokens/new/confirm");
    let form = revealed.form("/settings/tokens/value.txt");
    let file = maria.post("/settings/tokens/value.txt", &form);
    assert_eq!(file.body, revealed.attribute("#value", "value"));
    assert_eq!(file.header("content-disposition"), "attachment; filename=\"a-b--c.token.txt\"");
    assert_eq!(file.header("cache-control"), "no-store");
}

#[test]
fn each_wrong_field_of_the_form_has_its_sentence_and_all_that_was_typed_stays() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("taken", &["zones:listZones"]);
    let long = "n".repeat(101);
    let many = "zones:a\n".repeat(129);
    for (name, value, field, part) in [
        ("name", "", "name", "Give the token a name"),
        ("name", "  ", "name", "Give the token a name"),
        ("name", "taken", "name", "already has a token with this name"),
        ("name", long.as_str(), "name", "up to 100 characters; this has 101"),
        ("name", "a\u{202e}b", "name", "control characters"),
        ("name", "a\u{0}b", "name", "control characters"),
        ("expires_at", "2026-11-22", "expires_at", "in the past"),
        ("expires_at", "31-02-2027", "expires_at", "not a day of the calendar"),
        ("expires_at", "2027-11-24", "expires_at", "allows up to 1 year"),
        ("expires_at", "", "expires_at", "Choose the day"),
        ("m", "zones:nothing", "m", "There is no method or service “zones:nothing”"),
        ("m", "", "m", "Choose at least one method"),
        ("set", "none", "m", "There is no access set “none”"),
        ("allow", "example.org", "allow", "SERVICE:ID"),
        ("allow", "nothing:x", "allow", "nothing:*"),
        ("allow", many.as_str(), "allow", "up to 128 entries; this has 129"),
        ("ip_allow", "10.0.0.0/33", "ip_allow", "not an address or network"),
        ("rate_per_minute", "-1", "rate_per_minute", "whole number"),
    ] {
        let form = maria.token_form("ci", &["zones:listZones"]).with(&[
            ("lifetime", "custom"),
            ("expires_at", "2026-12-24"),
            ("description", "kept"),
        ]);
        let refused = maria.post("/settings/tokens/new", &form.with(&[(name, value)]));
        assert_eq!(refused.status, 422, "{name} {value}");
        let sentence = refused.error_of(field);
        assert!(sentence.contains(part), "{name}={value:.40}: {sentence}");
        assert!(refused.form("/settings/tokens/new").0.contains(&("description".into(), "kept".into())));
    }
    assert_eq!(site.texts("SELECT name AS text FROM tokens"), ["taken"]);
}

#[test]
fn a_name_of_100_characters_emoji_or_html_is_a_name() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    for name in ["n".repeat(100), "🚀 деплой".into(), "<script>alert(1)</script>".into()] {
        maria.generate(&name, &["zones:listZones"]);
        let list = maria.get("/settings/tokens");
        assert!(list.text().contains(&name));
        assert!(!list.body.contains("<script>alert"));
    }
}

#[test]
fn a_ticked_service_means_its_methods_of_today() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria.token_form("ci", &[]).and("service", "pdns/keys");
    let value = maria.generate_from(&form);
    assert_eq!(site.verify(&value, "POST", "/api/v1/zones/a/keys").header("x-hallpass-method"), "keys:createKey");
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 403);
    assert_eq!(site.texts("SELECT scopes AS text FROM tokens"), ["pdns/keys:createKey\npdns/keys:listKeys"]);
}

#[test]
fn without_javascript_the_filter_hides_rows_and_keeps_ticks() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria.token_form("ci", &["keys:createKey"]).with(&[("mq", "list all zones"), ("do", "filter")]);
    let page = maria.post("/settings/tokens/new", &form);
    assert_eq!(page.status, 200);
    let filled = page.form("/settings/tokens/new");
    assert!(filled.0.contains(&("m".into(), "keys:createKey".into())), "{filled:?}");
    let html = page.html();
    let rows = scraper::Selector::parse("li.m:not([hidden]) input[name=m]").unwrap();
    let shown = html.select(&rows);
    assert_eq!(shown.map(|input| input.attr("value").unwrap().to_owned()).collect::<Vec<_>>(), ["zones:listZones"]);
}

#[test]
fn the_sentence_under_the_expiry_names_day_zone_and_policy() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let of = |query: &str| maria.get(&format!("/settings/tokens/expiry?{query}")).body;
    assert!(of("lifetime=90&expires_at=").contains("Stops working on Sunday, 21 February 2027 at 23:59, Europe/Berlin time, 90 days from now. The policy allows up to 1 year."));
    assert!(of("lifetime=custom&expires_at=24-12-2026").contains("Thursday, 24 December 2026 at 23:59"));
    assert!(of("lifetime=never&expires_at=").contains("does not allow tokens without an expiry"));
    assert!(of("lifetime=custom&expires_at=yesterday").contains("is not a day"));
}

#[test]
fn a_token_ends_with_its_chosen_day_in_the_person_s_zone() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form =
        maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "custom"), ("expires_at", "2026-11-23")]);
    let value = maria.generate_from(&form);
    // 23:59:59 in Berlin is 22:59:59 UTC; the test begins at 09:40.
    site.pass(TimeDelta::hours(13) + TimeDelta::minutes(19) + TimeDelta::milliseconds(58_999));
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
    site.pass(TimeDelta::milliseconds(1));
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 401);
}

#[test]
fn without_an_expiry_only_where_the_policy_allows_it() {
    let site = Site::with(Policy { allow_never: true, ..Policy::default() });
    let maria = site.owner_with_zones();
    let page = maria
        .post("/settings/tokens/new", &maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "never")]));
    assert!(page.text().contains("This token will work until somebody removes it."), "{}", page.text());
    let value = maria.confirm(&page, "/settings/tokens/new/confirm").attribute("#value", "value");
    site.pass(TimeDelta::days(4000));
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
}

#[test]
fn an_account_has_as_many_tokens_as_the_policy_says() {
    let site = Site::with(Policy { tokens_per_account: 2, ..Policy::default() });
    let maria = site.owner_with_zones();
    maria.generate("one", &["zones:listZones"]);
    maria.generate("two", &["zones:listZones"]);
    let page = maria.post("/settings/tokens/new", &maria.token_form("three", &["zones:listZones"]));
    let refused = maria.confirm(&page, "/settings/tokens/new/confirm");
    assert_eq!(refused.status, 422);
    assert_eq!(refused.error_of("name"), "You have 2 of 2 tokens. Remove one to generate another.");
    assert!(refused.form("/settings/tokens/new").0.contains(&("name".into(), "three".into())), "nothing is lost");
    assert!(maria.get("/settings/tokens").text().contains("You have 2 of 2 tokens."));
}

#[test]
fn a_method_that_needs_a_higher_role_is_neither_offered_nor_given() {
    let site = Site::start();
    let maria = site.owner();
    maria.import("pdns", crate::support::ZONES, &[("least_roles", "admin zones:deleteZone")]);
    let jan = site.person("jan@example.com", Role::Contributor);
    let form = jan.get("/settings/tokens/new");
    assert!(!form.body.contains("zones:deleteZone") && form.body.contains("zones:listZones"));
    let refused = jan.post("/settings/tokens/new", &jan.token_form("ci", &["zones:deleteZone"]));
    assert_eq!(refused.error_of("m"), "zones:deleteZone needs the role admin.");
    let service = jan.generate_from(&jan.token_form("service", &[]).and("service", "pdns/zones"));
    assert_eq!(site.verify(&service, "PATCH", "/api/v1/zones/a").status, 200);
    assert_eq!(site.verify(&service, "DELETE", "/api/v1/zones/a").status, 403);
    let value = jan.generate_from(&jan.token_form("all", &[]).with(&[("set", "full-access")]));
    assert_eq!(site.verify(&value, "DELETE", "/api/v1/zones/a").status, 403, "a wildcard does not reach it either");
    assert_eq!(site.verify(&value, "PATCH", "/api/v1/zones/a").status, 200);
}

#[test]
fn a_viewer_looks_but_generates_nothing() {
    let site = Site::start();
    site.owner_with_zones();
    let eve = site.person("eve@example.com", Role::Viewer);
    assert!(eve.get("/settings/tokens").text().contains("Your role may look at tokens but not generate any."));
    let refused = eve.get("/settings/tokens/new");
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("This needs the role token creator; yours is viewer."), "{}", refused.text());
}

#[test]
fn another_s_token_is_as_missing_as_one_that_never_was() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("hers", &["zones:listZones"]);
    let id = maria.id_of("hers");
    let jan = site.person("jan@example.com", Role::Contributor);
    let form = jan.get("/settings/tokens").form("/settings/tokens/action").with(&[("do", "remove")]);
    let foreign = jan.post("/settings/tokens/action", &form.clone().and("id", &id));
    let missing = jan.post("/settings/tokens/action", &form.clone().and("id", "01a2069f-0000-7000-8000-000000000000"));
    assert_eq!((foreign.status, missing.status), (404, 404));
    assert_eq!(foreign.text(), missing.text());
    assert_eq!(site.texts("SELECT name AS text FROM tokens WHERE removed_at IS NULL"), ["hers"]);
}

#[test]
fn removing_is_all_or_nothing_under_one_password() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let one = maria.generate("one", &["zones:listZones"]);
    let two = maria.generate("two", &["zones:listZones"]);
    assert_eq!(site.verify(&two, "GET", "/api/v1/zones").status, 200);
    hallpass::jobs::flush_usage(&site.app).unwrap();
    let form = maria.get("/settings/tokens").form("/settings/tokens/action").with(&[("do", "remove")]);
    let nothing = maria.post("/settings/tokens/action", &form);
    assert_eq!(nothing.status, 422);
    assert!(nothing.text().contains("Select at least one token to remove."));

    let form = form.and("id", &maria.id_of("one")).and("id", &maria.id_of("two"));
    let page = maria.post("/settings/tokens/action", &form);
    for part in [
        "Remove 2 tokens?",
        "fail at once with error 401",
        "Never used",
        "Used just now",
        "Something still depends on it.",
        "Keep tokens",
    ] {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    let done = maria.confirm(&page, "/settings/tokens/remove");
    assert_eq!(done.header("location"), "/settings/tokens");
    assert!(maria.get("/settings/tokens").text().contains("Removed 2 tokens."));
    for value in [&one, &two] {
        assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 401);
    }
    let again =
        maria.post("/settings/tokens/remove", &page.form("/settings/tokens/remove").with(&[("password", PASSWORD)]));
    assert_eq!(again.status, 303);
    assert!(maria.get("/settings/tokens").text().contains("nothing was done again"));
    maria.generate("one", &["zones:listZones"]);
}

#[test]
fn one_of_several_that_is_gone_keeps_the_others() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let kept = maria.generate("kept", &["zones:listZones"]);
    maria.generate("gone", &["zones:listZones"]);
    let form = maria.get("/settings/tokens").form("/settings/tokens/action").with(&[("do", "remove")]);
    let form = form.and("id", &maria.id_of("kept")).and("id", &maria.id_of("gone"));
    let page = maria.post("/settings/tokens/action", &form);
    maria.remove("gone");
    assert_eq!(maria.confirm(&page, "/settings/tokens/remove").status, 303);
    assert!(maria.get("/settings/tokens").text().contains("Nothing was changed: select again."));
    assert_eq!(site.verify(&kept, "GET", "/api/v1/zones").status, 200);
}

#[test]
fn the_list_filters_searches_sorts_and_pages() {
    let site = Site::with(Policy { tokens_per_account: 200, ..Policy::default() });
    let maria = site.owner_with_zones();
    let soon = maria.token_form("soon", &["zones:listZones"]).with(&[("lifetime", "7")]);
    maria.generate_from(&soon);
    site.pass(TimeDelta::seconds(1));
    let value = maria.generate("Ключ", &["zones:listZones"]);
    for n in 0..60 {
        site.pass(TimeDelta::seconds(1));
        maria.generate(&format!("bulk-{n:02}"), &["zones:listZones"]);
    }
    let names = |path: &str| -> Vec<String> {
        let html = maria.get(path).html();
        html.select(&scraper::Selector::parse("tbody .name").unwrap()).map(|e| e.text().collect()).collect()
    };
    assert_eq!(names("/settings/tokens?q=%D0%BA%D0%BB%D1%8E%D1%87"), ["Ключ"], "letters outside ASCII fold as well");
    assert_eq!(names(&format!("/settings/tokens?q={}", &value[..8])), ["Ключ"]);
    assert_eq!(names("/settings/tokens?q=07+bulk"), ["bulk-07"]);
    assert_eq!(names("/settings/tokens?q=%25"), Vec::<String>::new());
    assert_eq!(names("/settings/tokens?status=expiring"), ["soon"]);
    assert_eq!(names("/settings/tokens?sort=expires")[0], "soon");
    assert_eq!(names("/settings/tokens?sort=name")[0], "bulk-00");
    let first = maria.get("/settings/tokens");
    assert_eq!(names("/settings/tokens")[0], "bulk-59");
    let html = first.html();
    let older = html
        .select(&scraper::Selector::parse("a[href*=after]").unwrap())
        .next()
        .unwrap()
        .attr("href")
        .unwrap()
        .to_owned();
    let rest = names(&older);
    assert_eq!((rest.len(), rest[11].as_str()), (12, "soon"));
    assert!(maria.get(&older).text().contains("51 to 62 of 62"), "{}", maria.get(&older).text());
    assert_eq!(names("/settings/tokens?q=hp_").len(), 50, "the beginning of a value is enough");
    for sort in ["name", "-name", "expires", "used", "-created"] {
        let first = maria.get(&format!("/settings/tokens?sort={sort}"));
        let on_two =
            [names(&format!("/settings/tokens?sort={sort}")), names(&first.attribute("a[href*=after]", "href"))]
                .concat();
        let all: std::collections::BTreeSet<_> = on_two.iter().collect();
        assert_eq!((on_two.len(), all.len()), (62, 62), "by {sort} every token is on one page");
    }
    site.pass(TimeDelta::days(8));
    maria.sign_in("maria@example.com", PASSWORD);
    assert_eq!(names("/settings/tokens?status=expired"), ["soon"]);
}
