//! What is done to one or many tokens of the list at once: disable, enable, remove. All of them or none, under one password.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::list::{ADDRESS, View};
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Replay, Result};
use crate::token::list::{Listed, dress};
use crate::token::{self, Token};
use crate::types::TokenId;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle};
use crate::web::confirm_pages::{BulkWords, ConfirmPage};
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Fact, counted, number};
use crate::web::session::SignedIn;
use crate::web::words::{self, Reading};

/// Rows that a confirmation lists one by one; those used last come first, so that no warning is left out.
const MOST_LISTED: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Disable,
    Enable,
    Remove,
}

/// What waits for its password.
#[derive(Serialize, Deserialize)]
pub struct Chosen(Vec<TokenId>);

impl Verb {
    pub fn parse(word: &str) -> Option<Verb> {
        match word {
            "disable" => Some(Verb::Disable),
            "enable" => Some(Verb::Enable),
            "remove" => Some(Verb::Remove),
            _ => None,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            Verb::Disable => "disable",
            Verb::Enable => "enable",
            Verb::Remove => "remove",
        }
    }

    fn action(self) -> Action {
        match self {
            Verb::Disable => Action::DisableTokens,
            Verb::Enable => Action::EnableTokens,
            Verb::Remove => Action::RemoveTokens,
        }
    }

    fn words(self, query: &str) -> BulkWords {
        let action = format!("{ADDRESS}/{}{query}", self.word());
        match self {
            Verb::Disable => BulkWords {
                verb: "Disable",
                lead: "Requests that use {} fail at once with error 401, until you enable {} again.",
                action,
                danger: false,
            },
            Verb::Enable => {
                BulkWords { verb: "Enable", lead: "Requests that use {} pass again at once.", action, danger: false }
            }
            Verb::Remove => BulkWords {
                verb: "Remove",
                lead: "Requests that use {} fail at once with error 401. This cannot be undone.",
                action,
                danger: true,
            },
        }
    }

    fn past(self) -> &'static str {
        match self {
            Verb::Disable => "Disabled",
            Verb::Enable => "Enabled",
            Verb::Remove => "Removed",
        }
    }
}

/// Asks for the password for what was chosen in the list.
pub async fn review(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    verb: Verb,
    ids: Vec<TokenId>,
    view: &View,
) -> Result<HttpResponse> {
    let chosen = Chosen(ids);
    let page = confirm_page(me, frame, app, verb, &chosen, view).await?;
    let key = propose(app, me, verb.action(), chosen).await?;
    ask(frame, me, page, &key)
}

/// Each token with its status and last use, and a warning where something still depends on it.
async fn confirm_page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    verb: Verb,
    chosen: &Chosen,
    view: &View,
) -> Result<ConfirmPage> {
    let (actor, now, notice, ids) = (me.actor.clone(), app.now(), app.policy().notice(), chosen.0.clone());
    let mut listed: Vec<Listed> = app
        .read(move |conn| {
            let tokens: Vec<Token> = token::select(conn, &actor, &ids)?;
            dress(conn, tokens, now, notice)
        })
        .await?;
    listed.sort_by_key(|listed| std::cmp::Reverse(listed.used.as_ref().map(|used| used.at)));
    let reading = Reading::of(&me.account, now);
    let facts = listed.iter().take(MOST_LISTED).map(|listed| {
        let fact = Fact::new(&listed.token.name, words::standing(listed, &reading));
        let recent = listed.used.as_ref().filter(|used| reading.is_recent(used.at));
        match recent.filter(|_| verb != Verb::Enable) {
            Some(used) => {
                let from = if used.ip.is_empty() { String::new() } else { format!(" from {}", used.ip) };
                fact.warned(format!("Used {}{from}. Something still depends on it.", reading.ago(used.at)))
            }
            None => fact,
        }
    });
    let mut facts: Vec<Fact> = facts.collect();
    if let Some(more) = listed.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        facts.push(Fact::new(format!("and {} more", number(more)), "used longer ago than those above, or never"));
    }
    let mut warnings = Vec::new();
    let already = listed.iter().filter(|listed| match verb {
        Verb::Disable => !listed.token.enabled,
        Verb::Enable => listed.token.enabled,
        Verb::Remove => false,
    });
    match already.count() {
        0 => {}
        n => {
            let so = if verb == Verb::Enable { "enabled" } else { "disabled" };
            let verb = if n == 1 { "is" } else { "are" };
            warnings.push(format!("{} of them {verb} {so} already and will not change.", number(n)));
        }
    }
    let what = verb.words(&view.query());
    let shell = frame.shell(&format!("{} tokens", what.verb), ADDRESS, Some(me))?;
    Ok(ConfirmPage { warnings, ..ConfirmPage::of_tokens(shell, &what, listed.len(), facts, view.address()) })
}

pub async fn disable(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    confirm(Verb::Disable, &me, &form, &frame, &app, &request).await
}

pub async fn enable(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    confirm(Verb::Enable, &me, &form, &frame, &app, &request).await
}

pub async fn remove(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    confirm(Verb::Remove, &me, &form, &frame, &app, &request).await
}

/// The password comes.
async fn confirm(
    verb: Verb,
    me: &SignedIn,
    form: &Posted,
    frame: &Frame,
    app: &Arc<App>,
    request: &HttpRequest,
) -> Result<HttpResponse> {
    let view = View::read(request.query_string(), &app.prefix);
    // Somebody else may have removed one of them since it was chosen.
    let gone = "One of the tokens is no longer there. Nothing was changed: select again.";
    let outcome = settle(app, me, form, verb.action(), move |tx, actor, chosen: Chosen| match verb {
        Verb::Disable => token::set_enabled(tx, actor, &chosen.0, false),
        Verb::Enable => token::set_enabled(tx, actor, &chosen.0, true),
        Verb::Remove => token::remove(tx, actor, &chosen.0),
    });
    match outcome.await {
        Ok(Outcome::Done(names)) => {
            let note = match names.as_slice() {
                [one] => format!("{} the token {one}.", verb.past()),
                many => format!("{} {}.", verb.past(), counted(many.len(), "token", "tokens")),
            };
            Ok(frame.go_on(&view.address(), &note))
        }
        Ok(Outcome::Again { payload, error }) => match confirm_page(me, frame, app, verb, &payload, &view).await {
            Ok(page) => ask_again(frame, me, page, form, &error),
            Err(Error::Missing) => Ok(frame.go_on(&view.address(), gone)),
            Err(other) => Err(other),
        },
        Err(Error::Missing) => Ok(frame.go_on(&view.address(), gone)),
        Ok(Outcome::Back(_)) => Ok(frame.go_on(&view.address(), "")),
        Err(Error::Replayed(Replay::Used)) => {
            let note = "That was already confirmed. Look at the list: nothing was done again.";
            Ok(frame.go_on(&view.address(), note))
        }
        Err(Error::Replayed(Replay::TooOld)) => {
            let note = "Nothing was changed: the confirmation is too old. Select the tokens again.";
            Ok(frame.go_on(&view.address(), note))
        }
        Err(other) => Err(other),
    }
}
