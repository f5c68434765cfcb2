//! The pages of one's access tokens.

pub mod bulk;
pub mod edit;
mod form;
pub mod generate;
pub mod list;
mod owner;
mod picker;
pub mod regenerate;
pub mod reveal;

pub use form::expiry;
