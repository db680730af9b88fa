//! An empty sheet of a register, to be filled in with Excel and imported: the headings of its export, and the codes as lists to choose from.
//! Invariant: it is recognised as that register whatever of it is filled in.

use super::{
    formula::formats,
    layout::exact::{heading, is_to_person, number_heading},
};
use rust_xlsxwriter::{DataValidation, Format as Style, Formula, Workbook, XlsxError};
use taizhang_proto::register::{FIRST_OWN, FieldDef, HOME_UNIT, RegisterDef, STATE};

/// Rows that are prepared.
const ROWS: u32 = 2_000;
/// The sheet with the lists, which nobody sees.
const LISTS: &str = "代码";

/// The fields that somebody fills in: what is the register's own, and no reference to a record without a name unless it is needed, then the
/// unit and the state.
fn filled_in(register: &RegisterDef) -> impl Iterator<Item = &FieldDef> {
    let own =
        |field: &&FieldDef| field.tag >= FIRST_OWN && (field.refers.is_none() || field.required || is_to_person(field));
    let of_all = |field: &&FieldDef| matches!(field.tag, HOME_UNIT | STATE);
    register.fields.iter().filter(own).chain(register.fields.iter().filter(of_all))
}

/// The sheet as an xlsx.
///
/// # Errors
/// When the library fails.
pub fn template(register: &RegisterDef) -> Result<Vec<u8>, XlsxError> {
    let mut columns: Vec<(String, &FieldDef)> = Vec::new();
    for field in filled_in(register) {
        columns.push((heading(register, field), field));
        if is_to_person(field) {
            columns.push((number_heading(register, field), field));
        }
    }
    let mut book = Workbook::new();
    let (text, _) = formats();
    let (needed, plain) = (Style::new().set_bold().set_font_color(0x00A4_161A_u32), Style::new().set_bold());
    let mut lists = Vec::new();
    let sheet = book.add_worksheet();
    sheet.set_name(&register.zh)?;
    sheet.write_string(0, 0, &register.zh)?;
    sheet.write_string(1, 0, "红字为必填；日期写成2008-03-28；有下拉的请从中选择")?;
    for (place, (heading, field)) in (0_u16..).zip(&columns) {
        sheet.write_string_with_format(2, place, heading, if field.required { &needed } else { &plain })?;
        // A text, so that a number keeps its digits.
        sheet.set_column_format(place, &text)?;
        sheet.set_column_width(place, if field.personal { 22 } else { 14 })?;
        if let Some(codes) = field.codes.filter(|_| !field.many) {
            let range = format!(
                "={LISTS}!${0}$1:${0}${1}",
                rust_xlsxwriter::utility::column_number_to_name(lists.len() as u16),
                codes.codes.len()
            );
            sheet.add_data_validation(
                3,
                place,
                2 + ROWS,
                place,
                &DataValidation::new().allow_list_formula(Formula::new(range)),
            )?;
            lists.push(codes);
        }
    }
    sheet.set_freeze_panes(3, 0)?;
    if !lists.is_empty() {
        let hidden = book.add_worksheet();
        hidden.set_name(LISTS)?.set_hidden(true);
        for (column, codes) in (0_u16..).zip(&lists) {
            for (row, meaning) in (0_u32..).zip(codes.codes.values()) {
                hidden.write_string(row, column, meaning)?;
            }
        }
    }
    book.save_to_buffer()
}
