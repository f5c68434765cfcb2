//! Signing in, going on with a form after it, and the first owner of a new installation.

use super::form::Posted;
use super::kept::Kept;
use super::page::{FieldErrors, Note, Shell};
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "session/login.html", blocks = ["content"])]
pub struct LoginPage {
    pub shell: Shell,
    pub email: String,
    /// Where to go afterwards; checked by whoever reads it, never here.
    pub next: String,
    /// Wrong, wait, ended session, busy.
    pub note: Option<Note>,
    /// A filled form that goes along.
    pub kept: Option<Kept>,
}

impl LoginPage {
    /// The same words for an unknown account and for a wrong password.
    pub fn wrong() -> Note {
        Note::bad("E-mail or password is not right.")
    }

    pub fn wait(seconds: u64) -> Note {
        Note::bad(match seconds {
            0..=1 => "Too many tries. Wait a second, then try again.".to_owned(),
            2..=119 => format!("Too many tries. Wait {seconds} seconds, then try again."),
            _ => format!("Too many tries. Wait {} minutes, then try again.", seconds.div_ceil(60)),
        })
    }

    pub fn ended() -> Note {
        Note::plain("Your session has ended. Sign in again to go on where you were.")
    }

    pub fn signed_out() -> Note {
        Note::ok("You are signed out.")
    }

    pub fn busy() -> Note {
        Note::warn("Many people are signing in just now. Wait a few seconds, then try again.")
    }
}

/// Signed in again: one button posts what was kept, now with a token that is right for it.
#[derive(Template, Clone, Default)]
#[template(path = "session/resume.html", blocks = ["content"])]
pub struct ResumePage {
    pub shell: Shell,
    pub action: String,
    pub fields: Posted,
}

#[derive(Template, Clone, Default)]
#[template(path = "session/setup.html", blocks = ["content"])]
pub struct SetupPage {
    pub shell: Shell,
    pub code: String,
    pub name: String,
    pub email: String,
    pub password_min: usize,
    pub errors: FieldErrors,
    pub note: Option<Note>,
}

/// The page behind a one-time link.
#[derive(Template, Clone, Default)]
#[template(path = "session/invitation.html", blocks = ["content"])]
pub struct InvitationPage {
    pub shell: Shell,
    /// Address that it posts to: the one it has.
    pub action: String,
    pub name: String,
    pub email: String,
    /// Whether there is no password yet.
    pub is_first: bool,
    pub password_min: usize,
    pub errors: FieldErrors,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_in_the_unit_that_a_person_would_use() {
        let text = |seconds| LoginPage::wait(seconds).text;
        assert!(text(1).contains("a second"));
        assert!(text(30).contains("30 seconds"));
        assert!(text(121).contains("3 minutes"));
    }
}
