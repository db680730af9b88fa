//! Protobuf at wire level: a message as a set of fields, each the bytes it occupies (key included).
//! Invariant: joining what was split gives back the same bytes for any message in tag order, known fields or not,
//! so old and new builds carry each other's fields untouched.

use crate::limits::{STORED_BYTES, STORED_FIELDS};
use bytes::{Buf, Bytes, BytesMut};
use prost::encoding::{WireType, decode_key, decode_varint, encode_key, encode_varint};

/// One field: its tag and all its occurrences, keys included. Empty bytes: the field is cleared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Field {
    /// Field number.
    pub tag: u32,
    /// Raw occurrences.
    pub bytes: Bytes,
}

/// Why bytes are no message that can be merged field by field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Cut short or not protobuf.
    #[error("第{at}字节处不是有效的消息 (not a protobuf message at byte {at})")]
    Malformed {
        /// Offset of the field that can't be read.
        at: usize,
    },
    /// Over [`STORED_BYTES`].
    #[error("内容有{0}字节，最多{STORED_BYTES}字节 (a message of {0} bytes; the limit is {STORED_BYTES})")]
    TooLong(usize),
}

/// Splits a message into its fields, ascending by tag; occurrences of one tag are kept in their order.
///
/// # Errors
/// When the bytes are not a message, use the deprecated groups, or are too long.
pub fn split(message: &Bytes) -> Result<Vec<Field>, WireError> {
    if message.len() > STORED_BYTES {
        return Err(WireError::TooLong(message.len()));
    }
    let mut fields: Vec<Field> = Vec::with_capacity(16);
    let mut rest = message.as_ref();
    let mut start = 0;
    let mut open: Option<(u32, usize)> = None; // tag and start of the run being read
    while !rest.is_empty() {
        let at = start;
        let tag = skip_field(&mut rest).ok_or(WireError::Malformed { at })?;
        start = message.len() - rest.len();
        if fields.len() > STORED_FIELDS {
            return Err(WireError::Malformed { at });
        }
        match open {
            Some((current, _)) if current == tag => {}
            Some((current, from)) => {
                push_run(&mut fields, current, message.slice(from..at));
                open = Some((tag, at));
            }
            None => open = Some((tag, at)),
        }
    }
    if let Some((tag, from)) = open {
        push_run(&mut fields, tag, message.slice(from..));
    }
    Ok(fields)
}

/// Adds a run of one tag at its place; a tag seen before gets its occurrences appended.
fn push_run(fields: &mut Vec<Field>, tag: u32, bytes: Bytes) {
    // As every writer of messages has them: ascending.
    if fields.last().is_none_or(|last| last.tag < tag) {
        return fields.push(Field { tag, bytes });
    }
    match fields.binary_search_by_key(&tag, |field| field.tag) {
        Err(place) => fields.insert(place, Field { tag, bytes }),
        Ok(place) => {
            let mut joined = BytesMut::from(fields[place].bytes.as_ref());
            joined.extend_from_slice(&bytes);
            fields[place].bytes = joined.freeze();
        }
    }
}

/// Joins fields into a message; they must be ascending by tag.
pub fn join<'a>(fields: impl IntoIterator<Item = &'a Bytes>) -> Bytes {
    let mut message = BytesMut::with_capacity(256);
    for bytes in fields {
        message.extend_from_slice(bytes);
    }
    message.freeze()
}

/// Reads past one field and returns its tag.
fn skip_field(rest: &mut &[u8]) -> Option<u32> {
    let (tag, wire) = decode_key(rest).ok()?;
    match wire {
        WireType::Varint => {
            decode_varint(rest).ok()?;
        }
        WireType::SixtyFourBit => advance(rest, 8)?,
        WireType::ThirtyTwoBit => advance(rest, 4)?,
        WireType::LengthDelimited => {
            let length = decode_varint(rest).ok()?;
            advance(rest, usize::try_from(length).ok()?)?;
        }
        WireType::StartGroup | WireType::EndGroup => return None,
    }
    Some(tag)
}

fn advance(rest: &mut &[u8], count: usize) -> Option<()> {
    (rest.len() >= count).then(|| rest.advance(count))
}

/// One occurrence of a field, decoded as far as the wire says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw<'a> {
    /// A varint.
    Varint(u64),
    /// Length-delimited bytes.
    Bytes(&'a [u8]),
    /// Fixed 32 or 64 bits, which no register uses.
    Fixed,
}

/// The occurrences in a field's bytes. Bytes that come from [`split`] always read to the end.
pub fn occurrences(mut rest: &[u8]) -> impl Iterator<Item = Raw<'_>> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (_, wire) = decode_key(&mut rest).ok()?;
        match wire {
            WireType::Varint => decode_varint(&mut rest).ok().map(Raw::Varint),
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut rest).ok()?).ok()?;
                let (value, tail) = rest.split_at_checked(length)?;
                rest = tail;
                Some(Raw::Bytes(value))
            }
            WireType::SixtyFourBit => advance(&mut rest, 8).map(|()| Raw::Fixed),
            WireType::ThirtyTwoBit => advance(&mut rest, 4).map(|()| Raw::Fixed),
            WireType::StartGroup | WireType::EndGroup => None,
        }
    })
}

/// Appends a varint field.
pub fn put_varint(tag: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(tag, WireType::Varint, out);
    encode_varint(value, out);
}

/// Appends a length-delimited field.
pub fn put_bytes(tag: u32, value: &[u8], out: &mut Vec<u8>) {
    encode_key(tag, WireType::LengthDelimited, out);
    encode_varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

/// Protobuf's zigzag code of a signed number.
pub fn zigzag(value: i32) -> u64 {
    u64::from(((value << 1) ^ (value >> 31)) as u32)
}

/// The signed number of a zigzag code; none when it is wider than 32 bits.
pub fn unzigzag(code: u64) -> Option<i32> {
    let code = u32::try_from(code).ok()?;
    Some((code >> 1) as i32 ^ -((code & 1) as i32))
}
