//! Targets and the decision over them: what passes fits its method's template by a plain reading of the path, and is in the
//! token's scopes and allow list. Another spelling of the same path, or the same question again, is decided alike.

#![no_main]

use std::sync::{Arc, LazyLock};

use chrono::{DateTime, TimeZone, Utc};
use hallpass::account::{self, PersonDraft};
use hallpass::actor::Actor;
use hallpass::app::{App, Clock, Parts};
use hallpass::catalogue::options::ApiOptions;
use hallpass::catalogue::store;
use hallpass::catalogue::target::{TargetOptions, query_value, segments, split};
use hallpass::db::{Db, Place};
use hallpass::decision::{Asked, Credential, Denial, Pass, Question, consider};
use hallpass::password::{Cost, Hasher};
use hallpass::policy::Policy;
use hallpass::secret::Random;
use hallpass::token::{NewToken, generate};
use hallpass::types::Role;
use libfuzzer_sys::fuzz_target;

const DESCRIPTION: &str = r#"{
  "openapi": "3.1.0", "info": { "title": "T", "version": "1" }, "servers": [{ "url": "https://t.example.org/v1" }],
  "paths": {
    "/": { "get": { "operationId": "root", "tags": ["a"] } },
    "/a": { "get": { "operationId": "list", "tags": ["a"] }, "post": { "operationId": "make", "tags": ["a"] } },
    "/a/{p}": { "get": { "operationId": "read", "tags": ["a"] }, "delete": { "operationId": "drop", "tags": ["a"] } },
    "/a/{p}/b": { "get": { "operationId": "inner", "tags": ["a"] } },
    "/a/{p}.{q}": { "get": { "operationId": "mixed", "tags": ["b"] } },
    "/b/{q}...{p}": { "get": { "operationId": "compare", "tags": ["b"] } },
    "/b/{p}/": { "get": { "operationId": "slash", "tags": ["b"] } },
    "/c/{p}": { "get": { "operationId": "rest", "tags": ["c"] }, "head": { "operationId": "head", "tags": ["c"] } },
    "/d": { "get": { "operationId": "query", "tags": ["d"], "parameters": [{ "name": "id", "in": "query", "schema": {} }] } },
    "/é/x-y": { "get": { "operationId": "letters", "tags": ["d"] } }
  } }"#;
const APIS: [&str; 3] = ["plain", "loose", "greedy"];
const HTTP_METHODS: [&str; 5] = ["GET", "POST", "DELETE", "HEAD", "get"];
const ALLOWED: [&str; 3] = ["x", "a.b", "y/z"];

struct Stage {
    app: Arc<App>,
    /// One with every right, one with an allow list, one with a single method.
    values: Vec<String>,
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap().keep();
    let place = Place::Sqlite(folder.join("fuzz.db").to_string_lossy().into_owned());
    let now: DateTime<Utc> = Utc.with_ymd_and_hms(2026, 11, 23, 9, 40, 0).unwrap();
    let cheap = Cost { memory_kib: 64, passes: 1, lanes: 1 };
    let app = App::new(Parts {
        db: Db::open(&place, 1).unwrap(),
        policy: Policy { allow_never: true, ..Policy::default() },
        prefix: "hp".into(),
        hasher: Hasher::new(1.try_into().unwrap(), cheap, || [7; 16]).unwrap(),
        random: Random::of_the_machine(),
        clock: Clock::new(move || now),
    });
    app.follow().unwrap();
    app.fill().unwrap();
    for slug in APIS {
        let loose = slug != "plain";
        let options = ApiOptions {
            case_insensitive: loose,
            trailing_dot: loose,
            utf8_paths: loose,
            greedy: if slug == "greedy" { ["c:*"].iter().collect() } else { Default::default() },
            resources: ["d ?id"].iter().collect(),
            ..ApiOptions::default()
        };
        let draft = store::draft(&app.catalogue(), slug, DESCRIPTION.as_bytes(), options).unwrap();
        app.write_now(|tx| store::import(tx, &Actor::operator(), &draft)).unwrap();
    }
    let draft = PersonDraft { name: "A".into(), email: "a@example.com".into(), role: Role::Owner };
    let owner =
        app.write_now(|tx| account::add_person(tx, &Actor::operator(), draft.with(String::new(), None))).unwrap();
    let value = |name: &str, scopes: &[&str], allow: Vec<String>| {
        let new = NewToken {
            name: name.into(),
            description: String::new(),
            expires_at: None,
            access_set: None,
            scopes: scopes.iter().collect(),
            allow: allow.iter().collect(),
            ip_allow: Default::default(),
            rate_per_minute: None,
            enabled: true,
        };
        app.write_now(|tx| Ok(generate(tx, &Actor::operator(), &owner, new, "hp")?.1.reveal().to_owned())).unwrap()
    };
    let entry = |(api, id)| ["a", "b", "c", "d"].map(|service| format!("{api}/{service}:{id}"));
    let allow = APIS.iter().flat_map(|api| ALLOWED.map(|id| (api, id))).flat_map(entry).collect();
    let values = vec![
        value("wide", &["*"], Vec::new()),
        value("allow", &["*"], allow),
        value("narrow", &["plain/a:read", "loose/b:mixed", "greedy/c:rest"], Vec::new()),
    ];
    Stage { app, values }
});

/// Each `%HH` once, then cut at slashes.
fn plainly(path: &str) -> Vec<String> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let (byte, after) = match first {
            b'%' => (u8::from_str_radix(std::str::from_utf8(&after[..2]).unwrap(), 16).unwrap(), &after[2..]),
            byte => (*byte, after),
        };
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8(bytes).unwrap().split('/').skip(1).map(str::to_owned).collect()
}

/// Whether the segment fits the template's, by trying every cut; `ids` are what a parameter `p` may be there.
fn fits(template: &str, text: &str, case_insensitive: bool, ids: &mut Vec<String>) -> bool {
    if let Some(after) = template.strip_prefix('{') {
        let (name, after) = after.split_once('}').unwrap();
        let mut any = false;
        for end in (1..=text.len()).filter(|end| text.is_char_boundary(*end)) {
            if fits(after, &text[end..], case_insensitive, ids) {
                any = true;
                if name == "p" {
                    ids.push(text[..end].to_owned());
                }
            }
        }
        return any;
    }
    match (template.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some(a), Some(b)) if a == b || case_insensitive && a.eq_ignore_ascii_case(&b) => {
            fits(&template[a.len_utf8()..], &text[b.len_utf8()..], case_insensitive, ids)
        }
        _ => false,
    }
}

fn word(verdict: &Result<Pass, Denial>) -> String {
    match verdict {
        Ok(pass) => pass.method.full.to_string(),
        Err(Denial::Refused(refusal)) => format!("{:?}", refusal.rule),
        Err(_) => "no value".into(),
    }
}

fn check_pass(pass: &Pass, slug: &str, token: usize, http_method: &str, target: &str) {
    let catalogue = STAGE.app.catalogue();
    let api = catalogue.api(slug).unwrap();
    let (scope, short) = (pass.method.full.as_str(), pass.method.full.split_once('/').unwrap().1);
    let (service, name) = short.split_once(':').unwrap();
    let method = api.method(service, name).unwrap();
    assert!(method.http_method == http_method || http_method == "HEAD" && method.http_method == "GET", "{scope}");
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let read = plainly(path);
    let template = format!("/v1{}", method.path);
    let template: Vec<&str> = template.split('/').skip(1).collect();
    let mut ids = Vec::new();
    let greedy = slug == "greedy" && service == "c";
    let pieces = if greedy { [&read[..2], &[read[2..].join("/")]].concat() } else { read };
    assert_eq!(pieces.len(), template.len(), "{target:?} as {scope}");
    for (template, text) in template.iter().zip(&pieces) {
        assert!(fits(template, text, slug != "plain", &mut ids), "{target:?} as {scope}");
    }
    if token == 2 {
        assert!(["plain/a:read", "loose/b:mixed", "greedy/c:rest"].contains(&scope), "{target:?} as {scope}");
    }
    if token == 1 {
        if service == "d" {
            ids.extend(query.and_then(|query| query_value(query, "id").unwrap()).map(|id| id.into_owned()));
        }
        assert!(matches!(&ids[..], [id] if ALLOWED.contains(&id.as_str())), "{target:?} as {scope}: {ids:?}");
    }
}

fuzz_target!(|data: &[u8]| {
    let [how, rest @ ..] = data else { return };
    let how = usize::from(*how);
    let (slug, token, http_method) = (APIS[how % 3], how / 3 % 3, HTTP_METHODS[how / 9 % 5]);
    let options = TargetOptions { trailing_dot: slug != "plain", utf8_paths: slug != "plain" };
    let mut target = b"/v1".to_vec();
    // What does not begin like the API's own is mostly no method: the rest of the path is what is tried.
    if how >= 225 {
        target.clear()
    }
    target.extend_from_slice(rest);
    let clear =
        split(&target).ok().and_then(|(path, query)| segments(path, options).ok().map(|read| (path, query, read)));
    if let Some((path, _, read)) = &clear {
        let mut plain = plainly(path);
        let slash = plain.last().is_some_and(String::is_empty);
        assert_eq!(slash, read.has_trailing_slash(), "{path:?}");
        if slash {
            plain.pop();
        }
        assert_eq!(read.iter().collect::<Vec<_>>(), plain, "{path:?}");
        for segment in &plain {
            assert!(!segment.is_empty() && segment.bytes().any(|byte| byte != b'.'), "{path:?}");
            assert!(
                !segment.contains(['\\', '%', ';', '?', '#'])
                    && !segment.chars().any(|c| c.is_control() || c.is_whitespace())
            );
        }
    }
    let Ok(target) = std::str::from_utf8(&target) else { return };
    let ask = |target: &str| {
        let asked = Asked { http_method, target, host: None };
        let credential = Credential::One(STAGE.values[token].as_str().into());
        consider(&STAGE.app, STAGE.app.now(), &Question { asked, credential, api: Some(slug), client: None })
    };
    let verdict = ask(target);
    assert_eq!(word(&ask(target)), word(&verdict), "{target:?} again");
    match (&verdict, &clear) {
        (Ok(_), None) => panic!("{target:?} passes unread"),
        (Ok(pass), Some(_)) => check_pass(pass, slug, token, http_method, target),
        _ => {}
    }
    // Letters and digits encoded say the same.
    if let Some((path, query, _)) = &clear {
        let mut at = 0;
        let spelt: String = path
            .bytes()
            .map(|byte| {
                let encoded = at == 0 && byte.is_ascii_alphanumeric();
                at = if byte == b'%' { 2 } else { usize::saturating_sub(at, 1) };
                if encoded { format!("%{byte:02x}") } else { char::from(byte).to_string() }
            })
            .collect();
        let spelt = query.map_or(spelt.clone(), |query| format!("{spelt}?{query}"));
        if spelt.len() <= 8192 {
            assert_eq!(word(&ask(&spelt)), word(&verdict), "{target:?} as {spelt:?}");
        }
    }
});
