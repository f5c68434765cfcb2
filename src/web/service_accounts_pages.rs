//! The pages of service accounts: the list, a new one, and one with its tokens.

use super::page::{Choice, Fact, FieldErrors, Note, Paging, Shell, counted};
use super::tokens_pages::{Status, When};
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "service_accounts/list.html")]
pub struct ServiceList {
    pub shell: Shell,
    pub rows: Vec<ServiceRow>,
    pub paging: Paging,
    pub q: String,
}

#[derive(Clone, Default)]
pub struct ServiceRow {
    pub name: String,
    pub href: String,
    pub description: String,
    pub owner: String,
    pub role: &'static str,
    pub tokens: usize,
    pub used: String,
    pub is_disabled: bool,
}

impl ServiceList {
    pub fn summary(&self) -> String {
        match self.paging.any() {
            true => self.paging.summary() + " service accounts",
            false => counted(self.rows.len(), "service account", "service accounts"),
        }
    }
}

/// The fields of a service account, as typed.
#[derive(Clone, Default)]
pub struct Fields {
    pub name: String,
    pub description: String,
    pub roles: Vec<Choice>,
}

/// Whom it shall belong to: one's own choices, and for administrators whomever they name.
#[derive(Clone, Default)]
pub struct Owners {
    pub choices: Vec<Choice>,
    pub other: Option<String>,
}

#[derive(Template, Clone, Default)]
#[template(path = "service_accounts/new.html", blocks = ["content"])]
pub struct NewServicePage {
    pub shell: Shell,
    pub fields: Fields,
    pub owners: Owners,
    pub errors: FieldErrors,
}

#[derive(Template, Clone, Default)]
#[template(path = "service_accounts/detail.html", blocks = ["content"])]
pub struct ServicePage {
    pub shell: Shell,
    pub id: String,
    pub title: String,
    pub about: String,
    pub facts: Vec<Fact>,
    pub seen: i64,
    pub fields: Fields,
    pub owners: Owners,
    pub may_change: bool,
    /// Whether one may give its tokens and itself to others: its role is not above one's own.
    pub may_give: bool,
    pub may_generate: bool,
    pub enabled: bool,
    pub tokens: Vec<TokenRow>,
    pub errors: FieldErrors,
    pub note: Option<Note>,
}

#[derive(Clone, Default)]
pub struct TokenRow {
    pub name: String,
    pub href: String,
    pub starts_with: String,
    pub access: String,
    pub expires: When,
    pub used: When,
    pub status: Status,
}

impl ServicePage {
    pub fn edit_open(&self) -> bool {
        ["name", "description", "role"].iter().any(|field| !self.errors.of(field).is_empty())
    }

    pub fn owner_open(&self) -> bool {
        ["owner", "owner_other"].iter().any(|field| !self.errors.of(field).is_empty())
    }
}
