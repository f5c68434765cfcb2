//! How long events are kept: the oldest are deleted in the order of the chain, and a checkpoint stays, so that the rest still proves.

use chrono::{NaiveTime, TimeDelta};
use diesel::prelude::*;

use super::chain::CHECKPOINT;
use super::{Subject, record};
use crate::actor::{Actor, Origin, Via};
use crate::error::{OrMissing, Result};
use crate::schema::{chain, events};
use crate::tx::Tx;
use crate::types::{Role, Stamp};

/// Rows of one transaction: others write in between.
const AT_ONCE: i64 = 1_000;

/// The moment before which events are past their days: a midnight (UTC), so that there is one deletion a day.
pub fn limit(now: Stamp, days: u32) -> Stamp {
    let day = now.minus(TimeDelta::days(days.into())).utc().date_naive();
    day.and_time(NaiveTime::MIN).and_utc().into()
}

/// Deletes the oldest events up to a limit, as far as one transaction bears; the answer is how many, and 0 when it is done.
/// One that is younger keeps all behind it.
pub fn delete_some(tx: &mut Tx<'_>, before: Stamp) -> Result<i64> {
    // Of two processes the second waits here, and reads what the first has left.
    let turn = chain::number.eq(chain::number);
    diesel::update(chain::table.find(CHECKPOINT)).set(turn).execute(tx.conn).or_missing()?;
    let rows = events::table.order(events::number).limit(AT_ONCE).select((events::number, events::hash, events::at));
    let rows: Vec<(i64, String, Stamp)> = rows.load(tx.conn)?;
    let old: Vec<&(i64, String, Stamp)> = rows.iter().take_while(|(_, _, at)| *at < before).collect();
    let Some((number, hash, _)) = old.last() else { return Ok(0) };
    let checkpoint = (chain::number.eq(number), chain::hash.eq(hash), chain::at.eq(tx.now));
    diesel::update(chain::table.find(CHECKPOINT)).set(checkpoint).execute(tx.conn)?;
    let gone = diesel::delete(events::table.filter(events::number.le(number))).execute(tx.conn)?;
    Ok(gone as i64)
}

/// What was deleted stands in the log itself, with the checkpoint.
pub fn tell(tx: &mut Tx<'_>, deleted: i64) -> Result<()> {
    let (number, hash): (i64, String) =
        chain::table.find(CHECKPOINT).select((chain::number, chain::hash)).first(tx.conn)?;
    let program = Actor {
        account: None,
        name: "Hallpass".into(),
        role: Role::Viewer,
        via: Via::Program,
        origin: Origin::default(),
    };
    let detail = serde_json::json!({ "deleted": deleted, "up_to": number, "hash": hash });
    let subject = Subject { kind: "log", id: "", name: "" };
    record(tx, &program, "audit.prune", subject, None, detail)
}

/// When the checkpoint was last moved.
pub fn moved(conn: &mut crate::db::Conn) -> Result<Option<Stamp>> {
    Ok(chain::table.find(CHECKPOINT).select(chain::at).first(conn).optional()?.flatten())
}
