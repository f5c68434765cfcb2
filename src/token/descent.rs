//! No token begets a stronger one: what a token generates, edits or regenerates is within what it may do itself, in methods,
//! resources, addresses, rate and life. A session token stands for its person and has no such bounds.

use ipnet::IpNet;

use super::{NewToken, Token, spoken_by, value_spoken_by};
use crate::actor::{Actor, Via};
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::scope::{self, Scope};
use crate::types::{Lines, Stamp, TokenKind, parse_net};

/// What one token has more than another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Excess {
    Methods,
    Resources,
    Addresses,
    Rate,
    Life,
}

impl Excess {
    /// As it stands in a sentence.
    fn wording(self) -> &'static str {
        match self {
            Excess::Methods => "methods",
            Excess::Resources => "resources",
            Excess::Addresses => "addresses",
            Excess::Rate => "requests per minute",
            Excess::Life => "time to live",
        }
    }
}

/// What an actor with a token may hand on.
pub struct Bounds(Option<NewToken>);

impl Bounds {
    /// Of whoever speaks now, as their token is in this transaction.
    pub fn of(conn: &mut Conn, actor: &Actor) -> Result<Bounds> {
        if !matches!(actor.via, Via::Token { .. }) {
            return Ok(Bounds(None));
        }
        let token = spoken_by(conn, actor)?;
        if token.kind == TokenKind::Session {
            return Ok(Bounds(None));
        }
        // A former value ends before its token: what it made would outlive it.
        let end = value_spoken_by(conn, actor)?.ends_at;
        let expires_at = token.expires_at.into_iter().chain(end).min();
        Ok(Bounds(Some(NewToken { expires_at, ..token.settings() })))
    }

    /// What is to be generated, or what a token is to be after an edit.
    pub fn must_hold(&self, wished: &NewToken) -> Result<()> {
        self.check(wished, |more| {
            format!("A token cannot give more than it has itself. This would have more {more} than the token that asks for it.")
        })
    }

    /// A token that is there already and is to be edited or regenerated.
    pub fn must_reach(&self, token: &Token) -> Result<()> {
        self.check(&token.settings(), |more| {
            format!("A token can only change what is within itself. This one has more {more} than the token that asks.")
        })
    }

    /// Of an expiry that was only proposed, as much as may be given.
    pub fn cut(&self, proposed: Option<Stamp>) -> Option<Stamp> {
        match self.0.as_ref().and_then(|parent| parent.expires_at) {
            None => proposed,
            Some(last) => Some(proposed.map_or(last, |end| end.min(last))),
        }
    }

    fn check(&self, child: &NewToken, sentence: impl FnOnce(&str) -> String) -> Result<()> {
        match self.0.as_ref().and_then(|parent| excess(child, parent)) {
            None => Ok(()),
            Some(excess) => Err(Error::Forbidden(sentence(excess.wording()))),
        }
    }
}

/// The first thing in which a child would be more than its parent; `None` where whatever the child passes, its parent does.
pub fn excess(child: &NewToken, parent: &NewToken) -> Option<Excess> {
    match () {
        () if !scope::is_within(&child.scopes, &parent.scopes) => Some(Excess::Methods),
        () if !resources_within(child, parent) => Some(Excess::Resources),
        () if !addresses_within(&child.ip_allow, &parent.ip_allow) => Some(Excess::Addresses),
        () if !most_within(child.rate_per_minute, parent.rate_per_minute) => Some(Excess::Rate),
        () if !most_within::<Stamp>(child.expires_at, parent.expires_at) => Some(Excess::Life),
        () => None,
    }
}

/// Where the parent's resources are named, the child's are among them. A listing passes an allow list by its method's own
/// name (`scope::allows`), so that such a name must not come out of a parent's wildcard.
fn resources_within(child: &NewToken, parent: &NewToken) -> bool {
    if parent.allow.is_empty() {
        return true;
    }
    let has = |list: &Lines, entry: &str| list.iter().any(|one| one == entry);
    let every = |entry: &str| entry.split_once(':').map(|(service, _)| format!("{service}:*")).unwrap_or_default();
    let named = |scope: &str| match Scope::parse(scope) {
        Some(Scope::Method(api, service, _)) => {
            has(&parent.scopes, scope) || has(&parent.allow, &format!("{api}/{service}:*"))
        }
        _ => true,
    };
    let allowed = |entry: &str| has(&parent.allow, entry) || has(&parent.allow, &every(entry));
    !child.allow.is_empty() && child.allow.iter().all(allowed) && child.scopes.iter().all(named)
}

/// Each of the child's networks lies in one of the parent's.
fn addresses_within(child: &Lines, parent: &Lines) -> bool {
    let wide: Vec<IpNet> = parent.iter().filter_map(parse_net).collect();
    let inside = |entry: &str| parse_net(entry).is_some_and(|net| wide.iter().any(|wide| wide.contains(&net)));
    parent.is_empty() || (!child.is_empty() && child.iter().all(inside))
}

/// No limit at all is the largest.
fn most_within<T: Ord>(child: Option<T>, parent: Option<T>) -> bool {
    match (child, parent) {
        (_, None) => true,
        (None, Some(_)) => false,
        (Some(child), Some(parent)) => child <= parent,
    }
}
