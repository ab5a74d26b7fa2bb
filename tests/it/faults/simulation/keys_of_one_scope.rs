//! Two keys of one team, organization or user: whatever becomes of the younger object's key, the older keeps the name.

use std::{collections::BTreeMap, time::Duration};

use rstest::rstest;
use serde_json::{Value, json};
use simulator::{Account, Exchange, prime_intellect};
use tokio::time::sleep;

use super::world::{World, data, simulate, value};
use crate::harness::{CANARY, Target};

const TEAM: &str = "team-of-two";
/// As the operators of the simulation have it, and the jitter.
const VERIFY_INTERVAL: Duration = Duration::from_mins(11);
/// Longer than anything takes that follows a key.
const SOON: Duration = Duration::from_secs(5);

/// Where the names are: an API, and the PrimeIntellect team in place of the user's own secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Of(Target),
    PrimeIntellectTeam,
}

/// Those whose id the provider reports. Without a team Baseten does not say whose names they are, and Pipecat never does:
/// there each key is a scope of its own.
const SCOPES: [Scope; 4] = [
    Scope::Of(Target::BasetenTeam),
    Scope::Of(Target::PrimeIntellect),
    Scope::Of(Target::Braintrust),
    Scope::PrimeIntellectTeam,
];

/// Two objects that want one name of one scope, with keys of their own.
struct Rivals {
    world: World,
    scope: Scope,
    account: Account,
    keys: usize,
}

impl Rivals {
    fn new(scope: Scope) -> Self {
        let world = World::new(match scope {
            Scope::Of(target) => target,
            Scope::PrimeIntellectTeam => Target::PrimeIntellect,
        });
        world.rotate("a1");
        let account = if scope == Scope::PrimeIntellectTeam {
            let account = prime_intellect::NewAccount::new("teamed", "unused");
            let added = world.remote.simulator().prime_intellect();
            let added = added.add_account(account.team(TEAM));
            added.expect("an account is added")
        } else {
            world.account.clone()
        };
        Self {
            world,
            scope,
            account,
            keys: 0,
        }
    }

    /// Gives an object the next key of the account.
    fn exchange(&mut self, secret: &str) {
        self.keys += 1;
        let key = format!("{CANARY}-key-{}", self.keys);
        self.account.add_key(&*key).expect("a key");
        self.world
            .secret(secret, &BTreeMap::from([("api-key", key)]));
    }

    /// Makes an object with a key of its own.
    fn make(&mut self, name: &str, key: &str, more: &Value) {
        let mut provider = self.world.target.provider_spec("account");
        let member = provider
            .as_object_mut()
            .expect("an object")
            .values_mut()
            .next();
        let member = member.expect("a member");
        if self.scope == Scope::PrimeIntellectTeam {
            member["teamId"] = TEAM.into();
        }
        member["apiKeySecretRef"]["name"] = format!("key-of-{name}").into();
        self.exchange(&format!("key-of-{name}"));
        let mut spec = json!({"provider": provider, "data": data(&[("A_KEY", key)])});
        json_patch::merge(&mut spec, more);
        self.world.apply(name, &spec);
    }

    /// The scope as the simulator knows it.
    fn place(&self) -> Option<String> {
        match self.scope {
            Scope::Of(target) => target.scope("account"),
            Scope::PrimeIntellectTeam => Some(TEAM.to_owned()),
        }
    }

    fn held(&self) -> Option<String> {
        let place = self.place();
        self.account.values(place.as_deref()).remove("A_KEY")
    }

    /// Another client deletes what the older object wrote, and may write the name itself.
    fn lose(&self, is_replaced: bool) {
        let place = self.place();
        let deleted = self.account.foreign_delete(place.as_deref(), "A_KEY");
        deleted.expect("it is deleted");
        if is_replaced {
            let written = self
                .account
                .foreign_write(place.as_deref(), "A_KEY", "foreign");
            written.expect("a foreign write");
        }
    }

    /// What was written of the younger object's value.
    fn writes_of_younger(&self) -> usize {
        let writes = self.account.writes().into_iter();
        let is_of_younger = |write: &Exchange| {
            let body = write.body.as_deref().map(Value::to_string);
            body.unwrap_or_default().contains(&value("b"))
        };
        writes.filter(is_of_younger).count()
    }

    fn assert_owned(&self, step: &str) {
        let reasons = ["older", "younger"].map(|name| self.world.ready_reason(name));
        let expected = ["Synced", "Conflict"].map(|reason| Some(reason.to_owned()));
        assert_eq!(reasons, expected, "{:?} {step}", self.scope);
    }

    async fn restart(&mut self, is_wanted: bool) {
        if is_wanted {
            self.world.down().await;
            self.world.up();
            self.world.quiet().await;
        }
    }
}

/// When the operator is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Restart {
    Never,
    BeforeExchange,
    DuringExchange,
    AfterExchange,
}

/// Cases: C-21, M-09
#[rstest]
fn the_older_object_keeps_its_name_whatever_keys_of_the_scope_are_exchanged(
    #[values(
        Restart::Never,
        Restart::BeforeExchange,
        Restart::DuringExchange,
        Restart::AfterExchange
    )]
    restart: Restart,
    #[values("key-of-younger", "key-of-older", "both")] exchanged: &str,
    #[values("Overwrite", "Fail")] conflict: &str,
    #[values("Retain", "Delete")] deletion: &str,
) {
    for scope in SCOPES {
        simulate(async {
            let mut rivals = Rivals::new(scope);
            let policies = json!({"conflictPolicy": conflict, "deletionPolicy": deletion});
            rivals.world.up();
            rivals.make("older", "a", &policies);
            rivals.world.quiet().await;
            sleep(Duration::from_secs(2)).await;
            rivals.make("younger", "b", &policies);
            rivals.world.quiet().await;
            rivals.assert_owned("at first");
            assert_eq!(rivals.held(), Some(value("a1")));
            for round in 0..3 {
                let (before, of_younger) =
                    (rivals.account.writes().len(), rivals.writes_of_younger());
                rivals.restart(restart == Restart::BeforeExchange).await;
                if restart == Restart::DuringExchange {
                    rivals.world.down().await;
                }
                for secret in ["key-of-younger", "key-of-older"] {
                    if exchanged == secret || exchanged == "both" {
                        rivals.exchange(secret);
                    }
                }
                rivals.world.up();
                rivals.world.quiet().await;
                rivals.restart(restart == Restart::AfterExchange).await;
                rivals.assert_owned(&format!("after exchange {round}"));
                assert_eq!(rivals.held(), Some(value("a1")), "{scope:?}");
                // If any, one that puts right what the younger object wrote before it knew.
                let writes = rivals.account.writes().len() - before;
                assert!(writes <= 1, "{scope:?}: {writes} writes in round {round}");
                assert_eq!(rivals.writes_of_younger(), of_younger, "{scope:?}");
            }
            // A rotation of each: that of the younger is none.
            let before = rivals.account.writes().len();
            rivals.world.source(&[("a", "a2"), ("b", "b2")]);
            rivals
                .world
                .wait("the rotation", SOON, |_| rivals.held() == Some(value("a2")))
                .await;
            rivals.world.quiet().await;
            rivals.assert_owned("after the rotation");
            assert_eq!(rivals.account.writes().len(), before + 1, "{scope:?}");
            rivals.world.down().await;
        });
    }
}

/// What the provider shows when the younger object comes, or its new key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    /// What the older object wrote, without anything by which it could be recognized.
    Unmarked,
    /// Not what the older object wrote: another client deleted it, or replaced it.
    Nothing,
    Another,
}

/// Cases: M-09, P-36
#[rstest]
fn the_older_object_keeps_its_name_whatever_the_provider_shows_of_it(
    #[values(Shown::Unmarked, Shown::Nothing, Shown::Another)] shown: Shown,
    #[values(false, true)] is_younger_there: bool,
    #[values(false, true)] restarts: bool,
) {
    for scope in SCOPES {
        simulate(async {
            let mut rivals = Rivals::new(scope);
            if shown == Shown::Unmarked {
                let simulator = rivals.world.remote.simulator().prime_intellect();
                if rivals.world.target != Target::PrimeIntellect {
                    return;
                }
                simulator.set_variants(&rivals.account, |variants| {
                    variants.write_answer = prime_intellect::WriteAnswer::Null;
                });
            }
            rivals.world.up();
            rivals.make("older", "a", &json!({}));
            rivals.world.quiet().await;
            if is_younger_there {
                rivals.make("younger", "b", &json!({}));
                rivals.world.quiet().await;
            }
            if restarts {
                rivals.world.down().await;
            }
            match shown {
                Shown::Unmarked => {}
                Shown::Nothing => rivals.lose(false),
                Shown::Another => rivals.lose(true),
            }
            if is_younger_there {
                rivals.exchange("key-of-younger");
            } else {
                rivals.make("younger", "b", &json!({}));
            }
            rivals.world.up();
            // An empty listing is believed when a later one says so too.
            let is_held = |_: &World| rivals.held() == Some(value("a1"));
            let what = "what the older object wrote";
            rivals.world.wait(what, 3 * VERIFY_INTERVAL, is_held).await;
            rivals.world.quiet().await;
            rivals.assert_owned(&format!("{shown:?}"));
            assert_eq!(rivals.held(), Some(value("a1")), "{scope:?} {shown:?}");
            assert_eq!(rivals.writes_of_younger(), 0, "{scope:?} {shown:?}");
            rivals.world.down().await;
        });
    }
}
