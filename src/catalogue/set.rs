//! Access sets: a named choice of methods or wildcards that an operator offers on the generate form.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use super::description::Method as Described;
use super::options::ApiOptions;
use super::{Catalogue, store};
use crate::actor::{Actor, Deed};
use crate::audit::{self, Subject};
use crate::db::{Conn, MultiBackend};
use crate::error::{Error, OrMissing, OrTaken, Problem, Result};
use crate::schema::{access_sets, apis};
use crate::tx::Tx;
use crate::types::{AccessSetId, ApiId, Lines, MethodKind, Role, Stamp, is_unprintable};

#[derive(Queryable, Selectable, Insertable, Clone, Debug)]
#[diesel(table_name = access_sets)]
#[diesel(check_for_backend(MultiBackend))]
pub struct AccessSet {
    pub id: AccessSetId,
    pub api_id: ApiId,
    /// Unique over all APIs: the form's `set`.
    pub slug: String,
    pub name: String,
    pub description: String,
    /// Full scopes.
    pub scopes: Lines,
    pub least_role: Role,
    /// *Read only* and *Full access*, which each import makes anew.
    pub made_at_import: bool,
    pub created_at: Stamp,
}

const SLUG_TAKEN: &str = "Another access set has this short name.";

pub fn of_api(conn: &mut Conn, api: &ApiId) -> Result<Vec<AccessSet>> {
    Ok(access_sets::table
        .filter(access_sets::api_id.eq(api))
        .order((access_sets::made_at_import.desc(), access_sets::created_at.asc(), access_sets::name.desc()))
        .select(AccessSet::as_select())
        .load(conn)?)
}

/// *Read only*: every method of kind read that there is now. *Full access*: the API, and whatever is added to it later.
/// The first API has the plain slugs; a further one has its own in front, as slugs are unique over all APIs.
pub(super) fn make_at_import(
    tx: &mut Tx<'_>,
    api: &ApiId,
    api_slug: &str,
    described: &[Described],
    options: &ApiOptions,
) -> Result<()> {
    let reading = described.iter().filter(|m| options.kind_of(&m.service, &m.name, m.kind) == MethodKind::Read);
    let reading: Lines = reading.map(|m| format!("{api_slug}/{}:{}", m.service, m.name)).collect();
    let full: Lines = [format!("{api_slug}/*")].iter().collect();
    let standard = [
        ("read-only", "Read only", "Every method that only reads.", reading),
        ("full-access", "Full access", "Every method, and whatever is added to the API later.", full),
    ];
    for (slug, name, description, scopes) in standard {
        let kept: Option<AccessSetId> = access_sets::table
            .filter(
                access_sets::api_id.eq(api).and(access_sets::made_at_import.eq(true)).and(access_sets::name.eq(name)),
            )
            .select(access_sets::id)
            .first(tx.conn)
            .optional()?;
        if let Some(id) = kept {
            diesel::update(access_sets::table.find(id))
                .set(access_sets::scopes.eq(&scopes))
                .execute(tx.conn)
                .or_missing()?;
            continue;
        }
        let mut free = slug.to_owned();
        for nth in 0.. {
            let taken: i64 = access_sets::table.filter(access_sets::slug.eq(&free)).count().get_result(tx.conn)?;
            if taken == 0 {
                break;
            }
            free = if nth == 0 { format!("{api_slug}-{slug}") } else { format!("{api_slug}-{slug}-{}", nth + 1) };
        }
        let row = AccessSet {
            id: tx.id()?,
            api_id: api.clone(),
            slug: free,
            name: name.to_owned(),
            description: description.to_owned(),
            scopes,
            least_role: Role::Viewer,
            made_at_import: true,
            created_at: tx.now,
        };
        diesel::insert_into(access_sets::table).values(&row).execute(tx.conn).or_taken("slug", SLUG_TAKEN)?;
    }
    Ok(())
}

/// An access set as an operator typed it, checked: what the confirmation keeps.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewSet {
    pub api: ApiId,
    /// `None` makes a new one.
    pub id: Option<AccessSetId>,
    pub slug: String,
    pub name: String,
    pub description: String,
    pub scopes: Lines,
    pub least_role: Role,
}

/// The typed fields of an access set.
#[derive(Clone, Default)]
pub struct SetDraft {
    pub slug: String,
    pub name: String,
    pub description: String,
    pub scopes: Vec<String>,
    pub least_role: String,
}

impl SetDraft {
    pub fn check(&self, catalogue: &Catalogue, api: &ApiId, id: Option<AccessSetId>) -> Result<NewSet> {
        let mut problems = Vec::new();
        let mut wrong = |field, sentence: String| problems.push(Problem { field, sentence });
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > 60 || name.chars().any(is_unprintable) {
            wrong("name", "A name has 1 to 60 characters.".into());
        }
        let slug = self.slug.trim();
        if slug == "custom" {
            wrong("slug", "“custom” stands for a person's own choice. Take another short name.".into());
        } else if let Err(sentence) = super::check_slug(slug) {
            wrong("slug", sentence);
        } else if catalogue.set(slug).is_some_and(|other| Some(&other.id) != id.as_ref()) {
            wrong("slug", SLUG_TAKEN.into());
        }
        if self.description.chars().count() > 500 || self.description.chars().any(is_unprintable) {
            wrong("description", "A description has up to 500 characters, on one line.".into());
        }
        let mut scopes = Vec::new();
        let slug_of_api = catalogue.apis().iter().find(|known| known.id == *api).map(|known| known.slug.as_str());
        let slug_of_api = slug_of_api.ok_or(Error::Missing)?;
        for typed in self.scopes.iter().map(|line| line.trim()).filter(|line| !line.is_empty()) {
            // A set belongs to one API: the star is all of that one.
            let full = if typed == "*" { Ok(format!("{slug_of_api}/*")) } else { catalogue.resolve(typed) };
            match full {
                Ok(full) if !full.starts_with(&format!("{slug_of_api}/")) => {
                    wrong("scopes", format!("“{typed}” is of another API. A set holds methods of its own API."));
                }
                Ok(full) => scopes.push(full),
                Err(sentence) => wrong("scopes", sentence),
            }
        }
        if scopes.is_empty() && self.scopes.iter().all(|line| line.trim().is_empty()) {
            wrong("scopes", "Name at least one scope, one per line.".into());
        }
        let least_role = Role::parse(&self.least_role);
        if least_role.is_none() {
            wrong("least_role", "Choose the least role.".into());
        }
        match (problems.is_empty(), least_role) {
            (true, Some(least_role)) => Ok(NewSet {
                api: api.clone(),
                id,
                slug: slug.to_owned(),
                name: name.to_owned(),
                description: self.description.trim().to_owned(),
                scopes: scopes.iter().collect(),
                least_role,
            }),
            _ => Err(Error::Invalid(problems)),
        }
    }
}

/// Makes or changes a set. Tokens that were generated with it keep what they got.
pub fn save(tx: &mut Tx<'_>, actor: &Actor, new: &NewSet) -> Result<()> {
    actor.must(Deed::Administer)?;
    let api_slug: String = apis::table.find(&new.api).select(apis::slug).first(tx.conn)?;
    match &new.id {
        Some(id) => diesel::update(
            access_sets::table
                .find(id)
                .filter(access_sets::api_id.eq(&new.api))
                .filter(access_sets::made_at_import.eq(false)),
        )
        .set((
            access_sets::slug.eq(&new.slug),
            access_sets::name.eq(&new.name),
            access_sets::description.eq(&new.description),
            access_sets::scopes.eq(&new.scopes),
            access_sets::least_role.eq(new.least_role),
        ))
        .execute(tx.conn)
        .or_taken("slug", SLUG_TAKEN)
        .and_then(|rows| if rows == 0 { Err(Error::Missing) } else { Ok(()) })?,
        None => {
            let row = AccessSet {
                id: tx.id()?,
                api_id: new.api.clone(),
                slug: new.slug.clone(),
                name: new.name.clone(),
                description: new.description.clone(),
                scopes: new.scopes.clone(),
                least_role: new.least_role,
                made_at_import: false,
                created_at: tx.now,
            };
            diesel::insert_into(access_sets::table).values(&row).execute(tx.conn).or_taken("slug", SLUG_TAKEN)?;
        }
    }
    let action = if new.id.is_some() { "access_set.edit" } else { "access_set.generate" };
    let detail =
        serde_json::json!({ "set": new.slug, "name": new.name, "scopes": new.scopes, "least_role": new.least_role });
    audit::record(tx, actor, action, Subject::api(&new.api, &api_slug), None, detail)?;
    store::touch(tx, &new.api)
}

pub fn remove(tx: &mut Tx<'_>, actor: &Actor, api: &ApiId, id: &AccessSetId) -> Result<()> {
    actor.must(Deed::Administer)?;
    let api_slug: String = apis::table.find(api).select(apis::slug).first(tx.conn)?;
    let own =
        access_sets::table.find(id).filter(access_sets::api_id.eq(api)).filter(access_sets::made_at_import.eq(false));
    let set: AccessSet = own.select(AccessSet::as_select()).first(tx.conn)?;
    diesel::delete(access_sets::table.find(id)).execute(tx.conn).or_missing()?;
    let detail = serde_json::json!({ "set": set.slug, "name": set.name, "scopes": set.scopes });
    audit::record(tx, actor, "access_set.remove", Subject::api(api, &api_slug), None, detail)?;
    store::touch(tx, api)
}
