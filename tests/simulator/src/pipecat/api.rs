//! Pipecat's paths: `/v1/secrets`, `/v1/secrets/{set}`, `/v1/secrets/{set}/{key}`, regions and properties.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Conflict, Content, EmptiedSet, ImagePullUpdate, Put, PutAnswer,
    tenant::{Organization, REGIONS, Stored, is_region, write_key},
    wire::{PutBody, PutKind, check_set_name},
};
use crate::{
    call::{Call, Kind, Refusal, Reply},
    fields::Fields,
    tenant::Held,
};

impl Organization {
    #[expect(
        clippy::match_same_arms,
        reason = "a table of routes, one line per path and method"
    )]
    pub(super) fn route(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        match (call.method, call.path().as_slice()) {
            // An empty name is no name: `/v1/secrets/` is not a path.
            (_, path) if path.contains(&"") => Err(Refusal::unknown_path()),
            ("GET", ["v1", "secrets"]) => Ok(self.list(call)),
            (_, ["v1", "secrets"]) => Err(Refusal::method("GET")),
            ("GET", ["v1", "secrets", set]) => self.get(set),
            ("PUT", ["v1", "secrets", set]) => self.put(call, set),
            ("DELETE", ["v1", "secrets", set]) => self.delete_set(set),
            (_, ["v1", "secrets", _]) => Err(Refusal::method("GET, PUT, DELETE")),
            ("DELETE", ["v1", "secrets", set, key]) => self.delete_key(set, key),
            (_, ["v1", "secrets", _, _]) => Err(Refusal::method("DELETE")),
            ("GET", ["v1", "regions"]) => Ok(regions()),
            (_, ["v1", "regions"]) => Err(Refusal::method("GET")),
            ("GET", ["v1", "properties"]) => Ok(self.properties()),
            ("PATCH", ["v1", "properties"]) => self.patch_properties(call),
            (_, ["v1", "properties"]) => Err(Refusal::method("GET, PATCH")),
            _ => Err(Refusal::unknown_path()),
        }
    }

    fn put(&mut self, call: &Call<'_>, set: &str) -> Result<Reply, Refusal> {
        check_set_name(set)?;
        let PutBody { kind, region } = PutBody::of(call)?;
        if let Some(stored) = self.sets.get(set) {
            self.check_update(stored, &kind, region.as_deref())?;
        }
        let region = region.unwrap_or_else(|| self.default_region.clone());
        let empty = Content::Regular(BTreeMap::new());
        let stored = self
            .sets
            .entry(set.to_owned())
            .or_insert_with(|| Stored::new(region, empty));
        match (kind, &mut stored.content) {
            (PutKind::Regular(pairs), Content::Regular(keys)) => {
                if self.variants.put == Put::Replaces {
                    keys.retain(|key, _| pairs.iter().any(|(asked, _)| asked == key));
                }
                for (key, value) in pairs {
                    write_key(keys, call.world, key, value, false);
                }
            }
            (PutKind::ImagePull { host, value }, Content::ImagePull { host: old, held }) => {
                *old = host;
                held.write(value, call.world.tick(), false);
            }
            // The kinds of an existing set were compared above, so this is a new set.
            (PutKind::ImagePull { host, value }, content) => {
                *content = Content::ImagePull {
                    host,
                    held: Held::new(value, None, call.world.tick(), false),
                };
            }
            (PutKind::Regular(_), Content::ImagePull { .. }) => return Err(other_kind()),
        }
        stored.settle(&mut self.variants);
        Ok(match self.variants.put_answer {
            PutAnswer::Ok => Reply::ok(json!({ "status": "OK" })),
            PutAnswer::Accepted => Reply::json(
                StatusCode::ACCEPTED,
                json!({ "status": "OK", "region": stored.region }),
            ),
        })
    }

    /// What cannot be changed about a set: kind, region, and (in the seed) an image pull secret at all.
    fn check_update(
        &self,
        stored: &Stored,
        kind: &PutKind,
        region: Option<&str>,
    ) -> Result<(), Refusal> {
        match (&stored.content, kind) {
            (Content::Regular(_), PutKind::ImagePull { .. })
            | (Content::ImagePull { .. }, PutKind::Regular(_)) => {
                return Err(other_kind());
            }
            (Content::ImagePull { .. }, PutKind::ImagePull { .. })
                if self.variants.image_pull_update == ImagePullUpdate::Refused =>
            {
                let message =
                    "Cannot update existing image pull secrets. Delete and recreate instead.";
                return Err(Refusal::new(Kind::Invalid, message));
            }
            _ => {}
        }
        if region.is_some_and(|region| region != stored.region) {
            let message = format!("Secret set already exists in region {}", stored.region);
            return Err(Refusal::new(Kind::Invalid, message));
        }
        if self.variants.conflict == Conflict::WhilePending && stored.status() == "pending" {
            return Err(Refusal::new(Kind::Conflict, "Secret set is being updated"));
        }
        Ok(())
    }

    fn list(&self, call: &Call<'_>) -> Reply {
        let region = call.query("region");
        let sets: Vec<Value> = self
            .sets
            .iter()
            .filter(|(_, set)| region.is_none_or(|region| region == set.region))
            .map(|(name, set)| {
                let kind = match set.content {
                    Content::Regular(_) => "secret",
                    Content::ImagePull { .. } => "imagePullSecret",
                };
                self.with_status(
                    set,
                    json!({ "name": name, "type": kind, "region": set.region }),
                )
            })
            .collect();
        Reply::ok(json!({ "sets": sets }))
    }

    fn get(&self, set: &str) -> Result<Reply, Refusal> {
        let stored = self.sets.get(set).ok_or_else(unknown_set)?;
        let Content::Regular(keys) = &stored.content else {
            return Err(Refusal::new(
                Kind::Invalid,
                "Image pull secrets cannot be read",
            ));
        };
        let names: Vec<Value> = keys.keys().map(|key| json!({ "fieldName": key })).collect();
        Ok(Reply::ok(self.with_status(
            stored,
            json!({ "region": stored.region, "secrets": names }),
        )))
    }

    fn with_status(&self, set: &Stored, mut body: Value) -> Value {
        if !self.variants.status_absent {
            let status = set.status();
            body["status"] = json!(status);
            if status == "failed" {
                body["errorMessage"] = json!("Failed to sync secret set");
            }
        }
        body
    }

    fn delete_key(&mut self, set: &str, key: &str) -> Result<Reply, Refusal> {
        let stored = self.sets.get_mut(set).ok_or_else(unknown_set)?;
        let Content::Regular(keys) = &mut stored.content else {
            return Err(Refusal::new(
                Kind::Invalid,
                "Keys of image pull secrets cannot be deleted",
            ));
        };
        keys.remove(key)
            .ok_or_else(|| Refusal::not_found("Secret not found"))?;
        if keys.is_empty() && self.variants.emptied_set == EmptiedSet::Vanishes {
            self.sets.remove(set);
        }
        Ok(Reply::ok(json!({ "status": "OK" })))
    }

    fn delete_set(&mut self, set: &str) -> Result<Reply, Refusal> {
        self.sets.remove(set).ok_or_else(unknown_set)?;
        Ok(Reply::ok(json!({ "status": "OK" })))
    }

    fn properties(&self) -> Reply {
        Reply::ok(json!({ "defaultRegion": self.default_region }))
    }

    fn patch_properties(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let mut body = Fields::of(call)?;
        let region = body.string("defaultRegion")?;
        body.finish()?;
        if !is_region(&region) {
            return Err(Refusal::invalid(
                "defaultRegion",
                format!("Unknown region {region}"),
            ));
        }
        self.default_region = region;
        Ok(self.properties())
    }
}

fn regions() -> Reply {
    let regions: Vec<Value> = REGIONS
        .iter()
        .map(|(code, name)| json!({ "code": code, "display_name": name }))
        .collect();
    Reply::ok(json!({ "regions": regions }))
}

fn unknown_set() -> Refusal {
    Refusal::not_found("Secret set not found")
}

fn other_kind() -> Refusal {
    Refusal::new(
        Kind::Invalid,
        "Cannot change the type of an existing secret set",
    )
}
