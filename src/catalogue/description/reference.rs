//! Follows `$ref` to path items and parameters, the only two that say which methods there are.

use super::Problem;
use super::document::{Document, Parameter, PathItem, http_method};
use super::prose::beginning;
use super::syntax::escaped;

/// References in a row before a chain is taken for a mistake.
const LONGEST_CHAIN: usize = 16;

/// A path item and what it refers to, the strongest first; each with its place.
pub(super) fn layers<'d, 'a>(
    document: &'d Document<'a>,
    place: String,
    item: &'d PathItem<'a>,
) -> Result<Vec<(String, &'d PathItem<'a>)>, Problem> {
    let mut layers = vec![(place, item)];
    while let Some((place, PathItem { reference: Some(reference), .. })) = layers.last() {
        let place = format!("{place}/$ref");
        let steps = steps(reference, &place)?;
        let target = path_item(document, &steps).ok_or_else(|| {
            let searched = "path items are looked for under `#/paths` and `#/components/pathItems`";
            Problem::new(&*place, format!("There is no path item at `{}`; {searched}.", beginning(reference, 300)))
        })?;
        if layers.iter().any(|(_, known)| std::ptr::eq(*known, target)) {
            return Err(Problem::new(place, "This reference leads back to itself."));
        }
        if layers.len() > LONGEST_CHAIN {
            return Err(Problem::new(place, format!("There are more than {LONGEST_CHAIN} references in a row.")));
        }
        layers.push((joined(&steps), target));
    }
    Ok(layers)
}

/// A parameter behind any number of references. `place` is where it is asked for, made only for a problem.
pub(super) fn parameter<'d, 'a>(
    document: &'d Document<'a>,
    asked: &'d Parameter<'a>,
    place: impl Fn() -> String,
) -> Result<&'d Parameter<'a>, Problem> {
    let mut current = asked;
    let mut at: Option<String> = None;
    let mut seen: Vec<&Parameter> = Vec::new();
    while let Parameter::Reference(reference) = current {
        let here = || format!("{}/$ref", at.clone().unwrap_or_else(&place));
        if seen.iter().any(|known| std::ptr::eq(*known, current)) {
            return Err(Problem::new(here(), "This reference leads back to itself."));
        }
        if seen.len() == LONGEST_CHAIN {
            return Err(Problem::new(here(), format!("There are more than {LONGEST_CHAIN} references in a row.")));
        }
        seen.push(current);
        // The place is a closure's work, so the steps are taken with an empty one and it is put in afterwards.
        let steps = steps(reference, "").map_err(|problem| Problem::new(here(), problem.sentence))?;
        current = stored_parameter(document, &steps).ok_or_else(|| {
            let searched = "parameters are looked for under `#/components/parameters`, `#/parameters` and `#/paths`";
            Problem::new(here(), format!("There is no parameter at `{}`; {searched}.", beginning(reference, 300)))
        })?;
        at = Some(joined(&steps));
    }
    Ok(current)
}

fn path_item<'d, 'a>(document: &'d Document<'a>, steps: &[String]) -> Option<&'d PathItem<'a>> {
    match steps.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["paths", path] => document.paths.as_ref()?.find(path),
        ["components", "pathItems", name] => document.components.as_ref()?.path_items.as_ref()?.find(name),
        _ => None,
    }
}

fn stored_parameter<'d, 'a>(document: &'d Document<'a>, steps: &[String]) -> Option<&'d Parameter<'a>> {
    match steps.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["components", "parameters", name] => document.components.as_ref()?.parameters.as_ref()?.find(name),
        ["parameters", name] => document.parameters.as_ref()?.find(name),
        [.., "parameters", index] => {
            let steps = steps.get(..steps.len() - 2)?;
            let list = match (path_item(document, steps), steps.split_last()) {
                (Some(item), _) => &item.parameters,
                (None, Some((field, steps))) => {
                    let verb = http_method(field)?;
                    let operations = &path_item(document, steps)?.operations;
                    &operations.iter().find(|(known, _)| *known == verb)?.1.parameters
                }
                (None, None) => return None,
            };
            list.as_ref()?.0.get(index.parse::<usize>().ok()?)
        }
        _ => None,
    }
}

/// The steps of a reference within this text (RFC 6901 section 6: a JSON pointer, percent-encoded).
fn steps(reference: &str, place: &str) -> Result<Vec<String>, Problem> {
    let shown = beginning(reference, 300);
    let inside = reference.strip_prefix("#/").ok_or_else(|| {
        let advice = "only references within it (`#/…`) are followed: bundle the description into one file first";
        Problem::new(place, format!("`{shown}` points outside this text; {advice}."))
    })?;
    let decoded = percent_decoded(inside)
        .ok_or_else(|| Problem::new(place, format!("`{shown}` is not percent-encoded as an address must be.")))?;
    Ok(decoded.split('/').map(|step| step.replace("~1", "/").replace("~0", "~")).collect())
}

fn joined(steps: &[String]) -> String {
    steps.iter().fold("#".to_owned(), |place, step| format!("{place}/{}", escaped(beginning(step, 300))))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(part.get(..2)?, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}
