//! A record's story as one page to print on A4: nothing but this file is needed to read it.
//! Invariant: every value goes through maud, which escapes it; the page runs nothing and fetches nothing.

use crate::{
    disk::{self, DiskError, Secrecy},
    say,
    show::{self, Reader},
};
use maud::{DOCTYPE, PreEscaped, html};
use std::path::Path;
use taizhang_proto::{
    date,
    pb::{HistoryAnswer, HistoryLine},
};

/// Who may load what from this page: nothing but its own style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

const STYLE: &str = "
@page { size: A4 landscape; margin: 15mm 12mm; }
body { font: 10.5pt/1.5 SimSun, 'Songti SC', 'Noto Serif CJK SC', serif; color: #000; margin: 8mm auto; max-width: 273mm; }
h1 { font-size: 18pt; text-align: center; margin: 0 0 4mm; letter-spacing: 2pt; }
h2 { font-size: 12pt; margin: 6mm 0 2mm; }
.head { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 1mm 6mm; margin-bottom: 2mm; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
th, td { border: 0.4pt solid #000; padding: 1mm 1.5mm; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: isolate; }
th { font-weight: bold; background: #eee; print-color-adjust: exact; }
.signs { display: flex; justify-content: space-between; margin-top: 10mm; }
.signs span { flex: 1; }
@media print { body { margin: 0; max-width: none; } }
";

/// Writes a record's story to a file, which is its owner's alone, and says where it is.
///
/// # Errors
/// When the file can't be written.
pub fn print(answer: &HistoryAnswer, file: &Path, reader: Reader) -> Result<(), DiskError> {
    disk::write_file(file, story(answer).as_bytes(), Secrecy::OwnerOnly)?;
    match reader {
        Reader::Program => show::exported(reader, answer.lines.len() as u64, file),
        Reader::Person => {
            say!("已写入 {}，请妥善保管 (written: keep it safe)", file.display());
        }
    }
    Ok(())
}

/// The page.
fn story(answer: &HistoryAnswer) -> String {
    let (stands, past): (Vec<_>, Vec<_>) = answer.lines.iter().partition(|line| line.stands);
    let title = format!("{}历史记录表", answer.register);
    let page = html! {
        (DOCTYPE)
        html lang="zh-CN" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                div.head {
                    span { "填报单位（盖章）：" (answer.unit) }
                    span { "记录编号：" (answer.record) }
                    span { "打印日期：" (date::iso(answer.on)) }
                }
                h2 { "现值（" (stands.len()) " 项）" }
                table {
                    colgroup { col style="width:16%"; col style="width:38%"; col style="width:18%"; col style="width:12%"; col style="width:16%"; }
                    thead { tr { th { "栏目" } th { "值" } th { "录入单位" } th { "录入人" } th { "到达时间" } } }
                    tbody {
                        @for line in &stands {
                            tr { td { (line.label) } td { (line.value) } td { (line.office) } td { (line.by) } td { (arrived(line)) } }
                        }
                    }
                }
                h2 { "历史（" (past.len()) " 项，新的在前）" }
                table {
                    colgroup { col style="width:11%"; col style="width:20%"; col style="width:14%"; col style="width:9%"; col style="width:12%"; col style="width:12%"; col style="width:22%"; }
                    thead { tr { th { "栏目" } th { "原值" } th { "录入单位" } th { "录入人" } th { "到达时间" } th { "规则" } th { "裁定：何人、何时、理由" } } }
                    tbody {
                        @for line in &past {
                            tr {
                                td { (line.label) } td { (line.value) } td { (line.office) } td { (line.by) }
                                td { (arrived(line)) } td { (rule(line)) } td { (decided(line)) }
                            }
                        }
                        @if past.is_empty() { tr { td colspan="7" { "无" } } }
                    }
                }
                div.signs { span { "填报人：" } span { "审核人：" } span { "填报日期：" } }
            }
        }
    };
    page.into_string()
}

fn arrived(line: &HistoryLine) -> String {
    if line.at == 0 { "待上报".into() } else { show::time(line.at) }
}

/// What a value lost by; most lose by a later edit, which is no rule of its own.
fn rule(line: &HistoryLine) -> &str {
    if line.rule.is_empty() { "后来的修改" } else { show::lang::rule(&line.rule) }
}

fn decided(line: &HistoryLine) -> String {
    match (line.decided_by.as_str(), line.reason.as_str()) {
        ("", reason) => reason.to_owned(),
        (by, reason) => format!("{by}，{}\n{reason}", show::time(line.decided_at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_the_whole_story_and_no_value_is_markup() {
        let line = HistoryLine {
            label: "姓名".into(),
            by: "张三".into(),
            office: "友谊社区".into(),
            ..HistoryLine::default()
        };
        let stands = HistoryLine { value: "<script>alert('x')</script>&\"".into(), stands: true, ..line.clone() };
        let past = HistoryLine {
            value: "王强".into(),
            at: 1_206_000_000,
            rule: "REVIEW".into(),
            decided_by: "李审核".into(),
            reason: "经查<户口簿>".into(),
            decided_at: 1_206_086_400,
            ..line
        };
        let page = story(&HistoryAnswer {
            register: "居民登记".into(),
            lines: vec![stands, past],
            record: "0190".into(),
            unit: "友谊社区居委会(210402011003)".into(),
            on: 13_958,
        });
        for part in [
            "居民登记历史记录表",
            "填报单位（盖章）：友谊社区居委会(210402011003)",
            "打印日期：2008-03-20",
            "待上报",
            "&lt;script&gt;alert",
            "王强",
            "待审核裁定",
            "李审核，2008-03-21 16:00:00",
            "经查&lt;户口簿&gt;",
            "记录编号：0190",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"));
    }
}
