//! PrimeIntellect's paths: `/api/v1/secrets/` with the slash, `/api/v1/secrets/{id}` without, and two of the user's.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    CountField, Duplicate, NullDescription, Secret, WriteAnswer,
    tenant::{Changes, NewSecret, User},
    wire::{check_description, check_name, check_value},
};
use crate::{
    account::Access,
    call::{Call, Kind, Refusal, Reply},
    clock::wire,
    fields::{Field, Fields},
};

/// The documented default of `limit`; taken as the longest page too, because no bound is documented.
const PAGE: usize = 100;

impl User {
    #[expect(
        clippy::match_same_arms,
        reason = "a table of routes, one line per path and method"
    )]
    pub(super) fn route(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        match (call.method, call.path().as_slice()) {
            ("GET", ["api", "v1", "secrets", ""]) => self.list(call),
            ("POST", ["api", "v1", "secrets", ""]) => self.create_from(call),
            (_, ["api", "v1", "secrets", ""]) => Err(Refusal::method("GET, POST")),
            ("GET", ["api", "v1", "secrets", id]) => self.get(call, id),
            ("PATCH", ["api", "v1", "secrets", id]) => self.patch(call, id),
            ("DELETE", ["api", "v1", "secrets", id]) => self.remove(call, id),
            (_, ["api", "v1", "secrets", _]) => Err(Refusal::method("GET, PATCH, DELETE")),
            ("GET", ["api", "v1", "user", "teams"]) => self.list_teams(call),
            (_, ["api", "v1", "user", "teams"]) => Err(Refusal::method("GET")),
            ("GET", ["api", "v1", "user", "whoami"]) => Ok(self.whoami(call)),
            (_, ["api", "v1", "user", "whoami"]) => Err(Refusal::method("GET")),
            (_, ["api", "v1", "environmentshub", path @ ..]) => self.route_environment(call, path),
            _ => Err(Refusal::unknown_path()),
        }
    }

    /// Creates only; the team is a field of the body here (docs/vendors.md#pi-1 and PI-2).
    fn create_from(&mut self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let mut body = Fields::of(call)?;
        let name = body.string("name")?;
        let value = body.string("value")?;
        let description = body.nullable_string("description")?.given();
        let team = body.nullable_string("teamId")?.given();
        let is_file = body.boolean("isFile")?.unwrap_or_default();
        body.finish()?;
        check_name(&name)?;
        check_value(&value, is_file)?;
        check_description(description.as_deref())?;
        self.check_team(team.as_deref())?;
        self.check_duplicate(team.as_deref(), &name)?;
        let new = NewSecret {
            team: team.as_deref(),
            name: &name,
            value: &value,
            description,
            is_file,
        };
        let secret = self.create(call.world, new, false).clone();
        Ok(self.written(&secret))
    }

    fn list(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let team = self.team(call)?;
        let (offset, limit) = page(call)?;
        let all: Vec<&Secret> = self.secrets(team).collect();
        let data: Vec<Value> = all
            .iter()
            .skip(offset)
            .take(limit)
            .map(|secret| self.secret_body(secret))
            .collect();
        let mut body =
            json!({ "data": data, "offset": offset, "limit": limit, "status": "success" });
        match self.variants.count_field {
            CountField::TotalCount => body["total_count"] = json!(all.len()),
            CountField::TotalCountCamel => body["totalCount"] = json!(all.len()),
            CountField::Absent => {}
        }
        Ok(Reply::ok(body))
    }

    fn get(&self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let secret = self
            .secret(self.team(call)?, id)
            .ok_or_else(unknown_secret)?;
        Ok(Reply::ok(
            json!({ "data": self.secret_body(secret), "status": "success" }),
        ))
    }

    fn patch(&mut self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let team = self.team(call)?;
        let before = self.secret(team, id).ok_or_else(unknown_secret)?;
        let mut body = Fields::of(call)?;
        let name = body.nullable_string("name")?.given();
        let value = body.nullable_string("value")?.given();
        let mut description = body.nullable_string("description")?;
        body.finish()?;
        if let Some(name) = &name {
            check_name(name)?;
        }
        if let Some(value) = &value {
            check_value(value, before.is_file)?;
        }
        if let Field::Given(description) = &description {
            check_description(Some(description))?;
        }
        if let Some(name) = name.as_deref().filter(|name| *name != before.name) {
            self.check_duplicate(team, name)?;
        }
        if self.variants.null_description == NullDescription::Leaves {
            description = description.or_absent();
        }
        let changes = Changes {
            name,
            value,
            description,
        };
        let secret = self
            .update(call.world, id, changes, false)
            .ok_or_else(unknown_secret)?
            .clone();
        Ok(self.written(&secret))
    }

    fn remove(&mut self, call: &Call<'_>, id: &str) -> Result<Reply, Refusal> {
        let known = self.secret(self.team(call)?, id).is_some();
        let secret = known
            .then(|| self.delete(id))
            .flatten()
            .ok_or_else(unknown_secret)?;
        Ok(self.written(&secret))
    }

    fn list_teams(&self, call: &Call<'_>) -> Result<Reply, Refusal> {
        let (offset, limit) = page(call)?;
        let data: Vec<Value> = self
            .teams
            .iter()
            .skip(offset)
            .take(limit)
            .map(|team| {
                let created = wire(self.created);
                json!({ "teamId": team, "name": team, "slug": team, "role": "ADMIN", "createdAt": created })
            })
            .collect();
        Ok(Reply::ok(
            json!({ "data": data, "total_count": self.teams.len(), "offset": offset, "limit": limit }),
        ))
    }

    fn whoami(&self, call: &Call<'_>) -> Reply {
        let write = call.access == Access::Full;
        Reply::ok(json!({ "data": {
            "id": self.id, "name": self.name, "scope": { "secrets": { "read": true, "write": write } },
        } }))
    }

    /// The team of everything but a creation: a query parameter, and without it the personal scope.
    fn team<'a>(&self, call: &'a Call<'_>) -> Result<Option<&'a str>, Refusal> {
        let team = call.query("teamId");
        self.check_team(team).map(|()| team)
    }

    fn check_team(&self, team: Option<&str>) -> Result<(), Refusal> {
        let member = team.is_none_or(|team| self.teams.iter().any(|known| known == team));
        member
            .then_some(())
            .ok_or_else(|| Refusal::new(Kind::Forbidden, "You are not a member of this team"))
    }

    fn check_duplicate(&self, team: Option<&str>, name: &str) -> Result<(), Refusal> {
        if self.has(team, name) && self.variants.duplicate != Duplicate::Silent {
            return Err(self.duplicate());
        }
        Ok(())
    }

    /// The refusal of a name that is taken. Within an environment the documents speak of one in any case.
    pub(super) fn duplicate(&self) -> Refusal {
        let message = "A secret with this name already exists";
        match self.variants.duplicate {
            Duplicate::Conflict | Duplicate::Silent => Refusal::new(Kind::Conflict, message),
            Duplicate::BadRequest => Refusal::new(Kind::Status(StatusCode::BAD_REQUEST), message),
            Duplicate::Unprocessable => Refusal::invalid("name", message),
        }
    }

    fn written(&self, secret: &Secret) -> Reply {
        let data = match self.variants.write_answer {
            WriteAnswer::Object => self.secret_body(secret),
            WriteAnswer::Null => Value::Null,
        };
        Reply::ok(json!({ "data": data, "status": "success" }))
    }

    fn secret_body(&self, secret: &Secret) -> Value {
        json!({
            "id": secret.id,
            "name": secret.name,
            "description": secret.description,
            "isFile": secret.is_file,
            "userId": self.id,
            "teamId": secret.team,
            "createdAt": wire(secret.held.created),
            "updatedAt": wire(secret.held.updated),
        })
    }
}

/// Offset and limit. A longer page than the bound is cut without a word: the client must count what it got.
fn page(call: &Call<'_>) -> Result<(usize, usize), Refusal> {
    let limit = call.query_number("limit")?.unwrap_or(PAGE);
    if limit == 0 {
        return Err(
            Refusal::invalid("limit", "Input should be greater than or equal to 1").in_query(),
        );
    }
    Ok((
        call.query_number("offset")?.unwrap_or_default(),
        limit.min(PAGE),
    ))
}

fn unknown_secret() -> Refusal {
    Refusal::not_found("Secret not found")
}
