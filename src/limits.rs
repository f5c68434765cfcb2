//! How many clients may be connected, and how long each of them may take for what.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; further ones wait in the system's queue.
    pub connections: usize,
    /// For a whole head, from connecting or from its first byte.
    pub head: Duration,
    /// Between an answer and the next request.
    pub idle: Duration,
    /// For a body, and for taking an answer; for each `rate` bytes of it a second more, so that slow lines get large files
    /// through and nobody stays by sending or taking a little now and then.
    pub body: Duration,
    pub write: Duration,
    pub rate: u32,
    /// How often a connection is looked at: it may outlive its limit by so much.
    pub look: Duration,
    /// While stopping: how long new clients are still let in, and how long what was accepted may take after that.
    pub farewell: Duration,
    pub patience: Duration,
}

impl Limits {
    /// An idle connection stays longer than nginx keeps one (60 s), so that it is nginx that ends it.
    pub const STANDARD: Limits = Limits {
        connections: 16_000,
        head: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        body: Duration::from_secs(10),
        write: Duration::from_secs(10),
        rate: 10_000,
        look: Duration::from_secs(1),
        farewell: Duration::from_secs(1),
        patience: Duration::from_secs(15),
    };

    /// The time that so many bytes are worth.
    pub fn earned(&self, bytes: u64) -> Duration {
        Duration::from_millis(bytes.saturating_mul(1000) / u64::from(self.rate.max(1)))
    }
}
