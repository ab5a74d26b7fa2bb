//! A Baseten organization: its teams, their secrets by folded name, and what all vendors have in common.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{NewTeam, Secret, Spelling, Variants, wire::fold};
use crate::{
    account::AccountError,
    call::{Call, Refusal, Reply},
    clock::World,
    tenant::{ForeignError, Held, Tenant},
};

#[derive(Debug)]
pub(super) struct Organization {
    pub(super) variants: Variants,
    pub(super) teams: Vec<Team>,
}

#[derive(Debug)]
pub(super) struct Team {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) created: Timestamp,
    secrets: BTreeMap<String, Secret>,
}

impl Organization {
    pub(super) fn new(
        account: &str,
        teams: Vec<NewTeam>,
        variants: Variants,
        world: &World,
    ) -> Result<Self, AccountError> {
        let mut new = teams;
        if new.is_empty() {
            new.push(NewTeam {
                id: format!("{account}-default"),
                name: "default".to_owned(),
            });
        }
        let mut organization = Self {
            variants,
            teams: Vec::new(),
        };
        for NewTeam { id, name } in new {
            if organization.team(&id).is_some() {
                return Err(AccountError::Invalid(format!(
                    "team id {id:?} is given twice"
                )));
            }
            organization.teams.push(Team {
                id,
                name,
                created: world.tick(),
                secrets: BTreeMap::new(),
            });
        }
        Ok(organization)
    }

    pub(super) fn team(&self, id: &str) -> Option<&Team> {
        self.teams.iter().find(|team| team.id == id)
    }

    /// A team by id; without one the default team, which is the first.
    fn position(&self, id: Option<&str>) -> Option<usize> {
        id.map_or(Some(0), |id| {
            self.teams.iter().position(|team| team.id == id)
        })
    }

    pub(super) fn team_mut(&mut self, id: Option<&str>) -> Option<&mut Team> {
        let position = self.position(id)?;
        self.teams.get_mut(position)
    }

    pub(super) fn secrets(&self, team: Option<&str>) -> BTreeMap<String, Secret> {
        let Some(team) = self
            .position(team)
            .and_then(|position| self.teams.get(position))
        else {
            return BTreeMap::new();
        };
        team.secrets()
            .map(|secret| (self.spelled(secret).to_owned(), secret.clone()))
            .collect()
    }

    /// The name that the vendor gives back.
    pub(super) fn spelled<'a>(&self, secret: &'a Secret) -> &'a str {
        match self.variants.spelling {
            Spelling::First => &secret.first_spelling,
            Spelling::Last => &secret.last_spelling,
        }
    }
}

impl Team {
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.secrets.values()
    }

    /// Creates or overwrites; `id` and creation time stay (docs/vendors.md#ba-5).
    pub(super) fn write(
        &mut self,
        world: &World,
        name: &str,
        value: &str,
        foreign: bool,
    ) -> &Secret {
        let now = world.tick();
        let secret = self.secrets.entry(fold(name)).or_insert_with(|| Secret {
            first_spelling: name.to_owned(),
            last_spelling: name.to_owned(),
            held: Held {
                writes: 0,
                ..Held::new(String::new(), Some(world.identifier("sec")), now, foreign)
            },
        });
        name.clone_into(&mut secret.last_spelling);
        secret.held.write(value.to_owned(), now, foreign);
        secret
    }

    pub(super) fn delete(&mut self, name: &str) -> Option<Secret> {
        self.secrets.remove(&fold(name))
    }
}

impl Tenant for Organization {
    fn accepts_scheme(&self, scheme: &str) -> bool {
        scheme == "Api-Key" || (self.variants.bearer && scheme.eq_ignore_ascii_case("Bearer"))
    }

    fn respond(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        self.route(call)
    }

    fn refuse(&self, refusal: &Refusal) -> Reply {
        super::wire::refuse(refusal)
    }

    fn scopes(&self) -> Vec<Option<String>> {
        self.teams
            .iter()
            .map(|team| Some(team.id.clone()))
            .collect()
    }

    fn held(&self, scope: Option<&str>) -> BTreeMap<String, Held> {
        self.secrets(scope)
            .into_iter()
            .map(|(name, secret)| (name, secret.held))
            .collect()
    }

    fn foreign_write(
        &mut self,
        world: &World,
        scope: Option<&str>,
        name: &str,
        value: &str,
    ) -> Result<(), ForeignError> {
        self.team_mut(scope)
            .ok_or_else(|| ForeignError::scope(scope))?
            .write(world, name, value, true);
        Ok(())
    }

    fn foreign_delete(
        &mut self,
        _world: &World,
        scope: Option<&str>,
        name: &str,
    ) -> Result<(), ForeignError> {
        let team = self
            .team_mut(scope)
            .ok_or_else(|| ForeignError::scope(scope))?;
        team.delete(name)
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
