//! The audit log, of an office or a hub, as it is printed.

use super::{Reader, lang::word, table, time};
use taizhang_proto::pb;

/// The audit log.
pub fn audit_log(answer: &pb::AuditLogAnswer, reader: Reader) {
    let row = |line: &pb::AuditEntry| {
        let role = match (line.role.as_str(), reader) {
            (role, Reader::Program) => role,
            ("reader", _) => word("查阅", "reader"),
            ("reviewer", _) => word("审核", "reviewer"),
            ("clerk", _) => word("经办", "clerk"),
            _ => word("管理", "operator"),
        };
        let unit = if line.unit == 0 { String::new() } else { line.unit.to_string() };
        vec![time(line.at), line.by.clone(), role.to_owned(), unit, line.what.clone(), line.of.clone()]
    };
    let headings =
        [("at", "时间"), ("by", "经办人"), ("role", "身份"), ("unit", "单位"), ("what", "操作"), ("of", "对象")];
    table(reader, &headings, &answer.entries.iter().map(row).collect::<Vec<_>>());
}
