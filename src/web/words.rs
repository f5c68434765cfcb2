//! How the core's nouns are worded on pages: access, expiry, last use, statuses, field labels.

use super::page::{FieldError, FieldErrors, Tone, counted};
use super::picker::Kind;
use super::tokens_pages::{self as pages, When};
use crate::account::Account;
use crate::actor::wording;
use crate::catalogue::{Catalogue, Method};
use crate::error::Problem;
use crate::token::list::{Listed, Used};
use crate::types::{Lines, MethodKind, Role, Stamp, Status};
use crate::when::{self, DateStyle, Zone};

/// The person's way of reading time.
#[derive(Clone, Copy)]
pub struct Reading {
    pub now: Stamp,
    pub zone: Zone,
    pub dates: DateStyle,
}

impl Reading {
    pub fn of(account: &Account, now: Stamp) -> Reading {
        Reading { now, zone: account.zone(), dates: account.dates() }
    }

    pub fn date(&self, at: Stamp) -> String {
        when::date(at.utc(), self.zone, self.dates)
    }

    pub fn moment(&self, at: Stamp) -> String {
        when::moment(at.utc(), self.now.utc(), self.zone, self.dates)
    }

    pub fn ago(&self, at: Stamp) -> String {
        when::ago(at.utc(), self.now.utc(), self.zone)
    }
}

/// Errors with the labels of their fields.
pub fn field_errors(problems: &[Problem]) -> FieldErrors {
    let named = problems.iter().map(|problem| FieldError {
        field: problem.field,
        label: label(problem.field),
        text: problem.sentence.clone(),
    });
    FieldErrors(named.collect())
}

fn label(field: &str) -> &'static str {
    match field {
        "code" => "Set-up code",
        "name" => "Name",
        "email" => "E-mail",
        "password" => "Password",
        "new_password" => "New password",
        "new_password_again" => "New password again",
        "time_zone" => "Time zone",
        "date_style" => "Dates",
        "description" => "Description",
        "expires_at" | "lifetime" => "Expires at",
        "m" | "set" => "Access",
        "allow" => "Only these resources",
        "ip_allow" => "Only from these addresses",
        "rate_per_minute" => "Requests per minute",
        "slug" => "Short name",
        "file" => "Description file",
        "text" => "Pasted description",
        "hosts" => "Hosts",
        "base_path" => "Base path",
        "greedy" => "Rest of the path",
        "kinds" => "Kinds",
        "least_roles" => "Least roles",
        "resources" => "Resources",
        "least_role" => "Least role",
        "scopes" => "Methods",
        _ => "Form",
    }
}

/// The name of the access set, or Custom.
pub fn access(catalogue: &Catalogue, set: Option<&str>) -> String {
    match set {
        None => "Custom".to_owned(),
        Some(slug) => catalogue.set(slug).map_or_else(|| slug.to_owned(), |set| set.name.clone()),
    }
}

/// "15 methods, read and write, no delete".
pub fn access_summary(catalogue: &Catalogue, scopes: &Lines) -> String {
    let methods: Vec<&Method> = catalogue.apis().iter().flat_map(|api| api.allowed_by(scopes)).collect();
    let has = |kind| methods.iter().any(|m| m.kind == kind);
    let deletes = methods.iter().filter(|m| m.kind == MethodKind::Delete).count();
    let kinds = match (has(MethodKind::Read), has(MethodKind::Write), deletes) {
        (_, _, 0) if methods.is_empty() => return "no method".to_owned(),
        (true, true, 0) => "read and write, no delete".to_owned(),
        (true, false, 0) => "read only".to_owned(),
        (false, true, 0) => "write, no delete".to_owned(),
        (_, _, n) if n == methods.len() => "delete".to_owned(),
        (_, _, n) => format!("{n} of them can delete"),
    };
    format!("{}, {kinds}", counted(methods.len(), "method", "methods"))
}

pub fn expires(end: Option<Stamp>, status: Status, reading: &Reading) -> When {
    let Some(end) = end else {
        return When { text: "Never".into(), sub: "no expiry set".into(), tone: Tone::Warn, iso: String::new() };
    };
    When {
        iso: end.rfc3339(),
        text: reading.date(end),
        sub: when::relative_day(end.utc(), reading.now.utc(), reading.zone),
        tone: match status {
            Status::Expired => Tone::Bad,
            Status::Expiring => Tone::Warn,
            _ => Tone::Plain,
        },
    }
}

pub fn used(used: Option<&Used>, reading: &Reading) -> When {
    match used {
        None => When { text: "never".into(), ..When::default() },
        Some(used) => {
            When { iso: used.at.rfc3339(), text: reading.ago(used.at), sub: reading.moment(used.at), tone: Tone::Plain }
        }
    }
}

pub fn status(status: Status) -> pages::Status {
    match status {
        Status::Active => pages::Status::Active,
        Status::Expiring => pages::Status::Expiring,
        Status::Grace => pages::Status::Grace,
        Status::Expired => pages::Status::Expired,
        Status::Disabled => pages::Status::Disabled,
        Status::Frozen => pages::Status::Frozen,
        Status::Removed => pages::Status::Removed,
    }
}

pub fn kind(kind: MethodKind) -> Kind {
    match kind {
        MethodKind::Read => Kind::Read,
        MethodKind::Write => Kind::Write,
        MethodKind::Delete => Kind::Delete,
    }
}

/// The least role as a table shows it: nothing where every role reaches.
pub fn least_role(role: Role) -> String {
    match role {
        Role::Viewer => String::new(),
        role => wording(role).to_owned(),
    }
}

/// "Expired 3 Nov 2026. Last used 3 Nov, 23:50 from 10.4.0.17."
pub fn standing(listed: &Listed, reading: &Reading) -> String {
    let state = match (listed.status, listed.token.expires_at) {
        (Status::Expired, Some(end)) => format!("Expired {}", reading.date(end)),
        (other, _) => status(other).word().to_owned(),
    };
    let used = match &listed.used {
        None => "Never used".to_owned(),
        Some(used) if used.ip.is_empty() => format!("Last used {}", reading.moment(used.at)),
        Some(used) => format!("Last used {} from {}", reading.moment(used.at), used.ip),
    };
    format!("{state}. {used}.")
}
