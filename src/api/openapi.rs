//! The API's own description (OpenAPI 3.1), from the route table, the handlers' signatures and the types of its JSON.

mod links;

use std::collections::BTreeMap;

use actix_web::{HttpRequest, web};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};

use super::answer::{Done, Made, Refused, Told};
use super::bearer::{Bearer, Confirmed, Guard, Living, PASSWORD, Stranger};
use super::input::{Body, Document, IfMatch, Query, Repeatable};
use super::json::{Problem, shape};
use super::oauth::{Introspected, OauthError, Over};
use super::{ROUTES, Row, operations};
use crate::scope::OWN_API;

/// What one handler takes and answers.
#[derive(Default)]
pub struct Operation {
    parameters: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<&'static str, Value>,
    schemas: Vec<(String, RefOr<Schema>)>,
    /// Statuses of problems that its arguments and answers may end in.
    problems: Vec<(&'static str, &'static str)>,
}

/// An argument of a handler, by what it adds to the description.
pub trait Part {
    fn tell(_: &mut Operation) {}
}

/// An answer of a handler.
pub trait Answers {
    fn tell(operation: &mut Operation);
}

/// A handler whose arguments and answer can be told.
pub trait Described<Args> {
    fn describe(operation: &mut Operation);
}

macro_rules! described {
    ($($part:ident)*) => {
        impl<F, Fut, $($part),*> Described<($($part,)*)> for F
        where
            F: Fn($($part),*) -> Fut,
            Fut: Future,
            Fut::Output: Answers,
            $($part: Part),*
        {
            fn describe(operation: &mut Operation) {
                $($part::tell(operation);)*
                Fut::Output::tell(operation);
            }
        }
    };
}
described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);

pub fn operation<Args, F: Described<Args>>(_: F) -> Operation {
    let mut operation = Operation::default();
    F::describe(&mut operation);
    operation
}

impl Operation {
    /// The type goes into the components; the answer is its reference.
    pub fn schema<T: ToSchema>(&mut self) -> Value {
        self.schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(&mut self.schemas);
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    fn answer(&mut self, status: &'static str, text: &str, schema: Option<Value>, headers: Value) {
        let mut answer = json!({ "description": text });
        if let Some(schema) = schema {
            answer["content"] = json!({ "application/json": { "schema": schema } });
        }
        if headers.as_object().is_some_and(|headers| !headers.is_empty()) {
            answer["headers"] = headers;
        }
        self.answers.insert(status, answer);
    }

    fn form(&mut self, schema: Value) {
        self.body = Some(json!({
            "required": true, "content": { "application/x-www-form-urlencoded": { "schema": schema } },
        }));
    }

    fn header(&mut self, name: &str, text: &str) {
        self.parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": text, "schema": { "type": "string" },
        }));
    }
}

impl<T> Part for web::Data<T> {}
impl Part for HttpRequest {}
impl Part for Stranger {}
impl Part for Living {}
impl<M> Part for Bearer<M> {}

impl<M> Part for Confirmed<M> {
    fn tell(operation: &mut Operation) {
        operation.header(PASSWORD, "The person's password: needed with a session token, and with no other.");
    }
}

impl<T> Part for web::Path<T> {}

impl<T: ToSchema> Part for Body<T> {
    fn tell(operation: &mut Operation) {
        let schema = operation.schema::<T>();
        let mut whole = json!(T::schema());
        shape::tell(&T::name(), &mut whole);
        let required = whole["required"].as_array().is_some_and(|names| !names.is_empty()) || !whole["anyOf"].is_null();
        operation.body = Some(json!({ "required": required, "content": { "application/json": { "schema": schema } } }));
        operation.problems.extend([
            ("400", "The body is not JSON, or the credential is not one word."),
            ("413", "The body is too large."),
            ("415", "The body is of another type than JSON."),
            ("422", "A member is unknown or cannot be taken; `errors` says which."),
        ]);
    }
}

impl Part for Document {
    fn tell(operation: &mut Operation) {
        let any = json!({ "schema": {
            "type": "object",
            "description": "An OpenAPI 3.0, 3.1, 3.2 or Swagger 2.0 description.",
            "anyOf": [
                {
                    "required": ["openapi"],
                    "properties": { "openapi": { "type": "string", "pattern": r"^3\.[012]\.[0-9]+$" } },
                },
                { "required": ["swagger"], "properties": { "swagger": { "type": "string", "enum": ["2.0"] } } },
            ],
            "example": {
                "openapi": "3.1.0",
                "info": { "title": "Zones", "version": "1.0.0" },
                "paths": { "/zones": { "get": { "operationId": "listZones", "tags": ["zones"], "responses": {} } } },
            },
        } });
        operation.body = Some(json!({
            "required": true, "content": { "application/json": any, "application/yaml": any },
        }));
        operation.problems.extend([
            ("413", "The description is too large."),
            ("415", "The description is neither JSON nor YAML."),
            ("422", "The description cannot be taken; `errors` says why."),
        ]);
    }
}

impl<T: ToSchema> Part for Query<T> {
    fn tell(operation: &mut Operation) {
        let mut schema = json!(T::schema());
        shape::tell(&T::name(), &mut schema);
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mut property = property.clone();
            let text = property.as_object_mut().and_then(|members| members.remove("description"));
            without_null(&mut property);
            shape::tell_parameter(&mut property);
            operation.parameters.push(json!({
                "name": name, "in": "query", "required": false, "schema": property, "description": text.unwrap_or_default(),
            }));
        }
        operation.problems.push(("422", "A parameter is unknown or cannot be taken; `errors` says which."));
    }
}

/// A parameter that may be left out is never `null`.
fn without_null(schema: &mut Value) {
    if let Some(kinds) = schema["type"].as_array() {
        let kind = kinds.iter().find(|kind| *kind != "null").cloned().unwrap_or_default();
        schema["type"] = kind;
    }
}

impl Part for Repeatable {
    fn tell(operation: &mut Operation) {
        operation.parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "schema": { "type": "string", "pattern": "^[!-~]{1,255}$" },
            "description": "A key of your choice for this call. Sent again with the same body within 24 hours, the call does nothing \
                again: it answers 200 with the same token and `value: null`. With another body it is refused (422).",
        }));
    }
}

impl Part for IfMatch {
    fn tell(operation: &mut Operation) {
        operation.header("If-Match", "The ETag of what you saw: the edit is made over that alone.");
        operation.problems.push(("412", "It was changed since the ETag in `If-Match`."));
    }
}

impl<T: ToSchema> Answers for Result<Told<T>, Refused> {
    fn tell(operation: &mut Operation) {
        let schema = operation.schema::<T>();
        operation.answer("200", "As asked.", Some(schema), json!({}));
    }
}

impl<T: ToSchema> Answers for Result<Made<T>, Refused> {
    fn tell(operation: &mut Operation) {
        let schema = operation.schema::<T>();
        let location = json!({ "Location": { "schema": { "type": "string" } } });
        operation.answer("201", "Made. The value is in this answer and nowhere else.", Some(schema.clone()), location);
        operation.answer("200", "Made before, by the same call under its key.", Some(schema), json!({}));
    }
}

impl Answers for Result<Done, Refused> {
    fn tell(operation: &mut Operation) {
        operation.answer("204", "Done.", None, json!({}));
    }
}

/// Introspection and revocation tell the bodies of their own standards.
impl Part for super::oauth::Fields {
    fn tell(operation: &mut Operation) {
        let text = |text: &str| json!({ "type": "string", "description": text });
        let address = json!([
            { "type": "string", "format": "ipv4" }, { "type": "string", "format": "ipv6" }, { "type": "string", "maxLength": 0 },
        ]);
        let (empty, filled) =
            (json!({ "type": "string", "maxLength": 0 }), json!({ "type": "string", "minLength": 1 }));
        operation.form(json!({
            "type": "object",
            "required": ["token"],
            "properties": {
                "token": { "type": "string", "minLength": 1, "description": "The value that is asked about." },
                "token_type_hint": text("Not needed."),
                "method": text("The HTTP method of one request, with `uri`."),
                "uri": text("The target of that request."),
                "api": text("The API that it is for, by its short name."),
                "ip": { "description": "The client's address.", "anyOf": address },
            },
            "additionalProperties": { "type": "string" },
            // An empty field counts as left out.
            "anyOf": [
                { "properties": { "method": empty.clone(), "uri": empty } },
                { "required": ["method", "uri"], "properties": { "method": filled.clone(), "uri": filled } },
            ],
        }));
    }
}

impl Part for super::oauth::TokenField {
    fn tell(operation: &mut Operation) {
        operation.form(json!({
            "type": "object",
            "required": ["token"],
            "properties": {
                "token": { "type": "string", "minLength": 1, "description": "The value that is revoked." },
                "token_type_hint": { "type": "string", "description": "Not needed." },
            },
            "additionalProperties": { "type": "string" },
        }));
    }
}

impl Answers for Result<Introspected, OauthError> {
    fn tell(operation: &mut Operation) {
        let schema = json!({
            "type": "object",
            "required": ["active"],
            "properties": {
                "active": { "type": "boolean" },
                "scope": { "type": "string" },
                "client_id": { "type": "string" },
                "username": { "type": "string" },
                "token_type": { "type": "string" },
                "exp": { "type": "integer" },
                "iat": { "type": "integer" },
                "sub": { "type": "string" },
                "iss": { "type": "string" },
                "jti": { "type": "string" },
                "token_name": { "type": "string" },
                "account_kind": { "type": "string" },
                "role": { "type": "string" },
                "allowed": { "type": "boolean", "description": "Of the request that was asked about." },
                "required_scope": { "type": "string" },
                "refused_by": { "type": "string", "description": "The rule that refuses it." },
            },
        });
        operation.answer("200", "What it is worth (RFC 7662 section 2.2).", Some(schema), json!({}));
        refused_as_oauth(operation);
    }
}

impl Answers for Result<Over, OauthError> {
    fn tell(operation: &mut Operation) {
        operation.answer("200", "It is over, whatever it was (RFC 7009 section 2.2).", None, json!({}));
        refused_as_oauth(operation);
    }
}

fn refused_as_oauth(operation: &mut Operation) {
    let schema = json!({
        "type": "object",
        "required": ["error"],
        "properties": { "error": { "type": "string" }, "error_description": { "type": "string" } },
    });
    operation.answer("400", "The request cannot be taken (RFC 6749 section 5.2).", Some(schema), json!({}));
}

/// The whole description.
pub fn document(public_url: &str) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
    let mut problem = Operation::default();
    problem.schema::<Problem>();
    let mut learn = |operation: &mut Operation| {
        for (name, schema) in operation.schemas.drain(..) {
            let mut schema = json!(schema);
            shape::tell(&name, &mut schema);
            schemas.insert(name, schema);
        }
    };
    learn(&mut problem);
    for (row, mut operation) in ROUTES.iter().zip(operations()) {
        learn(&mut operation);
        let told = told(row, operation);
        paths.entry(row.path).or_default().insert(row.method.to_ascii_lowercase(), told);
    }
    links::add(&mut paths, &schemas);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Hallpass",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Access tokens for any HTTP API. Errors are problems (RFC 9457); times are RFC 3339 in UTC; lists are \
                paged by `next`, which goes into `after`. Every answer carries `X-Request-Id`.",
        },
        "servers": [{ "url": public_url.trim_end_matches('/') }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer", "description": "The value of a token." } },
        },
    })
}

fn operation_id(row: &Row) -> String {
    row.handler.split("::").map(str::trim).collect::<Vec<_>>().join("_")
}

fn told(row: &Row, operation: Operation) -> Value {
    let tag = row.scope.map_or("auth", |(service, _)| service);
    let mut parameters = operation.parameters;
    for name in row.path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
        let schema = match name {
            "slug" => json!({ "type": "string", "pattern": shape::SLUG }),
            _ => shape::id(),
        };
        parameters.insert(0, json!({ "name": name, "in": "path", "required": true, "schema": schema }));
    }
    let mut problems = operation.problems;
    problems.push(("500", "A fault of ours, or the database is out of reach (503)."));
    if row.guard != Guard::Stranger {
        problems.push(("400", "The credential is there twice, or is not one word."));
        problems.push(("401", "No token was sent, or it is not valid."));
        problems.push(("403", "The token may not: its scopes, its addresses, its bounds, or the role of its account."));
    } else {
        problems.push(("401", "E-mail address and password do not belong together."));
    }
    problems.push(("429", "Too many requests or wrong passwords; `Retry-After` says how long to wait."));
    problems.push(("503", "Out of reach for now; `Retry-After` says how long to wait."));
    // Also what a body or a query names, such as an owner.
    if row.path.contains('{') || (row.guard != Guard::Stranger && row.guard != Guard::Living) {
        problems.push(("404", "It is not there, or not yours to see."));
    }
    let mut answers = operation.answers;
    for (status, text) in problems {
        answers.entry(status).or_insert_with(|| {
            let schema = json!({ "$ref": "#/components/schemas/Problem" });
            json!({ "description": text, "content": { "application/problem+json": { "schema": schema } } })
        });
    }
    let mut told = json!({
        "operationId": operation_id(row),
        "summary": row.summary,
        "tags": [tag],
        "responses": answers,
    });
    if !parameters.is_empty() {
        told["parameters"] = parameters.into();
    }
    if let Some(body) = operation.body {
        told["requestBody"] = body;
    }
    match row.scope {
        Some((service, name)) => {
            told["security"] = json!([{ "token": [] }]);
            told["x-hallpass-scope"] = format!("{OWN_API}/{service}:{name}").into();
            told["description"] = format!("Needs the scope `{OWN_API}/{service}:{name}`.").into();
        }
        None if row.guard == Guard::Living => {
            told["security"] = json!([{ "token": [] }]);
            told["description"] = "Any living token will do.".into();
        }
        None => told["security"] = json!([]),
    }
    told
}

/// `GET /api/openapi.json`
pub async fn serve(_: Stranger, document: web::Data<Value>) -> Result<Told<Value>, Refused> {
    Ok(Told::plain(document.as_ref().clone()))
}
