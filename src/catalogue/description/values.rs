//! Building blocks of [`super::document`]: text, objects, lists and maps as descriptions have them, with their limits.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Deserialize, Deserializer};

use super::{MAX_OPERATIONS, prose};

/// Text, and nothing but text.
pub(super) struct Text<'a>(pub Cow<'a, str>);

/// Text, or a number or truth value in its place: `version: 1.0` in YAML is a number.
pub(super) struct Loose<'a>(pub Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Deref for Loose<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

struct TextVisitor {
    loose: bool,
}

impl TextVisitor {
    fn loosely<'de, E: Error>(&self, text: String, found: Unexpected) -> Result<Cow<'de, str>, E> {
        if self.loose { Ok(Cow::Owned(text)) } else { Err(E::invalid_type(found, self)) }
    }
}

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(value.to_owned()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        self.loosely(value.to_string(), Unexpected::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        self.loosely(value.to_string(), Unexpected::Signed(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        // `{:?}` keeps the `.0` of 2.0.
        self.loosely(format!("{value:?}"), Unexpected::Float(value))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        self.loosely(value.to_string(), Unexpected::Bool(value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor { loose: false }).map(Text)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Loose<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor { loose: true }).map(Loose)
    }
}

/// The first of an operation's tags; the others are skipped.
pub(super) struct FirstTag<'a>(pub Option<Loose<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for FirstTag<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for First<'a> {
            type Value = FirstTag<'a>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<FirstTag<'a>, A::Error> {
                let first = list.next_element()?;
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(FirstTag(first))
            }
        }
        deserializer.deserialize_seq(First(PhantomData))
    }
}

/// An object. A derived struct alone would also take a list of its fields.
pub(super) struct Object<T>(pub T);

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Map<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Map<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Map(PhantomData)).map(Object)
    }
}

/// A list of at most as many entries as there may be operations.
pub(super) struct List<T>(pub Vec<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for List<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Elements<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Elements<T> {
            type Value = List<T>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<List<T>, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = list.next_element()? {
                    room_for_one_more(elements.len())?;
                    elements.push(element);
                }
                Ok(List(elements))
            }
        }
        deserializer.deserialize_seq(Elements(PhantomData))
    }
}

fn room_for_one_more<E: Error>(entries: usize) -> Result<(), E> {
    let sentence = || {
        E::custom(format_args!("There are more than {MAX_OPERATIONS} entries here, which is the most that is read."))
    };
    if entries < MAX_OPERATIONS { Ok(()) } else { Err(sentence()) }
}

/// A map with free keys, in the order of the file. `X` leaves out `x-…` keys, which extend `paths` with anything.
pub(super) struct Entries<'a, T, const X: bool> {
    pub list: Vec<(Cow<'a, str>, T)>,
    by_key: HashMap<Cow<'a, str>, usize>,
}

impl<T, const X: bool> Entries<'_, T, X> {
    pub fn find(&self, key: &str) -> Option<&T> {
        self.by_key.get(key).and_then(|&at| self.list.get(at)).map(|(_, value)| value)
    }
}

impl<'de: 'a, 'a, T: Deserialize<'de>, const X: bool> Deserialize<'de> for Entries<'a, T, X> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs<'a, T, const X: bool>(PhantomData<(&'a (), T)>);
        impl<'de: 'a, 'a, T: Deserialize<'de>, const X: bool> Visitor<'de> for Pairs<'a, T, X> {
            type Value = Entries<'a, T, X>;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Entries { list: Vec::new(), by_key: HashMap::new() };
                while let Some(Text(key)) = map.next_key()? {
                    if X && key.starts_with("x-") {
                        map.next_value::<IgnoredAny>()?;
                        continue;
                    }
                    room_for_one_more(entries.list.len())?;
                    if entries.by_key.insert(key.clone(), entries.list.len()).is_some() {
                        let key = prose::beginning(&key, 200);
                        return Err(A::Error::custom(format_args!("The key `{key}` is written twice.")));
                    }
                    entries.list.push((key, map.next_value()?));
                }
                Ok(entries)
            }
        }
        deserializer.deserialize_map(Pairs(PhantomData))
    }
}
