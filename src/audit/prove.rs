//! Proving the log: every row is read in its order, its hash made anew, and the first that is not as it was written is named.

use std::fmt;

use diesel::prelude::*;

use super::Event;
use super::chain::{CHECKPOINT, HEAD, Mark, hash, mark};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::schema::events;
use crate::types::EventId;

/// Rows in memory at a time.
const CHUNK: i64 = 1_000;

/// What was found.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that is there is as it was written.
    Whole(Proof),
    /// The first row that is not.
    Broken(Fault),
}

#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    pub events: i64,
    pub head: Mark,
    /// The last event that was deleted for its age; number 0 where none was.
    pub checkpoint: Mark,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    pub number: i64,
    /// `None` of a row that is gone.
    pub id: Option<EventId>,
    pub what: What,
}

#[derive(Debug, PartialEq, Eq)]
pub enum What {
    Changed,
    Unreadable,
    Missing,
    /// It was written as another number.
    Moved(i64),
    /// A row that was never written here: a number twice, or one before the checkpoint or past the head.
    Strange,
    /// The log ends before its head: so many rows are gone.
    CutOff(i64),
    /// Its last row has another hash than the head.
    HeadChanged,
    HeadMissing,
    CheckpointMissing,
    /// It agrees with itself, but not with what was noted.
    NotAsNoted,
    /// What was noted is gone for its age.
    NotedDeleted,
}

/// `noted` is a head of former times, from which the log has to go on. Looks at one moment: call it in a snapshot.
pub fn prove(conn: &mut Conn, noted: Option<&Mark>) -> Result<Verdict> {
    let broken = |number, id, what| Ok(Verdict::Broken(Fault { number, id, what }));
    let Some(checkpoint) = mark(conn, CHECKPOINT)? else { return broken(0, None, What::CheckpointMissing) };
    if noted.is_some_and(|noted| noted.number < checkpoint.number) {
        return broken(noted.map_or(0, |noted| noted.number), None, What::NotedDeleted);
    }
    let agrees = |at: &Mark| noted.is_none_or(|noted| noted.number != at.number || noted.hash == at.hash);
    if !agrees(&checkpoint) {
        return broken(checkpoint.number, None, What::NotAsNoted);
    }
    let (mut last, mut below) = (checkpoint.clone(), None);
    loop {
        let rows = match next(conn, below)? {
            Ok(rows) => rows,
            Err((number, id)) => return broken(number, Some(id), What::Unreadable),
        };
        for row in &rows {
            if let Some(what) = wrong(conn, &checkpoint, &last, row)? {
                let number = if what == What::Missing { last.number + 1 } else { row.number };
                let id = (what != What::Missing).then(|| row.id.clone());
                return broken(number, id, what);
            }
            last = Mark { number: row.number, hash: row.hash.clone() };
            if !agrees(&last) {
                return broken(row.number, Some(row.id.clone()), What::NotAsNoted);
            }
        }
        match rows.last() {
            Some(row) => below = Some(row.number),
            None => break,
        }
    }
    let Some(head) = mark(conn, HEAD)? else { return broken(last.number, None, What::HeadMissing) };
    let reach = head.number.max(noted.map_or(0, |noted| noted.number));
    match last.number {
        number if number < reach => broken(number + 1, None, What::CutOff(reach - number)),
        number if number > head.number => {
            let id = events::table.filter(events::number.eq(head.number + 1)).select(events::id).first(conn);
            broken(head.number + 1, id.optional()?, What::Strange)
        }
        number if last.hash != head.hash => broken(number, None, What::HeadChanged),
        number if count(conn)? != number - checkpoint.number => {
            let (number, id) = twice(conn)?;
            broken(number, Some(id), What::Strange)
        }
        number => Ok(Verdict::Whole(Proof { events: number - checkpoint.number, head, checkpoint })),
    }
}

/// The next rows above a number; or, where one of them cannot be read, that one.
fn next(conn: &mut Conn, above: Option<i64>) -> Result<Result<Vec<Event>, (i64, EventId)>> {
    let rows = |most: i64| {
        let rows = events::table.order(events::number).limit(most).into_boxed();
        match above {
            Some(above) => rows.filter(events::number.gt(above)),
            None => rows,
        }
    };
    match rows(CHUNK).select(Event::as_select()).load::<Event>(conn) {
        Ok(rows) => Ok(Ok(rows)),
        Err(diesel::result::Error::DeserializationError(_)) => {
            let places: Vec<(i64, EventId)> = rows(CHUNK).select((events::number, events::id)).load(conn)?;
            for (number, id) in places {
                let row = events::table.filter(events::number.eq(number).and(events::id.eq(&id)));
                if row.select(Event::as_select()).load::<Event>(conn).is_err() {
                    return Ok(Err((number, id)));
                }
            }
            Err(Error::internal("an event cannot be read"))
        }
        Err(other) => Err(other.into()),
    }
}

fn wrong(conn: &mut Conn, checkpoint: &Mark, last: &Mark, row: &Event) -> Result<Option<What>> {
    if row.number <= last.number {
        return Ok(Some(What::Strange));
    }
    if row.number > last.number + 1 {
        return Ok(Some(What::Missing));
    }
    if hash(&last.hash, row) == row.hash {
        return Ok(None);
    }
    Ok(Some(written_as(conn, checkpoint, row)?.map_or(What::Changed, What::Moved)))
}

/// The number under which this very row was written, where that can be proven: its id says its place, and its hash follows
/// from the row before it.
fn written_as(conn: &mut Conn, checkpoint: &Mark, row: &Event) -> Result<Option<i64>> {
    let before = || events::table.filter(events::id.lt(row.id.clone()));
    let number = checkpoint.number + before().count().get_result::<i64>(conn)? + 1;
    let previous: Option<String> = before().order(events::id.desc()).select(events::hash).first(conn).optional()?;
    let previous = previous.unwrap_or_else(|| checkpoint.hash.clone());
    let as_written = Event { number, ..row.clone() };
    Ok((number != row.number && hash(&previous, &as_written) == row.hash).then_some(number))
}

fn count(conn: &mut Conn) -> Result<i64> {
    Ok(events::table.count().get_result(conn)?)
}

/// The first row that has the number of another: only without the table's index can there be one.
fn twice(conn: &mut Conn) -> Result<(i64, EventId)> {
    let numbers = events::table.group_by(events::number).having(diesel::dsl::count_star().gt(1));
    let number: i64 = numbers.order(events::number).select(events::number).first(conn)?;
    let rows = events::table.filter(events::number.eq(number)).order(events::id.desc()).select(events::id);
    Ok((number, rows.first(conn)?))
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.number;
        let id = self.id.as_ref().map(|id| format!(" (id {id})")).unwrap_or_default();
        match self.what {
            What::Changed => write!(f, "Event {number}{id} was changed after it was written."),
            What::Unreadable => write!(f, "Event {number}{id} was changed: it cannot be read any more."),
            What::Missing => write!(f, "Event {number} is missing: it was removed."),
            What::Moved(from) => write!(f, "Event {number}{id} is out of order: it was written as number {from}."),
            What::Strange => write!(f, "Event {number}{id} was put in: Hallpass did not write it there."),
            What::CutOff(rows) => write!(f, "Event {number} is missing: the log was cut off at its end, by {rows}."),
            What::HeadChanged => write!(f, "Event {number} is the last one, but the head has another hash."),
            What::HeadMissing => write!(f, "The head is missing: nothing says that event {number} is the last one."),
            What::CheckpointMissing => write!(f, "The checkpoint is missing: nothing says where the log begins."),
            What::NotAsNoted => write!(f, "Event {number}{id} has another hash than was noted: the log was rewritten."),
            What::NotedDeleted => {
                write!(
                    f,
                    "Event {number} was deleted for its age, so what was noted proves nothing. Note a newer head."
                )
            }
        }
    }
}
