//! What belongs to a Pipecat organization beside its sets: regions, properties, and Secrets in its own clusters.

use serde_json::{Value, json};

use super::{
    Content,
    api::tell_source,
    tenant::{Organization, Stored},
    wire::{check_set_name, unknown_region},
};
use crate::{
    call::{Call, Kind, Refusal, Reply},
    fields::Fields,
};

/// The one property that a user can change.
const DEFAULT_REGION: &str = "defaultRegion";

impl Organization {
    pub(super) fn organizations(&self) -> Reply {
        Reply::ok(json!({ "organizations": [{ "name": self.name, "verboseName": self.name }] }))
    }

    pub(super) fn list_regions(&self) -> Reply {
        let regions: Vec<Value> = self
            .regions()
            .iter()
            .map(|(code, name)| json!({ "code": code, "display_name": name }))
            .collect();
        Reply::ok(json!({ "regions": regions }))
    }

    /// Refers to a Secret in a self-hosted region; it stays there, and no key of it is known here.
    pub(super) fn reference(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let mut body = Fields::of(call)?;
        let name = body.string("name")?;
        let region = body.string("region")?;
        body.finish()?;
        check_set_name(&name)?;
        if !self.is_self_hosted(&region) {
            return Err(unknown_region());
        }
        let mut secrets = self.cluster_secrets.iter();
        let secret = secrets
            .find(|secret| secret.region == region && secret.name == name)
            .ok_or_else(|| Refusal::not_found("Secret not found in this region"))?;
        let content = Content::Referenced(secret.set_type);
        let set_type = secret.set_type;
        let held = self.sets.get(&name);
        if held.is_some_and(|held| held.region != region || held.content != content) {
            let message = "A secret set with this name already exists";
            return Err(Refusal::new(Kind::Invalid, message));
        }
        let stored = Stored::new(region, content);
        let mut body = json!({ "name": name, "type": set_type, "region": stored.region });
        tell_source(&stored, &mut body);
        let body = self.with_status(&stored, body);
        self.sets.insert(name, stored);
        Ok(Reply::ok(body))
    }

    pub(super) fn properties(&self) -> Reply {
        Reply::ok(json!({ "properties": { DEFAULT_REGION: self.default_region } }))
    }

    pub(super) fn properties_schema(&self) -> Reply {
        let available: Vec<&str> = self.regions().into_iter().map(|(code, _)| code).collect();
        Reply::ok(json!({ "properties": { DEFAULT_REGION: {
            "type": "string",
            "description": "Default region for new service deployments",
            "readOnly": false,
            "currentValue": self.default_region,
            "default": "us-west",
            "availableValues": available,
        } } }))
    }

    /// Answers with the schema, which is more than what was changed.
    pub(super) fn patch_properties(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let mut body = Fields::of(call)?;
        let region = body.optional_string(DEFAULT_REGION)?;
        body.finish()?;
        let Some(region) = region else {
            return Err(Refusal::new(Kind::Invalid, "No properties provided"));
        };
        if !self.is_region(&region) {
            let message = format!("Region '{region}' is not available.");
            return Err(Refusal::new(Kind::Invalid, message));
        }
        self.default_region = region;
        Ok(self.properties_schema())
    }
}
