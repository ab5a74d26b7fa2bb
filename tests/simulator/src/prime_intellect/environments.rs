//! Environments of PrimeIntellect's hub: secrets of their own, and links to global ones (docs/vendors.md#pi-14). The
//! operator writes neither; the vendor's client does.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Secret,
    tenant::{Changes, User},
    wire::{check_description, check_name, check_value},
};
use crate::{
    call::{Call, Payload, Refusal, Reply},
    clock::{World, wire},
    fields::Fields,
    tenant::Held,
};

/// An environment, with what belongs to it.
#[derive(Debug)]
pub(super) struct Environment {
    pub(super) id: String,
    /// `owner/name`.
    pub(super) slug: String,
    secrets: Vec<Secret>,
    links: Vec<Link>,
}

/// A global secret that an environment uses.
#[derive(Debug)]
struct Link {
    id: String,
    secret: String,
    created: Timestamp,
}

impl Environment {
    pub(super) fn new(slug: String, world: &World) -> Self {
        Self {
            id: world.identifier("env"),
            slug,
            secrets: Vec::new(),
            links: Vec::new(),
        }
    }

    /// Drops the links to a global secret, as its deletion does (docs/vendors.md#pi-5).
    pub(super) fn unlink(&mut self, secret: &str) {
        self.links.retain(|link| link.secret != secret);
    }

    fn has(&self, name: &str, global: &[Secret]) -> bool {
        let linked = self.linked(global);
        self.secrets
            .iter()
            .chain(linked)
            .any(|secret| secret.name == name)
    }

    fn linked<'a>(&'a self, global: &'a [Secret]) -> impl Iterator<Item = &'a Secret> {
        let is_linked = |secret: &&Secret| self.links.iter().any(|link| link.secret == secret.id);
        global.iter().filter(is_linked)
    }

    /// Its own secrets and the linked ones.
    pub(super) fn held(&self, global: &[Secret]) -> BTreeMap<String, Held> {
        let linked = self.linked(global);
        self.secrets
            .iter()
            .chain(linked)
            .map(|secret| (secret.name.clone(), secret.held.clone()))
            .collect()
    }
}

impl User {
    /// The calls below `/api/v1/environmentshub/`.
    pub(super) fn route_environment(
        &mut self,
        call: &Call<'_>,
        path: &[&str],
    ) -> Result<Reply, Refusal> {
        match (call.method, path) {
            ("GET", [owner, name, "@latest"]) => self.latest(&format!("{owner}/{name}")),
            (_, [_, _, "@latest"]) => Err(Refusal::method("GET")),
            ("GET", [environment, "secrets"]) => self.list_of(environment),
            ("POST", [environment, "secrets"]) => self.create_in(call, environment),
            (_, [_, "secrets"]) => Err(Refusal::method("GET, POST")),
            ("PATCH", [environment, "secrets", id]) => self.patch_in(call, environment, id),
            ("DELETE", [environment, "secrets", id]) => self.delete_in(environment, id),
            (_, [_, "secrets", _]) => Err(Refusal::method("PATCH, DELETE")),
            ("POST", [environment, "secrets", "link", id]) => self.link(call, environment, id),
            ("DELETE", [environment, "secrets", "link", id]) => self.drop_link(environment, id),
            (_, [_, "secrets", "link", _]) => Err(Refusal::method("POST, DELETE")),
            _ => Err(Refusal::unknown_path()),
        }
    }

    fn latest(&self, slug: &str) -> Result<Reply, Refusal> {
        let environment = self.environments.iter().find(|known| known.slug == slug);
        let id = environment.map(|environment| &environment.id);
        let id = id.ok_or_else(unknown_environment)?;
        Ok(answer(&json!({ "id": id, "name": slug })))
    }

    fn list_of(&mut self, environment: &str) -> Result<Reply, Refusal> {
        let position = self.environment(environment)?;
        let environment = &self.environments[position];
        let own = environment
            .secrets
            .iter()
            .map(|secret| ("environment", secret));
        let linked = environment
            .linked(&self.secrets)
            .map(|secret| ("global", secret));
        let data: Vec<Value> = own
            .chain(linked)
            .map(|(source, secret)| body(secret, source))
            .collect();
        Ok(answer(&json!(data)))
    }

    fn create_in(&mut self, call: &Call<'_>, environment: &str) -> Result<Reply, Refusal> {
        let position = self.environment(environment)?;
        let mut fields = Fields::of(call)?;
        let name = fields.string("name")?;
        let value = fields.string("value")?;
        let description = fields.nullable_string("description")?.given();
        fields.finish()?;
        check_name(&name)?;
        check_value(&value, false)?;
        check_description(description.as_deref())?;
        let environment = &mut self.environments[position];
        if environment.has(&name, &self.secrets) {
            return Err(self.duplicate());
        }
        let id = call.world.identifier("secret");
        let secret = Secret {
            held: Held::new(value, Some(id.clone()), call.world.tick(), false),
            id,
            name,
            description,
            is_file: false,
            team: None,
        };
        let shown = answer(&body(&secret, "environment"));
        environment.secrets.push(secret);
        Ok(shown)
    }

    fn patch_in(&mut self, call: &Call<'_>, environment: &str, id: &str) -> Result<Reply, Refusal> {
        let position = self.environment(environment)?;
        let mut fields = Fields::of(call)?;
        let changes = Changes {
            name: fields.nullable_string("name")?.given(),
            value: fields.nullable_string("value")?.given(),
            description: fields.nullable_string("description")?,
        };
        fields.finish()?;
        if let Some(name) = &changes.name {
            check_name(name)?;
        }
        if let Some(value) = &changes.value {
            check_value(value, false)?;
        }
        let environment = &mut self.environments[position];
        let mut secrets = environment.secrets.iter_mut();
        let secret = secrets
            .find(|secret| secret.id == id)
            .ok_or_else(unknown_secret)?;
        secret.apply(changes);
        secret.held.touch(call.world.tick(), false);
        Ok(answer(&body(secret, "environment")))
    }

    fn delete_in(&mut self, environment: &str, id: &str) -> Result<Reply, Refusal> {
        let position = self.environment(environment)?;
        let secrets = &mut self.environments[position].secrets;
        let known = secrets.iter().position(|secret| secret.id == id);
        secrets.remove(known.ok_or_else(unknown_secret)?);
        Ok(answer(&Value::Null))
    }

    fn link(&mut self, call: &Call<'_>, environment: &str, id: &str) -> Result<Reply, Refusal> {
        let position = self.environment(environment)?;
        // The vendor's client sends an empty object.
        if !matches!(call.payload, Payload::Empty) {
            Fields::of(call)?.finish()?;
        }
        let global = self.secrets.iter().find(|secret| secret.id == id);
        let global = global.ok_or_else(unknown_secret)?;
        let environment = &self.environments[position];
        if environment.has(&global.name, &self.secrets) {
            return Err(self.duplicate());
        }
        let link = Link {
            id: call.world.identifier("link"),
            secret: id.to_owned(),
            created: call.world.tick(),
        };
        let shown = json!({
            "id": link.id,
            "secretId": id,
            "secretName": global.name,
            "environmentId": environment.id,
            "createdAt": wire(link.created),
        });
        self.environments[position].links.push(link);
        Ok(answer(&shown))
    }

    fn drop_link(&mut self, environment: &str, id: &str) -> Result<Reply, Refusal> {
        let position = self.environment(environment)?;
        let environment = &mut self.environments[position];
        if !environment.links.iter().any(|link| link.secret == id) {
            return Err(unknown_secret());
        }
        environment.unlink(id);
        Ok(answer(&Value::Null))
    }

    fn environment(&self, id: &str) -> Result<usize, Refusal> {
        let mut known = self.environments.iter();
        known
            .position(|environment| environment.id == id)
            .ok_or_else(unknown_environment)
    }
}

fn answer(data: &Value) -> Reply {
    Reply::ok(json!({ "data": data, "status": "success" }))
}

fn body(secret: &Secret, source: &str) -> Value {
    json!({
        "id": secret.id,
        "name": secret.name,
        "source": source,
        "description": secret.description,
        "createdAt": wire(secret.held.created),
        "updatedAt": wire(secret.held.updated),
    })
}

fn unknown_environment() -> Refusal {
    Refusal::not_found("Environment not found")
}

fn unknown_secret() -> Refusal {
    Refusal::not_found("Secret not found")
}
