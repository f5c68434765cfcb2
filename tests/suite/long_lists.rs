//! Lists that are longer than a page: teams and service accounts there and back, each once, with what they say of their place.

use hallpass::account::by_email;
use hallpass::account::service::{self, NewService, Owner};
use hallpass::actor::{Actor, Origin, Via};
use hallpass::team::{self, NewTeam};
use hallpass::types::Role;

use crate::support::{Answer, Person, Site, selector};

const MANY: usize = 121;

fn names(page: &Answer, css: &str) -> Vec<String> {
    page.html().select(&selector(css)).map(|one| one.text().collect::<String>().trim().to_owned()).collect()
}

fn link(page: &Answer, rel: &str) -> Option<String> {
    let (html, css) = (page.html(), selector(&format!("nav.pages a[rel={rel}]")));
    html.select(&css).next().map(|link| link.attr("href").unwrap().to_owned())
}

/// Every page from the first to the last, and back to the first; names in their order, and what each page says of its place.
fn there_and_back(me: &Person<'_>, address: &str, css: &str) -> (Vec<String>, Vec<String>) {
    let (mut page, mut seen, mut pages) = (me.get(address), Vec::new(), Vec::new());
    loop {
        assert_eq!(page.status, 200, "{}", page.text());
        let rows = names(&page, css);
        seen.extend(rows.clone());
        pages.push((rows, names(&page, ".foot > span:first-child").join(" ")));
        let Some(older) = link(&page, "next") else { break };
        page = me.get(&older);
    }
    let said = pages.iter().map(|(_, said)| said.clone()).collect();
    pages.pop();
    for (rows, told) in pages.iter().rev() {
        let newer = link(&page, "prev").unwrap_or_else(|| panic!("no way back: {}", page.text()));
        page = me.get(&newer);
        assert_eq!((&names(&page, css), &names(&page, ".foot > span:first-child").join(" ")), (rows, told));
    }
    assert_eq!(link(&page, "prev"), None);
    (seen, said)
}

/// Maria, owner; a team and a service account of hers for each number.
fn many(site: &Site) -> Person<'_> {
    let maria = site.owner();
    site.app
        .write_now(|tx| {
            let me = by_email(tx.conn, "maria@example.com")?.unwrap();
            let origin = Origin::default();
            let actor =
                Actor { account: Some(me.id.clone()), name: me.name, role: Role::Owner, via: Via::CommandLine, origin };
            for nth in 0..MANY {
                let new = NewTeam { name: format!("team {nth:03}"), description: String::new() };
                let team = team::make(tx, &actor, &new, std::slice::from_ref(&me.id))?;
                let new = NewService { name: format!("svc {nth:03}"), description: String::new(), role: Role::Viewer };
                let owner = if nth % 2 == 0 { Owner::Person(me.id.clone()) } else { Owner::Team(team.id) };
                service::make(tx, &actor, &new, &owner)?;
            }
            Ok(())
        })
        .unwrap();
    maria
}

#[test]
fn each_team_and_each_service_account_is_on_one_page_there_and_back() {
    let site = Site::start();
    let maria = many(&site);
    for (address, word) in [("/admin/teams", "team"), ("/admin/service-accounts", "svc")] {
        let wanted: Vec<String> = (0..MANY).map(|nth| format!("{word} {nth:03}")).collect();
        let (seen, said) = there_and_back(&maria, address, "tbody a.name");
        assert_eq!(seen, wanted, "{address}");
        for (said, place) in said.iter().zip(["1 to 50 of 121", "51 to 100 of 121", "101 to 121 of 121"]) {
            assert!(said.contains(place), "{address}: {said}");
        }
        // A search has pages of its own.
        let (found, said) = there_and_back(&maria, &format!("{address}?q={word}+0"), "tbody a.name");
        let wanted: Vec<String> = wanted.into_iter().filter(|name| name.contains('0')).collect();
        assert_eq!(found, wanted, "{address}");
        assert!(said[1].contains(&format!("51 to 100 of {}", wanted.len())), "{said:?}");
        assert!(maria.get(&format!("{address}?q=nothing+has+this")).text().contains("No"), "{address}");
    }
}

#[test]
fn a_team_shows_each_of_many_service_accounts_there_and_back() {
    let site = Site::start();
    let maria = many(&site);
    let team = site.texts("SELECT id AS text FROM teams WHERE name = 'team 001'").remove(0);
    site.sql(&format!("UPDATE accounts SET owner_account_id = NULL, owner_team_id = '{team}' WHERE kind = 'service'"));
    let (seen, said) = there_and_back(&maria, &format!("/admin/teams/{team}"), "[aria-labelledby=services-t] a.name");
    assert_eq!(seen, (0..MANY).map(|nth| format!("svc {nth:03}")).collect::<Vec<_>>());
    assert_eq!(said.last().unwrap(), "101 to 121 of 121");
}
