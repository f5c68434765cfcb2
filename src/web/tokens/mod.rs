//! The pages of access tokens.

pub mod generate;
pub mod list;
mod picker;
