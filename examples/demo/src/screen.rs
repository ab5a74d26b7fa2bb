//! What a person sees of the demo.

use std::{future::Future, io::Write as _, time::Duration};

#[derive(Clone, Copy)]
pub(super) enum Colour {
    Plain,
    Cyan,
    Green,
    Bold,
    Red,
}

/// The terminal, with colours or without.
#[derive(Clone, Copy)]
pub(super) struct Screen {
    pub(super) colour: bool,
}

impl Screen {
    pub(super) fn print(self, colour: Colour, text: &str) {
        let code = match colour {
            Colour::Plain => "",
            Colour::Cyan => "\x1b[36m",
            Colour::Green => "\x1b[32m",
            Colour::Bold => "\x1b[1m",
            Colour::Red => "\x1b[31m",
        };
        let (start, end) = if self.colour && !code.is_empty() {
            (code, "\x1b[0m")
        } else {
            ("", "")
        };
        // A reader that has gone away ends the demo at its next check.
        let _ = writeln!(std::io::stdout(), "{start}{text}{end}");
    }

    pub(super) fn chapter(self, text: &str) {
        self.print(Colour::Bold, &format!("\n── {text}"));
    }

    pub(super) fn good(self, text: &str) {
        self.print(Colour::Green, &format!("✓ {text}"));
    }

    pub(super) fn note(self, text: &str) {
        self.print(Colour::Plain, &format!("  {text}"));
    }

    /// Waits for something that may take long, and says so meanwhile.
    pub(super) async fn wait<T, E>(
        self,
        what: &str,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        self.note(&format!("{what} …"));
        let mut work = std::pin::pin!(work);
        let started = std::time::Instant::now();
        loop {
            match tokio::time::timeout(Duration::from_secs(10), &mut work).await {
                Ok(done) => {
                    self.note(&format!("{what}: {:.1} s", started.elapsed().as_secs_f64()));
                    return done;
                }
                Err(_) => self.note(&format!("{what} … {} s", started.elapsed().as_secs())),
            }
        }
    }
}

/// The first characters of a value.
pub(super) fn masked(value: &str) -> String {
    let start: String = value.chars().take(4).collect();
    format!("{start}••••")
}

/// A word of a command as a shell takes it.
pub(super) fn quoted(argument: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_=./:,".contains(letter);
    if argument.chars().all(is_plain) {
        argument.to_owned()
    } else {
        format!("'{argument}'")
    }
}
