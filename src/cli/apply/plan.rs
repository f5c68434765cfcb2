//! What a file changes: a step for each thing that is to be made, edited or removed, in the order in which they are done.

use serde_json::{Map, Value};

use crate::api::json::{NewService, NewSet, NewTeam, NewToken, Options, ServiceEdit, TeamEdit, TokenEdit};
use crate::cli::output::plain;
use crate::types::TeamRole;

#[derive(Default)]
pub struct Plan {
    pub steps: Vec<Step>,
    /// Entries that are as the file says.
    pub same: usize,
    /// What the file does not name, in words.
    pub left: Vec<String>,
    pub notes: Vec<String>,
}

pub struct Step {
    pub deed: Deed,
    /// `token ci of backup`
    pub what: String,
    pub changes: Vec<Change>,
    pub act: Act,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Deed {
    Create,
    Edit,
    Remove,
}

pub struct Change {
    pub field: String,
    /// `None` where it is new.
    pub was: Option<String>,
    pub becomes: String,
}

/// The calls of a step. What is made by an earlier one is named by its name, since its id is not known yet.
pub enum Act {
    Policy(Map<String, Value>),
    Api { slug: String, description: Option<Vec<u8>>, options: Option<Options> },
    SaveSet { slug: String, set: NewSet },
    MakeTeam { team: NewTeam, members: Vec<Join> },
    EditTeam { id: String, edit: TeamEdit, members: Vec<Join> },
    MakeService { service: NewService, owner: Option<Holder> },
    EditService { name: String, edit: ServiceEdit, owner: Option<Holder> },
    Generate { token: NewToken, owner: String, is_enabled: bool },
    EditToken { id: String, edit: TokenEdit },
    RemoveToken { id: String },
}

/// A person who is to be in a team.
pub struct Join {
    pub id: String,
    pub role: TeamRole,
}

/// To whom a service account belongs.
pub enum Holder {
    Person(String),
    /// By name.
    Team(String),
}

impl Change {
    pub fn new(field: impl Into<String>, was: impl Into<String>, becomes: impl Into<String>) -> Change {
        Change { field: field.into(), was: Some(was.into()), becomes: becomes.into() }
    }

    pub fn fresh(field: impl Into<String>, becomes: impl Into<String>) -> Change {
        Change { field: field.into(), was: None, becomes: becomes.into() }
    }
}

impl Plan {
    pub fn push(&mut self, deed: Deed, what: impl Into<String>, changes: Vec<Change>, act: Act) {
        self.steps.push(Step { deed, what: what.into(), changes, act });
    }

    pub fn count(&self, deed: Deed) -> usize {
        self.steps.iter().filter(|step| step.deed == deed).count()
    }

    /// Whether values will have to go somewhere.
    pub fn generates(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.act, Act::Generate { .. }))
    }

    /// As it is shown before anything is done.
    pub fn told(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let (sign, word) = match step.deed {
                Deed::Create => ('+', "create"),
                Deed::Edit => ('~', "edit"),
                Deed::Remove => ('-', "remove"),
            };
            text.push_str(&format!("{sign} {word} {}\n", plain(&step.what)));
            for change in &step.changes {
                let was = change.was.as_ref().map(|was| format!("{} -> ", worded(was))).unwrap_or_default();
                text.push_str(&format!("      {}: {was}{}\n", change.field, worded(&change.becomes)));
            }
        }
        for note in &self.notes {
            text.push_str(&format!("Note: {}\n", plain(note)));
        }
        for left in &self.left {
            text.push_str(&format!("Left alone: {}\n", plain(left)));
        }
        let count = |deed| self.count(deed);
        let (create, edit, remove) = (count(Deed::Create), count(Deed::Edit), count(Deed::Remove));
        text.push_str(&format!(
            "Plan: {create} to create, {edit} to edit, {remove} to remove, {} as the file says.\n",
            self.same
        ));
        text
    }
}

fn worded(text: &str) -> String {
    if text.is_empty() { "nothing".into() } else { plain(text) }
}
