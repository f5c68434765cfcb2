//! Names as people will read them in scopes.

use std::collections::HashSet;

use super::*;

fn call<'a>(tag: &'a str, id: &'a str, http_method: &'a str, path: &'a str) -> Call<'a> {
    let some = |text: &'a str| (!text.is_empty()).then_some(text);
    Call { tag: some(tag), id: some(id), http_method, path }
}

/// `service:method` of each call, and the notes.
fn named(calls: &[Call]) -> (Vec<String>, Vec<String>) {
    let mut notes = Notes::default();
    let names = name_all(calls, &mut notes);
    let full =
        names.methods.iter().map(|(service, name)| format!("{}:{name}", names.services[*service].name)).collect();
    (full, notes.finished())
}

fn names(calls: &[Call]) -> Vec<String> {
    named(calls).0
}

#[test]
fn an_operation_id_loses_the_service_that_it_begins_with() {
    let calls = [
        call("repos", "repos/get", "GET", "/repos/{owner}"),
        call("zones", "zones.list", "GET", "/zones"),
        call("Pets", "pets_list", "GET", "/pets"),
        call("Cats", "CatsController_findAll", "GET", "/cats"),
        call("orgs", "api-insights/get", "GET", "/orgs/{org}/insights"),
        call("dogs", "dogsledRace", "GET", "/race"),
    ];
    let expected =
        ["repos:get", "zones:list", "pets:list", "cats:findAll", "orgs:api-insights/get", "dogs:dogsledRace"];
    assert_eq!(names(&calls), expected);
}

#[test]
fn an_operation_id_keeps_its_prefix_where_the_rest_would_not_be_unique() {
    let calls = [
        call("pets", "pets_list", "GET", "/pets"),
        call("pets", "list", "GET", "/list"),
        call("pets", "pets_add", "PUT", "/pets"),
    ];
    assert_eq!(names(&calls), ["pets:pets_list", "pets:list", "pets:add"]);
    let calls = [call("pets", "pets_list", "GET", "/pets"), call("pets", "pets.LIST", "GET", "/list")];
    assert_eq!(names(&calls), ["pets:pets_list", "pets:pets.LIST"]);
}

#[test]
fn an_operation_id_is_cleaned_of_what_a_scope_cannot_hold() {
    let calls = [call("a", "Liste*der: Zönen!", "GET", "/x"), call("a", "Управление", "GET", "/things/{id}")];
    assert_eq!(names(&calls), ["a:Liste-der-Zonen", "a:things-by-id"]);
    let long = "x".repeat(300);
    assert_eq!(names(&[call("a", &long, "GET", "/x")]), [format!("a:{}", "x".repeat(128))]);
}

#[test]
fn doubled_operation_ids_are_told_apart_by_http_method_then_path_and_noted() {
    let calls = [
        call("a", "run", "GET", "/x"),
        call("a", "RUN", "POST", "/x"),
        call("a", "stop", "POST", "/x/{id}/stop"),
        call("a", "stop", "POST", "/y/stop"),
    ];
    let (names, notes) = named(&calls);
    assert_eq!(names, ["a:run-get", "a:RUN-post", "a:stop-post-x-by-id-stop", "a:stop-post-y-stop"]);
    assert_eq!(notes.len(), 4);
    assert_eq!(notes[3], "`stop` is not unique in service `a`: POST /y/stop became `stop-post-y-stop`.");
}

#[test]
fn without_an_operation_id_the_path_names_the_method() {
    let calls = [
        call("control Service", "", "POST", "/environment/control/rest/stopenv"),
        call("control Service", "", "POST", "/environment/control/rest/startenv"),
        call("account Service", "", "POST", "/billing/account/rest/getquotas"),
        call("account Service", "", "POST", "/users/account/rest/getuser"),
        call("Environment tools", "", "POST", "/env/tools/rest/a"),
        call("Environment tools", "", "POST", "/env/tools/rest/b"),
    ];
    let expected = [
        "control:stopenv",
        "control:startenv",
        "account:getquotas",
        "account:getuser",
        "environment-tools:a",
        "environment-tools:b",
    ];
    assert_eq!(names(&calls), expected);
}

#[test]
fn the_http_method_is_part_of_the_name_where_a_service_has_several() {
    let calls = [
        call("", "", "GET", "/api/v1/zones"),
        call("", "", "POST", "/api/v1/zones"),
        call("", "", "GET", "/api/v1/zones/{zone_id}"),
        call("", "", "PUT", "/api/v1/zones/{zone_id}/notify"),
        call("", "", "PUT", "/api/v1/zones/{zone_id}:rotate"),
    ];
    assert_eq!(
        names(&calls),
        ["zones:get", "zones:post", "zones:get-by-zone_id", "zones:put-notify", "zones:put-rotate"]
    );
}

#[test]
fn inner_parameters_are_named_only_where_they_tell_methods_apart() {
    let calls = [
        call("files", "", "GET", "/files/{id}/parts"),
        call("files", "", "GET", "/files/parts"),
        call("files", "", "GET", "/files/{id}/owner"),
        call("files", "", "PUT", "/files/compare/{base}...{head}"),
    ];
    let expected = ["files:get-by-id-parts", "files:get-parts", "files:get-owner", "files:put-compare-by-base-head"];
    assert_eq!(names(&calls), expected);
}

#[test]
fn what_all_paths_of_a_service_share_is_dropped_but_never_the_last_word() {
    let calls = [call("shop", "", "GET", "/store/order"), call("shop", "", "GET", "/store/order/{id}")];
    assert_eq!(names(&calls), ["shop:order", "shop:order-by-id"]);
    assert_eq!(names(&[call("shop", "", "POST", "/store/v1/{id}/order")]), ["shop:order"]);
}

#[test]
fn paths_whose_words_are_alike_get_a_number_and_a_note() {
    let calls =
        [call("a", "", "GET", "/x-y/{id}"), call("a", "", "GET", "/x/y/{id}"), call("a", "", "GET", "/x/y/{ID}")];
    let (names, notes) = named(&calls);
    // In the order of the paths, in which capital letters come first.
    assert_eq!(names, ["a:get-x-y-by-id", "a:get-x-y-by-id-3", "a:get-x-y-by-ID-2"]);
    assert_eq!(notes.len(), 2);
}

#[test]
fn names_do_not_depend_on_the_order_of_the_file() {
    let mut calls = vec![
        call("Pets", "list", "GET", "/a"),
        call("pets", "list", "GET", "/b"),
        call("Pets", "list", "POST", "/c"),
        call("", "", "GET", "/pets/{id}"),
        call("Pet API", "", "GET", "/v2/pet/{id}/x"),
        call("", "", "GET", "/pets/{ID}"),
        call("pets", "pets_list", "GET", "/d"),
    ];
    let sorted = |calls: &[Call]| {
        let mut all: Vec<_> = calls.iter().zip(names(calls)).map(|(c, name)| (c.path.to_owned(), name)).collect();
        all.sort();
        all
    };
    let expected = sorted(&calls);
    for _ in 0..calls.len() {
        calls.rotate_left(1);
        assert_eq!(sorted(&calls), expected);
        let reversed: Vec<Call> = calls.iter().rev().map(|c| Call { ..*c }).collect();
        assert_eq!(sorted(&reversed), expected);
    }
    let unique: HashSet<String> = expected.iter().map(|(_, name)| name.to_ascii_lowercase()).collect();
    assert_eq!(unique.len(), calls.len());
}

#[test]
fn an_operation_of_another_service_changes_no_name() {
    let mut calls = vec![
        call("zones", "zones_list", "GET", "/zones"),
        call("zones", "", "GET", "/zones/{id}"),
        call("zones", "", "PUT", "/zones/{id}/notify"),
    ];
    let before = names(&calls);
    calls.insert(0, call("other", "list", "POST", "/zones/{id}/other"));
    assert_eq!(names(&calls)[1..], before);
}

#[test]
fn tags_become_slugs_without_the_words_that_only_say_tag() {
    let service = |tag: &str| names(&[call(tag, "x", "GET", "/things/{id}")])[0].split_once(':').unwrap().0.to_owned();
    assert_eq!(service("control Service"), "control");
    assert_eq!(service("pet-controller"), "pet");
    assert_eq!(service("PetController"), "pet");
    assert_eq!(service("Billing API"), "billing");
    assert_eq!(service("API"), "api");
    assert_eq!(service("okapi"), "okapi");
    assert_eq!(service("User's & Groups"), "users-groups");
    assert_eq!(service("Größe/Maße"), "grosse-masse");
    assert_eq!(service("Управление"), "things");
    assert_eq!(service("  "), "things");
    assert_eq!(service(&"long ".repeat(40)).len(), 64);
}

#[test]
fn a_tag_without_latin_letters_is_called_after_its_first_path_in_any_order() {
    let mut calls = [call("区域", "x", "GET", "/zones"), call("区域", "y", "GET", "/areas/{id}")];
    assert_eq!(names(&calls), ["areas:x", "areas:y"]);
    calls.reverse();
    assert_eq!(names(&calls), ["areas:y", "areas:x"]);
}

#[test]
fn two_tags_never_share_a_service() {
    let calls = ["Pet API", "Pet Service", "pets", "Pets", "PETS", "宠物", "动物"]
        .map(|tag| call(tag, "x", "GET", "/api/v1/pets"));
    let (names, notes) = named(&calls);
    assert_eq!(names, ["pet-api:x", "pet-service:x", "pets:x", "pets-3:x", "pets-2:x", "pets-5:x", "pets-4:x"]);
    assert_eq!(notes.len(), 4);
    assert!(notes[0].contains("the tag `PETS` became `pets-2`"), "{notes:?}");
}

#[test]
fn a_path_without_a_tag_belongs_to_the_service_of_that_name() {
    let calls = [
        call("", "a", "GET", "/zones"),
        call("zones", "b", "GET", "/x"),
        call("", "c", "GET", "/{tenant}"),
        call("", "d", "GET", "/v1"),
    ];
    assert_eq!(names(&calls), ["zones:a", "zones:b", "default:c", "v1:d"]);
}

#[test]
fn a_template_gives_its_parameters_in_order() {
    let parameters = |path| template_parameters(path).collect::<Vec<_>>();
    assert_eq!(parameters("/repos/{owner}/{repo}/compare/{base}...{head}"), ["owner", "repo", "base", "head"]);
    assert_eq!(parameters("/a/{/b{x}/{}/c}d"), ["x"]);
}

#[test]
fn versions_and_the_like_are_noise_and_words_are_not() {
    assert!(["api", "REST", "v1", "V2", "1.0", "v1beta1", "2024-01-01", "v2alpha"].into_iter().all(is_noise));
    assert!(["", "v", "vms", "alpha", "apis2", "x1", "1password"].into_iter().all(|word| !is_noise(word)));
}
