//! A database with many tokens, written row by row past the rules, once; and the requests that wrk sends with some of them.

use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use hallpass::account::{PersonDraft, set_up};
use hallpass::actor::{Actor, Via};
use hallpass::app::{App, Clock, Parts};
use hallpass::catalogue::options::ApiOptions;
use hallpass::catalogue::store;
use hallpass::db::{Conn, Db, Place};
use hallpass::password::{Cost, Hasher, Password};
use hallpass::policy::Policy;
use hallpass::schema::{accounts, generations, sequence, tokens};
use hallpass::secret::{Random, Secret};
use hallpass::token::{Generation, Token};
use hallpass::types::{AccountId, Lines, Role, Stamp, TokenId, TokenKind};

const METHODS: usize = 1_223;
const EACH: usize = 100;
const OF_AN_ACCOUNT: usize = 50;
/// Distinct sets where they are shared.
const SHARED: u64 = 500;
/// Values that wrk has in rotation.
const SENT: usize = 20_000;
const CHUNK: usize = 500;

macro_rules! insert {
    ($conn:expr, $table:path, $rows:expr) => {
        match $conn {
            Conn::Postgres(conn) => {
                for rows in $rows.chunks(CHUNK) {
                    diesel::insert_into($table).values(rows).execute(conn)?;
                }
            }
            Conn::Sqlite(conn) => {
                for row in &$rows {
                    diesel::insert_into($table).values(row).execute(conn)?;
                }
            }
        }
    };
}
pub struct Stock {
    pub url: String,
    /// A line for each token that is sent: its value and a path that it may call.
    pub lines: PathBuf,
}

impl Stock {
    pub fn make(folder: &Path, count: usize, shared: bool, url: Option<&str>) -> Stock {
        let name = format!("{}{count}{}", if url.is_some() { "pg-" } else { "" }, if shared { "-shared" } else { "" });
        let file = folder.join(format!("{name}.db"));
        let lines = folder.join(format!("{name}.lines"));
        let url = url.map_or_else(|| format!("sqlite:{}", file.display()), str::to_owned);
        let stock = Stock { url, lines };
        if !stock.lines.exists() {
            let began = Instant::now();
            for end in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(format!("{}{end}", file.display()));
            }
            let text = stock.fill(count, shared);
            std::fs::write(&stock.lines, text).unwrap();
            println!("{name}: filled in {:.1} s", began.elapsed().as_secs_f64());
        }
        stock
    }

    fn fill(&self, count: usize, shared: bool) -> String {
        let dice = Dice::default();
        let random = dice.clone();
        let cheap = Cost { memory_kib: 64, passes: 1, lanes: 1 };
        let app = App::new(Parts {
            db: Db::open(&Place::parse(&self.url).unwrap(), 2).unwrap(),
            policy: Policy::default(),
            prefix: "hp".into(),
            hasher: Hasher::new(NonZeroUsize::MIN, cheap, || [7; 16]).unwrap(),
            random: Random::new(move |bytes| {
                bytes
                    .chunks_mut(8)
                    .for_each(|chunk| chunk.copy_from_slice(&random.roll().to_le_bytes()[..chunk.len()]));
                Ok(())
            }),
            clock: Clock::of_the_machine(),
        });
        let operator = Actor { via: Via::Setup, ..Actor::operator() };
        let draft = PersonDraft { name: "Maria Keller".into(), email: "maria@example.com".into(), role: Role::Owner };
        let phc = app.hasher.hash_blocking(&Password::new("seven green bicycles ride".into())).unwrap();
        app.write_now(|tx| set_up(tx, &operator, draft.with(phc, None))).unwrap();
        let paths: Vec<String> = (0..METHODS)
            .map(|n| {
                format!(
                    r#""{}/{{id}}": {{"get": {{"operationId": "{}", "tags": ["{}"], "responses": {{}}}}}}"#,
                    path(n),
                    method(n),
                    service(n)
                )
            })
            .collect();
        let text = format!(
            r#"{{"openapi":"3.1.0","info":{{"title":"Bench","version":"1"}},"paths":{{{}}}}}"#,
            paths.join(",")
        );
        let read = store::draft(&app.catalogue(), "bench", text.as_bytes(), ApiOptions::default()).unwrap();
        app.write_now(|tx| store::import(tx, &operator, &read)).unwrap();

        let mut lines = String::new();
        let owners = app
            .write_now(|tx| {
                let version = tx.version()?;
                let maria = accounts::table.select(hallpass::account::Account::as_select()).first(tx.conn)?;
                let ids: Vec<AccountId> =
                    (0..count.div_ceil(OF_AN_ACCOUNT)).map(|_| tx.id()).collect::<hallpass::error::Result<_>>()?;
                let rows: Vec<_> = ids
                    .iter()
                    .enumerate()
                    .map(|(n, id)| {
                        let email = Some(format!("person-{n}@example.com"));
                        hallpass::account::Account {
                            id: id.clone(),
                            email_key: email.clone(),
                            email,
                            version,
                            ..Clone::clone(&maria)
                        }
                    })
                    .collect();
                insert!(tx.conn, accounts::table, rows);
                Ok(ids)
            })
            .unwrap();
        let every = (count / SENT).max(1);
        for first in (0..count).step_by(20_000) {
            app.write_now(|tx| {
                let version = tx.version()?;
                let (mut rows, mut values) = (Vec::new(), Vec::new());
                for n in first..count.min(first + 20_000) {
                    let value = Secret::generate("hp", tx.random)?;
                    let chosen = if shared { Dice::seeded(dice.roll() % SHARED).choose() } else { dice.choose() };
                    let row = token(tx.id()?, &owners[n / OF_AN_ACCOUNT], n, &chosen, tx.now, version);
                    values.push(generation(&row, &value));
                    rows.push(row);
                    if n % every == 0 {
                        let called = path(chosen[dice.roll() as usize % EACH]);
                        writeln!(lines, "{} {called}/{n}", value.reveal()).map_err(hallpass::error::Error::internal)?;
                    }
                }
                insert!(tx.conn, tokens::table, rows);
                insert!(tx.conn, generations::table, values);
                Ok(())
            })
            .unwrap();
        }
        app.write_now(|tx| {
            match tx.conn {
                Conn::Postgres(conn) => conn.batch_execute("ANALYZE")?,
                Conn::Sqlite(_) => {}
            }
            Ok(sequence::table.count().get_result::<i64>(tx.conn)?)
        })
        .unwrap();
        lines
    }
}

fn token(id: TokenId, owner: &AccountId, n: usize, chosen: &[usize], now: Stamp, version: i64) -> Token {
    let name = format!("nightly-{n:07}");
    Token {
        id,
        kind: TokenKind::Personal,
        owner_id: owner.clone(),
        created_by: "bench".into(),
        description: String::new(),
        name_key: name.clone(),
        folded: name.clone(),
        name,
        scopes: chosen.iter().map(|&m| format!("bench/{}:{}", service(m), method(m))).collect(),
        access_set: None,
        allow: Lines::default(),
        ip_allow: Lines::default(),
        rate_per_minute: None,
        enabled: true,
        created_at: now,
        expires_at: Some(now.plus(chrono::TimeDelta::days(300))),
        removed_at: None,
        version,
    }
}

fn generation(token: &Token, value: &Secret) -> Generation {
    Generation {
        token_id: token.id.clone(),
        number: 1,
        digest: value.digest().hex(),
        starts_with: value.starts_with(),
        created_at: token.created_at,
        ends_at: None,
        used_at: None,
    }
}

fn service(n: usize) -> String {
    format!("s{:02}", n / 25)
}

fn method(n: usize) -> String {
    format!("m{n:04}")
}

fn path(n: usize) -> String {
    format!("/{}/{}", service(n), method(n))
}

/// The same at every run. SplitMix64 (Steele, Lea, Flood 2014).
#[derive(Clone, Default)]
struct Dice(std::sync::Arc<AtomicU64>);

impl Dice {
    fn seeded(seed: u64) -> Dice {
        Dice(std::sync::Arc::new(AtomicU64::new(seed << 32)))
    }

    fn roll(&self) -> u64 {
        let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed).wrapping_add(0x9e37_79b9_7f4a_7c15);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// [`EACH`] different methods, ascending.
    fn choose(&self) -> Vec<usize> {
        let mut taken = [false; METHODS];
        let mut left = EACH;
        while left > 0 {
            let n = self.roll() as usize % METHODS;
            left -= usize::from(!std::mem::replace(&mut taken[n], true));
        }
        taken.iter().enumerate().filter(|(_, taken)| **taken).map(|(n, _)| n).collect()
    }
}
