//! Tokens: generate, list, describe, edit, regenerate, remove.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Done, Made, Refused, Told};
use super::bearer::{Bearer, Caller, Confirmed};
use super::input::{Body, IfMatch, Query, Repeatable};
use super::json::{List, NewToken, Regeneration, Removal, Revealed, Token, TokenEdit, TokenQuery};
use super::page::{cursor, limit, lost};
use crate::account::{self, Account};
use crate::actor::Actor;
use crate::app::App;
use crate::catalogue::Catalogue;
use crate::catalogue::own::{DescribeToken, EditToken, GenerateToken, ListTokens, RegenerateToken, RemoveToken};
use crate::error::{Error, Result};
use crate::repeat::Call;
use crate::secret::Secret;
use crate::token::descent::Bounds;
use crate::token::edit::{Edit, edit as edit_token};
use crate::token::list::Sort;
use crate::token::query::{self, Ask, Of};
use crate::token::regenerate::{Grace, Renewal, Situation, check_grace, regenerate as regenerate_token};
use crate::token::{self, Expiry, Limits, Standing, TokenDraft};
use crate::tx::Tx;
use crate::types::{AccountId, Stamp, TokenId};

pub async fn list(
    caller: Bearer<ListTokens>,
    query: Query<TokenQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Token>>, Refused> {
    let asked = query.0;
    let of = match (asked.all, &asked.owner) {
        (_, Some(owner)) => Of::Account(AccountId::from(owner.as_str())),
        (true, None) => Of::Everyone,
        (false, None) => Of::Mine,
    };
    let ask = Ask {
        of,
        status: asked.status,
        include_expired: asked.include_expired,
        include_removed: asked.include_removed,
        q: asked.q,
        sort: sort(asked.sort.as_deref())?,
        limit: limit(asked.limit)?,
        after: cursor(asked.after)?,
    };
    let (now, notice, catalogue) = (app.now(), app.policy().notice(), app.catalogue());
    let page = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        query::page(conn, &actor, &ask, now, notice)
    });
    let page = page.await.map_err(lost)?;
    let items = page.rows.iter().map(|row| Token::of(row, &catalogue)).collect();
    Ok(Told::plain(List { items, next: page.next.map(|id| id.to_string()), total: Some(page.total) }))
}

fn sort(typed: Option<&str>) -> Result<Sort, Refused> {
    let Some(typed) = typed else { return Ok(Sort::USUAL) };
    let sort = Sort::parse(typed);
    match sort.text() == typed {
        true => Ok(sort),
        false => {
            Err(Refused::field("sort", "Sort by created, name, expires or used, with - in front to turn it round."))
        }
    }
}

pub async fn describe(
    caller: Bearer<DescribeToken>,
    id: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Told<Token>, Refused> {
    let (now, notice, catalogue) = (app.now(), app.policy().notice(), app.catalogue());
    let found = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        let token = token::visible(conn, &actor, &TokenId::from(id.as_str()))?;
        query::row(conn, token, now, notice)
    });
    let row = found.await?;
    Ok(Told::tagged(Token::of(&row, &catalogue), row.listed.token.version))
}

pub async fn generate(
    caller: Confirmed<GenerateToken>,
    body: Body<NewToken>,
    key: Repeatable,
    app: web::Data<Arc<App>>,
) -> Result<Made<Revealed>, Refused> {
    let (prefix, catalogue) = (app.prefix.clone(), app.catalogue());
    let made = app.write(move |tx| {
        let actor = speaker(tx, &caller)?;
        let call = key.call(&actor, "tokens:generate", &body.digest)?;
        if let Some(made) = before(tx, &actor, call.as_ref())? {
            return Ok((shown(tx, made, &catalogue)?, None));
        }
        let own = actor.account.clone().ok_or(Error::SignedOut)?;
        let owner = match body.value.owner.as_deref() {
            Some(named) => account::named(tx.conn, named)?,
            None => own,
        };
        let owner = token::may_hold(tx.conn, &actor, &owner)?;
        let limits = limits(tx, &catalogue, &owner, None);
        let checked = draft(&body.value, &limits)?.check(&limits, tx.random);
        let mut new = checked.map_err(|error| of_set(error, &body.value))?;
        if body.value.expires_at.is_none() && body.value.lifetime_days.is_none() {
            new.expires_at = Bounds::of(tx.conn, &actor)?.cut(new.expires_at);
        }
        let (token, value) = token::generate(tx, &actor, &owner, new, &prefix)?;
        note(tx, call.as_ref(), &token.id)?;
        Ok((shown(tx, token, &catalogue)?, Some(value)))
    });
    Ok(revealed(made.await?))
}

pub async fn edit(
    caller: Confirmed<EditToken>,
    id: web::Path<String>,
    body: Body<TokenEdit>,
    seen: IfMatch,
    app: web::Data<Arc<App>>,
) -> Result<Told<Token>, Refused> {
    let catalogue = app.catalogue();
    let edited = app.write(move |tx| {
        let actor = speaker(tx, &caller)?;
        let before = token::changeable(tx.conn, &actor, &TokenId::from(id.as_str()))?;
        if !seen.allows(before.version) {
            return Err(Error::Stale);
        }
        let owner = account::by_id(tx.conn, &before.owner_id)?;
        let standing = Standing::of(&before, &actor, tx.policy);
        let generated =
            token::values_of(tx.conn, &before.id)?.first().map_or(before.created_at, |value| value.created_at);
        let limits = Limits { since: generated, ..limits(tx, &catalogue, &owner, Some(standing)) };
        let to = changed(&body.value, &before).check(&limits, tx.random)?;
        let edit = Edit { id: before.id.clone(), seen: before.version, to: keeping(&body.value, &before, to) };
        let after = edit_token(tx, &actor, &catalogue, &edit)?;
        let version = after.version;
        Ok((shown(tx, after, &catalogue)?, version))
    });
    let (token, version) = edited.await.map_err(Refused::of_edit)?;
    Ok(Told::tagged(token, version))
}

pub async fn regenerate(
    caller: Confirmed<RegenerateToken>,
    id: web::Path<String>,
    body: Body<Regeneration>,
    key: Repeatable,
    app: web::Data<Arc<App>>,
) -> Result<Made<Revealed>, Refused> {
    let (prefix, catalogue) = (app.prefix.clone(), app.catalogue());
    let made = app.write(move |tx| {
        let actor = speaker(tx, &caller)?;
        let call = key.call(&actor, &format!("tokens:regenerate {id}"), &body.digest)?;
        if let Some(made) = before(tx, &actor, call.as_ref())? {
            return Ok((shown(tx, made, &catalogue)?, None));
        }
        let token = token::renewable(tx.conn, &actor, &TokenId::from(id.as_str()))?;
        let owner = account::by_id(tx.conn, &token.owner_id)?;
        let limits = limits(tx, &catalogue, &owner, None);
        let wish = renewal(tx, &token, &body.value, &limits)?;
        let (token, value) = regenerate_token(tx, &actor, &wish, &prefix)?;
        note(tx, call.as_ref(), &token.id)?;
        Ok((shown(tx, token, &catalogue)?, Some(value)))
    });
    Ok(revealed(made.await?))
}

pub async fn remove(
    caller: Confirmed<RemoveToken>,
    id: web::Path<String>,
    query: Query<Removal>,
    app: web::Data<Arc<App>>,
) -> Result<Done, Refused> {
    app.write(move |tx| {
        let actor = speaker(tx, &caller)?;
        let id = TokenId::from(id.as_str());
        match query.0.purge {
            true => token::purge::purge(tx, &actor, &id),
            false => token::remove(tx, &actor, &[id]).map(drop),
        }
    })
    .await?;
    Ok(Done)
}

/// Drawn first: what is looked at afterwards is what is changed.
fn speaker(tx: &mut Tx<'_>, caller: &Caller) -> Result<Actor> {
    tx.version()?;
    caller.actor(tx.conn, tx.now)
}

fn limits<'a>(tx: &Tx<'a>, catalogue: &'a Catalogue, owner: &Account, standing: Option<Standing>) -> Limits<'a> {
    let (now, zone) = (tx.now, owner.zone());
    Limits { catalogue, policy: Arc::new(tx.policy.clone()), role: owner.role, zone, now, since: now, standing }
}

fn draft(new: &NewToken, limits: &Limits<'_>) -> Result<TokenDraft> {
    if new.scopes.is_some() && new.access_set.is_some() {
        return Err(Error::invalid("access_set", "Name scopes or an access set, not both."));
    }
    if new.expires_at.is_some() && new.lifetime_days.is_some() {
        return Err(Error::invalid("lifetime_days", "Say expires_at or lifetime_days, not both."));
    }
    Ok(TokenDraft {
        name: new.name.clone(),
        description: new.description.clone().unwrap_or_default(),
        expiry: match (&new.expires_at, new.lifetime_days) {
            (Some(typed), _) => wished(typed.as_deref()),
            (None, Some(days)) => Expiry::Days(days),
            (None, None) => Expiry::Days(limits.policy.default_days(limits.role)),
        },
        access_set: new.access_set.clone(),
        scopes: new.scopes.clone().unwrap_or_default(),
        allow: new.allow.clone().unwrap_or_default(),
        ip_allow: new.ip_allow.clone().unwrap_or_default(),
        rate_per_minute: new.rate_per_minute.map(|rate| rate.to_string()).unwrap_or_default(),
        enabled: true,
    })
}

/// Methods that came by an access set are refused at its name.
fn of_set(error: Error, new: &NewToken) -> Error {
    match error {
        Error::Invalid(mut problems) if new.access_set.is_some() => {
            for problem in problems.iter_mut().filter(|problem| problem.field == "m") {
                problem.field = "access_set";
            }
            Error::Invalid(problems)
        }
        other => other,
    }
}

/// An instant, or what a person would type; `None` is never.
fn wished(typed: Option<&str>) -> Expiry {
    match typed {
        None => Expiry::Never,
        Some(typed) => match chrono::DateTime::parse_from_rfc3339(typed.trim()) {
            Ok(instant) => Expiry::At(Stamp::from(instant.to_utc())),
            Err(_) => Expiry::Day(typed.to_owned()),
        },
    }
}

/// The token as it stands, with what the edit names in its place. Lists that it does not name are not looked at, and put
/// back by [`keeping`]: a star stands in for the scopes.
fn changed(edit: &TokenEdit, token: &token::Token) -> TokenDraft {
    let rate = edit.rate_per_minute.unwrap_or_else(|| token.settings().rate_per_minute);
    TokenDraft {
        name: Some(edit.name.clone().unwrap_or_else(|| token.name.clone())),
        description: edit.description.clone().unwrap_or_else(|| token.description.clone()),
        expiry: match &edit.expires_at {
            Some(typed) => wished(typed.as_deref()),
            None => token.expires_at.map_or(Expiry::Never, Expiry::At),
        },
        access_set: None,
        scopes: edit.scopes.clone().unwrap_or_else(|| vec!["*".into()]),
        allow: edit.allow.clone().unwrap_or_default(),
        ip_allow: edit.ip_allow.clone().unwrap_or_default(),
        rate_per_minute: rate.map(|rate| rate.to_string()).unwrap_or_default(),
        enabled: edit.enabled.unwrap_or(token.enabled),
    }
}

/// What the edit does not name stays to the letter: a scope whose method is gone, too.
fn keeping(edit: &TokenEdit, before: &token::Token, checked: token::NewToken) -> token::NewToken {
    let was = before.settings();
    token::NewToken {
        access_set: was.access_set.filter(|_| edit.scopes.is_none()),
        scopes: if edit.scopes.is_some() { checked.scopes } else { was.scopes },
        allow: if edit.allow.is_some() { checked.allow } else { was.allow },
        ip_allow: if edit.ip_allow.is_some() { checked.ip_allow } else { was.ip_allow },
        ..checked
    }
}

fn renewal(tx: &mut Tx<'_>, token: &token::Token, wish: &Regeneration, limits: &Limits<'_>) -> Result<Renewal> {
    let values = token::values_of(tx.conn, &token.id)?;
    let situation = Situation::of(token, &values, tx.now);
    let expires_at = match &wish.expires_at {
        None => token.expires_at,
        Some(typed) => token::check_expiry(&wished(typed.as_deref()), limits)
            .map_err(|sentence| Error::invalid("expires_at", sentence))?,
    };
    let grace = match (&wish.previous_expires_at, wish.grace_seconds) {
        (Some(_), Some(_)) => {
            return Err(Error::invalid("grace", "Say previous_expires_at or grace_seconds, not both."));
        }
        (Some(typed), None) => match chrono::DateTime::parse_from_rfc3339(typed.trim()) {
            Ok(instant) => Grace::At(Stamp::from(instant.to_utc())),
            Err(_) => Grace::Until(typed),
        },
        (None, Some(seconds)) => Grace::Seconds(seconds),
        (None, None) => Grace::None,
    };
    let previous_ends_at = check_grace(grace, situation, expires_at, tx.policy, tx.now, limits.zone)
        .map_err(|problem| Error::Invalid(vec![problem]))?;
    Ok(Renewal { id: token.id.clone(), seen: token.version, previous_ends_at, expires_at })
}

/// The token that the same call has made before.
fn before(tx: &mut Tx<'_>, actor: &Actor, call: Option<&Call>) -> Result<Option<token::Token>> {
    let Some(call) = call else { return Ok(None) };
    let made = call.made(tx)?;
    made.map(|id| token::visible(tx.conn, actor, &TokenId::from(id.as_str()))).transpose()
}

fn note(tx: &mut Tx<'_>, call: Option<&Call>, made: &TokenId) -> Result<()> {
    call.map_or(Ok(()), |call| call.note(tx, made.as_str()))
}

fn shown(tx: &mut Tx<'_>, token: token::Token, catalogue: &Catalogue) -> Result<Token> {
    Ok(Token::of(&query::row(tx.conn, token, tx.now, tx.policy.notice())?, catalogue))
}

fn revealed((token, value): (Token, Option<Secret>)) -> Made<Revealed> {
    let location = format!("/api/v1/tokens/{}", token.id);
    let repeated = value.is_none();
    Made { body: Revealed { value: value.map(|value| value.reveal().to_owned()), token }, location, repeated }
}
