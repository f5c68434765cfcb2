//! The token form, for generating and for editing: what was typed, its check, and the page with what is wrong in it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::list::ADDRESS;
use super::owner::Holder;
use super::picker::{self, Filter, Ticks};
use crate::account::{self, Account};
use crate::actor::{Deed, Relation};
use crate::app::App;
use crate::catalogue::Catalogue;
use crate::db::Conn;
use crate::error::{Error, Problem, Result};
use crate::token::list::Used;
use crate::token::{self, Expiry, Generation, Limits, NewToken, Standing, Token, TokenDraft};
use crate::types::{Lines, Stamp, TokenId};
use crate::web::all_tokens;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Choice, Tone};
use crate::web::session::SignedIn;
use crate::web::tokens_pages::{self as pages, ExpiryFragment, TokenFormPage};
use crate::web::words::{Reading, field_errors};
use crate::when;

const PRESETS: [u32; 5] = [7, 30, 60, 90, 365];

/// Whose token the form is about, and the token where there is one already.
pub struct About {
    pub owner: Account,
    pub relation: Relation,
    pub token: Option<Present>,
    /// Name of whoever generated it; empty where that is not known.
    pub made_by: String,
    /// Name of whom a service account belongs to.
    pub owned_by: String,
}

/// A token with its values, newest first, and its last use.
pub struct Present {
    pub token: Token,
    pub values: Vec<Generation>,
    pub used: Option<Used>,
}

impl About {
    pub fn new_of(me: &SignedIn) -> About {
        About {
            owner: me.account.clone(),
            relation: Relation::Own,
            token: None,
            made_by: String::new(),
            owned_by: String::new(),
        }
    }

    /// A token that the person may see and that is not removed; all others are missing.
    pub async fn token(app: &Arc<App>, me: &SignedIn, id: &str) -> Result<About> {
        let (actor, id) = (me.actor.clone(), TokenId::from(id));
        app.read(move |conn: &mut Conn| {
            let token = token::visible(conn, &actor, &id)?;
            if token.removed_at.is_some() {
                return Err(Error::Missing);
            }
            let owner = account::by_id(conn, &token.owner_id)?;
            let relation = account::relation(conn, &actor, &owner)?;
            let (values, used) = (token::values_of(conn, &id)?, token::list::use_of(conn, &id)?);
            let made_by = account::name_of(conn, &token.created_by)?;
            let owned_by = account::service::owner_name(conn, &owner)?;
            Ok(About { owner, relation, token: Some(Present { token, values, used }), made_by, owned_by })
        })
        .await
    }

    /// [`About::token`], for who may change it.
    pub async fn to_change(app: &Arc<App>, me: &SignedIn, id: &str) -> Result<About> {
        let about = About::token(app, me, id).await?;
        me.actor.must_as(about.relation, Deed::ChangeTokens)?;
        Ok(about)
    }

    /// The token, where the form is about one.
    pub fn present(&self) -> Result<&Present> {
        self.token.as_ref().ok_or(Error::Missing)
    }

    /// What the policy and the catalogue let the owner have, read in the time zone of who looks.
    pub fn limits<'a>(&self, app: &'a App, me: &SignedIn, catalogue: &'a Catalogue) -> Limits<'a> {
        let (now, policy) = (app.now(), app.policy());
        let value_of = |present: &Present| present.values.first().map(|value| value.created_at);
        Limits {
            catalogue,
            role: self.owner.role,
            zone: me.account.zone(),
            now,
            since: self.token.as_ref().and_then(value_of).unwrap_or(now),
            standing: self.token.as_ref().map(|present| Standing::of(&present.token, &me.actor, &policy)),
            policy,
        }
    }

    fn scopes(&self) -> Lines {
        self.token.as_ref().map(|present| present.token.scopes.clone()).unwrap_or_default()
    }
}

/// The filled form: what was typed, ticked and chosen.
#[derive(Clone)]
pub struct Filled {
    pub name: String,
    pub description: String,
    pub lifetime: String,
    pub expires_at: String,
    /// Slug of an access set, or `custom`.
    pub set: String,
    pub ticks: Ticks,
    pub filter: Filter,
    pub limits: pages::Limits,
    pub enabled: bool,
    /// For whom, of a token that is generated.
    pub holder: Holder,
}

impl Filled {
    pub fn empty(days: u32) -> Filled {
        Filled {
            name: String::new(),
            description: String::new(),
            lifetime: days.to_string(),
            expires_at: String::new(),
            set: "custom".into(),
            ticks: Ticks::default(),
            filter: Filter::default(),
            limits: pages::Limits::default(),
            enabled: true,
            holder: Holder::default(),
        }
    }

    /// As posted. A field that did not come at all is as it was in `base`.
    pub fn posted(form: &Posted, catalogue: &Catalogue, base: Filled) -> Filled {
        let text = |name: &str, before: String| if form.has(name) { form.text(name).to_owned() } else { before };
        let chosen = ["set", "m", "service"].iter().any(|name| form.has(name));
        let timed = ["lifetime", "expires_at"].iter().any(|name| form.has(name));
        Filled {
            name: text("name", base.name),
            description: text("description", base.description),
            lifetime: if timed { form.text("lifetime").to_owned() } else { base.lifetime },
            expires_at: if timed { form.text("expires_at").to_owned() } else { base.expires_at },
            set: match chosen {
                true if form.has("set") => form.text("set").to_owned(),
                true => "custom".into(),
                false => base.set,
            },
            ticks: if chosen { Ticks::posted(form, catalogue) } else { base.ticks },
            filter: Filter::posted(form),
            limits: pages::Limits {
                allow: text("allow", base.limits.allow),
                ip_allow: text("ip_allow", base.limits.ip_allow),
                rate_per_minute: text("rate_per_minute", base.limits.rate_per_minute),
            },
            // A box that is not ticked sends nothing, so the page sends `off` before it.
            enabled: if form.has("enabled") { form.every("enabled").any(|word| word == "on") } else { base.enabled },
            holder: Holder::posted(form, base.holder),
        }
    }

    /// Of what waits for its password, or of a token as it stands.
    pub fn of(new: &NewToken, catalogue: &Catalogue, reading: &Reading) -> Filled {
        let list = |lines: &Lines| lines.iter().map(|line| catalogue.show(line)).collect::<Vec<_>>().join("\n");
        // A set that is another one by now would change what a token may without anybody choosing it.
        let set = new
            .access_set
            .as_deref()
            .and_then(|slug| catalogue.set(slug))
            .filter(|set| set.scopes.is_same_set(&new.scopes));
        let shown_scopes: Lines = match set {
            Some(set) => catalogue.named(&set.scopes),
            None => new.scopes.clone(),
        };
        Filled {
            name: new.name.clone(),
            description: new.description.clone(),
            lifetime: if new.expires_at.is_some() { "custom" } else { "never" }.into(),
            expires_at: new.expires_at.map(|end| last_day_iso(end, reading)).unwrap_or_default(),
            set: set.map_or_else(|| "custom".into(), |set| set.slug.clone()),
            ticks: Ticks::of_scopes(&shown_scopes, catalogue),
            filter: Filter::default(),
            limits: pages::Limits {
                allow: list(&new.allow),
                ip_allow: new.ip_allow.as_str().to_owned(),
                rate_per_minute: new.rate_per_minute.map(|rate| rate.to_string()).unwrap_or_default(),
            },
            enabled: new.enabled,
            holder: Holder::default(),
        }
    }
}

pub fn last_day_iso(end: Stamp, reading: &Reading) -> String {
    when::day_of(end.utc(), reading.zone).to_string()
}

/// The sentence under the expiry, as the person changes it.
pub async fn expiry(
    me: SignedIn,
    frame: Frame,
    app: web::Data<Arc<App>>,
    request: HttpRequest,
) -> Result<HttpResponse> {
    let query = Posted::from_query(request.query_string());
    let about = match query.text("token") {
        "" => Holder::posted(&query, Holder::default()).about(&app, &me).await?,
        id => About::token(&app, &me, id).await?,
    };
    let catalogue = app.catalogue();
    let reading = Reading::of(&me.account, app.now());
    let limits = about.limits(&app, &me, &catalogue);
    let expiry = expiry_part(&limits, &reading, query.text("lifetime"), query.text("expires_at"));
    frame.part(StatusCode::OK, &ExpiryFragment { expiry })
}

/// Everything that is wrong, the name that is taken included.
pub async fn check(me: &SignedIn, app: &Arc<App>, about: &About, form: &Posted, filled: &Filled) -> Result<NewToken> {
    let catalogue = app.catalogue();
    let limits = about.limits(app, me, &catalogue);
    let draft = TokenDraft {
        name: (form.has("name") || about.token.is_some()).then(|| filled.name.clone()),
        description: filled.description.clone(),
        expiry: wished(&filled.lifetime, &filled.expires_at),
        access_set: Some(filled.set.clone()).filter(|set| set != "custom"),
        scopes: filled.ticks.scopes(&catalogue, about.owner.role),
        allow: filled.limits.allow.lines().map(str::to_owned).collect(),
        ip_allow: filled.limits.ip_allow.lines().map(str::to_owned).collect(),
        rate_per_minute: filled.limits.rate_per_minute.clone(),
        enabled: filled.enabled,
    };
    let checked = draft.check(&limits, &app.random);
    let (owner, name) = (about.owner.id.clone(), filled.name.trim().to_owned());
    let except = about.token.as_ref().map(|present| present.token.id.clone());
    let free = app.read(move |conn| token::check_free(conn, &owner, &name, except.as_ref())).await;
    match (checked, free) {
        (Err(Error::Invalid(mut problems)), Err(Error::Invalid(taken))) => {
            problems.extend(taken);
            Err(Error::Invalid(problems))
        }
        (checked, free) => checked.and_then(|new| free.map(|()| new)),
    }
}

/// `lifetime` as the form has it: days, `never`, or `custom` with its day. Left out, a day that came along counts.
pub fn wished(lifetime: &str, day: &str) -> Expiry {
    match lifetime {
        "never" => Expiry::Never,
        "custom" | "" => Expiry::Day(day.to_owned()),
        days => days.parse().map_or_else(|_| Expiry::Day(day.to_owned()), Expiry::Days),
    }
}

/// The page of the form, for whatever it is about; who calls says what is around it.
pub fn form_page(
    me: &SignedIn,
    frame: &Frame,
    app: &App,
    about: &About,
    title: &str,
    filled: &Filled,
    problems: &[Problem],
) -> Result<TokenFormPage> {
    let catalogue = app.catalogue();
    let limits = about.limits(app, me, &catalogue);
    let reading = Reading::of(&me.account, limits.now);
    let mut expiry = expiry_part(&limits, &reading, &filled.lifetime, &filled.expires_at);
    if problems.iter().any(|problem| problem.field == "expires_at") {
        // It stands under the field as an error already.
        expiry.sentence.clear();
    }
    let (section, cancel) = home(about);
    Ok(TokenFormPage {
        shell: frame.shell(title, section, Some(me))?,
        title: title.to_owned(),
        cancel,
        name: filled.name.clone(),
        description: filled.description.clone(),
        lifetimes: lifetimes(&limits, &filled.lifetime),
        expires_min: when::day_of(limits.now.utc(), limits.zone).to_string(),
        expires_max: limits.last_day().to_string(),
        expiry,
        sets: picker::cards(&catalogue, limits.role, &filled.set),
        custom: filled.set == "custom",
        picker: picker::picker(&catalogue, limits.role, &filled.ticks, &filled.filter, &about.scopes()),
        limits: filled.limits.clone(),
        errors: field_errors(problems),
        ..TokenFormPage::default()
    })
}

/// The list that a token stands in: one's own, or for administrators that of everybody's.
fn home(about: &About) -> (&'static str, String) {
    match about.relation {
        Relation::OtherPerson | Relation::Other => {
            (all_tokens::ADDRESS, format!("{}?owner={}", all_tokens::ADDRESS, about.owner.id))
        }
        _ => (ADDRESS, ADDRESS.to_owned()),
    }
}

pub fn lifetimes(limits: &Limits<'_>, chosen: &str) -> Vec<Choice> {
    let policy = &limits.policy;
    let within = |days: &u32| when::in_days(limits.now.utc(), *days, limits.zone) <= limits.last_day();
    let mut choices: Vec<(String, String)> = PRESETS
        .into_iter()
        .filter(within)
        .map(|days| (days.to_string(), if days == 365 { "1 year".into() } else { format!("{days} days") }))
        .collect();
    let usual = policy.default_days(limits.role);
    if within(&usual) && !PRESETS.contains(&usual) {
        choices.push((usual.to_string(), format!("{usual} days")));
    }
    choices.push(("custom".into(), "Pick a date".into()));
    let is_never = limits.standing.is_some_and(|standing| standing.expires_at.is_none());
    if policy.allow_never || is_never {
        choices.push(("never".into(), "Never".into()));
    }
    let known = choices.iter().any(|(value, _)| value == chosen);
    choices
        .into_iter()
        .map(|(value, label)| Choice { selected: value == chosen || (!known && value == "custom"), value, label })
        .collect()
}

/// The sentence, the day and the short form for what is chosen; a wrong choice has its reason as the sentence.
pub fn expiry_part(limits: &Limits<'_>, reading: &Reading, lifetime: &str, day: &str) -> pages::Expiry {
    match token::check_expiry(&wished(lifetime, day), limits) {
        Ok(end) => pages::Expiry {
            sentence: when::expiry_sentence(
                end.map(Stamp::utc),
                limits.now.utc(),
                reading.zone,
                Some(limits.policy.max_days(limits.role)),
            ),
            tone: if end.is_some() { Tone::Plain } else { Tone::Warn },
            date: end.map(|end| last_day_iso(end, reading)).unwrap_or_default(),
            short: match end {
                Some(end) => format!("Expires {}.", reading.date(end)),
                None => "Never expires.".to_owned(),
            },
        },
        Err(sentence) => pages::Expiry { sentence, tone: Tone::Bad, date: day.to_owned(), short: String::new() },
    }
}
