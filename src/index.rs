//! Every live token by digest, in memory, and the state of its account: verification asks nobody else.

mod table;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use arc_swap::{ArcSwap, Guard};
use smol_str::SmolStr;
use uuid::Uuid;

use crate::scope::Symbols;
use crate::secret::Digest;
use crate::tx::{AccountFacts, TokenFacts};
use crate::types::{AccountId, AccountKind, Role};

use table::{ByDigest, ById};
pub use token::{Exhausted, Left, Token, Value};

#[derive(Default)]
pub struct Index {
    /// By the digest of the newest value: nearly every request comes with that one.
    newest: ByDigest,
    /// By the digests of all others.
    former: RwLock<HashMap<Digest, Arc<Token>>>,
    accounts: RwLock<HashMap<AccountId, Arc<Account>>>,
    /// What was learnt last of every token: an older fact that comes late finds its version here.
    known: Mutex<Known>,
    /// Set once every token there is has been learnt.
    whole: OnceLock<()>,
}

#[derive(Default)]
struct Known {
    living: ById,
    /// Versions of those that nobody can use any more: removed, or without a value.
    gone: HashMap<Uuid, i64>,
}

/// A cell of its own: disabling an account is one write here, not one for each of its tokens.
pub struct Account {
    state: ArcSwap<AccountState>,
}

pub struct AccountState {
    version: i64,
    pub kind: AccountKind,
    pub label: SmolStr,
    /// Names of its teams, by commas.
    pub teams: SmolStr,
    pub role: Role,
    pub enabled: bool,
}

impl Account {
    /// For the length of one verdict: a counted reference would make the threads wait for each other.
    pub fn state(&self) -> Guard<Arc<AccountState>> {
        self.state.load()
    }

    pub fn role(&self) -> Role {
        self.state.load().role
    }
}

impl Index {
    pub fn find(&self, digest: &Digest) -> Option<Value> {
        let token = self.newest.find(digest).or_else(|| {
            let former = self.former.read().unwrap_or_else(PoisonError::into_inner);
            former.get(digest).cloned()
        })?;
        Value::of(token, digest)
    }

    /// Whether what is not found is not there. Asked before the look, as it may become true behind it.
    pub fn is_whole(&self) -> bool {
        self.whole.get().is_some()
    }

    pub fn mark_whole(&self) {
        let _ = self.whole.set(());
    }

    /// Every token that is not removed, in no order: a survey of a million takes a moment and holds up no request. Right after a
    /// start it waits until they are all there.
    pub fn each(&self, look: impl FnMut(&Token)) {
        self.whole.wait();
        self.newest.each(look);
    }

    /// Before so many tokens are learnt.
    pub fn reserve(&self, more: usize) {
        self.newest.reserve(more);
        self.known.lock().unwrap_or_else(PoisonError::into_inner).living.reserve(more);
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.newest.len() + self.former.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn accounts(&self) -> usize {
        self.accounts.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn learn_account(&self, facts: AccountFacts) {
        let cell = self.account(&facts.id);
        let learnt = Arc::new(AccountState {
            version: facts.version,
            kind: facts.kind,
            label: facts.label.into(),
            teams: facts.teams.join(",").into(),
            role: facts.role,
            enabled: facts.enabled,
        });
        cell.state.rcu(|known| if known.version < learnt.version { learnt.clone() } else { known.clone() });
    }

    /// Takes a fact only if it is newer than what is known: after a removal, an edit that was read before it changes nothing.
    pub fn learn_token(&self, facts: TokenFacts, symbols: &Symbols) {
        // Ids are made here; a row with another one is not ours, and lets nobody in.
        let Some(id) = facts.id.uuid() else { return };
        let version = facts.version;
        let account = self.account(&facts.owner);
        // Before the lock, for which others who learn would wait.
        let scopes = symbols.set(&facts.scopes);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let before = known.living.find(&id).cloned();
        let newest = before.as_ref().map(|token| token.version).or_else(|| known.gone.get(&id).copied());
        if newest.is_some_and(|newest| newest >= version) {
            return;
        }
        let after = Token::new(id, facts, account, scopes, before.as_deref()).map(Arc::new);
        self.replace(before.as_deref(), after.as_ref());
        match after {
            Some(token) => {
                known.gone.remove(&id);
                known.living.put(token);
            }
            None => {
                known.living.remove(&id);
                known.gone.insert(id, version);
            }
        }
    }

    /// What is new comes first: a value that goes on is found at every moment.
    fn replace(&self, before: Option<&Token>, after: Option<&Arc<Token>>) {
        let is_former = |digest: &Digest| after.is_some_and(|token| token.former().any(|of| of == digest));
        let had_former = before.is_some_and(|token| token.former().next().is_some());
        if had_former || after.is_some_and(|token| token.former().next().is_some()) {
            let mut former = self.former.write().unwrap_or_else(PoisonError::into_inner);
            if let Some(token) = after {
                former.extend(token.former().map(|digest| (*digest, token.clone())));
            }
            for digest in before.into_iter().flat_map(Token::former).filter(|digest| !is_former(digest)) {
                former.remove(digest);
            }
        }
        if let Some(token) = after {
            self.newest.put(token.clone());
        }
        let is_newest = |digest: &Digest| after.is_some_and(|token| token.digest == *digest);
        if let Some(token) = before.filter(|token| !is_newest(&token.digest)) {
            self.newest.remove(&token.digest);
        }
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
            Arc::new(Account { state: ArcSwap::from_pointee(state) })
        };
        accounts.entry(id.clone()).or_insert_with(unheard).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tx::ValueFacts;
    use crate::types::{Lines, Stamp, TokenKind};
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
            kind: TokenKind::Personal,
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
        ValueFacts { digest: Digest::of(text), number, since: at(0), ends_at }
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
    #[test]
    fn of_many_tokens_each_is_found_by_its_own_values_and_forgotten_with_them() {
        let count = 3_000_u32;
        let of =
            |n: u32, version, values| TokenFacts { id: Uuid::from_u128(n.into()).into(), values, ..token(version) };
        let text = |n: u32, number: i64| format!("{n}-{number}");
        let index = with((0..count).map(|n| of(n, 1, vec![value(&text(n, 1), 1, None)])).collect());
        for n in 0..count {
            let both = vec![value(&text(n, 2), 2, None), value(&text(n, 1), 1, Some(at(10)))];
            index.learn_token(of(n, 2, both), &Symbols::default());
        }
        assert_eq!(index.len(), 2 * count as usize);
        for n in 0..count {
            for (number, ends_at) in [(1, Some(at(10))), (2, None)] {
                let found = index.find(&Digest::of(&text(n, number))).unwrap();
                assert_eq!((found.token.id, found.number, found.ends_at), (Uuid::from_u128(n.into()), number, ends_at));
            }
            let removed = TokenFacts { removed: true, ..of(n, 3, Vec::new()) };
            index.learn_token(removed, &Symbols::default());
            assert!(index.find(&Digest::of(&text(n, 1))).is_none() && index.find(&Digest::of(&text(n, 2))).is_none());
        }
        assert!(index.is_empty());
    }
}
