//! Use of tokens: gathered in memory while verifying, written in one transaction every few seconds and at shutdown.

mod store;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;
use foldhash::fast::RandomState;
use smallvec::SmallVec;
use smol_str::SmolStr;
use uuid::Uuid;

use crate::error::Result;
use crate::refusal::{Noted, clean};
use crate::sharded::Sharded;
use crate::types::Stamp;

pub use store::{prune, save};

/// Addresses of a token and day, in memory and in the table; calls from further ones are counted together, under `''`.
const ADDRESSES: usize = 200;
/// Of one token, so that a noisy one leaves room for the others. What is over is counted, but cannot be looked up.
const REFUSALS_OF_A_TOKEN: usize = 20;
const AGENT_MOST: usize = 300;

/// What is held between two flushes.
#[derive(Clone, Copy)]
struct Room {
    /// Tokens, methods and addresses. What would be one more is not counted: of a token that is there already the last use
    /// still is, and all of its calls from addresses that are there.
    entries: usize,
    /// Single refusals.
    refusals: usize,
}

const WHOLE: Room = Room { entries: 200_000, refusals: 1_000 };

impl Room {
    /// Of each of several parts: half of the whole, as the same busy tokens are in all of them.
    fn share(self, parts: usize) -> Room {
        let of = parts.min(2);
        Room { entries: self.entries / of, refusals: self.refusals / of }
    }
}

#[derive(Default)]
pub struct Usage {
    /// What came since the last flush.
    parts: Sharded<Gathered>,
    /// What a flush that failed has left for the next one.
    left: Mutex<Gathered>,
    dropped: AtomicU64,
}

/// A verdict about a living token.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    pub token: Uuid,
    /// `API/SERVICE:METHOD`; empty where the request was no method of the catalogue.
    pub method: &'a str,
    pub at: Stamp,
    pub ip: Option<IpAddr>,
}

#[derive(Default)]
pub struct Gathered {
    tokens: HashMap<Uuid, OfToken, RandomState>,
    /// Keys in all of the maps.
    entries: usize,
    refusals: Vec<(Uuid, Noted)>,
}

/// Most tokens have one value, day, method and address between two flushes: these stand in the token's own place.
#[derive(Default)]
struct OfToken {
    last: Option<Use>,
    /// Last use of each of its values, by number.
    generations: SmallVec<[(i64, Stamp); 1]>,
    days: SmallVec<[(NaiveDate, Day); 1]>,
    /// Refusals of it that are kept.
    refusals: usize,
}

#[derive(Clone)]
struct Use {
    at: Stamp,
    ip: Option<IpAddr>,
    agent: SmolStr,
}

#[derive(Default)]
struct Day {
    methods: Tally<SmolStr>,
    addresses: Tally<Option<IpAddr>>,
}

/// Counts by key, in the order of the keys.
#[derive(Default)]
struct Tally<K>(SmallVec<[(K, Counts); 1]>);

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
        self.gather(call.token, |gathered, room| gathered.accept(call, generation, agent, room));
    }

    pub fn refused(&self, call: Call<'_>, refusal: Noted) {
        self.gather(call.token, |gathered, room| {
            gathered.count(call, Counts::REFUSED, room);
            gathered.keep(call.token, refusal, room);
        });
    }

    /// A former value that was used after its end: refused, and its last use is told beside it.
    pub fn ended(&self, call: Call<'_>, generation: i64, refusal: Noted) {
        self.gather(call.token, |gathered, room| {
            gathered.count(call, Counts::REFUSED, room);
            if let Some((of, _)) = gathered.of(call.token, room) {
                of.used(generation, call.at);
            }
            gathered.keep(call.token, refusal, room);
        });
    }

    /// Writes what was gathered. When the database refuses, it is kept for the next time. All is put together beside the locks
    /// for which verdicts wait.
    pub fn flush(&self, write: impl FnOnce(&Gathered) -> Result<()>) -> Result<usize> {
        let mut gathered = std::mem::take(&mut *self.left());
        for mut part in self.parts.each() {
            let part = std::mem::take(&mut *part);
            gathered.absorb(part, WHOLE);
        }
        if gathered.tokens.is_empty() {
            return Ok(0);
        }
        let Err(cause) = write(&gathered) else { return Ok(gathered.tokens.len()) };
        let mut left = self.left();
        let meanwhile = std::mem::replace(&mut *left, gathered);
        left.absorb(meanwhile, WHOLE);
        Err(cause)
    }

    /// Whether there will soon be no room for more.
    pub fn is_filling(&self) -> bool {
        let room = WHOLE.share(self.parts.parts());
        self.parts.each().any(|part| part.entries > room.entries / 4 * 3)
    }

    /// Keys that wait to be written.
    pub fn waiting(&self) -> usize {
        self.left().entries + self.parts.each().map(|part| part.entries).sum::<usize>()
    }

    /// Calls, since the start, of tokens for which there was no room between two flushes.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn gather(&self, token: Uuid, add: impl FnOnce(&mut Gathered, Room)) {
        let room = WHOLE.share(self.parts.parts());
        let mut gathered = self.parts.own();
        if gathered.entries >= room.entries && !gathered.tokens.contains_key(&token) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        add(&mut gathered, room);
    }

    fn left(&self) -> MutexGuard<'_, Gathered> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gathered {
    fn accept(&mut self, call: Call<'_>, generation: i64, agent: &str, room: Room) {
        let Some((of, room)) = self.of(call.token, room) else { return };
        let taken = of.count(call, Counts::ACCEPTED, room);
        of.used(generation, call.at);
        of.called(call, agent);
        self.entries += taken;
    }

    fn count(&mut self, call: Call<'_>, counts: Counts, room: Room) {
        let Some((of, room)) = self.of(call.token, room) else { return };
        self.entries += of.count(call, counts, room);
    }

    fn keep(&mut self, token: Uuid, refusal: Noted, room: Room) {
        let full = self.refusals.len() >= room.refusals;
        let Some((of, _)) = self.of(token, room).filter(|(of, _)| !full && of.refusals < REFUSALS_OF_A_TOKEN) else {
            return;
        };
        of.refusals += 1;
        self.refusals.push((token, refusal));
    }

    /// Puts what came later to it.
    fn absorb(&mut self, later: Gathered, within: Room) {
        if self.tokens.is_empty() && later.entries <= within.entries {
            *self = later;
            return;
        }
        for (token, theirs) in later.tokens {
            let Some((of, room)) = self.of(token, within) else { continue };
            let mut taken = 0;
            for (date, theirs) in theirs.days {
                let left = room.saturating_sub(taken);
                taken += of.on(date, |day| day.absorb(theirs, left));
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
            self.keep(token, refusal, within);
        }
    }

    /// With how many more entries there may be.
    fn of(&mut self, token: Uuid, room: Room) -> Option<(&mut OfToken, usize)> {
        let of = match self.tokens.entry(token) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if self.entries >= room.entries => return None,
            Entry::Vacant(place) => {
                self.entries += 1;
                place.insert(OfToken::default())
            }
        };
        Some((of, room.entries.saturating_sub(self.entries)))
    }
}

impl Day {
    fn absorb(&mut self, later: Day, room: usize) -> usize {
        let mut taken = 0;
        for (method, counts) in later.methods.0 {
            taken += self.methods.add(method.as_str(), |name| name.into(), counts, room - taken);
        }
        for (ip, counts) in later.addresses.0 {
            taken += self.count_address(ip, counts, room - taken);
        }
        taken
    }

    fn count_address(&mut self, ip: Option<IpAddr>, counts: Counts, room: usize) -> usize {
        let full = self.addresses.0.len() >= ADDRESSES && self.addresses.get(&ip).is_none();
        self.addresses.add(&ip.filter(|_| !full), Option::clone, counts, room)
    }
}

impl<K> Tally<K> {
    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<Counts>
    where
        K: Borrow<Q>,
    {
        self.0.get(self.place(key).ok()?).map(|(_, counts)| *counts)
    }

    /// The answer is how many entries it took of the room.
    fn add<Q: Ord + ?Sized>(&mut self, key: &Q, own: impl FnOnce(&Q) -> K, counts: Counts, room: usize) -> usize
    where
        K: Borrow<Q>,
    {
        match self.place(key) {
            Ok(at) => self.0.get_mut(at).into_iter().for_each(|(_, known)| known.add(counts)),
            Err(_) if room == 0 => {}
            Err(at) => {
                self.0.insert(at, (own(key), counts));
                return 1;
            }
        }
        0
    }
}

impl OfToken {
    fn count(&mut self, call: Call<'_>, counts: Counts, room: usize) -> usize {
        self.on(call.at.utc().date_naive(), |day| {
            let taken = day.methods.add(call.method, |name| name.into(), counts, room);
            taken + day.count_address(call.ip, counts, room - taken)
        })
    }

    fn on(&mut self, date: NaiveDate, add: impl FnOnce(&mut Day) -> usize) -> usize {
        if let Some((_, day)) = self.days.iter_mut().find(|(of, _)| *of == date) {
            return add(day);
        }
        let mut day = Day::default();
        let taken = add(&mut day);
        self.days.push((date, day));
        taken
    }

    fn used(&mut self, generation: i64, at: Stamp) {
        match self.generations.iter_mut().find(|(number, _)| *number == generation) {
            Some((_, known)) => *known = at.max(*known),
            None => self.generations.push((generation, at)),
        }
    }

    /// A client's name is cleaned where it is another one than before.
    fn called(&mut self, call: Call<'_>, agent: &str) {
        let last = Use { at: call.at, ip: call.ip, agent: SmolStr::default() };
        match &mut self.last {
            Some(known) if known.at > call.at => {}
            Some(known) if known.agent == agent => *known = Use { agent: std::mem::take(&mut known.agent), ..last },
            known => *known = Some(Use { agent: clean(agent, AGENT_MOST).into(), ..last }),
        }
    }

    fn seen(&mut self, last: Use) {
        if self.last.as_ref().is_none_or(|known| known.at <= last.at) {
            self.last = Some(last);
        }
    }
}
