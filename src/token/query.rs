//! Lists of tokens for programs: any status, owner and search, in pages by key, each row with its owner.

use chrono::TimeDelta;
use diesel::prelude::*;

use super::Token;
use super::list::{Listed, Sort, SortBy, dress};
use crate::account;
use crate::actor::{Actor, Deed};
use crate::db::{Conn, MultiBackend, like};
use crate::error::{Error, Result};
use crate::schema::{accounts, generations, tokens, uses};
use crate::types::{AccountId, AccountKind, Stamp, Status, TokenId, TokenKind};

/// Rows that are counted at the most: a count goes through all of them.
pub const COUNTED: i64 = 10_000;

/// Whose tokens.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Of {
    Mine,
    /// One account's, if the actor may see it.
    Account(AccountId),
    Everyone,
}

pub struct Ask {
    pub of: Of,
    /// One status alone; then the two below do not count.
    pub status: Option<Status>,
    pub include_expired: bool,
    pub include_removed: bool,
    /// Words in any order, found in name, description and the first characters of the value.
    pub q: String,
    pub sort: Sort,
    pub limit: i64,
    /// The id that the former page ended with.
    pub after: Option<TokenId>,
}

pub struct Page {
    pub rows: Vec<Row>,
    pub next: Option<TokenId>,
    /// At most [`COUNTED`].
    pub total: i64,
}

/// A token with all that is told of it.
pub struct Row {
    pub listed: Listed,
    pub owner: Owner,
}

#[derive(Clone)]
pub struct Owner {
    pub id: AccountId,
    pub kind: AccountKind,
    pub name: String,
}

diesel::define_sql_function! {
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

/// The one filter, as a fresh boxed query each time it is asked.
macro_rules! found {
    ($ask:expr, $owner:expr, $now:expr, $notice:expr) => {{
        let (ask, owner, now): (&Ask, &Option<AccountId>, Stamp) = ($ask, $owner, $now);
        let mut query = tokens::table
            .inner_join(accounts::table)
            .left_join(uses::table)
            .filter(tokens::kind.ne(TokenKind::Session))
            .into_boxed::<MultiBackend>();
        if let Some(owner) = owner {
            query = query.filter(tokens::owner_id.eq(owner.clone()));
        }
        for word in ask.q.to_lowercase().split_whitespace() {
            let in_words = tokens::folded.like(format!("%{}%", like(word))).escape('\\');
            let start: String = word.chars().take(8).collect();
            let of_value = generations::table
                .filter(generations::token_id.eq(tokens::id))
                .filter(lower(generations::starts_with).like(format!("{}%", like(&start))).escape('\\'));
            query = match word.contains('_') {
                false => query.filter(in_words),
                true => query.filter(in_words.or(diesel::dsl::exists(of_value))),
            };
        }
        let stands = tokens::removed_at.is_null();
        let lives = || tokens::expires_at.is_null().or(tokens::expires_at.gt(now));
        let in_grace = || {
            let former = generations::table.filter(generations::token_id.eq(tokens::id));
            diesel::dsl::exists(former.filter(generations::ends_at.gt(now)))
        };
        let soon = || tokens::expires_at.is_not_null().and(tokens::expires_at.le(now.plus($notice)));
        let works = || tokens::enabled.eq(true).and(accounts::enabled.eq(true));
        match ask.status {
            Some(Status::Removed) => query.filter(tokens::removed_at.is_not_null()),
            Some(Status::Expired) => query.filter(stands).filter(tokens::expires_at.le(now)),
            Some(Status::Disabled) => query.filter(stands).filter(lives()).filter(tokens::enabled.eq(false)),
            Some(Status::Frozen) => {
                query.filter(stands).filter(lives()).filter(tokens::enabled.eq(true).and(accounts::enabled.eq(false)))
            }
            Some(Status::Grace) => query.filter(stands).filter(lives()).filter(works()).filter(in_grace()),
            Some(Status::Expiring) => {
                query.filter(stands).filter(lives()).filter(works()).filter(diesel::dsl::not(in_grace())).filter(soon())
            }
            Some(Status::Active) => query
                .filter(stands)
                .filter(works())
                .filter(diesel::dsl::not(in_grace()))
                .filter(tokens::expires_at.is_null().or(tokens::expires_at.gt(now.plus($notice)))),
            None => {
                let query = if ask.include_removed { query } else { query.filter(stands) };
                if ask.include_expired { query } else { query.filter(lives()) }
            }
        }
    }};
}

/// One page in the asked order. What is not the actor's to see is missing; a cursor that is none of ours is a problem.
pub fn page(conn: &mut Conn, actor: &Actor, ask: &Ask, now: Stamp, notice: TimeDelta) -> Result<Page> {
    let owner = &whose(conn, actor, &ask.of)?;
    let last = ask.after.as_ref().map(|id| last_of_former(conn, owner, id)).transpose()?;
    macro_rules! sorted {
        // A column that always has a value.
        ($column:expr, $value:expr) => {{
            let query = found!(ask, owner, now, notice);
            let query =
                match (&last, $value) {
                    (Some((last, _)), Some(value)) if ask.sort.descending => query
                        .filter($column.lt(value.clone()).or($column.eq(value).and(tokens::id.lt(last.id.clone())))),
                    (Some((last, _)), Some(value)) => query
                        .filter($column.gt(value.clone()).or($column.eq(value).and(tokens::id.gt(last.id.clone())))),
                    _ => query,
                };
            match ask.sort.descending {
                true => query.order(($column.desc(), tokens::id.desc())),
                false => query.order(($column.asc(), tokens::id.asc())),
            }
        }};
        // One that may have none; rows without come last.
        (gaps $column:expr, $value:expr) => {{
            let query = found!(ask, owner, now, notice);
            let query = match (&last, $value) {
                (None, _) => query,
                (Some((last, _)), Some(value)) => {
                    let same = $column.eq(value).and(tokens::id.gt(last.id.clone()));
                    match ask.sort.descending {
                        true => query.filter($column.lt(value).or(same).or($column.is_null()).assume_not_null()),
                        false => query.filter($column.gt(value).or(same).or($column.is_null()).assume_not_null()),
                    }
                }
                (Some((last, _)), None) => query.filter($column.is_null().and(tokens::id.gt(last.id.clone()))),
            };
            match ask.sort.descending {
                true => query.order(($column.is_null().asc(), $column.desc(), tokens::id.asc())),
                false => query.order(($column.is_null().asc(), $column.asc(), tokens::id.asc())),
            }
        }};
    }
    let ended = last.as_ref();
    let query = match ask.sort.by {
        SortBy::Created => sorted!(tokens::created_at, ended.map(|(last, _)| last.created_at)),
        SortBy::Name => sorted!(tokens::name_key, ended.map(|(last, _)| last.name_key.clone())),
        SortBy::Expires => sorted!(gaps tokens::expires_at, ended.and_then(|(last, _)| last.expires_at)),
        SortBy::Used => sorted!(gaps uses::used_at.nullable(), ended.and_then(|(_, used)| *used)),
    };
    let mut ids: Vec<TokenId> = query.limit(ask.limit + 1).select(tokens::id).load(conn)?;
    let more = ids.len() as i64 > ask.limit;
    ids.truncate(usize::try_from(ask.limit).unwrap_or_default());
    let counted: Vec<TokenId> = found!(ask, owner, now, notice).limit(COUNTED).select(tokens::id).load(conn)?;
    let mut found: Vec<Token> = tokens::table.filter(tokens::id.eq_any(&ids)).select(Token::as_select()).load(conn)?;
    found.sort_by_key(|token| ids.iter().position(|id| *id == token.id));
    Ok(Page { rows: rows(conn, found, now, notice)?, next: ids.pop().filter(|_| more), total: counted.len() as i64 })
}

/// All that is told of tokens that were found to be the actor's to see.
pub fn rows(conn: &mut Conn, found: Vec<Token>, now: Stamp, notice: TimeDelta) -> Result<Vec<Row>> {
    let owners: Vec<&AccountId> = found.iter().map(|token| &token.owner_id).collect();
    let owners: Vec<(AccountId, AccountKind, String)> = accounts::table
        .filter(accounts::id.eq_any(owners))
        .select((accounts::id, accounts::kind, accounts::name))
        .load(conn)?;
    let listed = dress(conn, found, now, notice)?;
    let owned = listed.into_iter().filter_map(|listed| {
        let (id, kind, name) = owners.iter().find(|(id, ..)| *id == listed.token.owner_id)?.clone();
        Some(Row { listed, owner: Owner { id, kind, name } })
    });
    Ok(owned.collect())
}

/// All that is told of one of them.
pub fn row(conn: &mut Conn, token: Token, now: Stamp, notice: TimeDelta) -> Result<Row> {
    rows(conn, vec![token], now, notice)?.pop().ok_or(Error::Missing)
}

/// The one account whose tokens are meant; `None` is everybody's.
fn whose(conn: &mut Conn, actor: &Actor, of: &Of) -> Result<Option<AccountId>> {
    match of {
        Of::Mine => Ok(Some(actor.account.clone().ok_or(Error::SignedOut)?)),
        Of::Account(id) => {
            let owner = account::by_id(conn, id)?;
            actor.must_see(account::relation(conn, actor, &owner)?, Deed::SeeTokens)?;
            Ok(Some(owner.id))
        }
        Of::Everyone => actor.must(Deed::Administer).map(|()| None),
    }
}

/// The row that the former page ended with.
fn last_of_former(conn: &mut Conn, owner: &Option<AccountId>, id: &TokenId) -> Result<(Token, Option<Stamp>)> {
    let found: Option<(Token, Option<Stamp>)> = tokens::table
        .left_join(uses::table)
        .filter(tokens::id.eq(id).and(tokens::kind.ne(TokenKind::Session)))
        .select((Token::as_select(), uses::used_at.nullable()))
        .first(conn)
        .optional()?;
    let is_of_list = |(token, _): &(Token, _)| owner.as_ref().is_none_or(|owner| token.owner_id == *owner);
    found
        .filter(is_of_list)
        .ok_or_else(|| Error::invalid("after", "This cursor leads nowhere. Begin again without it."))
}
