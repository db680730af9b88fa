//! Inputs: bytes as messages, or as a script.
//! Invariant: any bytes are an input; what can't be read is left out, so a scratch in one message leaves the others.

use arbitrary::{Arbitrary, Result, Unstructured};
use bytes::Bytes;
use prost::Message;
use taizhang_proto::pb::{self, up};

/// How the bytes after the first are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A list of messages as they travel.
    Messages,
    /// A script.
    Script,
}

impl Mode {
    /// The mode that an input names, and the rest of it.
    pub fn of(data: &[u8]) -> Option<(Self, &[u8])> {
        let (first, rest) = data.split_first()?;
        Some((if *first < 128 { Self::Messages } else { Self::Script }, rest))
    }

    /// The first byte of inputs of this mode.
    pub fn byte(self) -> u8 {
        match self {
            Self::Messages => 0,
            Self::Script => 128,
        }
    }
}

/// Longest list of messages that is played.
const MAX_MESSAGES: usize = 64;

/// Messages as an input: one protobuf list, so that a mutation of it that knows protobuf reaches every field.
pub fn write<M: Message>(messages: &[M]) -> Vec<u8> {
    let list = pb::ChangeList { changes: messages.iter().map(|message| message.encode_to_vec().into()).collect() };
    let mut data = vec![Mode::Messages.byte()];
    data.extend(list.encode_to_vec());
    data
}

/// The messages of such an input.
pub fn read<M: Message + Default>(data: &[u8]) -> Vec<M> {
    let list = pb::ChangeList::decode(data).unwrap_or_default();
    list.changes.into_iter().take(MAX_MESSAGES).filter_map(|message| M::decode(message).ok()).collect()
}

/// Packs what a message has unpacked: in an input a batch that says it has no size is not packed, so that a mutation
/// reaches what is in it.
pub fn packed(mut message: pb::Up) -> pb::Up {
    if let Some(up::It::Push(push)) = &mut message.it
        && push.raw_len == 0
    {
        for list in [&mut push.changes, &mut push.cells] {
            push.raw_len = push.raw_len.max(list.len() as u32);
            *list = taizhang_node::upstream::compress(list).unwrap_or_default();
        }
    }
    message
}

/// The opposite, for seeds.
pub fn unpacked(mut message: pb::Up) -> pb::Up {
    if let Some(up::It::Push(push)) = &mut message.it {
        for list in [&mut push.changes, &mut push.cells] {
            *list = taizhang_node::upstream::decompress(list, push.raw_len).unwrap_or_default();
        }
        push.raw_len = 0;
    }
    message
}

/// A number as liars choose it: small, or at an edge.
///
/// # Errors
/// When the script ends.
pub fn number(script: &mut Unstructured<'_>) -> Result<u64> {
    Ok(match u8::arbitrary(script)? % 12 {
        0 | 1 => 0,
        2 | 3 => 1,
        4..7 => u64::from(u8::arbitrary(script)?),
        7 => u64::from(u32::arbitrary(script)?),
        8 => u64::MAX - u64::from(u8::arbitrary(script)? % 4),
        9 => i64::MAX as u64 + u64::from(u8::arbitrary(script)? % 4),
        10 => 1 << (u8::arbitrary(script)? % 64),
        _ => u64::arbitrary(script)?,
    })
}

/// Whether something happens that does so once in so many times.
///
/// # Errors
/// When the script ends.
pub fn rarely(script: &mut Unstructured<'_>, of: u8) -> Result<bool> {
    Ok(u8::arbitrary(script)? % of == of - 1)
}

/// Some bytes of the script.
///
/// # Errors
/// When the script ends.
pub fn bytes(script: &mut Unstructured<'_>, most: usize) -> Result<Bytes> {
    let length = script.int_in_range(0..=most)?.min(script.len());
    Ok(Bytes::copy_from_slice(script.bytes(length)?))
}
