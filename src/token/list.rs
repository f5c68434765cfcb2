//! Lists of tokens: filters with counts, search, sort, paging by key; and what a page shows beside each row.

use std::collections::HashMap;

use chrono::TimeDelta;
use diesel::dsl::{case_when, count_star, sum};
use diesel::prelude::*;
use diesel::sql_types::Integer;

use super::{MOST_AT_ONCE, Token, status};
use crate::actor::{Actor, Deed};
use crate::db::{Conn, MultiBackend, like};
use crate::error::{Error, Result};
use crate::schema::{accounts, generations, tokens, uses};
use crate::team;
use crate::types::{AccountId, AccountKind, Stamp, Status, TeamId, TokenId, TokenKind};

pub const PAGE: i64 = 50;

/// The tabs above a list. `Working` is whatever a program can still use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tab {
    All,
    Working,
    Expiring,
    Expired,
    Disabled,
}

impl Tab {
    pub const EVERY: [Tab; 5] = [Tab::All, Tab::Working, Tab::Expiring, Tab::Expired, Tab::Disabled];

    /// The word in the address: `?status=`.
    pub fn word(self) -> &'static str {
        match self {
            Tab::All => "",
            Tab::Working => "active",
            Tab::Expiring => "expiring",
            Tab::Expired => "expired",
            Tab::Disabled => "disabled",
        }
    }

    pub fn parse(word: &str) -> Tab {
        Tab::EVERY.into_iter().find(|tab| tab.word() == word).unwrap_or(Tab::All)
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortBy {
    Created,
    Name,
    Expires,
    Used,
}

/// `name` is ascending, `-name` descending. What has no value (never used, no expiry) comes last either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sort {
    pub by: SortBy,
    pub descending: bool,
}

impl Sort {
    /// Newest first.
    pub const USUAL: Sort = Sort { by: SortBy::Created, descending: true };

    pub fn parse(text: &str) -> Sort {
        let (word, descending) = text.strip_prefix('-').map_or((text, false), |word| (word, true));
        let by = match word {
            "created" => SortBy::Created,
            "name" => SortBy::Name,
            "expires" => SortBy::Expires,
            "used" => SortBy::Used,
            _ => return Sort::USUAL,
        };
        Sort { by, descending }
    }

    pub fn text(self) -> String {
        let word = match self.by {
            SortBy::Created => "created",
            SortBy::Name => "name",
            SortBy::Expires => "expires",
            SortBy::Used => "used",
        };
        format!("{}{word}", if self.descending { "-" } else { "" })
    }
}

pub struct Ask {
    /// Whose tokens, as [`owners`] found; `None` is everybody's.
    pub owners: Option<Vec<AccountId>>,
    pub tab: Tab,
    /// Words in any order, found in name, description and the first characters of the value.
    pub q: String,
    pub sort: Sort,
    /// Where the former page ended: the last row's id.
    pub after: Option<TokenId>,
}

pub struct Page {
    pub rows: Vec<Listed>,
    /// Of the tabs, in their order, under the same search.
    pub counts: [i64; 5],
    /// Rows before this page.
    pub before: i64,
    pub older: Option<TokenId>,
    /// What the page before this one comes after; `None` also for the first page.
    pub newer: Option<TokenId>,
}

/// A token with what stands beside it.
pub struct Listed {
    pub token: Token,
    pub status: Status,
    /// Of the current value.
    pub starts_with: String,
    pub grace_until: Option<Stamp>,
    pub used: Option<Used>,
}

#[derive(Clone)]
pub struct Used {
    pub at: Stamp,
    pub ip: String,
    pub agent: String,
}

/// Whose tokens a list is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Whose {
    /// One's own, and those of one's service accounts.
    Mine,
    /// Those of a team's service accounts.
    Team(TeamId),
}

/// The accounts whose tokens are meant. A team that the actor may not see is missing.
pub fn owners(conn: &mut Conn, actor: &Actor, whose: &Whose) -> Result<Vec<AccountId>> {
    let services = accounts::table.filter(accounts::kind.eq(AccountKind::Service)).select(accounts::id).into_boxed();
    match whose {
        Whose::Mine => {
            let me = actor.account.clone().ok_or(Error::SignedOut)?;
            let mut owners: Vec<AccountId> = services.filter(accounts::owner_account_id.eq(me.clone())).load(conn)?;
            owners.push(me);
            Ok(owners)
        }
        Whose::Team(team) => {
            actor.must_see(team::relation(conn, actor, team)?, Deed::SeeTokens)?;
            Ok(services.filter(accounts::owner_team_id.eq(team.clone())).load(conn)?)
        }
    }
}

diesel::define_sql_function! {
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// The one filter of a list, as a fresh boxed query each time it is asked: counts, places and rows all use it.
macro_rules! found {
    ($from:expr, $ask:expr, $tab:expr, $now:expr, $notice:expr) => {{
        let (ask, now): (&Ask, Stamp) = ($ask, $now);
        let mut query = $from
            .filter(tokens::removed_at.is_null().and(tokens::kind.ne(TokenKind::Session)))
            .into_boxed::<MultiBackend>();
        if let Some(owners) = &ask.owners {
            query = query.filter(tokens::owner_id.eq_any(owners.clone()));
        }
        for word in ask.q.to_lowercase().split_whitespace() {
            let in_words = tokens::folded.like(format!("%{}%", like(word))).escape('\\');
            // Only what looks like the beginning of a value is looked for among the values: that is a look-up for every row.
            query = match word.contains('_') {
                false => query.filter(in_words),
                true => {
                    let start: String = word.chars().take(8).collect();
                    let of_value = generations::table
                        .filter(generations::token_id.eq(tokens::id))
                        .filter(lower(generations::starts_with).like(format!("{}%", like(&start))).escape('\\'));
                    query.filter(in_words.or(diesel::dsl::exists(of_value)))
                }
            };
        }
        let living = tokens::expires_at.is_null().or(tokens::expires_at.gt(now));
        match $tab {
            Tab::All => query,
            Tab::Expired => query.filter(tokens::expires_at.le(now)),
            Tab::Disabled => query.filter(tokens::enabled.eq(false)).filter(living),
            Tab::Working => query.filter(tokens::enabled.eq(true)).filter(living),
            Tab::Expiring => query
                .filter(tokens::enabled.eq(true))
                .filter(tokens::expires_at.gt(now).and(tokens::expires_at.le(now.plus($notice)))),
        }
    }};
}

pub fn page(conn: &mut Conn, ask: &Ask, now: Stamp, notice: TimeDelta) -> Result<Page> {
    let counts = count_tabs(conn, ask, now, notice)?;
    let total = Tab::EVERY.iter().zip(counts).find(|(tab, _)| **tab == ask.tab).map_or(0, |(_, count)| count);
    let last = match &ask.after {
        Some(id) => last_of_former(conn, ask, id)?,
        None => None,
    };

    // `value` is what the former page ended with in the sorted column. Behind it, in the asked order, are rows with a greater
    // value, with the same and a greater id, and those without a value. Only ids are sorted: rows are long.
    macro_rules! paged {
        ($behind:expr, $in_order:ident, $from:expr) => {{
            let before = match last {
                Some(_) => total - $behind().count().get_result::<i64>(conn)?,
                None => 0,
            };
            let newer: Option<TokenId> = match before > PAGE {
                true => $in_order!(found!($from, ask, ask.tab, now, notice))
                    .offset(before - PAGE - 1)
                    .limit(1)
                    .select(tokens::id)
                    .first(conn)
                    .optional()?,
                false => None,
            };
            let ids: Vec<TokenId> = $in_order!($behind()).limit(PAGE + 1).select(tokens::id).load(conn)?;
            (ids, before, newer)
        }};
    }
    // A column that always has a value: an index gives the order, so that a page costs as much as its rows.
    macro_rules! sorted {
        ($column:expr, $value:expr) => {{
            let behind = || {
                let query = found!(tokens::table, ask, ask.tab, now, notice);
                match (&last, $value) {
                    (Some((last, _)), Some(value)) if ask.sort.descending => query
                        .filter($column.lt(value.clone()).or($column.eq(value).and(tokens::id.lt(last.id.clone())))),
                    (Some((last, _)), Some(value)) => query
                        .filter($column.gt(value.clone()).or($column.eq(value).and(tokens::id.gt(last.id.clone())))),
                    _ => query,
                }
            };
            macro_rules! in_order {
                ($query:expr) => {
                    match ask.sort.descending {
                        true => $query.order(($column.desc(), tokens::id.desc())),
                        false => $query.order(($column.asc(), tokens::id.asc())),
                    }
                };
            }
            paged!(behind, in_order, tokens::table)
        }};
    }
    macro_rules! sorted_with_gaps {
        ($from:expr, $column:expr, $value:expr) => {{
            let behind = || {
                let query = found!($from, ask, ask.tab, now, notice);
                match (&last, $value) {
                    (None, _) => query,
                    (Some((last, _)), Some(value)) if ask.sort.descending => query.filter(
                        $column
                            .lt(value.clone())
                            .or($column.eq(value).and(tokens::id.gt(last.id.clone())))
                            .or($column.is_null())
                            .assume_not_null(),
                    ),
                    (Some((last, _)), Some(value)) => query.filter(
                        $column
                            .gt(value.clone())
                            .or($column.eq(value).and(tokens::id.gt(last.id.clone())))
                            .or($column.is_null())
                            .assume_not_null(),
                    ),
                    (Some((last, _)), None) => query.filter($column.is_null().and(tokens::id.gt(last.id.clone()))),
                }
            };
            macro_rules! in_order {
                ($query:expr) => {
                    match ask.sort.descending {
                        true => $query.order(($column.is_null().asc(), $column.desc(), tokens::id.asc())),
                        false => $query.order(($column.is_null().asc(), $column.asc(), tokens::id.asc())),
                    }
                };
            }
            paged!(behind, in_order, $from)
        }};
    }
    let ended = last.as_ref();
    let (mut ids, before, newer) = match ask.sort.by {
        SortBy::Created => sorted!(tokens::created_at, ended.map(|(last, _)| last.created_at)),
        SortBy::Name => sorted!(tokens::name_key, ended.map(|(last, _)| last.name_key.clone())),
        SortBy::Expires => {
            sorted_with_gaps!(tokens::table, tokens::expires_at, ended.and_then(|(last, _)| last.expires_at))
        }
        SortBy::Used => sorted_with_gaps!(
            tokens::table.left_join(uses::table),
            uses::used_at.nullable(),
            ended.and_then(|(_, used)| *used)
        ),
    };
    let more = ids.len() as i64 > PAGE;
    ids.truncate(PAGE as usize);
    let older = more.then(|| ids.last().cloned()).flatten();
    let mut rows: Vec<Token> = tokens::table.filter(tokens::id.eq_any(&ids)).select(Token::as_select()).load(conn)?;
    rows.sort_by_key(|token| ids.iter().position(|id| *id == token.id));
    Ok(Page { rows: dress(conn, rows, now, notice)?, counts, before, older, newer })
}

/// Of the tabs, in their order: all in one look, as five would each go through every token.
fn count_tabs(conn: &mut Conn, ask: &Ask, now: Stamp, notice: TimeDelta) -> Result<[i64; 5]> {
    let living = || tokens::expires_at.is_null().or(tokens::expires_at.gt(now)).assume_not_null();
    let soon = || tokens::expires_at.gt(now).and(tokens::expires_at.le(now.plus(notice))).assume_not_null();
    macro_rules! number {
        ($when:expr) => {
            sum(case_when($when, 1.into_sql::<Integer>()).otherwise(0.into_sql::<Integer>()))
        };
    }
    type Sum = Option<i64>;
    let (all, working, expiring, expired, disabled) = found!(tokens::table, ask, Tab::All, now, notice)
        .select((
            count_star(),
            number!(tokens::enabled.eq(true).and(living())),
            number!(tokens::enabled.eq(true).and(soon())),
            number!(tokens::expires_at.le(now).assume_not_null()),
            number!(tokens::enabled.eq(false).and(living())),
        ))
        .first::<(i64, Sum, Sum, Sum, Sum)>(conn)?;
    let [working, expiring, expired, disabled] = [working, expiring, expired, disabled].map(Option::unwrap_or_default);
    Ok([all, working, expiring, expired, disabled])
}

/// Every token that a list's filter finds, up to one more than one change may name.
pub fn matching(conn: &mut Conn, ask: &Ask, now: Stamp, notice: TimeDelta) -> Result<Vec<TokenId>> {
    let found = found!(tokens::table, ask, ask.tab, now, notice).order(tokens::id);
    Ok(found.limit(MOST_AT_ONCE as i64 + 1).select(tokens::id).load(conn)?)
}

/// All that are in a list, whatever its filters.
pub fn count_all(conn: &mut Conn, ask: &Ask) -> Result<i64> {
    let mut query = tokens::table.filter(tokens::removed_at.is_null()).into_boxed::<MultiBackend>();
    if let Some(owners) = &ask.owners {
        query = query.filter(tokens::owner_id.eq_any(owners.clone()));
    }
    Ok(query.count().get_result(conn)?)
}

/// The row that the former page ended with; one that is gone or another's begins anew.
fn last_of_former(conn: &mut Conn, ask: &Ask, id: &TokenId) -> Result<Option<(Token, Option<Stamp>)>> {
    let found: Option<(Token, Option<Stamp>)> = tokens::table
        .left_join(uses::table)
        .filter(tokens::id.eq(id))
        .select((Token::as_select(), uses::used_at.nullable()))
        .first(conn)
        .optional()?;
    Ok(found.filter(|(token, _)| ask.owners.as_ref().is_none_or(|owners| owners.contains(&token.owner_id))))
}

/// The last use of one token.
pub fn use_of(conn: &mut Conn, id: &TokenId) -> Result<Option<Used>> {
    let row: Option<(Stamp, String, String)> =
        uses::table.find(id).select((uses::used_at, uses::ip, uses::agent)).first(conn).optional()?;
    Ok(row.map(|(at, ip, agent)| Used { at, ip, agent }))
}

/// Adds to each token what a page shows beside it, in three look-ups for all of them.
pub fn dress(conn: &mut Conn, rows: Vec<Token>, now: Stamp, notice: TimeDelta) -> Result<Vec<Listed>> {
    let ids: Vec<&TokenId> = rows.iter().map(|token| &token.id).collect();
    let values: Vec<(TokenId, String, Option<Stamp>)> = generations::table
        .filter(generations::token_id.eq_any(ids.clone()))
        .order(generations::number)
        .select((generations::token_id, generations::starts_with, generations::ends_at))
        .load(conn)?;
    let mut by_token: HashMap<TokenId, Vec<(String, Option<Stamp>)>> = HashMap::new();
    for (id, starts_with, ends_at) in values {
        by_token.entry(id).or_default().push((starts_with, ends_at));
    }
    let used: Vec<(TokenId, Stamp, String, String)> = uses::table
        .filter(uses::token_id.eq_any(ids))
        .select((uses::token_id, uses::used_at, uses::ip, uses::agent))
        .load(conn)?;
    let used: HashMap<TokenId, Used> =
        used.into_iter().map(|(id, at, ip, agent)| (id, Used { at, ip, agent })).collect();
    let owners: Vec<&AccountId> = rows.iter().map(|token| &token.owner_id).collect();
    let frozen: Vec<AccountId> = accounts::table
        .filter(accounts::id.eq_any(owners).and(accounts::enabled.eq(false).or(accounts::removed_at.is_not_null())))
        .select(accounts::id)
        .load(conn)?;
    let dressed = rows.into_iter().map(|token| {
        let values = by_token.remove(&token.id).unwrap_or_default();
        let grace_until = values.iter().filter_map(|(_, ends)| *ends).filter(|ends| now < *ends).max();
        let current = values.iter().find(|(_, ends)| ends.is_none());
        Listed {
            status: status(&token, grace_until, frozen.contains(&token.owner_id), now, notice),
            starts_with: current.map(|(starts, _)| starts.clone()).unwrap_or_default(),
            grace_until,
            used: used.get(&token.id).cloned(),
            token,
        }
    });
    Ok(dressed.collect())
}
