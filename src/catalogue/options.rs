//! What an operator says of one API beside its description: hosts, base path, how paths compare, resources, roles.

use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::types::{Lines, MethodKind, Role};

/// Stored as JSON in `apis.options`. Empty `hosts` and `base_path: None` mean: as the description says.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiOptions {
    /// `X-Forwarded-Host` values that mean this API.
    pub hosts: Lines,
    /// `""` or `/1.0`: what stands before every template.
    pub base_path: Option<String>,
    /// Whether letter case in a path makes no difference.
    pub case_insensitive: bool,
    /// Whether a segment may end in a dot (ids of DNS zones do).
    pub trailing_dot: bool,
    /// Whether printable UTF-8 may stand percent-encoded in a path.
    pub utf8_paths: bool,
    /// `SERVICE:METHOD` patterns whose last parameter takes the rest of the path.
    pub greedy: Lines,
    /// `KIND PATTERN`: overrides the kind that follows from the HTTP method; the last line that fits wins.
    pub kinds: Lines,
    /// `ROLE PATTERN`: the least role for methods.
    pub least_roles: Lines,
    /// `SERVICE PARAMETER`, or `SERVICE ?PARAMETER` for the query: which one names a service's resource.
    pub resources: Lines,
}

impl ApiOptions {
    /// Every line that cannot be read, with its field.
    pub fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |field, sentence| problems.push(Problem { field, sentence });
        for host in self.hosts.iter().filter(|host| !is_host(host)) {
            wrong("hosts", format!("“{host}” is not a host name, such as api.example.org or api.example.org:8443."));
        }
        if let Some(base) = self.base_path.as_deref().filter(|base| !is_base_path(base)) {
            wrong(
                "base_path",
                format!("“{base}” is not a base path: it begins with / and does not end with one, such as /1.0."),
            );
        }
        for pattern in self.greedy.iter().filter(|pattern| !is_pattern(pattern)) {
            wrong("greedy", pattern_sentence(pattern));
        }
        for line in self.kinds.iter() {
            match line.split_once(' ') {
                Some((kind, pattern)) if MethodKind::parse(kind).is_some() => {
                    if !is_pattern(pattern.trim()) {
                        wrong("kinds", pattern_sentence(pattern.trim()));
                    }
                }
                _ => wrong("kinds", format!("“{line}” does not begin with read, write or delete and a space.")),
            }
        }
        for line in self.least_roles.iter() {
            match line.split_once(' ') {
                Some((role, pattern)) if Role::parse(role).is_some() => {
                    if !is_pattern(pattern.trim()) {
                        wrong("least_roles", pattern_sentence(pattern.trim()));
                    }
                }
                _ => wrong(
                    "least_roles",
                    format!(
                        "“{line}” does not begin with viewer, token_creator, contributor, admin or owner and a space."
                    ),
                ),
            }
        }
        for line in self.resources.iter().filter(|line| line.split_whitespace().count() != 2) {
            wrong("resources", format!("“{line}” is not a service, a space and the name of a parameter."));
        }
        problems
    }

    /// Patterns that fit none of the methods `(service, name)`: most likely a slip, which would leave a method less guarded.
    pub fn unused<'a>(&self, methods: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Vec<String> {
        let worded = self.kinds.iter().chain(self.least_roles.iter()).filter_map(|line| line.split_once(' '));
        let patterns = worded.map(|(_, pattern)| pattern.trim()).chain(self.greedy.iter());
        let fits_none = |pattern: &&str| !methods.clone().any(|(service, name)| fits(pattern, service, name));
        patterns.filter(fits_none).map(str::to_owned).collect()
    }

    pub fn kind_of(&self, service: &str, method: &str, usual: MethodKind) -> MethodKind {
        last_fitting(&self.kinds, service, method).and_then(MethodKind::parse).unwrap_or(usual)
    }

    pub fn least_role_of(&self, service: &str, method: &str) -> Role {
        last_fitting(&self.least_roles, service, method).and_then(Role::parse).unwrap_or(Role::Viewer)
    }

    pub fn is_greedy(&self, service: &str, method: &str) -> bool {
        self.greedy.iter().any(|pattern| fits(pattern, service, method))
    }

    /// The parameter that names a service's resource: `(name, whether it is in the query)`.
    pub fn resource_of(&self, service: &str) -> Option<(&str, bool)> {
        let lines = self.resources.iter().filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        });
        lines.filter(|(of, _)| *of == service).last().map(|(_, parameter)| match parameter.strip_prefix('?') {
            Some(name) => (name, true),
            None => (parameter, false),
        })
    }
}

/// The word of the last line whose pattern fits.
fn last_fitting<'a>(lines: &'a Lines, service: &str, method: &str) -> Option<&'a str> {
    let fitting = lines.iter().filter_map(|line| line.split_once(' '));
    fitting.filter(|(_, pattern)| fits(pattern.trim(), service, method)).last().map(|(word, _)| word)
}

/// `SERVICE:METHOD`, where `*` stands for any run of characters.
fn fits(pattern: &str, service: &str, method: &str) -> bool {
    pattern
        .split_once(':')
        .is_some_and(|(of, name)| glob(of.as_bytes(), service.as_bytes()) && glob(name.as_bytes(), method.as_bytes()))
}

/// Iterative: a pattern with many stars costs at most pattern × text steps.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut retry) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                p += 1;
                retry = Some((p, t));
            }
            Some(c) if text.get(t) == Some(c) => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after_star, from)) => {
                    let next = from + 1;
                    (p, t, retry) = (after_star, next, Some((after_star, next)));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&c| c == b'*')
}

fn is_pattern(text: &str) -> bool {
    text.split_once(':').is_some_and(|(service, method)| !service.is_empty() && !method.is_empty())
        && !text.contains(char::is_whitespace)
}

fn pattern_sentence(pattern: &str) -> String {
    format!("“{pattern}” is not a pattern like SERVICE:METHOD; * stands for anything, as in *:get*.")
}

fn is_host(text: &str) -> bool {
    url::Url::parse(&format!("http://{text}/")).is_ok_and(|url| {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        url.path() == "/"
            && url
                .host_str()
                .is_some_and(|host| format!("{host}{port}").eq_ignore_ascii_case(text.trim_end_matches(":80")))
    })
}

fn is_base_path(text: &str) -> bool {
    text.is_empty()
        || (text.starts_with('/')
            && !text.ends_with('/')
            && !text.contains("//")
            && !text.contains(['?', '#', '{', ' ']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(fill: impl FnOnce(&mut ApiOptions)) -> ApiOptions {
        let mut options = ApiOptions::default();
        fill(&mut options);
        options
    }

    #[test]
    fn a_star_in_a_pattern_stands_for_any_run_of_characters() {
        for (pattern, fitting) in [
            ("*:get*", true),
            ("control:getEnvs", true),
            ("con*:*Envs", true),
            ("*:*", true),
            ("control:get", false),
            ("other:*", false),
            ("*:*x*", false),
            ("control:getEnvs**", true),
            ("control:getEnvsX", false),
            ("control:getEnvs*X", false),
            ("control:*tEn*s", true),
            ("control:*tEn*v", false),
            ("*o*o*:*", true),
            ("*o*o*o*:*", false),
        ] {
            assert_eq!(fits(pattern, "control", "getEnvs"), fitting, "{pattern}");
        }
    }

    #[test]
    fn the_last_line_that_fits_gives_the_kind() {
        let options = options(|o| o.kinds = ["read *:get*", "delete *:getAndDelete*"].iter().collect());
        assert_eq!(options.kind_of("a", "getList", MethodKind::Write), MethodKind::Read);
        assert_eq!(options.kind_of("a", "getAndDeleteAll", MethodKind::Write), MethodKind::Delete);
        assert_eq!(options.kind_of("a", "stop", MethodKind::Write), MethodKind::Write);
    }

    #[test]
    fn without_a_line_every_role_reaches_a_method() {
        let options = options(|o| o.least_roles = ["admin billing:*"].iter().collect());
        assert_eq!(options.least_role_of("billing", "pay"), Role::Admin);
        assert_eq!(options.least_role_of("zones", "list"), Role::Viewer);
    }

    #[test]
    fn a_resource_is_a_path_parameter_or_with_a_question_mark_one_of_the_query() {
        let options = options(|o| o.resources = ["zones zone_id", "control ?envName"].iter().collect());
        assert_eq!(options.resource_of("zones"), Some(("zone_id", false)));
        assert_eq!(options.resource_of("control"), Some(("envName", true)));
        assert_eq!(options.resource_of("other"), None);
    }

    #[test]
    fn each_wrong_line_has_its_field_and_sentence() {
        let wrong = options(|o| {
            o.hosts = ["not a host", "fine.example"].iter().collect();
            o.base_path = Some("1.0/".into());
            o.greedy = ["contents"].iter().collect();
            o.kinds = ["remove *:x"].iter().collect();
            o.least_roles = ["boss *:x"].iter().collect();
            o.resources = ["zones"].iter().collect();
        });
        let fields: Vec<_> = wrong.check().iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["hosts", "base_path", "greedy", "kinds", "least_roles", "resources"]);
        assert_eq!(options(|o| o.hosts = ["api.example.org:8443"].iter().collect()).check(), []);
    }

    #[test]
    fn a_line_of_a_known_word_and_a_pattern_is_right_and_its_pattern_is_looked_at_too() {
        let right = options(|o| {
            o.kinds = ["read *:get*", "write  a:b", "delete *:*"].iter().collect();
            o.least_roles = ["admin billing:*", "owner *:stop"].iter().collect();
            o.greedy = ["files:*"].iter().collect();
            o.resources = ["zones zone_id"].iter().collect();
            o.base_path = Some("/1.0".into());
        });
        assert_eq!(right.check(), []);
        for pattern in ["get", "a:", ":b", ""] {
            let kinds = options(|o| o.kinds = [format!("read {pattern}")].iter().collect()).check();
            let roles = options(|o| o.least_roles = [format!("admin {pattern}")].iter().collect()).check();
            assert_eq!((kinds.len(), roles.len()), (1, 1), "{pattern}");
            if !pattern.is_empty() {
                let sentence = format!("“{pattern}” is not a pattern like SERVICE:METHOD;");
                assert!(kinds[0].sentence.starts_with(&sentence), "{}", kinds[0].sentence);
                assert!(roles[0].sentence.starts_with(&sentence), "{}", roles[0].sentence);
            }
        }
        assert_eq!(options(|o| o.kinds = ["read a b:c"].iter().collect()).check().len(), 1);
    }

    #[test]
    fn a_host_is_a_name_or_address_with_or_without_a_port_and_nothing_around_it() {
        let is_right = |host: &str| options(|o| o.hosts = [host].iter().collect()).check().is_empty();
        for right in [
            "api.example.org",
            "API.example.org",
            "api.example.org:80",
            "localhost:8443",
            "10.0.0.7",
            "[2001:db8::7]:443",
        ] {
            assert!(is_right(right), "{right}");
        }
        for wrong in
            ["user@api.example.org", "api.example.org/v1", "api.example.org?x", "api.example.org:99999", "a b", ":80"]
        {
            assert!(!is_right(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_base_path_begins_with_a_slash_ends_with_none_and_is_plain() {
        let is_right = |base: &str| options(|o| o.base_path = Some(base.into())).check().is_empty();
        for right in ["", "/1.0", "/api/v1"] {
            assert!(is_right(right), "{right}");
        }
        for wrong in ["/", "1.0", "/1.0/", "/a//b", "/a?b", "/a#b", "/{a}", "/a b"] {
            assert!(!is_right(wrong), "{wrong}");
        }
    }

    #[test]
    fn patterns_that_fit_no_method_are_told() {
        let options = options(|o| {
            o.kinds = ["read zones:list*", "write zones:make*"].iter().collect();
            o.least_roles = ["admin billing:*"].iter().collect();
            o.greedy = ["zones:listZones", "files:*"].iter().collect();
        });
        let methods = [("zones", "listZones"), ("zones", "readZone")];
        assert_eq!(options.unused(methods.into_iter()), ["zones:make*", "billing:*", "files:*"]);
    }

    #[test]
    fn the_methods_that_a_greedy_line_fits_are_greedy_and_no_others() {
        let options = options(|o| o.greedy = ["files:read*", "logs:*"].iter().collect());
        let greedy = |service, name| options.is_greedy(service, name);
        assert!(greedy("files", "readFile") && greedy("logs", "any"));
        assert!(!greedy("files", "writeFile") && !greedy("zones", "readFile"));
    }
}
