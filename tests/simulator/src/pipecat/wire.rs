//! Pipecat's error bodies, the two bodies of its PUT and the rules for names (docs/vendors.md#pc-6, PC-8 and PC-9).

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::tenant::is_region;
use crate::{
    call::{Call, Refusal, Reply},
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
    pub(super) fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        let mut body = Fields::of(call)?;
        let image_pull = body.boolean("isImagePullSecret")?;
        let kind = match image_pull {
            Some(true) => image_pull_of(&mut body)?,
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
        if let Some(region) = region.as_deref().filter(|region| !is_region(region)) {
            return Err(Refusal::invalid(
                "region",
                format!("Unknown region {region}"),
            ));
        }
        Ok(Self { kind, region })
    }
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
    let key = fields.string("secretKey")?;
    let value = fields.string("secretValue")?;
    fields.finish()?;
    check_key(&key)?;
    check_value("secretValue", &value)?;
    Ok((key, value))
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
