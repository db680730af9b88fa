//! A hostile child: enrolled with a real token, over real TLS, it says whatever a test wants it to. [`say`] makes
//! messages that are in order, so that a test puts one lie into one place; [`line`] is whoever calls without a
//! certificate.
//! Invariant: nothing here goes through the product's own client, which would refuse to say most of it. What can't be
//! done is a broken test, so nothing but the hub's own answer is returned as an error.

#![allow(clippy::unwrap_used)]

pub mod line;
pub mod say;

pub use say::{change, edit, hello, now, pack, push, resident};

use taizhang_node::{identity::Identity, upstream};
use taizhang_proto::{
    pb::{self, down, sync_client::SyncClient, up},
    session::MAX_MESSAGE_BYTES,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming, transport::Channel};

/// Largest message that it says: more than any hub takes.
const MAX_SAID: usize = 64 * 1024 * 1024;

/// One session, message by message.
pub struct Wire {
    up: mpsc::Sender<pb::Up>,
    down: Streaming<pb::Down>,
}

fn hung_up() -> Status {
    Status::unknown("the hub hung up without a word")
}

impl Wire {
    /// Opens a session without saying anything.
    ///
    /// # Errors
    /// When the hub does not admit it.
    pub async fn open(channel: Channel) -> Result<Self, Status> {
        let (up, said) = mpsc::channel(16);
        let mut client =
            SyncClient::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES).max_encoding_message_size(MAX_SAID);
        let down = client.session(ReceiverStream::new(said)).await?.into_inner();
        Ok(Self { up, down })
    }

    /// Opens a session and exchanges greetings.
    ///
    /// # Errors
    /// When the hub ends it.
    pub async fn greet(identity: &Identity, hello: pb::Hello) -> Result<(Self, pb::Welcome), Status> {
        let mut wire = Self::open(identity.connect().await.unwrap()).await?;
        wire.say(up::It::Hello(hello)).await;
        loop {
            match wire.hear().await? {
                Some(down::It::Welcome(welcome)) => return Ok((wire, welcome)),
                Some(_) => {}
                None => return Err(hung_up()),
            }
        }
    }

    /// Says something, in turn or out of it.
    pub async fn say(&self, message: up::It) {
        // A hub that has hung up hears nothing; what it said instead is read by `hear`.
        let _ = self.up.send(pb::Up { it: Some(message) }).await;
    }

    /// Says a message with nothing in it.
    pub async fn say_nothing(&self) {
        let _ = self.up.send(pb::Up { it: None }).await;
    }

    /// The hub's next word; none when it has hung up, or said nothing that this build knows.
    ///
    /// # Errors
    /// When the hub ends the session.
    pub async fn hear(&mut self) -> Result<Option<down::It>, Status> {
        Ok(self.down.message().await?.and_then(|message| message.it))
    }

    /// Says a batch and waits for its verdicts.
    ///
    /// # Errors
    /// When the hub ends the session.
    pub async fn push_raw(&mut self, push: pb::Push) -> Result<pb::Verdicts, Status> {
        self.say(up::It::Push(push)).await;
        loop {
            match self.hear().await? {
                Some(down::It::Verdicts(verdicts)) => return Ok(verdicts),
                Some(_) => {}
                None => return Err(hung_up()),
            }
        }
    }

    /// Pushes changes and waits for the verdicts.
    ///
    /// # Errors
    /// When the hub ends the session.
    pub async fn push(&mut self, first: u64, changes: Vec<pb::Change>) -> Result<pb::Verdicts, Status> {
        self.push_raw(say::push(first, &changes)).await
    }

    /// Says that there is no more, and reads all records up to the end.
    ///
    /// # Errors
    /// When the hub ends the session.
    pub async fn pull(&mut self) -> Result<pb::RecordList, Status> {
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
                None => return Err(hung_up()),
            }
        }
    }

    /// How the hub ends the session, after whatever it still says.
    pub async fn end(mut self) -> Status {
        loop {
            match self.down.message().await {
                Ok(Some(_)) => {}
                Ok(None) => return Status::ok("the hub hung up without a word"),
                Err(status) => return status,
            }
        }
    }
}
