//! Carries a session over the wire: one gRPC stream, TLS both ways.

use super::{Client, Replica, SessionError};
use crate::identity::{Identity, IdentityError};
use prost::Message;
use std::{sync::Arc, time::Duration};
use taizhang_proto::{
    pb::{self, sync_client::SyncClient},
    session::MAX_MESSAGE_BYTES,
};
use tokio::{sync::mpsc, task::block_in_place};
use tokio_stream::wrappers::ReceiverStream;

/// Why a session ended without having said everything.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No identity, or no connection.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The protocol or the replica.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The hub ended it.
    #[error("上级结束了会话 (the hub ended the session): {}", .0.message())]
    Status(Box<tonic::Status>),
    /// The stream ended in the middle.
    #[error("连接中断，将自动重试 (the connection broke; it will be tried again)")]
    Broken,
}

impl From<tonic::Status> for LinkError {
    fn from(status: tonic::Status) -> Self {
        Self::Status(Box::new(status))
    }
}

impl LinkError {
    /// When the hub asked to come back, if it did.
    pub fn retry_after(&self) -> Option<Duration> {
        let Self::Status(status) = self else { return None };
        let millis = status.metadata().get("retry-after-ms")?.to_str().ok()?.parse().ok()?;
        Some(Duration::from_millis(millis))
    }
}

/// Runs one session: to its end, or with `live` for as long as the line holds. `on_step` sees the report grow.
///
/// # Errors
/// When the session ends before everything is said.
pub async fn run<R: Replica + ?Sized>(
    replica: &Arc<R>,
    identity: &Identity,
    live: bool,
    mut on_step: impl FnMut(&pb::SyncReport) + Send,
) -> Result<pb::SyncReport, LinkError> {
    let started = std::time::Instant::now();
    let channel = identity.connect().await?;
    let mut sync = SyncClient::new(channel)
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let mut changed = replica.changed();
    let mut client = Client::new(replica.as_ref(), live);
    let (sender, receiver) = mpsc::channel::<pb::Up>(4);
    let hello = block_in_place(|| client.open())?;
    let mut bytes = (hello.encoded_len() as u64, 0_u64);
    sender.send(hello).await.map_err(|_| LinkError::Broken)?;
    let mut down = sync.session(ReceiverStream::new(receiver)).await?.into_inner();
    while !client.is_finished() {
        tokio::select! {
            message = down.message() => {
                let Some(message) = message? else {
                    return Err(LinkError::Broken);
                };
                bytes.1 += message.encoded_len() as u64;
                block_in_place(|| client.receive(message))?;
            }
            Ok(()) = changed.changed(), if live => {}
        }
        while let Some(message) = block_in_place(|| client.poll())? {
            bytes.0 += message.encoded_len() as u64;
            sender.send(message).await.map_err(|_| LinkError::Broken)?;
        }
        (client.report.bytes_up, client.report.bytes_down) = bytes;
        client.report.millis = started.elapsed().as_millis() as u64;
        on_step(&client.report);
    }
    // The hub closes once it has heard the end; waiting for it keeps the last message from being cut off.
    drop(sender);
    let _ = tokio::time::timeout(Duration::from_secs(10), down.message()).await;
    Ok(client.report)
}

/// Syncs to the end. A new unit, a new incarnation or differing digests take another session at once.
///
/// # Errors
/// When a session breaks, or the fourth still does not end in equal digests.
pub async fn sync_fully<R: Replica + ?Sized>(
    replica: &Arc<R>,
    identity: &Identity,
    mut on_step: impl FnMut(&pb::SyncReport) + Send,
) -> Result<pb::SyncReport, LinkError> {
    let mut report = pb::SyncReport::default();
    for _ in 0..4 {
        match run(replica, identity, false, &mut on_step).await {
            Ok(done) if done.equal => return Ok(done),
            Ok(done) => report = done,
            Err(LinkError::Session(SessionError::NewIncarnation | SessionError::NewScope(_))) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}
