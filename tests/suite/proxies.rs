//! The proxy configurations that the README prints, as printed: each proxy runs one between a client that says whatever
//! it likes, byte by byte, and an API that writes down what reached it. All of them pass the same cases.

mod caddy;
mod cases;
mod envoy;
mod failing;
mod haproxy;
pub mod nginx;
pub mod stage;
mod traefik;

/// Jelastic's manner: most is POST, under `/1.0`, on a host that stands for the reader's own.
pub const DESCRIPTION: &str = r#"{
  "openapi": "3.0.0",
  "info": { "title": "Environments", "version": "8.0" },
  "servers": [{ "url": "https://[api-host]/1.0/" }],
  "paths": {
    "/environment/control/rest/startenv": { "post": { "operationId": "startenv", "tags": ["control"], "responses": {} } },
    "/environment/control/rest/stopenv": { "post": { "operationId": "stopenv", "tags": ["control"], "responses": {} } },
    "/environment/file/rest/write": { "post": { "operationId": "write", "tags": ["file"], "responses": {} } },
    "/environment/{name}": {
      "parameters": [{ "name": "name", "in": "path", "required": true, "schema": { "type": "string" } }],
      "get": { "operationId": "readEnv", "tags": ["env"], "responses": {} },
      "delete": { "operationId": "deleteEnv", "tags": ["env"], "responses": {} }
    }
  }
}"#;

pub const STOP: &str = "/1.0/environment/control/rest/stopenv";
pub const START: &str = "/1.0/environment/control/rest/startenv";
const ONE: &str = "/1.0/environment/one";
const CHALLENGE: &str = r#"Bearer realm="hallpass""#;
const INVALID: &str = r#"Bearer realm="hallpass", error="invalid_token""#;

macro_rules! on_every_proxy {
    ($($from:ident::$case:ident)*) => {
        mod on_nginx { $(#[test] fn $case() { super::$from::$case(&super::nginx::KIND) })* }
        mod on_caddy { $(#[test] fn $case() { super::$from::$case(&super::caddy::KIND) })* }
        mod on_haproxy { $(#[test] fn $case() { super::$from::$case(&super::haproxy::KIND) })* }
        // Debian has no Envoy: `tests/run` fetches one and names these where it could.
        mod on_envoy { $(#[test] #[ignore = "needs Envoy"] fn $case() { super::$from::$case(&super::envoy::KIND) })* }
    };
}

on_every_proxy! {
    cases::a_named_method_passes_in_any_letter_case_and_the_api_learns_who_asks
    cases::each_identity_header_of_the_answer_reaches_the_api
    cases::the_question_is_that_of_the_proxy_and_carries_no_cookie_and_no_body
    cases::the_client_s_host_chooses_no_api
    cases::each_http_method_is_judged_as_what_it_is
    cases::another_method_is_refused_and_the_client_reads_the_scope_that_is_missing
    cases::without_a_living_token_there_is_one_challenge
    cases::a_token_over_its_rate_is_told_when_to_come_back
    cases::a_removed_token_is_refused_at_the_very_next_request_of_the_same_connection
    cases::a_target_that_two_programs_may_read_differently_never_reaches_the_api
    cases::an_absolute_target_is_refused_or_reaches_the_api_as_the_path_that_was_judged
    cases::headers_that_name_another_request_do_not_move_the_decision
    cases::nothing_that_a_client_may_forge_reaches_the_api
    cases::an_address_in_a_header_does_not_open_a_token_that_is_bound_to_one
    cases::overrides_and_second_credentials_and_second_hosts_are_refused
    cases::a_body_reaches_the_api_whole_and_only_with_a_token_that_may
    cases::one_connection_carries_passes_and_refusals_in_turn
    cases::refusals_of_the_api_itself_pass_unchanged
    failing::without_hallpass_nothing_passes
    failing::while_hallpass_hangs_nothing_passes
    failing::an_answer_that_is_none_of_hallpass_s_lets_nothing_pass
}
