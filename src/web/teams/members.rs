//! Members of a team: adding one by e-mail address, making managers and members, taking one out.

use std::sync::Arc;

use actix_web::{HttpResponse, web};
use serde::{Deserialize, Serialize};

use super::{ADDRESS, Seen, Typed, address, look, page, refused, role_wording};
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Result};
use crate::team::member;
use crate::types::{AccountId, TeamId, TeamRole};
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::Fact;
use crate::web::session::SignedIn;

/// What waits for its password.
#[derive(Serialize, Deserialize)]
struct Wish {
    team: TeamId,
    account: AccountId,
    /// As the confirmation names the person.
    label: String,
    change: Change,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Change {
    Add(TeamRole),
    Set(TeamRole),
    Remove,
}

/// `do` says what: `add` with `email` and `role`, `manager`, `member` or `remove` with `account`.
pub async fn change(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let seen = look(&app, &me, &id, None).await?;
    let (actor, team) = (me.actor.clone(), seen.team.id.clone());
    app.read(move |conn| member::managed(conn, &actor, &team)).await?;
    if !form.has("confirm") {
        return match wished(&app, &form, &seen).await {
            Ok(wish) => {
                let page = ask_page(&me, &frame, &seen, &wish)?;
                let key = propose(&app, &me, Action::ChangeMembers, wish).await?;
                ask(&frame, &me, page, &key)
            }
            Err(Error::Invalid(problems)) => {
                let text = |name: &str| form.text(name).to_owned();
                let typed = Typed { email: text("email"), role: text("role"), ..Typed::default() };
                let page = page(&me, &frame, &app, &id, &typed, &problems).await?;
                frame.form_again(&page, &page.as_content())
            }
            Err(other) => Err(other),
        };
    }
    let settled = settle(&app, &me, &form, Action::ChangeMembers, |tx, actor, wish: Wish| {
        match wish.change {
            Change::Add(role) => member::add(tx, actor, &wish.team, &wish.account, role),
            Change::Set(role) => member::set(tx, actor, &wish.team, &wish.account, role),
            Change::Remove => member::remove(tx, actor, &wish.team, &wish.account),
        }?;
        Ok(wish)
    });
    let home = address(&seen.team.id);
    match settled.await {
        // Who took themself out may not see the team any more.
        Ok(Outcome::Done(wish)) if wish.change == Change::Remove && me.actor.is(&wish.account) => {
            Ok(frame.go_on("/settings/tokens", &format!("You are no longer in {}.", seen.team.name)))
        }
        Ok(Outcome::Done(wish)) => Ok(frame.go_on(&home, &done(&wish))),
        Ok(Outcome::Again { payload, error }) => {
            ask_again(&frame, &me, ask_page(&me, &frame, &seen, &payload)?, &form, &error)
        }
        Ok(Outcome::Back(_)) => Ok(frame.go_on(&home, "")),
        Err(Error::Missing) => Ok(frame.go_on(&home, "Nothing was changed: that person is no longer in the team.")),
        Err(Error::Invalid(problems)) => {
            let told = Error::Invalid(problems).to_string();
            Ok(frame.go_on(&home, &format!("Nothing was changed. {told}")))
        }
        Err(error) => refused(&frame, &home, error),
    }
}

async fn wished(app: &Arc<App>, form: &Posted, seen: &Seen) -> Result<Wish> {
    let team = seen.team.id.clone();
    let change = match form.text("do") {
        "manager" => Change::Set(TeamRole::Manager),
        "member" => Change::Set(TeamRole::Member),
        "remove" => Change::Remove,
        _ => {
            let role = match form.text("role") {
                "" => TeamRole::Member,
                word => TeamRole::parse(word)
                    .ok_or_else(|| Error::invalid("role", "People are in a team as member or manager."))?,
            };
            let typed = form.text("email").to_owned();
            let account = app.read(move |conn| member::by_email(conn, &typed, "email")).await?;
            if seen.members.iter().any(|member| member.account.id == account.id) {
                return Err(Error::invalid("email", format!("{} is in this team already.", account.name)));
            }
            let label = account.label().to_owned();
            return Ok(Wish { team, account: account.id, label, change: Change::Add(role) });
        }
    };
    let account = AccountId::from(form.text("account"));
    let found = seen.members.iter().find(|member| member.account.id == account);
    let label = found.ok_or(Error::Missing)?.account.label().to_owned();
    if change != Change::Set(TeamRole::Manager) {
        let (of, leaving) = (seen.team.clone(), account.clone());
        app.read(move |conn| member::must_leave_a_manager(conn, &of, &leaving)).await?;
    }
    Ok(Wish { team, account, label, change })
}

fn done(wish: &Wish) -> String {
    match wish.change {
        Change::Add(role) => format!("Added {} as {}.", wish.label, role_wording(role)),
        Change::Set(role) => format!("{} is a {} now.", wish.label, role_wording(role)),
        Change::Remove => format!("{} is no longer in the team.", wish.label),
    }
}

fn ask_page(me: &SignedIn, frame: &Frame, seen: &Seen, wish: &Wish) -> Result<ConfirmPage> {
    let team = &seen.team;
    let (lead, go) = match wish.change {
        Change::Add(TeamRole::Manager) => {
            ("Managers see and change the team's tokens, and say who is in the team.", "Add manager")
        }
        Change::Add(TeamRole::Member) => {
            ("Members see the team's tokens. Contributors among them change these and take new values.", "Add member")
        }
        Change::Set(TeamRole::Manager) => {
            ("Managers change the team's tokens, and say who is in the team.", "Make manager")
        }
        Change::Set(TeamRole::Member) => ("They stay in the team and no longer say who is in it.", "Make member"),
        Change::Remove => (
            "They no longer see the team's tokens. Values that they have seen go on working: regenerate those tokens.",
            "Remove member",
        ),
    };
    Ok(ConfirmPage {
        shell: frame.shell(go, ADDRESS, Some(me))?,
        title: "Confirm with your password".into(),
        lead: lead.into(),
        facts: vec![Fact::new("Team", &team.name), Fact::new("Person", &wish.label)],
        action: format!("{}/members", address(&team.id)),
        go: go.into(),
        danger: wish.change == Change::Remove,
        stay: "Cancel".into(),
        stay_href: address(&team.id),
        ..ConfirmPage::default()
    })
}
