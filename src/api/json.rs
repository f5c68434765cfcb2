//! The JSON of the API: what each noun is told as, and what a call may send. An allow-list: nothing is told that does not stand here.

mod catalogue;
mod events;
mod offers;
mod people;
mod policy;
mod sessions;
pub mod shape;
mod tokens;

pub use catalogue::{Api, Import, Imported, Method, MethodQuery, Set, SlugQuery};
pub use events::{Event, EventQuery};
pub use offers::{NewSet, Options};
pub use people::{
    AccountEdit, AccountQuery, Invitation, Member, Membership, NewAccount, NewService, NewTeam, NounQuery, Person,
    Service, ServiceEdit, ServiceOwner, Team, TeamEdit, TeamTold,
};
pub use policy::{PolicyEdit, PolicyJson, PolicyQuery};
pub use sessions::{Login, Me, Session, SessionQuery, Whoami};
pub use tokens::{NewToken, Regeneration, Removal, Revealed, Token, TokenEdit, TokenQuery};

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::types::{AccountKind, MethodKind, Role, Status, TeamRole, TokenKind};

/// The words of a type with a fixed choice.
macro_rules! words_of {
    ($($name:ident $of:ident)*) => {$(
        fn $name() -> Object {
            let words = $of::ALL.iter().map(|word| word.as_str());
            ObjectBuilder::new().schema_type(SchemaType::Type(Type::String)).enum_values(Some(words)).build()
        }
    )*};
}
words_of! {
    status_words Status
    token_kinds TokenKind
    account_kinds AccountKind
    roles Role
    team_roles TeamRole
    method_kinds MethodKind
}

/// A page of a list. `next` goes into `after` to get the following one.
#[derive(Serialize, Deserialize)]
pub struct List<T> {
    pub items: Vec<T>,
    pub next: Option<String>,
    /// Of the whole list; up to 10,000 are counted. `null` where counting would take long.
    pub total: Option<i64>,
}

/// By hand: what is derived for a type with a parameter leaves the parameter's own schema out.
impl<T: ToSchema> PartialSchema for List<T> {
    fn schema() -> RefOr<Schema> {
        let of = Ref::from_schema_name(T::name());
        let whole = SchemaType::from_iter([Type::Integer, Type::Null]);
        let next = SchemaType::from_iter([Type::String, Type::Null]);
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(of))
            .property("next", ObjectBuilder::new().schema_type(next).description(Some("What goes into `after`.")))
            .property(
                "total",
                ObjectBuilder::new()
                    .schema_type(whole)
                    .minimum(Some(0))
                    .description(Some("Up to 10,000 are counted; null where counting would take long.")),
            )
            .required("items")
            .required("next")
            .required("total")
            .build()
            .into()
    }
}

impl<T: ToSchema> ToSchema for List<T> {
    fn name() -> Cow<'static, str> {
        format!("{}List", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

/// What is wrong (RFC 9457).
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(example = json!({
    "type": "about:blank", "title": "Unprocessable Entity", "status": 422, "detail": "There is no member “nmae” here.",
    "errors": [{ "field": "nmae", "message": "There is no member “nmae” here." }]
}))]
pub struct Problem {
    pub r#type: String,
    pub title: String,
    pub status: u16,
    /// A sentence for people.
    pub detail: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Under which the token's owner finds why it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

#[derive(Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    pub field: String,
    pub message: String,
}
