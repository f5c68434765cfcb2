//! Leaving: what a person leaves behind, a choice for each thing, the password, and the new values once.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::change::seen;
use super::{ADDRESS, address, stale};
use crate::account::Account;
use crate::account::leaving::{Fate, Handed, Leaving, belongings, leave as do_leave, role_under_team, teams};
use crate::actor::wording;
use crate::app::App;
use crate::catalogue::Catalogue;
use crate::confirm::Action;
use crate::error::{Error, Replay, Result};
use crate::team::Team;
use crate::token::hand_over::cut;
use crate::token::list::{Listed, dress};
use crate::types::{AccountId, TeamId, TokenId};
use crate::web::accounts_pages::{HandedRow, LeavePage, LeftPage, LeftRow};
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle, still_waiting};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::{Frame, uncompressed};
use crate::web::page::{Choice, Fact, Note, counted};
use crate::web::session::{Administrator, SignedIn};
use crate::web::words::{self, Reading};

/// What is left, as the pages show it.
struct Left {
    leaver: Account,
    tokens: Vec<Listed>,
    services: Vec<(Account, Vec<Listed>)>,
    teams: Vec<Team>,
}

impl Left {
    async fn read(app: &Arc<App>, me: &SignedIn, id: &str) -> Result<Left> {
        let (id, actor, now, notice) = (AccountId::from(id), me.actor.clone(), app.now(), app.policy().notice());
        app.read(move |conn| {
            let (leaver, left) = belongings(conn, &actor, &id, now)?;
            let mut services = Vec::new();
            for (service, tokens) in left.services {
                services.push((service, dress(conn, tokens, now, notice)?));
            }
            Ok(Left { leaver, tokens: dress(conn, left.tokens, now, notice)?, services, teams: teams(conn)? })
        })
        .await
    }

    fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.services.is_empty()
    }

    /// What was chosen in the form; of what it does not name the choice is to freeze it as it is now.
    fn plan(&self, form: &Posted, seen: i64) -> Result<Leaving> {
        let at = |id: &str, now: i64| form.text(&seen_field(id)).parse().unwrap_or(now);
        let fate = |id: &str| self.fate(form.text(&field(id)));
        let token = |listed: &Listed| {
            let id = listed.token.id.clone();
            Ok((id.clone(), at(id.as_str(), listed.token.version), fate(id.as_str())?))
        };
        let service = |(service, _): &(Account, Vec<Listed>)| {
            let id = service.id.clone();
            Ok((id.clone(), at(id.as_str(), service.version), fate(id.as_str())?))
        };
        Ok(Leaving {
            id: self.leaver.id.clone(),
            seen,
            tokens: self.tokens.iter().map(token).collect::<Result<_>>()?,
            services: self.services.iter().map(service).collect::<Result<_>>()?,
        })
    }

    fn fate(&self, word: &str) -> Result<Fate> {
        Ok(match word {
            "" | "freeze" => Fate::Freeze,
            "remove" => Fate::Remove,
            team => Fate::Team(self.team(&TeamId::from(team)).ok_or_else(gone)?.id.clone()),
        })
    }

    fn team(&self, id: &TeamId) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == *id)
    }
}

fn gone() -> Error {
    Error::invalid("team", "This team is gone. Choose another.")
}

fn field(id: &str) -> String {
    format!("of-{id}")
}

fn seen_field(id: &str) -> String {
    format!("at-{id}")
}

pub async fn form(
    me: Administrator,
    id: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let left = Left::read(&app, &me, &id).await?;
    if !left.leaver.enabled {
        return Ok(frame.go_on(&address(&left.leaver.id), "This account is disabled already."));
    }
    if left.is_empty() {
        return Ok(
            frame.go_on(&address(&left.leaver.id), "Nothing of theirs is left to decide: disable the account here.")
        );
    }
    let plan = left.plan(&Posted::default(), left.leaver.version)?;
    frame.page(StatusCode::OK, &page(&me, &frame, &app, &left, &plan, None)?)
}

/// First the choices, then the password: the second form carries `confirm`.
pub async fn leave(
    me: Administrator,
    form: Posted,
    id: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    if form.has("confirm") {
        return confirmed(&me, &form, &frame, &app, &id).await;
    }
    let left = Left::read(&app, &me, &id).await?;
    let plan = match left.plan(&form, seen(&form)) {
        Ok(plan) => plan,
        Err(error @ Error::Invalid(_)) => {
            let plan = left.plan(&Posted::default(), left.leaver.version)?;
            let page = page(&me, &frame, &app, &left, &plan, Some(Note::bad(error.to_string())))?;
            return frame.form_again(&page, &page.as_content());
        }
        Err(other) => return Err(other),
    };
    if form.text("do") == "filter" {
        return frame.page(StatusCode::OK, &page(&me, &frame, &app, &left, &plan, None)?);
    }
    if plan.seen != left.leaver.version {
        return out_of_date(&me, &frame, &app, &left, &plan);
    }
    if let Some(sentence) = useless(&app.catalogue(), &left, &plan) {
        let page = page(&me, &frame, &app, &left, &plan, Some(Note::bad(sentence)))?;
        return frame.form_again(&page, &page.as_content());
    }
    let confirm = confirm_page(&me, &frame, &app, &left, &plan)?;
    let key = propose(&app, &me, Action::LeaveAccount, plan).await?;
    ask(&frame, &me, confirm, &key)
}

/// A token that could do nothing where it is handed to.
fn useless(catalogue: &Catalogue, left: &Left, plan: &Leaving) -> Option<String> {
    let role = role_under_team(&left.leaver);
    let handed = plan.tokens.iter().filter(|(_, _, fate)| matches!(fate, Fate::Team(_)));
    let tokens = handed.filter_map(|(id, ..)| left.tokens.iter().find(|listed| listed.token.id == *id));
    let lost = tokens.map(|listed| &listed.token).find(|token| cut(catalogue, &token.scopes, role).is_empty())?;
    Some(format!("{} could do nothing under the role {}. Keep it frozen or remove it.", lost.name, wording(role)))
}

async fn confirmed(me: &SignedIn, form: &Posted, frame: &Frame, app: &Arc<App>, id: &str) -> Result<HttpResponse> {
    let (prefix, catalogue, of) = (app.prefix.clone(), app.catalogue(), AccountId::from(id));
    let outcome = settle(app, me, form, Action::LeaveAccount, move |tx, actor, plan: Leaving| {
        if plan.id != of {
            return Err(Error::Missing);
        }
        do_leave(tx, actor, &catalogue, &plan, &prefix)
    });
    match outcome.await {
        Ok(Outcome::Done(handed)) => reveal(me, frame, app, id, &handed).await,
        Ok(Outcome::Again { payload, error }) => {
            let left = Left::read(app, me, id).await?;
            ask_again(frame, me, confirm_page(me, frame, app, &left, &payload)?, form, &error)
        }
        Ok(Outcome::Back(plan)) => {
            let left = Left::read(app, me, id).await?;
            frame.page(StatusCode::OK, &page(me, frame, app, &left, &plan, None)?)
        }
        Err(Error::Stale) => {
            let left = Left::read(app, me, id).await?;
            if !left.leaver.enabled || left.is_empty() {
                return stale(me, frame, app, id).await;
            }
            let plan = still_waiting(app, me, form, Action::LeaveAccount).await?;
            out_of_date(me, frame, app, &left, &plan)
        }
        Err(Error::Replayed(why)) => Ok(frame.go_on(
            &format!("{ADDRESS}/{id}"),
            match why {
                Replay::Used => "That was confirmed already, and the new values were shown. Regenerate a token whose value was lost.",
                Replay::TooOld => "Nothing was changed: the confirmation is too old.",
            },
        )),
        Err(other) => Err(other),
    }
}

fn out_of_date(me: &SignedIn, frame: &Frame, app: &App, left: &Left, plan: &Leaving) -> Result<HttpResponse> {
    let note =
        Note::bad("This account, or something of it, was changed meanwhile. Nothing was saved: look at it again.");
    let plan = Leaving { seen: left.leaver.version, ..plan.clone() };
    let page = page(me, frame, app, left, &plan, Some(note))?;
    frame.form_again(&page, &page.as_content())
}

fn page(me: &SignedIn, frame: &Frame, app: &App, left: &Left, plan: &Leaving, note: Option<Note>) -> Result<LeavePage> {
    let (catalogue, reading) = (app.catalogue(), Reading::of(&me.account, app.now()));
    let is_busy = |listed: &Listed| listed.used.as_ref().is_some_and(|used| reading.is_recent(used.at));
    let token = |listed: &Listed| {
        let token = &listed.token;
        let fate = plan.tokens.iter().find(|(id, ..)| *id == token.id).map_or(&Fate::Freeze, |(.., fate)| fate);
        LeftRow {
            field: field(token.id.as_str()),
            seen_field: seen_field(token.id.as_str()),
            seen: token.version,
            name: token.name.clone(),
            kind: "Token",
            may: words::access_summary(&catalogue, &token.scopes),
            used: words::standing(listed, &reading),
            is_busy: is_busy(listed),
            choices: choices(fate, "Keep frozen"),
            teams: team_choices(&left.teams, fate),
        }
    };
    let service = |(service, tokens): &(Account, Vec<Listed>)| {
        let fate = plan.services.iter().find(|(id, ..)| *id == service.id).map_or(&Fate::Freeze, |(.., fate)| fate);
        let last = tokens.iter().filter(|listed| listed.used.is_some());
        let last = last.max_by_key(|listed| listed.used.as_ref().map(|used| used.at));
        LeftRow {
            field: field(service.id.as_str()),
            seen_field: seen_field(service.id.as_str()),
            seen: service.version,
            name: service.name.clone(),
            kind: "Service account",
            may: of_service(&catalogue, tokens),
            used: last.or(tokens.first()).map(|listed| words::standing(listed, &reading)).unwrap_or_default(),
            is_busy: tokens.iter().any(is_busy),
            choices: choices(fate, "Keep disabled"),
            teams: team_choices(&left.teams, fate),
        }
    };
    Ok(LeavePage {
        shell: frame.shell(&format!("Disable {}", left.leaver.name), ADDRESS, Some(me))?,
        address: format!("{}/leave", address(&left.leaver.id)),
        cancel: address(&left.leaver.id),
        name: left.leaver.name.clone(),
        seen: plan.seen,
        rows: left.tokens.iter().map(token).chain(left.services.iter().map(service)).collect(),
        has_teams: !left.teams.is_empty(),
        note,
    })
}

/// "2 tokens: ci, 3 methods, read only; deploy, no method".
fn of_service(catalogue: &Catalogue, tokens: &[Listed]) -> String {
    let each = tokens
        .iter()
        .map(|listed| format!("{}, {}", listed.token.name, words::access_summary(catalogue, &listed.token.scopes)));
    match tokens.len() {
        0 => "no living token".to_owned(),
        n => format!("{}: {}", counted(n, "token", "tokens"), each.take(5).collect::<Vec<_>>().join("; ")),
    }
}

fn choices(fate: &Fate, freeze: &str) -> Vec<Choice> {
    let choice = |value: &str, label: &str, selected| Choice { value: value.into(), label: label.into(), selected };
    vec![choice("freeze", freeze, *fate == Fate::Freeze), choice("remove", "Remove", *fate == Fate::Remove)]
}

fn team_choices(teams: &[Team], fate: &Fate) -> Vec<Choice> {
    let choice = |team: &Team| Choice {
        value: team.id.to_string(),
        label: team.name.clone(),
        selected: *fate == Fate::Team(team.id.clone()),
    };
    teams.iter().map(choice).collect()
}

/// Everything that will happen, a line for each thing.
fn confirm_page(me: &SignedIn, frame: &Frame, app: &App, left: &Left, plan: &Leaving) -> Result<ConfirmPage> {
    let (catalogue, reading) = (app.catalogue(), Reading::of(&me.account, app.now()));
    let role = role_under_team(&left.leaver);
    let team = |id: &TeamId| left.team(id).map(|team| team.name.clone()).unwrap_or_default();
    let token_of = |id: &TokenId| left.tokens.iter().find(|listed| listed.token.id == *id);
    let tokens = plan.tokens.iter().filter_map(|(id, _, fate)| Some((token_of(id)?, fate))).map(|(listed, fate)| {
        let text = match fate {
            Fate::Freeze => "stays frozen with the account".to_owned(),
            Fate::Remove => "is removed for good".to_owned(),
            Fate::Team(id) => {
                let scopes = &listed.token.scopes;
                let lost = catalogue.count(scopes).saturating_sub(catalogue.count(&cut(&catalogue, scopes, role)));
                let cut = match lost {
                    0 => String::new(),
                    n => format!(", loses {}", counted(n, "method", "methods")),
                };
                format!("goes to {}, new value{cut}", team(id))
            }
        };
        let fact = Fact::new(&listed.token.name, text);
        match listed.used.as_ref().filter(|used| reading.is_recent(used.at)) {
            Some(used) => {
                fact.warned(format!("Used {}. What uses it fails until it has a new value.", reading.ago(used.at)))
            }
            None => fact,
        }
    });
    let service_of = |id: &AccountId| left.services.iter().find(|(service, _)| service.id == *id);
    let services = plan.services.iter().filter_map(|(id, _, fate)| Some((service_of(id)?, fate)));
    let services = services.map(|((service, tokens), fate)| {
        let n = counted(tokens.len(), "token", "tokens");
        let text = match fate {
            Fate::Freeze => format!("is disabled, with {n}"),
            Fate::Remove => format!("is removed for good, with {n}"),
            Fate::Team(id) => format!("goes to {}, {n} with a new value", team(id)),
        };
        Fact::new(&service.name, text)
    });
    Ok(ConfirmPage {
        shell: frame.shell(&format!("Disable {}", left.leaver.name), ADDRESS, Some(me))?,
        title: format!("Disable {}?", left.leaver.name),
        lead: "Their sessions end and nobody can sign in as them, at once. What they leave behind:".into(),
        facts: tokens.chain(services).collect(),
        action: format!("{}/leave", address(&left.leaver.id)),
        go: "Disable account".into(),
        danger: true,
        stay: "Keep account".into(),
        ..ConfirmPage::default()
    })
}

/// The new values, in this one answer.
async fn reveal(me: &SignedIn, frame: &Frame, app: &Arc<App>, id: &str, handed: &[Handed]) -> Result<HttpResponse> {
    let of = AccountId::from(id);
    let leaver = app.read(move |conn| crate::account::by_id(conn, &of)).await?;
    let note = format!("Disabled {}.", leaver.name);
    if handed.is_empty() {
        return Ok(frame.go_on(&address(&leaver.id), &note));
    }
    let rows = handed.iter().enumerate().map(|(nth, one)| HandedRow {
        nth: nth + 1,
        name: one.token.name.clone(),
        team: one.team.clone(),
        owner: one.to.name.clone(),
        value: one.value.reveal().to_owned(),
    });
    let rows: Vec<HandedRow> = rows.collect();
    let page = LeftPage {
        shell: frame.shell("New values", ADDRESS, Some(me))?,
        text: rows.iter().map(|row| format!("{}\t{}\t{}\n", row.owner, row.name, row.value)).collect(),
        rows,
        file: "handed-over".into(),
        href: address(&leaver.id),
        name: leaver.name,
    };
    Ok(uncompressed(frame.body(&page)?))
}
