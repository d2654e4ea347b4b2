/// Format of an answer to a scrape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format, version 0.0.4: for people, and for every scraper.
    Text,
    /// OpenMetrics 1.0: the text format with units and exemplars.
    OpenMetrics,
}

impl Format {
    /// Chooses the format by the header `Accept` of a scrape. OpenMetrics is chosen where the scraper
    /// names it and prefers no plain text.
    #[must_use]
    pub fn of(accept: &str) -> Format {
        let quality_of = |wanted: &str| {
            let items = accept.split(',').filter_map(|item| {
                let mut parts = item.split(';').map(str::trim);
                let kind = parts.next()?;
                kind.eq_ignore_ascii_case(wanted).then(|| quality(parts))
            });
            items.fold(0.0, f64::max)
        };
        let open_metrics = quality_of("application/openmetrics-text");
        if open_metrics > 0.0 && open_metrics >= quality_of("text/plain") {
            Format::OpenMetrics
        } else {
            Format::Text
        }
    }

    /// Returns the value of the header `Content-Type`.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Format::Text => "text/plain; version=0.0.4; charset=utf-8",
            Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// Returns the preference `q` among the parameters of a media type; 1 without one.
fn quality<'a>(mut parameters: impl Iterator<Item = &'a str>) -> f64 {
    parameters.find_map(|it| it.strip_prefix("q=")).map_or(1.0, |q| q.parse().unwrap_or(0.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prometheus_gets_open_metrics_and_other_clients_get_text() {
        let prometheus = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;\
                          version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        assert_eq!(Format::of(prometheus), Format::OpenMetrics);
        for other in ["", "*/*", "text/plain", "text/html, application/xhtml+xml, */*;q=0.8"] {
            assert_eq!(Format::of(other), Format::Text, "{other}");
        }
    }

    #[test]
    fn a_client_that_prefers_text_or_refuses_open_metrics_gets_text() {
        for accept in ["application/openmetrics-text;q=0.1, text/plain", "application/openmetrics-text;q=0"] {
            assert_eq!(Format::of(accept), Format::Text, "{accept}");
        }
    }
}
