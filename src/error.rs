//! One error for the whole program, told apart by what the asker can do about it; `Display` is the sentence a person reads.

use std::fmt;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug)]
pub enum Error {
    /// Nobody is signed in, or the session has ended: sign in.
    SignedOut,
    /// The action needs a password and the one that came is wrong.
    Unconfirmed {
        sentence: String,
    },
    /// Signed in, but the role does not reach. Never used for what one may not even see: that is [`Error::Missing`].
    Forbidden(String),
    /// There is no such thing, or it is not the asker's to see.
    Missing,
    /// What was typed cannot be taken, field by field.
    Invalid(Vec<Problem>),
    /// A confirmation was already used, has run out, or belongs to another session.
    Replayed(Replay),
    /// What was to be changed was changed by somebody else since it was looked at: look again.
    Stale,
    /// The form's token is missing, wrong or of another session.
    OldForm,
    /// The request was started by a page of another site.
    ForeignOrigin,
    TooLarge(String),
    /// Too many tries or too much work at once: wait so many seconds.
    Wait {
        sentence: String,
        seconds: u64,
    },
    /// The database or the password hashing is out of reach for now.
    Busy(String),
    /// A change was given up because the database was silent: nobody knows whether it was made.
    Unsure,
    /// A fault of ours. The cause is for the log only.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

/// What is wrong with one field of a form or one member of a JSON body.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    pub field: &'static str,
    #[serde(rename = "message")]
    pub sentence: String,
}

/// Why a confirmation cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    Used,
    TooOld,
}

impl Error {
    pub fn invalid(field: &'static str, sentence: impl Into<String>) -> Error {
        Error::Invalid(vec![Problem { field, sentence: sentence.into() }])
    }

    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::Internal(cause.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::SignedOut => f.write_str("Sign in first."),
            Error::Unconfirmed { sentence }
            | Error::Forbidden(sentence)
            | Error::TooLarge(sentence)
            | Error::Wait { sentence, .. } => f.write_str(sentence),
            Error::Missing => f.write_str("There is nothing here, or it is not yours to see."),
            Error::Invalid(problems) => {
                for (nth, problem) in problems.iter().enumerate() {
                    if nth > 0 {
                        f.write_str(" ")?;
                    }
                    f.write_str(&problem.sentence)?;
                }
                Ok(())
            }
            Error::OldForm => f.write_str(
                "This form is too old or was opened in another session. Nothing was changed. Open it again and send it anew.",
            ),
            Error::ForeignOrigin => f.write_str("This request came from another site, so it was refused."),
            Error::Stale => f.write_str("This was changed meanwhile. Nothing was saved. Look at it again."),
            Error::Replayed(Replay::Used) => f.write_str("This was already confirmed once. Nothing was done again."),
            Error::Replayed(Replay::TooOld) => f.write_str("This confirmation is too old. Fill in the form again."),
            Error::Busy(what) => write!(f, "{what} Nothing was changed. Try again in a moment."),
            Error::Unsure => f.write_str("The database did not answer in time. The change may still be made: look before you try it again."),
            Error::Internal(_) => f.write_str("Something went wrong on our side. Nothing was changed."),
        }
    }
}

impl std::error::Error for Error {}

impl From<diesel::result::Error> for Error {
    fn from(cause: diesel::result::Error) -> Error {
        use diesel::result::DatabaseErrorKind as Kind;
        use diesel::result::Error as Diesel;
        match cause {
            Diesel::NotFound => Error::Missing,
            Diesel::DatabaseError(
                Kind::ClosedConnection
                | Kind::ReadOnlyTransaction
                | Kind::UnableToSendCommand
                | Kind::SerializationFailure,
                _,
            ) => busy(),
            Diesel::DatabaseError(Kind::Unknown, ref details) if is_unavailable(details.message()) => busy(),
            other => Error::internal(other),
        }
    }
}

impl From<diesel::r2d2::PoolError> for Error {
    fn from(_: diesel::r2d2::PoolError) -> Error {
        busy()
    }
}

fn busy() -> Error {
    Error::Busy("The database does not answer.".into())
}

/// SQLite and libpq tell these states in words only.
fn is_unavailable(message: &str) -> bool {
    const STATES: [&str; 14] = [
        "database is locked",
        "database or disk is full",
        "disk I/O error",
        "readonly database",
        "unable to open database file",
        "server closed the connection",
        "could not connect",
        "the database system is",
        "canceling statement due to",
        "terminating connection",
        "no connection to the server",
        "deadlock detected",
        "connection not open",
        "SSL connection has been closed",
    ];
    STATES.iter().any(|state| message.contains(state))
}

/// A row that had to be there is an answer of its own, not a silent zero.
pub trait OrMissing {
    fn or_missing(self) -> Result<()>;
}

impl OrMissing for diesel::QueryResult<usize> {
    fn or_missing(self) -> Result<()> {
        match self? {
            0 => Err(Error::Missing),
            _ => Ok(()),
        }
    }
}

/// A broken unique index is the field's problem.
pub trait OrTaken<T> {
    fn or_taken(self, field: &'static str, sentence: &str) -> Result<T>;
}

impl<T> OrTaken<T> for diesel::QueryResult<T> {
    fn or_taken(self, field: &'static str, sentence: &str) -> Result<T> {
        use diesel::result::{DatabaseErrorKind, Error as Diesel};
        self.map_err(|cause| match cause {
            Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Error::invalid(field, sentence),
            other => other.into(),
        })
    }
}
