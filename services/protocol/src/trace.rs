//! Trace context of sampled messages, in the form of W3C Trace Context.
//!
//! A message that is not sampled has no context, and costs nothing. The context names the trace and
//! the span that published the message.

use std::borrow::Cow;
use std::fmt;
use std::num::{NonZeroU64, NonZeroU128};
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bits of a span id that decide about sampling. The uplink draws them at random, so that a caller,
/// who chooses the trace id, cannot choose the decision.
const DRAW_BITS: u32 = 56;
const DRAW_MASK: u64 = (1 << DRAW_BITS) - 1;
/// Length of a `traceparent` of version 00.
const TRACEPARENT_LEN: usize = 55;

/// Why a text is no trace id, span id or `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a trace context: lower-case hexadecimal digits as in W3C Trace Context are expected")]
pub struct TraceError;

/// Id of a trace: 16 bytes, not all zero. Its text has 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId(NonZeroU128);

/// Id of a span in its trace: 8 bytes, not all zero. Its text has 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId(NonZeroU64);

impl TraceId {
    /// Makes an id of random bits; zero bits become the id 1.
    #[must_use]
    pub fn of(random: u128) -> Self {
        TraceId(NonZeroU128::new(random).unwrap_or(NonZeroU128::MIN))
    }

    /// Returns the id as a number, as exemplars of metrics take it.
    #[must_use]
    pub const fn number(self) -> u128 {
        self.0.get()
    }

    /// Returns the id as bytes in network order, as OTLP has it.
    #[must_use]
    pub const fn bytes(self) -> [u8; 16] {
        self.0.get().to_be_bytes()
    }
}

impl SpanId {
    /// Makes an id of random bits; zero bits become the id 1.
    #[must_use]
    pub fn of(random: u64) -> Self {
        SpanId(NonZeroU64::new(random).unwrap_or(NonZeroU64::MIN))
    }

    /// Makes an id whose draw is below every share except 0: all parts sample the message.
    #[must_use]
    pub fn certain(random: u64) -> Self {
        // A span id is unique within its trace alone, where 8 random bits suffice.
        SpanId::of(random & !DRAW_MASK | 1)
    }

    /// Returns the id as bytes in network order, as OTLP has it.
    #[must_use]
    pub const fn bytes(self) -> [u8; 8] {
        self.0.get().to_be_bytes()
    }

    /// Whether the id is within this share of all ids. Every part that asks gets the same answer, and
    /// an id within a share is within each larger share.
    #[must_use]
    pub fn is_within(self, share: f64) -> bool {
        let draw = self.0.get() & DRAW_MASK;
        // Below 2^56 the conversion loses three bits at most.
        share >= 1.0 || (draw as f64) < share * (DRAW_MASK as f64)
    }
}

macro_rules! hexadecimal {
    ($name:ident, $number:ty, $nonzero:ty, $digits:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!("{:0", $digits, "x}"), self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = TraceError;
            fn from_str(text: &str) -> Result<Self, TraceError> {
                let number = hex(text, $digits).and_then(|text| <$number>::from_str_radix(text, 16).ok());
                number.and_then(<$nonzero>::new).map($name).ok_or(TraceError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": concat!("^[0-9a-f]{", $digits, "}$") })
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hexadecimal!(TraceId, u128, NonZeroU128, 32);
hexadecimal!(SpanId, u64, NonZeroU64, 16);

/// Returns the text if it has this many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<&str> {
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    (text.len() == digits && text.bytes().all(is_digit)).then_some(text)
}

/// Place in a trace that other spans refer to: the trace and one span of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    /// Trace that the span belongs to.
    pub trace: TraceId,
    /// The span; of a message, the one that published it.
    pub span: SpanId,
}

impl TraceContext {
    /// Returns the `traceparent` of a sampled request or message.
    #[must_use]
    pub fn traceparent(&self) -> String {
        format!("00-{}-{}-01", self.trace, self.span)
    }
}

/// A `traceparent` header that a caller sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Traceparent {
    /// Trace and span of the caller.
    pub context: TraceContext,
    /// Whether the caller records its own span.
    pub is_sampled: bool,
}

impl FromStr for Traceparent {
    type Err = TraceError;

    /// Parses a header. As the specification asks, a newer version may have more fields behind the
    /// flags.
    fn from_str(text: &str) -> Result<Self, TraceError> {
        let mut parts = text.splitn(5, '-');
        let mut part = || parts.next().ok_or(TraceError);
        let (version, trace, span, flags) = (part()?, part()?, part()?, part()?);
        let version = hex(version, 2).filter(|version| *version != "ff").ok_or(TraceError)?;
        let flags = hex(flags, 2).and_then(|flags| u8::from_str_radix(flags, 16).ok()).ok_or(TraceError)?;
        if version == "00" && text.len() != TRACEPARENT_LEN {
            return Err(TraceError);
        }
        let context = TraceContext { trace: trace.parse()?, span: span.parse()? };
        Ok(Traceparent { context, is_sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn traceparent_is_written_as_it_was_read() {
        let read: Traceparent = EXAMPLE.parse().unwrap();
        assert!(read.is_sampled);
        assert_eq!(read.context.traceparent(), EXAMPLE);
        assert_eq!(
            serde_json::to_string(&read.context.trace).unwrap(),
            r#""4bf92f3577b34da6a3ce929d0e0e4736""#
        );
        let trace: TraceId = serde_json::from_str(r#""4bf92f3577b34da6a3ce929d0e0e4736""#).unwrap();
        assert_eq!(trace, read.context.trace);
    }

    #[test]
    fn malformed_traceparents_are_refused() {
        for text in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-+1",
            "00-4bf92f3577b34da6a3ce929d0e0e473-000f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert_eq!(text.parse::<Traceparent>(), Err(TraceError), "{text}");
        }
        let newer = "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more".parse::<Traceparent>();
        assert!(!newer.unwrap().is_sampled);
    }

    #[test]
    fn an_id_within_a_share_is_within_each_larger_share() {
        let ids = (0..10_000_u64).map(|n| SpanId::of(n.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        let mut within = [0; 2];
        for id in ids {
            assert!(id.is_within(1.0) && !id.is_within(0.0));
            assert!(!id.is_within(0.01) || id.is_within(0.5));
            within[0] += usize::from(id.is_within(0.01));
            within[1] += usize::from(id.is_within(0.5));
        }
        assert!((70..130).contains(&within[0]) && (4_800..5_200).contains(&within[1]), "{within:?}");
        assert!(SpanId::certain(u64::MAX).is_within(0.000_001));
        assert!(SpanId::of(u64::MAX).is_within(1.0));
    }
}
