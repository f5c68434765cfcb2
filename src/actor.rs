//! Who asks, and what each role may do to what is theirs, their team's or another's: one table (product contract, section 3).

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::types::{AccountId, Role, SessionId, TokenId};

/// The asker of one change or one look: every verb of the core takes it first.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Actor {
    /// `None` for the operator at the command line, who is no account.
    pub account: Option<AccountId>,
    pub name: String,
    pub role: Role,
    pub via: Via,
    pub origin: Origin,
}

/// By what right the actor speaks; told in the audit log.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Via {
    Session(SessionId),
    /// A program with a value of that token.
    Token {
        id: TokenId,
        /// The number of the value.
        generation: i64,
    },
    CommandLine,
    /// Hallpass itself, in a job.
    Program,
    Setup,
    /// The one-time link that sets a password.
    Invitation,
    /// Nobody yet: a password that was tried.
    SignIn,
}

/// Where a request came from.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
pub struct Origin {
    pub ip: String,
    pub agent: String,
}

/// What somebody may do, in the words of the table below.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    SeeTokens,
    /// Edit, disable, enable, remove, end a grace period.
    ChangeTokens,
    /// Generate and regenerate: to be shown a value that acts as the account.
    TakeValues,
    SeeServiceAccount,
    /// Make, edit, give away, remove.
    ChangeServiceAccount,
    SeeTeam,
    /// Add, remove, make a manager or a member.
    ChangeMembers,
    /// Invite, disable, enable, end sessions; APIs, policy, audit log, the teams themselves.
    Administer,
    /// Make, lower and disable admins and owners.
    MakeAdmins,
}

/// How an account stands to what a deed is done to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relation {
    /// The account itself, or its own tokens.
    Own,
    /// A service account that belongs to it.
    OwnService,
    /// A team that it is in, or one of that team's service accounts.
    Member,
    Manager,
    /// Another person, or what belongs to them.
    OtherPerson,
    /// A service account or team that it has no part in.
    Other,
}

/// The one table of the product contract, section 3: the least role for a deed by how one stands to its object, in the order
/// of [`Relation::EVERY`]; `None` where the deed has no such object.
#[rustfmt::skip]
const TABLE: &[(Deed, [Option<Role>; 6])] = {
    use Role::{Admin, Contributor, Owner, TokenCreator, Viewer};
    const NO: Option<Role> = None;
    &[
        //                            own                 own service        member             manager             other person  other
        (Deed::SeeTokens,            [Some(Viewer),       Some(Viewer),      Some(Viewer),      Some(Viewer),       Some(Admin),  Some(Admin)]),
        (Deed::ChangeTokens,         [Some(TokenCreator), Some(Contributor), Some(Contributor), Some(TokenCreator), Some(Admin),  Some(Admin)]),
        (Deed::TakeValues,           [Some(TokenCreator), Some(Contributor), Some(Contributor), Some(TokenCreator), Some(Owner),  Some(Admin)]),
        (Deed::SeeServiceAccount,    [Some(Viewer),       Some(Viewer),      Some(Viewer),      Some(Viewer),       NO,           Some(Admin)]),
        (Deed::ChangeServiceAccount, [NO,                 Some(Contributor), Some(Contributor), Some(Contributor),  NO,           Some(Admin)]),
        (Deed::SeeTeam,              [NO,                 NO,                Some(Viewer),      Some(Viewer),       NO,           Some(Admin)]),
        (Deed::ChangeMembers,        [NO,                 NO,                Some(Admin),       Some(TokenCreator), NO,           Some(Admin)]),
        (Deed::Administer,           [Some(Admin),        NO,                Some(Admin),       Some(Admin),        Some(Admin),  Some(Admin)]),
        (Deed::MakeAdmins,           [Some(Owner),        NO,                NO,                NO,                 Some(Owner),  NO]),
    ]
};

impl Relation {
    pub const EVERY: [Relation; 6] = [
        Relation::Own,
        Relation::OwnService,
        Relation::Member,
        Relation::Manager,
        Relation::OtherPerson,
        Relation::Other,
    ];
}

impl Deed {
    /// The least role; `None` where nobody may.
    pub fn least(self, relation: Relation) -> Option<Role> {
        let (_, roles) = TABLE.iter().find(|(deed, _)| *deed == self)?;
        Relation::EVERY.iter().zip(roles).find(|(of, _)| **of == relation).and_then(|(_, least)| *least)
    }
}

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

    /// Whether one may to what is one's own, or where the deed has no object.
    pub fn may(&self, deed: Deed) -> bool {
        self.may_as(Relation::Own, deed)
    }

    pub fn may_as(&self, relation: Relation, deed: Deed) -> bool {
        deed.least(relation).is_some_and(|least| self.role >= least)
    }

    /// Refuses with a sentence: only where the asker may know that the thing is there.
    pub fn must(&self, deed: Deed) -> Result<()> {
        self.must_as(Relation::Own, deed)
    }

    pub fn must_as(&self, relation: Relation, deed: Deed) -> Result<()> {
        if self.may_as(relation, deed) {
            return Ok(());
        }
        Err(Error::Forbidden(match deed.least(relation) {
            Some(least) => format!("This needs the role {}; yours is {}.", wording(least), wording(self.role)),
            None => "Nobody may do this here.".into(),
        }))
    }

    /// What one may not see is missing, not forbidden.
    pub fn must_see(&self, relation: Relation, deed: Deed) -> Result<()> {
        if self.may_as(relation, deed) { Ok(()) } else { Err(Error::Missing) }
    }

    /// Nobody gives a role above their own, and admins and owners are made by owners alone; nor does one take the value of an
    /// account, or widen its tokens, whose role is above one's own.
    pub fn must_reach(&self, role: Role) -> Result<()> {
        if role > self.role {
            let (theirs, mine) = (wording(role), wording(self.role));
            return Err(Error::Forbidden(format!("The role {theirs} is above yours, {mine}.")));
        }
        Ok(())
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
            Via::Token { id, .. } => format!("token {id}"),
            Via::CommandLine => "command line".into(),
            Via::Program => "program".into(),
            Via::Setup => "setup".into(),
            Via::Invitation => "invitation".into(),
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
            [Deed::SeeTokens, Deed::ChangeTokens, Deed::ChangeServiceAccount, Deed::Administer, Deed::MakeAdmins];
        let own = |deed| if deed == Deed::ChangeServiceAccount { Relation::OwnService } else { Relation::Own };
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
                assert_eq!(actor.may_as(own(deed), deed), may, "{role} {deed:?}");
                assert_eq!(actor.must_as(own(deed), deed).is_ok(), may);
            }
        }
    }

    #[test]
    fn what_is_another_s_is_for_admins_and_the_value_of_another_person_for_owners() {
        for (deed, roles) in TABLE {
            let [.., person, other] = roles;
            assert!(person.is_none_or(|least| least >= Role::Admin), "{deed:?}");
            assert!(other.is_none_or(|least| least >= Role::Admin), "{deed:?}");
        }
        assert_eq!(Deed::TakeValues.least(Relation::OtherPerson), Some(Role::Owner));
    }

    #[test]
    fn no_role_is_given_above_one_s_own() {
        let admin = Actor { role: Role::Admin, ..Actor::operator() };
        assert!(admin.must_reach(Role::Admin).is_ok() && admin.must_reach(Role::Owner).is_err());
    }
}
