//! Dates for people: a day becomes an instant in the person's zone, and instants become words. No clock: `now` is handed in.

#[cfg(test)]
mod tests;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// A time zone by its name in the IANA database; UTC where nothing was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Tz);

impl Zone {
    pub const UTC: Self = Self(Tz::UTC);

    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// Every zone there is, for a choice on a page.
    pub fn all() -> impl Iterator<Item = Self> {
        TZ_VARIANTS.iter().copied().map(Self)
    }

    /// At the ends of the calendar, where chrono would panic, UTC.
    fn local(self, instant: DateTime<Utc>) -> NaiveDateTime {
        let utc = instant.naive_utc();
        utc.checked_add_offset(self.0.offset_from_utc_datetime(&utc).fix()).unwrap_or(utc)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("“{0}” is not a time zone. Choose one by its name, such as Europe/Berlin or UTC.")]
pub struct ZoneProblem(String);

impl FromStr for Zone {
    type Err = ZoneProblem;

    fn from_str(text: &str) -> Result<Self, ZoneProblem> {
        text.trim().parse().map(Self).map_err(|_| ZoneProblem(quoted(text)))
    }
}

/// How a person wants dates written. The text form is what is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DateStyle {
    /// `22 Feb 2027`
    #[default]
    Word,
    /// `22-02-2027`
    Dmy,
    /// `2027-02-22`
    Iso,
    /// `02/22/2027`
    Mdy,
}

impl DateStyle {
    pub const ALL: [Self; 4] = [Self::Word, Self::Dmy, Self::Iso, Self::Mdy];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Word => "word",
            Self::Dmy => "dmy",
            Self::Iso => "iso",
            Self::Mdy => "mdy",
        }
    }

    /// The day in this style; also the label of the choice on the profile page.
    pub fn day(self, day: NaiveDate) -> String {
        let pattern = match self {
            Self::Word => "%-d %b %Y",
            Self::Dmy => "%d-%m-%Y",
            Self::Iso => "%Y-%m-%d",
            Self::Mdy => "%m/%d/%Y",
        };
        day.format(pattern).to_string()
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("“{0}” is not a date style. Choose word, dmy, iso or mdy.")]
pub struct DateStyleProblem(String);

impl FromStr for DateStyle {
    type Err = DateStyleProblem;

    fn from_str(text: &str) -> Result<Self, DateStyleProblem> {
        Self::ALL.into_iter().find(|style| style.as_str() == text).ok_or_else(|| DateStyleProblem(quoted(text)))
    }
}

/// Why a typed day is refused; `Display` is the sentence that the person reads.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DayProblem {
    #[error("Choose a day, or type one like 2027-02-22 or 22-02-2027.")]
    Empty,
    #[error("{0} is not a day of the calendar.")]
    NoSuchDay(String),
    #[error("{0} could be two different days. Type it like 2027-02-22 or 22-02-2027.")]
    Ambiguous(String),
    #[error("“{0}” is not a day. Type it like 2027-02-22 or 22-02-2027.")]
    Unreadable(String),
}

/// Reads `2027-02-22`, `22-02-2027` and `22.02.2027`. Slashes are refused: half of the world reads them the other way.
pub fn parse_day(text: &str) -> Result<NaiveDate, DayProblem> {
    let typed = text.trim();
    if typed.is_empty() {
        return Err(DayProblem::Empty);
    }
    let separator = ['-', '.', '/'].into_iter().find(|c| typed.contains(*c)).unwrap_or('-');
    let parts: Vec<&str> = typed.split(separator).collect();
    let numbers: Option<Vec<u32>> = parts.iter().map(|part| number(part)).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let (year, month, day) = match (separator, numbers.as_deref(), lengths.as_slice()) {
        ('-', Some(&[year, month, day]), [4, 2, 2]) => (year, month, day),
        ('-' | '.', Some(&[day, month, year]), [1..=2, 1..=2, 4]) => (year, month, day),
        ('/', Some(&[_, _, _]), _) => return Err(DayProblem::Ambiguous(quoted(typed))),
        _ => return Err(DayProblem::Unreadable(quoted(typed))),
    };
    let year = i32::try_from(year).ok().filter(|year| *year > 0);
    year.and_then(|year| NaiveDate::from_ymd_opt(year, month, day)).ok_or_else(|| DayProblem::NoSuchDay(quoted(typed)))
}

/// Why a typed moment is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MomentProblem {
    #[error(transparent)]
    Day(#[from] DayProblem),
    #[error("“{0}” is not a moment. Type it like 2027-02-22 14:30.")]
    Unreadable(String),
    #[error("{0} does not exist in {1}: the clocks go forward over it. Choose another moment.")]
    Skipped(String, Zone),
}

/// Reads a moment in the person's zone: `2027-02-22T14:30` as a browser sends it, with seconds or a space too, a day of
/// [`parse_day`] with or without a time behind it (the day alone means its end), and RFC 3339 with its own offset. A time
/// that a clock change repeats is the later one.
pub fn parse_moment(text: &str, zone: Zone) -> Result<DateTime<Utc>, MomentProblem> {
    let typed = text.trim();
    if let Ok(exact) = DateTime::parse_from_rfc3339(typed) {
        return Ok(exact.to_utc());
    }
    let (day, time) = typed.split_once(['T', ' ']).map_or((typed, None), |(day, time)| (day, Some(time.trim())));
    let day = parse_day(day)?;
    let Some(time) = time else { return Ok(end_of_day(day, zone)) };
    let formats = ["%H:%M", "%H:%M:%S"];
    let time = formats.into_iter().find_map(|format| NaiveTime::parse_from_str(time, format).ok());
    let time = time.ok_or_else(|| MomentProblem::Unreadable(quoted(typed)))?;
    latest(day.and_time(time), zone).ok_or_else(|| MomentProblem::Skipped(quoted(typed), zone))
}

/// For a field of the type `datetime-local`, in the person's zone: `2027-02-22T14:30`.
pub fn field_moment(instant: DateTime<Utc>, zone: Zone) -> String {
    zone.local(instant).format("%Y-%m-%dT%H:%M").to_string()
}

/// ASCII digits only: `parse` alone would take a sign.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// The instant from which something no longer works that was to last through `day`: 23:59:59 there, the last one where
/// a clock change repeats it. A check is `now < instant`, as for `exp` in RFC 7519 section 4.1.4. The last second and
/// not the next midnight, so that whoever reads the instant in any format sees the day that was chosen.
/// Of a day that a zone never had (Apia, 2011-12-30) it is the second before the gap.
pub fn end_of_day(day: NaiveDate, zone: Zone) -> DateTime<Utc> {
    let wanted = day.and_time(LAST_SECOND);
    latest(wanted, zone).or_else(|| last_before_gap(wanted, zone)).unwrap_or(wanted.and_utc())
}

/// The last second before the gap that holds `missing`. Clocks change at whole minutes, and no zone has skipped more than
/// a day and an hour.
fn last_before_gap(missing: NaiveDateTime, zone: Zone) -> Option<DateTime<Utc>> {
    let mut earlier = (1..=26 * 60).filter_map(|n| missing.checked_sub_signed(TimeDelta::minutes(n)));
    earlier.find_map(|local| latest(local, zone))
}

const LAST_SECOND: NaiveTime = match NaiveTime::from_hms_opt(23, 59, 59) {
    Some(time) => time,
    None => NaiveTime::MIN,
};

fn latest(local: NaiveDateTime, zone: Zone) -> Option<DateTime<Utc>> {
    zone.0.from_local_datetime(&local).latest().map(|instant| instant.to_utc())
}

/// The local day of an instant; undoes [`end_of_day`].
pub fn day_of(instant: DateTime<Utc>, zone: Zone) -> NaiveDate {
    zone.local(instant).date()
}

/// The day that is `days` calendar days after today, for the presets of a form. Counted in days, not in hours: a clock
/// change in between must not move it.
pub fn in_days(now: DateTime<Utc>, days: u32, zone: Zone) -> NaiveDate {
    day_of(now, zone).checked_add_days(Days::new(u64::from(days))).unwrap_or(NaiveDate::MAX)
}

/// How far off the day of an instant is: `today`, `in 92 days`, `19 days ago`.
pub fn relative_day(instant: DateTime<Utc>, now: DateTime<Utc>, zone: Zone) -> String {
    match days_between(instant, now, zone) {
        0 => "today".to_owned(),
        1 => "tomorrow".to_owned(),
        -1 => "yesterday".to_owned(),
        days @ 2.. => format!("in {}", count(days.unsigned_abs(), "day")),
        days => format!("{} ago", count(days.unsigned_abs(), "day")),
    }
}

fn days_between(instant: DateTime<Utc>, now: DateTime<Utc>, zone: Zone) -> i64 {
    day_of(instant, zone).signed_duration_since(day_of(now, zone)).num_days()
}

/// How long ago something happened: `just now`, `4 min ago`, `2 h ago`, `yesterday`, `3 days ago`, then `18 Nov`, and
/// `18 Nov 2025` of another year. Another machine's clock may run ahead, so that five minutes of future are `just now`.
pub fn ago(instant: DateTime<Utc>, now: DateTime<Utc>, zone: Zone) -> String {
    let passed = now.signed_duration_since(instant);
    match (passed.num_minutes(), passed.num_hours(), -days_between(instant, now, zone)) {
        (-5..=0, _, _) => "just now".to_owned(),
        (minutes @ 1..60, _, _) => format!("{minutes} min ago"),
        // Late in the evening seen from early in the morning: hours tell more than `yesterday`.
        (_, hours @ 1..12, _) | (_, hours @ 12.., 0) => format!("{hours} h ago"),
        (_, _, 1) => "yesterday".to_owned(),
        (_, _, days @ 2..=3) => format!("{days} days ago"),
        _ => short_day(instant, now, zone, DateStyle::Word),
    }
}

/// `22 Feb 2027`
pub fn date(instant: DateTime<Utc>, zone: Zone, style: DateStyle) -> String {
    style.day(day_of(instant, zone))
}

/// `22 Nov, 10:36`, and of another year than now's `22 Nov 2025, 10:36`.
pub fn moment(instant: DateTime<Utc>, now: DateTime<Utc>, zone: Zone, style: DateStyle) -> String {
    format!("{}, {}", short_day(instant, now, zone, style), zone.local(instant).format("%H:%M"))
}

/// `22 Nov, 10:36:12`, for logs.
pub fn moment_to_the_second(instant: DateTime<Utc>, now: DateTime<Utc>, zone: Zone, style: DateStyle) -> String {
    format!("{}, {}", short_day(instant, now, zone, style), zone.local(instant).format("%H:%M:%S"))
}

/// `Mon 23 Nov, 10:40`, for an end that is near.
pub fn moment_with_weekday(instant: DateTime<Utc>, now: DateTime<Utc>, zone: Zone, style: DateStyle) -> String {
    format!("{} {}", zone.local(instant).format("%a"), moment(instant, now, zone, style))
}

/// In words the year is left out while it is this year; in figures it stays, or they would not be a date.
fn short_day(instant: DateTime<Utc>, now: DateTime<Utc>, zone: Zone, style: DateStyle) -> String {
    let day = day_of(instant, zone);
    if style == DateStyle::Word && day.year() == day_of(now, zone).year() {
        day.format("%-d %b").to_string()
    } else {
        style.day(day)
    }
}

/// `20 Feb 2027 (in 90 days)`
pub fn due(instant: DateTime<Utc>, now: DateTime<Utc>, zone: Zone, style: DateStyle) -> String {
    format!("{} ({})", date(instant, zone, style), relative_day(instant, now, zone))
}

/// The sentence under the expiry of a token: when it stops, in words that no setting can make ambiguous, and the longest
/// that the policy allows (`None`: no bound). `expires_at` is `None` for never.
pub fn expiry_sentence(
    expires_at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    zone: Zone,
    most_days: Option<u32>,
) -> String {
    let Some(instant) = expires_at else {
        return "This token will work until somebody removes it. Choose a date unless nobody can rotate it.".to_owned();
    };
    let stops = if instant > now { "Stops working" } else { "Stopped working" };
    let at = zone.local(instant).format("%A, %-d %B %Y at %H:%M");
    let zone_words = if zone == Zone::UTC { "UTC".to_owned() } else { format!("{zone} time") };
    let distance = match days_between(instant, now, zone) {
        days @ 2.. => format!("{} from now", count(days.unsigned_abs(), "day")),
        _ => relative_day(instant, now, zone),
    };
    let policy = most_days.map(|days| format!(" The policy allows up to {}.", span_of(days))).unwrap_or_default();
    format!("{stops} on {at}, {zone_words}, {distance}.{policy}")
}

/// A number of days, as years where it is a whole number of 365 days. Never as months: none has an exact number of days.
pub fn span_of(days: u32) -> String {
    match (days / 365, days % 365) {
        (years @ 1.., 0) => count(u64::from(years), "year"),
        _ => count(u64::from(days), "day"),
    }
}

/// `1 method`, `1,223 methods`, `2 entries`, `2 addresses`; the noun is given in the singular.
pub fn count(number: u64, noun: &str) -> String {
    let before_y = noun.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    let hisses = ["s", "x", "z", "ch", "sh"].iter().any(|end| noun.ends_with(end));
    match (number, before_y) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{} {stem}ies", thousands(number)),
        _ if hisses => format!("{} {noun}es", thousands(number)),
        _ => format!("{} {noun}s", thousands(number)),
    }
}

/// `10,412`
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let comma_before = |place: usize| place > 0 && (digits.len() - place).is_multiple_of(3);
    digits
        .chars()
        .enumerate()
        .flat_map(|(place, digit)| comma_before(place).then_some(',').into_iter().chain([digit]))
        .collect()
}

/// What a person typed, made fit for a sentence: cut, and without line breaks or other controls.
fn quoted(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(40).collect()
}
