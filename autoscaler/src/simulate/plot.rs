//! Plots as inline SVG.

use std::fmt::Write as _;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 12.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 38.0;

/// One line of a plot.
#[derive(Debug, Clone)]
pub struct Line {
    /// Its name in the legend.
    pub name: String,
    /// A CSS colour.
    pub color: &'static str,
    /// Points, in order of x.
    pub points: Vec<(f64, f64)>,
    /// `stroke-dasharray`; empty for a solid line.
    pub dash: &'static str,
    /// Draw dots instead of a line.
    pub dots: bool,
}

/// A plot with linear axes from zero.
#[derive(Debug, Clone, Default)]
pub struct Plot {
    /// Above it.
    pub title: String,
    /// Under the x axis.
    pub x_name: &'static str,
    /// Lines, first the lowest.
    pub lines: Vec<Line>,
    /// Thin marks: x and what happened.
    pub marks: Vec<(f64, String)>,
}

impl Plot {
    /// The SVG with its legend.
    #[must_use]
    pub fn svg(&self) -> String {
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let x_max = nice(all().map(|(x, _)| *x).fold(0.0, f64::max));
        let y_max = nice(all().map(|(_, y)| *y).fold(0.0, f64::max));
        let x = |value: f64| LEFT + value / x_max * (WIDTH - LEFT - RIGHT);
        let y = |value: f64| HEIGHT - BOTTOM - value / y_max * (HEIGHT - TOP - BOTTOM);
        let mut svg = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<figure><figcaption>{}{}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">",
            escape(&self.title),
            self.legend()
        );
        for step in 0..=4 {
            let (part_x, part_y) = (x_max * f64::from(step) / 4.0, y_max * f64::from(step) / 4.0);
            let _ = write!(
                svg,
                "<path class=grid d=\"M{LEFT} {y:.1}H{end}\"/><text x={tick} y={base:.1} class=y>{value}</text>\
                 <text x={x:.1} y={under} class=x>{at}</text>",
                y = y(part_y),
                end = WIDTH - RIGHT,
                tick = LEFT - 6.0,
                base = y(part_y) + 4.0,
                value = label(part_y),
                x = x(part_x),
                under = HEIGHT - BOTTOM + 16.0,
                at = label(part_x),
            );
        }
        let _ = write!(svg, "<text x={} y={} class=name>{}</text>", WIDTH - RIGHT, HEIGHT - 6.0, self.x_name);
        for (at, what) in &self.marks {
            let (x, top, end) = (x(*at), TOP, HEIGHT - BOTTOM);
            let what = escape(what);
            let _ = write!(svg, "<path class=mark d=\"M{x:.1} {top}V{end}\"><title>{what}</title></path>");
        }
        for line in &self.lines {
            draw(&mut svg, line, x, y);
        }
        svg.push_str("</svg></figure>");
        svg
    }

    fn legend(&self) -> String {
        let item = |line: &Line| {
            format!(
                "<span class=key><svg class=swatch viewBox=\"0 0 30 6\"><path d=\"M0 3H30\" stroke=\"{}\" \
                 stroke-width=4 stroke-dasharray=\"{}\"/></svg>{}</span>",
                line.color,
                line.dash,
                escape(&line.name)
            )
        };
        // The lines are drawn lowest first; the legend has the order of the tables.
        self.lines.iter().rev().map(item).collect()
    }
}

fn draw(svg: &mut String, line: &Line, x: impl Fn(f64) -> f64, y: impl Fn(f64) -> f64) {
    if line.dots {
        for (at, value) in &line.points {
            let (x, y, color) = (x(*at), y(*value), line.color);
            let _ = write!(svg, "<circle cx={x:.1} cy={y:.1} r=3.5 fill=\"{color}\"/>");
        }
        return;
    }
    let points: Vec<String> =
        line.points.iter().map(|(at, value)| format!("{:.1},{:.1}", x(*at), y(*value))).collect();
    let _ = write!(
        svg,
        "<polyline points=\"{}\" stroke=\"{}\" stroke-dasharray=\"{}\"><title>{}</title></polyline>",
        points.join(" "),
        line.color,
        line.dash,
        escape(&line.name)
    );
}

/// The next number above that divides well into four.
fn nice(most: f64) -> f64 {
    if most <= 0.0 || !most.is_finite() {
        return 1.0;
    }
    let scale = 10_f64.powf(most.log10().floor());
    let steps = [1.0, 1.2, 1.6, 2.0, 2.4, 3.2, 4.0, 6.0, 8.0, 10.0];
    steps.into_iter().map(|step| step * scale).find(|step| *step >= most).unwrap_or(most)
}

fn label(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{} M", trim(value / 1e6)),
        _ if value >= 1e3 => format!("{} k", trim(value / 1e3)),
        _ => trim(value),
    }
}

fn trim(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Text that is safe inside HTML.
#[must_use]
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_reach_above_the_greatest_value() {
        for (most, expected) in
            [(0.0, 1.0), (0.97, 1.0), (1.0, 1.0), (61.0, 80.0), (2_010_000.0, 2_400_000.0)]
        {
            assert!((nice(most) - expected).abs() < expected * 1e-9, "{most} gives {}", nice(most));
        }
        assert_eq!([0.0, 0.25, 950.0, 1_500.0, 2.4e6].map(label), ["0", "0.25", "950", "1.5 k", "2.4 M"]);
    }

    #[test]
    fn names_cannot_become_markup() {
        let line =
            Line { name: "<script>".into(), color: "red", points: vec![(0.0, 1.0)], dash: "", dots: false };
        let svg = Plot { title: "a & b".into(), lines: vec![line], ..Plot::default() }.svg();
        assert!(svg.contains("&lt;script&gt;") && svg.contains("a &amp; b") && !svg.contains("<script>"));
    }
}
