//! Importing a description: upload, difference, password. The same for a first import and for a new description.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use super::{ADDRESS, address, named, posted_options, typed_options};
use crate::app::App;
use crate::catalogue::options::ApiOptions;
use crate::catalogue::store::{self, Difference, Draft};
use crate::catalogue::{Api, description};
use crate::confirm::Action;
use crate::error::{Error, Problem, Replay, Result};
use crate::token::{self, Token};
use crate::types::MethodKind;
use crate::web::apis_pages::{ChangeList, ImportPage, MethodRow, PreviewPage, TouchedToken};
use crate::web::confirm::{Outcome, propose, settle, with_wait};
use crate::web::form::{Posted, Uploaded};
use crate::web::frame::Frame;
use crate::web::page::{Fact, Note, counted};
use crate::web::session::{Administrator, SignedIn};
use crate::web::words::{field_errors, kind};

const CONFIRM: &str = "/admin/apis/import";
/// Rows of a difference that the page shows.
const MOST_ROWS: usize = 200;
const MOST_TOKENS: usize = 50;

pub async fn form(me: Administrator, frame: Frame) -> Result<HttpResponse> {
    let page = page(&me.0, &frame, None, "", "", &ApiOptions::default(), &[])?;
    frame.page(StatusCode::OK, &page)
}

pub async fn form_again(
    me: Administrator,
    slug: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let api = named(&app.catalogue(), &slug)?;
    let page = page(&me.0, &frame, Some(&api), &api.slug, "", &api.options, &[])?;
    frame.page(StatusCode::OK, &page)
}

fn page(
    me: &SignedIn,
    frame: &Frame,
    replaces: Option<&Api>,
    slug: &str,
    text: &str,
    options: &ApiOptions,
    problems: &[Problem],
) -> Result<ImportPage> {
    let title = if replaces.is_some() { "Replace description" } else { "Import an API" };
    let mut options = typed_options(options);
    let of_options = ["hosts", "base_path", "greedy", "kinds", "least_roles", "resources"];
    options.open |= problems.iter().any(|problem| of_options.contains(&problem.field));
    Ok(ImportPage {
        shell: frame.shell(title, ADDRESS, Some(me))?,
        replaces: replaces.map(|api| api.title.clone()).unwrap_or_default(),
        action: replaces.map_or_else(|| format!("{ADDRESS}/new"), |api| format!("{}/import", address(&api.slug))),
        cancel: replaces.map_or_else(|| ADDRESS.to_owned(), |api| address(&api.slug)),
        slug: slug.to_owned(),
        text: text.to_owned(),
        options,
        max_size: format!("{} MB", description::MAX_BYTES / (1024 * 1024)),
        errors: field_errors(problems),
        note: None,
    })
}

pub async fn review(
    me: Administrator,
    upload: Uploaded,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    reviewed(&me.0, upload, &frame, &app, None).await
}

pub async fn review_again(
    me: Administrator,
    upload: Uploaded,
    slug: web::Path<String>,
    frame: Frame,
    app: web::Data<Arc<App>>,
) -> Result<HttpResponse> {
    let api = named(&app.catalogue(), &slug)?;
    reviewed(&me.0, upload, &frame, &app, Some(api)).await
}

async fn reviewed(
    me: &SignedIn,
    upload: Uploaded,
    frame: &Frame,
    app: &Arc<App>,
    replaces: Option<Arc<Api>>,
) -> Result<HttpResponse> {
    let options = posted_options(&upload.form);
    let slug = replaces.as_ref().map_or_else(|| upload.form.text("slug").trim().to_owned(), |api| api.slug.clone());
    let typed = upload.form.text("text").to_owned();
    let pasted = upload.file.is_empty() && !typed.is_empty();
    match read(app, &slug, upload, options.clone(), replaces.is_some()).await {
        Ok(draft) => {
            let preview = preview(me, frame, app, &draft).await?;
            let waiting = propose(app, me, Action::ImportApi, draft).await?;
            let (confirm, asks_password) = (waiting.key, waiting.asks_password);
            frame.page(StatusCode::OK, &PreviewPage { confirm, asks_password, ..preview })
        }
        Err(Error::Invalid(mut problems)) => {
            // What was pasted is wrong where it was pasted.
            for problem in problems.iter_mut().filter(|problem| pasted && problem.field == "file") {
                problem.field = "text";
            }
            // A megabyte of pasted text is not sent back: the browser's own back button still has it.
            let typed = if typed.len() > 256 * 1024 { "" } else { &typed };
            let page = page(me, frame, replaces.as_deref(), &slug, typed, &options, &problems)?;
            frame.page(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(other) => Err(other),
    }
}

/// Off the event loop: a large YAML text takes some hundred milliseconds.
async fn read(app: &Arc<App>, slug: &str, upload: Uploaded, options: ApiOptions, again: bool) -> Result<Draft> {
    let bytes = if upload.file.is_empty() { upload.form.text("text").as_bytes().to_vec() } else { upload.file };
    if bytes.is_empty() {
        return Err(Error::invalid("file", "Choose a file, or paste the description below."));
    }
    let (catalogue, slug) = (app.catalogue(), slug.to_owned());
    if !again && catalogue.api(&slug).is_some() {
        return Err(Error::invalid(
            "slug",
            "An API with this short name is imported already. Open it to replace its description.",
        ));
    }
    let drafted = tokio::task::spawn_blocking(move || store::draft(&catalogue, &slug, &bytes, options));
    drafted.await.map_err(Error::internal)?
}

async fn preview(me: &SignedIn, frame: &Frame, app: &Arc<App>, draft: &Draft) -> Result<PreviewPage> {
    let catalogue = app.catalogue();
    let current = catalogue.api(&draft.slug);
    let described = &draft.description;
    let of_kind = |wanted| {
        described.methods.iter().filter(|m| draft.options.kind_of(&m.service, &m.name, m.kind) == wanted).count()
    };
    let (hosts, base_path) = store::effective(draft);
    let mut preview = PreviewPage {
        shell: frame.shell("Import an API", ADDRESS, Some(me))?,
        title: match current {
            None => format!("Import {}?", described.title),
            Some(api) => format!("Replace the description of {}?", api.title),
        },
        lead: "This is what the description holds.".into(),
        action: CONFIRM.into(),
        email: me.account.label().to_owned(),
        go: if current.is_some() { "Replace description" } else { "Import API" }.into(),
        facts: vec![
            Fact::new("Short name", &draft.slug).mono(),
            Fact::new("Description", format!("{}, version {}", described.dialect, described.version)),
            Fact::new("Hosts", if hosts.is_empty() { "any host".to_owned() } else { hosts.join(", ") }),
            Fact::new("Base path", if base_path.is_empty() { "none".to_owned() } else { base_path }),
        ],
        methods: described.methods.len(),
        services: described.services.len(),
        read: of_kind(MethodKind::Read),
        write: of_kind(MethodKind::Write),
        delete: of_kind(MethodKind::Delete),
        notes: described.notes.clone(),
        ..PreviewPage::default()
    };
    // Added methods count as well: a wildcard gets them, and a scope of an API that was removed may mean this one now.
    let difference = store::difference(current.map(Arc::as_ref), draft);
    let touches = Touches::of(&difference);
    let (symbols, slug, all) = (app.symbols(), draft.slug.clone(), touches.methods.clone());
    let touched = app.read(move |conn| token::touched_by(conn, &symbols, &slug, &all)).await?;
    preview.touched_more = touched.len().saturating_sub(MOST_TOKENS);
    preview.touched = touched.iter().take(MOST_TOKENS).map(|touched| touches.row(touched)).collect();
    preview.changes = match current {
        Some(api) => change_lists(api, draft, &difference),
        None if touched.is_empty() => Vec::new(),
        None => vec![ChangeList {
            title: "Added",
            hint: "tokens already name methods of an API with this short name".into(),
            count: difference.added.len(),
            ..ChangeList::default()
        }],
    };
    Ok(preview)
}

/// All methods of a difference in one list: first what goes, then what changes, then what comes.
struct Touches {
    methods: Vec<String>,
    removed: usize,
    changed: usize,
}

impl Touches {
    fn of(difference: &Difference) -> Touches {
        let changed = difference.changed.iter().map(|(short, _, _)| short);
        let all = difference.removed.iter().chain(changed).chain(&difference.added);
        Touches {
            methods: all.cloned().collect(),
            removed: difference.removed.len(),
            changed: difference.changed.len(),
        }
    }

    fn row(&self, (token, owner, places): &(Token, String, Vec<usize>)) -> TouchedToken {
        let before_added = self.removed + self.changed;
        let loses = places.iter().filter(|place| **place < self.removed).count();
        let gains = places.iter().filter(|place| **place >= before_added).count();
        let changes = places.len() - loses - gains;
        let worded = |n: usize, verb: &str| (n > 0).then(|| format!("{verb} {}", counted(n, "method", "methods")));
        let words = [worded(loses, "loses"), worded(gains, "gains"), worded(changes, "sees a change of")];
        TouchedToken {
            name: token.name.clone(),
            owner: owner.clone(),
            effect: words.into_iter().flatten().collect::<Vec<_>>().join(", "),
        }
    }
}

fn change_lists(api: &Api, draft: &Draft, difference: &Difference) -> Vec<ChangeList> {
    let new_row = |short: &String| {
        let m = draft.description.methods.iter().find(|m| format!("{}:{}", m.service, m.name) == *short)?;
        let kind = kind(draft.options.kind_of(&m.service, &m.name, m.kind));
        Some(MethodRow {
            name: short.clone(),
            http: m.http_method.clone(),
            path: m.path.clone(),
            kind,
            ..MethodRow::default()
        })
    };
    let old_row = |short: &String| {
        let m = api.methods.iter().find(|m| m.short() == *short)?;
        Some(MethodRow {
            name: short.clone(),
            http: m.http_method.clone(),
            path: m.path.clone(),
            kind: kind(m.kind),
            ..MethodRow::default()
        })
    };
    let changed = difference.changed.iter().take(MOST_ROWS).filter_map(|(short, was, _)| {
        let row = new_row(short)?;
        Some(MethodRow { note: format!("was {was}"), ..row })
    });
    let list = |title, hint: &str, count: usize, rows| ChangeList {
        title,
        hint: hint.to_owned(),
        count,
        open: count > 0,
        rows,
    };
    vec![
        list(
            "Added",
            "no token has them yet, but for wildcards",
            difference.added.len(),
            difference.added.iter().take(MOST_ROWS).filter_map(new_row).collect(),
        ),
        list(
            "Removed",
            "requests to them are refused",
            difference.removed.len(),
            difference.removed.iter().take(MOST_ROWS).filter_map(old_row).collect(),
        ),
        list("Changed", "same name, another request", difference.changed.len(), changed.collect()),
    ]
}

pub async fn confirm(me: Administrator, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let Administrator(me) = me;
    let outcome = settle(&app, &me, &form, Action::ImportApi, |tx, actor, draft: Draft| {
        store::import(tx, actor, &draft).map(|_| (draft.slug, draft.description.title, draft.description.methods.len()))
    });
    match outcome.await {
        Ok(Outcome::Done((slug, title, methods))) => {
            let note = format!("Imported {title}: {}.", counted(methods, "method", "methods"));
            Ok(frame.go_on(&address(&slug), &note))
        }
        Ok(Outcome::Again { payload, error }) => {
            let preview = preview(&me, &frame, &app, &payload).await?;
            let again = PreviewPage {
                confirm: form.text("confirm").to_owned(),
                asks_password: true,
                password_error: error.to_string(),
                ..preview
            };
            Ok(with_wait(frame.page(crate::http::status(&error), &again)?, &error))
        }
        Ok(Outcome::Back(draft)) => {
            let catalogue = app.catalogue();
            let replaces = catalogue.api(&draft.slug).map(Arc::as_ref);
            let mut page = page(&me, &frame, replaces, &draft.slug, "", &draft.options, &[])?;
            page.note = Some(Note::plain("Choose the file once more: it is not kept here."));
            frame.page(StatusCode::OK, &page)
        }
        Err(Error::Replayed(why)) => Ok(frame.go_on(
            ADDRESS,
            match why {
                Replay::Used => "That import was already confirmed. Nothing was done again.",
                Replay::TooOld => "Nothing was imported: the confirmation is too old. Choose the file again.",
            },
        )),
        Err(other) => Err(other),
    }
}
