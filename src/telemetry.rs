//! Log lines: one for a request, one for what goes wrong. Nothing that a client sent is printed as it came.

use tracing_subscriber::EnvFilter;

/// Only our own lines are ever more talkative than `warn`: other crates print what they read, credentials too.
pub fn start(level: tracing::Level, json: bool) {
    let filter = EnvFilter::new(format!("warn,hallpass={}", level.as_str().to_lowercase()));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    // A second start (tests) keeps the first.
    let _ = if json { lines.json().flatten_event(true).try_init() } else { lines.with_ansi(false).try_init() };
}
