//! A whole push of an enrolled child: greeting, batches, and messages in between that nobody asked for.

use super::{
    forms,
    ground::{self, up},
    input::{self, Mode, number, rarely},
};
use crate::hostile::say;
use arbitrary::{Arbitrary, Result, Unstructured};
use prost::Message;
use taizhang_proto::pb::{self, up};

/// Most batches of a script, and most changes in one.
const BATCHES: u8 = 6;
const CHANGES: u8 = 12;

/// Somebody hostile pushes whatever they like; an honest child is heard, and everything can be read and counted again.
pub fn push(data: &[u8]) {
    let Some((mode, rest)) = Mode::of(data) else { return };
    let core = ground::district();
    let messages = match mode {
        Mode::Messages => input::read(rest),
        Mode::Script => {
            let mut messages = Vec::new();
            let _ = script(&mut Unstructured::new(rest), &mut messages, say::hello(), forms::change);
            messages
        }
    };
    ground::converse(&core, ground::mallory(data[0]), messages);
    ground::holds(&core, data);
}

/// Writes a session from a script: as far as the script goes.
pub(super) fn script(
    script: &mut Unstructured<'_>,
    messages: &mut Vec<pb::Up>,
    mut hello: pb::Hello,
    change: impl Fn(&mut Unstructured<'_>) -> Result<pb::Change>,
) -> Result<()> {
    if rarely(script, 8)? {
        hello.settled = number(script)?;
        hello.pulled = number(script)?;
        hello.head = number(script)?;
        hello.clock = number(script)?;
        hello.rebuild = bool::arbitrary(script)?;
    }
    hello.live = bool::arbitrary(script)?;
    messages.push(up(up::It::Hello(hello)));
    let mut next = 1;
    for _ in 0..=u8::arbitrary(script)? % BATCHES {
        let mut changes = Vec::new();
        for _ in 0..=u8::arbitrary(script)? % CHANGES {
            match change(script) {
                Ok(change) => changes.push(change.encode_to_vec().into()),
                Err(_) => break,
            }
        }
        if changes.is_empty() {
            break;
        }
        let mut push = pb::Push { first: next, last: next + changes.len() as u64 - 1, ..pb::Push::default() };
        next = push.last + 1;
        if rarely(script, 32).unwrap_or(false) {
            (push.first, push.last) = (number(script)?, number(script)?);
        }
        push.changes = pb::ChangeList { changes }.encode_to_vec().into();
        messages.push(up(up::It::Push(push)));
        if rarely(script, 8).unwrap_or(false) {
            messages.push(between(script)?);
        }
    }
    messages.push(up(up::It::Done(pb::PushDone {})));
    Ok(())
}

/// A message that is out of turn, mostly.
fn between(script: &mut Unstructured<'_>) -> Result<pb::Up> {
    Ok(match u8::arbitrary(script)? % 7 {
        0 => up(up::It::Hello(say::hello())),
        1 => up(up::It::Done(pb::PushDone {})),
        2 => up(up::It::Heard(pb::Heard { revision: number(script)?, equal: bool::arbitrary(script)? })),
        3 => up(up::It::Range(pb::Range { message: input::bytes(script, 64)? })),
        4 => {
            let id = if bool::arbitrary(script)? {
                input::bytes(script, 16)?
            } else {
                forms::record(script)?.0.to_vec().into()
            };
            up(up::It::Want(pb::Want { ids: vec![id] }))
        }
        5 => up(up::It::Document(say::document("month", number(script)?, input::bytes(script, 64)?))),
        _ => pb::Up { it: None },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fuzz::seeds;
    use taizhang_hub::store::Space;

    #[test]
    fn scripts_reach_new_records_history_and_conflicts() {
        let spaces = [Space::Records, Space::History, Space::Conflicts, Space::Departed];
        let count = |core: &taizhang_hub::writer::Core| spaces.map(|space| core.view().prefix(space, &[]).count());
        let before = count(&ground::district());
        let mut most = before;
        for (name, data) in seeds::fresh("push") {
            let mut messages = Vec::new();
            if let Some((Mode::Script, rest)) = Mode::of(&data) {
                let _ = script(&mut Unstructured::new(rest), &mut messages, say::hello(), forms::change);
            }
            let core = ground::district();
            ground::converse(&core, ground::mallory(data[0]), messages);
            let after = count(&core);
            println!("{name}: {before:?} -> {after:?}");
            most.iter_mut().zip(after).for_each(|(most, after)| *most = after.max(*most));
        }
        assert!(most[0] > before[0] && most[1] > before[1] && most[2] > before[2], "{before:?} -> {most:?}");
    }
}
