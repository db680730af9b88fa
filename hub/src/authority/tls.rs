//! TLS towards children: they show a certificate of one of the hub's authorities, or none and may only enrol.
//! Invariants: whether a certificate has ended is asked of the hub's own clock where a call comes in, not here, so that one that
//! has ended can still be renewed; a child is shown the server's certificate of the authority that it names (SNI).

use super::{
    ca::{Authority, State},
    generation::AuthorityError,
};
use std::sync::Arc;
use taizhang_node::identity::{
    server_name,
    tls::{provider, within},
};
use taizhang_proto::OrgCode;
use tokio_rustls::rustls::{
    self, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    pki_types::{CertificateDer, UnixTime},
    server::{
        ClientHello, ResolvesServerCert,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
    sign::CertifiedKey,
};

impl Authority {
    /// TLS towards children; it follows every change of the authority.
    ///
    /// # Errors
    /// When the cryptography lacks a protocol.
    pub fn tls(self: &Arc<Self>, unit: OrgCode) -> Result<Arc<ServerConfig>, AuthorityError> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| AuthorityError::Tls(error.to_string()))?
            .with_client_cert_verifier(Arc::new(Children(self.clone())))
            .with_cert_resolver(Arc::new(Servers(self.clone(), unit)));
        config.alpn_protocols.push(b"h2".to_vec());
        Ok(Arc::new(config))
    }
}

/// Which certificate the server shows.
struct Servers(Arc<Authority>, OrgCode);

impl std::fmt::Debug for Servers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Servers")
    }
}

impl ResolvesServerCert for Servers {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let state: Arc<State> = self.0.state();
        let servers = &state.tls.servers;
        let asked = hello.server_name();
        let named = servers.iter().find(|(number, _)| asked == Some(server_name(self.1, *number).as_str()));
        // Who names none, or one that is gone, is shown the oldest: that is what a child of an earlier build goes by.
        named.or(servers.last()).map(|(_, key)| key.clone())
    }
}

/// Whose certificates are taken.
struct Children(Arc<Authority>);

impl std::fmt::Debug for Children {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Children")
    }
}

impl ClientCertVerifier for Children {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[] // a child has one certificate and shows it
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.0.state().tls.children.verify_client_cert(shown, between, within(shown, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.state().tls.children.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.state().tls.children.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.state().tls.children.supported_verify_schemes()
    }
}
