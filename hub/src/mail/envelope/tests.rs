#![allow(clippy::unwrap_used)]

use super::*;
use crate::authority::Authority;
use rcgen::{CertificateParams, KeyPair};

const A: u64 = 210_402_000_000;
const B: u64 = 210_403_000_000;

fn unit(code: u64) -> OrgCode {
    OrgCode::new(code).unwrap()
}

/// A city's authority, as it stands on disk.
struct City(tempfile::TempDir, Authority);

impl City {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        Authority::init(dir.path(), unit(210_400_000_000), taizhang_node::ledger::system_clock()() / 1_000).unwrap();
        let authority = Authority::load(dir.path(), unit(210_400_000_000)).unwrap();
        Self(dir, authority)
    }

    /// A hub's envelopes and its certificate.
    fn enrol(&self, code: u64, hub: bool) -> (Envelopes, String) {
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::default().serialize_request(&key).unwrap().pem().unwrap();
        let kind = if hub { CertKind::Hub } else { CertKind::Node };
        let name = CertName { kind, unit: unit(code), id: "x".into() };
        let certificate = self.1.sign(&request, &name, taizhang_node::ledger::system_clock()() / 1_000).unwrap();
        let authority = std::fs::read_to_string(self.0.path().join("authority/ca.pem")).unwrap();
        (Envelopes::new(unit(code), &key.serialize_pem(), &authority).unwrap(), certificate)
    }
}

fn letter() -> pb::Letter {
    pb::Letter {
        id: vec![1; 16].into(),
        from: A,
        to: B,
        kind: pb::LetterKind::OfferOut.into(),
        transfer: vec![2; 16].into(),
        ..pb::Letter::default()
    }
}

#[test]
fn a_letter_opens_only_as_what_it_was_sealed_for() {
    let city = City::new();
    let ((from, from_pem), (to, to_pem)) = (city.enrol(A, true), city.enrol(B, true));
    let (from_key, to_key) = (to.check(unit(A), &from_pem).unwrap().key, from.check(unit(B), &to_pem).unwrap().key);
    let mut sealed = letter();
    sealed.sealed = from.seal(&sealed, &to_key, b"a person").unwrap().into();
    assert_eq!(to.open(&sealed, &from_key).unwrap(), b"a person");
    assert!(!sealed.sealed.windows(8).any(|place| place == b"a person"));

    let changes: [fn(&mut pb::Letter); 5] = [
        |letter| letter.from = B,
        |letter| letter.id = vec![3; 16].into(),
        |letter| letter.kind = pb::LetterKind::Released.into(),
        |letter| letter.transfer = vec![3; 16].into(),
        |letter| letter.sealed = letter.sealed.slice(..letter.sealed.len() - 1),
    ];
    for change in changes {
        let mut other = sealed.clone();
        change(&mut other);
        assert_eq!(to.open(&other, &from_key), Err(EnvelopeError::Sealed));
    }
    // The relay knows every public key, and still can't write in a neighbour's name.
    let (forger, _) = city.enrol(210_404_000_000, true);
    let mut forged = letter();
    let to_key = from.check(unit(B), &to_pem).unwrap().key;
    forged.sealed = Envelopes { unit: unit(A), ..forger }.seal(&forged, &to_key, b"a person").unwrap().into();
    assert_eq!(to.open(&forged, &from_key), Err(EnvelopeError::Sealed));
    assert!(from.open(&sealed, &from_key).is_err(), "somebody else opens it");
}

#[test]
fn only_a_hub_of_that_unit_under_the_own_authority_is_a_neighbour() {
    let city = City::new();
    let (own, pem) = city.enrol(A, true);
    assert!(own.check(unit(A), &pem).is_ok());
    assert!(own.check(unit(B), &pem).is_err(), "of another unit");
    assert!(own.check(unit(A), &city.enrol(A, false).1).is_err(), "an office");
    assert!(own.check(unit(A), &City::new().enrol(A, true).1).is_err(), "another authority");
    assert!(own.check(unit(A), "-----BEGIN").is_err());
    assert!(own.check(unit(A), &"x".repeat(MAX_CERTIFICATE + 1)).is_err());
}
