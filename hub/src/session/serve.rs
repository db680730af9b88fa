//! The sync service on the wire: admission, one task a session, back-pressure by bounded queues.

use super::{Fault, Server};
use crate::{
    certificate::issued_by,
    rows::{self, NodeRow},
    state::{Core, Peer, access::still_welcome, readers},
    store::{Space, StoreError},
    writer::{Answer, Job, Paper, RETRY_MILLIS, WriteError, Writer},
};
use std::{
    collections::{HashMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};
use taizhang_node::{
    caller::Refusal,
    identity::{CertKind, CertName, ENDED, lifetime, name_in, pem},
    ledger::time,
};
use taizhang_proto::{
    OrgCode,
    pb::{self, sync_server::Sync},
    session::IN_FLIGHT,
};
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    task::block_in_place,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming, metadata::MetadataValue};

/// Messages on their way to a child that its window has not taken yet.
const DOWN_QUEUE: usize = 4;
/// Batches of all sessions that may be unpacked at a time: packed ones wait in the children's windows.
const UNPACKED_BATCHES: usize = 8;
/// How often a child that stays in its session is noted as present: a live node may have nothing to say for days.
const PRESENCE: std::time::Duration = std::time::Duration::from_secs(3_600);
/// A session that has not greeted by then ends.
const GREETING: std::time::Duration = std::time::Duration::from_secs(30);
/// A repair in which the child says nothing for so long ends, so that others get their turn.
const REPAIR_IDLE: std::time::Duration = std::time::Duration::from_secs(60);
/// A child that takes no message for so long is gone.
const UNREAD: std::time::Duration = std::time::Duration::from_secs(180);
/// How long a session waits for the place of the earlier one that it takes over.
const HANDING_OVER: std::time::Duration = std::time::Duration::from_secs(5);

/// The sync service.
#[derive(Clone)]
pub struct SyncService {
    core: Arc<Core>,
    writer: Writer,
    admitted: Arc<Semaphore>,
    room: Arc<Semaphore>,
    open: Arc<Mutex<Open>>,
    stop: watch::Receiver<bool>,
}

impl SyncService {
    /// A service that lets `sessions` children in at a time.
    pub fn new(core: Arc<Core>, writer: Writer, sessions: usize, stop: watch::Receiver<bool>) -> Self {
        let room = Arc::new(Semaphore::new(UNPACKED_BATCHES));
        Self { core, writer, admitted: Arc::new(Semaphore::new(sessions)), room, open: Arc::default(), stop }
    }

    /// Ids of the children with an open session.
    pub fn online(&self) -> Vec<String> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).sessions.keys().cloned().collect()
    }
}

/// Who asks for figures at the other end of a connection, from the verified certificate: a child, or a reader.
///
/// # Errors
/// When it showed none, or one that names nobody, a unit outside this hub, or somebody who was retired.
#[allow(clippy::result_large_err)] // tonic's own error type
pub fn peer_of<T>(core: &Core, request: &Request<T>) -> Result<Peer, Status> {
    let name = admitted(core, request)?;
    Ok(peer_named(core, &name))
}

/// The child at the other end of a connection, from the verified certificate: no reader.
///
/// # Errors
/// As [`peer_of`]; and to a reader.
#[allow(clippy::result_large_err)] // tonic's own error type
pub fn office_of<T>(core: &Core, request: &Request<T>) -> Result<Peer, Status> {
    child_of(core, request).map(|(peer, _)| peer)
}

/// The child that wants to sync, and the unit that its certificate names.
#[allow(clippy::result_large_err)] // tonic's own error type
fn child_of<T>(core: &Core, request: &Request<T>) -> Result<(Peer, OrgCode), Status> {
    let name = admitted(core, request)?;
    if name.kind == CertKind::Reader {
        return Err(Fault::from(WriteError::ReadOnly).into());
    }
    Ok((peer_named(core, &name), name.unit))
}

fn peer_named(core: &Core, name: &CertName) -> Peer {
    // A certificate may name a code that was given up since.
    let unit = core.tree().current(name.unit, core.today());
    Peer { id: name.id.clone(), unit, hub: name.kind == CertKind::Hub }
}

/// The certificate (DER) that a line has shown.
///
/// # Errors
/// When it showed none.
#[allow(clippy::result_large_err)] // tonic's own error type
pub(crate) fn certificate_of<T>(request: &Request<T>) -> Result<Vec<u8>, Status> {
    let certificates = request.peer_certs();
    let certificate = certificates.as_ref().and_then(|chain| chain.first()).map(|first| first.to_vec());
    certificate.ok_or_else(|| Status::unauthenticated("请先登记 (no client certificate: enrol first)"))
}

/// The name in a certificate that has not ended, by this hub's clock.
#[allow(clippy::result_large_err)] // tonic's own error type
fn admitted<T>(core: &Core, request: &Request<T>) -> Result<CertName, Status> {
    let certificate = certificate_of(request)?;
    let name = name_of(core, &certificate)?;
    if lifetime(&certificate).is_none_or(|(_, ends)| core.now() > ends) {
        let mut ended =
            Status::unauthenticated("本机证书已到期，需更新后再连接 (this computer's certificate has ended: renew it)");
        ended.metadata_mut().insert(ENDED, MetadataValue::from_static("1"));
        return Err(ended);
    }
    Ok(name)
}

/// The name in the certificate of somebody who is still welcome.
#[allow(clippy::result_large_err)] // tonic's own error type
pub(crate) fn name_of(core: &Core, certificate: &[u8]) -> Result<CertName, Status> {
    let name = name_in(certificate).map_err(|error| Status::unauthenticated(error.to_string()))?;
    if !core.unit.covers(name.unit) {
        return Err(Status::permission_denied(format!(
            "单位{}不在{}的辖区内 (not below this hub)",
            name.unit, core.unit
        )));
    }
    if name.kind != CertKind::Reader {
        return block_in_place(|| still_welcome(core, &name.id)).map(|()| name);
    }
    let failed = |error: StoreError| Status::unavailable(error.to_string());
    match block_in_place(|| readers::read(core.view().as_ref(), &name.id)).map_err(failed)? {
        Some(reader) if reader.retired == 0 => Ok(name),
        Some(_) => Err(Fault::from(WriteError::Retired).into()),
        // One that a hub restored from an old backup has never heard of: nobody could take its certificate back.
        None => Err(Fault::from(WriteError::Unknown(name.id)).into()),
    }
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let message = fault.to_string();
        match fault {
            Fault::Busy | Fault::Moved(_) => Self::Later(message, RETRY_MILLIS),
            Fault::Version(_) => Self::Refused(message),
            Fault::Protocol(_) => Self::Wrong(message),
            Fault::Write(why) => why.into(),
        }
    }
}

/// As gRPC says it.
impl From<Fault> for Status {
    fn from(fault: Fault) -> Self {
        Refusal::from(fault).into()
    }
}

fn come_back_later(message: &str) -> Status {
    Refusal::Later(message.to_owned(), RETRY_MILLIS).into()
}

/// The open session of each child, by its id.
#[derive(Default)]
struct Open {
    next: u64,
    sessions: HashMap<String, (u64, oneshot::Sender<()>)>,
}

/// A child's one session, for as long as it lives.
struct Presence {
    open: Arc<Mutex<Open>>,
    id: String,
    number: u64,
    took_over: bool,
}

impl Presence {
    /// Notes a session; an earlier one of the same child ends. What comes with it tells when a later one takes over.
    fn of(open: &Arc<Mutex<Open>>, id: &str) -> (Self, oneshot::Receiver<()>) {
        let (ends, overtaken) = oneshot::channel();
        let mut sessions = open.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.next += 1;
        let number = sessions.next;
        let took_over = sessions.sessions.insert(id.to_owned(), (number, ends)).is_some();
        (Self { open: open.clone(), id: id.to_owned(), number, took_over }, overtaken)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.sessions.get(&self.id).is_some_and(|(number, _)| *number == self.number) {
            open.sessions.remove(&self.id);
        }
    }
}

#[tonic::async_trait]
impl Sync for SyncService {
    type SessionStream = Pin<Box<dyn tokio_stream::Stream<Item = Result<pb::Down, Status>> + Send>>;

    async fn session(&self, request: Request<Streaming<pb::Up>>) -> Result<Response<Self::SessionStream>, Status> {
        // Before it is let in, so that nobody is retired unnoticed in between.
        let retirements = self.core.retirements();
        let (peer, certified) = child_of(&self.core, &request)?;
        let certificate = certificate_of(&request)?;
        let (presence, overtaken) = Presence::of(&self.open, &peer.id);
        let permit = if presence.took_over {
            // The earlier session gives its place back when it has heard that it is over.
            tokio::time::timeout(HANDING_OVER, self.admitted.clone().acquire_owned()).await.ok()
        } else {
            self.admitted.clone().try_acquire_owned().ok().map(Ok)
        };
        let Some(Ok(permit)) = permit else {
            return Err(come_back_later("上级正忙，请稍后再试 (too many sessions: come back later)"));
        };
        let (sender, receiver) = mpsc::channel(DOWN_QUEUE);
        let service = self.clone();
        let up = request.into_inner();
        tokio::spawn(async move {
            let (id, unit) = (peer.id.clone(), peer.unit);
            if let Err(error) = service.learn_certificate(&peer, &certificate).await {
                tracing::warn!(node = %id, %error, "what is known of its certificate can't be kept");
            }
            tracing::info!(node = %id, %unit, "connected");
            let server = Server::new(peer).certified_as(certified).showing(certificate);
            let outcome = tokio::select! {
                outcome = service.drive((&id, retirements), server, up, &sender) => outcome,
                _ = overtaken => Err(come_back_later("本机已在另一会话中连接 (another session of this node has taken over)")),
            };
            // Before the last word, which a child that does not listen would hold up.
            drop((permit, presence));
            if let Err(status) = outcome {
                tracing::debug!(node = %id, %unit, reason = status.message(), "session ended");
                let _ = tokio::time::timeout(UNREAD, sender.send(Err(status))).await;
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

type Outstanding = VecDeque<oneshot::Receiver<Result<Answer, WriteError>>>;

impl SyncService {
    /// Keeps what is news of a child's certificate: it was given by a hub that has lost its store since, or an earlier build.
    async fn learn_certificate(&self, peer: &Peer, certificate: &[u8]) -> Result<(), WriteError> {
        let read = || rows::read::<NodeRow>(self.core.view().as_ref(), Space::Nodes, peer.id.as_bytes());
        let row = block_in_place(read)?;
        let ends = lifetime(certificate).map_or(0, |(_, ends)| ends);
        if row.is_some_and(|row| row.is_news(ends, issued_by(certificate))) {
            let paper = Paper::of(&pem("CERTIFICATE", certificate));
            self.writer.write(Job::Certificate(peer.id.clone(), paper)).await?;
        }
        Ok(())
    }

    /// One session, from greeting to end.
    async fn drive(
        &self,
        (id, mut retirements): (&str, watch::Receiver<u64>),
        mut server: Server,
        mut up: Streaming<pb::Up>,
        down: &mpsc::Sender<Result<pb::Down, Status>>,
    ) -> Result<(), Status> {
        let opened = std::time::Instant::now();
        let mut revision = self.core.subscribe();
        let mut stop = self.stop.clone();
        let mut waiting = Outstanding::new();
        let mut presence = tokio::time::interval(PRESENCE);
        let greeting = tokio::time::sleep(GREETING);
        let idle = tokio::time::sleep(REPAIR_IDLE);
        tokio::pin!(greeting, idle);
        presence.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let reading = || ((self.core.clock)(), opened.elapsed().as_millis() as u64);
        let mut looked = reading();
        loop {
            let now = reading();
            if time::jump(looked, now).is_some() {
                // What the greeting said of both clocks no longer holds: the child comes back and is told anew.
                return Err(come_back_later("上级时钟已被调整，请重新连接 (the hub's clock was set: come back)"));
            }
            looked = now;
            // Whoever goes by an earlier list of authorities hears of it before what they signed: it comes back and is told.
            if server.has_other_authorities(&self.core) {
                return Err(come_back_later("证书需要更新，请重新连接 (papers are to be renewed: come back)"));
            }
            let may_read = waiting.len() <= IN_FLIGHT;
            tokio::select! {
                answer = next_answer(&mut waiting), if !waiting.is_empty() => {
                    waiting.pop_front();
                    let messages = block_in_place(|| server.answered(&self.core, answer?))?;
                    for message in messages {
                        send(down, message).await?;
                    }
                }
                message = up.message(), if may_read => {
                    let Some(message) = message? else { return Ok(()) };
                    idle.as_mut().reset(tokio::time::Instant::now() + REPAIR_IDLE);
                    // Taken before unpacking; the writer gives it back, so a full house never waits for itself.
                    let room = match &message.it {
                        Some(pb::up::It::Push(_)) => self.room.clone().acquire_owned().await.ok(),
                        _ => None,
                    };
                    if let Some(mut job) = block_in_place(|| server.receive(message))? {
                        if let Job::Push { room: place, .. } = &mut job {
                            *place = room;
                        }
                        waiting.push_back(self.writer.submit(job).await.map_err(Fault::from)?);
                    }
                }
                () = &mut greeting, if !server.has_greeted() => {
                    return Err(Status::deadline_exceeded("连接后未及时问候 (no greeting in time)"));
                }
                () = &mut idle, if server.is_repairing() => return Err(come_back_later("核对数据中断过久 (the repair stood still)")),
                Ok(()) = revision.changed() => {}
                _ = presence.tick() => {
                    if server.has_new_papers(&self.core) {
                        return Err(come_back_later("证书需要更新，请重新连接 (papers are to be renewed: come back)"));
                    }
                    if let Some(job) = server.presence() {
                        waiting.push_back(self.writer.submit(job).await.map_err(Fault::from)?);
                    }
                }
                Ok(()) = retirements.changed() => block_in_place(|| still_welcome(&self.core, id))?,
                _ = stop.changed() => return Err(Status::unavailable("上级正在停止 (the hub is shutting down)")),
            }
            while let Some(message) = block_in_place(|| server.pull(&self.core))? {
                send(down, message).await?;
                idle.as_mut().reset(tokio::time::Instant::now() + REPAIR_IDLE);
                // A first load is many messages: who is retired meanwhile is not told the rest.
                if retirements.has_changed().unwrap_or(false) {
                    retirements.mark_unchanged();
                    block_in_place(|| still_welcome(&self.core, id))?;
                }
                if *stop.borrow() {
                    return Err(Status::unavailable("上级正在停止 (the hub is shutting down)"));
                }
            }
            if server.is_finished() && waiting.is_empty() {
                return Ok(());
            }
        }
    }
}

/// The answer to the oldest job.
async fn next_answer(waiting: &mut Outstanding) -> Result<Answer, Fault> {
    match waiting.front_mut() {
        Some(oldest) => Ok(oldest.await.map_err(|_| WriteError::Stopped)??),
        None => std::future::pending().await,
    }
}

async fn send(down: &mpsc::Sender<Result<pb::Down, Status>>, message: pb::Down) -> Result<(), Status> {
    match tokio::time::timeout(UNREAD, down.send(Ok(message))).await {
        Ok(sent) => sent.map_err(|_| Status::cancelled("the child hung up")),
        Err(_) => Err(come_back_later("下级长时间未接收数据 (the child does not read what is sent)")),
    }
}
