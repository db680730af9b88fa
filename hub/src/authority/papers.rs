//! When a child's papers are to be renewed. Invariant: lifetimes count by the hub's clock alone.

use super::ca::CERTIFICATE_DAYS;
use crate::{
    rows::{self, NodeRow},
    state::{Core, access::still_welcome, readers},
    store::{Space, StoreError},
    totals::children,
};
use rcgen::{CertificateSigningRequestParams, PublicKeyData};
use taizhang_node::identity::{CertName, lifetime};
use taizhang_proto::OrgCode;
use tonic::Status;
use x509_parser::prelude::{FromDer, X509Certificate};

/// Whether a hub has heard of the holder of a certificate and has not retired it.
pub(super) fn is_known(core: &Core, name: &CertName) -> Result<bool, Status> {
    let failed = |error: StoreError| Status::unavailable(error.to_string());
    still_welcome(core, &name.id)?;
    let view = core.view();
    let row: Option<NodeRow> = rows::read(view.as_ref(), Space::Nodes, name.id.as_bytes()).map_err(failed)?;
    Ok(row.is_some() || readers::read(view.as_ref(), &name.id).map_err(failed)?.is_some())
}

/// Who still goes by an authority of this number alone, as far as they were heard: serving children and readers, each by its unit
/// or name and its id.
pub(crate) fn goes_by(core: &Core, number: u32) -> Result<Vec<String>, StoreError> {
    // One whose papers are not known has been away since before they were kept.
    let so = |generation: u32| generation == number || (generation == 0 && number == 1);
    let tree = core.tree();
    let unit = |code: u64| OrgCode::new(code).map(|unit| tree.name(unit)).unwrap_or_default();
    let rows = children(core.view().as_ref())?;
    let rows = rows.into_iter().filter(|row| row.retired == 0 && so(row.generation));
    let readers = readers::all(core)?;
    let readers = readers.into_iter().filter(|reader| reader.retired == 0 && so(reader.generation));
    let named = rows.map(|row| format!("{} {}", unit(row.unit), row.id));
    Ok(named.chain(readers.map(|reader| format!("{} {}", reader.name, reader.id))).collect())
}

/// Seconds within which a certificate is not renewed twice: a lost answer is asked for again after that.
const RENEWAL_PAUSE: u64 = 600;

/// Whether this child or reader was given a newer certificate than it shows a moment ago.
pub(super) fn was_renewed_just_now(core: &Core, id: &str, shown: &[u8]) -> Result<bool, Status> {
    let failed = |error: StoreError| Status::unavailable(error.to_string());
    let view = core.view();
    let row: Option<NodeRow> = rows::read(view.as_ref(), Space::Nodes, id.as_bytes()).map_err(failed)?;
    let reader = readers::read(view.as_ref(), id).map_err(failed)?;
    let ends = row.map(|row| row.ends).or(reader.map(|reader| reader.ends)).unwrap_or(0);
    let is_newer = lifetime(shown).is_none_or(|(_, to)| ends > to);
    Ok(is_newer && ends > core.now() + (CERTIFICATE_DAYS as u64 * 86_400).saturating_sub(RENEWAL_PAUSE))
}

/// The fingerprint of the key in a certificate request: its signature differs from try to try.
#[allow(clippy::result_large_err)] // tonic's own error type
pub(super) fn key_asked(csr: &str) -> Result<Vec<u8>, Status> {
    let request = CertificateSigningRequestParams::from_pem(csr)
        .map_err(|_| Status::invalid_argument("证书请求无法读取 (the certificate request can't be read)"))?;
    Ok(blake3::hash(request.public_key.der_bytes()).as_bytes().to_vec())
}

/// The same of the key in a certificate, DER.
#[allow(clippy::result_large_err)]
pub(super) fn key_in(certificate: &[u8]) -> Result<Vec<u8>, Status> {
    let (_, certificate) = X509Certificate::from_der(certificate)
        .map_err(|_| Status::invalid_argument("证书无法读取 (the certificate can't be read)"))?;
    Ok(blake3::hash(&certificate.public_key().subject_public_key.data).as_bytes().to_vec())
}
