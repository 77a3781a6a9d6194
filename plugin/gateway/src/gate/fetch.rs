//! One document to be fetched over HTTP, as an effect for the shell to carry out.

use bytes::Bytes;

/// Names one fetch for the life of a worker. Never used twice: a late answer finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// A `GET` to make. It is owned by the VM's root, never by a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetch {
    /// Under which name the answer comes back.
    pub id: FetchId,
    /// The cluster to ask.
    pub cluster: String,
    /// `:authority`
    pub authority: String,
    /// `:path`
    pub path: String,
    /// After how long the shell gives up and reports [`Fetched::Nothing`], in milliseconds.
    pub timeout_ms: u32,
    /// How long a body may be, in bytes; a longer one is not copied into the VM.
    pub max_bytes: usize,
}

/// How a fetch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// A whole answer, whatever its status.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: Bytes,
    },
    /// An answer whose body is longer than was asked for.
    TooLarge,
    /// No answer, or none in time, or the call could not be made.
    Nothing,
}

/// A header that a host adds to the answer of a server, and not to one that it gives itself because none came, or none in time.
pub const SERVED: &str = "x-envoy-upstream-service-time";

/// From here on a host's own answers begin.
const FIRST_OF_HOST: u16 = 500;

impl Fetch {
    /// What an answer comes to: its status, how long its body is, whether it is a server's ([`SERVED`]), and the body, which is
    /// looked at last.
    #[must_use]
    pub fn read(
        &self,
        status: Option<u16>,
        body_bytes: usize,
        is_served: impl FnOnce() -> bool,
        body: impl FnOnce() -> Option<Vec<u8>>,
    ) -> Fetched {
        if body_bytes > self.max_bytes {
            return Fetched::TooLarge;
        }
        let Some(status) = status.filter(|status| *status < FIRST_OF_HOST || is_served()) else {
            return Fetched::Nothing;
        };
        // Less than was announced would be another document.
        let body = body().filter(|body| body.len() == body_bytes);
        body.map_or(Fetched::Nothing, |body| Fetched::Answer {
            status,
            body: body.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_one_when_a_server_gave_it_whole() {
        let fetch = Fetch {
            id: FetchId(1),
            cluster: "keys".to_owned(),
            authority: "issuer.example".to_owned(),
            path: "/keys".to_owned(),
            timeout_ms: 1_000,
            max_bytes: 4,
        };
        let answer = |status, body: &'static [u8]| Fetched::Answer {
            status,
            body: Bytes::from_static(body),
        };
        type Case = (Option<u16>, bool, usize, Option<&'static [u8]>, Fetched);
        let cases: [Case; 9] = [
            (Some(200), true, 4, Some(b"keys"), answer(200, b"keys")),
            (Some(200), false, 4, Some(b"keys"), answer(200, b"keys")),
            (Some(404), false, 0, Some(b""), answer(404, b"")),
            (Some(500), true, 4, Some(b"oops"), answer(500, b"oops")),
            (Some(500), false, 4, Some(b"oops"), Fetched::Nothing),
            (None, true, 4, Some(b"keys"), Fetched::Nothing),
            (Some(200), true, 4, Some(b"key"), Fetched::Nothing),
            (Some(200), true, 4, None, Fetched::Nothing),
            (Some(503), false, 5, None, Fetched::TooLarge),
        ];
        for (status, is_served, body_bytes, body, fetched) in cases {
            let body = || body.map(<[u8]>::to_vec);
            let read = fetch.read(status, body_bytes, || is_served, body);
            assert_eq!(read, fetched, "{status:?} {is_served} {body_bytes}");
        }
    }
}
