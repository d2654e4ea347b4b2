//! Where a run goes besides its report: `--out KIND=WHERE`.

mod hdr_log;
mod junit;

use std::path::PathBuf;
use std::str::FromStr;

pub use hdr_log::HdrLog;
pub use junit::{JunitRun, junit};

/// One destination of a run's results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// URL that takes metrics once a second by Prometheus' remote write.
    Prometheus(String),
    /// File of an HdrHistogram log: the latencies of each second, with a tag for their kind.
    Hdr(PathBuf),
    /// File of a JUnit report: each threshold is a test.
    Junit(PathBuf),
}

impl FromStr for Out {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, place) = text.split_once('=').unwrap_or((text, ""));
        if place.is_empty() {
            return Err("write prometheus=URL, hdr=FILE or junit=FILE".into());
        }
        match kind {
            "prometheus" => Ok(Out::Prometheus(place.into())),
            "hdr" => Ok(Out::Hdr(place.into())),
            "junit" => Ok(Out::Junit(place.into())),
            _ => Err(format!("`{kind}` is none of prometheus, hdr and junit")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn destinations_are_read_and_others_refused_with_the_choices() {
        let url = "http://127.0.0.1:9090/api/v1/write?a=b";
        assert_eq!(format!("prometheus={url}").parse(), Ok(Out::Prometheus(url.into())));
        assert_eq!("hdr=run.hlog".parse(), Ok(Out::Hdr("run.hlog".into())));
        assert_eq!("junit=run.xml".parse(), Ok(Out::Junit("run.xml".into())));
        assert!("influxdb=x".parse::<Out>().unwrap_err().contains("prometheus, hdr and junit"));
        assert!("hdr=".parse::<Out>().unwrap_err().contains("hdr=FILE"));
    }
}
