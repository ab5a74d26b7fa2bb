//! Panics: where they are, and nothing of what they have at hand.
//!
//! The message of a panic may quote a value: that of a `str` that is cut inside of a character quotes
//! the text. So only a message is shown that is a literal of the program.

use std::panic::PanicHookInfo;

/// From here on a panic is a line of the log, and no text of its own on standard error.
pub(super) fn log() {
    std::panic::set_hook(Box::new(|panic| {
        let at = panic.location().map(ToString::to_string);
        let at = at.unwrap_or_default();
        tracing::error!(at, what = what(panic), "panicked; this is a bug");
    }));
}

/// The message, if nothing was put into it at run time.
fn what(panic: &PanicHookInfo<'_>) -> &'static str {
    let literal = panic.payload().downcast_ref::<&'static str>();
    literal.copied().unwrap_or("a message that is not shown")
}
