//! What all four vendors refuse alike, and what their accounts share.

use serde_json::{Value, json};
use simulator::{Access, AccountError, Provider, Simulator};

use crate::support::{Client, client, list_of, scheme_of, scope_of, write_of, written_of};

const NONE: Value = Value::Null;

#[tokio::test(start_paused = true)]
async fn credentials_are_checked() {
    for provider in Provider::ALL {
        let simulator = Simulator::new();
        let (account, owner) = client(&simulator, provider);
        for authorization in [
            "",
            "key",
            "Basic key",
            "Api-Key other",
            "Bearer other",
            "Bearer  key",
            "Bearer",
        ] {
            let stranger = Client::new(&simulator, provider, authorization);
            assert_eq!(
                stranger.send(list_of(provider), NONE).await.status,
                401,
                "{provider} {authorization}"
            );
        }
        if provider != Provider::Baseten {
            let stranger = Client::new(&simulator, provider, "Api-Key key");
            assert_eq!(
                stranger.send(list_of(provider), NONE).await.status,
                401,
                "{provider}"
            );
        }
        let (line, body) = write_of(provider);
        account.set_access("key", Access::ReadOnly).unwrap();
        owner
            .check(&[
                (line, body.clone(), 403, NONE),
                (list_of(provider), NONE, 200, NONE),
            ])
            .await;
        account.revoke_key("key").unwrap();
        owner.check(&[(list_of(provider), NONE, 401, NONE)]).await;
        account.set_access("key", Access::Full).unwrap();
        owner
            .check(&[(line, body, written_of(provider), NONE)])
            .await;
        assert_eq!(
            account.set_access("other", Access::Full),
            Err(AccountError::UnknownKey)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn bodies_are_checked() {
    for provider in Provider::ALL {
        let simulator = Simulator::new();
        let (account, client) = client(&simulator, provider);
        let (line, body) = write_of(provider);
        let status = async |content_type: &str, body: String| {
            client
                .raw(line, content_type, body)
                .await
                .unwrap()
                .status
                .as_u16()
        };
        let invalid = if provider == Provider::PrimeIntellect {
            422
        } else {
            400
        };
        assert_eq!(status("application/json", "{".to_owned()).await, invalid);
        assert_eq!(
            status("application/json", " ".repeat(1024 * 1024 + 1)).await,
            413
        );
        assert!(status("application/x-www-form-urlencoded", body.to_string()).await >= 400);
        assert!(account.held(scope_of(provider)).is_empty());
        assert_eq!(
            status("application/json; charset=utf-8", body.to_string()).await,
            written_of(provider)
        );
        assert_eq!(account.values(scope_of(provider))["NAME"], "value");
    }
}

#[tokio::test(start_paused = true)]
async fn two_keys_share_an_account_and_two_accounts_share_nothing() {
    for provider in Provider::ALL {
        let simulator = Simulator::new();
        let (account, first) = client(&simulator, provider);
        account.add_key("second").unwrap();
        let scheme = scheme_of(provider);
        let second = Client::new(&simulator, provider, &format!("{scheme} second"));
        let description = |name: &str, key: &str| json!({ "name": name, "keys": [{ "key": key }] });
        let other = simulator
            .add_account_json(provider, description("other", "third"))
            .unwrap();
        let (line, body) = write_of(provider);
        first.send(line, body).await;
        assert!(
            second
                .send(list_of(provider), NONE)
                .await
                .text
                .contains(scope_of(provider).unwrap_or("NAME"))
        );
        let third = Client::new(&simulator, provider, &format!("{scheme} third"));
        assert!(
            !third
                .send(list_of(provider), NONE)
                .await
                .text
                .contains("NAME")
        );
        assert!(other.held(scope_of(provider)).is_empty());
        assert_eq!(
            account
                .requests()
                .iter()
                .map(|exchange| exchange.key)
                .collect::<Vec<_>>(),
            [Some(0), Some(1)]
        );

        let taken = simulator
            .add_account_json(provider, description("other", "fourth"))
            .err();
        assert_eq!(taken, Some(AccountError::NameTaken("other".to_owned())));
        let taken = simulator
            .add_account_json(provider, description("fourth", "key"))
            .err();
        assert_eq!(
            taken,
            Some(AccountError::KeyTaken {
                account: "test".to_owned()
            })
        );
        assert!(account.add_key("third").is_err());
    }
}

#[tokio::test(start_paused = true)]
async fn a_foreign_change_is_seen_but_not_logged() {
    for provider in Provider::ALL {
        let simulator = Simulator::new();
        let (account, client) = client(&simulator, provider);
        let (line, body) = write_of(provider);
        client.send(line, body).await;
        let scope = scope_of(provider);
        let before = account.held(scope)["NAME"].clone();
        account.foreign_write(scope, "NAME", "theirs").unwrap();
        let after = simulator.held(provider, "test", scope)["NAME"].clone();
        assert!(after.updated > before.updated && after.foreign && !before.foreign);
        assert_eq!(
            (after.value.as_str(), after.writes, after.created),
            ("theirs", 2, before.created)
        );
        account.foreign_write(scope, "OTHER", "theirs").unwrap();
        account.foreign_delete(scope, "NAME").unwrap();
        assert_eq!(
            account.held(scope).into_keys().collect::<Vec<_>>(),
            ["OTHER"]
        );
        assert!(account.foreign_delete(scope, "NAME").is_err());
        assert!(
            account
                .foreign_write(Some("No Scope"), "NAME", "x")
                .is_err()
        );
        assert_eq!(account.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn every_write_gets_a_later_time_also_while_the_clock_stands_still() {
    let simulator = Simulator::starting_at("2026-01-02T03:04:05Z".parse().unwrap());
    let (account, _) = client(&simulator, Provider::PrimeIntellect);
    account.foreign_write(None, "A", "1").unwrap();
    account.foreign_write(None, "B", "1").unwrap();
    let held = account.held(None);
    assert!(held["B"].updated > held["A"].updated);
    assert_eq!(simulator.now().to_string(), "2026-01-02T03:04:05Z");
    tokio::time::advance(std::time::Duration::from_millis(1500)).await;
    assert_eq!(simulator.now().to_string(), "2026-01-02T03:04:06.5Z");
}

#[tokio::test(start_paused = true)]
async fn variants_are_merged_and_misspelled_ones_are_refused() {
    let simulator = Simulator::new();
    let (account, _) = client(&simulator, Provider::Pipecat);
    account
        .merge_variants(&json!({ "put": "replaces" }))
        .unwrap();
    account
        .merge_variants(&json!({ "ready_after_milliseconds": 50 }))
        .unwrap();
    assert_eq!(account.variants()["put"], "replaces");
    assert_eq!(account.variants()["ready_after_milliseconds"], 50);
    for wrong in [
        json!({ "puts": "merges" }),
        json!({ "put": "merge" }),
        json!("put"),
    ] {
        assert!(account.merge_variants(&wrong).is_err());
    }
    assert_eq!(account.variants()["put"], "replaces");
}
