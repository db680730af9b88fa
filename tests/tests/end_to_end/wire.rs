//! A child that is written by hand: it says whatever a test wants it to.

use crate::books;
use bytes_of::{change_list, packed};
use taizhang_node::{desk::Draft, identity::Identity, upstream};
use taizhang_proto::{
    Record, RecordId, change,
    pb::{self, down, sync_client::SyncClient, up},
    register::registers,
    session::{MAX_MESSAGE_BYTES, PROTOCOL_MAX},
    stamp::Stamp,
    wire::Field,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

/// One session, message by message.
pub(crate) struct Wire {
    up: mpsc::Sender<pb::Up>,
    down: Streaming<pb::Down>,
}

impl Wire {
    /// Opens a session without saying anything.
    pub(crate) async fn open(channel: Channel) -> Result<Self, Status> {
        let (up, said) = mpsc::channel(16);
        let mut client = SyncClient::new(channel)
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(64 * 1024 * 1024);
        let down = client.session(ReceiverStream::new(said)).await?.into_inner();
        Ok(Self { up, down })
    }

    /// Opens a session and exchanges greetings.
    pub(crate) async fn greet(identity: &Identity, hello: pb::Hello) -> Result<(Self, pb::Welcome), Status> {
        let mut wire = Self::open(identity.connect().await.unwrap()).await?;
        wire.say(up::It::Hello(hello)).await;
        loop {
            match wire.hear().await? {
                Some(down::It::Welcome(welcome)) => return Ok((wire, welcome)),
                Some(_) => {}
                None => return Err(Status::unknown("the hub hung up without a word")),
            }
        }
    }

    pub(crate) async fn say(&self, message: up::It) {
        // A hub that has hung up hears nothing; what it said instead is read by `hear`.
        let _ = self.up.send(pb::Up { it: Some(message) }).await;
    }

    pub(crate) async fn say_nothing(&self) {
        let _ = self.up.send(pb::Up { it: None }).await;
    }

    pub(crate) async fn hear(&mut self) -> Result<Option<down::It>, Status> {
        Ok(self.down.message().await?.and_then(|message| message.it))
    }

    /// Pushes changes and waits for the verdicts.
    pub(crate) async fn push(&mut self, first: u64, changes: Vec<pb::Change>) -> Result<pb::Verdicts, Status> {
        self.say(up::It::Push(push(first, &changes))).await;
        loop {
            match self.hear().await? {
                Some(down::It::Verdicts(verdicts)) => return Ok(verdicts),
                Some(_) => {}
                None => return Err(Status::unknown("the hub hung up without a word")),
            }
        }
    }

    /// Says that there is no more, and reads all records up to the end.
    pub(crate) async fn pull(&mut self) -> Result<pb::RecordList, Status> {
        self.say(up::It::Done(pb::PushDone {})).await;
        let mut all = pb::RecordList::default();
        loop {
            match self.hear().await? {
                Some(down::It::Records(records)) => {
                    let raw = upstream::decompress(&records.list, records.raw_len).unwrap();
                    let list: pb::RecordList = prost::Message::decode(raw).unwrap();
                    all.records.extend(list.records);
                    all.departed.extend(list.departed);
                }
                Some(down::It::Caught(_)) => return Ok(all),
                Some(_) => {}
                None => return Err(Status::unknown("the hub hung up without a word")),
            }
        }
    }

    /// How the hub ends the session, after whatever it still says.
    pub(crate) async fn end(mut self) -> Status {
        loop {
            match self.down.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok("the hub hung up without a word"),
                Err(status) => return status,
            }
        }
    }
}

/// A greeting in order.
pub(crate) fn hello() -> pb::Hello {
    pb::Hello {
        protocol_min: PROTOCOL_MAX,
        protocol_max: PROTOCOL_MAX,
        software: "by hand".into(),
        incarnation: vec![7; 16].into(),
        scope_digest: vec![0; 32].into(),
        ..pb::Hello::default()
    }
}

/// A batch in order.
pub(crate) fn push(first: u64, changes: &[pb::Change]) -> pb::Push {
    let list = change_list(changes);
    let (raw_len, changes_packed) = packed(&list);
    let last = first + changes.len() as u64 - 1;
    pb::Push { first, last, changes: changes_packed, raw_len, ..pb::Push::default() }
}

mod bytes_of {
    use prost::Message;
    use taizhang_proto::pb;

    pub(super) fn change_list(changes: &[pb::Change]) -> pb::ChangeList {
        pb::ChangeList { changes: changes.iter().map(|change| change.encode_to_vec().into()).collect() }
    }

    pub(crate) fn packed(message: &impl Message) -> (u32, prost::bytes::Bytes) {
        let raw = message.encode_to_vec();
        (raw.len() as u32, taizhang_node::upstream::compress(&raw).unwrap())
    }
}

pub(crate) use bytes_of::packed as pack;

/// A form as a change, based on what `seen` holds.
pub(crate) fn change(draft: &Draft, seen: Option<&Record>) -> pb::Change {
    let def = registers().get(draft.register).unwrap();
    let mut fields: Vec<(Field, u64)> = draft
        .edits
        .iter()
        .map(|(tag, value)| {
            let bytes = value.as_ref().map(|value| value.encode(def.field(*tag).unwrap())).unwrap_or_default();
            (Field { tag: *tag, bytes }, seen.map_or(0, |record| record.revision_of(*tag)))
        })
        .collect();
    fields.sort_by_key(|(field, _)| field.tag);
    change::write(draft.id, draft.register, &fields, Stamp::at_millis(now()), "mallory")
}

/// A new resident of a unit, as a change.
pub(crate) fn resident(seed: u64, unit: taizhang_proto::OrgCode) -> (RecordId, pb::Change) {
    let id = RecordId::create(now(), [seed as u8; 10]);
    let today = taizhang_proto::date::shanghai(now());
    let draft = taizhang_tests::synth::City::new(seed, today).person(unit, id);
    (id, change(&draft, None))
}

/// One field of a resident, as a change.
pub(crate) fn edit(
    id: RecordId,
    field: &str,
    value: taizhang_proto::register::Value,
    seen: Option<&Record>,
) -> pb::Change {
    change(&books::edit(id, field, value), seen)
}

pub(crate) fn now() -> u64 {
    taizhang_node::ledger::system_clock()()
}
