//! Time: what the policy allows as an end of a token and of a former value, over all zones and clock changes.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::TZ_VARIANTS;
use proptest::prelude::*;
use proptest::sample::select;

use super::regenerate::{Grace, Situation, check_grace};
use super::{Expiry, Limits, Standing, check_expiry};
use crate::catalogue::Catalogue;
use crate::policy::Policy;
use crate::types::{Role, Stamp};
use crate::when::{self, Zone};

fn limits<'a>(catalogue: &'a Catalogue, policy: &Policy, zone: Zone, now: Stamp) -> Limits<'a> {
    let policy = std::sync::Arc::new(policy.clone());
    Limits { catalogue, policy, role: Role::Owner, zone, now, since: now, standing: None }
}

fn any_zone() -> impl Strategy<Value = Zone> {
    select(&TZ_VARIANTS[..]).prop_map(|zone| zone.name().parse().unwrap())
}

/// Between 2000 and 2037: clock changes of every kind, to the millisecond.
fn any_moment() -> impl Strategy<Value = Stamp> {
    (946_684_800_000_i64..2_114_380_800_000).prop_map(|ms| DateTime::from_timestamp_millis(ms).unwrap().into())
}

const QUIET: Situation = Situation { expired: false, in_grace_until: None };

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn a_preset_ends_with_its_day_in_the_zone_and_within_the_policy(zone in any_zone(), now in any_moment(), days in 0_u32..400) {
        let (catalogue, policy) = (Catalogue::default(), Policy::default());
        let limits = limits(&catalogue, &policy, zone, now);
        match check_expiry(&Expiry::Days(days), &limits) {
            Ok(Some(end)) => {
                prop_assert!(days <= 365);
                prop_assert_eq!(when::day_of(end.utc(), zone), when::in_days(now.utc(), days, zone));
                prop_assert!(end >= now || when::day_of(now.utc(), zone) == when::day_of(end.utc(), zone));
                prop_assert_ne!(when::day_of(end.plus(TimeDelta::seconds(1)).utc(), zone), when::day_of(end.utc(), zone));
            }
            Ok(None) => prop_assert!(false, "the policy does not allow never"),
            Err(_) => prop_assert!(days > 365),
        }
    }

    #[test]
    fn an_edit_keeps_or_shortens_freely_and_extends_only_as_the_policy_says(
        zone in any_zone(), now in any_moment(), left in proptest::option::of(-10_i64..500), wished in -5_i64..500,
        may_extend: bool, value_age in 0_i64..400,
    ) {
        let (catalogue, policy) = (Catalogue::default(), Policy::default());
        let end = left.map(|days| Stamp::from(when::end_of_day(when::day_of(now.plus(TimeDelta::days(days)).utc(), zone), zone)));
        let limits = Limits {
            since: now.minus(TimeDelta::days(value_age)),
            standing: Some(Standing { expires_at: end, may_extend }),
            ..limits(&catalogue, &policy, zone, now)
        };
        let day = when::day_of(now.plus(TimeDelta::days(wished)).utc(), zone);
        let today = when::day_of(now.utc(), zone);
        let same = end.is_some_and(|end| when::day_of(end.utc(), zone) == day);
        match check_expiry(&Expiry::Day(day.to_string()), &limits) {
            Ok(new) => {
                let shorter = end.is_none_or(|end| new < Some(end));
                prop_assert!(same && new == end || shorter && day >= today || may_extend && day <= limits.last_day());
                prop_assert!(same || end.is_none_or(|end| end > now), "an expired token never lives again by an edit");
            }
            Err(_) => {
                let living = end.is_none_or(|end| end > now);
                let shorter = end.is_none_or(|end| Stamp::from(when::end_of_day(day, zone)) < end);
                prop_assert!(!same && (day < today || !living || !shorter && (!may_extend || day > limits.last_day())));
            }
        }
    }

    #[test]
    fn a_grace_never_passes_the_policy_nor_the_token_s_own_end(
        zone in any_zone(), now in any_moment(), hours in 0_u32..400, life in proptest::option::of(1_i64..500), typed: bool,
    ) {
        let policy = Policy::default();
        let expires_at = life.map(|hours| now.plus(TimeDelta::hours(hours)));
        let moment = when::field_moment(now.plus(TimeDelta::hours(hours.into())).utc(), zone);
        let grace = if typed { Grace::Until(&moment) } else { Grace::Hours(hours) };
        match check_grace(grace, QUIET, expires_at, &policy, now, zone) {
            Ok(Some(end)) => {
                prop_assert!(now < end && end <= now.plus(TimeDelta::days(7)));
                prop_assert!(expires_at.is_none_or(|last| end <= last));
            }
            Ok(None) => prop_assert!(!typed && hours == 0),
            // A repeated hour is read as the later one, a minute's seconds are cut.
            Err(_) => prop_assert!(hours > 167 || typed && hours < 4),
        }
    }

    #[test]
    fn a_moment_of_a_field_is_read_back_as_itself_or_as_its_repetition(zone in any_zone(), now in any_moment()) {
        let field = when::field_moment(now.utc(), zone);
        let read = when::parse_moment(&field, zone).unwrap();
        let minute: DateTime<Utc> = now.utc() - TimeDelta::milliseconds(now.millis().rem_euclid(60_000));
        prop_assert!(read >= minute - TimeDelta::minutes(1) && read - minute <= TimeDelta::hours(25), "{} {}", field, read);
        prop_assert_eq!(when::field_moment(read, zone), field);
    }

    #[test]
    fn no_text_breaks_the_reading_of_moments(text in "[-0-9T: .Z+/a]{0,26}|\\PC{0,40}", zone in any_zone()) {
        if let Err(problem) = when::parse_moment(&text, zone) {
            prop_assert!(!problem.to_string().is_empty());
        }
    }
}

#[test]
fn neither_an_expired_value_nor_a_third_one_is_kept() {
    let (policy, now) = (Policy::default(), Stamp::from(DateTime::<Utc>::UNIX_EPOCH));
    let keep = |situation| check_grace(Grace::Hours(24), situation, None, &policy, now, Zone::UTC);
    assert!(keep(QUIET).is_ok());
    assert_eq!(keep(Situation { expired: true, ..QUIET }).unwrap_err().field, "grace");
    let in_grace = Situation { in_grace_until: Some(now.plus(TimeDelta::hours(1))), ..QUIET };
    assert_eq!(keep(in_grace).unwrap_err().field, "grace");
    assert_eq!(check_grace(Grace::None, in_grace, None, &policy, now, Zone::UTC), Ok(None));
}

#[test]
fn a_time_that_the_clocks_skip_is_refused_and_one_that_comes_twice_is_the_later() {
    let berlin: Zone = "Europe/Berlin".parse().unwrap();
    let read = |text: &str| when::parse_moment(text, berlin);
    assert_eq!(
        read("2027-03-28 02:30").unwrap_err().to_string(),
        "2027-03-28 02:30 does not exist in Europe/Berlin: the clocks go forward over it. Choose another moment."
    );
    assert_eq!(read("2026-10-25 02:30").unwrap().to_rfc3339(), "2026-10-25T01:30:00+00:00");
    assert_eq!(read("2026-11-24").unwrap().to_rfc3339(), "2026-11-24T22:59:59+00:00");
    assert_eq!(read("24-11-2026 09:00").unwrap().to_rfc3339(), "2026-11-24T08:00:00+00:00");
    assert_eq!(read("2026-11-24T09:00:00+05:00").unwrap().to_rfc3339(), "2026-11-24T04:00:00+00:00");
}
