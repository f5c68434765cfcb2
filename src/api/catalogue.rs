//! The catalogue: methods and access sets that a token may be given, and the APIs that they are of.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Done, Refused, Told};
use super::bearer::{Bearer, Confirmed};
use super::input::{Body, Document, IfMatch, Query};
use super::json::{Api, Imported, List, Method, MethodQuery, NewSet, Options, Set, SlugQuery};
use super::page::of_whole;
use crate::actor::Deed;
use crate::app::App;
use crate::catalogue::own::{
    DescribeApi, EditApi, ImportApi, ListApis, ListMethods, ListSets, RemoveApi, RemoveSet, SaveSet,
};
use crate::catalogue::set::{self, AccessSet, SetDraft};
use crate::catalogue::store::{self, Draft, NewOptions};
use crate::catalogue::{self, Catalogue};
use crate::error::{Error, Result};
use crate::types::Role;

/// Every method that the caller's role may use, by API, service and name.
pub async fn methods(
    caller: Bearer<ListMethods>,
    query: Query<MethodQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Method>>, Refused> {
    let role = role(&app, &caller).await?;
    let asked = query.0;
    let catalogue = app.catalogue();
    if asked.api.as_ref().is_some_and(|slug| !catalogue.every().any(|api| api.slug == *slug)) {
        return Err(Error::Missing.into());
    }
    let words: Vec<String> = asked.q.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let of_api = |slug: &str| asked.api.as_ref().is_none_or(|wanted| wanted == slug);
    let found: Vec<Method> = catalogue
        .every()
        .filter(|api| of_api(&api.slug))
        .flat_map(|api| api.methods.iter().map(move |method| (api, method)))
        .filter(|(_, method)| method.least_role <= role)
        .map(|(api, method)| Method::of(api, method, &catalogue))
        .filter(|method| words.iter().all(|word| method.folded().contains(word)))
        .collect();
    Ok(Told::plain(of_whole(found, asked.limit, asked.after.as_deref(), Method::cursor)?))
}

pub async fn sets(
    caller: Bearer<ListSets>,
    query: Query<SlugQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Set>>, Refused> {
    let role = role(&app, &caller).await?;
    let catalogue = app.catalogue();
    let offered = catalogue.apis().iter().flat_map(|api| api.sets.iter().map(move |set| (api, set)));
    let offered = offered.filter(|(_, set)| set.least_role <= role);
    let sets = offered.map(|(api, set)| Set::of(api, set, &catalogue)).collect();
    let asked = query.0;
    Ok(Told::plain(of_whole(sets, asked.limit, asked.after.as_deref(), |set: &Set| set.slug.clone())?))
}

/// Makes the set, or changes the one that has this short name.
pub async fn save_set(
    caller: Confirmed<SaveSet>,
    slug: web::Path<String>,
    body: Body<NewSet>,
    app: web::Data<Arc<App>>,
) -> Result<Told<Set>, Refused> {
    must_administer(&app, &caller).await?;
    let catalogue = app.catalogue();
    let (typed, slug) = (body.value, slug.into_inner());
    let api = catalogue.api(&typed.api);
    let api = api.ok_or_else(|| Refused::field("api", "There is no API with this short name."))?;
    let known = api.sets.iter().find(|set| set.slug == slug);
    if known.is_some_and(|set| set.made_at_import) {
        return Err(Refused::field("slug", "This set is made anew at each import. Choose another short name."));
    }
    let draft = SetDraft {
        slug: slug.clone(),
        name: typed.name,
        description: typed.description.unwrap_or_default(),
        scopes: typed.scopes,
        least_role: typed.least_role.unwrap_or(Role::Viewer).to_string(),
    };
    let new = draft.check(&catalogue, &api.id, known.map(|set| set.id.clone()))?;
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        set::save(tx, &actor, &new)
    })
    .await?;
    let catalogue = app.catalogue();
    let (api, saved) = own_set(&catalogue, &slug)?;
    Ok(Told::plain(Set::of(api, saved, &catalogue)))
}

pub async fn remove_set(
    caller: Confirmed<RemoveSet>,
    slug: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Done, Refused> {
    must_administer(&app, &caller).await?;
    let catalogue = app.catalogue();
    let (api, known) = own_set(&catalogue, &slug)?;
    let (api, known) = (api.id.clone(), known.id.clone());
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        set::remove(tx, &actor, &api, &known)
    })
    .await?;
    Ok(Done)
}

pub async fn list(
    caller: Bearer<ListApis>,
    query: Query<SlugQuery>,
    app: web::Data<Arc<App>>,
) -> Result<Told<List<Api>>, Refused> {
    must_administer(&app, &caller).await?;
    let apis = app.catalogue().apis().iter().map(|api| Api::of(api)).collect();
    let asked = query.0;
    Ok(Told::plain(of_whole(apis, asked.limit, asked.after.as_deref(), |api: &Api| api.slug.clone())?))
}

pub async fn describe(
    caller: Bearer<DescribeApi>,
    slug: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Told<Api>, Refused> {
    must_administer(&app, &caller).await?;
    let catalogue = app.catalogue();
    let api = named(&catalogue, &slug)?;
    Ok(Told::tagged(Api::of(api), api.version))
}

/// Takes a description over what is there under that short name, with the options that it has already.
pub async fn import(
    caller: Confirmed<ImportApi>,
    slug: web::Path<String>,
    query: Query<super::json::Import>,
    document: Document,
    app: web::Data<Arc<App>>,
) -> Result<Told<Imported>, Refused> {
    must_administer(&app, &caller).await?;
    let catalogue = app.catalogue();
    let (before, slug) = (catalogue.clone(), slug.into_inner());
    // Off the event loop: a large YAML text takes some hundred milliseconds.
    let drafted = tokio::task::spawn_blocking(move || {
        let options = before.api(&slug).map(|api| api.options.clone()).unwrap_or_default();
        store::draft(&before, &slug, &document.0, options)
    });
    let draft: Draft = drafted.await.map_err(Error::internal)??;
    let (same, draft) = app.read(move |conn| Ok((store::is_there(conn, &draft)?, draft))).await?;
    let told = Imported::of(catalogue.api(&draft.slug).map(Arc::as_ref), &draft, same, query.0.dry_run);
    if !query.0.dry_run {
        app.write(move |tx| {
            tx.version()?;
            let actor = caller.actor(tx.conn, tx.now)?;
            store::import(tx, &actor, &draft)
        })
        .await?;
    }
    Ok(Told::plain(told))
}

/// Changes its options; those that are not named stay.
pub async fn edit(
    caller: Confirmed<EditApi>,
    slug: web::Path<String>,
    body: Body<Options>,
    seen: IfMatch,
    app: web::Data<Arc<App>>,
) -> Result<Told<Api>, Refused> {
    must_administer(&app, &caller).await?;
    let api = named(&app.catalogue(), &slug)?.clone();
    if !seen.allows(api.version) {
        return Err(Refused::of_edit(Error::Stale));
    }
    let options = body.value.over(api.options.clone());
    let new = NewOptions { api: api.id.clone(), over: api.version, options };
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        store::edit_options(tx, &actor, &new)
    })
    .await?;
    let catalogue = app.catalogue();
    let api = named(&catalogue, &slug)?;
    Ok(Told::tagged(Api::of(api), api.version))
}

pub async fn remove(
    caller: Confirmed<RemoveApi>,
    slug: web::Path<String>,
    app: web::Data<Arc<App>>,
) -> Result<Done, Refused> {
    must_administer(&app, &caller).await?;
    let catalogue = app.catalogue();
    let id = named(&catalogue, &slug)?.id.clone();
    app.write(move |tx| {
        tx.version()?;
        let actor = caller.actor(tx.conn, tx.now)?;
        store::remove(tx, &actor, &id)
    })
    .await?;
    Ok(Done)
}

fn named<'c>(catalogue: &'c Catalogue, slug: &str) -> Result<&'c Arc<catalogue::Api>> {
    catalogue.api(slug).ok_or(Error::Missing)
}

/// A set that may be changed: those made at import follow the description.
fn own_set<'c>(catalogue: &'c Catalogue, slug: &str) -> Result<(&'c Arc<catalogue::Api>, &'c AccessSet)> {
    let mut sets = catalogue.apis().iter().flat_map(|api| api.sets.iter().map(move |set| (api, set)));
    sets.find(|(_, set)| set.slug == slug && !set.made_at_import).ok_or(Error::Missing)
}

async fn role(app: &Arc<App>, caller: &super::bearer::Caller) -> Result<Role> {
    let (caller, now) = (caller.clone(), app.now());
    app.read(move |conn| Ok(caller.actor(conn, now)?.role)).await
}

/// Who may not is told so only where everybody may know of what they ask: that APIs are imported at all.
async fn must_administer(app: &Arc<App>, caller: &super::bearer::Caller) -> Result<()> {
    let (caller, now) = (caller.clone(), app.now());
    app.read(move |conn| caller.actor(conn, now)?.must(Deed::Administer)).await
}
