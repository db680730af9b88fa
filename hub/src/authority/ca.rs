//! The authority's keys on disk. `authority/` holds the one that signs (`ca.*`) with the server's certificate under it
//! (`server.*`); `authority/former/<number>/` those that children may still go by, without the key that signed.
//! Invariant: whatever moment a change of authority is cut at, the next start finds either the old one or finishes the new one;
//! an authority that a child goes by has a server's certificate that the child takes.

use super::{
    generation::{AuthorityError, FILES, Generation, read, read_generation},
    keys::Keys,
};
use crate::certificate::{self, Standing};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use taizhang_node::{
    disk::{self, DiskError, Secrecy},
    identity::{CertName, MAX_AUTHORITIES, authorities_digest, server_name},
};
use taizhang_proto::OrgCode;

/// How long certificates last, days.
const AUTHORITY_DAYS: i64 = 3_650;
pub(super) const CERTIFICATE_DAYS: i64 = 730;
/// A clock behind by this much still accepts a fresh certificate, days.
const BACKDATE_DAYS: i64 = 2;
/// The authority that is being made, until it is whole.
const NEXT: &str = "next";
/// Authorities that sign no more.
const FORMER: &str = "former";
/// The file with the secret under which the hub seals its own word: it must outlive the store.
const SEAL_SECRET: &str = "seal.key";

/// The hub's authority. Safe to share: a change of it is seen by every line from then on.
pub struct Authority {
    unit: OrgCode,
    dir: PathBuf,
    state: RwLock<Arc<State>>,
}

/// All that follows from the files.
pub(super) struct State {
    issuer: Issuer<'static, KeyPair>,
    /// The newest first, which signs.
    pub(super) generations: Vec<Generation>,
    pub(super) tls: Keys,
}

fn valid_for(params: &mut CertificateParams, days: i64, now: u64) {
    let now = time::OffsetDateTime::from_unix_timestamp(now as i64).unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    params.not_before = now - time::Duration::days(BACKDATE_DAYS);
    params.not_after = now + time::Duration::days(days);
}

/// Writes a new authority of a hub into a directory, whole or without its last file.
fn write_new(dir: &Path, unit: OrgCode, number: u32, now: u64) -> Result<(), AuthorityError> {
    disk::create_dir(dir)?;
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::default();
    let name = if number == 1 { format!("taizhang {unit}") } else { format!("taizhang {unit} {number}") };
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, AUTHORITY_DAYS, now);
    let certificate = params.self_signed(&key)?;
    let key_pem = key.serialize_pem();
    let issuer = Issuer::new(params, key);

    let server_key = KeyPair::generate()?;
    let mut server = CertificateParams::new(vec![server_name(unit, number)])?;
    server.distinguished_name.push(DnType::CommonName, format!("taizhang hub {unit}"));
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    valid_for(&mut server, AUTHORITY_DAYS, now);
    let server = server.signed_by(&server_key, &issuer)?;
    let contents = [server_key.serialize_pem(), server.pem(), key_pem, certificate.pem()];
    for ((name, secrecy), content) in FILES.into_iter().zip(contents) {
        disk::write_file(&dir.join(name), content.as_bytes(), secrecy)?;
    }
    Ok(())
}

/// Brings a new authority that is whole into its place; the one before it becomes a former one.
fn finish_change(dir: &Path) -> Result<(), AuthorityError> {
    let next = dir.join(NEXT);
    if !next.exists() {
        return Ok(());
    }
    if next.join("ca.pem").exists() {
        let coming = read_generation(&next)?;
        let former = dir.join(FORMER).join((coming.number.saturating_sub(1)).to_string());
        // Once it is whole there, the files beside it may be of either.
        if !former.join("ca.pem").exists() {
            disk::create_dir(&former)?;
            for (name, secrecy) in FILES.into_iter().filter(|(name, _)| *name != "ca.key") {
                disk::write_file(&former.join(name), read(dir, name)?.as_bytes(), secrecy)?;
            }
        }
        for (name, secrecy) in FILES {
            disk::write_file(&dir.join(name), read(&next, name)?.as_bytes(), secrecy)?;
        }
    }
    std::fs::remove_dir_all(&next).map_err(|error| DiskError::new("remove", &next, error).into())
}

fn read_state(dir: &Path) -> Result<State, AuthorityError> {
    finish_change(dir)?;
    let newest = read_generation(dir)?;
    let issuer = Issuer::from_ca_cert_pem(&newest.pem, KeyPair::from_pem(&read(dir, "ca.key")?)?)?;
    let mut generations = Vec::new();
    for entry in std::fs::read_dir(dir.join(FORMER)).into_iter().flatten().flatten() {
        if entry.path().join("ca.pem").exists() {
            generations.push(read_generation(&entry.path())?);
        }
    }
    generations.retain(|former| former.number != newest.number);
    generations.sort_by_key(|former| std::cmp::Reverse(former.number));
    generations.insert(0, newest);
    let tls = Keys::of(&generations)?;
    Ok(State { issuer, generations, tls })
}

impl Authority {
    /// Makes the authority of a hub at `now`, seconds since 1970.
    ///
    /// # Errors
    /// When there is one already, or the disk fails.
    pub fn init(data: &Path, unit: OrgCode, now: u64) -> Result<(), AuthorityError> {
        let dir = data.join("authority");
        if dir.join("ca.pem").exists() {
            return Err(AuthorityError::Exists(dir));
        }
        write_new(&dir, unit, 1, now)
    }

    /// Reads the authority in a data directory.
    ///
    /// # Errors
    /// When `init` has not been run, or the files can't be read.
    pub fn load(data: &Path, unit: OrgCode) -> Result<Self, AuthorityError> {
        let dir = data.join("authority");
        let state = RwLock::new(Arc::new(read_state(&dir)?));
        Ok(Self { unit, dir, state })
    }

    pub(super) fn state(&self) -> Arc<State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The authority that signs.
    pub fn newest(&self) -> Generation {
        self.generations().swap_remove(0)
    }

    /// All that children may go by, the newest first.
    pub fn generations(&self) -> Vec<Generation> {
        self.state().generations.clone()
    }

    /// Their certificates, PEM, the newest first.
    pub fn listed(&self) -> String {
        self.state().generations.iter().map(|one| one.pem.as_str()).collect()
    }

    /// Which authority signs, and the short digest of all that children may go by.
    pub fn in_force(&self) -> (u32, [u8; 8]) {
        (self.newest().number, authorities_digest(&self.listed()))
    }

    /// Whether two thirds of the time of the one that signs are over.
    pub fn is_due(&self, now: u64) -> bool {
        certificate::is_past_two_thirds(self.newest().lifetime, now)
    }

    /// Makes a new authority, which signs from now on. Children go on by the one before until each has renewed its certificate.
    ///
    /// # Errors
    /// When the disk fails; then the old one stands, or the new one from the next start on.
    pub fn rotate(&self, now: u64) -> Result<u32, AuthorityError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.generations.len() >= MAX_AUTHORITIES {
            return Err(AuthorityError::TooMany);
        }
        // What an earlier try left is finished or removed before anything is written over it.
        finish_change(&self.dir)?;
        let number = read_generation(&self.dir)?.number + 1;
        write_new(&self.dir.join(NEXT), self.unit, number, now)?;
        *state = Arc::new(read_state(&self.dir)?);
        Ok(number)
    }

    /// Lets go of a former authority: nobody who goes by it alone gets in any more.
    ///
    /// # Errors
    /// When it is no former one, or the disk fails.
    pub fn drop_former(&self, number: u32) -> Result<(), AuthorityError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if !state.generations.iter().skip(1).any(|former| former.number == number) {
            return Err(AuthorityError::NotFormer(number));
        }
        let dir = self.dir.join(FORMER).join(number.to_string());
        disk::remove(&dir.join("ca.pem"))?; // without it the rest is none
        std::fs::remove_dir_all(&dir).map_err(|error| DiskError::new("remove", &dir, error))?;
        *state = Arc::new(read_state(&self.dir)?);
        Ok(())
    }

    /// How a certificate stands (DER), which a line of this hub has shown.
    pub fn standing(&self, certificate: &[u8], now: u64) -> Standing {
        certificate::standing(certificate, self.newest().number, now)
    }

    /// The secret under which this hub seals its own word; none before its first start.
    ///
    /// # Errors
    /// When the disk fails, or the file has not 32 bytes.
    pub fn seal_secret(&self) -> Result<Option<[u8; 32]>, AuthorityError> {
        let path = self.dir.join(SEAL_SECRET);
        match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(DiskError::new("read", &path, error).into()),
            Ok(bytes) => bytes.try_into().map(Some).map_err(|_| AuthorityError::SealSecret(path)),
        }
    }

    /// Where the roll of retirements and used tokens is kept besides the store.
    pub fn roll_file(&self) -> PathBuf {
        self.dir.join("roll")
    }

    /// Where the tree of units is kept besides the store.
    pub fn units_file(&self) -> PathBuf {
        self.dir.join("units")
    }

    /// Keeps that secret outside the store, where it is not kept yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn keep_seal_secret(&self, secret: &[u8; 32]) -> Result<(), AuthorityError> {
        let path = self.dir.join(SEAL_SECRET);
        if !path.exists() {
            disk::write_file(&path, secret, Secrecy::OwnerOnly)?;
        }
        Ok(())
    }

    /// Signs a child's request at `now`, seconds since 1970.
    pub(crate) fn sign(&self, request: &str, name: &CertName, now: u64) -> Result<String, rcgen::Error> {
        let asked = CertificateSigningRequestParams::from_pem(request)?;
        // Only the key of the request is used; every name comes from the token.
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("taizhang {}", name.unit));
        params.subject_alt_names = vec![SanType::URI(name.to_string().try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, CERTIFICATE_DAYS, now);
        Ok(params.signed_by(&asked.public_key, &self.state().issuer)?.pem())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use taizhang_node::identity::ders;

    const NOW: u64 = 1_790_000_000;

    fn made(dir: &Path) -> Authority {
        let unit = OrgCode::new(210_402_000_000).unwrap();
        if !dir.join("authority").exists() {
            Authority::init(dir, unit, NOW).unwrap();
        }
        Authority::load(dir, unit).unwrap()
    }

    fn numbers(authority: &Authority) -> Vec<u32> {
        authority.generations().iter().map(|one| one.number).collect()
    }

    #[test]
    fn a_new_authority_signs_and_the_one_before_is_gone_by_until_it_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let authority = made(dir.path());
        let first = authority.in_force();
        assert!(!authority.is_due(NOW + 2_400 * 86_400) && authority.is_due(NOW + 2_440 * 86_400));
        assert_eq!(authority.rotate(NOW).unwrap(), 2);
        assert_eq!(authority.rotate(NOW).unwrap(), 3);
        assert_eq!(numbers(&authority), [3, 2, 1]);
        assert_eq!(ders(&authority.listed()).len(), 3);
        assert_ne!(authority.in_force(), first);
        assert!(!dir.path().join("authority/former/1/ca.key").exists(), "what signs no more is not kept");
        assert!(matches!(authority.drop_former(3), Err(AuthorityError::NotFormer(3))));
        authority.drop_former(2).unwrap();
        assert_eq!(numbers(&authority), [3, 1]);
        assert_eq!(numbers(&made(dir.path())), [3, 1], "on disk, too");
    }

    #[test]
    fn a_change_that_was_cut_is_finished_or_was_none() {
        let dir = tempfile::tempdir().unwrap();
        let authority = made(dir.path());
        let own = dir.path().join("authority");
        // Cut before it was whole: it was none.
        write_new(&own.join(NEXT), authority.unit, 2, NOW).unwrap();
        std::fs::remove_file(own.join(NEXT).join("ca.pem")).unwrap();
        assert_eq!(numbers(&made(dir.path())), [1]);
        assert!(!own.join(NEXT).exists());
        // Cut after each file on the way into its place.
        for files in 0..=FILES.len() {
            let before = numbers(&made(dir.path()));
            let number = before[0] + 1;
            write_new(&own.join(NEXT), authority.unit, number, NOW).unwrap();
            let former = own.join(FORMER).join(before[0].to_string());
            disk::create_dir(&former).unwrap();
            for (name, secrecy) in FILES.into_iter().filter(|(name, _)| *name != "ca.key") {
                disk::write_file(&former.join(name), read(&own, name).unwrap().as_bytes(), secrecy).unwrap();
            }
            for (name, secrecy) in FILES.into_iter().take(files) {
                disk::write_file(&own.join(name), read(&own.join(NEXT), name).unwrap().as_bytes(), secrecy).unwrap();
            }
            let after = made(dir.path());
            assert_eq!(numbers(&after)[..2], [number, number - 1], "cut after {files} files");
            assert_eq!(numbers(&after).len(), before.len() + 1);
        }
    }
}
