//! Line plots as inline SVG. Colours are CSS variables, so that a page has a light and a
//! dark form; nothing is loaded from anywhere.

use maud::{Markup, html};

/// Inner size of a plot, in SVG's units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 190.0;
/// Room for the scale's numbers.
const LEFT: f64 = 90.0;
const BOTTOM: f64 = 22.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 8.0;

/// One line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) name: String,
    /// Values by second; a hole where nothing was measured.
    pub(crate) values: Vec<Option<f64>>,
}

impl Line {
    pub(crate) fn new(name: &str, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        Line { name: name.into(), values: values.into_iter().collect() }
    }
}

/// A threshold of the scenario.
#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pub(crate) text: String,
    pub(crate) value: f64,
}

/// A phase of the scenario.
#[derive(Debug, Clone)]
pub(crate) struct Band {
    pub(crate) name: &'static str,
    pub(crate) from_secs: f64,
    pub(crate) to_secs: f64,
}

/// Seconds at which the plots are annotated.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timeline {
    pub(crate) bands: Vec<Band>,
    /// Faults of the scenario.
    pub(crate) faults_secs: Vec<f64>,
}

/// Lines over the seconds of a run.
#[derive(Debug, Clone)]
pub(crate) struct Plot {
    pub(crate) title: &'static str,
    show: fn(f64) -> String,
    lines: Vec<Line>,
    limits: Vec<Limit>,
    timeline: Timeline,
}

/// A limit is drawn when it is at most so many times the largest value: beyond, it would press
/// the lines to the bottom, and the caption names it instead.
const LIMIT_TIMES_MAX: f64 = 3.0;
/// Narrowest band that has room for its name, in SVG's units.
const NAMED_BAND_MIN: f64 = 48.0;

/// How much of both axes is shown: two plots of the same extent can be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Extent {
    largest: f64,
    seconds: usize,
}

impl Extent {
    /// Room for both.
    pub(crate) fn and(self, other: Extent) -> Extent {
        Extent { largest: self.largest.max(other.largest), seconds: self.seconds.max(other.seconds) }
    }
}

impl Plot {
    /// A plot of what was measured of these lines; nothing when nothing was.
    pub(crate) fn new(title: &'static str, show: fn(f64) -> String, lines: Vec<Line>) -> Option<Plot> {
        let measured = |line: &Line| line.values.iter().any(Option::is_some);
        let lines: Vec<_> = lines.into_iter().filter(measured).collect();
        let (limits, timeline) = (Vec::new(), Timeline::default());
        (!lines.is_empty()).then_some(Plot { title, show, lines, limits, timeline })
    }

    /// The same with the scenario's thresholds, phases and faults.
    pub(crate) fn annotated(self, limits: Vec<Limit>, timeline: Timeline) -> Plot {
        Plot { limits, timeline, ..self }
    }

    fn largest(&self) -> f64 {
        let values = self.lines.iter().flat_map(|line| line.values.iter().flatten());
        values.copied().fold(0.0, f64::max)
    }

    fn is_drawn(&self, limit: &Limit) -> bool {
        limit.value <= self.largest() * LIMIT_TIMES_MAX
    }

    /// What it needs by itself.
    pub(crate) fn extent(&self) -> Extent {
        let limits = self.limits.iter().filter(|limit| self.is_drawn(limit)).map(|limit| limit.value);
        let seconds = self.lines.iter().map(|line| line.values.len()).max().unwrap_or_default();
        Extent { largest: limits.fold(self.largest(), f64::max), seconds: seconds.max(2) }
    }

    /// As SVG, with a caption that is also the key.
    pub(crate) fn draw(&self, extent: Extent) -> Markup {
        let (seconds, step) = (extent.seconds, step(extent.largest));
        let top = (extent.largest / step).ceil().max(1.0) * step;
        let x = |second: f64| LEFT + second / (seconds - 1) as f64 * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| TOP + (1.0 - value / top) * (HEIGHT - TOP - BOTTOM);
        let scale = (0..=(top / step).round() as u32).map(|n| f64::from(n) * step);
        html! {
            figure.plot {
                figcaption {
                    strong { (self.title) }
                    @for (n, line) in self.lines.iter().enumerate() {
                        span.key { i.{ "k" (n) } {} (line.name) " " output {} }
                    }
                    @for limit in &self.limits {
                        span.key {
                            i.limit-key {} (limit.text)
                            @if !self.is_drawn(limit) { " (above this scale)" }
                        }
                    }
                }
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(self.title)
                    data-left=(LEFT) data-right=(WIDTH - RIGHT) data-seconds=(seconds) {
                    (self.bands(seconds, x))
                    @for value in scale {
                        line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(px(y(value))) y2=(px(y(value))) {}
                        text.scale x=(LEFT - 6.0) y=(px(y(value) + 4.0)) text-anchor="end" {
                            @if value == 0.0 { "0" } @else { ((self.show)(value)) }
                        }
                    }
                    @for second in (0..seconds).step_by(time_step(seconds)) {
                        text.scale x=(px(x(second as f64))) y=(HEIGHT - 4.0) text-anchor="middle" {
                            (second) @if second == 0 { " s" }
                        }
                    }
                    @for limit in self.limits.iter().filter(|limit| self.is_drawn(limit)) {
                        line.limit x1=(LEFT) x2=(WIDTH - RIGHT) y1=(px(y(limit.value))) y2=(px(y(limit.value))) {
                            title { (limit.text) }
                        }
                    }
                    @for at in self.timeline.faults_secs.iter().filter(|at| **at <= (seconds - 1) as f64) {
                        line.fault x1=(px(x(*at))) x2=(px(x(*at))) y1=(TOP) y2=(HEIGHT - BOTTOM) {
                            title { "fault at " (at) " s" }
                        }
                    }
                    // The first line is the most important one: it is drawn over the others.
                    @for (n, line) in self.lines.iter().enumerate().rev() {
                        path.{ "line l" (n) } d=(path(&line.values, is_sparse(&line.values), x, y))
                            data-values=(values(line, self.show)) {}
                    }
                    line.cursor y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                }
            }
        }
    }
}

impl Plot {
    /// The phases as bands, every other one shaded, with their names above where there is room.
    fn bands(&self, seconds: usize, x: impl Fn(f64) -> f64) -> Markup {
        let last = (seconds - 1) as f64;
        html! {
            @for (n, band) in self.timeline.bands.iter().enumerate().filter(|(_, band)| band.from_secs < last) {
                @let (from, to) = (x(band.from_secs), x(band.to_secs.min(last)));
                @if n % 2 == 1 {
                    rect.band x=(px(from)) y=(TOP) width=(px(to - from)) height=(HEIGHT - TOP - BOTTOM) {}
                }
                @if to - from >= NAMED_BAND_MIN {
                    text.phase x=(px(f64::midpoint(from, to))) y=(TOP - 6.0) text-anchor="middle" { (band.name) }
                }
            }
        }
    }
}

/// Whether fewer than half of the seconds were measured: the line then joins the points.
fn is_sparse(values: &[Option<f64>]) -> bool {
    values.iter().flatten().count() * 2 < values.len()
}

/// Two digits are more than a screen shows.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn path(values: &[Option<f64>], joins_holes: bool, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) -> String {
    let mut path = String::new();
    let mut pen_down = false;
    for (second, value) in values.iter().enumerate() {
        if let Some(value) = value {
            let command = if pen_down { 'L' } else { 'M' };
            path.push_str(&format!("{command}{} {}", px(x(second as f64)), px(y(*value))));
            if !pen_down {
                // A point without a neighbour is a dot.
                path.push_str("h0");
            }
        }
        pen_down = value.is_some() || pen_down && joins_holes;
    }
    path
}

/// What a pointer over the plot reads.
fn values(line: &Line, show: fn(f64) -> String) -> String {
    let shown = line.values.iter().map(|value| value.map_or_else(|| "-".into(), show));
    shown.collect::<Vec<_>>().join("|")
}

/// A round distance of grid lines: about four of them.
fn step(largest: f64) -> f64 {
    if largest <= 0.0 {
        return 1.0;
    }
    let rough = largest / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough);
    factor.unwrap_or(10.0) * power
}

fn time_step(seconds: usize) -> usize {
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1_800, 3_600]
        .into_iter()
        .find(|step| seconds / step <= 12)
        .unwrap_or(7_200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_break_the_line() {
        let values = [Some(1.0), Some(2.0), None, Some(3.0)];
        assert_eq!(path(&values, false, |x| x, |y| y), "M0.0 1.0h0L1.0 2.0M3.0 3.0h0");
    }

    #[test]
    fn sparse_points_are_joined() {
        let values = [Some(1.0), None, None, Some(3.0), None];
        assert!(is_sparse(&values));
        assert_eq!(path(&values, true, |x| x, |y| y), "M0.0 1.0h0L3.0 3.0");
    }

    #[test]
    fn limits_near_the_lines_are_drawn_and_far_ones_are_named() {
        let plot = Plot::new("t", |value| value.to_string(), vec![Line::new("a", [Some(10.0), Some(20.0)])])
            .unwrap();
        let limit = |value: f64| Limit { text: format!("p99 < {value}"), value };
        let plot = plot.annotated(vec![limit(40.0), limit(1_000.0)], Timeline::default());
        assert_eq!(plot.extent().largest, 40.0);
        let drawn = plot.draw(plot.extent()).into_string();
        assert_eq!(drawn.matches("class=\"limit\"").count(), 1, "{drawn}");
        assert!(drawn.contains("p99 &lt; 1000 (above this scale)"), "{drawn}");
    }

    #[test]
    fn phases_are_bands_and_faults_are_lines() {
        let values = (0..11).map(|n| Some(f64::from(n)));
        let plot = Plot::new("t", |value| value.to_string(), vec![Line::new("a", values)]).unwrap();
        let band = |name, from_secs, to_secs| Band { name, from_secs, to_secs };
        let bands = vec![band("ramp", 0.0, 4.0), band("hold", 4.0, 8.0), band("leave", 30.0, 40.0)];
        let plot = plot.annotated(Vec::new(), Timeline { bands, faults_secs: vec![5.0, 50.0] });
        let drawn = plot.draw(plot.extent()).into_string();
        assert_eq!(drawn.matches("class=\"band\"").count(), 1, "{drawn}");
        assert_eq!(drawn.matches("class=\"fault\"").count(), 1, "{drawn}");
        assert!(drawn.contains("hold") && !drawn.contains("leave"), "{drawn}");
    }

    #[test]
    fn steps_are_round_and_few() {
        for (largest, wanted) in [(1.0, 0.25), (7.0, 2.0), (100.0, 25.0), (1_900.0, 500.0), (0.0, 1.0)] {
            assert_eq!(step(largest), wanted, "{largest}");
        }
        assert!(Plot::new("nothing", |_| String::new(), vec![Line::new("a", [None, None])]).is_none());
    }
}
