//! What the districts' hubs seal and open letters with: one authority and one key each, the same for every seed.

use super::world::HUBS;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use std::sync::OnceLock;
use taizhang_hub::mail::envelope::Envelopes;
use taizhang_node::identity::{CertKind, CertName};
use taizhang_proto::OrgCode;

/// The papers of one hub.
struct Papers {
    unit: OrgCode,
    key: String,
    certificate: String,
}

/// Everybody's, and the authority's certificate.
struct Cabinet {
    authority: String,
    papers: Vec<Papers>,
}

static CABINET: OnceLock<Result<Cabinet, String>> = OnceLock::new();

fn params() -> CertificateParams {
    let mut params = CertificateParams::default();
    // Clocks of the simulation are years off.
    params.not_before = rcgen::date_time_ymd(2000, 1, 1);
    params.not_after = rcgen::date_time_ymd(2099, 1, 1);
    params
}

fn make() -> Result<Cabinet, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut authority = params();
    authority.distinguished_name.push(DnType::CommonName, "taizhang");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = authority.self_signed(&key)?.pem();
    let issuer = Issuer::new(authority, key);
    let mut papers = Vec::new();
    for (name, unit) in HUBS {
        let Ok(unit) = OrgCode::new(unit) else { continue };
        let key = KeyPair::generate()?;
        let mut own = params();
        let name = CertName { kind: CertKind::Hub, unit, id: name.to_owned() };
        own.subject_alt_names = vec![SanType::URI(name.to_string().try_into()?)];
        let certificate = own.signed_by(&key, &issuer)?.pem();
        papers.push(Papers { unit, key: key.serialize_pem(), certificate });
    }
    Ok(Cabinet { authority: certificate, papers })
}

/// A hub's way to seal and open, and its certificate, PEM. All hubs are made with the first call.
///
/// # Errors
/// When a key can't be made, or the hub is none of them.
pub(crate) fn of(unit: OrgCode) -> Result<(Envelopes, String), String> {
    let cabinet = CABINET.get_or_init(|| make().map_err(|error| error.to_string())).as_ref()?;
    let own = cabinet.papers.iter().find(|papers| papers.unit == unit).ok_or("a hub without papers")?;
    let envelopes = Envelopes::new(unit, &own.key, &cabinet.authority).map_err(|error| error.to_string())?;
    Ok((envelopes, own.certificate.clone()))
}
