//! The lists of administration over a million tokens of a hundred thousand people: every tab, filter, order and search, at the first
//! page, deep inside and at the end, through a running server; the file of the list; what a policy touches. `cargo bench --bench
//! admin`; where the stock is kept is told in `stock`. With `BENCH_CUT=1` every token is cut at last, beside other changes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a bench that cannot go on has to stop"
)]

mod browser;
mod stock;

use std::time::{Duration, Instant};

use browser::{Browser, Spans, memory};
use chrono::TimeDelta;
use hallpass::actor::Actor;
use hallpass::policy::Policy;
use hallpass::policy_change::{Existing, Proposal, current, cutting, save, touched};
use hallpass::token::all::{Ask, Counts, Sort, SortBy, Tab, Times, page};
use hallpass::types::{Role, SessionId};
use stock::{Stock, name_of_person, person, service, token};

const ROUNDS: usize = 9;

fn main() {
    let stock = Stock::open();
    let base = browser::serve(&stock.app);
    let browser = Browser::signed_in(&base);
    println!("{:<52} {:>9} {:>9}", "view", "median ms", "max ms");
    let mut slowest = Slowest { browser: &browser, worst: 0.0, views: 0 };
    slowest.look("the bare handler", &["/healthz".into()]);
    tokens(&stock, &mut slowest);
    people(&stock, &mut slowest);
    others(&stock, &mut slowest);
    println!("{} views, the slowest median {:.1} ms", slowest.views, slowest.worst);
    policies(&stock);
    file(&browser);
    if std::env::var("BENCH_CUT").is_ok() {
        cut(&stock);
    }
    std::process::exit(0);
}

struct Slowest<'a> {
    browser: &'a Browser,
    worst: f64,
    views: usize,
}

impl Slowest<'_> {
    /// Of several pages the slowest is told.
    fn look(&mut self, name: &str, paths: &[String]) {
        let mut told: Option<(f64, f64, &String)> = None;
        for path in paths {
            let spans = self.browser.spans(path, ROUNDS);
            self.views += 1;
            if told.is_none_or(|(median, ..)| median < spans.at(50)) {
                told = Some((spans.at(50), spans.at(100), path));
            }
        }
        let (median, max, path) = told.unwrap();
        self.worst = self.worst.max(median);
        let which = if paths.len() > 1 { format!("  {path}") } else { String::new() };
        println!("{name:<52} {median:>9.2} {max:>9.2}{which}");
    }
}

fn tokens(stock: &Stock, slowest: &mut Slowest<'_>) {
    let times = Times { now: stock.app.now(), notice: TimeDelta::days(14) };
    let ask = |tab, sort, after| Ask { owner: None, tab, q: String::new(), sort, after };
    let anew = Spans::of(ROUNDS, || {
        let all = ask(Tab::All, None, None);
        let look = |conn: &mut _| page(conn, &Actor::operator(), &all, times, &Counts::default());
        stock.app.db.read(look).unwrap();
    });
    println!("{:<52} {:>9.2} {:>9.2}", "tokens, all counted anew", anew.at(50), anew.at(100));
    for tab in Tab::EVERY {
        for by in [SortBy::Created, SortBy::Name, SortBy::Expires, SortBy::Used] {
            let mut paths = Vec::new();
            for descending in [false, true] {
                let sort = Sort { by, descending };
                // The first page of the other way round ends shortly before the last one with a value.
                let back = ask(tab, Some(Sort { by, descending: !descending }), None);
                let back = stock.app.db.read(|conn| page(conn, &Actor::operator(), &back, times, &stock.app.counts));
                let late = back.unwrap().rows.last().map(|row| row.listed.token.id.clone());
                // And two that have neither an end nor a use: from low and from high ids.
                let (low, high) = (token(100), token(stock.tokens / 20 * 20 - 20));
                let marks = [Some(token(stock.tokens / 2 + 7)), late, Some(low), Some(high)];
                let at = |after: &str| format!("/admin/tokens?status={}&sort={}{after}", tab.word(), sort.text());
                paths.push(at(""));
                paths.extend(marks.iter().flatten().map(|id| at(&format!("&after={id}"))));
            }
            slowest.look(&format!("tokens, {tab:?} by {by:?}"), &paths);
        }
    }
    for q in ["job-000123", "job-", "j", "vera017", "vera017 lund", "lund", "hp_00012", "hp_", "nothing"] {
        let at = |rest: &str| format!("/admin/tokens?q={}{rest}", q.replace(' ', "+"));
        let by = ["", "&sort=name", "&sort=-used", "&sort=expires", "&status=never", "&status=expired&sort=name"];
        slowest.look(&format!("tokens, search {q}"), &by.map(at));
    }
    let owner = person(stock.people / 2);
    slowest.look("tokens of a person", &[format!("/admin/tokens?owner={owner}")]);
}

fn people(stock: &Stock, slowest: &mut Slowest<'_>) {
    let depths = |query: String| {
        let marks = [0, stock.people / 2, stock.people - 1].map(person);
        let mut paths = vec![format!("/admin/accounts?{query}")];
        paths.extend(marks.iter().map(|id| format!("/admin/accounts?{query}&after={id}")));
        // By name the last of all.
        paths.push(format!("/admin/accounts?{query}&after={}", person(stock.people - 1 - (stock.people - 1) % 400)));
        paths
    };
    for status in ["", "invited", "disabled"] {
        let mut paths = depths(format!("status={status}"));
        for role in Role::ALL {
            paths.extend(depths(format!("status={status}&role={role}")));
        }
        slowest.look(&format!("people, {status} by role"), &paths);
    }
    let both = name_of_person(17).replace(' ', "+");
    for q in
        ["vera", "lund", "vera017", "lund0234", &both, "vera+lund", "vera+0001", "000123", "nobody", "v", "vera017.l"]
    {
        let mut paths = depths(format!("q={q}"));
        paths.extend(depths(format!("q={q}&role=viewer")));
        paths.extend(depths(format!("q={q}&status=disabled")));
        slowest.look(&format!("people, search {q}"), &paths);
    }
    slowest.look("a person", &[format!("/admin/accounts/{}", person(5_000))]);
    slowest.look("a leaver", &[format!("/admin/accounts/{}/leave", person(5_001))]);
}

fn others(stock: &Stock, slowest: &mut Slowest<'_>) {
    for q in ["", "robot", "robot-0012", "nothing"] {
        let marks = [0, stock.services / 2, stock.services - 1].map(service);
        let mut paths = vec![format!("/admin/service-accounts?q={q}")];
        paths.extend(marks.iter().map(|id| format!("/admin/service-accounts?q={q}&after={id}")));
        slowest.look(&format!("service accounts {q}"), &paths);
    }
    slowest.look("a service account", &[format!("/admin/service-accounts/{}", service(7))]);
    for q in ["", "team", "team-0012", "nothing"] {
        slowest.look(&format!("teams {q}"), &[format!("/admin/teams?q={q}")]);
    }
    slowest.look("new service account", &["/admin/service-accounts/new".into()]);
    slowest.look("policy", &["/admin/policy".into()]);
}

/// What a page of the policy counts before it is saved.
fn policies(stock: &Stock) {
    let (app, before) = (&stock.app, stock.app.policy());
    let session = SessionId::from("none");
    for after in [
        Policy { max_lifetime: 90, default_lifetime: 30, ..Policy::default() },
        Policy { max_lifetime_by_role: [(Role::Viewer, 30)].into(), max_grace: 1, ..Policy::default() },
        Policy { tokens_per_account: 5, allow_never: true, max_lifetime: 1_000, ..Policy::default() },
    ] {
        let look = || {
            let touched = |conn: &mut _| touched(conn, &app.index, app.now(), &before, &after, &session);
            app.db.read(touched).unwrap()
        };
        let (spans, found) = (Spans::of(3, || drop(look())), look());
        let (long, never) =
            found.excess.iter().fold((0, 0), |(long, never), excess| (long + excess.long, never + excess.never));
        println!(
            "a policy of {} days: {long} too long, {never} endless, {} crowded in {:.0} ms, at most {:.0} ms",
            after.max_lifetime,
            found.crowded,
            spans.at(50),
            spans.at(100)
        );
    }
}

fn file(browser: &Browser) {
    for path in ["/admin/tokens.csv", "/admin/tokens.csv?sort=name&status=never"] {
        let (before, began) = (memory(), Instant::now());
        let bytes = browser.drain(path);
        let seconds = began.elapsed().as_secs_f64();
        println!("{path}: {} MB in {seconds:.0} s, memory {before} MB before and at most {} MB", bytes >> 20, memory());
    }
}

/// Every token is cut while somebody else changes something all the time.
fn cut(stock: &Stock) {
    let app = &stock.app;
    let seen = app.db.read(|conn| current(conn, &app.policy())).unwrap();
    let policy = Policy { max_lifetime: 10, default_lifetime: 10, ..Policy::default() };
    let proposal = Proposal { seen: seen.version, policy };
    let began = Instant::now();
    app.write_now(|tx| save(tx, &Actor::operator(), &proposal, Existing::Cut { end_now: true })).unwrap();
    println!("saving: {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    let (of, began, before) = (app.clone(), Instant::now(), memory());
    let cut_all = move || actix_web::rt::System::new().block_on(cutting::cut_all(of)).unwrap();
    let cutting = std::thread::spawn(cut_all);
    let (mut changes, mut slowest, mut refused) = (0, Duration::ZERO, 0);
    while !cutting.is_finished() {
        let began = Instant::now();
        match app.write_now(|tx| tx.version()) {
            Ok(_) => changes += 1,
            Err(_) => refused += 1,
        }
        slowest = slowest.max(began.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    let done = cutting.join().unwrap();
    println!(
        "{} tokens cut in {:.0} s, memory {before} MB before and at most {} MB; beside it {changes} changes, the slowest {:.0} ms, {refused} refused",
        done.tokens,
        began.elapsed().as_secs_f64(),
        memory(),
        slowest.as_secs_f64() * 1e3
    );
}
