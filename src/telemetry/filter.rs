//! The filter of the log, as `--log-level` gives it.

use tracing_subscriber::EnvFilter;

/// The levels, least first.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
/// How alike two words are, from 0 to 1, when one is offered for the other.
const MIN_SIMILARITY: f64 = 0.7;

/// Reads a filter: levels and `target=level`, with commas between them.
///
/// [`EnvFilter`] also takes a word alone for a target of which everything is logged. So a level with a
/// slip in it would log nothing else, and be accepted.
///
/// # Errors
/// What is wrong with it, for the user who gave it.
pub(super) fn read(text: &str) -> Result<EnvFilter, String> {
    for directive in directives(text) {
        let level = match directive.rsplit_once('=') {
            // A comparison of a field, inside of brackets, is not followed by a level.
            Some((target, level)) if !target.is_empty() && !level.contains(']') => level,
            _ => directive,
        };
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err(unknown(level));
        }
    }
    // Without the spaces around them, which the filter does not take.
    let text = directives(text).collect::<Vec<_>>().join(",");
    EnvFilter::try_new(text).map_err(|_| "this is not a log level or filter".to_owned())
}

/// The parts of a filter. A comma inside of brackets is one of a list of fields.
fn directives(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let parts = text.split(move |letter| {
        match letter {
            '[' | '{' => depth += 1,
            ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.map(str::trim).filter(|part| !part.is_empty())
}

fn unknown(word: &str) -> String {
    let likeness = |level: &str| strsim::jaro_winkler(&word.to_ascii_lowercase(), level);
    let nearest = LEVELS
        .into_iter()
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
        .filter(|level| likeness(level) > MIN_SIMILARITY)
        .map_or_else(String::new, |level| format!(", did you mean {level}?"));
    format!(
        "{word:?} is no log level{nearest} (give off, error, warn, info, debug or trace, or target=level)"
    )
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("info")]
    #[case("WARN")]
    #[case("info,provider_secrets=debug")]
    #[case(" info , provider_secrets::http=Trace ,")]
    #[case("provider_secrets[{provider}]=debug")]
    #[case("off")]
    #[case("")]
    fn a_level_or_a_target_with_a_level_is_a_filter(#[case] text: &str) {
        assert!(read(text).is_ok(), "{text}");
    }

    #[rstest]
    #[case("inof", "did you mean info?")]
    #[case("DEBGU", "did you mean debug?")]
    #[case("warning", "did you mean warn?")]
    #[case("err", "did you mean error?")]
    #[case("info,trcae", "did you mean trace?")]
    #[case("provider_secrets=debg", "did you mean debug?")]
    #[case("provider_secrets", "target=level")]
    #[case("provider_secrets=", "target=level")]
    #[case("=info", "no log level")]
    #[case("info;debug", "no log level")]
    #[case("provider_secrets[{provider=1}]", "no log level")]
    #[case("loud=very=x", "no log level")]
    #[case("a\nb", "\"a\\nb\"")]
    fn what_is_neither_is_refused_with_the_nearest_word(#[case] text: &str, #[case] part: &str) {
        let refused = read(text).unwrap_err();
        assert!(refused.contains(part), "{refused}");
    }
}
