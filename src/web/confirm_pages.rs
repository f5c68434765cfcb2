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
    /// Not where a password given not long ago is enough.
    pub asks_password: bool,
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

/// How one of the verbs for several tokens is worded.
pub struct BulkWords {
    pub verb: &'static str,
    /// What happens to requests; `{}` stands for "it" or "them".
    pub lead: &'static str,
    pub action: String,
    pub danger: bool,
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

    /// What will be different, a fact for each field.
    pub fn edit_token(shell: Shell, name: &str, id: &str, facts: Vec<Fact>) -> ConfirmPage {
        ConfirmPage {
            shell,
            title: "Confirm with your password".into(),
            lead: format!("You are about to change {name}:"),
            facts,
            action: format!("/settings/tokens/{id}/confirm"),
            go: "Save changes".into(),
            stay: "Cancel".into(),
            ..ConfirmPage::default()
        }
    }

    pub fn regenerate(shell: Shell, name: &str, id: &str, facts: Vec<Fact>) -> ConfirmPage {
        ConfirmPage {
            shell,
            title: "Confirm with your password".into(),
            lead: format!("You are about to make a new value for {name}:"),
            facts,
            action: format!("/settings/tokens/{id}/regenerate/confirm"),
            go: "Regenerate value".into(),
            stay: "Cancel".into(),
            stay_href: format!("/settings/tokens/{id}#regenerate"),
            ..ConfirmPage::default()
        }
    }

    pub fn end_grace(shell: Shell, name: &str, id: &str, facts: Vec<Fact>) -> ConfirmPage {
        ConfirmPage {
            shell,
            title: "End the grace period now?".into(),
            lead: format!(
                "Requests that use the old value of {name} fail at once with error 401. The current value goes on."
            ),
            facts,
            action: format!("/settings/tokens/{id}/end-grace/confirm"),
            go: "Stop the old value".into(),
            danger: true,
            stay: "Keep both".into(),
            stay_href: format!("/settings/tokens/{id}#regenerate"),
            ..ConfirmPage::default()
        }
    }

    /// One fact a token: its name; its status and last use; the warning where it was used within the hour. `lead` says what
    /// happens to requests; `back` is the list that the tokens were chosen in.
    pub fn of_tokens(shell: Shell, what: &BulkWords, n: usize, facts: Vec<Fact>, back: String) -> ConfirmPage {
        let tokens = counted(n, "token", "tokens");
        let pronoun = if n == 1 { "it" } else { "them" };
        ConfirmPage {
            shell,
            title: format!("{} {tokens}?", what.verb),
            lead: what.lead.replace("{}", pronoun),
            facts,
            action: what.action.clone(),
            go: format!("{} {tokens}", what.verb),
            danger: what.danger,
            stay: if n == 1 { "Keep token" } else { "Keep tokens" }.into(),
            stay_href: back,
            ..ConfirmPage::default()
        }
    }

    /// What the page is called where there is no password to confirm with.
    pub fn heading(&self) -> &str {
        match self.title.as_str() {
            "Confirm with your password" if !self.asks_password => "Check and confirm",
            title => title,
        }
    }

    /// The safe button has the focus, unless the password has to be typed again.
    pub fn focus_stays(&self) -> bool {
        self.danger && self.password_error.is_empty()
    }
}
