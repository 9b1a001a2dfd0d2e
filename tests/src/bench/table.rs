//! The table in Markdown.

use super::stats::Samples;

/// The columns, in the order of the cells.
pub(super) const COLUMNS: [&str; 4] =
    ["this module", "nss-mdns + avahi-daemon", "nss-resolve + systemd-resolved", "bare query"];

/// A row of the table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) target: String,
    /// Whether the target was met. None if there is no target.
    pub(super) met: Option<bool>,
    pub(super) cells: [String; 4],
}

impl Row {
    /// A row of times. Each of the others is followed by the ratio of our time to it.
    pub(super) fn of_times(name: &str, target: &str, met: Option<bool>, cells: &[Samples; 4]) -> Row {
        let [ours, others @ ..] = cells;
        let other = |samples: &Samples| match samples.is_empty() {
            true => String::new(),
            false => format!("{}; {}", cell(samples), ratio(ours.median() / samples.median())),
        };
        let [first, second, third] = others.each_ref().map(other);
        Row { name: name.into(), target: target.into(), met, cells: [cell(ours), first, second, third] }
    }

    pub(super) fn show(&self) -> String {
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "",
        };
        let cells = self.cells.each_ref().map(|cell| if cell.is_empty() { "—" } else { cell });
        format!("| {} | {} | {} | {met} |", self.name, cells.join(" | "), self.target)
    }
}

/// The header of the table.
pub(super) fn head() -> String {
    format!("| what | {} | target | met |\n|---|---|---|---|---|---|---|", COLUMNS.join(" | "))
}

/// The samples of a cell, with the number of addresses.
pub(super) fn cell(samples: &Samples) -> String {
    let addresses = match samples.addresses {
        Some((min, max)) if max > 0 && min == max => format!(" [{max}]"),
        Some((min, max)) if max > 0 => format!(" [{min}–{max}]"),
        _ => String::new(),
    };
    samples.show() + &addresses
}

/// A ratio, rounded.
pub(super) fn ratio(ratio: f64) -> String {
    match ratio {
        r if r >= 10.0 => format!("×{r:.0}"),
        r if r >= 0.1 => format!("×{r:.2}"),
        r if r >= 0.001 => format!("×{r:.4}"),
        r => format!("×{r:.1e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_ours_and_the_ratios_to_the_others() {
        let of = |value: f64| Samples::of_values([value]);
        let cells = [of(2e6), of(4e6), Samples::default(), of(1e6)];
        let row = Row::of_times("first lookup", "at most 3 ms", Some(true), &cells);
        assert_eq!(
            row.show(),
            "| first lookup | 2.00 ms (2.00–2.00) | 4.00 ms (4.00–4.00); ×0.50 | — | 1.00 ms (1.00–1.00); ×2.00 \
             | at most 3 ms | yes |"
        );
    }
}
