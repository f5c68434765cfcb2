//! The pages: every route on one screen, each with who may come. What the first argument of a handler is, its row says.

pub mod accounts;
pub mod accounts_pages;
pub mod activity;
mod activity_chart;
mod activity_csv;
pub mod activity_pages;
mod activity_words;
pub mod all_tokens;
pub mod all_tokens_pages;
mod api_docs;
pub mod apis;
pub mod apis_pages;
pub mod assets;
pub mod audit;
mod audit_file;
pub mod audit_pages;
mod audit_words;
pub mod confirm;
pub mod confirm_pages;
pub mod error_pages;
pub mod form;
pub mod frame;
pub mod invitation;
pub mod kept;
pub mod page;
pub mod picker;
pub mod policy;
pub mod policy_pages;
mod policy_words;
pub mod service_accounts;
pub mod service_accounts_pages;
pub mod session;
pub mod session_pages;
pub mod session_store;
pub mod settings;
pub mod settings_pages;
pub mod teams;
pub mod teams_pages;
pub mod tokens;
pub mod tokens_pages;
pub mod words;

use actix_web::{FromRequest, Handler, HttpRequest, Responder, Route, guard, web};

use crate::error::Result;
use crate::http::{TakesFirst, fits};
use session::{Administrator, SignedIn, Visitor};

/// Who a route lets in: the extractor that its handler takes first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Guard {
    Visitor,
    SignedIn,
    Administrator,
}

/// One row of the route table, for the tests that try every route as every stranger.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    pub guard: Guard,
}

impl Guard {
    /// Lets a request in, or says why not.
    pub async fn check(self, request: &HttpRequest) -> Result<()> {
        match self {
            Guard::Visitor => Ok(()),
            Guard::SignedIn => SignedIn::extract(request).await.map(drop),
            Guard::Administrator => Administrator::extract(request).await.map(drop),
        }
    }
}

/// The HTTP methods that an address is there for.
pub fn methods_of(path: &str) -> Vec<&'static str> {
    ROUTES.iter().filter(|row| fits(row.path, path)).map(|row| row.method).collect()
}

/// The row whose handler takes such a request: the first that fits.
pub fn row(method: &str, path: &str) -> Option<&'static Row> {
    ROUTES.iter().find(|row| row.method == method && fits(row.path, path))
}

/// A route whose handler has the guard of its row as first argument; another handler does not compile.
fn guarded<G, F, Args>(handler: F) -> Route
where
    F: Handler<Args> + TakesFirst<G, Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    // What answers GET answers HEAD (RFC 9110 section 9.3.2); the body is left out on the way.
    web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler)
}

/// A route that changes something: its handler takes a checked form as second argument, else it does not compile.
fn posting<G, F, Args>(handler: F) -> Route
where
    F: Handler<Args> + TakesFirst<G, Args> + TakesForm<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::post().to(handler)
}

/// A handler whose second argument is a form that bears its token.
pub trait TakesForm<Args> {}

macro_rules! takes {
    ($($other:ident)*) => {
        impl<G, P: form::Checked, F, Fut, $($other),*> TakesForm<(G, P, $($other,)*)> for F
        where
            F: Fn(G, P, $($other),*) -> Fut
        {
        }
    };
}
takes!();
takes!(A);
takes!(A B);
takes!(A B C);
takes!(A B C D);

macro_rules! routes {
    ($($method:ident $path:literal $guard:ident => $handler:path;)*) => {
        pub const ROUTES: &[Row] = &[$(Row { method: stringify!($method), path: $path, guard: Guard::$guard }),*];

        pub fn routes(config: &mut web::ServiceConfig) {
            $(config.route($path, routes!(@ $method $guard $handler));)*
        }
    };
    (@ GET $guard:ident $handler:path) => { guarded::<$guard, _, _>($handler) };
    (@ POST $guard:ident $handler:path) => { posting::<$guard, _, _>($handler) };
}

routes! {
    GET  "/"                                  Visitor       => session::home;
    GET  "/setup"                             Visitor       => session::setup_form;
    POST "/setup"                             Visitor       => session::set_up;
    GET  "/login"                             Visitor       => session::login_form;
    POST "/login"                             Visitor       => session::sign_in;
    GET  "/invite/{key}"                      Visitor       => invitation::form;
    POST "/invite/{key}"                      Visitor       => invitation::accept;
    POST "/logout"                            SignedIn      => session::sign_out;
    POST "/theme"                             Visitor       => session::theme;
    GET  "/api/docs"                          Visitor       => api_docs::show;

    GET  "/settings/profile"                  SignedIn      => settings::profile::form;
    POST "/settings/profile"                  SignedIn      => settings::profile::save;
    GET  "/settings/password"                 SignedIn      => settings::password::form;
    POST "/settings/password"                 SignedIn      => settings::password::change;
    GET  "/settings/sessions"                 SignedIn      => settings::sessions::show;
    POST "/settings/sessions/end"             SignedIn      => settings::sessions::end;

    GET  "/settings/tokens"                   SignedIn      => tokens::list::show;
    POST "/settings/tokens/find"              SignedIn      => tokens::list::find;
    POST "/settings/tokens/action"            SignedIn      => tokens::list::act;
    POST "/settings/tokens/disable"           SignedIn      => tokens::bulk::disable;
    POST "/settings/tokens/enable"            SignedIn      => tokens::bulk::enable;
    POST "/settings/tokens/remove"            SignedIn      => tokens::bulk::remove;
    GET  "/settings/tokens/new"               SignedIn      => tokens::generate::form;
    POST "/settings/tokens/new"               SignedIn      => tokens::generate::review;
    POST "/settings/tokens/new/confirm"       SignedIn      => tokens::generate::confirm;
    GET  "/settings/tokens/expiry"            SignedIn      => tokens::expiry;
    POST "/settings/tokens/value.txt"         SignedIn      => tokens::reveal::download;
    GET  "/settings/tokens/{id:[0-9a-f-]+}"              SignedIn      => tokens::edit::form;
    POST "/settings/tokens/{id:[0-9a-f-]+}"              SignedIn      => tokens::edit::review;
    POST "/settings/tokens/{id:[0-9a-f-]+}/confirm"      SignedIn      => tokens::edit::confirm;
    POST "/settings/tokens/{id:[0-9a-f-]+}/regenerate"   SignedIn      => tokens::regenerate::review;
    POST "/settings/tokens/{id:[0-9a-f-]+}/regenerate/confirm" SignedIn => tokens::regenerate::confirm;
    POST "/settings/tokens/{id:[0-9a-f-]+}/end-grace"    SignedIn      => tokens::regenerate::review_end;
    POST "/settings/tokens/{id:[0-9a-f-]+}/end-grace/confirm" SignedIn => tokens::regenerate::confirm_end;

    GET  "/settings/activity"                 SignedIn      => activity::own;
    POST "/settings/activity/find"            SignedIn      => activity::find;
    GET  "/settings/activity.csv"             SignedIn      => activity::own_file;
    GET  "/settings/tokens/{id:[0-9a-f-]+}/activity"     SignedIn      => activity::of_token;
    GET  "/settings/tokens/{id:[0-9a-f-]+}/activity.csv" SignedIn      => activity::file_of_token;

    GET  "/admin/accounts"                    Administrator => accounts::list;
    GET  "/admin/accounts/new"                Administrator => accounts::invite::form;
    POST "/admin/accounts/new"                Administrator => accounts::invite::review;
    GET  "/admin/accounts/{id:[0-9a-f-]+}"               Administrator => accounts::show;
    POST "/admin/accounts/{id:[0-9a-f-]+}"               Administrator => accounts::change::change;
    POST "/admin/accounts/{id:[0-9a-f-]+}/link"          Administrator => accounts::invite::link;
    GET  "/admin/accounts/{id:[0-9a-f-]+}/leave"         Administrator => accounts::leave::form;
    POST "/admin/accounts/{id:[0-9a-f-]+}/leave"         Administrator => accounts::leave::leave;

    GET  "/admin/teams"                       SignedIn      => teams::list;
    GET  "/admin/teams/new"                   Administrator => teams::make::form;
    POST "/admin/teams/new"                   Administrator => teams::make::save;
    GET  "/admin/teams/{id:[0-9a-f-]+}"                  SignedIn      => teams::show;
    POST "/admin/teams/{id:[0-9a-f-]+}"                  SignedIn      => teams::edit;
    POST "/admin/teams/{id:[0-9a-f-]+}/members"          SignedIn      => teams::members::change;
    POST "/admin/teams/{id:[0-9a-f-]+}/remove"           SignedIn      => teams::remove;

    GET  "/admin/service-accounts"            SignedIn      => service_accounts::list;
    GET  "/admin/service-accounts/new"        SignedIn      => service_accounts::make::form;
    POST "/admin/service-accounts/new"        SignedIn      => service_accounts::make::save;
    GET  "/admin/service-accounts/{id:[0-9a-f-]+}"          SignedIn   => service_accounts::show;
    POST "/admin/service-accounts/{id:[0-9a-f-]+}"          SignedIn   => service_accounts::edit::save;
    POST "/admin/service-accounts/{id:[0-9a-f-]+}/owner"    SignedIn   => service_accounts::edit::give;
    POST "/admin/service-accounts/{id:[0-9a-f-]+}/disable"  SignedIn   => service_accounts::edit::disable;
    POST "/admin/service-accounts/{id:[0-9a-f-]+}/enable"   SignedIn   => service_accounts::edit::enable;
    POST "/admin/service-accounts/{id:[0-9a-f-]+}/remove"   SignedIn   => service_accounts::edit::remove;
    GET  "/admin/service-accounts/{id:[0-9a-f-]+}/activity" SignedIn   => activity::of_service;
    GET  "/admin/service-accounts/{id:[0-9a-f-]+}/activity.csv" SignedIn => activity::file_of_service;

    GET  "/admin/audit"                       Administrator => audit::show;
    POST "/admin/audit/find"                  Administrator => audit::find;
    GET  "/admin/audit.csv"                   Administrator => audit::csv;
    GET  "/admin/audit.jsonl"                 Administrator => audit::jsonl;
    GET  "/admin/tokens"                      Administrator => all_tokens::show;
    GET  "/admin/tokens.csv"                  Administrator => all_tokens::file::save;
    POST "/admin/tokens/find"                 Administrator => all_tokens::find;
    POST "/admin/tokens/action"               Administrator => all_tokens::act;
    POST "/admin/tokens/disable"              Administrator => all_tokens::bulk::disable;
    POST "/admin/tokens/enable"               Administrator => all_tokens::bulk::enable;
    POST "/admin/tokens/remove"               Administrator => all_tokens::bulk::remove;
    POST "/admin/tokens/expiry"               Administrator => all_tokens::bulk::set_expiry;

    GET  "/admin/apis"                        Administrator => apis::list;
    GET  "/admin/apis/new"                    Administrator => apis::import::form;
    POST "/admin/apis/new"                    Administrator => apis::import::review;
    POST "/admin/apis/import"                 Administrator => apis::import::confirm;
    GET  "/admin/apis/{slug}"                 Administrator => apis::show;
    GET  "/admin/apis/{slug}/import"          Administrator => apis::import::form_again;
    POST "/admin/apis/{slug}/import"          Administrator => apis::import::review_again;
    POST "/admin/apis/{slug}/options"         Administrator => apis::edit_options;
    POST "/admin/apis/{slug}/remove"          Administrator => apis::remove;
    GET  "/admin/apis/{slug}/sets/new"        Administrator => apis::set::form_new;
    POST "/admin/apis/{slug}/sets/new"        Administrator => apis::set::save_new;
    GET  "/admin/apis/{slug}/sets/{set}"      Administrator => apis::set::form;
    POST "/admin/apis/{slug}/sets/{set}"      Administrator => apis::set::save;
    POST "/admin/apis/{slug}/sets/{set}/remove" Administrator => apis::set::remove;

    GET  "/admin/policy"                      Administrator => policy::form;
    POST "/admin/policy"                      Administrator => policy::review;
    POST "/admin/policy/confirm"              Administrator => policy::confirm;
}
