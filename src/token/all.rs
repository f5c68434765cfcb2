//! The list of everybody's tokens, for administrators: tabs, orders and searches that each read by an index, so that a page of a
//! million tokens costs as much as one of a hundred.

mod search;
mod walk;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::TimeDelta;
use diesel::prelude::*;

use super::list::{Listed, dress};
pub use super::list::{Sort, SortBy};
use super::{MOST_AT_ONCE, Token};
use crate::account::{self, Account};
use crate::actor::{Actor, Deed, Relation};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::schema::{sequence, tokens, uses};
use crate::tx::Tx;
use crate::types::{AccountId, Stamp, TokenId};

pub const PAGE: usize = 50;
/// What is counted no further, gathered no further, and changed at once no further.
pub const MOST: usize = MOST_AT_ONCE;
/// What is sorted in memory no further, of a search and of a span of time: more would take too long.
pub const MOST_SORTED: usize = 5_000;
/// Methods from which on a token is too broad, unless it is narrowed by resources or addresses.
pub const BROAD_FROM: usize = 101;
/// Too broad: everything, all of an API, or more methods than a person overlooks, and from anywhere, to every resource. Word by
/// word the condition of the indexes of that name, or none of them is used. Entries stand one a line; only `*` begins with it.
const BROAD: &str = "allow = '' AND ip_allow = '' AND (substr(scopes, 1, 1) = '*' OR replace(scopes, '\n*', '') <> scopes \
                     OR replace(scopes, '/*', '') <> scopes OR length(scopes) - length(replace(scopes, '\n', '')) >= 100)";
/// How late the column may be by which lists are sorted by last use.
const LATE: TimeDelta = TimeDelta::minutes(10);
/// Use of that long before the latest that was seen is looked at again: it may have been written late.
const AGAIN: TimeDelta = TimeDelta::hours(1);
/// For how long counts of spans of time are good enough.
const FRESH: TimeDelta = TimeDelta::minutes(1);
const CHUNK: usize = 500;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tab {
    All,
    Expiring,
    Never,
    Unused,
    Broad,
    Disabled,
    Expired,
}

impl Tab {
    pub const EVERY: [Tab; 7] =
        [Tab::All, Tab::Expiring, Tab::Never, Tab::Unused, Tab::Broad, Tab::Disabled, Tab::Expired];

    /// The word in the address: `?status=`.
    pub fn word(self) -> &'static str {
        match self {
            Tab::All => "",
            Tab::Expiring => "expiring",
            Tab::Never => "never",
            Tab::Unused => "unused",
            Tab::Broad => "broad",
            Tab::Disabled => "disabled",
            Tab::Expired => "expired",
        }
    }

    pub fn parse(word: &str) -> Tab {
        Tab::EVERY.into_iter().find(|tab| tab.word() == word).unwrap_or(Tab::All)
    }

    /// The order in which a tab is shown unless another is asked for: what needs a look first.
    pub fn usual(self) -> Sort {
        match self {
            Tab::Expiring => Sort { by: SortBy::Expires, descending: false },
            Tab::Expired => Sort { by: SortBy::Expires, descending: true },
            Tab::Unused => Sort { by: SortBy::Used, descending: false },
            Tab::All | Tab::Never | Tab::Broad | Tab::Disabled => Sort::USUAL,
        }
    }

    /// The column by which a tab that is a span of time is found; only in that order an index has it.
    fn span(self) -> Option<SortBy> {
        match self {
            Tab::Expiring | Tab::Expired => Some(SortBy::Expires),
            Tab::Unused => Some(SortBy::Used),
            Tab::All | Tab::Never | Tab::Broad | Tab::Disabled => None,
        }
    }
}

/// The moments that tabs are about.
#[derive(Clone, Copy)]
pub struct Times {
    pub now: Stamp,
    pub notice: TimeDelta,
}

impl Times {
    fn soon(self) -> Stamp {
        self.now.plus(self.notice)
    }

    /// Unused is what was not used since, nor made since.
    fn idle(self) -> Stamp {
        self.now.minus(TimeDelta::days(90))
    }
}

#[derive(Clone)]
pub struct Ask {
    pub owner: Option<AccountId>,
    pub tab: Tab,
    /// The beginning of a token's name, of its owner's name or e-mail address, or of one of its values.
    pub q: String,
    /// `None`: as the tab usually is.
    pub sort: Option<Sort>,
    /// Where the former page ended: the last row's id.
    pub after: Option<TokenId>,
}

impl Ask {
    pub fn sort(&self) -> Sort {
        self.sort.unwrap_or(self.tab.usual())
    }
}

/// The counts of the tabs as they were last looked at. They hold until something changes, and a minute for what time changes.
#[derive(Default)]
pub struct Counts(Mutex<Option<(i64, Stamp, [usize; 7])>>);

impl Counts {
    fn look(&self, conn: &mut Conn, times: Times) -> Result<[usize; 7]> {
        let version: i64 = sequence::table.find("change").select(sequence::value).first(conn)?;
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known {
            Some((of, at, counts)) if of == version && at <= times.now && times.now < at.plus(FRESH) => Ok(counts),
            _ => {
                let counts = walk::counts(conn, times)?;
                *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((version, times.now, counts));
                Ok(counts)
            }
        }
    }
}

pub struct Page {
    pub rows: Vec<Row>,
    /// Of the tabs, in their order; [`MOST`] + 1 where there are more.
    pub counts: [usize; 7],
    /// Rows before this page, where that is known.
    pub before: Option<usize>,
    pub older: Option<TokenId>,
    /// What the page before this one comes after; `None` also for the second page.
    pub newer: Option<TokenId>,
    pub is_first: bool,
    /// The order that the rows are in: the tab's own, where it has too many for another.
    pub sort: Sort,
    /// More than a search looks at.
    pub cut: bool,
}

/// A token with what stands beside it.
pub struct Row {
    pub listed: Listed,
    pub owner: Account,
}

/// What is looked at to sort and filter: no more is read of ten thousand of them.
#[derive(Clone, Queryable)]
struct Key {
    id: TokenId,
    name_key: String,
    created_at: Stamp,
    expires_at: Option<Stamp>,
    used_at: Option<Stamp>,
    enabled: bool,
    broad: bool,
}

/// Where a row stands in an order: the value of its column and its id.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Value {
    Text(String),
    At(Stamp),
}

impl Key {
    fn is_in(&self, tab: Tab, times: Times) -> bool {
        match tab {
            Tab::All => true,
            Tab::Expiring => self.expires_at.is_some_and(|end| times.now < end && end <= times.soon()),
            Tab::Never => self.expires_at.is_none(),
            Tab::Unused => self.used_at.unwrap_or(self.created_at) < times.idle(),
            Tab::Broad => self.broad,
            Tab::Disabled => !self.enabled,
            Tab::Expired => self.expires_at.is_some_and(|end| end <= times.now),
        }
    }

    fn value(&self, by: SortBy, tab: Tab) -> Option<Value> {
        match by {
            // Ids ascend with the moment that they are made at.
            SortBy::Created => Some(Value::Text(self.id.to_string())),
            SortBy::Name => Some(Value::Text(self.name_key.clone())),
            SortBy::Expires => self.expires_at.map(Value::At),
            SortBy::Used if tab == Tab::Unused => Some(Value::At(self.used_at.unwrap_or(self.created_at))),
            SortBy::Used => self.used_at.map(Value::At),
        }
    }
}

/// The keys of one page.
struct Found {
    keys: Vec<TokenId>,
    before: Option<usize>,
    older: bool,
    newer: Option<TokenId>,
    is_first: bool,
    sort: Sort,
}

/// Who may look at everybody's tokens at all.
pub fn must_see(actor: &Actor) -> Result<()> {
    actor.must_see(Relation::OtherPerson, Deed::SeeTokens)
}

pub fn page(conn: &mut Conn, actor: &Actor, ask: &Ask, times: Times, known: &Counts) -> Result<Page> {
    must_see(actor)?;
    let (found, counts, cut) = match narrowed(ask) {
        true => {
            let (keys, cut) = search::gather(conn, ask)?;
            let counts = Tab::EVERY.map(|tab| keys.iter().filter(|key| key.is_in(tab, times)).count());
            let sort = ask.sort();
            (sorted(conn, ask, times, sort, keys, PAGE)?, counts, cut)
        }
        false => (of_tab(conn, ask, times, PAGE)?, known.look(conn, times)?, false),
    };
    let rows = rows(conn, &found.keys, times)?;
    Ok(Page {
        rows,
        counts,
        before: found.before,
        older: if found.older { found.keys.last().cloned() } else { None },
        newer: found.newer,
        is_first: found.is_first,
        sort: found.sort,
        cut,
    })
}

/// Every token that the list's filter finds, up to one more than one change may name.
pub fn matching(conn: &mut Conn, actor: &Actor, ask: &Ask, times: Times) -> Result<Vec<TokenId>> {
    must_see(actor)?;
    if narrowed(ask) {
        let (keys, cut) = search::gather(conn, ask)?;
        if cut {
            return Err(Error::invalid("id", "This search finds too many tokens. Type more of the name."));
        }
        return Ok(keys.into_iter().filter(|key| key.is_in(ask.tab, times)).map(|key| key.id).collect());
    }
    let natural = Ask { after: None, sort: None, ..ask.clone() };
    walk::forward(conn, natural.tab, natural.sort(), times, None, MOST + 1)
}

/// The next rows of a file, after `ask.after`, and whether there are more.
pub fn part(conn: &mut Conn, actor: &Actor, ask: &Ask, times: Times) -> Result<(Vec<Row>, bool)> {
    must_see(actor)?;
    let found = match narrowed(ask) {
        true => {
            let (keys, _) = search::gather(conn, ask)?;
            sorted(conn, ask, times, ask.sort(), keys, CHUNK)?
        }
        false => of_tab(conn, ask, times, CHUNK)?,
    };
    Ok((rows(conn, &found.keys, times)?, found.older))
}

fn narrowed(ask: &Ask) -> bool {
    ask.owner.is_some() || !ask.q.is_empty()
}

/// By an index in the asked order; a span of time in another order than its own is sorted here, if it is not too much.
fn of_tab(conn: &mut Conn, ask: &Ask, times: Times, limit: usize) -> Result<Found> {
    let mut sort = ask.sort();
    if let Some(own) = ask.tab.span().filter(|own| *own != sort.by) {
        if walk::count(conn, ask.tab, times, MOST_SORTED)? <= MOST_SORTED {
            let keys = search::of_span(conn, ask.tab, times)?;
            return sorted(conn, ask, times, sort, keys, limit);
        }
        sort = Sort { by: own, ..ask.tab.usual() };
    }
    let mark = match &ask.after {
        Some(id) => key_of(conn, id)?,
        None => None,
    };
    let mark = mark.map(|key| (key.value(sort.by, ask.tab), key.id));
    let mut keys = walk::forward(conn, ask.tab, sort, times, mark.clone(), limit + 1)?;
    let older = keys.len() > limit;
    keys.truncate(limit);
    let newer = match &mark {
        // The page before ends with the mark itself, so that one row less stands between.
        Some(mark) => walk::backward(conn, ask.tab, sort, times, mark.clone(), limit)?.into_iter().nth(limit - 1),
        None => None,
    };
    let is_first = mark.is_none();
    Ok(Found { keys, before: is_first.then_some(0), older, newer, is_first, sort })
}

/// A page of what was gathered.
fn sorted(conn: &mut Conn, ask: &Ask, times: Times, sort: Sort, mut keys: Vec<Key>, limit: usize) -> Result<Found> {
    keys.retain(|key| key.is_in(ask.tab, times));
    // What has no value comes last either way.
    let place = |key: &Key| {
        let value = key.value(sort.by, ask.tab);
        (value.is_none(), value, key.id.clone())
    };
    let order = |a: &(bool, Option<Value>, TokenId), b: &(bool, Option<Value>, TokenId)| {
        let rest = (&a.1, &a.2).cmp(&(&b.1, &b.2));
        a.0.cmp(&b.0).then(if sort.descending { rest.reverse() } else { rest })
    };
    let mut placed: Vec<(bool, Option<Value>, TokenId)> = keys.iter().map(place).collect();
    placed.sort_by(order);
    let mark = match &ask.after {
        Some(id) => key_of(conn, id)?.map(|key| place(&key)),
        None => None,
    };
    let from = mark.map_or(0, |mark| placed.partition_point(|other| order(other, &mark).is_le()));
    let ids: Vec<TokenId> = placed.into_iter().map(|(_, _, id)| id).collect();
    Ok(Found {
        older: ids.len() > from + limit,
        newer: from.checked_sub(limit + 1).and_then(|before| ids.get(before).cloned()),
        keys: ids.into_iter().skip(from).take(limit).collect(),
        before: Some(from),
        is_first: from == 0,
        sort,
    })
}

/// The row that a former page ended with, removed or not; one that never was begins anew.
fn key_of(conn: &mut Conn, id: &TokenId) -> Result<Option<Key>> {
    Ok(tokens::table.find(id).select(search::key!()).first(conn).optional()?)
}

fn rows(conn: &mut Conn, ids: &[TokenId], times: Times) -> Result<Vec<Row>> {
    let mut found: Vec<Token> = tokens::table.filter(tokens::id.eq_any(ids)).select(Token::as_select()).load(conn)?;
    let places: HashMap<&TokenId, usize> = ids.iter().enumerate().map(|(place, id)| (id, place)).collect();
    found.sort_by_key(|token| places.get(&token.id).copied());
    let owners = account::by_ids(conn, found.iter().map(|token| token.owner_id.clone()).collect())?;
    let listed = dress(conn, found, times.now, times.notice)?;
    let with_owner = listed.into_iter().filter_map(|listed| {
        let owner = owners.get(&listed.token.owner_id).cloned()?;
        Some(Row { listed, owner })
    });
    Ok(with_owner.collect())
}

/// Tokens whose last use is written anew in the column by which they are sorted: a few at a time, as each is a change of many
/// indexes. What was used lately is told by the latest use that the column has.
pub fn behind(conn: &mut Conn) -> Result<Vec<TokenId>> {
    let latest: Option<Stamp> = tokens::table
        .filter(tokens::removed_at.is_null().and(tokens::used_at.is_not_null()))
        .order((tokens::used_at.desc(), tokens::id.desc()))
        .select(tokens::used_at.assume_not_null())
        .first(conn)
        .optional()?;
    let mut behind = Vec::new();
    let every = uses::table.inner_join(tokens::table).filter(tokens::removed_at.is_null());
    let lately: Vec<(TokenId, Stamp, Option<Stamp>)> = match latest {
        Some(latest) => {
            let since = uses::used_at.gt(latest.minus(AGAIN));
            every.filter(since).select((tokens::id, uses::used_at, tokens::used_at)).load(conn)?
        }
        None => every.select((tokens::id, uses::used_at, tokens::used_at)).load(conn)?,
    };
    for (id, used, known) in lately {
        if known.is_none_or(|known| known.plus(LATE) <= used) {
            behind.push(id);
        }
    }
    behind.sort();
    Ok(behind)
}

/// Writes the last use of some of them. Use changes no token: its version stays as it is. The counter's row is locked all the
/// same, as by whoever changes several tokens, so that the two take turns.
pub fn catch_up(tx: &mut Tx<'_>, ids: &[TokenId]) -> Result<()> {
    diesel::update(sequence::table.find("change")).set(sequence::value.eq(sequence::value)).execute(tx.conn)?;
    let used = uses::table.filter(uses::token_id.eq_any(ids)).select((uses::token_id, uses::used_at));
    for (id, at) in used.load::<(TokenId, Stamp)>(tx.conn)? {
        diesel::update(tokens::table.find(id)).set(tokens::used_at.eq(at)).execute(tx.conn)?;
    }
    Ok(())
}
