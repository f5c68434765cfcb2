//! For whom a token is generated: oneself, an account that one may generate for, or a service account that is made on the way.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::form::About;
use crate::account::service::list::{for_tokens, teams_for_making};
use crate::account::service::{self, NewService, Owner, ServiceDraft};
use crate::account::{self, Account};
use crate::actor::{Actor, Deed, Relation};
use crate::app::App;
use crate::db::Conn;
use crate::error::{Error, Result};
use crate::token::may_hold;
use crate::tx::Tx;
use crate::types::{AccountId, AccountKind, Role};
use crate::web::form::Posted;
use crate::web::page::Choice;
use crate::web::service_accounts::{owner_choices, roles};
use crate::web::session::SignedIn;
use crate::web::tokens_pages::{NewHolder, OwnerPart};

/// As chosen and typed.
#[derive(Clone, Default)]
pub struct Holder {
    /// An account's id, `new`, or `me`, which empty is too.
    pub owner: String,
    name: String,
    owned_by: String,
    role: String,
}

/// For whom, checked: what waits for its password with the token.
#[derive(Clone, Serialize, Deserialize)]
pub enum For {
    Account(AccountId),
    New(NewService, Owner),
}

impl Holder {
    pub fn of_account(id: &AccountId) -> Holder {
        Holder { owner: id.to_string(), ..Holder::default() }
    }

    pub fn posted(form: &Posted, base: Holder) -> Holder {
        let text = |name: &str, before: String| if form.has(name) { form.text(name).to_owned() } else { before };
        Holder {
            owner: text("owner", base.owner),
            name: text("service_name", base.name),
            owned_by: text("service_owner", base.owned_by),
            role: text("service_role", base.role),
        }
    }

    /// Of what waits for its password.
    pub fn of(waiting: &For) -> Holder {
        match waiting {
            For::Account(id) => Holder::of_account(id),
            For::New(new, owner) => Holder {
                owner: "new".into(),
                name: new.name.clone(),
                owned_by: match owner {
                    Owner::Person(_) => "me".into(),
                    Owner::Team(id) => id.to_string(),
                },
                role: new.role.to_string(),
            },
        }
    }

    fn is_me(&self, me: &SignedIn) -> bool {
        matches!(self.owner.as_str(), "" | "me") || self.owner == me.account.id.as_str()
    }

    /// What the form is about. An account that one may not see is missing.
    pub async fn about(&self, app: &Arc<App>, me: &SignedIn) -> Result<About> {
        if self.is_me(me) {
            return Ok(About::new_of(me));
        }
        if self.owner == "new" {
            me.actor.must_as(Relation::OwnService, Deed::ChangeServiceAccount)?;
            return Ok(About { owner: self.unborn(me), ..About::new_of(me) });
        }
        let (actor, id) = (me.actor.clone(), AccountId::from(self.owner.as_str()));
        app.read(move |conn| {
            let owner = may_hold(conn, &actor, &id)?;
            let relation = account::relation(conn, &actor, &owner)?;
            Ok(About { owner, relation, token: None, made_by: String::new(), owned_by: String::new() })
        })
        .await
    }

    /// The service account as it would be: without an id, so that no token has its name yet.
    fn unborn(&self, me: &SignedIn) -> Account {
        let role = self.chosen_role(me);
        let (kind, id, name) = (AccountKind::Service, AccountId::from(""), self.name.trim().to_owned());
        Account { kind, id, name, role, email: None, ..me.account.clone() }
    }

    fn chosen_role(&self, me: &SignedIn) -> Role {
        Role::parse(&self.role).unwrap_or(Role::TokenCreator).min(me.actor.role)
    }

    /// All problems of a new service account at once, under the names of this form's fields.
    pub fn check(&self, conn: &mut Conn, actor: &Actor, about: &AccountId) -> Result<For> {
        if self.owner != "new" {
            return Ok(For::Account(about.clone()));
        }
        let draft = ServiceDraft { name: self.name.clone(), description: String::new(), role: self.role.clone() };
        let checked = draft.check(conn, actor, None).and_then(|new| {
            let owner = match self.owned_by.as_str() {
                "" | "me" => Owner::Person(actor.account.clone().ok_or(Error::SignedOut)?),
                id => service::owner_of_id(conn, id)?,
            };
            service::may_own(conn, actor, &owner, new.role)?;
            Ok(For::New(new, owner))
        });
        checked.map_err(in_this_form)
    }

    /// The part of the form; `None` where there is nothing to choose.
    pub async fn part(&self, app: &Arc<App>, me: &SignedIn, about: &About) -> Result<Option<OwnerPart>> {
        let actor = me.actor.clone();
        let (accounts, teams) =
            app.read(move |conn| Ok((for_tokens(conn, &actor)?, teams_for_making(conn, &actor)?))).await?;
        let may_make = me.actor.may_as(Relation::OwnService, Deed::ChangeServiceAccount);
        let (is_me, is_new) = (self.is_me(me), self.owner == "new");
        if accounts.is_empty() && !may_make && is_me {
            return Ok(None);
        }
        let choice = |value: &str, label: String, selected| Choice { value: value.to_owned(), label, selected };
        let mut choices = vec![choice("me", "Me".into(), is_me)];
        let listed = accounts.iter().any(|account| account.id == about.owner.id);
        // Whom a link named: another account that an administrator may generate for.
        let named = Some(&about.owner).filter(|_| !is_me && !is_new && !listed);
        choices.extend(
            accounts.iter().chain(named).map(|account| {
                choice(account.id.as_str(), account.name.clone(), !is_me && account.id == about.owner.id)
            }),
        );
        if may_make {
            choices.push(choice("new", "New service account…".into(), is_new));
        }
        let role = self.chosen_role(me).to_string();
        let new = is_new.then(|| NewHolder {
            name: self.name.clone(),
            owners: owner_choices(&teams, &self.owned_by),
            roles: roles(me, None, &role),
        });
        let query = match () {
            () if is_me => String::new(),
            () if is_new => format!("owner=new&service_role={role}"),
            () => format!("owner={}", about.owner.id),
        };
        Ok(Some(OwnerPart { choices, new, query }))
    }
}

fn in_this_form(error: Error) -> Error {
    match error {
        Error::Invalid(mut problems) => {
            for problem in &mut problems {
                problem.field = match problem.field {
                    "name" => "service_name",
                    "role" => "service_role",
                    "owner" => "service_owner",
                    other => other,
                };
            }
            Error::Invalid(problems)
        }
        other => other,
    }
}

impl For {
    /// The account: as it is, or made now, in the transaction of the token.
    pub fn account(&self, tx: &mut Tx<'_>, actor: &Actor) -> Result<Account> {
        match self {
            For::Account(id) => account::by_id(tx.conn, id),
            For::New(new, owner) => service::make(tx, actor, new, owner).map_err(in_this_form),
        }
    }
}
