//! Medians and percentiles of the measured values.

use super::clients::Found;
use std::time::Duration;

/// A measured time, in nanoseconds, and how many addresses the lookup found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) nanoseconds: f64,
    pub(super) addresses: usize,
}

/// The samples of a cell of the table, in ascending order.
#[derive(Debug, Clone, Default)]
pub(super) struct Samples {
    sorted: Vec<f64>,
    /// The minimum and maximum number of addresses of a sample.
    pub(super) addresses: Option<(usize, usize)>,
}

impl Samples {
    pub(super) fn of(samples: &[Sample]) -> Samples {
        let mut sorted: Vec<f64> = samples.iter().map(|sample| sample.nanoseconds).collect();
        sorted.sort_by(f64::total_cmp);
        let counts = || samples.iter().map(|sample| sample.addresses);
        Samples { sorted, addresses: counts().min().zip(counts().max()) }
    }

    pub(super) fn of_found<'a>(found: impl IntoIterator<Item = &'a Found>) -> Samples {
        Samples::of(&found.into_iter().map(Found::sample).collect::<Vec<_>>())
    }

    pub(super) fn of_values(values: impl IntoIterator<Item = f64>) -> Samples {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Samples { sorted, addresses: None }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.sorted.is_empty()
    }

    pub(super) fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// The quantile for this part, from 0 to 1, interpolated between samples.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    pub(super) fn quantile(&self, part: f64) -> f64 {
        let last = self.sorted.len().saturating_sub(1) as f64;
        let (below, above) = ((last * part).floor(), (last * part).ceil());
        let at = |position: f64| self.sorted.get(position as usize).copied().unwrap_or(f64::NAN);
        at(below) + (at(above) - at(below)) * (last * part - below)
    }

    /// `3.1 ms (2.9–3.6)`: the median, and in parentheses the 10th and 90th percentile.
    pub(super) fn show(&self) -> String {
        if self.is_empty() {
            return String::new();
        }
        let (unit, name) = unit(self.median());
        let number = |value: f64| significant(value / unit);
        let [p10, p50, p90] = [0.1, 0.5, 0.9].map(|part| number(self.quantile(part)));
        format!("{p50} {name} ({p10}–{p90})")
    }
}

/// A duration with three significant digits: `3.12 ms`.
pub(super) fn show(nanoseconds: f64) -> String {
    let (unit, name) = unit(nanoseconds);
    format!("{} {name}", significant(nanoseconds / unit))
}

/// A duration in nanoseconds.
pub(super) fn nanoseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

fn unit(nanoseconds: f64) -> (f64, &'static str) {
    match nanoseconds {
        n if n >= 1e9 => (1e9, "s"),
        n if n >= 1e6 => (1e6, "ms"),
        n if n >= 1e3 => (1e3, "µs"),
        _ => (1.0, "ns"),
    }
}

fn significant(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_interpolated() {
        let samples = Samples::of_values([4.0, 1.0, 3.0, 2.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|part| samples.quantile(part)), [1.0, 2.5, 4.0]);
        assert_eq!(Samples::of_values([7.0]).median(), 7.0);
    }

    #[test]
    fn durations_have_their_unit() {
        assert_eq!([2.5e9, 3.14159e6, 250e3, 12.34].map(show), ["2.50 s", "3.14 ms", "250 µs", "12.3 ns"]);
        assert_eq!(Samples::of_values([1e6, 2e6, 3e6]).show(), "2.00 ms (1.20–2.80)");
    }
}
