//! The numbers and encodings of the proxy-wasm ABI 0.2.x, and nothing else.
//!
//! Every enum carries the value that crosses the boundary; header pairs are laid out as the SDKs expect them.
//! What a number leads to is decided by the imports and by the stream machine, not here.

use crate::headers::Headers;

/// What a host call answers. The numbers are the ABI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    /// Done.
    Ok = 0,
    /// No such key, header, queue, token or function.
    NotFound = 1,
    /// An argument makes no sense here.
    BadArgument = 2,
    /// What was asked for has no form in bytes: a group of properties.
    SerializationFailure = 3,
    /// The arguments of a call could not be understood: also an unknown gRPC cluster.
    ParseFailure = 4,
    /// A pointer and length that do not lie inside the module's memory.
    InvalidMemoryAccess = 6,
    /// The queue holds nothing.
    Empty = 7,
    /// Somebody else wrote the key since it was read.
    CasMismatch = 8,
    /// The host could not do it.
    InternalFailure = 10,
    /// The connection to the upstream broke.
    BrokenConnection = 11,
    /// Not offered by this host.
    Unimplemented = 12,
}

/// What a stream callback asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Let it pass.
    Continue,
    /// Hold it.
    Pause,
}

impl Action {
    /// Reads the callback's return value; any other number than 0 holds the stream.
    pub fn from_wasm(value: u32) -> Self {
        if value == 0 {
            Self::Continue
        } else {
            Self::Pause
        }
    }
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u32)]
pub enum LogLevel {
    /// Finest.
    Trace = 0,
    /// For debugging.
    Debug = 1,
    /// Normal operation.
    Info = 2,
    /// Something to look at.
    Warn = 3,
    /// Something failed.
    Error = 4,
    /// The module is about to stop.
    Critical = 5,
}

impl LogLevel {
    /// Reads the ABI's number.
    pub fn from_wasm(value: u32) -> Option<Self> {
        Some(match value {
            0 => Self::Trace,
            1 => Self::Debug,
            2 => Self::Info,
            3 => Self::Warn,
            4 => Self::Error,
            5 => Self::Critical,
            _ => return None,
        })
    }

    /// The name as it stands in Envoy's log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        }
    }
}

/// Which header map a call means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapType {
    /// Of the request.
    RequestHeaders,
    /// Of the request.
    RequestTrailers,
    /// Of the response.
    ResponseHeaders,
    /// Of the response.
    ResponseTrailers,
    /// Of the gRPC stream whose metadata is being delivered.
    GrpcInitialMetadata,
    /// Of the gRPC stream whose metadata is being delivered.
    GrpcTrailingMetadata,
    /// Of the callout that is being delivered.
    CallResponseHeaders,
    /// Of the callout that is being delivered.
    CallResponseTrailers,
}

impl MapType {
    /// Reads the ABI's number.
    pub fn from_wasm(value: u32) -> Option<Self> {
        Some(match value {
            0 => Self::RequestHeaders,
            1 => Self::RequestTrailers,
            2 => Self::ResponseHeaders,
            3 => Self::ResponseTrailers,
            4 => Self::GrpcInitialMetadata,
            5 => Self::GrpcTrailingMetadata,
            6 => Self::CallResponseHeaders,
            7 => Self::CallResponseTrailers,
            _ => return None,
        })
    }
}

/// Which buffer a call means. Only those an HTTP filter can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BufferType {
    /// All of the request body that is held back so far.
    RequestBody,
    /// All of the response body that is held back so far.
    ResponseBody,
    /// Raw connection data: never present in an HTTP filter.
    Connection,
    /// Of the callout that is being delivered.
    CallResponseBody,
    /// The gRPC message that is being delivered.
    GrpcMessage,
    /// The VM's configuration.
    VmConfiguration,
    /// The plugin's configuration, during its callback only.
    PluginConfiguration,
    /// Arguments of a foreign call: never present here.
    CallData,
}

impl BufferType {
    /// Reads the ABI's number.
    pub fn from_wasm(value: u32) -> Option<Self> {
        Some(match value {
            0 => Self::RequestBody,
            1 => Self::ResponseBody,
            2 | 3 => Self::Connection,
            4 => Self::CallResponseBody,
            5 => Self::GrpcMessage,
            6 => Self::VmConfiguration,
            7 => Self::PluginConfiguration,
            8 => Self::CallData,
            _ => return None,
        })
    }
}

/// Lays headers out as the SDK reads them: count, all lengths, then names and values, each ended by a zero byte.
/// An empty map is written as no bytes at all, as Envoy does.
pub fn encode_pairs(headers: &Headers) -> Vec<u8> {
    if headers.is_empty() {
        return Vec::new();
    }
    let mut out = Vec::new();
    out.extend_from_slice(&length(headers.len()));
    for (name, value) in headers.iter() {
        out.extend_from_slice(&length(name.len()));
        out.extend_from_slice(&length(value.len()));
    }
    for (name, value) in headers.iter() {
        out.extend_from_slice(name);
        out.push(0);
        out.extend_from_slice(value);
        out.push(0);
    }
    out
}

/// Reads what a module laid out; `None` when the lengths do not fit the bytes.
pub fn decode_pairs(bytes: &[u8]) -> Option<Headers> {
    let mut headers = Headers::default();
    if bytes.is_empty() {
        return Some(headers);
    }
    let count = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let mut at = count.checked_mul(8)?.checked_add(4)?;
    if at > bytes.len() {
        return None;
    }
    for index in 0..count {
        let name_len = usize::try_from(u32_at(bytes, 4 + index * 8)?).ok()?;
        let value_len = usize::try_from(u32_at(bytes, 8 + index * 8)?).ok()?;
        let name = bytes.get(at..at.checked_add(name_len)?)?;
        at = at.checked_add(name_len)?.checked_add(1)?;
        let value = bytes.get(at..at.checked_add(value_len)?)?;
        at = at.checked_add(value_len)?.checked_add(1)?;
        headers.add(name, value);
    }
    Some(headers)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(four.try_into().ok()?))
}

/// Lengths above 4 GiB cannot occur: a module's memory ends there.
fn length(value: usize) -> [u8; 4] {
    u32::try_from(value).unwrap_or(u32::MAX).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_survive_a_round_trip_with_bytes_that_are_not_text() {
        let mut headers = Headers::default();
        headers.add(b":path", b"/a%2Fb");
        headers.add(b"x-odd", &[0xff, 0x00, 0x80]);
        headers.add(b"x-odd", b"");
        assert_eq!(decode_pairs(&encode_pairs(&headers)), Some(headers));
    }

    #[test]
    fn the_layout_is_the_sdks() {
        let mut headers = Headers::default();
        headers.add(b"a", b"bc");
        assert_eq!(
            encode_pairs(&headers),
            [1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, b'a', 0, b'b', b'c', 0]
        );
        assert!(encode_pairs(&Headers::default()).is_empty());
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        for bytes in [
            &[1, 0][..],
            &[1, 0, 0, 0][..],
            &[255, 255, 255, 255, 0, 0, 0, 0][..],
            &[1, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, b'a', 0, 0][..],
        ] {
            assert_eq!(decode_pairs(bytes), None, "{bytes:?}");
        }
    }
}
