//! How often a password may be guessed: one count for each account, over sign-in, confirming and the command line
//! (ASVS 6.3.1, NIST SP 800-63B-4 3.2.2). Only the rule; the row that holds a count is the caller's.

use chrono::{DateTime, TimeDelta, Utc};

/// With this many failures no more guesses are let in until an administrator resets the count or a day has gone.
const MOST_FAILURES: u32 = 100;
/// The first failure after which a person has to wait.
const FIRST_WAIT: u32 = 3;
const LONGEST_WAIT: TimeDelta = TimeDelta::minutes(15);
const LOCK: TimeDelta = TimeDelta::days(1);

const WRONG: &str = "That password is not right.";
const TOO_MANY: &str = "Too many tries for this account.";

/// What is kept of an account, and of an e-mail that belongs to none: strangers must not tell the two apart.
/// `Default` is the count after a success, or after an administrator's reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Guesses {
    pub failures: u32,
    /// `None` exactly while there are no failures.
    pub last_failure: Option<DateTime<Utc>>,
}

/// Whether a password may be checked now. One that is refused is neither checked nor counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guess {
    Allowed,
    Wait(DateTime<Utc>),
    Locked(DateTime<Utc>),
}

impl Guesses {
    pub fn verdict(self, now: DateTime<Utc>) -> Guess {
        let Guesses { failures, last_failure: Some(last) } = self.settled(now) else {
            return Guess::Allowed;
        };
        if failures >= MOST_FAILURES {
            Guess::Locked(later(last, LOCK))
        } else if now < later(last, wait_after(failures)) {
            Guess::Wait(later(last, wait_after(failures)))
        } else {
            Guess::Allowed
        }
    }

    /// The count with one failure more. Store it before the password is hashed and put `Guesses::default()` back on
    /// success: many guesses at the same moment would otherwise all see the same old count.
    #[must_use]
    pub fn after_failure(self, now: DateTime<Utc>) -> Self {
        Self { failures: self.settled(now).failures.saturating_add(1), last_failure: Some(now) }
    }

    /// The count as of `now`: none once a day has gone since the last failure, and no failure in the future, where a
    /// clock that ran ahead left it. Store it when it differs, or that lock would begin anew at every look until then.
    #[must_use]
    pub fn settled(self, now: DateTime<Utc>) -> Self {
        match self.last_failure {
            Some(last) if self.failures > 0 && now < later(last, LOCK) => {
                Self { failures: self.failures, last_failure: Some(last.min(now)) }
            }
            _ => Self::default(),
        }
    }

    /// What a person reads after a wrong password; `self` has that failure in it already.
    pub fn sentence(self, now: DateTime<Utc>) -> String {
        match (self.verdict(now), FIRST_WAIT.saturating_sub(self.settled(now).failures)) {
            (Guess::Locked(until), _) => {
                format!("{WRONG} {TOO_MANY} Try again in {}, or ask an administrator.", span(until, now))
            }
            (Guess::Wait(until), _) => format!("{WRONG} Wait {} before the next try.", span(until, now)),
            (Guess::Allowed, 1) => format!("{WRONG} 1 try left before a short wait."),
            (Guess::Allowed, 0) => WRONG.to_owned(),
            (Guess::Allowed, left) => format!("{WRONG} {left} tries left before a short wait."),
        }
    }
}

impl Guess {
    /// Whole seconds for `Retry-After`, rounded up, so that a client that keeps to it is not refused again.
    pub fn retry_after(self, now: DateTime<Utc>) -> Option<u64> {
        match self {
            Guess::Allowed => None,
            Guess::Wait(until) | Guess::Locked(until) => Some(seconds(until, now)),
        }
    }

    /// What a person reads whose guess was not even checked.
    pub fn sentence(self, now: DateTime<Utc>) -> Option<String> {
        match self {
            Guess::Allowed => None,
            Guess::Wait(until) | Guess::Locked(until) => {
                Some(format!("{TOO_MANY} Try again in {}, or ask an administrator.", span(until, now)))
            }
        }
    }
}

/// The key under which all spellings of an e-mail address are counted: no white space around it, no case. Upper and then
/// lower case, letter by letter, also joins letters that have two small forms (`ς` and `σ`, `ſ` and `s`); lower case before
/// both joins a capital that has a small form of its own (`ẞ`, and `ß`, which is `ss`).
pub fn account_key(email: &str) -> String {
    let folded = email.trim().chars().flat_map(char::to_lowercase);
    folded.flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// 1 s after the third failure, and twice as long after each further one.
fn wait_after(failures: u32) -> TimeDelta {
    match failures.checked_sub(FIRST_WAIT) {
        None => TimeDelta::zero(),
        Some(doublings) => TimeDelta::seconds(1_i64 << doublings.min(30)).min(LONGEST_WAIT),
    }
}

/// Past the end of the calendar there is nothing later than its end.
fn later(instant: DateTime<Utc>, by: TimeDelta) -> DateTime<Utc> {
    instant.checked_add_signed(by).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

/// At least one: `Retry-After: 0` would ask for an answer that cannot come.
fn seconds(until: DateTime<Utc>, now: DateTime<Utc>) -> u64 {
    let milliseconds = u64::try_from((until - now).num_milliseconds()).unwrap_or(0);
    milliseconds.div_ceil(1000).max(1)
}

/// Seconds below two minutes, then minutes, then hours, each rounded up.
fn span(until: DateTime<Utc>, now: DateTime<Utc>) -> String {
    match seconds(until, now) {
        1 => "1 second".to_owned(),
        short @ ..120 => format!("{short} seconds"),
        medium @ ..7200 => format!("{} minutes", medium.div_ceil(60)),
        long => format!("{} hours", long.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeZone;
    use proptest::prelude::*;

    fn noon() -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 11, 23, 12, 0, 0).unwrap()
    }

    fn after(failures: u32) -> Guesses {
        Guesses { failures, last_failure: Some(noon()) }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        noon() + TimeDelta::seconds(seconds)
    }

    #[test]
    fn two_failures_cost_no_wait() {
        let first = Guesses::default().after_failure(noon());
        let second = first.after_failure(noon());
        assert_eq!((first.verdict(noon()), second.verdict(noon())), (Guess::Allowed, Guess::Allowed));
        assert_eq!(second.failures, 2);
    }

    #[test]
    fn from_the_third_on_the_wait_doubles_up_to_a_quarter_of_an_hour() {
        let waits: Vec<Option<u64>> = (3..=14).map(|n| after(n).verdict(noon()).retry_after(noon())).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900].map(Some));
        assert_eq!(after(99).verdict(noon()), Guess::Wait(at(900)));
    }

    #[test]
    fn a_wait_ends_at_its_instant_and_not_before() {
        assert_eq!(after(5).verdict(at(4) - TimeDelta::nanoseconds(1)), Guess::Wait(at(4)));
        assert_eq!(after(5).verdict(at(4)), Guess::Allowed);
    }

    #[test]
    fn the_hundredth_failure_locks_for_a_day() {
        assert_eq!(after(99).verdict(at(900)), Guess::Allowed);
        let locked = after(99).after_failure(at(900));
        assert_eq!(locked.verdict(at(900)), Guess::Locked(at(900) + LOCK));
        assert_eq!(locked.verdict(at(899) + LOCK), Guess::Locked(at(900) + LOCK));
        assert_eq!(locked.verdict(at(900) + LOCK), Guess::Allowed);
        assert_eq!(locked.after_failure(at(900) + LOCK).failures, 1);
    }

    #[test]
    fn a_guesser_who_never_pauses_a_day_gets_a_hundred_guesses() {
        let (mut guesses, mut now, mut checked) = (Guesses::default(), noon(), 0);
        loop {
            match guesses.verdict(now) {
                Guess::Allowed => (guesses, checked) = (guesses.after_failure(now), checked + 1),
                Guess::Wait(until) => now = until,
                Guess::Locked(_) => break,
            }
        }
        assert_eq!(checked, 100);
    }

    #[test]
    fn a_day_without_a_failure_begins_a_new_count() {
        assert_eq!(after(50).after_failure(noon() + LOCK), Guesses { failures: 1, last_failure: Some(noon() + LOCK) });
        assert_eq!(after(50).after_failure(at(-1) + LOCK).failures, 51);
    }

    #[test]
    fn a_success_leaves_no_count() {
        assert_eq!(Guesses::default().verdict(noon()), Guess::Allowed);
        assert_eq!(Guesses::default().settled(noon()), Guesses::default());
    }

    #[test]
    fn a_clock_set_back_keeps_the_wait_but_never_makes_it_longer() {
        let back = noon() - TimeDelta::days(3650);
        assert_eq!(after(5).verdict(back), Guess::Wait(back + TimeDelta::seconds(4)));
        assert_eq!(after(100).verdict(back), Guess::Locked(back + LOCK));
        let settled = after(5).settled(back);
        assert_eq!(settled.verdict(back + TimeDelta::seconds(4)), Guess::Allowed, "once stored, it runs out");
    }

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        let wait = after(5).verdict(noon());
        assert_eq!(wait.retry_after(at(1) + TimeDelta::milliseconds(1)), Some(3));
        assert_eq!(wait.retry_after(at(4) - TimeDelta::nanoseconds(1)), Some(1));
        assert_eq!(Guess::Allowed.retry_after(noon()), None);
    }

    #[test]
    fn a_person_reads_how_many_tries_are_left_and_how_long_to_wait() {
        let read = |failures| after(failures).sentence(noon());
        assert_eq!(read(1), "That password is not right. 2 tries left before a short wait.");
        assert_eq!(read(2), "That password is not right. 1 try left before a short wait.");
        assert_eq!(read(3), "That password is not right. Wait 1 second before the next try.");
        assert_eq!(read(5), "That password is not right. Wait 4 seconds before the next try.");
        assert_eq!(read(9), "That password is not right. Wait 64 seconds before the next try.");
        assert_eq!(read(10), "That password is not right. Wait 3 minutes before the next try.");
        assert_eq!(
            read(100),
            "That password is not right. Too many tries for this account. Try again in 24 hours, or ask an administrator."
        );
    }

    #[test]
    fn a_person_who_is_refused_unchecked_reads_when_to_come_back() {
        let refused = |failures, now: DateTime<Utc>| after(failures).verdict(now).sentence(now);
        let minutes = "Too many tries for this account. Try again in 12 minutes, or ask an administrator.";
        assert_eq!(refused(20, at(180)).as_deref(), Some(minutes));
        let seconds = "Too many tries for this account. Try again in 3 seconds, or ask an administrator.";
        assert_eq!(refused(5, at(1)).as_deref(), Some(seconds));
        assert_eq!(refused(5, at(4)), None);
    }

    #[test]
    fn every_spelling_of_an_address_has_one_key() {
        for spelling in [" Maria@Example.COM", "maria@example.com\n", "MARIA@EXAMPLE.COM", "\u{a0}maria@example.com"] {
            assert_eq!(account_key(spelling), "maria@example.com");
        }
        assert_eq!(account_key("ΟΔΥΣΣΕΥΣ@example.gr"), account_key("οδυσσευς@example.gr"));
        assert_eq!(account_key("MÜLLER@example.de"), account_key("müller@example.de"));
        assert_ne!(account_key("maria+a@example.com"), account_key("maria@example.com"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

        #[test]
        fn no_state_and_no_clock_gives_an_error_or_a_lock_longer_than_a_day(
            failures in any::<u32>(), last in any::<i64>(), now in -8_334_000_000_000_i64..8_210_000_000_000,
        ) {
            let last = DateTime::from_timestamp(last, 0).or(DateTime::from_timestamp(last % 8_000_000_000_000, 0));
            let now = DateTime::from_timestamp(now, 0).unwrap();
            let guesses = Guesses { failures, last_failure: last };
            let verdict = guesses.verdict(now);
            prop_assert!(verdict.retry_after(now).unwrap_or(0) <= 86_400);
            prop_assert!(guesses.after_failure(now).failures >= 1);
            prop_assert!(!guesses.sentence(now).is_empty());
            if let Guess::Wait(until) | Guess::Locked(until) = verdict {
                prop_assert!(until > now);
                prop_assert_eq!(guesses.settled(now).verdict(until), Guess::Allowed);
            }
        }

    }

    /// Letter by letter, as they are folded: what a text may hold is not left to chance.
    #[test]
    fn folding_twice_is_folding_once() {
        for letter in '\0'..=char::MAX {
            let key = account_key(&letter.to_string());
            assert_eq!(account_key(&key), key, "{letter:?}");
        }
    }
}
