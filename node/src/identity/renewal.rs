//! Papers are renewed over the line that they open: a certificate at two thirds of its time, the list of authorities when the hub
//! goes by others. When that is due is the hub's to say ([`Welcome.renew`](pb::Welcome)).
//! Invariant: the key stays; what the hub answers is kept only where it names whom the old certificate named, for this key.

use super::{CertName, FORMER, Identity, IdentityError, Papers, ders, lifetime, name_in, pem};
use crate::disk::{self, Secrecy};
use rcgen::{CertificateParams, KeyPair, PublicKeyData};
use std::sync::PoisonError;
use taizhang_proto::{
    date,
    pb::{self, enrolment_client::EnrolmentClient},
};
use tonic::transport::Channel;
use x509_parser::prelude::{FromDer, X509Certificate};

/// From how many days before its end on a certificate's end is warned of.
pub const WARN_DAYS: u64 = 60;
/// Most authorities that a hub may go by at a time.
pub const MAX_AUTHORITIES: usize = 8;
/// Longest certificate or list of authorities, bytes.
const MAX_PAPER: usize = 64 * 1024;

/// When a certificate ends, for people: the day, and from [`WARN_DAYS`] before it on what to make of it. `now` and `ends` are
/// seconds since 1970.
pub fn ends_words(ends: u64, now: u64) -> String {
    if ends == 0 {
        return "不详 (unknown)".into();
    }
    let day = date::iso(date::shanghai(ends.saturating_mul(1_000)));
    match ends.checked_sub(now) {
        None => format!("{day}，已到期，下次连接上级时自动更新 (ended: renewed when the hub is reached next)"),
        Some(left) if left <= WARN_DAYS * 86_400 => {
            format!("{day}，还有 {} 天，连接上级时自动更新 (days left: renewed when the hub is reached)", left / 86_400)
        }
        Some(_) => day,
    }
}

impl Identity {
    /// When its certificate ends, seconds since 1970; 0 where that can't be read.
    pub fn ends(&self) -> u64 {
        let certificate = ders(&self.papers().certificate).into_iter().next().unwrap_or_default();
        lifetime(&certificate).map_or(0, |(_, to)| to)
    }

    /// Whether its certificate is past two thirds of its time by this computer's own clock: for who holds no sessions, in which
    /// the hub would say so.
    pub fn seems_due(&self) -> bool {
        let now = jiff::Timestamp::now().as_second().max(0) as u64;
        let certificate = ders(&self.papers().certificate).into_iter().next().unwrap_or_default();
        lifetime(&certificate).is_some_and(|(from, to)| now > from + to.saturating_sub(from) / 3 * 2)
    }

    /// Asks the hub for what it has to renew, and keeps it. True where something new came.
    ///
    /// # Errors
    /// When the hub does not answer or refuses, or answers with what is not for this computer; then the old papers stand.
    pub async fn renew(&self, channel: Channel) -> Result<bool, IdentityError> {
        let keys = |error: rcgen::Error| IdentityError::Keys(error.to_string());
        let key = KeyPair::from_pem(&self.key).map_err(keys)?;
        let csr = CertificateParams::default().serialize_request(&key).and_then(|csr| csr.pem()).map_err(keys)?;
        let mut hub = EnrolmentClient::new(channel);
        let answer = self
            .in_time(hub.renew(pb::RenewRequest { csr }))
            .await?
            .map_err(|status| IdentityError::Refused(status.message().to_owned()))?
            .into_inner();
        let old = self.papers();
        let certificate = match answer.certificate.as_str() {
            "" => old.certificate.clone(),
            renewed => self.checked(renewed, key.der_bytes())?,
        };
        let authorities = authorities(&answer.authority)?;
        if certificate == old.certificate && authorities == old.authorities {
            return Ok(false);
        }
        // The authorities first: the old certificate is good under the longer list, too.
        disk::write_file(&self.dir.join("authority.pem"), authorities.as_bytes(), Secrecy::Plain)?;
        let another = issuer(&certificate) != issuer(&old.certificate);
        let former = if another { Some(old.certificate) } else { old.former };
        if let (Some(former), true) = (&former, another) {
            disk::write_file(&self.dir.join(FORMER), former.as_bytes(), Secrecy::Plain)?;
        }
        disk::write_file(&self.dir.join("certificate.pem"), certificate.as_bytes(), Secrecy::Plain)?;
        *self.papers.write().unwrap_or_else(PoisonError::into_inner) = Papers { certificate, former, authorities };
        tracing::info!(ends = %ends_words(self.ends(), 0), "the certificate was renewed");
        Ok(true)
    }

    /// A renewed certificate, if it says what the old one said, of the own key.
    fn checked(&self, renewed: &str, key: &[u8]) -> Result<String, IdentityError> {
        let der = ders(renewed).into_iter().next().filter(|_| renewed.len() <= MAX_PAPER);
        let der = der.ok_or(IdentityError::Certificate)?;
        let CertName { kind, id, .. } = name_in(&der)?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|_| IdentityError::Certificate)?;
        let is_own = certificate.public_key().subject_public_key.data.as_ref() == key;
        if kind != self.name.kind || id != self.name.id || !is_own {
            return Err(IdentityError::Certificate);
        }
        Ok(renewed.to_owned())
    }
}

/// The name of the authority that gave a certificate, as it is encoded.
fn issuer(certificate: &str) -> Option<Vec<u8>> {
    let der = ders(certificate).into_iter().next()?;
    let (_, certificate) = X509Certificate::from_der(&der).ok()?;
    Some(certificate.issuer().as_raw().to_vec())
}

/// A list of authorities as it is kept: certificates and nothing else.
fn authorities(listed: &str) -> Result<String, IdentityError> {
    let ders = ders(listed);
    if listed.len() > MAX_PAPER || ders.is_empty() || ders.len() > MAX_AUTHORITIES {
        return Err(IdentityError::Certificate);
    }
    let is_authority = |der: &Vec<u8>| X509Certificate::from_der(der).is_ok_and(|(_, one)| one.is_ca());
    if !ders.iter().all(is_authority) {
        return Err(IdentityError::Certificate);
    }
    Ok(ders.iter().map(|der| pem("CERTIFICATE", der)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_warned_of_from_sixty_days_on() {
        let day = 86_400;
        assert_eq!(ends_words(1_000 * day, 0), "1972-09-27");
        assert!(ends_words(1_000 * day, 945 * day).contains("还有 55 天"));
        assert!(ends_words(1_000 * day, 1_001 * day).contains("已到期"));
    }
}
