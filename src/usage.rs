//! Use of tokens: gathered in memory while verifying, written in one transaction every few seconds and at shutdown.

mod store;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;

use crate::error::Result;
use crate::refusal::{Noted, clean};
use crate::types::{Stamp, TokenId};

pub use store::{prune, save};

/// Tokens, methods and addresses that are held between two flushes. What would be one more is not counted: of a token that
/// is there already the last use still is, and all of its calls from addresses that are there.
const MOST: usize = 200_000;
/// Addresses of a token and day, in memory and in the table; calls from further ones are counted together, under `''`.
const ADDRESSES: usize = 200;
/// Single refusals between two flushes, and those of one token, so that a noisy one leaves room for the others. What is
/// over is counted, but cannot be looked up.
const REFUSALS: usize = 1_000;
const REFUSALS_OF_A_TOKEN: usize = 20;
const AGENT_MOST: usize = 300;

#[derive(Default)]
pub struct Usage {
    gathered: Mutex<Gathered>,
    dropped: AtomicU64,
}

/// A verdict about a living token.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub token: &'a TokenId,
    /// `API/SERVICE:METHOD`; empty where the request was no method of the catalogue.
    pub method: &'a str,
    pub at: Stamp,
    pub ip: Option<IpAddr>,
}

/// What was gathered since the last flush.
#[derive(Default)]
pub struct Gathered {
    tokens: HashMap<TokenId, OfToken>,
    /// Keys in all of the maps.
    entries: usize,
    refusals: Vec<(TokenId, Noted)>,
}

#[derive(Default)]
struct OfToken {
    last: Option<Use>,
    /// Last use of each of its values, by number.
    generations: BTreeMap<i64, Stamp>,
    days: BTreeMap<NaiveDate, Day>,
    /// Refusals of it that are kept.
    refusals: usize,
}

#[derive(Clone)]
struct Use {
    at: Stamp,
    ip: Option<IpAddr>,
    agent: String,
}

#[derive(Default)]
struct Day {
    methods: HashMap<String, Counts>,
    addresses: HashMap<Option<IpAddr>, Counts>,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Counts {
    accepted: i64,
    refused: i64,
}

impl Counts {
    const ACCEPTED: Counts = Counts { accepted: 1, refused: 0 };
    const REFUSED: Counts = Counts { accepted: 0, refused: 1 };

    fn add(&mut self, more: Counts) {
        self.accepted += more.accepted;
        self.refused += more.refused;
    }
}

impl Usage {
    /// `generation` is the number of the value that was sent.
    pub fn accepted(&self, call: Call<'_>, generation: i64, agent: &str) {
        self.with_room(call.token).accept(call, generation, agent);
    }

    pub fn refused(&self, call: Call<'_>, refusal: Noted) {
        let mut gathered = self.with_room(call.token);
        gathered.count(call, Counts::REFUSED);
        gathered.keep(call.token.clone(), refusal);
    }

    /// A former value that was used after its end: refused, and its last use is told beside it.
    pub fn ended(&self, call: Call<'_>, generation: i64, refusal: Noted) {
        let mut gathered = self.with_room(call.token);
        gathered.count(call, Counts::REFUSED);
        if let Some((of, _)) = gathered.of(call.token) {
            of.used(generation, call.at);
        }
        gathered.keep(call.token.clone(), refusal);
    }

    /// Writes what was gathered. When the database refuses, it is kept for the next time. Both maps are put together beside
    /// the lock, for which verdicts wait: under it is only what came meanwhile.
    pub fn flush(&self, write: impl FnOnce(&Gathered) -> Result<()>) -> Result<usize> {
        let mut gathered = std::mem::take(&mut *self.lock());
        if gathered.tokens.is_empty() {
            return Ok(0);
        }
        let Err(cause) = write(&gathered) else { return Ok(gathered.tokens.len()) };
        let since = std::mem::take(&mut *self.lock());
        gathered.absorb(since);
        let mut now = self.lock();
        let meanwhile = std::mem::replace(&mut *now, gathered);
        now.absorb(meanwhile);
        Err(cause)
    }

    /// Keys that wait to be written.
    pub fn waiting(&self) -> usize {
        self.lock().entries
    }

    /// Calls, since the start, of tokens for which there was no room between two flushes.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn with_room(&self, token: &TokenId) -> MutexGuard<'_, Gathered> {
        let gathered = self.lock();
        if gathered.entries >= MOST && !gathered.tokens.contains_key(token) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        gathered
    }

    fn lock(&self) -> MutexGuard<'_, Gathered> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn accept(&mut self, call: Call<'_>, generation: i64, agent: &str) {
        let Some((of, room)) = self.of(call.token) else { return };
        let taken = of.count(call, Counts::ACCEPTED, room);
        of.used(generation, call.at);
        of.called(call, agent);
        self.entries += taken;
    }

    fn count(&mut self, call: Call<'_>, counts: Counts) {
        let Some((of, room)) = self.of(call.token) else { return };
        self.entries += of.count(call, counts, room);
    }

    fn keep(&mut self, token: TokenId, refusal: Noted) {
        let full = self.refusals.len() >= REFUSALS;
        let Some((of, _)) = self.of(&token).filter(|(of, _)| !full && of.refusals < REFUSALS_OF_A_TOKEN) else {
            return;
        };
        of.refusals += 1;
        self.refusals.push((token, refusal));
    }

    /// Puts what came later to it, within the same bounds.
    fn absorb(&mut self, later: Gathered) {
        for (token, theirs) in later.tokens {
            let Some((of, room)) = self.of(&token) else { continue };
            let mut taken = 0;
            for (day, theirs) in theirs.days {
                let day = of.days.entry(day).or_default();
                for (method, counts) in theirs.methods {
                    taken += day.count_method(&method, counts, room.saturating_sub(taken));
                }
                for (ip, counts) in theirs.addresses {
                    taken += day.count_address(ip, counts, room.saturating_sub(taken));
                }
            }
            for (number, at) in theirs.generations {
                of.used(number, at);
            }
            if let Some(last) = theirs.last {
                of.seen(last);
            }
            self.entries += taken;
        }
        for (token, refusal) in later.refusals {
            self.keep(token, refusal);
        }
    }

    /// With how many more entries there may be.
    fn of(&mut self, token: &TokenId) -> Option<(&mut OfToken, usize)> {
        if !self.tokens.contains_key(token) {
            if self.entries >= MOST {
                return None;
            }
            self.entries += 1;
            self.tokens.insert(token.clone(), OfToken::default());
        }
        let room = MOST.saturating_sub(self.entries);
        self.tokens.get_mut(token).map(|of| (of, room))
    }
}

impl Day {
    /// The answer is how many entries it took of the room.
    fn count_method(&mut self, method: &str, counts: Counts, room: usize) -> usize {
        if let Some(known) = self.methods.get_mut(method) {
            known.add(counts);
            return 0;
        }
        if room > 0 {
            self.methods.insert(method.to_owned(), counts);
        }
        room.min(1)
    }

    fn count_address(&mut self, ip: Option<IpAddr>, counts: Counts, room: usize) -> usize {
        let full = self.addresses.len() >= ADDRESSES && !self.addresses.contains_key(&ip);
        let ip = ip.filter(|_| !full);
        if let Some(known) = self.addresses.get_mut(&ip) {
            known.add(counts);
            return 0;
        }
        if room > 0 {
            self.addresses.insert(ip, counts);
        }
        room.min(1)
    }
}

impl OfToken {
    fn count(&mut self, call: Call<'_>, counts: Counts, room: usize) -> usize {
        let day = self.days.entry(call.at.utc().date_naive()).or_default();
        let taken = day.count_method(call.method, counts, room);
        taken + day.count_address(call.ip, counts, room - taken)
    }

    fn used(&mut self, generation: i64, at: Stamp) {
        let known = self.generations.entry(generation).or_insert(at);
        *known = at.max(*known);
    }

    /// A client's name is cleaned where it is another one than before.
    fn called(&mut self, call: Call<'_>, agent: &str) {
        let last = Use { at: call.at, ip: call.ip, agent: String::new() };
        match &mut self.last {
            Some(known) if known.at > call.at => {}
            Some(known) if known.agent == agent => *known = Use { agent: std::mem::take(&mut known.agent), ..last },
            known => *known = Some(Use { agent: clean(agent, AGENT_MOST), ..last }),
        }
    }

    fn seen(&mut self, last: Use) {
        if self.last.as_ref().is_none_or(|known| known.at <= last.at) {
            self.last = Some(last);
        }
    }
}
