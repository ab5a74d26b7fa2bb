//! A value: made of its source, and checked for what the provider takes.

use std::collections::BTreeMap;

use base64::Engine as _;
use secrecy::SecretString;
use zeroize::Zeroizing;

use super::tally::Tally;
use crate::{
    api::{EntrySource, Reason},
    controller::{error::Failure, plan::Marks},
    provider::{Options, Rules},
    template::{Fault, Rendered, Renderer, Template},
};

/// The data of a Secret by key.
type Data = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// The bytes of a value.
pub(crate) enum Bytes<'a> {
    /// Those of a key.
    Held(&'a [u8]),
    /// Those that a template made.
    Made(Rendered),
}

impl Bytes<'_> {
    pub(crate) fn as_slice(&self) -> &[u8] {
        match self {
            Self::Held(bytes) => bytes,
            Self::Made(made) => &made.text,
        }
    }

    /// What of the text is sent and hardly meant.
    pub(crate) fn marks(&self) -> Marks {
        let marks = Marks::of(self.as_slice());
        match self {
            Self::Held(_) => marks,
            // In the middle of a text, or encoded, it is as wrong as at the beginning.
            Self::Made(made) => Marks {
                has_byte_order_mark: marks.has_byte_order_mark || made.has_byte_order_mark,
                ..marks
            },
        }
    }
}

/// The bytes of an entry's value, from the data of its Secret. `data` is asked for after the
/// template was checked: a template that is wrong need not wait for a Secret.
pub(crate) fn value_of<'a>(
    name: &str,
    source: EntrySource<'_>,
    renderer: &Renderer,
    data: Result<&'a Data, Failure>,
) -> Result<Bytes<'a>, Failure> {
    match source {
        EntrySource::Key(reference) => match data?.get(&reference.key) {
            Some(bytes) => Ok(Bytes::Held(bytes)),
            None => Err(no_key(&reference.name, &reference.key, name)),
        },
        EntrySource::Template { template, secret } => {
            let to_failure = |fault| template_failure(fault, name, &secret.name);
            let template = Template::new(template).map_err(to_failure)?;
            let made = renderer.render(&template, data?).map_err(to_failure)?;
            Ok(Bytes::Made(made))
        }
    }
}

/// A key that is not in its Secret.
pub(crate) fn no_key(secret: &str, key: &str, entry: &str) -> Failure {
    let message = format!("Secret {secret} has no key {key}. Entry {entry} waits for it.");
    Failure::waiting(Reason::KeyNotFound, message)
}

/// A key that holds nothing yet: a placeholder, perhaps, that another controller fills in a moment.
pub(crate) fn empty_key(secret: &str, key: &str, entry: &str) -> Failure {
    let message = format!(
        "Key {key} of Secret {secret} is empty. Entry {entry} is sent as soon as it is filled."
    );
    Failure::waiting(Reason::EmptyValue, message)
}

/// A text in UTF-16, or one of its keys is.
fn holds_nul(entry: &str) -> Failure {
    let message = format!(
        "The value of entry {entry} looks like UTF-16: it holds NUL, which is no part of a text. Store it as UTF-8."
    );
    Failure::config(Reason::InvalidEncoding, message)
}

/// Why there is no text, in words for the user who wrote the template.
fn template_failure(fault: Fault, entry: &str, secret: &str) -> Failure {
    let (reason, message) = match fault {
        Fault::Missing(key) => return no_key(secret, &key, entry),
        Fault::Empty(key) => return empty_key(secret, &key, entry),
        Fault::HoldsNul => return holds_nul(entry),
        Fault::Invalid { what, line } => {
            let line = line.map_or_else(String::new, |line| format!(" in line {line}"));
            (
                Reason::InvalidTemplate,
                format!("The template of entry {entry} is not valid{line}: {what}."),
            )
        }
        Fault::NotText(key) => (
            Reason::InvalidEncoding,
            format!(
                "Key {key} of Secret {secret} is not UTF-8 text, and the template of entry {entry} takes text only."
            ),
        ),
        Fault::NotBase64 => (
            Reason::InvalidEncoding,
            format!(
                "The template of entry {entry} decodes what is not the base64 of UTF-8 text. Check the keys of Secret {secret} that it passes to b64decode."
            ),
        ),
        Fault::TooLarge => (
            Reason::ValueTooLarge,
            format!("The template of entry {entry} makes a text of more than 1 MiB."),
        ),
        Fault::TooMuch => (
            Reason::ValueTooLarge,
            format!(
                "The templates of the object are more work than is allowed, and entry {entry} is beyond that. Use smaller keys or fewer filters, or split the object."
            ),
        ),
    };
    Failure::config(reason, message)
}

/// Refuses a name that the provider does not take.
pub(crate) fn ensure_fit_name(name: &str, rules: &Rules) -> Result<(), Failure> {
    let provider = rules.kind;
    (rules.check_name)(name).map_err(|reason| {
        Failure::config(
            reason,
            format!(
                "{provider} does not take the name {name}: a name {}. Rename the entry; if it is a key that came with dataFrom, give nameTransform or prefix there, or leave it out with exclude.",
                rules.name_rule
            ),
        )
    })
}

/// The value as it goes over the wire, if the provider takes it and there is room for it.
pub(crate) fn wire_value(
    name: &str,
    bytes: &[u8],
    options: &Options,
    rules: &Rules,
    tally: &mut Tally<'_>,
) -> Result<SecretString, Failure> {
    let provider = rules.kind;
    if bytes.is_empty() {
        // A placeholder, perhaps, that another controller fills in a moment.
        let message = format!(
            "The value of entry {name} is empty, which {provider} does not take. It is sent as soon as it is filled."
        );
        return Err(Failure::waiting(Reason::EmptyValue, message));
    }
    if let Some(files) = rules.files.filter(|files| (files.is_file)(options)) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        if encoded.len() > files.max_base64 {
            let most = files.max_base64 / 1024;
            let message = format!(
                "The file of entry {name} is larger than {most} KB in base64, which is the most {provider} takes."
            );
            return Err(Failure::config(Reason::ValueTooLarge, message));
        }
        tally.add(name, encoded.len())?;
        return Ok(SecretString::from(encoded));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| {
        let is_utf16 = bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff");
        let hint = if is_utf16 {
            " It looks like UTF-16: store it as UTF-8."
        } else {
            ""
        };
        let message = format!(
            "The value of entry {name} is not UTF-8 text, and {provider} takes text only.{hint}"
        );
        Failure::config(Reason::InvalidEncoding, message)
    })?;
    if text.contains('\0') {
        return Err(holds_nul(name));
    }
    tally.add(name, text.len())?;
    Ok(SecretString::from(text))
}
