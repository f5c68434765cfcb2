//! Who asks, and what each role may do: one table (product contract, section 3).

use crate::error::{Error, Result};
use crate::types::{AccountId, Role, SessionId, TokenId};

/// The asker of one change or one look: every verb of the core takes it first.
#[derive(Clone, Debug)]
pub struct Actor {
    /// `None` for the operator at the command line, who is no account.
    pub account: Option<AccountId>,
    pub name: String,
    pub role: Role,
    pub via: Via,
    pub origin: Origin,
}

/// By what right the actor speaks; told in the audit log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Via {
    Session(SessionId),
    /// A program with a value of that token.
    Token(TokenId),
    CommandLine,
    /// Hallpass itself, in a job.
    Program,
    Setup,
    /// Nobody yet: a password that was tried.
    SignIn,
}

/// Where a request came from.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Origin {
    pub ip: String,
    pub agent: String,
}

/// What the table below speaks of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    SeeOwn,
    GenerateOwnTokens,
    RunServiceAccounts,
    Administer,
    MakeAdmins,
}

/// The least role for each deed.
const LEAST: &[(Deed, Role)] = &[
    (Deed::SeeOwn, Role::Viewer),
    (Deed::GenerateOwnTokens, Role::TokenCreator),
    (Deed::RunServiceAccounts, Role::Contributor),
    (Deed::Administer, Role::Admin),
    (Deed::MakeAdmins, Role::Owner),
];

impl Actor {
    /// The person at the machine itself: whoever may read the database file is above every role.
    pub fn operator() -> Actor {
        Actor {
            account: None,
            name: "operator".into(),
            role: Role::Owner,
            via: Via::CommandLine,
            origin: Origin::default(),
        }
    }

    pub fn may(&self, deed: Deed) -> bool {
        LEAST.iter().any(|&(of, least)| of == deed && self.role >= least)
    }

    /// Refuses with a sentence: only where the asker may know that the thing is there.
    pub fn must(&self, deed: Deed) -> Result<()> {
        if self.may(deed) {
            return Ok(());
        }
        let least = LEAST.iter().find(|(of, _)| *of == deed).map_or(Role::Owner, |&(_, least)| least);
        Err(Error::Forbidden(format!("This needs the role {}; yours is {}.", wording(least), wording(self.role))))
    }

    pub fn is(&self, account: &AccountId) -> bool {
        self.account.as_ref() == Some(account)
    }
}

/// The role as people read it.
pub fn wording(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::TokenCreator => "token creator",
        Role::Contributor => "contributor",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

impl Via {
    pub fn as_text(&self) -> String {
        match self {
            Via::Session(id) => format!("session {id}"),
            Via::Token(id) => format!("token {id}"),
            Via::CommandLine => "command line".into(),
            Via::Program => "program".into(),
            Via::Setup => "setup".into(),
            Via::SignIn => "sign-in".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_contract_says() {
        let deeds =
            [Deed::SeeOwn, Deed::GenerateOwnTokens, Deed::RunServiceAccounts, Deed::Administer, Deed::MakeAdmins];
        let table = [
            (Role::Viewer, [true, false, false, false, false]),
            (Role::TokenCreator, [true, true, false, false, false]),
            (Role::Contributor, [true, true, true, false, false]),
            (Role::Admin, [true, true, true, true, false]),
            (Role::Owner, [true, true, true, true, true]),
        ];
        for (role, row) in table {
            let actor = Actor { role, ..Actor::operator() };
            for (deed, may) in deeds.into_iter().zip(row) {
                assert_eq!(actor.may(deed), may, "{role} {deed:?}");
                assert_eq!(actor.must(deed).is_ok(), may);
            }
        }
    }
}
