//! Every live token by digest, in memory, and the state of its account: verification asks nobody else.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use ipnet::IpNet;
use uuid::Uuid;

use crate::scope::{ScopeSet, Symbols};
use crate::secret::Digest;
use crate::tx::{AccountFacts, TokenFacts};
use crate::types::{AccountId, AccountKind, Lines, Role, Stamp, TokenId, parse_net};

/// Digests are uniform already: their first eight bytes are the hash.
#[derive(Default)]
pub struct Prehashed(u64);

impl Hasher for Prehashed {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks_exact(8).take(1) {
            self.0 = chunk.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte));
        }
    }

    /// The length of the array, which `Hash` writes first, says nothing.
    fn write_usize(&mut self, _: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

type ByDigest = papaya::HashMap<[u8; 32], Value, BuildHasherDefault<Prehashed>>;

#[derive(Default)]
pub struct Index {
    by_digest: ByDigest,
    accounts: RwLock<HashMap<AccountId, Arc<Account>>>,
    /// What was learnt last of every token, removed ones too: an older fact that comes late finds its version here.
    known: Mutex<HashMap<Uuid, Known>>,
}

struct Known {
    version: i64,
    digests: Box<[Digest]>,
}

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
    pub name: Box<str>,
    pub account: Arc<Account>,
    pub scopes: ScopeSet,
    pub enabled: bool,
    pub expires_at: Option<Stamp>,
    narrowing: Option<Box<Narrowing>>,
}

struct Narrowing {
    allow: Lines,
    ip_allow: Box<[IpNet]>,
    turns: Option<Turns>,
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

/// A cell of its own: disabling an account is one write here, not one for each of its tokens.
pub struct Account {
    state: RwLock<AccountState>,
}

#[derive(Clone)]
pub struct AccountState {
    version: i64,
    pub kind: AccountKind,
    pub label: Arc<str>,
    /// Names of its teams, by commas.
    pub teams: Arc<str>,
    pub role: Role,
    pub enabled: bool,
}

impl Account {
    pub fn state(&self) -> AccountState {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Token {
    pub fn id(&self) -> TokenId {
        self.id.into()
    }

    pub fn allow(&self) -> &Lines {
        self.narrowing.as_ref().map_or(Lines::EMPTY, |narrowing| &narrowing.allow)
    }

    pub fn ip_allow(&self) -> &[IpNet] {
        self.narrowing.as_ref().map_or(&[], |narrowing| &narrowing.ip_allow)
    }

    fn turns(&self) -> Option<&Turns> {
        self.narrowing.as_ref().and_then(|narrowing| narrowing.turns.as_ref())
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
    /// Whether the value may be used at that moment, its account aside: at the instant of the end it may not.
    pub fn is_alive(&self, now: Stamp) -> bool {
        let before = |end: Option<Stamp>| end.is_none_or(|end| now < end);
        self.token.enabled && before(self.token.expires_at) && before(self.ends_at)
    }
}

impl Value {
    /// Whether it is the value alone that is over: its token goes on with a newer one.
    pub fn is_ended(&self, now: Stamp) -> bool {
        let before = |end: Option<Stamp>| end.is_none_or(|end| now < end);
        self.token.enabled && before(self.token.expires_at) && !before(self.ends_at)
    }
}

impl Index {
    pub fn find(&self, digest: &Digest) -> Option<Value> {
        self.by_digest.pin().get(digest.bytes()).cloned()
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.by_digest.len()
    }

    pub fn accounts(&self) -> usize {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_digest.is_empty()
    }

    pub fn learn_account(&self, facts: AccountFacts) {
        let cell = self.account(&facts.id);
        let mut state = cell.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.version < facts.version {
            *state = AccountState {
                version: facts.version,
                kind: facts.kind,
                label: facts.label.into(),
                teams: facts.teams.join(",").into(),
                role: facts.role,
                enabled: facts.enabled,
            };
        }
    }

    /// Takes a fact only if it is newer than what is known: after a removal, an edit that was read before it changes nothing.
    pub fn learn_token(&self, facts: TokenFacts, symbols: &Symbols) {
        // Ids are made here; a row with another one is not ours, and lets nobody in.
        let Some(id) = facts.id.uuid() else { return };
        let account = self.account(&facts.owner);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.get(&id);
        if before.is_some_and(|before| before.version >= facts.version) {
            return;
        }
        let values = self.by_digest.pin();
        let former = before.and_then(|before| before.digests.iter().find_map(|digest| values.get(digest.bytes())));
        let turns = facts.rate_per_minute.and_then(NonZeroU32::new).map(|rate| {
            let kept = former.and_then(|value| value.token.turns().cloned()).filter(|turns| turns.rate == rate);
            kept.unwrap_or_else(|| {
                let taken = RateLimiter::direct(Quota::per_minute(rate)).with_middleware();
                Turns { rate, taken: Arc::new(taken) }
            })
        });
        let ended = before.map(|before| before.digests.clone()).unwrap_or_default();
        let live: Box<[Digest]> = match facts.removed {
            true => Box::default(),
            false => facts.values.iter().map(|value| value.digest).collect(),
        };
        for digest in ended.iter().filter(|digest| !live.contains(digest)) {
            values.remove(digest.bytes());
        }
        if !live.is_empty() {
            let is_narrowed = turns.is_some() || !facts.allow.is_empty() || !facts.ip_allow.is_empty();
            let narrowing = is_narrowed.then(|| {
                let ip_allow = facts.ip_allow.iter().filter_map(parse_net).collect();
                Box::new(Narrowing { allow: facts.allow, ip_allow, turns })
            });
            let token = Arc::new(Token {
                id,
                name: facts.name.into(),
                account,
                scopes: symbols.set(&facts.scopes),
                narrowing,
                // A list that cannot be read would be an empty one, which narrows nothing.
                enabled: facts.enabled && facts.ip_allow.iter().all(|entry| parse_net(entry).is_some()),
                expires_at: facts.expires_at,
            });
            for value in facts.values {
                let known = Value { token: token.clone(), number: value.number, ends_at: value.ends_at };
                values.insert(*value.digest.bytes(), known);
            }
        }
        known.insert(id, Known { version: facts.version, digests: live });
    }

    /// An account not heard of yet is a disabled one.
    fn account(&self, id: &AccountId) -> Arc<Account> {
        if let Some(account) = self.accounts.read().unwrap_or_else(PoisonError::into_inner).get(id) {
            return account.clone();
        }
        let mut accounts = self.accounts.write().unwrap_or_else(PoisonError::into_inner);
        let unheard = || {
            let state = AccountState {
                version: -1,
                kind: AccountKind::Service,
                label: "".into(),
                teams: "".into(),
                role: Role::Viewer,
                enabled: false,
            };
            Arc::new(Account { state: RwLock::new(state) })
        };
        accounts.entry(id.clone()).or_insert_with(unheard).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::ValueFacts;
    use chrono::{TimeDelta, TimeZone, Utc};

    fn at(second: u32) -> Stamp {
        Utc.with_ymd_and_hms(2026, 11, 23, 10, 0, second).unwrap().into()
    }

    fn account(version: i64, enabled: bool) -> AccountFacts {
        AccountFacts {
            id: "a".into(),
            version,
            kind: AccountKind::Person,
            label: "maria@example.com".into(),
            teams: Vec::new(),
            role: Role::Owner,
            enabled,
        }
    }

    fn token(version: i64) -> TokenFacts {
        TokenFacts {
            id: Uuid::from_u128(7).into(),
            owner: "a".into(),
            version,
            name: "ci".into(),
            scopes: ["pdns/zones:list"].iter().collect(),
            allow: Lines::default(),
            ip_allow: Lines::default(),
            rate_per_minute: None,
            enabled: true,
            expires_at: Some(at(30)),
            removed: false,
            values: vec![value("one", 1, None)],
        }
    }

    fn value(text: &str, number: i64, ends_at: Option<Stamp>) -> ValueFacts {
        ValueFacts { digest: Digest::of(text), number, ends_at }
    }

    fn with(facts: Vec<TokenFacts>) -> Index {
        let index = Index::default();
        index.learn_account(account(1, true));
        facts.into_iter().for_each(|facts| index.learn_token(facts, &Symbols::default()));
        index
    }

    #[test]
    fn an_older_fact_that_comes_late_does_not_revive_a_removed_token() {
        let removed = TokenFacts { removed: true, ..token(3) };
        let index = with(vec![token(1), removed, token(2)]);
        assert!(index.find(&Digest::of("one")).is_none());
        assert!(index.is_empty());
    }

    #[test]
    fn after_regenerating_the_former_value_is_found_only_as_long_as_it_is_listed() {
        let both = TokenFacts { values: vec![value("two", 2, None), value("one", 1, Some(at(10)))], ..token(2) };
        let index = with(vec![token(1), both]);
        let former = index.find(&Digest::of("one")).unwrap();
        assert!(former.is_alive(at(9)) && !former.is_alive(at(10)));
        index.learn_token(TokenFacts { values: vec![value("two", 2, None)], ..token(3) }, &Symbols::default());
        assert!(index.find(&Digest::of("one")).is_none());
        assert!(index.find(&Digest::of("two")).is_some());
    }

    #[test]
    fn an_edit_that_leaves_the_rate_hands_out_no_new_minute() {
        let limited = |version, rate| TokenFacts { rate_per_minute: Some(rate), ..token(version) };
        let index = with(vec![limited(1, 2)]);
        let turn = |index: &Index| index.find(&Digest::of("one")).unwrap().token.take_turn().is_ok();
        assert!(turn(&index) && turn(&index) && !turn(&index));
        index.learn_token(limited(2, 2), &Symbols::default());
        assert!(!turn(&index));
        index.learn_token(limited(3, 4), &Symbols::default());
        assert!(turn(&index));
    }

    #[test]
    fn a_token_is_alive_until_its_last_instant_and_not_after() {
        let value = with(vec![token(1)]).find(&Digest::of("one")).unwrap();
        assert!(value.is_alive(at(30).minus(TimeDelta::milliseconds(1))));
        assert!(!value.is_alive(at(30)));
    }

    #[test]
    fn a_token_whose_account_was_never_heard_of_is_frozen() {
        let index = Index::default();
        index.learn_token(token(1), &Symbols::default());
        assert!(!index.find(&Digest::of("one")).unwrap().token.account.state().enabled);
    }

    #[test]
    fn disabling_an_account_reaches_its_tokens_and_an_older_fact_does_not_undo_it() {
        let index = with(vec![token(1)]);
        index.learn_account(account(5, false));
        index.learn_account(account(4, true));
        assert!(!index.find(&Digest::of("one")).unwrap().token.account.state().enabled);
    }

    #[test]
    fn a_token_with_an_address_list_that_cannot_be_read_is_not_alive() {
        let broken = TokenFacts { ip_allow: ["10.0.0.0/33"].iter().collect(), ..token(1) };
        let value = with(vec![broken]).find(&Digest::of("one")).unwrap();
        assert!(!value.is_alive(at(0)));
    }
}
