//! The published schemas, and what in a text does not conform to them.

use jsonschema::Validator;
use serde_json::Value;

const ROUND: &str = include_str!("../../../../docs/schema/round.schema.json");
const OWN_CODE: &str = include_str!("../../../../docs/schema/own-code.schema.json");

/// A schema that was read.
pub struct Published(Validator);

impl Published {
    /// That of rounds.
    pub fn round() -> Self {
        Self::of(&round_schema())
    }

    /// That of rounds on the user's own code; it refers to the other.
    #[allow(dead_code, reason = "one of the two users asks for it")]
    pub fn own_code() -> Self {
        Self::of(&parsed(OWN_CODE))
    }

    /// Nothing is fetched.
    fn of(schema: &Value) -> Self {
        let round = round_schema();
        let id = round["$id"].as_str().expect("an id").to_owned();
        let registry = jsonschema::Registry::new().add(id, round).expect("a schema").prepare().expect("a registry");
        let options = jsonschema::options().with_registry(&registry).offline();
        Self(options.build(schema).expect("a schema that is sound"))
    }

    /// What is wrong with `instance`, one line each with its place.
    pub fn problems(&self, instance: &Value) -> Vec<String> {
        self.0.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}

/// The schema of rounds.
pub fn round_schema() -> Value {
    parsed(ROUND)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).expect("a schema is JSON")
}
