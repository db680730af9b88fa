//! Records as reviewers name them: by id number, name, case or certificate number; the record id always.
//! Invariant: only the hub's own hand names them so, since a township that could try numbers out would learn who is registered
//! elsewhere; and who does is kept among the looks, as where records are read.

use crate::{
    reading::{HubDesk, keep_look},
    state::Core,
    writer::Writer,
};
use taizhang_node::{
    caller::{Caller, Refusal},
    desk::find,
};
use taizhang_proto::{
    RecordId, pb,
    register::{Refers, Value, registers},
};
use tokio::task::block_in_place;

/// Names the records of a merge by their ids.
///
/// # Errors
/// When there is no such record, or more than one.
pub(super) async fn merge(
    core: &Core,
    writer: &Writer,
    caller: &Caller,
    request: &mut pb::MergeRequest,
) -> Result<(), Refusal> {
    let written = [&mut request.survivor, &mut request.absorbed].map(|text| (Refers::Any, text));
    name(core, writer, caller, written.into_iter()).await
}

/// Names the record that a query of conflicts is about by its id.
///
/// # Errors
/// When there is no such record, or more than one.
pub(super) async fn about(
    core: &Core,
    writer: &Writer,
    caller: &Caller,
    query: &mut pb::ConflictQuery,
) -> Result<(), Refusal> {
    name(core, writer, caller, std::iter::once((Refers::Any, &mut query.record))).await
}

/// Names the record that is revised, and those that its fields refer to, by their ids.
///
/// # Errors
/// When there is no such record, or more than one.
pub(super) async fn revise(
    core: &Core,
    writer: &Writer,
    caller: &Caller,
    request: &mut pb::ReviseRequest,
) -> Result<(), Refusal> {
    let Some(def) = registers().named(&request.register) else { return Ok(()) };
    let is_unit = |named: &String| def.field_named(named).is_some_and(|field| field.format == pb::Format::Unit);
    for (_, written) in request.fields.iter_mut().filter(|(named, written)| is_unit(named) && !written.is_ascii()) {
        *written = block_in_place(|| {
            let view = core.view();
            find::unit(&HubDesk::new(core, view.as_ref(), false), written)
        })?
        .to_string();
    }
    let own = (Refers::To(def.number), &mut request.record);
    let fields = request.fields.iter_mut().filter_map(|(named, written)| {
        let field = def.field_named(named).filter(|field| !field.many)?;
        Some((field.refers?, written))
    });
    name(core, writer, caller, std::iter::once(own).chain(fields)).await
}

/// Puts ids in place of names. One that is an id already is looked for by the writer, which knows what was merged.
async fn name<'r>(
    core: &Core,
    writer: &Writer,
    caller: &Caller,
    written: impl Iterator<Item = (Refers, &'r mut String)>,
) -> Result<(), Refusal> {
    let is_name = |text: &str| !text.trim().is_empty() && text.trim().parse::<RecordId>().is_err();
    let names: Vec<(Refers, &mut String)> = written.filter(|(_, text)| is_name(text)).collect();
    if names.is_empty() {
        return Ok(());
    }
    keep_look(core, writer, caller, "find", String::new()).await?;
    block_in_place(|| {
        let view = core.view();
        let desk = HubDesk::new(core, view.as_ref(), false);
        for (refers, text) in names {
            *text = Value::Ref(find::referred(&desk, refers, text)?).to_string();
        }
        Ok(())
    })
}
