//! Hallpass: self-hosted access tokens for any HTTP API, verified at the proxy.
//!
//! From the ground up: `error types policy password when guess secret scope sharded` know nothing of each other's nouns; `db schema config
//! telemetry` hold the machine; `actor tx audit confirm` are what every change is made of; `catalogue refusal index app decision` are what verification
//! asks; `account team session token usage activity policy_change jobs metrics` hold the rules of their nouns; `web verify api cli`
//! translate for people, proxies, programs and operators, and `server` puts them behind one `door`, which times clients by `limits`.
//! Imports point downwards only.

pub mod error;
pub mod types;

pub mod config;
pub mod db;
pub mod guess;
pub mod limits;
pub mod password;
pub mod policy;
pub mod schema;
pub mod scope;
pub mod secret;
pub mod sharded;
pub mod telemetry;
pub mod when;

pub mod actor;
pub mod audit;
pub mod catalogue;
pub mod confirm;
pub mod refusal;
pub mod repeat;
pub mod tx;

pub mod account;
pub mod activity;
pub mod app;
pub mod decision;
pub mod index;
pub mod jobs;
pub mod metrics;
pub mod policy_change;
pub mod session;
pub mod team;
pub mod token;
pub mod usage;

pub mod api;
pub mod door;
pub mod http;
pub mod verify;
pub mod web;

pub mod cli;

pub mod server;
pub mod surround;
