//! Where a person is signed in, browsers and programs alike: one list, and one way to end what is on it.

use diesel::prelude::*;

use super::{Session, Which, living as browsers};
use crate::actor::Actor;
use crate::audit::{self, Subject};
use crate::db::Conn;
use crate::error::{Error, OrMissing, Result};
use crate::policy::Policy;
use crate::schema::sessions;
use crate::token;
use crate::tx::Tx;
use crate::types::{AccountId, SessionId, Stamp};

/// A session of a browser, or a session token.
#[derive(Clone, Debug)]
pub struct Place {
    pub id: SessionId,
    pub is_program: bool,
    pub created_at: Stamp,
    pub seen_at: Stamp,
    /// Until when it lasts if nothing is done with it.
    pub ends_at: Stamp,
    pub ip: String,
    pub agent: String,
}

/// All that live of an account, the present one first, then those seen last.
pub fn living(
    conn: &mut Conn,
    account: &AccountId,
    present: &SessionId,
    now: Stamp,
    policy: &Policy,
) -> Result<Vec<Place>> {
    let of_browsers = browsers(conn, account, present, now, policy)?;
    let mut places: Vec<Place> = of_browsers.into_iter().map(|session| of_browser(session, policy)).collect();
    places.extend(token::session::living(conn, account, now)?.into_iter().map(of_program));
    places.sort_by(|a, b| {
        let rank = |place: &Place| (place.id == *present, place.seen_at);
        rank(b).cmp(&rank(a)).then_with(|| b.id.cmp(&a.id))
    });
    Ok(places)
}

fn of_browser(session: Session, policy: &Policy) -> Place {
    let idle = session.seen_at.plus(policy.idle());
    Place {
        ends_at: idle.min(session.created_at.plus(policy.lifetime())),
        id: session.id,
        is_program: false,
        created_at: session.created_at,
        seen_at: session.seen_at,
        ip: session.ip,
        agent: session.agent,
    }
}

fn of_program(listed: token::list::Listed) -> Place {
    let token = listed.token;
    let (seen_at, ip, agent) =
        listed.used.map_or((token.created_at, String::new(), String::new()), |used| (used.at, used.ip, used.agent));
    Place {
        id: token::session::named(&token),
        is_program: true,
        created_at: token.created_at,
        seen_at,
        ends_at: token.expires_at.unwrap_or(token.created_at),
        ip,
        agent,
    }
}

/// Those that are meant, all of them or none: another's session and one that has ended are missing alike.
pub fn chosen(
    conn: &mut Conn,
    account: &AccountId,
    present: &SessionId,
    which: &Which,
    now: Stamp,
    policy: &Policy,
) -> Result<Vec<Place>> {
    let mut found = living(conn, account, present, now, policy)?;
    match which {
        Which::Others => found.retain(|place| place.id != *present),
        Which::These(ids) => {
            found.retain(|place| ids.contains(&place.id));
            if !ids.iter().all(|id| found.iter().any(|place| place.id == *id)) {
                return Err(Error::Missing);
            }
        }
    }
    Ok(found)
}

/// Ends sessions of the actor's own account; their keys and values are dead when this is answered.
pub fn end_chosen(tx: &mut Tx<'_>, actor: &Actor, present: &SessionId, which: &Which) -> Result<Vec<SessionId>> {
    tx.version()?;
    let account = actor.account.as_ref().ok_or(Error::SignedOut)?;
    let mut ended = Vec::new();
    for place in chosen(tx.conn, account, present, which, tx.now, tx.policy)? {
        match place.is_program {
            true => token::session::end(tx, &place.id)?,
            false => diesel::delete(sessions::table.find(&place.id)).execute(tx.conn).or_missing()?,
        }
        let detail = serde_json::json!({ "ip": place.ip, "agent": place.agent, "signed_in_at": place.created_at });
        audit::record(tx, actor, "session.end", Subject::session(&place.id), Some(account), detail)?;
        ended.push(place.id);
    }
    Ok(ended)
}
