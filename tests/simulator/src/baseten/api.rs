//! Baseten's paths: `/v1/secrets`, `/v1/teams/{team_id}/secrets`, `/v1/teams` (docs/vendors.md#baseten).

use serde_json::{Value, json};

use super::{
    ContentType, Secret,
    tenant::{Organization, Team},
};
use crate::{
    call::{Call, Refusal, Reply},
    clock::wire,
    fields::Fields,
};

impl Organization {
    #[expect(
        clippy::match_same_arms,
        reason = "a table of routes, one line per path and method"
    )]
    pub(super) fn route(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let default = self.teams.first().map(|team| team.id.clone());
        match (call.method, call.path().as_slice()) {
            // An empty name is no name: `/v1/secrets/` is not a path.
            (_, path) if path.contains(&"") => Err(Refusal::unknown_path()),
            ("GET", ["v1", "secrets"]) => Ok(self.list_all()),
            // The words differ in the documents: a write goes to the caller's primary team …
            ("POST", ["v1", "secrets"]) => {
                let primary = call.primary_team.map(str::to_owned).or(default);
                self.upsert(call, primary.as_deref())
            }
            (_, ["v1", "secrets"]) => Err(Refusal::method("GET, POST")),
            // … and a deletion to the organization's default team (docs/vendors.md#ba-3).
            ("DELETE", ["v1", "secrets", name]) => self.delete(default.as_deref(), name),
            (_, ["v1", "secrets", _]) => Err(Refusal::method("DELETE")),
            ("GET", ["v1", "teams"]) => Ok(self.list_teams(call)),
            (_, ["v1", "teams"]) => Err(Refusal::method("GET")),
            ("GET", ["v1", "teams", team]) => self
                .team(team)
                .map(|team| Reply::ok(self.team_body(team)))
                .ok_or_else(unknown_team),
            (_, ["v1", "teams", _]) => Err(Refusal::method("GET")),
            ("GET", ["v1", "teams", team, "secrets"]) => self.list(team),
            ("POST", ["v1", "teams", team, "secrets"]) => self.upsert(call, Some(team)),
            (_, ["v1", "teams", _, "secrets"]) => Err(Refusal::method("GET, POST")),
            ("DELETE", ["v1", "teams", team, "secrets", name]) => self.delete(Some(team), name),
            (_, ["v1", "teams", _, "secrets", _]) => Err(Refusal::method("DELETE")),
            _ => Err(Refusal::unknown_path()),
        }
    }

    fn upsert(&mut self, call: &Call<'_>, team: Option<&str>) -> Result<Reply, Refusal> {
        // The team is a part of the path, so it is looked up before the body is read.
        let id = self.team_mut(team).ok_or_else(unknown_team)?.id.clone();
        let mut body = match self.variants.content_type {
            ContentType::Json => Fields::of(call)?,
            ContentType::JsonOrForm => Fields::of_json_or_form(call)?,
        };
        let name = body.string("name")?;
        let value = body.string("value")?;
        body.finish()?;
        if name.is_empty() {
            return Err(Refusal::invalid(
                "name",
                "String should have at least 1 character",
            ));
        }
        let team = self.team_mut(Some(&id)).ok_or_else(unknown_team)?;
        let secret = team.write(call.world, &name, &value, false).clone();
        let team = self.team(&id).ok_or_else(unknown_team)?;
        Ok(Reply::ok(self.secret_body(team, &secret)))
    }

    /// All teams of the caller, mixed: a name in this list may belong to any of them (docs/vendors.md#ba-2).
    fn list_all(&self) -> Reply {
        let secrets: Vec<Value> = self
            .teams
            .iter()
            .flat_map(|team| team.secrets().map(|secret| self.secret_body(team, secret)))
            .collect();
        Reply::ok(json!({ "secrets": secrets }))
    }

    fn list(&self, team: &str) -> Result<Reply, Refusal> {
        let team = self.team(team).ok_or_else(unknown_team)?;
        let secrets: Vec<Value> = team
            .secrets()
            .map(|secret| self.secret_body(team, secret))
            .collect();
        Ok(Reply::ok(json!({ "secrets": secrets })))
    }

    fn delete(&mut self, team: Option<&str>, name: &str) -> Result<Reply, Refusal> {
        let team = self.team_mut(team).ok_or_else(unknown_team)?;
        let secret = team
            .delete(name)
            .ok_or_else(|| Refusal::not_found("Secret not found"))?;
        Ok(Reply::ok(json!({ "name": self.spelled(&secret) })))
    }

    fn list_teams(&self, call: &Call<'_>) -> Reply {
        let asked = call.query("name");
        let teams: Vec<Value> = self
            .teams
            .iter()
            .filter(|team| asked.is_none_or(|name| name == team.name))
            .map(|team| self.team_body(team))
            .collect();
        Reply::ok(json!({ "teams": teams }))
    }

    fn secret_body(&self, team: &Team, secret: &Secret) -> Value {
        let mut body =
            json!({ "created_at": wire(secret.held.created), "name": self.spelled(secret) });
        if self.variants.team_name {
            body["team_name"] = json!(team.name);
        }
        if self.variants.id {
            body["id"] = json!(secret.held.id);
        }
        body
    }

    fn team_body(&self, team: &Team) -> Value {
        let default = self.teams.first().is_some_and(|first| first.id == team.id);
        json!({ "id": team.id, "name": team.name, "default": default, "created_at": wire(team.created) })
    }
}

fn unknown_team() -> Refusal {
    Refusal::not_found("Team not found")
}
