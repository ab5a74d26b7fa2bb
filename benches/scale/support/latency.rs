//! Percentiles of many times.

use super::Figure;

/// Times of one kind, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<f64>);

impl Latencies {
    pub(crate) fn push(&mut self, milliseconds: f64) {
        self.0.push(milliseconds);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Median, 99th percentile and worst, with `prefix` before their names.
    pub(crate) fn figures(mut self, prefix: &str) -> Vec<Figure> {
        self.0.sort_by(f64::total_cmp);
        let at = |percent: usize| self.0[(self.0.len() - 1) * percent / 100];
        [("p50", 50), ("p99", 99), ("worst", 100)]
            .map(|(name, percent)| Figure::new(&format!("{prefix}{name}"), at(percent), "ms"))
            .into()
    }
}
