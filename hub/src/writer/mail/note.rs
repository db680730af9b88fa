//! Edits that reach the old district after the hand-over: the notes by which it passes them on to the new one.
//! Invariant: nobody's entry is lost, and none changes a record of a district that its author no longer speaks for.

use crate::{
    mail::rows::letter_id,
    store::StoreError,
    writer::{
        commit::Commit,
        mail::across::{self, letter},
    },
};
use prost::Message;
use taizhang_proto::{
    OrgCode,
    change::{self, Edit},
    pb::{self, LetterKind},
};

/// What travels sealed: the edit, and who made it when.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Paper {
    #[prost(message, optional, tag = "1")]
    pub(super) change: Option<pb::Change>,
    #[prost(message, optional, tag = "2")]
    pub(super) origin: Option<pb::Origin>,
}

/// Passes an edit of a record that was handed over on to the district that has it.
pub(in crate::writer) fn note_to_new_district(
    commit: &mut Commit<'_>,
    edit: &Edit,
    origin: &pb::Origin,
    owner: OrgCode,
) -> Result<(), StoreError> {
    let Some(to) = across::neighbour_of(commit, owner)? else { return Ok(()) };
    let fields: Vec<_> = edit.fields.iter().map(|field| (field.clone(), 0)).collect();
    let change = change::write(edit.id, edit.register, &fields, edit.stamp, &edit.by);
    let id = letter_id(LetterKind::Note, &[&edit.id.0, &edit.stamp.0.to_be_bytes(), &change.message]);
    let paper = Paper { change: Some(change), origin: Some(origin.clone()) };
    let sealed = paper.encode_to_vec().into();
    across::send(commit, pb::Letter { sealed, ..letter(LetterKind::Note, to, &[], id) });
    Ok(())
}
