//! A strict reader of a JSON object: wrong types, missing fields and unknown fields are all refused.

use serde_json::{Map, Value};

use crate::call::{Call, Kind, Payload, Refusal};

/// A field that may be absent, which is not the same as null.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Field<T> {
    #[default]
    Absent,
    Null,
    Given(T),
}

impl<T> Field<T> {
    pub(crate) fn given(self) -> Option<T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Null => None,
        }
    }

    /// Takes an absent field for a null one.
    pub(crate) fn or_null(self) -> Self {
        if matches!(self, Self::Absent) {
            Self::Null
        } else {
            self
        }
    }

    /// Takes a null field for an absent one.
    pub(crate) fn or_absent(self) -> Self {
        if matches!(self, Self::Null) {
            Self::Absent
        } else {
            self
        }
    }

    /// Writes the field, unless it is absent.
    pub(crate) fn write(self, target: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Null => *target = None,
            Self::Given(value) => *target = Some(value),
        }
    }
}

/// The fields of a body that are not read yet.
#[derive(Debug)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    /// Takes the body of a request, which must be one JSON object.
    pub(crate) fn of(call: &Call<'_>) -> Result<Self, Refusal> {
        match call.payload {
            Payload::Form(_) => Self::of_payload(&Payload::WrongContentType),
            payload => Self::of_payload(payload),
        }
    }

    /// As [`Self::of`], also under the content type of an HTML form.
    pub(crate) fn of_json_or_form(call: &Call<'_>) -> Result<Self, Refusal> {
        Self::of_payload(call.payload)
    }

    fn of_payload(payload: &Payload) -> Result<Self, Refusal> {
        match payload {
            Payload::Empty => Err(Refusal::invalid("", "Field required")),
            Payload::NotJson => Err(Refusal::invalid("", "Invalid JSON")),
            Payload::WrongContentType => Err(Refusal::new(
                Kind::WrongContentType,
                "Content-Type must be application/json",
            )),
            Payload::TooLarge => Err(Refusal::new(Kind::TooLarge, "Request body too large")),
            Payload::Json(value) | Payload::Form(value) => value
                .as_object()
                .map(|object| Self(object.clone()))
                .ok_or_else(|| Refusal::invalid("", "Input should be a valid dictionary")),
        }
    }

    /// Reads an inner object of a body.
    pub(crate) fn inside(field: &str, value: &Value) -> Result<Self, Refusal> {
        let object = value
            .as_object()
            .ok_or_else(|| Refusal::invalid(field, "Input should be a valid dictionary"))?;
        Ok(Self(object.clone()))
    }

    /// A field as it came; `None` when absent, `Some(Null)` when null.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name)
    }

    /// A field that must be there and be a string.
    pub(crate) fn string(&mut self, name: &str) -> Result<String, Refusal> {
        match self.take(name) {
            None => Err(Refusal::invalid(name, "Field required")),
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(not_a_string(name)),
        }
    }

    /// A string that may be absent but not null.
    pub(crate) fn optional_string(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(not_a_string(name)),
        }
    }

    /// A string that may be absent or null, which are kept apart.
    pub(crate) fn nullable_string(&mut self, name: &str) -> Result<Field<String>, Refusal> {
        match self.take(name) {
            None => Ok(Field::Absent),
            Some(Value::Null) => Ok(Field::Null),
            Some(Value::String(text)) => Ok(Field::Given(text)),
            Some(_) => Err(not_a_string(name)),
        }
    }

    /// A boolean that may be absent.
    pub(crate) fn boolean(&mut self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(_) => Err(Refusal::invalid(name, "Input should be a valid boolean")),
        }
    }

    /// Refuses what is left.
    pub(crate) fn finish(self) -> Result<(), Refusal> {
        match self.0.keys().next() {
            Some(name) => Err(Refusal::invalid(name, "Extra inputs are not permitted")),
            None => Ok(()),
        }
    }
}

fn not_a_string(name: &str) -> Refusal {
    Refusal::invalid(name, "Input should be a valid string")
}
