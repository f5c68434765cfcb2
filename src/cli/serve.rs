//! `hallpass serve`: listens until SIGTERM or Ctrl+C, then answers what was accepted and stops.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::open;
use crate::app::App;
use crate::config::Config;
use crate::{door, jobs, server};

/// Longer than the server waits for requests, so that their last use is still written.
const LONGEST_FAREWELL: Duration = Duration::from_secs(25);
const FILL_AGAIN: Duration = Duration::from_secs(1);

pub fn run(mut config: Config) -> Result<(), String> {
    config.limits.connections = door::room_for_connections(config.limits.connections);
    let app = open(&config)?;
    app.follow().map_err(|error| format!("The database cannot be read: {error}"))?;
    let (public, audit_days) = (config.public_url.clone(), config.audit_days);
    let listens_elsewhere = public.port() == Some(0);
    actix_web::rt::System::new().block_on(async move {
        // Before anybody is told that it listens: a signal that comes at once is to end it in order as well.
        let failed = |cause: std::io::Error| format!("Signals cannot be heard: {cause}.");
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let bound = server::bind(app.clone(), config)?;
        let public = if listens_elsewhere { format!("http://{}/", bound.address) } else { public.to_string() };
        println!("Hallpass {} listens on {public}", env!("CARGO_PKG_VERSION"));
        if let Some(code) = &bound.setup_code {
            println!("There is no account yet. Set up the first owner at {public}setup?code={code}");
        }
        std::thread::spawn({
            let app = app.clone();
            move || fill(&app)
        });
        let (stop, stopped) = watch::channel(false);
        let jobs = tokio::spawn(jobs::run(app, audit_days, stopped));
        let handle = bound.server.handle();
        let server = tokio::spawn(bound.server.run());
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping: what was accepted is answered; a second signal stops at once");
        let finished = async {
            handle.stop(true).await;
            let _ = server.await;
            let _ = stop.send(true);
            let _ = jobs.await;
        };
        let in_order = tokio::select! {
            () = finished => true,
            _ = terminate.recv() => false,
            _ = interrupt.recv() => false,
            () = tokio::time::sleep(LONGEST_FAREWELL) => false,
        };
        // Not by returning: a thread that waits for a silent database would hold the process.
        std::process::exit(if in_order { 0 } else { 1 })
    })
}

/// Beside the first requests, and again and again where the database fails.
#[allow(clippy::disallowed_methods, reason = "this thread has nothing else to do")]
fn fill(app: &Arc<App>) {
    while let Err(cause) = app.fill() {
        tracing::error!(error = ?cause, "the tokens cannot be read; each is looked up until they can");
        std::thread::sleep(FILL_AGAIN);
    }
    tracing::info!(values = app.index.len(), "every token is in memory");
}
