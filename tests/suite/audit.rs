//! The audit log: chained, proven by the command line, kept as long as an operator says, read and exported by administrators.

use std::process::{Command, Stdio};

use chrono::TimeDelta;
use hallpass::actor::Actor;
use hallpass::audit::{Subject, record};
use hallpass::types::{Role, TokenId};
use sha2::{Digest, Sha256};

use crate::support::{Answer, Form, PASSWORD, Person, Site};

/// What `hallpass audit verify` prints; as an error where it exits with another code than 0.
fn verify(site: &Site, arguments: &[&str]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_hallpass"))
        .current_dir(folder.path())
        .env_clear()
        .args(["--database-url", &site.database_url(), "audit", "verify"])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => Err(text(&output.stderr)),
    }
}

/// Records so many events about one token, a transaction each.
fn fill(site: &Site, events: usize) {
    for nth in 0..events {
        site.app.write_now(|tx| tell(tx, &format!("t{nth}"))).unwrap();
    }
}

fn tell(tx: &mut hallpass::tx::Tx<'_>, name: &str) -> hallpass::error::Result<()> {
    let id = TokenId::from("019ab000-0000-7000-8000-000000000000");
    record(tx, &Actor::operator(), "token.edit", Subject::token(&id, name), None, serde_json::json!({ "before": 1 }))
}

/// `NUMBER HASH` of the head.
fn head(site: &Site) -> (String, String) {
    let head = site.texts("SELECT number || ' ' || hash AS text FROM chain WHERE name = 'head'").remove(0);
    let (number, hash) = head.split_once(' ').unwrap();
    (number.to_owned(), hash.to_owned())
}

#[test]
fn a_log_that_nobody_touched_is_whole_and_says_its_count_and_head() {
    let site = Site::start();
    assert!(verify(&site, &[]).unwrap().starts_with("0 events, all as they were written."));
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    maria.press("remove", &["ci"]);
    let said = verify(&site, &[]).unwrap();
    let (number, hash) = head(&site);
    let count = site.texts("SELECT CAST(count(*) AS TEXT) AS text FROM events").remove(0);
    assert_eq!(said, format!("{count} events, all as they were written.\nHead: number {number}, hash {hash}\n"));
    assert_eq!(count, number);
}

#[test]
fn whatever_column_of_a_row_is_changed_its_number_is_named() {
    let site = Site::start();
    fill(&site, 5);
    let set = [
        ("at", "'2026-11-23 09:40:00.001'"),
        ("action", "'token.remove'"),
        ("actor_id", "'x'"),
        ("actor_name", "'Operator'"),
        ("via", "'sign-in'"),
        ("subject_kind", "'api'"),
        ("subject_id", "'x'"),
        ("subject_name", "'t3'"),
        ("owner_id", "''"),
        ("detail", "'{}'"),
        ("ip", "'10.0.0.1'"),
        ("agent", "'curl'"),
        ("folded", "'x'"),
        ("hash", "'00'"),
        ("id", "'019ab000-0000-7000-8000-000000000001'"),
    ];
    let columns = site.texts(match site.app.db.is_shared() {
        true => "SELECT column_name AS text FROM information_schema.columns WHERE table_name = 'events'",
        false => "SELECT name AS text FROM pragma_table_info('events')",
    });
    for column in columns.iter().filter(|column| *column != "number") {
        let value = set.iter().find(|(of, _)| of == column).unwrap_or_else(|| panic!("{column} is not tried")).1;
        site.sql("CREATE TABLE kept AS SELECT * FROM events WHERE number = 3");
        site.sql(&format!("UPDATE events SET {column} = {value} WHERE number = 3"));
        let said = verify(&site, &[]).unwrap_err();
        assert!(said.starts_with("Event 3 (id ") && said.contains("was changed"), "{column}: {said}");
        site.sql("DELETE FROM events WHERE number = 3; INSERT INTO events SELECT * FROM kept; DROP TABLE kept");
        assert!(verify(&site, &[]).is_ok(), "{column} was put back");
    }
    site.sql("UPDATE events SET number = 7 WHERE number = 3");
    assert_eq!(verify(&site, &[]).unwrap_err(), "Event 3 is missing: it was removed.\n");
}

#[test]
fn a_moment_that_is_none_any_more_is_a_changed_row() {
    let site = Site::start();
    fill(&site, 3);
    if site.app.db.is_shared() {
        return;
    }
    site.sql("UPDATE events SET at = 'yesterday' WHERE number = 2");
    let said = verify(&site, &[]).unwrap_err();
    assert!(said.starts_with("Event 2 (id ") && said.contains("cannot be read"), "{said}");
}

#[test]
fn removed_moved_added_and_cut_off_rows_are_each_told_by_the_first_number() {
    let swap = "UPDATE events SET number = -1 WHERE number = 2; UPDATE events SET number = 2 WHERE number = 4; \
                UPDATE events SET number = 4 WHERE number = -1";
    let copy = "INSERT INTO events SELECT 'x', at, action, actor_id, actor_name, via, subject_kind, subject_id, \
                subject_name, owner_id, detail, ip, agent, folded,";
    let neighbours = swap.replace("= 4", "= 3");
    let past = format!("{copy} 7, hash FROM events WHERE number = 6");
    let before = format!("{copy} 0, hash FROM events WHERE number = 1");
    for (tampering, part) in [
        ("DELETE FROM events WHERE number = 3", "Event 3 is missing: it was removed."),
        ("DELETE FROM events WHERE number = 1", "Event 1 is missing: it was removed."),
        ("DELETE FROM events WHERE number > 4", "Event 5 is missing: the log was cut off at its end, by 2."),
        ("DELETE FROM events", "Event 1 is missing: the log was cut off at its end, by 6."),
        (swap, ") is out of order: it was written as number 4."),
        (&neighbours, ") is out of order: it was written as number 3."),
        (&past, "Event 7 (id x) was changed"),
        (&before, "Event 0 (id x) was put in"),
        ("DELETE FROM chain WHERE name = 'checkpoint'", "The checkpoint is missing"),
        ("DELETE FROM chain WHERE name = 'head'", "The head is missing"),
        ("UPDATE chain SET hash = 'x' WHERE name = 'head'", "Event 6 is the last one, but the head has another hash."),
        ("UPDATE chain SET number = 2, hash = 'x' WHERE name = 'checkpoint'", "Event 1 ("),
    ] {
        let site = Site::start();
        fill(&site, 6);
        site.sql(tampering);
        let said = verify(&site, &[]).unwrap_err();
        assert!(said.contains(part) && said.lines().count() == 1, "{tampering}: {said}");
        if part.starts_with(')') {
            assert!(said.starts_with("Event 2 (id "), "{said}");
        }
    }
}

#[test]
fn a_noted_head_proves_that_the_log_goes_on_from_it() {
    let site = Site::start();
    fill(&site, 4);
    let (number, hash) = head(&site);
    fill(&site, 3);
    let noted = ["--head", &hash, "--number", &number];
    assert!(verify(&site, &noted).unwrap().ends_with("It goes on from number 4, as noted.\n"));
    let said = verify(&site, &["--head", &hash, "--number", "3"]).unwrap_err();
    assert!(said.starts_with("Event 3 (id ") && said.contains("another hash than was noted"), "{said}");
    let said = verify(&site, &["--head", &hash, "--number", "9"]).unwrap_err();
    assert_eq!(said, "Event 8 is missing: the log was cut off at its end, by 2.\n");
    for wrong in [&["--head", &hash][..], &["--number", "4"], &["--head", &hash, "--number", "0"]] {
        assert!(verify(&site, wrong).is_err());
    }
    // Whoever rewrites all of it, the head too, makes a log that agrees with itself, but not with what was noted.
    let other = Site::start();
    fill(&other, 7);
    assert!(verify(&other, &[]).is_ok());
    let said = verify(&other, &noted).unwrap_err();
    assert!(said.starts_with("Event 4 (id ") && said.contains("the log was rewritten"), "{said}");
}

#[test]
fn writers_at_the_same_moment_make_one_chain_without_gaps() {
    let site = Site::start();
    let beside = site.beside();
    std::thread::scope(|scope| {
        for app in [&site.app, &site.app, &beside.app, &beside.app] {
            scope.spawn(move || {
                for nth in 0..20 {
                    let written = app.write_now(|tx| {
                        // Some draw a version first, some do not; some tell of more than one thing.
                        if nth % 2 == 0 {
                            tx.version()?;
                        }
                        (0..=nth % 3).try_for_each(|part| tell(tx, &format!("{nth} {part}")))
                    });
                    written.unwrap();
                }
            });
        }
    });
    let each: usize = (0..20).map(|nth| 1 + nth % 3).sum();
    assert!(verify(&site, &[]).unwrap().starts_with(&format!("{} events, all", each * 4)));
}

#[test]
fn a_change_that_fails_leaves_no_event_and_no_gap() {
    let site = Site::start();
    fill(&site, 2);
    let failed: hallpass::error::Result<()> = site.app.write_now(|tx| {
        tell(tx, "never")?;
        Err(hallpass::error::Error::Missing)
    });
    assert!(failed.is_err());
    fill(&site, 1);
    assert!(verify(&site, &[]).unwrap().starts_with("3 events, all"));
}

#[test]
fn without_its_head_no_change_is_made_at_all() {
    let site = Site::start();
    fill(&site, 1);
    site.sql("DELETE FROM chain WHERE name = 'head'");
    let refused = site.app.write_now(|tx| tell(tx, "unheard")).unwrap_err();
    assert!(matches!(refused, hallpass::error::Error::Internal(_)), "{refused:?}");
    assert_eq!(site.texts("SELECT subject_name AS text FROM events"), ["t0"]);
}

#[test]
fn events_of_a_database_without_the_chain_are_chained_at_the_first_start() {
    let site = Site::start();
    fill(&site, 3);
    // As the migration leaves what it finds.
    let bare = "UPDATE events SET hash = ''; UPDATE chain SET hash = '' WHERE name = 'head'; \
                INSERT INTO chain (name, number, hash) VALUES ('former', 0, '')";
    site.sql(bare);
    let early = site.app.write_now(|tx| tell(tx, "early")).unwrap_err();
    assert!(matches!(early, hallpass::error::Error::Busy(_)), "{early:?}");
    assert!(verify(&site, &[]).unwrap().starts_with("3 events, all"));
    fill(&site, 1);
    assert!(verify(&site, &[]).unwrap().starts_with("4 events, all"));
    assert_eq!(hallpass::audit::chain::chain_former(&site.app.db).unwrap(), 0, "once only");
}

#[test]
fn ten_thousand_events_of_one_change_are_one_piece_of_the_chain() {
    let site = Site::start();
    site.app.write_now(|tx| (0..10_000).try_for_each(|nth| tell(tx, &format!("t{nth}")))).unwrap();
    assert!(verify(&site, &[]).unwrap().starts_with("10000 events, all"));
}

#[test]
fn events_past_their_days_are_deleted_and_the_rest_still_proves() {
    let site = Site::start();
    fill(&site, 3);
    let (_, noted) = head(&site);
    site.pass(TimeDelta::days(20));
    fill(&site, 2);
    let (number, hash) = head(&site);
    site.pass(TimeDelta::days(11));
    hallpass::jobs::prune_audit(&site.app, None).unwrap();
    assert!(
        verify(&site, &[]).unwrap().starts_with("5 events"),
        "they are kept for ever unless somebody says otherwise"
    );
    hallpass::jobs::prune_audit(&site.app, Some(30)).unwrap();
    let said = verify(&site, &[]).unwrap();
    let checkpoint =
        format!("Checkpoint: number 3, hash {noted}\nWhat was before it was deleted for its age on 2026-12-24.");
    assert!(said.starts_with("3 events, all as they were written.") && said.contains(&checkpoint), "{said}");
    let told =
        site.texts("SELECT actor_name || ' ' || via || ' ' || detail AS text FROM events WHERE action = 'audit.prune'");
    assert_eq!(told, [format!(r#"Hallpass program {{"deleted":3,"hash":"{noted}","up_to":3}}"#)]);
    // Again at the same day: nothing to do, nothing to tell.
    hallpass::jobs::prune_audit(&site.app, Some(30)).unwrap();
    assert!(verify(&site, &["--head", &hash, "--number", &number]).is_ok());
    assert!(verify(&site, &["--head", &noted, "--number", "3"]).is_ok(), "the checkpoint itself was noted");
    let said = verify(&site, &["--head", &noted, "--number", "2"]).unwrap_err();
    assert!(said.contains("was deleted for its age, so what was noted proves nothing"), "{said}");
    // The rest is proven as before.
    for (tampering, part) in [
        ("DELETE FROM events WHERE number = 4", "Event 4 is missing"),
        ("UPDATE chain SET hash = 'x', number = 4 WHERE name = 'checkpoint'", "Event 5 (id "),
        ("DELETE FROM chain WHERE name = 'checkpoint'", "The checkpoint is missing"),
    ] {
        site.sql(tampering);
        let said = verify(&site, &[]).unwrap_err();
        assert!(said.contains(part), "{tampering}: {said}");
    }
}

#[test]
fn a_log_of_which_everything_is_past_its_days_goes_on_from_its_checkpoint() {
    let site = Site::start();
    site.app.write_now(|tx| (0..2_500).try_for_each(|nth| tell(tx, &format!("t{nth}")))).unwrap();
    site.pass(TimeDelta::days(40));
    hallpass::jobs::prune_audit(&site.app, Some(30)).unwrap();
    assert!(verify(&site, &[]).unwrap().starts_with("1 events, all"), "what was deleted is told");
    assert_eq!(head(&site).0, "2501");
}

const AUDIT: &str = "/admin/audit";

/// The events that the page shows, without their times and what they open to.
fn rows(page: &Answer) -> Vec<String> {
    let (html, css) = (page.html(), |css: &str| scraper::Selector::parse(css).unwrap());
    let text = |cell: scraper::ElementRef<'_>| {
        let text = cell.text().collect::<Vec<_>>().join(" ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let row =
        |row: scraper::ElementRef<'_>| row.select(&css(":scope > span")).map(text).collect::<Vec<_>>().join(" | ");
    html.select(&css(".log summary")).map(row).collect()
}

/// What a row opens to.
fn opened(page: &Answer, nth: usize) -> String {
    let (html, css) = (page.html(), |css: &str| scraper::Selector::parse(css).unwrap());
    let row = html.select(&css(".log details")).nth(nth).unwrap();
    let text: String = row.select(&css(".facts")).flat_map(|facts| facts.text()).collect::<Vec<_>>().join(" ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn find(person: &Person<'_>, fields: &[(&str, &str)]) -> Answer {
    let form = person.get(AUDIT).form("/admin/audit/find").with(fields);
    let found = person.post("/admin/audit/find", &form);
    assert_eq!(found.status, 303, "{}", found.text());
    person.get(found.header("location"))
}

fn events(site: &Site, action: &str) -> Vec<String> {
    let of =
        "actor_name || ' ' || substr(via, 1, 7) || ' ' || subject_name || ' ' || ip || ' ' || agent || ' ' || detail";
    site.texts(&format!("SELECT {of} AS text FROM events WHERE action = '{action}' ORDER BY number"))
}

#[test]
fn the_page_tells_the_story_newest_first_with_before_and_after() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.header("user-agent", "Firefox of Maria");
    maria.generate("ci", &["zones:listZones"]);
    maria.edit("ci", |form| form.with(&[("name", "deploy"), ("description", "every night")]));
    maria.press("disable", &["deploy"]);
    let page = maria.get(AUDIT);
    let told = rows(&page);
    let first = [
        "Token disabled | deploy | You browser session",
        "Token edited Description: every night; Name: deploy, was ci | deploy | You browser session",
    ];
    assert!(opened(&page, 0).contains("Enabled no"), "{}", opened(&page, 0));
    assert!(told[0].starts_with("Token disabled") && told[0].ends_with("| deploy | You browser session"), "{told:?}");
    assert_eq!(told[1], first[1]);
    assert!(told[2].starts_with("Token generated Custom, 1 method"), "{told:?}");
    assert!(told.last().unwrap().starts_with("Account set up"), "{told:?}");
    let facts = opened(&page, 1);
    for part in [
        "Name deploy, was ci",
        "Description every night",
        "Browser Firefox of Maria",
        "Address 127.0.0.1",
        "token.edit",
    ] {
        assert!(facts.contains(part), "{part} in {facts}");
    }
    assert!(page.text().contains("Times are in Europe/Berlin") && page.text().contains("23 Nov, 10:40:00"));
    let id = maria.id_of("deploy");
    assert!(page.body.contains(&format!("href=\"/settings/tokens/{id}\"")));
    // Its sidebar entry is the one that is marked.
    assert_eq!(page.attribute("nav a[aria-current]", "href"), AUDIT);
}

#[test]
fn each_filter_leaves_what_it_says_and_they_go_together() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    maria.generate("nightly", &["zones:listZones"]);
    let jan = site.person("jan@example.com", Role::Contributor);
    jan.header("x-forwarded-for", "203.0.113.9");
    jan.generate("ci", &["zones:readZone"]);
    site.pass(TimeDelta::days(2));
    maria.sign_in("maria@example.com", PASSWORD);
    maria.press("remove", &["nightly"]);
    let count = |fields: &[(&str, &str)]| rows(&find(&maria, fields)).len();
    for (fields, events) in [
        (&[("action", "token.generate")][..], 3),
        (&[("action", "token")], 4),
        (&[("action", "token.generate"), ("actor", "jan@example.com")], 1),
        (&[("action", "token"), ("actor", "maria keller")], 3),
        (&[("actor", "operator")], 1),
        (&[("actor", "nobody at all")], 0),
        (&[("actor", "nobody@example.com")], 0),
        (&[("subject", "CI")], 2),
        (&[("subject", "CI"), ("actor", "jan")], 1),
        (&[("subject", "nightly")], 2),
        (&[("subject", "pdns")], 1),
        (&[("ip", "203.0.113.9")], 1),
        (&[("ip", "::ffff:203.0.113.9")], 1),
        (&[("ip", "nothing")], 0),
        (&[("q", "NIGHTLY generate")], 1),
        (&[("q", "nightly"), ("action", "token.remove")], 1),
        (&[("q", "100%_")], 0),
        (&[("from", "2026-11-25")], 2),
        (&[("to", "2026-11-24"), ("action", "token")], 3),
        (&[("from", "2026-11-24"), ("to", "2026-11-24")], 0),
        (&[("from", "25.11.2026"), ("action", "token")], 1),
        (&[("action", "no.such")], 0),
        (&[("action", "no such")], 0),
    ] {
        assert_eq!(count(fields), events, "{fields:?}");
    }
    let id = maria.id_of("ci");
    assert_eq!(count(&[("subject", &id)]), 1);
    let wrong = find(&maria, &[("from", "11/25/2026")]);
    assert!(wrong.error_of("from").contains("could be two different days"), "{}", wrong.text());
    assert_eq!(rows(&wrong).len(), 0);
}

#[test]
fn pages_follow_each_other_by_key_and_nothing_is_twice_or_left_out() {
    let site = Site::start();
    let maria = site.owner();
    fill(&site, 120);
    let mut seen = Vec::new();
    let mut page = maria.get(&format!("{AUDIT}?action=token"));
    assert!(page.text().contains("122 events, chained"), "{}", page.text());
    loop {
        seen.extend(rows(&page).iter().map(|row| row.split(" | ").nth(1).unwrap().to_owned()));
        // What comes meanwhile moves nothing.
        fill(&site, 1);
        let html = page.html();
        let Some(older) = html.select(&scraper::Selector::parse("a[rel=next]").unwrap()).next() else { break };
        page = maria.get(older.attr("href").unwrap());
        assert!(page.body.contains(&format!("href=\"{AUDIT}?action=token\"")), "back to the newest");
    }
    // And back, page by page, over what came meanwhile too.
    let mut back = rows(&page);
    back.reverse();
    let mut turns = 0;
    loop {
        let html = page.html();
        let Some(newer) = html.select(&scraper::Selector::parse("a[rel=prev]").unwrap()).next() else { break };
        page = maria.get(newer.attr("href").unwrap());
        back.extend(rows(&page).into_iter().rev());
        turns += 1;
    }
    let back: Vec<String> = back.iter().map(|row| row.split(" | ").nth(1).unwrap().to_owned()).collect();
    assert_eq!((turns, &back[..120]), (3, &seen.iter().rev().cloned().collect::<Vec<_>>()[..]));
    let wanted: Vec<String> = (0..120).rev().map(|nth| format!("t{nth}")).collect();
    assert_eq!(seen, wanted);
}

#[test]
fn a_search_looks_through_so_many_rows_and_says_how_far_it_came() {
    let site = Site::start();
    let maria = site.owner();
    site.app.write_now(|tx| tell(tx, "needle")).unwrap();
    site.pass(TimeDelta::minutes(1));
    for _ in 0..3 {
        site.app.write_now(|tx| (0..3_000).try_for_each(|_| tell(tx, "hay"))).unwrap();
    }
    let page = find(&maria, &[("q", "needle")]);
    assert_eq!(rows(&page).len(), 0);
    assert!(
        page.text().contains("Nothing so far. Looked through 8,000 rows back to 23 Nov, 10:41. Look further back"),
        "{}",
        page.text()
    );
    let further = maria.get(&page.attribute("a[rel=next]", "href"));
    assert_eq!(rows(&further).len(), 1, "{}", further.text());
    assert!(!further.text().contains("Looked through"), "{}", further.text());
    // Two filters of which one finds few rows: its index is followed, and nothing is left to look through.
    let both = find(&maria, &[("subject", "019ab000-0000-7000-8000-000000000000"), ("action", "session")]);
    assert!(rows(&both).is_empty() && both.text().contains("Nothing matches."), "{}", both.text());
}

#[test]
fn a_stranger_to_administration_finds_nothing_here_in_any_form() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let jan = site.person("jan@example.com", Role::Contributor);
    for address in [AUDIT, "/admin/audit.csv", "/admin/audit.jsonl", "/admin/audit?q=x"] {
        assert_eq!(jan.get(address).status, 404, "{address}");
        assert_eq!(maria.get(address).status, 200, "{address}");
    }
    assert!(!jan.get("/settings/tokens").body.contains(AUDIT));
    let actor = hallpass::session::actor(
        &site.app.db.read(|conn| hallpass::account::by_email(conn, "jan@example.com")).unwrap().unwrap(),
        &hallpass::types::SessionId::from("x"),
        Default::default(),
    );
    let looked = site.app.db.read(|conn| hallpass::audit::log::page(conn, &actor, &Default::default(), None).map(drop));
    assert!(matches!(looked, Err(hallpass::error::Error::Missing)), "the core holds it, whatever page asks");
}

#[test]
fn odd_bytes_in_a_filter_are_no_error_and_a_pasted_value_is_in_no_address() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    let value = maria.generate("ci", &["zones:listZones"]);
    for odd in ["%00", "a%00b", "%F0%9F%92%A9", "%FF%FE", "%5C%25_", "'%22;--", "%0D%0A", &"x".repeat(5_000)] {
        for field in ["q", "action", "actor", "subject", "ip", "from", "to", "after"] {
            for address in [AUDIT, "/admin/audit.csv"] {
                let answer = maria.get(&format!("{address}?{field}={odd}"));
                let is_day = matches!(field, "from" | "to");
                let wanted = if is_day && address != AUDIT && answer.status != 200 { 422 } else { 200 };
                assert_eq!(answer.status, wanted, "{address} {field} {odd}");
            }
        }
    }
    let form = maria.get(AUDIT).form("/admin/audit/find").with(&[("q", &value)]);
    let found = maria.post("/admin/audit/find", &form);
    assert_eq!(found.header("location"), format!("{AUDIT}?subject={}", maria.id_of("ci")));
    let cleaned = maria.get(&format!("{AUDIT}?q={value}&actor={value}"));
    assert_eq!((cleaned.status, cleaned.header("location").contains(&value)), (303, false));
}

#[test]
fn a_refused_change_stands_in_the_log_with_who_as_whom_from_where_and_why() {
    let site = Site::start();
    site.owner_with_zones();
    let eve = site.person("eve@example.com", Role::Viewer);
    eve.header("user-agent", "Firefox of Eve");
    eve.header("x-forwarded-for", "203.0.113.9");
    let form = eve.get("/settings/tokens").form("/theme").with(&[("name", "x"), ("set", "custom")]);
    assert_eq!(eve.post("/settings/tokens/new", &form).status, 403);
    let [told] = &events(&site, "change.refuse")[..] else { panic!("{:?}", events(&site, "change.refuse")) };
    assert_eq!(
        told,
        "eve session /settings/tokens/new 203.0.113.9 Firefox of Eve {\"why\":\"This needs the role token creator; yours is viewer.\"}"
    );
    // A look that is refused changes nothing, a form without its token is no change, and what is not there is no refusal.
    eve.get("/settings/tokens/new");
    eve.post("/settings/tokens/new", &Form(vec![("form_token".into(), "x".into())]));
    eve.post("/admin/apis/pdns/remove", &form);
    assert_eq!(events(&site, "change.refuse").len(), 1);
    assert!(eve.get("/settings/activity").text().contains("Change refused"), "who was refused sees it too");
    assert!(verify(&site, &[]).is_ok());
}

#[test]
fn sign_ins_refused_ones_and_refused_confirms_stand_in_the_log() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    let eve = site.visitor();
    eve.header("user-agent", "Firefox of Eve");
    eve.sign_in("maria@example.com", "not the right password");
    eve.sign_in("nobody@example.com", "not the right password");
    let page = maria.ask_for("remove", &["ci"]);
    let form = page.form("/settings/tokens/remove").with(&[("password", "not the right password")]);
    assert_eq!(maria.post("/settings/tokens/remove", &form).status, 422);
    let refused = events(&site, "session.refuse");
    assert_eq!(
        refused,
        [
            "somebody sign-in Maria Keller 127.0.0.1 Firefox of Eve {}",
            "somebody sign-in unknown 127.0.0.1 Firefox of Eve {}",
        ]
    );
    let refused = events(&site, "confirm.refuse");
    assert!(refused.len() == 1 && refused[0].ends_with("{\"change\":\"token.remove\"}"), "{refused:?}");
    assert!(find(&maria, &[("action", "confirm")]).text().contains("For token.remove"));
    assert_eq!(events(&site, "session.sign_in").len(), 1);
    assert_eq!(rows(&find(&maria, &[("actor", "somebody")])).len(), 2);
}

/// The rows of a CSV file.
fn cells(file: &Answer) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(file.body.as_bytes());
    reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect()
}

#[test]
fn the_csv_has_what_the_filter_leaves_and_nothing_that_a_spreadsheet_runs() {
    let site = Site::start();
    let maria = site.owner();
    for name in ["=1+1", "+1", "-1", "@SUM(A1)", "plain; \"quoted\"\nline"] {
        site.app.write_now(|tx| tell(tx, name)).unwrap();
    }
    let file = maria.get("/admin/audit.csv?action=token.edit");
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8; header=present");
    assert!(file.header("content-disposition").contains("hallpass-audit.csv"));
    let rows = cells(&file);
    let names: Vec<&str> = rows.iter().map(|row| row[9].as_str()).collect();
    assert_eq!(names, ["'=1+1", "'+1", "'-1", "'@SUM(A1)", "plain; \"quoted\"\nline"]);
    assert_eq!(rows[0][..6], ["3", "2026-11-23T09:40:00Z", "token.edit", "Token edited", "", "operator"]);
    assert_eq!(cells(&maria.get("/admin/audit.csv?q=nothing+matches")).len(), 0);
}

#[test]
fn the_json_lines_hold_all_rows_in_order_and_prove_the_chain_by_themselves() {
    let site = Site::start();
    let maria = site.owner_with_zones();
    maria.generate("ci", &["zones:listZones"]);
    maria.edit("ci", |form| form.with(&[("name", "ключ “x” 💡")]));
    fill(&site, 1_200);
    let file = maria.get("/admin/audit.jsonl");
    assert_eq!(file.header("content-type"), "application/jsonl; charset=utf-8");
    let (mut previous, mut number) = (String::new(), 0);
    for line in file.body.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap();
        number += 1;
        assert_eq!(event["number"], number);
        let mut text = format!("{}:{previous},{}:{number},", previous.len(), number.to_string().len());
        for column in [
            "id",
            "at",
            "action",
            "actor_id",
            "actor_name",
            "via",
            "subject_kind",
            "subject_id",
            "subject_name",
            "owner_id",
            "detail",
            "ip",
            "agent",
            "folded",
        ] {
            text += &match event[column].as_str() {
                Some(value) => format!("{}:{value},", value.len()),
                None => "-,".to_owned(),
            };
        }
        previous = Sha256::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(event["hash"], previous, "{text}");
    }
    assert_eq!(head(&site), (number.to_string(), previous));
    assert_eq!(maria.get("/admin/audit.jsonl?action=token.generate").body.lines().count(), 1);
}
