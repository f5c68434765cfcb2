//! The audit log: chained, proven by the command line, kept as long as an operator says, read and exported by administrators.

use std::process::{Command, Stdio};

use chrono::TimeDelta;
use hallpass::actor::Actor;
use hallpass::audit::{Subject, record};
use hallpass::types::TokenId;

use crate::support::Site;

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
