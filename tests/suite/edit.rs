//! Editing, copying and prefilling tokens by the pages.

use chrono::TimeDelta;
use hallpass::policy::Policy;
use hallpass::types::{Extender, Role};

use crate::support::{PASSWORD, Site, ZONES};

const LIST: (&str, &str) = ("GET", "/api/v1/zones");
const DELETE: (&str, &str) = ("DELETE", "/api/v1/zones/a");

#[test]
fn every_field_can_be_edited_and_holds_from_the_answer_on() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones", "zones:readZone"]);
    maria.edit("ci", |form| {
        form.with(&[
            ("name", "deploy"),
            ("description", "for the pipeline"),
            ("lifetime", "custom"),
            ("expires_at", "2026-12-24"),
            ("m", "zones:readZone"),
            ("allow", "zones:a"),
            ("ip_allow", "127.0.0.1"),
            ("rate_per_minute", "60"),
        ])
    });
    let list = maria.get("/settings/tokens").text();
    for part in ["Saved deploy.", "for the pipeline", "24 Dec 2026", "1 method"] {
        assert!(list.contains(part), "{part} in {list}");
    }
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 403, "narrowed at once");
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones/a").status, 403, "no client address is known here");
    let form = maria.edit_form("deploy");
    for (field, text) in
        [("allow", "zones:a"), ("ip_allow", "127.0.0.1"), ("rate_per_minute", "60"), ("expires_at", "2026-12-24")]
    {
        assert!(form.0.contains(&(field.into(), text.into())), "{field} in {form:?}");
    }
    let actions = site.texts("SELECT action AS text FROM events WHERE subject_kind = 'token' ORDER BY action");
    assert_eq!(actions, ["token.edit", "token.generate"]);
}

#[test]
fn widening_is_said_out_loud_and_an_event_of_its_own() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let address = maria.page_of("ci");
    let form = maria.edit_form("ci").and("m", "zones:deleteZone").and("m", "zones:readZone").and("m", "keys:createKey");
    let page = maria.post(&address, &form);
    let said = "Adds 3 methods, 1 of them can delete: keys:createKey, zones:deleteZone, zones:readZone.";
    assert!(page.text().contains(said), "{}", page.text());
    assert_eq!(site.verify(&value, DELETE.0, DELETE.1).status, 403, "not before the password");
    assert_eq!(maria.confirm(&page, &format!("{address}/confirm")).status, 303);
    assert_eq!(site.verify(&value, DELETE.0, DELETE.1).status, 200);
    let detail = site.texts("SELECT detail AS text FROM events WHERE action = 'token.widen'");
    assert_eq!(detail, [r#"{"added":["pdns/keys:createKey","pdns/zones:deleteZone","pdns/zones:readZone"]}"#]);
}

#[test]
fn a_form_that_is_saved_as_it_was_changes_nothing() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    for (name, set) in [("wild", "full-access"), ("reader", "read-only")] {
        maria.generate_from(&maria.token_form(name, &[]).with(&[("set", set)]));
        let page = maria.post(&maria.page_of(name), &maria.edit_form(name));
        assert!(page.text().contains("Nothing is different from before"), "{name}: {}", page.text());
    }
}

#[test]
fn a_wildcard_is_shown_as_such_and_stays_one() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:*", "keys:listKeys"]);
    let page = maria.get(&maria.page_of("ci"));
    assert!(page.text().contains("Everything in zones and whatever is added to it later"), "{}", page.text());
    let page = maria.post(&maria.page_of("ci"), &maria.edit_form("ci"));
    assert!(page.text().contains("Nothing is different from before"), "{}", page.text());
    // Taken away, and one of its methods ticked in its place.
    maria.edit("ci", |form| form.with(&[("m", "zones:listZones")]));
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 200);
    assert_eq!(site.verify(&value, DELETE.0, DELETE.1).status, 403);
}

#[test]
fn an_expiry_may_be_brought_nearer_by_anybody_and_further_only_as_the_policy_says() {
    let site = Site::with(Policy { extend_expiry: Extender::Admin, ..Policy::default() });
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    jan.generate_from(&jan.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "90")]));
    let address = jan.page_of("ci");
    let to = |person: &crate::support::Person<'_>, day: &str| {
        let form = person.get(&address).form(&address).with(&[("lifetime", "custom"), ("expires_at", day)]);
        person.post(&address, &form)
    };
    let refused = to(&jan, "2027-02-23");
    assert_eq!(refused.status, 422);
    assert!(refused.error_of("expires_at").contains("only administrators"), "{}", refused.text());
    assert_eq!(to(&jan, "2027-02-20").status, 200);
    let page = to(&maria, "2027-02-23");
    assert!(page.text().contains("Works longer, until 23 Feb 2027"), "an administrator may: {}", page.text());
    assert_eq!(
        to(&maria, "2027-11-24").error_of("expires_at"),
        "The policy allows up to 1 year from when its value was generated. Choose an earlier day."
    );
    assert_eq!(to(&maria, "31-02-2027").error_of("expires_at"), "31-02-2027 is not a day of the calendar.");
}

#[test]
fn the_policy_counts_from_the_generation_of_the_value() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate_from(&maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "365")]));
    site.pass(TimeDelta::days(100));
    maria.sign_in("maria@example.com", PASSWORD);
    let address = maria.page_of("ci");
    let later = maria.edit_form("ci").with(&[("lifetime", "custom"), ("expires_at", "2027-11-24")]);
    assert_eq!(maria.post(&address, &later).status, 422, "a year and a day after its generation");
    maria.regenerate("ci", "0");
    assert_eq!(maria.post(&address, &maria.edit_form("ci").with(&[("lifetime", "365")])).status, 200);
}

#[test]
fn an_expired_token_is_edited_but_lives_again_only_with_a_new_value() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate_from(&maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "7")]));
    site.pass(TimeDelta::days(9));
    maria.sign_in("maria@example.com", PASSWORD);
    maria.edit("ci", |form| form.with(&[("description", "was for the pipeline")]));
    let longer = maria.edit_form("ci").with(&[("lifetime", "30"), ("expires_at", "")]);
    let refused = maria.post(&maria.page_of("ci"), &longer);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("Regenerate its value to give it a new expiry."), "{}", refused.text());
}

#[test]
fn a_stale_form_says_who_changed_what_and_keeps_what_was_typed() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    let address = maria.page_of("ci");
    let mine = maria.edit_form("ci").with(&[("description", "typed by me")]);
    let zoe = site.person("zoe@example.com", Role::Owner);
    site.pass(TimeDelta::minutes(4));
    let form = zoe.get(&address).form(&address).with(&[("name", "deploy")]);
    let page = zoe.post(&address, &form);
    let waiting = maria.post(&address, &mine);
    assert_eq!(zoe.confirm(&page, &format!("{address}/confirm")).status, 303);
    site.pass(TimeDelta::minutes(2));

    let stale = maria.post(&address, &mine);
    assert_eq!(stale.status, 422);
    assert!(stale.text().contains("zoe changed this token 2 min ago: Name: deploy, was ci."), "{}", stale.text());
    assert!(stale.form(&address).0.contains(&("description".into(), "typed by me".into())));
    let late = maria.confirm(&waiting, &format!("{address}/confirm"));
    assert_eq!(late.status, 422, "the confirm page was stale as well");
    assert!(late.text().contains("zoe changed this token"), "{}", late.text());
    // The second try is about the new state, and says that the name goes back.
    let page = maria.post(&address, &stale.form(&address));
    assert!(page.text().contains("ci, was deploy"), "{}", page.text());
    assert_eq!(site.verify(&value, LIST.0, LIST.1).header("x-hallpass-token-name"), "deploy");
}

#[test]
fn what_the_api_dropped_or_the_role_lost_is_struck_through_and_leaves_on_save() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    jan.generate("ci", &["zones:listZones", "zones:deleteZone", "search:search"]);
    let smaller = ZONES.replace("deleteZone", "destroyZone");
    let form = maria.get("/admin/apis/pdns/import").form("/admin/apis/pdns/import");
    let preview = maria.upload("/admin/apis/pdns/import", &form, smaller.as_bytes());
    assert_eq!(maria.confirm(&preview, "/admin/apis/import").status, 303);
    let form =
        maria.get("/admin/apis/pdns").form("/admin/apis/pdns/options").with(&[("least_roles", "admin search:*")]);
    let page = maria.post("/admin/apis/pdns/options", &form);
    assert_eq!(maria.confirm(&page, "/admin/apis/pdns/options").status, 303);

    let page = jan.get(&jan.page_of("ci"));
    let html = page.html();
    let lost: Vec<String> = html
        .select(&scraper::Selector::parse("li.lost").unwrap())
        .map(|row| row.text().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(lost.len(), 2, "{lost:?}");
    assert!(lost.iter().any(|row| row.contains("deleteZone") && row.contains("The API no longer has this method")));
    assert!(lost.iter().any(|row| row.contains("search") && row.contains("You no longer have this right")));
    let page = jan.post(&jan.page_of("ci"), &jan.edit_form("ci").with(&[("description", "x")]));
    assert!(page.text().contains("takes away search:search, zones:deleteZone"), "{}", page.text());
}

#[test]
fn another_s_token_can_be_neither_seen_nor_edited_nor_regenerated_nor_copied() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("hers", &["zones:listZones"]);
    let hers = maria.id_of("hers");
    let jan = site.person("jan@example.com", Role::Contributor);
    let form = jan.get("/settings/tokens").form("/theme");
    for id in [hers.as_str(), "01a2069f-0000-7000-8000-000000000000"] {
        let address = format!("/settings/tokens/{id}");
        assert_eq!(jan.get(&address).status, 404);
        assert_eq!(jan.get(&format!("/settings/tokens/new?from={id}")).status, 404);
        assert_eq!(jan.get(&format!("/settings/tokens/expiry?token={id}&lifetime=7")).status, 404);
        for action in ["", "/confirm", "/regenerate", "/regenerate/confirm", "/end-grace", "/end-grace/confirm"] {
            let answer = jan.post(&format!("{address}{action}"), &form.clone().with(&[("password", PASSWORD)]));
            assert!(!answer.body.contains("hers"), "{action}");
            assert!(answer.status == 404 || answer.status == 303, "{action}: {}", answer.status);
        }
        for verb in ["edit", "copy", "disable", "enable", "remove"] {
            let toolbar = jan.get("/settings/tokens").form("/settings/tokens/action").with(&[("do", verb), ("id", id)]);
            assert_eq!(jan.post("/settings/tokens/action", &toolbar).status, 404, "{verb}");
        }
    }
}

#[test]
fn a_copy_has_the_same_settings_a_free_name_and_a_value_of_its_own() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria.token_form("ci", &["zones:listZones"]).with(&[
        ("description", "for the pipeline"),
        ("lifetime", "7"),
        ("allow", "zones:a"),
        ("ip_allow", "10.0.0.0/8"),
        ("rate_per_minute", "9"),
    ]);
    let value = maria.generate_from(&form);
    let asked = maria.ask_for("copy", &["ci"]);
    let to = asked.header("location").to_owned();
    assert_eq!(to, format!("/settings/tokens/new?from={}", maria.id_of("ci")));
    let page = maria.get(&to);
    assert!(page.text().contains("Generate access token from ci"), "{}", page.text());
    let copy = page.form("/settings/tokens/new");
    for (field, text) in [
        ("name", "ci copy"),
        ("description", "for the pipeline"),
        ("lifetime", "90"),
        ("m", "zones:listZones"),
        ("allow", "zones:a"),
        ("ip_allow", "10.0.0.0/8"),
        ("rate_per_minute", "9"),
    ] {
        assert!(copy.0.contains(&(field.into(), text.into())), "{field} in {copy:?}");
    }
    assert!(!page.body.contains(&value));
    assert_ne!(maria.generate_from(&copy), value);
    let third = maria.get(&to).form("/settings/tokens/new");
    assert!(third.0.contains(&("name".into(), "ci copy 2".into())), "{third:?}");
}

#[test]
fn a_link_fills_in_the_form_and_the_page_says_so() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let page = maria.get("/settings/tokens/new?name=backup&m=zones:listZones&m=zones:readZone&expires_at=2026-12-24");
    let form = page.form("/settings/tokens/new");
    for (field, text) in
        [("name", "backup"), ("lifetime", "custom"), ("expires_at", "2026-12-24"), ("m", "zones:readZone")]
    {
        assert!(form.0.contains(&(field.into(), text.into())), "{field} in {form:?}");
    }
    assert!(page.text().contains("This form was filled in by a link."), "{}", page.text());
    let set = maria.get("/settings/tokens/new?set=read-only").form("/settings/tokens/new");
    assert!(set.0.contains(&("set".into(), "read-only".into())));
    let odd = maria.get("/settings/tokens/new?m=zones:nothing");
    assert!(odd.text().contains("also names what is not here: zones:nothing"), "{}", odd.text());
    assert!(!maria.get("/settings/tokens/new").text().contains("filled in by a link"));
}

#[test]
fn a_refused_method_is_ticked_by_the_link_that_allows_it() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let page = maria.get(&format!("{}?allow=zones:deleteZone", maria.page_of("ci")));
    assert!(page.text().contains("zones:deleteZone is ticked below and not saved yet."), "{}", page.text());
    assert!(page.form(&maria.page_of("ci")).0.contains(&("m".into(), "zones:deleteZone".into())));
}

#[test]
fn a_token_generated_as_disabled_works_once_it_is_enabled() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate_from(&maria.token_form("ci", &["zones:listZones"]).with(&[("enabled", "off")]));
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 401);
    maria.edit("ci", |form| form.with(&[("enabled", "on")]));
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 200);
}

#[test]
fn names_of_every_kind_are_taken_shown_and_refused_alike() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let address = maria.page_of("ci");
    let long = "ü".repeat(101);
    for (name, sentence) in [
        ("", "Give the token a name that says what uses it, such as ci-deploy."),
        (long.as_str(), "A name has up to 100 characters; this has 101."),
        ("a\u{202e}b", "A name cannot hold control characters."),
        ("a\nb", "A name cannot hold control characters."),
    ] {
        let refused = maria.post(&address, &maria.edit_form("ci").with(&[("name", name)]));
        assert_eq!((refused.status, refused.error_of("name").as_str()), (422, sentence));
    }
    for name in ["x".repeat(100).as_str(), "🚀 деплой", "<b>x</b> & \"y\"", "שלום עולם", "=cmd()"] {
        let address = address.clone();
        let page = maria.post(&address, &maria.get(&address).form(&address).with(&[("name", name)]));
        assert_eq!(maria.confirm(&page, &format!("{address}/confirm")).status, 303, "{name}");
        assert!(maria.get("/settings/tokens").text().contains(name), "{name}");
        assert!(maria.get(&address).text().contains(name), "{name}");
    }
    maria.generate("other", &["zones:listZones"]);
    let taken = maria.post(&address, &maria.get(&address).form(&address).with(&[("name", "other")]));
    assert!(taken.error_of("name").starts_with("This account already has a token with this name."), "{}", taken.text());
}

#[test]
fn lists_that_are_too_long_or_wrong_are_refused_at_their_field() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let lines = |n: usize| (0..n).map(|n| format!("zones:{n}")).collect::<Vec<_>>().join("\r\n");
    let with =
        |field: &str, text: &str| maria.post(&maria.page_of("ci"), &maria.edit_form("ci").with(&[(field, text)]));
    assert_eq!(with("allow", &lines(128)).status, 200);
    assert_eq!(with("allow", &lines(129)).error_of("allow"), "An allow list has up to 128 entries; this has 129.");
    let refused = with("ip_allow", "10.0.0.0/8\r\n10.0.0.0/33\r\n\r\nhere\r\n2001:db8::/129\r\nthere");
    assert_eq!(
        refused.error_of("ip_allow"),
        "Line 2: “10.0.0.0/33” is not an address or network, such as 10.4.0.17 or 2001:db8::/32. \
         Line 4: “here” is not an address or network, such as 10.4.0.17 or 2001:db8::/32. \
         Line 5: “2001:db8::/129” is not an address or network, such as 10.4.0.17 or 2001:db8::/32. \
         And 1 more line."
    );
    assert!(with("rate_per_minute", "0").error_of("rate_per_minute").contains("from 1 to 1,000,000"));
}

#[test]
fn no_way_back_to_a_form_hides_what_somebody_else_changed() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let zoe = site.person("zoe@example.com", Role::Owner);
    maria.generate("ci", &["zones:listZones", "zones:deleteZone"]);
    let address = maria.page_of("ci");
    let mine = maria.edit_form("ci").with(&[("description", "typed")]);
    let waiting = maria.post(&address, &mine);
    let narrowed = zoe.get(&address).form(&address).with(&[("m", "zones:listZones")]);
    let page = zoe.post(&address, &narrowed);
    assert_eq!(zoe.confirm(&page, &format!("{address}/confirm")).status, 303);
    let action = format!("{address}/confirm");
    for back in [
        maria.post(&address, &mine.clone().and("do", "filter")),
        maria.post(&action, &waiting.form(&action).and("do", "back")),
    ] {
        assert_eq!(back.status, 422);
        assert!(
            back.text().contains("zoe changed this token just now: Methods: takes away zones:deleteZone."),
            "{}",
            back.text()
        );
        assert!(back.form(&address).0.contains(&("description".into(), "typed".into())));
    }
}

#[test]
fn a_widening_that_was_asked_for_in_time_does_not_revive_an_expired_token() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate_from(
        &maria.token_form("ci", &["zones:listZones"]).with(&[("lifetime", "custom"), ("expires_at", "2026-11-23")]),
    );
    // Five minutes before its last second, 22:59:59 UTC.
    site.pass(TimeDelta::minutes(13 * 60 + 15));
    maria.sign_in("maria@example.com", PASSWORD);
    let address = maria.page_of("ci");
    let page = maria.post(&address, &maria.edit_form("ci").with(&[("lifetime", "30")]));
    site.pass(TimeDelta::minutes(6));
    let late = maria.confirm(&page, &format!("{address}/confirm"));
    assert_eq!(late.status, 422);
    assert!(late.text().contains("Regenerate its value to give it a new expiry."), "{}", late.text());
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 401);
}

#[test]
fn a_name_beside_an_allow_list_and_a_new_wildcard_count_as_widening() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria
        .generate_from(&maria.token_form("ci", &["zones:*"]).with(&[("allow", "zones:a"), ("rate_per_minute", "5")]));
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 403, "a wildcard does not carry a listing past the list");
    let address = maria.page_of("ci");
    let page = maria.post(&address, &maria.edit_form("ci").with(&[("m", "zones:listZones"), ("rate_per_minute", "9")]));
    for said in ["Adds 1 method: zones:listZones.", "May ask 9 times a minute, not 5."] {
        assert!(page.text().contains(said), "{said} in {}", page.text());
    }
    assert_eq!(maria.confirm(&page, &format!("{address}/confirm")).status, 303);
    assert_eq!(site.verify(&value, LIST.0, LIST.1).status, 200);
    site.pass(TimeDelta::seconds(1));
    maria.edit("ci", |form| form.with(&[("m", "zones:*"), ("allow", "")]));
    let details = site.texts("SELECT detail AS text FROM events WHERE action = 'token.widen' ORDER BY id");
    assert_eq!(details.first().map(String::as_str), Some(r#"{"added":["pdns/zones:listZones"]}"#));
    assert!(details.get(1).is_some_and(|detail| detail.contains(r#""pdns/zones:*""#)), "{details:?}");
}

#[test]
fn the_same_rights_in_another_order_are_no_change() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate_from(&maria.token_form("ci", &[]).with(&[("set", "read-only")]));
    let read: [&str; 4] = ["zones:readZone", "search:search", "zones:listZones", "keys:listKeys"];
    let form =
        read.iter().fold(maria.edit_form("ci").with(&[("set", "custom")]).without("m"), |form, m| form.and("m", m));
    let page = maria.post(&maria.page_of("ci"), &form);
    assert!(page.text().contains("Nothing is different from before"), "{}", page.text());
}

#[test]
fn an_administrator_changes_nobody_s_token_who_is_above_them_and_makes_no_value_of_another() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let ada = site.person("ada@example.com", Role::Admin);
    let jan = site.person("jan@example.com", Role::Contributor);
    maria.generate("hers", &["zones:listZones"]);
    jan.generate("his", &["zones:listZones"]);
    let edit = |address: &str| {
        let form = ada.get(address).form(address).with(&[("description", "by ada")]);
        let page = ada.post(address, &form);
        ada.confirm(&page, &format!("{address}/confirm"))
    };
    let (hers, his) = (maria.page_of("hers"), jan.page_of("his"));
    let refused = edit(&hers);
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("is above yours"), "{}", refused.text());
    assert_eq!(edit(&his).status, 303);
    for address in [&hers, &his] {
        assert!(!ada.get(address).text().contains("Regenerate value"));
        let action = format!("{address}/regenerate");
        let form = ada.get(address).form("/theme").with(&[("grace", "0")]);
        assert_eq!(ada.post(&action, &form).status, 403, "the value would act as its owner");
    }
    // An owner may: they may generate for others as well.
    let action = format!("{his}/regenerate");
    let page = maria.post(&action, &maria.get(&his).form(&action).with(&[("grace", "0")]));
    assert_eq!(maria.confirm(&page, &format!("{action}/confirm")).status, 200);
}

#[test]
fn a_copy_that_a_link_changes_says_so() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let from = format!("/settings/tokens/new?from={}", maria.id_of("ci"));
    assert!(!maria.get(&from).text().contains("filled in by a link"));
    assert!(maria.get(&format!("{from}&m=*")).text().contains("This form was filled in by a link."));
}
