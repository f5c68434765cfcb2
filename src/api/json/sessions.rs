//! The JSON of signing in, of who asks, and of sessions.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Token, account_kinds, roles};
use crate::session::everywhere::Place;
use crate::types::{AccountKind, Role, Stamp};

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "email": "maria@example.com", "password": "seven green bicycles ride" }))]
pub struct Login {
    pub email: String,
    #[schema(format = Password)]
    pub password: String,
}

/// Who asks.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    pub account: Me,
    #[schema(schema_with = roles)]
    pub role: Role,
    pub token: Token,
    pub scopes: Vec<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Me {
    pub id: String,
    #[schema(schema_with = account_kinds)]
    pub kind: AccountKind,
    pub name: String,
    /// People only.
    pub email: Option<String>,
    /// In which the days of an expiry are meant, such as `Europe/Berlin`.
    pub time_zone: String,
}

impl Me {
    pub fn of(account: &crate::account::Account) -> Me {
        Me {
            id: account.id.to_string(),
            kind: account.kind,
            name: account.name.clone(),
            email: account.email.clone(),
            time_zone: account.zone().name().to_owned(),
        }
    }
}

/// A browser or a program that a person is signed in with.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Session {
    pub id: String,
    /// `browser`, or `program` for a session token.
    pub kind: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Stamp,
    pub ip: String,
    pub user_agent: String,
    /// Whether it is the one that asks.
    pub present: bool,
}

impl Session {
    pub fn of(place: &Place, present: bool) -> Session {
        Session {
            id: place.id.to_string(),
            kind: if place.is_program { "program" } else { "browser" }.into(),
            created_at: place.created_at,
            seen_at: place.seen_at,
            expires_at: place.ends_at,
            ip: place.ip.clone(),
            user_agent: place.agent.clone(),
            present,
        }
    }
}

/// The query of a list of sessions.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SessionQuery {
    #[schema(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// `next` of the page before.
    pub after: Option<String>,
}
