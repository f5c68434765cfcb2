//! One token as verification knows it, its values, and the requests of its minute.

use std::num::NonZeroU32;
use std::sync::Arc;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
use smol_str::SmolStr;
use uuid::Uuid;

use super::Account;
use crate::scope::ScopeSet;
use crate::secret::Digest;
use crate::tx::{TokenFacts, ValueFacts};
use crate::types::{Lines, Stamp, TokenId, TokenKind, parse_net};

/// One value of a token. The previous one of a regenerated token ends before its token does.
#[derive(Clone)]
pub struct Value {
    pub token: Arc<Token>,
    /// Of its generation.
    pub number: i64,
    pub ends_at: Option<Stamp>,
}

/// There may be a million of them: what most have not is in a box of its own.
pub struct Token {
    pub id: Uuid,
    pub(super) version: i64,
    /// Of its newest value.
    pub(super) digest: Digest,
    number: u32,
    /// When that was generated.
    pub since: Stamp,
    pub name: SmolStr,
    pub account: Arc<Account>,
    pub scopes: ScopeSet,
    pub expires_at: Option<Stamp>,
    pub enabled: bool,
    /// Of a program that signed in: none that somebody generated.
    pub is_session: bool,
    rare: Option<Box<Rare>>,
}

#[derive(Default)]
struct Rare {
    allow: Lines,
    ip_allow: Box<[IpNet]>,
    turns: Option<Turns>,
    /// Of its newest value, which has none as long as all is in order.
    ends_at: Option<Stamp>,
    former: Box<[ValueFacts]>,
}

/// The requests of a minute, and how many were taken of them. It outlives edits that leave the rate as it is: an edit must
/// not hand out a new minute.
#[derive(Clone)]
struct Turns {
    rate: NonZeroU32,
    taken: Arc<RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>>,
}

/// What a rate leaves after one request was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Left {
    /// Requests per minute.
    pub rate: u32,
    pub requests: u32,
}

/// A rate that is used up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exhausted {
    /// Requests per minute.
    pub rate: u32,
    /// Seconds until the next request may be made.
    pub wait: u64,
}

impl Token {
    /// `None` where nobody can use it: it is removed, or has no value. `before` is what was known of it.
    pub(super) fn new(
        id: Uuid,
        facts: TokenFacts,
        account: Arc<Account>,
        scopes: ScopeSet,
        before: Option<&Token>,
    ) -> Option<Token> {
        let mut values = facts.values;
        values.sort_by_key(|value| value.number);
        let newest = values.pop().filter(|_| !facts.removed)?;
        let turns = facts.rate_per_minute.and_then(NonZeroU32::new).map(|rate| {
            let kept = before.and_then(|before| before.turns().cloned()).filter(|turns| turns.rate == rate);
            kept.unwrap_or_else(|| {
                let taken = RateLimiter::direct(Quota::per_minute(rate)).with_middleware();
                Turns { rate, taken: Arc::new(taken) }
            })
        });
        let nets: Option<Box<[IpNet]>> = facts.ip_allow.iter().map(parse_net).collect();
        let is_plain = facts.allow.is_empty() && facts.ip_allow.is_empty() && turns.is_none();
        let is_alone = newest.ends_at.is_none() && values.is_empty();
        Some(Token {
            id,
            version: facts.version,
            digest: newest.digest,
            number: u32::try_from(newest.number).unwrap_or(u32::MAX),
            since: newest.since,
            name: facts.name.into(),
            account,
            scopes,
            expires_at: facts.expires_at,
            // A list that cannot be read would be an empty one, which narrows nothing.
            enabled: facts.enabled && nets.is_some(),
            is_session: facts.kind == TokenKind::Session,
            rare: (!is_plain || !is_alone).then(|| {
                Box::new(Rare {
                    allow: facts.allow,
                    ip_allow: nets.unwrap_or_default(),
                    turns,
                    ends_at: newest.ends_at,
                    former: values.into(),
                })
            }),
        })
    }

    pub fn id(&self) -> TokenId {
        self.id.into()
    }

    pub fn allow(&self) -> &Lines {
        self.rare.as_ref().map_or(Lines::EMPTY, |rare| &rare.allow)
    }

    pub fn ip_allow(&self) -> &[IpNet] {
        self.rare.as_ref().map_or(&[], |rare| &rare.ip_allow)
    }

    /// Digests of all values but the newest.
    pub(super) fn former(&self) -> impl Iterator<Item = &Digest> {
        self.rare.iter().flat_map(|rare| &rare.former).map(|value| &value.digest)
    }

    /// When each of its former values ends or has ended.
    pub fn former_ends(&self) -> impl Iterator<Item = Stamp> {
        self.rare.iter().flat_map(|rare| &rare.former).filter_map(|value| value.ends_at)
    }

    fn turns(&self) -> Option<&Turns> {
        self.rare.as_ref().and_then(|rare| rare.turns.as_ref())
    }

    /// Takes one of the token's requests per minute; `None` where it has no rate.
    pub fn take_turn(&self) -> Result<Option<Left>, Exhausted> {
        let Some(turns) = self.turns() else { return Ok(None) };
        let rate = turns.rate.get();
        match turns.taken.check() {
            Ok(state) => Ok(Some(Left { rate, requests: state.remaining_burst_capacity() })),
            Err(later) => {
                let wait = later.wait_time_from(DefaultClock::default().now());
                Err(Exhausted { rate, wait: wait.as_secs() + u64::from(wait.subsec_nanos() > 0) })
            }
        }
    }
}

impl Value {
    /// The value of that digest, if it is the token's.
    pub(super) fn of(token: Arc<Token>, digest: &Digest) -> Option<Value> {
        let rare = token.rare.as_deref();
        let (number, ends_at) = match token.digest == *digest {
            true => (token.number.into(), rare.and_then(|rare| rare.ends_at)),
            false => {
                let value = rare?.former.iter().find(|value| value.digest == *digest)?;
                (value.number, value.ends_at)
            }
        };
        Some(Value { token, number, ends_at })
    }

    /// Whether the value may be used at that moment, its account aside: at the instant of the end it may not.
    pub fn is_alive(&self, now: Stamp) -> bool {
        self.has_living_token(now) && !is_past(self.ends_at, now)
    }

    /// Whether it is the value alone that is over: its token goes on with a newer one.
    pub fn is_ended(&self, now: Stamp) -> bool {
        self.has_living_token(now) && is_past(self.ends_at, now)
    }

    fn has_living_token(&self, now: Stamp) -> bool {
        self.token.enabled && !is_past(self.token.expires_at, now)
    }
}

fn is_past(end: Option<Stamp>, now: Stamp) -> bool {
    end.is_some_and(|end| end <= now)
}
