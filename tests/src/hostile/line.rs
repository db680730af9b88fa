//! Whoever calls a hub without a certificate: plain TCP, or TLS with nothing to show.

use std::net::SocketAddr;
use taizhang_node::identity::{Token, pem, server_name};
use taizhang_proto::OrgCode;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};

/// A connection on which nothing is said.
pub async fn silent(hub: SocketAddr) -> TcpStream {
    TcpStream::connect(hub).await.unwrap()
}

/// A connection on which bytes are said that begin no TLS, or begin it wrongly. A hub that has hung up meanwhile is fine.
pub async fn saying(hub: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut socket = silent(hub).await;
    let _ = socket.write_all(bytes).await;
    socket
}

/// A connection with TLS towards the hub of a token, by somebody who has no certificate.
pub async fn nobody(token: &str) -> Channel {
    let token = Token::from_text(token).unwrap();
    let tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(pem("CERTIFICATE", &token.authority)))
        .domain_name(server_name(OrgCode::new(token.hub_unit).unwrap(), 1));
    Endpoint::from_shared(token.address).unwrap().tls_config(tls).unwrap().connect().await.unwrap()
}
