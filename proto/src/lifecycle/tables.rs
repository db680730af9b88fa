//! The tables themselves. A new case begins with the state that its first entry shows: offices bring ledgers that they
//! have kept on paper for years.

use super::{
    Lifecycle, Move,
    Role::{Clerk, Reviewer},
    State,
};
use crate::{
    Record,
    month::{self, Stage},
    pb::Tier::{self, City, Community, District, Township},
    register::{code, field, number, registers},
};

const ALL: &[Tier] = &[Community, Township, District, City];
const SENIOR: &[Tier] = &[Township, District, City];
const BUREAU: &[Tier] = &[District, City];

macro_rules! states {
    ($($code:literal $zh:literal $en:literal),+ $(,)?) => {
        &[State { code: "", zh: "未登记", en: "new" }, $(State { code: $code, zh: $zh, en: $en }),+]
    };
}

macro_rules! moves {
    ($($from:literal => $to:literal $by:ident $role:ident [$($field:literal),*];)+) => {
        &[$(Move { from: $from, to: $to, by: $by, role: $role, evidence: &[$($field),*] }),+]
    };
}

/// Every register that has one.
pub static LIFECYCLES: &[Lifecycle] = &[
    Lifecycle {
        register: number::ZEF_CASE,
        fields: &[
            "recognised_on",
            "applied_on",
            "visited_on",
            "publicity_from",
            "plan",
            "exit_on",
            "exit_cause",
            "refused_on",
        ],
        state_of: zef_state,
        states: states![
            "applied" "申报" "applied",
            "visited" "已核实" "visited",
            "publicised" "公示" "publicised",
            "recognised" "认定" "recognised",
            "helping" "援助中" "helping",
            "exited" "退出" "exited",
            "refused" "不予认定" "refused",
            "withdrawn" "撤销" "withdrawn",
        ],
        moves: moves! {
            "" => "applied" ALL Clerk [];
            "" => "visited" ALL Clerk [];
            "" => "publicised" ALL Clerk [];
            "" => "recognised" ALL Clerk [];
            "" => "helping" ALL Clerk [];
            "" => "exited" ALL Clerk ["exit_cause"];
            "" => "withdrawn" ALL Clerk ["exit_cause"];
            "" => "refused" SENIOR Clerk ["refuse_reason"];
            "applied" => "visited" ALL Clerk ["visited_on"];
            "applied" => "publicised" ALL Clerk ["visited_on", "publicity_from"];
            "applied" => "recognised" ALL Clerk ["visited_on", "publicity_from"];
            "applied" => "helping" ALL Clerk ["visited_on", "publicity_from"];
            "applied" => "refused" SENIOR Clerk ["refused_on", "refuse_reason"];
            "visited" => "publicised" ALL Clerk ["publicity_from", "publicity_to"];
            "visited" => "recognised" ALL Clerk ["publicity_from"];
            "visited" => "helping" ALL Clerk ["publicity_from"];
            "visited" => "refused" SENIOR Clerk ["refused_on", "refuse_reason"];
            "publicised" => "recognised" ALL Clerk [];
            "publicised" => "helping" ALL Clerk [];
            "publicised" => "refused" SENIOR Clerk ["refused_on", "refuse_reason"];
            "recognised" => "helping" ALL Clerk ["plan"];
            "recognised" => "exited" ALL Clerk ["exit_on", "exit_cause"];
            "recognised" => "withdrawn" SENIOR Clerk ["exit_on", "exit_cause"];
            "recognised" => "applied" BUREAU Reviewer [];
            "recognised" => "visited" BUREAU Reviewer [];
            "recognised" => "publicised" BUREAU Reviewer [];
            "recognised" => "refused" BUREAU Reviewer ["refused_on", "refuse_reason"];
            "helping" => "recognised" ALL Clerk [];
            "helping" => "exited" ALL Clerk ["exit_on", "exit_cause"];
            "helping" => "withdrawn" SENIOR Clerk ["exit_on", "exit_cause"];
            "exited" => "recognised" BUREAU Reviewer [];
            "exited" => "helping" BUREAU Reviewer [];
            "exited" => "withdrawn" BUREAU Reviewer ["exit_cause"];
            "withdrawn" => "recognised" BUREAU Reviewer [];
            "withdrawn" => "helping" BUREAU Reviewer [];
            "withdrawn" => "exited" BUREAU Reviewer ["exit_cause"];
            "refused" => "applied" BUREAU Reviewer [];
            "refused" => "visited" BUREAU Reviewer [];
            "refused" => "publicised" BUREAU Reviewer [];
            "refused" => "recognised" BUREAU Reviewer [];
        },
    },
    Lifecycle {
        register: number::HARDSHIP_CASE,
        fields: &["recognised_on", "applied_on", "checked_on", "publicity_from", "exit_on", "exit_cause", "refused_on"],
        state_of: hardship_state,
        states: states![
            "applied" "申请" "applied",
            "checked" "初审" "first reviewed",
            "publicised" "公示" "publicised",
            "recognised" "认定" "recognised",
            "exited" "退出" "exited",
            "refused" "不予认定" "refused",
            "withdrawn" "撤销" "withdrawn",
        ],
        moves: moves! {
            "" => "applied" ALL Clerk [];
            "" => "checked" ALL Clerk [];
            "" => "publicised" ALL Clerk [];
            "" => "recognised" ALL Clerk [];
            "" => "exited" ALL Clerk ["exit_cause"];
            "" => "withdrawn" ALL Clerk ["exit_cause"];
            "" => "refused" SENIOR Clerk ["refuse_reason"];
            "applied" => "checked" SENIOR Clerk ["checked_on"];
            "applied" => "publicised" SENIOR Clerk ["checked_on", "publicity_from"];
            "applied" => "recognised" BUREAU Clerk ["checked_on"];
            "applied" => "refused" SENIOR Clerk ["refused_on", "refuse_reason"];
            "checked" => "publicised" ALL Clerk ["publicity_from", "publicity_to"];
            "checked" => "recognised" BUREAU Clerk [];
            "checked" => "refused" SENIOR Clerk ["refused_on", "refuse_reason"];
            "publicised" => "recognised" BUREAU Clerk [];
            "publicised" => "refused" SENIOR Clerk ["refused_on", "refuse_reason"];
            "recognised" => "exited" ALL Clerk ["exit_on", "exit_cause"];
            "recognised" => "withdrawn" SENIOR Clerk ["exit_on", "exit_cause"];
            "recognised" => "publicised" BUREAU Reviewer [];
            "recognised" => "checked" BUREAU Reviewer [];
            "exited" => "recognised" BUREAU Reviewer [];
            "exited" => "withdrawn" BUREAU Reviewer ["exit_cause"];
            "withdrawn" => "recognised" BUREAU Reviewer [];
            "withdrawn" => "exited" BUREAU Reviewer ["exit_cause"];
            "refused" => "applied" BUREAU Reviewer [];
            "refused" => "checked" BUREAU Reviewer [];
        },
    },
    Lifecycle {
        register: number::FEC_CASE,
        fields: &["stage"],
        state_of: fec_state,
        states: states![
            "1" "申报" "applied",
            "2" "街道初审" "reviewed by the street",
            "3" "县区考核" "assessed",
            "4" "公示" "publicised",
            "5" "达标" "certified",
            "6" "责令整顿" "rectifying",
            "7" "取消" "revoked",
            "8" "未通过" "not passed",
        ],
        moves: moves! {
            "" => "1" ALL Clerk ["applied_on"];
            "" => "2" BUREAU Clerk [];
            "" => "3" BUREAU Clerk [];
            "" => "4" BUREAU Clerk [];
            "" => "8" BUREAU Clerk [];
            "" => "5" BUREAU Clerk ["certified_on"];
            "" => "6" BUREAU Clerk ["certified_on", "rectify_from", "rectify_due"];
            "" => "7" BUREAU Clerk ["certified_on", "revoked_on", "revoke_reason"];
            "1" => "2" BUREAU Clerk ["reviewed_by_street_on"];
            "1" => "8" BUREAU Clerk [];
            "2" => "3" BUREAU Clerk ["assessed_on", "score"];
            "2" => "8" BUREAU Clerk [];
            "3" => "4" BUREAU Clerk ["publicity_from"];
            "3" => "8" BUREAU Clerk [];
            "4" => "5" BUREAU Clerk ["certified_on"];
            "4" => "8" BUREAU Clerk [];
            "5" => "6" BUREAU Clerk ["rectify_from", "rectify_due"];
            "6" => "5" BUREAU Clerk ["restored_on"];
            "6" => "7" BUREAU Clerk ["revoked_on", "revoke_reason"];
            "7" => "6" BUREAU Reviewer [];
            "8" => "3" BUREAU Reviewer ["assessed_on", "score"];
        },
    },
    Lifecycle {
        register: number::TASK,
        fields: &["closed_on", "reported_on", "progress", "withdrawn_on", "given_on"],
        state_of: task_state,
        states: states![
            "given" "已下达" "given",
            "working" "办理中" "in progress",
            "reported" "已报完成" "reported done",
            "closed" "销号" "closed",
            "withdrawn" "撤回" "withdrawn",
        ],
        moves: moves! {
            "" => "given" SENIOR Clerk [];
            "given" => "working" ALL Clerk [];
            "given" => "reported" ALL Clerk ["report"];
            "given" => "closed" SENIOR Clerk ["report"];
            "given" => "withdrawn" SENIOR Clerk [];
            "working" => "given" ALL Clerk [];
            "working" => "reported" ALL Clerk ["report"];
            "working" => "closed" SENIOR Clerk ["report"];
            "working" => "withdrawn" SENIOR Clerk [];
            "reported" => "working" SENIOR Clerk [];
            "reported" => "given" SENIOR Clerk [];
            "reported" => "closed" SENIOR Clerk ["report"];
            "reported" => "withdrawn" SENIOR Clerk [];
            "closed" => "reported" SENIOR Reviewer [];
            "closed" => "working" SENIOR Reviewer [];
            "withdrawn" => "given" SENIOR Reviewer [];
        },
    },
    Lifecycle {
        register: number::TRANSFER,
        fields: &["decision", "done_on", "asked_on"],
        state_of: transfer_state,
        states: states![
            "asked" "转出待接收" "asked",
            "accepted" "接收" "accepted",
            "returned" "退回" "sent back",
            "done" "办结" "done",
        ],
        moves: moves! {
            "" => "asked" BUREAU Reviewer [];
            "" => "accepted" BUREAU Reviewer [];
            "" => "returned" BUREAU Reviewer [];
            "asked" => "accepted" ALL Clerk [];
            "asked" => "returned" ALL Clerk [];
            "asked" => "done" BUREAU Reviewer [];
            "accepted" => "returned" ALL Clerk [];
            "accepted" => "asked" ALL Clerk [];
            "accepted" => "done" BUREAU Reviewer [];
            "returned" => "accepted" ALL Clerk [];
            "returned" => "asked" ALL Clerk [];
            "returned" => "done" BUREAU Reviewer [];
        },
    },
    Lifecycle {
        register: number::PERIOD_CLOSE,
        fields: &["closed_on", "version", "approved_on", "approved_version", "returned_on", "returned_version"],
        state_of: month_state,
        states: states![
            "closed" "已封账" "closed by the office",
            "returned" "退回" "sent back",
            "approved" "已审核" "approved by the district",
        ],
        moves: moves! {
            "" => "closed" ALL Clerk ["closed_on"];
            "closed" => "approved" BUREAU Clerk ["approved_on", "approved_by"];
            "closed" => "returned" BUREAU Clerk ["returned_on", "returned_reason"];
            "returned" => "closed" ALL Clerk ["closed_on"];
            "approved" => "returned" BUREAU Reviewer ["returned_on", "returned_reason"];
        },
    },
];

/// Whether a record has a value in a field.
pub(super) fn has(record: &Record, name: &str) -> bool {
    tag(record, name).is_some_and(|tag| record.bytes(tag).is_some())
}

fn tag(record: &Record, name: &str) -> Option<u32> {
    registers().get(record.register)?.field_named(name).map(|field| field.tag)
}

fn left(record: &Record) -> Option<&'static str> {
    if !has(record, "exit_on") {
        return None;
    }
    let cause = tag(record, "exit_cause").and_then(|tag| record.slice(tag));
    let by_mistake = Some(code::case_exit::RECOGNISED_BY_MISTAKE.as_bytes());
    Some(if cause == by_mistake { "withdrawn" } else { "exited" })
}

/// The state of the first of these fields that has a value.
fn furthest(record: &Record, fields: &[(&str, &'static str)]) -> Option<&'static str> {
    fields.iter().find(|(name, _)| has(record, name)).map(|(_, state)| *state)
}

fn zef_state(record: &Record) -> &'static str {
    if let Some(left) = left(record) {
        return left;
    }
    let first = [
        ("refused_on", "refused"),
        ("recognised_on", "recognised"),
        ("publicity_from", "publicised"),
        ("visited_on", "visited"),
    ];
    match furthest(record, &first) {
        Some("recognised") if has(record, "plan") => "helping",
        other => other.unwrap_or("applied"),
    }
}

fn hardship_state(record: &Record) -> &'static str {
    if let Some(left) = left(record) {
        return left;
    }
    let first = [
        ("refused_on", "refused"),
        ("recognised_on", "recognised"),
        ("publicity_from", "publicised"),
        ("checked_on", "checked"),
    ];
    furthest(record, &first).unwrap_or("applied")
}

fn fec_state(record: &Record) -> &'static str {
    const CODES: [&str; 8] = ["1", "2", "3", "4", "5", "6", "7", "8"];
    let stage = tag(record, "stage").and_then(|tag| record.slice(tag));
    CODES.into_iter().find(|code| stage == Some(code.as_bytes())).unwrap_or("")
}

fn task_state(record: &Record) -> &'static str {
    let first = [("withdrawn_on", "withdrawn"), ("closed_on", "closed"), ("reported_on", "reported")];
    if let Some(state) = furthest(record, &first) {
        return state;
    }
    let begun = tag(record, "progress").and_then(|tag| record.varint(tag)).is_some_and(|progress| progress > 0);
    if begun { "working" } else { "given" }
}

fn transfer_state(record: &Record) -> &'static str {
    if has(record, "done_on") {
        return "done";
    }
    let decision = tag(record, "decision").and_then(|tag| record.slice(tag));
    let is = |code: &str| decision == Some(code.as_bytes());
    match () {
        () if is(code::transfer_decision::TAKEN_IN) => "accepted",
        () if is(code::transfer_decision::SENT_BACK) => "returned",
        () => "asked",
    }
}

fn month_state(record: &Record) -> &'static str {
    match month::stage(&record.typed(|tag| {
        matches!(
            tag,
            field::period_close::APPROVED_ON | field::period_close::RETURNED_ON | field::period_close::VERSION
                ..=field::period_close::RETURNED_VERSION
        )
    })) {
        Stage::Returned => "returned",
        Stage::Approved => "approved",
        Stage::Closed => "closed",
    }
}
