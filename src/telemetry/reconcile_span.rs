//! The span around one reconcile: every line that is logged inside of it says whose it is.

use std::fmt;

use tracing::{Metadata, Span, field::Empty};

use super::ReconcileResult;

/// The name of the controller, as controller-runtime derives it from the kind.
const CONTROLLER: &str = "providersecret";

/// The name of the span.
const NAME: &str = "reconcile";

/// A span for one reconcile of an object. Its level is the highest, so that a line of any level has it.
///
/// It costs one text for its fields; lines that are not logged cost nothing more.
pub fn reconcile_span(namespace: &str, name: &str) -> Span {
    tracing::error_span!(
        NAME,
        controller = CONTROLLER,
        namespace,
        name,
        reconcileID = %ReconcileId::new(),
        result = Empty,
    )
}

/// Notes in the span of the present reconcile what it ended in, which a trace shows.
pub fn note_result(result: ReconcileResult) {
    Span::current().record("result", result.as_str());
}

/// Whether this is the span of a reconcile, which no filter of the user leaves out: a filter by target
/// would take the names of the object from lines that it keeps.
pub(super) fn is_reconcile_span(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && metadata.name() == NAME && metadata.target() == module_path!()
}

/// One id for one reconcile: a random UUID (RFC 9562, version 4), as controller-runtime has it.
struct ReconcileId(u128);

impl ReconcileId {
    fn new() -> Self {
        let random = fastrand::u128(..) & !(0xf << 76) & !(0b11 << 62);
        Self(random | (4 << 76) | (0b10 << 62))
    }
}

impl fmt::Display for ReconcileId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = |from: u32, bits: u32| (self.0 >> from) & ((1 << bits) - 1);
        write!(
            formatter,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            part(96, 32),
            part(80, 16),
            part(64, 16),
            part(48, 16),
            part(0, 48)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_random_uuid() {
        let ids = [
            ReconcileId::new().to_string(),
            ReconcileId::new().to_string(),
        ];
        assert_ne!(ids[0], ids[1]);
        for id in ids {
            let lengths: Vec<_> = id.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{id}");
            assert_eq!(&id[14..15], "4", "{id}");
            assert!("89ab".contains(&id[19..20]), "{id}");
        }
        let shown = ReconcileId(0x0123_4567_89ab_4def_8123_4567_89ab_cdef).to_string();
        assert_eq!(shown, "01234567-89ab-4def-8123-456789abcdef");
    }
}
