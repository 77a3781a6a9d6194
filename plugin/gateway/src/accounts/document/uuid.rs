//! UUIDs as 16 bytes: only their canonical lower-case text, so that `EntryId::from_uuid` gives the text
//! back exactly.

/// The places of the hyphens among the 32 digits, counted in digits.
const HYPHENS_BEFORE: [usize; 4] = [8, 12, 16, 20];

/// The length of the text: 32 digits and 4 hyphens.
const TEXT_BYTES: usize = 36;

/// The bytes of a UUID in its canonical lower-case form; none for any other text.
pub(super) fn to_bytes(text: &str) -> Option<[u8; 16]> {
    if text.len() != TEXT_BYTES {
        return None;
    }
    let mut characters = text.bytes();
    let mut bytes = [0_u8; 16];
    for (place, byte) in bytes.iter_mut().enumerate() {
        if HYPHENS_BEFORE.contains(&place.saturating_mul(2)) && characters.next() != Some(b'-') {
            return None;
        }
        let high = digit(characters.next()?)?;
        let low = digit(characters.next()?)?;
        *byte = (high << 4) | low;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => character.checked_sub(b'0'),
        b'a'..=b'f' => character.checked_sub(b'a')?.checked_add(10),
        _ => None,
    }
}
