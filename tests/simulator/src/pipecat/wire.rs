//! Pipecat's error bodies, the bodies of its PUT and the rules for names (docs/vendors.md#pc-6, PC-8 and PC-9).

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{api::Tree, tenant::Organization};
use crate::{
    call::{Call, Kind, Refusal, Reply},
    fields::Fields,
};

const SET_NAME_LENGTH: std::ops::RangeInclusive<usize> = 3..=63;
const KEY_LENGTH: usize = 64;

/// An error as `{error, code}`; the field at fault is not named, as in the seed's "Invalid request format".
pub(super) fn refuse(refusal: &Refusal) -> Reply {
    let status = refusal.status(StatusCode::BAD_REQUEST, StatusCode::BAD_REQUEST);
    let code = match status {
        StatusCode::UNAUTHORIZED => "UNAUTHORIZED",
        StatusCode::FORBIDDEN => "FORBIDDEN",
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::CONFLICT => "CONFLICT",
        StatusCode::METHOD_NOT_ALLOWED => "METHOD_NOT_ALLOWED",
        StatusCode::PAYLOAD_TOO_LARGE => "PAYLOAD_TOO_LARGE",
        _ => "GENERIC_BAD_REQUEST",
    };
    let message = if refusal.field.is_empty() {
        &refusal.message
    } else {
        "Invalid request format"
    };
    refusal.finish(Reply::json(
        status,
        json!({ "error": message, "code": code }),
    ))
}

/// A PUT's body.
#[derive(Debug)]
pub(super) struct PutBody {
    pub(super) kind: PutKind,
    pub(super) region: Option<String>,
}

#[derive(Debug)]
pub(super) enum PutKind {
    Regular(Vec<(String, String)>),
    ImagePull { host: String, value: String },
}

impl PutBody {
    pub(super) fn of(
        call: &Call<'_>,
        organization: &Organization,
        tree: Tree,
        set: &str,
    ) -> Result<Self, Refusal> {
        let mut body = Fields::of(call)?;
        let image_pull = body.boolean("isImagePullSecret")?;
        let kind = match image_pull {
            Some(true) => image_pull_of(&mut body)?,
            // The vendor's client sends one pair at a time, on the organization's path only.
            Some(false) if tree == Tree::Organization => one_pair_of(&mut body, set)?,
            Some(false) => {
                return Err(Refusal::invalid(
                    "isImagePullSecret",
                    "Input should be true",
                ));
            }
            None => regular_of(&mut body)?,
        };
        let region = body.optional_string("region")?;
        body.finish()?;
        if region
            .as_deref()
            .is_some_and(|region| !organization.is_region(region))
        {
            return Err(unknown_region());
        }
        Ok(Self { kind, region })
    }
}

/// The refusal of a region that is none of the organization's.
pub(super) fn unknown_region() -> Refusal {
    let message = "Invalid region or organization does not have access";
    Refusal::new(Kind::Invalid, message)
}

fn one_pair_of(body: &mut Fields, set: &str) -> Result<PutKind, Refusal> {
    if body.string("name")? != set {
        return Err(Refusal::invalid(
            "name",
            "Input should be the name in the path",
        ));
    }
    Ok(PutKind::Regular(vec![pair_from(body)?]))
}

/// The fields of one pair.
fn pair_from(fields: &mut Fields) -> Result<(String, String), Refusal> {
    let key = fields.string("secretKey")?;
    let value = fields.string("secretValue")?;
    check_key(&key)?;
    check_value("secretValue", &value)?;
    Ok((key, value))
}

fn image_pull_of(body: &mut Fields) -> Result<PutKind, Refusal> {
    let mut host = body.string("host")?;
    let value = body.string("secretValue")?;
    let authority = url::Url::parse(&host).ok().filter(url::Url::has_host);
    if authority.is_none() {
        return Err(Refusal::invalid("host", "Invalid url"));
    }
    if !host.ends_with('/') {
        host.push('/');
    }
    check_value("secretValue", &value)?;
    Ok(PutKind::ImagePull { host, value })
}

fn regular_of(body: &mut Fields) -> Result<PutKind, Refusal> {
    let secrets = match body.take("secrets") {
        Some(Value::Array(secrets)) => secrets,
        Some(_) => return Err(Refusal::invalid("secrets", "Expected array")),
        None => return Err(Refusal::invalid("secrets", "Required")),
    };
    if secrets.is_empty() {
        return Err(Refusal::invalid(
            "secrets",
            "Array must contain at least 1 element(s)",
        ));
    }
    let pairs = secrets.iter().map(pair_of).collect::<Result<Vec<_>, _>>()?;
    Ok(PutKind::Regular(pairs))
}

fn pair_of(secret: &Value) -> Result<(String, String), Refusal> {
    let mut fields = Fields::inside("secrets", secret)?;
    let pair = pair_from(&mut fields)?;
    fields.finish()?;
    Ok(pair)
}

fn check_value(field: &str, value: &str) -> Result<(), Refusal> {
    if value.is_empty() {
        return Err(Refusal::invalid(
            field,
            "String must contain at least 1 character(s)",
        ));
    }
    Ok(())
}

fn check_key(key: &str) -> Result<(), Refusal> {
    let known =
        |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    if key.is_empty() || key.len() > KEY_LENGTH || !key.chars().all(known) {
        return Err(Refusal::invalid(
            "secretKey",
            "Must match [A-Za-z0-9_-]{1,64}",
        ));
    }
    Ok(())
}

/// Lower-case DNS-1123 labels joined by dots, 3 to 63 characters.
pub(super) fn check_set_name(name: &str) -> Result<(), Refusal> {
    let alphanumeric =
        |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let label = |label: &str| {
        label.starts_with(alphanumeric)
            && label.ends_with(alphanumeric)
            && label
                .chars()
                .all(|character| alphanumeric(character) || character == '-')
    };
    if !SET_NAME_LENGTH.contains(&name.len()) || !name.split('.').all(label) {
        return Err(Refusal::invalid("setName", "Invalid secret set name"));
    }
    Ok(())
}
