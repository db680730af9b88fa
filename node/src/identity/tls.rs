//! TLS towards a hub.
//! Invariant: a hub is whoever shows a certificate for its name from an authority that this computer trusts. Whether a lifetime
//! is over is the hub's to say, by its own clock: an office's computer may believe any year, and must be heard all the same.

use super::{IdentityError, Trouble, trouble::NoSuchName};
use crate::timeouts::Timeouts;
use hyper_util::rt::TokioIo;
use std::{error::Error, io, sync::Arc, time::Duration};
use tokio::net::{TcpStream, lookup_host};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::CryptoProvider,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
    },
};
use tonic::{
    codegen::http::Uri,
    transport::{Channel, Endpoint},
};

/// How a computer shows itself and whom it trusts, on one line.
#[derive(Debug, Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// Trust in the authorities of one or more certificates (PEM), for a hub of this name; with the own certificate and key
    /// (PEM) where there are some.
    ///
    /// # Errors
    /// When one of them can't be read.
    pub fn new(authorities: &str, name: String, own: Option<(&str, &str)>) -> Result<Self, IdentityError> {
        let unreadable = |error: &dyn std::fmt::Display| IdentityError::Keys(error.to_string());
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
            let certificate = certificate.map_err(|error| unreadable(&error))?;
            roots.add(certificate).map_err(|error| unreadable(&error))?;
        }
        let provider = provider();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build();
        let verifier = AtItsTime(verifier.map_err(|error| unreadable(&error))?);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unreadable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let chain = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect::<Result<Vec<_>, _>>();
                let chain = chain.map_err(|error| unreadable(&error))?;
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unreadable(&error))?;
                builder.with_client_auth_cert(chain, key).map_err(|error| unreadable(&error))?
            }
        };
        config.alpn_protocols.push(b"h2".to_vec());
        let name = ServerName::try_from(name).map_err(|error| unreadable(&error))?;
        Ok(Self { config: Arc::new(config), name })
    }
}

/// Everything but the time of day: the chain, the name, the key's use and the signature.
#[derive(Debug)]
struct AtItsTime(Arc<WebPkiServerVerifier>);

impl ServerCertVerifier for AtItsTime {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.0.verify_server_cert(shown, between, name, ocsp, within(shown, now))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, shown, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, shown, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// The moment nearest to `now` at which a certificate is valid; `now` itself where it can't be read, which fails elsewhere.
pub fn within(certificate: &CertificateDer<'_>, now: UnixTime) -> UnixTime {
    match super::lifetime(certificate) {
        Some((from, to)) if from <= to => {
            UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs().clamp(from, to)))
        }
        _ => now,
    }
}

/// The provider of cryptography that both ends use.
pub fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

async fn open(
    address: Arc<(String, u16)>,
    tls: Tls,
) -> io::Result<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>> {
    let (host, port) = &*address;
    let known = lookup_host((host.as_str(), *port)).await.map_err(|error| io::Error::other(NoSuchName(error)))?;
    let mut stream = Err(io::ErrorKind::NotFound.into());
    for place in known {
        stream = TcpStream::connect(place).await;
        if stream.is_ok() {
            break;
        }
    }
    let stream = stream?;
    stream.set_nodelay(true)?;
    let stream = TlsConnector::from(tls.config).connect(tls.name, stream).await?;
    Ok(TokioIo::new(stream))
}

/// A connection to the hub at `address`, `https://host:port`.
///
/// # Errors
/// When nobody answers there in time, or it is not that hub.
pub async fn connect(address: &str, tls: Tls, timeouts: Timeouts) -> Result<Channel, IdentityError> {
    let wrong = |error: &(dyn Error + 'static)| IdentityError::Connect {
        address: address.to_owned(),
        trouble: Trouble::of(error),
    };
    let uri: Uri = address.parse().map_err(|error: tonic::codegen::http::uri::InvalidUri| wrong(&error))?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let place = Arc::new((host, uri.port_u16().unwrap_or(443)));
    // TLS is this module's: to tonic the line is a plain one, with the hub's own address on it.
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    let endpoint = Endpoint::from_shared(format!("http://{authority}")).map_err(|error| wrong(&error))?;
    let endpoint = endpoint
        .origin(uri)
        // Of a later connection on this channel; the first one ends by the limit below, which says who was silent.
        .connect_timeout(timeouts.connect * 2)
        .timeout(timeouts.answer)
        .http2_keep_alive_interval(timeouts.ping)
        .keep_alive_timeout(timeouts.pong)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(4 * 1024 * 1024)
        .initial_connection_window_size(8 * 1024 * 1024);
    let connector = tower::service_fn(move |_: Uri| open(place.clone(), tls.clone()));
    let connected = super::in_time(address, timeouts.connect, endpoint.connect_with_connector(connector)).await?;
    connected.map_err(|error| wrong(&error))
}
