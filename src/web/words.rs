//! How the core's nouns are worded on pages: access, expiry, last use, statuses, field labels.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::page::{Fact, FieldError, FieldErrors, Tone, counted, number};
use super::picker::Kind;
use super::policy_words;
use super::session::SignedIn;
use super::tokens_pages::{self as pages, When};
use crate::account::Account;
use crate::actor::wording;
use crate::audit::Event;
use crate::catalogue::{Catalogue, Method};
use crate::error::Problem;
use crate::token::Token;
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

    /// `Mon 23 Nov, 10:40`, for an end that is near.
    pub fn weekday_moment(&self, at: Stamp) -> String {
        when::moment_with_weekday(at.utc(), self.now.utc(), self.zone, self.dates)
    }

    /// `20 Feb 2027 (in 90 days)`
    pub fn due(&self, end: Stamp) -> String {
        when::due(end.utc(), self.now.utc(), self.zone, self.dates)
    }

    /// Within the last hour: something still depends on what was used then.
    pub fn is_recent(&self, at: Stamp) -> bool {
        self.now < at.plus(chrono::TimeDelta::hours(1))
    }

    pub fn is_past(&self, end: Option<Stamp>) -> bool {
        end.is_some_and(|end| end <= self.now)
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
        "grace" => "Old value",
        "previous_expires_at" => "Old value until",
        "enabled" => "Enabled",
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
        "role" => "Role",
        "least_role" => "Least role",
        "from" => "From",
        "to" => "To",
        "scopes" => "Methods",
        "manager" => "Manager",
        "owner" | "service_owner" => "Belongs to",
        "owner_other" => "Or to another",
        "service_name" => "Name of the service account",
        "service_role" => "Role of the service account",
        other => policy_words::label(other).unwrap_or("Form"),
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
    let methods: Vec<&Method> = catalogue.every().flat_map(|api| api.allowed_by(scopes)).collect();
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

/// As many as a sentence bears, then how many more there are.
pub fn list(texts: impl IntoIterator<Item = String>) -> String {
    const MOST: usize = 12;
    let texts: Vec<String> = texts.into_iter().collect();
    match texts.len() {
        n if n > MOST + 1 => {
            format!("{} and {} more", texts.get(..MOST).unwrap_or_default().join(", "), number(n - MOST))
        }
        _ => texts.join(", "),
    }
}

/// What to think about before a token has these rights for this long.
pub fn risks(scopes: &Lines, expires_at: Option<Stamp>) -> Vec<String> {
    let mut risks = Vec::new();
    if scopes.iter().any(|scope| scope == "*" || scope.ends_with("/*")) {
        let text =
            "This token can do everything you can, including delete. Choose only the methods you need if you can.";
        risks.push(text.into());
    }
    if expires_at.is_none() {
        let text = "This token will work until somebody removes it. Choose a date unless nobody can rotate it.";
        risks.push(text.into());
    }
    risks
}

/// What an edit changes, a fact for each field, from the two halves of a `token::edit::Difference`.
pub fn changes(
    catalogue: &Catalogue,
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    reading: &Reading,
) -> Vec<Fact> {
    let lines = |value: &Value| -> Lines { serde_json::from_value(value.clone()).unwrap_or_default() };
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let moment = |value: &Value| match serde_json::from_value::<Stamp>(value.clone()) {
        Ok(end) => reading.date(end),
        Err(_) => "never".to_owned(),
    };
    let from_to = |was: String, is: String| match (was.is_empty(), is.is_empty()) {
        (true, _) => is,
        (_, true) => format!("none any more, was {was}"),
        _ => format!("{is}, was {was}"),
    };
    let mut facts = Vec::new();
    let nothing = Value::Null;
    let differing = after.iter().map(|(field, is)| (field, before.get(field).unwrap_or(&nothing), is));
    for (field, was, is) in differing.filter(|(_, was, is)| was != is) {
        let fact = match field.as_str() {
            "name" => Fact::new("Name", from_to(text(was), text(is))),
            "description" => Fact::new("Description", from_to(text(was), text(is))),
            "expires_at" => Fact::new("Expires", from_to(moment(was), moment(is))),
            "previous_expires_at" => Fact::new("Old value until", from_to(moment(was), moment(is))),
            "scopes" => Fact::new("Methods", difference(&lines(was), &lines(is), |scope| catalogue.show(scope))),
            "access_set" => {
                Fact::new("Access", from_to(access(catalogue, was.as_str()), access(catalogue, is.as_str())))
            }
            "allow" if lines(is).is_empty() => Fact::new("Resources", "every resource of its methods from now on"),
            "allow" => Fact::new("Resources", difference(&lines(was), &lines(is), |entry| catalogue.show(entry))),
            "ip_allow" if lines(is).is_empty() => Fact::new("Addresses", "from anywhere from now on"),
            "ip_allow" => Fact::new("Addresses", difference(&lines(was), &lines(is), str::to_owned)),
            "rate_per_minute" if is.is_null() => Fact::new("Requests", "no limit from now on"),
            "rate_per_minute" => Fact::new("Requests", format!("at most {is} per minute")),
            "enabled" if is.as_bool() == Some(true) => Fact::new("Enabled", "yes, calls pass again"),
            "enabled" => Fact::new("Enabled", "no, calls are refused"),
            "email" => Fact::new("E-mail", from_to(text(was), text(is))),
            "owner" => Fact::new("Belongs to", from_to(text(was), text(is))),
            "role" => Fact::new("Role", from_to(text(was), text(is)).replace('_', " ")),
            "time_zone" => Fact::new("Time zone", from_to(text(was), text(is))),
            "date_style" => Fact::new("Dates", from_to(text(was), text(is))),
            other => Fact::new(other, from_to(text(was), text(is))),
        };
        facts.push(fact);
    }
    facts
}

/// The same as one line, from the detail of an event: "Name: b, was a; Expires: 20 Feb 2027, was never".
pub fn changes_told(catalogue: &Catalogue, detail: &Value, reading: &Reading) -> String {
    let half = |name: &str| detail.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let facts = changes(catalogue, &half("before"), &half("after"), reading);
    facts.iter().map(|fact| format!("{}: {}", fact.term, fact.text)).collect::<Vec<_>>().join("; ")
}

/// "adds a, b; takes away c".
fn difference(was: &Lines, is: &Lines, show: impl Fn(&str) -> String) -> String {
    let (was, is): (BTreeSet<&str>, BTreeSet<&str>) = (was.iter().collect(), is.iter().collect());
    let added: Vec<String> = is.difference(&was).map(|text| show(text)).collect();
    let left: Vec<String> = was.difference(&is).map(|text| show(text)).collect();
    let mut parts = Vec::new();
    if !added.is_empty() {
        parts.push(format!("adds {}", list(added)));
    }
    if !left.is_empty() {
        parts.push(format!("takes away {}", list(left)));
    }
    parts.join("; ")
}

/// What a token may after an edit that it may not before, said out loud.
pub fn widening(catalogue: &Catalogue, before: &Token, after: &Token, reading: &Reading) -> Vec<String> {
    let mut widening = Vec::new();
    let gained = catalogue.gained(&before.scopes, &after.scopes, !after.allow.is_empty());
    let deletes = gained.iter().filter(|(_, method)| method.kind == MethodKind::Delete).count();
    if !gained.is_empty() {
        let names = gained.iter().map(|(api, method)| catalogue.show(&format!("{}/{}", api.slug, method.short())));
        let deletes = match deletes {
            0 => String::new(),
            n if n == gained.len() && n == 1 => ", which can delete".to_owned(),
            n => format!(", {} of them can delete", number(n)),
        };
        widening.push(format!("Adds {}{deletes}: {}.", counted(gained.len(), "method", "methods"), list(names)));
    }
    let later =
        after.scopes.iter().filter(|scope| scope.ends_with('*') && !before.scopes.iter().any(|had| had == *scope));
    let later: Vec<String> = later.map(|scope| catalogue.show(scope)).collect();
    if !later.is_empty() {
        widening.push(format!("{} also takes in whatever is added to the API later.", list(later)));
    }
    if !before.allow.is_empty() && (after.allow.is_empty() || !covers(&before.allow, &after.allow)) {
        widening.push("Reaches resources that it did not reach before.".into());
    }
    if !before.ip_allow.is_empty() && (after.ip_allow.is_empty() || !covers(&before.ip_allow, &after.ip_allow)) {
        widening.push("Works from addresses that it did not work from before.".into());
    }
    match (before.rate_per_minute, after.rate_per_minute) {
        (Some(was), Some(is)) if is > was => widening.push(format!("May ask {is} times a minute, not {was}.")),
        (Some(_), None) => widening.push("May ask as often as it likes.".into()),
        _ => {}
    }
    match (before.expires_at, after.expires_at) {
        (Some(was), Some(is)) if is > was => {
            widening.push(format!("Works longer, until {}.", reading.due(is)));
        }
        _ => {}
    }
    widening
}

fn covers(before: &Lines, after: &Lines) -> bool {
    after.iter().all(|entry| before.iter().any(|had| had == entry))
}

/// One event of a token as a sentence: "Maria Keller changed it 4 min ago: Name: b, was a."
pub fn event(catalogue: &Catalogue, event: &Event, me: &SignedIn, reading: &Reading) -> String {
    let who = match &event.actor_id {
        Some(id) if me.actor.is(id) => "You",
        _ => event.actor_name.as_str(),
    };
    let detail: Value = serde_json::from_str(&event.detail).unwrap_or_default();
    let done = match event.action.as_str() {
        "token.edit" => {
            let told = changes_told(catalogue, &detail, reading);
            return format!("{who} changed this token {}: {told}.", reading.ago(event.at));
        }
        "token.disable" => "disabled this token",
        "token.enable" => "enabled this token",
        "token.regenerate" => "regenerated its value",
        "token.end_grace" => "ended the grace period of its old value",
        "token.widen" => return String::new(),
        _ => "changed this token",
    };
    format!("{who} {done} {}.", reading.ago(event.at))
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
