//! Records as reviewers name them: by id number, name, case or certificate number; the record id always.
//! Invariant: only the hub's own hand names them so; a township that could try numbers out would learn who is registered elsewhere.

use crate::{reading::HubDesk, writer::Core};
use taizhang_node::desk::find;
use taizhang_proto::{
    RecordId, pb,
    register::{Value, registers},
};
use tonic::Status;

/// Names the records of a merge by their ids.
///
/// # Errors
/// When there is no such record, or more than one.
#[allow(clippy::result_large_err)]
pub(super) fn merge(core: &Core, request: &mut pb::MergeRequest) -> Result<(), Status> {
    let view = core.view();
    let desk = HubDesk::new(core, view.as_ref(), false);
    for written in [&mut request.survivor, &mut request.absorbed] {
        name(&desk, None, written)?;
    }
    Ok(())
}

/// Names the record that is revised, and those that its fields refer to, by their ids.
///
/// # Errors
/// When there is no such record, or more than one.
#[allow(clippy::result_large_err)]
pub(super) fn revise(core: &Core, request: &mut pb::ReviseRequest) -> Result<(), Status> {
    let Some(def) = registers().named(&request.register) else { return Ok(()) };
    let view = core.view();
    let desk = HubDesk::new(core, view.as_ref(), false);
    name(&desk, Some(def.number), &mut request.record)?;
    for (named, written) in &mut request.fields {
        let field = def.field_named(named).filter(|field| !field.many && !written.trim().is_empty());
        if let Some(refers) = field.and_then(|field| field.refers) {
            *written = Value::Ref(find::referred(&desk, refers, written)?).to_string();
        }
    }
    Ok(())
}

#[allow(clippy::result_large_err)]
fn name(desk: &HubDesk<'_>, register: Option<u32>, written: &mut String) -> Result<(), Status> {
    // One that is named by its own number is looked for by the writer, which knows what was merged.
    if written.is_empty() || written.trim().parse::<RecordId>().is_ok() {
        return Ok(());
    }
    *written = find::record(desk, register, written)?.to_string();
    Ok(())
}
