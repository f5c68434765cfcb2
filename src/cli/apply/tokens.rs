//! The file's tokens against those that are there: by owner and name.

use std::collections::BTreeMap;

use chrono::DateTime;

use super::compare::{Planner, few};
use super::file;
use super::plan::{Act, Change, Deed};
use super::there::{Who, same_rights};
use crate::api::json::{NewToken, Token, TokenEdit};
use crate::cli::client::Failure;
use crate::cli::token::{Expiry, duration, now};
use crate::types::{Role, Stamp, Status};
use crate::when;

const NEVER: &str = "never";

/// One owner of tokens, and those that they have.
struct Held {
    /// `None` for a service account that is yet to be made.
    who: Option<Who>,
    role: Role,
    tokens: Vec<Token>,
    /// Names that the file has.
    named: Vec<String>,
    fresh: usize,
}

impl Planner<'_> {
    pub fn tokens(&mut self, prune: bool) -> Result<(), Failure> {
        let mut held: BTreeMap<String, Held> = BTreeMap::new();
        for entry in &self.file.tokens {
            let owner = entry.owner.as_ref().map_or_else(|| self.there.myself().name, |owner| owner.0.clone());
            if !held.contains_key(&owner) {
                match self.holds(&owner)? {
                    Some(found) => drop(held.insert(owner.clone(), found)),
                    None => {
                        self.problems.push(format!("token {}: there is no service account {owner}.", entry.name.0));
                        continue;
                    }
                }
            }
            let Some(of) = held.get_mut(&owner) else { continue };
            of.named.push(entry.name.0.clone());
            let what = format!("token {} of {owner}", entry.name.0);
            match of.tokens.iter().find(|token| token.name == entry.name.0) {
                Some(token) => self.known_token(entry, what, token, of.who.as_ref()),
                None => {
                    of.fresh += 1;
                    let role = of.role;
                    self.new_token(entry, what, &owner, role);
                }
            }
        }
        self.within_limits(&held);
        self.left(held, prune)
    }

    fn holds(&self, owner: &str) -> Result<Option<Held>, Failure> {
        let who = self.there.holder(owner)?;
        let entry = self.file.service_accounts.iter().find(|service| service.name.0 == owner);
        let Some(role) = entry.map(|entry| entry.role).or(who.as_ref().map(|who| who.role)) else { return Ok(None) };
        let tokens = who.as_ref().map(|who| self.there.tokens(who)).transpose()?.unwrap_or_default();
        Ok(Some(Held { who, role, tokens, named: Vec::new(), fresh: 0 }))
    }

    fn new_token(&mut self, entry: &file::Token, what: String, owner: &str, role: Role) {
        let scopes = entry.scopes.as_ref().map(|scopes| texts(scopes, |scope| &scope.0));
        let allow = entry.allow.as_ref().map(|allow| texts(allow, |resource| &resource.0));
        let nets = entry.ip_allow.as_ref().map(|nets| texts(nets, |net| &net.0));
        self.must_be_there(entry, &what);
        let (expires_at, lifetime_days) = match (&entry.lifetime, &entry.expires_at) {
            (Some(lifetime), _) if lifetime.0 == NEVER => (Some(None), None),
            (Some(lifetime), _) => duration(&lifetime.0).map(Expiry::after).map(|end| end.asked()).unwrap_or_default(),
            (_, Some(end)) => (Some(Some(end.0.clone()).filter(|end| end != NEVER)), None),
            _ => (None, None),
        };
        if let Some(problem) = self.too_long(role, &expires_at, lifetime_days) {
            self.problems.push(format!("{what}: {problem}"));
        }
        let end = match (&expires_at, lifetime_days) {
            (Some(end), _) => end.clone().unwrap_or_else(|| NEVER.into()),
            (None, Some(days)) => format!("in {days} days"),
            (None, None) => "as the policy proposes".into(),
        };
        let changes = [
            scopes.as_ref().map(|scopes| Change::fresh("scopes", scopes.join(", "))),
            entry.access_set.as_ref().map(|set| Change::fresh("access_set", set.0.clone())),
            allow.as_ref().map(|allow| Change::fresh("allow", allow.join(", "))),
            nets.as_ref().map(|nets| Change::fresh("ip_allow", nets.join(", "))),
            entry.rate_per_minute.flatten().map(|rate| Change::fresh("rate_per_minute", rate.to_string())),
            Some(Change::fresh("expires", end)),
            entry.enabled.filter(|is| !is).map(|_| Change::fresh("enabled", "false")),
        ];
        let token = NewToken {
            name: Some(entry.name.0.clone()),
            description: entry.description.clone(),
            owner: entry.owner.as_ref().map(|owner| owner.0.clone()),
            expires_at,
            lifetime_days,
            scopes,
            access_set: entry.access_set.as_ref().map(|set| set.0.clone()),
            allow,
            ip_allow: nets,
            rate_per_minute: entry.rate_per_minute.flatten(),
        };
        let is_enabled = entry.enabled.unwrap_or(true);
        let act = Act::Generate { token, owner: owner.to_owned(), is_enabled };
        self.settle(Deed::Create, what, changes.into_iter().flatten().collect(), act);
    }

    /// What a new token's methods and access set are to be.
    fn must_be_there(&mut self, entry: &file::Token, what: &str) {
        let scopes: Vec<&str> = entry.scopes.iter().flatten().map(|scope| scope.0.as_str()).collect();
        let services = entry.allow.iter().flatten().filter_map(|resource| resource.0.split_once(':'));
        let services: Vec<String> = services.map(|(service, _)| format!("{service}:*")).collect();
        self.must_know(what, &scopes);
        self.must_know(what, &services.iter().map(String::as_str).collect::<Vec<_>>());
        if let Some(set) = &entry.access_set {
            let is_new = self.file.apis.iter().flat_map(|api| &api.access_sets).any(|known| known.slug == *set);
            // Sets that come with a new API are not known before it is there.
            let comes =
                self.plan.steps.iter().any(|step| step.deed == Deed::Create && matches!(step.act, Act::Api { .. }));
            if !is_new && !comes && matches!(self.there.set(&set.0), Ok(None)) {
                self.problems.push(format!("{what}: there is no access set “{}”.", set.0));
            }
        }
    }

    /// Of an access set, as the file has it or else as it is.
    fn scopes_of(&self, slug: &str) -> Vec<String> {
        let mut written = self.file.apis.iter().flat_map(|api| &api.access_sets);
        match written.find(|set| set.slug.0 == slug) {
            Some(set) => texts(&set.scopes, |scope| &scope.0),
            None => self.there.set(slug).ok().flatten().map(|set| set.scopes.clone()).unwrap_or_default(),
        }
    }

    /// Whether the policy would refuse that life, whatever the day is.
    fn too_long(&self, role: Role, end: &Option<Option<String>>, days: Option<u32>) -> Option<String> {
        let since = Stamp::from(now());
        let end = match (end, days) {
            (Some(None), _) => None,
            (_, Some(days)) => Some(since.plus(chrono::TimeDelta::days(days.into()))),
            _ => return None,
        };
        self.policy.as_ref()?.must_allow(role, since, end).err().map(|refused| refused.to_string())
    }

    fn known_token(&mut self, entry: &file::Token, what: String, token: &Token, owner: Option<&Who>) {
        let mut changes = Vec::new();
        let mut edit = TokenEdit::default();
        if let Some(to) = entry.description.as_ref().filter(|to| to.trim() != token.description) {
            changes.push(Change::new("description", token.description.clone(), to.clone()));
            edit.description = Some(to.clone());
        }
        if let Some(to) = &entry.scopes {
            changes.extend(rights("scopes", &texts(to, |scope| &scope.0), &token.scopes, &mut edit.scopes));
        }
        // A token keeps what it got when it was generated with that set; another one gets what the set has today.
        if let Some(to) = entry.access_set.as_ref().filter(|to| Some(&to.0) != token.access_set.as_ref()) {
            let scopes = self.scopes_of(&to.0);
            changes.extend(rights("scopes", &scopes, &token.scopes, &mut edit.scopes));
        }
        if let Some(to) = &entry.allow {
            changes.extend(rights("allow", &texts(to, |resource| &resource.0), &token.allow, &mut edit.allow));
        }
        if let Some(to) = &entry.ip_allow {
            changes.extend(rights("ip_allow", &texts(to, |net| &net.0), &token.ip_allow, &mut edit.ip_allow));
        }
        if let Some(to) = entry.rate_per_minute.filter(|to| to.map(i64::from) != token.rate_per_minute) {
            let told = |rate: Option<i64>| rate.map_or_else(|| "no limit".to_owned(), |rate| rate.to_string());
            changes.push(Change::new("rate_per_minute", told(token.rate_per_minute), told(to.map(i64::from))));
            edit.rate_per_minute = Some(to);
        }
        if let Some(to) = entry.enabled.filter(|to| *to != token.enabled) {
            changes.push(Change::new("enabled", token.enabled.to_string(), to.to_string()));
            edit.enabled = Some(to);
        }
        let end = entry.expires_at.as_ref().filter(|to| ends_at(&to.0, owner) != token.expires_at);
        if token.status == Status::Expired {
            let id = &token.id;
            self.plan.notes.push(format!("{what} has expired. A new value: hallpass token regenerate {id} --ttl 30d"));
        } else if let Some(to) = end {
            let told = |end: Option<Stamp>| end.map_or_else(|| NEVER.to_owned(), Stamp::rfc3339);
            changes.push(Change::new("expires_at", told(token.expires_at), told(ends_at(&to.0, owner))));
            edit.expires_at = Some(Some(to.0.clone()).filter(|to| to != NEVER));
        }
        if edit.scopes.is_some() || edit.allow.is_some() {
            self.must_be_there(entry, &what);
        }
        self.settle(Deed::Edit, what, changes, Act::EditToken { id: token.id.clone(), edit });
    }

    /// So that a file is not stopped half-way by what can be counted before.
    fn within_limits(&mut self, held: &BTreeMap<String, Held>) {
        let Some(most) = self.policy.as_ref().map(|policy| policy.tokens_per_account as usize) else { return };
        for (owner, of) in held.iter().filter(|(_, of)| of.fresh > 0 && of.tokens.len() + of.fresh > most) {
            let (has, fresh) = (of.tokens.len(), of.fresh);
            self.problems.push(format!(
                "{owner} has {has} tokens and would have {}; the policy allows {most} (tokens_per_account).",
                has + fresh
            ));
        }
    }

    /// What is there and not in the file.
    fn left(&mut self, mut held: BTreeMap<String, Held>, prune: bool) -> Result<(), Failure> {
        for owner in &self.file.managed {
            if !held.contains_key(&owner.0) {
                match self.holds(&owner.0)? {
                    Some(found) => drop(held.insert(owner.0.clone(), found)),
                    None => self.problems.push(format!("managed: there is no service account {}.", owner.0)),
                }
            }
        }
        for (owner, of) in held {
            let is_managed = self.file.managed.iter().any(|managed| managed.0 == owner);
            // Not the token that is asking.
            let is_left = |token: &&Token| !of.named.contains(&token.name) && token.id != self.there.me.token.id;
            let others: Vec<&Token> = of.tokens.iter().filter(is_left).collect();
            if prune && is_managed {
                for token in others {
                    let act = Act::RemoveToken { id: token.id.clone() };
                    self.plan.push(Deed::Remove, format!("token {} of {owner}", token.name), Vec::new(), act);
                }
            } else if !others.is_empty() {
                let names: Vec<String> = others.iter().map(|token| token.name.clone()).collect();
                let word = if is_managed { " (--prune removes them)" } else { "" };
                self.plan.left.push(format!("{} tokens of {owner}: {}{word}", names.len(), few(&names)));
            }
        }
        Ok(())
    }
}

fn texts<T>(words: &[T], text: impl Fn(&T) -> &String) -> Vec<String> {
    words.iter().map(|word| text(word).clone()).collect()
}

fn rights(field: &str, to: &[String], was: &[String], edit: &mut Option<Vec<String>>) -> Option<Change> {
    let written: Vec<&str> = to.iter().map(String::as_str).collect();
    if same_rights(&written, was) {
        return None;
    }
    *edit = Some(to.to_vec());
    Some(Change::new(field, was.join(", "), to.join(", ")))
}

/// A day means the end of it where the owner lives.
fn ends_at(typed: &str, owner: Option<&Who>) -> Option<Stamp> {
    if let Ok(instant) = DateTime::parse_from_rfc3339(typed) {
        return Some(Stamp::from(instant.to_utc()));
    }
    let zone = owner.map_or(when::Zone::UTC, |who| who.zone);
    when::parse_day(typed).ok().map(|day| Stamp::from(when::end_of_day(day, zone)))
}
