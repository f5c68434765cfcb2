//! Doing the steps of a plan, one call or a few each.

use std::collections::BTreeMap;

use serde_json::Value;

use super::plan::{Act, Holder, Join};
use super::there::There;
use crate::api::json::{Membership, NewService, NewToken, Revealed, ServiceEdit, ServiceOwner, TokenEdit};
use crate::cli::client::Failure;
use crate::secret::Secret;

/// Does the steps. It remembers the ids of what it makes.
pub struct Doer<'t> {
    pub there: &'t There<'t>,
    teams: BTreeMap<String, String>,
    services: BTreeMap<String, String>,
}

/// A token that was made, with its value.
pub struct Made {
    pub id: String,
    pub owner: String,
    pub name: String,
    pub value: Secret,
    pub is_enabled: bool,
}

impl<'t> Doer<'t> {
    pub fn new(there: &'t There<'t>) -> Doer<'t> {
        Doer { there, teams: BTreeMap::new(), services: BTreeMap::new() }
    }

    /// The answer is a new token, where that is what the step makes.
    pub fn act(&mut self, act: &Act) -> Result<Option<Made>, Failure> {
        let client = self.there.client;
        match act {
            Act::Policy(settings) => drop(client.send::<Value>("PATCH", "/api/v1/policy", settings)?),
            Act::Api { slug, description, options } => {
                let path = format!("/api/v1/apis/{slug}");
                if let Some(text) = description {
                    drop(client.put_document::<Value>(&path, text)?);
                }
                if let Some(options) = options {
                    drop(client.send::<Value>("PATCH", &path, options)?);
                }
            }
            Act::SaveSet { slug, set } => {
                drop(client.send::<Value>("PUT", &format!("/api/v1/access-sets/{slug}"), set)?);
            }
            Act::MakeTeam { team, members } => {
                let id = id_of(client.send::<Value>("POST", "/api/v1/teams", team)?);
                self.teams.insert(team.name.clone(), id.clone());
                self.join(&id, members)?;
            }
            Act::EditTeam { id, edit, members } => {
                if edit.description.is_some() {
                    drop(client.send::<Value>("PATCH", &format!("/api/v1/teams/{id}"), edit)?);
                }
                self.join(id, members)?;
            }
            Act::MakeService { service, owner } => {
                let owner = owner.as_ref().map(|owner| self.holder(owner)).transpose()?;
                let made: Value =
                    client.send("POST", "/api/v1/service-accounts", &NewService { owner, ..service.clone() })?;
                self.services.insert(service.name.clone(), id_of(made));
            }
            Act::EditService { name, edit, owner } => {
                let owner = owner.as_ref().map(|owner| self.holder(owner)).transpose()?;
                let id = self.service(name)?;
                let path = format!("/api/v1/service-accounts/{id}");
                drop(client.send::<Value>("PATCH", &path, &ServiceEdit { owner, ..edit.clone() })?);
            }
            Act::Generate { token, owner, is_enabled } => return self.generate(token, owner, *is_enabled).map(Some),
            Act::EditToken { id, edit } => {
                drop(client.send::<Value>("PATCH", &format!("/api/v1/tokens/{id}"), edit)?);
            }
            Act::RemoveToken { id } => client.delete(&format!("/api/v1/tokens/{id}"))?,
        }
        Ok(None)
    }

    /// A token is made enabled; the file may want it otherwise.
    pub fn disable(&self, id: &str) -> Result<(), Failure> {
        let edit = TokenEdit { enabled: Some(false), ..TokenEdit::default() };
        self.there.client.send::<Value>("PATCH", &format!("/api/v1/tokens/{id}"), &edit).map(drop)
    }

    /// Of a token whose value could not be kept, so that another run makes it anew.
    pub fn undo(&self, made: &Made) -> Result<(), Failure> {
        self.there.client.delete(&format!("/api/v1/tokens/{}", made.id))
    }

    fn join(&self, team: &str, members: &[Join]) -> Result<(), Failure> {
        for Join { id, role } in members {
            let path = format!("/api/v1/teams/{team}/members/{id}");
            let body = Membership { role: *role };
            drop(self.there.client.send::<Value>("PUT", &path, &body)?);
        }
        Ok(())
    }

    fn generate(&self, token: &NewToken, owner: &str, is_enabled: bool) -> Result<Made, Failure> {
        let made: Revealed = self.there.client.send_once("/api/v1/tokens", token)?;
        Ok(Made {
            id: made.token.id,
            owner: owner.to_owned(),
            name: made.token.name,
            value: Secret::new(made.value.unwrap_or_default()),
            is_enabled,
        })
    }

    fn holder(&self, owner: &Holder) -> Result<ServiceOwner, Failure> {
        Ok(match owner {
            Holder::Person(id) => ServiceOwner::Person(id.clone()),
            Holder::Team(name) => ServiceOwner::Team(match self.teams.get(name) {
                Some(id) => id.clone(),
                None => self.there.team(name)?.map(|team| team.id.clone()).unwrap_or_default(),
            }),
        })
    }

    fn service(&self, name: &str) -> Result<String, Failure> {
        match self.services.get(name) {
            Some(id) => Ok(id.clone()),
            None => Ok(self.there.service(name)?.map(|service| service.id.clone()).unwrap_or_default()),
        }
    }
}

fn id_of(made: Value) -> String {
    made.get("id").and_then(Value::as_str).unwrap_or_default().to_owned()
}
