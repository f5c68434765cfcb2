//! The list of everybody's tokens with a million of them and a hundred thousand accounts: every tab, order, search and depth, asked
//! of the core as the page does, and some through a running server. `cargo bench --bench admin`; SQLite in a temporary folder, or
//! the fresh database that `BENCH_DATABASE_URL` names. `BENCH_TOKENS` for fewer.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on has to stop"
)]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use hallpass::actor::Actor;
use hallpass::app::{App, Clock, Parts};
use hallpass::db::{Conn, Db, Place};
use hallpass::password::{Cost, Hasher};
use hallpass::policy::Policy;
use hallpass::secret::Random;
use hallpass::token::all::{Ask, Counts, Page, Sort, SortBy, Tab, Times, matching, page, part};
use hallpass::types::{AccountId, TokenId};

const ROUNDS: usize = 15;
/// Tokens of an account.
const EACH: usize = 10;

fn main() {
    let tokens: usize = std::env::var("BENCH_TOKENS").ok().and_then(|n| n.parse().ok()).unwrap_or(1_000_000);
    let folder = tempfile::tempdir().unwrap();
    let place = match std::env::var("BENCH_DATABASE_URL") {
        Ok(url) => Place::Postgres(url),
        Err(_) => Place::Sqlite(folder.path().join("bench.db").to_string_lossy().into_owned()),
    };
    let cheap = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    let app = App::new(Parts {
        db: Db::open(&place, 4).unwrap(),
        policy: Policy::default(),
        prefix: "hp".into(),
        hasher: Hasher::new(NonZeroUsize::MIN, cheap, || [7; 16]).unwrap(),
        random: Random::of_the_machine(),
        clock: Clock::of_the_machine(),
    });
    let began = Instant::now();
    fill(&app, tokens);
    println!("{tokens} tokens of {} accounts in {:.0} s", tokens / EACH, began.elapsed().as_secs_f64());

    let times = Times { now: app.now(), notice: TimeDelta::days(14) };
    let ask = |tab| Ask { owner: None, tab, q: String::new(), sort: None, after: None };
    println!("{:<44} {:>9} {:>9} {:>9}", "view", "median ms", "max ms", "rows");
    let mut cold: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            app.db.read(|conn| page(conn, &Actor::operator(), &ask(Tab::All), times, &Counts::default())).unwrap();
            began.elapsed()
        })
        .collect();
    cold.sort();
    println!("first page, all counted anew: median {:.2} ms", cold.get(ROUNDS / 2).unwrap().as_secs_f64() * 1e3);
    for tab in Tab::EVERY {
        for by in [SortBy::Created, SortBy::Name, SortBy::Expires, SortBy::Used] {
            for descending in [false, true] {
                let mut wish = Ask { sort: Some(Sort { by, descending }), ..ask(tab) };
                let first = look(&app, &format!("{tab:?} {by:?} {descending} first"), &wish, times);
                // Far in: behind a row of the middle.
                wish.after = first.rows.last().map(|_| middle(tokens));
                look(&app, &format!("{tab:?} {by:?} {descending} deep"), &wish, times);
            }
        }
    }
    for q in ["job-000123", "job-", "j", "person-04", "person-04567", "person", "hp_00012", "hp_", "nothing"] {
        look(&app, &format!("search {q}"), &Ask { q: q.into(), ..ask(Tab::All) }, times);
    }
    let owner = Some(AccountId::from(id('a', tokens / EACH / 2).as_str()));
    look(&app, "owner", &Ask { owner, ..ask(Tab::All) }, times);
    for tab in [Tab::All, Tab::Expiring, Tab::Broad] {
        let (wish, began) = (ask(tab), Instant::now());
        let found = app.db.read(|conn| matching(conn, &Actor::operator(), &wish, times)).unwrap().len();
        println!("all of {tab:?}: {found} in {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    }
    let (mut wish, began, mut rows) = (ask(Tab::All), Instant::now(), 0);
    loop {
        let (some, more) = app.db.read(|conn| part(conn, &Actor::operator(), &wish, times)).unwrap();
        rows += some.len();
        wish.after = some.last().map(|row| row.listed.token.id.clone());
        if !more || rows >= 100_000 {
            break;
        }
    }
    println!("file: {rows} rows in {:.1} s", began.elapsed().as_secs_f64());
    std::process::exit(0);
}

fn look(app: &Arc<App>, name: &str, ask: &Ask, times: Times) -> Page {
    let once = || app.db.read(|conn| page(conn, &Actor::operator(), ask, times, &app.counts)).unwrap();
    let mut spans: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            once();
            began.elapsed()
        })
        .collect();
    spans.sort();
    let found = once();
    let ms = |span: Option<&Duration>| span.unwrap().as_secs_f64() * 1e3;
    println!("{name:<44} {:>9.2} {:>9.2} {:>9}", ms(spans.get(ROUNDS / 2)), ms(spans.last()), found.rows.len());
    found
}

fn middle(tokens: usize) -> TokenId {
    TokenId::from(id('b', tokens / 2 + 7).as_str())
}

/// Ids as if each was made a second after the one before, the newest just now.
fn id(kind: char, n: usize) -> String {
    format!("019a0000-{:04x}-7{:03x}-8000-{kind}{:011x}", n >> 12, n & 0xfff, n)
}

/// Straight into the tables, in one transaction: rows as the program would have made them. A third has no end or little time left,
/// a twentieth is disabled, one in ten thousand is too broad, a quarter was never used.
fn fill(app: &Arc<App>, tokens: usize) {
    let most = tokens;
    let accounts = tokens / EACH;
    let shared = app.db.is_shared();
    let series = |n: usize| match shared {
        true => format!("(SELECT generate_series(0, {}) AS n) AS s", n - 1),
        false => format!(
            "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {}) SELECT n FROM s) AS s",
            n - 1
        ),
    };
    let moment = |span: &str| match shared {
        true => format!("(date_trunc('second', now() AT TIME ZONE 'UTC') + ({span}) * interval '1 second')"),
        false => format!("strftime('%Y-%m-%d %H:%M:%S', 'now', ({span}) || ' seconds')"),
    };
    let hex = |width: usize, value: &str| match shared {
        true => format!("lpad(to_hex({value}), {width}, '0')"),
        false => format!("printf('%0{width}x', {value})"),
    };
    let padded = |width: usize, value: &str| match shared {
        true => format!("lpad(({value})::text, {width}, '0')"),
        false => format!("printf('%0{width}d', {value})"),
    };
    let id = |kind: char, value: &str| {
        format!(
            "'019a0000-' || {} || '-7' || {} || '-8000-{kind}' || {}",
            hex(4, &format!("({value}) / 4096")),
            hex(3, &format!("({value}) % 4096")),
            hex(11, value)
        )
    };
    let sql = [
        format!(
            "INSERT INTO accounts (id, kind, name, email, email_key, role, enabled, time_zone, date_style, created_at, version, name_key, folded)
             SELECT {}, 'person', 'Person-' || {n}, 'person-' || {n} || '@example.com', 'person-' || {n} || '@example.com', 'contributor',
             TRUE, '', '', {}, 1, 'person-' || {n}, 'person-' || {n} FROM {}",
            id('a', "n"),
            moment("-86400"),
            series(accounts),
            n = padded(6, "n"),
        ),
        format!(
            "INSERT INTO tokens (id, kind, owner_id, created_by, name, description, name_key, folded, scopes, access_set, allow, ip_allow,
             enabled, created_at, expires_at, version, used_at)
             SELECT {}, 'personal', {}, 'bench', 'job-' || {n}, 'nightly', 'job-' || {n}, 'job-' || {n},
             CASE WHEN n % 10000 = 0 THEN '*' ELSE 'pdns/zones:listZones' END, NULL, '', '', n % 20 <> 0, {},
             CASE WHEN n % 10 < 2 THEN NULL ELSE {} END, 1, CASE WHEN n % 4 = 0 THEN NULL ELSE {} END FROM {}",
            id('b', "n"),
            id('a', &format!("n % {accounts}")),
            moment(&format!("(n - {most}) * 20")),
            moment("((n * 7919) % 600 - 200) * 86400 + n % 86400"),
            moment("-((n * 104729) % 300) * 86400 - n % 86400"),
            series(tokens),
            n = padded(6, "n / 3"),
        ),
        format!(
            "INSERT INTO generations (token_id, number, digest, starts_with, created_at)
             SELECT {}, 1, {}, 'hp_' || {}, {} FROM {}",
            id('b', "n"),
            hex(64, "n"),
            padded(5, "n / 100"),
            moment("-86400"),
            series(tokens),
        ),
        "INSERT INTO uses (token_id, used_at, ip, agent) SELECT id, used_at, '10.4.0.17', 'curl' FROM tokens WHERE used_at IS NOT NULL".to_owned(),
    ];
    app.db
        .write(|conn| {
            if let Conn::Postgres(postgres) = conn {
                postgres.batch_execute("SET statement_timeout = 0").unwrap();
            }
            for statement in &sql {
                conn.batch_execute(statement).unwrap_or_else(|cause| panic!("{statement}: {cause}"));
            }
            Ok(())
        })
        .unwrap();
    // What autovacuum does on PostgreSQL in its time; SQLite goes without.
    if app.db.is_shared() {
        app.db.read(|conn| Ok(conn.batch_execute("SET statement_timeout = 0; ANALYZE")?)).unwrap();
    }
}
