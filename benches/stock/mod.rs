//! The stock of the benches of administration: a tenth as many people as tokens, teams, service accounts, tokens. Filled once
//! into the file that `BENCH_KEPT` names, into the database of `BENCH_DATABASE_URL`, or each time into a temporary folder.

#![allow(dead_code, reason = "no bench asks for everything")]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use hallpass::app::{App, Clock, Parts};
use hallpass::db::{Conn, Db, Place};
use hallpass::password::{Cost, Hasher};
use hallpass::policy::Policy;
use hallpass::schema::tokens;
use hallpass::secret::Random;
use hallpass::types::{AccountId, TokenId};

use crate::browser::maria;

/// Tokens of a person.
const EACH: usize = 10;
/// Words that so many people share.
const FIRST: usize = 400;
const LAST: usize = 2_500;

pub struct Stock {
    pub app: Arc<App>,
    pub tokens: usize,
    pub people: usize,
    pub teams: usize,
    pub services: usize,
    _folder: tempfile::TempDir,
}

impl Stock {
    /// `BENCH_TOKENS` for fewer than a million.
    pub fn open() -> Stock {
        let tokens = std::env::var("BENCH_TOKENS").map_or(1_000_000, |n| n.parse().unwrap());
        let folder = tempfile::tempdir().unwrap();
        let place = match (std::env::var("BENCH_DATABASE_URL"), std::env::var("BENCH_KEPT")) {
            (Ok(url), _) => Place::Postgres(url),
            (_, Ok(path)) => Place::Sqlite(path),
            _ => Place::Sqlite(folder.path().join("bench.db").to_string_lossy().into_owned()),
        };
        let cheap = Cost { memory_kib: 64, passes: 1, lanes: 1 };
        let app = App::new(Parts {
            db: Db::open(&place, 4).unwrap(),
            policy: Policy { max_lifetime: 1_000, ..Policy::default() },
            prefix: "hp".into(),
            hasher: Hasher::new(NonZeroUsize::MIN, cheap, || [7; 16]).unwrap(),
            random: Random::of_the_machine(),
            clock: Clock::of_the_machine(),
        });
        let people = tokens / EACH;
        let stock = Stock { app, tokens, people, teams: people / 50, services: people / 10, _folder: folder };
        let began = Instant::now();
        if stock.app.db.read(hallpass::account::is_empty).unwrap() {
            maria(&stock.app);
        }
        let known: i64 = stock.app.db.read(|conn| Ok(tokens::table.count().get_result(conn)?)).unwrap();
        if known == 0 {
            stock.fill();
            println!("filled with {tokens} tokens of {people} people in {:.0} s", began.elapsed().as_secs_f64());
        }
        let began = Instant::now();
        stock.app.follow().unwrap();
        stock.app.fill().unwrap();
        println!("index: {} values in {:.1} s", stock.app.index.len(), began.elapsed().as_secs_f64());
        stock
    }

    /// Straight into the tables, in one transaction: rows as the program would have made them. A third of the tokens has no end
    /// or little time left, a twentieth is disabled, one in ten thousand is too broad, a quarter was never used.
    fn fill(&self) {
        let words = Words { shared: self.app.db.is_shared() };
        let statements = [words.teams(self.teams), words.people(self.people), words.words_of_people()]
            .into_iter()
            .flatten()
            .chain([words.members(self.teams, self.people), words.sessions(self.people)])
            .chain([words.services(self.services, self.people, self.teams)])
            .chain(words.tokens(self.tokens, self.people));
        self.app
            .db
            .write(|conn| {
                if let Conn::Postgres(postgres) = conn {
                    postgres.batch_execute("SET LOCAL statement_timeout = 0").unwrap();
                }
                for statement in statements {
                    conn.batch_execute(&statement).unwrap_or_else(|cause| panic!("{statement}: {cause}"));
                    // Or PostgreSQL looks at all rows for each that another refers to.
                    if let Conn::Postgres(postgres) = conn {
                        postgres.batch_execute("ANALYZE").unwrap();
                    }
                }
                Ok(())
            })
            .unwrap();
        // What autovacuum does on PostgreSQL in its time; SQLite goes without.
        if self.app.db.is_shared() {
            let tidy = "SET statement_timeout = 0; VACUUM ANALYZE";
            self.app.db.read(|conn| tidy.split(';').try_for_each(|one| Ok(conn.batch_execute(one)?))).unwrap();
        }
    }
}

/// Ids as if each was made a second after the one before, the newest just now.
fn id(kind: char, n: usize) -> String {
    format!("019a0000-{:04x}-7{:03x}-8000-{kind}{:011x}", n >> 12, n & 0xfff, n)
}

pub fn person(n: usize) -> AccountId {
    AccountId::from(id('a', n).as_str())
}

pub fn token(n: usize) -> TokenId {
    TokenId::from(id('b', n).as_str())
}

pub fn service(n: usize) -> AccountId {
    AccountId::from(id('c', n).as_str())
}

pub fn name_of_person(n: usize) -> String {
    format!("Vera{:03} Lund{:04}", n % FIRST, n % LAST)
}

/// The same in the words of each database.
struct Words {
    shared: bool,
}

impl Words {
    fn series(&self, n: usize) -> String {
        match self.shared {
            true => format!("(SELECT generate_series(0::bigint, {}) AS n) AS s", n - 1),
            false => format!(
                "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < {}) SELECT n FROM s) AS s",
                n - 1
            ),
        }
    }

    fn moment(&self, seconds: &str) -> String {
        match self.shared {
            true => format!("(date_trunc('second', now() AT TIME ZONE 'UTC') + ({seconds}) * interval '1 second')"),
            false => format!("strftime('%Y-%m-%d %H:%M:%S', 'now', ({seconds}) || ' seconds')"),
        }
    }

    fn hex(&self, width: usize, value: &str) -> String {
        match self.shared {
            true => format!("lpad(to_hex({value}), {width}, '0')"),
            false => format!("printf('%0{width}x', {value})"),
        }
    }

    fn padded(&self, width: usize, value: &str) -> String {
        match self.shared {
            true => format!("lpad(({value})::text, {width}, '0')"),
            false => format!("printf('%0{width}d', {value})"),
        }
    }

    fn id(&self, kind: char, value: &str) -> String {
        let (high, middle, all) =
            (self.hex(4, &format!("({value}) / 4096")), self.hex(3, &format!("({value}) % 4096")), self.hex(11, value));
        format!("'019a0000-' || {high} || '-7' || {middle} || '-8000-{kind}' || {all}")
    }

    fn teams(&self, teams: usize) -> Vec<String> {
        vec![format!(
            "INSERT INTO teams (id, name, created_at, version, description)
             SELECT {}, 'team-' || {}, {}, 1, 'nightly jobs' FROM {}",
            self.id('d', "n"),
            self.padded(5, "n"),
            self.moment("-86400"),
            self.series(teams)
        )]
    }

    fn people(&self, people: usize) -> Vec<String> {
        let (first, last) = (self.padded(3, &format!("n % {FIRST}")), self.padded(4, &format!("n % {LAST}")));
        let number = self.padded(6, "n");
        let mail = format!("'vera' || {first} || '.lund' || {last} || '.' || {number} || '@example.com'");
        vec![format!(
            "INSERT INTO accounts (id, kind, name, email, email_key, password, role, enabled, time_zone, date_style, created_at,
             version, name_key, folded)
             SELECT {}, 'person', 'Vera' || {first} || ' Lund' || {last}, {mail}, {mail}, CASE WHEN n % 40 = 3 THEN NULL ELSE 'x' END,
             CASE WHEN n % 1000 = 1 THEN 'owner' WHEN n % 100 = 0 THEN 'admin' WHEN n % 100 < 20 THEN 'viewer'
             WHEN n % 100 < 40 THEN 'token_creator' ELSE 'contributor' END,
             n % 50 <> 7, '', '', {}, 1, 'vera' || {first} || ' lund' || {last}, '' FROM {}",
            self.id('a', "n"),
            self.moment("-86400"),
            self.series(people)
        )]
    }

    /// As the program writes them: each word of the name, the whole address, the words before its `@`.
    fn words_of_people(&self) -> Vec<String> {
        let hex = |text: &str| match self.shared {
            true => format!("encode(convert_to({text}, 'UTF8'), 'hex')"),
            false => format!("lower(hex({text}))"),
        };
        let words = ["substr(name_key, 1, 7)", "substr(name_key, 9, 8)", "email_key", "substr(email_key, 18, 6)"];
        let of = |word: &str| {
            format!(
                "INSERT INTO account_words (account_id, word) SELECT id, {} FROM accounts WHERE password IS NULL OR password = 'x'",
                hex(word)
            )
        };
        words.into_iter().map(of).collect()
    }

    fn members(&self, teams: usize, people: usize) -> String {
        format!(
            "INSERT INTO members (team_id, account_id, role, created_at)
             SELECT {}, {}, CASE WHEN n < {teams} THEN 'manager' ELSE 'member' END, {} FROM {}",
            self.id('d', &format!("n % {teams}")),
            self.id('a', &format!("(n * 7) % {people}")),
            self.moment("-86400"),
            self.series(teams * 10)
        )
    }

    fn sessions(&self, people: usize) -> String {
        format!(
            "INSERT INTO sessions (id, digest, account_id, created_at, seen_at, ip, agent)
             SELECT {}, NULL, {}, {}, {}, '10.4.0.17', 'Firefox' FROM {}",
            self.id('e', "n"),
            self.id('a', "n * 3"),
            self.moment("-7200"),
            self.moment("-n % 7200"),
            self.series(people / 3)
        )
    }

    fn services(&self, services: usize, people: usize, teams: usize) -> String {
        format!(
            "INSERT INTO accounts (id, kind, name, role, owner_account_id, owner_team_id, enabled, time_zone, date_style, created_at,
             version, name_key, folded)
             SELECT {}, 'service', 'robot-' || {n}, 'contributor', CASE WHEN n % 2 = 0 THEN {} END, CASE WHEN n % 2 = 1 THEN {} END,
             n % 20 <> 3, '', '', {}, 1, 'robot-' || {n}, 'robot-' || {n} FROM {}",
            self.id('c', "n"),
            self.id('a', &format!("(n * 11) % {people}")),
            self.id('d', &format!("n % {teams}")),
            self.moment("-86400"),
            self.series(services),
            n = self.padded(6, "n"),
        )
    }

    fn tokens(&self, most: usize, people: usize) -> Vec<String> {
        vec![
            format!(
                "INSERT INTO tokens (id, kind, owner_id, created_by, name, description, name_key, folded, scopes, access_set, allow,
                 ip_allow, enabled, created_at, expires_at, version, used_at)
                 SELECT {}, 'personal', {}, 'bench', 'job-' || {n}, 'nightly', 'job-' || {n}, 'job-' || {n},
                 CASE WHEN n % 10000 = 0 THEN '*' ELSE 'pdns/zones:listZones' END, NULL, '', '', n % 20 <> 0, {},
                 CASE WHEN n % 10 < 2 THEN NULL ELSE {} END, 1, CASE WHEN n % 4 = 0 THEN NULL ELSE {} END FROM {}",
                self.id('b', "n"),
                self.id('a', &format!("n % {people}")),
                self.moment(&format!("(n - {most}) * 20")),
                self.moment("((n * 7919) % 600 - 200) * 86400 + n % 86400"),
                self.moment("-((n * 104729) % 300) * 86400 - n % 86400"),
                self.series(most),
                n = self.padded(6, "n / 3"),
            ),
            format!(
                "INSERT INTO generations (token_id, number, digest, starts_with, created_at)
                 SELECT {}, 1, {} || {} || {}, 'hp_' || {}, {} FROM {}",
                self.id('b', "n"),
                // Spread as digests are: the index finds its places by their first bytes.
                self.hex(8, "(n * 2654435761) % 4294967296"),
                self.hex(8, "(n * 2246822519) % 4294967296"),
                self.hex(48, "n"),
                self.padded(5, "n / 100"),
                self.moment(&format!("(n - {most}) * 20")),
                self.series(most),
            ),
            "INSERT INTO uses (token_id, used_at, ip, agent)
             SELECT id, used_at, '10.4.0.17', 'curl' FROM tokens WHERE used_at IS NOT NULL"
                .to_owned(),
        ]
    }
}
