//! What the demo looks at to check what it shows.

use std::collections::BTreeMap;

use cluster::AuditEvent;
use jiff::Timestamp;
use serde_json::Value;
use simulator::{Account, Provider};

use super::{DEADLINE, Demo, NAMESPACE, Result, expect};

impl Demo {
    /// When the API server had answered the newest patch of a Secret.
    pub(super) async fn answered(&self, secret: &str) -> Result<Timestamp> {
        let is_patch = |event: &AuditEvent| {
            event.verb == "patch" && event.resource == "secrets" && event.name == secret
        };
        let events = self
            .cluster
            .wait_for_audit(DEADLINE, |events| {
                events.iter().any(|event| is_patch(event))
            })
            .await?;
        let newest = events
            .iter()
            .rev()
            .find(|event| is_patch(event))
            .map(|event| event.stage_timestamp);
        newest.ok_or_else(|| "the patch is not in the audit log".into())
    }

    /// Names and values at every provider.
    pub(super) fn names(&self) -> Result<BTreeMap<String, String>> {
        let mut names = BTreeMap::new();
        for provider in Provider::ALL {
            let account = self.account(provider)?;
            for scope in account.scopes() {
                let scope_name = format!("{provider}/{scope:?}");
                let held = account.values(scope.as_deref()).into_iter();
                names.extend(held.map(|(name, value)| (format!("{scope_name}/{name}"), value)));
            }
        }
        Ok(names)
    }

    /// The message of `Ready`, which must have this reason.
    pub(super) async fn message(&self, object: &str, reason: &str) -> Result<String> {
        let output = self
            .cluster
            .kubectl_output(
                &["get", "psec", object, "-n", NAMESPACE, "-o", "json"],
                None,
            )
            .await?;
        let object: Value = serde_json::from_str(&output.stdout)?;
        let conditions = object["status"]["conditions"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let ready = conditions
            .into_iter()
            .find(|condition| condition["type"] == "Ready")
            .ok_or("no Ready")?;
        expect(
            ready["reason"] == reason,
            &format!("the reason is {reason}"),
        )?;
        Ok(ready["message"].as_str().unwrap_or_default().to_owned())
    }

    pub(super) fn account(&self, provider: Provider) -> Result<Account> {
        Ok(self
            .served
            .simulator()
            .account(provider, "demo")
            .ok_or("no demo account")?)
    }
}
