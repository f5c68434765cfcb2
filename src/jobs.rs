//! What runs beside the requests: following the database, writing use, dropping what is past use.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::app::App;
use crate::audit::retention;
use crate::error::Result;
use crate::policy_change::cutting;
use crate::{account, confirm, refusal, repeat, session, token, usage};

const FOLLOW_EVERY: Duration = Duration::from_millis(300);
const FLUSH_EVERY: Duration = Duration::from_secs(5);
/// For twenty thousand busy tokens a flush is a second's work: the longer it takes, the longer the next one waits, so that
/// verification keeps its processors.
const FLUSH_SHARE: u32 = 50;
const FLUSH_AT_LATEST: Duration = Duration::from_secs(60);
/// How late lists may be that are sorted by last use.
const CATCH_UP_EVERY: Duration = Duration::from_secs(60);
/// Tokens of one of its changes: nobody waits long behind it.
const CAUGHT_UP_AT_ONCE: usize = 500;
const PRUNE_EVERY: Duration = Duration::from_secs(10 * 60);

/// Runs until `stop` turns true; then use is written once more. Each has a loop of its own: a slow flush must not
/// keep verification from hearing the news. `audit_days` is how long events are kept; `None` for ever.
pub async fn run(app: Arc<App>, audit_days: Option<u32>, stop: watch::Receiver<bool>) {
    tokio::join!(
        every(FOLLOW_EVERY, &app, "follow", App::follow, stop.clone()),
        flush_by_and_by(&app, stop.clone()),
        every(CATCH_UP_EVERY, &app, "catch up", catch_up, stop.clone()),
        every(PRUNE_EVERY, &app, "prune", prune_all, stop.clone()),
        every(PRUNE_EVERY, &app, "audit", move |app| prune_audit(app, audit_days), stop.clone()),
        resume_cutting(&app, stop),
    );
    blocking(&app, "flush", flush_usage).await;
}

async fn every(
    span: Duration,
    app: &Arc<App>,
    job: &'static str,
    work: impl Fn(&App) -> Result<()> + Copy + Send + 'static,
    mut stop: watch::Receiver<bool>,
) {
    let mut interval = tokio::time::interval(span);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => blocking(app, job, work).await,
            _ = stop.changed() => break,
        }
    }
}

async fn flush_by_and_by(app: &Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut due = Duration::ZERO;
    loop {
        tokio::select! {
            () = tokio::time::sleep(FLUSH_EVERY) => {}
            _ = stop.changed() => break,
        }
        due = due.saturating_sub(FLUSH_EVERY);
        if due.is_zero() || app.usage.is_filling() {
            let began = Instant::now();
            blocking(app, "flush", flush_usage).await;
            due = (began.elapsed() * FLUSH_SHARE).min(FLUSH_AT_LATEST);
        }
    }
}

/// Not on the blocking pool as a whole: it may take minutes, and a stop waits for what runs there.
async fn resume_cutting(app: &Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        let round = async {
            tokio::time::sleep(CATCH_UP_EVERY).await;
            if let Err(cause) = cutting::resume(app).await {
                tracing::warn!(job = "cut", error = ?cause, "a job failed; it is tried again");
            }
        };
        tokio::select! {
            () = round => {}
            _ = stop.changed() => break,
        }
    }
}

async fn blocking(app: &Arc<App>, job: &'static str, work: impl Fn(&App) -> Result<()> + Send + 'static) {
    let app = app.clone();
    let done = tokio::task::spawn_blocking(move || work(&app)).await;
    match done {
        Ok(Ok(())) => {}
        Ok(Err(cause)) => tracing::warn!(job, error = ?cause, "a job failed; it is tried again"),
        Err(cause) => tracing::error!(job, error = %cause, "a job broke off; it is tried again"),
    }
}

pub fn flush_usage(app: &App) -> Result<()> {
    let written = app.usage.flush(|gathered| app.write_now(|tx| usage::save(tx, gathered)));
    app.metrics.flushed(app.now(), written.is_ok());
    written.map(drop)
}

/// Writes the last use of tokens where lists are sorted by it.
pub fn catch_up(app: &App) -> Result<()> {
    let behind = app.db.read(token::all::behind)?;
    for some in behind.chunks(CAUGHT_UP_AT_ONCE) {
        app.write_now(|tx| token::all::catch_up(tx, some))?;
    }
    Ok(())
}

pub fn prune_all(app: &App) -> Result<()> {
    while app.write_now(account::list::index_words)? > 0 {}
    app.write_now(|tx| {
        session::prune(tx)?;
        confirm::prune(tx)?;
        account::prune_guesses(tx)?;
        usage::prune(tx)?;
        refusal::prune(tx)?;
        repeat::prune(tx)?;
        token::session::prune(tx)?;
        token::purge::prune(tx)?;
        Ok(())
    })
}

/// Events that are past their days, some at a time so that nobody waits long for the writer; then what was deleted is told.
pub fn prune_audit(app: &App, days: Option<u32>) -> Result<()> {
    let Some(days) = days else { return Ok(()) };
    let (limit, mut deleted) = (retention::limit(app.now(), days), 0);
    loop {
        match app.write_now(|tx| retention::delete_some(tx, limit))? {
            0 => break,
            some => deleted += some,
        }
    }
    if deleted > 0 { app.write_now(|tx| retention::tell(tx, deleted)) } else { Ok(()) }
}
