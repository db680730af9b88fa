//! The hub's certificate authority: it enrols children and nobody else, and renews what it gave them.
//! Invariant: a certificate names the unit of the token, whatever the request asks for; a renewed one says what the one that was
//! shown said, for the same key.

mod ca;
mod generation;
mod keys;
mod papers;
mod tls;

pub use crate::certificate::Standing;
pub use ca::Authority;
pub use generation::AuthorityError;
pub(crate) use papers::goes_by;

use crate::{
    advertise,
    certificate::issued_by,
    roll,
    rows::{self, NodeRow, TokenRow},
    session::serve,
    state::Core,
    store::{Space, StoreError},
    totals::children,
    writer::{Job, Paper, WriteError, Writer},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::sync::Arc;
use taizhang_node::{
    caller::Refusal,
    identity::{CertKind, CertName, Token},
};
use taizhang_proto::{
    OrgCode,
    limits::{self, NAME_CHARS},
    pb::{self, enrolment_server::Enrolment},
};
use tokio::task::block_in_place;
use tonic::{Request, Response, Status};

/// Makes a one-time token for a unit below the hub, or for a reader of its own figures, and returns the text to hand over.
///
/// # Errors
/// When the token can't be stored.
pub async fn make_token(
    core: &Core,
    writer: &Writer,
    authority: &Authority,
    address: &str,
    request: &pb::TokenRequest,
) -> Result<pb::TokenAnswer, Refusal> {
    let unit = OrgCode::new(request.unit).map_err(Refusal::wrong)?;
    let tree = core.tree();
    let reads = !request.reader.is_empty();
    if reads && (request.hub || request.reader.chars().count() > NAME_CHARS || limits::name(&request.reader).is_err()) {
        return Err(Refusal::wrong(format!(
            "请写明只读单位的名称，不超过{NAME_CHARS}字；只读单位不是汇聚节点 (name the reader; it is no hub)"
        )));
    }
    let own = unit == core.unit && !reads;
    if !core.unit.covers(unit) || own || (!tree.is_empty() && !tree.contains(unit)) {
        return Err(Refusal::wrong(format!("单位{unit}不在本级辖区内 (no such unit below this hub)")));
    }
    if request.hub && unit.tier() != pb::Tier::District {
        return Err(Refusal::wrong(format!(
            "汇聚节点只设在县区，{unit}不是县区；街道乡镇和社区请去掉 --hub (a hub is a district's: leave out --hub)"
        )));
    }
    if core.tier == pb::Tier::City && !request.hub && !reads {
        return Err(Refusal::wrong(WriteError::NoRecords));
    }
    if let Err(why) = advertise::check(address) {
        return Err(Refusal::refused(why));
    }
    // Two hubs of one district would answer for the same figures, each in place of the other.
    let serves = |row: &NodeRow| row.hub && row.unit == request.unit && row.retired == 0;
    let asks = request.hub && !request.again;
    let there = if asks { block_in_place(|| children(core.view().as_ref()))? } else { Vec::new() };
    if let Some(there) = there.into_iter().find(serves) {
        return Err(Refusal::Exists(format!(
            "{unit}已有汇聚节点（{}）：两个同时运行，数字会互相替换。换机请先 retire 旧的；旧的确已不再运行，请加 --again (this district has a hub: \
             retire it first; --again if it runs no more)",
            there.id
        )));
    }
    let hours = if request.hours == 0 { 72 } else { request.hours.min(24 * 90) };
    let expires = core.now() + u64::from(hours) * 3_600;
    let secret: [u8; 16] = rand::random();
    let reader = request.reader.trim().to_owned();
    let row = TokenRow { unit: unit.number(), hub: request.hub, expires, reader, ..TokenRow::default() };
    writer.write(Job::Token(*blake3::hash(&secret).as_bytes(), row)).await?;
    tracing::info!(%unit, hub = request.hub, reader = reads, expires, "a token was given");
    let token = Token {
        address: address.to_owned(),
        unit: unit.number(),
        hub_unit: core.unit.number(),
        secret: secret.to_vec(),
        authority: authority.newest().der.clone(),
        kind: kind_of(request.hub, &request.reader) as i32,
    };
    Ok(pb::TokenAnswer { token: token.to_text(), expires, unit_name: tree.name(unit) })
}

/// The enrolment service: the only one that enrols without a client certificate, and renews those that have ended.
#[derive(Clone)]
pub struct EnrolmentService {
    core: Arc<Core>,
    writer: Writer,
    authority: Arc<Authority>,
    one_at_a_time: Arc<tokio::sync::Mutex<()>>,
}

/// Longest certificate request, bytes.
const MAX_REQUEST: usize = 16 * 1024;

impl EnrolmentService {
    /// A service that signs with `authority`.
    pub fn new(core: Arc<Core>, writer: Writer, authority: Arc<Authority>) -> Self {
        Self { core, writer, authority, one_at_a_time: Arc::default() }
    }

    fn answer(&self, row: &TokenRow) -> pb::EnrolAnswer {
        pb::EnrolAnswer {
            certificate: row.certificate.clone(),
            authority: self.authority.listed(),
            unit: row.unit,
            hub_unit: self.core.unit.number(),
        }
    }
}

/// What the certificate of a token will open.
fn kind_of(hub: bool, reader: &str) -> CertKind {
    match (hub, reader.trim().is_empty()) {
        (true, _) => CertKind::Hub,
        (false, true) => CertKind::Node,
        (false, false) => CertKind::Reader,
    }
}

fn refuse(why: &str) -> Status {
    Status::permission_denied(why.to_owned())
}

#[tonic::async_trait]
impl Enrolment for EnrolmentService {
    async fn enrol(&self, request: Request<pb::EnrolRequest>) -> Result<Response<pb::EnrolAnswer>, Status> {
        let request = request.into_inner();
        if request.csr.len() > MAX_REQUEST || request.token.len() > 64 {
            return Err(Status::invalid_argument("证书请求过大 (the request is too large)"));
        }
        let secret = URL_SAFE_NO_PAD.decode(&request.token).map_err(|_| refuse("令牌有误 (not a token)"))?;
        let hash = *blake3::hash(&secret).as_bytes();
        let _one = self.one_at_a_time.lock().await; // two uses of one token at once: one of them wins
        let read = || -> Result<(Option<TokenRow>, Option<String>), StoreError> {
            Ok((rows::read(self.core.view().as_ref(), Space::Tokens, &hash)?, self.core.older()?))
        };
        let (row, older) = block_in_place(read).map_err(|error| Status::internal(error.to_string()))?;
        let mut row = row.ok_or_else(|| refuse("没有此令牌 (no such token)"))?;
        if older.is_some() {
            return Err(refuse(
                "上级刚由旧备份恢复，暂不登记，请其管理员核对后运行 confirm (the hub was restored from an old backup: its \
                 operator has to run `confirm` first)",
            ));
        }
        if row.used_for.is_empty() && roll::is_used(&self.core.roll(), &hash) {
            return Err(refuse("令牌已被使用，请向上级申请新令牌 (used already: ask for a new token)"));
        }
        if !row.used_for.is_empty() {
            if row.used_for == papers::key_asked(&request.csr)? {
                return Ok(Response::new(self.answer(&row)));
            }
            return Err(refuse("令牌已被使用，请向上级申请新令牌 (used already: ask for a new token)"));
        }
        if row.expires < self.core.now() {
            return Err(refuse("令牌已过期，请向上级申请新令牌 (expired: ask for a new token)"));
        }
        let unit = OrgCode::new(row.unit).map_err(|error| Status::internal(error.to_string()))?;
        let id = taizhang_proto::RecordId::create((self.core.clock)(), rand::random()).to_string();
        let kind = kind_of(row.hub, &row.reader);
        let name = CertName { kind, unit, id: id.clone() };
        row.certificate = self
            .authority
            .sign(&request.csr, &name, self.core.now())
            .map_err(|_| Status::invalid_argument("证书请求无法读取 (the certificate request can't be read)"))?;
        row.used_for = papers::key_asked(&request.csr)?;
        let enrolled = self.core.now();
        let write = |error: WriteError| Status::from(crate::session::Fault::from(error));
        if kind == CertKind::Reader {
            // In one commit with the token: a reader without its row may not read, and could never be retired.
            let (name, unit) = (row.reader.clone(), row.unit);
            let Paper { ends, generation, .. } = Paper::of(&row.certificate);
            let reader = pb::ReaderInfo { id, name, unit, enrolled, ends, generation, ..pb::ReaderInfo::default() };
            self.writer.write(Job::Reader(hash, row.clone(), reader)).await.map_err(write)?;
        } else {
            // A hub's certificate is for its neighbours too: they seal letters to its key.
            let certificate = if row.hub { row.certificate.clone() } else { String::new() };
            let Paper { ends, generation, .. } = Paper::of(&row.certificate);
            let child = NodeRow {
                id,
                unit: row.unit,
                hub: row.hub,
                enrolled,
                certificate,
                ends,
                generation,
                ..NodeRow::default()
            };
            self.writer.write(Job::Enrolled(Box::new(child), Some((hash, row.clone())))).await.map_err(write)?;
        }
        tracing::info!(%unit, ?kind, "enrolled");
        Ok(Response::new(self.answer(&row)))
    }

    async fn renew(&self, request: Request<pb::RenewRequest>) -> Result<Response<pb::RenewAnswer>, Status> {
        let core = &self.core;
        let shown = serve::certificate_of(&request)?;
        let name = serve::name_of(core, &shown)?;
        let request = request.into_inner();
        if request.csr.len() > MAX_REQUEST {
            return Err(Status::invalid_argument("证书请求过大 (the request is too large)"));
        }
        let standing = self.authority.standing(&shown, core.now());
        if standing == Standing::Ended && !block_in_place(|| papers::is_known(core, &name))? {
            return Err(refuse(
                "证书已到期，且上级没有本机的登记，请申请新令牌 (it has ended, and this hub does not know this computer: ask for a token)",
            ));
        }
        let mut answer = pb::RenewAnswer { certificate: String::new(), authority: self.authority.listed() };
        if standing != Standing::Good {
            if papers::key_in(&shown)? != papers::key_asked(&request.csr)? {
                return Err(refuse("只能为原密钥更新证书 (a certificate is renewed for its own key)"));
            }
            let _one = self.one_at_a_time.lock().await;
            if block_in_place(|| papers::was_renewed_just_now(core, &name.id, &shown))? {
                return Err(Status::resource_exhausted(
                    "证书刚刚更新过，请稍后再试 (renewed a moment ago: come back later)",
                ));
            }
            answer.certificate = self
                .authority
                .sign(&request.csr, &name, core.now())
                .map_err(|_| Status::invalid_argument("证书请求无法读取 (the certificate request can't be read)"))?;
            // Which authority it goes by is noted when it shows the new one: the answer may be lost.
            let paper = Paper { generation: issued_by(&shown), ..Paper::of(&answer.certificate) };
            let write = |error: WriteError| Status::from(crate::session::Fault::from(error));
            self.writer.write(Job::Certificate(name.id.clone(), paper)).await.map_err(write)?;
            tracing::info!(node = %name.id, unit = %name.unit, ?standing, "certificate renewed");
        }
        Ok(Response::new(answer))
    }
}
