//! Who a node is: a key that never leaves its directory, and a certificate of its hub's authority that names its unit.
//! Invariant: identity and scope are read from certificates only; the names in a certificate request are ignored.

mod renewal;
pub mod tls;
mod trouble;

pub use renewal::{MAX_AUTHORITIES, WARN_DAYS, ends_words};
pub use tls::Tls;
pub use trouble::Trouble;

use crate::{
    disk::{self, DiskError, Secrecy},
    timeouts::Timeouts,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use prost::Message;
use rcgen::{CertificateParams, KeyPair};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use taizhang_proto::{
    OrgCode,
    pb::{self, enrolment_client::EnrolmentClient},
};
use tonic::transport::Channel;

/// Why a node has no identity.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// No certificate yet.
    #[error(
        "本机尚未登记，请先运行 enrol <令牌> (not enrolled: run `enrol` with the token from the hub); looked in {0}"
    )]
    Missing(PathBuf),
    /// A token that can't be read.
    #[error(
        "令牌不完整或有误，请重新复制整行；令牌存成文件的，写 @文件名 (the token is incomplete: copy the whole line again; of a file write @ and \
         its name)"
    )]
    Token,
    /// A token for another kind of directory.
    #[error("此令牌{}", match .0 {
        CertKind::Hub => "用于县区汇聚节点，请用 taizhang-hub 在 init 建立的目录中登记 (this token is for a hub: enrol with taizhang-hub in \
                          the directory that `init` made)",
        CertKind::Reader => "用于只读单位，请用 taizhang-hub enrol 在空目录中登记 (this token is for a reader of figures: enrol with \
                             taizhang-hub in an empty directory)",
        _ => "用于基层节点，请用 taizhang-node enrol 登记；汇聚节点须用 token --hub 取得 (this token is for an office: enrol with \
              taizhang-node; a hub's is made with `token --hub`)",
    })]
    OtherKind(CertKind),
    /// A certificate without a name of ours.
    #[error("证书不是本系统签发的 (the certificate does not name a unit of this system)")]
    Certificate,
    /// Keys or certificates can't be made or read.
    #[error("密钥或证书 (keys)：{0}")]
    Keys(String),
    /// The hub can't be reached.
    #[error("无法连接上级 {address} (can't reach the hub)：{trouble}")]
    Connect {
        /// Where.
        address: String,
        /// Why.
        trouble: Trouble,
    },
    /// Nobody speaks at the other end.
    #[error(
        "上级 {address} 在 {seconds} 秒内没有答复，将自动重试；请检查网络和上级是否正常 (the hub does not answer: check the line and the hub)"
    )]
    Silent {
        /// Where.
        address: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The hub refused.
    #[error("上级拒绝登记 (the hub refused): {0}")]
    Refused(String),
}

/// The mark of a hub's answer to a certificate that has ended: it opens its own renewal alone.
pub const ENDED: &str = "certificate-ended";

/// What a certificate opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum CertKind {
    /// Not said: in a token of an earlier build, never in a certificate.
    Unsaid = 0,
    /// An office's node: it syncs the registers of its unit.
    Node = 1,
    /// A hub below: it tells its totals.
    Hub = 2,
    /// A member unit of the leading group, or whoever else reads figures: it can neither sync nor write (notice, its
    /// addressees).
    Reader = 3,
}

/// What a certificate says of its holder, as the URI in its subject alternative names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertName {
    /// What it opens.
    pub kind: CertKind,
    /// Its unit.
    pub unit: OrgCode,
    /// Its id.
    pub id: String,
}

impl fmt::Display for CertName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            CertKind::Unsaid => "",
            CertKind::Node => "node",
            CertKind::Hub => "hub",
            CertKind::Reader => "reader",
        };
        write!(f, "taizhang://{kind}/{}/{}", self.unit, self.id)
    }
}

impl FromStr for CertName {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let mut parts = text.strip_prefix("taizhang://").ok_or(IdentityError::Certificate)?.split('/');
        let kind = match parts.next() {
            Some("hub") => CertKind::Hub,
            Some("node") => CertKind::Node,
            Some("reader") => CertKind::Reader,
            _ => return Err(IdentityError::Certificate),
        };
        let unit = parts.next().and_then(|unit| unit.parse().ok()).ok_or(IdentityError::Certificate)?;
        let id = parts.next().filter(|id| !id.is_empty() && id.len() <= 64).ok_or(IdentityError::Certificate)?;
        if parts.next().is_some() {
            return Err(IdentityError::Certificate);
        }
        Ok(Self { kind, unit, id: id.to_owned() })
    }
}

/// The name in a DER certificate that a TLS handshake has verified.
///
/// # Errors
/// When it names nobody.
pub fn name_in(certificate: &[u8]) -> Result<CertName, IdentityError> {
    use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
    let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| IdentityError::Certificate)?;
    let names = certificate.subject_alternative_name().ok().flatten().ok_or(IdentityError::Certificate)?;
    names
        .value
        .general_names
        .iter()
        .find_map(|name| match name {
            GeneralName::URI(uri) => uri.parse().ok(),
            _ => None,
        })
        .ok_or(IdentityError::Certificate)
}

/// The name under which a hub's server certificate is verified, under the authority of a [`generation`].
pub fn server_name(hub: OrgCode, generation: u32) -> String {
    match generation {
        0 | 1 => format!("hub-{hub}.taizhang.internal"),
        later => format!("hub-{hub}-{later}.taizhang.internal"),
    }
}

/// Which of a hub's authorities a CA certificate (DER) is: 1 for the first one, one more each time that the hub makes a new one.
/// The last word of its common name says so, where there are more than two.
pub fn generation(authority: &[u8]) -> u32 {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let Ok((_, certificate)) = X509Certificate::from_der(authority) else { return 1 };
    let name = certificate.subject().iter_common_name().next().and_then(|name| name.as_str().ok().map(str::to_owned));
    name.and_then(|name| name.split(' ').nth(2)?.parse().ok()).unwrap_or(1)
}

/// From when and until when a certificate (DER) is valid, seconds since 1970.
pub fn lifetime(certificate: &[u8]) -> Option<(u64, u64)> {
    use x509_parser::prelude::{FromDer, X509Certificate};
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let validity = certificate.validity();
    Some((validity.not_before.timestamp().max(0) as u64, validity.not_after.timestamp().max(0) as u64))
}

/// The certificates in a PEM file, DER, in their order; those that are none are left out.
pub fn ders(pem: &str) -> Vec<Vec<u8>> {
    let blocks = x509_parser::pem::Pem::iter_from_buffer(pem.as_bytes()).flatten();
    blocks.filter(|block| block.label == "CERTIFICATE").map(|block| block.contents).collect()
}

/// The short digest of the authorities in a PEM file, by which a hub and its child see whether they trust the same.
pub fn authorities_digest(pem: &str) -> [u8; 8] {
    let mut hash = blake3::Hasher::new();
    for der in ders(pem) {
        hash.update(&(der.len() as u64).to_be_bytes()).update(&der);
    }
    let mut digest = [0; 8];
    digest.copy_from_slice(&hash.finalize().as_bytes()[..8]);
    digest
}

/// Before a token's sum, which is its last field; tokens of earlier builds have none, and those builds read over it.
const SUM: [u8; 2] = [7 << 3 | 2, 4];

/// Everything a new node needs to find and trust its hub, once.
#[derive(Clone, PartialEq, Message)]
pub struct Token {
    /// `https://host:port` of the hub.
    #[prost(string, tag = "1")]
    pub address: String,
    /// The unit that the certificate will name.
    #[prost(uint64, tag = "2")]
    pub unit: u64,
    /// The hub's unit.
    #[prost(uint64, tag = "3")]
    pub hub_unit: u64,
    /// 16 random bytes; the hub keeps only their hash.
    #[prost(bytes = "vec", tag = "4")]
    pub secret: Vec<u8>,
    /// The hub's CA certificate, DER.
    #[prost(bytes = "vec", tag = "5")]
    pub authority: Vec<u8>,
    /// What the certificate will open; none in a token of an earlier build.
    #[prost(enumeration = "CertKind", tag = "6")]
    pub kind: i32,
}

impl Token {
    /// The text that an operator hands over.
    pub fn to_text(&self) -> String {
        let mut bytes = self.encode_to_vec();
        let sum = Self::sum(&bytes);
        bytes.extend(SUM.into_iter().chain(sum));
        format!("tz1.{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What tells a slip of the pen.
    fn sum(bytes: &[u8]) -> [u8; 4] {
        let mut sum = [0; 4];
        sum.copy_from_slice(&blake3::hash(bytes).as_bytes()[..4]);
        sum
    }

    /// Whether it is for a directory of this kind.
    ///
    /// # Errors
    /// Says what it is for, where it says so and that is something else: it must not be used up in the wrong place.
    pub fn is_for(&self, kind: CertKind) -> Result<(), IdentityError> {
        match self.kind() {
            CertKind::Unsaid => Ok(()),
            own if own == kind => Ok(()),
            own => Err(IdentityError::OtherKind(own)),
        }
    }

    /// Reads it back.
    ///
    /// # Errors
    /// When it is not whole.
    pub fn from_text(text: &str) -> Result<Self, IdentityError> {
        // Editors put a mark at the beginning, and mail programs break the line.
        let text: String = text.chars().filter(|sign| !sign.is_whitespace() && *sign != '\u{feff}').collect();
        let packed = text.strip_prefix("tz1.").ok_or(IdentityError::Token)?;
        let bytes = URL_SAFE_NO_PAD.decode(packed).map_err(|_| IdentityError::Token)?;
        let said = bytes.split_last_chunk::<4>().and_then(|(rest, sum)| Some((rest.strip_suffix(&SUM)?, sum)));
        if said.is_some_and(|(rest, sum)| Self::sum(rest) != *sum) {
            return Err(IdentityError::Token);
        }
        Self::decode(bytes.as_slice()).map_err(|_| IdentityError::Token)
    }
}

/// Where the hub is and who everybody is: `identity/hub.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct HubFile {
    address: String,
    unit: OrgCode,
    hub_unit: OrgCode,
}

/// An enrolled node's (or child hub's) identity.
#[derive(Clone)]
pub struct Identity {
    /// What its certificate says.
    pub name: CertName,
    /// `https://host:port` of its hub.
    pub address: String,
    /// The hub's unit.
    pub hub_unit: OrgCode,
    /// How long it waits for its hub.
    pub timeouts: Timeouts,
    key: String,
    /// What the hub renews; shared by every copy of this identity.
    papers: Arc<RwLock<Papers>>,
    dir: PathBuf,
}

/// The file of the certificate that an earlier authority gave.
const FORMER: &str = "certificate-former.pem";

/// What a hub gives and renews, PEM.
#[derive(Clone)]
struct Papers {
    certificate: String,
    /// The certificate before it, where another authority gave it: for a hub that came back from a backup of before its
    /// authority was replaced.
    former: Option<String>,
    /// The authorities that the hub goes by, the newest first.
    authorities: String,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whatever prints or logs an identity must not print its key.
        f.debug_struct("Identity").field("name", &self.name).field("address", &self.address).finish_non_exhaustive()
    }
}

fn dir_in(data: &Path) -> PathBuf {
    data.join("identity")
}

impl Identity {
    /// Reads the identity in a data directory.
    ///
    /// # Errors
    /// When there is none, or it can't be read.
    pub fn load(data: &Path) -> Result<Self, IdentityError> {
        let dir = dir_in(data);
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => IdentityError::Missing(dir.clone()),
                _ => DiskError::new("read", &path, error).into(),
            })
        };
        let hub: HubFile =
            toml::from_str(&read("hub.toml")?).map_err(|error| IdentityError::Keys(error.to_string()))?;
        let certificate = read("certificate.pem")?;
        let (_, pem) =
            x509_parser::pem::parse_x509_pem(certificate.as_bytes()).map_err(|_| IdentityError::Certificate)?;
        // Never needed to go on: one that can't be read is none.
        let former = std::fs::read_to_string(dir.join(FORMER)).ok();
        Ok(Self {
            name: name_in(&pem.contents)?,
            address: hub.address,
            hub_unit: hub.hub_unit,
            timeouts: Timeouts::default(),
            key: read("key.pem")?,
            papers: Arc::new(RwLock::new(Papers { certificate, former, authorities: read("authority.pem")? })),
            dir,
        })
    }

    /// As [`Identity::load`], with none for a directory that was never enrolled.
    ///
    /// # Errors
    /// When there is an identity that can't be read: that is not the same as none.
    pub fn load_if_enrolled(data: &Path) -> Result<Option<Self>, IdentityError> {
        match Self::load(data) {
            Ok(identity) => Ok(Some(identity)),
            Err(IdentityError::Missing(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks the hub for a certificate with a one-time token and keeps it in the data directory. A key made by an
    /// earlier try is used again, so a lost answer can be asked for again with the same token.
    ///
    /// # Errors
    /// When the token is wrong, used or expired, or the hub can't be reached.
    pub async fn enrol(data: &Path, token: &str) -> Result<Self, IdentityError> {
        Self::enrol_within(data, token, Timeouts::default()).await
    }

    /// As [`Identity::enrol`], under other limits.
    ///
    /// # Errors
    /// As [`Identity::enrol`].
    pub async fn enrol_within(data: &Path, token: &str, timeouts: Timeouts) -> Result<Self, IdentityError> {
        let token = Token::from_text(token)?;
        let keys = |error: rcgen::Error| IdentityError::Keys(error.to_string());
        let dir = dir_in(data);
        disk::create_dir(&dir)?;
        // A second click would put another key beside the first one's certificate.
        let _one_at_a_time = disk::lock(&dir)?;
        let key_path = dir.join("key.pem");
        let key = match std::fs::read_to_string(&key_path) {
            Ok(pem) => KeyPair::from_pem(&pem).map_err(keys)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let key = KeyPair::generate().map_err(keys)?;
                disk::write_file(&key_path, key.serialize_pem().as_bytes(), Secrecy::OwnerOnly)?;
                key
            }
            // One that can't be read now is not replaced: its certificate would be nobody's.
            Err(error) => return Err(DiskError::new("read", &key_path, error).into()),
        };
        let request = CertificateParams::default().serialize_request(&key).and_then(|csr| csr.pem()).map_err(keys)?;
        let hub_unit = OrgCode::new(token.hub_unit).map_err(|_| IdentityError::Token)?;
        let authority = pem("CERTIFICATE", &token.authority);
        let tls = Tls::new(&authority, server_name(hub_unit, generation(&token.authority)), None)?;
        let channel = tls::connect(&token.address, tls, timeouts).await?;
        let secret = URL_SAFE_NO_PAD.encode(&token.secret);
        let mut hub = EnrolmentClient::new(channel);
        let call = hub.enrol(pb::EnrolRequest { token: secret, csr: request });
        let answer = in_time(&token.address, timeouts.answer, call)
            .await?
            .map_err(|status| IdentityError::Refused(status.message().to_owned()))?
            .into_inner();
        let unit = OrgCode::new(answer.unit).map_err(|_| IdentityError::Certificate)?;
        let hub = toml::to_string(&HubFile { address: token.address, unit, hub_unit })
            .map_err(|error| IdentityError::Keys(error.to_string()))?;
        disk::write_file(&dir.join("authority.pem"), answer.authority.as_bytes(), Secrecy::Plain)?;
        disk::write_file(&dir.join("certificate.pem"), answer.certificate.as_bytes(), Secrecy::Plain)?;
        disk::write_file(&dir.join("hub.toml"), hub.as_bytes(), Secrecy::Plain)?;
        Self::load(data)
    }

    /// The private key, PEM: for what a hub opens and seals besides TLS.
    pub fn key_pem(&self) -> &str {
        &self.key
    }

    /// The data directory that it is kept in.
    pub fn data_dir(&self) -> &Path {
        self.dir.parent().unwrap_or(&self.dir)
    }

    fn papers(&self) -> Papers {
        self.papers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The certificates of the authorities that its hub goes by, PEM, the newest first.
    pub fn authorities_pem(&self) -> String {
        self.papers().authorities
    }

    /// Its own certificate, PEM.
    pub fn certificate_pem(&self) -> String {
        self.papers().certificate
    }

    /// A connection to the hub.
    ///
    /// # Errors
    /// When it can't be reached or does not prove who it is.
    pub async fn connect(&self) -> Result<Channel, IdentityError> {
        let Papers { mut certificate, former, authorities } = self.papers();
        let mut generations: Vec<u32> = ders(&authorities).iter().map(|der| generation(der)).collect();
        generations.dedup();
        let mut outcome = Err(IdentityError::Certificate);
        for generation in generations {
            let tls = Tls::new(&authorities, server_name(self.hub_unit, generation), Some((&certificate, &self.key)))?;
            outcome = tls::connect(&self.address, tls, self.timeouts).await;
            // A hub from a backup may go by an earlier authority again, which this computer trusts as well; it knows no
            // certificate that the later one gave.
            if !matches!(&outcome, Err(IdentityError::Connect { trouble: Trouble::OtherHub, .. })) {
                break;
            }
            if let Some(former) = &former {
                certificate.clone_from(former);
            }
        }
        outcome
    }

    /// A call to the hub, which is given up when nobody answers it.
    ///
    /// # Errors
    /// [`IdentityError::Silent`] when the hub does not answer in time.
    pub async fn in_time<T>(&self, call: impl Future<Output = T>) -> Result<T, IdentityError> {
        in_time(&self.address, self.timeouts.answer, call).await
    }
}

async fn in_time<T>(address: &str, limit: Duration, call: impl Future<Output = T>) -> Result<T, IdentityError> {
    let silent = |_| IdentityError::Silent { address: address.to_owned(), seconds: limit.as_secs() };
    tokio::time::timeout(limit, call).await.map_err(silent)
}

/// DER as PEM.
pub fn pem(label: &str, der: &[u8]) -> String {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap_or_default()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_and_tokens_come_back() {
        for kind in [CertKind::Node, CertKind::Hub, CertKind::Reader] {
            let name = CertName { kind, unit: "210402011003".parse().unwrap(), id: "abc".into() };
            assert_eq!(name.to_string().parse::<CertName>().unwrap(), name);
        }
        for wrong in [
            "http://node/210402011003/a",
            "taizhang://x/210402011003/a",
            "taizhang://node/21/a",
            "taizhang://node/210402011003/a/b",
        ] {
            assert!(wrong.parse::<CertName>().is_err(), "{wrong}");
        }
        let token = Token {
            address: "https://h:1".into(),
            unit: 1,
            hub_unit: 2,
            secret: vec![3; 16],
            authority: vec![4],
            kind: 1,
        };
        assert_eq!(Token::from_text(&token.to_text()).unwrap(), token);
        assert!(Token::from_text("tz1.???").is_err());
        // A slip of the pen is told, wherever it is; and a token of a build that had no sum is read.
        let text = token.to_text();
        let before_sum = URL_SAFE_NO_PAD.decode(&text[4..]).unwrap().len() - 6;
        for place in 4..4 + before_sum * 4 / 3 {
            let other = if &text[place..=place] == "A" { "B" } else { "A" };
            let slip = format!("{}{other}{}", &text[..place], &text[place + 1..]);
            assert!(Token::from_text(&slip).is_err(), "{place}");
        }
        let broken = format!("\u{feff}{}\r\n {}\n", &text[..60], &text[60..]);
        assert_eq!(Token::from_text(&broken).unwrap(), token);
        let earlier = format!("tz1.{}", URL_SAFE_NO_PAD.encode(token.encode_to_vec()));
        assert_eq!(Token::from_text(&earlier).unwrap(), token);
    }

    #[tokio::test]
    async fn a_key_that_can_not_be_read_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir_in(dir.path()).join("key.pem");
        std::fs::create_dir_all(&key).unwrap(); // there, and no file that can be read
        let token = Token { address: "https://127.0.0.1:1".into(), unit: 1, hub_unit: 2, ..Token::default() };
        let answer = Identity::enrol(dir.path(), &token.to_text()).await;
        assert!(matches!(answer, Err(IdentityError::Disk(_))), "{:?}", answer.err());
        assert!(key.is_dir());
    }
}
