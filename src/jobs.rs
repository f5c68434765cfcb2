//! What runs beside the requests: following the database, writing use, dropping what is past use.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::error::Result;
use crate::{account, confirm, refusal, repeat, session, token, usage};

const FOLLOW_EVERY: Duration = Duration::from_millis(300);
const FLUSH_EVERY: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(10 * 60);

/// Runs until `stop` turns true; then use is written once more. Each has a loop of its own: a slow flush must not
/// keep verification from hearing the news.
pub async fn run(app: Arc<App>, stop: watch::Receiver<bool>) {
    tokio::join!(
        every(FOLLOW_EVERY, &app, "follow", App::follow, stop.clone()),
        every(FLUSH_EVERY, &app, "flush", flush_usage, stop.clone()),
        every(PRUNE_EVERY, &app, "prune", prune_all, stop),
    );
    blocking(&app, "flush", flush_usage).await;
}

async fn every(
    span: Duration,
    app: &Arc<App>,
    job: &'static str,
    work: fn(&App) -> Result<()>,
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

async fn blocking(app: &Arc<App>, job: &'static str, work: fn(&App) -> Result<()>) {
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

pub fn prune_all(app: &App) -> Result<()> {
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
