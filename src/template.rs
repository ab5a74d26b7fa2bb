//! Templates: a value made of the keys of one Secret, in a small and pure part of Jinja.
//!
//! A user who may write an object writes its templates, so a template is held to little: it is
//! checked against lists of what is allowed before the engine sees it, and what it makes is bounded.
//! It has no way to files, time, chance, other templates or other Secrets. What the engine says of
//! an error is dropped, because it may quote a value.

mod check;
mod filters;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    io::{self, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior, Value, syntax::SyntaxConfig, value::Object,
};
use zeroize::Zeroizing;

/// The longest template, in bytes.
const MAX_TEMPLATE: usize = 4 * 1024;
/// The longest text a template, or one filter in it, may make, in bytes: what a Secret may hold.
const MAX_VALUE: usize = 1024 * 1024;
/// How much work all templates of one object may be together, in bytes: every key that is looked up,
/// what every filter makes and the texts. A fraction of a second.
const BUDGET: usize = 64 * 1024 * 1024;
/// Instructions of the engine; without loops a template of 4 KiB comes nowhere near.
const FUEL: u64 = 10_000;
/// The name under which every key can be reached.
const SECRET: &str = "secret";
/// What some editors put before UTF-8.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// Why there is no text. Names of keys and our own words only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The template itself must change: what is wrong with it, and in which line.
    Invalid {
        /// What is wrong with it.
        what: &'static str,
        /// The line, counted from 1, where it is known.
        line: Option<usize>,
    },
    /// The Secret has no such key.
    Missing(String),
    /// The value of this key is empty, and nothing in the template says what then.
    Empty(String),
    /// The value of this key is not UTF-8 text.
    NotText(String),
    /// A key, or what `b64decode` makes of one, holds NUL, as a text in UTF-16 does. A filter may hide it from
    /// every reader of the text that is made.
    HoldsNul,
    /// What `b64decode` was given is not the base64 of UTF-8 text.
    NotBase64,
    /// The text is longer than a value may be.
    TooLarge,
    /// The templates of the object are too much work altogether.
    TooMuch,
}

/// A template that holds nothing but what is allowed.
pub struct Template<'a> {
    source: &'a str,
    used: check::Used,
}

impl<'a> Template<'a> {
    /// Checks a template.
    ///
    /// # Errors
    /// [`Fault::Invalid`] and no other.
    pub fn new(source: &'a str) -> Result<Self, Fault> {
        let used = check::check(source)?;
        Ok(Self { source, used })
    }

    /// The keys that it names.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.used.keys.iter().map(String::as_str)
    }
}

/// The text that a template made.
pub struct Rendered {
    /// The text.
    pub text: Zeroizing<Vec<u8>>,
    /// Whether a key that was looked up begins with a byte order mark. The text need not begin with it, and a
    /// filter may have encoded it.
    pub has_byte_order_mark: bool,
}

/// Renders the templates of one object, which share a budget.
pub struct Renderer {
    budget: Budget,
}

impl Default for Renderer {
    fn default() -> Self {
        Self::new()
    }
}

impl Renderer {
    /// With a whole budget.
    pub fn new() -> Self {
        Self {
            budget: Budget(Arc::new(AtomicUsize::new(BUDGET))),
        }
    }

    /// The text that a template makes of the data of a Secret. The same for the same data.
    ///
    /// # Errors
    /// Every [`Fault`]; [`Fault::Invalid`] where the values decide whether an argument fits.
    pub fn render(
        &self,
        template: &Template<'_>,
        data: &BTreeMap<String, Zeroizing<Vec<u8>>>,
    ) -> Result<Rendered, Fault> {
        let keys = Arc::new(Keys::new(&template.used, data, &self.budget)?);
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(syntax());
        environment.set_fuel(Some(FUEL));
        filters::add(&mut environment, &self.budget);
        let mut text = Text::default();
        let rendered = environment
            .template_from_named_str("", template.source)
            .and_then(|engine| {
                let root = Value::from_object(Root(Arc::clone(&keys)));
                engine.render_captured_to(root, &mut text).map(drop)
            })
            .map_err(|error| keys.fault(&error));
        // First: to the engine a key that nothing is left for is a missing one, which a template
        // may have a default for.
        if keys.is_spent.load(Ordering::Relaxed) || !self.budget.take(text.0.len()) {
            return Err(Fault::TooMuch);
        }
        match (rendered, keys.empty()) {
            // Some filters refuse an empty text.
            (Ok(()) | Err(Fault::Invalid { .. }), Some(key)) => Err(Fault::Empty(key)),
            (rendered, _) => rendered.map(|()| Rendered {
                text: text.0,
                has_byte_order_mark: keys.has_byte_order_mark.load(Ordering::Relaxed),
            }),
        }
    }
}

/// The syntax of Jinja, with every newline kept.
fn syntax() -> SyntaxConfig {
    let mut builder = SyntaxConfig::builder();
    builder.keep_trailing_newline(true);
    // Only delimiters can be wrong, and these are the usual ones.
    builder.build().unwrap_or_default()
}

/// What may still be made, in bytes.
#[derive(Clone)]
struct Budget(Arc<AtomicUsize>);

impl Budget {
    /// Takes so many bytes; whether there were as many.
    fn take(&self, bytes: usize) -> bool {
        let spend = |left: usize| left.checked_sub(bytes);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, spend)
            .is_ok()
    }
}

/// The keys that a template names, and which of them was missed, or empty where it must not be.
struct Keys {
    texts: BTreeMap<String, Value>,
    required: BTreeSet<String>,
    sent: BTreeSet<String>,
    missed: Mutex<Option<String>>,
    empty: Mutex<Option<String>>,
    budget: Budget,
    /// Whether there was no budget left for a key.
    is_spent: AtomicBool,
    /// Whether a key that was looked up begins with a byte order mark.
    has_byte_order_mark: AtomicBool,
}

impl Keys {
    fn new(
        used: &check::Used,
        data: &BTreeMap<String, Zeroizing<Vec<u8>>>,
        budget: &Budget,
    ) -> Result<Self, Fault> {
        let mut texts = BTreeMap::new();
        for key in &used.keys {
            let Some(bytes) = data.get(key) else { continue };
            let text = std::str::from_utf8(bytes).map_err(|_| Fault::NotText(key.clone()))?;
            if text.contains('\0') {
                return Err(Fault::HoldsNul);
            }
            texts.insert(key.clone(), Value::from(text));
        }
        Ok(Self {
            texts,
            required: used.required.clone(),
            sent: used.sent.clone(),
            missed: Mutex::new(None),
            empty: Mutex::new(None),
            budget: budget.clone(),
            is_spent: AtomicBool::new(false),
            has_byte_order_mark: AtomicBool::new(false),
        })
    }

    fn get(&self, key: &str) -> Option<Value> {
        let Some(found) = self.texts.get(key) else {
            if self.required.contains(key) {
                let mut missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
                *missed = Some(key.to_owned());
            }
            return None;
        };
        let text = found.as_str().unwrap_or_default();
        let length = text.len();
        if text.starts_with(BYTE_ORDER_MARK) {
            self.has_byte_order_mark.store(true, Ordering::Relaxed);
        }
        if length == 0 && self.sent.contains(key) {
            let mut empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
            empty.get_or_insert_with(|| key.to_owned());
        }
        if !self.budget.take(length) {
            self.is_spent.store(true, Ordering::Relaxed);
            return None;
        }
        Some(found.clone())
    }

    /// The first key that was looked up, is empty and must not be.
    fn empty(&self) -> Option<String> {
        let empty = self.empty.lock().unwrap_or_else(PoisonError::into_inner);
        empty.clone()
    }

    /// What an error of the engine means. Nothing of its text is used.
    fn fault(&self, error: &Error) -> Fault {
        let missed = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        match (error.kind(), missed.as_ref()) {
            (ErrorKind::UndefinedError, Some(key)) => Fault::Missing(key.clone()),
            (filters::TOO_LARGE, _) => Fault::TooLarge,
            (filters::TOO_MUCH, _) => Fault::TooMuch,
            (filters::NOT_BASE64, _) => Fault::NotBase64,
            (filters::HOLDS_NUL, _) => Fault::HoldsNul,
            _ => Fault::Invalid {
                what: check::ARGUMENTS,
                line: error.line(),
            },
        }
    }
}

/// Without values: the engine asks for `Debug` of every object.
impl fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keys")
    }
}

impl Object for Keys {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get(key.as_str()?)
    }
}

/// What a template sees: the keys, and all of them again as `secret`.
#[derive(Debug)]
struct Root(Arc<Keys>);

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            SECRET => Some(Value::from_dyn_object(Arc::clone(&self.0))),
            key => self.0.get(key),
        }
    }
}

/// The text as it grows, up to its limit. What is outgrown is erased.
#[derive(Default)]
struct Text(Zeroizing<Vec<u8>>);

impl Write for Text {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.0.len() + bytes.len();
        if length > MAX_VALUE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if length > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(length.next_power_of_two()));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
