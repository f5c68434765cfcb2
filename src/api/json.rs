//! The JSON of the API: what each noun is told as, and what a call may send. An allow-list: nothing is told that does not stand here.

mod offers;
mod people;

pub use offers::{NewSet, Options};
pub use people::{
    AccountEdit, AccountQuery, Invitation, Member, Membership, NewAccount, NewService, NewTeam, NounQuery, Person,
    Service, ServiceEdit, ServiceOwner, Team, TeamEdit, TeamTold,
};

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use super::input::given;
use crate::catalogue::set::AccessSet;
use crate::catalogue::store::{self, Draft};
use crate::catalogue::{self, Catalogue};
use crate::policy::Policy;
use crate::token::list::Listed;
use crate::token::query::Row;
use crate::types::{AccountKind, Lines, MethodKind, Role, Stamp, Status, TeamRole, TokenKind};

/// The words of a type with a fixed choice.
macro_rules! words_of {
    ($($name:ident $of:ident)*) => {$(
        fn $name() -> Object {
            let words = $of::ALL.iter().map(|word| word.as_str());
            ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some(words)).build()
        }
    )*};
}
words_of! {
    status_words Status
    token_kinds TokenKind
    account_kinds AccountKind
    roles Role
    team_roles TeamRole
    method_kinds MethodKind
}

/// A page of a list. `next` goes into `after` to get the following one.
#[derive(Serialize, Deserialize)]
pub struct List<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
    /// Of the whole list; up to 10,000 are counted. `null` where counting would take long.
    pub total: Option<i64>,
}

/// By hand: what is derived for a type with a parameter leaves the parameter's own schema out.
impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        let of = Ref::from_schema_name(T::name());
        let whole = SchemaType::from_iter([Type::Integer, Type::Null]);
        let next = SchemaType::from_iter([Type::String, Type::Null]);
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(of))
            .property("next", ObjectBuilder::new().schema_type(next).description(Some("What goes into `after`.")))
            .property(
                "total",
                ObjectBuilder::new()
                    .schema_type(whole)
                    .minimum(Some(0))
                    .description(Some("Up to 10,000 are counted; null where counting would take long.")),
            )
            .required("items")
            .required("next")
            .required("total")
            .build()
            .into()
    }
}

impl<T: ToSchema> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

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
    /// The end of the day that many days from today. Left out with `expires_at`: as the policy proposes.
    #[schema(minimum = 1)]
    pub lifetime_days: Option<u32>,
    pub scopes: Option<Vec<String>>,
    /// Instead of scopes: the slug of an access set.
    pub access_set: Option<String>,
    #[schema(max_items = 128)]
    pub allow: Option<Vec<String>>,
    #[schema(max_items = 128)]
    pub ip_allow: Option<Vec<String>>,
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
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
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
    pub grace_seconds: Option<u32>,
    /// A new expiry for the token, as for generating; needed where it has expired.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expires_at: Option<Option<String>>,
}

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

/// What is wrong (RFC 9457).
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "detail": "There is no member “nmae” here.",
    "errors": [{ "field": "nmae", "message": "There is no member “nmae” here." }]
}))]
pub struct Problem {
    pub r#type: String,
    pub title: String,
    pub status: u16,
    /// A sentence for people.
    pub detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Under which the token's owner finds why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    pub field: String,
    pub message: String,
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
    pub fn of_browser(session: &crate::session::Session, policy: &Policy) -> Session {
        let idle = session.seen_at.plus(policy.idle());
        Session {
            id: session.id.to_string(),
            kind: "browser".into(),
            created_at: session.created_at,
            seen_at: session.seen_at,
            expires_at: idle.min(session.created_at.plus(policy.lifetime())),
            ip: session.ip.clone(),
            user_agent: session.agent.clone(),
            present: false,
        }
    }

    pub fn of_program(listed: &Listed, present: bool) -> Session {
        let token = &listed.token;
        let used = listed.used.clone();
        Session {
            id: token.id.to_string(),
            kind: "program".into(),
            created_at: token.created_at,
            seen_at: used.as_ref().map_or(token.created_at, |used| used.at),
            expires_at: token.expires_at.unwrap_or(token.created_at),
            ip: used.as_ref().map(|used| used.ip.clone()).unwrap_or_default(),
            user_agent: used.map(|used| used.agent).unwrap_or_default(),
            present,
        }
    }
}

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

/// A method that a token may be given.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Method {
    /// What a token's scopes name it by.
    pub scope: String,
    pub api: String,
    pub service: String,
    pub name: String,
    pub http_method: String,
    /// Template, with the API's base path.
    pub path: String,
    #[schema(schema_with = method_kinds)]
    pub kind: MethodKind,
    pub summary: String,
    pub docs_url: Option<String>,
    pub deprecated: bool,
    #[schema(schema_with = roles)]
    pub least_role: Role,
}

impl Method {
    pub fn of(api: &catalogue::Api, method: &catalogue::Method, catalogue: &Catalogue) -> Method {
        Method {
            scope: catalogue.show(&method.names.full),
            api: api.slug.clone(),
            service: method.service.clone(),
            name: method.name.clone(),
            http_method: method.http_method.clone(),
            path: format!("{}{}", api.base_path, method.path),
            kind: method.kind,
            summary: method.summary.clone(),
            docs_url: method.docs_url.clone(),
            deprecated: method.deprecated,
            least_role: method.least_role,
        }
    }

    /// What a search looks into.
    pub fn folded(&self) -> String {
        format!("{}/{}:{} {} {}", self.api, self.service, self.name, self.path, self.summary).to_lowercase()
    }

    /// Its place in the list of all.
    pub fn cursor(&self) -> String {
        format!("{}/{}:{}", self.api, self.service, self.name)
    }
}

/// The query of a list of methods.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MethodQuery {
    /// Short name of one API.
    pub api: Option<String>,
    pub q: String,
    #[schema(minimum = 1, maximum = 200, default = 50)]
    pub limit: Option<u16>,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// A named choice of methods that an operator offers.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = AccessSet)]
pub struct Set {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub api: String,
    pub scopes: Vec<String>,
    #[schema(schema_with = roles)]
    pub least_role: Role,
}

impl Set {
    pub fn of(api: &catalogue::Api, set: &AccessSet, catalogue: &Catalogue) -> Set {
        Set {
            slug: set.slug.clone(),
            name: set.name.clone(),
            description: set.description.clone(),
            api: api.slug.clone(),
            scopes: set.scopes.iter().map(|full| catalogue.show(full)).collect(),
            least_role: set.least_role,
        }
    }
}

/// An API whose description was imported.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Api {
    pub slug: String,
    pub title: String,
    /// The description's own version.
    pub version: String,
    /// `OpenAPI 3.0.0`
    pub dialect: String,
    pub hosts: Vec<String>,
    pub base_path: String,
    pub services: Vec<String>,
    #[schema(minimum = 0)]
    pub methods: i64,
    /// Templates that cannot be served as they stand.
    pub flaws: Vec<String>,
    /// What an operator said of it beside its description.
    pub options: Options,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Stamp,
    #[schema(value_type = String, format = DateTime)]
    pub imported_at: Stamp,
}

impl Api {
    pub fn of(api: &catalogue::Api) -> Api {
        Api {
            slug: api.slug.clone(),
            title: api.title.clone(),
            version: api.description_version.clone(),
            dialect: api.dialect.clone(),
            hosts: api.hosts.clone(),
            base_path: api.base_path.clone(),
            services: api.services.iter().map(|service| service.name.clone()).collect(),
            methods: api.methods.len() as i64,
            flaws: api.flaws.clone(),
            options: Options::of(&api.options),
            created_at: api.created_at,
            imported_at: api.imported_at,
        }
    }
}

/// The query of an import.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Import {
    /// Only say what would change.
    pub dry_run: bool,
}

/// What an import changed, or would change.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct Imported {
    pub slug: String,
    pub title: String,
    pub dry_run: bool,
    /// Whether it is the description that was there already, to the letter of what is kept of it.
    pub same: bool,
    /// Methods, as `SERVICE:METHOD`.
    pub added: Vec<String>,
    /// Requests to them are refused from then on.
    pub removed: Vec<String>,
    pub changed: Vec<ChangedMethod>,
    /// What the importer has to say.
    pub notes: Vec<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct ChangedMethod {
    pub method: String,
    pub was: String,
    pub becomes: String,
}

impl Imported {
    pub fn of(current: Option<&catalogue::Api>, draft: &Draft, same: bool, dry_run: bool) -> Imported {
        let difference = store::difference(current, draft);
        let changed = difference.changed.into_iter();
        Imported {
            slug: draft.slug.clone(),
            title: draft.description.title.clone(),
            dry_run,
            same,
            added: difference.added,
            removed: difference.removed,
            changed: changed.map(|(method, was, becomes)| ChangedMethod { method, was, becomes }).collect(),
            notes: draft.description.notes.clone(),
        }
    }
}

/// The operator's limits, by the names of the settings file.
#[derive(Serialize, Deserialize)]
pub struct PolicyJson(pub Policy);

impl PartialSchema for PolicyJson {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object)).build().into()
    }
}

impl ToSchema for PolicyJson {
    fn name() -> Cow<'static, str> {
        "Policy".into()
    }
}

/// Settings by their names; those that are left out stay.
#[derive(Deserialize)]
pub struct PolicyEdit(pub serde_json::Map<String, serde_json::Value>);

impl PartialSchema for PolicyEdit {
    fn schema() -> RefOr<Schema> {
        PolicyJson::schema()
    }
}

impl ToSchema for PolicyEdit {}

/// The query of a change of the policy.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyQuery {
    /// Cut the tokens that live longer than the new policy allows; left out, they keep their end.
    pub cut: bool,
}
