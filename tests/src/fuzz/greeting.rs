//! A greeting with anything in it, and the step of a session that follows.

use super::{
    ground::{self, DISTRICT, up},
    input::{self, Mode},
};
use prost::Message;
use taizhang_proto::pb::{self, up};

/// Somebody hostile greets a district as an office, or a city as a district; the honest are still greeted.
pub fn greeting(data: &[u8]) {
    let Some((mode, rest)) = Mode::of(data) else { return };
    let greetings: Vec<pb::Hello> = match mode {
        Mode::Messages => input::read(rest),
        Mode::Script => pb::Hello::decode(rest).into_iter().collect(),
    };
    let offices = data[0].is_multiple_of(2);
    let core = if offices { ground::district() } else { ground::city() };
    // One session each, and no other in between: what one greeting leaves behind meets the next.
    for hello in greetings {
        let peer = if offices { ground::mallory(data[0] / 2) } else { ground::hub("mallory", DISTRICT) };
        let heard = pb::Heard { revision: hello.pulled, equal: true };
        let rest = [up::It::Done(pb::PushDone {}), up::It::Heard(heard)];
        ground::converse(&core, peer, [up::It::Hello(hello)].into_iter().chain(rest).map(up));
    }
    if offices { ground::holds(&core, data) } else { ground::holds_at_city(&core) }
}
