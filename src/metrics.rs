//! What is counted while verifying, and all of it as a page for Prometheus. Labels come from fixed lists, never from a request.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::app::App;
use crate::decision::{Denial, Verdict};
use crate::error::{Error, Result};
use crate::sharded::Sharded;
use crate::types::Stamp;

/// Seconds. A verdict takes microseconds; what takes longer waits for a processor.
const BUCKETS: [f64; 11] =
    [0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.005, 0.025, 0.1, f64::INFINITY];

/// With the word of the rule that refused, if one did.
type Outcome = (Kind, &'static str);

/// Compared as a number: every request is counted under one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Pass,
    NoCredential,
    Unknown,
    Refused,
    TooMany,
    Stale,
    Unclear,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Kind::Pass => "pass",
            Kind::NoCredential => "no_credential",
            Kind::Unknown => "unknown",
            Kind::Refused => "refused",
            Kind::TooMany => "too_many",
            Kind::Stale => "stale",
            Kind::Unclear => "unclear",
        }
    }
}

pub struct Metrics {
    answers: Sharded<Answers>,
    flush_failures: Counter,
    /// In milliseconds of the clock; at first the start.
    flushed: AtomicI64,
    started: Stamp,
}

/// What was answered: how often, and how long it took.
#[derive(Clone, Default, Debug)]
struct Answers {
    verdicts: BTreeMap<Outcome, u64>,
    /// Of each of [`BUCKETS`] alone.
    durations: [u64; BUCKETS.len()],
    /// Seconds.
    sum: f64,
}

/// One question of a proxy; counted and timed when it is dropped.
pub struct Asking<'a> {
    metrics: &'a Metrics,
    since: Instant,
    outcome: Outcome,
}

impl Metrics {
    pub fn new(now: Stamp) -> Metrics {
        Metrics {
            answers: Sharded::default(),
            flush_failures: Counter::default(),
            flushed: AtomicI64::new(now.millis()),
            started: now,
        }
    }

    /// Until it is told otherwise, the question could not be judged.
    pub fn asked(&self, since: Instant) -> Asking<'_> {
        Asking { metrics: self, since, outcome: (Kind::Unclear, "") }
    }

    pub fn flushed(&self, now: Stamp, succeeded: bool) {
        match succeeded {
            true => self.flushed.store(now.millis(), Ordering::Relaxed),
            false => drop(self.flush_failures.inc()),
        }
    }
}

impl Asking<'_> {
    /// What is known is too old to judge by.
    pub fn stale(&mut self) {
        self.outcome = (Kind::Stale, "");
    }

    pub fn judged(&mut self, verdict: &Verdict) {
        self.outcome = match verdict {
            Ok(_) => (Kind::Pass, ""),
            Err(Denial::NoCredential) => (Kind::NoCredential, ""),
            Err(Denial::Unknown) => (Kind::Unknown, ""),
            Err(Denial::Ended(refusal)) => (Kind::Unknown, refusal.rule.as_str()),
            Err(Denial::Refused(refusal)) => (Kind::Refused, refusal.rule.as_str()),
            Err(Denial::TooMany(refusal, _)) => (Kind::TooMany, refusal.rule.as_str()),
            Err(Denial::Unsure) => (Kind::Stale, ""),
        };
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let seconds = self.since.elapsed().as_secs_f64();
        self.metrics.answers.own().add(self.outcome, seconds);
    }
}

impl Answers {
    fn add(&mut self, outcome: Outcome, seconds: f64) {
        *self.verdicts.entry(outcome).or_default() += 1;
        let bucket = BUCKETS.iter().zip(&mut self.durations).find(|(most, _)| seconds <= **most);
        if let Some((_, count)) = bucket {
            *count += 1;
        }
        self.sum += seconds;
    }

    fn absorb(mut self, other: &Answers) -> Answers {
        for (outcome, count) in &other.verdicts {
            *self.verdicts.entry(*outcome).or_default() += count;
        }
        self.durations.iter_mut().zip(other.durations).for_each(|(own, count)| *own += count);
        Answers { sum: self.sum + other.sum, ..self }
    }
}

#[derive(Debug)]
struct Verdicts(Answers);

#[derive(Debug)]
struct Durations(Answers);

impl EncodeMetric for Verdicts {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for ((kind, rule), count) in &self.0.verdicts {
            encoder
                .encode_family(&[("verdict", kind.as_str()), ("rule", rule)])?
                .encode_counter::<NoLabelSet, u64, f64>(count, None)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Counter
    }
}

impl EncodeMetric for Durations {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let Answers { durations, sum, .. } = &self.0;
        let buckets: Vec<(f64, u64)> = BUCKETS.into_iter().zip(durations.iter().copied()).collect();
        encoder.encode_histogram::<NoLabelSet>(*sum, durations.iter().sum(), &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}

/// All of it as it stands, in the text format of OpenMetrics 1.0.
pub fn page(app: &App, now: Stamp) -> Result<String> {
    let metrics = &app.metrics;
    let seconds_since = |millis: i64| ConstGauge::new((now.millis() - millis).max(0) as f64 / 1000.0);
    let count = |number: usize| ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
    let mut all = Registry::with_prefix("hallpass");
    all.register("build", "The running program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
    let start: Gauge<f64, std::sync::atomic::AtomicU64> = Gauge::default();
    start.set(metrics.started.millis() as f64 / 1000.0);
    all.register_with_unit("start_time", "When the program started, since 1970", Unit::Seconds, start);
    let answers = metrics.answers.each().fold(Answers::default(), |sum, part| sum.absorb(&part));
    all.register("verdicts", "Answers of /verify by kind, and by the rule that refused", Verdicts(answers.clone()));
    all.register_with_unit("verify_duration", "Time to a verdict", Unit::Seconds, Durations(answers));
    all.register("index_values", "Values of tokens in memory", count(app.index.len()));
    all.register("index_whole", "Whether every token is in memory", count(usize::from(app.index.is_whole())));
    all.register("index_accounts", "Accounts in memory", count(app.index.accounts()));
    all.register("usage_entries", "Counts of calls that are not written yet", count(app.usage.waiting()));
    let lag = seconds_since(metrics.flushed.load(Ordering::Relaxed));
    all.register_with_unit("usage_flush_age", "Since counts of calls were last written", Unit::Seconds, lag);
    all.register(
        "usage_flush_failures",
        "Writes of counts that failed and are tried again",
        metrics.flush_failures.clone(),
    );
    let dropped = Counter::<u64>::default();
    dropped.inc_by(app.usage.dropped());
    all.register("usage_calls_dropped", "Calls that the bounds of memory left uncounted", dropped);
    let age = seconds_since(app.heard().map_or(metrics.started.millis(), |heard| heard.timestamp_millis()));
    all.register_with_unit("feed_age", "Since the database was last heard", Unit::Seconds, age);
    let mut text = String::new();
    encode(&mut text, &all).map_err(Error::internal)?;
    Ok(text)
}
