//! The policy: the operator's limits.

use std::sync::Arc;

use actix_web::web;

use super::answer::{Refused, Told};
use super::bearer::Bearer;
use super::json::PolicyJson;
use crate::actor::Deed;
use crate::app::App;
use crate::catalogue::own::DescribePolicy;

pub async fn describe(caller: Bearer<DescribePolicy>, app: web::Data<Arc<App>>) -> Result<Told<PolicyJson>, Refused> {
    let (now, policy) = (app.now(), app.policy().as_ref().clone());
    app.read(move |conn| caller.actor(conn, now)?.must(Deed::Administer)).await?;
    Ok(Told::plain(PolicyJson(policy)))
}
