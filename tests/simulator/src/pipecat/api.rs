//! Pipecat's paths: `/v1/secrets` and what is below it, regions and properties; and the same tree for each organization.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Conflict, Content, EmptiedSet, ImagePullUpdate, ListedSource, Put, PutAnswer, ReferencedKeys,
    SetType,
    tenant::{Organization, Stored, write_key},
    wire::{PutBody, PutKind, check_set_name},
};
use crate::{
    call::{Call, Kind, Refusal, Reply},
    tenant::Held,
};

/// Where a path begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tree {
    /// `/v1/…`, for a private key.
    Key,
    /// `/v1/organizations/{organization}/…`, for the vendor's client.
    Organization,
    /// Elsewhere.
    Unknown,
}

/// The tree of a path, and the path inside of it.
pub(super) fn tree<'a, 'b>(path: &'b [&'a str]) -> (Tree, &'b [&'a str]) {
    match path {
        ["v1", "organizations", _, inside @ ..] => (Tree::Organization, inside),
        ["v1", inside @ ..] => (Tree::Key, inside),
        _ => (Tree::Unknown, path),
    }
}

impl Organization {
    #[expect(
        clippy::match_same_arms,
        reason = "a table of routes, one line per path and method"
    )]
    pub(super) fn route(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let path = call.path();
        // An empty name is no name: `/v1/secrets/` is not a path.
        if path.contains(&"") {
            return Err(Refusal::unknown_path());
        }
        let (tree, inside) = tree(&path);
        match tree {
            Tree::Unknown => return Err(Refusal::unknown_path()),
            Tree::Organization if path[2] != self.name => {
                let message = "You are not a member of this organization";
                return Err(Refusal::new(Kind::Forbidden, message));
            }
            Tree::Organization | Tree::Key => {}
        }
        match (call.method, inside) {
            ("GET", ["organizations"]) if tree == Tree::Key => Ok(self.organizations()),
            (_, ["organizations"]) if tree == Tree::Key => Err(Refusal::method("GET")),
            ("GET", ["secrets"]) => Ok(self.list(call)),
            (_, ["secrets"]) => Err(Refusal::method("GET")),
            // No other method means the references: a set may have this name.
            ("POST", ["secrets", "references"]) => self.reference(call),
            ("GET", ["secrets", set]) => self.get(set),
            ("PUT", ["secrets", set]) => self.put(call, tree, set),
            ("DELETE", ["secrets", set]) => self.delete_set(set),
            (_, ["secrets", _]) => Err(Refusal::method("GET, PUT, DELETE")),
            ("DELETE", ["secrets", set, key]) => self.delete_key(set, key),
            (_, ["secrets", _, _]) => Err(Refusal::method("DELETE")),
            ("GET", ["regions"]) => Ok(self.list_regions()),
            (_, ["regions"]) => Err(Refusal::method("GET")),
            ("GET", ["properties"]) => Ok(self.properties()),
            ("PATCH", ["properties"]) => self.patch_properties(call),
            (_, ["properties"]) => Err(Refusal::method("GET, PATCH")),
            ("GET", ["properties", "schema"]) => Ok(self.properties_schema()),
            (_, ["properties", "schema"]) => Err(Refusal::method("GET")),
            _ => Err(Refusal::unknown_path()),
        }
    }

    fn put(&mut self, call: &Call<'_>, tree: Tree, set: &str) -> Result<Reply, Refusal> {
        check_set_name(set)?;
        let PutBody { kind, region } = PutBody::of(call, self, tree, set)?;
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
            (PutKind::Regular(_), _) => return Err(incomplete_image_pull()),
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
            // A name is one of both stores (docs/vendors.md#pc-14).
            (Content::Referenced(_), _) => {
                let message = "Secret set already exists as a referenced secret set";
                return Err(Refusal::new(Kind::Conflict, message));
            }
            (Content::Regular(_), PutKind::ImagePull { .. }) => {
                let message = "Cannot update existing regular secrets to image pull secrets";
                return Err(Refusal::new(Kind::Invalid, message));
            }
            (Content::ImagePull { .. }, PutKind::Regular(_)) => {
                return Err(incomplete_image_pull());
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
        if let Some(region) = region.filter(|region| *region != stored.region) {
            let message = format!(
                "Secret already exists in region '{}'. Cannot change region to '{region}'.",
                stored.region
            );
            return Err(Refusal::new(Kind::Invalid, message));
        }
        if self.variants.conflict == Conflict::WhilePending
            && stored.status(&self.variants) == "pending"
        {
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
                let (set_type, region) = (set.content.set_type(), &set.region);
                let mut body = json!({ "name": name, "type": set_type, "region": region });
                if self.variants.listed_source == ListedSource::Shown {
                    tell_source(set, &mut body);
                }
                self.with_status(set, body)
            })
            .collect();
        Reply::ok(json!({ "sets": sets }))
    }

    fn get(&self, set: &str) -> Result<Reply, Refusal> {
        let stored = self.sets.get(set).ok_or_else(unknown_set)?;
        if stored.content.set_type() == SetType::ImagePullSecret {
            return Err(Refusal::new(
                Kind::Invalid,
                "Image pull secrets cannot be read",
            ));
        }
        let mut body = json!({ "region": stored.region });
        tell_source(stored, &mut body);
        match &stored.content {
            Content::Regular(keys) => {
                let names = keys.keys().map(|key| json!({ "fieldName": key }));
                body["secrets"] = names.collect();
            }
            _ if self.variants.referenced_keys == ReferencedKeys::Empty => {
                body["secrets"] = json!([]);
            }
            _ => {}
        }
        Ok(Reply::ok(self.with_status(stored, body)))
    }

    /// What a set shows in the list as well as by itself.
    pub(super) fn with_status(&self, set: &Stored, mut body: Value) -> Value {
        if !self.variants.status_absent {
            let status = set.status(&self.variants);
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
                "Only keys of a secret set can be deleted",
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
}

/// Tells of a reference that it is one.
pub(super) fn tell_source(set: &Stored, body: &mut Value) {
    if matches!(set.content, Content::Referenced(_)) {
        body["source"] = json!("referenced");
    }
}

fn unknown_set() -> Refusal {
    Refusal::not_found("Set not found")
}

fn incomplete_image_pull() -> Refusal {
    let message =
        "Must provide isImagePullSecret, host, and secretValue to update an image pull secret";
    Refusal::new(Kind::Invalid, message)
}
