//! Through the rows of a tab in the order of one of its indexes, from a mark on, in either direction; and how many there are.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text, Timestamp};

use super::{BROAD, MOST, Sort, SortBy, Tab, Times, Value};
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, Result};
use crate::schema::tokens;
use crate::types::{Stamp, TokenId};

/// What a query says that the indexes `tokens_all_expiry` and `tokens_endless` are for: it holds of every row, and no other query
/// takes these.
const BY_EXPIRY: &str = "id <> ''";

type Query = tokens::BoxedQuery<'static, MultiBackend>;

/// Where a page ended: the value of its last row in the sorted column, and its id.
pub type Mark = (Option<Value>, TokenId);

/// The rows behind the mark, those without a value last.
pub fn forward(
    conn: &mut Conn,
    tab: Tab,
    sort: Sort,
    times: Times,
    mark: Option<Mark>,
    limit: usize,
) -> Result<Vec<TokenId>> {
    let way = Way { tab, by: sort.by, descending: sort.descending, valueless_first: false };
    way.walk(conn, times, mark, limit)
}

/// The rows before the mark, the nearest first.
pub fn backward(conn: &mut Conn, tab: Tab, sort: Sort, times: Times, mark: Mark, limit: usize) -> Result<Vec<TokenId>> {
    let way = Way { tab, by: sort.by, descending: !sort.descending, valueless_first: true };
    way.walk(conn, times, Some(mark), limit)
}

/// One statement of what a tab holds: each condition as the partial index of that tab has it.
pub fn of(tab: Tab, times: Times) -> Query {
    let every = tokens::table.filter(tokens::removed_at.is_null()).into_boxed();
    let every = match tab {
        Tab::All | Tab::Unused => every,
        Tab::Expiring | Tab::Expired => every.filter(sql::<Bool>(BY_EXPIRY)),
        Tab::Never => every.filter(sql::<Bool>(BY_EXPIRY)).filter(tokens::expires_at.is_null()),
        Tab::Broad => every.filter(sql::<Bool>(BROAD)),
        Tab::Disabled => every.filter(sql::<Bool>("NOT enabled")),
    };
    Span::of(tab, times).narrow(tab, every)
}

/// Between which moments a tab's own column is: at most one bound on each side, as SQLite begins or ends at the first that it
/// finds and reads what is beyond a second one.
#[derive(Clone, Copy, Default)]
struct Span {
    low: Option<(&'static str, Stamp)>,
    high: Option<(&'static str, Stamp)>,
}

impl Span {
    fn of(tab: Tab, times: Times) -> Span {
        match tab {
            Tab::Expiring => Span { low: Some((">", times.now)), high: Some(("<=", times.soon())) },
            Tab::Unused => Span { low: None, high: Some(("<", times.idle())) },
            Tab::Expired => Span { low: None, high: Some(("<=", times.now)) },
            Tab::All | Tab::Never | Tab::Broad | Tab::Disabled => Span::default(),
        }
    }

    /// What is behind a moment, as far as it is in the span.
    fn behind(mut self, at: Stamp, descending: bool) -> Span {
        match descending {
            true if self.high.is_none_or(|(_, high)| at <= high) => self.high = Some(("<", at)),
            false if self.low.is_none_or(|(_, low)| at >= low) => self.low = Some((">", at)),
            _ => {}
        }
        self
    }

    fn narrow(self, tab: Tab, every: Query) -> Query {
        let column = if tab == Tab::Unused { "COALESCE(used_at, created_at)" } else { "expires_at" };
        self.low.into_iter().chain(self.high).fold(every, |every, (compared, at)| {
            every.filter(sql::<Bool>(&format!("{column} {compared} ")).bind::<Timestamp, _>(at))
        })
    }
}

/// Of a tab, no further than to one more than `most`.
pub fn count(conn: &mut Conn, tab: Tab, times: Times, most: usize) -> Result<usize> {
    let few = of(tab, times).limit(most as i64 + 1).select(tokens::id).load::<TokenId>(conn)?;
    Ok(few.len())
}

/// Of the tabs, in their order, each no further than [`MOST`] + 1.
pub fn counts(conn: &mut Conn, times: Times) -> Result<[usize; 7]> {
    let most = MOST + 1;
    let begin = "(SELECT count(*) FROM (SELECT 1 FROM tokens WHERE removed_at IS NULL";
    let end = format!(" LIMIT {most}) AS t)");
    let plain = |condition: &str| sql::<BigInt>(&format!("{begin}{condition}{end}"));
    let (soon, idle, expired) = (
        sql::<BigInt>(&format!("{begin} AND {BY_EXPIRY} AND expires_at > "))
            .bind::<Timestamp, _>(times.now)
            .sql(" AND expires_at <= ")
            .bind::<Timestamp, _>(times.soon())
            .sql(&end),
        sql::<BigInt>(&format!("{begin} AND COALESCE(used_at, created_at) < "))
            .bind::<Timestamp, _>(times.idle())
            .sql(&end),
        sql::<BigInt>(&format!("{begin} AND {BY_EXPIRY} AND expires_at <= ")).bind::<Timestamp, _>(times.now).sql(&end),
    );
    let all = (
        plain(""),
        soon,
        plain(&format!(" AND {BY_EXPIRY} AND expires_at IS NULL")),
        idle,
        plain(&format!(" AND {BROAD}")),
        plain(" AND NOT enabled"),
        expired,
    );
    let (a, b, c, d, e, f, g): (i64, i64, i64, i64, i64, i64, i64) = diesel::select(all).get_result(conn)?;
    Ok([a, b, c, d, e, f, g].map(|n| usize::try_from(n).unwrap_or_default()))
}

struct Way {
    tab: Tab,
    by: SortBy,
    descending: bool,
    valueless_first: bool,
}

impl Way {
    fn column(&self) -> &'static str {
        match self.by {
            SortBy::Created => "id",
            SortBy::Name => "name_key COLLATE \"binary\"",
            SortBy::Expires => "expires_at",
            SortBy::Used if self.tab == Tab::Unused => "COALESCE(used_at, created_at)",
            SortBy::Used => "used_at",
        }
    }

    /// Whether rows may have no value in the column.
    fn has_gaps(&self) -> bool {
        match self.by {
            SortBy::Created | SortBy::Name => false,
            SortBy::Expires => !matches!(self.tab, Tab::Expiring | Tab::Expired),
            SortBy::Used => self.tab != Tab::Unused,
        }
    }

    /// Several short looks, each one span of an index: rows of the mark's own value, of values behind it, and without a value.
    /// A single one with OR in it would be a look at every row.
    fn walk(&self, conn: &mut Conn, times: Times, mark: Option<Mark>, limit: usize) -> Result<Vec<TokenId>> {
        let mut ids = Vec::with_capacity(limit.min(MOST));
        let (in_values, in_gaps) = match &mark {
            None => (true, true),
            Some((Some(_), _)) => (true, !self.valueless_first),
            Some((None, _)) => (self.valueless_first, true),
        };
        let mut parts = Vec::new();
        if in_values && !(self.by == SortBy::Expires && self.tab == Tab::Never) {
            match &mark {
                Some((Some(value), id)) => {
                    if self.by != SortBy::Created {
                        parts.push(self.beside(times, value, id)?);
                    }
                    parts.push(self.behind(times, value)?);
                }
                _ => parts.push(self.with_value(times)),
            }
        }
        if in_gaps && self.has_gaps() {
            let gaps = self.without_value(times, mark.as_ref().filter(|(value, _)| value.is_none()).map(|(_, id)| id));
            parts.insert(if self.valueless_first { 0 } else { parts.len() }, gaps);
        }
        for part in parts {
            let room = limit - ids.len();
            if room > 0 {
                ids.extend(part.limit(room as i64).select(tokens::id).load::<TokenId>(conn)?);
            }
        }
        Ok(ids)
    }

    /// Those of the tab, as the index of the order has them.
    fn every(&self, times: Times) -> Query {
        match (self.tab, self.by) {
            (Tab::All, SortBy::Expires) => of(self.tab, times).filter(sql::<Bool>(BY_EXPIRY)),
            _ => of(self.tab, times),
        }
    }

    fn with_value(&self, times: Times) -> Query {
        let every = self.every(times);
        let column = self.column();
        let having = if self.has_gaps() { every.filter(sql::<Bool>(&format!("{column} IS NOT NULL"))) } else { every };
        self.ordered(having)
    }

    fn behind(&self, times: Times, value: &Value) -> Result<Query> {
        if let (Value::At(at), Some(own)) = (value, self.tab.span())
            && own == self.by
        {
            let every = tokens::table.filter(tokens::removed_at.is_null()).into_boxed();
            let every = if own == SortBy::Expires { every.filter(sql::<Bool>(BY_EXPIRY)) } else { every };
            let span = Span::of(self.tab, times).behind(*at, self.descending);
            return Ok(self.ordered(span.narrow(self.tab, every)));
        }
        let compared = sql::<Bool>(&format!("{} {} ", self.column(), if self.descending { "<" } else { ">" }));
        let every = self.every(times);
        Ok(self.ordered(match value {
            Value::Text(text) => every.filter(compared.bind::<Text, _>(text.clone())),
            Value::At(at) => every.filter(compared.bind::<Timestamp, _>(*at)),
        }))
    }

    fn beside(&self, times: Times, value: &Value, id: &TokenId) -> Result<Query> {
        let same = sql::<Bool>(&format!("{} = ", self.column()));
        let every = self.past(self.every(times), id);
        let every = match (value, self.by) {
            (Value::Text(text), SortBy::Name) => every.filter(same.bind::<Text, _>(text.clone())),
            (Value::At(at), SortBy::Expires | SortBy::Used) => every.filter(same.bind::<Timestamp, _>(*at)),
            _ => return Err(Error::internal("a mark of another order")),
        };
        Ok(self.by_id(every))
    }

    fn without_value(&self, times: Times, after: Option<&TokenId>) -> Query {
        let every = self.every(times).filter(sql::<Bool>(&format!("{} IS NULL", self.column())));
        self.by_id(match after {
            Some(id) => self.past(every, id),
            None => every,
        })
    }

    fn past(&self, every: Query, id: &TokenId) -> Query {
        match self.descending {
            true => every.filter(tokens::id.lt(id.clone())),
            false => every.filter(tokens::id.gt(id.clone())),
        }
    }

    fn ordered(&self, every: Query) -> Query {
        if self.by == SortBy::Created {
            return self.by_id(every);
        }
        let (column, way) = (self.column(), if self.descending { "DESC" } else { "ASC" });
        // Its type is not looked at: nothing but an order is made of it.
        self.then_by_id(every.order(sql::<Text>(&format!("{column} {way}"))))
    }

    fn by_id(&self, every: Query) -> Query {
        if self.descending { every.order(tokens::id.desc()) } else { every.order(tokens::id.asc()) }
    }

    fn then_by_id(&self, every: Query) -> Query {
        if self.descending { every.then_order_by(tokens::id.desc()) } else { every.then_order_by(tokens::id.asc()) }
    }
}

/// What a search bound above by: the least text that is greater than every text that begins so; `None` where there is none.
pub fn end_of(start: &str) -> Option<String> {
    let mut characters: Vec<char> = start.chars().collect();
    while let Some(last) = characters.pop() {
        let next = (u32::from(last) + 1..=u32::from(char::MAX)).find_map(char::from_u32);
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::end_of;

    #[test]
    fn what_begins_so_ends_before_the_next_text_by_bytes() {
        assert_eq!(end_of("ci"), Some("cj".into()));
        assert_eq!(end_of("ci-\u{10ffff}"), Some("ci.".into()));
        assert_eq!(end_of("\u{d7ff}"), Some("\u{e000}".into()));
        assert_eq!(end_of("\u{10ffff}"), None);
        for (start, text) in [("ci", "ci-deploy"), ("ci", "ci\u{10ffff}"), ("é", "été"), ("z", "zz")] {
            assert!(start <= text && Some(text.to_owned()) < end_of(start), "{start} {text}");
        }
    }
}
