//! The pages of teams: all that one may see, a new one, and one with its members and service accounts.

use super::page::{Choice, FieldErrors, Note, Paging, Shell, counted};
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "teams/list.html")]
pub struct TeamList {
    pub shell: Shell,
    pub rows: Vec<TeamRow>,
    pub paging: Paging,
    pub q: String,
    /// Whether one may make a team.
    pub may_make: bool,
}

#[derive(Clone, Default)]
pub struct TeamRow {
    pub name: String,
    pub href: String,
    pub description: String,
    pub members: usize,
    pub managers: usize,
    pub services: usize,
}

impl TeamList {
    pub fn summary(&self) -> String {
        match self.paging.any() {
            true => self.paging.summary() + " teams",
            false => counted(self.rows.len(), "team", "teams"),
        }
    }
}

#[derive(Template, Clone, Default)]
#[template(path = "teams/new.html", blocks = ["content"])]
pub struct NewTeamPage {
    pub shell: Shell,
    pub name: String,
    pub description: String,
    /// E-mail address of the first manager.
    pub manager: String,
    pub errors: FieldErrors,
}

#[derive(Template, Clone, Default)]
#[template(path = "teams/detail.html", blocks = ["content"])]
pub struct TeamPage {
    pub shell: Shell,
    pub id: String,
    pub title: String,
    pub about: String,
    /// As typed in the form, which administrators have.
    pub name: String,
    pub description: String,
    pub seen: i64,
    /// Whether one may rename and remove it.
    pub may_edit: bool,
    /// Whether one may add and remove members.
    pub may_manage: bool,
    /// Whether one may make a service account for it.
    pub may_make: bool,
    pub members: Vec<MemberRow>,
    /// Of the person to add, as typed.
    pub email: String,
    pub roles: Vec<Choice>,
    pub services: Vec<ServiceRow>,
    /// Of the service accounts.
    pub paging: Paging,
    pub errors: FieldErrors,
    pub note: Option<Note>,
}

#[derive(Clone, Default)]
pub struct MemberRow {
    pub id: String,
    pub name: String,
    pub email: String,
    pub role: &'static str,
    pub is_manager: bool,
    pub is_disabled: bool,
    pub since: String,
}

#[derive(Clone, Default)]
pub struct ServiceRow {
    pub name: String,
    pub href: String,
    pub description: String,
    pub role: &'static str,
    pub tokens: usize,
    pub used: String,
    pub is_disabled: bool,
}

impl TeamPage {
    /// Closed while there is nothing wrong in it.
    pub fn edit_open(&self) -> bool {
        ["name", "description"].iter().any(|field| !self.errors.of(field).is_empty())
    }
}
