//! Activity of an account or of one token: its calls of thirty days, and the log of changes and refused calls.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use diesel::dsl::{count, sql};
use diesel::expression::SqlLiteral;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::account::{Account, service};
use crate::actor::Actor;
use crate::audit::Event;
use crate::db::{Conn, MultiBackend, like};
use crate::error::{Error, Result};
use crate::refusal::Refusal;
use crate::schema::{callers, calls, events, refusals, tokens};
use crate::token::{self, Token};
use crate::types::{AccountId, EventId, Stamp, TokenId};

/// Days of an overview, today included.
pub const DAYS: u64 = 30;
/// Rows of its tables.
const TOP: i64 = 8;
pub const PAGE: i64 = 50;
/// Rows that a file holds at most, and how many of them are read at a time.
pub const FILE_MOST: usize = 10_000;
const FILE_CHUNK: i64 = 100;

/// Whose activity: whoever holds one has been found to be allowed to see it.
#[derive(Clone)]
pub struct Whose {
    of: Of,
    /// The token, where it is the activity of one.
    pub token: Option<Token>,
}

#[derive(Clone)]
enum Of {
    Account(AccountId),
    Token(TokenId),
}

impl Whose {
    /// The actor's own: all tokens of theirs, and what was done to their account.
    pub fn own(actor: &Actor) -> Result<Whose> {
        let account = actor.account.clone().ok_or(Error::SignedOut)?;
        Ok(Whose { of: Of::Account(account), token: None })
    }

    /// A service account's; missing for who may not see it.
    pub fn service(conn: &mut Conn, actor: &Actor, id: &AccountId) -> Result<(Whose, Account)> {
        let (account, _) = service::visible(conn, actor, id)?;
        Ok((Whose { of: Of::Account(account.id.clone()), token: None }, account))
    }

    /// One token's; missing for who may not see the token.
    pub fn token(conn: &mut Conn, actor: &Actor, id: &TokenId) -> Result<Whose> {
        let token = token::visible(conn, actor, id)?;
        Ok(Whose { of: Of::Token(token.id.clone()), token: Some(token) })
    }
}

/// Calls of the last [`DAYS`] days, by UTC day.
#[derive(Clone, Default, Debug)]
pub struct Overview {
    /// Every day, oldest first.
    pub days: Vec<Day>,
    /// Tokens with an accepted call.
    pub tokens: i64,
    /// Addresses that are known.
    pub addresses: i64,
    /// The most called first.
    pub methods: Vec<ByMethod>,
    pub callers: Vec<ByAddress>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Day {
    pub day: NaiveDate,
    pub accepted: i64,
    pub refused: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByMethod {
    /// `API/SERVICE:METHOD`; empty for requests that were no method of the catalogue.
    pub method: String,
    pub accepted: i64,
    pub refused: i64,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ByAddress {
    /// Empty for addresses that were not known, or that were too many in one day.
    pub ip: String,
    pub accepted: i64,
    pub refused: i64,
    /// `2026-11-23`
    pub last_day: String,
}

impl Overview {
    pub fn accepted(&self) -> i64 {
        self.days.iter().map(|day| day.accepted).sum()
    }

    pub fn refused(&self) -> i64 {
        self.days.iter().map(|day| day.refused).sum()
    }
}

/// The counters of a table since a day, of one token or of all that an account owns.
macro_rules! counters {
    ($whose:expr, $table:ident, $since:expr, |$rows:ident| $query:expr) => {{
        let since = $table::table.filter($table::day.ge($since));
        match &$whose.of {
            Of::Account(id) => {
                let own = tokens::table.filter(tokens::owner_id.eq(id)).select(tokens::id);
                let $rows = since.filter($table::token_id.eq_any(own));
                $query
            }
            Of::Token(id) => {
                let $rows = since.filter($table::token_id.eq(id));
                $query
            }
        }
    }};
}

/// A sum that is a whole number on PostgreSQL too.
fn sum(column: &'static str) -> SqlLiteral<BigInt> {
    sql::<BigInt>(&format!("CAST(SUM({column}) AS BIGINT)"))
}

pub fn overview(conn: &mut Conn, whose: &Whose, now: Stamp) -> Result<Overview> {
    let today = now.utc().date_naive();
    let first = today.checked_sub_days(Days::new(DAYS - 1)).unwrap_or(today);
    let since = first.to_string();
    let (accepted, refused, busiest) = (sum("accepted"), sum("refused"), sum("accepted + refused"));
    let by_day: Vec<(String, i64, i64)> = counters!(whose, calls, &since, |rows| rows
        .group_by(calls::day)
        .select((calls::day, accepted.clone(), refused.clone()))
        .load(conn)?);
    let by_day: BTreeMap<String, (i64, i64)> =
        by_day.into_iter().map(|(day, accepted, refused)| (day, (accepted, refused))).collect();
    let days = first.iter_days().take_while(|day| *day <= today).map(|day| {
        let (accepted, refused) = by_day.get(&day.to_string()).copied().unwrap_or_default();
        Day { day, accepted, refused }
    });
    let tokens = counters!(whose, calls, &since, |rows| rows
        .filter(calls::accepted.gt(0))
        .select(count(calls::token_id).aggregate_distinct())
        .first(conn)?);
    let addresses = counters!(whose, callers, &since, |rows| rows
        .filter(callers::ip.ne(""))
        .select(count(callers::ip).aggregate_distinct())
        .first(conn)?);
    let methods: Vec<(String, i64, i64)> = counters!(whose, calls, &since, |rows| rows
        .group_by(calls::method)
        .select((calls::method, accepted.clone(), refused.clone()))
        .order((busiest.clone().desc(), calls::method))
        .limit(TOP)
        .load(conn)?);
    let from: Vec<(String, i64, i64, Option<String>)> = counters!(whose, callers, &since, |rows| rows
        .group_by(callers::ip)
        .select((callers::ip, accepted.clone(), refused.clone(), diesel::dsl::max(callers::day)))
        .order((busiest.clone().desc(), callers::ip))
        .limit(TOP)
        .load(conn)?);
    Ok(Overview {
        days: days.collect(),
        tokens,
        addresses,
        methods: methods
            .into_iter()
            .map(|(method, accepted, refused)| ByMethod { method, accepted, refused })
            .collect(),
        callers: from
            .into_iter()
            .map(|(ip, accepted, refused, day)| ByAddress { ip, accepted, refused, last_day: day.unwrap_or_default() })
            .collect(),
    })
}

/// The tabs above the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Show {
    All,
    Changes,
    Refused,
}

impl Show {
    pub const EVERY: [Show; 3] = [Show::All, Show::Changes, Show::Refused];

    /// The word in the address: `?show=`.
    pub fn word(self) -> &'static str {
        match self {
            Show::All => "",
            Show::Changes => "changes",
            Show::Refused => "refused",
        }
    }

    pub fn parse(word: &str) -> Show {
        Show::EVERY.into_iter().find(|show| show.word() == word).unwrap_or(Show::All)
    }
}

#[derive(Clone)]
pub struct Filter {
    pub show: Show,
    /// Words in any order, all of them found; or the reference of a refusal.
    pub q: String,
}

/// One row of the log.
#[derive(Clone, Debug)]
pub enum Entry {
    Change(Event),
    Refusal(Refusal),
}

impl Entry {
    fn id(&self) -> &EventId {
        match self {
            Entry::Change(event) => &event.id,
            Entry::Refusal(refusal) => &refusal.id,
        }
    }

    /// The token that it is about.
    pub fn token(&self) -> Option<TokenId> {
        match self {
            Entry::Change(event) if event.subject_kind == "token" => Some(TokenId::from(event.subject_id.as_str())),
            Entry::Change(_) => None,
            Entry::Refusal(refusal) => Some(refusal.token_id.clone()),
        }
    }
}

pub struct Log {
    pub rows: Vec<Entry>,
    /// Tokens of these rows that are not removed.
    pub standing: BTreeSet<TokenId>,
    /// Of the tabs, in their order, under the same search.
    pub counts: [i64; 3],
    /// Rows before this page.
    pub before: i64,
    pub older: Option<EventId>,
    /// What the page before this one comes after; `None` also for the first page.
    pub newer: Option<EventId>,
}

/// One page, newest first, behind the row with the id `after`. Ids are made from their instant, so a place in the log stays
/// one when the row that marks it is gone.
pub fn log(conn: &mut Conn, whose: &Whose, filter: &Filter, after: Option<&EventId>) -> Result<Log> {
    let changes: i64 = changes(whose, filter).count().get_result(conn)?;
    let refused: i64 = refused(whose, filter).count().get_result(conn)?;
    let (before, newer) = match after {
        Some(after) => former(conn, whose, filter, after)?,
        None => (0, None),
    };
    let mut rows = behind(conn, whose, filter, after, PAGE + 1)?;
    let more = rows.len() as i64 > PAGE;
    rows.truncate(PAGE as usize);
    let named: BTreeSet<TokenId> = rows.iter().filter_map(Entry::token).collect();
    let standing: Vec<TokenId> = tokens::table
        .filter(tokens::id.eq_any(&named).and(tokens::removed_at.is_null()))
        .select(tokens::id)
        .load(conn)?;
    Ok(Log {
        older: rows.last().filter(|_| more).map(|row| row.id().clone()),
        rows,
        standing: standing.into_iter().collect(),
        counts: [changes + refused, changes, refused],
        before,
        newer,
    })
}

/// How many rows stand up to `after`, and where the page that ends with it begins.
fn former(conn: &mut Conn, whose: &Whose, filter: &Filter, after: &EventId) -> Result<(i64, Option<EventId>)> {
    let (mut count, mut ids) = (0, Vec::new());
    if filter.show != Show::Refused {
        let rows = || changes(whose, filter).filter(events::id.ge(after.clone()));
        count += rows().count().get_result::<i64>(conn)?;
        let newer = rows().order(events::id.asc()).limit(PAGE + 1).select(events::id);
        ids.extend(newer.load::<EventId>(conn)?);
    }
    if filter.show != Show::Changes {
        let rows = || refused(whose, filter).filter(refusals::id.ge(after.clone()));
        count += rows().count().get_result::<i64>(conn)?;
        let newer = rows().order(refusals::id.asc()).limit(PAGE + 1).select(refusals::id);
        ids.extend(newer.load::<EventId>(conn)?);
    }
    ids.sort();
    Ok((count, ids.into_iter().nth(PAGE as usize)))
}

/// The newest rows behind an id, of both tables as one.
fn behind(conn: &mut Conn, whose: &Whose, filter: &Filter, after: Option<&EventId>, most: i64) -> Result<Vec<Entry>> {
    let mut rows = Vec::new();
    if filter.show != Show::Refused {
        let mut query = changes(whose, filter);
        if let Some(after) = after {
            query = query.filter(events::id.lt(after.clone()));
        }
        let found = query.order(events::id.desc()).limit(most).select(Event::as_select()).load(conn)?;
        rows.extend(found.into_iter().map(Entry::Change));
    }
    if filter.show != Show::Changes {
        let mut query = refused(whose, filter);
        if let Some(after) = after {
            query = query.filter(refusals::id.lt(after.clone()));
        }
        let found = query.order(refusals::id.desc()).limit(most).select(Refusal::as_select()).load(conn)?;
        rows.extend(found.into_iter().map(Entry::Refusal));
    }
    rows.sort_by(|a, b| b.id().cmp(a.id()));
    rows.truncate(usize::try_from(most).unwrap_or_default());
    Ok(rows)
}

fn changes(whose: &Whose, filter: &Filter) -> events::BoxedQuery<'static, MultiBackend> {
    let query = events::table.into_boxed();
    let query = match &whose.of {
        Of::Account(id) => query.filter(events::owner_id.eq(id.clone())),
        Of::Token(id) => query.filter(events::subject_id.eq(id.to_string())),
    };
    filter.patterns().fold(query, |query, pattern| query.filter(events::folded.like(pattern).escape('\\')))
}

fn refused(whose: &Whose, filter: &Filter) -> refusals::BoxedQuery<'static, MultiBackend> {
    let query = refusals::table.into_boxed();
    let query = match &whose.of {
        Of::Account(id) => query.filter(refusals::owner_id.eq(id.clone())),
        Of::Token(id) => query.filter(refusals::token_id.eq(id.clone())),
    };
    filter.patterns().fold(query, |query, pattern| {
        let found = refusals::folded.like(pattern).escape('\\');
        query.filter(found.or(refusals::reference.eq(filter.q.trim().to_owned())))
    })
}

impl Filter {
    fn patterns(&self) -> impl Iterator<Item = String> {
        let words: Vec<String> = self.q.to_lowercase().split_whitespace().map(like).collect();
        words.into_iter().map(|word| format!("%{word}%"))
    }
}

/// The same log for a file, newest first and up to [`FILE_MOST`] rows, of which only some are in memory at a time.
pub fn every(
    conn: &mut Conn,
    whose: &Whose,
    filter: &Filter,
    mut write: impl FnMut(&Entry) -> Result<()>,
) -> Result<()> {
    let (mut written, mut after) = (0, None);
    while written < FILE_MOST {
        let rows = behind(conn, whose, filter, after.as_ref(), FILE_CHUNK)?;
        for row in rows.iter().take(FILE_MOST - written) {
            write(row)?;
        }
        written += rows.len();
        match rows.last() {
            Some(last) if rows.len() as i64 == FILE_CHUNK => after = Some(last.id().clone()),
            _ => break,
        }
    }
    Ok(())
}
