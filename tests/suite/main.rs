//! The suite: a whole Hallpass for each test, driven from outside. Runs on SQLite, and on PostgreSQL where
//! `TEST_DATABASE_URL` names a server on which databases may be made.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that panics has failed")]

mod accounts;
mod activity;
mod all_tokens;
mod api;
mod api_bad_input;
mod api_bounds;
mod api_contract;
mod api_lists;
mod api_offers;
mod api_people;
mod api_session;
mod api_tokens;
mod apis;
mod apply;
mod audit;
mod bad_input;
mod bulk;
mod client;
mod command_line;
mod door;
mod edit;
mod examples;
mod forms;
mod limits;
mod long_lists;
mod matrix;
mod oauth;
mod people;
mod policy;
mod proxies;
mod race;
mod regenerate;
mod routes;
mod rules;
mod schema;
mod secrets;
mod service_accounts;
mod settings;
mod spreadsheet;
mod support;
mod table;
mod teams;
mod terminal;
mod tokens;
mod verify;
mod walkthroughs;
