//! A map of headers as a proxy-wasm host lays it out, read in place: one block of memory, no copy of each name and value.
//!
//! The layout: how many pairs there are, the lengths of every name and value, then names and values, each ended by a zero
//! byte. Numbers have four bytes, the least significant first. Names and values stay bytes; what they mean is known
//! elsewhere, and how a block is asked for is the shell's to know.

use std::borrow::Cow;

/// Bytes of a length in the host's layout.
const LENGTH_BYTES: usize = 4;

/// A header's name and value, where they stand in a block.
pub type Pair<'a> = (&'a [u8], &'a [u8]);

/// Names and values in their order. None when the layout is broken: half a request is no request. There are never more
/// pairs than the block has room for lengths, whatever number it begins with.
#[must_use]
pub fn read(block: &[u8]) -> Option<Vec<Pair<'_>>> {
    let (count, rest) = length(block)?;
    let (mut lengths, mut texts) = rest.split_at_checked(count.checked_mul(2 * LENGTH_BYTES)?)?;
    let mut pairs = Vec::with_capacity(count);
    while !lengths.is_empty() {
        let (name_length, rest) = length(lengths)?;
        let (value_length, rest) = length(rest)?;
        lengths = rest;
        let (name, rest) = text(texts, name_length)?;
        let (value, rest) = text(rest, value_length)?;
        texts = rest;
        pairs.push((name, value));
    }
    Some(pairs)
}

fn length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    Some((usize::try_from(u32::from_le_bytes(*length)).ok()?, rest))
}

fn text(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    let (text, rest) = bytes.split_at_checked(length)?;
    Some((text, rest.get(1..)?))
}

/// The block of these headers. None: longer than the layout can say.
#[must_use]
pub fn write(pairs: &[(&str, Cow<'_, str>)]) -> Option<Vec<u8>> {
    let texts = pairs.iter().flat_map(|(name, value)| [*name, &**value]);
    let bytes = |text: &str| text.len().saturating_add(LENGTH_BYTES + 1);
    let room = texts.clone().map(bytes).fold(0, usize::saturating_add);
    let mut block = Vec::with_capacity(room.saturating_add(LENGTH_BYTES));
    block.extend(u32::try_from(pairs.len()).ok()?.to_le_bytes());
    for text in texts.clone() {
        block.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
    }
    for text in texts {
        block.extend_from_slice(text.as_bytes());
        block.push(0);
    }
    Some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_block_is_read() {
        // One pair, "a" and "bc".
        let whole = b"\x01\0\0\0\x01\0\0\0\x02\0\0\0a\0bc\0";
        assert_eq!(read(whole), Some(vec![(&b"a"[..], &b"bc"[..])]));
        for cut in 0..whole.len() {
            assert_eq!(read(&whole[..cut]), None, "{cut} bytes of it");
        }
        let table: &[(&[u8], Option<usize>)] = &[
            (b"\0\0\0\0", Some(0)),
            (b"\x01\0\0\0\0\0\0\0\0\0\0\0\0\0", Some(1)),
            // More pairs than there is room for; as many as a multiplication could lose.
            (b"\x02\0\0\0\0\0\0\0\0\0\0\0\0\0", None),
            (b"\0\0\0\x20\0\0\0\0\0\0\0\0", None),
            (b"\xff\xff\xff\xff\0\0\0\0\0\0\0\0", None),
            // A name that is longer than all there is.
            (b"\x01\0\0\0\xff\xff\xff\xff\0\0\0\0\0\0", None),
        ];
        for (block, pairs) in table {
            assert_eq!(read(block).map(|it| it.len()), *pairs, "{block:?}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let pairs = [
            (":status", Cow::Borrowed("200")),
            ("empty", "".into()),
            ("", "x\0y".into()),
        ];
        let block = write(&pairs).expect("a short block");
        let read = read(&block).expect("a whole block");
        let written: Vec<Pair<'_>> = pairs
            .iter()
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
            .collect();
        assert_eq!(read, written);
    }
}
