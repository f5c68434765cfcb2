//! The program's one state: reads and writes on the blocking pool, and what each committed change tells the index.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::{ArcSwap, Guard};
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;

use crate::catalogue::{self, Catalogue};
use crate::db::{Conn, Db};
use crate::error::{Error, Result};
use crate::index::{Index, Value};
use crate::metrics::Metrics;
use crate::password::Hasher;
use crate::policy::{Policy, Saved};
use crate::schema::{sequence, settings};
use crate::scope::Symbols;
use crate::secret::{Digest, Random, Secret};
use crate::tx::{Change, Tx};
use crate::types::Stamp;
use crate::usage::Usage;
use crate::{account, audit, token};

/// How long a person waits for a database that is silent, and for one that is slow to write (a large import).
const READ_PATIENCE: Duration = Duration::from_secs(5);
const WRITE_PATIENCE: Duration = Duration::from_secs(20);
/// The fingerprint of no catalogue at all.
const NOT_LOADED: (i64, i64) = (-1, -1);

/// Where time comes from: the machine, or a test.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>);

impl Clock {
    pub fn new(now: impl Fn() -> DateTime<Utc> + Send + Sync + 'static) -> Clock {
        Clock(Arc::new(now))
    }

    pub fn now(&self) -> Stamp {
        (self.0)().into()
    }

    #[allow(clippy::disallowed_methods, reason = "the one clock of the program")]
    pub fn of_the_machine() -> Clock {
        let start = Instant::now();
        Clock::that_never_goes_back(Utc::now, move || start.elapsed())
    }

    /// Follows the wall clock forward, and goes on at the steady one's pace when the wall clock is set back: what has expired
    /// stays expired, and what was heard of long ago does not become news.
    pub fn that_never_goes_back(
        wall: impl Fn() -> DateTime<Utc> + Send + Sync + 'static,
        steady: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Clock {
        let furthest = AtomicI64::new(i64::MIN);
        Clock::new(move || {
            let steady = i64::try_from(steady().as_millis()).unwrap_or(i64::MAX);
            let ahead = wall().timestamp_millis().saturating_sub(steady);
            // Seldom written: every request reads it.
            let known = furthest.load(Ordering::Acquire);
            let ahead = if ahead > known { furthest.fetch_max(ahead, Ordering::AcqRel).max(ahead) } else { known };
            DateTime::from_timestamp_millis(ahead.saturating_add(steady)).unwrap_or(DateTime::<Utc>::MAX_UTC)
        })
    }
}

impl Random {
    #[allow(clippy::disallowed_methods, reason = "the one random generator of the program")]
    pub fn of_the_machine() -> Random {
        Random::new(|bytes| getrandom::fill(bytes).map_err(|cause| cause.to_string()))
    }
}

pub struct App {
    pub db: Db,
    pub index: Index,
    /// The word before the `_` of every value.
    pub prefix: String,
    pub hasher: Hasher,
    pub random: Random,
    pub usage: Usage,
    pub metrics: Metrics,
    /// Of the list of everybody's tokens.
    pub counts: token::all::Counts,
    clock: Clock,
    symbols: Arc<Symbols>,
    policy: ArcSwap<(i64, Arc<Policy>)>,
    catalogue: ArcSwap<Catalogue>,
    /// One reload at a time, so that an older read never replaces a newer one.
    reloading: Mutex<(i64, i64)>,
    /// The value of `sequence` up to which the index has followed the database.
    followed: AtomicI64,
    /// When it last did, in milliseconds of the clock.
    heard: AtomicI64,
}

/// What an [`App`] is made from.
pub struct Parts {
    pub db: Db,
    pub policy: Policy,
    pub prefix: String,
    pub hasher: Hasher,
    pub random: Random,
    pub clock: Clock,
}

fn newest_change(conn: &mut Conn) -> Result<i64> {
    Ok(sequence::table.find("change").select(sequence::value).first(conn)?)
}

impl App {
    /// Knows nothing yet: that comes with [`App::follow`], and with [`App::fill`] beside the first requests.
    pub fn new(parts: Parts) -> Arc<App> {
        let now = (parts.clock.0)().into();
        Arc::new(App {
            db: parts.db,
            index: Index::default(),
            prefix: parts.prefix,
            hasher: parts.hasher,
            random: parts.random,
            usage: Usage::default(),
            metrics: Metrics::new(now),
            counts: Default::default(),
            clock: parts.clock,
            symbols: Arc::default(),
            policy: ArcSwap::from_pointee((Saved::OF_THE_FILE, Arc::new(parts.policy))),
            catalogue: ArcSwap::default(),
            reloading: Mutex::new(NOT_LOADED),
            followed: AtomicI64::new(-1),
            heard: AtomicI64::new(0),
        })
    }

    pub fn now(&self) -> Stamp {
        self.clock.now()
    }

    /// The limits of this moment.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load().1.clone()
    }

    /// Of [`App::policy`], for verification: it asks at every request, and a counted reference to the whole makes its
    /// threads wait for each other.
    pub fn takes_value_in_query(&self) -> bool {
        self.policy.load().1.value_in_query
    }

    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.catalogue.load_full()
    }

    /// [`App::catalogue`] for the length of one verdict: see [`App::takes_value_in_query`].
    pub fn glance_at_catalogue(&self) -> Guard<Arc<Catalogue>> {
        self.catalogue.load()
    }

    pub fn symbols(&self) -> Arc<Symbols> {
        self.symbols.clone()
    }

    /// Looks into the database, on the blocking pool.
    pub async fn read<T: Send + 'static>(
        self: &Arc<App>,
        look: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.read_within(READ_PATIENCE, look).await
    }

    /// [`App::read`] for what looks at every row of a large table and is seldom asked for.
    pub async fn survey<T: Send + 'static>(
        self: &Arc<App>,
        look: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.read_within(WRITE_PATIENCE, look).await
    }

    async fn read_within<T: Send + 'static>(
        self: &Arc<App>,
        patience: Duration,
        look: impl FnOnce(&mut Conn) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = self.clone();
        let looked = tokio::task::spawn_blocking(move || app.db.read(look));
        match tokio::time::timeout(patience, looked).await {
            Ok(looked) => looked.map_err(Error::internal)?,
            Err(_) => Err(Error::Busy("The database does not answer.".into())),
        }
    }

    /// One change: begins, runs the verb, commits, and tells the index before anybody is answered. A change that is given up
    /// because the database is silent may still be made: its end is told to the index whenever it comes.
    pub async fn write<T: Send + 'static>(
        self: &Arc<App>,
        verb: impl FnOnce(&mut Tx<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let app = self.clone();
        let written = tokio::task::spawn_blocking(move || app.write_now(verb));
        match tokio::time::timeout(WRITE_PATIENCE, written).await {
            Ok(written) => written.map_err(Error::internal)?,
            Err(_) => Err(Error::Unsure),
        }
    }

    /// [`App::write`] for who may block: the command line and jobs.
    pub fn write_now<T>(&self, verb: impl FnOnce(&mut Tx<'_>) -> Result<T>) -> Result<T> {
        let now = self.now();
        let (done, changes) = self.db.write(|conn| {
            let policy = self.policy();
            let mut tx = Tx::new(conn, now, &policy, &self.random);
            let done = verb(&mut tx)?;
            audit::chain::seal(&mut tx)?;
            Ok((done, tx.into_changes()))
        })?;
        for change in changes {
            match change {
                Change::Token(facts) => self.index.learn_token(facts, &self.symbols),
                Change::Account(facts) => self.index.learn_account(facts),
                Change::Catalogue => self.reload_catalogue(),
                Change::Policy(saved) => self.learn_policy(saved),
            }
        }
        Ok(done)
    }

    /// Reads what was changed in the database since the last time: by another process, or by the command line. The first time it
    /// reads everything but the tokens. All of it as of one moment: a token's row and its values from two would be learnt as one
    /// version.
    pub fn follow(&self) -> Result<()> {
        let asked = self.now();
        let mut loaded = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        self.db.snapshot(|conn| {
            let newest = newest_change(conn)?;
            let seen = self.followed.load(Ordering::Acquire);
            if newest != seen {
                self.follow_policy_row(conn)?;
                // Accounts first: a token is frozen for as long as its account is unknown.
                account::changed_since(conn, seen, |facts| self.index.learn_account(facts))?;
                if seen >= 0 {
                    token::changed_since(conn, seen, asked, |facts| self.index.learn_token(facts, &self.symbols))?;
                }
                self.followed.store(newest, Ordering::Release);
            }
            if newest != seen || *loaded == NOT_LOADED {
                self.follow_catalogue(conn, &mut loaded)?;
            }
            Ok(())
        })?;
        self.heard.store(asked.millis(), Ordering::Release);
        Ok(())
    }

    /// Reads the saved policy alone, if there is one: for who does not follow, the command line.
    pub fn follow_policy(&self) -> Result<()> {
        self.db.read(|conn| self.follow_policy_row(conn))
    }

    fn follow_policy_row(&self, conn: &mut Conn) -> Result<()> {
        if let Some(saved) = Saved::load(conn)? {
            self.learn_policy(saved);
        }
        Ok(())
    }

    /// Reads every token into memory, after the first [`App::follow`]: for a million of them that takes seconds, in which
    /// [`App::value`] finds those that are asked for. What is changed meanwhile has a higher version, and is heard of as ever.
    pub fn fill(&self) -> Result<()> {
        self.index.reserve(self.db.read(token::how_many)?);
        token::every(&self.db, self.now(), |facts| self.index.learn_token(facts, &self.symbols))?;
        self.index.mark_whole();
        Ok(())
    }

    /// The token of that value. For as long as not all of them are in memory, one that is not is looked up in the database, which
    /// holds up the caller for a moment.
    pub fn value(&self, digest: &Digest) -> Result<Option<Value>> {
        let is_whole = self.index.is_whole();
        let found = self.index.find(digest);
        if is_whole || found.is_some() {
            return Ok(found);
        }
        let now = self.now();
        if let Some(facts) = self.db.snapshot(|conn| token::of_value(conn, digest, now))? {
            self.index.learn_token(facts, &self.symbols);
        }
        Ok(self.index.find(digest))
    }

    fn follow_catalogue(&self, conn: &mut Conn, loaded: &mut (i64, i64)) -> Result<()> {
        let fingerprint = catalogue::store::fingerprint(conn)?;
        if *loaded != fingerprint {
            self.put_catalogue(catalogue::store::load(conn, &self.symbols)?);
            *loaded = fingerprint;
        }
        Ok(())
    }

    /// An older one that comes late changes nothing.
    fn learn_policy(&self, saved: Saved) {
        let learnt = Arc::new((saved.version, Arc::new(saved.policy)));
        self.policy.rcu(|known| if known.0 < learnt.0 { learnt.clone() } else { known.clone() });
    }

    /// Whether verification may still trust its memory: where processes share a database, it was heard of in time.
    pub fn is_fresh(&self, now: Stamp, max_staleness: TimeDelta) -> bool {
        !self.db.is_shared() || now.millis() - self.heard.load(Ordering::Acquire) <= max_staleness.num_milliseconds()
    }

    /// When the database was last heard of.
    pub fn heard(&self) -> Option<DateTime<Utc>> {
        DateTime::from_timestamp_millis(self.heard.load(Ordering::Acquire)).filter(|heard| heard.timestamp_millis() > 0)
    }

    /// A catalogue that cannot be read again after its change is an empty one: what it allowed may be wrong now.
    fn reload_catalogue(&self) {
        let mut loaded = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let read = self.db.snapshot(|conn| {
            let fingerprint = catalogue::store::fingerprint(conn)?;
            Ok((catalogue::store::load(conn, &self.symbols)?, fingerprint))
        });
        match read {
            Ok((catalogue, fingerprint)) => {
                self.put_catalogue(catalogue);
                *loaded = fingerprint;
            }
            Err(cause) => {
                tracing::error!(error = ?cause, "the catalogue cannot be read; every request is refused until it can");
                self.put_catalogue(Catalogue::default());
                *loaded = NOT_LOADED;
            }
        }
    }

    fn put_catalogue(&self, catalogue: Catalogue) {
        self.catalogue.store(Arc::new(catalogue));
    }

    /// Random bytes that all processes on this database share, made at the first start: what seals cookies and forms.
    pub fn shared_key(&self, name: &'static str) -> Result<Secret> {
        let kept = |conn: &mut Conn| -> Result<Option<String>> {
            Ok(settings::table.find(name).select(settings::value).first(conn).optional()?)
        };
        if let Some(kept) = self.db.read(kept)? {
            return Ok(Secret::new(kept));
        }
        self.write_now(|tx| {
            // Of two processes that start at once, the second finds what the first has made.
            tx.version()?;
            if let Some(kept) = kept(tx.conn)? {
                return Ok(Secret::new(kept));
            }
            let made = tx.random.base62(86)?;
            let row = (settings::name.eq(name), settings::value.eq(made.as_str()));
            diesel::insert_into(settings::table).values(row).execute(tx.conn)?;
            Ok(Secret::new(made.to_string()))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_that_is_set_back_stops_no_time_and_revives_nothing() {
        let wall = Arc::new(AtomicI64::new(1_000_000));
        let steady = Arc::new(AtomicI64::new(0));
        let (of_wall, of_steady) = (wall.clone(), steady.clone());
        let clock = Clock::that_never_goes_back(
            move || DateTime::from_timestamp_millis(of_wall.load(Ordering::SeqCst)).unwrap(),
            move || Duration::from_millis(of_steady.load(Ordering::SeqCst) as u64),
        );
        let at = |wall_at: i64, steady_at: i64| {
            wall.store(wall_at, Ordering::SeqCst);
            steady.store(steady_at, Ordering::SeqCst);
            (clock.0)().timestamp_millis()
        };
        assert_eq!(at(1_000_000, 0), 1_000_000);
        assert_eq!(at(1_000_500, 500), 1_000_500);
        assert_eq!(at(400_000, 700), 1_000_700, "back by ten minutes");
        assert_eq!(at(410_000, 10_700), 1_010_700, "and on");
        assert_eq!(at(2_000_000, 10_800), 2_000_000, "forward is followed");
        assert_eq!(at(1_011_000, 11_000), 2_000_200);
    }
}
