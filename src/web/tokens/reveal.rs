//! The one answer that holds a value, its download, and what a second look at it says.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;

use super::form::About;
use super::list::ADDRESS;
use crate::account::Account;
use crate::actor::Deed;
use crate::app::App;
use crate::catalogue::{Catalogue, Method};
use crate::confirm::Action;
use crate::error::Result;
use crate::secret::Secret;
use crate::token::{self, Token};
use crate::types::{AccountKind, Lines, MethodKind, Stamp, TokenId};
use crate::web::all_tokens;
use crate::web::form::Posted;
use crate::web::frame::{Frame, uncompressed};
use crate::web::page::Fact;
use crate::web::session::SignedIn;
use crate::web::tokens_pages::{RevealPage, ShownPage};
use crate::web::words::{self, Reading};

/// The page with the value. `previous` is the former value's end, of a regenerated token.
pub fn reveal(
    me: &SignedIn,
    frame: &Frame,
    app: &App,
    title: &str,
    (owner, token): (&Account, &Token),
    value: &Secret,
    previous: Option<Stamp>,
) -> Result<HttpResponse> {
    let catalogue = app.catalogue();
    let reading = Reading::of(&me.account, app.now());
    let expires = match token.expires_at {
        Some(end) => format!("{}, {}", reading.moment(end), reading.zone.name()),
        None => "never".to_owned(),
    };
    let (try_method, try_url) = example(&catalogue, &token.scopes).unwrap_or_default();
    let mut facts = vec![
        Fact::new("Access", words::access_summary(&catalogue, &token.scopes)),
        Fact::new("Expires", expires),
        Fact::new("Starts with", value.starts_with()).mono(),
    ];
    if !me.actor.is(&owner.id) {
        facts.insert(0, Fact::new("For", holder(owner)));
    }
    if let Some(end) = previous {
        let until =
            if end > reading.now { format!("works until {}", reading.moment(end)) } else { "has stopped".into() };
        facts.push(Fact::new("Old value", until));
    }
    let page = RevealPage {
        shell: frame.shell(title, ADDRESS, Some(me))?,
        title: title.to_owned(),
        name: token.name.clone(),
        value: value.reveal().to_owned(),
        file: file_name(&token.name),
        try_method,
        try_url,
        href: row_address(me, owner, &token.id),
        facts,
    };
    Ok(uncompressed(frame.body(&page)?))
}

/// The token's own page.
pub fn page_address(id: &str) -> String {
    format!("{ADDRESS}/{id}")
}

/// The list that the token is in, with its row marked; another person's token is in none of one's own, but has its page.
pub fn row_address(me: &SignedIn, owner: &Account, id: &TokenId) -> String {
    match &owner.owner_team_id {
        Some(team) => format!("{ADDRESS}?team={team}#t-{id}"),
        None if me.actor.is(&owner.id) || owner.owner_account_id.as_ref().is_some_and(|by| me.actor.is(by)) => {
            format!("{ADDRESS}#t-{id}")
        }
        // Who administers comes from everybody's tokens.
        None if me.actor.may(Deed::Administer) => format!("{}?owner={}#t-{id}", all_tokens::ADDRESS, owner.id),
        None => page_address(id.as_str()),
    }
}

/// The same, of a token by its id.
pub async fn row_of(app: &Arc<App>, me: &SignedIn, id: &str) -> String {
    match About::token(app, me, id).await {
        Ok(about) => row_address(me, &about.owner, &TokenId::from(id)),
        Err(_) => ADDRESS.to_owned(),
    }
}

/// Another account, as a token's pages name whom it acts as.
pub fn holder(owner: &Account) -> String {
    match owner.kind {
        AccountKind::Service => format!("the service account {}", owner.name),
        AccountKind::Person => format!("{} ({})", owner.name, owner.label()),
    }
}

/// The confirmation was used already: which token it made, and what to do without the value.
pub async fn already_shown(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    action: Action,
    form: &Posted,
) -> Result<HttpResponse> {
    let (session, key, actor) = (me.session.clone(), form.text("confirm").to_owned(), me.actor.clone());
    let made = app
        .read(move |conn| {
            let Some(id) = crate::confirm::outcome(conn, &session, action, &key)? else { return Ok(None) };
            let Ok(token) = token::visible(conn, &actor, &id.as_str().into()) else { return Ok(None) };
            let values = token::values_of(conn, &token.id)?;
            Ok(Some((token, values)))
        })
        .await?;
    let shell = frame.shell("Value already shown", ADDRESS, Some(me))?;
    let page = match made {
        Some((token, values)) if token.removed_at.is_none() => ShownPage {
            shell,
            starts_with: values.first().map(|value| value.starts_with.clone()).unwrap_or_default(),
            // With the mark of a query: where htmx has put this page, a mere fragment would load nothing.
            href: format!("{ADDRESS}/{}?#regenerate", token.id),
            name: token.name,
        },
        _ => ShownPage { shell, ..ShownPage::default() },
    };
    frame.body(&page)
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
