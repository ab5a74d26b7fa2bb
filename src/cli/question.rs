//! A question on the terminal, before something that cannot be taken back.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use super::answer::Refusal;

/// Asks on the terminal; yes is `y` or `yes`.
///
/// # Errors
/// There is no terminal to ask on.
pub(super) fn is_confirmed(question: &str) -> Result<bool, Refusal> {
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Refusal::usage("there is no terminal to ask on: give --yes"));
    }
    let mut terminal = std::io::stderr();
    let _ = terminal
        .write_all(question.as_bytes())
        .and_then(|()| terminal.flush());
    let mut line = String::new();
    let read = input.lock().read_line(&mut line);
    Ok(read.is_ok() && matches!(line.trim(), "y" | "Y" | "yes"))
}
