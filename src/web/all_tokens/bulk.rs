//! What is done to one or many of everybody's tokens at once: disable, enable, remove, set the expiry. All of them under one
//! password, that names whose they are and what was used lately.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{ADDRESS, View, times};
use crate::account::{self, Account};
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Problem, Replay, Result};
use crate::token::expiry::{self, NewDay, Plan};
use crate::token::list::{Listed, dress};
use crate::token::{self, Token};
use crate::types::{AccountId, TokenId};
use crate::web::all_tokens_pages::ExpiryPage;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle};
use crate::web::confirm_pages::{BulkWords, ConfirmPage};
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Fact, counted, number};
use crate::web::session::{Administrator, SignedIn};
use crate::web::words::{self, Reading, field_errors};
use crate::when;

/// Rows that a confirmation lists one by one; those used last come first, so that no warning is left out.
const MOST_LISTED: usize = 100;

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verb {
    Disable,
    Enable,
    Remove,
    Expiry,
}

/// What waits for its password.
#[derive(Clone, Serialize, Deserialize)]
pub struct Chosen {
    verb: Verb,
    ids: Vec<TokenId>,
    /// Of [`Verb::Expiry`] alone.
    to: Option<NewDay>,
}

impl Verb {
    pub fn parse(word: &str) -> Option<Verb> {
        match word {
            "disable" => Some(Verb::Disable),
            "enable" => Some(Verb::Enable),
            "remove" => Some(Verb::Remove),
            "expiry" => Some(Verb::Expiry),
            _ => None,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Verb::Disable => "disable",
            Verb::Enable => "enable",
            Verb::Remove => "remove",
            Verb::Expiry => "expiry",
        }
    }

    /// Behind "Select at least one token to".
    pub fn words(self) -> &'static str {
        match self {
            Verb::Expiry => "set its expiry",
            other => other.word(),
        }
    }

    fn told(self, query: &str) -> BulkWords {
        let action = format!("{ADDRESS}/{}{query}", self.word());
        let (verb, lead, danger) = match self {
            Verb::Disable => {
                ("Disable", "Requests that use {} fail at once with error 401, until somebody enables {} again.", false)
            }
            Verb::Enable => ("Enable", "Requests that use {} pass again at once.", false),
            Verb::Remove => {
                ("Remove", "Requests that use {} fail at once with error 401. This cannot be undone.", true)
            }
            Verb::Expiry => ("Set the expiry of", "Requests that use {} fail from then on with error 401.", false),
        };
        BulkWords { verb, lead, action, danger }
    }

    fn past(self) -> &'static str {
        match self {
            Verb::Disable => "Disabled",
            Verb::Enable => "Enabled",
            Verb::Remove => "Removed",
            Verb::Expiry => "Set the expiry of",
        }
    }
}

/// Asks for the password for what was chosen in the list; for a new expiry first for the day.
pub async fn review(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    verb: Verb,
    ids: Vec<TokenId>,
    form: &Posted,
    view: &View,
) -> Result<HttpResponse> {
    let mut chosen = Chosen { verb, ids, to: None };
    if verb == Verb::Expiry {
        if !form.has("expires_at") {
            return ask_day(me, frame, app, &chosen, form, view, &[]);
        }
        let day = NewDay { day: form.text("expires_at").to_owned(), zone: me.account.zone().name().to_owned() };
        if let Err(Error::Invalid(problems)) = day.check(app.now()) {
            return ask_day(me, frame, app, &chosen, form, view, &problems);
        }
        chosen.to = Some(day);
    }
    let page = confirm_page(me, frame, app, &chosen, view).await?;
    let key = propose(app, me, Action::ChangeAllTokens, chosen).await?;
    ask(frame, me, page, &key)
}

fn ask_day(
    me: &SignedIn,
    frame: &Frame,
    app: &App,
    chosen: &Chosen,
    form: &Posted,
    view: &View,
    problems: &[Problem],
) -> Result<HttpResponse> {
    let (now, zone) = (app.now().utc(), me.account.zone());
    let page = ExpiryPage {
        shell: frame.shell("Set expiry", ADDRESS, Some(me))?,
        in_dialog: frame.is_htmx,
        title: format!("Set the expiry of {}", counted(chosen.ids.len(), "token", "tokens")),
        action: format!("{ADDRESS}/action{}", view.query()),
        cancel: view.address(),
        ids: if form.has("all") { Vec::new() } else { chosen.ids.iter().map(TokenId::to_string).collect() },
        day: form.text("expires_at").to_owned(),
        first: when::day_of(now, zone).to_string(),
        last: when::in_days(now, app.policy().max_lifetime, zone).to_string(),
        errors: field_errors(problems),
    };
    let status = match problems.is_empty() {
        true => actix_web::http::StatusCode::OK,
        false => actix_web::http::StatusCode::UNPROCESSABLE_ENTITY,
    };
    match frame.is_htmx {
        true => frame.part(status, &page.as_dialog()),
        false => frame.page(status, &page),
    }
}

/// Each token with its owner, status and last use, and a warning where something still depends on it.
async fn confirm_page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    chosen: &Chosen,
    view: &View,
) -> Result<ConfirmPage> {
    let verb = chosen.verb;
    let (actor, times, policy, chosen) = (me.actor.clone(), times(app), app.policy(), chosen.clone());
    let (mut listed, owners, plan) = app
        .read(move |conn| {
            let (tokens, plan): (Vec<Token>, Option<Plan>) = match &chosen.to {
                Some(to) => {
                    let mut plan = expiry::plan(conn, &actor, &policy, times.now, &chosen.ids, to)?;
                    let tokens = plan.moved.iter().map(|(token, _)| token.clone()).collect();
                    plan.moved.truncate(1);
                    (tokens, Some(plan))
                }
                None => (token::select(conn, &actor, &chosen.ids)?, None),
            };
            let ids: Vec<AccountId> = tokens.iter().map(|token| token.owner_id.clone()).collect();
            let owners = account::by_ids(conn, ids)?;
            Ok((dress(conn, tokens, times.now, times.notice)?, owners, plan))
        })
        .await?;
    listed.sort_by_key(|listed| std::cmp::Reverse(listed.used.as_ref().map(|used| used.at)));
    let reading = Reading::of(&me.account, times.now);
    let mut facts = facts(verb, &listed, &owners, &reading);
    let mut warnings = vec![];
    if let Some(plan) = &plan {
        let kept = plan.kept.iter();
        warnings.extend(kept.map(|(why, n)| format!("{} not change. {why}", counted(*n, "token will", "tokens will"))));
        if plan.same > 0 {
            warnings.push(format!("{} on that day already.", counted(plan.same, "token stops", "tokens stop")));
        }
        if let Some((_, end)) = plan.moved.first() {
            facts.insert(0, Fact::new("New expiry", reading.due(*end)));
        }
    }
    let already = listed.iter().filter(|listed| match verb {
        Verb::Disable => !listed.token.enabled,
        Verb::Enable => listed.token.enabled,
        Verb::Remove | Verb::Expiry => false,
    });
    match already.count() {
        0 => {}
        n => {
            let so = if verb == Verb::Enable { "enabled" } else { "disabled" };
            let is = if n == 1 { "is" } else { "are" };
            warnings.push(format!("{} of them {is} {so} already and will not change.", number(n)));
        }
    }
    warnings.push(whose(&listed, &owners));
    let what = verb.told(&view.query());
    let shell = frame.shell(&format!("{} tokens", what.verb), ADDRESS, Some(me))?;
    Ok(ConfirmPage { warnings, ..ConfirmPage::of_tokens(shell, &what, listed.len(), facts, view.address()) })
}

fn facts(verb: Verb, listed: &[Listed], owners: &BTreeMap<AccountId, Account>, reading: &Reading) -> Vec<Fact> {
    let fact = |listed: &Listed| {
        let owner = owners.get(&listed.token.owner_id).map(Account::label).unwrap_or_default();
        let fact = Fact::new(&listed.token.name, format!("{owner}. {}", words::standing(listed, reading)));
        let recent = listed.used.as_ref().filter(|used| reading.is_recent(used.at));
        match recent.filter(|_| verb != Verb::Enable) {
            Some(used) => {
                let from = if used.ip.is_empty() { String::new() } else { format!(" from {}", used.ip) };
                fact.warned(format!("Used {}{from}. Something still depends on it.", reading.ago(used.at)))
            }
            None => fact,
        }
    };
    let mut facts: Vec<Fact> = listed.iter().take(MOST_LISTED).map(fact).collect();
    if let Some(more) = listed.len().checked_sub(MOST_LISTED).filter(|more| *more > 0) {
        facts.push(Fact::new(format!("and {} more", number(more)), "used longer ago than those above, or never"));
    }
    facts
}

/// "They belong to 3 accounts: jan@example.com (12 tokens), …"
fn whose(listed: &[Listed], owners: &BTreeMap<AccountId, Account>) -> String {
    let mut tokens: BTreeMap<&AccountId, usize> = BTreeMap::new();
    for listed in listed {
        *tokens.entry(&listed.token.owner_id).or_default() += 1;
    }
    let mut named: Vec<(usize, &str)> =
        tokens.iter().filter_map(|(id, n)| Some((*n, owners.get(*id)?.label()))).collect();
    named.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    let texts = named.iter().map(|(n, label)| format!("{label} ({})", counted(*n, "token", "tokens")));
    let verb = if listed.len() == 1 { "It belongs" } else { "They belong" };
    format!("{verb} to {}: {}.", counted(named.len(), "account", "accounts"), words::list(texts))
}

macro_rules! confirming {
    ($($name:ident $verb:ident),*) => {$(
        pub async fn $name(
            me: Administrator,
            form: Posted,
            frame: Frame,
            app: web::Data<Arc<App>>,
            request: HttpRequest,
        ) -> Result<HttpResponse> {
            confirm(Verb::$verb, &me.0, &form, &frame, &app, &request).await
        }
    )*};
}
confirming!(disable Disable, enable Enable, remove Remove, set_expiry Expiry);

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
    let outcome = settle(app, me, form, Action::ChangeAllTokens, move |tx, actor, chosen: Chosen| {
        match (chosen.verb, &chosen.to) {
            (Verb::Disable, _) => token::set_enabled(tx, actor, &chosen.ids, false),
            (Verb::Enable, _) => token::set_enabled(tx, actor, &chosen.ids, true),
            (Verb::Remove, _) => token::remove(tx, actor, &chosen.ids),
            (Verb::Expiry, Some(to)) => expiry::set(tx, actor, &chosen.ids, to),
            (Verb::Expiry, None) => Err(Error::invalid("expires_at", "Choose the day on which they stop.")),
        }
    });
    let note = match outcome.await {
        Ok(Outcome::Done(names)) => match names.as_slice() {
            [one] => format!("{} the token {one}.", verb.past()),
            many => format!("{} {}.", verb.past(), counted(many.len(), "token", "tokens")),
        },
        Ok(Outcome::Again { payload, error }) => match confirm_page(me, frame, app, &payload, &view).await {
            Ok(page) => return ask_again(frame, me, page, form, &error),
            Err(Error::Missing) => gone.to_owned(),
            Err(other) => return Err(other),
        },
        Err(Error::Missing) => gone.to_owned(),
        Ok(Outcome::Back(_)) => String::new(),
        Err(Error::Replayed(Replay::Used)) => {
            "That was already confirmed. Look at the list: nothing was done again.".to_owned()
        }
        Err(Error::Replayed(Replay::TooOld)) => {
            "Nothing was changed: the confirmation is too old. Select the tokens again.".to_owned()
        }
        Err(other) => return Err(other),
    };
    Ok(frame.go_on(&view.address(), &note))
}
