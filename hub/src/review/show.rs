//! A conflict as a reviewer reads it: what each side wrote, who, where and when, and what was decided.
//! For the eyes of the district, masked unless names are asked for, and of whose records they are.

use crate::writer::{kind_of, settled_by};
use taizhang_node::{
    desk::{Desk, SaveError},
    office::{history::Reader, title::Titles},
    show::{choice, fact, office_of},
};
use taizhang_proto::{
    OrgCode, RecordId,
    org::UnitTree,
    pb,
    register::{RegisterDef, Value, registers},
    wire,
};

/// One line of the queue.
pub(super) fn line<D: Desk>(titles: &mut Titles<'_, D>, conflict: pb::Conflict) -> Result<pb::ConflictLine, SaveError> {
    let mut about = Vec::new();
    for id in [&conflict.record, &conflict.other].into_iter().filter_map(|id| RecordId::from_slice(id)) {
        about.extend(titles.of(id)?);
    }
    about.dedup();
    let def = registers().get(conflict.register);
    let fields = conflict.tags.iter().map(|tag| match def.and_then(|def| def.field(*tag)) {
        Some(field) => field.zh.clone(),
        None => tag.to_string(),
    });
    Ok(pb::ConflictLine {
        kind: kind_of(&conflict).zh.to_owned(),
        unit_name: OrgCode::new(conflict.unit).map(|unit| titles.tree().name(unit)).unwrap_or_default(),
        register: def.map_or_else(|| conflict.register.to_string(), |def| def.zh.clone()),
        fields: fields.collect::<Vec<_>>().join("、"),
        settled_by: settled_by(&conflict).into(),
        about: about.join("、"),
        conflict: Some(conflict),
    })
}

/// The fields in these bytes, in the register's words, with the names of whom and what they refer to; a tag without bytes was cleared.
fn values<D: Desk>(
    desk: &D,
    def: Option<&RegisterDef>,
    message: &bytes::Bytes,
    tags: &[u32],
) -> Result<Vec<pb::Fact>, SaveError> {
    let Some(def) = def else { return Ok(Vec::new()) };
    let fields = wire::split(message).unwrap_or_default();
    let mut reader = Reader::new(def, desk);
    let mut shown = Vec::with_capacity(fields.len());
    for field in &fields {
        // A row of somebody whom it refers to, and which can't be read, hides nothing of the conflict.
        shown.extend(reader.fact(field.tag, &field.bytes).unwrap_or_else(|_| bare(def, field)));
    }
    for cleared in tags.iter().filter(|tag| !fields.iter().any(|field| field.tag == **tag)) {
        shown.extend(reader.fact(*cleared, &[])?);
    }
    Ok(shown)
}

/// A field as it stands, with ids for names.
fn bare(def: &RegisterDef, field: &wire::Field) -> Option<pb::Fact> {
    let known = def.field(field.tag)?;
    Some(fact(&known.name, &known.zh, &known.en, Value::decode(known, &field.bytes)?.show(known)))
}

fn by_origin(tree: &UnitTree, side: pb::Side, origin: Option<&pb::Origin>) -> pb::Side {
    let Some(origin) = origin else { return side };
    let office = office_of(tree, origin);
    pb::Side { who: origin.by.clone(), office, at: origin.received, ..side }
}

fn name_of(def: Option<&RegisterDef>) -> String {
    def.map(|def| def.name.clone()).unwrap_or_default()
}

/// What each side says, what stands first; and the records that it is about, as the desk shows them.
pub(super) fn sides<D: Desk>(desk: &D, conflict: &pb::Conflict) -> Result<Vec<pb::Side>, SaveError> {
    let (tree, def) = (desk.tree(), registers().get(conflict.register));
    let mut sides = Vec::new();
    for (place, claim) in conflict.claims.iter().enumerate() {
        let tags = claim.origin.as_ref().map(|origin| origin.tags.as_slice()).unwrap_or_default();
        let title = if place == 0 { "现值 (stands)".to_owned() } else { format!("主张{place} (claim {place})") };
        let register = name_of(def);
        let values = values(desk, def, &claim.message, tags)?;
        let mut side = pb::Side { title, values, register, ..pb::Side::default() };
        if !claim.reason.is_empty() {
            side.values.push(fact("reason", "更改理由", "reason", &claim.reason));
        }
        sides.push(by_origin(tree, side, claim.origin.as_ref()));
    }
    for (title, id) in [("记录 (record)", &conflict.record), ("另一条 (other record)", &conflict.other)] {
        let Some(id) = RecordId::from_slice(id) else { continue };
        let Some(record) = desk.view(id)? else { continue };
        let def = registers().get(record.register);
        let mut shown = values(desk, def, &record.message(), &[])?;
        shown.insert(0, fact("record", "记录编号", "record", id));
        let side = pb::Side { title: title.to_owned(), values: shown, register: name_of(def), ..pb::Side::default() };
        sides.push(by_origin(tree, side, record.origins.last()));
    }
    if let Some(ruling) = &conflict.ruling {
        // One that was taken back is told with its own reason, and so by its own name.
        let was_taken_back = conflict.choice() == pb::Choice::Unknown;
        let side = pb::Side {
            title: if was_taken_back { "原裁定 (earlier ruling)" } else { "裁定 (ruling)" }.into(),
            values: vec![
                pb::Fact {
                    code: conflict.choice().as_str_name().to_lowercase(),
                    ..fact("choice", "裁定", "choice", choice(conflict.choice()))
                },
                fact("reason", "理由", "reason", &ruling.reason),
            ],
            who: ruling.by.clone(),
            office: OrgCode::new(ruling.unit).map(|unit| tree.name(unit)).unwrap_or_default(),
            at: ruling.at,
            register: String::new(),
        };
        sides.push(side);
    }
    Ok(sides)
}
