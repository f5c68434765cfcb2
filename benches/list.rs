//! The list page of an account with 10,000 tokens, each of 100 methods: every view of it through a running server, beside the
//! bare handler `/healthz` in the same run. `cargo bench --bench list`; SQLite in a temporary folder, or the fresh database
//! that `BENCH_DATABASE_URL` names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on has to stop"
)]

mod browser;

use std::num::NonZeroUsize;
use std::sync::Arc;

use browser::{Browser, maria};
use chrono::TimeDelta;
use diesel::prelude::*;
use hallpass::account;
use hallpass::actor::{Actor, Via};
use hallpass::app::{App, Clock, Parts};
use hallpass::catalogue::options::ApiOptions;
use hallpass::catalogue::store;
use hallpass::db::{Db, Place};
use hallpass::password::{Cost, Hasher};
use hallpass::policy::Policy;
use hallpass::secret::Random;
use hallpass::token::{self, NewToken};
use hallpass::types::Stamp;

const TOKENS: usize = 10_000;
const METHODS: usize = 1_200;
const EACH: usize = 100;
const ROUNDS: usize = 60;

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let place = match std::env::var("BENCH_DATABASE_URL") {
        Ok(url) => Place::Postgres(url),
        Err(_) => Place::Sqlite(folder.path().join("bench.db").to_string_lossy().into_owned()),
    };
    let cheap = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    let app = App::new(Parts {
        db: Db::open(&place, 4).unwrap(),
        policy: Policy { tokens_per_account: 20_000, ..Policy::default() },
        prefix: "hp".into(),
        hasher: Hasher::new(NonZeroUsize::MIN, cheap, || [7; 16]).unwrap(),
        random: Random::of_the_machine(),
        clock: Clock::of_the_machine(),
    });
    app.follow().unwrap();
    app.fill().unwrap();
    fill(&app);
    app.follow().unwrap();

    let base = browser::serve(&app);
    let browser = Browser::signed_in(&base);

    let first = browser.get("/settings/tokens");
    let older = first.split("id=\"older\"").nth(1).and_then(|rest| rest.split("href=\"").nth(1)).unwrap();
    let older = older.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    let last = browser.get("/settings/tokens?sort=created");
    assert!(first.contains("1 to 50 of 10,000") && last.contains("t00000"), "the list is there");
    let views = [
        ("/healthz".to_owned(), "the bare handler"),
        ("/settings/tokens".to_owned(), "newest first"),
        (older, "its second page"),
        ("/settings/tokens?sort=name".to_owned(), "by name"),
        ("/settings/tokens?sort=-used".to_owned(), "by last use"),
        ("/settings/tokens?sort=expires&status=active".to_owned(), "active, by expiry"),
        ("/settings/tokens?q=t0999".to_owned(), "search that finds ten"),
        ("/settings/tokens?q=nightly".to_owned(), "search that finds all"),
    ];
    println!("{:<24} {:>9} {:>9} {:>9}", "view", "median ms", "p95 ms", "max ms");
    for (address, name) in views {
        let spans = browser.spans(&address, ROUNDS);
        println!("{name:<24} {:>9.2} {:>9.2} {:>9.2}", spans.at(50), spans.at(95), spans.at(100));
    }
    std::process::exit(0);
}

fn fill(app: &Arc<App>) {
    let operator = Actor { via: Via::Setup, ..Actor::operator() };
    let maria = maria(app);
    let maria = app.db.read(|conn| account::by_id(conn, &maria)).unwrap();
    let paths: Vec<String> = (0..METHODS)
        .map(|n| {
            format!(
                r#""/s{}/m{n}": {{"get": {{"operationId": "m{n}", "tags": ["s{}"], "responses": {{}}}}}}"#,
                n / 25,
                n / 25
            )
        })
        .collect();
    let text =
        format!(r#"{{"openapi":"3.1.0","info":{{"title":"Bench","version":"1"}},"paths":{{{}}}}}"#, paths.join(","));
    let read = store::draft(&app.catalogue(), "bench", text.as_bytes(), ApiOptions::default()).unwrap();
    app.write_now(|tx| store::import(tx, &operator, &read)).unwrap();
    app.write_now(|tx| {
        for n in 0..TOKENS {
            // One a minute, so that they have an order; some have expired, some were used.
            tx.now = Stamp::from(tx.now.utc() + TimeDelta::milliseconds(1));
            let new = NewToken {
                name: format!("t{n:05}"),
                description: "nightly job".into(),
                expires_at: Some(tx.now.plus(TimeDelta::days((n % 400) as i64 + 1))),
                access_set: None,
                scopes: (0..EACH)
                    .map(|m| format!("bench/s{}:m{}", (n + m * 12) % METHODS / 25, (n + m * 12) % METHODS))
                    .collect(),
                allow: Default::default(),
                ip_allow: Default::default(),
                rate_per_minute: None,
                enabled: n % 10 != 0,
            };
            let (made, _) = token::generate(tx, &operator, &maria, new, "hp")?;
            if n % 2 == 0 {
                use hallpass::schema::uses;
                let used = (
                    uses::token_id.eq(&made.id),
                    uses::used_at.eq(tx.now),
                    uses::ip.eq("10.4.0.17"),
                    uses::agent.eq("curl"),
                );
                diesel::insert_into(uses::table).values(used).execute(tx.conn)?;
            }
        }
        Ok(())
    })
    .unwrap();
}
