//! The database: SQLite or PostgreSQL behind one connection type, readers and a writer, and one migration folder.

use std::time::Duration;

use diesel::backend::Backend;
use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::deserialize::{self, FromSql};
use diesel::prelude::*;
use diesel::r2d2::{ManageConnection, Pool, R2D2Connection};
use diesel::sql_types::Timestamp;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::{Error, Result};
use crate::types::Stamp;

pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// One query for both; what cannot be said for both is a `match` on the variant.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

impl FromSql<Timestamp, MultiBackend> for Stamp {
    fn from_sql(bytes: <MultiBackend as Backend>::RawValue<'_>) -> deserialize::Result<Stamp> {
        bytes.from_sql::<Stamp, Timestamp>()
    }
}

/// Where the database is, from `HALLPASS_DATABASE_URL`.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// The whole URL; it may hold a password, so it is never printed.
    Postgres(String),
    /// Path of the file.
    Sqlite(String),
}

impl Place {
    /// `sqlite:PATH`, `postgres://…` or `postgresql://…`.
    pub fn parse(url: &str) -> Result<Place, String> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Place::Postgres(url.to_owned()));
        }
        match url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:")) {
            Some(path) if !path.is_empty() => Ok(Place::Sqlite(path.to_owned())),
            _ => Err("The database address has to be sqlite:PATH or postgres://USER@HOST/NAME.".into()),
        }
    }
}

#[derive(Clone)]
struct Opener {
    place: Place,
    read_only: bool,
}

impl ManageConnection for Opener {
    type Connection = Conn;
    type Error = diesel::r2d2::Error;

    fn connect(&self) -> Result<Conn, diesel::r2d2::Error> {
        use diesel::r2d2::Error::{ConnectionError, QueryError};
        match &self.place {
            Place::Postgres(url) => {
                let mut conn = PgConnection::establish(url).map_err(ConnectionError)?;
                conn.batch_execute(
                    "SET TIME ZONE 'UTC'; SET statement_timeout = '15s'; \
                     SET idle_in_transaction_session_timeout = '30s'; SET lock_timeout = '2s'",
                )
                .map_err(QueryError)?;
                Ok(Conn::Postgres(conn))
            }
            Place::Sqlite(path) => {
                let mut conn = SqliteConnection::establish(path).map_err(ConnectionError)?;
                // The timeout comes first, so that the switch to WAL waits for its turn.
                conn.batch_execute(
                    "PRAGMA busy_timeout = 800; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                     PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA temp_store = MEMORY; \
                     PRAGMA cache_size = -16000;",
                )
                .map_err(QueryError)?;
                if self.read_only {
                    conn.batch_execute("PRAGMA query_only = ON;").map_err(QueryError)?;
                }
                Ok(Conn::Sqlite(conn))
            }
        }
    }

    fn is_valid(&self, conn: &mut Conn) -> Result<(), diesel::r2d2::Error> {
        conn.ping().map_err(diesel::r2d2::Error::QueryError)
    }

    fn has_broken(&self, conn: &mut Conn) -> bool {
        std::thread::panicking() || conn.is_broken()
    }
}

/// Readers and a writer. On SQLite the writer is a single connection: its busy handler is unfair between several.
#[derive(Clone)]
pub struct Db {
    read: Pool<Opener>,
    write: Pool<Opener>,
    place: Place,
}

impl Db {
    /// Opens and migrates. The error is one sentence for the person who starts the program.
    pub fn open(place: &Place, readers: u32) -> Result<Db, String> {
        let opener = |read_only| Opener { place: place.clone(), read_only };
        // Once by hand: the pool would try again and again before it told of a wrong password.
        let mut first = opener(false).connect().map_err(|cause| cannot_open(place, &cause))?;
        migrate(&mut first)?;
        let pool = |read_only, size| {
            Pool::builder()
                .max_size(size)
                .min_idle(Some(1))
                .connection_timeout(Duration::from_millis(700))
                .test_on_check_out(matches!(place, Place::Postgres(_)))
                .error_handler(Box::new(diesel::r2d2::NopErrorHandler))
                .build(opener(read_only))
                .map_err(|cause| cannot_open(place, &cause))
        };
        match place {
            Place::Postgres(_) => {
                let both = pool(false, readers)?;
                Ok(Db { read: both.clone(), write: both, place: place.clone() })
            }
            Place::Sqlite(_) => Ok(Db { write: pool(false, 1)?, read: pool(true, readers)?, place: place.clone() }),
        }
    }

    /// Whether other processes may share this database, so that news has to be heard in time (`max_staleness`).
    pub fn is_shared(&self) -> bool {
        matches!(self.place, Place::Postgres(_))
    }

    /// Blocks: call it from the blocking pool.
    pub fn read<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let mut pooled = self.read.get()?;
        work(&mut pooled)
    }

    /// Several looks at one moment: nothing that is committed meanwhile shows in some of them. Blocks.
    pub fn snapshot<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let mut pooled = self.read.get()?;
        begin_snapshot(&mut pooled)?;
        finish(&mut pooled, work)
    }

    /// The same on a connection of its own, for who reads a whole table once: one of the pool would go on holding its pages.
    pub fn scan<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let opener = Opener { place: self.place.clone(), read_only: true };
        let mut conn = opener.connect().map_err(Error::internal)?;
        if let Conn::Sqlite(sqlite) = &mut conn {
            sqlite.batch_execute("PRAGMA cache_size = -500;")?;
        }
        begin_snapshot(&mut conn)?;
        finish(&mut conn, work)
    }

    /// One transaction: `BEGIN IMMEDIATE` on SQLite, where a deferred one that reads first and then writes fails at
    /// once with `database is locked`, whatever the busy timeout. Blocks: call it from the blocking pool.
    pub fn write<T>(&self, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
        let mut pooled = self.write.get()?;
        let conn: &mut Conn = &mut pooled;
        match conn {
            Conn::Sqlite(sqlite) => AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN IMMEDIATE"),
            Conn::Postgres(postgres) => AnsiTransactionManager::begin_transaction(postgres),
        }?;
        finish(conn, work)
    }
}

fn begin_snapshot(conn: &mut Conn) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(sqlite) => AnsiTransactionManager::begin_transaction_sql(sqlite, "BEGIN"),
        Conn::Postgres(postgres) => {
            let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
            AnsiTransactionManager::begin_transaction_sql(postgres, begin)
        }
    }
}

/// The work of a begun transaction, then its commit or rollback. A rollback that fails leaves a broken connection, which the
/// pool throws away.
fn finish<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> Result<T>) -> Result<T> {
    type Transactions = <Conn as Connection>::TransactionManager;
    let done = work(conn).and_then(|done| {
        <Transactions as TransactionManager<Conn>>::commit_transaction(conn)?;
        Ok(done)
    });
    if done.is_err() {
        let _ = <Transactions as TransactionManager<Conn>>::rollback_transaction(conn);
    }
    done
}

/// Brings the schema up to this program's version; refuses a database that a newer program has written.
fn migrate(conn: &mut Conn) -> Result<(), String> {
    let failed = |cause: Box<dyn std::error::Error + Send + Sync>| format!("The database cannot be migrated: {cause}.");
    match conn {
        Conn::Postgres(postgres) => {
            // A large table may take its time.
            postgres.batch_execute("SET statement_timeout = 0; SET lock_timeout = 0").map_err(|e| failed(e.into()))?;
            // Two processes that start at once take turns. The number is ours alone: "hallpass" in ASCII.
            postgres.batch_execute("SELECT pg_advisory_lock(7521901715446657907)").map_err(|e| failed(e.into()))?;
            // SQLite's own name for the order by bytes: indexes for searches by a beginning need it on both.
            let binary = "CREATE COLLATION IF NOT EXISTS \"binary\" FROM \"C\"";
            let named = postgres.batch_execute(binary).map_err(|e| failed(e.into()));
            let done = named.and_then(|()| bring_up(postgres).map_err(failed));
            postgres.batch_execute("SELECT pg_advisory_unlock(7521901715446657907)").map_err(|e| failed(e.into()))?;
            done?
        }
        Conn::Sqlite(sqlite) => bring_up(sqlite).map_err(failed)?,
    }
    .map_or(Ok(()), |unknown| {
        Err(format!("The database was written by a newer Hallpass (it has the migration {unknown}). Use that one."))
    })
}

/// Runs what is missing, or answers the version of a migration that this program does not know.
fn bring_up<DB, C>(conn: &mut C) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>>
where
    DB: diesel::backend::Backend,
    C: MigrationHarness<DB>,
    EmbeddedMigrations: diesel::migration::MigrationSource<DB>,
{
    use diesel::migration::MigrationSource;
    let known: Vec<String> =
        MigrationSource::<DB>::migrations(&MIGRATIONS)?.iter().map(|m| m.name().version().to_string()).collect();
    let applied = conn.applied_migrations()?;
    if let Some(newer) = applied.iter().map(ToString::to_string).find(|version| !known.contains(version)) {
        return Ok(Some(newer));
    }
    conn.run_pending_migrations(MIGRATIONS)?;
    Ok(None)
}

/// A word for `LIKE … ESCAPE '\\'` in which nothing stands for something else.
pub fn like(word: &str) -> String {
    word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn cannot_open(place: &Place, cause: &dyn std::fmt::Display) -> String {
    let reason = cause.to_string();
    let reason = reason.lines().next().unwrap_or_default().trim_end_matches('.');
    match place {
        Place::Postgres(_) => format!("PostgreSQL cannot be reached: {reason}."),
        Place::Sqlite(path) => format!("The database file {path} cannot be opened: {reason}."),
    }
}

impl From<String> for Error {
    fn from(sentence: String) -> Error {
        Error::internal(sentence)
    }
}
