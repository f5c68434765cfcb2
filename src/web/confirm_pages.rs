//! The step between a form and its result, the same for every noun: what will happen, and the password. One template
//! is the content of the dialog and, without JavaScript, a page of its own.

use super::page::{Fact, Shell, counted};
use askama::Template;

/// `as_dialog()` is what goes into `<dialog id="dlg">`; set `in_dialog` for it. A wrong password is the same struct
/// again with `password_error`, status 422.
#[derive(Template, Clone, Default)]
#[template(path = "confirm.html", blocks = ["dialog"])]
pub struct ConfirmPage {
    pub shell: Shell,
    pub in_dialog: bool,
    pub title: String,
    pub lead: String,
    pub facts: Vec<Fact>,
    /// What the asker should know before the password: one sentence each.
    pub warnings: Vec<String>,
    /// Address that the form posts to.
    pub action: String,
    /// The stored, sealed form that this password is asked for.
    pub confirm: String,
    /// Posted again as repeated `id`.
    pub ids: Vec<String>,
    pub email: String,
    pub password_error: String,
    /// The word on the button that does it.
    pub go: String,
    /// The thing cannot be undone: red button, and focus starts on the safe one.
    pub danger: bool,
    /// The word on the button that leaves everything as it is.
    pub stay: String,
    /// Where `stay` leads on the full page; empty: back to the filled form, posted as `do=back`.
    pub stay_href: String,
}

impl ConfirmPage {
    /// "You are about to generate this token".
    pub fn generate(shell: Shell, facts: Vec<Fact>) -> ConfirmPage {
        ConfirmPage {
            shell,
            title: "Confirm with your password".into(),
            lead: "You are about to generate this token:".into(),
            facts,
            action: "/settings/tokens/new/confirm".into(),
            go: "Generate token".into(),
            stay: "Cancel".into(),
            ..ConfirmPage::default()
        }
    }

    /// One fact a token: its name; its status and last use; the warning where it was used within the hour.
    pub fn remove_tokens(shell: Shell, ids: Vec<String>, facts: Vec<Fact>) -> ConfirmPage {
        let n = facts.len();
        ConfirmPage {
            shell,
            title: format!("Remove {}?", counted(n, "token", "tokens")),
            lead: format!(
                "Requests that use {} fail at once with error 401. This cannot be undone.",
                if n == 1 { "it" } else { "them" }
            ),
            facts,
            action: "/settings/tokens/remove".into(),
            ids,
            go: format!("Remove {}", counted(n, "token", "tokens")),
            danger: true,
            stay: if n == 1 { "Keep token" } else { "Keep tokens" }.into(),
            stay_href: "/settings/tokens".into(),
            ..ConfirmPage::default()
        }
    }

    /// The safe button has the focus, unless the password has to be typed again.
    pub fn focus_stays(&self) -> bool {
        self.danger && self.password_error.is_empty()
    }
}
