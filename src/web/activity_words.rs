//! Events and refusals in words: what happened, its details, by whom.

use serde_json::Value;

use super::page::{Tone, counted};
use super::policy_words;
use super::words::{self, Reading};
use crate::activity::Entry;
use crate::audit::Event;
use crate::catalogue::Catalogue;
use crate::refusal::{Refusal, Rule};
use crate::types::{Lines, Stamp};

/// What an action is called, with its icon.
pub struct Named {
    pub text: String,
    pub icon: &'static str,
    pub tone: Tone,
}

pub fn named(entry: &Entry) -> Named {
    match entry {
        Entry::Change(event) => {
            let (text, icon, tone) = action(&event.action);
            Named { text: text.to_owned(), icon, tone }
        }
        Entry::Refusal(_) => Named { text: "Call refused".into(), icon: "circle-x", tone: Tone::Bad },
    }
}

/// What an action is called, its icon and tone; one without words by its own name.
pub fn action(action: &str) -> (&str, &'static str, Tone) {
    let (text, icon) = match action {
        "token.generate" => ("Token generated", "plus"),
        "token.edit" => ("Token edited", "pencil"),
        "token.widen" => ("Access widened", "shield"),
        "token.regenerate" => ("Value regenerated", "refresh-cw"),
        "token.end_grace" => ("Grace period ended", "hourglass"),
        "token.disable" => ("Token disabled", "circle-pause"),
        "token.enable" => ("Token enabled", "circle-play"),
        "token.remove" => ("Token removed", "trash-2"),
        "token.hand_over" => ("Token handed over", "users"),
        "token.purge" => ("Token deleted for good", "trash-2"),
        "session.sign_in" => ("Signed in", "user"),
        "session.sign_out" => ("Signed out", "log-out"),
        "session.refuse" => ("Sign-in refused", "triangle-alert"),
        "session.end" => ("Session ended", "log-out"),
        "change.refuse" => ("Change refused", "triangle-alert"),
        "audit.prune" => ("Old events deleted", "hourglass"),
        "access_set.generate" => ("Access set added", "plus"),
        "access_set.edit" => ("Access set edited", "pencil"),
        "access_set.remove" => ("Access set removed", "trash-2"),
        "confirm.refuse" => ("Wrong password at a change", "triangle-alert"),
        "account.setup" => ("Account set up", "user"),
        "account.generate" => ("Account added", "user"),
        "account.invite" => ("Invited, or sent a link", "user"),
        "account.accept" => ("Link used, password set", "lock"),
        "account.role" => ("Role changed", "shield"),
        "account.give" => ("Service account handed over", "users"),
        "account.remove" => ("Service account removed", "trash-2"),
        "account.end_sessions" => ("Sessions ended", "log-out"),
        "account.reset_guesses" => ("Wrong passwords forgotten", "lock"),
        "account.edit" => ("Account edited", "user"),
        "account.password" => ("Password changed", "lock"),
        "account.disable" => ("Account disabled", "circle-pause"),
        "account.enable" => ("Account enabled", "circle-play"),
        "team.make" => ("Team made", "users"),
        "team.edit" => ("Team edited", "users"),
        "team.remove" => ("Team removed", "trash-2"),
        "team.add_member" => ("Added to a team", "users"),
        "team.set_member" => ("Other role in a team", "users"),
        "team.remove_member" => ("Taken out of a team", "users"),
        "api.import" => ("API imported", "upload"),
        "api.edit" => ("API options changed", "blocks"),
        "api.remove" => ("API removed", "trash-2"),
        "policy.edit" => ("Policy changed", "shield"),
        other => (other, "info"),
    };
    let tone = if action.ends_with(".refuse") { Tone::Bad } else { Tone::Plain };
    (text, icon, tone)
}

/// The details in one line; for a refusal without its request and reference.
pub fn detail(entry: &Entry, catalogue: &Catalogue, reading: &Reading) -> String {
    match entry {
        Entry::Change(event) => of_event(event, catalogue, reading),
        Entry::Refusal(Refusal { scope, sentence, .. }) if scope.is_empty() => sentence.clone(),
        Entry::Refusal(Refusal { scope, sentence, .. }) => format!("{scope}: {sentence}"),
    }
}

fn of_event(event: &Event, catalogue: &Catalogue, reading: &Reading) -> String {
    let detail: Value = serde_json::from_str(&event.detail).unwrap_or_default();
    let parts = match event.action.as_str() {
        "token.generate" => vec![
            words::access(catalogue, text(&detail, "access_set")),
            methods(catalogue, &detail, "scopes"),
            expires(detail.get("expires_at"), reading),
        ],
        "team.add_member" | "team.set_member" | "team.remove_member" => membership(event, &detail),
        "token.hand_over" => vec![handed_over(&detail)],
        "token.edit" | "account.edit" | "account.role" | "account.give" | "team.edit" => {
            vec![words::changes_told(catalogue, &detail, reading)]
        }
        "token.widen" => vec![added(&detail, catalogue)],
        "token.regenerate" => {
            let mut parts = vec![old_value(&detail, event.at, reading)];
            parts.push(words::changes_told(catalogue, &detail, reading));
            parts
        }
        "confirm.refuse" => text(&detail, "change").map(|change| format!("For {change}")).into_iter().collect(),
        "change.refuse" => vec![text(&detail, "why").unwrap_or_default().to_owned()],
        "token.end_grace" => vec!["The old value stopped at once".to_owned()],
        "policy.edit" => vec![policy_words::told(&detail)],
        "account.setup" | "account.generate" | "account.invite" => {
            [text(&detail, "email"), text(&detail, "owner"), text(&detail, "role")]
                .into_iter()
                .flatten()
                .map(|word| word.replace('_', " "))
                .collect()
        }
        _ => Vec::new(),
    };
    parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect::<Vec<_>>().join(", ")
}

/// "team Payments, maria@example.com, manager".
fn membership(event: &Event, detail: &Value) -> Vec<String> {
    let role = detail.get("after").and_then(|after| text(after, "role"));
    let member = text(detail, "member");
    let team = format!("team {}", event.subject_name);
    std::iter::once(team).chain([member, role].into_iter().flatten().map(str::to_owned)).collect()
}

fn methods(catalogue: &Catalogue, detail: &Value, field: &str) -> String {
    let scopes = detail.get(field).and_then(lines).unwrap_or_default();
    counted(catalogue.count(&scopes), "method", "methods")
}

/// The first of them by name: a list of hundreds is no line.
fn added(detail: &Value, catalogue: &Catalogue) -> String {
    const NAMED: usize = 3;
    let added = detail.get("added").and_then(lines).unwrap_or_default();
    let names: Vec<String> = added.iter().take(NAMED).map(|full| catalogue.show(full)).collect();
    match added.len().saturating_sub(NAMED) {
        0 => format!("Added {}", names.join(", ")),
        more => format!("Added {} and {}", names.join(", "), counted(more, "more method", "more methods")),
    }
}

/// "From jan@example.com to jan-ci, with a new value".
fn handed_over(detail: &Value) -> String {
    let owner = |half| detail.get(half).and_then(|half| text(half, "owner")).unwrap_or_default();
    format!("From {} to {}, with a new value", owner("before"), owner("after"))
}

fn old_value(detail: &Value, at: Stamp, reading: &Reading) -> String {
    match stamp(detail.get("previous_ends_at")) {
        Some(end) if end > at => format!("Old value kept until {}", reading.moment(end)),
        _ => "Old value stopped at once".to_owned(),
    }
}

fn expires(end: Option<&Value>, reading: &Reading) -> String {
    stamp(end).map_or_else(|| "no expiry".to_owned(), |end| format!("expires {}", reading.date(end)))
}

/// A list, in JSON or with one entry per line.
fn lines(list: &Value) -> Option<Lines> {
    match list {
        Value::String(text) => Some(text.lines().collect()),
        list => serde_json::from_value(list.clone()).ok(),
    }
}

fn stamp(value: Option<&Value>) -> Option<Stamp> {
    serde_json::from_value(value?.clone()).ok()
}

fn text<'v>(detail: &'v Value, field: &str) -> Option<&'v str> {
    detail.get(field).and_then(Value::as_str)
}

/// The status that the client got.
pub fn result(refusal: &Refusal) -> &'static str {
    match &refusal.rule {
        rule if rule == Rule::Rate.as_str() => "429",
        rule if rule == Rule::Ended.as_str() => "401",
        _ => "403",
    }
}

/// What the request was: `GET /api/v1/zones`.
pub fn request(refusal: &Refusal) -> String {
    format!("{} {}", refusal.http_method, refusal.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::when::{DateStyle, Zone};

    fn said(action: &str, detail: &str) -> (String, String) {
        let at: Stamp = "2026-11-23T09:40:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into();
        let event = Event {
            id: "e".into(),
            at,
            action: action.into(),
            actor_id: None,
            actor_name: String::new(),
            via: String::new(),
            subject_kind: "token".into(),
            subject_id: "t".into(),
            subject_name: "ci".into(),
            owner_id: None,
            detail: detail.into(),
            ip: String::new(),
            agent: String::new(),
            folded: String::new(),
            number: 1,
            hash: String::new(),
        };
        let reading = Reading { now: at, zone: Zone::UTC, dates: DateStyle::Word };
        let entry = Entry::Change(event);
        (named(&entry).text, detail_of(&entry, &reading))
    }

    fn detail_of(entry: &Entry, reading: &Reading) -> String {
        detail(entry, &Catalogue::default(), reading)
    }

    #[test]
    fn an_edit_says_what_changed_and_never_shows_json() {
        let detail = r#"{"before":{"name":"a","expires_at":null,"rate_per_minute":5,"enabled":true},
            "after":{"name":"b","expires_at":"2027-02-20T22:59:59Z","rate_per_minute":null,"enabled":true}}"#;
        assert_eq!(
            said("token.edit", detail),
            (
                "Token edited".into(),
                "Expires: 20 Feb 2027, was never; Name: b, was a; Requests: no limit from now on".into()
            )
        );
    }

    #[test]
    fn regenerating_says_how_long_the_old_value_was_kept() {
        let kept = r#"{"previous_ends_at":"2026-11-25T09:00:00Z"}"#;
        assert_eq!(said("token.regenerate", kept).1, "Old value kept until 25 Nov, 09:00");
        let at_once = r#"{"previous_ends_at":"2026-11-23T09:40:00Z"}"#;
        assert_eq!(said("token.regenerate", at_once).1, "Old value stopped at once");
    }

    #[test]
    fn widening_names_the_first_methods() {
        let detail = r#"{"added":["a/s:one","a/s:two","a/s:three","a/s:four","a/s:five"]}"#;
        assert_eq!(said("token.widen", detail).1, "Added a/s:one, a/s:two, a/s:three and 2 more methods");
    }

    #[test]
    fn an_action_without_words_is_shown_as_it_is_and_broken_detail_as_nothing() {
        assert_eq!(said("team.x", "{\"a\":1}"), ("team.x".into(), String::new()));
        assert_eq!(said("token.edit", "no json"), ("Token edited".into(), String::new()));
    }
}
