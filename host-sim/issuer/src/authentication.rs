//! Which client asks: HTTP Basic or two parameters of the form, never both (RFC 6749, sections 2.3 and 2.3.1).

use ct_codecs::{Base64, Decoder as _};
use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::clients::{Client, Clients};
use crate::form::{self, Form};
use crate::refusal::Refusal;

/// What a client gave to be recognised by, not yet looked at any closer than to see whether it is one thing.
pub(crate) enum Credentials {
    /// `None`: there is no telling what they are.
    Basic(Option<(String, String)>),
    /// In the form; either may be missing.
    Form(Option<String>, Option<String>),
}

impl Credentials {
    /// Finds them in a request.
    pub fn of(headers: &HeaderMap, form: &Form) -> Result<Self, Refusal> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let id = form.get("client_id");
        let secret = form.get("client_secret");
        let Some(header) = given.next() else {
            return Ok(Self::Form(id.map(str::to_owned), secret.map(str::to_owned)));
        };
        if given.next().is_some() {
            return Err(Refusal::RepeatedAuthorization);
        }
        let basic = basic(header.as_bytes());
        // To name oneself is allowed (section 3.2.1), to name somebody else or to show a secret twice is not.
        let is_other = id.is_some_and(|id| basic.as_ref().is_none_or(|(own, _)| own != id));
        if secret.is_some() || is_other {
            return Err(Refusal::TwoAuthentications);
        }
        Ok(Self::Basic(basic))
    }

    /// The client that they belong to.
    pub fn authenticate<'a>(&self, clients: &'a Clients) -> Result<&'a Client, Refusal> {
        let (id, secret) = match self {
            Self::Basic(Some((id, secret))) | Self::Form(Some(id), Some(secret)) => (id, secret),
            _ => return Err(Refusal::InvalidClient),
        };
        clients
            .authenticate(id, secret)
            .ok_or(Refusal::InvalidClient)
    }
}

/// Id and secret of a Basic header, each form-encoded inside (section 2.3.1).
fn basic(header: &[u8]) -> Option<(String, String)> {
    let space = header.iter().position(|byte| *byte == b' ')?;
    let (scheme, rest) = header.split_at(space);
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return None;
    }
    let pair = Base64::decode_to_vec(rest.trim_ascii(), None).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let (id, secret) = pair.split_at(colon);
    Some((form::decode(id).ok()?, form::decode(secret.get(1..)?).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_encoded_inside() {
        let pair = |id: &str, secret: &str| Some((id.to_owned(), secret.to_owned()));
        for (header, expected) in [
            ("Basic YTpi", pair("a", "b")),
            ("bAsIc   YTpi ", pair("a", "b")),
            // a:b:c
            ("Basic YTpiOmM=", pair("a", "b:c")),
            // a%3Ab:c+d%25
            ("Basic YSUzQWI6YytkJTI1", pair("a:b", "c d%")),
            // a:%
            ("Basic YTol", None),
            // a:\xff
            ("Basic YTr/", None),
            // ab
            ("Basic YWI=", None),
            ("Basic YWI", None),
            ("Basic !", None),
            ("Basic", None),
            ("Bearer YTpi", None),
            ("", None),
        ] {
            assert_eq!(basic(header.as_bytes()), expected, "{header}");
        }
    }
}
