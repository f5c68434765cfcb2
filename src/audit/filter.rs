//! What of the log is wanted: as typed, and as rows that an index finds.

use diesel::prelude::*;

use crate::db::{Conn, MultiBackend, like};
use crate::error::Result;
use crate::guess::account_key;
use crate::schema::{accounts, apis, events, teams, tokens};
use crate::types::{AccountId, AccountKind, ApiId, EventId, Stamp, TeamId, TokenId};

/// Things that one name may stand for.
const NAMESAKES: i64 = 20;

/// As typed, and cut to what may be searched for. Empty texts filter nothing.
#[derive(Clone, Default, Debug)]
pub struct Filter {
    /// An action (`token.remove`), or a noun alone (`token`) for all of its actions.
    pub action: String,
    /// Name, e-mail address or id of who did it.
    pub actor: String,
    /// Name or id of what it was done to.
    pub subject: String,
    pub ip: String,
    pub from: Option<Stamp>,
    /// The first moment that is not wanted any more.
    pub until: Option<Stamp>,
    /// Words in any order, all of them found.
    pub q: String,
}

impl Filter {
    pub fn is_empty(&self) -> bool {
        let texts = [&self.action, &self.actor, &self.subject, &self.ip, &self.q];
        texts.iter().all(|text| text.is_empty()) && self.from.is_none() && self.until.is_none()
    }
}

pub(super) type Query = events::BoxedQuery<'static, MultiBackend>;

/// One filter whose rows an index has in the order of their ids.
#[derive(Clone, Debug)]
pub(super) enum Indexed {
    Actions(Vec<String>),
    Actors(Vec<AccountId>),
    /// Who is no account: the operator, somebody at the sign-in page, Hallpass.
    Nobody(String),
    Subjects(Vec<String>),
    Address(String),
}

/// The rows of one value of an index.
#[derive(Clone, Debug)]
pub(super) enum Rows {
    All,
    Action(String),
    Actor(AccountId),
    Nobody,
    Subject(String),
    Address(String),
}

/// A filter whose names were looked up.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub indexed: Vec<Indexed>,
    pub patterns: Vec<String>,
    /// Ids from here on.
    pub from: Option<EventId>,
    /// Ids below this one.
    pub until: Option<EventId>,
}

/// `None` where a name or an action is none that there is: no row can match.
pub(super) fn plan(conn: &mut Conn, filter: &Filter) -> Result<Option<Plan>> {
    let mut indexed = Vec::new();
    if !filter.subject.is_empty() {
        indexed.push(Indexed::Subjects(subjects(conn, &filter.subject)?));
    }
    if !filter.actor.is_empty() {
        indexed.push(actors(conn, &filter.actor)?);
    }
    if !filter.action.is_empty() {
        let is_wanted = |action: &String| match filter.action.contains('.') {
            true => *action == filter.action,
            false => action.split('.').next() == Some(&filter.action),
        };
        indexed.push(Indexed::Actions(actions(conn)?.into_iter().filter(is_wanted).collect()));
    }
    if !filter.ip.is_empty() {
        let canonical = filter.ip.parse::<std::net::IpAddr>().map(|ip| ip.to_canonical().to_string());
        indexed.push(Indexed::Address(canonical.unwrap_or_else(|_| filter.ip.clone())));
    }
    if indexed.iter().any(|indexed| indexed.rows().is_empty()) {
        return Ok(None);
    }
    let patterns = filter.q.to_lowercase();
    let patterns = patterns.split_whitespace().map(|word| format!("%{}%", like(word)));
    Ok(Some(Plan {
        indexed,
        patterns: patterns.collect(),
        from: filter.from.map(first_id),
        until: filter.until.map(first_id),
    }))
}

/// Every action that stands in the log, by its name: one look into the index for each.
pub fn actions(conn: &mut Conn) -> Result<Vec<String>> {
    let mut actions: Vec<String> = Vec::new();
    loop {
        let last = actions.last().cloned().unwrap_or_default();
        let next = events::table.filter(events::action.gt(last)).order(events::action).select(events::action);
        match next.first(conn).optional()? {
            Some(action) => actions.push(action),
            None => break,
        }
    }
    // Databases differ in how they sort a dot.
    actions.sort();
    Ok(actions)
}

fn actors(conn: &mut Conn, typed: &str) -> Result<Indexed> {
    let id = AccountId::from(typed);
    if id.uuid().is_some() {
        return Ok(Indexed::Actors(vec![id]));
    }
    let named = accounts_named(conn, typed)?;
    Ok(if named.is_empty() { Indexed::Nobody(typed.to_owned()) } else { Indexed::Actors(named) })
}

/// What has that name now, under whatever name it stands in the log; and whatever has the typed text itself as its id.
fn subjects(conn: &mut Conn, typed: &str) -> Result<Vec<String>> {
    let mut ids = vec![typed.to_owned()];
    if TokenId::from(typed).uuid().is_some() {
        return Ok(ids);
    }
    ids.extend(accounts_named(conn, typed)?.iter().map(ToString::to_string));
    let named = tokens::table.filter(tokens::name_key.eq(typed.to_lowercase())).limit(NAMESAKES).select(tokens::id);
    ids.extend(named.load::<TokenId>(conn)?.iter().map(ToString::to_string));
    let apis = apis::table.filter(apis::slug.eq(typed)).select(apis::id);
    ids.extend(apis.load::<ApiId>(conn)?.iter().map(ToString::to_string));
    let teams = teams::table.filter(teams::name.eq(typed)).select(teams::id);
    ids.extend(teams.load::<TeamId>(conn)?.iter().map(ToString::to_string));
    Ok(ids)
}

fn accounts_named(conn: &mut Conn, typed: &str) -> Result<Vec<AccountId>> {
    let found = accounts::table.limit(NAMESAKES).select(accounts::id).into_boxed();
    let found = match typed.contains('@') {
        true => found.filter(accounts::email_key.eq(account_key(typed))),
        // Of both kinds, as the index of names begins with them.
        false => {
            found.filter(accounts::kind.eq_any(AccountKind::ALL)).filter(accounts::name_key.eq(typed.to_lowercase()))
        }
    };
    Ok(found.load(conn)?)
}

/// The lowest id that an event of that moment could have: ids begin with their time (RFC 9562 section 5.7).
fn first_id(at: Stamp) -> EventId {
    let millis = u64::try_from(at.millis()).unwrap_or_default();
    uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid().into()
}

/// The time in an id.
pub(super) fn moment(id: &EventId) -> Option<Stamp> {
    let (seconds, nanos) = id.uuid()?.get_timestamp()?.to_unix();
    chrono::DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos).map(Stamp::from)
}

impl Indexed {
    pub(super) fn rows(&self) -> Vec<Rows> {
        match self {
            Indexed::Actions(actions) => actions.iter().cloned().map(Rows::Action).collect(),
            Indexed::Actors(ids) => ids.iter().cloned().map(Rows::Actor).collect(),
            Indexed::Nobody(_) => vec![Rows::Nobody],
            Indexed::Subjects(ids) => ids.iter().cloned().map(Rows::Subject).collect(),
            Indexed::Address(ip) => vec![Rows::Address(ip.clone())],
        }
    }

    /// Whether its index finds these rows and no others.
    pub(super) fn is_exact(&self) -> bool {
        !matches!(self, Indexed::Nobody(_))
    }

    /// The same rows, by looking at each. No index is made of a joined text, so that the database follows the one that was
    /// chosen for it.
    pub(super) fn among(&self, rows: Query) -> Query {
        match self {
            Indexed::Actions(actions) => rows.filter(events::action.concat("").eq_any(actions.clone())),
            Indexed::Actors(ids) => {
                let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
                rows.filter(events::actor_id.concat("").eq_any(ids))
            }
            Indexed::Nobody(name) => {
                rows.filter(events::actor_id.concat("").is_null()).filter(events::actor_name.eq(name.clone()))
            }
            Indexed::Subjects(ids) => rows.filter(events::subject_id.concat("").eq_any(ids.clone())),
            Indexed::Address(ip) => rows.filter(events::ip.concat("").eq(ip.clone())),
        }
    }
}

impl Rows {
    pub(super) fn query(&self) -> Query {
        let rows = events::table.into_boxed();
        match self {
            Rows::All => rows,
            Rows::Action(action) => rows.filter(events::action.eq(action.clone())),
            Rows::Actor(id) => rows.filter(events::actor_id.eq(id.clone())),
            Rows::Nobody => rows.filter(events::actor_id.is_null()),
            Rows::Subject(id) => rows.filter(events::subject_id.eq(id.clone())),
            Rows::Address(ip) => rows.filter(events::ip.eq(ip.clone())),
        }
    }
}
