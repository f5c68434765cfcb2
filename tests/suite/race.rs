//! What happens at the same moment: changes in one process while another follows them.

use std::sync::atomic::{AtomicBool, Ordering};

use hallpass::policy::Policy;

use crate::support::Site;

/// Without one snapshot for a token's row and its values, a commit between the two reads is learnt as a version without
/// values, which no later look replaces.
#[test]
fn a_token_that_another_process_generates_while_this_one_follows_is_alive_here() {
    let site = Site::with(Policy { tokens_per_account: 1000, ..Policy::default() });
    let maria = site.owner_with_zones();
    let other = site.beside();
    let done = AtomicBool::new(false);
    let values: Vec<String> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                other.app.follow().unwrap();
            }
        });
        let new = |n: usize| hallpass::token::NewToken {
            name: format!("t{n}"),
            description: String::new(),
            expires_at: None,
            access_set: None,
            scopes: ["pdns/zones:listZones"].iter().collect(),
            allow: Default::default(),
            ip_allow: Default::default(),
            rate_per_minute: None,
            enabled: true,
        };
        let values = (0..400)
            .map(|n| {
                site.app
                    .write_now(|tx| {
                        let maria = hallpass::account::by_email(tx.conn, "maria@example.com")?.unwrap();
                        let operator = hallpass::actor::Actor::operator();
                        let (_, value) = hallpass::token::generate(tx, &operator, &maria, new(n), "hp")?;
                        Ok(value.reveal().to_owned())
                    })
                    .unwrap()
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        values
    });
    other.app.follow().unwrap();
    let dead = values.iter().filter(|value| other.verify(value, "GET", "/api/v1/zones").status != 200).count();
    assert_eq!(dead, 0, "of {}", values.len());
    drop(maria);
}
