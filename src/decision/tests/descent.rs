//! No token begets a stronger one: whatever a child passes that `token::descent` accepts, its parent passes as well.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};

use super::reference::{Expected, expected};
use super::world::{Ask, Presented, Tape, TokenModel, World};
use super::{cases, in_millis};
use crate::token::NewToken;
use crate::token::descent::excess;

const ASKED: usize = 8;

fn as_new(model: &TokenModel) -> NewToken {
    NewToken {
        name: String::new(),
        description: String::new(),
        expires_at: model.expires_in.map(in_millis),
        access_set: None,
        scopes: model.scopes.iter().collect(),
        allow: model.allow.iter().collect(),
        ip_allow: model.addresses.iter().collect(),
        rate_per_minute: model.rate,
        enabled: true,
    }
}

/// The parent with some of it narrower, and now and then something of another token.
fn child(tape: &mut Tape, parent: &TokenModel, other: &TokenModel, world: &World) -> TokenModel {
    let mut child = parent.clone();
    let fewer = |tape: &mut Tape, list: &[String]| -> Vec<String> {
        list.iter().filter(|_| !tape.once_in(3)).cloned().collect()
    };
    child.scopes = match tape.below(6) {
        0 => other.scopes.clone(),
        1..=3 => {
            // Single methods, which a wildcard of the parent may hold.
            let methods = world
                .apis
                .iter()
                .flat_map(|api| api.methods.iter().map(move |m| format!("{}/{}:{}", api.slug, m.service, m.name)));
            let methods: Vec<String> = methods.collect();
            (0..1 + tape.below(2)).map(|_| tape.pick(&methods)).collect()
        }
        _ => fewer(tape, &parent.scopes),
    };
    child.allow = match tape.below(5) {
        0 => other.allow.clone(),
        1 => parent.allow.iter().map(|entry| entry.replace(":*", ":a")).collect(),
        _ => fewer(tape, &parent.allow),
    };
    child.addresses = match tape.below(5) {
        0 => other.addresses.clone(),
        1 => {
            parent.addresses.iter().map(|_| tape.pick(&["10.0.0.7", "10.0.0.0/30", "2001:db8::7"]).to_owned()).collect()
        }
        _ => parent.addresses.clone(),
    };
    if tape.once_in(4) {
        child.expires_in = other.expires_in;
    }
    child
}

#[test]
fn what_an_accepted_child_passes_its_parent_passes() {
    let (accepted, refused, passed) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&prop::collection::vec(any::<u16>(), 700), |choices| {
        let mut tape = Tape::new(choices);
        let mut world = World::draw(&mut tape);
        // Who is dead asks for nothing.
        let alive = |model: TokenModel| TokenModel {
            enabled: true,
            removed: false,
            expires_in: model.expires_in.map(i64::abs).filter(|ends| *ends > 0),
            ..model
        };
        world.token = alive(world.token);
        (world.account.enabled, world.account.known) = (true, true);
        let other = alive(World::draw(&mut tape).token);
        let model = child(&mut tape, &world.token, &other, &world);
        if excess(&as_new(&model), &as_new(&world.token)).is_some() {
            refused.set(refused.get() + 1);
            return Ok(());
        }
        accepted.set(accepted.get() + 1);
        let begotten = World { token: model, ..world.clone() };
        for _ in 0..ASKED {
            let ask = Ask { presented: Presented::Current, ..world.ask(&mut tape) };
            let later = tape.pick(&[0, 1, 86_400_000]);
            let at = |world: &World| {
                let token =
                    TokenModel { expires_in: world.token.expires_in.map(|ends| ends - later), ..world.token.clone() };
                World { token, ..world.clone() }
            };
            if let Expected::Pass(full) = expected(&at(&begotten), &ask) {
                passed.set(passed.get() + 1);
                let of_parent = expected(&at(&world), &ask);
                prop_assert_eq!(
                    of_parent,
                    Expected::Pass(full),
                    "{:#?}\n{:#?}\n{:#?}",
                    ask,
                    begotten.token,
                    world.token
                );
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|cause| match cause {
        TestError::Fail(cause, _) => panic!("{cause}"),
        TestError::Abort(cause) => panic!("{cause}"),
    });
    println!("accepted {}, refused {}, passed {}", accepted.get(), refused.get(), passed.get());
    if cases() >= 3_000 {
        assert!(accepted.get() > 300 && refused.get() > 300 && passed.get() > 300);
    }
}
