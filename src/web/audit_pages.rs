//! The page of the audit log: its filters, and a row for each event that opens to all that is known of it.

use super::page::{Choice, Fact, FieldErrors, Shell, Tone};
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "audit/page.html", blocks = ["content"])]
pub struct AuditPage {
    pub shell: Shell,
    /// All that there are, whatever the filter.
    pub events: usize,
    pub view: View,
    pub groups: Vec<Group>,
    pub errors: FieldErrors,
    pub rows: Vec<Row>,
    /// How far was looked, where a page ends for that; else empty.
    pub looked: String,
    /// Addresses of other pages, and of the files; empty where there is no such page.
    pub newest: String,
    pub newer: String,
    pub older: String,
    pub csv: String,
    pub jsonl: String,
    pub zone: String,
}

/// The filters as the address has them.
#[derive(Clone, Default)]
pub struct View {
    pub q: String,
    pub action: String,
    pub actor: String,
    pub subject: String,
    pub ip: String,
    pub from: String,
    pub to: String,
    pub after: String,
}

/// The actions of one noun.
#[derive(Clone, Default)]
pub struct Group {
    pub noun: String,
    pub label: String,
    /// The choice of all of them.
    pub all: String,
    pub choices: Vec<Choice>,
}

#[derive(Clone, Default)]
pub struct Row {
    pub number: i64,
    pub iso: String,
    pub time: String,
    pub event: String,
    pub icon: &'static str,
    pub tone: Tone,
    /// In one line, or empty.
    pub detail: String,
    pub facts: Vec<Fact>,
    /// The name of what it was done to, or empty.
    pub what: String,
    pub by: String,
    /// The session or token, in words.
    pub via: String,
    /// Label and address of what one may want to see next.
    pub links: Vec<(String, String)>,
}

impl View {
    /// Name and value of every filter that is set, without the place in the log.
    pub fn filters(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let all = [
            ("q", &self.q),
            ("action", &self.action),
            ("actor", &self.actor),
            ("subject", &self.subject),
            ("ip", &self.ip),
            ("from", &self.from),
            ("to", &self.to),
        ];
        all.into_iter().map(|(name, value)| (name, value.as_str())).filter(|(_, value)| !value.is_empty())
    }

    pub fn is_empty(&self) -> bool {
        self.filters().next().is_none()
    }

    /// By one of the filters that are folded away.
    pub fn is_narrowed(&self) -> bool {
        self.filters().any(|(name, _)| !matches!(name, "q" | "action"))
    }
}
