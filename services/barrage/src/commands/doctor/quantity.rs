//! Quantities of Kubernetes, such as `500m` and `1Gi`.

use serde_json::Value;

/// Units with their factors; a longer unit comes before one that it ends with.
const UNITS: [(&str, f64); 11] = [
    ("Ki", 1_024.0),
    ("Mi", 1_048_576.0),
    ("Gi", 1_073_741_824.0),
    ("Ti", 1_099_511_627_776.0),
    ("m", 0.001),
    ("k", 1e3),
    ("M", 1e6),
    ("G", 1e9),
    ("T", 1e12),
    ("P", 1e15),
    ("", 1.0),
];

/// Returns the number of a quantity, without a unit: cores or bytes. `None` for another text.
pub(super) fn parse(quantity: &Value) -> Option<f64> {
    match quantity {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            let (number, factor) =
                UNITS.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
            let number: f64 = number.trim().parse().ok()?;
            (number.is_finite() && number >= 0.0).then_some(number * factor)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn quantities_have_binary_and_decimal_units() {
        for (quantity, expected) in [
            (json!("500m"), Some(0.5)),
            (json!("1Gi"), Some(1_073_741_824.0)),
            (json!("2"), Some(2.0)),
            (json!(1.5), Some(1.5)),
            (json!("1G"), Some(1e9)),
            (json!("many"), None),
            (json!(["1"]), None),
        ] {
            assert_eq!(parse(&quantity), expected, "{quantity}");
        }
    }
}
