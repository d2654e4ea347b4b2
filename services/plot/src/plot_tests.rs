use super::*;

fn plot(lines: Vec<Line>) -> Plot {
    Plot::new("title", XAxis::Seconds, |value| value.to_string(), lines).unwrap()
}

fn drawn(plot: &Plot) -> String {
    plot.draw(plot.extent()).into_string()
}

/// A scale on which x and y are SVG units, apart from y's direction.
fn unit_path(values: &[Option<f64>]) -> String {
    let scale = Scale { end: WIDTH - LEFT - RIGHT, step: 1.0, top: HEIGHT - TOP - BOTTOM };
    let points: Vec<_> = values.iter().enumerate().map(|(x, value)| (x as f64, *value)).collect();
    path(&points, &scale)
}

#[test]
fn holes_break_a_line() {
    let path = unit_path(&[Some(0.0), Some(1.0), None, Some(2.0)]);
    assert_eq!(path, "M90.0 168.0h0L91.0 167.0M93.0 166.0h0");
}

#[test]
fn sparse_points_are_joined_over_holes() {
    let path = unit_path(&[Some(0.0), None, None, Some(2.0), None]);
    assert_eq!(path, "M90.0 168.0h0L93.0 166.0");
}

#[test]
fn limits_near_the_lines_are_drawn_and_far_ones_named() {
    let limit = |value: f64| Limit { text: format!("p99 < {value}"), value };
    let plot = plot(vec![Line::by_second("a", [Some(10.0), Some(20.0)])]);
    let plot = plot.limits(vec![limit(40.0), limit(1_000.0)]);
    assert_eq!(plot.extent().largest(), 40.0);
    let drawn = drawn(&plot);
    assert_eq!(drawn.matches("class=\"limit\"").count(), 1, "{drawn}");
    assert!(drawn.contains("p99 &lt; 1000 (above this scale)"), "{drawn}");
}

#[test]
fn bands_and_marks_beyond_the_end_are_dropped() {
    let plot = plot(vec![Line::by_second("a", (0..11).map(|n| Some(f64::from(n))))]);
    let band = |name, from, to| Band { name, from, to };
    let mark = |at: f64| Mark { at, text: format!("fault at {at} s") };
    let plot = plot
        .bands(vec![band("ramp", 0.0, 4.0), band("hold", 4.0, 8.0), band("leave", 30.0, 40.0)])
        .marks(vec![mark(5.0), mark(50.0)]);
    let drawn = drawn(&plot);
    assert_eq!(drawn.matches("class=\"band\"").count(), 1, "{drawn}");
    assert_eq!(drawn.matches("class=\"mark\"").count(), 1, "{drawn}");
    assert!(drawn.contains("hold") && !drawn.contains("leave"), "{drawn}");
}

#[test]
fn plot_without_a_value_is_none() {
    let lines = vec![Line::by_second("a", [None, None])];
    assert!(Plot::new("nothing", XAxis::Seconds, |_| String::new(), lines).is_none());
}

#[test]
fn names_cannot_become_markup() {
    let drawn = drawn(&plot(vec![Line::by_second("<script>", [Some(1.0)])]));
    assert!(drawn.contains("&lt;script&gt;") && !drawn.contains("<script>"), "{drawn}");
}

#[test]
fn dots_are_circles_and_dashes_are_in_the_key() {
    let dots = Line::new("tried", [(3.0, Some(5.0)), (4.0, None)]).shape(Shape::Dots);
    let line = Line::by_second("forecast", [Some(1.0), Some(2.0)]).color("#0a7d4f").dash(Dash::Dotted);
    let drawn = drawn(&plot(vec![line, dots]));
    assert_eq!(drawn.matches("<circle").count(), 1, "{drawn}");
    assert!(drawn.contains("stroke-dasharray=\"2 3\""), "{drawn}");
    assert!(drawn.contains("gradient(90deg, #0a7d4f 0 2px, transparent 2px 5px)"), "{drawn}");
}
