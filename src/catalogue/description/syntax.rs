//! Reads JSON into a struct, and says in words and with a place what is wrong where that fails.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_path_to_error::Segment;

use super::values::Object;
use super::{MAX_BYTES, Problem, prose};

/// The bytes as text, without a byte order mark.
pub(super) fn text(bytes: &[u8]) -> Result<&str, Problem> {
    let start = "line 1, column 1";
    if bytes.len() > MAX_BYTES {
        let sentence = format!("The text is larger than {} MiB, which is the most that is read.", MAX_BYTES >> 20);
        return Err(Problem::new(start, sentence));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).and_then(|valid| std::str::from_utf8(valid).ok());
        Problem::new(line_and_column(before.unwrap_or_default()), "The text is not UTF-8 from here on.")
    })?;
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text);
    match text.trim_start().chars().next() {
        None => Err(Problem::new(start, "The text is empty; give an OpenAPI or Swagger description.")),
        Some('<') => Err(Problem::new(
            start,
            "This is a web page (HTML or XML), not an API description; give the address of its JSON or YAML file.",
        )),
        Some(_) => Ok(text),
    }
}

/// Where a text that goes on after `before` stands.
pub(super) fn line_and_column(before: &str) -> String {
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}")
}

/// Whether the text begins as a JSON object or list does; YAML may, too.
pub(super) fn looks_like_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
}

pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// Reads JSON into one of the structs below.
pub(super) fn parse<'a, T: Deserialize<'a>>(json: &'a str) -> Result<T, Problem> {
    // Without places at first, which is several times faster; only a failure is read again to see where it is.
    serde_json::from_str::<Object<T>>(json).map(|object| object.0).map_err(|error| {
        if error.classify() != Category::Data {
            return malformed(&error);
        }
        let mut again = serde_json::Deserializer::from_str(json);
        match serde_path_to_error::deserialize::<_, Object<T>>(&mut again) {
            Err(error) => {
                let (place, sentence) = (pointer(error.path()), mistyped(&error.inner().to_string()));
                let top = "An API description must be an object with an `openapi` or `swagger` field";
                let sentence = if place == "#" { sentence.replace("This must be an object", top) } else { sentence };
                Problem::new(place, sentence)
            }
            Ok(_) => Problem::new("#", mistyped(&error.to_string())),
        }
    })
}

fn malformed(error: &serde_json::Error) -> Problem {
    let message = error.to_string();
    let reason = message.split(" at line ").next().unwrap_or_default();
    let place = format!("line {}, column {}", error.line(), error.column());
    Problem::new(place, format!("This is not valid JSON: {reason}."))
}

/// RFC 6901 as a URI fragment, but without percent-encoding: people read it.
fn pointer(path: &serde_path_to_error::Path) -> String {
    path.iter().fold("#".to_owned(), |pointer, segment| match segment {
        Segment::Map { key } => format!("{pointer}/{}", escaped(prose::beginning(key, 300))),
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

/// One step of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// The JSON parser's complaint in words that a person can act on.
fn mistyped(message: &str) -> String {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    if let Some((found, wanted)) =
        message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected "))
    {
        let found = match found.split_once(' ').map_or((found, ""), |(kind, value)| (kind, value)) {
            ("map", _) => "an object".to_owned(),
            ("sequence", _) => "a list".to_owned(),
            ("string", value) => format!("the text {}", prose::beginning(value, 80)),
            ("integer", value) => format!("the number {}", value.trim_matches('`')),
            ("floating", value) => format!("the number {}", value.trim_start_matches("point ").trim_matches('`')),
            ("boolean", value) => value.trim_matches('`').to_owned(),
            _ => prose::beginning(found, 80).to_owned(),
        };
        return format!("This must be {wanted}, not {found}.");
    }
    if let Some(field) = message.strip_prefix("duplicate field ") {
        return format!("The field {} is written twice.", prose::beginning(field, 80));
    }
    prose::beginning(message, 300).to_owned()
}
