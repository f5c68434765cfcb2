//! Importing descriptions, options, access sets, by the pages.

use crate::support::{Form, PASSWORD, Person, Site, ZONES};

fn preview(maria: &Person<'_>, slug: &str, text: &[u8]) -> crate::support::Answer {
    let form = maria.get("/admin/apis/new").form("/admin/apis/new").with(&[("slug", slug)]);
    maria.upload("/admin/apis/new", &form, text)
}

#[test]
fn an_import_shows_what_it_holds_and_changes_nothing_before_the_password() {
    let site = Site::start();
    let maria = site.owner();
    let page = preview(&maria, "pdns", ZONES.as_bytes());
    assert_eq!(page.status, 200);
    for part in
        ["Import DNS?", "8 methods", "3 services", "4 read", "3 write", "1 delete", "dns.example.org", "/api/v1"]
    {
        assert!(page.text().contains(part), "{part} in {}", page.text());
    }
    assert!(site.app.catalogue().apis().is_empty());
    let wrong = maria.post("/admin/apis/import", &page.form("/admin/apis/import").with(&[("password", "wrong")]));
    assert_eq!(wrong.status, 422);
    assert!(wrong.error_of("password").starts_with("That password is not right."));
    let done = maria.post("/admin/apis/import", &wrong.form("/admin/apis/import").with(&[("password", PASSWORD)]));
    assert_eq!((done.status, done.header("location")), (303, "/admin/apis/pdns"));
    assert_eq!(site.app.catalogue().method_count(), 8);
    let sets: Vec<_> = site.app.catalogue().apis()[0].sets.iter().map(|set| set.slug.clone()).collect();
    assert_eq!(sets, ["read-only", "full-access"]);
}

#[test]
fn pasted_yaml_is_as_good_as_a_file() {
    let site = Site::start();
    let maria = site.owner();
    let yaml = "swagger: '2.0'\ninfo: {title: Pets, version: '1'}\nbasePath: /v2\npaths:\n  /pets: &pets\n    get: {operationId: listPets, tags: [pets]}\n";
    let form = maria.get("/admin/apis/new").form("/admin/apis/new").with(&[("slug", "pets"), ("text", yaml)]);
    let page = maria.upload("/admin/apis/new", &form, b"");
    assert_eq!(page.status, 200, "{}", page.text());
    assert!(page.text().contains("Swagger 2.0"));
}

#[test]
fn each_wrong_description_or_option_has_its_sentence() {
    let site = Site::start();
    let maria = site.owner();
    let bomb = format!(
        "openapi: 3.0.0\ninfo: {{title: a, version: '1'}}\nx0: &x0 [a,a,a,a,a,a,a,a,a]\n{}paths: {{}}\n",
        (1..30).map(|n| format!("x{n}: &x{n} [{}]\n", vec![format!("*x{}", n - 1); 9].join(","))).collect::<String>()
    );
    for (text, part) in [
        ("", "Choose a file"),
        ("{\"a\": 1}", "openapi"),
        ("{\"openapi\": \"3.1.0\", ", "line 1"),
        (
            "{\"openapi\": \"3.1.0\", \"info\": {\"title\": \"a\", \"version\": \"1\"}, \"paths\": {\"x\": {}}}",
            "#/paths/x",
        ),
        ("{\"openapi\": \"4.0.0\", \"info\": {\"title\": \"a\", \"version\": \"1\"}, \"paths\": {}}", "4.0.0"),
        (bomb.as_str(), "alias"),
    ] {
        let refused = preview(&maria, "pdns", text.as_bytes());
        assert_eq!(refused.status, 422, "{text}");
        assert!(refused.error_of("file").contains(part), "{part} in {}", refused.error_of("file"));
    }
    for (slug, part) in [("", "1 to 40"), ("PDNS", "1 to 40"), ("hallpass", "Hallpass's own")] {
        let refused = preview(&maria, slug, ZONES.as_bytes());
        assert!(refused.error_of("slug").contains(part), "{slug}: {}", refused.error_of("slug"));
    }
    let form = maria.get("/admin/apis/new").form("/admin/apis/new").with(&[
        ("slug", "pdns"),
        ("kinds", "remove *:x"),
        ("base_path", "v1/"),
    ]);
    let refused = maria.upload("/admin/apis/new", &form, ZONES.as_bytes());
    assert!(
        refused.error_of("kinds").contains("read, write or delete")
            && refused.error_of("base_path").contains("begins with /")
    );
}

#[test]
fn a_description_over_sixteen_megabytes_is_refused_with_a_sentence() {
    let site = Site::start();
    let maria = site.owner();
    let refused = preview(&maria, "pdns", &vec![b' '; 20 * 1024 * 1024]);
    assert_eq!(refused.status, 413);
    assert!(refused.text().contains("up to 16 MB"), "{}", refused.text());
}

#[test]
fn importing_again_shows_the_difference_and_the_tokens_it_touches() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("reader", &["zones:listZones", "zones:readZone"]);
    maria.generate("untouched", &["keys:createKey"]);
    let next = ZONES.replace("\"listZones\"", "\"allZones\"").replace("\"patch\"", "\"put\"");
    let form = maria.get("/admin/apis/pdns/import").form("/admin/apis/pdns/import");
    let page = maria.upload("/admin/apis/pdns/import", &form, next.as_bytes());
    let text = page.text();
    for part in [
        "Added 1",
        "zones:allZones",
        "Removed 1",
        "zones:listZones",
        "Changed 1",
        "was PATCH /zones/{zone_id}, write",
        "reader",
        "Maria Keller",
        "loses 1 method",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("untouched"), "tokens that it does not touch are not named");
    assert_eq!(maria.confirm(&page, "/admin/apis/import").status, 303);
    assert!(site.app.catalogue().api("pdns").unwrap().method("zones", "allZones").is_some());
}

#[test]
fn of_two_imports_over_the_same_state_the_second_has_to_look_again() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria.get("/admin/apis/pdns/import").form("/admin/apis/pdns/import");
    let one = maria.upload("/admin/apis/pdns/import", &form, ZONES.as_bytes());
    let other = maria.upload("/admin/apis/pdns/import", &form, ZONES.as_bytes());
    assert_eq!(maria.confirm(&one, "/admin/apis/import").status, 303);
    let refused = maria.confirm(&other, "/admin/apis/import");
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("changed by someone else meanwhile"), "{}", refused.text());
}

#[test]
fn options_are_checked_confirmed_and_take_effect_at_once() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    assert_eq!(site.verify(&value, "GET", "/api/v1/ZONES").status, 403);
    let options = maria.get("/admin/apis/pdns").form("/admin/apis/pdns/options").with(&[("case_insensitive", "on")]);
    let page = maria.post("/admin/apis/pdns/options", &options);
    assert_eq!(maria.confirm(&page, "/admin/apis/pdns/options").status, 303);
    assert_eq!(site.verify(&value, "GET", "/api/v1/ZONES").status, 200);
    let wrong = maria.post("/admin/apis/pdns/options", &options.with(&[("least_roles", "boss *:*")]));
    assert_eq!(wrong.status, 422);
    assert!(wrong.error_of("least_roles").contains("does not begin with viewer"));
}

#[test]
fn an_access_set_is_offered_as_a_card_and_gives_its_methods() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let address = "/admin/apis/pdns/sets/new";
    let form = maria.get(address).form(address).with(&[
        ("name", "Zone reader"),
        ("slug", "zone-reader"),
        ("scopes", "zones:listZones\nzones:readZone"),
        ("least_role", "token_creator"),
    ]);
    let refused = maria.post(address, &form.clone().with(&[("scopes", "zones:none"), ("slug", "read-only")]));
    assert!(
        refused.error_of("scopes").contains("There is no method")
            && refused.error_of("slug").contains("Another access set")
    );
    let page = maria.post(address, &form);
    assert_eq!(maria.confirm(&page, address).status, 303);

    let value = maria.generate_from(&maria.token_form("ci", &[]).with(&[("set", "zone-reader")]));
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones/example.org").status, 200);
    assert_eq!(site.verify(&value, "DELETE", "/api/v1/zones/example.org").status, 403);
    assert!(maria.get("/settings/tokens").text().contains("Zone reader"));
}

#[test]
fn removing_an_api_refuses_its_requests_at_once() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 200);
    let form = maria.get("/admin/apis/pdns").form("/admin/apis/pdns/remove");
    let page = maria.post("/admin/apis/pdns/remove", &form);
    assert!(page.text().contains("1 token loses these methods"), "{}", page.text());
    assert_eq!(maria.confirm(&page, "/admin/apis/pdns/remove").status, 303);
    assert_eq!(site.verify(&value, "GET", "/api/v1/zones").status, 403);
}

#[test]
fn who_is_no_administrator_finds_no_pages_there() {
    let site = Site::start();
    site.owner_with_zones();
    let jan = site.person("jan@example.com", hallpass::types::Role::Contributor);
    for path in ["/admin/apis", "/admin/apis/new", "/admin/apis/pdns", "/admin/apis/none"] {
        assert_eq!(jan.get(path).status, 404, "{path}");
    }
    let token = jan.get("/settings/tokens").form("/logout").0;
    assert_eq!(jan.post("/admin/apis/pdns/remove", &Form(token)).status, 404);
}

#[test]
fn two_imports_confirmed_at_the_same_moment_are_one_after_the_other() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let form = maria.get("/admin/apis/pdns/import").form("/admin/apis/pdns/import");
    let pages: Vec<_> = (0..2).map(|_| maria.upload("/admin/apis/pdns/import", &form, ZONES.as_bytes())).collect();
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let both: Vec<_> =
            pages.iter().map(|page| scope.spawn(|| maria.confirm(page, "/admin/apis/import").status)).collect();
        both.into_iter().map(|one| one.join().unwrap()).collect()
    });
    statuses.sort();
    assert_eq!(statuses, [303, 422]);
}

#[test]
fn a_new_api_under_the_name_of_a_removed_one_shows_the_tokens_that_it_revives() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("reviving", &["zones:listZones"]);
    let page = maria.post("/admin/apis/pdns/remove", &maria.get("/admin/apis/pdns").form("/admin/apis/pdns/remove"));
    assert_eq!(maria.confirm(&page, "/admin/apis/pdns/remove").status, 303);
    let text = preview(&maria, "pdns", ZONES.as_bytes()).text();
    assert!(text.contains("reviving") && text.contains("gains 1 method"), "{text}");
}

#[test]
fn a_pattern_that_fits_no_method_is_told() {
    let site = Site::start();
    let maria = site.owner();
    let form = maria.get("/admin/apis/new").form("/admin/apis/new");
    let form = form.with(&[("slug", "pdns"), ("least_roles", "admin zone:delete*\nadmin zones:delete*")]);
    let text = maria.upload("/admin/apis/new", &form, ZONES.as_bytes()).text();
    assert!(text.contains("The pattern zone:delete* fits no method.") && !text.contains("pattern zones:"), "{text}");
}

#[test]
fn options_filled_over_an_older_state_do_not_win() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let address = "/admin/apis/pdns/options";
    let form = maria.get("/admin/apis/pdns").form(address);
    let stale = maria.post(address, &form.clone().with(&[("trailing_dot", "on")]));
    let first = maria.post(address, &form.with(&[("case_insensitive", "on")]));
    assert_eq!(maria.confirm(&first, address).status, 303);
    let refused = maria.confirm(&stale, address);
    assert_eq!(refused.status, 422);
    assert!(refused.text().contains("changed by someone else meanwhile"), "{}", refused.text());
    let options = &site.app.catalogue().api("pdns").unwrap().options.clone();
    assert_eq!((options.case_insensitive, options.trailing_dot), (true, false));
}

#[test]
fn another_base_path_is_a_change_of_every_method() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("reader", &["zones:listZones"]);
    let form = maria.get("/admin/apis/pdns/import").form("/admin/apis/pdns/import");
    let moved = ZONES.replace("/api/v1", "/admin");
    let text = maria.upload("/admin/apis/pdns/import", &form, moved.as_bytes()).text();
    assert!(
        text.contains("Changed 8") && text.contains("was GET /api/v1/zones, read") && text.contains("reader"),
        "{text}"
    );
}
