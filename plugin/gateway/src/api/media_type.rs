//! Media types: what a body may be, and which shape of error the client prefers.

/// Whether a `Content-Type` value is JSON that we read: `application/json`, with no parameter but `charset=utf-8`.
#[must_use]
pub fn is_json(content_type: &[u8]) -> bool {
    let mut parts = content_type.split(|&byte| byte == b';').map(trim);
    let json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case(b"application/json"));
    json && parts.all(|parameter| {
        parameter.is_empty()
            || parameter.eq_ignore_ascii_case(b"charset=utf-8")
            || parameter.eq_ignore_ascii_case(b"charset=\"utf-8\"")
    })
}

/// Whether an `Accept` value prefers `application/problem+json` over `application/json`: its quality is the higher one
/// (RFC 9110, section 12.5.1). It has to be named; `application/json` is also meant by a wildcard, the more exact one
/// deciding.
#[must_use]
pub fn prefers_problem(accept: &[u8]) -> bool {
    let mut problem: Option<f32> = None;
    // For `*/*`, `application/*` and `application/json`.
    let mut plain: [Option<f32>; 3] = [None; 3];
    let [any, application, json] = &mut plain;
    for range in accept.split(|&byte| byte == b',') {
        let mut parts = range.split(|&byte| byte == b';').map(trim);
        let essence = parts.next().unwrap_or_default();
        let best = match essence {
            b"*/*" => &mut *any,
            it if it.eq_ignore_ascii_case(b"application/json") => &mut *json,
            it if it.eq_ignore_ascii_case(b"application/problem+json") => &mut problem,
            it if it.eq_ignore_ascii_case(b"application/*") => &mut *application,
            _ => continue,
        };
        let quality = parts.find_map(quality).unwrap_or(1.0);
        *best = Some(best.map_or(quality, |best| best.max(quality)));
    }
    let plain = json.or(*application).or(*any).unwrap_or(0.0);
    problem.is_some_and(|problem| problem > plain)
}

/// The value of a `q` parameter; one that is no number counts as 0.
fn quality(parameter: &[u8]) -> Option<f32> {
    let (name, value) = parameter.split_at_checked(2)?;
    if !name.eq_ignore_ascii_case(b"q=") {
        return None;
    }
    let value = std::str::from_utf8(value)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    Some(value.unwrap_or(0.0))
}

fn trim(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_bodies() {
        for (value, expected) in [
            ("application/json", true),
            ("Application/JSON", true),
            ("application/json; charset=utf-8", true),
            ("application/json;charset=\"UTF-8\"", true),
            ("application/json;", true),
            ("application/json; charset=latin-1", false),
            ("application/problem+json", false),
            ("text/json", false),
            ("", false),
            ("application/jsonx", false),
        ] {
            assert_eq!(is_json(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn preference_for_problem_details() {
        for (value, expected) in [
            ("application/problem+json", true),
            ("application/problem+json, application/json", false),
            ("application/problem+json, */*;q=0.8", true),
            ("application/problem+json;q=0.5, */*", false),
            (
                "application/problem+json;q=0.5, */*;q=0.9, application/json;q=0.1",
                true,
            ),
            (
                "application/problem+json;q=0.5, application/*;q=0.6, */*;q=0.1",
                false,
            ),
            ("application/json, application/problem+json;q=0.9", false),
            (
                "application/json;q=0.5, application/problem+json;q=0.9",
                true,
            ),
            ("application/problem+json;q=0", false),
            ("application/json", false),
            ("*/*", false),
            ("application/*", false),
            ("", false),
            ("text/html, Application/Problem+JSON ; q=0.7", true),
        ] {
            assert_eq!(prefers_problem(value.as_bytes()), expected, "{value}");
        }
    }
}
