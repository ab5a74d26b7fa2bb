//! A Braintrust user: its organizations, their secrets, and what all vendors have in common.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{EqualSecret, Secret, Variants};
use crate::{
    account::AccountError,
    call::{Call, Refusal, Reply},
    clock::World,
    fields::Field,
    tenant::{ForeignError, Held, Tenant},
};

#[derive(Debug)]
pub(super) struct User {
    pub(super) variants: Variants,
    id: String,
    /// Who makes the foreign changes.
    stranger: String,
    pub(super) organizations: Vec<Organization>,
    /// Newest first, as the list gives them.
    secrets: Vec<Secret>,
}

#[derive(Debug)]
pub(super) struct Organization {
    pub(super) id: String,
    pub(super) name: String,
}

/// What a write sets; `None` leaves a field as it is.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) name: Option<String>,
    pub(super) kind: Field<String>,
    pub(super) metadata: Field<Value>,
    pub(super) secret: Option<String>,
}

impl User {
    pub(super) fn new(
        account: &str,
        organizations: Vec<String>,
        variants: Variants,
        world: &World,
    ) -> Result<Self, AccountError> {
        let mut names = organizations;
        if names.is_empty() {
            names.push(account.to_owned());
        }
        let (id, stranger) = (world.uuid(), world.uuid());
        let mut user = Self {
            variants,
            id,
            stranger,
            organizations: Vec::new(),
            secrets: Vec::new(),
        };
        for name in names {
            if user.organization(Some(&name)).is_some() {
                return Err(AccountError::Invalid(format!(
                    "organization {name:?} is given twice"
                )));
            }
            user.organizations.push(Organization {
                id: world.uuid(),
                name,
            });
        }
        Ok(user)
    }

    /// An organization by name; without one the first.
    pub(super) fn organization(&self, name: Option<&str>) -> Option<&Organization> {
        match name {
            Some(name) => self
                .organizations
                .iter()
                .find(|organization| organization.name == name),
            None => self.organizations.first(),
        }
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.iter()
    }

    pub(super) fn secrets(&self, organization: Option<&str>) -> impl Iterator<Item = &Secret> {
        let asked = self
            .organization(organization)
            .map(|known| known.name.as_str());
        self.all()
            .filter(move |secret| Some(secret.organization.as_str()) == asked)
    }

    pub(super) fn secret(&self, id: &str) -> Option<&Secret> {
        self.all().find(|secret| secret.id == id)
    }

    pub(super) fn named(&self, organization: Option<&str>, name: &str) -> Option<&Secret> {
        self.secrets(organization)
            .find(|secret| secret.name == name)
    }

    /// Creates a bare secret; a write of its fields follows.
    pub(super) fn create(&mut self, world: &World, organization: &str, name: &str) -> String {
        let id = world.uuid();
        let held = Held {
            writes: 0,
            ..Held::new(String::new(), Some(id.clone()), world.tick(), false)
        };
        let secret = Secret {
            id: id.clone(),
            organization: organization.to_owned(),
            name: name.to_owned(),
            kind: None,
            metadata: None,
            secret: None,
            secret_updated: None,
            secret_updated_by: None,
            held,
        };
        self.secrets.insert(0, secret);
        id
    }

    pub(super) fn update(
        &mut self,
        world: &World,
        id: &str,
        changes: Changes,
        foreign: bool,
    ) -> Option<&Secret> {
        let author = if foreign { &self.stranger } else { &self.id };
        let stays = self.variants.equal_secret == EqualSecret::Stays;
        let target = self.secrets.iter_mut().find(|secret| secret.id == id)?;
        let now = world.tick();
        let Changes {
            name,
            kind,
            metadata,
            secret,
        } = changes;
        if let Some(name) = name {
            target.name = name;
        }
        kind.write(&mut target.kind);
        metadata.write(&mut target.metadata);
        if let Some(secret) = secret {
            if !(stays && target.secret.as_ref() == Some(&secret)) {
                target.secret_updated = Some(now);
                target.secret_updated_by = Some(author.clone());
            }
            target.held.value.clone_from(&secret);
            target.held.writes += 1;
            target.secret = Some(secret);
        }
        target.held.touch(now, foreign);
        Some(target)
    }

    pub(super) fn delete(&mut self, id: &str) -> Option<Secret> {
        let position = self.secrets.iter().position(|secret| secret.id == id)?;
        Some(self.secrets.remove(position))
    }
}

/// Merges objects at every depth; anything else is replaced (docs/vendors.md#braintrust, PATCH).
pub(super) fn merge(target: &mut Value, changes: &Value) {
    let Value::Object(changes) = changes else {
        *target = changes.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    for (name, value) in changes {
        merge(&mut target[name], value);
    }
}

impl Tenant for User {
    fn respond(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        self.route(call)
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        super::wire::refuse(refusal, self.variants.errors)
    }

    fn scopes(&self) -> Vec<Option<String>> {
        self.organizations
            .iter()
            .map(|organization| Some(organization.name.clone()))
            .collect()
    }

    fn held(&self, scope: Option<&str>) -> BTreeMap<String, Held> {
        self.secrets(scope)
            .map(|secret| (secret.name.clone(), secret.held.clone()))
            .collect()
    }

    fn foreign_write(
        &mut self,
        world: &World,
        scope: Option<&str>,
        name: &str,
        value: &str,
    ) -> Result<(), ForeignError> {
        let organization = self
            .organization(scope)
            .ok_or_else(|| ForeignError::scope(scope))?
            .name
            .clone();
        let known = self.named(scope, name).map(|secret| secret.id.clone());
        let id = known.unwrap_or_else(|| self.create(world, &organization, name));
        let changes = Changes {
            secret: Some(value.to_owned()),
            ..Changes::default()
        };
        self.update(world, &id, changes, true)
            .map(drop)
            .ok_or_else(|| ForeignError::name(name))
    }

    fn foreign_delete(
        &mut self,
        _world: &World,
        scope: Option<&str>,
        name: &str,
    ) -> Result<(), ForeignError> {
        self.organization(scope)
            .ok_or_else(|| ForeignError::scope(scope))?;
        let id = self
            .named(scope, name)
            .map(|secret| secret.id.clone())
            .ok_or_else(|| ForeignError::name(name))?;
        self.delete(&id)
            .map(drop)
            .ok_or_else(|| ForeignError::name(name))
    }

    fn variants(&self) -> Value {
        json!(self.variants)
    }

    fn set_variants(&mut self, variants: Value) -> Result<(), serde_json::Error> {
        self.variants = serde_json::from_value(variants)?;
        Ok(())
    }
}
