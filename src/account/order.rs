//! What an administrator does to one person from that person's page: one order, for the account as it was on that page.

use serde::{Deserialize, Serialize};

use super::invitation::may_give;
use super::person::{
    changeable_as, disable, enable, end_sessions, must_be_unchanged, must_leave_an_owner, reset_guesses, set_role,
};
use super::{Account, by_id};
use crate::actor::Actor;
use crate::db::Conn;
use crate::error::Result;
use crate::tx::Tx;
use crate::types::{AccountId, Role};

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Order {
    pub id: AccountId,
    /// The version that was on the page: what somebody else changed meanwhile is looked at again first.
    pub seen: i64,
    pub wish: Wish,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Wish {
    Role(Role),
    Disable,
    Enable,
    EndSessions,
    ResetGuesses,
}

/// Whether the actor may, said before the password is asked for; the account as it is.
pub fn check_order(conn: &mut Conn, actor: &Actor, id: &AccountId, wish: Wish) -> Result<Account> {
    let account = by_id(conn, id)?;
    changeable_as(actor, &account)?;
    match wish {
        Wish::Role(role) => {
            may_give(actor, role)?;
            if role < account.role {
                must_leave_an_owner(conn, &account)?;
            }
        }
        Wish::Disable => must_leave_an_owner(conn, &account)?,
        Wish::Enable | Wish::EndSessions | Wish::ResetGuesses => {}
    }
    Ok(account)
}

/// Does it, with the rights of this moment.
pub fn obey(tx: &mut Tx<'_>, actor: &Actor, order: &Order) -> Result<Account> {
    must_be_unchanged(tx, actor, &order.id, order.seen)?;
    let id = &order.id;
    match order.wish {
        Wish::Role(role) => set_role(tx, actor, id, role, order.seen),
        Wish::Disable => disable(tx, actor, id),
        Wish::Enable => enable(tx, actor, id),
        Wish::EndSessions => end_sessions(tx, actor, id).and_then(|_| by_id(tx.conn, id)),
        Wish::ResetGuesses => reset_guesses(tx, actor, id).and_then(|()| by_id(tx.conn, id)),
    }
}
