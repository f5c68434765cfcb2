//! What runs beside the requests: following the database, writing last use, dropping what is past use.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::app::App;
use crate::error::Result;
use crate::{account, confirm, session, usage};

const FOLLOW_EVERY: Duration = Duration::from_millis(300);
const FLUSH_EVERY: Duration = Duration::from_secs(5);
const PRUNE_EVERY: Duration = Duration::from_secs(10 * 60);

/// Runs until `stop` turns true; then the last use is written once more.
pub async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut follow = tokio::time::interval(FOLLOW_EVERY);
    let mut flush = tokio::time::interval(FLUSH_EVERY);
    let mut prune = tokio::time::interval(PRUNE_EVERY);
    for interval in [&mut follow, &mut flush, &mut prune] {
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        tokio::select! {
            _ = follow.tick() => blocking(&app, "follow", App::follow).await,
            _ = flush.tick() => blocking(&app, "flush", flush_usage).await,
            _ = prune.tick() => blocking(&app, "prune", prune_all).await,
            _ = stop.changed() => break,
        }
    }
    blocking(&app, "flush", flush_usage).await;
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
    app.usage.flush(|gathered| app.write_now(|tx| usage::save(tx, gathered)))?;
    Ok(())
}

pub fn prune_all(app: &App) -> Result<()> {
    app.write_now(|tx| {
        session::prune(tx)?;
        confirm::prune(tx)?;
        account::prune_guesses(tx)?;
        Ok(())
    })
}
