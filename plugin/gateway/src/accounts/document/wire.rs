//! Protocol buffers on the wire, in the one form in which documents have them: fields in the order of their numbers, numbers as
//! short as they can be, nothing that goes without saying. What is in any other form is not read.
//!
//! A document is read and written for every change of its account, entry by entry, so what is read borrows from the
//! document and what is written goes straight into it. What the fields mean is not known here. The form is that of the
//! encoding guide of protocol buffers (`proto3`); the tests hold it to a library of theirs.

use super::DocumentError;

const VARINT: u8 = 0;
const LENGTH_DELIMITED: u8 = 2;

/// A number has seven bits a byte, so 64 bits take ten.
const MAX_VARINT_BYTES: usize = 10;

/// The number of a field, 1 to 15: those have a tag of one byte.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field(pub u8);

impl Field {
    const fn tag(self, wire_type: u8) -> u8 {
        self.0 << 3 | wire_type
    }
}

/// What of a message has not been read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(message: &'a [u8]) -> Self {
        Self { rest: message }
    }

    /// The message ends here.
    pub(super) fn end(self) -> Result<(), DocumentError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(DocumentError::UnknownContent),
        }
    }

    /// A field that is 0 where it is not there.
    pub(super) fn number(&mut self, field: Field) -> Result<u64, DocumentError> {
        match self.optional_number(field)? {
            Some(0) => Err(DocumentError::UnknownContent),
            number => Ok(number.unwrap_or(0)),
        }
    }

    /// A signed field (`sint64`).
    pub(super) fn signed(&mut self, field: Field) -> Result<Option<i64>, DocumentError> {
        // Zigzag: 0, -1, 1, -2, ...
        let signed =
            |number: u64| (number >> 1).cast_signed() ^ (number & 1).cast_signed().wrapping_neg();
        Ok(self.optional_number(field)?.map(signed))
    }

    /// A field of bytes, text or another message; empty where it stands so.
    pub(super) fn bytes(&mut self, field: Field) -> Result<Option<&'a [u8]>, DocumentError> {
        if !self.begins(field.tag(LENGTH_DELIMITED)) {
            return Ok(None);
        }
        let length = usize::try_from(self.varint()?).map_err(|_| CUT_OFF)?;
        let (bytes, rest) = self.rest.split_at_checked(length).ok_or(CUT_OFF)?;
        self.rest = rest;
        Ok(Some(bytes))
    }

    /// A field of text.
    pub(super) fn text(&mut self, field: Field) -> Result<Option<&'a str>, DocumentError> {
        let text = self.bytes(field)?.map(std::str::from_utf8).transpose();
        text.map_err(|_| DocumentError::Malformed("text is not UTF-8"))
    }

    /// A field of bytes that is empty where it is not there.
    pub(super) fn implicit_bytes(&mut self, field: Field) -> Result<&'a [u8], DocumentError> {
        match self.bytes(field)? {
            Some([]) => Err(DocumentError::UnknownContent),
            bytes => Ok(bytes.unwrap_or_default()),
        }
    }

    /// A field that is another message.
    pub(super) fn message(&mut self, field: Field) -> Result<Option<Reader<'a>>, DocumentError> {
        Ok(self.bytes(field)?.map(Reader::new))
    }

    /// Any number of messages, each read to its end.
    pub(super) fn messages<T>(
        &mut self,
        field: Field,
        mut read: impl FnMut(&mut Reader<'a>) -> Result<T, DocumentError>,
    ) -> Result<Vec<T>, DocumentError> {
        let mut all = Vec::new();
        while let Some(mut message) = self.message(field)? {
            all.push(read(&mut message)?);
            message.end()?;
        }
        Ok(all)
    }

    /// Passes over a field, however often it is there.
    pub(super) fn skip(&mut self, field: Field) -> Result<(), DocumentError> {
        while self.bytes(field)?.is_some() {}
        Ok(())
    }

    fn optional_number(&mut self, field: Field) -> Result<Option<u64>, DocumentError> {
        match self.begins(field.tag(VARINT)) {
            true => self.varint().map(Some),
            false => Ok(None),
        }
    }

    fn begins(&mut self, tag: u8) -> bool {
        match self.rest.split_first() {
            Some((&first, rest)) if first == tag => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// A number in whatever form, first among what is left.
    pub(super) fn any_varint(mut self) -> Option<u64> {
        match self.varint_of_any_length() {
            Ok((number, _)) => Some(number),
            Err(_) => None,
        }
    }

    fn varint(&mut self) -> Result<u64, DocumentError> {
        match self.varint_of_any_length()? {
            (number, true) => Ok(number),
            (_, false) => Err(DocumentError::UnknownContent),
        }
    }

    /// And whether it is in its shortest form: a last byte without a bit could have been left out.
    fn varint_of_any_length(&mut self) -> Result<(u64, bool), DocumentError> {
        let mut number = 0_u64;
        for place in 0..MAX_VARINT_BYTES {
            let (&byte, rest) = self.rest.split_first().ok_or(CUT_OFF)?;
            self.rest = rest;
            let bits = u64::from(byte & 0x7f);
            let shift = u32::try_from(place).unwrap_or(u32::MAX).saturating_mul(7);
            let placed = bits.checked_shl(shift).unwrap_or(0);
            if placed >> shift != bits {
                break;
            }
            number |= placed;
            if byte < 0x80 {
                return Ok((number, byte != 0 || place == 0));
            }
        }
        Err(DocumentError::Malformed("a number has over 64 bits"))
    }
}

const CUT_OFF: DocumentError = DocumentError::Malformed("it is cut off");

/// A message that is being written.
#[derive(Debug, Default)]
pub(super) struct Writer {
    out: Vec<u8>,
}

impl Writer {
    pub(super) const fn new() -> Self {
        Self { out: Vec::new() }
    }

    /// What was written, in no more memory than it takes: it is held for as long as its commit is under way.
    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.out.shrink_to_fit();
        self.out
    }

    /// A field that goes without saying when it is 0.
    pub(super) fn number(&mut self, field: Field, number: u64) {
        if number != 0 {
            self.out.push(field.tag(VARINT));
            self.varint(number);
        }
    }

    /// A signed field (`sint64`), if there is one.
    pub(super) fn signed(&mut self, field: Field, number: Option<i64>) {
        if let Some(number) = number {
            self.out.push(field.tag(VARINT));
            let sign = (number >> 63).cast_unsigned();
            self.varint((number.cast_unsigned() << 1) ^ sign);
        }
    }

    /// A field of bytes or text, empty or not.
    pub(super) fn bytes(&mut self, field: Field, bytes: &[u8]) {
        self.out.push(field.tag(LENGTH_DELIMITED));
        self.varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
        self.out.extend_from_slice(bytes);
    }

    /// A field that is another message, which `write` writes.
    pub(super) fn message(&mut self, field: Field, write: impl FnOnce(&mut Writer)) {
        self.out.push(field.tag(LENGTH_DELIMITED));
        let place = self.out.len();
        // Room for the length of most messages: one byte.
        self.out.push(0);
        write(self);
        let length = self.out.len().saturating_sub(place).saturating_sub(1);
        match (u8::try_from(length), self.out.get_mut(place)) {
            (Ok(short @ ..0x80), Some(room)) => *room = short,
            _ => {
                let mut prefix = Writer::new();
                prefix.varint(u64::try_from(length).unwrap_or(u64::MAX));
                self.out.splice(place..=place, prefix.out);
            }
        }
    }

    fn varint(&mut self, mut number: u64) {
        while let high @ 1.. = number >> 7 {
            let [low, ..] = number.to_le_bytes();
            self.out.push(low | 0x80);
            number = high;
        }
        let [low, ..] = number.to_le_bytes();
        self.out.push(low);
    }
}
