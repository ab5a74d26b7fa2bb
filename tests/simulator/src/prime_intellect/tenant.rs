//! A PrimeIntellect user: personal secrets, those of its teams, and what all vendors have in common.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{EqualPatch, Secret, Variants, environments::Environment};
use crate::{
    call::{Call, Refusal, Reply},
    clock::World,
    fields::Field,
    tenant::{ForeignError, Held, Tenant},
};

#[derive(Debug)]
pub(super) struct User {
    pub(super) variants: Variants,
    pub(super) id: String,
    pub(super) name: String,
    pub(super) teams: Vec<String>,
    pub(super) created: Timestamp,
    /// Oldest first. A list and not a map: names may be doubled.
    pub(super) secrets: Vec<Secret>,
    pub(super) environments: Vec<Environment>,
}

/// What a PATCH changes.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) name: Option<String>,
    pub(super) value: Option<String>,
    pub(super) description: Field<String>,
}

impl User {
    pub(super) fn new(
        account: &str,
        teams: Vec<String>,
        environments: Vec<String>,
        variants: Variants,
        world: &World,
    ) -> Self {
        let environments = environments
            .into_iter()
            .map(|slug| Environment::new(slug, world))
            .collect();
        Self {
            variants,
            id: world.identifier("user"),
            name: account.to_owned(),
            teams,
            created: world.tick(),
            secrets: Vec::new(),
            environments,
        }
    }

    pub(super) fn secrets(&self, team: Option<&str>) -> impl Iterator<Item = &Secret> {
        self.secrets
            .iter()
            .filter(move |secret| secret.team.as_deref() == team)
    }

    pub(super) fn has(&self, team: Option<&str>, name: &str) -> bool {
        self.secrets(team).any(|secret| secret.name == name)
    }

    pub(super) fn secret(&self, team: Option<&str>, id: &str) -> Option<&Secret> {
        self.secrets(team).find(|secret| secret.id == id)
    }

    pub(super) fn create(&mut self, world: &World, new: NewSecret<'_>, foreign: bool) -> &Secret {
        let NewSecret {
            team,
            name,
            value,
            description,
            is_file,
        } = new;
        let id = world.identifier("secret");
        let held = Held::new(value.to_owned(), Some(id.clone()), world.tick(), foreign);
        let (name, team) = (name.to_owned(), team.map(str::to_owned));
        self.secrets.push(Secret {
            id,
            name,
            description,
            is_file,
            team,
            held,
        });
        self.secrets.last().expect("one was just added")
    }

    pub(super) fn update(
        &mut self,
        world: &World,
        id: &str,
        changes: Changes,
        foreign: bool,
    ) -> Option<&Secret> {
        let secret = self.secrets.iter_mut().find(|secret| secret.id == id)?;
        let before = (
            secret.name.clone(),
            secret.held.value.clone(),
            secret.description.clone(),
        );
        secret.apply(changes);
        let equal = before
            == (
                secret.name.clone(),
                secret.held.value.clone(),
                secret.description.clone(),
            );
        if !equal || self.variants.equal_patch == EqualPatch::Moves {
            secret.held.touch(world.tick(), foreign);
        }
        Some(secret)
    }

    pub(super) fn delete(&mut self, id: &str) -> Option<Secret> {
        let position = self.secrets.iter().position(|secret| secret.id == id)?;
        for environment in &mut self.environments {
            environment.unlink(id);
        }
        Some(self.secrets.remove(position))
    }

    fn known_scope(&self, scope: Option<&str>) -> Result<(), ForeignError> {
        let known = scope.is_none_or(|team| self.teams.iter().any(|member| member == team));
        known
            .then_some(())
            .ok_or_else(|| ForeignError::scope(scope))
    }

    fn named(&self, scope: Option<&str>, name: &str) -> Option<String> {
        self.secrets(scope)
            .find(|secret| secret.name == name)
            .map(|secret| secret.id.clone())
    }
}

impl Secret {
    /// Takes over what is given.
    pub(super) fn apply(&mut self, changes: Changes) {
        let Changes {
            name,
            value,
            description,
        } = changes;
        if let Some(name) = name {
            self.name = name;
        }
        description.write(&mut self.description);
        if let Some(value) = value {
            self.held.value = value;
            self.held.writes += 1;
        }
    }
}

/// A secret to create.
#[derive(Debug)]
pub(super) struct NewSecret<'a> {
    pub(super) team: Option<&'a str>,
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) description: Option<String>,
    pub(super) is_file: bool,
}

impl Tenant for User {
    fn respond(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        self.route(call)
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        super::wire::refuse(refusal, self.variants.errors)
    }

    fn scopes(&self) -> Vec<Option<String>> {
        let environments = self.environments.iter().map(|known| &known.slug);
        let named = self.teams.iter().chain(environments).cloned();
        std::iter::once(None).chain(named.map(Some)).collect()
    }

    /// Gives the youngest of silent duplicates.
    fn held(&self, scope: Option<&str>) -> BTreeMap<String, Held> {
        let environment = self
            .environments
            .iter()
            .find(|known| scope == Some(&known.slug));
        if let Some(environment) = environment {
            return environment.held(&self.secrets);
        }
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
        self.known_scope(scope)?;
        if let Some(id) = self.named(scope, name) {
            let changes = Changes {
                value: Some(value.to_owned()),
                ..Changes::default()
            };
            self.update(world, &id, changes, true);
        } else {
            self.create(
                world,
                NewSecret {
                    team: scope,
                    name,
                    value,
                    description: None,
                    is_file: false,
                },
                true,
            );
        }
        Ok(())
    }

    fn foreign_delete(
        &mut self,
        _world: &World,
        scope: Option<&str>,
        name: &str,
    ) -> Result<(), ForeignError> {
        self.known_scope(scope)?;
        let id = self
            .named(scope, name)
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
