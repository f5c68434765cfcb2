//! Generating a token: the form, its confirmation, and the one answer that holds the value.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::list::ADDRESS;
use super::picker::{self, Filter, Ticks};
use crate::actor::Deed;
use crate::app::App;
use crate::catalogue::{Catalogue, Method};
use crate::confirm::Action;
use crate::error::{Error, Problem, Result};
use crate::secret::Secret;
use crate::token::{self, Expiry, Limits, NewToken, Token, TokenDraft};
use crate::types::{Lines, MethodKind, Stamp};
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::{Frame, uncompressed};
use crate::web::page::{Choice, Fact, Note, Shell, Tone};
use crate::web::session::SignedIn;
use crate::web::tokens_pages::{self as pages, ExpiryFragment, RevealPage, ShownPage, TokenFormPage};
use crate::web::words::{self, Reading, field_errors};
use crate::when;

const FORM: &str = "/settings/tokens/new";
const PRESETS: [u32; 5] = [7, 30, 60, 90, 365];

/// The filled form: what was typed, ticked and chosen.
struct Filled {
    name: String,
    description: String,
    lifetime: String,
    expires_at: String,
    /// Slug of an access set, or `custom`.
    set: String,
    ticks: Ticks,
    filter: Filter,
    limits: pages::Limits,
}

impl Filled {
    fn empty(days: u32) -> Filled {
        Filled {
            name: String::new(),
            description: String::new(),
            lifetime: days.to_string(),
            expires_at: String::new(),
            set: "custom".into(),
            ticks: Ticks::default(),
            filter: Filter::default(),
            limits: pages::Limits::default(),
        }
    }

    fn posted(form: &Posted, catalogue: &Catalogue) -> Filled {
        Filled {
            name: form.text("name").to_owned(),
            description: form.text("description").to_owned(),
            lifetime: form.text("lifetime").to_owned(),
            expires_at: form.text("expires_at").to_owned(),
            set: if form.has("set") { form.text("set").to_owned() } else { "custom".into() },
            ticks: Ticks::posted(form, catalogue),
            filter: Filter::posted(form),
            limits: limits(form.text("allow"), form.text("ip_allow"), form.text("rate_per_minute")),
        }
    }

    /// From what waits for its password: back to the form.
    fn proposed(new: &NewToken, catalogue: &Catalogue, reading: &Reading) -> Filled {
        let list = |lines: &Lines| lines.iter().map(|line| catalogue.show(line)).collect::<Vec<_>>().join("\n");
        Filled {
            name: new.name.clone(),
            description: new.description.clone(),
            lifetime: if new.expires_at.is_some() { "custom" } else { "never" }.into(),
            expires_at: new.expires_at.map(|end| last_day_iso(end, reading)).unwrap_or_default(),
            set: new.access_set.clone().unwrap_or_else(|| "custom".into()),
            ticks: Ticks::of_scopes(&new.scopes, catalogue),
            filter: Filter::default(),
            limits: limits(
                &list(&new.allow),
                new.ip_allow.as_str(),
                &new.rate_per_minute.map(|rate| rate.to_string()).unwrap_or_default(),
            ),
        }
    }
}

fn limits(allow: &str, ip_allow: &str, rate_per_minute: &str) -> pages::Limits {
    pages::Limits {
        allow: allow.to_owned(),
        ip_allow: ip_allow.to_owned(),
        rate_per_minute: rate_per_minute.to_owned(),
    }
}

fn last_day_iso(end: Stamp, reading: &Reading) -> String {
    when::day_of(end.utc(), reading.zone).to_string()
}

pub async fn form(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    me.actor.must(Deed::GenerateOwnTokens)?;
    let filled = Filled::empty(app.policy.default_days(me.account.role));
    frame.page(StatusCode::OK, &form_page(&me, &frame, &app, &filled, &[])?)
}

/// The sentence under the expiry, as the person changes it.
pub async fn expiry(
    me: SignedIn,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let query = Posted::from_query(request.query_string());
    let expiry = expiry_part(&me, &app, query.text("lifetime"), query.text("expires_at"));
    frame.part(StatusCode::OK, &ExpiryFragment { expiry })
}

/// The filled form comes: the confirmation, or the form again with what is wrong.
pub async fn review(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    me.actor.must(Deed::GenerateOwnTokens)?;
    let catalogue = app.catalogue();
    let filled = Filled::posted(&form, &catalogue);
    if form.text("do") == "filter" {
        return frame.page(StatusCode::OK, &form_page(&me, &frame, &app, &filled, &[])?);
    }
    match check(&me, &app, &catalogue, &form, &filled).await {
        Ok(new) => {
            let page = confirm_page(&me, &frame, &app, &new)?;
            let key = propose(&app, &me, Action::GenerateToken, new).await?;
            ask(&frame, &me, page, &key)
        }
        Err(Error::Invalid(problems)) => {
            let page = form_page(&me, &frame, &app, &filled, &problems)?;
            frame.form_again(&page, &page.as_content())
        }
        Err(other) => Err(other),
    }
}

/// Everything that is wrong, the name that is taken included.
async fn check(
    me: &SignedIn,
    app: &Arc<App>,
    catalogue: &Catalogue,
    form: &Posted,
    filled: &Filled,
) -> Result<NewToken> {
    let draft = TokenDraft {
        name: form.has("name").then(|| filled.name.clone()),
        description: filled.description.clone(),
        expiry: wished(&filled.lifetime, &filled.expires_at),
        access_set: Some(filled.set.clone()).filter(|set| set != "custom"),
        scopes: filled.ticks.scopes(form, catalogue, me.account.role),
        allow: form.lines("allow"),
        ip_allow: form.lines("ip_allow"),
        rate_per_minute: filled.limits.rate_per_minute.clone(),
    };
    let zone = me.account.zone();
    let limits = Limits { catalogue, policy: &app.policy, role: me.account.role, zone, now: app.now() };
    let checked = draft.check(&limits, &app.random);
    let (owner, name) = (me.account.id.clone(), filled.name.trim().to_owned());
    let free = app.read(move |conn| token::check_free(conn, &owner, &name)).await;
    match (checked, free) {
        (Err(Error::Invalid(mut problems)), Err(Error::Invalid(taken))) => {
            problems.extend(taken);
            Err(Error::Invalid(problems))
        }
        (checked, free) => checked.and_then(|new| free.map(|()| new)),
    }
}

/// `lifetime` as the form has it: days, `never`, or `custom` with its day. Left out, a day that came along counts.
fn wished(lifetime: &str, day: &str) -> Expiry {
    match lifetime {
        "never" => Expiry::Never,
        "custom" | "" => Expiry::Day(day.to_owned()),
        days => days.parse().map_or_else(|_| Expiry::Day(day.to_owned()), Expiry::Days),
    }
}

fn confirm_page(me: &SignedIn, frame: &Frame, app: &Arc<App>, new: &NewToken) -> Result<ConfirmPage> {
    let catalogue = app.catalogue();
    let reading = Reading::of(&me.account, app.now());
    let access = words::access_summary(&catalogue, &new.scopes);
    let access = match &new.access_set {
        Some(set) => format!("{}: {access}", words::access(&catalogue, Some(set))),
        None => access,
    };
    let expires = match new.expires_at {
        Some(end) => due(end, &reading),
        None => "never".to_owned(),
    };
    let mut facts = vec![Fact::new("Name", &new.name), Fact::new("Access", access), Fact::new("Expires", expires)];
    if !new.allow.is_empty() {
        let shown: Vec<String> = new.allow.iter().map(|entry| catalogue.show(entry)).collect();
        facts.push(Fact::new("Resources", shown.join(", ")));
    }
    if !new.ip_allow.is_empty() {
        facts.push(Fact::new("Addresses", new.ip_allow.iter().collect::<Vec<_>>().join(", ")));
    }
    if let Some(rate) = new.rate_per_minute {
        facts.push(Fact::new("Requests", format!("at most {rate} per minute")));
    }
    let mut warnings = Vec::new();
    if new.scopes.iter().any(|scope| scope == "*" || scope.ends_with("/*")) {
        warnings.push(
            "This token can do everything you can, including delete. Choose only the methods you need if you can."
                .into(),
        );
    }
    if new.expires_at.is_none() {
        warnings
            .push("This token will work until somebody removes it. Choose a date unless nobody can rotate it.".into());
    }
    let shell = frame.shell("Generate access token", ADDRESS, Some(me))?;
    Ok(ConfirmPage { warnings, ..ConfirmPage::generate(shell, facts) })
}

/// "20 Feb 2027 (in 90 days)".
fn due(end: Stamp, reading: &Reading) -> String {
    when::due(end.utc(), reading.now.utc(), reading.zone, reading.dates)
}

/// The password comes: the value is in the answer to this one POST and nowhere else.
pub async fn confirm(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let (owner, prefix) = (me.account.clone(), app.prefix.clone());
    let outcome = settle(&app, &me, &form, Action::GenerateToken, move |tx, actor, new: NewToken| {
        token::generate(tx, actor, &owner, new, &prefix)
    });
    match outcome.await {
        Ok(Outcome::Done((token, value))) => reveal(&me, &frame, &app, &token, &value),
        Ok(Outcome::Again { payload, error }) => {
            let page = confirm_page(&me, &frame, &app, &payload)?;
            ask_again(&frame, &me, page, &form, &error)
        }
        Ok(Outcome::Back(new)) => {
            let reading = Reading::of(&me.account, app.now());
            let filled = Filled::proposed(&new, &app.catalogue(), &reading);
            frame.page(StatusCode::OK, &form_page(&me, &frame, &app, &filled, &[])?)
        }
        Err(Error::Replayed(crate::error::Replay::Used)) => {
            let page =
                ShownPage { shell: frame.shell("Value already shown", ADDRESS, Some(&me))?, ..ShownPage::default() };
            frame.body(&page)
        }
        Err(Error::Invalid(problems)) => {
            // Somebody was faster: with the name, the limit or the clock. The form again, with all that was filled in.
            let (session, key, now) = (me.session.clone(), form.text("confirm").to_owned(), app.now());
            let kept =
                app.read(move |conn| crate::confirm::look(conn, now, &session, Action::GenerateToken, &key)).await;
            let reading = Reading::of(&me.account, now);
            let filled = match kept {
                Ok(new) => Filled::proposed(&new, &app.catalogue(), &reading),
                Err(_) => Filled::empty(app.policy.default_days(me.account.role)),
            };
            let page = form_page(&me, &frame, &app, &filled, &problems)?;
            frame.form_again(&page, &page.as_content())
        }
        Err(other) => Err(other),
    }
}

fn reveal(me: &SignedIn, frame: &Frame, app: &Arc<App>, token: &Token, value: &Secret) -> Result<HttpResponse> {
    let catalogue = app.catalogue();
    let reading = Reading::of(&me.account, app.now());
    let expires = match token.expires_at {
        Some(end) => format!("{} at 23:59, {}", reading.date(end), reading.zone.name()),
        None => "never".to_owned(),
    };
    let (try_method, try_url) = example(&catalogue, &token.scopes).unwrap_or_default();
    let page = RevealPage {
        shell: frame.shell("Token generated", ADDRESS, Some(me))?,
        title: "Token generated".into(),
        name: token.name.clone(),
        value: value.reveal().to_owned(),
        file: file_name(&token.name),
        try_method,
        try_url,
        facts: vec![
            Fact::new("Access", words::access_summary(&catalogue, &token.scopes)),
            Fact::new("Expires", expires),
            Fact::new("Starts with", value.starts_with()).mono(),
        ],
    };
    Ok(uncompressed(frame.body(&page)?))
}

/// A request that the token may make, best one that reads and needs no parameter: HTTP method and address. Where no host
/// is known, one that cannot be meant stands in: the value must not go to a stranger's.
fn example(catalogue: &Catalogue, scopes: &Lines) -> Option<(String, String)> {
    let all = catalogue.apis().iter().flat_map(|api| api.allowed_by(scopes).map(move |m| (api, m)));
    let rank = |m: &Method| (m.path.contains('{'), m.kind != MethodKind::Read, m.kind == MethodKind::Delete);
    let (api, method) = all.min_by_key(|(_, m)| rank(m))?;
    let host = api.hosts.first().map_or("YOUR_API_HOST", String::as_str);
    // curl reads braces as a pattern of its own.
    let path = method.path.replace(['{', '}'], "");
    Some((method.http_method.clone(), format!("https://{host}{}{path}", api.base_path)))
}

/// Letters, digits, dots and hyphens of the name; nothing that a file system or a header could take amiss.
fn file_name(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' }).collect();
    format!("{}.token.txt", plain.trim_matches(['.', '-']))
}

/// Gives back what the page posted, as a file: nothing is kept here that could be downloaded later.
pub async fn download(_: SignedIn, form: Posted) -> Result<HttpResponse> {
    let file = file_name(form.text("file").trim_end_matches(".token.txt"));
    let mut answer = HttpResponse::Ok();
    answer.insert_header((header::CACHE_CONTROL, "no-store"));
    answer.insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")));
    Ok(uncompressed(answer.content_type("text/plain; charset=utf-8").body(form.text("value").to_owned())))
}

fn form_page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    filled: &Filled,
    problems: &[Problem],
) -> Result<TokenFormPage> {
    let catalogue = app.catalogue();
    let role = me.account.role;
    let (now, zone, most) = (app.now().utc(), me.account.zone(), app.policy.max_days(role));
    let shell: Shell = frame.shell("Generate access token", ADDRESS, Some(me))?;
    let mut expiry = expiry_part(me, app, &filled.lifetime, &filled.expires_at);
    if problems.iter().any(|problem| problem.field == "expires_at") {
        // It stands under the field as an error already.
        expiry.sentence.clear();
    }
    Ok(TokenFormPage {
        shell,
        title: "Generate access token".into(),
        intro: String::new(),
        action: FORM.into(),
        cancel: ADDRESS.into(),
        submit: "Generate…".into(),
        name: filled.name.clone(),
        description: filled.description.clone(),
        lifetimes: lifetimes(app, most, &filled.lifetime),
        expires_min: when::day_of(now, zone).to_string(),
        expires_max: when::in_days(now, most, zone).to_string(),
        expiry,
        sets: picker::cards(&catalogue, role, &filled.set),
        custom: filled.set == "custom",
        picker: picker::picker(&catalogue, role, &filled.ticks, &filled.filter),
        limits: filled.limits.clone(),
        errors: field_errors(problems),
        note: catalogue.apis().is_empty().then(|| Note::warn("No API is imported yet, so there is nothing to choose. An administrator imports one under Administration → APIs.")),
    })
}

fn lifetimes(app: &App, most: u32, chosen: &str) -> Vec<Choice> {
    let mut choices: Vec<(String, String)> = PRESETS
        .into_iter()
        .filter(|days| *days <= most)
        .map(|days| (days.to_string(), if days == 365 { "1 year".into() } else { format!("{days} days") }))
        .collect();
    let usual = app.policy.default_lifetime;
    if usual <= most && !PRESETS.contains(&usual) {
        choices.push((usual.to_string(), format!("{usual} days")));
    }
    choices.push(("custom".into(), "Pick a date".into()));
    if app.policy.allow_never {
        choices.push(("never".into(), "Never".into()));
    }
    let known = choices.iter().any(|(value, _)| value == chosen);
    choices
        .into_iter()
        .map(|(value, label)| Choice { selected: value == chosen || (!known && value == "custom"), value, label })
        .collect()
}

/// The sentence, the day and the short form for what is chosen; a wrong choice has its reason as the sentence.
fn expiry_part(me: &SignedIn, app: &App, lifetime: &str, day: &str) -> pages::Expiry {
    let catalogue = app.catalogue();
    let (role, now) = (me.account.role, app.now());
    let reading = Reading::of(&me.account, now);
    let limits = Limits { catalogue: &catalogue, policy: &app.policy, role, zone: reading.zone, now };
    match token::check_expiry(&wished(lifetime, day), &limits) {
        Ok(end) => pages::Expiry {
            sentence: when::expiry_sentence(
                end.map(Stamp::utc),
                now.utc(),
                reading.zone,
                Some(app.policy.max_days(role)),
            ),
            tone: if end.is_some() { Tone::Plain } else { Tone::Warn },
            date: end.map(|end| last_day_iso(end, &reading)).unwrap_or_default(),
            short: match end {
                Some(end) => format!("Expires {}.", reading.date(end)),
                None => "Never expires.".to_owned(),
            },
        },
        Err(sentence) => pages::Expiry { sentence, tone: Tone::Bad, date: day.to_owned(), short: String::new() },
    }
}
