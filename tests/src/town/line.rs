//! A line between two parties that can be made to fail as lines and machines do, for as long as a test likes.

use std::{net::SocketAddr, sync::Arc};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
    sync::watch,
    task::JoinHandle,
};

/// What happens to what is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// It arrives.
    Fair,
    /// Connections are taken and nothing moves, as when the other computer is frozen.
    Frozen,
}

/// A TCP line to an address.
pub struct Line {
    /// Where it begins.
    pub address: SocketAddr,
    weather: Arc<watch::Sender<Weather>>,
    calls: watch::Receiver<usize>,
    task: JoinHandle<()>,
}

impl Line {
    /// Lays a line.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn to(target: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let weather = Arc::new(watch::Sender::new(Weather::Fair));
        let (called, calls) = watch::channel(0);
        let own = weather.clone();
        let task = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                called.send_modify(|calls| *calls += 1);
                tokio::spawn(carry(near, target, own.subscribe()));
            }
        });
        Ok(Self { address, weather, calls, task })
    }

    /// Changes what happens to everything on the line from now on.
    pub fn set(&self, weather: Weather) {
        self.weather.send_replace(weather);
    }

    /// How often somebody called so far.
    pub fn calls(&self) -> usize {
        *self.calls.borrow()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(near: TcpStream, target: SocketAddr, mut weather: watch::Receiver<Weather>) {
    // A call that comes while everything is frozen is never carried on, as one that its caller has given up.
    if *weather.borrow_and_update() == Weather::Frozen {
        let _near = near;
        return std::future::pending().await;
    }
    let Ok(far) = TcpStream::connect(target).await else { return };
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    tokio::select! {
        () = one_way(near_in, far_out, weather.clone()) => {}
        () = one_way(far_in, near_out, weather) => {}
    }
}

async fn one_way(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf, mut weather: watch::Receiver<Weather>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        if weather.wait_for(|weather| *weather == Weather::Fair).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read,
            _ = weather.changed() => continue,
        };
        match read {
            Ok(count @ 1..) => {
                if weather.wait_for(|weather| *weather == Weather::Fair).await.is_err()
                    || to.write_all(&buffer[..count]).await.is_err()
                {
                    return;
                }
            }
            _ => return,
        }
    }
}
