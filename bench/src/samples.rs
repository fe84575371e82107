//! Percentiles.

use serde_json::{Value, json};

/// Samples in milliseconds.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    pub(crate) fn push(&mut self, seconds: f64) {
        self.0.push(seconds * 1000.0);
    }

    /// The value that so many percent of the samples do not exceed.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(place).copied().unwrap_or(0.0)
    }

    pub(crate) fn report(&self) -> Value {
        json!({"p50_ms": round(self.percentile(50)), "p99_ms": round(self.percentile(99))})
    }
}

/// Three significant digits are enough.
pub(crate) fn round(value: f64) -> f64 {
    if value == 0.0 {
        return 0.0;
    }
    let scale = 10f64.powf(2.0 - value.abs().log10().floor());
    (value * scale).round() / scale
}
