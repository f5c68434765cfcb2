//! What the description says of members beyond their types: how a text is written, how long a list may be, and which members
//! go together. The rules themselves are in the core.

use serde_json::{Map, Value, json};

use crate::types::Role;

/// What no text of ours holds: control characters, and those that hide or turn the text around them.
macro_rules! unprintable {
    () => {
        r"\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    };
}

/// White space that may stand in a text.
macro_rules! blank {
    () => {
        r" \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000"
    };
}

/// A text of one line with something to read in it, and without these.
macro_rules! name_without {
    ($more:literal) => {
        concat!(
            "^[^",
            unprintable!(),
            $more,
            "]*[^",
            unprintable!(),
            blank!(),
            $more,
            "][^",
            unprintable!(),
            $more,
            "]*$"
        )
    };
}

/// `SERVICE:METHOD` with stars.
macro_rules! methods {
    () => {
        "[!-9;-~]+:[!-~]+"
    };
}

const LINE: &str = concat!("^[^", unprintable!(), "]*$");
const NAME: &str = name_without!("");
/// Names of teams go into one header, set apart by commas.
const TEAM_NAME: &str = name_without!(",");
/// A service account is never taken for a person.
const SERVICE_NAME: &str = name_without!("@");
/// As browsers check it (HTML, section 4.10.5.1.5).
const EMAIL: &str = concat!(
    "^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?",
    r"(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$"
);
pub const SLUG: &str = "^[a-z0-9][a-z0-9-]{0,39}$";
const SCOPE: &str = r"^([a-z0-9][a-z0-9-]*/)?([A-Za-z0-9._-]+:)?(\*|[A-Za-z0-9._/-]+)$";
const RESOURCE: &str = r"^([a-z0-9][a-z0-9-]*/)?[A-Za-z0-9._-]+:[!-~]{1,300}$";
const NETWORK_V4: &str = r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])\.){3}(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])$";
/// Written out, or with the rest left out at the end.
const NETWORK_V6: &str =
    r"^(([0-9a-fA-F]{1,4}:){7}[0-9a-fA-F]{1,4}|([0-9a-fA-F]{1,4}:){1,6}:|::)/(12[0-8]|1[01][0-9]|[1-9]?[0-9])$";
const BASE_PATH: &str = "^(/[A-Za-z0-9._~-]+)*$";
const HOST: &str = r"^([a-zA-Z0-9]+(-[a-zA-Z0-9]+)*\.)*[a-zA-Z][a-zA-Z0-9]*(-[a-zA-Z0-9]+)*(:[1-9][0-9]{0,3})?$";
/// Of one parameter of a query.
pub const LONGEST_PARAMETER: usize = 300;
/// In a parameter of a query.
const WITHOUT_NUL: &str = r"^[^\u0000]*$";

/// Adds to the schema of that type what its members look like, and which of them go together.
pub fn tell(of: &str, schema: &mut Value) {
    if let Some(members) = schema["properties"].as_object_mut() {
        for (name, member) in members {
            extend(member, looks(of, name));
        }
    }
    extend(schema, together(of));
}

/// Adds to a parameter of a query what every one has.
pub fn tell_parameter(schema: &mut Value) {
    if schema["type"] != "string" || !schema["enum"].is_null() || !schema["pattern"].is_null() {
        return;
    }
    extend(schema, json!({ "maxLength": LONGEST_PARAMETER }));
    if schema["format"].is_null() {
        extend(schema, json!({ "pattern": WITHOUT_NUL }));
    }
}

fn extend(schema: &mut Value, with: Value) {
    if let (Some(schema), Value::Object(with)) = (schema.as_object_mut(), with) {
        schema.extend(with);
    }
}

#[rustfmt::skip]
fn looks(of: &str, member: &str) -> Value {
    match (of, member) {
        ("NewToken" | "TokenEdit" | "NewAccount", "name") => json!({ "pattern": NAME }),
        ("NewTeam" | "TeamEdit", "name") => json!({ "pattern": TEAM_NAME }),
        ("NewService" | "ServiceEdit", "name") => json!({ "pattern": SERVICE_NAME }),
        ("NewToken" | "TokenEdit" | "NewTeam" | "TeamEdit" | "NewService" | "ServiceEdit", "description") => {
            json!({ "pattern": LINE })
        }
        ("NewAccount", "email") => json!({ "pattern": EMAIL, "maxLength": 254 }),
        ("AccountEdit" | "ServiceEdit", "role") | ("NewAccessSet", "least_role") => {
            let words = Role::ALL.iter().map(|role| json!(role.as_str())).chain([Value::Null]);
            json!({ "type": ["string", "null"], "enum": words.collect::<Vec<_>>() })
        }
        ("NewTeam", "managers") => json!({ "items": id(), "minItems": 1, "uniqueItems": true }),
        ("NewToken" | "TokenEdit", "scopes") => json!({ "items": scope(), "minItems": 1 }),
        ("NewToken" | "TokenEdit", "allow") => lines(RESOURCE),
        ("NewToken" | "TokenEdit", "ip_allow") => json!({ "items": network() }),
        ("NewToken", "access_set") | ("NewAccessSet", "api") => json!({ "pattern": SLUG }),
        ("NewAccessSet", "name") => json!({ "pattern": NAME }),
        ("NewAccessSet", "description") => json!({ "pattern": LINE }),
        ("NewAccessSet", "scopes") => json!({ "items": scope(), "minItems": 1 }),
        ("NewToken" | "TokenEdit" | "Regeneration", "expires_at") => json!({
            "anyOf": [{ "type": "string", "format": "date-time" }, { "type": "string", "format": "date" }, { "type": "null" }],
        }),
        ("ApiOptions", "base_path") => json!({ "pattern": BASE_PATH }),
        ("ApiOptions", "hosts") => lines(HOST),
        ("ApiOptions", "greedy") => lines(concat!("^", methods!(), "$")),
        ("ApiOptions", "kinds") => lines(concat!("^(read|write|delete) ", methods!(), "$")),
        ("ApiOptions", "least_roles") => lines(concat!("^(viewer|token_creator|contributor|admin|owner) ", methods!(), "$")),
        ("ApiOptions", "resources") => lines("^[!-~]+ [!-~]+$"),
        ("Regeneration", "previous_expires_at") => json!({ "format": "date-time" }),
        ("TokenQuery" | "AccountQuery" | "NounQuery" | "EventQuery" | "SessionQuery", "after") => json!({ "format": "uuid" }),
        ("TokenQuery", "owner") => json!({ "format": "uuid" }),
        ("TokenQuery", "sort") => {
            json!({ "enum": ["created", "-created", "name", "-name", "expires", "-expires", "used", "-used"] })
        }
        ("AccountQuery", "status") => json!({ "enum": ["invited", "disabled"] }),
        ("MethodQuery", "api") => json!({ "pattern": SLUG }),
        _ => Value::Null,
    }
}

/// Rules between members.
fn together(of: &str) -> Value {
    match of {
        "NewToken" => json!({
            "anyOf": [
                { "required": ["scopes"], "properties": { "scopes": { "type": "array" }, "access_set": { "type": "null" } } },
                { "required": ["access_set"], "properties": { "access_set": { "type": "string" }, "scopes": { "type": "null" } } },
            ],
            "not": { "required": ["expires_at", "lifetime_days"], "properties": { "lifetime_days": { "type": "integer" } } },
        }),
        "Regeneration" => json!({
            "not": {
                "required": ["previous_expires_at", "grace_seconds"],
                "properties": { "previous_expires_at": { "type": "string" }, "grace_seconds": { "type": "integer" } },
            },
        }),
        "ServiceOwner" => {
            let one = |name: &str| json!({ "type": "object", "properties": { name: id() }, "required": [name], "additionalProperties": false });
            json!({ "oneOf": [one("person"), one("team")] })
        }
        "Policy" => policy(true),
        "PolicyEdit" => policy(false),
        _ => Value::Null,
    }
}

/// An id, as the answers tell it.
pub fn id() -> Value {
    json!({ "type": "string", "format": "uuid" })
}

/// A list whose empty entries are left aside.
fn lines(pattern: &str) -> Value {
    json!({ "items": { "anyOf": [{ "type": "string", "pattern": pattern }, { "type": "string", "maxLength": 0 }] } })
}

/// One of Hallpass's own is told by name; those of other APIs are in `GET /api/v1/methods`.
fn scope() -> Value {
    let own = crate::catalogue::own::requests();
    let mut own: Vec<String> =
        own.map(|(service, name, ..)| format!("{}/{service}:{name}", crate::scope::OWN_API)).collect();
    own.extend(["*".to_owned(), format!("{}/*", crate::scope::OWN_API)]);
    own.sort();
    json!({ "anyOf": [{ "type": "string", "enum": own }, { "type": "string", "pattern": SCOPE }] })
}

/// An address or a network.
fn network() -> Value {
    json!({
        "anyOf": [
            { "type": "string", "format": "ipv4" },
            { "type": "string", "format": "ipv6" },
            { "type": "string", "pattern": NETWORK_V4 },
            { "type": "string", "pattern": NETWORK_V6 },
            { "type": "string", "maxLength": 0 },
        ],
    })
}

/// The settings of the policy, by the bounds that `Policy::check` holds.
fn policy(is_whole: bool) -> Value {
    let days = |least: u32| json!({ "type": "integer", "minimum": least, "maximum": 36_500 });
    let seconds = || json!({ "type": "integer", "minimum": 300, "maximum": 366 * 86_400 });
    let by_role: Map<String, Value> =
        crate::policy::OF_ROLES.iter().map(|(role, _)| (role.to_string(), days(1))).collect();
    let extenders: Vec<&str> = crate::types::Extender::ALL.iter().map(|word| word.as_str()).collect();
    let settings = json!({
        "default_lifetime": days(1),
        "max_lifetime": days(1),
        "max_lifetime_by_role": { "type": "object", "properties": by_role, "additionalProperties": false },
        "allow_never": { "type": "boolean" },
        "extend_expiry": { "type": "string", "enum": extenders },
        "confirm": {
            "anyOf": [{ "type": "string", "enum": ["always"] }, { "type": "integer", "minimum": 1, "maximum": 24 * 60 }],
        },
        "max_grace": { "type": "integer", "minimum": 0, "maximum": 365 },
        "tokens_per_account": { "type": "integer", "minimum": 1, "maximum": 1_000_000 },
        "token_api": { "type": "boolean" },
        "session_idle": seconds(),
        "session_lifetime": seconds(),
        "password_min": { "type": "integer", "minimum": 8, "maximum": 128 },
        "expiring_notice": {
            "type": "array", "minItems": 1, "maxItems": 10,
            "items": { "type": "integer", "minimum": 1, "maximum": 365 },
        },
        "value_in_query": { "type": "boolean" },
    });
    let names: Vec<&String> = settings.as_object().into_iter().flat_map(Map::keys).collect();
    let required = if is_whole { json!(names) } else { json!([]) };
    json!({ "type": "object", "required": required, "additionalProperties": false, "properties": settings })
}
