//! Why there is no line, in the clerk's words and with what to do.
//! Invariant: what is said follows from what was met on the wire, not from the text of somebody's error.

use std::{
    error::Error,
    fmt,
    io::{self, ErrorKind as Kind},
};
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

/// A name that nobody knows: no line to whoever knows names, or a wrong address.
#[derive(Debug, thiserror::Error)]
#[error("no such name: {0}")]
pub(super) struct NoSuchName(pub(super) io::Error);

/// What was met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// The hub's name can't be found.
    NoName,
    /// Nothing gets through.
    NoLine,
    /// The hub's computer answers, its program does not.
    NotRunning,
    /// Somebody answers with another authority's certificate.
    OtherAuthority,
    /// Another hub of the same authority, or of an older address.
    OtherHub,
    /// The hub does not take this computer's certificate.
    NotTaken,
    /// The hub says that this computer's certificate has ended.
    Ended,
    /// Something answers that speaks another language.
    NotAHub,
    /// The line broke.
    Broken,
    /// Something else.
    Other(String),
}

impl Trouble {
    /// Reads it from an error and what caused that.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        let mut last = error;
        while let Some(error) = next {
            last = error;
            if let Some(found) = Self::met(error) {
                return found;
            }
            next = error.source();
        }
        Self::Other(last.to_string())
    }

    fn met(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(Self::of_tls(error));
        }
        let error = error.downcast_ref::<io::Error>()?;
        if let Some(inner) = error.get_ref() {
            if inner.is::<NoSuchName>() {
                return Some(Self::NoName);
            }
            if let Some(error) = inner.downcast_ref::<rustls::Error>() {
                return Some(Self::of_tls(error));
            }
        }
        match error.kind() {
            Kind::ConnectionRefused => Some(Self::NotRunning),
            Kind::TimedOut
            | Kind::HostUnreachable
            | Kind::NetworkUnreachable
            | Kind::NetworkDown
            | Kind::AddrNotAvailable => Some(Self::NoLine),
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe | Kind::UnexpectedEof => {
                Some(Self::Broken)
            }
            _ => None,
        }
    }

    fn of_tls(error: &rustls::Error) -> Self {
        use AlertDescription as Alert;
        match error {
            rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::OtherHub,
            rustls::Error::InvalidCertificate(_) => Self::OtherAuthority,
            rustls::Error::AlertReceived(Alert::CertificateExpired) => Self::Ended,
            rustls::Error::AlertReceived(
                Alert::UnknownCA
                | Alert::BadCertificate
                | Alert::CertificateUnknown
                | Alert::CertificateRevoked
                | Alert::CertificateRequired
                | Alert::AccessDenied
                | Alert::DecryptError,
            ) => Self::NotTaken,
            rustls::Error::InvalidMessage(_)
            | rustls::Error::PeerIncompatible(_)
            | rustls::Error::NoApplicationProtocol => Self::NotAHub,
            other => Self::Other(other.to_string()),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::NoName => {
                "找不到上级的地址，请检查网络是否接通；网络正常时请管理员核对地址 (the hub's name is not found: check the line; if it \
                 is up, have the address checked)"
            }
            Self::NoLine => "网络不通，请检查网线、路由器和拨号 (no line: check cable, router and dial-up)",
            Self::NotRunning => {
                "上级的电脑有应答，但上级程序没有运行，请告知上级管理员 (the hub's computer answers, but its program does not run: \
                 tell its operator)"
            }
            Self::OtherAuthority => {
                "该地址上的不是本机登记时的上级（证书由另一机构签发），请上级管理员核对，必要时用新令牌重新登记 (another authority: \
                 this is not the hub that this computer was enrolled at; enrol anew if it is meant to be)"
            }
            Self::OtherHub => {
                "该地址上的是另一个上级，请管理员核对地址 (another hub answers at this address: have the address checked)"
            }
            Self::NotTaken => {
                "上级不认可本机的证书，请向上级申请新令牌重新登记 (the hub does not take this computer's certificate: ask for a token \
                 and enrol anew)"
            }
            Self::Ended => {
                "上级认为本机证书已到期，请上级升级程序后自动更新，或用新令牌重新登记 (the hub says that this certificate has ended: \
                 a newer hub renews it by itself; or enrol anew)"
            }
            Self::NotAHub => {
                "该地址上的不是台账上级，请管理员核对地址 (what answers is no hub: have the address checked)"
            }
            Self::Broken => "连接中断，将自动重试 (the connection broke; it will be tried again)",
            Self::Other(error) => return write!(f, "连接失败 (failed): {error}"),
        };
        f.write_str(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("transport error")]
    struct Outer(#[source] io::Error);

    #[test]
    fn what_was_met_is_found_under_what_was_made_of_it() {
        let of = |error: io::Error| Trouble::of(&Outer(error));
        assert_eq!(of(io::ErrorKind::ConnectionRefused.into()), Trouble::NotRunning);
        assert_eq!(of(io::ErrorKind::NetworkUnreachable.into()), Trouble::NoLine);
        assert_eq!(of(io::Error::other(NoSuchName(io::ErrorKind::NotFound.into()))), Trouble::NoName);
        let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        assert_eq!(of(io::Error::new(io::ErrorKind::InvalidData, unknown)), Trouble::OtherAuthority);
        let ended = rustls::Error::AlertReceived(AlertDescription::CertificateExpired);
        assert_eq!(of(io::Error::new(io::ErrorKind::InvalidData, ended)), Trouble::Ended);
        assert!(matches!(of(io::Error::other("x")), Trouble::Other(_)));
    }
}
