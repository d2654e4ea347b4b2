//! A plot: lines over one x axis, with limits, bands and marks.

use maud::{Markup, html};

use crate::axis::{XAxis, step};
use crate::dash::Dash;

/// Size of a plot, in SVG units.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 190.0;
/// Margins of the plotted area; the left one holds the numbers of the y axis.
const LEFT: f64 = 90.0;
const BOTTOM: f64 = 22.0;
const TOP: f64 = 24.0;
const RIGHT: f64 = 8.0;
/// A limit is drawn up to this multiple of the largest value. Beyond it, the limit would press
/// the lines to the bottom, so the caption names it instead.
const LIMIT_TIMES_MAX: f64 = 3.0;
/// Width from which a band has room for its name, in SVG units.
const NAMED_BAND_MIN: f64 = 48.0;

/// How the points of a line are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// Joined, in order of x; holes interrupt the line unless most points are holes.
    #[default]
    Line,
    /// Each point as a dot, without a line between them.
    Dots,
}

/// One line of a plot: its name, points and appearance.
#[derive(Debug, Clone)]
pub struct Line {
    name: String,
    points: Vec<(f64, Option<f64>)>,
    color: Option<&'static str>,
    dash: Dash,
    shape: Shape,
}

impl Line {
    /// A line through points `(x, y)`, in order of x. A point without a y is a hole.
    #[must_use]
    pub fn new(name: &str, points: impl IntoIterator<Item = (f64, Option<f64>)>) -> Self {
        let points = points.into_iter().collect();
        Line { name: name.into(), points, color: None, dash: Dash::Solid, shape: Shape::Line }
    }

    /// A line with one value a second, from second 0 on.
    #[must_use]
    pub fn by_second(name: &str, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        Line::new(name, values.into_iter().enumerate().map(|(second, value)| (second as f64, value)))
    }

    /// Sets a CSS colour. The default is the page's colour for the line's place in its plot; a
    /// page has five.
    #[must_use]
    pub fn color(self, color: &'static str) -> Self {
        Line { color: Some(color), ..self }
    }

    /// Sets the dashes of the line; the default is solid.
    #[must_use]
    pub fn dash(self, dash: Dash) -> Self {
        Line { dash, ..self }
    }

    /// Sets how the points are drawn; the default joins them.
    #[must_use]
    pub fn shape(self, shape: Shape) -> Self {
        Line { shape, ..self }
    }

    fn values(&self) -> impl Iterator<Item = f64> {
        self.points.iter().filter_map(|(_, value)| *value)
    }

    fn color_at(&self, place: usize) -> String {
        self.color.map_or_else(|| format!("var(--c{place})"), ToOwned::to_owned)
    }
}

/// A horizontal limit, for example a threshold.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Text that names the limit in the plot's caption.
    pub text: String,
    /// Value on the y axis; one far above the lines is named in the caption alone.
    pub value: f64,
}

/// A named stretch of the x axis, for example a phase.
#[derive(Debug, Clone)]
pub struct Band {
    /// Name above the band, left out where the band is too narrow.
    pub name: &'static str,
    /// Begin on the x axis, in the unit of that axis.
    pub from: f64,
    /// End on the x axis; the plot cuts the band at its own end.
    pub to: f64,
}

/// A vertical mark for something that happened.
#[derive(Debug, Clone)]
pub struct Mark {
    /// Place on the x axis; a mark beyond the plot's extent is not drawn.
    pub at: f64,
    /// Text that a pointer over the mark shows.
    pub text: String,
}

/// Ranges of both axes. Two plots with one extent can be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    y: f64,
    x: f64,
}

impl Extent {
    /// Returns the smallest extent that contains both.
    #[must_use]
    pub fn and(self, other: Extent) -> Extent {
        Extent { y: self.y.max(other.y), x: self.x.max(other.x) }
    }

    /// Largest value on the y axis, of the lines and of the limits that are drawn.
    #[must_use]
    pub fn largest(self) -> f64 {
        self.y
    }
}

/// Lines over one x axis. Both axes begin at 0.
#[derive(Debug, Clone)]
pub struct Plot {
    title: String,
    axis: XAxis,
    show: fn(f64) -> String,
    lines: Vec<Line>,
    limits: Vec<Limit>,
    bands: Vec<Band>,
    marks: Vec<Mark>,
}

impl Plot {
    /// A plot of the lines that have a value, the most important line first; `None` when no line
    /// has one. `show` formats values of the y axis.
    #[must_use]
    pub fn new(title: &str, axis: XAxis, show: fn(f64) -> String, lines: Vec<Line>) -> Option<Plot> {
        let lines: Vec<Line> = lines.into_iter().filter(|line| line.values().next().is_some()).collect();
        let (limits, bands, marks) = (Vec::new(), Vec::new(), Vec::new());
        (!lines.is_empty()).then(|| Plot { title: title.into(), axis, show, lines, limits, bands, marks })
    }

    /// Sets the horizontal lines for limits, in place of earlier ones.
    #[must_use]
    pub fn limits(self, limits: Vec<Limit>) -> Plot {
        Plot { limits, ..self }
    }

    /// Sets the bands, in order of x; every second one is shaded.
    #[must_use]
    pub fn bands(self, bands: Vec<Band>) -> Plot {
        Plot { bands, ..self }
    }

    /// Sets the marks at points in time, in place of earlier ones.
    #[must_use]
    pub fn marks(self, marks: Vec<Mark>) -> Plot {
        Plot { marks, ..self }
    }

    /// The title, which identifies a plot on its page.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    fn largest(&self) -> f64 {
        self.lines.iter().flat_map(Line::values).fold(0.0, f64::max)
    }

    fn is_drawn(&self, limit: &Limit) -> bool {
        limit.value <= self.largest() * LIMIT_TIMES_MAX
    }

    /// Returns the extent that this plot needs by itself.
    #[must_use]
    pub fn extent(&self) -> Extent {
        let limits = self.limits.iter().filter(|limit| self.is_drawn(limit)).map(|limit| limit.value);
        let x = self.lines.iter().flat_map(|line| &line.points).map(|(x, _)| *x).fold(0.0, f64::max);
        Extent { y: limits.fold(self.largest(), f64::max), x: if x > 0.0 { x } else { 1.0 } }
    }

    /// Draws the plot as a figure. Its caption is also the key of the lines.
    #[must_use]
    pub fn draw(&self, extent: Extent) -> Markup {
        let scale = Scale::new(extent);
        let values = (0..=(scale.top / scale.step).round() as u32).map(|n| f64::from(n) * scale.step);
        html! {
            figure.plot {
                (self.caption())
                svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label=(self.title)
                    data-left=(LEFT) data-right=(WIDTH - RIGHT) data-end=(extent.x) data-xs=(self.xs()) {
                    (self.draw_bands(&scale))
                    @for value in values {
                        line.grid x1=(LEFT) x2=(WIDTH - RIGHT) y1=(px(scale.y(value))) y2=(px(scale.y(value))) {}
                        text.scale x=(LEFT - 6.0) y=(px(scale.y(value) + 4.0)) text-anchor="end" {
                            @if value == 0.0 { "0" } @else { ((self.show)(value)) }
                        }
                    }
                    @for at in self.axis.ticks(extent.x) {
                        text.scale x=(px(scale.x(at))) y=(HEIGHT - 4.0) text-anchor="middle" {
                            (at) @if at == 0.0 { " " (self.axis.unit()) }
                        }
                    }
                    @for limit in self.limits.iter().filter(|limit| self.is_drawn(limit)) {
                        @let y = px(scale.y(limit.value));
                        line.limit x1=(LEFT) x2=(WIDTH - RIGHT) y1=(y) y2=(y) { title { (limit.text) } }
                    }
                    @for mark in self.marks.iter().filter(|mark| mark.at <= extent.x) {
                        @let x = px(scale.x(mark.at));
                        line.mark x1=(x) x2=(x) y1=(TOP) y2=(HEIGHT - BOTTOM) { title { (mark.text) } }
                    }
                    // The first line is the most important one: it is drawn over the others.
                    @for (place, line) in self.lines.iter().enumerate().rev() {
                        (self.draw_line(place, line, &scale))
                    }
                    line.cursor y1=(TOP) y2=(HEIGHT - BOTTOM) {}
                }
            }
        }
    }

    fn caption(&self) -> Markup {
        html! {
            figcaption {
                strong { (self.title) }
                @for (place, line) in self.lines.iter().enumerate() {
                    span.key {
                        i style={ "background:" (line.dash.swatch(&line.color_at(place))) } {}
                        (line.name) " " output {}
                    }
                }
                @for limit in &self.limits {
                    span.key {
                        i.limit-key {} (limit.text)
                        @if !self.is_drawn(limit) { " (above this scale)" }
                    }
                }
            }
        }
    }

    /// Draws the bands, every second one shaded, with a name above each that has room for one.
    fn draw_bands(&self, scale: &Scale) -> Markup {
        html! {
            @for (n, band) in self.bands.iter().enumerate().filter(|(_, band)| band.from < scale.end) {
                @let (from, to) = (scale.x(band.from), scale.x(band.to.min(scale.end)));
                @if n % 2 == 1 {
                    rect.band x=(px(from)) y=(TOP) width=(px(to - from)) height=(HEIGHT - TOP - BOTTOM) {}
                }
                @if to - from >= NAMED_BAND_MIN {
                    text.phase x=(px(f64::midpoint(from, to))) y=(TOP - 6.0) text-anchor="middle" { (band.name) }
                }
            }
        }
    }

    fn draw_line(&self, place: usize, line: &Line, scale: &Scale) -> Markup {
        let color = line.color_at(place);
        html! {
            @match line.shape {
                Shape::Dots => {
                    @for (x, value) in &line.points {
                        @if let Some(value) = value {
                            circle cx=(px(scale.x(*x))) cy=(px(scale.y(*value))) r="3.5" style={ "fill:" (color) } {}
                        }
                    }
                }
                Shape::Line => {
                    path.line d=(path(&line.points, scale)) style={ "stroke:" (color) }
                        stroke-dasharray=(line.dash.array()) data-values=(self.values(line)) {}
                }
            }
        }
    }

    /// Places on the x axis of the first line's points, for the script; empty for dots.
    fn xs(&self) -> String {
        let Some(line) = self.lines.iter().find(|line| line.shape == Shape::Line) else {
            return String::new();
        };
        line.points.iter().map(|(x, _)| trim(&format!("{x:.2}"))).collect::<Vec<_>>().join("|")
    }

    /// Values of a line as texts, for the script.
    fn values(&self, line: &Line) -> String {
        let shown = line.points.iter().map(|(_, value)| value.map_or_else(|| "-".into(), self.show));
        shown.collect::<Vec<_>>().join("|")
    }
}

struct Scale {
    end: f64,
    step: f64,
    top: f64,
}

impl Scale {
    fn new(extent: Extent) -> Scale {
        let step = step(extent.y);
        Scale { end: extent.x, step, top: (extent.y / step).ceil().max(1.0) * step }
    }

    fn x(&self, value: f64) -> f64 {
        LEFT + value / self.end * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (1.0 - value / self.top) * (HEIGHT - TOP - BOTTOM)
    }
}

/// One digit after the point: a screen shows no more.
fn px(value: f64) -> String {
    format!("{value:.1}")
}

fn trim(number: &str) -> String {
    number.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Whether fewer than half of the points have a value. Such a line is drawn over its holes.
fn is_sparse(points: &[(f64, Option<f64>)]) -> bool {
    points.iter().filter(|(_, value)| value.is_some()).count() * 2 < points.len()
}

fn path(points: &[(f64, Option<f64>)], scale: &Scale) -> String {
    let joins_holes = is_sparse(points);
    let mut path = String::new();
    let mut pen_is_down = false;
    for (x, value) in points {
        if let Some(value) = value {
            let command = if pen_is_down { 'L' } else { 'M' };
            path.push_str(&format!("{command}{} {}", px(scale.x(*x)), px(scale.y(*value))));
            if !pen_is_down {
                // A point without a neighbour is drawn as a dot.
                path.push_str("h0");
            }
        }
        pen_is_down = value.is_some() || pen_is_down && joins_holes;
    }
    path
}

#[cfg(test)]
#[path = "plot_tests.rs"]
mod tests;
