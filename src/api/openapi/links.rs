//! The links of the description (OpenAPI 3.1, section 4.8.20): from what was made or found to what can be done with it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::operation_id;
use crate::api::{ROUTES, Row};

pub fn add(paths: &mut BTreeMap<&str, Map<String, Value>>, schemas: &BTreeMap<String, Value>) {
    for row in ROUTES.iter().filter(|row| row.method != "DELETE" && row.path.matches('{').count() < 2) {
        let verb = row.method.to_ascii_lowercase();
        let Some(operation) = paths.get_mut(row.path).and_then(|methods| methods.get_mut(&verb)) else { continue };
        let answers = operation["responses"].as_object_mut().into_iter().flatten();
        for (_, answer) in answers.filter(|(status, _)| status.starts_with('2')) {
            let named = answer["content"]["application/json"]["schema"]["$ref"].as_str();
            let links = named.map(|named| links(row, named, schemas)).unwrap_or_default();
            if !links.is_empty() {
                answer["links"] = links.into();
            }
        }
    }
}

/// To every route below the collection that the row is of.
fn links(row: &Row, named: &str, schemas: &BTreeMap<String, Value>) -> Map<String, Value> {
    let mut links = Map::new();
    let Some(place) = place(named, schemas) else { return links };
    let collection = row.path.split("/{").next().unwrap_or_default();
    let below = format!("{collection}/{{");
    for other in ROUTES.iter().filter(|other| other.path.starts_with(&below) && other.handler != row.handler) {
        let names = other.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        let parameters: Map<String, Value> = names
            .filter_map(|name| match name {
                "account" => {
                    within(named, schemas, "members").map(|_| (name, "$response.body#/members/0/id".to_owned()))
                }
                _ => Some((name, format!("$response.body#{place}"))),
            })
            .map(|(name, from)| (name.to_owned(), from.into()))
            .collect();
        if parameters.len() == other.path.matches('{').count() {
            let id = operation_id(other);
            links.insert(id.clone(), json!({ "operationId": id, "parameters": parameters }));
        }
    }
    links
}

/// Where in the answer the id or short name is. None leads on from a list: it may be empty.
fn place(named: &str, schemas: &BTreeMap<String, Value>) -> Option<String> {
    if within(named, schemas, "id").is_some() {
        return Some("/id".into());
    }
    if within(named, schemas, "slug").is_some() {
        return Some("/slug".into());
    }
    let inner =
        |name: &str| Some(format!("/{name}{}", place(within(named, schemas, name)?["$ref"].as_str()?, schemas)?));
    inner("token").or_else(|| inner("account"))
}

fn within<'s>(named: &str, schemas: &'s BTreeMap<String, Value>, member: &str) -> Option<&'s Value> {
    schemas.get(named.rsplit('/').next()?)?["properties"].get(member)
}
