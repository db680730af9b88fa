//! Edits that reach the old district after the hand-over: notes for the new one.
//! Invariant: nobody's entry is lost, and none changes a record of a district that its author no longer speaks for.

use super::{super::commit::Commit, letter};
use crate::{
    mail::rows::{kind, letter_id, under},
    store::{Space, StoreError},
};
use prost::Message;
use taizhang_proto::{
    OrgCode,
    cell::past_homes,
    change::{self, Edit},
    decide::HUB_NODE,
    pb::{self, LetterKind},
    register::HOME_UNIT,
};

/// What travels sealed: the edit, and who made it when.
#[derive(Clone, PartialEq, Message)]
struct Paper {
    #[prost(message, optional, tag = "1")]
    change: Option<pb::Change>,
    #[prost(message, optional, tag = "2")]
    origin: Option<pb::Origin>,
}

impl Commit<'_> {
    /// Passes an edit of a record that was handed over on to the district that has it.
    pub(in crate::writer) fn note_to_new_district(
        &mut self,
        edit: &Edit,
        origin: &pb::Origin,
        owner: OrgCode,
    ) -> Result<(), StoreError> {
        let Some(to) = self.neighbour_of(owner)? else { return Ok(()) };
        let fields: Vec<_> = edit.fields.iter().map(|field| (field.clone(), 0)).collect();
        let change = change::write(edit.id, edit.register, &fields, edit.stamp, &edit.by);
        let id = letter_id(LetterKind::Note, &[&edit.id.0, &edit.stamp.0.to_be_bytes(), &change.message]);
        let paper = Paper { change: Some(change), origin: Some(origin.clone()) };
        let sealed = paper.encode_to_vec().into();
        self.send(pb::Letter { sealed, ..letter(LetterKind::Note, to, &[], id) });
        Ok(())
    }

    /// Takes such a note from the old district: into the record's history, and as a finding.
    pub(super) fn take_note(&mut self, note: &pb::Letter) -> Result<(), StoreError> {
        let seen = under(kind::NOTE, &note.id);
        if self.kept::<pb::Empty>(Space::Transfers, &seen)?.is_some() {
            return Ok(());
        }
        let Ok(Paper { change: Some(change), origin: Some(origin) }) = Paper::decode(note.sealed.clone()) else {
            return Ok(());
        };
        let Ok(edit) = Edit::read(change) else { return Ok(()) };
        let Some(record) = self.record(edit.id)? else { return Ok(()) };
        // Only where it belonged before has anybody anything to say of it.
        let was_there = |district: OrgCode| past_homes(&record).iter().any(|past| district.covers(past.unit));
        if record.register != edit.register || !OrgCode::new(note.from).is_ok_and(was_there) {
            return Ok(());
        }
        self.keep_row(Space::Transfers, seen, &pb::Empty {});
        let revision = self.take_revisions(1);
        let origin = pb::Origin { revision, node: HUB_NODE, seal: bytes::Bytes::new(), tags: Vec::new(), ..origin };
        let handed_over = record.revision_of(HOME_UNIT);
        self.note_late(&edit, &origin, handed_over)
    }
}
