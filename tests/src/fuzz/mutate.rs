//! Mutations that know protobuf: a field is changed, dropped, doubled or moved, and every length around it stays right.
//! Invariant: a seed and an input make one mutation, always the same.

use rand::{RngExt, SeedableRng, rngs::StdRng};
use taizhang_proto::wire;

/// Deepest message in a message that is looked into.
const DEEPEST: usize = 8;

/// A field of a message: its tag and one occurrence.
#[derive(Clone)]
enum Piece {
    Number(u32, u64),
    Bytes(u32, Vec<u8>),
}

/// An input with some scratches; the first byte, which says how the rest is read, is scratched rarely.
pub fn mutated(data: &[u8], seed: u64) -> Vec<u8> {
    let mut random = StdRng::seed_from_u64(seed);
    let Some((first, rest)) = data.split_first() else { return vec![random.random()] };
    let first = if random.random_bool(0.1) { random.random() } else { *first };
    let mut rest = rest.to_vec();
    for _ in 0..random.random_range(1..4) {
        rest = if random.random_bool(0.7) { message(&rest, 0, &mut random) } else { bytes(&rest, &mut random) };
    }
    rest.insert(0, first);
    rest
}

fn pieces(message: &[u8]) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = message;
    while !rest.is_empty() {
        let (tag, kind) = prost::encoding::decode_key(&mut rest).ok()?;
        let number = match kind {
            prost::encoding::WireType::Varint | prost::encoding::WireType::LengthDelimited => {
                prost::encoding::decode_varint(&mut rest).ok()?
            }
            _ => return None,
        };
        if kind == prost::encoding::WireType::Varint {
            pieces.push(Piece::Number(tag, number));
            continue;
        }
        let (value, tail) = rest.split_at_checked(usize::try_from(number).ok()?)?;
        pieces.push(Piece::Bytes(tag, value.to_vec()));
        rest = tail;
    }
    Some(pieces)
}

fn joined(pieces: &[Piece]) -> Vec<u8> {
    let mut out = Vec::new();
    for piece in pieces {
        match piece {
            Piece::Number(tag, value) => wire::put_varint(*tag, *value, &mut out),
            Piece::Bytes(tag, value) => wire::put_bytes(*tag, value, &mut out),
        }
    }
    out
}

/// A message with one field changed, or bytes that are none with one scratch.
fn message(data: &[u8], depth: usize, random: &mut StdRng) -> Vec<u8> {
    let Some(mut all) = pieces(data).filter(|all| !all.is_empty() && depth < DEEPEST) else {
        return bytes(data, random);
    };
    let place = random.random_range(0..all.len());
    match random.random_range(0..10) {
        0 => drop(all.remove(place)),
        1 => all.insert(place, all[place].clone()),
        2 => {
            let other = random.random_range(0..all.len());
            all.swap(place, other);
        }
        3 => {
            let other = random.random_range(1..30);
            match &mut all[place] {
                Piece::Number(tag, _) | Piece::Bytes(tag, _) => *tag = other,
            }
        }
        _ => match &mut all[place] {
            Piece::Number(_, value) => *value = number(*value, random),
            Piece::Bytes(_, value) => *value = message(value, depth + 1, random),
        },
    }
    joined(&all)
}

fn number(value: u64, random: &mut StdRng) -> u64 {
    match random.random_range(0..9) {
        0 => 0,
        1 => u64::MAX,
        2 => value.wrapping_add(1),
        3 => value.wrapping_sub(1),
        4 => value ^ 1 << random.random_range(0..64),
        5 => i64::MAX as u64,
        6 => u64::from(u32::MAX),
        7 => random.random_range(0..300),
        _ => random.random(),
    }
}

fn bytes(data: &[u8], random: &mut StdRng) -> Vec<u8> {
    let mut data = data.to_vec();
    if data.is_empty() || random.random_bool(0.1) {
        data.extend((0..random.random_range(1..20)).map(|_| random.random::<u8>()));
        return data;
    }
    let place = random.random_range(0..data.len());
    match random.random_range(0..5) {
        0 => data.truncate(place),
        1 => drop(data.remove(place)),
        2 => data.insert(place, random.random()),
        3 => data[place] ^= 1 << random.random_range(0..8),
        _ => data[place] = random.random(),
    }
    data
}
