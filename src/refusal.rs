//! Refusals of living tokens: which rule said no, and the single ones that a token's owner can look up for a week.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::TimeDelta;
use diesel::prelude::*;
use uuid::Uuid;

use crate::catalogue::target::Refused as Unclear;
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, Result};
use crate::schema::refusals;
use crate::secret::{Random, without_values};
use crate::tx::Tx;
use crate::types::{AccountId, EventId, Role, Stamp, TokenId};

/// The newest of a token that are kept: somebody who holds one token cannot fill the disk with them.
const MOST_OF_A_TOKEN: i64 = 1_000;
const KEPT_FOR: TimeDelta = TimeDelta::days(7);
/// Characters of a path that are kept.
const PATH_MOST: usize = 300;

/// Which rule said no, as the token's owner may read it. No sentence repeats what a client sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Rule {
    #[error("The address names no API that is known here.")]
    NoApi,
    #[error("{0}")]
    Unclear(#[from] Unclear),
    #[error("The catalogue has no method with this HTTP method and path.")]
    NoMethod,
    #[error("The method is not among the token's scopes.")]
    Scope,
    #[error("The method needs the role {role}, which the account does not have.", role = crate::actor::wording(*.0))]
    Role(Role),
    #[error("The resource is not in the token's allow list.")]
    Resource,
    #[error("The client's address is not in the token's list.")]
    Address,
    #[error("The token has used up its requests for now.")]
    Rate,
    #[error("An old value was used after it had stopped. Something still holds it.")]
    Ended,
}

impl Rule {
    /// The word in the table.
    pub fn as_str(&self) -> &'static str {
        match self {
            Rule::NoApi => "no_api",
            Rule::Unclear(_) => "unclear",
            Rule::NoMethod => "no_method",
            Rule::Scope => "scope",
            Rule::Role(_) => "role",
            Rule::Resource => "resource",
            Rule::Address => "address",
            Rule::Rate => "rate",
            Rule::Ended => "ended",
        }
    }
}

/// One refusal as the table has it.
#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = refusals)]
#[diesel(check_for_backend(MultiBackend))]
pub struct Refusal {
    /// Made from `at`: the log reads changes and refusals in the order of their ids.
    pub id: EventId,
    /// What the client was told.
    pub reference: String,
    pub at: Stamp,
    pub token_id: TokenId,
    pub token_name: String,
    pub owner_id: AccountId,
    /// The word of a [`Rule`].
    pub rule: String,
    pub sentence: String,
    /// As the client was told it; empty where the request was no method.
    pub scope: String,
    pub http_method: String,
    /// Without its query, and without values.
    pub path: String,
    pub ip: String,
    /// Names, sentence and request in lower case: what a search looks into.
    pub folded: String,
}

/// One refusal as verification tells of it, fit to be stored.
#[derive(Clone, Debug)]
pub struct Noted {
    id: EventId,
    reference: String,
    at: Stamp,
    rule: Rule,
    scope: String,
    http_method: String,
    path: String,
    ip: String,
}

/// What was refused, in the client's own words.
pub struct Request<'a> {
    pub http_method: &'a str,
    /// With or without a query.
    pub target: &'a str,
    pub ip: Option<IpAddr>,
}

impl Noted {
    /// Draws the reference by which the owner finds it.
    pub fn new(rule: Rule, scope: Option<&str>, request: &Request<'_>, at: Stamp, random: &Random) -> Result<Noted> {
        let path = request.target.split(['?', '#']).next().unwrap_or_default();
        Ok(Noted {
            id: id_of(at, random)?,
            reference: random.base62(8)?.to_string(),
            at,
            rule,
            scope: scope.unwrap_or_default().to_owned(),
            http_method: clean(request.http_method, PATH_MOST),
            path: clean(path, PATH_MOST),
            ip: request.ip.map(|ip| ip.to_string()).unwrap_or_default(),
        })
    }

    pub fn reference(&self) -> &str {
        &self.reference
    }

    fn row(&self, token: &TokenId, owner: &AccountId, name: &str) -> Refusal {
        let sentence = self.rule.to_string();
        let words = [name, &self.scope, &sentence, &self.http_method, &self.path, &self.ip];
        Refusal {
            folded: words.join(" ").to_lowercase(),
            id: self.id.clone(),
            reference: self.reference.clone(),
            at: self.at,
            token_id: token.clone(),
            token_name: name.to_owned(),
            owner_id: owner.clone(),
            rule: self.rule.as_str().to_owned(),
            sentence,
            scope: self.scope.clone(),
            http_method: self.http_method.clone(),
            path: self.path.clone(),
            ip: self.ip.clone(),
        }
    }
}

/// A UUIDv7 of that instant (RFC 9562 section 5.7).
fn id_of(at: Stamp, random: &Random) -> Result<EventId> {
    let mut bytes = [0; 10];
    random.fill(&mut bytes)?;
    let millis = u64::try_from(at.millis()).map_err(Error::internal)?;
    Ok(uuid::Builder::from_unix_timestamp_millis(millis, &bytes).into_uuid().into())
}

/// A client's text as it may be stored. Values go before the cut, which would else leave part of one.
pub fn clean(text: &str, most: usize) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    without_values(&text).chars().take(most).collect()
}

/// Writes those of the tokens that there still are. One whose reference or id is taken already was written before.
pub fn save(conn: &mut Conn, noted: &[(Uuid, Noted)], tokens: &BTreeMap<TokenId, (AccountId, String)>) -> Result<()> {
    let rows = noted.iter().filter_map(|(token, noted)| {
        let (token, (owner, name)) = tokens.get_key_value(&(*token).into())?;
        Some(noted.row(token, owner, name))
    });
    let rows: Vec<Refusal> = rows.collect();
    for row in &rows {
        let insert = diesel::insert_into(refusals::table).values(row);
        match conn {
            Conn::Postgres(conn) => insert.on_conflict_do_nothing().execute(conn)?,
            Conn::Sqlite(conn) => insert.on_conflict_do_nothing().execute(conn)?,
        };
    }
    let touched: BTreeSet<&TokenId> = rows.iter().map(|row| &row.token_id).collect();
    touched.into_iter().try_for_each(|token| drop_oldest(conn, token))
}

fn drop_oldest(conn: &mut Conn, token: &TokenId) -> Result<()> {
    let of = refusals::token_id.eq(token);
    let first_too_many: Option<EventId> = refusals::table
        .filter(of)
        .order(refusals::id.desc())
        .offset(MOST_OF_A_TOKEN)
        .select(refusals::id)
        .first(conn)
        .optional()?;
    if let Some(id) = first_too_many {
        diesel::delete(refusals::table.filter(of).filter(refusals::id.le(id))).execute(conn)?;
    }
    Ok(())
}

pub fn prune(tx: &mut Tx<'_>) -> Result<usize> {
    Ok(diesel::delete(refusals::table.filter(refusals::at.lt(tx.now.minus(KEPT_FOR)))).execute(tx.conn)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(target: &str) -> Noted {
        let request = Request { http_method: "GET", target, ip: None };
        let at: Stamp = "2026-11-23T09:40:00.123Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into();
        let random = Random::new(|bytes| {
            bytes.fill(7);
            Ok(())
        });
        Noted::new(Rule::Scope, Some("zones:list"), &request, at, &random).unwrap()
    }

    #[test]
    fn a_path_is_kept_without_its_query_without_controls_and_cut() {
        assert_eq!(noted("/zones/a?token=secret").path, "/zones/a");
        assert_eq!(noted("/zones/a#b").path, "/zones/a");
        assert_eq!(noted("/zo\0nes\r\n").path, "/zones");
        assert_eq!(noted(&format!("/{}", "é/".repeat(5_000))).path.chars().count(), 300);
    }

    #[test]
    fn a_value_that_straddles_the_cut_leaves_nothing_of_itself() {
        let value = format!("hp_{}", "a1B".repeat(14));
        let path = noted(&format!("/{}{value}", "x/".repeat(140))).path;
        assert!(path.ends_with("/hp_…"), "{path}");
        assert!(!path.contains("a1B"));
    }

    #[test]
    fn an_id_is_of_its_instant() {
        let id = uuid::Uuid::parse_str(noted("/").id.as_str()).unwrap();
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_timestamp().unwrap().to_unix(), (1_795_426_800, 123_000_000));
    }
}
