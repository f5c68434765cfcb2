//! JSON for programs: every route on one screen, each with the method of Hallpass's own API that its caller has to hold.

mod bearer;
pub mod oauth;

use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route, web};
use serde_json::json;

use crate::catalogue::own::{Introspect, OwnMethod};
use crate::http::{TakesFirst, fits, problem};
use bearer::Bearer;

/// One row of the route table, for the tests that try every route with every kind of credential.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    /// `SERVICE:METHOD` of Hallpass's own API.
    pub service: &'static str,
    pub name: &'static str,
}

macro_rules! routes {
    ($($method:ident $path:literal $scope:ident => $handler:path;)*) => {
        pub const ROUTES: &[Row] = &[$(Row {
            method: stringify!($method),
            path: $path,
            service: $scope::SERVICE,
            name: $scope::NAME,
        }),*];

        pub fn routes(config: &mut web::ServiceConfig) {
            $(config.route($path, scoped::<$scope, _, _>(web::method(verb!($method)), $handler));)*
            config.route("/oauth/{rest:.*}", web::to(missing));
        }
    };
}

macro_rules! verb {
    (POST) => {
        actix_web::http::Method::POST
    };
}

routes! {
    POST "/oauth/introspect" Introspect => oauth::introspect;
    POST "/oauth/revoke"     Introspect => oauth::revoke;
}

/// A route whose handler takes the bearer of its row's scope as first argument; another handler does not compile.
fn scoped<M, F, Args>(route: Route, handler: F) -> Route
where
    M: OwnMethod,
    F: Handler<Args> + TakesFirst<Bearer<M>, Args>,
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
