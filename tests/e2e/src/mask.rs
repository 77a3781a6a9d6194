//! Takes out of a body what no test can foretell, after a look at its form: the times of creation and made-up ids.

/// `d` stands for a digit, `x` for a lower-case hexadecimal digit, `v` for one of 8, 9, a and b.
const FORMS: [(&str, &str, &str); 2] = [
    (
        "\"createdAt\":\"",
        "dddd-dd-ddTdd:dd:dd.ddd+00:00\"",
        "TIME\"",
    ),
    (
        "\"id\":\"",
        "xxxxxxxx-xxxx-4xxx-vxxx-xxxxxxxxxxxx\"",
        "UUID\"",
    ),
];

/// The text with each `createdAt` of the documented form replaced by `TIME`, and each `id` that is a random UUID by
/// `UUID`. Whatever has another form stays, and so fails a comparison.
#[must_use]
pub fn mask(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let found = FORMS.iter().find_map(|(field, form, name)| {
            let value = rest.strip_prefix(field)?;
            let (value, behind) = value.split_at_checked(form.len())?;
            fits(value, form).then_some((field, name, behind))
        });
        rest = if let Some((field, name, behind)) = found {
            masked.push_str(field);
            masked.push_str(name);
            behind
        } else {
            masked.push(character);
            &rest[character.len_utf8()..]
        };
    }
    masked
}

fn fits(value: &str, form: &str) -> bool {
    value
        .bytes()
        .zip(form.bytes())
        .all(|(byte, wanted)| match wanted {
            b'd' => byte.is_ascii_digit(),
            b'x' => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
            b'v' => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            other => byte == other,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_documented_forms_are_masked() {
        for (text, expected) in [
            (
                r#"{"createdAt":"2023-05-11T18:32:18.591+00:00","x":1}"#,
                r#"{"createdAt":"TIME","x":1}"#,
            ),
            (
                r#"{"id":"0f8fad5b-d9cb-469f-a165-70867728950e"}"#,
                r#"{"id":"UUID"}"#,
            ),
        ] {
            assert_eq!(mask(text), expected);
        }
        for kept in [
            r#"{"createdAt":"2023-05-11T18:32:18.591Z"}"#,
            r#"{"createdAt":"2023-05-11T18:32:18+00:00"}"#,
            r#"{"validUntil":"2023-05-11T18:32:18.591+00:00"}"#,
            r#"{"id":"0f8fad5b-d9cb-169f-a165-70867728950e"}"#,
            r#"{"id":"größe"}"#,
        ] {
            assert_eq!(mask(kept), kept);
        }
    }
}
