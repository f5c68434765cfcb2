//! What the pages of the policy show: every setting with its line of help, and what a change would touch.

use super::page::{Choice, Fact, FieldErrors, Note, Shell};
use askama::Template;

/// Every setting, group by group.
#[derive(Template, Clone, Default)]
#[template(path = "policy/form.html", blocks = ["content"])]
pub struct PolicyPage {
    pub shell: Shell,
    /// Who saved it last, or where it comes from.
    pub intro: String,
    /// The version that the form was made from.
    pub seen: i64,
    pub groups: Vec<Group>,
    pub errors: FieldErrors,
    pub note: Option<Note>,
}

#[derive(Clone, Default)]
pub struct Group {
    pub id: &'static str,
    pub title: &'static str,
    pub fields: Vec<Field>,
}

#[derive(Clone)]
pub struct Field {
    pub name: &'static str,
    pub label: &'static str,
    pub help: &'static str,
    pub control: Control,
}

#[derive(Clone)]
pub enum Control {
    /// Its text, and the unit that stands behind it.
    Text(String, &'static str),
    Switch(bool),
    Choice(Vec<Choice>),
    /// A number of days for each role, or nothing.
    Roles(Vec<OfRole>),
}

#[derive(Clone)]
pub struct OfRole {
    pub name: &'static str,
    pub role: &'static str,
    pub text: String,
}

impl PolicyPage {
    /// Closed as long as no role has a limit of its own; a mistake in a closed part would not be seen.
    pub fn roles_open(&self, roles: &[OfRole]) -> bool {
        roles.iter().any(|of| !of.text.is_empty() || !self.errors.of(of.name).is_empty())
    }
}

/// What a new policy changes and touches, and the password for it.
#[derive(Template, Clone, Default)]
#[template(path = "policy/review.html", blocks = ["content"])]
pub struct ReviewPage {
    pub shell: Shell,
    pub confirm: String,
    pub email: String,
    pub password_error: String,
    /// A setting each, as it is to be and as it was.
    pub changes: Vec<Fact>,
    /// What the asker should know before: one sentence each.
    pub warnings: Vec<String>,
    /// What there is that the new policy touches: one sentence each.
    pub touched: Vec<String>,
    /// Whether there are tokens to keep or to cut.
    pub asks_existing: bool,
    pub cut: bool,
    /// The sentence of those that would end at once, or empty.
    pub past: String,
    pub end_now: bool,
}
