//! Counting, bounds, and what a flush that fails leaves behind.

use super::*;
use crate::error::Error;
use crate::refusal::{Request, Rule};
use crate::secret::Random;

fn at(text: &str) -> Stamp {
    text.parse::<chrono::DateTime<chrono::Utc>>().unwrap().into()
}

/// All of the room is this thread's.
fn usage() -> Usage {
    Usage { parts: Sharded::in_parts(1), ..Usage::default() }
}

fn noted() -> Noted {
    let random = Random::new(|bytes| {
        bytes.fill(7);
        Ok(())
    });
    let request = Request { http_method: "GET", target: "/", ip: None };
    Noted::new(Rule::Scope, None, &request, at("2026-11-23T10:00:00Z"), &random).unwrap()
}

fn ip(nth: u32) -> Option<IpAddr> {
    Some(std::net::Ipv4Addr::from(0x0a00_0000 + nth).into())
}

fn accept(usage: &Usage, token: Uuid, method: &str, moment: &str, from: u32) {
    usage.accepted(Call { token, method, at: at(moment), ip: ip(from) }, 1, "agent");
}

fn refuse(usage: &Usage, token: Uuid) {
    let call = Call { token, method: "", at: at("2026-11-23T10:00:00Z"), ip: ip(1) };
    usage.refused(call, noted());
}

fn fail(usage: &Usage) {
    assert!(usage.flush(|_| Err(Error::Busy("gone".into()))).is_err());
}

fn seen<T>(usage: &Usage, look: impl FnOnce(&Gathered) -> T) -> T {
    let mut out = None;
    usage
        .flush(|gathered| {
            out = Some(look(gathered));
            Ok(())
        })
        .unwrap();
    out.unwrap()
}

fn total(gathered: &Gathered, token: Uuid) -> (Counts, Counts) {
    let mut sums = (Counts::default(), Counts::default());
    for (_, day) in &gathered.tokens[&token].days {
        day.methods.0.iter().for_each(|(_, counts)| sums.0.add(*counts));
        day.addresses.0.iter().for_each(|(_, counts)| sums.1.add(*counts));
    }
    sums
}

#[test]
fn calls_are_counted_by_the_utc_day_and_by_method() {
    let (usage, token) = (usage(), Uuid::from_u128(1));
    accept(&usage, token, "a/s:m", "2026-11-23T23:59:59Z", 1);
    accept(&usage, token, "a/s:m", "2026-11-24T00:00:00Z", 1);
    accept(&usage, token, "a/s:n", "2026-11-24T00:00:01Z", 2);
    refuse(&usage, token);
    let days = seen(&usage, |gathered| {
        let days = gathered.tokens[&token].days.iter();
        days.map(|(day, of)| (day.to_string(), of.methods.0.len(), of.addresses.0.len())).collect::<Vec<_>>()
    });
    assert_eq!(days, [("2026-11-23".into(), 2, 1), ("2026-11-24".into(), 2, 2)]);
}

#[test]
fn what_a_failed_flush_held_and_what_came_since_is_there_once() {
    let (usage, token, other) = (usage(), Uuid::from_u128(1), Uuid::from_u128(2));
    accept(&usage, token, "a/s:m", "2026-11-23T10:00:00Z", 1);
    refuse(&usage, token);
    fail(&usage);
    accept(&usage, token, "a/s:m", "2026-11-23T10:00:05Z", 2);
    accept(&usage, other, "a/s:m", "2026-11-23T10:00:05Z", 2);
    fail(&usage);
    seen(&usage, |gathered| {
        let expected = Counts { accepted: 2, refused: 1 };
        assert_eq!(total(gathered, token), (expected, expected));
        assert_eq!(total(gathered, other).0, Counts::ACCEPTED);
        assert_eq!(gathered.tokens[&token].last.as_ref().unwrap().at, at("2026-11-23T10:00:05Z"));
        assert_eq!(gathered.tokens[&token].generations[0].1, at("2026-11-23T10:00:05Z"));
        assert_eq!(gathered.refusals.len(), 1);
        let keys = gathered.tokens.values().flat_map(|of| &of.days);
        let keys: usize = keys.map(|(_, day)| day.methods.0.len() + day.addresses.0.len()).sum();
        assert_eq!(gathered.entries, gathered.tokens.len() + keys);
    });
    assert_eq!(usage.flush(|_| panic!("nothing is left")).unwrap(), 0);
}

#[test]
fn what_comes_while_a_failing_flush_writes_is_kept_too() {
    let (usage, token) = (usage(), Uuid::from_u128(1));
    accept(&usage, token, "a/s:m", "2026-11-23T10:00:00Z", 1);
    let failed = usage.flush(|_| {
        accept(&usage, token, "a/s:m", "2026-11-23T10:00:01Z", 1);
        Err(Error::Busy("gone".into()))
    });
    assert!(failed.is_err());
    assert_eq!(seen(&usage, |gathered| total(gathered, token).0.accepted), 2);
}

#[test]
fn calls_from_more_addresses_than_are_kept_apart_are_counted_together() {
    let (usage, token) = (usage(), Uuid::from_u128(1));
    for nth in 0..1_000 {
        accept(&usage, token, "a/s:m", "2026-11-23T10:00:00Z", nth);
    }
    seen(&usage, |gathered| {
        let day = &gathered.tokens[&token].days[0].1;
        assert_eq!(day.addresses.0.len(), ADDRESSES + 1);
        assert_eq!(day.addresses.get(&None).unwrap().accepted, 800);
        assert_eq!(total(gathered, token).1.accepted, 1_000);
    });
}

#[test]
fn a_noisy_token_leaves_room_for_the_refusals_of_others() {
    let (usage, noisy, quiet) = (usage(), Uuid::from_u128(3), Uuid::from_u128(4));
    for _ in 0..5_000 {
        refuse(&usage, noisy);
    }
    fail(&usage);
    refuse(&usage, noisy);
    refuse(&usage, quiet);
    seen(&usage, |gathered| {
        let of = |token: Uuid| gathered.refusals.iter().filter(|(id, _)| *id == token).count();
        assert_eq!((of(noisy), of(quiet)), (REFUSALS_OF_A_TOKEN, 1));
        assert_eq!(total(gathered, noisy).0.refused, 5_001);
    });
}

#[test]
fn memory_stays_bounded_while_the_database_is_away() {
    let usage = usage();
    for nth in 0..WHOLE.entries + 10 {
        accept(&usage, Uuid::from_u128(nth as u128), "a/s:m", "2026-11-23T10:00:00Z", 1);
    }
    for nth in 0..WHOLE.refusals + 10 {
        refuse(&usage, Uuid::from_u128(nth as u128));
    }
    seen(&usage, |gathered| {
        assert_eq!(gathered.entries, WHOLE.entries);
        assert!(gathered.refusals.len() <= WHOLE.refusals);
    });
}
