//! The policy: read at every request, saved in the database, heard of by every process.

use hallpass::policy::{Policy, Saved};
use hallpass::tx::Change;

use crate::support::Site;

fn save(site: &Site, policy: Policy) {
    let saved = site.app.write_now(|tx| {
        let saved = Saved { version: tx.version()?, policy };
        saved.store(tx.conn)?;
        tx.changed(Change::Policy(saved));
        Ok(())
    });
    saved.unwrap();
}

#[test]
fn a_saved_policy_replaces_the_file_s_at_once_here_and_with_the_next_look_elsewhere() {
    let site = Site::with(Policy { max_grace: 3, ..Policy::default() });
    let other = site.beside();
    assert_eq!((site.app.policy().max_grace, other.app.policy().max_grace), (3, 3), "as in the file");
    save(&site, Policy { max_grace: 2, ..Policy::default() });
    assert_eq!((site.app.policy().max_grace, other.app.policy().max_grace), (2, 3));
    other.app.follow().unwrap();
    assert_eq!(other.app.policy().max_grace, 2);
    save(&other, Policy { max_grace: 1, ..Policy::default() });
    site.app.follow().unwrap();
    assert_eq!((site.app.policy().max_grace, site.beside().app.policy().max_grace), (1, 1));
}
