//! Files of clerks in and out: ledgers as xlsx, xls or csv become drafts, registers become csv or xlsx.
//! Invariant: what enters goes through [`Desk::save`] row by row, each row whole or not at all; nothing that a file
//! leaves empty clears a value, and a file imported twice changes nothing the second time.
//! The path of a file: `read` (bytes to cells) -> `headings` (what the columns mean) -> `form` (rows, unit, date) -> `row` (cells to values by `layout`)
//! -> `group` (values to drafts) -> `import` (chunks to the desk) -> `reasons` (what was refused, to mend and bring back).

mod book;
mod cells;
mod compare;
mod excel;
mod export;
mod form;
mod formula;
mod group;
mod headings;
mod import;
mod layout;
pub(crate) mod note;
mod ole;
mod package;
mod pending;
mod phones;
mod read;
mod reasons;
mod row;
mod rows;
mod survey;
mod template;
#[cfg(test)]
mod tests;
mod text_file;

pub use export::{ExportError, Format, export, sheet};
pub(crate) use export::{People, with_code};
pub use formula::harmless;
pub(crate) use formula::{formats, is_formula};
pub use layout::{FOLDER, Layouts, Mapped, MappingError};
pub use reasons::{file_name as reasons_name, reasons_table};
pub use template::template;

use crate::desk::Desk;
use std::sync::Arc;
use taizhang_proto::{OrgCode, date::Day};

/// Largest file taken, bytes.
pub const MAX_FILE: usize = 64 << 20;

/// A clerk's file.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// Its name, for messages and for the name of the reasons file. The kind of file is told by its content.
    pub file_name: &'a str,
    /// Its bytes.
    pub content: &'a [u8],
}

/// How to import.
#[derive(Debug, Clone)]
pub struct Options {
    /// The owning unit of rows whose file names none; the office's own where this is none either.
    pub unit: Option<OrgCode>,
    /// Whether what stands in the office's own name, because a file once named no unit, moves to the unit that is chosen now.
    pub moves: bool,
    /// Only say what would happen.
    pub dry_run: bool,
    /// The clerk.
    pub by: String,
    /// What columns mean.
    pub layouts: Arc<Layouts>,
    /// Since when those are on the register of whom neither file nor row says it: an old register is taken over. None: since
    /// the day of the import.
    pub registered_on: Option<Day>,
}

impl Default for Options {
    fn default() -> Self {
        let layouts = Layouts::built_in();
        Self { unit: None, moves: false, dry_run: false, by: String::new(), layouts, registered_on: None }
    }
}

/// What an import did. `rows` is the sum of new, same, changed and wrong rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Rows of data.
    pub rows: u64,
    /// Rows whose main record is new.
    pub new_rows: u64,
    /// Rows that the registers held already.
    pub same_rows: u64,
    /// Rows that changed or added to a record the registers held.
    pub changed_rows: u64,
    /// Rows that were refused.
    pub wrong_rows: u64,
    /// Blank rows, totals, repeated headings, lines for signatures.
    pub skipped_rows: u64,
    /// What the clerk should know besides, without personal data.
    pub findings: Vec<String>,
    /// The refused rows, and those that were saved without some of their columns, in the layout of the file, with a column
    /// 原因: file name and bytes.
    pub reasons: Option<(String, Vec<u8>)>,
}

/// Why nothing, or no more, of a file was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// No bytes or no cells.
    #[error("文件是空的 (the file is empty)")]
    Empty,
    /// A bound is passed.
    #[error("文件过大：{what}超过{limit}，请分成几个文件 (too large)")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is taken.
        limit: u64,
    },
    /// Protected with a password.
    #[error("文件有密码保护，请取消密码后另存再导入 (protected with a password)")]
    Password,
    /// Not a table.
    #[error("不是可以导入的表格：{0}。请用 Excel 另存为 .xlsx 或 .csv (not a table that can be imported)")]
    Kind(&'static str),
    /// A quote without its other one.
    #[error(
        "第{0}行有一个没有成对的引号，后面的行会被当作它的内容；请补上或删去引号后再导入 (a quote on this line is never closed)"
    )]
    Quote(usize),
    /// A table that can't be read.
    #[error("文件已损坏，不能读取：{0}。请用 Excel 打开后另存再导入 (the file is damaged)")]
    Damaged(String),
    /// No sheet has headings that we know.
    #[error(
        "没有找到表头：每张工作表应有一行栏目名，至少含“姓名”和“身份证号码”；写在介绍人、监护人等分组下面的不算 (no row of headings found)"
    )]
    NoHeader,
    /// The unit chosen for the rows is not one of the office.
    #[error("{0}不是本单位所辖的单位，请另选 (not a unit of this office)")]
    Unit(OrgCode),
    /// The file names units, and the office has no tree to find them in.
    #[error(
        "本机还没有单位名单，认不出文件中的单位名称，文件未读取；请先用 enrol <令牌> 登记，或在表中填写12位编码 (no tree of units has come, \
         and the file names some: nothing was read; enrol first, or write codes)"
    )]
    NoTree,
    /// The office's store failed; rows before this one are saved, and importing again goes on from there.
    #[error("{0}")]
    Store(String),
    /// The reasons file can't be written.
    #[error("原因文件无法生成：{0} (the reasons file can't be made)")]
    Reasons(String),
}

/// Imports a file into an office's registers. `progress` gets rows done and rows in all.
///
/// # Errors
/// When the file can't be read, or the store fails; wrong rows are no error but part of the [`Report`].
pub fn import<D: Desk>(
    desk: &D,
    source: &Source<'_>,
    options: &Options,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, ImportError> {
    import::run(desk, source, options, progress)
}
