//! Where the sign-in cookie's key leads: to the row of its session, found by the key's digest.

use std::collections::HashMap;
use std::sync::Arc;

use actix_session::SessionMiddleware;
use actix_session::config::{BrowserSession, CookieContentSecurity};
use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Key, SameSite};

use crate::app::App;
use crate::config::Config;
use crate::secret::Digest;
use crate::session;
use crate::types::SessionId;

/// The one entry of the state: the session's id, as JSON.
pub const SESSION: &str = "session";
/// In its place when the database did not answer.
pub const UNAVAILABLE: &str = "unavailable";

type State = HashMap<String, String>;

#[derive(Clone)]
pub struct Sessions(pub Arc<App>);

/// Under TLS the name keeps the cookie to this host (RFC 6265bis, section 4.1.3.2).
pub fn cookie_name(config: &Config) -> &'static str {
    if config.has_tls() { "__Host-hallpass" } else { "hallpass" }
}

pub fn middleware(app: &Arc<App>, config: &Config, key: &Key) -> SessionMiddleware<Sessions> {
    SessionMiddleware::builder(Sessions(app.clone()), key.clone())
        .cookie_name(cookie_name(config).into())
        .cookie_secure(config.has_tls())
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_content_security(CookieContentSecurity::Signed)
        .session_lifecycle(BrowserSession::default())
        .build()
}

fn digest(key: &SessionKey) -> Digest {
    Digest::of(key.as_ref())
}

/// The row that a new state belongs to; signing in has made it.
fn session_of(state: &State) -> Option<SessionId> {
    let json = state.get(SESSION)?;
    serde_json::from_str(json).ok()
}

fn other(cause: impl std::fmt::Display) -> anyhow::Error {
    anyhow::Error::msg(cause.to_string())
}

impl SessionStore for Sessions {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let (app, digest) = (self.0.clone(), digest(key));
        let now = app.now();
        let found = self.0.read(move |conn| session::find(conn, digest, now, &app.policy())).await;
        let found = match found {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            // An error here would leave without headers, page and log line: whoever needs the session answers for it.
            Err(_) => return Ok(Some(HashMap::from([(UNAVAILABLE.to_owned(), "true".to_owned())]))),
        };
        let json = serde_json::to_string(&found.id).map_err(|cause| LoadError::Deserialization(other(cause)))?;
        if session::is_stale(&found, now) {
            // A database that cannot be written must not sign anybody out.
            let _ = self.0.write(move |tx| session::touch(tx, &found.id)).await;
        }
        Ok(Some(HashMap::from([(SESSION.to_owned(), json)])))
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let session = session_of(&state).ok_or_else(|| SaveError::Other(other("a session without a row")))?;
        let text = self.0.random.base62(43).map_err(|cause| SaveError::Other(other(cause)))?.to_string();
        let key = SessionKey::try_from(text).map_err(|cause| SaveError::Other(other(cause)))?;
        let digest = digest(&key);
        let bound = self.0.write(move |tx| session::bind(tx, &session, digest)).await;
        bound.map_err(|cause| SaveError::Other(other(cause)))?;
        Ok(key)
    }

    /// The state never changes under one key: signing in makes a new one.
    async fn update(&self, key: SessionKey, _: State, _: &Duration) -> Result<SessionKey, UpdateError> {
        Ok(key)
    }

    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        let digest = digest(key);
        self.0.write(move |tx| session::end(tx, digest)).await.map_err(other)
    }
}
