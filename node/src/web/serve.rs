//! How a console is served: connections of this computer, or with TLS of the office's network.
//! Invariant: nobody holds a connection that says nothing, and never more are open than there are places; pages are compressed.

use super::guard::{self, Names};
use axum::{Router, extract::DefaultBodyLimit, middleware};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
    sync::{Semaphore, watch},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};
use tower_http::compression::CompressionLayer;

/// Connections at a time.
const PLACES: usize = 256;
/// How long a browser may take for a handshake, and for the head of a request.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long what is being answered may take once the program is to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// Largest form, bytes; a page that takes files says its own bound.
const LARGEST_FORM: usize = 1 << 20;

/// Puts around pages what every console has around them.
pub fn around(pages: Router, names: Names) -> Router {
    pages
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(Arc::new(names), guard::around))
}

/// Serves pages until `stop` turns true.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    pages: Router,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(PLACES));
    let graceful = Arc::new(GracefulShutdown::new());
    let tls = tls.map(TlsAcceptor::from);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of handles, say: it is waited for, not spun on.
                tracing::warn!(%error, "the console could not take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let _ = stream.set_nodelay(true);
        let (pages, tls, graceful) = (pages.clone(), tls.clone(), graceful.clone());
        tokio::spawn(async move {
            let _place = place;
            match tls {
                None => one(stream, from, pages, &graceful).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(PATIENCE, tls.accept(stream)).await {
                        one(stream, from, pages, &graceful).await;
                    }
                }
            }
        });
    }
    if let Some(graceful) = Arc::into_inner(graceful) {
        let _ = timeout(LAST_ANSWERS, graceful.shutdown()).await;
    }
    Ok(())
}

async fn one<S>(stream: S, from: SocketAddr, pages: Router, graceful: &GracefulShutdown)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    if let Err(error) = graceful.watch(serving.into_owned()).await {
        tracing::debug!(%error, %from, "a connection to the console broke off");
    }
}
