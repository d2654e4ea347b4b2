//! Schemas of request and answer types, and the components that they refer to.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value};

use crate::operation::SchemaOf;

/// Where the document keeps the schemas that others refer to.
const COMPONENTS: &str = "/components/schemas";

/// Generators of both directions. A field with a default may be absent from a request, while an
/// answer always has the field; so a type may have a schema for each direction. Answers share
/// components, and requests are written out in place.
pub(crate) struct Schemas {
    answers: SchemaGenerator,
    requests: SchemaGenerator,
}

impl Schemas {
    pub(crate) fn new() -> Self {
        let settings = || SchemaSettings::draft2020_12().with(|settings| settings.meta_schema = None);
        let answers =
            settings().for_serialize().with(|settings| settings.definitions_path = COMPONENTS.into());
        let requests = settings().for_deserialize().with(|settings| settings.inline_subschemas = true);
        Schemas { answers: answers.into_generator(), requests: requests.into_generator() }
    }

    pub(crate) fn answer(&mut self, of: SchemaOf) -> Value {
        plain(of(&mut self.answers))
    }

    pub(crate) fn request(&mut self, of: SchemaOf) -> Value {
        plain(of(&mut self.requests))
    }

    /// Returns the schemas that answers refer to, by name.
    pub(crate) fn into_components(mut self) -> Map<String, Value> {
        let components = self.answers.take_definitions(false);
        let schema = |value: Value| Schema::try_from(value).map_or(Value::Bool(true), plain);
        components.into_iter().map(|(name, value)| (name, schema(value))).collect()
    }
}

fn plain(mut schema: Schema) -> Value {
    PlainDescriptions.transform(&mut schema);
    schema.to_value()
}

/// Turns documentation of Rust items into text for people: links between items become names.
#[derive(Debug, Clone)]
struct PlainDescriptions;

impl Transform for PlainDescriptions {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(Value::String(text)) = schema.get_mut("description") {
            *text = plain_text(text);
        }
        transform_subschemas(self, schema);
    }
}

/// Joins lines, and replaces links such as ``[`Code`](crate::Code)`` by their text.
fn plain_text(text: &str) -> String {
    let joined = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut plain = String::with_capacity(joined.len());
    let mut rest = joined.as_str();
    while let Some((before, after)) = rest.split_once("[`") {
        plain.push_str(before);
        plain.push('`');
        let Some((name, after)) = after.split_once("`]") else {
            rest = after;
            continue;
        };
        plain.push_str(name);
        plain.push('`');
        rest = match after.strip_prefix('(').and_then(|target| target.split_once(')')) {
            Some((_, after)) => after,
            None => after,
        };
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_between_items_become_their_names() {
        let text = "Turns [`Room::mute_all`] on, or\n[`Code`](crate::Code) [`off`].";
        assert_eq!(plain_text(text), "Turns `Room::mute_all` on, or `Code` `off`.");
        assert_eq!(plain_text("a [`b"), "a `b");
    }
}
