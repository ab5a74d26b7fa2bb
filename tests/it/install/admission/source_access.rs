//! Only a user who may get the Secrets that a ProviderSecret names may write it.

use serde_json::{Value, json};

use super::{Guarded, assert_refused, fields, spec};

const POLICY: &str = "sourceAccess";

/// A namespace with the policy, and users who may get the Secret `open`, that one and `closed`, and all Secrets.
async fn guarded(namespace: &str) -> Guarded {
    let guarded = Guarded::new(namespace, POLICY, &spec("open", "closed")).await;
    guarded.user("one", &["open"]).await;
    guarded.user("both", &["open", "closed"]).await;
    guarded.user("all", &["*"]).await;
    guarded
}

#[tokio::test]
async fn a_user_names_only_secrets_that_the_user_may_get() {
    let guarded = guarded("access-fields").await;
    let words = "you may not get Secret closed";
    for (field, spec) in fields() {
        assert_refused(guarded.create("one", &spec).await, words);
        assert_refused(
            guarded.create("nobody", &spec).await,
            "you may not get Secret",
        );
        for user in ["both", "all"] {
            assert_eq!(guarded.create(user, &spec).await, Ok(()), "{field} {user}");
        }
    }
    assert_eq!(guarded.create("one", &spec("open", "open")).await, Ok(()));
}

#[tokio::test]
async fn what_leaves_the_spec_as_it_is_passes_and_so_do_brakes_and_deletion() {
    let guarded = guarded("access-updates").await;
    let object = guarded.made("object", &spec("open", "closed")).await;
    let patch = async |patch: Value| guarded.patch("nobody", &patch).await;
    // Metadata, as a user, a tool or the operator writes it.
    for metadata in [
        json!({"annotations": {"note": "changed"}, "labels": {"team": "a"}}),
        json!({"finalizers": ["example.com/hold"]}),
        json!({"finalizers": null}),
    ] {
        assert_eq!(
            patch(json!({"metadata": metadata})).await,
            Ok(()),
            "{metadata}"
        );
    }
    let status = [
        "patch",
        "psec",
        "object",
        "--subresource=status",
        "--type=merge",
    ];
    let status = [
        &status[..],
        &["--patch={\"status\": {\"summary\": \"0/1\"}}"],
    ]
    .concat();
    assert_eq!(guarded.kubectl("nobody", &status, None).await, Ok(()));
    // The manifest again, in the ways of kubectl.
    for command in [
        &["replace", "--filename=-"][..],
        &["apply", "--filename=-"],
        &[
            "apply",
            "--server-side",
            "--force-conflicts",
            "--filename=-",
        ],
    ] {
        assert_eq!(
            guarded.write("nobody", command, &object).await,
            Ok(()),
            "{command:?}"
        );
    }
    // Brakes: they send nothing.
    for spec in [
        json!({"suspend": true}),
        json!({"deletionPolicy": "Retain"}),
    ] {
        assert_eq!(patch(json!({"spec": spec})).await, Ok(()), "{spec}");
    }
    // Any other change of the spec has every Secret checked, also those that stay.
    for change in [
        json!({"spec": {"suspend": false}}),
        json!({"spec": {"deletionPolicy": "Delete"}}),
        json!({"spec": {"conflictPolicy": "Fail"}}),
        json!({"spec": {"data": [{"name": "B", "secretKeyRef": {"name": "closed", "key": "b"}}]}}),
    ] {
        assert_refused(patch(change.clone()).await, "you may not get Secret");
        assert_refused(guarded.patch("one", &change).await, "Secret closed");
        assert_eq!(guarded.patch("both", &change).await, Ok(()));
    }
    let delete = ["delete", "psec", "object"];
    assert_eq!(guarded.kubectl("nobody", &delete, None).await, Ok(()));
}

/// Who may write the Secret of the API key could have everything sent to an account of their own.
#[tokio::test]
async fn another_account_is_confirmed_by_a_user_who_may_get_the_secrets() {
    let guarded = guarded("access-confirmations").await;
    guarded.made("object", &spec("open", "closed")).await;
    let says = async |reason: &str| {
        let ready = json!({
            "type": "Ready", "status": "False", "reason": reason, "message": "",
            "lastTransitionTime": "2026-11-21T12:00:00Z",
        });
        let patch = json!({"status": {"conditions": [ready]}}).to_string();
        let command = ["patch", "psec", "object", "--subresource=status"];
        let command = [&command[..], &["--type=merge", "--patch", &patch]].concat();
        assert_eq!(guarded.kubectl("all", &command, None).await, Ok(()));
    };
    let annotate = |name: &str, value: &str| json!({"metadata": {"annotations": {name: value}}});
    let names = [
        "providersecrets.dev/sync-requested-at",
        "reconcile.fluxcd.io/requestedAt",
    ];
    for reason in ["Synced", "RemovalHeld", "Timeout"] {
        says(reason).await;
        for name in names {
            let asks = annotate(name, reason);
            assert_eq!(guarded.patch("nobody", &asks).await, Ok(()), "{reason}");
        }
    }
    says("AccountChanged").await;
    for name in names {
        for asks in [
            annotate(name, "2"),
            json!({"metadata": {"annotations": {name: null}}}),
        ] {
            assert_refused(guarded.patch("one", &asks).await, "Secret closed");
        }
        assert_eq!(guarded.patch("both", &annotate(name, "3")).await, Ok(()));
    }
    assert_eq!(
        guarded.patch("nobody", &annotate("note", "a")).await,
        Ok(())
    );
}

/// A client that knows every field stores a null where it has no value, and the policies must not fail at one.
#[tokio::test]
async fn a_field_that_is_stored_as_null_is_one_that_is_absent() {
    let guarded = guarded("access-nulls").await;
    guarded.made("object", &spec("open", "closed")).await;
    // A patch would remove a field that is null.
    let replace = async |user: &str, more: Value| {
        let mut spec = spec("open", "closed");
        json_patch::merge(&mut spec, &more);
        for field in ["dataFrom", "verifyInterval", "rewriteInterval", "suspend"] {
            spec[field] = more.get(field).cloned().unwrap_or_default();
        }
        let object = guarded.object("object", &spec);
        guarded
            .write(user, &["replace", "--filename=-"], &object)
            .await
    };
    let words = "you may not get Secret";
    assert_eq!(replace("nobody", json!({})).await, Ok(()));
    for (brake, release) in [
        (json!({"suspend": true}), json!({})),
        (json!({"suspend": true}), json!({"suspend": false})),
        (json!({"approval": "Manual"}), json!({})),
        (json!({}), json!({"deletionPolicy": "Delete"})),
        (json!({}), json!({"verifyInterval": "5m"})),
    ] {
        assert_eq!(replace("nobody", brake.clone()).await, Ok(()), "{brake}");
        assert_refused(replace("nobody", release.clone()).await, words);
        assert_refused(replace("one", release.clone()).await, "Secret closed");
        assert_eq!(replace("all", release.clone()).await, Ok(()), "{release}");
    }
    // Where the field is absent, it is the same field.
    assert_eq!(replace("all", json!({})).await, Ok(()));
    let object = guarded.object("object", &spec("open", "closed"));
    let replace = ["replace", "--filename=-"];
    assert_eq!(guarded.write("nobody", &replace, &object).await, Ok(()));
}

/// A spec with the API key in `credential` and an entry for each of these Secrets.
fn naming(secrets: impl Iterator<Item = String>) -> Value {
    let mut spec = spec("credential", "credential");
    let entry = |(number, secret): (usize, String)| json!({"name": format!("KEY_{number}"), "secretKeyRef": {"name": secret, "key": "a"}});
    spec["data"] = secrets.enumerate().map(entry).collect();
    spec
}

/// The API server bounds what a policy may cost, and a check of rights is most of that.
#[tokio::test]
async fn five_hundred_entries_and_twenty_named_secrets_can_be_checked() {
    let guarded = guarded("access-limits").await;
    let names: Vec<String> = (0..500)
        .map(|number| format!("secret-{number:03}"))
        .collect();
    let some = |count: usize| {
        [
            &["credential"],
            &names.iter().map(String::as_str).collect::<Vec<_>>()[..count],
        ]
        .concat()
    };
    guarded.user("named", &some(500)).await;
    // 500 Secrets, of which the user may get each because all may be got.
    let many = naming(names.iter().cloned());
    assert_eq!(guarded.create("all", &many).await, Ok(()));
    // 500 entries from 20 Secrets, with the one of the API key.
    let few = |of: usize| naming((0..500).map(|number| names[number % of].clone()));
    assert_eq!(guarded.create("named", &few(19)).await, Ok(()));
    assert_refused(
        guarded.create("named", &few(20)).await,
        "more than 20 Secrets",
    );
    assert_refused(guarded.create("named", &many).await, "more than 20 Secrets");
    // One among many that the user may not get.
    guarded.user("lacking", &some(18)).await;
    assert_refused(
        guarded.create("lacking", &few(19)).await,
        "you may not get Secret secret-018",
    );
}
