//! How a console is served, to this computer alone.
//! Invariant: nobody holds a connection that says nothing, and never more are open than there are places; pages are compressed.

use super::guard;
use axum::{Router, extract::DefaultBodyLimit, middleware};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto, graceful::GracefulShutdown},
    service::TowerToHyperService,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};
use tower_http::compression::CompressionLayer;

/// Connections at a time.
const PLACES: usize = 256;
/// How long a browser may take for the head of a request.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long what is being answered may take once the program is to stop.
const LAST_ANSWERS: Duration = Duration::from_secs(2);
/// Largest form, bytes; a page that takes files says its own bound.
const LARGEST_FORM: usize = 1 << 20;

/// Puts around pages what every console has around them.
pub fn around(pages: Router) -> Router {
    pages
        .layer(DefaultBodyLimit::max(LARGEST_FORM))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn(guard::around))
}

/// Serves pages until `stop` turns true.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, pages: Router, mut stop: watch::Receiver<bool>) -> std::io::Result<()> {
    let places = Arc::new(Semaphore::new(PLACES));
    let graceful = Arc::new(GracefulShutdown::new());
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
        let (pages, graceful) = (pages.clone(), graceful.clone());
        tokio::spawn(async move {
            let _place = place;
            one(stream, from, pages, &graceful).await;
        });
    }
    if let Some(graceful) = Arc::into_inner(graceful) {
        let _ = timeout(LAST_ANSWERS, graceful.shutdown()).await;
    }
    Ok(())
}

async fn one(stream: TcpStream, from: SocketAddr, pages: Router, graceful: &GracefulShutdown) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    let serving = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(pages));
    if let Err(error) = graceful.watch(serving.into_owned()).await {
        tracing::debug!(%error, %from, "a connection to the console broke off");
    }
}
