//! The schema in the code is the one that the migrations make, up, down and up again, on the database under test.

use diesel::connection::SimpleConnection;
use diesel::migration::MigrationSource;
use diesel::prelude::*;
use diesel_migrations::MigrationHarness;
use hallpass::db::{Conn, Db, MIGRATIONS, Place};

use crate::support::database;

fn open(place: &Place) -> Conn {
    match place {
        Place::Sqlite(path) => Conn::Sqlite(SqliteConnection::establish(path).unwrap()),
        Place::Postgres(url) => Conn::Postgres(PgConnection::establish(url).unwrap()),
    }
}

#[test]
fn every_column_of_the_code_is_in_the_tables() {
    use hallpass::schema::*;
    let folder = tempfile::tempdir().unwrap();
    let (place, _) = database(&folder);
    let db = Db::open(&place, 1).unwrap();
    macro_rules! look {
        ($($table:ident),*) => {$(
            db.read(|conn| Ok($table::table.select(diesel::dsl::count_star()).first::<i64>(conn)?)).unwrap();
            let columns = diesel::debug_query::<diesel::sqlite::Sqlite, _>(&$table::table.select($table::all_columns)).to_string();
            let sql = columns.split(" -- ").next().unwrap().replace('`', "\"");
            db.read(|conn| Ok(diesel::sql_query(&sql).execute(conn)?)).unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        )*};
    }
    look!(
        sequence,
        settings,
        teams,
        accounts,
        members,
        invitations,
        account_words,
        guesses,
        sessions,
        confirmations,
        apis,
        services,
        methods,
        access_sets,
        tokens,
        generations,
        uses,
        events,
        chain,
        calls,
        callers,
        refusals,
        tombstones,
        repeats
    );
}

#[test]
fn migrations_go_up_down_and_up_again() {
    let folder = tempfile::tempdir().unwrap();
    let (place, _) = database(&folder);
    drop(Db::open(&place, 1).unwrap());
    match open(&place) {
        Conn::Sqlite(mut conn) => {
            // The pool closes its connections on threads of its own, a moment later.
            conn.batch_execute("PRAGMA busy_timeout = 5000").unwrap();
            conn.revert_all_migrations(MIGRATIONS).unwrap();
            conn.run_pending_migrations(MIGRATIONS).unwrap();
        }
        Conn::Postgres(mut conn) => {
            conn.revert_all_migrations(MIGRATIONS).unwrap();
            conn.run_pending_migrations(MIGRATIONS).unwrap();
        }
    }
    drop(Db::open(&place, 1).unwrap());
}

#[test]
fn a_database_of_a_newer_version_is_refused_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let (place, _) = database(&folder);
    let db = Db::open(&place, 1).unwrap();
    db.write(|conn| {
        Ok(diesel::sql_query("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000000')")
            .execute(conn)?)
    })
    .unwrap();
    drop(db);
    let refused = Db::open(&place, 1).err().unwrap();
    assert_eq!(
        refused,
        "The database was written by a newer Hallpass (it has the migration 20991231000000). Use that one."
    );
}

#[test]
fn there_is_at_least_one_migration() {
    let known = MigrationSource::<diesel::sqlite::Sqlite>::migrations(&MIGRATIONS).unwrap();
    assert!(!known.is_empty());
}
