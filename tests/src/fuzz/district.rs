//! What a district says to a city: cells, letters, marks, documents.

use super::{
    forms::day,
    ground::{self, CITY, COMMUNITY, DISTRICT, ELSEWHERE, FAR, TOWNSHIP, unit, up},
    input::{self, Mode, bytes, number, rarely},
};
use crate::hostile::say;
use arbitrary::{Arbitrary, Result, Unstructured};
use prost::Message;
use taizhang_proto::{
    indicator::PARTS,
    pb::{self, up},
};

/// Most batches of a script, and most pieces of one kind in one.
const BATCHES: u8 = 6;
const PIECES: u8 = 8;

/// A hostile district says whatever it likes; an honest one is heard, its figures are its own, and totals can be counted
/// again.
pub fn district(data: &[u8]) {
    let Some((mode, rest)) = Mode::of(data) else { return };
    let core = ground::city();
    let messages = match mode {
        Mode::Messages => input::read(rest),
        Mode::Script => {
            let mut messages = Vec::new();
            let _ = script(&mut Unstructured::new(rest), &mut messages);
            messages
        }
    };
    ground::converse(&core, ground::hub("mallory", DISTRICT), messages);
    ground::holds_at_city(&core);
}

fn script(script: &mut Unstructured<'_>, messages: &mut Vec<pb::Up>) -> Result<()> {
    let mut hello = say::hello();
    hello.live = bool::arbitrary(script)?;
    hello.rebuild = rarely(script, 8)?;
    if rarely(script, 2)? {
        // It holds documents that the city has lost, and is asked for them.
        (hello.months, hello.orders, hello.plan_version) = (number(script)?, number(script)?, number(script)?);
        let digest = |script: &mut Unstructured<'_>| bytes(script, 8);
        (hello.month_digest, hello.orders_digest, hello.plan_digest) =
            (digest(script)?, digest(script)?, digest(script)?);
    }
    messages.push(up(up::It::Hello(hello)));
    let mut last = 0;
    for _ in 0..=u8::arbitrary(script)? % BATCHES {
        if rarely(script, 6)? {
            let kind = *script.choose(&["month", "orders", "plan", "units", "no such kind"])?;
            messages.push(up(up::It::Document(say::document(kind, number(script)?, bytes(script, 200)?))));
            continue;
        }
        last = if rarely(script, 8)? { number(script)? } else { u64::wrapping_add(last, 1) };
        let cells = cells(script)?;
        let mut push = pb::Push { first: last, last, ..pb::Push::default() };
        push.cells = pb::CellList { cells }.encode_to_vec().into();
        for _ in 0..u8::arbitrary(script)? % PIECES {
            push.letters.push(letter(script, last)?);
        }
        for _ in 0..u8::arbitrary(script)? % PIECES {
            push.marks.push(mark(script)?);
        }
        push.marked = number(script)?;
        if rarely(script, 4)? {
            push.stretch = bytes(script, 20)?;
        }
        messages.push(up(up::It::Push(push)));
    }
    messages.push(up(up::It::Done(pb::PushDone {})));
    Ok(())
}

fn cells(script: &mut Unstructured<'_>) -> Result<Vec<pb::CellValue>> {
    (0..u8::arbitrary(script)? % PIECES).map(|_| cell(script)).collect()
}

fn cell(script: &mut Unstructured<'_>) -> Result<pb::CellValue> {
    let unit = match u8::arbitrary(script)? % 8 {
        0 => number(script)?,
        1 => FAR,
        2 => DISTRICT,
        3 => TOWNSHIP,
        _ => COMMUNITY,
    };
    let part = if rarely(script, 8)? { number(script)? as u32 } else { *script.choose(PARTS)? as u32 };
    Ok(pb::CellValue { unit, part, date: day(script)?, value: number(script)? as i64 })
}

fn letter(script: &mut Unstructured<'_>, last: u64) -> Result<pb::Letter> {
    // Few letters and few transfers, so that they meet.
    let (letter, transfer) = (u8::arbitrary(script)? % 4, u8::arbitrary(script)? % 4);
    let to = *script.choose(&[ELSEWHERE, ELSEWHERE, DISTRICT, CITY, 0, 1])?;
    let mut one = say::letter(pb::LetterKind::LetterUnknown, (unit(DISTRICT), unit(CITY)), letter, last);
    (one.to, one.kind) = (to, i32::from(u8::arbitrary(script)? % 11));
    one.transfer = vec![transfer; 16].into();
    if rarely(script, 16)? {
        (one.id, one.transfer) = (bytes(script, 20)?, bytes(script, 20)?);
    }
    one.sealed = bytes(script, 40)?;
    one.moved = if bool::arbitrary(script)? { cells(script)? } else { Vec::new() };
    one.generation = number(script)? as u32;
    one.revision = if rarely(script, 4)? { number(script)? } else { last };
    Ok(one)
}

fn mark(script: &mut Unstructured<'_>) -> Result<pb::MarkValue> {
    let mut one = say::mark(u8::arbitrary(script)? % 4, rarely(script, 4)?);
    if rarely(script, 4)? {
        (one.generation, one.kind) = (number(script)? as u32, number(script)? as u32);
    }
    if rarely(script, 16)? {
        one.mark = bytes(script, 20)?;
    }
    (one.at_home, one.taken_in, one.since) = (bool::arbitrary(script)?, bool::arbitrary(script)?, number(script)?);
    Ok(one)
}
