//! Digests that are maintained with every write, so proving two replicas equal never needs a scan.
//! Invariant: a scope's digest does not depend on the order of writes; adding and removing an item cancel out.

use crate::RecordId;

/// The sum mod 2^256 of the BLAKE3 hashes of a set's items.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ScopeDigest([u64; 4]);

impl ScopeDigest {
    /// Adds an item.
    pub fn add(&mut self, item: Item) {
        *self = self.plus(ScopeDigest(item.0));
    }

    /// Takes an item out again.
    pub fn remove(&mut self, item: Item) {
        let mut borrow = false;
        for (own, other) in self.0.iter_mut().zip(item.0) {
            let (value, under) = own.overflowing_sub(other);
            let (value, again) = value.overflowing_sub(u64::from(borrow));
            *own = value;
            borrow = under || again;
        }
    }

    /// The digest of two disjoint sets together; wraps at 2^256, so it also applies a difference.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let mut sum = [0; 4];
        let mut carry = false;
        for (index, place) in sum.iter_mut().enumerate() {
            let (value, over) = self.0[index].overflowing_add(other.0[index]);
            let (value, again) = value.overflowing_add(u64::from(carry));
            *place = value;
            carry = over || again;
        }
        Self(sum)
    }

    /// 32 bytes, least significant first.
    pub fn to_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (chunk, limb) in bytes.chunks_exact_mut(8).zip(self.0) {
            chunk.copy_from_slice(&limb.to_le_bytes());
        }
        bytes
    }

    /// The digest in these bytes; none when they are not 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        let bytes: [u8; 32] = bytes.try_into().ok()?;
        let mut limbs = [0; 4];
        for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks_exact(8)) {
            *limb = u64::from_le_bytes(chunk.try_into().ok()?);
        }
        Some(Self(limbs))
    }
}

/// The hash of one item of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item([u64; 4]);

impl Item {
    fn of(hasher: &blake3::Hasher) -> Self {
        let hash = hasher.finalize();
        Self(ScopeDigest::from_slice(hash.as_bytes()).unwrap_or_default().0)
    }

    /// A record: its id and canonical encoding, which holds field tags, revisions and values.
    pub fn record(id: RecordId, canonical: &[u8]) -> Self {
        Self::of(blake3::Hasher::new().update(&id.0).update(canonical))
    }

    /// A cell by its key and value.
    pub fn cell(key: &[u8], value: i64) -> Self {
        Self::of(blake3::Hasher::new().update(key).update(&value.to_le_bytes()))
    }
}

/// The chain digest of a replica's log: what it has said so far, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogDigest(pub [u8; 32]);

impl LogDigest {
    /// The digest after one more entry.
    #[must_use]
    pub fn then(self, entry: &[u8]) -> Self {
        Self(*blake3::Hasher::new().update(&self.0).update(entry).finalize().as_bytes())
    }

    /// The digest in these bytes; none when they are not 32.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}
