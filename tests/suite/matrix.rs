//! Every route of the program × every kind of credential × every HTTP method: each answer is what the route's row says.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use hallpass::types::Role;
use hallpass::{api, server, web};

use crate::support::{Answer, Person, Site};

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// The request that `/verify` is asked about.
const ASKED: (&str, &str) = ("GET", "/api/v1/zones");

/// Who comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Comes {
    Nobody,
    Unknown,
    Expired,
    Removed,
    Disabled,
    /// Alive, for one other method.
    Narrow,
    /// Everything, Hallpass itself too.
    Wide,
    /// A signed-in contributor.
    Session,
    AdminSession,
}

/// How the door answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answered {
    /// To the sign-in page.
    SignIn,
    /// 401 without an error code.
    Challenge,
    /// 401 `invalid_token`.
    Invalid,
    /// 403 `insufficient_scope`.
    TooNarrow,
    NotThere,
    WrongMethod,
    LetIn,
}

#[derive(Clone, Copy, Debug)]
enum Row {
    Page(web::Guard),
    /// A route of the API, by its guard.
    Api(api::bearer::Guard),
    Open(server::Audience),
}

/// The policy: what each row says to each who comes.
fn policy(row: Row, comes: Comes) -> Answered {
    use Comes::{AdminSession, Disabled, Expired, Narrow, Nobody, Removed, Session, Unknown, Wide};
    let by_token = |comes| match comes {
        // A cookie is no credential for programs.
        Nobody | Session | AdminSession => Answered::Challenge,
        Unknown | Expired | Removed | Disabled => Answered::Invalid,
        Narrow => Answered::TooNarrow,
        Wide => Answered::LetIn,
    };
    match (row, comes) {
        (Row::Page(web::Guard::Visitor), _) => Answered::LetIn,
        // A token opens no page.
        (Row::Page(_), Nobody | Unknown | Expired | Removed | Disabled | Narrow | Wide) => Answered::SignIn,
        (Row::Page(web::Guard::SignedIn), Session | AdminSession) => Answered::LetIn,
        (Row::Page(web::Guard::Administrator), Session) => Answered::NotThere,
        (Row::Page(web::Guard::Administrator), AdminSession) => Answered::LetIn,
        (Row::Api(api::bearer::Guard::Stranger), _) => Answered::LetIn,
        // What it is told of itself, a narrow token may ask as well.
        (Row::Api(api::bearer::Guard::Living), Narrow) => Answered::LetIn,
        (Row::Api(_) | Row::Open(server::Audience::Proxy), comes) => by_token(comes),
        // The suite asks from this machine.
        (Row::Open(server::Audience::Everybody | server::Audience::Operator), _) => Answered::LetIn,
    }
}

/// To a method that no row of the path has: what is there for operators alone is not told.
fn otherwise(path: &str) -> Answered {
    let is_hidden = |row: &server::Row| row.path == path && row.audience == server::Audience::Operator;
    if server::OPEN.iter().any(is_hidden) { Answered::NotThere } else { Answered::WrongMethod }
}

fn answered(answer: &Answer) -> Answered {
    let challenge = answer.header("www-authenticate");
    match answer.status {
        303 if answer.header("location") == "/login?why=out" => Answered::LetIn,
        303 if answer.header("location").starts_with("/login") => Answered::SignIn,
        401 if challenge.is_empty() => Answered::SignIn,
        401 if challenge.contains("invalid_token") => Answered::Invalid,
        401 => Answered::Challenge,
        403 if challenge.contains("insufficient_scope") => Answered::TooNarrow,
        404 => Answered::NotThere,
        405 => Answered::WrongMethod,
        500.. => panic!("{} {}", answer.status, answer.text()),
        _ => Answered::LetIn,
    }
}

/// The row that takes such a request, if one does. What answers GET answers HEAD.
fn row(method: &str, path: &str, address: &str) -> Option<Row> {
    let taken = |of: &str| of == method || of == "*" || (of == "GET" && method == "HEAD");
    // By the address: an API could be called as a page beside it is.
    let page = web::row(if method == "HEAD" { "GET" } else { method }, address);
    let scope = api::ROUTES.iter().find(|row| row.path == path && taken(row.method));
    let open = server::OPEN.iter().find(|row| row.path == path && taken(row.method));
    page.map(|row| Row::Page(row.guard))
        .or(scope.map(|row| Row::Api(row.guard)))
        .or(open.map(|row| Row::Open(row.audience)))
}

struct Cast<'s> {
    site: &'s Site,
    session: Person<'s>,
    admin: Person<'s>,
    expired: String,
    removed: String,
    disabled: String,
    narrow: String,
    wide: String,
    token: String,
    /// A team that the session is in, and a service account of its own.
    team: String,
    service: String,
    /// The session's account.
    person: String,
}

impl<'s> Cast<'s> {
    fn of(site: &'s Site) -> Cast<'s> {
        let maria = site.owner_with_zones();
        let expired = maria.generate_from(&maria.token_form("expired", &["*"]).with(&[("lifetime", "7")]));
        let removed = maria.generate("removed", &["*"]);
        maria.remove("removed");
        let disabled = maria.generate("disabled", &["*"]);
        maria.press("disable", &["disabled"]);
        site.pass(TimeDelta::days(8));
        maria.sign_in("maria@example.com", crate::support::PASSWORD);
        let narrow = maria.generate("narrow", &["zones:deleteZone"]);
        let wide = maria.generate("wide", &["*", "hallpass/*"]);
        let address = "/admin/apis/pdns/sets/new";
        let set = maria.get(address).form(address).with(&[
            ("name", "Reader"),
            ("slug", "reader"),
            ("scopes", "zones:readZone"),
        ]);
        assert_eq!(maria.confirm(&maria.post(address, &set), address).status, 303);
        let session = site.person("jan@example.com", Role::Contributor);
        session.generate("own", &["zones:listZones"]);
        let admin = site.person("eva@example.com", Role::Admin);
        let token = maria.id_of("narrow");
        let team = crate::teams::make(&maria, "Payments", "jan@example.com");
        let service = crate::service_accounts::make(&session, "svc", "viewer", "me");
        let jan = site.app.db.read(|conn| hallpass::account::by_email(conn, "jan@example.com")).unwrap().unwrap();
        let person = jan.id.to_string();
        Cast { site, session, admin, expired, removed, disabled, narrow, wide, token, team, service, person }
    }

    fn come(&self, comes: Comes, method: &str, path: &str) -> Answer {
        let (person, value) = match comes {
            Comes::Nobody => (None, None),
            Comes::Unknown => (None, Some(format!("hp_{}", "0".repeat(42)))),
            Comes::Expired => (None, Some(self.expired.clone())),
            Comes::Removed => (None, Some(self.removed.clone())),
            Comes::Disabled => (None, Some(self.disabled.clone())),
            Comes::Narrow => (None, Some(self.narrow.clone())),
            Comes::Wide => (None, Some(self.wide.clone())),
            Comes::Session => (Some(&self.session), None),
            Comes::AdminSession => (Some(&self.admin), None),
        };
        let stranger = self.site.visitor();
        let person = person.unwrap_or(&stranger);
        person.without_header("authorization");
        if let Some(value) = value {
            person.header("authorization", &format!("Bearer {value}"));
        }
        // Behind the prefix the request itself is what is asked about.
        let named = [("x-original-method", ASKED.0), ("x-original-uri", ASKED.1)];
        match path == "/verify" {
            true => named.iter().for_each(|(name, value)| person.header(name, value)),
            false => named.iter().for_each(|(name, _)| person.without_header(name)),
        }
        // With a form token that is right for whoever asks, so that it is the guard which decides.
        let form = match method {
            "POST" => self.form_of(person).with(&[("token", "x")]),
            _ => crate::support::Form(Vec::new()),
        };
        // `/logout`, and a session that is ended among the others, end the one that came.
        let answer = person.send(method, &self.address(comes, path), &form);
        if person.get("/settings/profile").status == 303 {
            match comes {
                Comes::Session => drop(person.sign_in("jan@example.com", crate::support::PASSWORD)),
                Comes::AdminSession => drop(person.sign_in("eva@example.com", crate::support::PASSWORD)),
                _ => {}
            }
        }
        answer
    }

    fn form_of(&self, person: &Person<'_>) -> crate::support::Form {
        let own = person.get("/settings/tokens");
        let page = if own.status == 200 { own } else { person.get("/login") };
        page.form("/theme")
    }

    /// The route with its parameters filled in by things that exist and that the session may see.
    fn address(&self, comes: Comes, path: &str) -> String {
        if path.starts_with("/api/") {
            // Nothing that is there: those that are let in would remove what others still have to ask for.
            return path
                .replace("{id}", "019ab000-0000-7000-8000-000000000000")
                .replace("{account}", "019ab000-0000-7000-8000-000000000000")
                .replace("{slug}", "nowhere");
        }
        let own = || self.session.id_of("own");
        let id = match path {
            _ if path.starts_with("/admin/accounts/") => self.person.clone(),
            _ if path.starts_with("/admin/teams/") => self.team.clone(),
            _ if path.starts_with("/admin/service-accounts/") => self.service.clone(),
            _ if comes == Comes::Session => own(),
            _ => self.token.clone(),
        };
        let asset = web::assets::url("app.css");
        let (hash, name) = asset.trim_start_matches("/assets/").split_once('/').unwrap();
        path.replace("{slug}", "pdns")
            .replace("{set}", "reader")
            .replace("{id:[0-9a-f-]+}", &id)
            .replace("{hash}", hash)
            .replace("{name:.*}", name)
            .replace("/{target:.*}", ASKED.1)
    }
}

#[test]
fn each_route_answers_each_credential_and_method_as_its_row_says() {
    let site = Site::start();
    let cast = Cast::of(&site);
    let pages = web::ROUTES.iter().map(|row| row.path);
    let paths: BTreeSet<&str> =
        pages.chain(api::ROUTES.iter().map(|row| row.path)).chain(server::OPEN.iter().map(|row| row.path)).collect();
    let everybody = [
        Comes::Nobody,
        Comes::Unknown,
        Comes::Expired,
        Comes::Removed,
        Comes::Disabled,
        Comes::Narrow,
        Comes::Wide,
        Comes::Session,
        Comes::AdminSession,
    ];
    let mut tried = 0;
    for path in paths {
        for method in METHODS {
            for comes in everybody {
                let row = row(method, path, &cast.address(comes, path));
                let answer = cast.come(comes, method, path);
                let expected = row.map_or(otherwise(path), |row| policy(row, comes));
                let told = format!("{comes:?} {method} {path}: {} {}", answer.status, answer.header("location"));
                match row {
                    // They answer strangers by themselves: the sign-in page, or that set-up is over.
                    Some(Row::Page(web::Guard::Visitor)) => {
                        assert_ne!(answered(&answer), Answered::WrongMethod, "{told}")
                    }
                    // Behind the prefix the method that came is the one that is judged.
                    Some(Row::Open(server::Audience::Proxy)) if path.contains("direct") && comes == Comes::Wide => {
                        let passes = matches!(method, "GET" | "HEAD" | "POST");
                        assert_eq!(answered(&answer) == Answered::LetIn, passes, "{told}");
                    }
                    // Inside, an empty form names nothing that is there.
                    Some(Row::Page(web::Guard::SignedIn)) if method == "POST" && expected == Answered::LetIn => {
                        assert!(matches!(answered(&answer), Answered::LetIn | Answered::NotThere), "{told}");
                    }
                    // No API is called as the page is whose address this is.
                    Some(Row::Page(_))
                        if path == "/admin/apis/import" && expected == Answered::LetIn && method != "POST" =>
                    {
                        assert_eq!(answered(&answer), Answered::NotThere, "{told}");
                    }
                    Some(Row::Api(_)) if path.contains('{') && expected == Answered::LetIn => {
                        assert!(matches!(answered(&answer), Answered::NotThere | Answered::LetIn), "{told}");
                    }
                    _ => assert_eq!(answered(&answer), expected, "{told}"),
                }
                tried += 1;
            }
        }
    }
    assert!(tried > 3_000, "{tried}");
}
