//! The hub's certificate authority: it enrols children and nobody else. Made once by `init`; the key never leaves the
//! directory. Invariant: a certificate names the unit of the token, whatever the request asks for.

use crate::{
    readers::MAX_NAME,
    roll,
    rows::{self, NodeRow, TokenRow},
    store::{Space, StoreError},
    writer::{Core, Job, WriteError, Writer},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use taizhang_node::{
    disk::{self, DiskError, Secrecy},
    identity::{CertKind, CertName, Token, server_name},
};
use taizhang_proto::{
    OrgCode,
    pb::{self, enrolment_server::Enrolment},
};
use tokio_rustls::rustls::{
    self, RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tonic::{Request, Response, Status};

/// Why the authority failed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Keys.
    #[error("certificates: {0}")]
    Keys(#[from] rcgen::Error),
    /// The secret of the hub's seals is not one.
    #[error("印记密钥文件已损坏，请从备份恢复 (the seal secret is damaged: restore it from a backup): {0}")]
    SealSecret(PathBuf),
    /// The server's certificate or key.
    #[error("证书机构的文件无法使用，请从备份恢复 authority 目录 (restore `authority` from a backup): {0}")]
    Tls(String),
    /// `init` has not been run.
    #[error("此目录还不是上级节点，请先运行 init (no authority here: run `init`); looked in {0}")]
    Missing(PathBuf),
    /// `init` has been run already.
    #[error("此目录已初始化 (already initialised): {0}")]
    Exists(PathBuf),
}

/// How long certificates last.
const AUTHORITY_DAYS: i64 = 3_650;
const CERTIFICATE_DAYS: i64 = 730;
/// A clock behind by this much still accepts a fresh certificate, days.
const BACKDATE_DAYS: i64 = 2;

/// The hub's authority.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    certificate_der: Vec<u8>,
    /// Certificate and key of the server, PEM.
    server: (String, String),
    dir: PathBuf,
}

/// The file with the secret under which the hub seals its own word: it must outlive the store.
const SEAL_SECRET: &str = "seal.key";

fn valid_for(params: &mut CertificateParams, days: i64) {
    let now = time::OffsetDateTime::now_utc();
    params.not_before = now - time::Duration::days(BACKDATE_DAYS);
    params.not_after = now + time::Duration::days(days);
}

impl Authority {
    /// Makes the authority of a hub.
    ///
    /// # Errors
    /// When there is one already, or the disk fails.
    pub fn init(data: &Path, unit: OrgCode) -> Result<(), AuthorityError> {
        let dir = data.join("authority");
        if dir.join("ca.pem").exists() {
            return Err(AuthorityError::Exists(dir));
        }
        disk::create_dir(&dir)?;
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("taizhang {unit}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        valid_for(&mut params, AUTHORITY_DAYS);
        let certificate = params.self_signed(&key)?;
        let key_pem = key.serialize_pem();
        let issuer = Issuer::new(params, key);

        let server_key = KeyPair::generate()?;
        let mut server = CertificateParams::new(vec![server_name(unit)])?;
        server.distinguished_name.push(DnType::CommonName, format!("taizhang hub {unit}"));
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        valid_for(&mut server, AUTHORITY_DAYS);
        let server = server.signed_by(&server_key, &issuer)?;

        disk::write_file(&dir.join("server.key"), server_key.serialize_pem().as_bytes(), Secrecy::OwnerOnly)?;
        disk::write_file(&dir.join("server.pem"), server.pem().as_bytes(), Secrecy::Plain)?;
        disk::write_file(&dir.join("ca.key"), key_pem.as_bytes(), Secrecy::OwnerOnly)?;
        // Written last: its presence says that the rest is whole.
        disk::write_file(&dir.join("ca.pem"), certificate.pem().as_bytes(), Secrecy::Plain)?;
        Ok(())
    }

    /// Reads the authority in a data directory.
    ///
    /// # Errors
    /// When `init` has not been run, or the files can't be read.
    pub fn load(data: &Path) -> Result<Self, AuthorityError> {
        let dir = data.join("authority");
        let read = |name: &str| {
            let path = dir.join(name);
            std::fs::read_to_string(&path).map_err(|error| match error.kind() {
                std::io::ErrorKind::NotFound => AuthorityError::Missing(dir.clone()),
                _ => DiskError::new("read", &path, error).into(),
            })
        };
        let certificate = read("ca.pem")?;
        let issuer = Issuer::from_ca_cert_pem(&certificate, KeyPair::from_pem(&read("ca.key")?)?)?;
        let (_, der) = x509_parser::pem::parse_x509_pem(certificate.as_bytes())
            .map_err(|_| AuthorityError::Keys(rcgen::Error::CouldNotParseCertificate))?;
        let server = (read("server.pem")?, read("server.key")?);
        Ok(Self { issuer, certificate_der: der.contents, certificate, server, dir })
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

    /// TLS towards children: they show a certificate of this authority, or none and may only enrol.
    ///
    /// # Errors
    /// When a certificate or key on disk can't be used.
    pub fn tls(&self) -> Result<Arc<ServerConfig>, AuthorityError> {
        let unreadable = |error: &dyn std::fmt::Display| AuthorityError::Tls(error.to_string());
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(self.certificate_der.clone())).map_err(|error| unreadable(&error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let children = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
            .allow_unauthenticated()
            .build()
            .map_err(|error| unreadable(&error))?;
        let (certificate, key) = &self.server;
        let chain = CertificateDer::pem_slice_iter(certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| unreadable(&error))?;
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unreadable(&error))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unreadable(&error))?
            .with_client_cert_verifier(children)
            .with_single_cert(chain, key)
            .map_err(|error| unreadable(&error))?;
        config.alpn_protocols.push(b"h2".to_vec());
        Ok(Arc::new(config))
    }

    /// Signs a child's request.
    pub(crate) fn sign(&self, request: &str, name: &CertName) -> Result<String, rcgen::Error> {
        let asked = CertificateSigningRequestParams::from_pem(request)?;
        // Only the key of the request is used; every name comes from the token.
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, format!("taizhang {}", name.unit));
        params.subject_alt_names = vec![SanType::URI(name.to_string().try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        valid_for(&mut params, CERTIFICATE_DAYS);
        Ok(params.signed_by(&asked.public_key, &self.issuer)?.pem())
    }
}

/// Makes a one-time token for a unit below the hub, or for a reader of its own figures, and returns the text to hand over.
///
/// # Errors
/// When the token can't be stored.
pub async fn make_token(
    core: &Core,
    writer: &Writer,
    authority: &Authority,
    address: &str,
    request: &pb::TokenRequest,
) -> Result<pb::TokenAnswer, Status> {
    let unit = OrgCode::new(request.unit).map_err(|error| Status::invalid_argument(error.to_string()))?;
    let tree = core.tree();
    let reads = !request.reader.is_empty();
    if reads && (request.hub || request.reader.trim().is_empty() || request.reader.chars().count() > MAX_NAME) {
        return Err(Status::invalid_argument(format!(
            "请写明只读单位的名称，不超过{MAX_NAME}字；只读单位不是汇聚节点 (name the reader; it is no hub)"
        )));
    }
    let own = unit == core.unit && !reads;
    if !core.unit.covers(unit) || own || (!tree.is_empty() && !tree.contains(unit)) {
        return Err(Status::invalid_argument(format!("单位{unit}不在本级辖区内 (no such unit below this hub)")));
    }
    if core.tier == pb::Tier::City && !request.hub && !reads {
        return Err(Status::invalid_argument(WriteError::NoRecords.to_string()));
    }
    let hours = if request.hours == 0 { 72 } else { request.hours.min(24 * 90) };
    let expires = core.now() + u64::from(hours) * 3_600;
    let secret: [u8; 16] = rand::random();
    let reader = request.reader.trim().to_owned();
    let row = TokenRow { unit: unit.number(), hub: request.hub, expires, reader, ..TokenRow::default() };
    writer.write(Job::Token(*blake3::hash(&secret).as_bytes(), row)).await.map_err(crate::session::Fault::from)?;
    let token = Token {
        address: address.to_owned(),
        unit: unit.number(),
        hub_unit: core.unit.number(),
        secret: secret.to_vec(),
        authority: authority.certificate_der.clone(),
    };
    Ok(pb::TokenAnswer { token: token.to_text(), expires })
}

/// The enrolment service: the only one that answers without a client certificate.
#[derive(Clone)]
pub struct EnrolmentService {
    core: Arc<Core>,
    writer: Writer,
    authority: Arc<Authority>,
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
}

/// Longest certificate request, bytes.
const MAX_REQUEST: usize = 16 * 1024;

impl EnrolmentService {
    /// A service that signs with `authority`.
    pub fn new(core: Arc<Core>, writer: Writer, authority: Arc<Authority>) -> Self {
        Self { core, writer, authority, one_at_a_time: Arc::default() }
    }

    fn answer(&self, row: &TokenRow) -> pb::EnrolAnswer {
        pb::EnrolAnswer {
            certificate: row.certificate.clone(),
            authority: self.authority.certificate.clone(),
            unit: row.unit,
            hub_unit: self.core.unit.number(),
        }
    }
}

fn refuse(why: &str) -> Status {
    Status::permission_denied(why.to_owned())
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enrol(&self, request: Request<pb::EnrolRequest>) -> Result<Response<pb::EnrolAnswer>, Status> {
        let request = request.into_inner();
        if request.csr.len() > MAX_REQUEST || request.token.len() > 64 {
            return Err(Status::invalid_argument("证书请求过大 (the request is too large)"));
        }
        let secret = URL_SAFE_NO_PAD.decode(&request.token).map_err(|_| refuse("令牌有误 (not a token)"))?;
        let hash = *blake3::hash(&secret).as_bytes();
        let _one = self.one_at_a_time.lock().await; // two uses of one token at once: one of them wins
        let row: Option<TokenRow> = rows::read(self.core.view().as_ref(), Space::Tokens, &hash)
            .map_err(|error: StoreError| Status::internal(error.to_string()))?;
        let mut row = row.ok_or_else(|| refuse("没有此令牌 (no such token)"))?;
        let older = self.core.older().map_err(|error: StoreError| Status::internal(error.to_string()))?;
        if older.is_some() {
            return Err(refuse(
                "上级刚由旧备份恢复，暂不登记，请其管理员核对后运行 confirm (the hub was restored from an old backup: its \
                 operator has to run `confirm` first)",
            ));
        }
        if row.used_for.is_empty() && roll::is_used(&self.core.roll(), &hash) {
            return Err(refuse("令牌已被使用，请向上级申请新令牌 (used already: ask for a new token)"));
        }
        if !row.used_for.is_empty() {
            if row.used_for == public_key(&request.csr)? {
                return Ok(Response::new(self.answer(&row)));
            }
            return Err(refuse("令牌已被使用，请向上级申请新令牌 (used already: ask for a new token)"));
        }
        if row.expires < self.core.now() {
            return Err(refuse("令牌已过期，请向上级申请新令牌 (expired: ask for a new token)"));
        }
        let unit = OrgCode::new(row.unit).map_err(|error| Status::internal(error.to_string()))?;
        let id = taizhang_proto::RecordId::create((self.core.clock)(), rand::random()).to_string();
        let kind = match (row.hub, row.reader.is_empty()) {
            (true, _) => CertKind::Hub,
            (false, true) => CertKind::Node,
            (false, false) => CertKind::Reader,
        };
        let name = CertName { kind, unit, id: id.clone() };
        row.certificate = self
            .authority
            .sign(&request.csr, &name)
            .map_err(|_| Status::invalid_argument("证书请求无法读取 (the certificate request can't be read)"))?;
        row.used_for = public_key(&request.csr)?;
        let enrolled = self.core.now();
        let write = |error: WriteError| Status::from(crate::session::Fault::from(error));
        if kind == CertKind::Reader {
            // In one commit with the token: a reader without its row may not read, and could never be retired.
            let (name, unit) = (row.reader.clone(), row.unit);
            let reader = pb::ReaderInfo { id, name, unit, enrolled, ..pb::ReaderInfo::default() };
            self.writer.write(Job::Reader(hash, row.clone(), reader)).await.map_err(write)?;
        } else {
            // A hub's certificate is for its neighbours too: they seal letters to its key.
            let certificate = if row.hub { row.certificate.clone() } else { String::new() };
            let child = NodeRow { id, unit: row.unit, hub: row.hub, enrolled, certificate, ..NodeRow::default() };
            self.writer.write(Job::Token(hash, row.clone())).await.map_err(write)?;
            self.writer.write(Job::Enrolled(Box::new(child))).await.map_err(write)?;
        }
        tracing::info!(%unit, ?kind, "enrolled");
        Ok(Response::new(self.answer(&row)))
    }
}

/// The fingerprint of the key in a certificate request: its signature differs from try to try.
#[allow(clippy::result_large_err)] // tonic's own error type
fn public_key(csr: &str) -> Result<Vec<u8>, Status> {
    use rcgen::PublicKeyData;
    let request = CertificateSigningRequestParams::from_pem(csr)
        .map_err(|_| Status::invalid_argument("证书请求无法读取 (the certificate request can't be read)"))?;
    Ok(blake3::hash(request.public_key.der_bytes()).as_bytes().to_vec())
}
