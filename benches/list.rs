//! The list page of an account with 10,000 tokens, each of 100 methods: every view of it through a running server, beside the
//! bare handler `/healthz` in the same run. `cargo bench --bench list`; SQLite in a temporary folder, or the fresh database
//! that `BENCH_DATABASE_URL` names.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on has to stop"
)]

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use diesel::prelude::*;
use hallpass::account::{PersonDraft, set_up};
use hallpass::actor::{Actor, Via};
use hallpass::app::{App, Clock, Parts};
use hallpass::catalogue::options::ApiOptions;
use hallpass::catalogue::store;
use hallpass::config::Settings;
use hallpass::db::{Db, Place};
use hallpass::password::{Cost, Hasher, Password};
use hallpass::policy::Policy;
use hallpass::secret::Random;
use hallpass::token::{self, NewToken};
use hallpass::types::{Role, Stamp};

const TOKENS: usize = 10_000;
const METHODS: usize = 1_200;
const EACH: usize = 100;
const ROUNDS: usize = 60;
const PASSWORD: &str = "seven green bicycles ride";

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
    fill(&app);
    app.follow().unwrap();

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
        let mut times: Vec<Duration> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                browser.get(&address);
                began.elapsed()
            })
            .collect();
        times.sort();
        let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
        println!("{name:<24} {:>9.2} {:>9.2} {:>9.2}", at(50), at(95), at(100));
    }
    std::process::exit(0);
}

fn fill(app: &Arc<App>) {
    let draft = PersonDraft { name: "Maria Keller".into(), email: "maria@example.com".into(), role: Role::Owner };
    let phc = app.hasher.hash_blocking(&Password::new(PASSWORD.into())).unwrap();
    let operator = Actor { via: Via::Setup, ..Actor::operator() };
    let maria = app.write_now(|tx| set_up(tx, &operator, draft.with(phc, None))).unwrap();
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

    fn get(&self, path: &str) -> String {
        let mut answer = self.agent.get(format!("{}{path}", self.base)).header("cookie", &self.cookies).call().unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        answer.body_mut().read_to_string().unwrap()
    }
}

fn cookies<T>(answer: &ureq::http::Response<T>) -> String {
    let set = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    set.filter_map(|value| value.split(';').next()).collect::<Vec<_>>().join("; ")
}
