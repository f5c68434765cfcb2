//! The JSON of tokens.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{account_kinds, status_words, token_kinds};
use crate::api::input::{given, given_number, whole_number};
use crate::catalogue::Catalogue;
use crate::token::query::Row;
use crate::types::{AccountKind, Lines, Stamp, Status, TokenKind};

/// A token; never its value.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "id": "019ab2c4-7a10-7c3e-8a51-0d2f6b1e9c44", "name": "ci-deploy", "description": "Deploys the zones", "kind": "personal",
    "owner": { "id": "019ab2c0-11aa-7b00-9d5e-4a1c2b3d4e5f", "kind": "person", "name": "Maria Keller" },
    "created_by": "019ab2c0-11aa-7b00-9d5e-4a1c2b3d4e5f", "starts_with": "hp_3kT9a", "status": "active",
    "scopes": ["zones:listZones"], "access_set": null, "allow": ["zones:example.org"], "ip_allow": ["10.4.0.0/16"],
    "rate_per_minute": 60, "enabled": true, "created_at": "2026-11-23T09:40:00.000Z",
    "expires_at": "2027-02-21T22:59:59.000Z", "removed_at": null, "previous_expires_at": null,
    "last_used": { "at": "2026-11-23T09:41:12.000Z", "ip": "203.0.113.9", "user_agent": "curl/8.5.0" }
}))]
pub struct Token {
    pub id: String,
    pub name: String,
    pub description: String,
    #[schema(schema_with = token_kinds)]
    pub kind: TokenKind,
    pub owner: Owner,
    /// The account that generated it, or `operator`.
    pub created_by: String,
    /// The first characters of its value.
    pub starts_with: String,
    #[schema(schema_with = status_words)]
    pub status: Status,
    /// `SERVICE:METHOD`, `SERVICE:*` or `*`, with `API/` in front where there is more than one API.
    pub scopes: Vec<String>,
    /// The access set that it was generated with.
    pub access_set: Option<String>,
    /// `SERVICE:ID` or `SERVICE:*`: the resources that it is narrowed to.
    pub allow: Vec<String>,
    /// Addresses and networks that it may be used from.
    pub ip_allow: Vec<String>,
    pub rate_per_minute: Option<i64>,
    pub enabled: bool,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Stamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Stamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub removed_at: Option<Stamp>,
    /// Until when its former value is accepted beside the present one.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub previous_expires_at: Option<Stamp>,
    pub last_used: Option<LastUse>,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Owner {
    pub id: String,
    #[schema(schema_with = account_kinds)]
    pub kind: AccountKind,
    pub name: String,
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LastUse {
    #[schema(value_type = String, format = DateTime)]
    pub at: Stamp,
    pub ip: String,
    pub user_agent: String,
}

impl Token {
    pub fn of(row: &Row, catalogue: &Catalogue) -> Token {
        let (listed, token) = (&row.listed, &row.listed.token);
        let shown = |list: &Lines| list.iter().map(|full| catalogue.show(full)).collect();
        Token {
            id: token.id.to_string(),
            name: token.name.clone(),
            description: token.description.clone(),
            kind: token.kind,
            owner: Owner { id: row.owner.id.to_string(), kind: row.owner.kind, name: row.owner.name.clone() },
            created_by: token.created_by.clone(),
            starts_with: listed.starts_with.clone(),
            status: listed.status,
            scopes: shown(&token.scopes),
            access_set: token.access_set.clone(),
            allow: shown(&token.allow),
            ip_allow: token.ip_allow.iter().map(str::to_owned).collect(),
            rate_per_minute: token.rate_per_minute,
            enabled: token.enabled,
            created_at: token.created_at,
            expires_at: token.expires_at,
            removed_at: token.removed_at,
            previous_expires_at: listed.grace_until,
            last_used: listed.used.clone().map(|used| LastUse { at: used.at, ip: used.ip, user_agent: used.agent }),
        }
    }
}

/// A token with its value, which is told this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Revealed {
    /// `null` where the call was repeated under its key: the value was in the first answer and is kept nowhere.
    pub value: Option<String>,
    pub token: Token,
}

/// What a token is to be.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "name": "ci-deploy", "lifetime_days": 30, "scopes": ["zones:listZones", "zones:readZone"] }))]
pub struct NewToken {
    /// Left out: `token-` and five letters.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    #[schema(max_length = 500)]
    pub description: Option<String>,
    /// The account that it is for: its id, a person's e-mail address or a service account's name; left out: the caller's own.
    pub owner: Option<String>,
    /// An instant (RFC 3339), or a day, which means the end of it; `null`: never, where the policy allows it.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Option<String>>,
    /// The end of the day that many days from today; 0 is today. Left out with `expires_at`: as the policy proposes.
    #[serde(deserialize_with = "whole_number")]
    #[schema(minimum = 0, maximum = 36_500)]
    pub lifetime_days: Option<u32>,
    pub scopes: Option<Vec<String>>,
    /// Instead of scopes: the slug of an access set.
    pub access_set: Option<String>,
    #[schema(max_items = 128)]
    pub allow: Option<Vec<String>>,
    #[schema(max_items = 128)]
    pub ip_allow: Option<Vec<String>>,
    #[serde(deserialize_with = "whole_number")]
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub rate_per_minute: Option<u32>,
}

/// What is to be other than it is; members that are left out stay.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "description": "Deploys zones and records", "enabled": true }))]
pub struct TokenEdit {
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    #[schema(max_length = 500)]
    pub description: Option<String>,
    /// As for generating.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Option<String>>,
    pub scopes: Option<Vec<String>>,
    #[schema(max_items = 128)]
    pub allow: Option<Vec<String>>,
    #[schema(max_items = 128)]
    pub ip_allow: Option<Vec<String>>,
    /// `null`: no limit.
    #[serde(deserialize_with = "given_number", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 1_000_000)]
    pub rate_per_minute: Option<Option<u32>>,
    pub enabled: Option<bool>,
}

/// When the former value stops: at once where nothing is said.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "grace_seconds": 86400 }))]
pub struct Regeneration {
    /// An instant (RFC 3339).
    pub previous_expires_at: Option<String>,
    #[serde(deserialize_with = "whole_number")]
    #[schema(maximum = 31_536_000)]
    pub grace_seconds: Option<u32>,
    /// A new expiry for the token, as for generating; needed where it has expired.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Option<String>>,
}

/// The query of a list of tokens.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TokenQuery {
    /// Id of the account whose tokens are meant; left out: the caller's own.
    pub owner: Option<String>,
    /// Everybody's: for administrators.
    pub all: bool,
    /// Those of one status alone.
    #[schema(schema_with = status_words)]
    pub status: Option<Status>,
    pub include_expired: bool,
    pub include_removed: bool,
    /// Words of the name or the description, or the first characters of a value.
    pub q: String,
    /// `created`, `name`, `expires` or `used`, with `-` in front for the other direction. Left out: newest first.
    pub sort: Option<String>,
    #[schema(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// The query of a removal.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Removal {
    /// Delete it for good, with its counts; the audit log stays.
    pub purge: bool,
}
