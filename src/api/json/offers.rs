//! The JSON of what an operator says of an API beside its description: options and access sets.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::roles;
use crate::api::input::given;
use crate::catalogue::options::ApiOptions;
use crate::types::{Lines, Role};

/// All of them where they are told; in an edit those that are left out stay.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = ApiOptions, example = json!({ "hosts": ["api.example.org"], "kinds": ["read *:get*"] }))]
pub struct Options {
    /// Host names that mean this API, instead of those of the description.
    pub hosts: Option<Vec<String>>,
    /// What stands before every path; `null`: as the description says.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub base_path: Option<Option<String>>,
    /// Letter case in paths makes no difference.
    pub case_insensitive: Option<bool>,
    /// A segment may end in a dot.
    pub trailing_dot: Option<bool>,
    /// Percent-encoded UTF-8 may stand in paths.
    pub utf8_paths: Option<bool>,
    /// Patterns `SERVICE:METHOD` of methods whose last parameter takes the rest of the path.
    pub greedy: Option<Vec<String>>,
    /// `KIND PATTERN`, such as `read *:get*`; the last one that fits wins.
    pub kinds: Option<Vec<String>>,
    /// `ROLE PATTERN`, such as `admin billing:*`.
    pub least_roles: Option<Vec<String>>,
    /// `SERVICE PARAMETER`, or `SERVICE ?PARAMETER` for the query: which one names a service's resource.
    pub resources: Option<Vec<String>>,
}

impl Options {
    pub fn of(options: &ApiOptions) -> Options {
        let list = |lines: &Lines| Some(lines.iter().map(str::to_owned).collect());
        Options {
            hosts: list(&options.hosts),
            base_path: Some(options.base_path.clone()),
            case_insensitive: Some(options.case_insensitive),
            trailing_dot: Some(options.trailing_dot),
            utf8_paths: Some(options.utf8_paths),
            greedy: list(&options.greedy),
            kinds: list(&options.kinds),
            least_roles: list(&options.least_roles),
            resources: list(&options.resources),
        }
    }

    pub fn over(self, known: ApiOptions) -> ApiOptions {
        let list = |given: Option<Vec<String>>, known: Lines| given.map_or(known, |given| given.iter().collect());
        ApiOptions {
            hosts: list(self.hosts, known.hosts),
            base_path: self.base_path.unwrap_or(known.base_path),
            case_insensitive: self.case_insensitive.unwrap_or(known.case_insensitive),
            trailing_dot: self.trailing_dot.unwrap_or(known.trailing_dot),
            utf8_paths: self.utf8_paths.unwrap_or(known.utf8_paths),
            greedy: list(self.greedy, known.greedy),
            kinds: list(self.kinds, known.kinds),
            least_roles: list(self.least_roles, known.least_roles),
            resources: list(self.resources, known.resources),
        }
    }
}

/// What an access set is to be. Tokens that were generated with it keep what they got.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAccessSet, example = json!({ "api": "pdns", "name": "Maven Plugin", "scopes": ["zones:listZones"] }))]
pub struct NewSet {
    /// Short name of the API that it is of.
    pub api: String,
    #[schema(min_length = 1, max_length = 60)]
    pub name: String,
    #[schema(max_length = 500)]
    pub description: Option<String>,
    #[schema(min_items = 1)]
    pub scopes: Vec<String>,
    /// Left out: everybody's.
    #[schema(schema_with = roles)]
    pub least_role: Option<Role>,
}
