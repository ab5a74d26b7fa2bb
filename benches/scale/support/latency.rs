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

    /// All of them, in their order.
    pub(crate) fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// Median, 99th percentile and worst, with `prefix` before their names.
    pub(crate) fn figures(self, prefix: &str) -> Vec<Figure> {
        let sorted = self.sorted();
        let at = |percent: usize| sorted[(sorted.len() - 1) * percent / 100];
        [("p50", 50), ("p99", 99), ("worst", 100)]
            .map(|(name, percent)| Figure::new(&format!("{prefix}{name}"), at(percent), "ms"))
            .into()
    }
}
