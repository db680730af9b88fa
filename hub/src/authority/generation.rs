//! One generation of a hub's authority as its files: its certificate, and the server's under it.
//! Invariant: a directory whose last file ([`FILES`]) is there holds a whole one.

use std::path::{Path, PathBuf};
use taizhang_node::{
    disk::{DiskError, Secrecy},
    identity::{MAX_AUTHORITIES, ders, generation, lifetime},
};

/// Why the authority failed.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Keys.
    #[error("证书 (certificates)：{0}")]
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
    /// As many as a child takes are gone by already.
    #[error(
        "旧机构已满 {MAX_AUTHORITIES} 代，请先停用旧的：ca show、ca drop (too many former authorities: drop one first)"
    )]
    TooMany,
    /// The authority that is to be dropped signs, or is none.
    #[error("没有第 {0} 代旧机构 (no former authority of this number)")]
    NotFormer(u32),
}

/// The files of an authority; the last one says that the rest is whole.
pub(super) const FILES: [(&str, Secrecy); 4] = [
    ("server.key", Secrecy::OwnerOnly),
    ("server.pem", Secrecy::Plain),
    ("ca.key", Secrecy::OwnerOnly),
    ("ca.pem", Secrecy::Plain),
];

/// One authority and the server's certificate under it.
#[derive(Debug, Clone)]
pub struct Generation {
    /// 1 for the first.
    pub number: u32,
    /// The CA's certificate, DER.
    pub der: Vec<u8>,
    /// From when and until when it is valid, seconds since 1970.
    pub lifetime: (u64, u64),
    pub(super) pem: String,
    pub(super) server: (String, String),
}

/// One of them as text.
pub(super) fn read(dir: &Path, name: &str) -> Result<String, AuthorityError> {
    let path = dir.join(name);
    std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => AuthorityError::Missing(dir.to_owned()),
        _ => DiskError::new("read", &path, error).into(),
    })
}

/// Reads an authority that is whole.
pub(super) fn read_generation(dir: &Path) -> Result<Generation, AuthorityError> {
    let pem = read(dir, "ca.pem")?;
    let broken = || AuthorityError::Keys(rcgen::Error::CouldNotParseCertificate);
    let der = ders(&pem).into_iter().next().ok_or_else(broken)?;
    let server = (read(dir, "server.pem")?, read(dir, "server.key")?);
    Ok(Generation { number: generation(&der), lifetime: lifetime(&der).ok_or_else(broken)?, der, pem, server })
}
