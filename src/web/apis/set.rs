//! Access sets of one API: adding, editing, removing.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::{ADDRESS, address, named};
use crate::actor::wording;
use crate::app::App;
use crate::catalogue::Api;
use crate::catalogue::set::{self, AccessSet, NewSet, SetDraft};
use crate::confirm::Action;
use crate::error::{Error, Problem, Result};
use crate::token;
use crate::types::{AccessSetId, ApiId, Role};
use crate::web::apis_pages::SetPage;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Choice, Fact, counted};
use crate::web::session::{Administrator, SignedIn};
use crate::web::words::field_errors;

pub async fn form_new(
    me: Administrator,
    slug: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let api = named(&app.catalogue(), &slug)?;
    let page = page(&me.0, &frame, &app, &api, None, &SetDraft::default(), &[]).await?;
    frame.page(StatusCode::OK, &page)
}

pub async fn form(
    me: Administrator,
    path: web::Path<(String, String)>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let api = named(&app.catalogue(), &path.0)?;
    let known = own_set(&api, &path.1)?;
    let page = page(&me.0, &frame, &app, &api, Some(known), &typed(&app, known), &[]).await?;
    frame.page(StatusCode::OK, &page)
}

/// A set that may be edited: those made at import follow the description.
fn own_set<'a>(api: &'a Api, slug: &str) -> Result<&'a AccessSet> {
    api.sets.iter().find(|set| set.slug == slug && !set.made_at_import).ok_or(Error::Missing)
}

fn typed(app: &App, set: &AccessSet) -> SetDraft {
    let catalogue = app.catalogue();
    SetDraft {
        slug: set.slug.clone(),
        name: set.name.clone(),
        description: set.description.clone(),
        scopes: set.scopes.iter().map(|scope| catalogue.show(scope)).collect(),
        least_role: set.least_role.to_string(),
    }
}

fn posted(form: &Posted) -> SetDraft {
    SetDraft {
        slug: form.text("slug").to_owned(),
        name: form.text("name").to_owned(),
        description: form.text("description").to_owned(),
        scopes: form.lines("scopes"),
        least_role: if form.has("least_role") { form.text("least_role").to_owned() } else { Role::Viewer.to_string() },
    }
}

async fn page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    api: &Api,
    known: Option<&AccessSet>,
    draft: &SetDraft,
    problems: &[Problem],
) -> Result<SetPage> {
    let tokens = match known {
        Some(set) => app.read(token::count_by_set).await?.get(&set.slug).copied().unwrap_or_default(),
        None => 0,
    };
    let base = address(&api.slug);
    Ok(SetPage {
        shell: frame.shell(if known.is_some() { "Edit access set" } else { "Add an access set" }, ADDRESS, Some(me))?,
        api_title: api.title.clone(),
        action: known.map_or_else(|| format!("{base}/sets/new"), |set| format!("{base}/sets/{}", set.slug)),
        cancel: base,
        known: known.is_some(),
        name: draft.name.clone(),
        slug: draft.slug.clone(),
        description: draft.description.clone(),
        scopes: draft.scopes.join("\n"),
        least_roles: Role::ALL
            .iter()
            .map(|role| Choice {
                value: role.to_string(),
                label: wording(*role).to_owned(),
                selected: role.as_str() == draft.least_role,
            })
            .collect(),
        effect: match tokens {
            0 => String::new(),
            n => format!("{} generated with it keep the methods they have.", counted(n, "token", "tokens")),
        },
        errors: field_errors(problems),
    })
}

pub async fn save_new(
    me: Administrator,
    form: Posted,
    slug: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let api = named(&app.catalogue(), &slug)?;
    saved(&me.0, &form, &frame, &app, &api, None).await
}

pub async fn save(
    me: Administrator,
    form: Posted,
    path: web::Path<(String, String)>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let api = named(&app.catalogue(), &path.0)?;
    let known = own_set(&api, &path.1)?;
    saved(&me.0, &form, &frame, &app, &api, Some(known)).await
}

/// First the filled form, then its password: the second one carries `confirm`.
async fn saved(
    me: &SignedIn,
    form: &Posted,
    frame: &Frame,
    app: &Arc<App>,
    api: &Arc<Api>,
    known: Option<&AccessSet>,
) -> Result<HttpResponse> {
    if !form.has("confirm") {
        let mut draft = posted(form);
        if let Some(known) = known {
            draft.slug = known.slug.clone();
        }
        return match draft.check(&app.catalogue(), &api.id, known.map(|set| set.id.clone())) {
            Ok(new) => {
                let page = ask_page(me, frame, api, &new)?;
                let key = propose(app, me, Action::SaveAccessSet, new).await?;
                ask(frame, me, page, &key)
            }
            Err(Error::Invalid(problems)) => again(me, frame, app, api, known, &draft, &problems).await,
            Err(other) => Err(other),
        };
    }
    let outcome = settle(app, me, form, Action::SaveAccessSet, |tx, actor, new: NewSet| set::save(tx, actor, &new));
    match outcome.await? {
        Outcome::Done(()) => Ok(frame.go_on(&address(&api.slug), "Saved the access set.")),
        Outcome::Again { payload, error } => ask_again(frame, me, ask_page(me, frame, api, &payload)?, form, &error),
        Outcome::Back(new) => {
            let catalogue = app.catalogue();
            let draft = SetDraft {
                slug: new.slug,
                name: new.name,
                description: new.description,
                scopes: new.scopes.iter().map(|scope| catalogue.show(scope)).collect(),
                least_role: new.least_role.to_string(),
            };
            again(me, frame, app, api, known, &draft, &[]).await
        }
    }
}

fn ask_page(me: &SignedIn, frame: &Frame, api: &Api, new: &NewSet) -> Result<ConfirmPage> {
    let base = address(&api.slug);
    Ok(ConfirmPage {
        shell: frame.shell("Save access set", ADDRESS, Some(me))?,
        title: "Confirm with your password".into(),
        lead: "You are about to offer this access set:".into(),
        facts: vec![
            Fact::new("Name", &new.name),
            Fact::new("Scopes", new.scopes.len().to_string()),
            Fact::new("Least role", wording(new.least_role)),
        ],
        action: if new.id.is_some() { format!("{base}/sets/{}", new.slug) } else { format!("{base}/sets/new") },
        go: "Save access set".into(),
        stay: "Cancel".into(),
        ..ConfirmPage::default()
    })
}

async fn again(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    api: &Api,
    known: Option<&AccessSet>,
    draft: &SetDraft,
    problems: &[Problem],
) -> Result<HttpResponse> {
    let page = page(me, frame, app, api, known, draft, problems).await?;
    match problems.is_empty() {
        true => frame.page(StatusCode::OK, &page),
        false => frame.form_again(&page, &page.as_content()),
    }
}

pub async fn remove(
    me: Administrator,
    form: Posted,
    path: web::Path<(String, String)>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let api = named(&app.catalogue(), &path.0)?;
    let known = own_set(&api, &path.1)?;
    let ask_page = || -> Result<ConfirmPage> {
        Ok(ConfirmPage {
            shell: frame.shell("Remove access set", ADDRESS, Some(&me))?,
            title: format!("Remove {}?", known.name),
            lead: "It is no longer offered. Tokens that were generated with it keep the methods they have.".into(),
            facts: vec![Fact::new("Access set", &known.name), Fact::new("API", &api.title)],
            action: format!("{}/sets/{}/remove", address(&api.slug), known.slug),
            go: "Remove access set".into(),
            danger: true,
            stay: "Keep access set".into(),
            stay_href: address(&api.slug),
            ..ConfirmPage::default()
        })
    };
    if !form.has("confirm") {
        let payload = (api.id.clone(), known.id.clone());
        let key = propose(&app, &me, Action::RemoveAccessSet, payload).await?;
        return ask(&frame, &me, ask_page()?, &key);
    }
    let outcome = settle(&app, &me, &form, Action::RemoveAccessSet, |tx, actor, (api, id): (ApiId, AccessSetId)| {
        set::remove(tx, actor, &api, &id)
    });
    match outcome.await? {
        Outcome::Done(()) => Ok(frame.go_on(&address(&api.slug), &format!("Removed the access set {}.", known.name))),
        Outcome::Again { error, .. } => ask_again(&frame, &me, ask_page()?, &form, &error),
        Outcome::Back(_) => Ok(frame.go_on(&address(&api.slug), "")),
    }
}
