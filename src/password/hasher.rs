//! Argon2id on a fixed number of threads with memory that is reused: a flood of sign-ins waits in a bounded queue
//! instead of taking 19 MiB each (ASVS 15.1.3, 15.2.2).

use super::Password;
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt as PhcSalt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::{io, mem};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, Instant, timeout_at};

/// Random bytes of one hash (RFC 9106 section 3.1 recommends 16).
pub type Salt = [u8; 16];

/// What the 503 of [`HashError::Busy`] says in `Retry-After`.
pub const BUSY_RETRY_SECONDS: u32 = 2;

const QUEUE: usize = 64;
const PATIENCE: Duration = Duration::from_secs(2);
const OUTPUT: usize = 32;

/// What one hash costs: KiB of memory, passes over it, lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

impl Cost {
    /// ASVS 11.4.2 by way of the OWASP password storage cheat sheet.
    pub const STANDARD: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };

    /// The most that a stored hash may ask for, so that one row cannot take the machine's memory or minutes of a thread.
    const MOST: Self = Self { memory_kib: 65_536, passes: 8, lanes: 4 };

    fn params(self) -> Result<Params, HashError> {
        Params::new(self.memory_kib, self.passes, self.lanes, Some(OUTPUT)).map_err(|_| HashError::Failed)
    }
}

impl Default for Cost {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// As many threads as the machine has cores, one where that is not known.
pub fn cores() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    pub matches: bool,
    /// The password is right and its hash cheaper than today's: hash it again while the text is at hand.
    pub needs_rehash: bool,
}

impl Verdict {
    const NO: Self = Self { matches: false, needs_rehash: false };
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HashError {
    /// Not begun within two seconds; 503 with `Retry-After`.
    #[error("Too many passwords are being checked at this moment. Try again in a few seconds.")]
    Busy,
    #[error("A password can have at most 1,024 characters. Choose a shorter one.")]
    TooLong,
    /// The stored text is no argon2id hash, or asks for more than [`Hasher`] grants.
    #[error("The stored password of this account cannot be read. An administrator has to set a new one.")]
    Unreadable,
    /// The thread broke off: no memory, no random bytes.
    #[error("The password could not be checked. Try again.")]
    Failed,
}

/// Hashes and verifies passwords on its own threads; shared by reference or `Arc`. Dropping it ends the threads.
pub struct Hasher {
    engine: Arc<Engine>,
    /// `None` only while it is being dropped.
    queue: Option<mpsc::Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// Of the blocking variants, which take turns.
    spare: Mutex<Memory>,
}

type Memory = Vec<Block>;

struct Job {
    /// Set by whoever comes first: the thread that begins the work, or the asker who has lost patience.
    taken: Arc<AtomicBool>,
    work: Work,
}

type Work = Box<dyn FnOnce(&Engine, &mut Memory) + Send>;

impl Hasher {
    /// `salt` is called on the hashing threads, once for each hash; when it panics, that hash fails and nothing else.
    pub fn new(threads: NonZeroUsize, cost: Cost, salt: impl Fn() -> Salt + Send + Sync + 'static) -> io::Result<Self> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let receiver = Arc::new(Mutex::new(receiver));
        let engine = Arc::new(Engine { cost, salt: Box::new(salt) });
        let mut hasher = Self { engine, queue: Some(sender), threads: Vec::new(), spare: Mutex::new(Vec::new()) };
        for number in 1..=threads.get() {
            let (engine, receiver) = (Arc::clone(&hasher.engine), Arc::clone(&receiver));
            let thread = thread::Builder::new().name(format!("password-{number}"));
            hasher.threads.push(thread.spawn(move || labour(&engine, &receiver))?);
        }
        Ok(hasher)
    }

    /// The PHC string of a new password. Judge it first: this refuses only what is too long.
    pub async fn hash(&self, password: Password) -> Result<String, HashError> {
        if !password.fits() {
            return Err(HashError::TooLong);
        }
        self.run(move |engine, memory| engine.hash(&password, memory)).await
    }

    /// `phc` is `None` where there is no such account or it has no password: the same work, and never a match.
    pub async fn verify(&self, password: Password, phc: Option<String>) -> Result<Verdict, HashError> {
        if !password.fits() {
            return Ok(Verdict::NO);
        }
        self.run(move |engine, memory| engine.verify(&password, phc.as_deref(), memory)).await
    }

    /// As [`Hasher::hash`], on the calling thread, for the command line.
    pub fn hash_blocking(&self, password: &Password) -> Result<String, HashError> {
        if !password.fits() {
            return Err(HashError::TooLong);
        }
        self.engine.hash(password, &mut lock(&self.spare))
    }

    /// As [`Hasher::verify`], on the calling thread, for the command line.
    pub fn verify_blocking(&self, password: &Password, phc: Option<&str>) -> Result<Verdict, HashError> {
        if !password.fits() {
            return Ok(Verdict::NO);
        }
        self.engine.verify(password, phc, &mut lock(&self.spare))
    }

    /// How many KiB the blocking variants keep.
    #[cfg(test)]
    pub(super) fn spare_blocks(&self) -> usize {
        lock(&self.spare).capacity()
    }

    /// Waits two seconds at most for the work to begin, and then for as long as it takes.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Engine, &mut Memory) -> Result<T, HashError> + Send + 'static,
    ) -> Result<T, HashError> {
        let deadline = Instant::now() + PATIENCE;
        let queue = self.queue.as_ref().ok_or(HashError::Failed)?;
        let place = timeout_at(deadline, queue.reserve()).await.map_err(|_| HashError::Busy)?;
        let place = place.map_err(|_| HashError::Failed)?;
        let (reply, mut answer) = oneshot::channel();
        let taken = Arc::new(AtomicBool::new(false));
        place.send(Job {
            taken: Arc::clone(&taken),
            work: Box::new(move |engine, memory| {
                // Nobody waits for it any more: a client that hangs up must not buy work.
                if !reply.is_closed() {
                    // It may hang up meanwhile; there is nothing left to do then.
                    let _ = reply.send(work(engine, memory));
                }
            }),
        });
        match timeout_at(deadline, &mut answer).await {
            Ok(answered) => answered.unwrap_or(Err(HashError::Failed)),
            Err(_) if !taken.swap(true, Ordering::AcqRel) => Err(HashError::Busy),
            Err(_) => answer.await.unwrap_or(Err(HashError::Failed)),
        }
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to tell.
            let _ = thread.join();
        }
    }
}

/// One thread's life: job after job, in memory that it keeps, until the hasher is dropped.
fn labour(engine: &Engine, queue: &Mutex<mpsc::Receiver<Job>>) {
    let mut memory = Memory::new();
    loop {
        // The lock is held while waiting, so the idle threads queue up for it; it is let go before the work.
        let next = lock(queue).blocking_recv();
        let Some(job) = next else { return };
        if job.taken.swap(true, Ordering::AcqRel) {
            continue;
        }
        // A panic drops the reply, which the asker sees as `Failed`, and the memory, which may be half written.
        let mut lent = mem::take(&mut memory);
        let done = catch_unwind(AssertUnwindSafe(move || {
            (job.work)(engine, &mut lent);
            lent
        }));
        memory = done.unwrap_or_default();
    }
}

/// What is behind the locks stays sound whatever panics: a receiver, and memory that each hash writes anew.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Engine {
    cost: Cost,
    salt: Box<dyn Fn() -> Salt + Send + Sync>,
}

impl Engine {
    fn hash(&self, password: &Password, memory: &mut Memory) -> Result<String, HashError> {
        let params = self.cost.params()?;
        let salt = (self.salt)();
        let params_text = ParamsString::try_from(&params).map_err(|_| HashError::Failed)?;
        let mut output = [0; OUTPUT];
        self.fill(password, params, &salt, &mut output, memory)?;
        let phc = PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(Version::V0x13.into()),
            params: params_text,
            salt: Some(PhcSalt::new(&salt).map_err(|_| HashError::Failed)?),
            hash: Some(Output::new(&output).map_err(|_| HashError::Failed)?),
        };
        Ok(phc.to_string())
    }

    fn verify(&self, password: &Password, phc: Option<&str>, memory: &mut Memory) -> Result<Verdict, HashError> {
        let Some(phc) = phc else {
            self.fill(password, self.cost.params()?, &[0; 16], &mut [0; OUTPUT], memory)?;
            return Ok(Verdict::NO);
        };
        let stored = self.read(phc)?;
        let mut output = vec![0; stored.hash.len()];
        let needs_rehash = self.is_cheaper(&stored);
        self.fill(password, stored.params, stored.salt.as_ref(), &mut output, memory)?;
        let output = Output::new(&output).map_err(|_| HashError::Failed)?;
        // `Output` compares in constant time.
        let matches = output == stored.hash;
        Ok(Verdict { matches, needs_rehash: matches && needs_rehash })
    }

    fn read(&self, phc: &str) -> Result<Stored, HashError> {
        let phc = PasswordHash::new(phc).map_err(|_| HashError::Unreadable)?;
        let params = Params::try_from(&phc).map_err(|_| HashError::Unreadable)?;
        let ours = phc.algorithm == ARGON2ID_IDENT && phc.version == Some(Version::V0x13.into());
        let modest = params.m_cost() <= Cost::MOST.memory_kib.max(self.cost.memory_kib)
            && params.t_cost() <= Cost::MOST.passes.max(self.cost.passes)
            && params.p_cost() <= Cost::MOST.lanes.max(self.cost.lanes);
        match (phc.salt, phc.hash) {
            (Some(salt), Some(hash)) if ours && modest => Ok(Stored { params, salt, hash }),
            _ => Err(HashError::Unreadable),
        }
    }

    fn is_cheaper(&self, stored: &Stored) -> bool {
        stored.params.m_cost() < self.cost.memory_kib
            || stored.params.t_cost() < self.cost.passes
            || stored.hash.len() < OUTPUT
            || stored.salt.as_ref().len() < size_of::<Salt>()
    }

    fn fill(
        &self,
        password: &Password,
        params: Params,
        salt: &[u8],
        output: &mut [u8],
        memory: &mut Memory,
    ) -> Result<(), HashError> {
        let needed = params.block_count();
        // Exactly that much; and where there is none left, one refusal instead of the end of the process.
        memory.try_reserve_exact(needed.saturating_sub(memory.len())).map_err(|_| HashError::Failed)?;
        if memory.len() < needed {
            memory.resize(needed, Block::new());
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let done = argon2.hash_password_into_with_memory(password.as_bytes(), salt, output, &mut **memory);
        self.give_back(memory);
        done.map_err(|_| HashError::Failed)
    }

    /// A stored hash may have asked for more memory than ours; the thread does not keep it.
    fn give_back(&self, memory: &mut Memory) {
        let own = self.cost.params().map_or(0, |params| params.block_count());
        if memory.len() > own {
            memory.truncate(own);
            memory.shrink_to_fit();
        }
    }
}

struct Stored {
    params: Params,
    salt: PhcSalt,
    hash: Output,
}
