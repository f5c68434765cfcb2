//! The policy in words: its settings with their help, what differs between two of them, and what a new one touches.

use serde_json::{Map, Value};

use super::page::{Choice, Fact, counted};
use super::policy::total;
use super::policy_pages::{Control, Field, Group, OfRole};
use crate::actor::wording;
use crate::policy::{Confirm, Draft, OF_ROLES, Policy};
use crate::policy_change::Touched;
use crate::token::cut::Excess;
use crate::types::{Extender, Role};
use crate::when;

/// How a setting is typed.
enum Kind {
    Text(&'static str),
    Switch,
    Choice(&'static [(&'static str, &'static str)]),
    Roles,
}

/// `(name, label, how it is typed, help)`
type Setting = (&'static str, &'static str, Kind, &'static str);

const LIFETIMES: &[Setting] = &[
    ("max_lifetime", "Longest lifetime", Kind::Text("days"), "Counted from when the value is generated."),
    ("default_lifetime", "Proposed lifetime", Kind::Text("days"), "What the form for a new token begins with."),
    ("allow_never", "Tokens without expiry", Kind::Switch, "They work until somebody removes them."),
    (
        "extend_expiry",
        "Who may move an expiry further away",
        Kind::Choice(&[("owner", "Who may change the token"), ("admin", "Administrators alone")]),
        "Everybody who may change a token may bring its expiry nearer.",
    ),
    (
        "max_grace",
        "Grace of an old value",
        Kind::Text("days"),
        "How long it may work beside the new one. 0: not at all.",
    ),
    (
        "expiring_notice",
        "Warn before expiry",
        Kind::Text("days"),
        "At the largest number a token counts as expiring. Such as 14, 7, 1.",
    ),
    ("max_lifetime_by_role", "Shorter for single roles", Kind::Roles, "Empty: the longest lifetime above."),
];

const CHANGES: &[Setting] = &[
    (
        "confirm",
        "Ask for the password",
        Kind::Choice(&[("always", "At every change"), ("window", "Once in a while")]),
        "Policy, roles and passwords ask at every change in any case.",
    ),
    (
        "confirm_minutes",
        "Once in",
        Kind::Text("minutes"),
        "With “Once in a while”: for so long a password given in the same session is enough.",
    ),
    ("tokens_per_account", "Tokens per account, at most", Kind::Text(""), "Removed ones do not count."),
];

const SIGN_IN: &[Setting] = &[
    ("session_idle", "Session without a request", Kind::Text(""), "Ends after this time, such as 30m or 1h."),
    ("session_lifetime", "Longest session", Kind::Text(""), "Ends after this time in any case, such as 24h."),
    ("password_min", "Shortest password", Kind::Text("characters"), "For new passwords. Those that there are stay."),
    (
        "value_in_query",
        "Values in addresses",
        Kind::Switch,
        "Also take a value from ?access_token= and ?session=. Addresses end up in logs and histories.",
    ),
];

const PROGRAMS: &[Setting] = &[(
    "token_api",
    "REST API for tokens",
    Kind::Switch,
    "Off: programs that list, generate or change tokens get 404. These pages go on.",
)];

/// Every setting as the form shows it.
pub fn groups(draft: &Draft) -> Vec<Group> {
    let all = [
        ("lifetimes", "Lifetimes", LIFETIMES),
        ("changes", "Changes", CHANGES),
        ("values", "Values and sign-in", SIGN_IN),
        ("programs", "Programs", PROGRAMS),
    ];
    let group = |(id, title, settings): (&'static str, &'static str, &[Setting])| Group {
        id,
        title,
        fields: settings.iter().map(|setting| field(setting, draft)).collect(),
    };
    all.into_iter().map(group).collect()
}

fn field((name, label, kind, help): &Setting, draft: &Draft) -> Field {
    let typed = draft.text(name);
    let control = match kind {
        Kind::Text(unit) => Control::Text(typed.to_owned(), unit),
        Kind::Switch => Control::Switch(typed == "on"),
        Kind::Choice(answers) => {
            let choice = |(value, label): &(&str, &str)| Choice {
                value: (*value).to_owned(),
                label: (*label).to_owned(),
                selected: *value == typed,
            };
            Control::Choice(answers.iter().map(choice).collect())
        }
        Kind::Roles => {
            let of = |(role, name): &(Role, &'static str)| OfRole {
                name,
                role: wording(*role),
                text: draft.text(name).to_owned(),
            };
            Control::Roles(OF_ROLES.iter().map(of).collect())
        }
    };
    Field { name, label, help, control }
}

/// What a field is called, for the list of what is wrong.
pub fn label(field: &str) -> Option<&'static str> {
    let mut every = LIFETIMES.iter().chain(CHANGES).chain(SIGN_IN).chain(PROGRAMS);
    let of_role = OF_ROLES.iter().find(|(_, name)| *name == field).map(|(role, _)| wording(*role));
    every.find(|(name, ..)| *name == field).map(|(_, label, ..)| *label).or(of_role)
}

/// A fact for each setting that differs: as it is to be, and as it was.
pub fn changes(before: &Policy, after: &Policy) -> Vec<Fact> {
    let (was, is) = (said(before), said(after));
    let pairs = was.into_iter().zip(is).filter(|((_, was), (_, is))| was != is);
    pairs.map(|((term, was), (_, is))| Fact::new(term, format!("{is}, was {was}"))).collect()
}

/// Every setting in words, in the order of the form.
fn said(policy: &Policy) -> Vec<(String, String)> {
    let days = |n: u32| when::count(n.into(), "day");
    let allowed = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let switched = |on: bool| if on { "on" } else { "off" }.to_owned();
    let draft = Draft::of(policy);
    let by_role = OF_ROLES.iter().map(|(role, _)| {
        let own = policy.max_lifetime_by_role.get(role).map_or_else(|| "as for all".to_owned(), |own| days(*own));
        (format!("Longest lifetime, {}", wording(*role)), own)
    });
    let said = |name: &str, text: String| (label(name).unwrap_or_default().to_owned(), text);
    let mut every = vec![
        said("max_lifetime", days(policy.max_lifetime)),
        said("default_lifetime", days(policy.default_lifetime)),
        said("allow_never", allowed(policy.allow_never)),
        said(
            "extend_expiry",
            match policy.extend_expiry {
                Extender::Owner => "who may change the token".to_owned(),
                Extender::Admin => "administrators alone".to_owned(),
            },
        ),
        said("max_grace", days(policy.max_grace)),
        said("expiring_notice", format!("{} days", draft.text("expiring_notice"))),
    ];
    every.extend(by_role);
    every.extend([
        said(
            "confirm",
            match policy.confirm {
                Confirm::Always => "at every change".to_owned(),
                Confirm::Within(minutes) => format!("once in {}", when::count(minutes.into(), "minute")),
            },
        ),
        said("tokens_per_account", when::thousands(policy.tokens_per_account.into())),
        said("session_idle", draft.text("session_idle").to_owned()),
        said("session_lifetime", draft.text("session_lifetime").to_owned()),
        said("password_min", when::count(policy.password_min as u64, "character")),
        said("value_in_query", allowed(policy.value_in_query)),
        said("token_api", switched(policy.token_api)),
    ]);
    every
}

/// The change of an event in one line.
pub fn told(detail: &Value) -> String {
    let half = |name: &str| detail.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    // What did not change is the same in both: the defaults stand for it.
    let policy = |half: Map<String, Value>| serde_json::from_value::<Policy>(Value::Object(half)).unwrap_or_default();
    let facts = changes(&policy(half("before")), &policy(half("after")));
    facts.iter().map(|fact| format!("{}: {}", fact.term, fact.text)).collect::<Vec<_>>().join("; ")
}

/// What the asker should know before it is saved.
pub fn warnings(before: &Policy, after: &Policy, touched: &Touched) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    let mut warn = |turns: bool, text: &str| {
        if turns {
            warnings.push(text.to_owned());
        }
    };
    warn(
        after.allow_never && !before.allow_never,
        "A token without an expiry works until somebody removes it, also when it has leaked.",
    );
    warn(
        after.value_in_query && !before.value_in_query,
        "Values in addresses end up in the logs of proxies and in histories of browsers.",
    );
    warn(
        after.confirm != Confirm::Always && before.confirm == Confirm::Always,
        "Whoever finds a browser signed in can change tokens without the password for that long.",
    );
    warn(before.token_api && !after.token_api, "Programs that manage tokens by the REST API get 404 from now on.");
    warn(touched.own_session, "Your own session is among those that end: you will have to sign in again.");
    warnings
}

/// What there is that the new policy touches, one sentence each.
pub fn touched(after: &Policy, touched: &Touched) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let are = |n: usize, one: &str, many: &str| counted(n, one, many);
    // Roles with the same limit are told in one sentence.
    let mut limits: Vec<(u32, usize)> = Vec::new();
    for excess in touched.excess.iter().filter(|excess| excess.long > 0) {
        let (days, n) = (after.max_days(excess.role), super::page::size(excess.long));
        match limits.iter_mut().find(|(of, _)| *of == days) {
            Some((_, sum)) => *sum += n,
            None => limits.push((days, n)),
        }
    }
    lines.extend(limits.into_iter().map(|(days, n)| {
        format!("{} longer than {}.", are(n, "token lives", "tokens live"), when::count(days.into(), "day"))
    }));
    let never = total(&touched.excess, |excess| excess.never);
    if never > 0 {
        lines.push(format!("{}.", are(never, "token never expires", "tokens never expire")));
    }
    let graces = total(&touched.excess, |excess| excess.graces);
    if graces > 0 {
        let days = when::count(after.max_grace.into(), "day");
        lines.push(format!(
            "{} longer than {days} beside the new one.",
            are(graces, "old value works", "old values work")
        ));
    }
    if touched.crowded > 0 {
        let most = when::count(after.tokens_per_account.into(), "token");
        let stay = "They keep them and cannot generate more.";
        lines.push(format!("{} more than {most}. {stay}", are(touched.crowded, "account has", "accounts have")));
    }
    let sessions = super::page::size(touched.sessions);
    if sessions > 0 {
        lines.push(format!("{} at once.", are(sessions, "session ends", "sessions end")));
    }
    lines
}

/// How many tokens a cut would end at once; empty where none.
pub fn past(excess: &[Excess]) -> String {
    let tokens = total(excess, |excess| excess.past);
    let graces = total(excess, |excess| excess.graces_past);
    let mut parts: Vec<String> = Vec::new();
    if tokens > 0 {
        parts.push(counted(tokens, "token", "tokens"));
    }
    if graces > 0 {
        parts.push(counted(graces, "old value", "old values"));
    }
    match parts.is_empty() {
        true => String::new(),
        false => {
            format!(
                "{}: the new limit lies in the past, and whatever uses them fails at once. Otherwise they are kept.",
                parts.join(" and ")
            )
        }
    }
}
