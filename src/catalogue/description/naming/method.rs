//! Names of methods within one service: from `operationId`, else from HTTP method and path.

use std::collections::HashMap;

use super::service::{DROPPED_WORDS, beginning_of, is_named_after};
use super::{Call, Notes, Numbering, Token, beginning, cleaned, is_noise, tokens};

const MAX_NAME_BYTES: usize = 128;

/// The names that one call may take, the nicest first; a later one tells it from more others.
struct Ladder {
    steps: Vec<String>,
    at: usize,
    /// Steps that are only shorter ways to write the `operationId`.
    shorter: usize,
}

impl Ladder {
    fn name(&self) -> &str {
        self.steps.get(self.at).map_or("", String::as_str)
    }

    fn climb(&mut self) {
        self.at = (self.at + 1).min(self.steps.len().saturating_sub(1));
    }
}

/// One name for each call, in the same order.
pub(super) fn name_methods(service: &str, tag: Option<&str>, calls: &[&Call], notes: &mut Notes) -> Vec<String> {
    let verbs_differ = calls.windows(2).any(|pair| matches!(pair, [a, b] if a.http_method != b.http_method));
    let paths = PathWords::new(service, calls);
    let mut ladders: Vec<Ladder> = calls
        .iter()
        .map(|call| {
            let id = cleaned(call.id.unwrap_or_default(), &['.', '_', '/'], MAX_NAME_BYTES);
            if id.is_empty() { paths.ladder(call, verbs_differ) } else { id_ladder(id, service, tag, call) }
        })
        .collect();
    settle(&mut ladders);
    let names = numbered(calls, &ladders);
    report(service, calls, &ladders, &names, notes);
    names
}

/// Moves all that share a name upwards together, until none do or all are at their last step.
fn settle(ladders: &mut [Ladder]) {
    let rounds = ladders.iter().map(|ladder| ladder.steps.len()).max().unwrap_or_default();
    for _ in 0..rounds {
        let mut groups: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, ladder) in ladders.iter().enumerate() {
            groups.entry(ladder.name().to_ascii_lowercase()).or_default().push(at);
        }
        for group in groups.into_values().filter(|group| group.len() > 1) {
            // Whoever was only shortened gives way to who is really called so.
            let short = |at: &usize| ladders.get(*at).is_some_and(|ladder| ladder.at < ladder.shorter);
            let shortened: Vec<usize> = group.iter().copied().filter(short).collect();
            for at in if shortened.is_empty() { group } else { shortened } {
                if let Some(ladder) = ladders.get_mut(at) {
                    ladder.climb();
                }
            }
        }
    }
}

/// The names that the ladders came to; where some are still alike, told apart by numbers in the order of the paths.
fn numbered(calls: &[&Call], ladders: &[Ladder]) -> Vec<String> {
    let mut order: Vec<(bool, &str, &str, usize)> = Vec::with_capacity(calls.len());
    let mut uses: HashMap<String, usize> = HashMap::new();
    for ladder in ladders {
        *uses.entry(ladder.name().to_ascii_lowercase()).or_default() += 1;
    }
    for (at, (call, ladder)) in calls.iter().zip(ladders).enumerate() {
        let alike = uses.get(&ladder.name().to_ascii_lowercase()).is_some_and(|&uses| uses > 1);
        order.push((alike, call.path, call.http_method, at));
    }
    order.sort_unstable();
    let mut names = vec![String::new(); calls.len()];
    let mut numbering = Numbering::default();
    for (_, _, _, at) in order {
        if let (Some(ladder), Some(name)) = (ladders.get(at), names.get_mut(at)) {
            *name = numbering.take(ladder.name(), MAX_NAME_BYTES);
        }
    }
    names
}

/// Notes which operation ids were not unique, and which names had to get a number.
fn report(service: &str, calls: &[&Call], ladders: &[Ladder], names: &[String], notes: &mut Notes) {
    let mut changed: Vec<String> = calls
        .iter()
        .zip(ladders)
        .zip(names)
        .filter_map(|((call, ladder), name)| {
            let operation = || format!("{} {}", call.http_method, beginning(call.path, 200));
            if ladder.shorter < ladder.at && call.id.is_some() {
                let id = beginning(call.id.unwrap_or_default(), 100);
                return Some(format!("`{id}` is not unique in service `{service}`: {} became `{name}`.", operation()));
            }
            (name != ladder.name()).then(|| format!("{} in service `{service}` became `{name}`.", operation()))
        })
        .collect();
    changed.sort();
    changed.into_iter().for_each(|sentence| notes.push(sentence));
}

fn id_ladder(id: String, service: &str, tag: Option<&str>, call: &Call) -> Ladder {
    let verb = call.http_method.to_ascii_lowercase();
    let words = all_words(tokens(call.path), Parameters::All).join("-");
    let longer = [format!("{id}-{verb}"), format!("{id}-{verb}-{words}")];
    let short = unprefixed(&id, service).or_else(|| unprefixed(&id, &cleaned(tag?, &['.', '_', '/'], MAX_NAME_BYTES)));
    let shorter = usize::from(short.is_some());
    let steps = short.map(str::to_owned).into_iter().chain([id.clone()]).chain(longer);
    Ladder { steps: steps.map(limited).collect(), at: 0, shorter }
}

/// `repos/get` in service `repos` is `get`; so are `pets_list`, `zones.list`, `PetsController_list`.
fn unprefixed<'a>(id: &'a str, prefix: &str) -> Option<&'a str> {
    let without = |text: &'a str, word: &str| {
        let fits = !word.is_empty() && text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        fits.then(|| text.get(word.len()..)).flatten()
    };
    let rest = without(id, prefix)?;
    let separators = ['/', '.', '_', '-'];
    let plain = rest.strip_prefix(separators);
    let rest = DROPPED_WORDS
        .iter()
        .filter_map(|word| without(rest, word).and_then(|rest| rest.strip_prefix(separators)))
        .next()
        .or(plain)?
        .trim_start_matches(separators);
    (!rest.is_empty()).then_some(rest)
}

fn limited(name: String) -> String {
    cleaned(&name, &['.', '_', '/'], MAX_NAME_BYTES)
}

/// What the names of a service's operations without an `operationId` have in common.
struct PathWords<'s> {
    service: &'s str,
    /// How many segments all of them begin with, after what the service's own name makes superfluous.
    shared: usize,
}

impl<'s> PathWords<'s> {
    fn new(service: &'s str, calls: &[&Call]) -> Self {
        let mut common: Option<Vec<Token>> = None;
        for call in calls.iter().filter(|call| call.id.is_none_or(str::is_empty)) {
            let own = own_tokens(service, call.path);
            let literals = own.iter().filter(|token| matches!(token, Token::Literal(_))).count();
            let first = common.unwrap_or_else(|| own.clone());
            let alike = first.iter().zip(&own).take_while(|(a, b)| a == b && matches!(a, Token::Literal(_))).count();
            // One word is always left to be named by.
            let kept = alike.min(literals.saturating_sub(1));
            common = Some(first.into_iter().take(kept).collect());
        }
        Self { service, shared: common.map_or(0, |common| common.len()) }
    }

    fn ladder(&self, call: &Call, with_verb: bool) -> Ladder {
        let verb = call.http_method.to_ascii_lowercase();
        let own = own_tokens(self.service, call.path);
        let own = || own.iter().copied().skip(self.shared);
        let mut short = all_words(own(), Parameters::Last);
        if with_verb || short.is_empty() {
            short.insert(0, verb.clone());
        }
        let named = |words: Vec<String>| [vec![verb.clone()], words].concat();
        let full = named(all_words(own(), Parameters::All));
        let whole = named(all_words(tokens(call.path), Parameters::All));
        let steps = [short, full, whole].map(|words| limited(words.join("-"))).to_vec();
        Ladder { steps, at: 0, shorter: 0 }
    }
}

/// A path from the service's own segment on, without versions and the like: `stopenv` of
/// `/environment/control/rest/stopenv` in service `control`.
fn own_tokens<'a>(service: &str, path: &'a str) -> Vec<Token<'a>> {
    let start = beginning_of(path).position(|token| is_named_after(&token, service)).map_or(0, |own| own + 1);
    let mut rest: Vec<Token> = tokens(path).skip(start).collect();
    let literals = rest.iter().filter(|token| matches!(token, Token::Literal(_))).count();
    let noise = |token: &&Token| matches!(token, Token::Literal(segment) if is_noise(segment));
    let noise = rest.iter().take_while(noise).count().min(literals.saturating_sub(1));
    rest.drain(..noise);
    rest
}

#[derive(Clone, Copy, PartialEq)]
enum Parameters {
    /// Those after the last literal: they tell `/zones/{id}` from `/zones`, which an API is likely to have as well.
    Last,
    All,
}

fn all_words<'a>(tokens: impl Iterator<Item = Token<'a>>, parameters: Parameters) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut pending: Vec<String> = Vec::new();
    // No name has room for more words than it may have bytes.
    for token in tokens {
        match token {
            Token::Parameter(name) if pending.len() < MAX_NAME_BYTES => {
                if pending.is_empty() {
                    pending.push("by".to_owned());
                }
                pending.push(cleaned(name, &['.', '_'], MAX_NAME_BYTES));
            }
            Token::Literal(literal) if words.len() < MAX_NAME_BYTES => {
                let word = cleaned(literal, &['.', '_'], MAX_NAME_BYTES);
                // The dots of `{base}...{head}` are no word, so that both parameters still are the last.
                if word.is_empty() {
                    continue;
                }
                if parameters == Parameters::All {
                    words.append(&mut pending);
                }
                pending.clear();
                words.push(word);
            }
            Token::Parameter(_) | Token::Literal(_) => {}
        }
    }
    words.append(&mut pending);
    words.retain(|word| !word.is_empty());
    words
}
