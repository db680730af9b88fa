//! What a trace says of each message and each record, in one line.

use super::model::{Model, read_change};
use prost::Message;
use taizhang_proto::{
    change::Edit,
    decide::HUB_NODE,
    pb::{self, down, up},
};

fn kinds(letters: &[pb::Letter]) -> Vec<&'static str> {
    letters.iter().map(|letter| letter.kind().as_str_name()).collect()
}

/// A message of a child in one line.
pub(super) fn name_up(message: &pb::Up, model: &Model) -> String {
    match &message.it {
        Some(up::It::Hello(hello)) => {
            format!(
                "hello: head {}, settled {}, pulled {}, rebuild {}",
                hello.head, hello.settled, hello.pulled, hello.rebuild
            )
        }
        Some(up::It::Push(push)) => {
            let letters = kinds(&push.letters);
            let marks = format!("{} marks up to {} {letters:?}", push.marks.len(), push.marked);
            format!("push {}..{}, {marks}{}", push.first, push.last, changes(push, model))
        }
        Some(up::It::Done(_)) => "done".into(),
        Some(up::It::Heard(heard)) => format!("heard {}, equal {}", heard.revision, heard.equal),
        _ => "something else".into(),
    }
}

/// A message of a hub in one line.
pub(super) fn name_down(message: &pb::Down) -> String {
    match &message.it {
        Some(down::It::Welcome(welcome)) => format!("welcome: has {}, head {}", welcome.acknowledged, welcome.head),
        Some(down::It::Verdicts(one)) => {
            let outcomes = one.outcomes.iter().map(|outcome| {
                let why = outcome.why.as_ref().map(|why| format!(" ({} {})", why.field, why.rule)).unwrap_or_default();
                format!(" {} {}{why}", outcome.seq, outcome.kind().as_str_name())
            });
            format!(
                "verdicts {}..{} from revision {}:{}",
                one.first,
                one.last,
                one.revision,
                outcomes.collect::<String>()
            )
        }
        Some(down::It::Records(records)) => format!("records up to {}", records.upto),
        Some(down::It::Caught(caught)) => format!("caught up at {}, has {}", caught.revision, caught.acknowledged),
        Some(down::It::Mail(mail)) => {
            let letters = kinds(&mail.letters);
            let (rulings, neighbours) = (mail.rulings.len(), mail.neighbours.len());
            format!("mail up to {}: {rulings} rulings, {neighbours} neighbours {letters:?}", mail.upto)
        }
        Some(down::It::Document(document)) => format!("a document, {}", document.kind),
        _ => "something else".into(),
    }
}

/// Each change of a push in a line of its own.
fn changes(push: &pb::Push, model: &Model) -> String {
    let list = zstd::decode_all(&push.changes[..]).ok().and_then(|raw| pb::ChangeList::decode(&raw[..]).ok());
    let edits = list.unwrap_or_default().changes.into_iter().filter_map(|raw| read_change(raw).ok());
    let lines: Vec<String> = edits.map(|edit| format!("\n        {}", change(&edit, model))).collect();
    lines.concat()
}

fn change(edit: &Edit, model: &Model) -> String {
    let tags: Vec<u32> = edit.fields.iter().map(|field| field.tag).collect();
    let said = format!("{} of {} {tags:?}, seen {}", edit.by, model.name(edit.id), edit.seen);
    let Some(offer) = &edit.offer else { return said };
    let stood: Vec<String> = offer.origins.iter().map(origin).collect();
    let before: Vec<String> = offer.history.iter().map(entry).collect();
    let (stood, before) = (stood.join(" "), before.join(" "));
    let aside = if offer.aside { ", aside" } else { "" };
    format!("{said}; offered{aside}, created {}: {stood}; before: {before}", offer.created)
}

/// Who said which fields, under which revision.
pub(super) fn origin(one: &pb::Origin) -> String {
    let by = if one.node == HUB_NODE { "hub" } else { one.by.as_str() };
    let sealed = if one.seal.is_empty() { "" } else { "*" };
    format!("{}{by}{sealed}:{:?}", one.revision, one.tags)
}

/// What no longer stands, and by which rule.
pub(super) fn entry(one: &pb::Superseded) -> String {
    let by = one.origin.as_ref().map(origin).unwrap_or_default();
    format!("{by}>{}{}", one.replaced_by, one.rule)
}
