//! The client commands of the binary, against a running site: signing in, tokens from a terminal, what goes wrong.

use std::os::unix::fs::PermissionsExt;

use hallpass::types::Role;

use crate::support::{PASSWORD, Site};
use crate::terminal::{Terminal, told};

#[test]
fn a_token_is_created_described_edited_listed_and_revoked_from_a_terminal() {
    let site = Site::start();
    site.owner_with_zones();
    let terminal = Terminal::signed_in(&site, "maria@example.com");
    let made = terminal.done(&[
        "token",
        "create",
        "--name",
        "ci",
        "--expiration-days",
        "30",
        "--description",
        "Deploys",
        "--scope",
        "zones:listZones",
    ]);
    let (id, value) = (told(&made, "id"), told(&made, "value"));
    assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 200);
    assert_eq!(terminal.fact(id, "description"), "Deploys");
    assert_eq!(terminal.fact("ci", "id"), id, "by its name too");

    terminal.done(&["token", "edit", id, "--description", "Deploys all"]);
    assert_eq!(terminal.fact(id, "description"), "Deploys all");
    terminal.done(&["token", "edit", id, "--disable"]);
    assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 401);
    terminal.done(&["token", "edit", id, "--enable"]);
    assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 200);

    let newer = terminal.done(&["token", "regenerate", id, "--grace", "24h", "-q"]);
    assert_eq!(site.verify(value, "GET", "/api/v1/zones").status, 200, "in its grace period");
    assert_eq!(site.verify(newer.trim(), "GET", "/api/v1/zones").status, 200);

    assert!(terminal.done(&["token", "list"]).contains(id));
    assert!(terminal.done(&["token", "revoke", id]).contains("Removed"));
    assert_eq!(site.verify(newer.trim(), "GET", "/api/v1/zones").status, 401);
    assert!(!terminal.done(&["token", "list"]).contains(id));
    assert!(terminal.done(&["token", "list", "--include-revoked"]).contains("removed"));
    assert!(terminal.done(&["token", "revoke", id, "--purge"]).contains("Deleted"));
    assert!(!terminal.done(&["token", "list", "--include-revoked"]).contains(id));
}

#[test]
fn the_value_alone_is_printed_for_a_script_and_json_for_a_program() {
    let site = Site::start();
    site.owner_with_zones();
    let terminal = Terminal::signed_in(&site, "maria@example.com");
    let value = terminal.done(&["token", "create", "--name", "one", "--scope", "zones:listZones", "-q"]);
    assert_eq!(value.lines().count(), 1);
    assert_eq!(site.verify(value.trim(), "GET", "/api/v1/zones").status, 200);
    let json = terminal.done(&["token", "create", "--name", "two", "--scope", "zones:listZones", "-o", "json"]);
    let made: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(made["token"]["name"], "two");
    let list: serde_json::Value = serde_json::from_str(&terminal.done(&["token", "list", "-o", "json"])).unwrap();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|token| token["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"one") && names.contains(&"two"), "{names:?}");
    let wide = terminal.done(&["token", "list", "-o", "wide"]);
    assert!(wide.contains("SCOPES") && wide.contains("zones:listZones"));
}

#[test]
fn the_session_s_value_is_kept_where_nobody_else_may_read_it_and_dies_with_the_session() {
    let site = Site::start();
    site.owner();
    let terminal = Terminal::signed_in(&site, "maria@example.com");
    let kept = terminal.home.path().join(".config/hallpass/hosts.json");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&kept), mode(kept.parent().unwrap())), (0o600, 0o700));
    let hosts: serde_json::Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
    let value = hosts["hosts"].as_object().unwrap().values().next().unwrap()["value"].as_str().unwrap().to_owned();
    assert!(terminal.done(&["token", "whoami"]).contains("maria@example.com"));

    assert_eq!(terminal.run(&["logout"], "").code, 0);
    assert!(!std::fs::read_to_string(&kept).unwrap().contains(&value));
    let said =
        terminal.run_with(&[("HALLPASS_URL", &site.url("/")), ("HALLPASS_TOKEN", &value)], &["token", "list"], "");
    assert_eq!(said.code, 3, "{}", said.err);
}

#[test]
fn a_token_signs_in_and_its_scopes_are_the_confirmation() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("robot", &["hallpass/tokens:list", "hallpass/tokens:generate", "zones:listZones"]);
    let terminal = Terminal::new();
    let said = terminal.run(&["token", "login", &value, "--url", &site.url("/")], "");
    assert_eq!(said.code, 0, "{}", said.err);
    let child = terminal.run(&["token", "create", "--name", "child", "--scope", "zones:listZones", "-q"], "");
    assert_eq!(child.code, 0, "{}", child.err);
    assert_eq!(site.verify(child.out.trim(), "GET", "/api/v1/zones").status, 200);
    let wider = terminal.run(&["token", "create", "--name", "wider", "--scope", "zones:*"], "");
    assert_eq!(wider.code, 4, "{}", wider.err);
    let removed = terminal.run(&["token", "revoke", "child"], "");
    assert_eq!(removed.code, 4, "it has no scope for that: {}", removed.err);
}

#[test]
fn what_goes_wrong_is_told_in_a_sentence_and_by_the_exit_code() {
    let site = Site::start();
    site.owner_with_zones();
    let terminal = Terminal::signed_in(&site, "maria@example.com");
    let wrong_password = "not my password at all\n";
    for (arguments, input, code, part) in [
        (vec!["token", "describe", "00000000-0000-7000-8000-000000000000"], "", 5, ""),
        (vec!["token", "describe", "nosuch"], "", 5, "You have no token nosuch."),
        (vec!["token", "create", "--name", "x", "--scope", "zones:listZones"], wrong_password, 4, ""),
        (vec!["token", "create", "--name", "x", "--scope", "zones:listZones"], "", 4, "password is needed"),
        (vec!["token", "create", "--name", "x", "--scope", "zones"], "", 2, "a scope is"),
        (vec!["token", "create", "--ttl", "soon"], "", 2, "a duration"),
        (vec!["token", "create", "--ttl", "1d", "--never"], "", 2, "cannot be used with"),
        (vec!["token", "list", "--url", "ftp://x"], "", 1, "is no address"),
        (vec!["token", "list", "--url", "http://127.0.0.1:1", "--token", "hp_x"], "", 6, "Nothing answers at"),
        (vec!["token", "list", "--url", "http://nowhere.invalid", "--token", "hp_x"], "", 6, ""),
        (vec!["login", "http://127.0.0.1:1"], "a@example.com\nx\n", 6, "Nothing answers at"),
    ] {
        let said = terminal.run(&arguments, input);
        assert_eq!(said.code, code, "{arguments:?}: {}", said.err);
        assert!(said.err.contains(part) && !said.err.contains("panicked"), "{arguments:?}: {}", said.err);
    }
    let unknown = format!("{}\n", "nobody@example.com\nsome wrong password");
    let said = Terminal::new().run(&["login", &site.url("/")], &unknown);
    assert_eq!((said.code, said.err.contains("not right")), (3, true), "{}", said.err);
    let said = Terminal::new().run(&["token", "list"], "");
    assert_eq!((said.code, said.err.contains("hallpass login")), (3, true), "{}", said.err);
    let said = terminal.run(&["token", "create", "--name", "", "--scope", "zones:nosuch"], &format!("{PASSWORD}\n"));
    assert_eq!(said.code, 1);
    assert!(said.err.contains("name: ") && said.err.contains("scopes: "), "each at its field: {}", said.err);
}

#[test]
fn tokens_for_another_are_an_owner_s_to_create() {
    let site = Site::start();
    site.owner_with_zones();
    site.person("ada@example.com", Role::Admin);
    site.person("jan@example.com", Role::Contributor);
    let create = ["token", "create", "jan@example.com", "--name", "his", "--scope", "zones:listZones", "-q"];
    let refused = Terminal::signed_in(&site, "ada@example.com").run(&create, &format!("{PASSWORD}\n"));
    assert_eq!(refused.code, 4, "{}", refused.err);
    let value = Terminal::signed_in(&site, "maria@example.com").done(&create);
    assert_eq!(site.verify(value.trim(), "GET", "/api/v1/zones").header("x-hallpass-account"), "jan@example.com");
}

#[test]
fn completions_and_man_pages_are_written_without_a_server() {
    let terminal = Terminal::new();
    for shell in ["bash", "zsh", "fish"] {
        assert!(terminal.done(&["completions", shell]).contains("hallpass"), "{shell}");
    }
    terminal.done(&["man", "pages"]);
    let page = std::fs::read_to_string(terminal.home.path().join("pages/hallpass-token-create.1")).unwrap();
    assert!(page.contains("expiration"), "{page}");
}
