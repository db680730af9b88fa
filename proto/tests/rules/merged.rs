//! Whoever speaks of a record that was merged into another speaks of that one: figures are those of a world in which
//! everybody had named it from the start.

use crate::{
    fixture::{MemoryShelf, id_of},
    totals::{any_world, recount},
};
use proptest::prelude::*;
use taizhang_proto::register::{MERGED_INTO, Refers, Value, registers};

/// A slot in which the random worlds have no record.
const ABSORBED: u32 = 9;

/// The registers that others refer to.
fn named() -> impl Strategy<Value = u32> {
    let fields = registers().iter().flat_map(|def| &def.fields);
    let mut named: Vec<u32> = fields
        .filter_map(|field| if let Some(Refers::To(register)) = field.refers { Some(register) } else { None })
        .collect();
    named.sort_unstable();
    named.dedup();
    prop::sample::select(named)
}

/// Lets everybody who names a record name another one that was merged into it.
fn name_the_absorbed(shelf: &mut MemoryShelf, register: u32, slot: u32) {
    let (standing, absorbed) = (id_of(register, slot), id_of(register, ABSORBED));
    shelf.write(absorbed, register, &[(MERGED_INTO, Some(Value::Ref(standing)))]);
    let mut edits = Vec::new();
    for (id, record) in &shelf.records {
        let fields = registers().get(record.register).unwrap().fields.iter().filter(|field| match field.refers {
            _ if field.tag == MERGED_INTO => false,
            Some(Refers::To(meant)) => meant == register,
            Some(Refers::Any) => true,
            None => false,
        });
        let of_it: Vec<_> = fields
            .filter(|field| record.reference(field.tag) == Some(standing))
            .map(|field| (field.tag, Some(Value::Ref(absorbed))))
            .collect();
        if !of_it.is_empty() {
            edits.push((*id, record.register, of_it));
        }
    }
    edits.sort_by_key(|(id, ..)| *id);
    for (id, register, edits) in edits {
        shelf.write(id, register, &edits);
    }
}

proptest! {
    #[test]
    fn whoever_names_what_was_merged_speaks_of_what_stands_for_it(
        shelf in any_world(),
        register in named(),
        slot in 0..3_u32,
    ) {
        let mut merged = shelf.clone();
        name_the_absorbed(&mut merged, register, slot);
        prop_assert_eq!(recount(&merged), recount(&shelf), "of register {}", register);
    }
}
