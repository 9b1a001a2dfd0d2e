//! The chart as SVG: a group of bars for each lookup, with a bar for each way to resolve the name, on a logarithmic
//! scale.

use super::stats::{Samples, show};
use std::fmt::Write as _;

/// Name and colour of each series, in the order of the cells.
const SERIES: [(&str, &str); 4] = [
    ("this module", "#0b6e4f"),
    ("nss-mdns + avahi-daemon", "#c1440e"),
    ("nss-resolve + systemd-resolved", "#3d5a98"),
    ("bare query (lower bound)", "#8a8a8a"),
];

/// The range of the scale, from 10 µs to 20 s, in nanoseconds.
const FROM: f64 = 1e4;
const TO: f64 = 2e10;

const WIDTH: f64 = 960.0;
const LEFT: f64 = 270.0;
const RIGHT: f64 = 80.0;
const TOP: f64 = 118.0;
const LINE: f64 = 17.0;
const GAP: f64 = 16.0;
const BAR: f64 = 11.0;

/// Draws the rows.
pub(super) fn draw(rows: &[(String, [Samples; 4])]) -> String {
    let lines = |cells: &[Samples; 4]| cells.iter().filter(|samples| !samples.is_empty()).count();
    let heights = rows.iter().map(|(_, cells)| f64::from(u32::try_from(lines(cells)).unwrap_or(0)) * LINE + GAP);
    let bottom = TOP + heights.sum::<f64>();
    let mut svg = head(bottom + 44.0);
    grid(&mut svg, bottom);
    let mut y = TOP + GAP / 2.0;
    for (label, cells) in rows {
        let start = y;
        for (samples, (_, colour)) in cells.iter().zip(SERIES).filter(|(samples, _)| !samples.is_empty()) {
            bar(&mut svg, y, samples, colour);
            y += LINE;
        }
        text(&mut svg, LEFT - 14.0, start.midpoint(y) + 4.0, "end", "label", label);
        y += GAP;
    }
    svg + "</svg>\n"
}

fn head(height: f64) -> String {
    let mut svg = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img">
<title>Time to resolve a .local name</title>
<style>
text {{ font: 13px "DejaVu Sans", Verdana, Arial, sans-serif; fill: #222 }}
.title {{ font-size: 18px; font-weight: bold }}
.note, .tick {{ font-size: 12px; fill: #666 }}
.value {{ font-size: 11.5px; fill: #333 }}
</style>
<rect width="100%" height="100%" fill="#fff"/>
"##
    );
    text(&mut svg, 24.0, 34.0, "start", "title", "Time to resolve a .local name");
    let note = "Medians of one run on one private LAN, thin lines from the 10th to the 90th percentile. \
                Logarithmic scale, shorter is better.";
    text(&mut svg, 24.0, 56.0, "start", "note", note);
    let mut x = 24.0;
    for (name, colour) in SERIES {
        let _ = writeln!(svg, r#"<rect x="{x}" y="73" width="12" height="12" rx="2" fill="{colour}"/>"#);
        text(&mut svg, x + 18.0, 84.0, "start", "", name);
        x += 44.0 + 7.4 * f64::from(u32::try_from(name.len()).unwrap_or(0));
    }
    svg
}

fn grid(svg: &mut String, bottom: f64) {
    for (value, name) in
        [(1e4, "10 µs"), (1e5, "100 µs"), (1e6, "1 ms"), (1e7, "10 ms"), (1e8, "100 ms"), (1e9, "1 s"), (1e10, "10 s")]
    {
        let x = position(value);
        let _ = writeln!(svg, r##"<line x1="{x:.1}" y1="{TOP}" x2="{x:.1}" y2="{bottom:.1}" stroke="#ddd"/>"##);
        text(svg, x, bottom + 18.0, "middle", "tick", name);
    }
}

/// A bar as long as the median, a thin line from the 10th to the 90th percentile, and the median as text.
fn bar(svg: &mut String, y: f64, samples: &Samples, colour: &str) {
    let [low, middle, high] = [0.1, 0.5, 0.9].map(|part| position(samples.quantile(part)));
    let (width, centre) = (middle - LEFT, y + BAR / 2.0);
    let _ = writeln!(
        svg,
        r##"<rect x="{LEFT}" y="{y:.1}" width="{width:.1}" height="{BAR}" fill="{colour}"/>
<line x1="{low:.1}" y1="{centre:.1}" x2="{high:.1}" y2="{centre:.1}" stroke="#222" stroke-width="1.5"/>"##
    );
    text(svg, high.max(middle) + 6.0, y + BAR - 1.5, "start", "value", &show(samples.median()));
}

/// The position of a time on the scale.
fn position(nanoseconds: f64) -> f64 {
    let part = (nanoseconds.clamp(FROM, TO) / FROM).log10() / (TO / FROM).log10();
    LEFT + part * (WIDTH - LEFT - RIGHT)
}

fn text(svg: &mut String, x: f64, y: f64, anchor: &str, class: &str, words: &str) {
    let _ = writeln!(svg, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" class="{class}">{words}</text>"#);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_measured_cell_has_a_bar() {
        let of = |value: f64| Samples::of_values([value]);
        let chart = draw(&[("a host".into(), [of(1e6), of(2e8), Samples::default(), of(3e5)])]);
        assert_eq!(chart.matches(r#"class="value""#).count(), 3);
        assert!(["1.00 ms", "200 ms", "300 µs", "a host"].iter().all(|words| chart.contains(words)), "{chart}");
    }

    #[test]
    fn the_scale_is_logarithmic() {
        let step = position(1e6) - position(1e5);
        assert!((position(1e10) - position(1e9) - step).abs() < 1e-9);
    }
}
