//! Nothing is touched that no run made.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use conformance::Guarded;
use provider_secrets::{
    api::ProviderKind,
    http::ProviderError,
    provider::{
        DeleteAnswer, DeleteRequest, Listing, Options, Provider, Remote, Rules, Write, Written,
        rules,
    },
};

const OURS: &str = "PROVIDER_SECRETS_CONFORMANCE_X";
const THEIRS: &str = "OPENAI_API_KEY";

/// Counts the changes that reach it.
struct Counting {
    kind: ProviderKind,
    set: &'static str,
    changes: Arc<Mutex<u32>>,
}

impl Counting {
    fn change(&self) {
        *self.changes.lock().expect("no test panics here") += 1;
    }
}

#[async_trait]
impl Provider for Counting {
    fn rules(&self) -> &'static Rules {
        rules(self.kind)
    }

    async fn list(&self) -> Result<Listing, ProviderError> {
        let remote = |name: &str, id: &str| Remote {
            name: name.to_owned(),
            id: Some(id.to_owned()),
            ..Remote::default()
        };
        Ok(Listing {
            remotes: vec![remote(OURS, "ours"), remote(THEIRS, "theirs")],
            ..Listing::default()
        })
    }

    async fn write(&self, _: &[Write<'_>]) -> Result<Written, ProviderError> {
        self.change();
        Ok(Written::default())
    }

    async fn delete(&self, _: &DeleteRequest<'_>) -> Result<DeleteAnswer, ProviderError> {
        self.change();
        Ok(DeleteAnswer::Done)
    }

    async fn delete_set(&self) -> Result<DeleteAnswer, ProviderError> {
        self.change();
        Ok(DeleteAnswer::Done)
    }

    fn listed_name<'a>(&'a self, entry: &'a str) -> &'a str {
        if self.kind == ProviderKind::Pipecat {
            self.set
        } else {
            entry
        }
    }
}

/// Whether a write and a deletion get through.
async fn is_permitted(kind: ProviderKind, set: &'static str, name: &str, id: Option<&str>) -> bool {
    let changes = Arc::new(Mutex::new(0));
    let guarded = Guarded::new(Box::new(Counting {
        kind,
        set,
        changes: Arc::clone(&changes),
    }));
    guarded.list().await.expect("the list is given");
    let (value, options) = ("one".into(), Options::default());
    let entry = Write {
        name,
        value: &value,
        options: &options,
        id,
        region: None,
    };
    let write = guarded.write(&[entry]).await;
    let removal = DeleteRequest {
        name,
        id,
        shown: None,
    };
    let delete = guarded.delete(&removal).await;
    assert_eq!(write.is_ok(), delete.is_ok());
    let count = *changes.lock().expect("no test panics here");
    assert_eq!(count, if write.is_ok() { 2 } else { 0 });
    write.is_ok()
}

#[tokio::test]
async fn what_no_run_made_is_not_touched() {
    let kind = ProviderKind::Braintrust;
    assert!(is_permitted(kind, "", OURS, None).await);
    assert!(is_permitted(kind, "", OURS, Some("ours")).await);
    assert!(!is_permitted(kind, "", THEIRS, None).await);
    assert!(!is_permitted(kind, "", THEIRS, Some("ours")).await);
    // A name of ours is no cover for the id of another.
    assert!(!is_permitted(kind, "", OURS, Some("theirs")).await);
    assert!(!is_permitted(kind, "", "", None).await);
    assert!(!is_permitted(kind, "", &OURS.to_lowercase(), None).await);
}

#[tokio::test]
async fn at_pipecat_the_set_decides() {
    let kind = ProviderKind::Pipecat;
    assert!(is_permitted(kind, "provider-secrets-conformance-x", OURS, None).await);
    assert!(!is_permitted(kind, "production", OURS, None).await);
    for (set, is_permitted) in [
        ("provider-secrets-conformance-x", true),
        ("production", false),
    ] {
        let guarded = Guarded::new(Box::new(Counting {
            kind,
            set,
            changes: Arc::default(),
        }));
        assert_eq!(guarded.delete_set().await.is_ok(), is_permitted);
        assert_eq!(guarded.write(&[]).await.is_ok(), is_permitted);
    }
}
