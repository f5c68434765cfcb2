//! The operator's limits (product contract, section 4), from the settings file until somebody saves them on the page, and from
//! the database from then on; each has the default of the contract.

mod draft;
mod saved;

use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

pub use draft::{Draft, OF_ROLES};
pub use saved::Saved;

use crate::error::{Error, Problem, Result};
use crate::types::{Extender, Role, Stamp};
use crate::when;

/// What a token may live over its days: the rest of its last day, in whatever zone and over whatever change of clocks.
pub const LAST_DAY: TimeDelta = TimeDelta::hours(26);

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Days; what the generate form proposes.
    pub default_lifetime: u32,
    /// Days, counted from generation.
    pub max_lifetime: u32,
    /// Days, for single roles; counts where it is lower than `max_lifetime`.
    pub max_lifetime_by_role: BTreeMap<Role, u32>,
    /// Whether a token may have no expiry.
    pub allow_never: bool,
    /// Who may move a token's expiry further away; everybody may bring it nearer.
    pub extend_expiry: Extender,
    /// When a change asks for the password.
    pub confirm: Confirm,
    /// Days for which a former value may be kept.
    pub max_grace: u32,
    pub tokens_per_account: u32,
    /// Whether the token routes of the REST API are there.
    pub token_api: bool,
    /// Seconds without a request after which a session ends.
    pub session_idle: u32,
    /// Seconds after sign-in at which a session ends in any case.
    pub session_lifetime: u32,
    /// Characters.
    pub password_min: usize,
    /// Days before expiry at which a token counts as expiring: the largest.
    pub expiring_notice: Vec<u32>,
    /// Whether `/verify` accepts `?access_token=` and `?session=`.
    pub value_in_query: bool,
}

/// `"always"`, or a number of minutes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Confirm {
    Always,
    /// Minutes for which a password given in the same session is enough.
    Within(u32),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Word(String),
    Minutes(u32),
}

impl TryFrom<Written> for Confirm {
    type Error = String;

    fn try_from(written: Written) -> std::result::Result<Confirm, String> {
        match written {
            Written::Word(word) if word == "always" => Ok(Confirm::Always),
            Written::Minutes(minutes) => Ok(Confirm::Within(minutes)),
            Written::Word(word) => Err(format!("confirm is “{word}”, but it has to be \"always\" or minutes")),
        }
    }
}

impl From<Confirm> for Written {
    fn from(confirm: Confirm) -> Written {
        match confirm {
            Confirm::Always => Written::Word("always".into()),
            Confirm::Within(minutes) => Written::Minutes(minutes),
        }
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            default_lifetime: 90,
            max_lifetime: 365,
            max_lifetime_by_role: BTreeMap::new(),
            allow_never: false,
            extend_expiry: Extender::Owner,
            confirm: Confirm::Always,
            max_grace: 7,
            tokens_per_account: 50,
            token_api: true,
            session_idle: 60 * 60,
            session_lifetime: 24 * 60 * 60,
            password_min: 15,
            expiring_notice: vec![14, 7, 1],
            value_in_query: false,
        }
    }
}

impl Policy {
    /// Refuses settings that no program could keep or that contradict each other: all problems at once, each at its field.
    pub fn check(&self) -> Result<()> {
        let mut problems = Vec::new();
        let mut demand = |field, holds: bool, sentence: &str| {
            if !holds {
                problems.push(Problem { field, sentence: sentence.to_owned() });
            }
        };
        let most = self.max_lifetime;
        let days = |n: u32| when::count(n.into(), "day");
        demand("max_lifetime", (1..=36_500).contains(&most), "This is a whole number of days from 1 to 36,500.");
        demand("default_lifetime", self.default_lifetime > 0, "This is a whole number of days, 1 or more.");
        let sentence =
            format!("{} is more than the longest lifetime, {}. Lower it.", days(self.default_lifetime), days(most));
        demand("default_lifetime", self.default_lifetime <= most, &sentence);
        for (role, field) in OF_ROLES {
            let own = self.max_lifetime_by_role.get(role).copied().unwrap_or(1);
            let sentence = format!("This is a whole number of days from 1 to the longest lifetime, {}.", days(most));
            demand(field, (1..=most.max(1)).contains(&own), &sentence);
        }
        let within = |minutes| (1..=24 * 60).contains(&minutes);
        let holds = !matches!(self.confirm, Confirm::Within(minutes) if !within(minutes));
        demand("confirm_minutes", holds, "This is a whole number of minutes from 1 to 1,440.");
        demand("max_grace", self.max_grace <= 365, "This is a whole number of days from 0 to 365.");
        let tokens = (1..=1_000_000).contains(&self.tokens_per_account);
        demand("tokens_per_account", tokens, "This is a whole number from 1 to 1,000,000.");
        // A session's last use is written once a minute: a shorter idle time would end sessions that are in use.
        let idle = (5 * 60..=366 * 86_400).contains(&self.session_idle);
        demand("session_idle", idle, "This is a time from 5 minutes to 366 days.");
        let lifetime = (5 * 60..=366 * 86_400).contains(&self.session_lifetime);
        demand("session_lifetime", lifetime, "This is a time from 5 minutes to 366 days.");
        let sentence =
            "A session cannot end by itself later than it ends in any case. Lower this, or raise the longest session.";
        demand("session_idle", !idle || !lifetime || self.session_idle <= self.session_lifetime, sentence);
        let password = (8..=128).contains(&self.password_min);
        demand("password_min", password, "This is a whole number of characters from 8 to 128.");
        let notice = (1..=10).contains(&self.expiring_notice.len())
            && self.expiring_notice.iter().all(|days| (1..=365).contains(days));
        demand("expiring_notice", notice, "These are up to ten whole numbers of days from 1 to 365, such as 14, 7, 1.");
        if problems.is_empty() { Ok(()) } else { Err(Error::Invalid(problems)) }
    }

    /// Days that a token of an account with that role may live.
    pub fn max_days(&self, role: Role) -> u32 {
        self.max_lifetime_by_role.get(&role).copied().unwrap_or(self.max_lifetime).min(self.max_lifetime)
    }

    /// Days that the form proposes to that role.
    pub fn default_days(&self, role: Role) -> u32 {
        self.default_lifetime.min(self.max_days(role))
    }

    /// Refuses an end (`None` is never) of a value that is generated at `since`. Forms judge by whole days in the person's
    /// zone; this holds at the change itself, where the policy may be another than when the form was filled in.
    pub fn must_allow(&self, role: Role, since: Stamp, end: Option<Stamp>) -> Result<()> {
        let most = self.max_days(role);
        let sentence = match end {
            end if self.allows(role, since, end) => return Ok(()),
            None => "The policy does not allow tokens without an expiry. Choose a date.".to_owned(),
            Some(_) => format!("The policy allows up to {}. Choose an earlier day.", when::span_of(most)),
        };
        Err(Error::invalid("expires_at", sentence))
    }

    /// [`Policy::must_allow`] without the sentence.
    pub fn allows(&self, role: Role, since: Stamp, end: Option<Stamp>) -> bool {
        let last = since.plus(TimeDelta::days(self.max_days(role).into()) + LAST_DAY);
        end.map_or(self.allow_never, |end| end <= last)
    }

    /// Where it is switched off, the token routes of the REST API are not there.
    pub fn must_have_token_api(&self) -> Result<()> {
        if self.token_api { Ok(()) } else { Err(Error::Missing) }
    }

    /// How long a former value may be kept.
    pub fn grace(&self) -> TimeDelta {
        TimeDelta::days(self.max_grace.into())
    }

    /// From when on a token counts as expiring.
    pub fn notice(&self) -> TimeDelta {
        TimeDelta::days(self.expiring_notice.iter().copied().max().unwrap_or(14).into())
    }

    pub fn idle(&self) -> TimeDelta {
        TimeDelta::seconds(self.session_idle.into())
    }

    pub fn lifetime(&self) -> TimeDelta {
        TimeDelta::seconds(self.session_lifetime.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_agree_with_each_other() {
        assert!(Policy::default().check().is_ok());
    }

    #[test]
    fn each_setting_that_cannot_be_is_told_at_its_field() {
        let usual = Policy::default;
        let one = |role, days| BTreeMap::from([(role, days)]);
        for (wrong, field) in [
            (Policy { default_lifetime: 400, ..usual() }, "default_lifetime"),
            (Policy { default_lifetime: 0, ..usual() }, "default_lifetime"),
            (Policy { max_lifetime: 36_501, ..usual() }, "max_lifetime"),
            (Policy { max_lifetime_by_role: one(Role::Admin, 0), ..usual() }, "max_lifetime_admin"),
            (Policy { max_lifetime_by_role: one(Role::Viewer, 366), ..usual() }, "max_lifetime_viewer"),
            (Policy { confirm: Confirm::Within(0), ..usual() }, "confirm_minutes"),
            (Policy { confirm: Confirm::Within(1441), ..usual() }, "confirm_minutes"),
            (Policy { max_grace: 366, ..usual() }, "max_grace"),
            (Policy { tokens_per_account: 0, ..usual() }, "tokens_per_account"),
            (Policy { session_idle: 299, ..usual() }, "session_idle"),
            (Policy { session_idle: 86_401, ..usual() }, "session_idle"),
            (Policy { session_lifetime: u32::MAX, ..usual() }, "session_lifetime"),
            (Policy { password_min: 7, ..usual() }, "password_min"),
            (Policy { password_min: 129, ..usual() }, "password_min"),
            (Policy { expiring_notice: vec![], ..usual() }, "expiring_notice"),
            (Policy { expiring_notice: vec![14, 0], ..usual() }, "expiring_notice"),
        ] {
            let Err(Error::Invalid(problems)) = wrong.check() else { panic!("{field}") };
            assert_eq!(problems.iter().map(|problem| problem.field).collect::<Vec<_>>(), [field], "{problems:?}");
        }
    }

    #[test]
    fn a_role_can_only_have_a_lower_limit() {
        let mut policy = Policy::default();
        policy.max_lifetime_by_role.insert(Role::Contributor, 30);
        policy.max_lifetime_by_role.insert(Role::Owner, 1000);
        assert_eq!(
            (policy.max_days(Role::Contributor), policy.max_days(Role::Owner), policy.max_days(Role::Viewer)),
            (30, 365, 365)
        );
        assert_eq!(policy.default_days(Role::Contributor), 30);
    }

    #[test]
    fn confirm_is_a_word_or_minutes_in_every_text() {
        let read = |text: &str| serde_json::from_str::<Confirm>(text);
        assert_eq!(read("\"always\"").unwrap(), Confirm::Always);
        assert_eq!(read("15").unwrap(), Confirm::Within(15));
        assert!(read("\"never\"").is_err() && read("-1").is_err() && read("true").is_err());
        assert_eq!(serde_json::to_string(&[Confirm::Always, Confirm::Within(15)]).unwrap(), "[\"always\",15]");
    }
}
