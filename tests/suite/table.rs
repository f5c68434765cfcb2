//! The table of roles (product contract, section 3), restated: every action on a token, team and service account × role × how one
//! stands to it, through the pages. What one may not see answers byte for byte as what is not there.

use hallpass::account::service::{self, NewService, Owner};
use hallpass::account::{self, Account};
use hallpass::actor::Actor;
use hallpass::team::{self, NewTeam, member};
use hallpass::token::{self, NewToken};
use hallpass::types::{AccountId, Role, TeamId, TeamRole};

use crate::support::{Answer, Form, Person, Site};

/// An id of the right shape that nothing has.
const NOBODY: &str = "019ab000-0000-7000-8000-000000000000";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stands {
    Own,
    OwnService,
    Member,
    Manager,
    OtherPerson,
    Other,
}

use Role::{Admin, Contributor, Owner as Boss, TokenCreator, Viewer};
use Stands::{Manager, Member, Other, OtherPerson, Own, OwnService};

/// (method, path, fields)
type Action<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// The least role to see a token, to change it, and to be shown a value of its account.
const TOKENS: [(Stands, [Role; 3]); 6] = [
    (Own, [Viewer, TokenCreator, TokenCreator]),
    (OwnService, [Viewer, Contributor, Contributor]),
    (Member, [Viewer, Contributor, Contributor]),
    (Manager, [Viewer, TokenCreator, TokenCreator]),
    (OtherPerson, [Admin, Admin, Boss]),
    (Other, [Admin, Admin, Admin]),
];
/// To see a team, to change its members, to rename and remove it.
const TEAMS: [(Stands, [Role; 3]); 3] =
    [(Member, [Viewer, Admin, Admin]), (Manager, [Viewer, TokenCreator, Admin]), (Other, [Admin, Admin, Admin])];
/// To see a service account, to change it.
const SERVICES: [(Stands, [Role; 2]); 4] = [
    (OwnService, [Viewer, Contributor]),
    (Member, [Viewer, Contributor]),
    (Manager, [Viewer, Contributor]),
    (Other, [Admin, Admin]),
];

/// One person of that role, and a thing of each kind for each way to stand to it.
struct Cast<'s> {
    person: Person<'s>,
    role: Role,
    tokens: Vec<(Stands, String)>,
    teams: Vec<(Stands, String)>,
    services: Vec<(Stands, String)>,
    holders: Vec<(Stands, String)>,
}

fn cast<'s>(site: &'s Site, role: Role) -> Cast<'s> {
    let email = format!("{role}@example.com");
    let person = site.person(&email, role);
    let other = format!("other-{role}@example.com");
    site.person(&other, Contributor);
    let operator = Actor::operator();
    let (me, other) =
        site.app.db.read(|conn| Ok((account::by_email(conn, &email)?, account::by_email(conn, &other)?))).unwrap();
    let (me, other) = (me.unwrap(), other.unwrap());
    let make = |name: &str, owner: Owner| -> Account {
        let new = NewService { name: format!("{name} {role}"), description: String::new(), role: Viewer };
        site.app.write_now(|tx| service::make(tx, &operator, &new, &owner)).unwrap()
    };
    let team = |name: &str, manager: &AccountId| -> TeamId {
        let new = NewTeam { name: format!("{name} {role}"), description: String::new() };
        site.app.write_now(|tx| team::make(tx, &operator, &new, std::slice::from_ref(manager))).unwrap().id
    };
    let join = |team: &TeamId, who: &AccountId| {
        site.app.write_now(|tx| member::add(tx, &operator, team, who, TeamRole::Member)).unwrap();
    };
    let (managed, joined, foreign) = (team("managed", &me.id), team("joined", &other.id), team("foreign", &other.id));
    join(&joined, &me.id);
    join(&managed, &other.id);
    // Without service accounts, so that nothing but a role keeps them from being removed.
    let (empty_managed, empty_joined) = (team("empty managed", &me.id), team("empty joined", &other.id));
    join(&empty_joined, &me.id);
    join(&empty_managed, &other.id);
    let services = [
        (OwnService, make("own", Owner::Person(me.id.clone()))),
        (Member, make("joined", Owner::Team(joined))),
        (Manager, make("managed", Owner::Team(managed))),
        (Other, make("foreign", Owner::Team(foreign.clone()))),
    ];
    let held: Vec<(Stands, Account)> = services.iter().cloned().chain([(Own, me), (OtherPerson, other)]).collect();
    let tokens = held.iter().map(|(stands, account)| {
        let new = NewToken {
            name: "ci".into(),
            description: String::new(),
            expires_at: Some((site.now() + chrono::TimeDelta::days(30)).into()),
            access_set: None,
            scopes: ["pdns/zones:listZones"].iter().collect(),
            allow: Default::default(),
            ip_allow: Default::default(),
            rate_per_minute: None,
            enabled: true,
        };
        let made = site.app.write_now(|tx| token::generate(tx, &operator, account, new, "hp")).unwrap();
        (*stands, made.0.id.to_string())
    });
    let foreign_empty = team("empty foreign", &held.iter().find(|(s, _)| *s == OtherPerson).unwrap().1.id);
    Cast {
        tokens: tokens.collect(),
        teams: vec![
            (Member, empty_joined.to_string()),
            (Manager, empty_managed.to_string()),
            (Other, foreign_empty.to_string()),
        ],
        services: services.iter().map(|(stands, account)| (*stands, account.id.to_string())).collect(),
        holders: held.iter().map(|(stands, account)| (*stands, account.id.to_string())).collect(),
        person,
        role,
    }
}

impl Cast<'_> {
    fn go(&self, method: &str, path: &str, id: &str, fields: &[(&str, &str)]) -> Answer {
        let path = path.replace("{id}", id);
        match method {
            "GET" => self.person.get(&path),
            _ => {
                let mut form = self.person.get("/settings/profile").form("/theme");
                form.0.retain(|(name, _)| name == "form_token");
                let fields = fields.iter().map(|(name, value)| (name.to_string(), value.replace("{id}", id)));
                self.person.post(&path, &Form(form.0.into_iter().chain(fields).collect()))
            }
        }
    }

    /// The answer is: done, refused with a sentence, or the very same as for what is not there.
    fn tries(&self, stands: Stands, id: &str, least: (Role, Role), action: Action<'_>) {
        let (method, path, fields) = action;
        let answer = self.go(method, path, id, fields);
        let told = format!("{} {stands:?} {method} {path} {fields:?}: {} {}", self.role, answer.status, answer.text());
        let (see, may) = least;
        if self.role >= may && self.role >= see {
            assert_eq!(answer.status, 200, "{told}");
        } else if self.role >= see {
            assert_eq!(answer.status, 403, "{told}");
        } else {
            let missing = self.go(method, path, NOBODY, fields);
            assert_eq!(answer.status, 404, "{told}");
            assert_eq!(bytes(&answer, id), bytes(&missing, NOBODY), "{told}");
        }
    }
}

/// An answer without what differs from one request to the next: its id, the form's token, the id that was asked for.
fn bytes(answer: &Answer, id: &str) -> String {
    let mut headers: Vec<String> = answer
        .headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "date" | "x-request-id" | "content-length" | "set-cookie"))
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    headers.sort();
    let mut body = answer.body.replace(id, "ID");
    for mark in ["name=\"form_token\" value=\"", "<code class=\"ref\">", "Request "] {
        let parts: Vec<&str> = body.split(mark).collect();
        let cut = |part: &&str| part.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '-').to_owned();
        let rest: Vec<String> = parts.iter().skip(1).map(cut).collect();
        body = std::iter::once(parts[0].to_owned()).chain(rest).collect::<Vec<_>>().join(mark);
    }
    format!("{}\n{}\n{body}", answer.status, headers.join("\n"))
}

const ROLES: [Role; 5] = [Viewer, TokenCreator, Contributor, Admin, Boss];

#[test]
fn each_role_does_to_tokens_what_the_table_says_and_nothing_tells_it_of_others() {
    let site = Site::start();
    site.owner_with_zones();
    let mut tried = 0;
    for cast in ROLES.map(|role| cast(&site, role)) {
        for (stands, [see, change, take]) in TOKENS {
            let id = &cast.tokens.iter().find(|(of, _)| *of == stands).unwrap().1;
            let actions: [(Role, Action<'_>); 10] = [
                (see, ("GET", "/settings/tokens/{id}", &[])),
                (see, ("GET", "/settings/tokens/{id}/activity", &[])),
                (see, ("GET", "/settings/tokens/{id}/activity.csv", &[])),
                (see, ("GET", "/settings/tokens/expiry?token={id}&lifetime=7", &[])),
                (change, ("POST", "/settings/tokens/{id}", &[("description", "other")])),
                (change, ("POST", "/settings/tokens/action", &[("do", "disable"), ("id", "{id}")])),
                (change, ("POST", "/settings/tokens/action", &[("do", "enable"), ("id", "{id}")])),
                (change, ("POST", "/settings/tokens/action", &[("do", "remove"), ("id", "{id}")])),
                (take, ("POST", "/settings/tokens/{id}/regenerate", &[("grace", "0")])),
                (take, ("POST", "/settings/tokens/{id}/regenerate", &[("grace", "24h")])),
            ];
            for (may, action) in actions {
                cast.tries(stands, id, (see, may), action);
                tried += 1;
            }
            // To the generate form nobody comes who may not generate at all.
            if cast.role >= TokenCreator {
                let holder = &cast.holders.iter().find(|(of, _)| *of == stands).unwrap().1;
                cast.tries(stands, holder, (see, take), ("GET", "/settings/tokens/new?owner={id}", &[]));
                cast.tries(stands, id, (see, see), ("GET", "/settings/tokens/new?from={id}", &[]));
                let fields: &[(&str, &str)] = &[("owner", "{id}"), ("m", "pdns/zones:listZones"), ("name", "new")];
                let fields: Vec<_> = fields.iter().copied().chain([("lifetime", "7"), ("set", "custom")]).collect();
                cast.tries(stands, holder, (see, take), ("POST", "/settings/tokens/new", &fields));
                tried += 3;
            }
        }
    }
    assert!(tried > 350, "{tried}");
}

#[test]
fn each_role_does_to_teams_what_the_table_says_and_nothing_tells_it_of_others() {
    let site = Site::start();
    site.owner_with_zones();
    site.person("new@example.com", Viewer);
    for cast in ROLES.map(|role| cast(&site, role)) {
        for (stands, [see, members, administer]) in TEAMS {
            let id = &cast.teams.iter().find(|(of, _)| *of == stands).unwrap().1;
            let add: &[(&str, &str)] = &[("do", "add"), ("email", "new@example.com"), ("role", "member")];
            let actions: [(Role, Action<'_>); 5] = [
                (see, ("GET", "/admin/teams/{id}", &[])),
                (see, ("GET", "/settings/tokens?team={id}", &[])),
                (members, ("POST", "/admin/teams/{id}/members", add)),
                (administer, ("POST", "/admin/teams/{id}", &[("name", "Another")])),
                (administer, ("POST", "/admin/teams/{id}/remove", &[])),
            ];
            for (may, action) in actions {
                cast.tries(stands, id, (see, may), action);
            }
        }
    }
}

#[test]
fn each_role_does_to_service_accounts_what_the_table_says_and_nothing_tells_it_of_others() {
    let site = Site::start();
    site.owner_with_zones();
    for cast in ROLES.map(|role| cast(&site, role)) {
        for (stands, [see, change]) in SERVICES {
            let id = &cast.services.iter().find(|(of, _)| *of == stands).unwrap().1;
            let edit: &[(&str, &str)] = &[("name", "another"), ("role", "viewer")];
            let actions: [(Role, Action<'_>); 8] = [
                (see, ("GET", "/admin/service-accounts/{id}", &[])),
                (see, ("GET", "/admin/service-accounts/{id}/activity", &[])),
                (see, ("GET", "/admin/service-accounts/{id}/activity.csv", &[])),
                (change, ("POST", "/admin/service-accounts/{id}", edit)),
                (change, ("POST", "/admin/service-accounts/{id}/owner", &[("owner", "me")])),
                (change, ("POST", "/admin/service-accounts/{id}/disable", &[])),
                (change, ("POST", "/admin/service-accounts/{id}/enable", &[])),
                (change, ("POST", "/admin/service-accounts/{id}/remove", &[])),
            ];
            for (may, action) in actions {
                cast.tries(stands, id, (see, may), action);
            }
        }
    }
}
