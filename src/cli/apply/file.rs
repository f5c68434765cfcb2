//! The file of `hallpass apply`: what may stand in it. Words are checked as they are read, so that a mistake is told with its line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::api::json::Options;
use crate::cli::client::Failure;
use crate::cli::token::{duration, instant, net, resource, scope};
use crate::policy::Policy;
use crate::types::Role;

/// Bytes of the largest file.
const LARGEST: u64 = 16 << 20;

/// What is left out of an entry stays as it is; what is not in the file at all is left alone.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct File {
    #[serde(deserialize_with = "or_empty")]
    pub policy: BTreeMap<Setting, Value>,
    #[serde(deserialize_with = "or_empty")]
    pub apis: Vec<Api>,
    #[serde(deserialize_with = "or_empty")]
    pub teams: Vec<Team>,
    #[serde(deserialize_with = "or_empty")]
    pub service_accounts: Vec<Service>,
    #[serde(deserialize_with = "or_empty")]
    pub tokens: Vec<Token>,
    /// Owners whose tokens all stand in this file: those of theirs that do not are what `--prune` removes.
    #[serde(deserialize_with = "or_empty")]
    pub managed: Vec<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Api {
    pub slug: Word,
    /// A file, from the folder of this one, or an http(s) address.
    pub description: Option<Word>,
    pub options: Option<Options>,
    #[serde(default, deserialize_with = "or_empty")]
    pub access_sets: Vec<Set>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    pub slug: Word,
    pub name: Word,
    pub description: Option<String>,
    pub scopes: Vec<ScopeWord>,
    pub least_role: Option<Role>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    pub name: Word,
    pub description: Option<String>,
    #[serde(default, deserialize_with = "or_empty")]
    pub managers: Vec<Email>,
    #[serde(default, deserialize_with = "or_empty")]
    pub members: Vec<Email>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    pub name: Word,
    pub role: Role,
    pub owner: Option<Owner>,
    pub description: Option<String>,
    pub enabled: Option<bool>,
}

/// One of the two.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Owner {
    pub person: Option<Email>,
    pub team: Option<Word>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    pub name: Word,
    /// E-mail address of a person or name of a service account; left out: whoever applies the file.
    pub owner: Option<Word>,
    pub description: Option<String>,
    pub scopes: Option<Vec<ScopeWord>>,
    pub access_set: Option<Word>,
    pub allow: Option<Vec<ResourceWord>>,
    pub ip_allow: Option<Vec<NetWord>>,
    #[serde(default, deserialize_with = "given")]
    pub rate_per_minute: Option<Option<u32>>,
    /// Of a new token alone: how long it lives, or `never`.
    pub lifetime: Option<Lifetime>,
    /// A day, an instant or `never`.
    pub expires_at: Option<End>,
    pub enabled: Option<bool>,
}

/// The file, and the folder that its paths are from.
pub fn read(from: &str) -> Result<(File, PathBuf), Failure> {
    let failed = |cause: std::io::Error| Failure::from(format!("{from} cannot be read: {cause}."));
    let mut text = String::new();
    let read = match from {
        "-" => std::io::stdin().take(LARGEST + 1).read_to_string(&mut text),
        path => std::fs::File::open(path).map_err(failed)?.take(LARGEST + 1).read_to_string(&mut text),
    };
    if read.map_err(failed)? as u64 > LARGEST {
        return Err(format!("{from} is too large: up to {} MB can be applied.", LARGEST >> 20).into());
    }
    let file = parse(&text).map_err(|sentence| Failure::from(format!("{from}, {sentence}")))?;
    let problems = problems(&file);
    if !problems.is_empty() {
        let told: Vec<String> = problems.iter().map(|problem| format!("{from}: {problem}")).collect();
        return Err(told.join("\n").into());
    }
    Ok((file, Path::new(from).parent().map(Path::to_path_buf).unwrap_or_default()))
}

/// The sentence begins with the place.
fn parse(text: &str) -> Result<File, String> {
    yaml_serde::from_str(text).map_err(|error| {
        let at = error
            .location()
            .map_or_else(|| "line 1".to_owned(), |place| format!("line {}, column {}", place.line(), place.column()));
        let whole = error.to_string();
        let cause = whole.split(" at line ").next().unwrap_or_default().replace('`', "");
        let sentence = match cause.split_once("unknown field ").map(|(_, rest)| rest.split_once(", expected ")) {
            Some(Some((key, known))) => {
                format!("there is no key “{key}” here, but {}", known.trim_start_matches("one of "))
            }
            _ if matches!(cause.as_str(), "EOF while parsing a value") => "there is nothing in it".to_owned(),
            _ => cause,
        };
        format!("{at}: {sentence}.")
    })
}

/// What one entry alone does not show.
fn problems(file: &File) -> Vec<String> {
    let mut problems = Vec::new();
    let tokens = file.tokens.iter().map(|token| (token.owner.as_ref().map(|owner| &owner.0), &token.name.0));
    let tokens = tokens.map(|(owner, name)| match owner {
        Some(owner) => format!("{name} of {owner}"),
        None => name.clone(),
    });
    let sets = file.apis.iter().flat_map(|api| &api.access_sets);
    let named = [
        ("apis", file.apis.iter().map(|api| api.slug.0.clone()).collect::<Vec<_>>()),
        ("access_sets", sets.map(|set| set.slug.0.clone()).collect()),
        ("teams", file.teams.iter().map(|team| team.name.0.clone()).collect()),
        ("service_accounts", file.service_accounts.iter().map(|service| service.name.0.clone()).collect()),
        ("tokens", tokens.collect()),
    ];
    for (section, names) in named {
        let mut seen = BTreeSet::new();
        let twice = names.iter().filter(|name| !seen.insert(*name));
        problems.extend(twice.map(|name| format!("{section}: {name} is there twice.")));
    }
    for api in &file.apis {
        let options = api.options.clone().map(|options| options.over(Default::default()).check()).unwrap_or_default();
        problems.extend(options.iter().map(|problem| format!("apis: {}: {}", api.slug.0, problem.sentence)));
    }
    for service in &file.service_accounts {
        let owner = service.owner.as_ref().map(|owner| (owner.person.is_some(), owner.team.is_some()));
        if matches!(owner, Some((true, true) | (false, false))) {
            let name = &service.name.0;
            problems.push(format!("service_accounts: {name}: its owner is one person, or one team."));
        }
    }
    for token in &file.tokens {
        let mut wrong = |sentence: &str| problems.push(format!("tokens: {}: {sentence}", token.name.0));
        match (&token.scopes, &token.access_set) {
            (Some(_), Some(_)) => wrong("it has scopes or an access_set, not both."),
            (None, None) => wrong("name its scopes, or an access_set."),
            (Some(scopes), None) if scopes.is_empty() => wrong("name at least one scope."),
            _ => {}
        }
        if token.lifetime.is_some() && token.expires_at.is_some() {
            wrong("it has a lifetime or expires_at, not both.");
        }
    }
    if !file.tokens.is_empty()
        && file.policy.iter().any(|(name, to)| name.0 == "token_api" && *to == Value::Bool(false))
    {
        problems.push("policy: token_api: without it this file's own tokens could not be made.".into());
    }
    problems
}

/// A section that is left empty has nothing in it.
fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(from).map(Option::unwrap_or_default)
}

/// `null` says "none": `Some(None)`.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}

/// Texts that are checked where they stand.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident $expecting:literal $check:expr;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
        pub struct $name(pub String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<$name, D::Error> {
                struct Reads;

                impl Visitor<'_> for Reads {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }

                    fn visit_str<E: Error>(self, text: &str) -> Result<$name, E> {
                        let check: fn(&str) -> Result<(), String> = $check;
                        let refused = |why| E::custom(format!("“{text}” cannot be taken: {why}"));
                        check(text).map(|()| $name(text.trim().to_owned())).map_err(refused)
                    }
                }
                from.deserialize_str(Reads)
            }
        }
    )*};
}

words! {
    Word "a text" |text| match text.trim() {
        "" => Err("it is empty".into()),
        _ => Ok(()),
    };
    Email "an e-mail address" |text| match text.contains('@') {
        true => Ok(()),
        false => Err("people are named by their e-mail address".into()),
    };
    ScopeWord "a scope" |text| scope(text.trim()).map(drop);
    ResourceWord "a resource" |text| resource(text.trim()).map(drop);
    NetWord "an address or network" |text| net(text.trim()).map(drop);
    Lifetime "a duration, such as 30d" |text| match text.trim() {
        "never" => Ok(()),
        text => duration(text).map(drop),
    };
    End "a day, an instant or never" |text| match text.trim() {
        "never" => Ok(()),
        text => instant(text).map(drop),
    };
    /// The name of a setting of the policy.
    Setting "the name of a setting" |text| {
        let known = serde_json::to_value(Policy::default()).unwrap_or_default();
        match known.get(text) {
            Some(_) => Ok(()),
            None => Err("the policy has no such setting".into()),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        match parse(text) {
            Err(sentence) => sentence,
            Ok(file) => problems(&file).join(" "),
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_line() {
        for (text, told) in [
            ("tokens:\n  - name: ci\n    scops: [a:b]\n", "line 3, column 5: there is no key “scops” here, but name"),
            ("tokns: []\n", "line 1, column 1: there is no key “tokns” here, but policy"),
            ("tokens:\n  - name: ci\n    scopes:\n      - a:b\n      - zones\n", "line 5, column 9:"),
            ("tokens:\n  - name: ci\n    scopes: [a:b]\n    lifetime: 30\n", "line 4, column 15:"),
            ("tokens:\n  - name: ci\n    scopes: [a:b]\n    expires_at: soon\n", "line 4, column 17:"),
            ("tokens:\n  - name: ci\n    scopes: [a:b]\n    ip_allow: [10.0.0.0/99]\n", "line 4, column 16:"),
            ("tokens:\n  - name: ci\n    scopes: [a:b]\n    allow: [zones]\n", "line 4, column 13:"),
            ("policy:\n  max_lifetim: 5\n", "line 2, column 3:"),
            ("service_accounts:\n  - name: b\n    role: boss\n", "line 3, column 11:"),
            ("teams:\n  - name: DNS\n    members: [maria]\n", "line 3, column 15:"),
            ("tokens: [\n", "line 2"),
            ("tokens: {}\n", "line 1, column 9:"),
        ] {
            let sentence = refused(text);
            assert!(sentence.contains(told), "{text}: {sentence}");
        }
    }

    #[test]
    fn what_entries_say_together_is_looked_at_too() {
        for (text, told) in [
            ("tokens: [{ name: a, scopes: [a:b] }, { name: a, scopes: [a:b] }]", "tokens: a is there twice"),
            ("tokens: [{ name: a, scopes: [a:b], access_set: x }]", "not both"),
            ("tokens: [{ name: a }]", "name its scopes"),
            ("tokens: [{ name: a, scopes: [] }]", "at least one scope"),
            ("tokens: [{ name: a, scopes: [a:b], lifetime: 3d, expires_at: never }]", "not both"),
            ("service_accounts: [{ name: a, role: viewer, owner: {} }]", "one person, or one team"),
            ("apis: [{ slug: a, options: { kinds: [x] } }]", "does not begin with read"),
            ("policy: { token_api: false }\ntokens: [{ name: a, scopes: [a:b] }]", "token_api"),
        ] {
            let sentence = refused(text);
            assert!(sentence.contains(told), "{text}: {sentence}");
        }
        let two = "tokens: [{ name: a, scopes: [a:b], owner: x }, { name: a, scopes: [a:b], owner: y }]";
        assert_eq!(refused(two), "", "names are an owner's own");
        assert_eq!(refused("tokens:\nteams:\nmanaged:\n"), "", "a section may be left empty");
    }

    #[test]
    fn null_says_none_and_what_is_left_out_says_nothing() {
        let file = parse("tokens: [{ name: 2024, scopes: [a:b], rate_per_minute: null }, { name: b, scopes: [a:b] }]");
        let tokens = file.unwrap().tokens;
        assert_eq!((tokens[0].name.0.as_str(), tokens[0].rate_per_minute), ("2024", Some(None)));
        assert_eq!(tokens[1].rate_per_minute, None);
    }
}
