//! The profile: name, time zone, how dates are written, and the theme, which is a cookie of this browser.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::account::{self, ProfileDraft};
use crate::actor::wording;
use crate::app::App;
use crate::error::{Error, Problem, Result};
use crate::types::Stamp;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Choice, Note, Theme};
use crate::web::session::SignedIn;
use crate::web::settings_pages::{ProfilePage, ZoneGroup};
use crate::web::words::field_errors;
use crate::when::{self, DateStyle, Zone};

const ADDRESS: &str = "/settings/profile";
/// Zones whose name has no part of the world in front, such as UTC.
const NOWHERE: &str = "Other";

pub async fn form(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let draft = ProfileDraft {
        name: me.account.name.clone(),
        time_zone: me.account.zone().name().to_owned(),
        date_style: me.account.dates().as_str().to_owned(),
    };
    frame.page(StatusCode::OK, &page(&me, &frame, app.now(), &draft, None, &[])?)
}

pub async fn save(me: SignedIn, form: Posted, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    let draft = ProfileDraft {
        name: form.text("name").to_owned(),
        time_zone: form.text("time_zone").to_owned(),
        date_style: form.text("date_style").to_owned(),
    };
    let theme = form.has("theme").then(|| Theme::from_value(form.text("theme")));
    if form.text("do") == "filter" {
        let mut page = page(&me, &frame, app.now(), &draft, theme, &[])?;
        page.note = Some(Note::plain("Nothing of this is saved yet."));
        return frame.page(StatusCode::OK, &page);
    }
    let (actor, typed) = (me.actor.clone(), draft.clone());
    match app.write(move |tx| account::edit_profile(tx, &actor, &typed)).await {
        Ok(_) => {
            let answer = frame.go_on(ADDRESS, "Saved your profile.");
            match theme {
                Some(theme) => frame.with_theme(answer, theme),
                None => Ok(answer),
            }
        }
        Err(Error::Invalid(problems)) => {
            let page = page(&me, &frame, app.now(), &draft, theme, &problems)?;
            frame.form_again(&page, &page.as_content())
        }
        Err(other) => Err(other),
    }
}

fn page(
    me: &SignedIn,
    frame: &Frame,
    now: Stamp,
    draft: &ProfileDraft,
    theme: Option<Theme>,
    problems: &[Problem],
) -> Result<ProfilePage> {
    let shell = frame.shell("Profile", ADDRESS, Some(me))?;
    let zone = draft.time_zone.parse::<Zone>().ok();
    let style = draft.date_style.parse::<DateStyle>().ok();
    let theme = theme.unwrap_or(shell.theme);
    let today = when::day_of(now.utc(), zone.unwrap_or_default());
    let choice = |value: &str, label: String, selected| Choice { value: value.to_owned(), label, selected };
    let looks = [(Theme::Auto, "As the system has it"), (Theme::Light, "Light"), (Theme::Dark, "Dark")];
    Ok(ProfilePage {
        name: draft.name.clone(),
        email: me.account.label().to_owned(),
        role: wording(me.account.role),
        zones: zones(zone),
        zone_now: zone.map(|zone| now_there(now, zone, style.unwrap_or_default())).unwrap_or_default(),
        date_styles: DateStyle::ALL
            .into_iter()
            .map(|known| choice(known.as_str(), known.day(today), style == Some(known)))
            .collect(),
        themes: looks.into_iter().map(|(look, label)| choice(look.value(), label.to_owned(), look == theme)).collect(),
        errors: field_errors(problems),
        note: None,
        shell,
    })
}

fn now_there(now: Stamp, zone: Zone, style: DateStyle) -> String {
    format!("In {zone} it is {}.", when::moment(now.utc(), now.utc(), zone, style))
}

/// By part of the world, as their names begin.
fn zones(chosen: Option<Zone>) -> Vec<ZoneGroup> {
    let mut groups = vec![ZoneGroup { label: NOWHERE.to_owned(), choices: Vec::new() }];
    for zone in Zone::all() {
        let (part, place) = zone.name().split_once('/').unwrap_or((NOWHERE, zone.name()));
        let choice =
            Choice { value: zone.name().to_owned(), label: place.replace('_', " "), selected: chosen == Some(zone) };
        match groups.iter_mut().find(|group| group.label == part) {
            Some(group) => group.choices.push(choice),
            None => groups.push(ZoneGroup { label: part.to_owned(), choices: vec![choice] }),
        }
    }
    groups.rotate_left(1);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_zone_is_offered_once_and_the_chosen_one_is_chosen() {
        let groups = zones("Europe/Berlin".parse().ok());
        let choices: Vec<&Choice> = groups.iter().flat_map(|group| &group.choices).collect();
        assert_eq!(choices.len(), Zone::all().count());
        let chosen: Vec<&str> =
            choices.iter().filter(|choice| choice.selected).map(|choice| choice.label.as_str()).collect();
        assert_eq!(chosen, ["Berlin"]);
        assert_eq!(groups.last().unwrap().label, NOWHERE);
    }
}
