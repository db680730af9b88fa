//! Envelopes: HPKE (RFC 9180) from one hub to another, sealed to the key in the receiver's certificate and
//! authenticated with the sender's own (mode Auth), so the parent that relays them can neither read nor forge them.
//! Invariant: an envelope opens only as what it was sealed for: sender, receiver, kind, letter and transfer are bound.

use hpke::{
    Deserializable, Kem as _, OpModeR, OpModeS, Serializable, aead::AesGcm256, kdf::HkdfSha256, kem::DhP256HkdfSha256,
};
use p256::pkcs8::DecodePrivateKey;
use taizhang_node::identity::{CertKind, CertName, Identity, ders, name_in};
use taizhang_proto::{OrgCode, pb};
use x509_parser::prelude::{FromDer, X509Certificate};

type Kem = DhP256HkdfSha256;

/// Largest sealed text, bytes.
pub const MAX_SEALED: usize = 2 * 1024 * 1024 + 64 * 1024;
/// Longest certificate, bytes of PEM.
pub const MAX_CERTIFICATE: usize = 16 * 1024;
/// Bytes of an encapsulated key of P-256.
const ENCAPPED: usize = 65;
/// What these envelopes are for; another use of the same keys can't be taken for one.
const INFO: &[u8] = b"taizhang letter v1";

/// Why an envelope can't be made or opened. Says nothing of what is in it.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnvelopeError {
    /// The own key or the own authority can't be read.
    #[error("本机的密钥或上级证书无法读取 (the own key or the authority can't be read)")]
    Own,
    /// A certificate that the authority did not give to a hub of that unit, or that is not valid now.
    #[error("对方县区的证书无效 (the neighbour's certificate is not valid): {0}")]
    Certificate(&'static str),
    /// Not sealed for this, by that sender.
    #[error("信件无法拆封 (the letter can't be opened)")]
    Sealed,
}

/// A neighbour's certificate that has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The public key, an uncompressed point of P-256.
    pub key: Vec<u8>,
    /// Valid from, seconds since 1970.
    pub from: i64,
}

/// A hub's way to seal and open.
pub struct Envelopes {
    unit: OrgCode,
    key: <Kem as hpke::Kem>::PrivateKey,
    authorities: Authorities,
}

/// Whose certificates a neighbour may have.
enum Authorities {
    /// Those that the parent goes by now: they change while the hub runs.
    Of(Identity),
    /// Given once, DER.
    Given(Vec<Vec<u8>>),
}

impl std::fmt::Debug for Envelopes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Whatever prints this must not print the key.
        f.debug_struct("Envelopes").field("unit", &self.unit).finish_non_exhaustive()
    }
}

fn der(pem: &str) -> Option<Vec<u8>> {
    x509_parser::pem::parse_x509_pem(pem.as_bytes()).ok().map(|(_, pem)| pem.contents)
}

impl Envelopes {
    /// With the identity that the hub has at its parent.
    ///
    /// # Errors
    /// When its key is not of P-256, or the authority's certificate can't be read.
    pub fn of(identity: &Identity) -> Result<Self, EnvelopeError> {
        let own = Self::new(identity.name.unit, identity.key_pem(), &identity.authorities_pem())?;
        Ok(Self { authorities: Authorities::Of(identity.clone()), ..own })
    }

    /// With a private key (PKCS#8) and the authorities' certificates, both PEM.
    ///
    /// # Errors
    /// As [`Envelopes::of`].
    pub fn new(unit: OrgCode, key: &str, authority: &str) -> Result<Self, EnvelopeError> {
        // The PEM armour of a key is that of a certificate with another label.
        let key = p256::SecretKey::from_pkcs8_der(&der(key).ok_or(EnvelopeError::Own)?);
        let key = key.map_err(|_| EnvelopeError::Own)?;
        let key = <Kem as hpke::Kem>::PrivateKey::from_bytes(&key.to_bytes()).map_err(|_| EnvelopeError::Own)?;
        let given = ders(authority);
        if given.is_empty() {
            return Err(EnvelopeError::Own);
        }
        Ok(Self { unit, key, authorities: Authorities::Given(given) })
    }

    fn authorities(&self) -> Vec<Vec<u8>> {
        match &self.authorities {
            Authorities::Of(identity) => ders(&identity.authorities_pem()),
            Authorities::Given(given) => given.clone(),
        }
    }

    /// Checks a neighbour's certificate: given by an authority that the parent goes by, to a hub of that unit.
    ///
    /// # Errors
    /// Says which of these does not hold.
    pub fn check(&self, unit: OrgCode, certificate: &str) -> Result<Checked, EnvelopeError> {
        let wrong = EnvelopeError::Certificate;
        if certificate.len() > MAX_CERTIFICATE {
            return Err(wrong("too long"));
        }
        let own = der(certificate).ok_or(wrong("not PEM"))?;
        let (_, given) = X509Certificate::from_der(&own).map_err(|_| wrong("not X.509"))?;
        let signed = |authority: &Vec<u8>| {
            X509Certificate::from_der(authority)
                .is_ok_and(|(_, authority)| given.verify_signature(Some(authority.public_key())).is_ok())
        };
        if !self.authorities().iter().any(signed) {
            return Err(wrong("of another authority"));
        }
        let names_it = |name: CertName| name.kind == CertKind::Hub && name.unit == unit;
        if !name_in(&own).is_ok_and(names_it) {
            return Err(wrong("not of a hub of that unit"));
        }
        // Whether its time is over is the parent's to say, by its own clock: it relays no letter of one that has ended.
        let from = given.validity().not_before.timestamp();
        let key = given.public_key().subject_public_key.data.to_vec();
        read_key(&key).map_err(|_| wrong("its key is not of P-256"))?;
        Ok(Checked { key, from })
    }

    /// Seals a text for a letter that this hub sends, to a neighbour's key.
    ///
    /// # Errors
    /// When the key is none.
    pub fn seal(&self, letter: &pb::Letter, to: &[u8], text: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        let mode = OpModeS::Auth((self.key.clone(), Kem::sk_to_pk(&self.key)));
        let bound = bound(self.unit.number(), letter.to, letter);
        let (key, sealed) =
            hpke::single_shot_seal::<AesGcm256, HkdfSha256, Kem>(&mode, &read_key(to)?, INFO, text, &bound)
                .map_err(|_| EnvelopeError::Sealed)?;
        let mut whole = key.to_bytes().to_vec();
        whole.extend_from_slice(&sealed);
        Ok(whole)
    }

    /// Opens a letter to this hub from the neighbour with this key.
    ///
    /// # Errors
    /// When it was not sealed by that neighbour, for this hub, as this letter.
    pub fn open(&self, letter: &pb::Letter, from: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
        if letter.sealed.len() > MAX_SEALED {
            return Err(EnvelopeError::Sealed);
        }
        let (key, sealed) = letter.sealed.split_at_checked(ENCAPPED).ok_or(EnvelopeError::Sealed)?;
        let key = <Kem as hpke::Kem>::EncappedKey::from_bytes(key).map_err(|_| EnvelopeError::Sealed)?;
        let mode = OpModeR::Auth(read_key(from)?);
        let bound = bound(letter.from, self.unit.number(), letter);
        hpke::single_shot_open::<AesGcm256, HkdfSha256, Kem>(&mode, &self.key, &key, INFO, sealed, &bound)
            .map_err(|_| EnvelopeError::Sealed)
    }
}

fn read_key(bytes: &[u8]) -> Result<<Kem as hpke::Kem>::PublicKey, EnvelopeError> {
    <Kem as hpke::Kem>::PublicKey::from_bytes(bytes).map_err(|_| EnvelopeError::Sealed)
}

/// What an envelope is bound to: each part has its own length or comes last, so no two letters bind to the same bytes.
fn bound(from: u64, to: u64, letter: &pb::Letter) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(64);
    bytes.extend_from_slice(&from.to_be_bytes());
    bytes.extend_from_slice(&to.to_be_bytes());
    bytes.extend_from_slice(&letter.kind.to_be_bytes());
    bytes.extend_from_slice(&(letter.id.len() as u32).to_be_bytes());
    bytes.extend_from_slice(&letter.id);
    bytes.extend_from_slice(&letter.transfer);
    bytes
}

#[cfg(test)]
#[path = "envelope/tests.rs"]
mod tests;
