//! The pages of people: their list, one of them, inviting, and what a leaver leaves behind.

use super::page::{Choice, Fact, FieldErrors, Note, Paging, Shell, counted};
use super::tokens_pages::When;
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "accounts/list.html", blocks = ["content"])]
pub struct AccountList {
    pub shell: Shell,
    pub tabs: Vec<FilterTab>,
    pub roles: Vec<Choice>,
    pub q: String,
    pub status: String,
    pub rows: Vec<AccountRow>,
    /// Addresses only: rows are not numbered.
    pub paging: Paging,
    /// "100,003 people", or how many of them at least.
    pub summary: String,
    pub is_filtered: bool,
    pub zone: String,
}

/// A filter with its count, or nothing where too many match to be counted.
#[derive(Clone, Default)]
pub struct FilterTab {
    pub label: &'static str,
    pub href: String,
    pub count: String,
    pub current: bool,
}

/// How a person stands, with its icon.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    #[default]
    Active,
    Invited,
    Disabled,
}

impl Standing {
    pub fn word(&self) -> &'static str {
        match self {
            Standing::Active => "Active",
            Standing::Invited => "Invited",
            Standing::Disabled => "Disabled",
        }
    }

    pub fn class(&self) -> &'static str {
        match self {
            Standing::Active => "active",
            Standing::Invited => "pill soon",
            Standing::Disabled => "pill disabled",
        }
    }

    pub fn icon(&self) -> &'static str {
        match self {
            Standing::Active => "circle-check",
            Standing::Invited => "clock",
            Standing::Disabled => "circle-pause",
        }
    }
}

#[derive(Clone, Default)]
pub struct AccountRow {
    pub href: String,
    pub name: String,
    pub email: String,
    pub role: &'static str,
    pub teams: String,
    pub tokens: i64,
    pub seen: When,
    pub standing: Standing,
}

/// One person. What the asker may not do has no form on it.
#[derive(Template, Clone, Default)]
#[template(path = "accounts/detail.html", blocks = ["content"])]
pub struct AccountPage {
    pub shell: Shell,
    pub address: String,
    pub name: String,
    pub standing: Standing,
    pub facts: Vec<Fact>,
    /// Where the person's tokens and their events are, as (address, label).
    pub links: Vec<(String, String)>,
    pub services: Vec<(String, String)>,
    /// The version that the forms are about.
    pub seen: i64,
    /// Empty where the role may not be changed.
    pub roles: Vec<Choice>,
    pub sections: Vec<Section>,
    /// Why there is nothing to press, or empty.
    pub only_look: String,
    pub note: Option<Note>,
}

/// Something that can be done: what it is about, and the button.
#[derive(Clone, Default)]
pub struct Section {
    pub title: &'static str,
    pub text: String,
    /// The value of `do`; empty: the button is a link.
    pub verb: &'static str,
    /// Where it posts or leads to.
    pub action: String,
    pub icon: &'static str,
    pub label: &'static str,
    pub danger: bool,
}

#[derive(Template, Clone, Default)]
#[template(path = "accounts/new.html", blocks = ["content"])]
pub struct InvitePage {
    pub shell: Shell,
    pub name: String,
    pub email: String,
    pub roles: Vec<Choice>,
    pub errors: FieldErrors,
}

/// The one answer that holds a link.
#[derive(Template, Clone, Default)]
#[template(path = "accounts/link.html", blocks = ["content"])]
pub struct LinkPage {
    pub shell: Shell,
    pub title: String,
    pub lead: String,
    pub label: String,
    pub link: String,
    pub warning: String,
    pub href: String,
}

/// What a person leaves behind, each with a choice.
#[derive(Template, Clone, Default)]
#[template(path = "accounts/leave.html", blocks = ["content"])]
pub struct LeavePage {
    pub shell: Shell,
    pub address: String,
    pub cancel: String,
    pub name: String,
    pub seen: i64,
    pub rows: Vec<LeftRow>,
    pub has_teams: bool,
    pub note: Option<Note>,
}

#[derive(Clone, Default)]
pub struct LeftRow {
    /// Name of its field.
    pub field: String,
    /// Its version, in the field beside.
    pub seen_field: String,
    pub seen: i64,
    pub name: String,
    pub kind: &'static str,
    /// "15 methods, read only", one line for each token of a service account.
    pub may: String,
    pub used: String,
    /// Used within the hour.
    pub is_busy: bool,
    pub choices: Vec<Choice>,
    pub teams: Vec<Choice>,
}

/// The values that came out of it.
#[derive(Template, Clone, Default)]
#[template(path = "accounts/left.html", blocks = ["content"])]
pub struct LeftPage {
    pub shell: Shell,
    pub name: String,
    pub rows: Vec<HandedRow>,
    pub file: String,
    /// All of them, a line each, for the download.
    pub text: String,
    pub href: String,
}

#[derive(Clone, Default)]
pub struct HandedRow {
    pub nth: usize,
    pub name: String,
    pub team: String,
    pub owner: String,
    pub value: String,
}

impl LeavePage {
    pub fn summary(&self) -> String {
        counted(self.rows.len(), "thing to decide", "things to decide")
    }
}

impl LeftPage {
    pub fn summary(&self) -> String {
        counted(self.rows.len(), "new value", "new values")
    }
}
