//! The list of people: filters, paging by name, and a search for words that begin with what was typed, by an index.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use diesel::dsl::exists;
use diesel::prelude::*;

use super::Account;
use super::invitation::LINK_LIFE;
use crate::db::{Conn, MultiBackend};
use crate::error::Result;
use crate::schema::{account_words, accounts, invitations, members, teams};
use crate::tx::Tx;
use crate::types::{AccountId, AccountKind, Role, Stamp};
use crate::{audit, session, token};

/// Rows of a page for people.
pub const PAGE: i64 = 50;
/// Letters of a word that the search looks at.
const LONGEST: usize = 64;
/// Words of one search.
const MOST_WORDS: usize = 6;
/// So many people with a word are looked at. Where each word of a search has more, further ones are left out, which is said: to
/// find out which of a hundred thousand come first by name would take seconds.
const MOST_FOUND: i64 = 1_000;
/// People whose words are written in one transaction, where a former version did not.
const AT_ONCE: i64 = 500;

/// How a person stands, the first that applies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Disabled,
    /// Without a password yet.
    Invited,
    Active,
}

impl State {
    pub fn of(account: &Account) -> State {
        match (account.enabled, &account.password) {
            (false, _) => State::Disabled,
            (true, None) => State::Invited,
            (true, Some(_)) => State::Active,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            State::Disabled => "disabled",
            State::Invited => "invited",
            State::Active => "active",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Filter {
    All,
    Invited,
    Disabled,
}

impl Filter {
    pub const EVERY: [Filter; 3] = [Filter::All, Filter::Invited, Filter::Disabled];

    /// The word in the address: `?status=`.
    pub fn word(self) -> &'static str {
        match self {
            Filter::All => "",
            Filter::Invited => "invited",
            Filter::Disabled => "disabled",
        }
    }

    pub fn parse(word: &str) -> Filter {
        Filter::EVERY.into_iter().find(|filter| filter.word() == word).unwrap_or(Filter::All)
    }
}

#[derive(Clone, Debug)]
pub struct Ask {
    pub filter: Filter,
    pub role: Option<Role>,
    /// Words, each the beginning of one in the name or e-mail address.
    pub q: String,
    /// Where the former page ended: the last row's id.
    pub after: Option<AccountId>,
    /// Rows of a page.
    pub most: i64,
}

pub struct Page {
    pub rows: Vec<Listed>,
    /// Of the filters, in their order; `None` where too many match the search to be counted, or all shown.
    pub counts: Option<[i64; 3]>,
    pub next: Option<AccountId>,
    /// What the page before this one comes after; `Some(None)` is the first page.
    pub former: Option<Option<AccountId>>,
}

/// A person with what stands beside them.
pub struct Listed {
    pub account: Account,
    pub state: State,
    /// Names of teams.
    pub teams: Vec<String>,
    pub tokens: i64,
    pub seen: Option<Stamp>,
    /// The end of a link that was made for them.
    pub link_until: Option<Stamp>,
}

/// The one filter, as a fresh boxed query each time.
macro_rules! found {
    ($ask:expr, $filter:expr) => {{
        let mut query = accounts::table.filter(accounts::kind.eq(AccountKind::Person)).into_boxed::<MultiBackend>();
        if let Some(role) = $ask.role {
            query = query.filter(accounts::role.eq(role));
        }
        query = match $filter {
            Filter::All => query,
            Filter::Disabled => query.filter(accounts::enabled.eq(false)),
            // Whoever has no password was invited; an index is of those alone.
            Filter::Invited => query.filter(accounts::enabled.eq(true).and(accounts::password.is_null())),
        };
        query
    }};
}

pub fn page(conn: &mut Conn, ask: &Ask, now: Stamp) -> Result<Page> {
    if !ask.q.trim().is_empty() {
        return found_page(conn, ask, now);
    }
    let mut counts = [0; 3];
    for (count, filter) in counts.iter_mut().zip(Filter::EVERY) {
        *count = found!(ask, filter).count().get_result(conn)?;
    }
    let last = match &ask.after {
        Some(id) => accounts::table.find(id).select((accounts::name_key, accounts::id)).first(conn).optional()?,
        None => None,
    };
    let ordered = found!(ask, ask.filter)
        .order((accounts::name_key.asc(), accounts::id.asc()))
        .limit(ask.most + 1)
        .select(Account::as_select());
    let mut rows: Vec<Account> = match &last {
        None => ordered.load(conn)?,
        // The first of the two conditions is what an index can begin at.
        Some((name, id)) => ordered
            .filter(accounts::name_key.ge::<&String>(name))
            .filter(accounts::name_key.gt::<&String>(name).or(accounts::id.gt::<&AccountId>(id)))
            .load(conn)?,
    };
    let more = rows.len() as i64 > ask.most;
    rows.truncate(usize::try_from(ask.most).unwrap_or_default());
    let next = rows.last().filter(|_| more).map(|account| account.id.clone());
    let former = match last {
        None => None,
        Some(last) => Some(former(conn, ask, &last)?),
    };
    Ok(Page { rows: dress(conn, rows, now)?, counts: Some(counts), next, former })
}

/// What the page before the one behind `last` comes after.
fn former(conn: &mut Conn, ask: &Ask, last: &(String, AccountId)) -> Result<Option<AccountId>> {
    let (name, id) = last;
    let before = found!(ask, ask.filter)
        .filter(accounts::name_key.le(name))
        .filter(accounts::name_key.lt(name).or(accounts::id.le(id)))
        .order((accounts::name_key.desc(), accounts::id.desc()))
        .offset(ask.most)
        .limit(1);
    Ok(before.select(accounts::id).first(conn).optional()?)
}

/// A page of what a search finds: so few that they are sorted here, whatever the order of an index.
fn found_page(conn: &mut Conn, ask: &Ask, now: Stamp) -> Result<Page> {
    let (mut found, is_cut) = search(conn, &ask.q)?;
    found.retain(|person| person.kind == AccountKind::Person && ask.role.is_none_or(|role| role == person.role));
    let count = |filter: Filter| found.iter().filter(|person| person.is_in(filter)).count() as i64;
    let counts = (!is_cut).then(|| Filter::EVERY.map(count));
    found.retain(|person| person.is_in(ask.filter));
    found.sort_by(|a, b| a.place().cmp(&b.place()));
    let last: Option<(String, AccountId)> = match &ask.after {
        Some(id) => accounts::table.find(id).select((accounts::name_key, accounts::id)).first(conn).optional()?,
        None => None,
    };
    let from = last.as_ref().map_or(0, |(name, id)| found.partition_point(|person| person.place() <= (name, id)));
    let size = usize::try_from(ask.most).unwrap_or_default();
    let id_at = |place: usize| found.get(place).map(|person| person.id.clone());
    let next = if found.len() > from + size { id_at(from + size - 1) } else { None };
    let former = last.is_some().then(|| from.checked_sub(size + 1).and_then(id_at));
    let ids: Vec<&AccountId> = found.iter().skip(from).take(size).map(|person| &person.id).collect();
    let mut rows: Vec<Account> =
        accounts::table.filter(accounts::id.eq_any(ids)).select(Account::as_select()).load(conn)?;
    rows.sort_by(|a, b| (&a.name_key, &a.id).cmp(&(&b.name_key, &b.id)));
    Ok(Page { rows: dress(conn, rows, now)?, counts, next, former })
}

/// What is looked at of somebody whom a search finds.
#[derive(Queryable)]
struct Found {
    id: AccountId,
    kind: AccountKind,
    name_key: String,
    role: Role,
    enabled: bool,
    is_invited: bool,
}

impl Found {
    fn is_in(&self, filter: Filter) -> bool {
        match filter {
            Filter::All => true,
            Filter::Invited => self.enabled && self.is_invited,
            Filter::Disabled => !self.enabled,
        }
    }

    fn place(&self) -> (&String, &AccountId) {
        (&self.name_key, &self.id)
    }
}

/// Whoever has words that begin with each of those, and whether there may be more than these.
fn search(conn: &mut Conn, q: &str) -> Result<(Vec<Found>, bool)> {
    let mut ranges: Vec<(String, String)> =
        q.to_lowercase().split_whitespace().take(MOST_WORDS).map(|word| range(&hex(word))).collect();
    let mut rarest: Option<(usize, Vec<AccountId>)> = None;
    for (nth, (from, to)) in ranges.iter().enumerate() {
        let ids: Vec<AccountId> = account_words::table
            .filter(account_words::word.ge(from).and(account_words::word.lt(to)))
            .order((account_words::word, account_words::account_id))
            .select(account_words::account_id)
            .limit(MOST_FOUND + 1)
            .load(conn)?;
        if rarest.as_ref().is_none_or(|(_, least)| ids.len() < least.len()) {
            rarest = Some((nth, ids));
        }
    }
    let Some((nth, mut ids)) = rarest else { return Ok((Vec::new(), false)) };
    ranges.remove(nth);
    let is_cut = ids.len() as i64 > MOST_FOUND;
    ids.sort();
    ids.dedup();
    // By their ids alone: next to another condition SQLite would look for that one.
    let mut found = accounts::table.filter(accounts::id.eq_any(ids)).into_boxed::<MultiBackend>();
    for (from, to) in &ranges {
        let words = account_words::table
            .filter(account_words::account_id.eq(accounts::id))
            .filter(account_words::word.ge(from).and(account_words::word.lt(to)));
        found = found.filter(exists(words));
    }
    let columns = (
        accounts::id,
        accounts::kind,
        accounts::name_key,
        accounts::role,
        accounts::enabled,
        accounts::password.is_null(),
    );
    Ok((found.select(columns).load(conn)?, is_cut))
}

/// One person with what stands beside them.
pub fn one(conn: &mut Conn, account: Account, now: Stamp) -> Result<Option<Listed>> {
    Ok(dress(conn, vec![account], now)?.pop())
}

/// Adds to each person what a page shows beside them.
pub fn dress(conn: &mut Conn, rows: Vec<Account>, now: Stamp) -> Result<Vec<Listed>> {
    let ids: Vec<AccountId> = rows.iter().map(|account| account.id.clone()).collect();
    let memberships: Vec<(AccountId, String)> = members::table
        .inner_join(teams::table)
        .filter(members::account_id.eq_any(&ids))
        .order(teams::name)
        .select((members::account_id, teams::name))
        .load(conn)?;
    let mut in_teams: HashMap<AccountId, Vec<String>> = HashMap::new();
    for (account, team) in memberships {
        in_teams.entry(account).or_default().push(team);
    }
    let living = token::living_by_owner(conn, &ids, now)?;
    let seen = session::last_seen(conn, &ids)?;
    let links: Vec<(AccountId, Stamp)> = invitations::table
        .filter(invitations::account_id.eq_any(&ids))
        .select((invitations::account_id, invitations::created_at))
        .load(conn)?;
    let links: BTreeMap<AccountId, Stamp> = links.into_iter().collect();
    let mut dressed = Vec::with_capacity(rows.len());
    for account in rows {
        let seen = match seen.get(&account.id) {
            Some(at) => Some(*at),
            // Nobody without a password has ever come in.
            None if account.password.is_none() => None,
            None => audit::last_act_of(conn, &account.id)?,
        };
        dressed.push(Listed {
            state: State::of(&account),
            teams: in_teams.remove(&account.id).unwrap_or_default(),
            tokens: living.get(&account.id).copied().unwrap_or_default(),
            seen,
            link_until: links.get(&account.id).map(|at| at.plus(LINK_LIFE)),
            account,
        });
    }
    Ok(dressed)
}

/// Writes the words that a person is found by, in place of former ones.
pub(super) fn put_words(tx: &mut Tx<'_>, account: &Account) -> Result<()> {
    diesel::delete(account_words::table.filter(account_words::account_id.eq(&account.id))).execute(tx.conn)?;
    for word in words(&account.name, account.email.as_deref().unwrap_or_default()) {
        let row = (account_words::account_id.eq(&account.id), account_words::word.eq(hex(&word)));
        diesel::insert_into(account_words::table).values(row).execute(tx.conn)?;
    }
    Ok(())
}

/// Words of people who were added before there were any; the answer is how many people that were.
pub fn index_words(tx: &mut Tx<'_>) -> Result<usize> {
    let has = account_words::table.filter(account_words::account_id.eq(accounts::id));
    let without: Vec<Account> = accounts::table
        .filter(accounts::kind.eq(AccountKind::Person))
        .filter(diesel::dsl::not(exists(has)))
        .limit(AT_ONCE)
        .select(Account::as_select())
        .load(tx.conn)?;
    for account in &without {
        put_words(tx, account)?;
    }
    Ok(without.len())
}

/// Of the name each word, also those that a hyphen or apostrophe joins; the address whole, and the words before its `@`.
fn words(name: &str, email: &str) -> BTreeSet<String> {
    let (name, email) = (name.to_lowercase(), email.to_lowercase());
    let local = email.split('@').next().unwrap_or_default();
    let parts = |text: &str| -> Vec<String> { text.split(|c: char| !c.is_alphanumeric()).map(str::to_owned).collect() };
    let all = name.split_whitespace().map(str::to_owned).chain([email.clone()]).chain(parts(&name)).chain(parts(local));
    all.filter(|word| !word.is_empty()).map(|word| word.chars().take(LONGEST).collect()).collect()
}

/// In digits that every collation sorts by their bytes.
fn hex(word: &str) -> String {
    let mut text = String::new();
    for letter in word.chars().take(LONGEST) {
        for byte in letter.encode_utf8(&mut [0; 4]).bytes() {
            let _ = write!(text, "{byte:02x}");
        }
    }
    text
}

/// From the word itself to before what no word that begins with it can reach.
fn range(hex: &str) -> (String, String) {
    (hex.to_owned(), format!("{hex}g"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_found_by_every_word_of_their_name_and_by_their_address() {
        let found: Vec<String> = words("Ana-Lucía O'Brien", "ana.obrien@example.com").into_iter().collect();
        for word in ["ana-lucía", "ana", "lucía", "o'brien", "brien", "ana.obrien@example.com", "obrien"] {
            assert!(found.contains(&word.to_owned()), "{word} in {found:?}");
        }
        assert!(!found.contains(&"example".to_owned()), "everybody's domain is no word");
    }

    #[test]
    fn a_range_holds_what_begins_with_the_word_and_nothing_else() {
        let (from, to) = range(&hex("mar"));
        for (word, holds) in [("mar", true), ("maria", true), ("mar\u{10ffff}", true), ("mas", false), ("ma", false)] {
            let word = hex(word);
            assert_eq!(from <= word && word < to, holds, "{word}");
        }
    }
}
