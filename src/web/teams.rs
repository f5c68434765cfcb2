//! Teams: the list, one team with its members and service accounts, renaming and removing it.

pub mod make;
pub mod members;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::confirm::{Outcome, ask, ask_again, propose, settle};
use super::confirm_pages::ConfirmPage;
use super::form::Posted;
use super::frame::Frame;
use super::page::{Choice, Fact, Note, Paging, Place, size};
use super::service_accounts::address as service_address;
use super::session::SignedIn;
use super::teams_pages::{MemberRow, ServiceRow, TeamList, TeamPage, TeamRow};
use super::words::{Reading, field_errors};
use crate::account::service::list::{self as services, Which};
use crate::actor::{Deed, Relation, wording};
use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Problem, Replay, Result};
use crate::team::member::{self, Member};
use crate::team::{self, NewTeam, Team, TeamDraft};
use crate::types::{AccountId, TeamId, TeamRole};

pub const ADDRESS: &str = "/admin/teams";

pub fn address(id: &TeamId) -> String {
    format!("{ADDRESS}/{id}")
}

/// All teams for administrators, their own for members; to everybody else the page is not there.
pub async fn list(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>, request: HttpRequest) -> Result<HttpResponse> {
    let may_make = me.actor.may(Deed::Administer);
    if !may_make && !me.is_in_team {
        return Err(Error::Missing);
    }
    let query = Posted::from_query(request.query_string());
    let q: String = query.text("q").chars().filter(|c| !c.is_control()).take(200).collect();
    let after = Some(query.text("after")).filter(|after| !after.is_empty()).map(TeamId::from);
    let (actor, words) = (me.actor.clone(), q.clone());
    let found = app.read(move |conn| team::list(conn, &actor, &words, after.as_ref(), team::PAGE)).await?;
    let row = |listed: &team::Listed| TeamRow {
        name: listed.team.name.clone(),
        href: address(&listed.team.id),
        description: listed.team.description.clone(),
        members: size(listed.members),
        managers: size(listed.managers),
        services: size(listed.services),
    };
    let at = |after: &str| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("q", q.as_str()), ("after", after)].into_iter().filter(|(_, value)| !value.is_empty()) {
            query.append_pair(name, value);
        }
        format!("{ADDRESS}?{}", query.finish())
    };
    let place = Place { before: found.before, rows: found.rows.len(), total: found.total };
    let paging = Paging::of(place, found.newer.as_ref(), found.older.as_ref(), at(""), |id| at(id.as_str()));
    let page = TeamList {
        shell: frame.shell("Teams", ADDRESS, Some(&me))?,
        rows: found.rows.iter().map(row).collect(),
        paging,
        q,
        may_make,
    };
    frame.page(StatusCode::OK, &page)
}

/// A team with all that its page shows.
struct Seen {
    team: Team,
    relation: Relation,
    members: Vec<Member>,
    services: services::Page,
}

/// `after` is where the former page of its service accounts ended.
async fn look(app: &Arc<App>, me: &SignedIn, id: &str, after: Option<AccountId>) -> Result<Seen> {
    let (actor, id) = (me.actor.clone(), TeamId::from(id));
    app.read(move |conn| {
        let (team, relation) = team::visible(conn, &actor, &id)?;
        let members = member::all(conn, &id)?;
        let services = services::page(conn, &actor, &Which::OfTeam(id), "", after.as_ref(), services::PAGE)?;
        Ok(Seen { team, relation, members, services })
    })
    .await
}

/// What was typed on the page.
#[derive(Default)]
struct Typed {
    draft: Option<TeamDraft>,
    email: String,
    role: String,
    /// Where the former page of service accounts ended.
    after: Option<AccountId>,
}

pub async fn show(
    me: SignedIn,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let query = Posted::from_query(request.query_string());
    let after = Some(query.text("after")).filter(|after| !after.is_empty()).map(AccountId::from);
    let page = page(&me, &frame, &app, &id, &Typed { after, ..Typed::default() }, &[]).await?;
    frame.page(StatusCode::OK, &page)
}

async fn page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    id: &str,
    typed: &Typed,
    problems: &[Problem],
) -> Result<TeamPage> {
    let Seen { team, relation, members, services } = look(app, me, id, typed.after.clone()).await?;
    let reading = Reading::of(&me.account, app.now());
    let member = |member: &Member| MemberRow {
        id: member.account.id.to_string(),
        name: member.account.name.clone(),
        email: member.account.label().to_owned(),
        role: role_wording(member.role),
        is_manager: member.role == TeamRole::Manager,
        is_disabled: !member.account.is_living(),
        since: reading.date(member.since),
    };
    let service = |listed: &services::Listed| ServiceRow {
        name: listed.account.name.clone(),
        href: service_address(&listed.account.id),
        description: listed.account.description.clone(),
        role: wording(listed.account.role),
        tokens: size(listed.tokens),
        used: listed.used.map_or_else(|| "never".to_owned(), |at| reading.ago(at)),
        is_disabled: !listed.account.enabled,
    };
    let place = Place { before: services.before, rows: services.rows.len(), total: services.total };
    let at = |after: &AccountId| format!("{}?after={after}", address(&team.id));
    let paging = Paging::of(place, services.newer.as_ref(), services.older.as_ref(), address(&team.id), at);
    let draft = typed.draft.clone();
    let draft = draft.unwrap_or(TeamDraft { name: team.name.clone(), description: team.description.clone() });
    Ok(TeamPage {
        shell: frame.shell(&team.name, ADDRESS, Some(me))?,
        id: team.id.to_string(),
        title: team.name,
        about: team.description,
        name: draft.name,
        description: draft.description,
        seen: team.version,
        may_edit: me.actor.may_as(relation, Deed::Administer),
        may_manage: member::may_change(&me.actor, relation),
        may_make: me.actor.may_as(relation, Deed::ChangeServiceAccount),
        members: members.iter().map(member).collect(),
        email: typed.email.clone(),
        roles: roles(&typed.role),
        services: services.rows.iter().map(service).collect(),
        paging,
        errors: field_errors(problems),
        note: None,
    })
}

pub fn role_wording(role: TeamRole) -> &'static str {
    match role {
        TeamRole::Member => "member",
        TeamRole::Manager => "manager",
    }
}

fn roles(chosen: &str) -> Vec<Choice> {
    let choice = |role: &TeamRole| Choice {
        value: role.to_string(),
        label: role_wording(*role).to_owned(),
        selected: role.as_str() == chosen,
    };
    TeamRole::ALL.iter().map(choice).collect()
}

/// Name and description: first the filled form, then its password.
pub async fn edit(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let seen = look(&app, &me, &id, None).await?;
    me.actor.must_as(seen.relation, Deed::Administer)?;
    let again = async |draft: TeamDraft, problems: &[Problem], note: Option<Note>| {
        let typed = Typed { draft: Some(draft), ..Typed::default() };
        let page = TeamPage { note, ..page(&me, &frame, &app, &id, &typed, problems).await? };
        frame.form_again(&page, &page.as_content())
    };
    if !form.has("confirm") {
        let draft = TeamDraft { name: form.text("name").to_owned(), description: form.text("description").to_owned() };
        let (check, of) = (draft.clone(), seen.team.id.clone());
        let new = match app.read(move |conn| check.check(conn, Some(&of))).await {
            Ok(new) => new,
            Err(Error::Invalid(problems)) => return again(draft, &problems, None).await,
            Err(other) => return Err(other),
        };
        let version = form.text("seen").parse().unwrap_or(seen.team.version);
        let page = edit_page(&me, &frame, &seen.team, &new)?;
        let key = propose(&app, &me, Action::EditTeam, (seen.team.id.clone(), version, new)).await?;
        return ask(&frame, &me, page, &key);
    }
    type Waiting = (TeamId, i64, NewTeam);
    let settled = settle(&app, &me, &form, Action::EditTeam, |tx, actor, (id, seen, new): Waiting| {
        // What waits is shown again where somebody else was faster.
        match team::edit(tx, actor, &id, seen, &new) {
            Err(Error::Stale) => Ok(Err(new)),
            done => done.map(Ok),
        }
    });
    match settled.await {
        Ok(Outcome::Done(Ok(team))) => Ok(frame.go_on(&address(&team.id), &format!("Saved {}.", team.name))),
        Ok(Outcome::Done(Err(new))) => {
            let draft = TeamDraft { name: new.name, description: new.description };
            again(draft, &[], Some(Note::warn(STALE))).await
        }
        Ok(Outcome::Again { payload: (.., new), error }) => {
            ask_again(&frame, &me, edit_page(&me, &frame, &seen.team, &new)?, &form, &error)
        }
        Ok(Outcome::Back((.., new))) => {
            let typed =
                Typed { draft: Some(TeamDraft { name: new.name, description: new.description }), ..Typed::default() };
            frame.page(StatusCode::OK, &page(&me, &frame, &app, &id, &typed, &[]).await?)
        }
        Err(error) => refused(&frame, &address(&seen.team.id), error),
    }
}

pub const STALE: &str = "Somebody else changed this meanwhile, and nothing was saved. What you typed is still here: compare it with the title above and save again.";

fn edit_page(me: &SignedIn, frame: &Frame, team: &Team, new: &NewTeam) -> Result<ConfirmPage> {
    let was = |is: &str, was: &str| if is == was { is.to_owned() } else { format!("{is}, was {was}") };
    let warnings = match new.name == team.name {
        true => Vec::new(),
        false => vec!["APIs that read X-Hallpass-Teams get the new name from the next request on.".to_owned()],
    };
    Ok(ConfirmPage {
        shell: frame.shell("Save team", ADDRESS, Some(me))?,
        title: "Confirm with your password".into(),
        lead: format!("You are about to change the team {}:", team.name),
        facts: vec![
            Fact::new("Name", was(&new.name, &team.name)),
            Fact::new("Description", was(&new.description, &team.description)),
        ],
        warnings,
        action: address(&team.id),
        go: "Save changes".into(),
        stay: "Cancel".into(),
        ..ConfirmPage::default()
    })
}

/// A change that was refused after its password: the page that it is about says why.
pub fn refused(frame: &Frame, to: &str, error: Error) -> Result<HttpResponse> {
    match error {
        Error::Replayed(Replay::Used) => Ok(frame.go_on(to, "This was already confirmed. Nothing was done again.")),
        Error::Replayed(Replay::TooOld) => {
            Ok(frame.go_on(to, "Nothing was changed: the confirmation is too old. Do it once more."))
        }
        Error::Stale => Ok(frame.go_on(to, "Nothing was changed: somebody else was faster. Look at it again.")),
        other => Err(other),
    }
}

pub async fn remove(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    id: web::Path<String>,
) -> Result<HttpResponse> {
    let Seen { team, relation, members, .. } = look(&app, &me, &id, None).await?;
    me.actor.must_as(relation, Deed::Administer)?;
    let ask_page = || -> Result<ConfirmPage> {
        let names = members.iter().map(|member| member.account.name.clone());
        Ok(ConfirmPage {
            shell: frame.shell("Remove team", ADDRESS, Some(&me))?,
            title: format!("Remove {}?", team.name),
            lead: "Its members stay, without this team. APIs that read X-Hallpass-Teams no longer get its name.".into(),
            facts: vec![Fact::new("Team", &team.name), Fact::new("Members", super::words::list(names))],
            action: format!("{}/remove", address(&team.id)),
            go: "Remove team".into(),
            danger: true,
            stay: "Keep team".into(),
            stay_href: address(&team.id),
            ..ConfirmPage::default()
        })
    };
    if !form.has("confirm") {
        let of = team.clone();
        app.read(move |conn| team::must_own_nothing(conn, &of)).await?;
        let key = propose(&app, &me, Action::RemoveTeam, team.id.clone()).await?;
        return ask(&frame, &me, ask_page()?, &key);
    }
    let settled = settle(&app, &me, &form, Action::RemoveTeam, |tx, actor, id: TeamId| team::remove(tx, actor, &id));
    match settled.await {
        Ok(Outcome::Done(team)) => Ok(frame.go_on(ADDRESS, &format!("Removed the team {}.", team.name))),
        Ok(Outcome::Again { error, .. }) => ask_again(&frame, &me, ask_page()?, &form, &error),
        Ok(Outcome::Back(_)) => Ok(frame.go_on(&address(&team.id), "")),
        Err(error) => refused(&frame, &address(&team.id), error),
    }
}
