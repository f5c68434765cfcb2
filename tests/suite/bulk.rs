//! What the list does to one or many tokens, and finding one by a pasted value.

use chrono::TimeDelta;
use hallpass::policy::Policy;

use crate::support::{PASSWORD, Person, Site};

const LIST: (&str, &str) = ("GET", "/api/v1/zones");

#[test]
fn disabling_holds_at_once_and_until_enabling() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let values = ["one", "two"].map(|name| maria.generate(name, &["zones:listZones"]));
    maria.press("disable", &["one"]);
    let page = maria.ask_for("disable", &["one", "two"]);
    for part in ["Disable 2 tokens?", "fail at once with error 401, until you enable", "1 of them is disabled already"]
    {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    assert_eq!(maria.confirm(&page, "/settings/tokens/disable").status, 303);
    assert!(maria.get("/settings/tokens").text().contains("Disabled the token two."));
    assert_eq!([&values[0], &values[1]].map(|value| site.verify(value, LIST.0, LIST.1).status), [401, 401]);
    maria.press("enable", &["one", "two"]);
    assert_eq!([&values[0], &values[1]].map(|value| site.verify(value, LIST.0, LIST.1).status), [200, 200]);
}

#[test]
fn a_button_pressed_with_the_wrong_number_of_rows_says_so() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    for name in ["one", "two"] {
        maria.generate(name, &["zones:listZones"]);
    }
    for verb in ["edit", "copy"] {
        for names in [&[][..], &["one", "two"]] {
            let refused = maria.ask_for(verb, names);
            assert_eq!(refused.status, 422);
            assert!(refused.text().contains(&format!("Select one token to {verb}.")), "{}", refused.text());
        }
    }
    for verb in ["disable", "enable", "remove"] {
        let refused = maria.ask_for(verb, &[]);
        assert!(refused.text().contains(&format!("Select at least one token to {verb}.")), "{}", refused.text());
    }
    let form = maria.get("/settings/tokens").form("/settings/tokens/action").with(&[("do", "explode")]);
    assert_eq!(maria.post("/settings/tokens/action", &form).status, 422);
}

#[test]
fn all_that_match_are_chosen_by_the_filter_and_not_by_their_rows() {
    let site = Site::with(Policy { tokens_per_account: 200, ..Policy::default() });
    let maria = site.owner_with_zones();
    let kept = maria.generate("kept", &["zones:listZones"]);
    for n in 0..60 {
        maria.generate(&format!("bulk-{n:02}"), &["zones:listZones"]);
    }
    let page = maria.get("/settings/tokens?q=bulk");
    assert!(page.text().contains("Select all 60 that match, not only this page"), "{}", page.text());
    let form = page.form("/settings/tokens/action").with(&[("do", "remove"), ("all", "match")]);
    let page = maria.post("/settings/tokens/action?q=bulk", &form);
    assert!(page.text().contains("Remove 60 tokens?"), "{}", page.text());
    // What is made in the meantime was not confirmed.
    maria.generate("bulk-late", &["zones:listZones"]);
    let done = maria.confirm(&page, "/settings/tokens/remove");
    assert_eq!((done.status, done.header("location")), (303, "/settings/tokens"));
    assert_eq!(
        site.texts("SELECT name AS text FROM tokens WHERE removed_at IS NULL ORDER BY name"),
        ["bulk-late", "kept"]
    );
    assert_eq!(site.verify(&kept, LIST.0, LIST.1).status, 200);
}

#[test]
fn more_than_ten_thousand_rows_are_refused() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("one", &["zones:listZones"]);
    let mut form = maria.get("/settings/tokens").form("/settings/tokens/action").with(&[("do", "remove")]);
    form.0.extend((0..10_001).map(|n| ("id".to_owned(), format!("01a2069f-0000-7000-8000-{n:012}"))));
    let refused = maria.post("/settings/tokens/action", &form);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("Select up to 10,000 tokens to remove at once."), "{}", refused.text());
}

fn find(person: &Person<'_>, text: &str) -> (String, String) {
    let form = person.get("/settings/tokens").form("/settings/tokens/find").with(&[("q", text)]);
    let to = person.post("/settings/tokens/find", &form).header("location").to_owned();
    let text = person.get(&to).text();
    (to, text)
}

#[test]
fn a_pasted_value_finds_its_token_and_is_in_no_address() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let old = maria.generate("ci", &["zones:listZones"]);
    maria.generate("other", &["zones:listZones"]);
    let (to, text) = find(&maria, &format!(" {old} "));
    assert_eq!(to, format!("/settings/tokens?q={}", &old[..8]));
    assert!(text.contains("The pasted value is that of ci."), "{text}");
    assert!(text.contains("1 of 2 tokens"), "{text}");

    let new = maria.regenerate("ci", "24h");
    assert!(find(&maria, &old).1.contains("is the old one of ci. It works until 24 Nov, 10:40"));
    site.pass(TimeDelta::hours(25));
    maria.sign_in("maria@example.com", PASSWORD);
    assert!(find(&maria, &old).1.contains("is a former one of ci. It stopped 1 h ago."));
    maria.remove("ci");
    assert!(find(&maria, &new).1.contains("was that of ci, which was removed just now. It is dead."));

    let unknown = hallpass::secret::Secret::generate("hp", &hallpass::secret::Random::of_the_machine()).unwrap();
    assert!(
        find(&maria, unknown.reveal()).1.contains("No token that you may see has or had the value that you pasted.")
    );
    // By the address, too, it is out of it with the answer.
    let answer = maria.get(&format!("/settings/tokens?q={}", unknown.reveal()));
    assert_eq!((answer.status, answer.header("location")), (303, "/settings/tokens"));
}

#[test]
fn another_s_value_is_as_unknown_as_one_that_never_was() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let hers = maria.generate("hers", &["zones:listZones"]);
    let jan = site.person("jan@example.com", hallpass::types::Role::Contributor);
    jan.generate("his", &["zones:listZones"]);
    let (to, text) = find(&jan, &hers);
    assert_eq!(to, "/settings/tokens");
    assert!(text.contains("No token that you may see has or had the value that you pasted."), "{text}");
    // An administrator, who may see it, is led to its page.
    let eva = site.person("eva@example.com", hallpass::types::Role::Admin);
    eva.generate("hers", &["zones:listZones"]);
    assert_eq!(find(&eva, &hers).0, maria.page_of("hers"));
}

#[test]
fn words_in_the_search_go_into_the_address() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci deploy", &["zones:listZones"]);
    let (to, text) = find(&maria, "deploy ci");
    assert_eq!(to, "/settings/tokens?q=deploy+ci");
    assert!(text.contains("ci deploy"), "{text}");
}

#[test]
fn a_value_is_found_however_it_was_pasted_and_is_in_no_address() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    for pasted in [format!("Bearer {value}"), format!("TOKEN=\"{value}\""), format!("{value},"), value[..44].to_owned()]
    {
        for page in ["/settings/tokens", "/settings/activity"] {
            let action = format!("{page}/find");
            let form = maria.get(page).form(&action).with(&[("q", &pasted)]);
            let to = maria.post(&action, &form).header("location").to_owned();
            assert!(to.starts_with(&format!("{page}?q=")) && !to.contains(&value[..9]), "{to}");
            assert_eq!(maria.get(&to).status, 200);
        }
    }
}

#[test]
fn a_token_that_is_gone_at_the_confirm_leads_back_with_a_sentence() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    for name in ["kept", "gone"] {
        maria.generate(name, &["zones:listZones"]);
    }
    let page = maria.ask_for("disable", &["kept", "gone"]);
    maria.remove("gone");
    for password in ["wrong", PASSWORD] {
        let form = page.form("/settings/tokens/disable").with(&[("password", password)]);
        assert_eq!(maria.post("/settings/tokens/disable", &form).status, 303);
        let list = maria.get("/settings/tokens").text();
        assert!(list.contains("One of the tokens is no longer there. Nothing was changed: select again."), "{list}");
    }
}
