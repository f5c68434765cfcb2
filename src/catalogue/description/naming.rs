//! Gives every operation the names that scopes are written with: a service and, in it, a method.
//! The order of the file plays no part, and of several operations that want one name none gets it bare,
//! so that what is added to a description hardly ever turns an old scope into a right to something else.

mod method;
mod service;

use std::collections::HashMap;

use super::Notes;
use super::prose::beginning;

/// What an operation is named after.
pub(super) struct Call<'a> {
    pub tag: Option<&'a str>,
    pub id: Option<&'a str>,
    pub http_method: &'a str,
    pub path: &'a str,
}

pub(super) struct Names<'a> {
    pub services: Vec<Service<'a>>,
    /// For each call the index of its service, and its name there.
    pub methods: Vec<(usize, String)>,
}

pub(super) struct Service<'a> {
    pub name: String,
    pub title: &'a str,
    /// As [`tag_identity`] has it; none where the path named the service.
    pub tag: Option<&'a str>,
}

pub(super) fn name_all<'a>(calls: &[Call<'a>], notes: &mut Notes) -> Names<'a> {
    let (services, service_of) = service::name_services(calls, notes);
    let mut members = vec![Vec::new(); services.len()];
    for (call, &service) in service_of.iter().enumerate() {
        if let Some(members) = members.get_mut(service) {
            members.push(call);
        }
    }
    let mut methods: Vec<(usize, String)> = service_of.into_iter().map(|service| (service, String::new())).collect();
    for (service, members) in services.iter().zip(members) {
        let own: Vec<&Call> = members.iter().filter_map(|&call| calls.get(call)).collect();
        for (call, name) in members.iter().zip(method::name_methods(&service.name, service.tag, &own, notes)) {
            if let Some(method) = methods.get_mut(*call) {
                method.1 = name;
            }
        }
    }
    Names { services, methods }
}

/// What makes two tags one: the text without white space around it, of a bounded length.
pub(super) fn tag_identity(tag: &str) -> &str {
    beginning(tag.trim(), 200).trim_end()
}

/// The parameters of a template, in its order, as often as they are there.
pub(super) fn template_parameters(path: &str) -> impl Iterator<Item = &str> {
    tokens(path).filter_map(|token| match token {
        Token::Parameter(name) => Some(name),
        Token::Literal(_) => None,
    })
}

/// A part of a template; a segment such as `{base}...{head}` has several.
#[derive(Clone, Copy, PartialEq)]
enum Token<'a> {
    Literal(&'a str),
    Parameter(&'a str),
}

fn tokens(path: &str) -> impl Iterator<Item = Token<'_>> {
    path.split('/').flat_map(|segment| {
        let mut rest = segment;
        std::iter::from_fn(move || {
            if rest.is_empty() {
                return None;
            }
            let parameter = rest.strip_prefix('{').and_then(|open| open.split_once('}'));
            if let Some((name, after)) = parameter {
                rest = after;
                return Some(Token::Parameter(name));
            }
            // An opening bracket that is not closed is text like any other.
            let last_close = rest.rfind('}').unwrap_or_default();
            let end = rest.match_indices('{').map(|(at, _)| at).find(|at| (1..last_close).contains(at));
            let (literal, after) = rest.split_at(end.unwrap_or(rest.len()));
            rest = after;
            Some(Token::Literal(literal))
        })
        .filter(|token| *token != Token::Parameter(""))
    })
}

/// `api`, `rest`, `v1`, `1.0`, `2024-01-01`: segments that say nothing about what a method is for.
fn is_noise(segment: &str) -> bool {
    let version = segment.strip_prefix(['v', 'V']).unwrap_or(segment);
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let stage = |part: &str| {
        ["alpha", "beta", "rc"].iter().any(|stage| part.trim_end_matches(|c: char| c.is_ascii_digit()).ends_with(stage))
    };
    ["api", "apis", "rest"].iter().any(|word| word.eq_ignore_ascii_case(segment))
        || version.split(['.', '_', '-']).all(digits)
        || version.starts_with(|c: char| c.is_ascii_digit()) && stage(version)
}

/// Letters and digits in ASCII and the signs of `keep`; everything between becomes one `-`. Case stays.
fn cleaned(text: &str, keep: &[char], bytes: usize) -> String {
    let mut out = String::new();
    let mut gap = false;
    for c in text.chars() {
        let piece = folded(c);
        if c.is_ascii_alphanumeric() || keep.contains(&c) || !piece.is_empty() {
            if gap && !out.is_empty() {
                out.push('-');
            }
            gap = false;
            if piece.is_empty() { out.push(c) } else { out.push_str(piece) }
        } else if !matches!(c, '\'' | '’' | '\u{300}'..='\u{36F}') {
            gap = true;
        }
        if out.len() > bytes {
            break;
        }
    }
    // Whatever is left is ASCII, so any cut is between two characters.
    out.truncate(bytes);
    out.trim_matches(['-', '.', '/']).to_owned()
}

/// The plain letters of an accented Latin one, or nothing.
fn folded(c: char) -> &'static str {
    match c {
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'æ' => "ae",
        'Æ' => "AE",
        'ç' | 'ć' | 'č' => "c",
        'Ç' | 'Ć' | 'Č' => "C",
        'ð' | 'ď' | 'đ' => "d",
        'Ð' | 'Ď' | 'Đ' => "D",
        'è'..='ë' | 'ē' | 'ė' | 'ę' | 'ě' => "e",
        'È'..='Ë' | 'Ē' | 'Ė' | 'Ę' | 'Ě' => "E",
        'ğ' | 'ģ' => "g",
        'ì'..='ï' | 'ī' | 'į' | 'ı' => "i",
        'Ì'..='Ï' | 'Ī' | 'Į' | 'İ' => "I",
        'ł' | 'ľ' | 'ļ' => "l",
        'Ł' | 'Ľ' => "L",
        'ñ' | 'ń' | 'ň' => "n",
        'Ñ' | 'Ń' | 'Ň' => "N",
        'ò'..='ö' | 'ø' | 'ō' | 'ő' => "o",
        'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ő' => "O",
        'œ' => "oe",
        'Œ' => "OE",
        'ŕ' | 'ř' => "r",
        'Ř' => "R",
        'ś' | 'ş' | 'š' | 'ș' => "s",
        'Ś' | 'Ş' | 'Š' | 'Ș' => "S",
        'ß' => "ss",
        'ť' | 'ţ' | 'ț' => "t",
        'Ť' | 'Ţ' | 'Ț' => "T",
        'þ' => "th",
        'ù'..='ü' | 'ū' | 'ů' | 'ű' => "u",
        'Ù'..='Ü' | 'Ū' | 'Ů' | 'Ű' => "U",
        'ý' | 'ÿ' => "y",
        'Ý' => "Y",
        'ź' | 'ż' | 'ž' => "z",
        'Ź' | 'Ż' | 'Ž' => "Z",
        _ => "",
    }
}

/// Hands out names that differ whatever their case: the first keeps the wished one, others get a number.
#[derive(Default)]
struct Numbering {
    next: HashMap<String, usize>,
}

impl Numbering {
    fn take(&mut self, wished: &str, bytes: usize) -> String {
        let key = wished.to_ascii_lowercase();
        let mut number = self.next.get(&key).copied().unwrap_or(1);
        let mut name = wished.to_owned();
        if number > 1 {
            loop {
                let suffix = format!("-{number}");
                name = format!("{}{suffix}", beginning(wished, bytes.saturating_sub(suffix.len())));
                if !self.next.contains_key(&name.to_ascii_lowercase()) {
                    break;
                }
                number += 1;
            }
            self.next.insert(name.to_ascii_lowercase(), 2);
        }
        self.next.insert(key, number + 1);
        name
    }
}

#[cfg(test)]
mod tests;
