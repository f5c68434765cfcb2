//! What happens at the same moment: changes in one process while another follows them.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use diesel::prelude::*;
use hallpass::account::{self, PersonDraft};
use hallpass::actor::Actor;
use hallpass::app::App;
use hallpass::catalogue::options::ApiOptions;
use hallpass::catalogue::store;
use hallpass::error::{Error, Result};
use hallpass::policy::Policy;
use hallpass::schema::events;
use hallpass::scope::Symbols;
use hallpass::token::edit::{Edit, edit};
use hallpass::token::regenerate::{Renewal, end_grace, regenerate};
use hallpass::token::{NewToken, Token, generate, remove, set_enabled};
use hallpass::tx::{Change, Tx};
use hallpass::types::{AccountId, Role};

use crate::support::{Site, ZONES};

const THREADS: usize = 4;

/// On each of the threads.
fn rounds() -> usize {
    std::env::var("RACE_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(8)
}

fn new(name: &str, scope: &str) -> NewToken {
    NewToken {
        name: name.to_owned(),
        description: String::new(),
        expires_at: None,
        access_set: None,
        scopes: [scope].iter().collect(),
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

fn write<T>(app: &App, verb: impl Fn(&mut Tx<'_>) -> Result<T>) -> Result<T> {
    patiently(|| app.write_now(&verb))
}

fn import(app: &App, slug: &str, description: &str) {
    let draft = store::draft(&app.catalogue(), slug, description.as_bytes(), ApiOptions::default()).unwrap();
    write(app, |tx| store::import(tx, &Actor::operator(), &draft)).unwrap();
}

fn add_person(app: &App, name: &str) -> AccountId {
    let add = |tx: &mut Tx<'_>| {
        let email = format!("{name}@example.com");
        let draft = PersonDraft { name: name.to_owned(), email, role: Role::Contributor };
        account::add_person(tx, &Actor::operator(), draft.with("no password".into(), None))
    };
    write(app, add).unwrap().id
}

/// One token's life, change by change, with the token as its last change left it.
struct Life<'a> {
    app: &'a App,
    owner: AccountId,
    api: &'a str,
    token: Token,
    value: String,
    /// Changes of the token that were answered with success.
    answered: AtomicUsize,
}

impl<'a> Life<'a> {
    fn begin(app: &'a App, owner: &AccountId, api: &'a str, name: &str) -> Life<'a> {
        let scope = format!("{api}/zones:listZones");
        let (token, value) = write(app, |tx| {
            let owner = account::by_id(tx.conn, owner)?;
            let (token, value) = generate(tx, &Actor::operator(), &owner, new(name, &scope), "hp")?;
            Ok((token, value.reveal().to_owned()))
        })
        .unwrap();
        Life { app, owner: owner.clone(), api, token, value, answered: AtomicUsize::new(1) }
    }

    fn change<T>(&self, verb: impl Fn(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let done = write(self.app, verb)?;
        self.answered.fetch_add(1, Ordering::Relaxed);
        Ok(done)
    }

    fn edit(&self, scope: &str) -> Result<Token> {
        let to = NewToken { scopes: [format!("{}/{scope}", self.api)].iter().collect(), ..self.token.settings() };
        let wish = Edit { id: self.token.id.clone(), seen: self.token.version, to };
        let catalogue = self.app.catalogue();
        self.change(|tx| edit(tx, &Actor::operator(), &catalogue, &wish))
    }

    fn set_enabled(&self, enabled: bool) -> Result<Vec<String>> {
        let ids = [self.token.id.clone()];
        self.change(|tx| set_enabled(tx, &Actor::operator(), &ids, enabled))
    }

    fn regenerate(&self, keep: bool) -> Result<(Token, String)> {
        let end = keep.then(|| self.app.now().plus(chrono::TimeDelta::hours(1)));
        let wish = Renewal {
            id: self.token.id.clone(),
            seen: self.token.version,
            previous_ends_at: end,
            expires_at: self.token.expires_at,
        };
        let made = self.change(|tx| regenerate(tx, &Actor::operator(), &wish, "hp"))?;
        Ok((made.0, made.1.reveal().to_owned()))
    }

    fn end_grace(&self) -> Result<Token> {
        self.change(|tx| end_grace(tx, &Actor::operator(), &self.token.id, self.token.version))
    }

    fn remove(&self) -> Result<Vec<String>> {
        let ids = [self.token.id.clone()];
        self.change(|tx| remove(tx, &Actor::operator(), &ids))
    }

    fn disable_owner(&self) {
        write(self.app, |tx| account::disable(tx, &Actor::operator(), &self.owner)).unwrap();
    }

    /// As the database has it.
    fn stored(&self) -> Result<Token> {
        patiently(|| self.app.db.read(|conn| hallpass::token::visible(conn, &Actor::operator(), &self.token.id)))
    }

    /// An edit that widens is told of twice.
    fn logged(&self) -> usize {
        let of_token =
            events::table.filter(events::subject_id.eq(self.token.id.as_str()).and(events::action.ne("token.widen")));
        let count: i64 = patiently(|| self.app.db.read(|conn| Ok(of_token.count().get_result(conn)?))).unwrap();
        usize::try_from(count).unwrap()
    }
}

/// The promise of the contract: once a change was answered, no request that starts later passes by what was before it. A
/// second process follows all the time and reads everything again and again, as at its start; the first one's index learns from
/// its own changes and from following.
#[test]
fn no_answer_is_followed_by_a_stale_verdict() {
    let site = Site::with(Policy { tokens_per_account: 10_000, allow_never: true, ..Policy::default() });
    site.owner_with_zones();
    let other = site.beside();
    let done = AtomicBool::new(false);
    let values: Vec<String> = std::thread::scope(|scope| {
        for app in [&site.app, &other.app] {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let _ = app.follow();
                }
            });
        }
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = other.app.fill();
            }
        });
        let workers: Vec<_> = (0..THREADS)
            .map(|worker| {
                let site = &site;
                scope.spawn(move || {
                    // An API for each: what one imports again would refuse another's requests.
                    let api = format!("api{worker}");
                    let path = format!("/verify?api={api}");
                    let ask = [("X-Original-Method", "GET"), ("X-Original-URI", "/api/v1/zones")];
                    let passes = |value: &str| {
                        let bearer = format!("Bearer {value}");
                        let [method, uri] = ask;
                        site.ask(&path, &[method, uri, ("Authorization", &bearer)]).status == 200
                    };
                    import(&site.app, &api, ZONES);
                    (0..rounds()).map(|n| live(&site.app, &passes, &api, &format!("{worker}-{n}"))).collect::<Vec<_>>()
                })
            })
            .collect();
        let lives: Vec<_> = workers.into_iter().map(|worker| worker.join()).collect();
        // Before anything panics: the followers would go on for ever.
        done.store(true, Ordering::Relaxed);
        lives.into_iter().flat_map(|lives| lives.unwrap()).flatten().collect()
    });
    other.app.follow().unwrap();
    let alive = values.iter().filter(|value| other.verify(value, "GET", "/api/v1/zones").status != 401).count();
    assert_eq!(alive, 0, "of {} values of dead tokens live on in the other process", values.len());
}

/// Everything that can happen to a token, one thing after the other, and a request after every answer; at last changes of it
/// at the same moment. The answer is every value of it and of a second token.
fn live(app: &App, passes: &impl Fn(&str) -> bool, api: &str, name: &str) -> Vec<String> {
    let owner = add_person(app, name);
    let second = Life::begin(app, &owner, api, &format!("second-{name}"));
    let mut life = Life::begin(app, &owner, api, name);
    let values = change_by_change(&mut life, passes);
    let current = values.last().unwrap();

    import(app, api, &ZONES.replace("listZones", "everyZone"));
    assert!(!passes(&second.value), "its method is gone from the API");
    import(app, api, ZONES);
    assert!(passes(&second.value) && passes(current), "its method is back");

    // Of two edits of the same state one is refused, and the other's is there to stay.
    let (one, two) = std::thread::scope(|scope| {
        let one = scope.spawn(|| life.edit("zones:listZones"));
        let two = life.edit("zones:readZone");
        (one.join().unwrap(), two)
    });
    let (won, expected) = match (one, two) {
        (Ok(token), Err(Error::Stale)) => (token, true),
        (Err(Error::Stale), Ok(token)) => (token, false),
        other => panic!("{other:?}"),
    };
    assert_eq!(passes(current), expected, "the edit that was answered decides");
    let stored = life.stored().unwrap();
    assert_eq!((stored.version, &stored.scopes), (won.version, &won.scopes), "a change is lost");
    life.token = stored;

    // An edit and a removal: whichever is first, afterwards the token is dead.
    let raced = std::thread::scope(|scope| {
        let editing = scope.spawn(|| life.edit("zones:createZone"));
        life.remove().unwrap();
        editing.join().unwrap()
    });
    assert!(raced.is_ok() || matches!(raced, Err(Error::Missing)), "{raced:?}");
    assert!(!values.iter().any(|value| passes(value)), "removed");
    assert_eq!(life.logged(), life.answered.load(Ordering::Relaxed), "every answered change is in the log");

    // A change of the account's token does not wake it.
    assert!(passes(&second.value), "before its account is disabled");
    std::thread::scope(|scope| {
        scope.spawn(|| second.edit("zones:*").unwrap());
        second.disable_owner();
        assert!(!passes(&second.value), "its account is disabled");
    });
    assert!(!passes(&second.value), "its account is disabled, and it was edited");
    values.into_iter().chain([second.value]).collect()
}

fn change_by_change(life: &mut Life<'_>, passes: &impl Fn(&str) -> bool) -> Vec<String> {
    let first = life.value.clone();
    assert!(passes(&first), "generated");
    life.token = life.edit("zones:readZone").unwrap();
    assert!(!passes(&first), "narrowed");
    life.token = life.edit("zones:*").unwrap();
    assert!(passes(&first), "widened");
    life.set_enabled(false).unwrap();
    assert!(!passes(&first), "disabled");
    life.set_enabled(true).unwrap();
    assert!(passes(&first), "enabled");
    assert!(matches!(life.edit("zones:readZone"), Err(Error::Stale)), "an edit of a former state is refused");
    life.token = life.stored().unwrap();
    let (token, second) = life.regenerate(true).unwrap();
    life.token = token;
    assert!(passes(&first) && passes(&second), "in grace");
    life.token = life.end_grace().unwrap();
    assert!(!passes(&first) && passes(&second), "its grace was ended");
    let (token, third) = life.regenerate(true).unwrap();
    life.token = token;
    assert!(passes(&second) && passes(&third), "in grace again");
    let (token, fourth) = life.regenerate(false).unwrap();
    life.token = token;
    assert!(!passes(&first) && !passes(&second) && !passes(&third) && passes(&fourth), "regenerated");
    vec![first, second, third, fourth]
}

/// Two changes commit in their order, and what they changed is told to the index the other way round: the thread of the first
/// was stopped between its commit and the index.
#[test]
fn a_change_that_the_index_hears_of_after_a_later_one_changes_nothing() {
    let site = Site::with(Policy { allow_never: true, ..Policy::default() });
    site.owner_with_zones();
    let app = &site.app;
    let owner = add_person(app, "anna");
    let removed = Life::begin(app, &owner, "pdns", "removed");
    let kept = Life::begin(app, &owner, "pdns", "kept");
    let status = |value: &str| site.verify(value, "GET", "/api/v1/zones").status;

    let unheard = without_the_index(app, |tx| {
        let both = [removed.token.id.clone(), kept.token.id.clone()];
        set_enabled(tx, &Actor::operator(), &both, false)?;
        set_enabled(tx, &Actor::operator(), &both, true)
    });
    removed.remove().unwrap();
    write(app, |tx| set_enabled(tx, &Actor::operator(), std::slice::from_ref(&kept.token.id), false)).unwrap();
    unheard.into_iter().for_each(|change| tell(app, change));
    assert_eq!((status(&removed.value), status(&kept.value)), (401, 401), "one is removed, the other disabled");

    write(app, |tx| set_enabled(tx, &Actor::operator(), std::slice::from_ref(&kept.token.id), true)).unwrap();
    assert_eq!(status(&kept.value), 200);
    let unheard = without_the_index(app, |tx| {
        let before = account::by_id(tx.conn, &owner)?;
        tx.changed(Change::Account(hallpass::tx::AccountFacts {
            id: before.id.clone(),
            version: before.version,
            kind: before.kind,
            label: before.label().to_owned(),
            teams: Vec::new(),
            role: before.role,
            enabled: before.enabled,
        }));
        Ok(())
    });
    kept.disable_owner();
    unheard.into_iter().for_each(|change| tell(app, change));
    assert_eq!(status(&kept.value), 401, "its account is disabled");
}

/// Commits, and keeps what the index should have heard.
fn without_the_index<T>(app: &App, verb: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Vec<Change> {
    let now = app.now();
    let policy = app.policy();
    let write = |conn: &mut hallpass::db::Conn| {
        let mut tx = Tx::new(conn, now, &policy, &app.random);
        verb(&mut tx)?;
        hallpass::audit::chain::seal(&mut tx)?;
        Ok(tx.into_changes())
    };
    app.db.write(write).unwrap()
}

fn tell(app: &App, change: Change) {
    match change {
        // Under numbers of its own the scopes are others: the value would be found all the same, and be no 401.
        Change::Token(facts) => app.index.learn_token(facts, &Symbols::default()),
        Change::Account(facts) => app.index.learn_account(facts),
        Change::Catalogue | Change::Policy(_) => {}
    }
}

/// Without one snapshot for a token's row and its values, a commit between the two reads is learnt as a version without
/// values, which no later look replaces.
#[test]
fn a_token_that_another_process_generates_while_this_one_follows_is_alive_here() {
    let site = Site::with(Policy { tokens_per_account: 1000, allow_never: true, ..Policy::default() });
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
                        let maria = account::by_email(tx.conn, "maria@example.com")?.unwrap();
                        let (_, value) = generate(
                            tx,
                            &Actor::operator(),
                            &maria,
                            new(&format!("t{n}"), "pdns/zones:listZones"),
                            "hp",
                        )?;
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
