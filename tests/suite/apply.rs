//! `hallpass apply` of the real binary: a plan, the changes, nothing to change; what goes wrong before and half-way.

use std::os::unix::fs::PermissionsExt;

use hallpass::types::Role;
use serde_json::{Value, json};

use crate::support::{PASSWORD, Site, ZONES};
use crate::terminal::{Said, Terminal};

const MARIA: &str = "maria@example.com";

/// A file with so many tokens of one service account.
fn file(tokens: usize) -> String {
    let head = "policy:\n  tokens_per_account: 250\nservice_accounts:\n  - name: robot\n    role: contributor\n\
        managed: [robot]\ntokens:\n";
    (1..=tokens).fold(head.to_owned(), |file, n| {
        format!("{file}  - {{ name: t{n}, owner: robot, scopes: [zones:listZones], lifetime: 30d }}\n")
    })
}

fn apply(terminal: &Terminal, more: &[&str]) -> Said {
    let arguments: Vec<&str> = ["apply", "hallpass.yaml"].iter().chain(more).copied().collect();
    terminal.run(&arguments, &format!("{PASSWORD}\n"))
}

fn applied(terminal: &Terminal, more: &[&str]) -> String {
    let said = apply(terminal, more);
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    said.out
}

/// What the last line but those of the doing says.
fn planned(out: &str) -> &str {
    out.lines().find_map(|line| line.strip_prefix("Plan: ")).unwrap_or_else(|| panic!("no plan in {out}"))
}

fn tokens(site: &Site) -> usize {
    site.texts("SELECT id AS text FROM tokens WHERE removed_at IS NULL AND kind <> 'session'").len()
}

#[test]
fn two_hundred_tokens_are_planned_made_left_alone_edited_and_pruned() {
    let site = Site::start();
    site.owner_with_zones();
    let terminal = Terminal::signed_in(&site, MARIA);
    terminal.write("hallpass.yaml", &file(200));

    let plan = applied(&terminal, &["--dry-run"]);
    assert_eq!(planned(&plan), "201 to create, 1 to edit, 0 to remove, 0 as the file says.", "{plan}");
    assert_eq!(plan.matches("+ create token ").count(), 200);
    assert_eq!((tokens(&site), site.rows("events").iter().filter(|row| row.contains("policy")).count()), (0, 0));

    let silent = apply(&terminal, &["--yes"]);
    assert_eq!((silent.code, silent.err.lines().count()), (1, 1), "{}", silent.err);
    assert!(silent.err.contains("--values FILE") && tokens(&site) == 0, "{}", silent.err);
    let unasked = apply(&terminal, &["--values", "values"]);
    assert!(unasked.code == 1 && unasked.err.contains("--yes") && tokens(&site) == 0, "{}", unasked.err);

    applied(&terminal, &["--yes", "--values", "values"]);
    assert_eq!(tokens(&site), 200);
    let kept = terminal.home.path().join("values");
    assert_eq!(kept.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let values = terminal.read("values");
    assert_eq!(values.lines().count(), 200);
    for line in values.lines() {
        let [owner, name, value] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let answer = site.verify(value, "GET", "/api/v1/zones");
        assert_eq!((answer.status, answer.header("x-hallpass-token-name")), (200, name));
        assert_eq!((owner, answer.header("x-hallpass-account")), ("robot", "robot"));
    }

    for _ in 0..2 {
        let again = applied(&terminal, &["--yes", "--values", "values"]);
        assert_eq!(planned(&again), "0 to create, 0 to edit, 0 to remove, 202 as the file says.");
    }
    assert_eq!(terminal.read("values"), values, "and no value was made");

    let other = file(200).replace(
        "name: t7, owner: robot, scopes: [zones:listZones]",
        "name: t7, owner: robot, scopes: [zones:readZone]",
    );
    terminal.write("hallpass.yaml", &other);
    let edited = applied(&terminal, &["--yes"]);
    assert_eq!(planned(&edited), "0 to create, 1 to edit, 0 to remove, 201 as the file says.");
    assert!(edited.contains("~ edit token t7 of robot\n      scopes: zones:listZones -> zones:readZone\n"), "{edited}");
    let edits = site.rows("events").iter().filter(|row| row.contains("token.edit")).count();
    assert_eq!(edits, 1);

    let shorter: String =
        other.lines().filter(|line| !line.contains("name: t9,")).map(|line| format!("{line}\n")).collect();
    terminal.write("hallpass.yaml", &shorter);
    let left = applied(&terminal, &["--yes"]);
    assert_eq!(planned(&left), "0 to create, 0 to edit, 0 to remove, 201 as the file says.");
    assert!(left.contains("Left alone: 1 tokens of robot: t9 (--prune removes them)"), "{left}");
    assert_eq!(tokens(&site), 200);
    let pruned = applied(&terminal, &["--yes", "--prune"]);
    assert!(pruned.contains("- remove token t9 of robot"), "{pruned}");
    assert_eq!(tokens(&site), 199);
    let of_nine = values.lines().find(|line| line.contains("\tt9\t")).unwrap().split('\t').nth(2).unwrap();
    assert_eq!(site.verify(of_nine, "GET", "/api/v1/zones").status, 401);
    assert_eq!(
        site.texts("SELECT name AS text FROM tokens WHERE removed_at IS NOT NULL AND kind <> 'session'"),
        ["t9"]
    );
    assert_eq!(
        planned(&applied(&terminal, &["--yes", "--prune"])),
        "0 to create, 0 to edit, 0 to remove, 201 as the file says."
    );
}

const WHOLE: &str = r#"
policy:
  max_lifetime: 200
  expiring_notice: [10, 2]
apis:
  - slug: pdns
    description: zones.json
    options:
      hosts: [api.example.org]
      kinds: ["read *:listZones"]
    access_sets:
      - slug: zone-reader
        name: Zone reader
        scopes: [zones:listZones, zones:readZone]
        least_role: token_creator
teams:
  - name: DNS
    description: Those who mind the zones
    managers: [maria@example.com]
    members: [jan@example.com]
service_accounts:
  - name: backup
    role: token_creator
    owner: { team: DNS }
    description: Nightly backup
tokens:
  - name: nightly
    owner: backup
    access_set: zone-reader
    allow: [zones:example.org]
    ip_allow: [127.0.0.0/8, 10.0.0.0/8]
    rate_per_minute: 60
    expires_at: 2027-02-01
    description: Reads the zones
  - name: own
    scopes: ["pdns/zones:*"]
    expires_at: 2027-01-31
    enabled: false
"#;

/// A site with nothing in it but two people, and the terminal of one.
fn empty() -> (Site, Terminal) {
    let site = Site::start();
    site.owner();
    site.person("jan@example.com", Role::Contributor);
    let terminal = Terminal::signed_in(&site, MARIA);
    terminal.write("zones.json", ZONES);
    terminal.write("hallpass.yaml", WHOLE);
    (site, terminal)
}

#[test]
fn a_file_makes_a_whole_site_and_then_changes_nothing() {
    let (site, terminal) = empty();
    let made = applied(&terminal, &["--yes", "--values", "-"]);
    let lines: Vec<Vec<&str>> = made.lines().map(|line| line.split('\t').collect()).collect();
    assert_eq!(
        lines.iter().map(|line| line[..2].to_vec()).collect::<Vec<_>>(),
        [["backup", "nightly"], [MARIA, "own"]]
    );
    let (nightly, own) = (lines[0][2], lines[1][2]);
    let bearer = format!("Bearer {nightly}");
    let ask = |uri: &str| {
        let asked = [("X-Original-Method", "GET"), ("X-Original-URI", uri), ("Authorization", &bearer)];
        let from = [("X-Forwarded-Host", "api.example.org"), ("X-Forwarded-For", "10.0.0.9")];
        site.ask("/verify", &[&asked[..], &from].concat())
    };
    let answer = ask("/api/v1/zones/example.org");
    assert_eq!((answer.status, answer.header("x-hallpass-account")), (200, "backup"), "{}", answer.body);
    assert_eq!(answer.header("x-hallpass-teams"), "DNS");
    assert_eq!(ask("/api/v1/zones/other.org").status, 403);
    assert_eq!(site.verify(own, "GET", "/api/v1/zones").status, 401, "made, and disabled");

    let again = applied(&terminal, &["--yes"]);
    assert_eq!(planned(&again), "0 to create, 0 to edit, 0 to remove, 7 as the file says.", "{again}");
    let more =
        "  - name: jan's\n    owner: jan@example.com\n    scopes: [zones:listZones]\n    expires_at: 2027-01-31\n";
    terminal.write("hallpass.yaml", &format!("{WHOLE}{more}"));
    applied(&terminal, &["--yes", "--values", "values"]);
    assert_eq!(planned(&applied(&terminal, &["--yes"])), "0 to create, 0 to edit, 0 to remove, 8 as the file says.");
}

#[test]
fn each_thing_that_changes_in_the_file_is_edited_and_nothing_else() {
    let (site, terminal) = empty();
    applied(&terminal, &["--yes", "--values", "values"]);
    for (from, to, told) in [
        ("max_lifetime: 200", "max_lifetime: 300", "~ edit the policy\n      max_lifetime: 200 -> 300"),
        ("[10, 2]", "[9]", "expiring_notice: [10,2] -> [9]"),
        (
            "api.example.org]",
            "dns.example.org]",
            "~ edit API pdns\n      hosts: [\"api.example.org\"] -> [\"dns.example.org\"]",
        ),
        (
            "scopes: [zones:listZones, zones:readZone]",
            "scopes: [zones:listZones]",
            "~ edit access set zone-reader of pdns",
        ),
        (
            "Those who mind",
            "They who mind",
            "~ edit team DNS\n      description: Those who mind the zones -> They who mind",
        ),
        (
            "managers: [maria@example.com]\n    members: [jan@example.com]",
            "managers: [maria@example.com, jan@example.com]",
            "jan@example.com as member -> jan@example.com as manager",
        ),
        (
            "role: token_creator\n    owner: { team: DNS }",
            "role: contributor\n    owner: { person: maria@example.com }",
            "owner: DNS -> maria@example.com",
        ),
        ("description: Nightly backup", "description: Backup", "description: Nightly backup -> Backup"),
        ("allow: [zones:example.org]", "allow: [\"zones:*\"]", "allow: zones:example.org -> zones:*"),
        ("[127.0.0.0/8, 10.0.0.0/8]", "[10.0.0.0/8]", "ip_allow: 127.0.0.0/8, 10.0.0.0/8 -> 10.0.0.0/8"),
        ("rate_per_minute: 60", "rate_per_minute: null", "rate_per_minute: 60 -> no limit"),
        (
            "expires_at: 2027-02-01",
            "expires_at: 2027-01-15",
            "expires_at: 2027-02-01T23:59:59.000Z -> 2027-01-15T23:59:59.000Z",
        ),
        (
            "expires_at: 2027-01-31",
            "expires_at: 2027-01-30",
            "expires_at: 2027-01-31T22:59:59.000Z -> 2027-01-30T22:59:59.000Z",
        ),
        (
            "access_set: zone-reader",
            "scopes: [zones:readZone]",
            "scopes: zones:listZones, zones:readZone -> zones:readZone",
        ),
        ("scopes: [\"pdns/zones:*\"]", "access_set: zone-reader", "scopes: zones:* -> zones:listZones"),
        ("enabled: false", "enabled: true", "enabled: false -> true"),
    ] {
        let text = terminal.read("hallpass.yaml");
        assert_eq!(text.matches(from).count(), 1, "{from}");
        terminal.write("hallpass.yaml", &text.replace(from, to));
        let plan = applied(&terminal, &["--yes"]);
        assert_eq!(planned(&plan), "0 to create, 1 to edit, 0 to remove, 6 as the file says.", "{plan}");
        assert!(plan.contains(told), "{told}: {plan}");
        assert_eq!(
            planned(&applied(&terminal, &["--yes"])),
            "0 to create, 0 to edit, 0 to remove, 7 as the file says."
        );
    }
    let mut zones: Value = serde_json::from_str(ZONES).unwrap();
    zones["info"]["version"] = json!("99");
    terminal.write("zones.json", &zones.to_string());
    assert!(applied(&terminal, &["--yes"]).contains("description: other words, the same methods"));
    zones["paths"].as_object_mut().unwrap().retain(|path, _| path.ends_with("/zones"));
    terminal.write("zones.json", &zones.to_string());
    let said = apply(&terminal, &["--yes"]);
    assert!(said.code == 0 && said.out.contains("removed (keys:"), "{}{}", said.out, said.err);
    assert!(site.texts("SELECT name AS text FROM methods").len() < 4);
}

#[test]
fn a_broken_file_changes_nothing() {
    let (site, terminal) = empty();
    let before = site.rows("events").len();
    for (from, to, told) in [
        (
            "expires_at: 2027-02-01",
            "expire_at: 2027-02-01",
            "hallpass.yaml, line 33, column 5: there is no key “expire_at” here",
        ),
        ("pdns/zones:*", "pdns/zone:*", "token own of maria@example.com: there is no method or service “pdns/zone:*”"),
        ("zones:listZones, zones:readZone", "zones:lst", "access set zone-reader of pdns: there is no method"),
        ("allow: [zones:example.org]", "allow: [zone:example.org]", "there is no method or service “zone:*”"),
        ("zones.json", "nothing.json", "cannot be read"),
        ("members: [jan@example.com]", "members: [nobody@example.com]", "There is no person nobody@example.com"),
        ("{ team: DNS }", "{ team: Other }", "there is no team Other"),
        ("owner: backup\n    access_set", "owner: bakcup\n    access_set", "there is no service account bakcup"),
        ("max_lifetime: 200", "max_lifetime: 0", "policy: "),
        ("max_lifetime: 200", "max_lifetime: soon", "policy: "),
        ("expires_at: 2027-02-01", "lifetime: 300d", "The policy allows up to"),
        ("expires_at: 2027-02-01", "lifetime: never", "does not allow tokens without an expiry"),
        ("max_lifetime: 200", "max_lifetime: 200\n  tokens_per_account: 0", "policy: "),
        ("tokens:\n", "managed: [bakcup]\ntokens:\n", "managed: there is no service account bakcup"),
    ] {
        assert_eq!(WHOLE.matches(from).count(), 1, "{from}");
        terminal.write("hallpass.yaml", &WHOLE.replace(from, to));
        let said = apply(&terminal, &["--yes", "--values", "values"]);
        assert!(matches!(said.code, 1 | 5) && said.err.contains(told), "{told}: {} {}", said.code, said.err);
    }
    assert_eq!(site.rows("events").len(), before, "and nothing is told of");
    assert!(!terminal.home.path().join("values").exists());
    terminal.write("hallpass.yaml", WHOLE);
    terminal.write("values", "");
    std::fs::set_permissions(terminal.home.path().join("values"), PermissionsExt::from_mode(0o644)).unwrap();
    for place in ["values", "no/such/folder"] {
        let said = apply(&terminal, &["--yes", "--values", place]);
        assert!(said.code == 1 && said.err.contains("Nothing was done"), "{}", said.err);
    }
    assert_eq!(site.rows("events").len(), before);
}

#[test]
fn what_stops_half_way_says_how_far_it_came_and_is_completed_by_another_run() {
    let (site, terminal) = empty();
    // A day that is past is for Hallpass alone to say: the machine here may have another clock.
    let broken = WHOLE.replace("expires_at: 2027-01-31", "expires_at: 2026-01-31");
    terminal.write("hallpass.yaml", &broken);
    let said = apply(&terminal, &["--yes", "--values", "values"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert!(
        said.err.starts_with("token own of maria@example.com: expires_at: That day is in the past."),
        "{}",
        said.err
    );
    assert!(said.err.contains("6 of 7 changes were made and stay"), "{}", said.err);
    assert!(said.out.contains("Created token nightly of backup") && !said.out.contains("Done"), "{}", said.out);
    assert_eq!(terminal.read("values").lines().count(), 1);
    terminal.write("hallpass.yaml", WHOLE);
    let rest = applied(&terminal, &["--yes", "--values", "values"]);
    assert_eq!(planned(&rest), "1 to create, 0 to edit, 0 to remove, 6 as the file says.");
    assert_eq!((terminal.read("values").lines().count(), tokens(&site)), (2, 2));
}

#[test]
fn only_tokens_of_managed_owners_are_pruned_and_never_the_one_that_asks() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("by hand", &["zones:listZones"]);
    let value = maria.generate("robot", &["hallpass/*", "zones:*"]);
    let terminal = Terminal::new();
    let address = site.url("/");
    let run = |text: &str, more: &[&str]| {
        terminal.write("hallpass.yaml", text);
        let arguments: Vec<&str> = ["apply", "hallpass.yaml", "--yes"].iter().chain(more).copied().collect();
        terminal.run_with(&[("HALLPASS_URL", &address), ("HALLPASS_TOKEN", &value)], &arguments, "")
    };
    let file = "service_accounts: [{ name: a, role: viewer }, { name: b, role: viewer }]\ntokens:\n";
    let both = format!(
        "{file}  - {{ name: one, owner: a, scopes: [zones:listZones] }}\n  - {{ name: two, owner: b, scopes: [zones:listZones] }}\n"
    );
    assert_eq!(run(&both, &["--values", "values"]).code, 0);
    let refused = run(file, &["--prune"]);
    assert!(refused.code == 1 && refused.err.contains("managed"), "{}", refused.err);
    let pruned = run(&format!("managed: [a]\n{file}"), &["--prune"]);
    assert_eq!((pruned.code, planned(&pruned.out)), (0, "0 to create, 0 to edit, 1 to remove, 2 as the file says."));
    let named = || site.texts("SELECT name AS text FROM tokens WHERE removed_at IS NULL ORDER BY name");
    assert_eq!(named(), ["by hand", "robot", "two"]);
    let own = run("managed: [maria@example.com]\n", &["--prune"]);
    assert_eq!(own.code, 0, "{}", own.err);
    assert_eq!(named(), ["robot", "two"], "the token that asks stays");
}

#[test]
fn a_program_s_own_bounds_hold_for_a_file_too() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("narrow", &["hallpass/tokens:list", "hallpass/tokens:generate", "zones:listZones"]);
    let terminal = Terminal::new();
    let address = site.url("/");
    for (scope, code) in [("zones:listZones", 0), ("zones:deleteZone", 4)] {
        terminal.write("hallpass.yaml", &format!("tokens: [{{ name: {code}, scopes: ['{scope}'] }}]"));
        let given = [("HALLPASS_URL", address.as_str()), ("HALLPASS_TOKEN", &value)];
        let said = terminal.run_with(&given, &["apply", "hallpass.yaml", "--yes", "--values", "-"], "");
        assert_eq!(said.code, code, "{}", said.err);
    }
}
