//! The operator's limits (product contract, section 4), from the settings file until somebody saves them on the page, and from
//! the database from then on; each has the default of the contract.

use chrono::TimeDelta;
use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::db::Conn;
use crate::error::{Error, Result};
use crate::schema::settings;
use crate::types::{Extender, Role};

/// The row of `settings` that holds a saved policy, as JSON.
const ROW: &str = "policy";

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Days; what the generate form proposes.
    pub default_lifetime: u32,
    /// Days, counted from generation.
    pub max_lifetime: u32,
    /// Days, for single roles; counts where it is lower than `max_lifetime`.
    pub max_lifetime_by_role: std::collections::BTreeMap<Role, u32>,
    /// Whether a token may have no expiry.
    pub allow_never: bool,
    /// Who may move a token's expiry further away; everybody may bring it nearer.
    pub extend_expiry: Extender,
    /// Days for which a former value may be kept.
    pub max_grace: u32,
    pub tokens_per_account: u32,
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

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            default_lifetime: 90,
            max_lifetime: 365,
            max_lifetime_by_role: Default::default(),
            allow_never: false,
            extend_expiry: Extender::Owner,
            max_grace: 7,
            tokens_per_account: 50,
            session_idle: 60 * 60,
            session_lifetime: 24 * 60 * 60,
            password_min: 15,
            expiring_notice: vec![14, 7, 1],
            value_in_query: false,
        }
    }
}

/// A policy as it was saved, with the version of that change: of two, the one with the higher version counts.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Saved {
    pub version: i64,
    pub policy: Policy,
}

impl Saved {
    /// What anybody has saved; `None` as long as the settings file counts.
    pub fn load(conn: &mut Conn) -> Result<Option<Saved>> {
        let row: Option<String> = settings::table.find(ROW).select(settings::value).first(conn).optional()?;
        row.map(|json| serde_json::from_str(&json).map_err(Error::internal)).transpose()
    }

    /// Writes the one row. The version is the transaction's own: whoever follows the database reads it again.
    pub fn store(&self, conn: &mut Conn) -> Result<()> {
        let json = serde_json::to_string(self).map_err(Error::internal)?;
        let present = diesel::update(settings::table.find(ROW)).set(settings::value.eq(&json)).execute(conn)?;
        if present == 0 {
            let row = (settings::name.eq(ROW), settings::value.eq(&json));
            diesel::insert_into(settings::table).values(row).execute(conn)?;
        }
        Ok(())
    }
}

impl Policy {
    /// Refuses settings that contradict each other, in one sentence.
    pub fn check(&self) -> std::result::Result<(), String> {
        if self.max_lifetime == 0 || self.max_lifetime > 36_500 {
            return Err("policy.max_lifetime has to be between 1 and 36500 days.".into());
        }
        if self.default_lifetime == 0 || self.default_lifetime > self.max_lifetime {
            return Err(format!(
                "policy.default_lifetime is {} days, but it has to be between 1 and policy.max_lifetime, {}.",
                self.default_lifetime, self.max_lifetime
            ));
        }
        if self.max_grace > 365 {
            return Err("policy.max_grace has to be between 0 and 365 days.".into());
        }
        if self.tokens_per_account == 0 {
            return Err("policy.tokens_per_account has to be at least 1.".into());
        }
        if self.session_idle == 0 || self.session_idle > self.session_lifetime {
            return Err("policy.session_idle has to be between 1 second and policy.session_lifetime.".into());
        }
        if !(8..=128).contains(&self.password_min) {
            return Err("policy.password_min has to be between 8 and 128 characters.".into());
        }
        Ok(())
    }

    /// Days that a token of an account with that role may live.
    pub fn max_days(&self, role: Role) -> u32 {
        self.max_lifetime_by_role.get(&role).copied().unwrap_or(self.max_lifetime).min(self.max_lifetime)
    }

    /// Days that the form proposes to that role.
    pub fn default_days(&self, role: Role) -> u32 {
        self.default_lifetime.min(self.max_days(role))
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
        assert_eq!(Policy::default().check(), Ok(()));
    }

    #[test]
    fn a_default_lifetime_over_the_greatest_is_refused() {
        let wrong = Policy { default_lifetime: 400, ..Policy::default() };
        assert!(wrong.check().unwrap_err().contains("400 days"));
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
}
