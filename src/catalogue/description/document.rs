//! The few fields of a description that a catalogue needs; the rest is skipped unread.
//! Strings are borrowed from the text and every list is limited, so that a hostile text stays cheap.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::values::{Entries, FirstTag, List, Loose, Object, Text};

/// What tells the dialect, read alone where the rest cannot be read.
#[derive(Deserialize)]
pub(super) struct Versions<'a> {
    #[serde(borrow)]
    pub openapi: Option<Loose<'a>>,
    #[serde(borrow)]
    pub swagger: Option<Loose<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Document<'a> {
    #[serde(borrow)]
    pub openapi: Option<Loose<'a>>,
    #[serde(borrow)]
    pub swagger: Option<Loose<'a>>,
    #[serde(borrow)]
    pub info: Option<Object<Heading<'a>>>,
    #[serde(borrow)]
    pub servers: Option<List<Object<Server<'a>>>>,
    #[serde(borrow)]
    pub host: Option<Text<'a>>,
    #[serde(borrow, rename = "basePath")]
    pub base_path: Option<Text<'a>>,
    #[serde(borrow)]
    pub schemes: Option<List<Text<'a>>>,
    #[serde(borrow)]
    pub tags: Option<List<Object<Tag<'a>>>>,
    #[serde(borrow)]
    pub paths: Option<Entries<'a, PathItem<'a>, true>>,
    #[serde(borrow)]
    pub parameters: Option<Entries<'a, Parameter<'a>, false>>,
    #[serde(borrow)]
    pub components: Option<Object<Components<'a>>>,
}

#[derive(Deserialize)]
pub(super) struct Components<'a> {
    #[serde(borrow)]
    pub parameters: Option<Entries<'a, Parameter<'a>, false>>,
    #[serde(borrow, rename = "pathItems")]
    pub path_items: Option<Entries<'a, PathItem<'a>, false>>,
}

#[derive(Deserialize)]
pub(super) struct Heading<'a> {
    #[serde(borrow)]
    pub title: Option<Loose<'a>>,
    #[serde(borrow)]
    pub version: Option<Loose<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Server<'a> {
    #[serde(borrow)]
    pub url: Option<Text<'a>>,
    #[serde(borrow)]
    pub variables: Option<Entries<'a, Object<Variable<'a>>, false>>,
}

#[derive(Deserialize)]
pub(super) struct Variable<'a> {
    #[serde(borrow)]
    pub default: Option<Loose<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Tag<'a> {
    #[serde(borrow)]
    pub name: Option<Loose<'a>>,
    #[serde(borrow)]
    pub description: Option<Loose<'a>>,
    #[serde(borrow, rename = "x-displayName")]
    pub display_name: Option<Loose<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Operation<'a> {
    #[serde(borrow)]
    pub tags: Option<FirstTag<'a>>,
    #[serde(borrow, rename = "operationId")]
    pub id: Option<Text<'a>>,
    #[serde(borrow)]
    pub summary: Option<Loose<'a>>,
    #[serde(borrow)]
    pub description: Option<Loose<'a>>,
    #[serde(borrow, rename = "externalDocs")]
    pub docs: Option<Object<Docs<'a>>>,
    #[serde(borrow)]
    pub parameters: Option<List<Parameter<'a>>>,
    pub deprecated: Option<bool>,
    pub servers: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(super) struct Docs<'a> {
    #[serde(borrow)]
    pub url: Option<Text<'a>>,
}

/// The operations of a path, in the order of the file; a list, because nine options each would be mostly empty.
#[derive(Default)]
pub(super) struct PathItem<'a> {
    pub reference: Option<Text<'a>>,
    pub parameters: Option<List<Parameter<'a>>>,
    pub operations: Vec<(&'static str, Operation<'a>)>,
    pub servers: bool,
    /// OpenAPI 3.2 `additionalOperations`, which are not read.
    pub additional: bool,
}

/// The upper-case HTTP method that a field of a path item stands for.
pub(super) fn http_method(field: &str) -> Option<&'static str> {
    Some(match field {
        "get" => "GET",
        "put" => "PUT",
        "post" => "POST",
        "delete" => "DELETE",
        "patch" => "PATCH",
        "head" => "HEAD",
        "options" => "OPTIONS",
        "trace" => "TRACE",
        "query" => "QUERY",
        _ => return None,
    })
}

impl<'de: 'a, 'a> Deserialize<'de> for PathItem<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Fields<'a> {
            type Value = PathItem<'a>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            /// A path that is named and left empty, as YAML invites to.
            fn visit_unit<E: Error>(self) -> Result<PathItem<'a>, E> {
                Ok(PathItem::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PathItem<'a>, A::Error> {
                let mut item = PathItem::default();
                while let Some(field) = map.next_key::<Text>()? {
                    match (&*field, http_method(&field)) {
                        (_, Some(verb)) if item.operations.iter().any(|(known, _)| *known == verb) => {
                            return Err(A::Error::custom(format_args!("The field `{}` is written twice.", &*field)));
                        }
                        (_, Some(verb)) => item.operations.push((verb, map.next_value::<Object<Operation>>()?.0)),
                        ("$ref", _) if item.reference.is_none() => item.reference = Some(map.next_value()?),
                        ("parameters", _) if item.parameters.is_none() => item.parameters = map.next_value()?,
                        ("$ref" | "parameters", _) => {
                            return Err(A::Error::custom(format_args!("The field `{}` is written twice.", &*field)));
                        }
                        (name, _) => {
                            item.servers |= name == "servers";
                            item.additional |= name == "additionalOperations";
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(item)
            }
        }
        deserializer.deserialize_any(Fields(PhantomData))
    }
}

/// What a catalogue must know of a parameter. Headers, cookies and bodies say nothing about which method is called.
pub(super) enum Parameter<'a> {
    Reference(Text<'a>),
    Path(Text<'a>),
    Query(Text<'a>),
    Elsewhere,
}

impl<'de: 'a, 'a> Deserialize<'de> for Parameter<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Fields<'a> {
            #[serde(borrow, rename = "$ref")]
            reference: Option<Text<'a>>,
            #[serde(borrow)]
            name: Option<Text<'a>>,
            #[serde(borrow, rename = "in")]
            place: Option<Text<'a>>,
        }
        let Object(fields) = Object::<Fields>::deserialize(deserializer)?;
        match (fields.reference, fields.place.as_deref(), fields.name) {
            (Some(reference), _, _) => Ok(Self::Reference(reference)),
            (None, Some("path"), Some(name)) => Ok(Self::Path(name)),
            (None, Some("query"), Some(name)) => Ok(Self::Query(name)),
            (None, Some("path" | "query") | None, _) => {
                Err(D::Error::custom("A parameter needs `name` and `in`, or a `$ref` to one that has them."))
            }
            (None, Some(_), _) => Ok(Self::Elsewhere),
        }
    }
}
