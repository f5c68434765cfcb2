//! What every request adds to, in as many parts as there are processors: each thread adds to its own, and waits for no other.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub struct Sharded<T> {
    first: Part<T>,
    others: Box<[Part<T>]>,
}

/// Two of them in one line of a processor's cache would make their threads wait for each other after all.
#[repr(align(128))]
#[derive(Default)]
struct Part<T>(Mutex<T>);

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}

impl<T: Default> Default for Sharded<T> {
    fn default() -> Sharded<T> {
        Sharded::in_parts(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl<T: Default> Sharded<T> {
    pub fn in_parts(count: usize) -> Sharded<T> {
        Sharded { first: Part::default(), others: (1..count).map(|_| Part::default()).collect() }
    }
}

impl<T> Sharded<T> {
    pub fn parts(&self) -> usize {
        self.others.len() + 1
    }

    /// The part of this thread.
    pub fn own(&self) -> MutexGuard<'_, T> {
        let nth = THREAD.with(|thread| *thread) % self.parts();
        self.others.get(nth).unwrap_or(&self.first).lock()
    }

    /// One after the other, each locked for as long as it is looked at.
    pub fn each(&self) -> impl Iterator<Item = MutexGuard<'_, T>> {
        std::iter::once(&self.first).chain(&self.others).map(Part::lock)
    }
}

impl<T> Part<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_add_is_all_there() {
        let sum: Sharded<u64> = Sharded::in_parts(3);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..1_000).for_each(|_| *sum.own() += 1));
            }
        });
        assert_eq!(sum.each().map(|part| *part).sum::<u64>(), 8_000);
    }
}
