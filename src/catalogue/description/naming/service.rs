//! Names of services: from tags, and from paths where an operation has no tag.

use std::collections::{BTreeMap, HashMap};

use super::{Call, Notes, Numbering, Service, Token, cleaned, is_noise, tag_identity, tokens};

const MAX_NAME_BYTES: usize = 64;
/// Words that say only that a tag is a tag.
pub(super) const DROPPED_WORDS: [&str; 3] = ["service", "controller", "api"];

/// The services in the order of their first call, and the service of each call.
pub(super) fn name_services<'a>(calls: &[Call<'a>], notes: &mut Notes) -> (Vec<Service<'a>>, Vec<usize>) {
    let by_tag = name_tags(calls, notes);
    let mut services: Vec<Service> = Vec::new();
    let mut by_name: HashMap<String, usize> = HashMap::new();
    let mut service_of = Vec::with_capacity(calls.len());
    for call in calls {
        let tag = tag(call);
        let (name, title) = match tag {
            Some(tag) => (by_tag.get(tag).cloned().unwrap_or_default(), tag),
            None => from_path(call.path),
        };
        let at = *by_name.entry(name).or_insert_with_key(|name| {
            services.push(Service { name: name.clone(), title, tag });
            services.len() - 1
        });
        // A path may have named the service before its tag came.
        if let Some(service) = services.get_mut(at).filter(|service| tag.is_some() && service.tag.is_none()) {
            (service.tag, service.title) = (tag, title);
        }
        service_of.push(at);
    }
    (services, service_of)
}

fn tag<'a>(call: &Call<'a>) -> Option<&'a str> {
    call.tag.map(tag_identity).filter(|tag| !tag.is_empty())
}

/// The first segment that says something; the service of operations without a tag.
fn from_path(path: &str) -> (String, &str) {
    let literals = || path.split('/').filter(|segment| !segment.is_empty() && !segment.contains(['{', '}']));
    let segment = literals().find(|segment| !is_noise(segment)).or_else(|| literals().next());
    match segment.map(|segment| (slug(segment), segment)) {
        Some((name, segment)) if !name.is_empty() => (name, segment),
        _ => ("default".to_owned(), "default"),
    }
}

/// A name for each tag, no two alike.
fn name_tags<'a>(calls: &[Call<'a>], notes: &mut Notes) -> BTreeMap<&'a str, String> {
    let mut first_path: BTreeMap<&str, &str> = BTreeMap::new();
    for (tag, call) in calls.iter().filter_map(|call| tag(call).map(|tag| (tag, call))) {
        let path = first_path.entry(tag).or_insert(call.path);
        *path = call.path.min(path);
    }
    let wishes: Vec<(&str, String, String)> = first_path
        .iter()
        .map(|(&tag, path)| {
            let full = Some(slug(tag)).filter(|full| !full.is_empty()).unwrap_or_else(|| from_path(path).0);
            (tag, shortened(tag, &full), full)
        })
        .collect();
    let mut claims: HashMap<&str, usize> = HashMap::new();
    for (_, short, full) in &wishes {
        *claims.entry(short).or_default() += 1;
        if short != full {
            *claims.entry(full).or_default() += 1;
        }
    }
    let mut chosen: Vec<(&str, &str)> = wishes
        .iter()
        .map(|(tag, short, full)| (*tag, if claims.get(&**short) == Some(&1) { &**short } else { &**full }))
        .collect();
    // A tag that is written just like its name keeps it.
    chosen.sort_by_key(|(tag, wish)| (tag != wish, *tag));
    let mut numbering = Numbering::default();
    let mut names = BTreeMap::new();
    for (tag, wish) in chosen {
        let name = numbering.take(wish, MAX_NAME_BYTES);
        if name != wish {
            notes.push(format!("More than one tag would be the service `{wish}`; the tag `{tag}` became `{name}`."));
        }
        names.insert(tag, name);
    }
    names
}

fn slug(text: &str) -> String {
    cleaned(text, &['.', '_'], MAX_NAME_BYTES).to_ascii_lowercase()
}

/// Without a last word `Service`, `Controller` or `API`, where something is left.
fn shortened(tag: &str, full: &str) -> String {
    for word in DROPPED_WORDS {
        let Some(rest) = full.strip_suffix(word).filter(|rest| !rest.is_empty()) else {
            continue;
        };
        // Either a sign or a capital letter tells the word from the end of another (`PetApi`, but not `okapi`).
        let start = tag.len().saturating_sub(word.len());
        let capital = tag.get(start..).is_some_and(|end| end.starts_with(|c: char| c.is_ascii_uppercase()))
            && tag
                .get(..start)
                .is_some_and(|begin| begin.ends_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()));
        let bare = rest.trim_end_matches(['-', '.', '_']);
        if (bare.len() < rest.len() || capital) && !bare.is_empty() {
            return bare.to_owned();
        }
    }
    full.to_owned()
}

/// Whether a path segment says the same as the name of its service: `pets` in `pet`.
pub(super) fn is_named_after(segment: &Token, service: &str) -> bool {
    let Token::Literal(segment) = segment else { return false };
    let segment = slug(segment);
    let singular = |word: &str| word.strip_suffix('s').unwrap_or(word).to_owned();
    !segment.is_empty() && singular(&segment) == singular(service)
}

/// The literal segments at the beginning of a path.
pub(super) fn beginning_of<'a>(path: &'a str) -> impl Iterator<Item = Token<'a>> {
    tokens(path).take_while(|token| matches!(token, Token::Literal(_)))
}
