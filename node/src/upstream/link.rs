//! Carries a session over the wire: one gRPC stream, TLS both ways.

use super::{Client, Papers, Replica, SessionError};
use crate::identity::{ENDED, Identity, IdentityError, Trouble, authorities_digest};
use prost::Message;
use std::{sync::Arc, time::Duration};
use taizhang_proto::{
    pb::{self, sync_client::SyncClient},
    session::MAX_MESSAGE_BYTES,
};
use tokio::{sync::mpsc, task::block_in_place, time::Instant};
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
    /// The line ended, and it shows why.
    #[error("{0}")]
    Line(Trouble),
    /// The certificate had ended and was renewed: the hub is to be called again.
    #[error("本机证书已更新，将重新连接 (the certificate was renewed: the hub is called again)")]
    Renewed,
    /// A live session is open and does not get on.
    #[error("尚有 {pending} 条变更未能上报，会话没有进展 (the session does not get on: {pending} changes still wait)")]
    Stalled {
        /// Changes that wait.
        pending: u64,
    },
}

impl From<tonic::Status> for LinkError {
    fn from(status: tonic::Status) -> Self {
        // What has a cause on this side was not said by the hub: its system stopped answering, or the line broke.
        match std::error::Error::source(&status).map(Trouble::of) {
            None => Self::Status(Box::new(status)),
            Some(trouble @ (Trouble::NotTaken | Trouble::Ended | Trouble::NotAHub)) => Self::Line(trouble),
            Some(_) => Self::Broken,
        }
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

/// What a session says of itself while it runs.
#[derive(Debug)]
pub enum Step<'a> {
    /// It waits for the hub from now on.
    Waits,
    /// It waits for nothing.
    Waited,
    /// Something was heard or said.
    Moved(&'a pb::SyncReport),
}

/// Looks after the papers of this computer where the hub says that there are newer ones. What fails here is tried again in the
/// next session: the old papers still open this one.
async fn look_after(identity: &Identity, channel: &tonic::transport::Channel, papers: &Papers) {
    let others =
        !papers.authorities.is_empty() && papers.authorities[..] != authorities_digest(&identity.authorities_pem());
    if !papers.renew && !others {
        return;
    }
    if let Err(error) = identity.renew(channel.clone()).await {
        tracing::warn!(%error, "the certificate could not be renewed yet");
    }
}

/// Runs one session: to its end, or with `live` for as long as the line holds, or until `enough` and nothing is under way. `on_step`
/// sees how it goes.
///
/// # Errors
/// When the session ends before everything is said, or the hub owes an answer for longer than the identity waits.
pub async fn run<R: Replica + ?Sized>(
    replica: &Arc<R>,
    identity: &Identity,
    live: bool,
    enough: impl Future<Output = ()> + Send,
    mut on_step: impl FnMut(Step<'_>) + Send,
) -> Result<pb::SyncReport, LinkError> {
    let mut enough = std::pin::pin!(enough);
    let started = Instant::now();
    on_step(Step::Waits);
    let channel = identity.connect().await?;
    let mut sync = SyncClient::new(channel.clone())
        .max_decoding_message_size(MAX_MESSAGE_BYTES)
        .max_encoding_message_size(MAX_MESSAGE_BYTES);
    let mut changed = replica.changed();
    let mut client = Client::new(replica.as_ref(), live);
    let (sender, receiver) = mpsc::channel::<pb::Up>(4);
    let hello = block_in_place(|| client.open())?;
    let mut bytes = (hello.encoded_len() as u64, 0_u64);
    sender.send(hello).await.map_err(|_| LinkError::Broken)?;
    let call = identity.in_time(sync.session(ReceiverStream::new(receiver)));
    let mut down = match call.await? {
        Ok(answer) => answer.into_inner(),
        Err(status) if status.metadata().contains_key(ENDED) => {
            identity.renew(channel).await?;
            return Err(LinkError::Renewed);
        }
        Err(status) => return Err(status.into()),
    };
    let mut next: Option<pb::Up> = None;
    let mut heard = false;
    let mut since = Some(Instant::now()); // the hub owes something since then
    while !client.is_finished() || next.is_some() {
        let owed = next.is_some() || client.is_owed();
        match (owed, since) {
            (true, None) => {
                since = Some(Instant::now());
                on_step(Step::Waits);
            }
            (false, Some(_)) => {
                since = None;
                on_step(Step::Waited);
            }
            _ => {}
        }
        let again = replica.greet_again().map(|pause| Instant::now() + pause);
        let limit = since.map(|since| since + identity.timeouts.answer);
        tokio::select! {
            biased; // the limit comes last: what has come while this side was at work was in time
            // While there is no room to send, what comes is read: two full lines must not wait for each other.
            room = sender.reserve(), if next.is_some() => {
                let room = room.map_err(|_| LinkError::Broken)?;
                if let Some(message) = next.take() {
                    bytes.0 += message.encoded_len() as u64;
                    room.send(message);
                }
            }
            message = down.message() => {
                let Some(message) = message? else {
                    return Err(LinkError::Broken);
                };
                bytes.1 += message.encoded_len() as u64;
                block_in_place(|| client.receive(message))?;
                if let Some(papers) = client.take_papers() {
                    look_after(identity, &channel, &papers).await;
                }
                since = since.map(|_| Instant::now());
                heard = true;
            }
            Ok(()) = changed.changed(), if live => {}
            // Nothing is under way: this session ends as if it had not been live, and the next one greets.
            () = until(again), if live && since.is_none() => return Ok(client.report),
            () = &mut enough, if live && since.is_none() => return Ok(client.report),
            () = until(limit) => {
                let (address, seconds) = (identity.address.clone(), identity.timeouts.answer.as_secs());
                return Err(IdentityError::Silent { address, seconds }.into());
            }
        }
        if next.is_none() {
            next = block_in_place(|| client.poll())?;
        }
        (client.report.bytes_up, client.report.bytes_down) = bytes;
        client.report.millis = started.elapsed().as_millis() as u64;
        if heard {
            on_step(Step::Moved(&client.report));
        }
    }
    on_step(Step::Waited);
    // The hub closes once it has heard the end; waiting for it keeps the last message from being cut off.
    drop(sender);
    let _ = tokio::time::timeout(Duration::from_secs(10), down.message()).await;
    Ok(client.report)
}

async fn until(limit: Option<Instant>) {
    match limit {
        Some(limit) => tokio::time::sleep_until(limit).await,
        None => std::future::pending().await,
    }
}

/// Two sessions as one: what each said and heard, and how the last ended.
fn and_then(before: &pb::SyncReport, last: pb::SyncReport) -> pb::SyncReport {
    pb::SyncReport {
        pushed: before.pushed + last.pushed,
        pulled: before.pulled + last.pulled,
        accepted: before.accepted + last.accepted,
        refused: before.refused + last.refused,
        settled: before.settled + last.settled,
        bytes_up: before.bytes_up + last.bytes_up,
        bytes_down: before.bytes_down + last.bytes_down,
        round_trips: before.round_trips + last.round_trips,
        millis: before.millis + last.millis,
        repaired: before.repaired + last.repaired,
        ..last
    }
}

/// Syncs to the end. A new unit, a new incarnation, differing digests, or what was said while the session ended take another session at
/// once.
///
/// # Errors
/// When a session breaks, or the fourth still does not end in equal digests.
pub async fn sync_fully<R: Replica + ?Sized>(
    replica: &Arc<R>,
    identity: &Identity,
    mut on_step: impl FnMut(Step<'_>) + Send,
) -> Result<pb::SyncReport, LinkError> {
    let mut report = pb::SyncReport::default();
    for _ in 0..4 {
        match run(replica, identity, false, std::future::pending(), &mut on_step).await {
            Ok(done) => {
                let is_over = done.equal && (done.pushed == 0 || replica.pending() == 0);
                report = and_then(&report, done);
                if is_over {
                    break;
                }
            }
            Err(
                LinkError::Renewed
                | LinkError::Session(SessionError::NewIncarnation | SessionError::NewScope(_) | SessionError::ClockSet),
            ) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}
