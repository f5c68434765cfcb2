//! Where a million tokens are found: nine bytes for each, as the keys stand in the tokens themselves.

use std::sync::{Arc, PoisonError, RwLock};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use uuid::Uuid;

use super::Token;
use crate::secret::Digest;

/// Who looks and who learns meet in the same one of these seldom, and then for less than a microsecond.
const SHARDS: usize = 256;

pub struct ByDigest([RwLock<HashTable<Arc<Token>>>; SHARDS]);

impl Default for ByDigest {
    fn default() -> ByDigest {
        ByDigest(std::array::from_fn(|_| RwLock::default()))
    }
}

impl ByDigest {
    pub fn find(&self, digest: &Digest) -> Option<Arc<Token>> {
        let shard = self.shard(digest)?.read().unwrap_or_else(PoisonError::into_inner);
        shard.find(hash_of(digest), |token| token.digest == *digest).cloned()
    }

    pub fn put(&self, token: Arc<Token>) {
        let Some(shard) = self.shard(&token.digest) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        let digest = token.digest;
        match shard.entry(hash_of(&digest), |other| other.digest == digest, |other| hash_of(&other.digest)) {
            Entry::Occupied(mut place) => *place.get_mut() = token,
            Entry::Vacant(place) => drop(place.insert(token)),
        }
    }

    pub fn remove(&self, digest: &Digest) {
        let Some(shard) = self.shard(digest) else { return };
        let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
        if let Ok(place) = shard.find_entry(hash_of(digest), |token| token.digest == *digest) {
            place.remove();
        }
    }

    /// For so many more: without it, what is filled with a million grows twenty times, and looks at every token each time.
    pub fn reserve(&self, more: usize) {
        for shard in &self.0 {
            let mut shard = shard.write().unwrap_or_else(PoisonError::into_inner);
            shard.reserve(more / SHARDS + more / SHARDS / 16, |token| hash_of(&token.digest));
        }
    }

    /// Holds up nobody for longer than a 256th of them takes.
    pub fn each(&self, mut look: impl FnMut(&Token)) {
        for shard in &self.0 {
            shard.read().unwrap_or_else(PoisonError::into_inner).iter().for_each(|token| look(token));
        }
    }

    pub fn len(&self) -> usize {
        self.0.iter().map(|shard| shard.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }

    /// By a byte that is not in [`hash_of`].
    fn shard(&self, digest: &Digest) -> Option<&RwLock<HashTable<Arc<Token>>>> {
        self.0.get(usize::from(*digest.bytes().last()?))
    }
}

/// Digests are uniform already.
fn hash_of(digest: &Digest) -> u64 {
    digest.bytes().first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[derive(Default)]
pub struct ById(HashTable<Arc<Token>>);

impl ById {
    pub fn reserve(&mut self, more: usize) {
        self.0.reserve(more, |token| hash_of_id(&token.id));
    }

    pub fn find(&self, id: &Uuid) -> Option<&Arc<Token>> {
        self.0.find(hash_of_id(id), |token| token.id == *id)
    }

    pub fn put(&mut self, token: Arc<Token>) {
        let id = token.id;
        match self.0.entry(hash_of_id(&id), |other| other.id == id, |other| hash_of_id(&other.id)) {
            Entry::Occupied(mut place) => *place.get_mut() = token,
            Entry::Vacant(place) => drop(place.insert(token)),
        }
    }

    pub fn remove(&mut self, id: &Uuid) {
        if let Ok(place) = self.0.find_entry(hash_of_id(id), |token| token.id == *id) {
            place.remove();
        }
    }
}

/// The last 48 bits of an id are random (see `Tx::id`): the lowest stay, and the highest get of all.
fn hash_of_id(id: &Uuid) -> u64 {
    id.as_u64_pair().1.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
