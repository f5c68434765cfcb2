//! The JSON of the audit log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::types::Stamp;

/// One row of the audit log.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Event {
    pub id: String,
    #[schema(value_type = String, format = DateTime)]
    pub at: Stamp,
    /// `NOUN.VERB`, such as `token.generate`.
    pub action: String,
    pub actor: EventActor,
    pub subject: EventSubject,
    /// What it was before and after, as far as the action has that.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
    pub ip: String,
    pub user_agent: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct EventActor {
    /// `null` for the operator, and for who is nobody yet.
    pub id: Option<String>,
    pub name: String,
    /// By what right: `session ID`, `token ID`, `command line`.
    pub via: String,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct EventSubject {
    pub kind: String,
    pub id: String,
    pub name: String,
}

impl Event {
    pub fn of(event: &crate::audit::Event) -> Event {
        Event {
            id: event.id.to_string(),
            at: event.at,
            action: event.action.clone(),
            actor: EventActor {
                id: event.actor_id.as_ref().map(ToString::to_string),
                name: event.actor_name.clone(),
                via: event.via.clone(),
            },
            subject: EventSubject {
                kind: event.subject_kind.clone(),
                id: event.subject_id.clone(),
                name: event.subject_name.clone(),
            },
            detail: serde_json::from_str(&event.detail).unwrap_or_default(),
            ip: event.ip.clone(),
            user_agent: event.agent.clone(),
        }
    }
}

/// The query of a list of events.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct EventQuery {
    /// Everybody's: for administrators.
    pub all: bool,
    /// `token.generate`, or `token` for all that is done to tokens.
    pub action: String,
    /// Id of the token, account, API or session that it is about.
    pub subject: String,
    pub q: String,
    #[schema(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// `next` of the page before.
    pub after: Option<String>,
}
