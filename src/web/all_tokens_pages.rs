//! Administration → All tokens: the list, and the day that a new expiry is asked with.

use askama::Template;

use super::page::{FieldErrors, Note, Shell};
use super::tokens_pages::{Column, Link, Order, Status, When};

#[derive(Template, Clone, Default)]
#[template(path = "all_tokens/list.html", blocks = ["content"])]
pub struct AllTokens {
    pub shell: Shell,
    pub tabs: Vec<Tab>,
    /// What the tab is of, where its name does not say it.
    pub help: String,
    pub q: String,
    pub status: String,
    pub sort: String,
    /// Query of this view with its `?`, or empty.
    pub query: String,
    pub csv: String,
    pub owner: Option<OwnerFilter>,
    pub turn: Link,
    pub by_name: Column,
    pub by_expiry: Column,
    pub by_use: Column,
    pub rows: Vec<Row>,
    pub newer: String,
    pub older: String,
    pub summary: String,
    /// How many match, where all of them can be chosen at once; or empty.
    pub all: String,
    pub zone: String,
    pub note: Option<Note>,
}

#[derive(Clone, Default)]
pub struct Tab {
    pub label: &'static str,
    pub href: String,
    pub count: String,
    pub current: bool,
}

/// Whose tokens alone are shown.
#[derive(Clone, Default)]
pub struct OwnerFilter {
    pub id: String,
    pub name: String,
    /// A person's e-mail address, or that it is a service account.
    pub what: String,
    /// Back to everybody's.
    pub drop_href: String,
    /// Where a token is generated for them; empty for who may not.
    pub generate_href: String,
}

#[derive(Clone, Default)]
pub struct Row {
    pub id: String,
    pub name: String,
    pub href: String,
    pub starts_with: String,
    pub owner: String,
    pub owner_href: String,
    pub access: String,
    pub expires: When,
    pub used: When,
    pub status: Status,
    pub checked: bool,
}

impl AllTokens {
    /// What a screen reader hears as the table's name.
    pub fn caption(&self) -> String {
        let sorted = [("name", &self.by_name), ("expiry", &self.by_expiry), ("last use", &self.by_use)]
            .into_iter()
            .find(|(_, column)| column.order != Order::None);
        match sorted {
            Some((word, column)) if column.order == Order::Ascending => {
                format!("All tokens, sorted by {word}, first to last")
            }
            Some((word, _)) => format!("All tokens, sorted by {word}, last to first"),
            None => "All tokens, by age".to_owned(),
        }
    }
}

/// The day for tokens that were chosen. As a dialog it is the block of that name.
#[derive(Template, Clone, Default)]
#[template(path = "all_tokens/expiry.html", blocks = ["dialog"])]
pub struct ExpiryPage {
    pub shell: Shell,
    pub in_dialog: bool,
    pub title: String,
    /// Address that the form posts to, and where Cancel leads.
    pub action: String,
    pub cancel: String,
    /// The chosen rows, or none where all that match are meant.
    pub ids: Vec<String>,
    pub day: String,
    pub first: String,
    pub last: String,
    pub errors: FieldErrors,
}
