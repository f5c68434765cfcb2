//! What happens at the same moment: changes in one process while another follows them.

use std::sync::atomic::{AtomicBool, Ordering};

use hallpass::actor::Actor;
use hallpass::app::App;
use hallpass::error::{Error, Result};
use hallpass::policy::Policy;
use hallpass::token::edit::{Edit, edit};
use hallpass::token::regenerate::{Renewal, regenerate};
use hallpass::token::{NewToken, Token, generate, remove, set_enabled};

use crate::support::Site;

const LIST: (&str, &str) = ("GET", "/api/v1/zones");
/// On each of four threads.
const ROUNDS: usize = 15;

fn new(name: &str) -> NewToken {
    NewToken {
        name: name.to_owned(),
        description: String::new(),
        expires_at: None,
        access_set: None,
        scopes: ["pdns/zones:listZones"].iter().collect(),
        allow: Default::default(),
        ip_allow: Default::default(),
        rate_per_minute: None,
        enabled: true,
    }
}

/// A database that has too much to do refuses, and nothing was changed: the same once more.
fn patiently<T>(work: impl Fn() -> Result<T>) -> Result<T> {
    loop {
        match work() {
            Err(Error::Busy(_)) => {}
            done => return done,
        }
    }
}

/// One token's life, change by change, with the token as its last change left it.
struct Life<'a> {
    app: &'a App,
    token: Token,
    value: String,
}

impl<'a> Life<'a> {
    fn begin(app: &'a App, name: &str) -> Life<'a> {
        let (token, value) = patiently(|| {
            app.write_now(|tx| {
                let maria = hallpass::account::by_email(tx.conn, "maria@example.com")?.unwrap();
                let (token, value) = generate(tx, &Actor::operator(), &maria, new(name), "hp")?;
                Ok((token, value.reveal().to_owned()))
            })
        })
        .unwrap();
        Life { app, token, value }
    }

    fn edit(&self, scope: &str) -> Result<Token> {
        let to = NewToken { scopes: [scope].iter().collect(), ..self.token.settings() };
        let wish = Edit { id: self.token.id.clone(), seen: self.token.version, to };
        let catalogue = self.app.catalogue();
        patiently(|| self.app.write_now(|tx| edit(tx, &Actor::operator(), &catalogue, &wish)))
    }

    fn set_enabled(&self, enabled: bool) -> Result<Vec<String>> {
        let ids = [self.token.id.clone()];
        patiently(|| self.app.write_now(|tx| set_enabled(tx, &Actor::operator(), &ids, enabled)))
    }

    fn regenerate(&self, keep: bool) -> Result<(Token, String)> {
        let end = keep.then(|| self.app.now().plus(chrono::TimeDelta::hours(1)));
        let wish = Renewal {
            id: self.token.id.clone(),
            seen: self.token.version,
            previous_ends_at: end,
            expires_at: self.token.expires_at,
        };
        let made = patiently(|| self.app.write_now(|tx| regenerate(tx, &Actor::operator(), &wish, "hp")))?;
        Ok((made.0, made.1.reveal().to_owned()))
    }

    fn remove(&self) -> Result<Vec<String>> {
        let ids = [self.token.id.clone()];
        patiently(|| self.app.write_now(|tx| remove(tx, &Actor::operator(), &ids)))
    }
}

/// The promise of the contract: once a change was answered, no request that starts later passes by what was before it. A
/// second process follows all the time, and the first one's index learns from its own changes and from following.
#[test]
fn no_answer_is_followed_by_a_stale_verdict() {
    let site = Site::with(Policy { tokens_per_account: 10_000, ..Policy::default() });
    site.owner_with_zones();
    let other = site.beside();
    let done = AtomicBool::new(false);
    let passes = |value: &str| site.verify(value, LIST.0, LIST.1).status == 200;
    let values: Vec<String> = std::thread::scope(|scope| {
        for app in [&site.app, &other.app] {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = app.follow();
                }
            });
        }
        let workers: Vec<_> = (0..4)
            .map(|worker| {
                let (site, passes) = (&site, &passes);
                scope.spawn(move || {
                    (0..ROUNDS).map(|n| live(&site.app, passes, &format!("{worker}-{n}"))).collect::<Vec<_>>()
                })
            })
            .collect();
        let lives: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        // Before anything panics: the followers would go on for ever.
        done.store(true, Ordering::Relaxed);
        lives.into_iter().flat_map(|lives| lives.unwrap()).flatten().collect()
    });
    other.app.follow().unwrap();
    let alive = values.iter().filter(|value| other.verify(value, LIST.0, LIST.1).status != 401).count();
    assert_eq!(alive, 0, "of {} values of removed tokens live on in the other process", values.len());
}

/// Generates, narrows, widens, disables, enables, regenerates and removes one token, and asks after every answer; at last two
/// changes at once. The answer is every value that it ever had.
fn live(app: &App, passes: &impl Fn(&str) -> bool, name: &str) -> Vec<String> {
    let mut life = Life::begin(app, name);
    let first = life.value.clone();
    assert!(passes(&first), "generated");
    life.token = life.edit("pdns/zones:readZone").unwrap();
    assert!(!passes(&first), "narrowed");
    life.token = life.edit("pdns/zones:*").unwrap();
    assert!(passes(&first), "widened");
    life.set_enabled(false).unwrap();
    assert!(!passes(&first), "disabled");
    life.set_enabled(true).unwrap();
    assert!(passes(&first), "enabled");
    assert!(matches!(life.edit("pdns/zones:readZone"), Err(Error::Stale)), "an edit of a former state is refused");
    life.token =
        patiently(|| app.db.read(|conn| hallpass::token::visible(conn, &Actor::operator(), &life.token.id))).unwrap();
    let (token, second) = life.regenerate(true).unwrap();
    life.token = token;
    assert!(passes(&first) && passes(&second), "in grace");
    let (token, third) = life.regenerate(false).unwrap();
    life.token = token;
    assert!(!passes(&first) && !passes(&second) && passes(&third), "regenerated");

    // An edit and a removal at once: whichever is first, afterwards the token is dead.
    let raced = std::thread::scope(|scope| {
        let editing = scope.spawn(|| life.edit("pdns/zones:listZones"));
        life.remove().unwrap();
        editing.join().unwrap()
    });
    assert!(raced.is_ok() || matches!(raced, Err(Error::Missing)), "{raced:?}");
    assert!(![&first, &second, &third].into_iter().any(|value| passes(value)), "removed");
    vec![first, second, third]
}

/// Without one snapshot for a token's row and its values, a commit between the two reads is learnt as a version without
/// values, which no later look replaces.
#[test]
fn a_token_that_another_process_generates_while_this_one_follows_is_alive_here() {
    let site = Site::with(Policy { tokens_per_account: 1000, ..Policy::default() });
    let maria = site.owner_with_zones();
    let other = site.beside();
    let done = AtomicBool::new(false);
    let values: Vec<String> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                other.app.follow().unwrap();
            }
        });
        let values = (0..400)
            .map(|n| {
                site.app
                    .write_now(|tx| {
                        let maria = hallpass::account::by_email(tx.conn, "maria@example.com")?.unwrap();
                        let (_, value) = generate(tx, &Actor::operator(), &maria, new(&format!("t{n}")), "hp")?;
                        Ok(value.reveal().to_owned())
                    })
                    .unwrap()
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        values
    });
    other.app.follow().unwrap();
    let dead = values.iter().filter(|value| other.verify(value, "GET", "/api/v1/zones").status != 200).count();
    assert_eq!(dead, 0, "of {}", values.len());
    drop(maria);
}
