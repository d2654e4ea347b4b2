//! Attributes of spans, by the OpenTelemetry semantic conventions for messaging.
//!
//! Names are constants of the code. Values have ids, counts and labels, and never a text of a user.

/// Value of an attribute.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// An id or an address.
    Text(String),
    /// A label of a closed set.
    Label(&'static str),
    /// A count, a size or a position.
    Number(u64),
}

/// Name and value of an attribute.
pub type Attribute = (&'static str, Value);

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}

impl From<&'static str> for Value {
    fn from(label: &'static str) -> Self {
        Value::Label(label)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Value::Number(number)
    }
}
