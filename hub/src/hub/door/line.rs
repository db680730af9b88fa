//! One line after its handshake. Invariant: it ends by itself when its time is over before it has opened a request,
//! or when it shows no certificate and has to make way.

use super::{Refused, book::Place};
use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::oneshot,
    time::Sleep,
};
use tokio_rustls::server::TlsStream;
use tonic::{
    Request, Status,
    transport::server::{Connected, TcpConnectInfo, TlsConnectInfo},
};

/// A line.
pub(crate) struct Line {
    stream: TlsStream<TcpStream>,
    place: Place,
    /// What tells a line without a certificate to make way.
    shown_out: Option<oneshot::Receiver<()>>,
    until: Option<Pin<Box<Sleep>>>,
    has_asked: Arc<AtomicBool>,
}

/// What a request knows of its line.
#[derive(Clone)]
pub(crate) struct LineInfo {
    tls: TlsConnectInfo<TcpConnectInfo>,
    has_asked: Arc<AtomicBool>,
}

impl LineInfo {
    /// Notes that a line has opened a request, and shows the request its certificate where tonic looks for it.
    #[allow(clippy::result_large_err, clippy::unnecessary_wraps)] // the shape of an interceptor
    pub(crate) fn note(mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(line) = request.extensions_mut().remove::<Self>() {
            line.has_asked.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(line.tls);
        }
        Ok(request)
    }
}

impl Line {
    pub(super) fn new(
        stream: TlsStream<TcpStream>,
        place: Place,
        shown_out: Option<oneshot::Receiver<()>>,
        time: Duration,
    ) -> Self {
        let until = Some(Box::pin(tokio::time::sleep(time)));
        Self { stream, place, shown_out, until, has_asked: Arc::default() }
    }

    /// Whether the line may go on.
    fn look(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        if let Some(shown_out) = &mut self.shown_out {
            if Pin::new(shown_out).poll(context).is_ready() {
                self.shown_out = None;
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        } else if self.has_asked.load(Ordering::Relaxed) {
            self.until = None;
        }
        if let Some(until) = &mut self.until
            && until.as_mut().poll(context).is_ready()
        {
            self.until = None;
            self.place.cut(&Refused::Slow("request"));
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(())
    }
}

impl Connected for Line {
    type ConnectInfo = LineInfo;

    fn connect_info(&self) -> LineInfo {
        LineInfo { tls: self.stream.connect_info(), has_asked: self.has_asked.clone() }
    }
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.look(context)?;
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.look(context)?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.look(context)?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.look(context)?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
