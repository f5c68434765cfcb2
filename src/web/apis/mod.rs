//! Administration → APIs: what is imported, one API with its options, access sets and methods.

pub mod import;
pub mod set;

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::apis_pages::{self as pages, ApiList, ApiPage, ApiRow, MethodRow, ServiceRows, SetRow};
use super::confirm::{Outcome, ask, ask_again, propose, settle};
use super::confirm_pages::ConfirmPage;
use super::form::Posted;
use super::frame::Frame;
use super::page::{Fact, Note, counted};
use super::session::{Administrator, SignedIn};
use super::words::{Reading, field_errors, kind, least_role};
use crate::app::App;
use crate::catalogue::options::ApiOptions;
use crate::catalogue::store::{self, NewOptions};
use crate::catalogue::{Api, Catalogue, Method};
use crate::confirm::Action;
use crate::error::{Error, Problem, Result};
use crate::token;
use crate::types::{ApiId, Lines};

pub const ADDRESS: &str = "/admin/apis";

pub async fn list(me: Administrator, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let reading = Reading::of(&me.account, app.now());
    let row = |api: &Arc<Api>| ApiRow {
        slug: api.slug.clone(),
        href: address(&api.slug),
        title: api.title.clone(),
        methods: api.methods.len(),
        services: api.services.len(),
        sets: api.sets.len(),
        base_path: api.base_path.clone(),
        hosts: api.hosts.clone(),
        imported: reading.date(api.imported_at),
        imported_iso: api.imported_at.rfc3339(),
    };
    let page = ApiList {
        shell: frame.shell("APIs", ADDRESS, Some(&me))?,
        rows: app.catalogue().apis().iter().map(row).collect(),
        zone: reading.zone.name().to_owned(),
    };
    frame.page(StatusCode::OK, &page)
}

pub fn address(slug: &str) -> String {
    format!("{ADDRESS}/{slug}")
}

/// The API of a path; another name is a missing page.
pub fn named(catalogue: &Catalogue, slug: &str) -> Result<Arc<Api>> {
    catalogue.api(slug).cloned().ok_or(Error::Missing)
}

pub async fn show(
    me: Administrator,
    slug: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let api = named(&app.catalogue(), &slug)?;
    let q = Posted::from_query(request.query_string()).text("q").chars().take(200).collect::<String>();
    let options = typed_options(&api.options);
    let page = api_page(&me.0, &frame, &app, &api, &q, options, &[]).await?;
    frame.page(StatusCode::OK, &page)
}

async fn api_page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    api: &Arc<Api>,
    q: &str,
    mut options: pages::ApiOptions,
    problems: &[Problem],
) -> Result<ApiPage> {
    let reading = Reading::of(&me.account, app.now());
    let slug = api.slug.clone();
    let by_set = app.read(token::count_by_set).await?;
    options.open = !problems.is_empty();
    let words: Vec<String> = q.to_lowercase().split_whitespace().take(10).map(str::to_owned).collect();
    let services: Vec<ServiceRows> = api
        .services
        .iter()
        .map(|service| {
            let methods: Vec<MethodRow> =
                api.methods_of(service).iter().map(|m| method_row(m, &service.title, &words)).collect();
            let open = !words.is_empty() && methods.iter().any(|m| !m.hidden);
            ServiceRows { id: service.name.clone(), title: service.title.clone(), open, methods }
        })
        .collect();
    let sets = api.sets.iter().map(|set| SetRow {
        slug: set.slug.clone(),
        name: set.name.clone(),
        description: set.description.clone(),
        methods: app.catalogue().count(&set.scopes),
        least_role: least_role(set.least_role),
        tokens: by_set.get(&set.slug).copied().unwrap_or_default(),
        fixed: set.made_at_import,
    });
    let note = (!api.flaws.is_empty()).then(|| Note::warn(api.flaws.join(" ")));
    Ok(ApiPage {
        shell: frame.shell(&api.title, ADDRESS, Some(me))?,
        title: api.title.clone(),
        facts: vec![
            Fact::new("Description", format!("{}, version {}", api.dialect, api.description_version)),
            Fact::new("Imported", reading.moment(api.imported_at)),
            Fact::new(
                "Methods",
                format!(
                    "{} in {}",
                    counted(api.methods.len(), "method", "methods"),
                    counted(api.services.len(), "service", "services")
                ),
            ),
            Fact::new("Hosts", if api.hosts.is_empty() { "any host".to_owned() } else { api.hosts.join(", ") }),
            Fact::new("Base path", if api.base_path.is_empty() { "none".to_owned() } else { api.base_path.clone() }),
        ],
        options,
        errors: field_errors(problems),
        sets: sets.collect(),
        q: q.to_owned(),
        services,
        note,
        slug,
    })
}

fn method_row(m: &Method, service: &str, words: &[String]) -> MethodRow {
    let text = format!("{} {service} {} {} {}", m.name, m.service, m.path, m.summary).to_lowercase();
    MethodRow {
        name: m.name.clone(),
        http: m.http_method.clone(),
        path: m.path.clone(),
        kind: kind(m.kind),
        least_role: least_role(m.least_role),
        note: String::new(),
        hidden: !words.iter().all(|word| text.contains(word)),
    }
}

/// Options as the form shows them.
pub fn typed_options(options: &ApiOptions) -> pages::ApiOptions {
    pages::ApiOptions {
        open: *options != ApiOptions::default(),
        hosts: options.hosts.as_str().to_owned(),
        base_path: options.base_path.clone().unwrap_or_default(),
        case_insensitive: options.case_insensitive,
        trailing_dot: options.trailing_dot,
        utf8_paths: options.utf8_paths,
        greedy: options.greedy.as_str().to_owned(),
        kinds: options.kinds.as_str().to_owned(),
        least_roles: options.least_roles.as_str().to_owned(),
        resources: options.resources.as_str().to_owned(),
    }
}

/// Options as they were posted; an empty base path means the description's, `/` means none.
pub fn posted_options(form: &Posted) -> ApiOptions {
    let lines = |name: &str| form.text(name).lines().collect::<Lines>();
    ApiOptions {
        hosts: lines("hosts"),
        base_path: match form.text("base_path").trim() {
            "" => None,
            "/" => Some(String::new()),
            typed => Some(typed.to_owned()),
        },
        case_insensitive: form.has("case_insensitive"),
        trailing_dot: form.has("trailing_dot"),
        utf8_paths: form.has("utf8_paths"),
        greedy: lines("greedy"),
        kinds: lines("kinds"),
        least_roles: lines("least_roles"),
        resources: lines("resources"),
    }
}

/// First the filled form, then its password: the second one carries `confirm`.
pub async fn edit_options(
    me: Administrator,
    form: Posted,
    slug: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let api = named(&app.catalogue(), &slug)?;
    let ask_page = || -> Result<ConfirmPage> {
        Ok(ConfirmPage {
            shell: frame.shell("Save options", ADDRESS, Some(&me))?,
            title: "Confirm with your password".into(),
            lead: "You are about to change how requests to this API are judged:".into(),
            facts: vec![Fact::new("API", format!("{} ({})", api.title, api.slug))],
            action: format!("{}/options", address(&api.slug)),
            go: "Save options".into(),
            stay: "Cancel".into(),
            ..ConfirmPage::default()
        })
    };
    if !form.has("confirm") {
        let options = posted_options(&form);
        let problems = options.check();
        if !problems.is_empty() {
            return options_again(&me, &frame, &app, &api, &options, &problems).await;
        }
        let payload = NewOptions { api: api.id.clone(), over: api.version, options };
        let key = propose(&app, &me, Action::EditApi, payload).await?;
        return ask(&frame, &me, ask_page()?, &key);
    }
    let outcome =
        settle(&app, &me, &form, Action::EditApi, |tx, actor, new: NewOptions| store::edit_options(tx, actor, &new));
    match outcome.await? {
        Outcome::Done(()) => Ok(frame.go_on(&address(&api.slug), "Saved the options.")),
        Outcome::Again { error, .. } => ask_again(&frame, &me, ask_page()?, &form, &error),
        Outcome::Back(new) => options_again(&me, &frame, &app, &api, &new.options, &[]).await,
    }
}

async fn options_again(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    api: &Arc<Api>,
    options: &ApiOptions,
    problems: &[Problem],
) -> Result<HttpResponse> {
    let mut page = api_page(me, frame, app, api, "", typed_options(options), problems).await?;
    page.options.open = true;
    match problems.is_empty() {
        true => frame.page(StatusCode::OK, &page),
        false => frame.form_again(&page, &page.as_content()),
    }
}

pub async fn remove(
    me: Administrator,
    form: Posted,
    slug: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let api = named(&app.catalogue(), &slug)?;
    let touched = touched(&app, &api).await?;
    let ask_page = || -> Result<ConfirmPage> {
        Ok(ConfirmPage {
            shell: frame.shell("Remove API", ADDRESS, Some(&me))?,
            title: format!("Remove {}?", api.title),
            lead: "Requests to it are refused at once. Its access sets are removed with it. This cannot be undone."
                .into(),
            facts: vec![
                Fact::new("API", format!("{} ({})", api.title, api.slug)),
                Fact::new("Methods", api.methods.len().to_string()),
                Fact::new(
                    "Tokens",
                    match touched {
                        0 => "no token uses it".to_owned(),
                        n => format!("{} these methods", counted(n, "token loses", "tokens lose")),
                    },
                ),
            ],
            action: format!("{}/remove", address(&api.slug)),
            go: "Remove API".into(),
            danger: true,
            stay: "Keep API".into(),
            stay_href: address(&api.slug),
            ..ConfirmPage::default()
        })
    };
    if !form.has("confirm") {
        let key = propose(&app, &me, Action::RemoveApi, api.id.clone()).await?;
        return ask(&frame, &me, ask_page()?, &key);
    }
    let outcome = settle(&app, &me, &form, Action::RemoveApi, |tx, actor, id: ApiId| store::remove(tx, actor, &id));
    match outcome.await? {
        Outcome::Done(()) => Ok(frame.go_on(ADDRESS, &format!("Removed the API {}.", api.title))),
        Outcome::Again { error, .. } => ask_again(&frame, &me, ask_page()?, &form, &error),
        Outcome::Back(_) => Ok(frame.go_on(&address(&api.slug), "")),
    }
}

async fn touched(app: &Arc<App>, api: &Arc<Api>) -> Result<usize> {
    let (symbols, slug) = (app.symbols(), api.slug.clone());
    let all: Vec<String> = api.methods.iter().map(Method::short).collect();
    app.read(move |conn| Ok(token::touched_by(conn, &symbols, &slug, &all)?.len())).await
}
