//! The audit log, of an office or a hub, as it is printed.

use super::{
    Reader,
    lang::{Lang, spoken, word},
    table, time,
};
use taizhang_proto::{pb, register::registers};

/// What each command of the log is called: as a program reads it, in Chinese and in English.
const ACTS: [(&str, &str, &str); 45] = [
    ("approve", "审核月报", "month approved"),
    ("approve --return", "退回月报", "month sent back"),
    ("aside", "暂不计入合计", "set aside"),
    ("aside --undo", "恢复计入合计", "counts again"),
    ("ca drop", "停用旧CA", "old CA dropped"),
    ("ca rotate", "更换CA", "CA changed"),
    ("card", "查看个人情况", "card looked at"),
    ("catalogue", "打印档案目录", "archive catalogue printed"),
    ("close", "月报封账", "month closed"),
    ("confirm", "确认节点名单", "roll confirmed"),
    ("conflicts", "查看冲突列表", "conflicts listed"),
    ("doubts", "查看核实事项", "doubts looked at"),
    ("draw", "抽取抽查名单", "sample drawn"),
    ("due", "导出到期名单", "due list exported"),
    ("enrol", "登记电脑", "computer enrolled"),
    ("enrol --replace", "改登为其他单位", "computer enrolled as another"),
    ("export", "导出", "exported"),
    ("find", "按姓名查找", "looked for by name"),
    ("history", "查看或打印历史", "history read or printed"),
    ("import", "导入", "imported"),
    ("keys rotate", "更换比对密钥", "matching key changed"),
    ("labels", "打印档案标签", "archive labels printed"),
    ("list", "查看登记表", "register read"),
    ("lock", "市级封账", "month locked"),
    ("merge", "合并", "merged"),
    ("merge --undo", "撤销合并", "merge undone"),
    ("plan", "发布工作目标", "plan published"),
    ("print", "打印登记表", "register printed"),
    ("publicity", "打印公示名单", "list to post up printed"),
    ("refused let-go", "放弃被退回的", "refused entry let go"),
    ("refused resend", "重报被退回的", "refused entry sent again"),
    ("reopen", "重新审理", "conflict reopened"),
    ("resolve", "裁定冲突", "conflict settled"),
    ("retire", "停用电脑", "computer retired"),
    ("retire --undo", "恢复电脑", "computer serves again"),
    ("revise", "审核更改", "record revised"),
    ("search", "查找", "searched"),
    ("show", "查看冲突", "conflict looked at"),
    ("tasks", "下达或撤回文件、任务", "order given or withdrawn"),
    ("token", "发放令牌", "token made"),
    ("units", "更换单位名单", "tree of units changed"),
    ("user add", "增加用户", "user added"),
    ("user password", "重设密码", "password set anew"),
    ("user remove", "删除用户", "user removed"),
    ("worklist", "导出待办名单", "worklist exported"),
];

/// What a command of the log is called in the language that is spoken; its own name where it is not known.
pub fn act(what: &str) -> &str {
    spoken().act(what)
}

/// What stands beside ids and names, in Chinese.
const WORDS: [(&str, &str); 15] = [
    ("begun", "开始"),
    ("broken", "中断"),
    ("changed", "更新"),
    ("distinct", "并非重复"),
    ("give", "下达"),
    ("keep", "维持现值"),
    ("masked", "（姓名遮盖）"),
    ("merge", "合并"),
    ("new", "新增"),
    ("off", ""),
    ("revoke", "撤销认定"),
    ("take", "采纳主张"),
    ("unit", ""),
    ("withdraw", "撤回"),
    ("write", "另行填写"),
];

/// What an act was done at, as people read it.
fn at_what(lang: Lang, of: &str) -> String {
    let told = of.split(' ').map(|one| {
        let zh = WORDS.iter().find(|(code, _)| *code == one).map(|(_, zh)| *zh);
        match (registers().named(one), zh) {
            (Some(def), _) => lang.word(&def.zh, &def.en).to_owned(),
            (None, Some(zh)) => lang.word(zh, one).to_owned(),
            (None, None) => one.to_owned(),
        }
    });
    told.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

impl Lang {
    /// What a command of the log is called; its own name where it is not known.
    pub fn act(self, what: &str) -> &str {
        ACTS.iter().find(|(code, ..)| *code == what).map_or(what, |(_, zh, en)| self.word(zh, en))
    }

    /// What an act of the log was done at.
    pub fn done_at(self, entry: &pb::AuditEntry) -> String {
        at_what(self, if entry.named.is_empty() { &entry.of } else { &entry.named })
    }
}

/// The audit log.
pub fn audit_log(answer: &pb::AuditLogAnswer, reader: Reader) {
    let is_program = reader == Reader::Program;
    let row = |line: &pb::AuditEntry| {
        let role = match (line.role.as_str(), reader) {
            (role, Reader::Program) => role,
            ("reader", _) => word("查阅", "reader"),
            ("reviewer", _) => word("审核", "reviewer"),
            ("clerk", _) => word("经办", "clerk"),
            ("head", _) => word("负责人", "head"),
            _ => word("管理", "operator"),
        };
        let what = if is_program { &line.what } else { act(&line.what) };
        // On a screen a name says more than the code that it stands for.
        let named = if line.named.is_empty() { &line.of } else { &line.named };
        let of = if is_program { line.of.clone() } else { at_what(spoken(), named) };
        let unit = match line.unit {
            0 => String::new(),
            code if is_program || line.unit_name.is_empty() => code.to_string(),
            _ => line.unit_name.clone(),
        };
        let mut row = vec![time(line.at), line.by.clone(), role.to_owned(), unit, what.to_owned(), of];
        row.push(line.reason.clone());
        row.extend(is_program.then(|| line.named.clone()));
        row
    };
    let mut headings = vec![
        ("at", "时间"),
        ("by", "经办人"),
        ("role", "身份"),
        ("unit", "单位"),
        ("what", "操作"),
        ("of", "对象"),
        ("reason", "理由"),
    ];
    headings.extend(is_program.then_some(("named", "对象名称")));
    table(reader, &headings, &answer.entries.iter().map(row).collect::<Vec<_>>());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_act_has_one_name() {
        assert_eq!((act("retire"), act("nothing that is known")), ("停用电脑", "nothing that is known"));
        let mut codes: Vec<_> = ACTS.iter().map(|(code, ..)| code).collect();
        codes.dedup();
        assert!(codes.is_sorted() && codes.len() == ACTS.len());
    }
}
