//! One event of the audit log as facts: before and after, as whom, from where, its place in the chain.

use serde_json::{Map, Value};

use super::page::{Choice, Fact};
use super::words::{self, Reading};
use super::{activity_words, audit_pages::Group};
use crate::audit::Event;
use crate::catalogue::Catalogue;
use crate::types::Stamp;

/// All that is known of it.
pub fn facts(event: &Event, catalogue: &Catalogue, reading: &Reading) -> Vec<Fact> {
    let detail: Value = serde_json::from_str(&event.detail).unwrap_or_default();
    let empty = Map::new();
    let detail = detail.as_object().unwrap_or(&empty);
    let half = |name: &str| detail.get(name).and_then(Value::as_object);
    let mut facts = match (half("before"), half("after")) {
        (Some(before), Some(after)) => words::changes(catalogue, before, after, reading),
        (before, after) => {
            before.or(after).into_iter().flatten().map(|(k, v)| fact(k, v, catalogue, reading)).collect()
        }
    };
    let is_told = |name: &str, value: &Value| match value {
        Value::Object(_) => !is_half(name),
        Value::Array(entries) => !entries.is_empty(),
        Value::Null => matches!(name, "expires_at" | "access_set"),
        _ => true,
    };
    let others = detail.iter().filter(|(name, value)| is_told(name, value));
    facts.extend(others.map(|(name, value)| fact(name, value, catalogue, reading)));
    let mut add = |term: &str, text: &str, is_mono: bool| {
        if !text.is_empty() {
            let fact = Fact::new(term, text);
            facts.push(if is_mono { fact.mono() } else { fact });
        }
    };
    add("As", &event.via, false);
    add("Address", &event.ip, true);
    add("Browser", &event.agent, false);
    add("Action", &event.action, true);
    add("Its id", &event.subject_id, true);
    add("Hash", &event.hash, true);
    facts
}

fn is_half(name: &str) -> bool {
    matches!(name, "before" | "after")
}

fn fact(name: &str, value: &Value, catalogue: &Catalogue, reading: &Reading) -> Fact {
    Fact::new(term(name), text(name, value, catalogue, reading))
}

/// `session 019ab…` in words; a token by its name where that is known.
pub fn via<'n>(via: &str, token: impl Fn(&str) -> Option<&'n str>) -> String {
    match via.split_once(' ') {
        Some(("session", _)) => "browser session".to_owned(),
        Some(("token", id)) => format!("token {}", token(id).unwrap_or(id)),
        _ if matches!(via, "setup" | "sign-in") => format!("{} page", via.replace("setup", "set-up")),
        _ => via.to_owned(),
    }
}

fn term(name: &str) -> String {
    let known = match name {
        "starts_with" => "Value begins with",
        "scopes" | "added" => "Methods",
        "access_set" => "Access",
        "allow" => "Resources",
        "ip_allow" => "Only from",
        "rate_per_minute" => "Requests per minute",
        "expires_at" => "Expires",
        "previous_ends_at" | "previous_expires_at" => "Old value until",
        "email" => "E-mail",
        "ip" => "From",
        "agent" => "Its browser",
        "why" => "Why",
        other => {
            let mut words = other.replace('_', " ");
            if let Some(first) = words.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            return words;
        }
    };
    known.to_owned()
}

fn text(name: &str, value: &Value, catalogue: &Catalogue, reading: &Reading) -> String {
    match value {
        Value::Null if name == "expires_at" => "never".to_owned(),
        Value::Null if name == "access_set" => words::access(catalogue, None),
        Value::Null => "none".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Array(entries) if entries.is_empty() => "none".to_owned(),
        Value::Array(entries) => words::list(
            entries.iter().map(|entry| entry.as_str().map_or_else(|| entry.to_string(), |t| catalogue.show(t))),
        ),
        Value::String(text) if name == "access_set" => words::access(catalogue, Some(text)),
        Value::String(text) => match serde_json::from_value::<Stamp>(value.clone()) {
            Ok(at) => reading.moment(at),
            Err(_) => text.replace('\n', ", "),
        },
        other => other.to_string(),
    }
}

/// The actions that there are, by their nouns.
pub fn groups(actions: &[String], chosen: &str) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for action in actions {
        let noun = action.split('.').next().unwrap_or_default();
        let choice = Choice {
            value: action.clone(),
            label: activity_words::action(action).0.to_owned(),
            selected: action == chosen,
        };
        match groups.last_mut().filter(|group| group.noun == noun) {
            Some(group) => group.choices.push(choice),
            None => groups.push(Group {
                noun: noun.to_owned(),
                label: label(noun),
                all: format!("Everything of {}", label(noun).to_lowercase()),
                choices: vec![choice],
            }),
        }
    }
    groups
}

fn label(noun: &str) -> String {
    let known = match noun {
        "api" => "APIs",
        "audit" => "Audit log",
        "change" => "Refused changes",
        "confirm" => "Wrong passwords at changes",
        "policy" => "Policy",
        other => {
            let mut words = format!("{}s", other.replace('_', " "));
            if let Some(first) = words.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            return words;
        }
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::when::{DateStyle, Zone};

    fn told(detail: &str) -> Vec<String> {
        let at: Stamp = "2026-11-23T09:40:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap().into();
        let event = Event {
            id: "e".into(),
            at,
            action: "token.edit".into(),
            actor_id: None,
            actor_name: String::new(),
            via: String::new(),
            subject_kind: "token".into(),
            subject_id: String::new(),
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
        let facts = facts(&event, &Catalogue::default(), &reading);
        facts
            .iter()
            .map(|fact| format!("{}: {}", fact.term, fact.text))
            .filter(|fact| !fact.starts_with("Action"))
            .collect()
    }

    #[test]
    fn before_and_after_are_told_as_what_changed() {
        let detail = r#"{"before":{"name":"a","x":1},"after":{"name":"b","x":1},"why":"so"}"#;
        assert_eq!(told(detail), ["Name: b, was a", "Why: so"]);
    }

    #[test]
    fn whatever_stands_in_an_event_is_told_in_words() {
        let detail = r#"{"expires_at":null,"scopes":["a/s:m"],"sessions_ended":2,"enabled":true,
            "previous_ends_at":"2026-11-25T09:00:00Z","allow":[],"after":{"email":"a@b.c"}}"#;
        assert_eq!(
            told(detail),
            [
                "E-mail: a@b.c",
                "Enabled: yes",
                "Expires: never",
                "Old value until: 25 Nov, 09:00",
                "Methods: a/s:m",
                "Sessions ended: 2",
            ]
        );
        for odd in ["no json", "[1]", "null", "7", r#"{"before":3,"after":null}"#] {
            told(odd);
        }
    }

    #[test]
    fn actions_stand_under_their_nouns() {
        let actions = ["api.edit", "team.join", "token.edit", "token.remove"].map(str::to_owned);
        let groups = groups(&actions, "token.edit");
        assert_eq!(groups.iter().map(|group| group.label.as_str()).collect::<Vec<_>>(), ["APIs", "Teams", "Tokens"]);
        let tokens = &groups[2].choices;
        assert_eq!((tokens[0].label.as_str(), tokens[0].selected, tokens[1].selected), ("Token edited", true, false));
    }
}
