//! The JSON of the policy.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::policy::Policy;

/// The operator's limits, by the names of the settings file.
#[derive(Serialize, Deserialize)]
pub struct PolicyJson(pub Policy);

impl PartialSchema for PolicyJson {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(SchemaType::Type(Type::Object)).build().into()
    }
}

impl ToSchema for PolicyJson {
    fn name() -> Cow<'static, str> {
        "Policy".into()
    }
}

/// Settings by their names; those that are left out stay.
#[derive(Deserialize)]
pub struct PolicyEdit(pub serde_json::Map<String, serde_json::Value>);

impl PartialSchema for PolicyEdit {
    fn schema() -> RefOr<Schema> {
        PolicyJson::schema()
    }
}

impl ToSchema for PolicyEdit {}

/// The query of a change of the policy.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PolicyQuery {
    /// Cut the tokens that live longer than the new policy allows; left out, they keep their end.
    pub cut: bool,
}
