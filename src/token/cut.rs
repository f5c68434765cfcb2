//! Tokens that a policy would not allow any more: how many there are, and the moving of their ends to its limits.

use chrono::TimeDelta;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};

use super::{Generation, Token, facts, values_of};
use crate::actor::{Actor, Deed};
use crate::audit::{self, Subject};
use crate::db::Conn;
use crate::error::{OrMissing, Result};
use crate::policy::{LAST_DAY, Policy};
use crate::schema::{accounts, generations, tokens};
use crate::tx::{Change, Tx};
use crate::types::{Role, Stamp, TokenId};

/// Tokens that one look reads to cut them.
const CHUNK: i64 = 1_000;

/// Living tokens of the accounts of one role that a policy does not allow.
#[derive(Queryable, Clone, PartialEq, Eq, Debug)]
pub struct Excess {
    pub role: Role,
    /// They live longer than the role's days from the generation of their value.
    pub long: i64,
    /// They have no expiry, and may not.
    pub never: i64,
    /// Of both: their days are over already.
    pub past: i64,
    /// Their former value lives longer than it may.
    pub graces: i64,
    /// Of those: the time for which it may live is over already.
    pub graces_past: i64,
}

/// What became of tokens that were cut.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Cut {
    /// Tokens of which something ends earlier than before.
    pub tokens: usize,
    /// Of those, how many stopped at once, or their former value did.
    pub ended: usize,
    /// The last one that was looked at, where there may be more.
    pub next: Option<TokenId>,
}

/// What a policy does not allow, by the owner's role.
pub fn excess(conn: &mut Conn, policy: &Policy, now: Stamp) -> Result<Vec<Excess>> {
    let words = Words::of(conn, policy, now);
    let count = |condition: &str| sql::<BigInt>(&format!("count(*) FILTER (WHERE {condition})"));
    let rows = tokens::table
        .inner_join(generations::table)
        .inner_join(accounts::table)
        .filter(generations::ends_at.is_null().and(tokens::removed_at.is_null()))
        .filter(tokens::expires_at.is_null().or(tokens::expires_at.gt(now)))
        .filter(sql::<Bool>(&words.any))
        .group_by(accounts::role)
        .order(accounts::role)
        .select((
            accounts::role,
            count(&words.long),
            count(words.never),
            count(&words.past),
            count(&words.grace),
            count(&words.grace_past),
        ));
    Ok(rows.load(conn)?)
}

/// Moves what lives too long to the policy's limit, counted from the generation of the value: an expiry, and the end of a
/// former value. What is past that limit ends at once, or stays as it is without `end_now`. A part of the tokens, in the order
/// of their ids: `next` says from where to go on.
pub fn cut(tx: &mut Tx<'_>, actor: &Actor, policy: &Policy, end_now: bool, after: Option<&TokenId>) -> Result<Cut> {
    actor.must(Deed::Administer)?;
    let version = tx.version()?;
    let words = Words::of(tx.conn, policy, tx.now);
    let rows = tokens::table
        .inner_join(generations::table)
        .inner_join(accounts::table)
        .filter(generations::ends_at.is_null().and(tokens::removed_at.is_null()))
        .filter(tokens::expires_at.is_null().or(tokens::expires_at.gt(tx.now)))
        .filter(tokens::id.gt(after.map_or("", TokenId::as_str)))
        .filter(sql::<Bool>(&words.any))
        .order(tokens::id)
        .limit(CHUNK)
        .select((Token::as_select(), generations::created_at, accounts::role));
    let found: Vec<(Token, Stamp, Role)> = rows.load(tx.conn)?;
    let mut done = Cut::default();
    if i64::try_from(found.len()).is_ok_and(|n| n == CHUNK) {
        done.next = found.last().map(|(token, ..)| token.id.clone());
    }
    for (mut token, since, role) in found {
        token.version = version;
        let ended = shorten(tx, actor, policy, end_now, token, since, role)?;
        done.tokens += usize::from(ended.is_some());
        done.ended += usize::from(ended == Some(true));
    }
    Ok(done)
}

/// Whether something of the token stopped at once; `None` where nothing was changed.
fn shorten(
    tx: &mut Tx<'_>,
    actor: &Actor,
    policy: &Policy,
    end_now: bool,
    mut token: Token,
    since: Stamp,
    role: Role,
) -> Result<Option<bool>> {
    let now = tx.now;
    let at = |limit: Stamp| if limit > now { Some(limit) } else { end_now.then_some(now) };
    let too_long = policy.must_allow(role, since, token.expires_at).is_err();
    let end = too_long.then(|| at(since.plus(TimeDelta::days(policy.max_days(role).into())))).flatten();
    let grace = since.plus(policy.grace());
    let mut values = values_of(tx.conn, &token.id)?;
    let former = values.iter_mut().find(|value| value.ends_at.is_some_and(|end| end > now && end > grace));
    let former_end = former.as_ref().and_then(|_| at(grace));
    if end.is_none() && former_end.is_none() {
        return Ok(None);
    }
    let (mut before, mut after) = (serde_json::json!({}), serde_json::json!({}));
    if let Some(end) = end {
        before["expires_at"] = serde_json::json!(token.expires_at);
        after["expires_at"] = serde_json::json!(end);
        token.expires_at = Some(end);
    }
    if let (Some(former), Some(end)) = (former, former_end) {
        before["previous_expires_at"] = serde_json::json!(former.ends_at);
        after["previous_expires_at"] = serde_json::json!(end);
        end_former(tx, former, end)?;
    }
    diesel::update(tokens::table.find(&token.id))
        .set((tokens::expires_at.eq(token.expires_at), tokens::version.eq(token.version)))
        .execute(tx.conn)
        .or_missing()?;
    let detail = serde_json::json!({ "before": before, "after": after, "by": "policy" });
    let subject = Subject::token(&token.id, &token.name);
    audit::record(tx, actor, "token.edit", subject, Some(&token.owner_id), detail)?;
    tx.changed(Change::Token(facts(&token, &values, now)));
    Ok(Some(end == Some(now) || former_end == Some(now)))
}

fn end_former(tx: &mut Tx<'_>, former: &mut Generation, end: Stamp) -> Result<()> {
    former.ends_at = Some(end);
    let row = generations::table.find((&former.token_id, former.number));
    diesel::update(row).set(generations::ends_at.eq(end)).execute(tx.conn).or_missing()
}

/// Conditions on a token beside its current value (`generations`) and its owner (`accounts`), in the words of each database:
/// they count time in different ways. Nothing in them was typed by anybody.
struct Words {
    long: String,
    never: &'static str,
    past: String,
    grace: String,
    grace_past: String,
    any: String,
}

impl Words {
    fn of(conn: &Conn, policy: &Policy, now: Stamp) -> Words {
        let seconds = |later: &str, earlier: &str| match conn {
            Conn::Sqlite(_) => format!("(julianday({later}) - julianday({earlier})) * 86400"),
            Conn::Postgres(_) => format!("EXTRACT(EPOCH FROM ({later} - {earlier}))"),
        };
        let moment = now.utc().format("%Y-%m-%d %H:%M:%S%.3f");
        let now = match conn {
            Conn::Sqlite(_) => format!("'{moment}'"),
            Conn::Postgres(_) => format!("TIMESTAMP '{moment}'"),
        };
        let day = TimeDelta::days(1).num_seconds();
        let of_role = |role: &Role| format!("WHEN '{role}' THEN {}", i64::from(policy.max_days(*role)) * day);
        let limit = format!("CASE accounts.role {} END", Role::ALL.iter().map(of_role).collect::<Vec<_>>().join(" "));
        let created = "generations.created_at";
        let long = format!("({} > {limit} + {})", seconds("tokens.expires_at", created), LAST_DAY.num_seconds());
        let never = if policy.allow_never { "FALSE" } else { "(tokens.expires_at IS NULL)" };
        let past = format!("(({long} OR {never}) AND {} >= {limit})", seconds(&now, created));
        // Time as a fraction of days is not exact to the millisecond: one second more is not too long.
        let allowed = policy.grace().num_seconds();
        let grace = format!(
            "EXISTS (SELECT 1 FROM generations former WHERE former.token_id = tokens.id AND former.ends_at > {now} AND {} > {allowed} + 1)",
            seconds("former.ends_at", created)
        );
        let grace_past = format!("({grace} AND {} >= {allowed})", seconds(&now, created));
        let any = format!("({long} OR {never} OR {grace})");
        Words { long, never, past, grace, grace_past, any }
    }
}
