//! The API's documentation as a page: its own description, call by call.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use serde_json::Value;

use super::frame::Frame;
use super::page::{Fact, Shell};
use super::session::{Visitor, signed_in};
use crate::error::Result;

#[derive(Template, Default)]
#[template(path = "api/docs.html")]
pub struct DocsPage {
    pub shell: Shell,
    pub groups: Vec<Group>,
}

pub struct Group {
    pub name: String,
    pub calls: Vec<Call>,
}

pub struct Call {
    pub method: String,
    pub path: String,
    pub summary: String,
    /// Scope, parameters, members of the body, answers.
    pub facts: Vec<Fact>,
    /// A body as it may be sent.
    pub example: String,
}

pub async fn show(
    _: Visitor,
    frame: Frame,
    description: web::Data<Value>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let me = signed_in(&request).await.ok();
    let shell = frame.shell("API", "", me.as_ref())?;
    frame.page(StatusCode::OK, &DocsPage { shell, groups: groups(&description) })
}

fn groups(description: &Value) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for (path, methods) in members(&description["paths"]) {
        for (method, operation) in members(methods) {
            let name = text(&operation["tags"][0]);
            let call = call(description, path, method, operation);
            match groups.iter_mut().find(|group| group.name == name) {
                Some(group) => group.calls.push(call),
                None => groups.push(Group { name, calls: vec![call] }),
            }
        }
    }
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    groups
}

fn call(description: &Value, path: &str, method: &str, operation: &Value) -> Call {
    let scope = operation["x-hallpass-scope"].as_str();
    let mut facts = vec![Fact::new("Scope", scope.unwrap_or("none")).mono()];
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        let what = text(&parameter["description"]);
        let place = text(&parameter["in"]);
        facts.push(Fact::new(
            text(&parameter["name"]),
            if what.is_empty() { place } else { format!("{place}: {what}") },
        ));
    }
    let schema = resolved(description, &operation["requestBody"]["content"]["application/json"]["schema"]);
    for (name, member) in members(&schema["properties"]) {
        facts.push(Fact::new(name, format!("body: {}", text(&member["description"]))));
    }
    for (status, answer) in members(&operation["responses"]) {
        facts.push(Fact::new(status, text(&answer["description"])));
    }
    let example = match &schema["example"] {
        Value::Null => String::new(),
        example => serde_json::to_string_pretty(example).unwrap_or_default(),
    };
    let summary = text(&operation["summary"]);
    Call { method: method.to_uppercase(), path: path.to_owned(), summary, facts, example }
}

/// The schema that a reference leads to.
fn resolved<'d>(description: &'d Value, schema: &'d Value) -> &'d Value {
    let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
    name.map_or(schema, |name| &description["components"]["schemas"][name])
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// Without the backticks by which the description marks code: a page would show them.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('`', "")
}
