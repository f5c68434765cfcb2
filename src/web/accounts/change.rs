//! What is done to one person: role, sessions, wrong passwords, disabling and enabling. First the wish, then its password.

use std::sync::Arc;

use actix_web::{HttpResponse, web};

use super::{Told, address, role_choice, stale, waiting, wrong_passwords};
use crate::account::{self, Account, Order, Wish};
use crate::actor::wording;
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Replay, Result};
use crate::types::Role;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Fact, counted};
use crate::web::session::{Administrator, SignedIn};
use crate::web::words::Reading;

/// Of a form that this page did not make: as old as can be.
pub(super) fn seen(form: &Posted) -> i64 {
    form.text("seen").parse().unwrap_or(-1)
}

pub async fn change(
    me: Administrator,
    form: Posted,
    id: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let told = Told::read(&app, &me, &id).await?;
    if form.has("confirm") {
        return confirmed(&me, &form, &frame, &app, &told).await;
    }
    let wish = wish(&form)?;
    let (actor, of) = (me.actor.clone(), told.account().id.clone());
    app.read(move |conn| account::check_order(conn, &actor, &of, wish)).await?;
    if told.account().version != seen(&form) {
        return stale(&me, &frame, &app, &id).await;
    }
    match wish {
        Wish::Role(role) if role == told.account().role => {
            let note = format!("{} has the role {} already.", told.account().name, wording(role));
            return Ok(frame.go_on(&address(&told.account().id), &note));
        }
        Wish::Disable if told.has_belongings => {
            return Ok(frame.go_on(&format!("{}/leave", address(&told.account().id)), ""));
        }
        _ => {}
    }
    let order = Order { id: told.account().id.clone(), seen: told.account().version, wish };
    let page = confirm_page(&me, &frame, &app, &told, wish)?;
    let key = propose(&app, &me, Action::ChangeAccount, order).await?;
    ask(&frame, &me, page, &key)
}

fn wish(form: &Posted) -> Result<Wish> {
    Ok(match form.text("do") {
        "role" => {
            let role = Role::parse(form.text("role"));
            Wish::Role(role.ok_or_else(|| Error::invalid("role", "Choose one of the roles."))?)
        }
        "disable" => Wish::Disable,
        "enable" => Wish::Enable,
        "end_sessions" => Wish::EndSessions,
        "reset" => Wish::ResetGuesses,
        _ => return Err(Error::invalid("do", "This button does not exist.")),
    })
}

async fn confirmed(me: &SignedIn, form: &Posted, frame: &Frame, app: &Arc<App>, told: &Told) -> Result<HttpResponse> {
    let back = address(&told.account().id);
    let of = told.account().id.clone();
    let outcome = settle(app, me, form, Action::ChangeAccount, move |tx, actor, order: Order| {
        // The address and what waits are of one account.
        if order.id != of {
            return Err(Error::Missing);
        }
        Ok((account::obey(tx, actor, &order)?, order.wish))
    });
    match outcome.await {
        Ok(Outcome::Done((account, wish))) => Ok(frame.go_on(&back, &done(&account, wish))),
        Ok(Outcome::Again { payload, error }) => {
            ask_again(frame, me, confirm_page(me, frame, app, told, payload.wish)?, form, &error)
        }
        Ok(Outcome::Back(_)) => Ok(frame.go_on(&back, "")),
        Err(Error::Stale) => stale(me, frame, app, told.account().id.as_str()).await,
        Err(Error::Replayed(why)) => Ok(frame.go_on(
            &back,
            match why {
                Replay::Used => "That was already confirmed. Nothing was done again.",
                Replay::TooOld => "Nothing was changed: the confirmation is too old.",
            },
        )),
        Err(other) => Err(other),
    }
}

fn done(account: &Account, wish: Wish) -> String {
    let name = &account.name;
    match wish {
        Wish::Role(role) => format!("{name} has the role {} now.", wording(role)),
        Wish::Disable => format!("Disabled {name}."),
        Wish::Enable => format!("Enabled {name}."),
        Wish::EndSessions => format!("Ended the sessions of {name}."),
        Wish::ResetGuesses => format!("{name} can try again at once."),
    }
}

fn confirm_page(me: &SignedIn, frame: &Frame, app: &App, told: &Told, wish: Wish) -> Result<ConfirmPage> {
    let (account, reading) = (told.account(), Reading::of(&me.account, app.now()));
    let name = &account.name;
    let mut facts = vec![Fact::new("Account", format!("{name}, {}", account.label()))];
    let mut warnings = Vec::new();
    let (title, lead, go, stay) = match wish {
        Wish::Role(role) => {
            facts.push(Fact::new("Role", format!("{}, was {}", wording(role), wording(account.role))));
            if role < account.role {
                let above = told.services.iter().filter(|service| service.role > role).count();
                if above > 0 {
                    let services = counted(above, "service account comes", "service accounts come");
                    warnings.push(format!("{services} down to that role too."));
                }
                warnings.push("Tokens lose the methods that need a higher role, at once.".into());
            }
            (
                "Confirm with your password".to_owned(),
                "You are about to change what this person may do:",
                "Save role",
                "Cancel",
            )
        }
        Wish::Disable => {
            let lead = "Nobody can sign in as this person, at once. Nothing of theirs is left to decide.";
            (format!("Disable {name}?"), lead, "Disable account", "Keep account")
        }
        Wish::Enable => {
            if !told.services.is_empty() {
                warnings.push("Their service accounts stay disabled until you enable each of them.".into());
            }
            let frozen = counted(told.listed.tokens.max(0) as usize, "token works", "tokens work");
            facts.push(Fact::new("Tokens", format!("{frozen} again at once")));
            (
                format!("Enable {name}?"),
                "This person can sign in again, and their tokens pass.",
                "Enable account",
                "Cancel",
            )
        }
        Wish::EndSessions => {
            facts.push(Fact::new("Sessions", told.sessions.len().to_string()));
            (
                format!("End the sessions of {name}?"),
                "They have to sign in again. Tokens go on working.",
                "End sessions",
                "Cancel",
            )
        }
        Wish::ResetGuesses => {
            facts.push(Fact::new("Count", wrong_passwords(told.guesses)));
            facts.push(Fact::new("Now", waiting(told.guesses, &reading)));
            (format!("Forget the wrong passwords of {name}?"), "They can try again at once.", "Reset", "Cancel")
        }
    };
    Ok(ConfirmPage {
        shell: frame.shell(&title, super::ADDRESS, Some(me))?,
        title,
        lead: lead.into(),
        facts,
        warnings,
        action: address(&account.id),
        go: go.into(),
        danger: wish == Wish::Disable,
        stay: stay.into(),
        stay_href: address(&account.id),
        ..ConfirmPage::default()
    })
}

/// The roles of a form, with the chosen one.
pub(super) fn choices(me: &SignedIn, chosen: Option<Role>) -> Vec<crate::web::page::Choice> {
    let may = |role: &&Role| account::invitation::may_give(&me.actor, **role).is_ok();
    Role::ALL.iter().filter(may).map(|role| role_choice(*role, Some(*role) == chosen)).collect()
}
