//! A panel: its queries, its unit, and the text that explains it.

use super::Unit;

/// How a panel shows its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The newest value as a large number.
    Stat,
    /// Values over time as lines.
    Series,
    /// Buckets of a histogram over time.
    Heatmap,
}

/// One query of a panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// PromQL, where `@` in a selector stands for the filter by the dashboard's variables.
    pub expr: String,
    /// Legend of each series, with labels as `{{class}}`.
    pub legend: String,
}

/// One panel of a dashboard.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Title, unique within a dashboard.
    pub title: &'static str,
    /// How the panel shows its values.
    pub kind: Kind,
    /// Unit of all values.
    pub unit: Unit,
    /// What a reader does when the values are unusual. The names of the metrics are added.
    pub advice: &'static str,
    /// All queries, in the order of the legend.
    pub queries: Vec<Query>,
    /// Width in columns of 24; `None` is the default of the kind.
    pub width: Option<u32>,
    /// Whether the areas of the lines are stacked.
    pub is_stacked: bool,
    /// Colours of a number: each colour holds from its value on.
    pub colours: &'static [(&'static str, f64)],
    /// Why a healthy system has no series here; `None` where a series is expected.
    pub empty_because: Option<&'static str>,
}

impl Panel {
    fn new(title: &'static str, kind: Kind, unit: Unit, advice: &'static str) -> Panel {
        Panel {
            title,
            kind,
            unit,
            advice,
            queries: Vec::new(),
            width: None,
            is_stacked: false,
            colours: &[],
            empty_because: None,
        }
    }

    /// Adds a query whose series have a legend.
    #[must_use]
    pub fn query(mut self, expr: impl Into<String>, legend: impl Into<String>) -> Panel {
        self.queries.push(Query { expr: expr.into(), legend: legend.into() });
        self
    }

    /// Sets the width in columns of 24.
    #[must_use]
    pub fn wide(mut self, columns: u32) -> Panel {
        self.width = Some(columns);
        self
    }

    /// Stacks the areas of the lines.
    #[must_use]
    pub fn stacked(mut self) -> Panel {
        self.is_stacked = true;
        self
    }

    /// Sets the colours of a number, each from its value on; below the first it is green.
    #[must_use]
    pub fn colours(mut self, colours: &'static [(&'static str, f64)]) -> Panel {
        self.colours = colours;
        self
    }

    /// Says why a healthy system has no series here.
    #[must_use]
    pub fn may_be_empty(mut self, reason: &'static str) -> Panel {
        self.empty_because = Some(reason);
        self
    }

    /// Returns the width and height in units of Grafana's grid.
    #[must_use]
    pub fn size(&self) -> (u32, u32) {
        let (width, height) = match self.kind {
            Kind::Stat => (4, 4),
            Kind::Series | Kind::Heatmap => (12, 8),
        };
        (self.width.unwrap_or(width), height)
    }
}

/// Makes a panel with one large number.
#[must_use]
pub fn stat(title: &'static str, unit: Unit, expr: &str, advice: &'static str) -> Panel {
    Panel::new(title, Kind::Stat, unit, advice).query(expr, "")
}

/// Makes a panel with lines over time.
#[must_use]
pub fn series(title: &'static str, unit: Unit, advice: &'static str) -> Panel {
    Panel::new(title, Kind::Series, unit, advice)
}

/// Makes a heatmap of the buckets of a histogram. `matchers` are of PromQL, such as `class="chat"`.
#[must_use]
pub fn heatmap(title: &'static str, histogram: &str, matchers: &str, advice: &'static str) -> Panel {
    let selector = selector(matchers);
    let expr = format!("sum by (le) (increase({histogram}_bucket{selector}[$__rate_interval]))");
    Panel::new(title, Kind::Heatmap, Unit::Seconds, advice).query(expr, "{{le}}")
}

/// Makes a panel with the median and the 99th percentile of a histogram, by the labels `by`.
#[must_use]
pub fn quantiles(
    title: &'static str,
    histogram: &str,
    matchers: &str,
    by: &str,
    advice: &'static str,
) -> Panel {
    let selector = selector(matchers);
    let labels = if by.is_empty() { "le".to_owned() } else { format!("le, {by}") };
    let suffix = if by.is_empty() { String::new() } else { format!(" {{{{{by}}}}}") };
    let quantile = |quantile: f64| {
        format!(
            "histogram_quantile({quantile}, sum by ({labels}) (rate({histogram}_bucket{selector}[$__rate_interval])))"
        )
    };
    Panel::new(title, Kind::Series, Unit::Seconds, advice)
        .query(quantile(0.99), format!("p99{suffix}"))
        .query(quantile(0.5), format!("p50{suffix}"))
}

fn selector(matchers: &str) -> String {
    if matchers.is_empty() { "{@}".to_owned() } else { format!("{{@,{matchers}}}") }
}
