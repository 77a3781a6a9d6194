//! The two forms in which a configuration arrives: JSON text, or a `google.protobuf.Struct` as Envoy hands it over.
//!
//! Envoy 1.40 passes a plugin's `Struct` on in protobuf's own encoding (only `StringValue` and `BytesValue` are
//! unwrapped), other hosts and versions as JSON. Both mean the same document. Knows nothing of its fields.

use prost::Message;
use prost_types::{ListValue, Struct, Value as ProtoValue, value::Kind};
use serde_json::{Map, Number, Value};

use crate::config_error::ConfigError;
use crate::strict_json::parse_object;

/// How deep a document may nest: deeper is no configuration of ours, and the walk below must end.
const MAX_NESTING: usize = 32;

/// The largest whole number up to which a protobuf number holds every whole number exactly: 2^53.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Reads the document, whichever form it has.
///
/// # Errors
/// [`ConfigError`] when it has neither form, or is empty.
pub(super) fn read(bytes: &[u8]) -> Result<Value, ConfigError> {
    if bytes.trim_ascii().is_empty() {
        return Err(ConfigError::new("", "is missing"));
    }
    // No JSON text is also a Struct: its first byte would open a group that never ends, or announce a length that the
    // rest does not have.
    match Struct::decode(bytes) {
        Ok(document) => object(document, MAX_NESTING),
        // An object that names a member twice would otherwise count by the last one, and the first be silently void.
        Err(_) => parse_object(bytes, MAX_NESTING)
            .map(Value::from)
            .map_err(|error| ConfigError::new("", format!("is not JSON: {error}"))),
    }
}

fn object(document: Struct, levels: usize) -> Result<Value, ConfigError> {
    let mut members = Map::new();
    for (name, value) in document.fields {
        let value = convert(value, levels).map_err(|error| error.within(&name))?;
        members.insert(name, value);
    }
    Ok(Value::Object(members))
}

fn array(list: ListValue, levels: usize) -> Result<Value, ConfigError> {
    let convert_one = |(place, value)| {
        convert(value, levels).map_err(|error: ConfigError| error.within(&format!("[{place}]")))
    };
    list.values
        .into_iter()
        .enumerate()
        .map(convert_one)
        .collect()
}

fn convert(value: ProtoValue, levels: usize) -> Result<Value, ConfigError> {
    let Some(levels) = levels.checked_sub(1) else {
        let problem = format!("is nested over {MAX_NESTING} levels deep");
        return Err(ConfigError::new("", problem));
    };
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(value)) => Value::Bool(value),
        Some(Kind::StringValue(value)) => Value::String(value),
        Some(Kind::NumberValue(value)) => Value::Number(number(value)?),
        Some(Kind::ListValue(list)) => array(list, levels)?,
        Some(Kind::StructValue(inner)) => object(inner, levels)?,
    })
}

/// Whole numbers become whole again: a Struct has only floating-point ones.
#[allow(
    clippy::cast_possible_truncation,
    reason = "only whole numbers within the exact range are cast"
)]
fn number(value: f64) -> Result<Number, ConfigError> {
    if value.fract() == 0.0 && value.abs() <= MAX_EXACT {
        return Ok(Number::from(value as i64));
    }
    Number::from_f64(value).ok_or_else(|| ConfigError::new("", "is not a finite number"))
}
