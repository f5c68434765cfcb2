//! The file against what is there: policy, APIs with their access sets, teams, service accounts. Tokens are in a file beside.

use std::path::Path;

use serde_json::{Map, Value};

use super::file::{self, File};
use super::plan::{Act, Change, Deed, Holder, Join, Plan, Step};
use super::there::{Known, There, Who, same_rights};
use crate::api::json::{
    Imported, NewService, NewSet, NewTeam, Options, Service, ServiceEdit, ServiceOwner, Set, Team, TeamEdit,
};
use crate::catalogue::options::ApiOptions;
use crate::cli::api::read as read_description;
use crate::cli::client::{Exit, Failure};
use crate::policy::Policy;
use crate::types::TeamRole;

pub struct Planner<'a> {
    pub there: &'a There<'a>,
    pub file: &'a File,
    pub folder: &'a Path,
    pub plan: Plan,
    /// Entries that cannot be made, in words.
    pub problems: Vec<String>,
    /// As it will be; `None` where whoever applies the file may not see it.
    pub policy: Option<Policy>,
    /// As they will be.
    pub known: Option<Known>,
    /// What is done when all else is.
    pub last: Vec<Step>,
}

/// Reads what is there and compares; nothing is changed.
pub fn plan(there: &There<'_>, file: &File, folder: &Path, prune: bool) -> Result<Plan, Failure> {
    if prune && file.managed.is_empty() {
        let sentence = "The file says of no owner that it manages their tokens, so that there is nothing to prune. \
            Name them under managed.";
        return Err(sentence.to_owned().into());
    }
    let is_of_methods = !file.tokens.is_empty() || file.apis.iter().any(|api| !api.access_sets.is_empty());
    let known = if is_of_methods { there.methods()? } else { None };
    let (plan, problems, last) = (Plan::default(), Vec::new(), Vec::new());
    let mut planner = Planner { there, file, folder, plan, problems, policy: None, known, last };
    planner.policy()?;
    planner.apis()?;
    planner.teams()?;
    planner.services()?;
    planner.tokens(prune)?;
    if !planner.problems.is_empty() {
        let told = planner.problems.join("\n");
        return Err(format!("{told}\nNothing was changed.").into());
    }
    planner.plan.steps.append(&mut planner.last);
    Ok(planner.plan)
}

impl Planner<'_> {
    fn policy(&mut self) -> Result<(), Failure> {
        let is_said = !self.file.policy.is_empty();
        if !is_said && self.file.tokens.is_empty() {
            return Ok(());
        }
        let present: Map<String, Value> = match self.there.client.get("/api/v1/policy") {
            Ok(present) => present,
            // Whoever may not see it is told by each refusal instead.
            Err(failure) if matches!(failure.exit, Exit::Forbidden | Exit::Missing) && !is_said => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let mut wished = present.clone();
        wished.extend(self.file.policy.iter().map(|(name, to)| (name.0.clone(), to.clone())));
        let wrong = |cause: &dyn std::fmt::Display| Failure::from(format!("policy: {cause}"));
        let policy: Policy = serde_json::from_value(wished.into()).map_err(|cause| wrong(&cause))?;
        policy.check().map_err(|problems| wrong(&problems))?;
        let becomes = serde_json::to_value(&policy).unwrap_or_default();
        let mut changes = Vec::new();
        let mut settings = Map::new();
        for name in self.file.policy.keys() {
            let (was, to) = (present.get(&name.0), becomes.get(&name.0));
            if let Some(to) = to.filter(|to| was != Some(*to)) {
                changes.push(Change::new(
                    name.0.clone(),
                    was.map(Value::to_string).unwrap_or_default(),
                    to.to_string(),
                ));
                settings.insert(name.0.clone(), to.clone());
            }
        }
        self.policy = Some(policy);
        if is_said {
            self.settle(Deed::Edit, "the policy".into(), changes, Act::Policy(settings));
        }
        Ok(())
    }

    /// A step, unless there is nothing to change.
    pub fn settle(&mut self, deed: Deed, what: String, changes: Vec<Change>, act: Act) {
        match deed == Deed::Edit && changes.is_empty() {
            true => self.plan.same += 1,
            false => self.plan.steps.push(Step { deed, what, changes, act }),
        }
    }

    fn apis(&mut self) -> Result<(), Failure> {
        for entry in &self.file.apis {
            let slug = &entry.slug.0;
            let present = self.there.api(slug)?;
            let text = entry.description.as_ref().map(|from| self.description(&from.0)).transpose()?;
            if present.is_none() && text.is_none() {
                self.problems.push(format!("apis: {slug} is not there yet: name its description."));
                continue;
            }
            let mut changes = Vec::new();
            let mut description = None;
            if let Some(text) = text {
                let path = format!("/api/v1/apis/{slug}?dry_run=true");
                let imported: Imported = self.there.client.put_document(&path, &text).map_err(|failure| Failure {
                    sentence: format!("apis: {slug}: {}", failure.sentence),
                    ..failure
                })?;
                if let Some(known) = &mut self.known {
                    known.change(slug, &imported.added, &imported.removed);
                }
                if !imported.same {
                    changes.push(Change::fresh("description", difference(&imported)));
                    description = Some(text);
                }
            }
            let was = present.map(|api| api.options.clone().over(ApiOptions::default())).unwrap_or_default();
            let options = entry.options.clone().filter(|options| options.clone().over(was.clone()) != was);
            if let Some(options) = &options {
                changes.extend(settings(&Options::of(&was), &Options::of(&options.clone().over(was.clone()))));
            }
            let deed = if present.is_none() { Deed::Create } else { Deed::Edit };
            self.settle(deed, format!("API {slug}"), changes, Act::Api { slug: slug.clone(), description, options });
            for set in &entry.access_sets {
                self.set(slug, set)?;
            }
        }
        Ok(())
    }

    fn description(&self, from: &str) -> Result<Vec<u8>, Failure> {
        let is_elsewhere = from.starts_with("https://") || from.starts_with("http://");
        let place = if is_elsewhere { from.to_owned() } else { self.folder.join(from).to_string_lossy().into_owned() };
        read_description(&place).map_err(Failure::from)
    }

    fn set(&mut self, api: &str, entry: &file::Set) -> Result<(), Failure> {
        let what = format!("access set {} of {api}", entry.slug.0);
        let scopes: Vec<&str> = entry.scopes.iter().map(|scope| scope.0.as_str()).collect();
        self.must_know(&what, &scopes);
        let present = self.there.set(&entry.slug.0)?;
        let mut changes = Vec::new();
        if let Some(Set { name, description, scopes: had, least_role, .. }) = present {
            let given = entry.description.as_ref().unwrap_or(description);
            let role = entry.least_role.unwrap_or(*least_role);
            let texts = [("name", name, &entry.name.0), ("description", description, given)];
            let texts = texts.into_iter().filter(|(_, was, to)| was.trim() != to.trim());
            changes.extend(texts.map(|(field, was, to)| Change::new(field, was, to)));
            if !same_rights(&scopes, had) {
                changes.push(Change::new("scopes", had.join(", "), scopes.join(", ")));
            }
            if role != *least_role {
                changes.push(Change::new("least_role", least_role.to_string(), role.to_string()));
            }
        } else {
            changes.push(Change::fresh("scopes", scopes.join(", ")));
        }
        let set = NewSet {
            api: api.to_owned(),
            name: entry.name.0.clone(),
            description: entry.description.clone().or_else(|| present.map(|set| set.description.clone())),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            least_role: entry.least_role.or_else(|| present.map(|set| set.least_role)),
        };
        let deed = if present.is_none() { Deed::Create } else { Deed::Edit };
        self.settle(deed, what, changes, Act::SaveSet { slug: entry.slug.0.clone(), set });
        Ok(())
    }

    /// Of the scopes that nothing stands under, a problem each.
    pub fn must_know(&mut self, what: &str, scopes: &[&str]) {
        let Some(known) = &self.known else { return };
        let unknown = scopes.iter().filter(|scope| !known.has(scope));
        self.problems.extend(unknown.map(|scope| format!("{what}: there is no method or service “{scope}”.")));
    }

    fn teams(&mut self) -> Result<(), Failure> {
        for entry in &self.file.teams {
            let what = format!("team {}", entry.name.0);
            let of = |emails: &[file::Email], role| -> Result<Vec<(Who, TeamRole)>, Failure> {
                emails.iter().map(|email| Ok((self.there.person(&email.0)?, role))).collect()
            };
            let (managers, members) = (of(&entry.managers, TeamRole::Manager)?, of(&entry.members, TeamRole::Member)?);
            if let Some((both, _)) =
                members.iter().find(|(who, _)| managers.iter().any(|(other, _)| other.id == who.id))
            {
                self.problems.push(format!("{what}: {} is a manager or a member, not both.", both.name));
                continue;
            }
            match self.there.team(&entry.name.0)? {
                Some(team) => self.known_team(entry, what, team, managers.into_iter().chain(members).collect())?,
                None => self.new_team(entry, what, &managers, &members),
            }
        }
        Ok(())
    }

    fn new_team(
        &mut self,
        entry: &file::Team,
        what: String,
        managers: &[(Who, TeamRole)],
        members: &[(Who, TeamRole)],
    ) {
        let names =
            |people: &[(Who, TeamRole)]| people.iter().map(|(who, _)| who.name.clone()).collect::<Vec<_>>().join(", ");
        let all = [("managers", names(managers)), ("members", names(members))];
        let changes = all.into_iter().filter(|(_, names)| !names.is_empty());
        let ids = managers.iter().map(|(who, _)| who.id.clone()).collect::<Vec<_>>();
        let team = NewTeam {
            name: entry.name.0.clone(),
            description: entry.description.clone(),
            managers: Some(ids).filter(|ids| !ids.is_empty()),
        };
        let members = members.iter().map(|(who, role)| Join { id: who.id.clone(), role: *role }).collect();
        let changes = changes.map(|(field, names)| Change::fresh(field, names)).collect();
        self.settle(Deed::Create, what, changes, Act::MakeTeam { team, members });
    }

    fn known_team(
        &mut self,
        entry: &file::Team,
        what: String,
        team: &Team,
        wished: Vec<(Who, TeamRole)>,
    ) -> Result<(), Failure> {
        let told = self.there.team_with_members(&team.id)?;
        let mut changes = Vec::new();
        let description = entry.description.clone().filter(|to| to.trim() != told.description);
        if let Some(to) = &description {
            changes.push(Change::new("description", told.description.clone(), to.clone()));
        }
        let mut members = Vec::new();
        for (who, role) in &wished {
            let was = told.members.iter().find(|member| member.id == who.id).map(|member| member.role);
            if was != Some(*role) {
                let was = was.map(|role| format!("{} as {role}", who.name)).unwrap_or_default();
                changes.push(Change::new("members", was, format!("{} as {role}", who.name)));
                members.push(Join { id: who.id.clone(), role: *role });
            }
        }
        // Managers before those who are to be none any more: a team has always one.
        members.sort_by_key(|join| join.role != TeamRole::Manager);
        let others = told.members.iter().filter(|member| !wished.iter().any(|(who, _)| who.id == member.id));
        let others: Vec<String> = others.map(|member| member.email.clone().unwrap_or(member.name.clone())).collect();
        if !others.is_empty() {
            self.plan.left.push(format!("{} in {what}", few(&others)));
        }
        let edit = TeamEdit { description, ..TeamEdit::default() };
        self.settle(Deed::Edit, what, changes, Act::EditTeam { id: team.id.clone(), edit, members });
        Ok(())
    }

    fn services(&mut self) -> Result<(), Failure> {
        for entry in &self.file.service_accounts {
            let owner = match &entry.owner {
                Some(file::Owner { person: Some(email), .. }) => Some(Holder::Person(self.there.person(&email.0)?.id)),
                Some(file::Owner { team: Some(name), .. }) => {
                    let is_new = self.file.teams.iter().any(|team| team.name == *name);
                    if !is_new && self.there.team(&name.0)?.is_none() {
                        let service = &entry.name.0;
                        self.problems.push(format!("service account {service}: there is no team {}.", name.0));
                        continue;
                    }
                    Some(Holder::Team(name.0.clone()))
                }
                _ => None,
            };
            match self.there.service(&entry.name.0)? {
                Some(service) => self.known_service(entry, service, owner)?,
                None => self.new_service(entry, owner),
            }
        }
        Ok(())
    }

    fn new_service(&mut self, entry: &file::Service, owner: Option<Holder>) {
        let what = format!("service account {}", entry.name.0);
        let service = NewService {
            name: entry.name.0.clone(),
            description: entry.description.clone(),
            role: entry.role,
            owner: None,
        };
        let changes = vec![Change::fresh("role", entry.role.to_string()), Change::fresh("owner", wording(entry))];
        self.settle(Deed::Create, what, changes, Act::MakeService { service, owner });
        if entry.enabled == Some(false) {
            self.disable_last(entry);
        }
    }

    fn known_service(&mut self, entry: &file::Service, was: &Service, owner: Option<Holder>) -> Result<(), Failure> {
        let mut changes = Vec::new();
        let owner = match owner {
            Some(wish) if !self.belongs(was, &wish)? => Some(wish),
            _ => None,
        };
        if owner.is_some() {
            changes.push(Change::new("owner", was.owner_name.clone(), wording(entry)));
        }
        let edit = ServiceEdit {
            description: entry.description.clone().filter(|to| to.trim() != was.description),
            role: Some(entry.role).filter(|role| *role != was.role),
            enabled: entry.enabled.filter(|to| *to && !was.enabled),
            ..ServiceEdit::default()
        };
        changes.extend(edit.description.as_ref().map(|to| Change::new("description", was.description.clone(), to)));
        changes.extend(edit.role.map(|to| Change::new("role", was.role.to_string(), to.to_string())));
        changes.extend(edit.enabled.map(|_| Change::new("enabled", "false", "true")));
        let disables = entry.enabled == Some(false) && was.enabled;
        if !disables || !changes.is_empty() {
            let act = Act::EditService { name: entry.name.0.clone(), edit, owner };
            self.settle(Deed::Edit, format!("service account {}", entry.name.0), changes, act);
        }
        if disables {
            self.disable_last(entry);
        }
        Ok(())
    }

    /// A disabled account is given no tokens.
    fn disable_last(&mut self, entry: &file::Service) {
        let edit = ServiceEdit { enabled: Some(false), ..ServiceEdit::default() };
        self.last.push(Step {
            deed: Deed::Edit,
            what: format!("service account {}", entry.name.0),
            changes: vec![Change::new("enabled", "true", "false")],
            act: Act::EditService { name: entry.name.0.clone(), edit, owner: None },
        });
    }

    fn belongs(&self, service: &Service, wish: &Holder) -> Result<bool, Failure> {
        Ok(match (&service.owner, wish) {
            (Some(ServiceOwner::Person(id)), Holder::Person(wish)) => id == wish,
            (Some(ServiceOwner::Team(id)), Holder::Team(name)) => {
                self.there.team(name)?.is_some_and(|team| team.id == *id)
            }
            _ => false,
        })
    }
}

/// The first of many names.
pub fn few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn wording(entry: &file::Service) -> String {
    match &entry.owner {
        Some(file::Owner { person: Some(email), .. }) => email.0.clone(),
        Some(file::Owner { team: Some(name), .. }) => format!("team {}", name.0),
        _ => "whoever applies this".into(),
    }
}

fn difference(imported: &Imported) -> String {
    let changed: Vec<String> = imported.changed.iter().map(|change| change.method.clone()).collect();
    let lists = [("added", &imported.added), ("removed", &imported.removed), ("changed", &changed)];
    let told = lists.into_iter().filter(|(_, names)| !names.is_empty());
    let told: Vec<String> = told.map(|(word, names)| format!("{} {word} ({})", names.len(), few(names))).collect();
    if told.is_empty() { "other words, the same methods".into() } else { format!("methods: {}", told.join(", ")) }
}

/// The options that differ.
fn settings(was: &Options, becomes: &Options) -> Vec<Change> {
    let as_map = |options: &Options| serde_json::to_value(options).unwrap_or_default();
    let (was, becomes) = (as_map(was), as_map(becomes));
    let mut changes = Vec::new();
    for (name, to) in becomes.as_object().into_iter().flatten() {
        let before = was.get(name).cloned().unwrap_or_default();
        if before != *to {
            changes.push(Change::new(name.clone(), before.to_string(), to.to_string()));
        }
    }
    changes
}
