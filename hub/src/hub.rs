//! A hub as one object: core, writer, authority, link to the parent, and its servers. The demo, the tests and the
//! binary start the same thing.

mod admin;
mod bulletin;
mod calls;
mod door;
mod reading;
mod review;

use crate::{
    advertise,
    authority::{self, Authority, AuthorityError, EnrolmentService},
    config::Config,
    integrity::{self, Opened},
    mail::envelope::Envelopes,
    plans::{self, PublishError},
    session::serve::{self, SyncService},
    state::{Core, Peer, outside::read_units},
    store::StoreError,
    tidy,
    totals::TotalsService,
    upward::Upward,
    writer::{Job, Writer},
};
use bulletin::Bulletin;
use calls::Calls;
use door::{Door, Limits, LineInfo};
use reading::ReadingService;
pub use review::ReviewService;
use std::{net::SocketAddr, path::Path, path::PathBuf, sync::Arc};
use taizhang_node::{
    control::{self, ControlFile},
    disk::{self, DiskError},
    identity::{Identity, IdentityError},
    ledger::Clock,
    parts::{self, Parts},
    upstream::schedule::{Keeper, Schedule},
};
use taizhang_proto::{
    DESCRIPTORS,
    org::UnitTree,
    pb::{
        Tier, admin_server::AdminServer, bulletin_server::BulletinServer, enrolment_server::EnrolmentServer,
        reading_server::ReadingServer, review_server::ReviewServer, sync_server::SyncServer,
        totals_server::TotalsServer,
    },
    session::MAX_MESSAGE_BYTES,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tonic::{
    Request, Status,
    service::{InterceptorLayer, interceptor::InterceptedService},
};
use tonic_health::ServingStatus;

/// The store's name in the data directory.
pub const STORE: &str = "store";

/// Why a hub can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Its store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The key with which the city signs.
    #[error(transparent)]
    Key(#[from] PublishError),
    /// Its identity at the parent.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// A port.
    #[error(
        "不能在 {address} 监听，端口可能已被占用 (can't listen there: is another program using the port?)：{source}"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// TLS or a thread.
    #[error("不能启动 (can't start)：{0}")]
    Start(String),
}

/// Largest request for figures, bytes.
const MAX_QUESTION_BYTES: usize = 16 * 1024;
/// Largest request of a township's reviewer, bytes.
const MAX_REVIEW_BYTES: usize = 256 * 1024;

/// An open hub.
pub struct Hub {
    /// Rows, plan, clock.
    pub core: Arc<Core>,
    /// The one way in.
    pub writer: Writer,
    /// Certificates for children.
    pub authority: Arc<Authority>,
    /// The link to the parent, once enrolled there.
    pub keeper: Option<Arc<Keeper<Upward>>>,
    /// What befell the store before it was opened; empty where nothing did.
    incident: String,
    parent: Option<Identity>,
    upward: Option<Arc<Upward>>,
    schedule: Schedule,
    config: Config,
    door: Arc<Door>,
    data: PathBuf,
    _lock: std::fs::File,
}

/// A hub that answers.
pub struct Running {
    /// Where children call.
    pub address: SocketAddr,
    tasks: Vec<JoinHandle<()>>,
    ended: watch::Receiver<Option<String>>,
}

impl Running {
    /// Waits until a part of the hub ends that nobody asked to; says which, and why.
    pub async fn failed(&self) -> String {
        let mut ended = self.ended.clone();
        let first = ended.wait_for(Option::is_some).await.ok().and_then(|first| first.clone());
        match first {
            Some(first) => first,
            None => std::future::pending().await,
        }
    }

    /// Waits until everything has stopped.
    pub async fn stopped(self) {
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

impl Hub {
    /// Opens the hub in a data directory.
    ///
    /// # Errors
    /// When `init` has not been run, the directory is in use, or the store can't be opened.
    pub fn open(data: &Path, config: Config, schedule: Schedule, clock: Clock) -> Result<Arc<Self>, HubError> {
        let lock = disk::lock(data)?;
        let authority = Arc::new(Authority::load(data, config.unit)?);
        let Opened { store, incident } = integrity::open(&data.join(STORE), config.unit)?;
        if !incident.is_empty() {
            tracing::error!(%incident, "what befell the store");
        }
        let secret = authority.seal_secret()?;
        let core = Core::open_sealing(config.unit, config.tier.into(), Box::new(store), clock, secret)?;
        authority.keep_seal_secret(&core.lineage.secret())?;
        take_up(&core, &authority, &incident)?;
        core.go_by(authority.in_force());
        renew_authority(&core, &authority);
        if core.tier == Tier::City {
            core.sign_with(plans::signing_key(data)?);
        }
        let writer = Writer::start(core.clone()).map_err(|error| HubError::Start(error.to_string()))?;
        let parent = Identity::load_if_enrolled(data)?;
        let mut upward = None;
        if let Some(identity) = &parent {
            let envelopes = Envelopes::of(identity).map_err(|error| HubError::Start(error.to_string()))?;
            upward = Some(Upward::new(core.clone(), Some(envelopes)));
        }
        let keeper =
            parent.clone().zip(upward.clone()).map(|(identity, upward)| Keeper::new(upward, identity, schedule));
        let door = Door::new(Limits::under(door::raise_file_limit()));
        let data = data.to_owned();
        Ok(Arc::new(Self {
            core,
            writer,
            authority,
            keeper,
            incident,
            parent,
            schedule,
            config,
            door,
            data,
            upward,
            _lock: lock,
        }))
    }

    /// Looks after the own authority: a new one in time, and the end of former ones. A running hub does so every hour.
    pub fn renew_papers(&self) {
        renew_authority(&self.core, &self.authority);
    }

    /// The address that goes into tokens when the configuration names none.
    fn advertised(&self, bound: SocketAddr) -> String {
        let own = self.config.advertise.clone().or_else(|| advertise::derived(bound));
        own.unwrap_or_else(|| format!("https://{bound}"))
    }

    /// Serves children, its own command line and the link to the parent until `stop` turns true.
    ///
    /// # Errors
    /// When a port can't be had.
    pub async fn serve(self: &Arc<Self>, stop: watch::Receiver<bool>) -> Result<Running, HubError> {
        let listener = bind(self.config.listen).await?;
        let address =
            listener.local_addr().map_err(|source| HubError::Listen { address: self.config.listen, source })?;
        let sync = SyncService::new(self.core.clone(), self.writer.clone(), self.config.sessions, stop.clone());
        let parts = Parts::new();
        let ended = parts.ended();
        let children = self.serve_children(listener, (sync.clone(), ended.clone()), stop.clone())?;
        let control = self.serve_control(sync, self.advertised(address), stop.clone()).await?.1;
        let mut tasks = vec![
            parts.run("children", stop.clone(), children),
            parts.run("control", stop.clone(), async move { parts::as_own(control.await) }),
        ];
        tasks.push(parts.run("store", stop.clone(), keep_mending(self.core.clone(), stop.clone())));
        tasks.push(parts.run("tidying", stop.clone(), keep_tidy(self.core.clone(), self.writer.clone(), stop.clone())));
        let papers = keep_papers(self.core.clone(), self.authority.clone(), stop.clone());
        tasks.push(parts.run("papers", stop.clone(), papers));
        let mark = |upward| parts.run("marking", stop.clone(), keep_marking(upward, stop.clone()));
        tasks.extend(self.upward.clone().map(mark));
        tasks.extend(self.keeper.clone().map(|keeper| parts.run("keeper", stop.clone(), keeper.run(stop.clone()))));
        let (mut alive, mut stopping) = (self.writer.alive(), stop.clone());
        tasks.push(parts.run("writer", stop, async move {
            tokio::select! {
                _ = alive.changed() => {}
                _ = stopping.wait_for(|stop| *stop) => {}
            }
        }));
        Ok(Running { address, tasks, ended })
    }

    fn serve_children(
        &self,
        listener: TcpListener,
        (sync, mut ended): (SyncService, watch::Receiver<Option<String>>),
        stop: watch::Receiver<bool>,
    ) -> Result<impl Future<Output = ()> + Send + use<>, HubError> {
        let start = |error: &dyn std::fmt::Display| HubError::Start(error.to_string());
        let sync = SyncServer::new(sync)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let enrolment =
            EnrolmentServer::new(EnrolmentService::new(self.core.clone(), self.writer.clone(), self.authority.clone()))
                .max_decoding_message_size(64 * 1024);
        let only = |who: fn(&Core, &Request<()>) -> Result<Peer, Status>| {
            let core = self.core.clone();
            move |mut request: Request<()>| {
                let peer = who(&core, &request)?;
                request.extensions_mut().insert(peer);
                Ok(request)
            }
        };
        let totals = InterceptedService::new(
            TotalsServer::new(TotalsService::new(self.core.clone(), stop.clone()))
                .max_decoding_message_size(MAX_QUESTION_BYTES),
            only(serve::peer_of),
        );
        let bulletin = BulletinServer::new(Bulletin::new(self.core.clone()))
            .max_decoding_message_size(MAX_QUESTION_BYTES)
            .max_encoding_message_size(control::MAX_MESSAGE);
        let bulletin = InterceptedService::new(bulletin, only(serve::peer_of));
        let review = ReviewServer::new(ReviewService::for_townships(self.core.clone(), self.writer.clone()))
            .max_decoding_message_size(MAX_REVIEW_BYTES);
        let review = InterceptedService::new(review, only(serve::office_of));
        let (health, health_service) = tonic_health::server::health_reporter();
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            .build_v1()
            .map_err(|error| start(&error))?;
        // Health answers a probe without a certificate, with one word; what the services look like is for those who
        // were let in.
        let reflection = InterceptedService::new(reflection, only(serve::peer_of));
        let core = self.core.clone();
        let lines = self.door.lines(listener, self.authority.tls(self.config.unit)?, stop.clone());
        let router = tonic::transport::Server::builder()
            .layer(InterceptorLayer::new(LineInfo::note))
            .http2_keepalive_interval(Some(std::time::Duration::from_secs(30)))
            .initial_stream_window_size(1024 * 1024)
            .initial_connection_window_size(2 * 1024 * 1024)
            .max_concurrent_streams(16)
            .add_service(sync)
            .add_service(enrolment)
            .add_service(totals)
            .add_service(bulletin)
            .add_service(review)
            .add_service(health_service)
            .add_service(reflection);
        Ok(async move {
            health.set_serving::<SyncServer<SyncService>>().await;
            let mut probe = tokio::spawn(tell_health(core, health.clone()));
            tokio::spawn(async move {
                // When nobody looks any more, nobody says that all is well.
                tokio::select! {
                    _ = ended.wait_for(Option::is_some) => probe.abort(),
                    _ = &mut probe => tracing::error!("nobody looks after the store's health any more"),
                }
                health.set_not_serving::<SyncServer<SyncService>>().await;
                health.set_service_status("", ServingStatus::NotServing).await;
            });
            let ended = router.serve_with_incoming_shutdown(lines, until(stop)).await;
            if let Err(error) = ended {
                tracing::error!(%error, "the server for children failed");
            }
        })
    }

    /// Answers the hub's own command line on a loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn serve_control(
        self: &Arc<Self>,
        sync: SyncService,
        advertised: String,
        stop: watch::Receiver<bool>,
    ) -> Result<(ControlFile, JoinHandle<()>), HubError> {
        let listener = bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr().map_err(|error| HubError::Start(error.to_string()))?;
        let file = ControlFile::write(&self.data, address)?;
        let admin = AdminServer::new(admin::Face(Calls::new(self.clone(), sync, advertised)))
            .max_encoding_message_size(control::MAX_MESSAGE);
        let totals = TotalsServer::new(TotalsService::new(self.core.clone(), stop.clone()))
            .max_decoding_message_size(MAX_QUESTION_BYTES);
        let review = ReviewServer::new(ReviewService::new(self.core.clone(), self.writer.clone()))
            .max_encoding_message_size(control::MAX_MESSAGE);
        let reading = ReadingServer::new(ReadingService::new(self.core.clone(), self.writer.clone()))
            .max_encoding_message_size(control::MAX_MESSAGE);
        let server = tonic::transport::Server::builder();
        let router = { server }.add_service(admin).add_service(review).add_service(totals).add_service(reading);
        let incoming = control::incoming(listener, &file);
        let data = self.data.clone();
        let task = tokio::spawn(async move {
            let ended = router.serve_with_incoming_shutdown(incoming, until(stop)).await;
            ControlFile::remove(&data);
            if let Err(error) = ended {
                tracing::error!(%error, "the control socket failed");
            }
        });
        Ok((file, task))
    }

    /// Control without children: for a command on a hub that does not run.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn serve_commands_only(
        self: &Arc<Self>,
        stop: watch::Receiver<bool>,
    ) -> Result<(ControlFile, JoinHandle<()>), HubError> {
        let sync = SyncService::new(self.core.clone(), self.writer.clone(), 0, stop.clone());
        self.serve_control(sync, self.advertised(self.config.listen), stop).await
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        &self.data
    }
}

/// How often a store that takes no writes is looked at.
const MENDING: std::time::Duration = std::time::Duration::from_secs(1);

/// Opens a store that failed anew once what was in its way is gone, and says why meanwhile.
async fn keep_mending(core: Arc<Core>, mut stop: watch::Receiver<bool>) {
    let mut said = String::new();
    loop {
        tokio::select! {
            () = tokio::time::sleep(MENDING) => {}
            _ = stop.changed() => return,
        }
        let fault = match core.store.fault() {
            Some(fault) => fault,
            None if core.is_behind_store() => "重新读取存储 (the store is being read anew)".into(),
            None => continue,
        };
        if core.store.is_damaged() {
            // This part ends, and the program with it: what is damaged is set aside where a hub starts, and nowhere else.
            tracing::error!(%fault, "the store is damaged: the program ends, and looks at every row when it starts again");
            return;
        }
        if fault != said {
            tracing::error!(%fault, "the store takes no writes; it is opened anew once there is room");
            said.clone_from(&fault);
        }
        match tokio::task::block_in_place(|| core.mend().and_then(|()| core.count_by_what_stands())) {
            Ok(()) => {
                tracing::warn!("the store was opened anew and takes writes again");
                said.clear();
            }
            Err(error) => tracing::debug!(%error, "the store can't be opened anew yet"),
        }
    }
}

/// Tells probes whether the store takes writes.
async fn tell_health(core: Arc<Core>, health: tonic_health::server::HealthReporter) {
    let mut was_well = true;
    loop {
        tokio::time::sleep(MENDING).await;
        let is_well = core.store.fault().is_none() && !core.is_behind_store();
        if is_well == was_well {
            continue;
        }
        was_well = is_well;
        let status = if is_well { ServingStatus::Serving } else { ServingStatus::NotServing };
        health.set_service_status("", status).await;
        if is_well {
            health.set_serving::<SyncServer<SyncService>>().await;
        } else {
            health.set_not_serving::<SyncServer<SyncService>>().await;
        }
    }
}

/// Takes back what is kept outside the store, and notes that this store may be older than the hub's children.
fn take_up(core: &Core, authority: &Authority, incident: &str) -> Result<(), HubError> {
    let file = authority.roll_file();
    let mut jobs = Vec::new();
    // Without it, who was retired could come back: only where there is none yet, none is known.
    match std::fs::read(&file) {
        Ok(sealed) => jobs.push(Job::Roll(sealed.into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            let file = file.display();
            return Err(HubError::Start(format!(
                "停用名单 {file} 无法读取：{error}；请检查磁盘与文件权限后再启动 (the roll of who was retired can't be read: look to the \
                 disk, and to whose file it is)"
            )));
        }
    }
    let units = authority.units_file();
    if let Ok(text) = std::fs::read_to_string(&units) {
        match read_units(&text).filter(|(_, csv)| UnitTree::from_csv(csv).is_ok()) {
            Some((version, csv)) if version > core.versioned_tree().0 => {
                tracing::warn!(
                    version,
                    "the store's tree of units is older than the one kept beside the authority, which is taken"
                );
                jobs.push(Job::Tree(csv.to_owned(), Some(version)));
            }
            Some(_) => {}
            None => {
                tracing::error!(file = %units.display(), "the tree of units beside the authority can't be read: written anew");
            }
        }
    }
    if !incident.is_empty() {
        jobs.push(Job::Older(incident.to_owned()));
    }
    for answer in core.commit(jobs) {
        answer.map_err(|error| HubError::Start(error.to_string()))?;
    }
    core.keep_outside(file, units);
    read_what_was_left(core)
}

/// Tries the letters again that an earlier build, or a damaged store, could not take.
fn read_what_was_left(core: &Core) -> Result<(), HubError> {
    let failed = |error: StoreError| HubError::Start(error.to_string());
    let letters = crate::mail::post::unread(core.view().as_ref()).map_err(failed)?;
    for letter in letters {
        let (from, kind) = (letter.from, letter.kind());
        core.commit(vec![Job::News(vec![crate::writer::News::Letter(letter)])]);
        tracing::info!(from, ?kind, "a letter that was left unread was tried again");
    }
    Ok(())
}

async fn bind(address: SocketAddr) -> Result<TcpListener, HubError> {
    TcpListener::bind(address).await.map_err(|source| HubError::Listen { address, source })
}

/// How often records that changed are marked for the parent.
const MARKING: std::time::Duration = std::time::Duration::from_millis(500);

/// Marks records behind the ingest path, until `stop` turns true.
async fn keep_marking(upward: Arc<Upward>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(MARKING) => {}
            _ = stop.changed() => return,
        }
        if let Err(error) = tokio::task::block_in_place(|| upward.mark()) {
            tracing::error!(%error, "records can't be marked");
        }
    }
}

/// How often rows that nobody needs are looked for.
const TIDYING: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Removes rows that nobody needs, behind everything else, until `stop` turns true.
async fn keep_tidy(core: Arc<Core>, writer: Writer, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(TIDYING) => {}
            _ = stop.changed() => return,
        }
        while !*stop.borrow() {
            let rows = match tokio::task::block_in_place(|| tidy::stale(&core, tidy::AT_ONCE)) {
                Ok(rows) if rows.is_empty() => break,
                Ok(rows) => rows,
                Err(error) => {
                    tracing::error!(%error, "rows that nobody needs can't be looked for");
                    break;
                }
            };
            tracing::debug!(rows = rows.len(), "rows that nobody needs are removed");
            if let Err(error) = writer.write(Job::Forget(rows)).await {
                tracing::error!(%error, "rows that nobody needs can't be removed");
                break;
            }
        }
    }
}

/// How often the own authority's time is looked at.
const PAPERS: std::time::Duration = std::time::Duration::from_secs(3_600);

/// Makes a new authority in time, and lets go of those that have ended and that nobody goes by, until `stop` turns true.
async fn keep_papers(core: Arc<Core>, authority: Arc<Authority>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PAPERS) => {}
            _ = stop.changed() => return,
        }
        tokio::task::block_in_place(|| renew_authority(&core, &authority));
    }
}

/// What [`keep_papers`] does each time. An authority whose renewal fails goes on: its end is not looked at by anybody but this hub.
fn renew_authority(core: &Core, authority: &Authority) {
    let now = core.now();
    if authority.is_due(now) {
        match authority.rotate(now) {
            Ok(number) => tracing::warn!(number, "two thirds of the authority's time are over: a new one signs now"),
            Err(error) => tracing::error!(%error, "the authority's time is running out, and no new one can be made"),
        }
    }
    for former in authority.generations().into_iter().skip(1).filter(|former| former.lifetime.1 < now) {
        match authority::goes_by(core, former.number) {
            Ok(left) if left.is_empty() => match authority.drop_former(former.number) {
                Ok(()) => tracing::info!(number = former.number, "a former authority has ended and nobody goes by it"),
                Err(error) => tracing::error!(%error, "a former authority can't be removed"),
            },
            Ok(_) => {}
            Err(error) => tracing::error!(%error, "who goes by a former authority can't be read"),
        }
    }
    core.go_by(authority.in_force());
}

async fn until(mut stop: watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
