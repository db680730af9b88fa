//! What the city signs (Ed25519): plans, locked months, task orders. Invariant: a signature names what it is of, so that
//! one of a plan is one of nothing else.

use ring::signature::{ED25519, UnparsedPublicKey};

/// What a signature is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A version of the plan.
    Plan,
    /// A locked month.
    Month,
    /// The list of tasks that the city has given.
    Orders,
}

impl Purpose {
    fn name(self) -> &'static [u8] {
        match self {
            Self::Plan => b"taizhang plan 1\0",
            Self::Month => b"taizhang month 1\0",
            Self::Orders => b"taizhang orders 1\0",
        }
    }

    /// The bytes that are signed for a text.
    pub fn to_sign(self, text: &[u8]) -> Vec<u8> {
        [self.name(), text].concat()
    }

    /// Whether a text was signed for this purpose with a key.
    pub fn is_signed(self, text: &[u8], key: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key).verify(&self.to_sign(text), signature).is_ok()
    }
}
