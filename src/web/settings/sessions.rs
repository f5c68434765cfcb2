//! One's sessions: where and with what one is signed in, and ending them.

use std::sync::Arc;

use actix_session::Session as Cookie;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

use crate::app::App;
use crate::confirm::Action;
use crate::error::{Error, Replay, Result};
use crate::session::Which;
use crate::session::everywhere::{self, Place};
use crate::types::SessionId;
use crate::web::confirm::{Outcome, ask, ask_again, propose, settle};
use crate::web::confirm_pages::ConfirmPage;
use crate::web::form::Posted;
use crate::web::frame::Frame;
use crate::web::page::{Fact, Note, Tone, counted};
use crate::web::session::SignedIn;
use crate::web::settings_pages::{SessionRow, SessionsPage};
use crate::web::tokens_pages::When;
use crate::web::words::Reading;

const ADDRESS: &str = "/settings/sessions";
/// Rows of the list, and sessions that one form may name; nobody reads on.
const MOST: usize = 200;
/// Sessions that a confirm page tells one by one.
const MOST_FACTS: usize = 20;

pub async fn show(me: SignedIn, frame: Frame, app: web::Data<Arc<App>>) -> Result<HttpResponse> {
    frame.page(StatusCode::OK, &page(&me, &frame, &app, None, &[]).await?)
}

/// First the sessions that were chosen, then the password: the second form carries `confirm`.
pub async fn end(
    me: SignedIn,
    form: Posted,
    frame: Frame,
    app: web::Data<Arc<App>>,
    cookie: Cookie,
) -> Result<HttpResponse> {
    if form.has("confirm") {
        return confirmed(&me, &form, &frame, &app, &cookie).await;
    }
    let which = match form.text("do") {
        "others" => Which::Others,
        _ => Which::These(ids(&form)?),
    };
    let meant = chosen(&me, &app, &which).await?;
    if meant.is_empty() {
        let note = match which {
            Which::Others => Note::plain("You are signed in nowhere else."),
            Which::These(_) => Note::bad("Select at least one session to end."),
        };
        let page = page(&me, &frame, &app, Some(note), &[]).await?;
        return frame.form_again(&page, &page.as_content());
    }
    let page = confirm_page(&me, &frame, &app, &meant)?;
    let key = propose(&app, &me, Action::EndSessions, which).await?;
    ask(&frame, &me, page, &key)
}

fn ids(form: &Posted) -> Result<Vec<SessionId>> {
    let mut ids: Vec<SessionId> = form.every("id").map(SessionId::from).collect();
    ids.sort();
    ids.dedup();
    if ids.len() > MOST {
        return Err(Error::invalid("id", format!("End up to {MOST} sessions at once, or all others.")));
    }
    Ok(ids)
}

async fn chosen(me: &SignedIn, app: &Arc<App>, which: &Which) -> Result<Vec<Place>> {
    let (account, present, which) = (me.account.id.clone(), me.session.clone(), which.clone());
    let (now, at) = (app.now(), app.clone());
    app.read(move |conn| everywhere::chosen(conn, &account, &present, &which, now, &at.policy())).await
}

fn confirm_page(me: &SignedIn, frame: &Frame, app: &App, meant: &[Place]) -> Result<ConfirmPage> {
    let reading = Reading::of(&me.account, app.now());
    let fact = |session: &Place| {
        let (browser, _) = apart(&session.agent);
        Fact::new(browser, format!("from {}, last seen {}", place(session), reading.ago(session.seen_at)))
    };
    let mut facts: Vec<Fact> = meant.iter().take(MOST_FACTS).map(fact).collect();
    if meant.len() > MOST_FACTS {
        facts.push(Fact::new("and", counted(meant.len() - MOST_FACTS, "more session", "more sessions")));
    }
    let is_own = meant.iter().any(|session| session.id == me.session);
    let warning = "The session of this browser is among them: you will be signed out here.".to_owned();
    Ok(ConfirmPage {
        shell: frame.shell("End sessions", ADDRESS, Some(me))?,
        title: format!("End {}?", counted(meant.len(), "session", "sessions")),
        lead: "Whoever uses them has to sign in again. Access tokens go on working.".into(),
        facts,
        warnings: is_own.then_some(warning).into_iter().collect(),
        action: format!("{ADDRESS}/end"),
        go: format!("End {}", counted(meant.len(), "session", "sessions")),
        stay: "Cancel".into(),
        stay_href: ADDRESS.into(),
        ..ConfirmPage::default()
    })
}

/// One of them ended by itself, or elsewhere, since it was chosen.
const GONE: &str = "One of the sessions has ended meanwhile. Nothing was changed: select again.";

/// The password comes.
async fn confirmed(
    me: &SignedIn,
    form: &Posted,
    frame: &Frame,
    app: &Arc<App>,
    cookie: &Cookie,
) -> Result<HttpResponse> {
    let present = me.session.clone();
    let outcome = settle(app, me, form, Action::EndSessions, move |tx, actor, which: Which| {
        everywhere::end_chosen(tx, actor, &present, &which)
    });
    match outcome.await {
        Ok(Outcome::Done(ended)) if ended.contains(&me.session) => {
            cookie.purge();
            Ok(frame.go_on("/login?why=out", ""))
        }
        Ok(Outcome::Done(ended)) => {
            Ok(frame.go_on(ADDRESS, &format!("Ended {}.", counted(ended.len(), "session", "sessions"))))
        }
        Err(Error::Missing) => Ok(frame.go_on(ADDRESS, GONE)),
        Ok(Outcome::Again { payload, error }) => {
            let meant = match chosen(me, app, &payload).await {
                Err(Error::Missing) => return Ok(frame.go_on(ADDRESS, GONE)),
                meant => meant?,
            };
            ask_again(frame, me, confirm_page(me, frame, app, &meant)?, form, &error)
        }
        Ok(Outcome::Back(which)) => {
            let ticked = if let Which::These(ids) = which { ids } else { Vec::new() };
            frame.page(StatusCode::OK, &page(me, frame, app, None, &ticked).await?)
        }
        Err(Error::Replayed(why)) => Ok(frame.go_on(
            ADDRESS,
            match why {
                Replay::Used => "That was already confirmed. Nothing was done again.",
                Replay::TooOld => "Nothing was ended: the confirmation is too old. Select the sessions again.",
            },
        )),
        Err(other) => Err(other),
    }
}

async fn page(
    me: &SignedIn,
    frame: &Frame,
    app: &Arc<App>,
    note: Option<Note>,
    ticked: &[SessionId],
) -> Result<SessionsPage> {
    let (account, present, now, at) = (me.account.id.clone(), me.session.clone(), app.now(), app.clone());
    let living = app.read(move |conn| everywhere::living(conn, &account, &present, now, &at.policy())).await?;
    let reading = Reading::of(&me.account, now);
    let row = |session: &Place| {
        let (browser, system) = apart(&session.agent);
        SessionRow {
            id: session.id.to_string(),
            browser,
            system: match session.is_program {
                true => format!("A program, until {}", reading.moment(session.ends_at)),
                false if system.is_empty() => "No system told".into(),
                false => system,
            },
            agent: session.agent.clone(),
            address: place(session).to_owned(),
            signed_in: When {
                iso: session.created_at.rfc3339(),
                text: reading.moment(session.created_at),
                sub: String::new(),
                tone: Tone::Plain,
            },
            seen: When {
                iso: session.seen_at.rfc3339(),
                text: reading.ago(session.seen_at),
                sub: reading.moment(session.seen_at),
                tone: Tone::Plain,
            },
            is_present: session.id == me.session,
            checked: ticked.contains(&session.id),
        }
    };
    Ok(SessionsPage {
        shell: frame.shell("Sessions", ADDRESS, Some(me))?,
        total: living.len(),
        rows: living.iter().take(MOST).map(row).collect(),
        zone: reading.zone.name().to_owned(),
        note,
    })
}

fn place(session: &Place) -> &str {
    if session.ip.is_empty() { "an unknown address" } else { &session.ip }
}

/// Browser and system out of what the browser said of itself, in its own words: without what every browser says, and the
/// first brackets apart. No list of names that would have to be kept.
fn apart(agent: &str) -> (String, String) {
    const EVERYBODY: [&str; 4] = ["Mozilla", "AppleWebKit", "Gecko", "Safari"];
    let (before, rest) = agent.split_once('(').unwrap_or((agent, ""));
    let (system, after) = rest.split_once(')').unwrap_or((rest, ""));
    let after = after.replace("(KHTML, like Gecko)", " ");
    let said = || before.split_whitespace().chain(after.split_whitespace());
    let own = said().filter(|word| !EVERYBODY.contains(&word.split('/').next().unwrap_or_default()));
    let own: Vec<&str> = own.collect();
    let browser = if own.is_empty() { agent.to_owned() } else { own.join(" ") };
    let short = |text: &str| text.chars().filter(|c| !c.is_control()).take(60).collect::<String>();
    match browser.is_empty() {
        true => ("Unknown browser".to_owned(), String::new()),
        false => (short(&browser), short(system)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_a_browser_says_the_part_is_shown_that_others_do_not_say() {
        for (agent, browser, system) in [
            (
                "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "Firefox/145.0",
                "X11; Linux x86_64; rv:145.0",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
                "Chrome/142.0.0.0 Edg/142.0.0.0",
                "Windows NT 10.0; Win64; x64",
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1",
                "Version/18.1 Mobile/15E148",
                "iPhone; CPU iPhone OS 18_1 like Mac OS X",
            ),
            ("curl/8.5.0", "curl/8.5.0", ""),
            ("Mozilla/5.0", "Mozilla/5.0", ""),
            ("", "Unknown browser", ""),
        ] {
            assert_eq!(apart(agent), (browser.to_owned(), system.to_owned()), "{agent}");
        }
    }
}
