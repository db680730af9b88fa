//! How many records of one office may be about one record, where each is compared with all the others.
//! Invariant: the work that follows from one change is bounded by these numbers, whatever an office has sent.

use crate::{
    store::StoreError,
    writer::commit::{Known, Reading},
};
use taizhang_proto::{
    OrgCode, Record, RecordId,
    cell::following,
    check::Violation,
    register::{Refers, field, number, registers},
};

/// Register, the field by which its records name another one, and most of them that one office may enter, void ones too: far more than
/// anybody has by mistake. A household may be a dormitory's.
const MOST: [(u32, u32, usize); 4] = [
    (number::MEMBER, field::member::PERSON, 32),
    (number::MEMBER, field::member::HOUSEHOLD, 512),
    (number::ZEF_CASE, field::zef_case::HOUSEHOLD, 32),
    (number::CREDENTIAL, field::credential::ASSISTANT, 8),
];

impl Known<'_, '_> {
    /// Why a record can't be taken: the office that writes it has entered too many others about the same.
    pub(in crate::writer) fn one_too_many(
        self,
        id: RecordId,
        record: &Record,
        office: OrgCode,
        is_edited: impl Fn(u32) -> bool,
    ) -> Result<Option<Violation>, StoreError> {
        for (_, tag, most) in MOST.iter().filter(|(register, tag, _)| *register == record.register && is_edited(*tag)) {
            let Some(def) = registers().get(record.register) else { continue };
            let refers = def.field(*tag).and_then(|field| field.refers);
            let (Some(target), Some(Refers::To(register))) = (record.reference(*tag), refers) else { continue };
            let others = following(&Reading(&self), target, register, record.register)?;
            if others.len() < *most || others.contains(&id) {
                continue;
            }
            if self.said_by(office, *tag, &others)? >= *most {
                let field = def.field(*tag);
                let label = field.map_or("", |field| field.zh.as_str());
                return Ok(Some(Violation {
                    register: def.name.clone(),
                    field: field.map_or("", |field| field.name.as_str()).to_owned(),
                    rule: "many",
                    message: format!(
                        "本单位已有{most}条{}指向同一{label}，不能再增加 (this office has entered too many about the same record)",
                        def.zh
                    ),
                }));
            }
        }
        Ok(None)
    }
}
