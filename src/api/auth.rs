//! Signing programs in and out, and who they are.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Done, Made, Refused, Told};
use super::bearer::{Living, Stranger};
use super::input::Body;
use super::json::{Login, Me, Revealed, Token, Whoami};
use crate::account;
use crate::app::App;
use crate::error::Error;
use crate::password::Password;
use crate::session;
use crate::token::{self, query};

/// A session token for who knows the password, by the one counter of guesses.
pub async fn login(stranger: Stranger, body: Body<Login>, app: web::Data<Arc<App>>) -> Result<Made<Revealed>, Refused> {
    let Login { email, password } = body.value;
    let proved = session::prove(&app, &email, Password::new(password), &stranger.origin).await;
    let account = proved.map_err(|error| match error {
        Error::Unconfirmed { .. } => Refused::NotSignedIn("E-mail or password is not right.".into()),
        other => other.into(),
    })?;
    let (prefix, catalogue) = (app.prefix.clone(), app.catalogue());
    let made = app.write(move |tx| {
        let (token, value) = token::session::generate(tx, &account, stranger.origin, &prefix)?;
        let row = query::row(tx.conn, token, tx.now, tx.policy.notice())?;
        Ok((Token::of(&row, &catalogue), value))
    });
    let (token, value) = made.await?;
    let body = Revealed { value: Some(value.reveal().to_owned()), token };
    Ok(Made { body, location: "/api/v1/whoami".into(), repeated: false })
}

/// Ends the session token that came.
pub async fn logout(caller: Living, app: web::Data<Arc<App>>) -> Result<Done, Refused> {
    app.write(move |tx| {
        let actor = caller.actor(tx.conn, tx.now)?;
        token::session::sign_out(tx, &actor)
    })
    .await?;
    Ok(Done)
}

/// What a token is told of itself.
pub async fn whoami(caller: Living, app: web::Data<Arc<App>>) -> Result<Told<Whoami>, Refused> {
    let (now, catalogue, notice) = (app.now(), app.catalogue(), app.policy().notice());
    let told = app.read(move |conn| {
        let actor = caller.actor(conn, now)?;
        let token = token::spoken_by(conn, &actor)?;
        let account = account::by_id(conn, &token.owner_id)?;
        let token = Token::of(&query::row(conn, token, now, notice)?, &catalogue);
        Ok(Whoami { role: account.role, account: Me::of(&account), scopes: token.scopes.clone(), token })
    });
    Ok(Told::plain(told.await?))
}
