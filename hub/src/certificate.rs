//! What a certificate that a line has shown says of itself: how far its lifetime is over, and who signed it.
//! Invariant: lifetimes count by the hub's clock alone.

use taizhang_node::identity::lifetime;
use x509_parser::prelude::{FromDer, X509Certificate};

/// How a certificate stands that a line has shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is to be done.
    Good,
    /// It opens everything, and should be renewed.
    Due,
    /// It opens its own renewal and nothing else.
    Ended,
}

/// Whether two thirds of a lifetime are over.
pub(crate) fn is_past_two_thirds((from, to): (u64, u64), now: u64) -> bool {
    now > from + to.saturating_sub(from) / 3 * 2
}

/// How a certificate (DER) stands at `now`, while the authority of this number signs.
pub(crate) fn standing(certificate: &[u8], signing: u32, now: u64) -> Standing {
    let Some((from, to)) = lifetime(certificate) else { return Standing::Ended };
    if now > to {
        return Standing::Ended;
    }
    let of_former = issued_by(certificate) != signing;
    if of_former || is_past_two_thirds((from, to), now) { Standing::Due } else { Standing::Good }
}

/// Whether a child should renew the certificate that it shows (DER), while the authority of this number signs.
pub(crate) fn is_due(certificate: &[u8], signing: u32, now: u64) -> bool {
    !certificate.is_empty() && standing(certificate, signing, now) != Standing::Good
}

/// Which of a hub's authorities signed a certificate (DER), as its issuer's name says.
pub(crate) fn issued_by(certificate: &[u8]) -> u32 {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return 1 };
    let name = certificate.issuer().iter_common_name().next().and_then(|name| name.as_str().ok().map(str::to_owned));
    name.and_then(|name| name.split(' ').nth(2)?.parse().ok()).unwrap_or(1)
}
