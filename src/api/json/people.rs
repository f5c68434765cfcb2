//! The JSON of people, service accounts and teams.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{account_kinds, roles, team_roles};
use crate::account::Account;
use crate::account::list::Listed;
use crate::account::service::{Owner, owner_of};
use crate::team;
use crate::types::{AccountKind, Role, Stamp, TeamRole};

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Account)]
pub struct Person {
    pub id: String,
    #[schema(schema_with = account_kinds)]
    pub kind: AccountKind,
    pub name: String,
    pub email: Option<String>,
    #[schema(schema_with = roles)]
    pub role: Role,
    /// `active`, `invited` or `disabled`.
    pub status: String,
    pub enabled: bool,
    /// Names of the teams that they are in.
    pub teams: Vec<String>,
    /// Living tokens of theirs.
    pub tokens: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Stamp,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub seen_at: Option<Stamp>,
    /// In which the days of an expiry are meant, such as `Europe/Berlin`.
    pub time_zone: String,
}

impl Person {
    pub fn of(listed: &Listed) -> Person {
        let account = &listed.account;
        Person {
            id: account.id.to_string(),
            kind: account.kind,
            name: account.name.clone(),
            email: account.email.clone(),
            role: account.role,
            status: listed.state.word().to_owned(),
            enabled: account.enabled,
            teams: listed.teams.clone(),
            tokens: listed.tokens,
            created_at: account.created_at,
            seen_at: listed.seen,
            time_zone: account.zone().name().to_owned(),
        }
    }
}

#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct AccountQuery {
    /// `invited` or `disabled`.
    pub status: Option<String>,
    #[schema(schema_with = roles)]
    pub role: Option<Role>,
    /// Words, each the beginning of one in the name or e-mail address.
    pub q: String,
    #[schema(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// `next` of the page before.
    pub after: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "Jan Peters", "email": "jan@example.com", "role": "contributor" }))]
pub struct NewAccount {
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    pub email: String,
    #[schema(schema_with = roles)]
    pub role: Role,
}

/// Whoever has the link sets the password. It is told this once.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Invitation {
    pub account: Person,
    pub link: String,
}

#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "role": "admin" }))]
pub struct AccountEdit {
    #[schema(schema_with = roles)]
    pub role: Option<Role>,
    /// `false` freezes all tokens of the account and ends its sessions, at once.
    pub enabled: Option<bool>,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = ServiceAccount)]
pub struct Service {
    pub id: String,
    pub name: String,
    pub description: String,
    #[schema(schema_with = roles)]
    pub role: Role,
    pub owner: Option<ServiceOwner>,
    pub owner_name: String,
    pub enabled: bool,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Stamp,
}

/// A person or a team, by id.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ServiceOwner {
    Person(String),
    Team(String),
}

impl Service {
    pub fn of(account: &Account, owner_name: String) -> Service {
        Service {
            id: account.id.to_string(),
            name: account.name.clone(),
            description: account.description.clone(),
            role: account.role,
            owner: owner_of(account).map(|owner| match owner {
                Owner::Person(id) => ServiceOwner::Person(id.to_string()),
                Owner::Team(id) => ServiceOwner::Team(id.to_string()),
            }),
            owner_name,
            enabled: account.enabled,
            created_at: account.created_at,
        }
    }
}

#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "backup", "role": "token_creator" }))]
pub struct NewService {
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    #[schema(max_length = 500)]
    pub description: Option<String>,
    /// At most the caller's own.
    #[schema(schema_with = roles)]
    pub role: Role,
    /// Left out: the caller.
    pub owner: Option<ServiceOwner>,
}

#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "description": "Nightly backup" }))]
pub struct ServiceEdit {
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    #[schema(max_length = 500)]
    pub description: Option<String>,
    #[schema(schema_with = roles)]
    pub role: Option<Role>,
    pub owner: Option<ServiceOwner>,
    pub enabled: Option<bool>,
}

/// The query of a list that is searched by words.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NounQuery {
    /// Words of the name or the description.
    pub q: String,
    #[schema(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// `next` of the page before.
    pub after: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Team {
    pub id: String,
    pub name: String,
    pub description: String,
    pub members: i64,
    pub managers: i64,
    pub service_accounts: i64,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Stamp,
}

impl Team {
    pub fn of(listed: &team::Listed) -> Team {
        Team {
            id: listed.team.id.to_string(),
            name: listed.team.name.clone(),
            description: listed.team.description.clone(),
            members: listed.members,
            managers: listed.managers,
            service_accounts: listed.services,
            created_at: listed.team.created_at,
        }
    }
}

/// A team with its members.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct TeamTold {
    pub id: String,
    pub name: String,
    pub description: String,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Stamp,
    pub members: Vec<Member>,
}

impl TeamTold {
    pub fn of(team: &team::Team, members: Vec<Member>) -> TeamTold {
        TeamTold {
            id: team.id.to_string(),
            name: team.name.clone(),
            description: team.description.clone(),
            created_at: team.created_at,
            members,
        }
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct Member {
    /// Of the account.
    pub id: String,
    pub name: String,
    pub email: Option<String>,
    #[schema(schema_with = team_roles)]
    pub role: TeamRole,
    #[schema(value_type = String, format = DateTime)]
    pub since: Stamp,
}

impl Member {
    pub fn of(member: &team::member::Member) -> Member {
        Member {
            id: member.account.id.to_string(),
            name: member.account.name.clone(),
            email: member.account.email.clone(),
            role: member.role,
            since: member.since,
        }
    }
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "role": "member" }))]
pub struct Membership {
    #[schema(schema_with = team_roles)]
    pub role: TeamRole,
}

#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({ "name": "DNS" }))]
pub struct NewTeam {
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    #[schema(max_length = 500)]
    pub description: Option<String>,
    /// Ids of people; left out: the caller.
    pub managers: Option<Vec<String>>,
}

#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(example = json!({ "description": "Those who mind the zones" }))]
pub struct TeamEdit {
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    #[schema(max_length = 500)]
    pub description: Option<String>,
}
