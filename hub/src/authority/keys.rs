//! What the files of an authority make of TLS: the certificates that the server shows, and who judges a child's.

use super::generation::{AuthorityError, Generation};
use std::sync::Arc;
use taizhang_node::identity::tls::provider;
use tokio_rustls::rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    sign::CertifiedKey,
};

/// What the files of an authority make of TLS.
pub(super) struct Keys {
    /// By generation, the newest first.
    pub(super) servers: Vec<(u32, Arc<CertifiedKey>)>,
    pub(super) children: Arc<dyn ClientCertVerifier>,
}

impl Keys {
    /// Of these authorities, the newest first.
    pub(super) fn of(generations: &[Generation]) -> Result<Self, AuthorityError> {
        let unreadable = |error: &dyn std::fmt::Display| AuthorityError::Tls(error.to_string());
        let mut roots = RootCertStore::empty();
        let mut servers = Vec::with_capacity(generations.len());
        for generation in generations {
            roots.add(CertificateDer::from(generation.der.clone())).map_err(|error| unreadable(&error))?;
            let (certificate, key) = &generation.server;
            let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unreadable(&error))?;
            let key = provider().key_provider.load_private_key(key).map_err(|error| unreadable(&error))?;
            let certified = CertifiedKey::new(chain.map_err(|error| unreadable(&error))?, key);
            certified.keys_match().map_err(|error| unreadable(&error))?;
            servers.push((generation.number, Arc::new(certified)));
        }
        let children = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|error| unreadable(&error))?;
        Ok(Self { servers, children })
    }
}
