//! The audit log with 5,000,000 events (`BENCH_EVENTS` for another number): its page, filters and searches at several depths
//! through a running server beside the bare handler `/healthz`, an export, and the proof. `cargo bench --bench audit`; SQLite in a
//! temporary folder, the file that `BENCH_KEPT` names (filled once), or the fresh database of `BENCH_DATABASE_URL`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on has to stop"
)]

mod browser;
mod stock;

use std::sync::Arc;
use std::time::Instant;

use browser::{Browser, memory};
use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use hallpass::actor::{Actor, Origin, Via};
use hallpass::app::App;
use hallpass::audit::{Subject, prove, record};
use hallpass::schema::events;
use hallpass::types::{EventId, Role, SessionId, Stamp};
use stock::{Stock, name_of_person};

const AT_ONCE: u64 = 20_000;
const ROUNDS: usize = 30;
/// Made again behind the fill: their order has nothing to do with that of the rows.
const INDEXES: [(&str, &str); 5] = [
    ("events_owner", "owner_id, id"),
    ("events_subject", "subject_id, id"),
    ("events_action", "action, id"),
    ("events_actor", "actor_id, id"),
    ("events_ip", "ip, id"),
];

fn main() {
    let events = std::env::var("BENCH_EVENTS").map_or(5_000_000, |n| n.parse().unwrap());
    let stock = Stock::open();
    let app = stock.app.clone();
    let began = Instant::now();
    let known: i64 = app.db.read(|conn| Ok(events::table.count().get_result(conn)?)).unwrap();
    if known < 1_000 {
        fill(&stock, events);
        println!("filled with {events} events in {:.0} s", began.elapsed().as_secs_f64());
    }
    one_change(&stock);
    look(&app, events);

    let began = Instant::now();
    let verdict = app.db.snapshot(|conn| prove::prove(conn, None)).unwrap();
    println!("proof: {verdict:?} in {:.1} s", began.elapsed().as_secs_f64());
    std::process::exit(0);
}

/// As many changes a year ago as now, by people and their tokens, in transactions of many events.
fn fill(stock: &Stock, events: u64) {
    let app = &stock.app;
    let sql = |sql: &str| app.db.write(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
    INDEXES.iter().for_each(|(name, _)| sql(&format!("DROP INDEX {name}")));
    let year = TimeDelta::days(365).num_milliseconds() as u64;
    let start = app.now().minus(TimeDelta::days(366));
    let mut done = 0;
    while done < events {
        app.write_now(|tx| {
            for nth in done..(done + AT_ONCE).min(events) {
                tx.now = start.plus(TimeDelta::milliseconds((nth * (year / events.max(1)).max(1)) as i64));
                tell(stock, tx, nth)?;
            }
            Ok(())
        })
        .unwrap();
        done += AT_ONCE;
    }
    for (name, columns) in INDEXES {
        if app.db.is_shared() {
            sql(&format!("SET LOCAL statement_timeout = 0; CREATE INDEX {name} ON events ({columns})"));
        } else {
            sql(&format!("CREATE INDEX {name} ON events ({columns})"));
        }
    }
    // As its autovacuum does within a minute or two; nothing like it is needed on SQLite.
    if app.db.is_shared() {
        sql("ANALYZE events");
    }
}

fn tell(stock: &Stock, tx: &mut hallpass::tx::Tx<'_>, nth: u64) -> hallpass::error::Result<()> {
    // Spread over all, each time the same.
    let spread = |nth: u64| nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let person = (spread(nth) % stock.people as u64) as usize;
    let token = (spread(nth.rotate_left(7)) % stock.tokens as u64) as usize;
    let id = |of: &str, n: u64| format!("019ab000-{of}-7000-8000-{n:012x}");
    let actor = Actor {
        account: Some(stock::person(person)),
        name: name_of_person(person),
        role: Role::Contributor,
        via: Via::Session(SessionId::from(id("0002", nth / 10).as_str())),
        origin: Origin {
            ip: format!("10.{}.{}.{}", person >> 8 & 255, person & 255, nth % 3),
            agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        },
    };
    let (name, token) = (format!("job-{:06}", token / 3), stock::token(token));
    let subject = Subject::token(&token, &name);
    let owner = actor.account.clone();
    let detail = serde_json::json!({
        "before": { "name": name, "expires_at": "2027-02-20T22:59:59.000Z", "scopes": ["pdns/zones:listZones"], "enabled": true },
        "after": { "name": name, "expires_at": "2027-05-20T22:59:59.000Z", "scopes": ["pdns/zones:listZones"], "enabled": true },
    });
    let action = match nth % 1_000 {
        0 => "token.remove",
        1..400 => "session.sign_in",
        400..600 => "token.generate",
        600..604 => "session.refuse",
        _ => "token.edit",
    };
    let rare = if nth % 1_000_000 == 500_000 { "api.remove" } else { action };
    record(tx, &actor, rare, subject, owner.as_ref(), detail)
}

/// What the log adds to one change of one event, and to one of 10,000.
fn one_change(stock: &Stock) {
    for (events, rounds) in [(1, 300), (10_000, 3)] {
        let began = Instant::now();
        for round in 0..rounds {
            stock.app.write_now(|tx| (0..events).try_for_each(|nth| tell(stock, tx, round * 31 + nth))).unwrap();
        }
        let each = began.elapsed().as_secs_f64() * 1e3 / rounds as f64;
        println!("a change of {events} events: {each:.2} ms");
    }
}

fn look(app: &Arc<App>, events: u64) {
    let base = browser::serve(app);
    let browser = Browser::signed_in(&base);

    let at = |share: u64| -> EventId {
        let number = (events * share / 100).max(1) as i64;
        let id = events::table.filter(events::number.eq(number)).select(events::id);
        app.db.read(|conn| Ok(id.first(conn)?)).unwrap()
    };
    let day = |share: u64| -> String {
        let number = (events * share / 100).max(1) as i64;
        let at = events::table.filter(events::number.eq(number)).select(events::at);
        let at: Stamp = app.db.read(|conn| Ok(at.first(conn)?)).unwrap();
        at.utc().format("%Y-%m-%d").to_string()
    };
    println!("{:<58} {:>9} {:>9} {:>9}", "view", "median ms", "p95 ms", "max ms");
    let time = |path: &str, name: &str| {
        let spans = browser.spans(path, ROUNDS);
        println!("{name:<58} {:>9.2} {:>9.2} {:>9.2}", spans.at(50), spans.at(95), spans.at(100));
    };
    time("/healthz", "the bare handler");
    let person = stock::person(7);
    for (query, name) in [
        ("", "all"),
        ("&action=token", "a noun"),
        ("&action=token.edit", "an action that is most"),
        ("&action=api.remove", "an action that is rare"),
        (&format!("&actor={person}"), "a person by id"),
        ("&actor=nobody@example.com", "a person whom there is not"),
        ("&actor=operator", "the command line"),
        (&format!("&subject={}", stock::token(7)), "a token"),
        ("&subject=job-000123", "a token by its name"),
        ("&actor=Vera017+Lund0017", "people of one name"),
        ("&ip=10.0.7.1", "an address"),
        (&format!("&action=token.edit&actor={person}"), "a person and an action"),
        (&format!("&actor={person}&action=api.remove"), "a person and a rare action"),
        ("&action=session.sign_in&ip=10.0.7.1", "an address and an action"),
        ("&q=job-0777", "words that some rows have"),
        ("&q=no+such+thing", "words that no row has"),
        ("&q=no+such+thing&action=token", "words and a noun"),
        (&format!("&q=no+such+thing&actor={person}"), "words and a person"),
    ] {
        for (share, depth) in [(100, "newest"), (50, "middle"), (1, "oldest")] {
            let after = if share == 100 { String::new() } else { format!("&after={}", at(share)) };
            time(&format!("/admin/audit?{query}{after}"), &format!("{name}, {depth}"));
        }
    }
    let (from, to) = (day(30), day(40));
    time(&format!("/admin/audit?from={from}&to={to}"), "days");
    time(&format!("/admin/audit?from={from}&to={to}&q=no+such+thing"), "days and words");
    let before = memory();
    for file in ["csv", "jsonl"] {
        let (began, bytes) = (Instant::now(), browser.drain(&format!("/admin/audit.{file}")));
        let seconds = began.elapsed().as_secs_f64();
        println!("{file}: {} MB in {seconds:.0} s, memory {before} MB before and at most {} MB", bytes >> 20, memory());
    }
}
