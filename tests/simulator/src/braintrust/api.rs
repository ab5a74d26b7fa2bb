//! Braintrust's paths: `/v1/ai_secret` and `/v1/ai_secret/{id}` (docs/vendors.md#braintrust).

use serde_json::{Value, json};

use super::{
    MissingId, Secret,
    tenant::{Changes, User, merge},
    wire::{check_name, contains_null, metadata_of, preview},
};
use crate::{
    call::{Call, Payload, Refusal, Reply},
    clock::wire,
    fields::{Field, Fields},
};

/// The page without `limit`: the documents give none, so a client that does not page must be found out.
const PAGE: usize = 100;

impl User {
    pub(super) fn route(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        match (call.method, call.path().as_slice()) {
            // An empty name is no name: `/v1/ai_secret/` is not a path.
            (_, path) if path.contains(&"") => Err(Refusal::unknown_path()),
            ("GET", ["v1", "ai_secret"]) => self.list(call),
            ("POST", ["v1", "ai_secret"]) => self.post(call),
            ("PUT", ["v1", "ai_secret"]) => self.put(call),
            ("DELETE", ["v1", "ai_secret"]) => self.delete_named(call),
            (_, ["v1", "ai_secret"]) => Err(Refusal::method("GET, POST, PUT, DELETE")),
            ("GET", ["v1", "ai_secret", id]) => self.get(id),
            ("PATCH", ["v1", "ai_secret", id]) => self.patch(call, id),
            ("DELETE", ["v1", "ai_secret", id]) => self.delete_by_id(id),
            (_, ["v1", "ai_secret", _]) => Err(Refusal::method("GET, PATCH, DELETE")),
            _ => Err(Refusal::unknown_path()),
        }
    }

    /// Creates; an existing one is answered with 200 as well and not touched (seed).
    fn post(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let WriteBody {
            organization,
            name,
            changes,
        } = self.write_body(call)?;
        if let Some(existing) = self.named(Some(&organization), &name) {
            return Ok(Reply::ok(self.secret_body(existing)));
        }
        let id = self.create(call.world, &organization, &name);
        self.written(call, &id, changes)
    }

    /// Creates or replaces: what is absent is blanked, only the secret is kept (seed, field `secret`).
    fn put(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let WriteBody {
            organization,
            name,
            changes,
        } = self.write_body(call)?;
        let existing = self
            .named(Some(&organization), &name)
            .map(|secret| secret.id.clone());
        let id = existing.unwrap_or_else(|| self.create(call.world, &organization, &name));
        self.written(call, &id, changes)
    }

    /// Merges the given fields; the organization cannot be named here.
    fn patch(&mut self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let before = self.secret(id).ok_or_else(|| self.unknown_id())?;
        // The body is optional in the document, and so in the vendor's client: nothing to change.
        if matches!(call.payload, Payload::Empty) {
            return Ok(Reply::ok(self.secret_body(before)));
        }
        if let Payload::Json(body) = call.payload
            && contains_null(body)
        {
            return Err(Refusal::invalid(
                "",
                "Setting a field to null is not supported",
            ));
        }
        let mut body = Fields::of(call)?;
        let name = body.optional_string("name")?;
        let kind = body.nullable_string("type")?;
        let metadata = match metadata_of(&mut body)? {
            Field::Given(changes) => {
                let mut merged = before.metadata.clone().unwrap_or_else(|| json!({}));
                merge(&mut merged, &changes);
                Field::Given(merged)
            }
            untouched => untouched,
        };
        let secret = body.optional_string("secret")?;
        body.finish()?;
        if let Some(name) = name.as_deref().filter(|name| *name != before.name) {
            check_name(name)?;
            if self.named(Some(&before.organization), name).is_some() {
                return Err(Refusal::invalid(
                    "name",
                    "An ai_secret with this name already exists",
                ));
            }
        }
        self.written(
            call,
            id,
            Changes {
                name,
                kind,
                metadata,
                secret,
            },
        )
    }

    /// Newest first, filtered, then cut to the page behind or before a cursor.
    fn list(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let organization = call.query("org_name");
        if self.organization(organization).is_none() {
            return Err(unknown_organization());
        }
        let ids: Vec<&str> = call.query_all("ids").collect();
        let kinds: Vec<&str> = call.query_all("ai_secret_type").collect();
        let name = call.query("ai_secret_name");
        let matching: Vec<&Secret> = self
            .all()
            .filter(|secret| organization.is_none_or(|asked| asked == secret.organization))
            .filter(|secret| name.is_none_or(|asked| asked == secret.name))
            .filter(|secret| ids.is_empty() || ids.contains(&secret.id.as_str()))
            .filter(|secret| {
                kinds.is_empty()
                    || secret
                        .kind
                        .as_deref()
                        .is_some_and(|kind| kinds.contains(&kind))
            })
            .collect();
        let limit = call.query_number("limit")?.unwrap_or(PAGE);
        let position = |id: &str| {
            let found = matching.iter().position(|secret| secret.id == id);
            found.ok_or_else(|| Refusal::invalid("", "Unknown cursor").in_query())
        };
        let page = match (call.query("starting_after"), call.query("ending_before")) {
            (Some(_), Some(_)) => {
                return Err(Refusal::invalid(
                    "",
                    "Only one of starting_after and ending_before may be given",
                ));
            }
            (Some(id), None) => matching.get(position(id)? + 1..).unwrap_or_default(),
            // The page that ends just before the cursor, not the first one.
            (None, Some(id)) => {
                let end = position(id)?;
                &matching[end.saturating_sub(limit)..end]
            }
            (None, None) => matching.as_slice(),
        };
        let objects: Vec<Value> = page
            .iter()
            .take(limit)
            .map(|secret| self.secret_body(secret))
            .collect();
        Ok(Reply::ok(json!({ "objects": objects })))
    }

    fn get(&self, id: &str) -> Result<Reply, Refusal> {
        let secret = self.secret(id).ok_or_else(|| self.unknown_id())?;
        Ok(Reply::ok(self.secret_body(secret)))
    }

    fn delete_by_id(&mut self, id: &str) -> Result<Reply, Refusal> {
        let secret = self.delete(id).ok_or_else(|| self.unknown_id())?;
        Ok(Reply::ok(self.secret_body(&secret)))
    }

    /// A deletion with a body.
    fn delete_named(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let mut body = Fields::of(call)?;
        let name = body.string("name")?;
        let organization = body.nullable_string("org_name")?.given();
        body.finish()?;
        if self.organization(organization.as_deref()).is_none() {
            return Err(unknown_organization());
        }
        let secret = self
            .named(organization.as_deref(), &name)
            .ok_or_else(|| self.unknown_id())?;
        let id = secret.id.clone();
        self.delete_by_id(&id)
    }

    /// The body that POST and PUT share.
    fn write_body(&self, call: &Call<'_>) -> Result<WriteBody, Refusal> {
        let mut body = Fields::of(call)?;
        let name = body.string("name")?;
        let kind = body.nullable_string("type")?.or_null();
        let metadata = metadata_of(&mut body)?.or_null();
        let secret = body.nullable_string("secret")?.given();
        let organization = body.nullable_string("org_name")?.given();
        body.finish()?;
        check_name(&name)?;
        let organization = self
            .organization(organization.as_deref())
            .ok_or_else(unknown_organization)?
            .name
            .clone();
        let changes = Changes {
            name: None,
            kind,
            metadata,
            secret,
        };
        Ok(WriteBody {
            organization,
            name,
            changes,
        })
    }

    fn written(&mut self, call: &Call<'_>, id: &str, changes: Changes) -> Result<Reply, Refusal> {
        let secret = self.update(call.world, id, changes, false).cloned();
        secret
            .map(|secret| Reply::ok(self.secret_body(&secret)))
            .ok_or_else(|| self.unknown_id())
    }

    fn unknown_id(&self) -> Refusal {
        match self.variants.missing_id {
            MissingId::NotFound => Refusal::not_found("ai_secret not found"),
            MissingId::BadRequest => Refusal::invalid("", "ai_secret does not exist"),
        }
    }

    fn secret_body(&self, secret: &Secret) -> Value {
        let organization = self.organization(Some(&secret.organization));
        let mut body = json!({
            "id": secret.id,
            "org_id": organization.map(|organization| &organization.id),
            "name": secret.name,
            "created": wire(secret.held.created),
            "updated_at": wire(secret.held.updated),
            "type": secret.kind,
            "metadata": secret.metadata,
            "preview_secret": secret.secret.as_deref().map(preview),
        });
        if !self.variants.secret_updated_at_absent {
            body["secret_updated_at"] = json!(secret.secret_updated.map(wire));
            body["secret_updated_by_user_id"] = json!(secret.secret_updated_by);
        }
        body
    }
}

#[derive(Debug)]
struct WriteBody {
    organization: String,
    name: String,
    changes: Changes,
}

fn unknown_organization() -> Refusal {
    Refusal::invalid("org_name", "Unknown organization")
}
