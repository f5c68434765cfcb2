//! JSON for programs: every route on one screen, each with its guard and the method of Hallpass's own API that its caller has to
//! hold. What the first argument of a handler is, its row says.

mod accounts;
pub mod answer;
mod auth;
pub mod bearer;
mod catalogue;
mod events;
mod input;
pub mod json;
mod noun;
pub mod oauth;
pub mod openapi;
mod page;
mod policy;
mod services;
mod sessions;
mod teams;
mod tokens;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route, guard, web};
use serde_json::json;

use crate::catalogue::own::*;
use crate::http::{TakesFirst, fits, problem};
use bearer::{Bearer, Confirmed, Guard, Guarded, Living, Stranger};
use openapi::Operation;

/// One row of the route table, for the tests that try every route with every kind of credential.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    pub guard: Guard,
    /// `(SERVICE, METHOD)` of Hallpass's own API; none where the guard is no [`Bearer`].
    pub scope: Option<(&'static str, &'static str)>,
    pub summary: &'static str,
    /// `MODULE::HANDLER`.
    pub handler: &'static str,
}

macro_rules! routes {
    ($($method:ident $path:literal $guard:ident$(<$scope:ident>)? $(($summary:literal))? => $($handler:ident)::+;)*) => {
        pub const ROUTES: &[Row] = &[$(Row {
            method: stringify!($method),
            path: $path,
            guard: <$guard$(<$scope>)? as Guarded>::KIND,
            scope: <$guard$(<$scope>)? as Guarded>::SCOPE,
            summary: routes!(@ $($summary)? ; <$guard$(<$scope>)? as Guarded>::SUMMARY),
            handler: stringify!($($handler)::+),
        }),*];

        pub fn routes(config: &mut web::ServiceConfig) {
            $(config.route($path, guarded::<$guard$(<$scope>)?, _, _>(verb(stringify!($method)), $($handler)::+));)*
            config.route("/oauth/{rest:.*}", web::to(missing));
            // The page of the documentation is among the pages.
            let is_page = guard::fn_guard(|asked| asked.head().uri.path() == "/api/docs");
            config.route("/api/{rest:.*}", web::route().guard(guard::Not(is_page)).to(missing));
        }

        /// What each row takes and answers, read off its handler.
        fn operations() -> Vec<Operation> {
            vec![$(openapi::operation($($handler)::+)),*]
        }
    };
    (@ $summary:literal ; $other:expr) => { $summary };
    (@ ; $other:expr) => { $other };
}

routes! {
    POST   "/oauth/introspect"                Bearer<Introspect>         => oauth::introspect;
    POST   "/oauth/revoke"                    Confirmed<Introspect> ("Revoke a token by its value") => oauth::revoke;

    POST   "/api/v1/auth/login"               Stranger ("Sign in: a session token for a day") => auth::login;
    POST   "/api/v1/auth/logout"              Living ("Sign out: end the session token") => auth::logout;
    GET    "/api/openapi.json"                Stranger ("This description")  => openapi::serve;
    GET    "/api/v1/whoami"                   Living ("Who the token speaks for, and what it may") => auth::whoami;

    GET    "/api/v1/tokens"                   Bearer<ListTokens>         => tokens::list;
    POST   "/api/v1/tokens"                   Confirmed<GenerateToken>   => tokens::generate;
    GET    "/api/v1/tokens/{id}"              Bearer<DescribeToken>      => tokens::describe;
    PATCH  "/api/v1/tokens/{id}"              Confirmed<EditToken>       => tokens::edit;
    DELETE "/api/v1/tokens/{id}"              Confirmed<RemoveToken>     => tokens::remove;
    POST   "/api/v1/tokens/{id}/regenerate"   Confirmed<RegenerateToken> => tokens::regenerate;

    GET    "/api/v1/methods"                  Bearer<ListMethods>        => catalogue::methods;
    GET    "/api/v1/access-sets"              Bearer<ListSets>           => catalogue::sets;
    PUT    "/api/v1/access-sets/{slug}"       Confirmed<SaveSet>         => catalogue::save_set;
    DELETE "/api/v1/access-sets/{slug}"       Confirmed<RemoveSet>       => catalogue::remove_set;
    GET    "/api/v1/apis"                     Bearer<ListApis>           => catalogue::list;
    GET    "/api/v1/apis/{slug}"              Bearer<DescribeApi>        => catalogue::describe;
    PUT    "/api/v1/apis/{slug}"              Confirmed<ImportApi>       => catalogue::import;
    PATCH  "/api/v1/apis/{slug}"              Confirmed<EditApi>         => catalogue::edit;
    DELETE "/api/v1/apis/{slug}"              Confirmed<RemoveApi>       => catalogue::remove;

    GET    "/api/v1/sessions"                 Bearer<ListSessions>       => sessions::list;
    DELETE "/api/v1/sessions"                 Confirmed<EndSessions> ("End all sessions but the present one") => sessions::end_others;
    DELETE "/api/v1/sessions/{id}"            Confirmed<EndSessions>     => sessions::end;

    GET    "/api/v1/accounts"                 Bearer<ListAccounts>       => accounts::list;
    POST   "/api/v1/accounts"                 Confirmed<InviteAccount>   => accounts::invite;
    GET    "/api/v1/accounts/{id}"            Bearer<DescribeAccount>    => accounts::describe;
    PATCH  "/api/v1/accounts/{id}"            Confirmed<EditAccount>     => accounts::edit;
    DELETE "/api/v1/accounts/{id}/sessions"   Confirmed<EndAccountSessions> => accounts::end_sessions;

    GET    "/api/v1/service-accounts"         Bearer<ListServices>       => services::list;
    POST   "/api/v1/service-accounts"         Confirmed<GenerateService> => services::generate;
    GET    "/api/v1/service-accounts/{id}"    Bearer<DescribeService>    => services::describe;
    PATCH  "/api/v1/service-accounts/{id}"    Confirmed<EditService>     => services::edit;
    DELETE "/api/v1/service-accounts/{id}"    Confirmed<RemoveService>   => services::remove;

    GET    "/api/v1/teams"                    Bearer<ListTeams>          => teams::list;
    POST   "/api/v1/teams"                    Confirmed<GenerateTeam>    => teams::generate;
    GET    "/api/v1/teams/{id}"               Bearer<DescribeTeam>       => teams::describe;
    PATCH  "/api/v1/teams/{id}"               Confirmed<EditTeam>        => teams::edit;
    DELETE "/api/v1/teams/{id}"               Confirmed<RemoveTeam>      => teams::remove;
    PUT    "/api/v1/teams/{id}/members/{account}"    Confirmed<ChangeMembers> => teams::set_member;
    DELETE "/api/v1/teams/{id}/members/{account}"    Confirmed<ChangeMembers> ("Take a person out of a team") => teams::remove_member;

    GET    "/api/v1/policy"                   Bearer<DescribePolicy>     => policy::describe;
    PATCH  "/api/v1/policy"                   Confirmed<EditPolicy>      => policy::edit;
    GET    "/api/v1/events"                   Bearer<ListEvents>         => events::list;
}

/// What answers GET answers HEAD (RFC 9110 section 9.3.2); the body is left out on the way.
fn verb(method: &'static str) -> Route {
    match method {
        "GET" => web::route().guard(guard::Any(guard::Get()).or(guard::Head())),
        "POST" => web::post(),
        "PUT" => web::put(),
        "PATCH" => web::patch(),
        _ => web::delete(),
    }
}

/// A route whose handler takes the guard of its row as first argument; another handler does not compile.
fn guarded<G, F, Args>(route: Route, handler: F) -> Route
where
    G: Guarded,
    F: Handler<Args> + TakesFirst<G, Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    route.to(handler)
}

/// An address that is not there, or one that is there for another HTTP method.
async fn missing(request: HttpRequest) -> HttpResponse {
    let methods: Vec<&str> = ROUTES.iter().filter(|row| fits(row.path, request.path())).map(|row| row.method).collect();
    if methods.is_empty() {
        let status = StatusCode::NOT_FOUND;
        return problem(HttpResponse::build(status), status, "There is nothing at this address.", json!({}));
    }
    let mut answer = HttpResponse::MethodNotAllowed();
    answer.insert_header((header::ALLOW, methods.join(", ")));
    let detail = format!("This address takes {} alone.", methods.join(" and "));
    problem(answer, StatusCode::METHOD_NOT_ALLOWED, &detail, json!({}))
}
