//! The policy as typed: one text for each field of the page, and back.

use std::collections::BTreeMap;

use super::{Confirm, Policy};
use crate::error::{Error, Problem, Result};
use crate::types::{Extender, Role};

/// The field of each role's own limit.
pub const OF_ROLES: &[(Role, &str)] = &[
    (Role::Viewer, "max_lifetime_viewer"),
    (Role::TokenCreator, "max_lifetime_token_creator"),
    (Role::Contributor, "max_lifetime_contributor"),
    (Role::Admin, "max_lifetime_admin"),
    (Role::Owner, "max_lifetime_owner"),
];

const OTHERS: [&str; 14] = [
    "default_lifetime",
    "max_lifetime",
    "allow_never",
    "extend_expiry",
    "confirm",
    "confirm_minutes",
    "max_grace",
    "tokens_per_account",
    "token_api",
    "session_idle",
    "session_lifetime",
    "password_min",
    "expiring_notice",
    "value_in_query",
];

/// What the form proposes where a window is chosen for the first time, in minutes.
const USUAL_WINDOW: u32 = 15;

/// A field that is not in it did not come.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Draft(BTreeMap<&'static str, String>);

impl Draft {
    /// The policy as its form shows it.
    pub fn of(policy: &Policy) -> Draft {
        let switch = |on: bool| if on { "on" } else { "off" }.to_owned();
        let (confirm, minutes) = match policy.confirm {
            Confirm::Always => ("always", USUAL_WINDOW),
            Confirm::Within(minutes) => ("window", minutes),
        };
        let notice: Vec<String> = policy.expiring_notice.iter().map(u32::to_string).collect();
        let mut fields = BTreeMap::from([
            ("default_lifetime", policy.default_lifetime.to_string()),
            ("max_lifetime", policy.max_lifetime.to_string()),
            ("allow_never", switch(policy.allow_never)),
            ("extend_expiry", policy.extend_expiry.as_str().to_owned()),
            ("confirm", confirm.to_owned()),
            ("confirm_minutes", minutes.to_string()),
            ("max_grace", policy.max_grace.to_string()),
            ("tokens_per_account", policy.tokens_per_account.to_string()),
            ("token_api", switch(policy.token_api)),
            ("session_idle", span(policy.session_idle)),
            ("session_lifetime", span(policy.session_lifetime)),
            ("password_min", policy.password_min.to_string()),
            ("expiring_notice", notice.join(", ")),
            ("value_in_query", switch(policy.value_in_query)),
        ]);
        for (role, field) in OF_ROLES {
            let own = policy.max_lifetime_by_role.get(role).map(u32::to_string);
            fields.insert(field, own.unwrap_or_default());
        }
        Draft(fields)
    }

    /// As it was posted; `posted` answers a field's text, `None` where it did not come.
    pub fn posted(posted: impl Fn(&str) -> Option<String>) -> Draft {
        let names = OTHERS.iter().chain(OF_ROLES.iter().map(|(_, field)| field));
        Draft(names.filter_map(|name| Some((*name, posted(name)?.trim().to_owned()))).collect())
    }

    pub fn text(&self, field: &str) -> &str {
        self.0.get(field).map_or("", String::as_str)
    }

    /// What was typed, on top of what somebody else saved meanwhile: a field that was left as it was on the page takes theirs.
    pub fn over(&self, on_the_page: &Policy, now: &Policy) -> Draft {
        let (was, is) = (Draft::of(on_the_page), Draft::of(now));
        let mine = |name: &&'static str| self.0.get(name).filter(|typed| **typed != was.text(name));
        let merged = is.0.iter().map(|(name, theirs)| (*name, mine(name).unwrap_or(theirs).clone()));
        Draft(merged.collect())
    }

    /// The policy, or every problem, each at its field.
    pub fn check(&self) -> Result<Policy> {
        let mut reader = Reader { draft: self, problems: Vec::new() };
        let policy = Policy {
            default_lifetime: reader.number("default_lifetime", "days", 1),
            max_lifetime: reader.number("max_lifetime", "days", 36_500),
            max_lifetime_by_role: reader.of_roles(),
            allow_never: reader.switch("allow_never"),
            extend_expiry: reader.word("extend_expiry", Extender::parse).unwrap_or(Extender::Admin),
            confirm: reader.confirm(),
            max_grace: reader.number("max_grace", "days", 1),
            tokens_per_account: reader.number("tokens_per_account", "tokens", 1),
            token_api: reader.switch("token_api"),
            session_idle: reader.span("session_idle", 300),
            session_lifetime: reader.span("session_lifetime", 366 * 86_400),
            password_min: reader.number("password_min", "characters", 15) as usize,
            expiring_notice: reader.notice(),
            value_in_query: reader.switch("value_in_query"),
        };
        let mut problems = reader.problems;
        if let Err(Error::Invalid(more)) = policy.check() {
            let told: Vec<&str> = problems.iter().map(|problem| problem.field).collect();
            let more: Vec<Problem> = more.into_iter().filter(|problem| !told.contains(&problem.field)).collect();
            problems.extend(more);
        }
        if problems.is_empty() { Ok(policy) } else { Err(Error::Invalid(problems)) }
    }
}

/// Reads field by field and gathers what cannot be read. What it answers then contradicts no other field.
struct Reader<'a> {
    draft: &'a Draft,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn wrong(&mut self, field: &'static str, sentence: impl Into<String>) {
        self.problems.push(Problem { field, sentence: sentence.into() });
    }

    /// The text of a field, or a problem where it did not come.
    fn came(&mut self, field: &'static str) -> Option<String> {
        let text = self.draft.0.get(field).cloned();
        if text.is_none() {
            self.wrong(field, "This field did not come with the form. Open the page again.");
        }
        text
    }

    fn number(&mut self, field: &'static str, of: &str, instead: u32) -> u32 {
        let Some(text) = self.came(field) else { return instead };
        number(&text).unwrap_or_else(|| {
            let usual = Draft::of(&Policy::default());
            self.wrong(field, format!("Type a whole number of {of}, such as {}.", usual.text(field)));
            instead
        })
    }

    fn of_roles(&mut self) -> BTreeMap<Role, u32> {
        let mut limits = BTreeMap::new();
        for (role, field) in OF_ROLES {
            match self.came(field) {
                None => {}
                Some(text) if text.is_empty() => {}
                Some(text) => match number(&text) {
                    Some(days) => drop(limits.insert(*role, days)),
                    None => self.wrong(field, "Type a whole number of days, or nothing."),
                },
            }
        }
        limits
    }

    fn switch(&mut self, field: &'static str) -> bool {
        self.word(field, |word| match word {
            "on" => Some(true),
            "off" => Some(false),
            _ => None,
        })
        .unwrap_or(false)
    }

    fn word<T>(&mut self, field: &'static str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let read = parse(&self.came(field)?);
        if read.is_none() {
            self.wrong(field, "Choose one of the answers that the form has.");
        }
        read
    }

    fn confirm(&mut self) -> Confirm {
        match self.came("confirm").as_deref() {
            Some("always") => Confirm::Always,
            Some("window") => Confirm::Within(self.number("confirm_minutes", "minutes", 1)),
            Some(_) => {
                self.wrong("confirm", "Choose one of the answers that the form has.");
                Confirm::Always
            }
            None => Confirm::Always,
        }
    }

    fn span(&mut self, field: &'static str, instead: u32) -> u32 {
        let Some(text) = self.came(field) else { return instead };
        seconds(&text).unwrap_or_else(|| {
            self.wrong(field, "Type a time such as 30m, 1h or 24h.");
            instead
        })
    }

    /// Largest first, each once.
    fn notice(&mut self) -> Vec<u32> {
        let field = "expiring_notice";
        let Some(text) = self.came(field) else { return vec![1] };
        let parts = text.split([',', ';', ' ']).filter(|part| !part.is_empty());
        let Some(mut days) = parts.map(number).collect::<Option<Vec<u32>>>() else {
            self.wrong(field, "Type whole numbers of days with commas between them, such as 14, 7, 1.");
            return vec![1];
        };
        days.sort_by(|one, other| other.cmp(one));
        days.dedup();
        days
    }
}

/// Digits alone; what is too large for any setting is the largest number, and refused by its range.
fn number(text: &str) -> Option<u32> {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| text.parse().unwrap_or(u32::MAX))
}

/// `90m`, `1h`, `7d`, `45s`; without a letter in seconds, as the settings file has it.
fn seconds(text: &str) -> Option<u32> {
    let (digits, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let unit = match unit.trim() {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    Some(number(digits)?.saturating_mul(unit))
}

/// In the largest unit that needs no fraction, days aside: `24h` reads as the contract has it.
fn span(seconds: u32) -> String {
    match seconds {
        s if s % 3600 == 0 => format!("{}h", s / 3600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(field: &'static str, text: &str) -> Draft {
        let mut draft = Draft::of(&Policy::default());
        draft.0.insert(field, text.to_owned());
        draft
    }

    #[test]
    fn what_the_form_shows_is_read_as_the_same_policy() {
        let mut policy = Policy { confirm: Confirm::Within(20), session_idle: 5400, ..Policy::default() };
        assert_eq!(Draft::of(&policy).check().unwrap(), policy);
        policy.max_lifetime_by_role.insert(Role::TokenCreator, 30);
        policy = Policy { allow_never: true, token_api: false, session_idle: 301, expiring_notice: vec![3], ..policy };
        assert_eq!(Draft::of(&policy).check().unwrap(), policy);
    }

    #[test]
    fn whatever_is_no_number_is_told_at_its_field() {
        for field in
            ["default_lifetime", "max_lifetime", "max_grace", "tokens_per_account", "session_idle", "password_min"]
        {
            for typed in ["", "-1", "+5", "1.5", "1e3", "many", "9 0", "٣", "1000000000000", "99999999999999999999"] {
                let Err(Error::Invalid(problems)) = with(field, typed).check() else { panic!("{field} {typed}") };
                assert!(problems.iter().any(|problem| problem.field == field), "{field} {typed} {problems:?}");
            }
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let mut draft = with("max_lifetime", "many");
        draft.0.extend([
            ("password_min", "3".into()),
            ("max_lifetime_admin", "0".into()),
            ("session_idle", "x".into()),
        ]);
        let Err(Error::Invalid(problems)) = draft.check() else { panic!() };
        let mut fields: Vec<&str> = problems.iter().map(|problem| problem.field).collect();
        fields.sort_unstable();
        assert_eq!(fields, ["max_lifetime", "max_lifetime_admin", "password_min", "session_idle"]);
    }

    #[test]
    fn every_field_that_did_not_come_is_told() {
        let Err(Error::Invalid(problems)) = Draft::default().check() else { panic!() };
        let missing: std::collections::BTreeSet<&str> = problems.iter().map(|problem| problem.field).collect();
        let minutes_only_with_a_window = OTHERS.len() + OF_ROLES.len() - 1;
        assert_eq!(missing.len(), minutes_only_with_a_window);
    }

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        let read = ["1h", "90m", "90 min", "3600", "45s", "2d"].map(seconds);
        assert_eq!(read, [3600, 5400, 5400, 3600, 45, 172_800].map(Some));
        assert_eq!(["h", "1w", "1h30m", "", "-1h"].map(seconds), [None; 5]);
        assert_eq!([3600, 5400, 86_400, 61].map(span), ["1h", "90m", "24h", "61s"]);
    }

    #[test]
    fn what_one_left_alone_takes_what_somebody_else_saved() {
        let (was, theirs) = (Policy::default(), Policy { max_grace: 1, password_min: 20, ..Policy::default() });
        let mine = with("max_grace", "3").over(&was, &theirs).check().unwrap();
        assert_eq!((mine.max_grace, mine.password_min), (3, 20));
    }

    #[test]
    fn notices_are_sorted_and_each_is_there_once() {
        assert_eq!(with("expiring_notice", "1,14; 7 7").check().unwrap().expiring_notice, [14, 7, 1]);
    }
}
