//! Days and zones, and the words for them.

use super::*;
use proptest::prelude::*;
use proptest::sample::select;

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

fn berlin() -> Zone {
    zone("Europe/Berlin")
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn day(text: &str) -> NaiveDate {
    parse_day(text).unwrap()
}

/// 10:40 in Berlin on Sunday, 22 November 2026: the moment of the drawn pages.
fn now() -> DateTime<Utc> {
    utc("2026-11-22T09:40:00Z")
}

fn had(day: NaiveDate, zone: Zone) -> bool {
    (0..24).any(|hour| latest(day.and_hms_opt(hour, 15, 0).unwrap(), zone).is_some())
}

fn holds(day: NaiveDate, zone: Zone) -> Result<(), String> {
    let end = end_of_day(day, zone);
    let tomorrow = day.succ_opt().unwrap();
    let complaint = |what: &str| Err(format!("{day} in {zone}, {end}: {what}"));
    if !had(day, zone) {
        let before = day.pred_opt().unwrap();
        return if end == end_of_day(before, zone) {
            Ok(())
        } else {
            complaint("a day that never was ends with another")
        };
    }
    if day_of(end, zone) != day {
        return complaint("another day");
    }
    // Algiers on 1971-04-25 went from 23:00 to 24:00: such a day has no 23:59:59.
    let skipped = latest(day.and_time(LAST_SECOND), zone).is_none();
    if !skipped && zone.local(end).time() != LAST_SECOND {
        return complaint("not the last second");
    }
    if [1, 60, 1800, 3600, 7200, 90_000].iter().any(|s| day_of(end + TimeDelta::seconds(*s), zone) <= day) {
        return complaint("the day goes on after its end");
    }
    if had(tomorrow, zone) && end >= end_of_day(tomorrow, zone) {
        return complaint("not before the end of the next day");
    }
    Ok(())
}

#[test]
fn a_day_ends_at_its_last_second_in_the_zone() {
    assert_eq!(end_of_day(day("2027-02-20"), berlin()), utc("2027-02-20T22:59:59Z"));
    assert_eq!(end_of_day(day("2027-07-20"), berlin()), utc("2027-07-20T21:59:59Z"));
    assert_eq!(end_of_day(day("2027-02-20"), Zone::UTC), utc("2027-02-20T23:59:59Z"));
    assert_eq!(end_of_day(day("2027-02-20"), zone("Pacific/Kiritimati")), utc("2027-02-20T09:59:59Z"));
}

#[test]
fn a_midnight_that_is_skipped_or_comes_twice_still_ends_one_day() {
    for (name, days) in [
        ("America/Sao_Paulo", ["2018-11-03", "2018-11-04", "2018-02-17", "2019-02-16"]),
        ("Africa/Cairo", ["2024-04-25", "2024-04-26", "2024-10-31", "2026-04-23"]),
        ("Asia/Beirut", ["2024-03-30", "2024-03-31", "2024-10-26", "2026-03-28"]),
        ("America/Havana", ["2026-03-07", "2026-03-08", "2026-10-31", "2026-11-01"]),
        ("Atlantic/Azores", ["2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25"]),
        ("America/St_Johns", ["2006-04-01", "2006-04-02", "2006-10-28", "2006-10-29"]),
        ("Pacific/Apia", ["2011-12-28", "2011-12-29", "2011-12-30", "2011-12-31"]),
        ("Europe/Berlin", ["2026-03-28", "2026-03-29", "2026-10-24", "2026-10-25"]),
    ] {
        for text in days {
            assert_eq!(holds(day(text), zone(name)), Ok(()));
        }
    }
    // 24:00 is set back to 23:00, so the last hour comes twice, and it is the second that counts.
    assert_eq!(end_of_day(day("2018-02-17"), zone("America/Sao_Paulo")), utc("2018-02-18T02:59:59Z"));
    // The next day begins at 01:00.
    assert_eq!(end_of_day(day("2018-11-03"), zone("America/Sao_Paulo")), utc("2018-11-04T02:59:59Z"));
    // One minute into the next day the clock went back to 23:01 of this one.
    assert_eq!(end_of_day(day("2006-10-28"), zone("America/St_Johns")), utc("2006-10-29T03:29:59Z"));
    // At 23:30 it was 00:30 of the next day.
    assert_eq!(end_of_day(day("1919-03-30"), zone("America/Toronto")), utc("1919-03-31T04:29:59Z"));
}

#[test]
fn every_day_beside_a_clock_change_ends_once() {
    for zone in Zone::all() {
        let offset = |day: NaiveDate| zone.0.offset_from_utc_datetime(&day.and_time(NaiveTime::MIN)).fix();
        let weeks = day("1970-01-08").iter_weeks().take_while(|week| week.year() < 2038);
        for (week, next) in weeks.clone().zip(weeks.skip(1)).filter(|(week, next)| offset(*week) != offset(*next)) {
            let days = week.iter_days().take_while(|day| *day <= next);
            assert_eq!(days.map(|day| holds(day, zone)).find(Result::is_err), None);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3000) })]

    #[test]
    fn a_day_ends_once_in_any_zone(tz in select(&TZ_VARIANTS[..]), days in 0_u64..47_000) {
        let day = day("1970-01-02") + Days::new(days);
        prop_assert_eq!(holds(day, Zone(tz)), Ok(()));
    }

    #[test]
    fn no_text_breaks_the_reading_of_days(text in "[-0-9./ a²٣]{0,14}|\\PC{0,60}") {
        if let Ok(day) = parse_day(&text) {
            prop_assert!((1..=9999).contains(&day.year()));
        }
    }

    #[test]
    fn every_style_but_the_american_is_read_back(days in 0_u64..2_900_000, style in select(&[DateStyle::Dmy, DateStyle::Iso][..])) {
        let day = day("0001-01-01") + Days::new(days);
        prop_assert_eq!(parse_day(&style.day(day)), Ok(day));
    }

    #[test]
    fn words_never_fail_and_are_never_negative(
        tz in select(&TZ_VARIANTS[..]), then in -8_334_000_000_000_i64..8_210_000_000_000, now in -8_334_000_000_000_i64..8_210_000_000_000,
    ) {
        let (then, now, zone) = (DateTime::from_timestamp(then, 0).unwrap(), DateTime::from_timestamp(now, 0).unwrap(), Zone(tz));
        prop_assert!(!relative_day(then, now, zone).contains('-'));
        prop_assert!(!expiry_sentence(Some(then), now, zone, Some(1)).is_empty());
        prop_assert!(!ago(then, now, zone).is_empty());
    }
}

#[test]
fn the_ends_of_the_calendar_are_no_panic() {
    for (instant, edge) in [(DateTime::<Utc>::MAX_UTC, NaiveDate::MAX), (DateTime::<Utc>::MIN_UTC, NaiveDate::MIN)] {
        for zone in [zone("Pacific/Kiritimati"), zone("Pacific/Midway")] {
            let _ =
                (end_of_day(edge, zone), in_days(instant, u32::MAX, zone), due(instant, now(), zone, DateStyle::Word));
            let _ = (ago(instant, now(), zone), ago(now(), instant, zone));
            let _ = expiry_sentence(Some(instant), now(), zone, Some(u32::MAX));
        }
    }
}

#[test]
fn three_spellings_of_a_day_are_read() {
    let expected = NaiveDate::from_ymd_opt(2027, 2, 22).unwrap();
    for text in ["2027-02-22", "22-02-2027", "22.02.2027", " 22.2.2027 "] {
        assert_eq!(parse_day(text), Ok(expected), "{text}");
    }
}

#[test]
fn a_wrong_day_is_refused_with_the_reason() {
    let says = |text: &str| parse_day(text).unwrap_err().to_string();
    assert_eq!(says("31-02-2027"), "31-02-2027 is not a day of the calendar.");
    assert_eq!(says("2027-02-29"), "2027-02-29 is not a day of the calendar.");
    assert_eq!(says("0000-01-01"), "0000-01-01 is not a day of the calendar.");
    assert_eq!(says("  "), "Choose a day, or type one like 2027-02-22 or 22-02-2027.");
    assert_eq!(says("02/03/2027"), "02/03/2027 could be two different days. Type it like 2027-02-22 or 22-02-2027.");
    for text in [
        "tomorrow",
        "22-02-27",
        "2027-2-22",
        "+2027-02-22",
        "2027-02-22T00:00Z",
        "20270222",
        "22-02.2027",
        "--",
        "2027.02.22",
    ] {
        assert_eq!(says(text), format!("“{text}” is not a day. Type it like 2027-02-22 or 22-02-2027."));
    }
    assert!(says(&"9".repeat(5000)).len() < 120, "a long text is cut");
}

#[test]
fn presets_count_calendar_days_of_the_zone() {
    assert_eq!(in_days(now(), 90, berlin()), day("2027-02-20"));
    assert_eq!(in_days(now(), 365, berlin()), day("2027-11-22"));
    // Half past midnight in Berlin, one day earlier in UTC.
    assert_eq!(in_days(utc("2026-11-22T23:30:00Z"), 7, berlin()), day("2026-11-30"));
    assert_eq!(in_days(utc("2026-11-22T23:30:00Z"), 7, Zone::UTC), day("2026-11-29"));
    // A day of 23 hours in between.
    assert_eq!(in_days(utc("2026-03-28T22:30:00Z"), 1, berlin()), day("2026-03-29"));
}

#[test]
fn a_day_is_told_by_its_distance_in_the_zone() {
    let told = |text: &str| relative_day(utc(text), now(), berlin());
    assert_eq!(told("2027-02-22T22:59:59Z"), "in 92 days");
    assert_eq!(told("2026-11-22T22:59:59Z"), "today");
    assert_eq!(told("2026-11-22T23:00:00Z"), "tomorrow");
    assert_eq!(told("2026-11-24T10:00:00Z"), "in 2 days");
    assert_eq!(told("2026-11-21T22:59:59Z"), "yesterday");
    assert_eq!(told("2026-11-03T22:59:59Z"), "19 days ago");
    assert_eq!(told("2036-11-22T09:40:00Z"), "in 3,653 days");
}

#[test]
fn what_happened_is_told_more_coarsely_the_longer_ago_it_is() {
    let told = |text: &str| ago(utc(text), now(), berlin());
    for (instant, words) in [
        ("2026-11-22T09:44:00Z", "just now"),
        ("2026-11-22T09:40:00Z", "just now"),
        ("2026-11-22T09:39:01Z", "just now"),
        ("2026-11-22T09:39:00Z", "1 min ago"),
        ("2026-11-22T09:36:00Z", "4 min ago"),
        ("2026-11-22T08:40:01Z", "59 min ago"),
        ("2026-11-22T08:40:00Z", "1 h ago"),
        ("2026-11-22T07:31:00Z", "2 h ago"),
        ("2026-11-21T22:45:00Z", "10 h ago"),
        ("2026-11-21T16:02:00Z", "yesterday"),
        ("2026-11-19T21:14:00Z", "3 days ago"),
        ("2026-11-18T01:00:00Z", "18 Nov"),
        ("2025-11-24T09:40:00Z", "24 Nov 2025"),
        ("2026-11-22T11:40:00Z", "22 Nov"),
        ("2026-11-23T11:40:00Z", "23 Nov"),
    ] {
        assert_eq!(told(instant), words, "{instant}");
    }
    assert_eq!(ago(now(), utc("2026-11-22T22:30:00Z"), berlin()), "12 h ago", "the same day, however many hours");
}

#[test]
fn a_date_has_four_styles() {
    let written = DateStyle::ALL.map(|style| date(utc("2027-02-22T22:59:59Z"), berlin(), style));
    assert_eq!(written, ["22 Feb 2027", "22-02-2027", "2027-02-22", "02/22/2027"]);
    assert_eq!(date(utc("2027-02-02T23:00:00Z"), berlin(), DateStyle::Word), "3 Feb 2027");
}

#[test]
fn a_style_is_stored_as_one_word() {
    for style in DateStyle::ALL {
        assert_eq!(style.as_str().parse(), Ok(style));
    }
    assert_eq!(DateStyle::default().as_str(), "word");
    assert!("Word".parse::<DateStyle>().unwrap_err().to_string().starts_with("“Word” is not a date style."));
}

#[test]
fn a_moment_names_the_year_only_when_it_is_another() {
    let at = utc("2026-11-22T09:36:12Z");
    assert_eq!(moment(at, now(), berlin(), DateStyle::Word), "22 Nov, 10:36");
    assert_eq!(moment(at, utc("2027-01-01T12:00:00Z"), berlin(), DateStyle::Word), "22 Nov 2026, 10:36");
    assert_eq!(moment(at, now(), berlin(), DateStyle::Mdy), "11/22/2026, 10:36");
    assert_eq!(moment_to_the_second(at, now(), berlin(), DateStyle::Word), "22 Nov, 10:36:12");
    assert_eq!(moment_with_weekday(at, now(), berlin(), DateStyle::Word), "Sun 22 Nov, 10:36");
}

#[test]
fn the_expiry_is_a_whole_sentence() {
    let says = |text: &str, days| expiry_sentence(Some(utc(text)), now(), berlin(), days);
    assert_eq!(
        says("2027-02-20T22:59:59Z", Some(365)),
        "Stops working on Saturday, 20 February 2027 at 23:59, Europe/Berlin time, 90 days from now. The policy allows up to 1 year."
    );
    assert_eq!(
        says("2026-11-23T22:59:59Z", None),
        "Stops working on Monday, 23 November 2026 at 23:59, Europe/Berlin time, tomorrow."
    );
    assert_eq!(
        says("2026-11-03T22:59:59Z", None),
        "Stopped working on Tuesday, 3 November 2026 at 23:59, Europe/Berlin time, 19 days ago."
    );
    assert_eq!(
        expiry_sentence(Some(utc("2026-11-22T23:59:59Z")), now(), Zone::UTC, Some(30)),
        "Stops working on Sunday, 22 November 2026 at 23:59, UTC, today. The policy allows up to 30 days."
    );
    assert_eq!(
        expiry_sentence(None, now(), berlin(), Some(365)),
        "This token will work until somebody removes it. Choose a date unless nobody can rotate it."
    );
    assert_eq!(due(utc("2027-02-20T22:59:59Z"), now(), berlin(), DateStyle::Word), "20 Feb 2027 (in 90 days)");
}

#[test]
fn only_exact_years_are_called_years() {
    let spans = [1, 90, 180, 364, 365, 366, 730].map(span_of);
    assert_eq!(spans, ["1 day", "90 days", "180 days", "364 days", "1 year", "366 days", "2 years"]);
}

#[test]
fn one_is_singular_and_all_else_plural() {
    assert_eq!(count(1, "method"), "1 method");
    assert_eq!(count(0, "method"), "0 methods");
    assert_eq!(count(1_223, "method"), "1,223 methods");
    assert_eq!(
        [count(2, "entry"), count(2, "day"), count(2, "address"), count(2, "access set")],
        ["2 entries", "2 days", "2 addresses", "2 access sets"]
    );
    assert_eq!([999, 1_000, 10_412, 1_000_000].map(thousands), ["999", "1,000", "10,412", "1,000,000"]);
}

#[test]
fn a_zone_goes_by_its_name_and_defaults_to_utc() {
    assert_eq!(Zone::default().name(), "UTC");
    assert_eq!(zone(" Europe/Kyiv ").to_string(), "Europe/Kyiv");
    let problem = "Mars/\u{7}Base".parse::<Zone>().unwrap_err().to_string();
    assert_eq!(problem, "“Mars/Base” is not a time zone. Choose one by its name, such as Europe/Berlin or UTC.");
    assert!(Zone::all().count() > 400);
    assert!(Zone::all().all(|zone| zone.name().parse() == Ok(zone)));
}
