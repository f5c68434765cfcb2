//! Every page's route as every kind of stranger: the table says who may come, and nobody else gets in.

use hallpass::types::Role;
use hallpass::web::{Guard, ROUTES, Row};

use crate::support::{Answer, Person, Site};

/// The route with its parameters filled in by things that exist.
fn address(row: &Row) -> String {
    let id = "019ab000-0000-7000-8000-000000000000";
    row.path
        .replace("{key}", "no-such-key")
        .replace("{slug}", "pdns")
        .replace("{set}", "own")
        .replace("{id:[0-9a-f-]+}", id)
}

fn come(person: &Person<'_>, row: &Row) -> Answer {
    match row.method {
        "GET" => person.get(&address(row)),
        // With a form token that is right for whoever asks, so that it is the guard which decides.
        _ => {
            let own = person.get("/settings/tokens");
            let page = if own.status == 200 { own } else { person.get("/login") };
            person.post(&address(row), &page.form("/theme"))
        }
    }
}

#[test]
fn nobody_gets_past_a_sign_in_without_a_session() {
    let site = Site::start();
    site.owner_with_zones();
    let stranger = site.visitor();
    let forged = site.visitor();
    forged.set_cookie("hallpass", "forged");
    for row in ROUTES.iter().filter(|row| row.guard != Guard::Visitor) {
        for person in [&stranger, &forged] {
            let answer = come(person, row);
            match row.method {
                "GET" => {
                    assert_eq!(answer.status, 303, "{row:?}");
                    assert!(answer.header("location").starts_with("/login"), "{row:?}");
                }
                // What was typed goes along through signing in.
                _ => {
                    assert_eq!(answer.status, 401, "{row:?}");
                    assert_eq!(answer.attribute("form[action='/login'] [name=kept_to]", "value"), address(row));
                }
            }
        }
    }
}

#[test]
fn administration_is_not_there_for_anybody_below_admin() {
    let site = Site::start();
    site.owner_with_zones();
    for (email, role) in
        [("v@example.com", Role::Viewer), ("t@example.com", Role::TokenCreator), ("c@example.com", Role::Contributor)]
    {
        let person = site.person(email, role);
        for row in ROUTES.iter().filter(|row| row.guard == Guard::Administrator) {
            assert_eq!(come(&person, row).status, 404, "{role} {row:?}");
        }
    }
    let admin = site.person("a@example.com", Role::Admin);
    assert_eq!(admin.get("/admin/apis").status, 200);
}

#[test]
fn every_changing_route_refuses_a_form_without_its_token() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    for row in ROUTES.iter().filter(|row| row.method == "POST") {
        let answer = maria.post(&address(row), &crate::support::Form(vec![("form_token".into(), "x".into())]));
        assert_eq!(answer.status, 403, "{row:?}");
    }
}

#[test]
fn a_form_without_its_token_tells_nobody_of_administration() {
    let site = Site::start();
    site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    for row in ROUTES.iter().filter(|row| row.method == "POST" && row.guard == Guard::Administrator) {
        let answer = jan.post(&address(row), &crate::support::Form(vec![("form_token".into(), "x".into())]));
        assert_eq!(answer.status, 404, "{row:?}");
    }
}

#[test]
fn every_page_of_a_person_is_no_store() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    for row in ROUTES {
        assert_eq!(come(&maria, row).header("cache-control"), "no-store", "{row:?}");
        if row.path == "/logout" {
            maria.sign_in("maria@example.com", crate::support::PASSWORD);
        }
    }
}

#[test]
fn a_known_address_with_another_http_method_says_which_it_takes() {
    let site = Site::start();
    let maria = site.owner();
    let form = maria.get("/settings/tokens").form("/theme");
    let refused = maria.post("/settings/tokens", &form);
    assert_eq!((refused.status, refused.header("allow")), (405, "GET"));
    assert_eq!(maria.get("/settings/tokens/action").header("allow"), "POST");
    assert_eq!(maria.get("/settings/nothing").status, 404);
}
