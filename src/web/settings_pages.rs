//! What the pages of one's own account show: profile, password, sessions.

use super::page::{Choice, FieldErrors, Note, Shell, counted};
use super::tokens_pages::When;
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "settings/profile.html", blocks = ["content"])]
pub struct ProfilePage {
    pub shell: Shell,
    pub name: String,
    pub email: String,
    pub role: &'static str,
    pub zones: Vec<ZoneGroup>,
    /// The sentence of what its clock says; empty where no known zone is chosen.
    pub zone_now: String,
    /// Today in each style.
    pub date_styles: Vec<Choice>,
    pub themes: Vec<Choice>,
    pub errors: FieldErrors,
    pub note: Option<Note>,
}

/// The zones of one part of the world; `choices` name the place alone.
#[derive(Clone, Default)]
pub struct ZoneGroup {
    pub label: String,
    pub choices: Vec<Choice>,
}

/// Passwords are never filled in again, so there is nothing of them here.
#[derive(Template, Clone, Default)]
#[template(path = "settings/password.html", blocks = ["content"])]
pub struct PasswordPage {
    pub shell: Shell,
    pub email: String,
    pub least: usize,
    pub errors: FieldErrors,
}

#[derive(Template, Clone, Default)]
#[template(path = "settings/sessions.html", blocks = ["content"])]
pub struct SessionsPage {
    pub shell: Shell,
    /// The present one first.
    pub rows: Vec<SessionRow>,
    pub total: usize,
    pub zone: String,
    pub note: Option<Note>,
}

#[derive(Clone, Default)]
pub struct SessionRow {
    pub id: String,
    /// Or the program.
    pub browser: String,
    /// Or until when the program may go on.
    pub system: String,
    /// All that it said of itself.
    pub agent: String,
    pub address: String,
    pub signed_in: When,
    pub seen: When,
    pub is_present: bool,
    pub checked: bool,
}

impl SessionsPage {
    pub fn summary(&self) -> String {
        let all = counted(self.total, "session", "sessions");
        if self.rows.len() < self.total { format!("The latest {} of {all}", self.rows.len()) } else { all }
    }
}
