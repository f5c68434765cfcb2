//! The decision agrees with a slow, obvious one on random worlds and on requests that nearly fit.

mod descent;
mod reference;
mod world;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{TimeDelta, TimeZone, Utc};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use uuid::Uuid;

use super::*;
use crate::catalogue::options::ApiOptions;
use crate::catalogue::store::{ApiRow, MethodRow, ServiceRow};
use crate::catalogue::{Assembly, description};
use crate::index::Index;
use crate::secret::{Random, Secret};
use crate::tx::{AccountFacts, TokenFacts, ValueFacts};
use crate::types::{AccountKind, Lines, MethodKind, Role, TokenKind};
use reference::{Expected, expected};
use world::{ApiModel, Ask, MethodModel, Presented, Tape, World};

const TOKEN: Uuid = Uuid::from_u128(1);
const STRANGER: Uuid = Uuid::from_u128(2);
/// Requests of each world.
const ASKED: usize = 6;

fn now() -> Stamp {
    Utc.with_ymd_and_hms(2026, 11, 23, 9, 40, 0).unwrap().into()
}

fn in_millis(millis: i64) -> Stamp {
    now().plus(TimeDelta::milliseconds(millis))
}

fn value(seed: u8) -> String {
    let random = Random::new(move |bytes| {
        bytes.iter_mut().zip(0u8..).for_each(|(byte, nth)| *byte = nth.wrapping_mul(7).wrapping_add(seed) % 62);
        Ok(())
    });
    Secret::generate("hp", &random).unwrap().reveal().to_owned()
}

fn presented(how: Presented) -> Option<String> {
    Some(match how {
        Presented::Current => value(1),
        Presented::Former => value(2),
        Presented::Stranger => value(3),
        Presented::Unissued => value(4),
        Presented::Empty => String::new(),
        Presented::Nothing => return None,
        Presented::Slip(how) => {
            let mut text = value(1);
            let at = usize::from(how / 8) % text.len();
            match how % 8 {
                0 => text.push('a'),
                1 => drop(text.remove(at)),
                2 => text.insert(at, '0'),
                3 => text = format!(" {text}"),
                4 => text = text.replacen("hp_", "HP_", 1),
                5 => text = text.replacen("hp_", "hp-", 1),
                _ => {
                    let other = if text.as_bytes()[at] == b'x' { "y" } else { "x" };
                    text.replace_range(at..=at, other);
                }
            }
            text
        }
    })
}

fn catalogue(world: &World, symbols: &Arc<crate::scope::Symbols>) -> Catalogue {
    Catalogue::new(world.apis.iter().map(|api| Arc::new(assembly(api).build(symbols).unwrap())).collect(), symbols)
}

fn assembly(api: &ApiModel) -> Assembly {
    let options = ApiOptions {
        hosts: api.hosts.iter().collect(),
        base_path: api.base_path.clone(),
        case_insensitive: api.case_insensitive,
        trailing_dot: api.trailing_dot,
        utf8_paths: api.utf8_paths,
        greedy: api.greedy.iter().collect(),
        least_roles: api.least_roles.iter().collect(),
        resources: api.resources.iter().collect(),
        ..ApiOptions::default()
    };
    let server = description::Server { host: api.server_host.clone(), base_path: api.server_base_path.clone() };
    let id = crate::types::ApiId::from(api.slug.as_str());
    let services = ["s", "t"].map(|name| ServiceRow {
        api_id: id.clone(),
        name: name.into(),
        title: name.into(),
        summary: String::new(),
    });
    Assembly {
        row: ApiRow {
            id: id.clone(),
            slug: api.slug.clone(),
            title: String::new(),
            description_version: String::new(),
            dialect: String::new(),
            servers: serde_json::to_string(&[server]).unwrap(),
            options: serde_json::to_string(&options).unwrap(),
            created_at: now(),
            imported_at: now(),
            version: 1,
        },
        services: services.into(),
        methods: api.methods.iter().map(|method| row(&id, method)).collect(),
        sets: Vec::new(),
    }
}

fn row(api: &crate::types::ApiId, method: &MethodModel) -> MethodRow {
    let place = |place| move |name: &str| description::Parameter { name: name.to_owned(), place };
    let in_path = method.path.split('{').skip(1).filter_map(|text| text.split('}').next());
    let in_path = in_path.map(place(description::Place::Path));
    let in_query = method.in_query.iter().map(String::as_str).map(place(description::Place::Query));
    MethodRow {
        api_id: api.clone(),
        service: method.service.clone(),
        name: method.name.clone(),
        http_method: method.http_method.clone(),
        path: method.path.clone(),
        kind: MethodKind::Write,
        summary: String::new(),
        docs_url: None,
        parameters: serde_json::to_string(&in_path.chain(in_query).collect::<Vec<_>>()).unwrap(),
        deprecated: false,
    }
}

fn index(world: &World, symbols: &crate::scope::Symbols) -> Index {
    let index = Index::default();
    let account = |id: &str, role, enabled| AccountFacts {
        teams: Vec::new(),
        id: id.into(),
        version: 1,
        kind: AccountKind::Person,
        label: format!("{id}@example.com"),
        role,
        enabled,
    };
    if world.account.known {
        index.learn_account(account("owner", world.account.role, world.account.enabled));
    }
    index.learn_account(account("stranger", Role::Owner, true));
    let value = |seed, number, ends_at| ValueFacts { digest: Digest::of(&value(seed)), number, since: now(), ends_at };
    let apis = world.apis.iter().map(|api| format!("{}/*", api.slug));
    let wide = TokenFacts {
        id: TOKEN.into(),
        kind: TokenKind::Personal,
        owner: "owner".into(),
        version: 3,
        name: "ci".into(),
        scopes: apis.collect(),
        allow: Lines::default(),
        ip_allow: Lines::default(),
        rate_per_minute: None,
        enabled: true,
        expires_at: None,
        removed: false,
        values: vec![value(1, 2, None), value(2, 1, None)],
    };
    let model = &world.token;
    let token = TokenFacts {
        version: 4,
        scopes: model.scopes.iter().collect(),
        allow: model.allow.iter().collect(),
        ip_allow: model.addresses.iter().collect(),
        rate_per_minute: model.rate,
        enabled: model.enabled,
        expires_at: model.expires_in.map(in_millis),
        removed: model.removed,
        values: vec![value(1, 2, None), value(2, 1, model.former_ends_in.map(in_millis))],
        ..wide.clone()
    };
    let stranger =
        TokenFacts { id: STRANGER.into(), owner: "stranger".into(), values: vec![value(3, 1, None)], ..wide.clone() };
    index.learn_token(stranger, symbols);
    if model.older_fact_is_late == Some(false) {
        index.learn_token(wide.clone(), symbols);
    }
    index.learn_token(token, symbols);
    if model.older_fact_is_late == Some(true) {
        index.learn_token(wide, symbols);
        if world.account.known {
            index.learn_account(AccountFacts { version: 0, ..account("owner", Role::Owner, true) });
        }
    }
    index
}

/// What the decision said, in the words of the reference; `Refused` has the one rule that was told.
fn judged(index: &Index, catalogue: &Catalogue, ask: &Ask) -> (Verdict, &'static str) {
    let credential = match presented(ask.presented) {
        Some(text) => Credential::One(text.into()),
        None => Credential::None,
    };
    let asked = Asked { http_method: &ask.http_method, target: &ask.target, host: ask.host.as_deref() };
    let client = ask.client.as_ref().map(|client| client.parse().unwrap());
    let question = Question { asked, credential, api: ask.api.as_deref(), client };
    let holder = holder_by(|digest| Ok(index.find(digest)), "hp", now(), &question.credential);
    let verdict = take_turn(holder.and_then(|holder| weigh(holder, catalogue, &question)));
    let word = match &verdict {
        Ok(_) => "pass",
        Err(Denial::NoCredential) => "no_credential",
        Err(Denial::Unknown) => "unknown",
        Err(Denial::Unsure) => "unsure",
        Err(Denial::Ended(refusal) | Denial::Refused(refusal) | Denial::TooMany(refusal, _)) => refusal.rule.as_str(),
    };
    (verdict, word)
}

/// The word of what was decided; fails where the reference says otherwise.
fn compare(
    world: &World,
    ask: &Ask,
    index: &Index,
    catalogue: &Catalogue,
    taken: &mut u32,
) -> Result<&'static str, TestCaseError> {
    let (verdict, word) = judged(index, catalogue, ask);
    let expected = expected(world, ask);
    let token = if ask.presented == Presented::Stranger { STRANGER } else { TOKEN };
    match (&verdict, &expected) {
        (Err(Denial::NoCredential), Expected::NoCredential) | (Err(Denial::Unknown), Expected::Unknown) => {}
        (Err(Denial::Ended(refusal)), Expected::Ended) => prop_assert_eq!(refusal.value.token.id, TOKEN),
        (Err(Denial::Refused(refusal)), Expected::Refused(reasons)) => {
            let told = (refusal.rule.as_str(), refusal.method.as_ref().map(|method| method.full.to_string()));
            prop_assert!(reasons.contains(&told), "{:?} of {:?}", told, reasons);
            prop_assert_eq!(refusal.value.token.id, token);
        }
        (Err(Denial::TooMany(refusal, exhausted)), Expected::Pass(full)) => {
            prop_assert_eq!(world.token.rate, Some(*taken));
            prop_assert_eq!(refusal.method.as_ref().map(|method| &*method.full), Some(full.as_str()));
            prop_assert_eq!(Some(exhausted.rate), world.token.rate);
            prop_assert!((1..=60).contains(&exhausted.wait));
        }
        (Ok(pass), Expected::Pass(full)) => {
            let short = full.split_once('/').unwrap().1;
            let shown = if world.apis.len() == 1 { short } else { full };
            prop_assert_eq!((&*pass.method.full, &*pass.method.shown), (&**full, shown));
            prop_assert_eq!(pass.value.token.id, token);
            if token == TOKEN {
                prop_assert_eq!(pass.value.number, if ask.presented == Presented::Former { 1 } else { 2 });
                prop_assert_eq!(pass.account.role, world.account.role);
                prop_assert_eq!(&*pass.account.label, "owner@example.com");
                prop_assert!(world.token.rate.is_none_or(|rate| *taken < rate), "over its rate");
                *taken += 1;
                let left = world.token.rate.map(|rate| Left { rate, requests: rate - *taken });
                prop_assert_eq!(pass.left, left);
            }
        }
        _ => return Err(TestCaseError::fail(format!("{word}, but {expected:?} was expected"))),
    }
    Ok(word)
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000)
}

#[test]
fn the_decision_agrees_with_a_slow_obvious_one() {
    let seen: RefCell<BTreeMap<&'static str, usize>> = RefCell::default();
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(any::<u16>(), 600), |choices| {
        let mut tape = Tape::new(choices);
        let world = World::draw(&mut tape);
        let asks: Vec<Ask> = (0..ASKED).map(|_| world.ask(&mut tape)).collect();
        let symbols = Arc::new(crate::scope::Symbols::default());
        // Whichever of the two is first draws the numbers.
        let index = index(&world, &symbols);
        let catalogue = catalogue(&world, &symbols);
        let mut taken = 0;
        for ask in &asks {
            let word = compare(&world, ask, &index, &catalogue, &mut taken)
                .map_err(|cause| TestCaseError::fail(format!("{cause}\n{ask:#?}\n{world:#?}")))?;
            *seen.borrow_mut().entry(word).or_default() += 1;
        }
        Ok(())
    });
    // Its choices would fill pages, and say less than the world that they made.
    outcome.unwrap_or_else(|cause| match cause {
        TestError::Fail(cause, _) => panic!("{cause}"),
        TestError::Abort(cause) => panic!("{cause}"),
    });
    let seen = seen.into_inner();
    println!("{seen:?}");
    let words =
        ["pass", "no_credential", "unknown", "ended", "no_api", "unclear", "no_method", "scope", "role", "address"];
    for word in words.iter().chain(&["resource", "rate"]).filter(|_| cases() >= 3_000) {
        assert!(seen.get(word).is_some_and(|&times| times >= 20), "hardly any request was decided as {word}: {seen:?}");
    }
}
