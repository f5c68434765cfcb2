//! The audit log with 5,000,000 events (`BENCH_EVENTS` for another number): its page, filters and searches at several depths
//! through a running server beside the bare handler `/healthz`, an export, and the proof. `cargo bench --bench audit`; SQLite in a
//! temporary folder, the file that `BENCH_KEPT` names (filled once), or the fresh database of `BENCH_DATABASE_URL`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on has to stop"
)]

use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use hallpass::account::{PersonDraft, set_up};
use hallpass::actor::{Actor, Origin, Via};
use hallpass::app::{App, Clock, Parts};
use hallpass::audit::{Subject, prove, record};
use hallpass::config::Settings;
use hallpass::db::{Db, Place};
use hallpass::password::{Cost, Hasher, Password};
use hallpass::policy::Policy;
use hallpass::schema::events;
use hallpass::secret::Random;
use hallpass::types::{AccountId, EventId, Role, SessionId, Stamp, TokenId};

const ACCOUNTS: u64 = 10_000;
const TOKENS: u64 = 200_000;
const AT_ONCE: u64 = 20_000;
const ROUNDS: usize = 30;
const PASSWORD: &str = "seven green bicycles ride";
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
    let folder = tempfile::tempdir().unwrap();
    let place = match (std::env::var("BENCH_DATABASE_URL"), std::env::var("BENCH_KEPT")) {
        (Ok(url), _) => Place::Postgres(url),
        (_, Ok(path)) => Place::Sqlite(path),
        _ => Place::Sqlite(folder.path().join("bench.db").to_string_lossy().into_owned()),
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
    app.follow().unwrap();
    let began = Instant::now();
    if app.db.read(hallpass::account::is_empty).unwrap() {
        fill(&app, events);
        println!("filled with {events} events in {:.0} s", began.elapsed().as_secs_f64());
    }
    one_change(&app);
    look(&app, events);

    let began = Instant::now();
    let verdict = app.db.snapshot(|conn| prove::prove(conn, None)).unwrap();
    println!("proof: {verdict:?} in {:.1} s", began.elapsed().as_secs_f64());
    std::process::exit(0);
}

/// As many changes a year ago as now, by people and their tokens, in transactions of many events.
fn fill(app: &Arc<App>, events: u64) {
    let draft = PersonDraft { name: "Maria Keller".into(), email: "maria@example.com".into(), role: Role::Owner };
    let phc = app.hasher.hash_blocking(&Password::new(PASSWORD.into())).unwrap();
    let operator = Actor { via: Via::Setup, ..Actor::operator() };
    app.write_now(|tx| set_up(tx, &operator, draft.with(phc, None))).unwrap();
    let sql = |sql: &str| app.db.write(|conn| Ok(conn.batch_execute(sql)?)).unwrap();
    INDEXES.iter().for_each(|(name, _)| sql(&format!("DROP INDEX {name}")));
    let year = TimeDelta::days(365).num_milliseconds() as u64;
    let start = app.now().minus(TimeDelta::days(366));
    let mut done = 0;
    while done < events {
        app.write_now(|tx| {
            for nth in done..(done + AT_ONCE).min(events) {
                tx.now = start.plus(TimeDelta::milliseconds((nth * (year / events.max(1)).max(1)) as i64));
                tell(tx, nth)?;
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
}

fn tell(tx: &mut hallpass::tx::Tx<'_>, nth: u64) -> hallpass::error::Result<()> {
    // Spread over all, each time the same.
    let spread = |nth: u64| nth.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let (person, token) = (spread(nth) % ACCOUNTS, spread(nth.rotate_left(7)) % TOKENS);
    let id = |of: &str, n: u64| format!("019ab000-{of}-7000-8000-{n:012x}");
    let actor = Actor {
        account: Some(AccountId::from(id("0001", person).as_str())),
        name: format!("Person {person}"),
        role: Role::Contributor,
        via: Via::Session(SessionId::from(id("0002", nth / 10).as_str())),
        origin: Origin {
            ip: format!("10.{}.{}.{}", person >> 8, person & 255, nth % 3),
            agent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".into(),
        },
    };
    let (name, token) = (format!("ci-deploy-{token}"), TokenId::from(id("0003", token).as_str()));
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
fn one_change(app: &Arc<App>) {
    for (events, rounds) in [(1, 300), (10_000, 3)] {
        let began = Instant::now();
        for round in 0..rounds {
            app.write_now(|tx| (0..events).try_for_each(|nth| tell(tx, round * 31 + nth))).unwrap();
        }
        let each = began.elapsed().as_secs_f64() * 1e3 / rounds as f64;
        println!("a change of {events} events: {each:.2} ms");
    }
}

fn look(app: &Arc<App>, events: u64) {
    let settings = Settings {
        config: Some("/dev/null".into()),
        listen: Some("127.0.0.1:0".into()),
        public_url: Some("http://127.0.0.1:8080".into()),
        ..Settings::default()
    };
    let bound = hallpass::server::bind(app.clone(), settings.complete().unwrap()).unwrap();
    let base = format!("http://{}", bound.address);
    std::thread::spawn(move || actix_web::rt::System::new().block_on(bound.server.run()).unwrap());
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
    browser.time("/healthz", "the bare handler");
    let person = "019ab000-0001-7000-8000-000000000007";
    for (query, name) in [
        ("", "all"),
        ("&action=token", "a noun"),
        ("&action=token.edit", "an action that is most"),
        ("&action=api.remove", "an action that is rare"),
        (&format!("&actor={person}"), "a person by id"),
        ("&actor=nobody@example.com", "a person whom there is not"),
        ("&actor=operator", "the command line"),
        ("&subject=019ab000-0003-7000-8000-000000000007", "a token"),
        ("&ip=10.0.7.1", "an address"),
        (&format!("&action=token.edit&actor={person}"), "a person and an action"),
        (&format!("&actor={person}&action=api.remove"), "a person and a rare action"),
        ("&action=session.sign_in&ip=10.0.7.1", "an address and an action"),
        ("&q=deploy-777", "words that some rows have"),
        ("&q=no+such+thing", "words that no row has"),
        ("&q=no+such+thing&action=token", "words and a noun"),
        (&format!("&q=no+such+thing&actor={person}"), "words and a person"),
    ] {
        for (share, depth) in [(100, "newest"), (50, "middle"), (1, "oldest")] {
            let after = if share == 100 { String::new() } else { format!("&after={}", at(share)) };
            browser.time(&format!("/admin/audit?{query}{after}"), &format!("{name}, {depth}"));
        }
    }
    let (from, to) = (day(30), day(40));
    browser.time(&format!("/admin/audit?from={from}&to={to}"), "days");
    browser.time(&format!("/admin/audit?from={from}&to={to}&q=no+such+thing"), "days and words");
    let before = memory();
    for file in ["csv", "jsonl"] {
        let (began, bytes) = (Instant::now(), browser.drain(&format!("/admin/audit.{file}")));
        let seconds = began.elapsed().as_secs_f64();
        println!("{file}: {} MB in {seconds:.0} s, memory {before} MB before and at most {} MB", bytes >> 20, memory());
    }
}

/// The most that this process had of memory, in MB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    peak.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() / 1024
}

/// A person at the pages, without scripts.
struct Browser {
    base: String,
    agent: ureq::Agent,
    cookies: String,
}

impl Browser {
    fn signed_in(base: &str) -> Browser {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
        let mut login = agent.get(format!("{base}/login")).call().unwrap();
        let visitor = cookies(&login);
        let page = login.body_mut().read_to_string().unwrap();
        let token = page.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
        let form = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("form_token", token), ("email", "maria@example.com"), ("password", PASSWORD)])
            .finish();
        let answer = agent
            .post(format!("{base}/login"))
            .header("cookie", &visitor)
            .header("content-type", "application/x-www-form-urlencoded")
            .send(form)
            .unwrap();
        assert_eq!(answer.status(), 303, "signing in");
        Browser { base: base.to_owned(), cookies: cookies(&answer), agent }
    }

    fn get(&self, path: &str) -> ureq::http::Response<ureq::Body> {
        let answer = self.agent.get(format!("{}{path}", self.base)).header("cookie", &self.cookies);
        let answer = answer.header("accept-encoding", "identity").call().unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer
    }

    fn time(&self, path: &str, name: &str) {
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                self.get(path).body_mut().read_to_string().unwrap();
                began.elapsed()
            })
            .collect();
        times.sort();
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
        println!("{name:<58} {:>9.2} {:>9.2} {:>9.2}", at(50), at(95), at(100));
    }

    fn drain(&self, path: &str) -> usize {
        let mut answer = self.get(path);
        let mut reader = answer.body_mut().with_config().limit(u64::MAX).reader();
        let (mut buffer, mut bytes) = (vec![0; 1 << 16], 0);
        loop {
            match reader.read(&mut buffer).unwrap() {
                0 => return bytes,
                read => bytes += read,
            }
        }
    }
}

fn cookies<T>(answer: &ureq::http::Response<T>) -> String {
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|value| value.split(';').next()).collect::<Vec<_>>().join("; ")
}
