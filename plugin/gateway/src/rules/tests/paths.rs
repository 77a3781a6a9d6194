//! Which raw paths have one reading, and which one.

use crate::rules::path::{Ambiguity, MAX_PATH_BYTES, MAX_PATH_SEGMENTS, Path};

#[test]
fn paths_with_one_reading() {
    for (raw, expected) in [
        (&b"/"[..], &[][..]),
        (b"/orders", &["orders"]),
        (b"/orders/", &["orders"]),
        (b"/orders/7", &["orders", "7"]),
        // The query is nobody's path, whatever it holds.
        (b"/orders?", &["orders"]),
        (b"/orders?a=/../%zz;\\#//", &["orders"]),
        (b"/?/orders", &[]),
        (b"/orders/?x", &["orders"]),
        // Each escape is decoded once.
        (b"/%6frders", &["orders"]),
        (b"/%6Frders", &["orders"]),
        (b"/%6f%72%64%65%72%73/%37", &["orders", "7"]),
        (b"/caf%C3%A9", &["caf\u{e9}"]),
        (b"/%F0%9F%8D%8E", &["\u{1f34e}"]),
        (b"/100%25", &["100%"]),
        (b"/100%25zz", &["100%zz"]),
        (b"/100%25a", &["100%a"]),
        (b"/100%25up", &["100%up"]),
        (b"/%25%25", &["%%"]),
        // Letters, dots and signs that mean nothing in a path.
        (b"/Orders", &["Orders"]),
        (b"/.well-known", &[".well-known"]),
        (b"/...", &["..."]),
        (b"/..a/a..", &["..a", "a.."]),
        (b"/%2e%2ea", &["..a"]),
        (b"/a+b,c=d&e:f@g!$'()*~", &["a+b,c=d&e:f@g!$'()*~"]),
        (b"/%7Bid%7D", &["{id}"]),
        (b"/*", &["*"]),
        (b"/reward-pointsx", &["reward-pointsx"]),
        (b"/x/reward-points", &["x", "reward-points"]),
        (b"/Reward-Points", &["Reward-Points"]),
    ] {
        let path = Path::read(raw).unwrap_or_else(|error| panic!("{}: {error}", show(raw)));
        let segments: Vec<&str> = path.segments().collect();
        assert_eq!(segments, expected, "{}", show(raw));
    }
}

#[test]
fn ambiguous_paths() {
    use Ambiguity::*;
    for (raw, expected) in [
        // Other forms of target.
        (&b""[..], NotAbsolute),
        (b"?", NotAbsolute),
        (b"*", NotAbsolute),
        (b"orders", NotAbsolute),
        (b"http://shop.example/orders", NotAbsolute),
        (b"shop.example:443", NotAbsolute),
        (b"%2Forders", NotAbsolute),
        (b"\\orders", NotAbsolute),
        (b" /orders", NotAbsolute),
        // Raw bytes that no URI holds.
        (b"/caf\xc3\xa9", NotAscii),
        (b"/\xff", NotAscii),
        (b"/a\x80", NotAscii),
        // Malformed escapes.
        (b"/%", MalformedEscape),
        (b"/a%4", MalformedEscape),
        (b"/a%4/b", MalformedEscape),
        (b"/%zz", MalformedEscape),
        (b"/%4g", MalformedEscape),
        (b"/% 41", MalformedEscape),
        (b"/%u002f", MalformedEscape),
        (b"/%%32%35", MalformedEscape),
        (b"/orders%?41", MalformedEscape),
        // Escapes that are no UTF-8: lone, cut short, overlong, a surrogate, beyond Unicode.
        (b"/%ff", NotUtf8),
        (b"/%C3", NotUtf8),
        (b"/%C3/%A9", NotUtf8),
        (b"/%A9", NotUtf8),
        (b"/%C0%AF", NotUtf8),
        (b"/%C0%AE%C0%AE", NotUtf8),
        (b"/%E0%80%AF", NotUtf8),
        (b"/%ED%A0%80", NotUtf8),
        (b"/%F5%80%80%80", NotUtf8),
        // Separators.
        (b"/a%2Fb", EscapedSlash),
        (b"/a%2fb", EscapedSlash),
        (b"/%2F", EscapedSlash),
        (b"/a%2F", EscapedSlash),
        (b"/orders%2F..%2Fadmin", EscapedSlash),
        (b"/a\\b", Backslash),
        (b"/a%5Cb", Backslash),
        (b"/a%5cb", Backslash),
        (b"/..\\admin", Backslash),
        // Path parameters.
        (b"/orders;x=1", Semicolon),
        (b"/orders/;/admin", Semicolon),
        (b"/orders/..;/admin", Semicolon),
        (b"/orders%3Bx", Semicolon),
        (b"/orders%3bx", Semicolon),
        (b"/;", Semicolon),
        // Control characters and white space.
        (b"/a b", ControlOrSpace),
        (b"/a ", ControlOrSpace),
        (b"/a\tb", ControlOrSpace),
        (b"/a\0", ControlOrSpace),
        (b"/a\r\nb", ControlOrSpace),
        (b"/a\x1f", ControlOrSpace),
        (b"/a\x7f", ControlOrSpace),
        (b"/%00", ControlOrSpace),
        (b"/orders%00.json", ControlOrSpace),
        (b"/a%20b", ControlOrSpace),
        (b"/a%09", ControlOrSpace),
        (b"/a%0d%0ab", ControlOrSpace),
        (b"/a%1F", ControlOrSpace),
        (b"/a%7F", ControlOrSpace),
        (b"/a%C2%80", ControlOrSpace),
        (b"/a%C2%A0", ControlOrSpace),
        (b"/a%E2%80%A8", ControlOrSpace),
        (b"/..%20/admin", ControlOrSpace),
        // Delimiters.
        (b"/a#b", Delimiter),
        (b"/a#?b", Delimiter),
        (b"/#", Delimiter),
        (b"/a%23b", Delimiter),
        (b"/a%3Fb", Delimiter),
        (b"/admin%3f", Delimiter),
        // A second decoding would find something else.
        (b"/%2541", DoubleEscape),
        (b"/a%252Fb", DoubleEscape),
        (b"/a%252fb", DoubleEscape),
        (b"/%252e%252e/admin", DoubleEscape),
        (b"/%25%32%46", DoubleEscape),
        (b"/%252%46", DoubleEscape),
        (b"/%25252F", DoubleEscape),
        (b"/%25ff", DoubleEscape),
        (b"/a%25u002fb", DoubleEscape),
        (b"/a%25U002fb", DoubleEscape),
        // Empty segments.
        (b"//", EmptySegment),
        (b"///", EmptySegment),
        (b"//orders", EmptySegment),
        (b"//shop.example/orders", EmptySegment),
        (b"/orders//7", EmptySegment),
        (b"/orders//", EmptySegment),
        (b"/orders/7//?x", EmptySegment),
        // Dot segments.
        (b"/.", DotSegment),
        (b"/./", DotSegment),
        (b"/..", DotSegment),
        (b"/orders/.", DotSegment),
        (b"/orders/./7", DotSegment),
        (b"/orders/../admin", DotSegment),
        (b"/orders/..", DotSegment),
        (b"/orders/../", DotSegment),
        (b"/orders/..?x", DotSegment),
        (b"/%2e", DotSegment),
        (b"/%2E%2e/admin", DotSegment),
        (b"/.%2e/admin", DotSegment),
        (b"/%2e./admin", DotSegment),
        (b"/orders/%2e%2e/admin", DotSegment),
        // Another spelling of the API's own paths.
        (b"/%72eward-points/customer/614", OwnPrefix),
        (b"/reward%2Dpoints", OwnPrefix),
        (b"/reward-points%2", MalformedEscape),
    ] {
        assert_eq!(Path::read(raw), Err(expected), "{}", show(raw));
    }
}

#[test]
fn bounds() {
    let segments = |count| "/a".repeat(count);
    let bytes = |count: usize| format!("/{}", "a".repeat(count - 1));
    for (raw, expected) in [
        (segments(MAX_PATH_SEGMENTS), None),
        (segments(MAX_PATH_SEGMENTS) + "/", None),
        (
            segments(MAX_PATH_SEGMENTS + 1),
            Some(Ambiguity::TooManySegments),
        ),
        (bytes(MAX_PATH_BYTES), None),
        (bytes(MAX_PATH_BYTES) + "?query", None),
        (bytes(MAX_PATH_BYTES + 1), Some(Ambiguity::TooLong)),
    ] {
        assert_eq!(Path::read(raw.as_bytes()).err(), expected, "{}", raw.len());
    }
}

#[test]
fn every_reason_is_a_word_of_its_own() {
    use Ambiguity::*;
    let all = [
        NotAbsolute,
        TooLong,
        NotAscii,
        MalformedEscape,
        NotUtf8,
        EscapedSlash,
        Backslash,
        Semicolon,
        ControlOrSpace,
        Delimiter,
        DoubleEscape,
        EmptySegment,
        DotSegment,
        TooManySegments,
        OwnPrefix,
    ];
    let words: std::collections::BTreeSet<&str> = all.iter().map(|it| it.reason()).collect();
    assert_eq!(words.len(), all.len());
}

fn show(raw: &[u8]) -> String {
    raw.escape_ascii().to_string()
}
