//! Changes of one service account: what it is called and may, whom it belongs to, disable and enable, remove.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::{ADDRESS, Seen, Typed, address, look, page};
use crate::account::service::{self, NewService, Owner, ServiceDraft};
use crate::actor::{Deed, wording};
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Problem, Result};
use crate::token::list::Listed;
use crate::types::AccountId;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Fact, Note, counted, number};
use crate::web::service_accounts_pages::ServicePage;
use crate::web::session::SignedIn;
use crate::web::teams::{STALE, refused};
use crate::web::words::{self, Reading};

/// The account, for who may change it.
async fn to_change(app: &Arc<App>, me: &SignedIn, id: &str) -> Result<Seen> {
    let seen = look(app, me, id).await?;
    me.actor.must_as(seen.relation, Deed::ChangeServiceAccount)?;
    Ok(seen)
}

fn again(
    me: &SignedIn,
    frame: &Frame,
    app: &App,
    seen: &Seen,
    typed: &Typed,
    problems: &[Problem],
    note: Option<Note>,
) -> Result<HttpResponse> {
    let page = ServicePage { note, ..page(me, frame, app, seen, typed, problems)? };
    frame.form_again(&page, &page.as_content())
}

/// Name, description and role: first the filled form, then its password.
pub async fn save(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    type Waiting = (AccountId, i64, NewService);
    let seen = to_change(&app, &me, &id).await?;
    let account = &seen.account;
    let base = Typed::of(account);
    if !form.has("confirm") {
        let typed = Typed::posted(&form, base);
        let (actor, draft, known) = (me.actor.clone(), typed.draft.clone(), account.clone());
        let new = match app.read(move |conn| draft.check(conn, &actor, Some(&known))).await {
            Ok(new) if new.role != account.role && me.actor.must_reach(account.role).is_err() => {
                let above = me.actor.must_reach(account.role).err().unwrap_or(Error::Missing).to_string();
                drop(new);
                let problems = [Problem { field: "role", sentence: above }];
                return again(&me, &frame, &app, &seen, &typed, &problems, None);
            }
            Ok(new) => new,
            Err(Error::Invalid(problems)) => return again(&me, &frame, &app, &seen, &typed, &problems, None),
            Err(other) => return Err(other),
        };
        let version = form.text("seen").parse().unwrap_or(account.version);
        let page = save_page(&me, &frame, &seen, &new)?;
        let key = propose(&app, &me, Action::EditServiceAccount, (account.id.clone(), version, new)).await?;
        return ask(&frame, &me, page, &key);
    }
    let settled = settle(&app, &me, &form, Action::EditServiceAccount, |tx, actor, (id, seen, new): Waiting| {
        // What waits is shown again where somebody else was faster.
        match service::edit(tx, actor, &id, seen, &new) {
            Err(Error::Stale) => Ok(Err(new)),
            done => done.map(Ok),
        }
    });
    let typed = |new: NewService| Typed {
        draft: ServiceDraft { name: new.name, description: new.description, role: new.role.to_string() },
        ..base.clone()
    };
    match settled.await {
        Ok(Outcome::Done(Ok(saved))) => Ok(frame.go_on(&address(&saved.id), &format!("Saved {}.", saved.name))),
        Ok(Outcome::Done(Err(new))) => again(&me, &frame, &app, &seen, &typed(new), &[], Some(Note::warn(STALE))),
        Ok(Outcome::Again { payload: (.., new), error }) => {
            ask_again(&frame, &me, save_page(&me, &frame, &seen, &new)?, &form, &error)
        }
        Ok(Outcome::Back((.., new))) => frame.page(StatusCode::OK, &page(&me, &frame, &app, &seen, &typed(new), &[])?),
        Err(Error::Invalid(problems)) => again(&me, &frame, &app, &seen, &base, &problems, None),
        Err(error) => refused(&frame, &address(&account.id), error),
    }
}

fn save_page(me: &SignedIn, frame: &Frame, seen: &Seen, new: &NewService) -> Result<ConfirmPage> {
    let account = &seen.account;
    let was = |is: &str, was: &str| if is == was { is.to_owned() } else { format!("{is}, was {was}") };
    let mut warnings = Vec::new();
    if new.name != account.name {
        warnings.push("APIs that read X-Hallpass-Account get the new name from the next request on.".to_owned());
    }
    if new.role < account.role {
        warnings.push("Methods that need a higher role are refused to its tokens at once.".to_owned());
    }
    if new.role > account.role {
        warnings.push("Its tokens may call at once what they were refused for its role.".to_owned());
    }
    Ok(ConfirmPage {
        shell: frame.shell("Save service account", ADDRESS, Some(me))?,
        title: "Confirm with your password".into(),
        lead: format!("You are about to change {}:", account.name),
        facts: vec![
            Fact::new("Name", was(&new.name, &account.name)),
            Fact::new("Description", was(&new.description, &account.description)),
            Fact::new("Role", was(wording(new.role), wording(account.role))),
        ],
        warnings,
        action: address(&account.id),
        go: "Save changes".into(),
        stay: "Cancel".into(),
        ..ConfirmPage::default()
    })
}

/// Another owner: first whom, then the password.
pub async fn give(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    type Waiting = (AccountId, i64, Owner, String);
    let seen = to_change(&app, &me, &id).await?;
    let account = &seen.account;
    me.actor.must_reach(account.role)?;
    if !form.has("confirm") {
        let typed = Typed::posted(&form, Typed::of(account));
        let (actor, wish, role) = (me.actor.clone(), typed.clone(), account.role);
        let checked = app.read(move |conn| {
            let owner = wish.owner(conn, &actor)?;
            let name = service::may_own(conn, &actor, &owner, role)?;
            Ok((owner, name))
        });
        let (owner, name) = match checked.await {
            Ok(found) => found,
            Err(Error::Invalid(mut problems)) => {
                // Here the role stands, and it is the owner that does not fit.
                problems.iter_mut().filter(|problem| problem.field == "role").for_each(|p| p.field = "owner");
                return again(&me, &frame, &app, &seen, &typed, &problems, None);
            }
            Err(other) => return Err(other),
        };
        let version = form.text("seen").parse().unwrap_or(account.version);
        let page = give_page(&me, &frame, &seen, &owner, &name)?;
        let key = propose(&app, &me, Action::GiveServiceAccount, (account.id.clone(), version, owner, name)).await?;
        return ask(&frame, &me, page, &key);
    }
    let settled = settle(&app, &me, &form, Action::GiveServiceAccount, |tx, actor, waiting: Waiting| {
        let (id, seen, owner, name) = waiting;
        service::give(tx, actor, &id, seen, &owner)?;
        Ok((id, name))
    });
    match settled.await {
        Ok(Outcome::Done((id, name))) => {
            let note = format!("{} belongs to {name} now.", account.name);
            // Who gave it away may not see it any more.
            let still = look(&app, &me, id.as_str()).await.is_ok();
            Ok(frame.go_on(&if still { address(&id) } else { ADDRESS.to_owned() }, &note))
        }
        Ok(Outcome::Again { payload: (_, _, owner, name), error }) => {
            ask_again(&frame, &me, give_page(&me, &frame, &seen, &owner, &name)?, &form, &error)
        }
        Ok(Outcome::Back(_)) => Ok(frame.go_on(&address(&account.id), "")),
        Err(error) => refused(&frame, &address(&account.id), error),
    }
}

fn give_page(me: &SignedIn, frame: &Frame, seen: &Seen, owner: &Owner, name: &str) -> Result<ConfirmPage> {
    let account = &seen.account;
    let lead = match owner {
        Owner::Team(_) => "All members of the team see its tokens, its contributors and managers change them.",
        Owner::Person(_) => "From now on this person sees and changes its tokens.",
    };
    Ok(ConfirmPage {
        shell: frame.shell("Change owner", ADDRESS, Some(me))?,
        title: "Confirm with your password".into(),
        lead: lead.into(),
        facts: vec![
            Fact::new("Service account", &account.name),
            Fact::new("Belongs to", format!("{name}, was {}", seen.owner)),
        ],
        warnings: match seen.tokens.len() {
            0 => Vec::new(),
            _ => vec![
                "Values that somebody has of its tokens go on working. Regenerate them if that is not meant.".into(),
            ],
        },
        action: format!("{}/owner", address(&account.id)),
        go: "Change owner".into(),
        stay: "Cancel".into(),
        stay_href: address(&account.id),
        ..ConfirmPage::default()
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Disable,
    Enable,
    Remove,
}

macro_rules! acting {
    ($($name:ident $verb:ident),*) => {$(
        pub async fn $name(
            me: SignedIn,
            form: Posted,
            frame: Frame,
            app: web::Data<Arc<App>>,
            id: web::Path<String>,
        ) -> Result<HttpResponse> {
            act(Verb::$verb, &me, &form, &frame, &app, &id).await
        }
    )*};
}
acting!(disable Disable, enable Enable, remove Remove);

async fn act(
    verb: Verb,
    me: &SignedIn,
    form: &Posted,
    frame: &Frame,
    app: &Arc<App>,
    id: &str,
) -> Result<HttpResponse> {
    let seen = to_change(app, me, id).await?;
    let account = &seen.account;
    if verb == Verb::Enable {
        me.actor.must_reach(account.role)?;
    }
    let action = match verb {
        Verb::Disable => Action::DisableServiceAccount,
        Verb::Enable => Action::EnableServiceAccount,
        Verb::Remove => Action::RemoveServiceAccount,
    };
    if !form.has("confirm") {
        let page = act_page(verb, me, frame, app, &seen)?;
        let key = propose(app, me, action, account.id.clone()).await?;
        return ask(frame, me, page, &key);
    }
    let settled = settle(app, me, form, action, move |tx, actor, id: AccountId| match verb {
        Verb::Disable => service::set_enabled(tx, actor, &id, false).map(|_| 0),
        Verb::Enable => service::set_enabled(tx, actor, &id, true).map(|_| 0),
        Verb::Remove => service::remove(tx, actor, &id).map(|(_, tokens)| tokens),
    });
    let home = address(&account.id);
    match settled.await {
        Ok(Outcome::Done(tokens)) => {
            let name = &account.name;
            Ok(match verb {
                Verb::Disable => frame.go_on(&home, &format!("Disabled {name}.")),
                Verb::Enable => frame.go_on(&home, &format!("Enabled {name}.")),
                Verb::Remove => {
                    let tokens = counted(tokens, "token", "tokens");
                    frame.go_on(ADDRESS, &format!("Removed {name} with {tokens}."))
                }
            })
        }
        Ok(Outcome::Again { error, .. }) => ask_again(frame, me, act_page(verb, me, frame, app, &seen)?, form, &error),
        Ok(Outcome::Back(_)) => Ok(frame.go_on(&home, "")),
        Err(error) => refused(frame, &home, error),
    }
}

/// Names each token with its status and last use, those used last first, and warns where something still depends on one.
fn act_page(verb: Verb, me: &SignedIn, frame: &Frame, app: &App, seen: &Seen) -> Result<ConfirmPage> {
    let (account, reading) = (&seen.account, Reading::of(&me.account, app.now()));
    let fact = |listed: &Listed| {
        let fact = Fact::new(&listed.token.name, words::standing(listed, &reading));
        match listed.used.as_ref().filter(|used| verb != Verb::Enable && reading.is_recent(used.at)) {
            Some(used) => {
                let from = if used.ip.is_empty() { String::new() } else { format!(" from {}", used.ip) };
                fact.warned(format!("Used {}{from}. Something still depends on it.", reading.ago(used.at)))
            }
            None => fact,
        }
    };
    let mut facts: Vec<Fact> = seen.tokens.iter().map(fact).collect();
    if let Some(more) = seen.total.checked_sub(facts.len()).filter(|more| *more > 0) {
        facts.push(Fact::new(format!("and {} more", number(more)), "used longer ago than those above, or never"));
    }
    if facts.is_empty() {
        facts.push(Fact::new("Tokens", "none"));
    }
    let name = &account.name;
    let (title, lead, word) = match verb {
        Verb::Disable => (
            format!("Disable {name}?"),
            "Requests that use one of its tokens fail at once with error 401, until you enable it again.",
            "disable",
        ),
        Verb::Enable => {
            (format!("Enable {name}?"), "Requests that use one of its tokens pass again at once.", "enable")
        }
        Verb::Remove => (
            format!("Remove {name}?"),
            "Its tokens are removed with it: requests that use one fail at once with error 401. This cannot be undone.",
            "remove",
        ),
    };
    let go = match verb {
        Verb::Disable => "Disable service account",
        Verb::Enable => "Enable service account",
        Verb::Remove => "Remove service account",
    };
    Ok(ConfirmPage {
        shell: frame.shell(go, ADDRESS, Some(me))?,
        title,
        lead: lead.into(),
        facts,
        action: format!("{}/{word}", address(&account.id)),
        go: go.into(),
        danger: verb == Verb::Remove,
        stay: "Cancel".into(),
        stay_href: address(&account.id),
        ..ConfirmPage::default()
    })
}
