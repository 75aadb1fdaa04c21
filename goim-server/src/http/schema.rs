//! JSON Schema (2020-12) of what the types of goim-proto say of themselves.

use std::collections::BTreeMap;

use goim_proto::Shape;
use goim_proto::shape::{Code, Enum, Field, Struct};
use serde_json::{Map, Value, json};

/// Canonical Base64: what is cut off at the end is zero.
const BASE64: &str = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$";
const UUID: &str = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$";

/// Schemas by the names of their types.
#[derive(Debug, Default)]
pub(super) struct Schemas(BTreeMap<&'static str, Value>);

impl Schemas {
    /// The schema of a shape; those of structs and enums are kept, and referred to by name.
    pub(super) fn of(&mut self, shape: &Shape) -> Value {
        match shape {
            Shape::Bool => json!({ "type": "boolean" }),
            Shape::Uint(max) => json!({ "type": "integer", "minimum": 0, "maximum": max }),
            Shape::Text => json!({ "type": "string" }),
            Shape::Id => {
                json!({ "type": "string", "pattern": format!("^[0-9]{{1,{}}}$", Shape::ID_DIGITS_MAX) })
            }
            Shape::Uuid => json!({ "type": "string", "format": "uuid", "pattern": UUID }),
            Shape::Bytes => json!({ "type": "string", "contentEncoding": "base64", "pattern": BASE64 }),
            Shape::Optional(inner) => json!({ "anyOf": [self.of(inner), { "type": "null" }] }),
            Shape::List(item) => {
                json!({ "type": "array", "items": self.of(item), "maxItems": Shape::ITEMS_MAX })
            }
            Shape::Struct(one) => self.named(one.name, |all| all.object(one, &[])),
            Shape::Enum(one) => self.named(one.name, |all| all.choice(one)),
            Shape::Code(one) => self.named(one.name, |_| names(one)),
            Shape::Again(name) => refer(name),
            // Another shape would be one that this server does not write.
            _ => Value::Bool(true),
        }
    }

    /// The schema of a struct without some of its fields.
    pub(super) fn object(&mut self, one: &Struct, without: &[&str]) -> Value {
        let fields = one.fields.iter().filter(|field| !without.contains(&field.name));
        let fields: Map<_, _> = fields.map(|field| (field.name.to_owned(), self.field(field))).collect();
        json!({ "type": "object", "description": one.doc.to_string(), "properties": fields })
    }

    /// The schema of a field with what is said of it.
    pub(super) fn field(&mut self, field: &Field) -> Value {
        described(self.of(&field.shape), &field.doc.to_string())
    }

    /// An object with one field, which is named as the variant.
    pub(super) fn variant(&mut self, name: &str, doc: &str, payload: Option<&Shape>) -> Value {
        let payload = payload.map_or_else(|| json!({ "type": "object" }), |payload| self.of(payload));
        json!({
            "type": "object",
            "description": doc,
            "properties": { name: payload },
            "required": [name],
            "additionalProperties": false,
        })
    }

    fn choice(&mut self, one: &Enum) -> Value {
        let variants = one.variants.iter();
        let mut all: Vec<_> = variants
            .map(|variant| self.variant(variant.name, &variant.doc.to_string(), variant.payload.as_ref()))
            .collect();
        let doc = "What only a newer server knows, by its code.";
        all.push(self.variant("Unknown", doc, Some(&Shape::Uint(u64::MAX))));
        json!({ "description": one.doc.to_string(), "oneOf": all })
    }

    fn named(&mut self, name: &'static str, make: impl FnOnce(&mut Self) -> Value) -> Value {
        if !self.0.contains_key(name) {
            let schema = make(self);
            self.0.insert(name, schema);
        }
        refer(name)
    }

    /// Keeps a schema under a name.
    pub(super) fn keep(&mut self, name: &'static str, schema: Value) -> Value {
        self.named(name, |_| schema)
    }

    pub(super) fn into_components(self) -> Value {
        json!(self.0)
    }
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn names(one: &Code) -> Value {
    let names: Vec<_> = one.names.iter().map(|(name, _)| name).collect();
    let meanings: Vec<_> = one.names.iter().map(|(name, doc)| format!("`{name}`: {doc}")).collect();
    json!({
        "description": format!("{} {} A number is a code without a name; 0 does not say.", one.doc, meanings.join(" ")),
        "anyOf": [{ "enum": names }, { "type": "integer", "minimum": 0, "maximum": u64::MAX }],
    })
}

fn described(schema: Value, doc: &str) -> Value {
    match schema {
        Value::Object(mut schema) => {
            schema.insert("description".into(), doc.into());
            Value::Object(schema)
        }
        other => other,
    }
}
