//! One page for everything that went wrong: inside the frame for who is signed in, a plain card for who is not.

use super::page::Shell;
use askama::Template;

#[derive(Template, Clone, Default)]
#[template(path = "error.html", blocks = ["content"])]
pub struct ErrorPage {
    pub shell: Shell,
    pub status: u16,
    pub title: String,
    pub text: String,
    pub back: String,
    pub back_label: String,
    /// The request's id, for the operator's log; empty where the log has nothing more to say.
    pub reference: String,
}

/// What a person can do about it, not how it came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    Forbidden,
    Missing,
    WrongMethod,
    TooLarge,
    TooMany,
    Internal,
    Busy,
    OldForm,
    ForeignOrigin,
    /// Any other status that says the request was wrong.
    Other(u16),
}

impl Problem {
    pub const ALL: [Problem; 9] = [
        Problem::Forbidden,
        Problem::Missing,
        Problem::WrongMethod,
        Problem::TooLarge,
        Problem::TooMany,
        Problem::Internal,
        Problem::Busy,
        Problem::OldForm,
        Problem::ForeignOrigin,
    ];

    pub fn status(self) -> u16 {
        match self {
            Problem::Forbidden | Problem::OldForm | Problem::ForeignOrigin => 403,
            Problem::Missing => 404,
            Problem::WrongMethod => 405,
            Problem::TooLarge => 413,
            Problem::TooMany => 429,
            Problem::Internal => 500,
            Problem::Busy => 503,
            Problem::Other(status) => status,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Problem::Forbidden => "You may not do this",
            Problem::Missing => "There is no such page",
            Problem::WrongMethod => "This address does not work that way",
            Problem::TooLarge => "That is too large",
            Problem::TooMany => "Too many requests",
            Problem::Internal => "Something went wrong here",
            Problem::Busy => "Too busy just now",
            Problem::OldForm => "This form is too old",
            Problem::ForeignOrigin => "This came from another site",
            Problem::Other(_) => "This did not work",
        }
    }

    fn text(self) -> &'static str {
        match self {
            Problem::Forbidden => {
                "Your role does not allow it. Nothing was changed. An admin can give you another role."
            }
            Problem::Missing => "The address is wrong, or what it named was removed or belongs to somebody else.",
            Problem::WrongMethod => "The page exists, but not for this kind of request. Open it from a link instead.",
            Problem::TooLarge => {
                "The form or file is larger than this server takes. Nothing was changed. Send less at once."
            }
            Problem::TooMany => "Nothing was changed. Wait a minute, then try again.",
            Problem::Internal => {
                "The fault is on the server and was written to its log. Try again; if it stays, tell the operator the reference."
            }
            Problem::Busy => "The server could not answer in time. Nothing was changed. Try again in a few seconds.",
            Problem::Other(_) => "The request was not understood. Nothing was changed.",
            Problem::OldForm => {
                "This form is too old or was opened in another session. Nothing was changed. Open it again and send it anew."
            }
            Problem::ForeignOrigin => {
                "The request was started by another site, so it was refused. Nothing was changed. Open the page here and try again."
            }
        }
    }
}

impl ErrorPage {
    /// Fills title and text; `back` is where the link leads.
    pub fn new(mut shell: Shell, problem: Problem, back: &str, back_label: &str) -> ErrorPage {
        shell.title = problem.title().to_owned();
        ErrorPage {
            shell,
            status: problem.status(),
            title: problem.title().to_owned(),
            text: problem.text().to_owned(),
            back: back.to_owned(),
            back_label: back_label.to_owned(),
            reference: String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refused_change_says_that_nothing_was_changed() {
        for problem in Problem::ALL {
            if matches!(problem, Problem::Missing | Problem::WrongMethod | Problem::Internal) {
                continue;
            }
            assert!(problem.text().contains("Nothing was changed"), "{problem:?}");
        }
    }
}
