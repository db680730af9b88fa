//! Bytes to cells: what kind of file it is, is told by its content; a sheet too long to be held is walked through in the file.

use super::{
    ImportError, MAX_FILE, Source,
    book::{Book, Long},
    excel::{self, guarded, held_whole},
    rows::{Bounds, Look, Walked},
    text_file,
};
use std::borrow::Cow;

const ZIP: &[u8] = b"PK\x03\x04";
const OLE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Whether a file is a workbook, by its first bytes.
pub(super) fn is_workbook(content: &[u8]) -> bool {
    content.starts_with(ZIP) || content.starts_with(OLE)
}

/// Opens a file and reads of it what is held.
pub(super) fn read<'s>(source: &Source<'s>) -> Result<Book<'s>, ImportError> {
    let content = source.content;
    if content.is_empty() {
        return Err(ImportError::Empty);
    }
    if content.len() > MAX_FILE {
        return Err(ImportError::TooLarge { what: "字节数", limit: MAX_FILE as u64 });
    }
    let book = if content.starts_with(ZIP) {
        guarded(|| excel::xlsx(content))?
    } else if content.starts_with(OLE) {
        guarded(|| excel::xls(content))?
    } else {
        text_file::read(source)?
    };
    if book.sheets.iter().all(|sheet| sheet.rows.is_empty()) {
        return Err(ImportError::Empty);
    }
    Ok(book)
}

impl Book<'_> {
    /// The first walk through a sheet, which finds what is wrong with it: nothing is saved before it ended. A sheet whose
    /// cells come in no order is held whole from then on, and the walk begins again with [`Walked::Unordered`].
    pub(super) fn first_walk(&mut self, sheet: usize, look: Look<'_>) -> Result<Walked, ImportError> {
        let long = &self.sheets[sheet];
        if !long.is_long {
            return self.walk(sheet, look);
        }
        let mut bounds = self.bounds.borrow().clone();
        let walked = guarded(|| self.read(sheet, &mut bounds, look))?;
        if walked == Walked::Unordered
            && let Long::Workbook(book, kind) = &self.long
        {
            let mut bounds = self.bounds.borrow_mut();
            let rows = guarded(|| held_whole(&mut book.borrow_mut(), long, kind, &mut bounds))?;
            drop(bounds);
            (self.sheets[sheet].rows, self.sheets[sheet].is_long) = (rows, false);
        } else {
            self.bounds.replace(bounds);
        }
        self.stray = self.bounds.borrow().finding();
        Ok(walked)
    }

    /// Walks through a sheet again.
    pub(super) fn walk(&self, sheet: usize, look: Look<'_>) -> Result<Walked, ImportError> {
        if self.sheets[sheet].is_long {
            return self.read(sheet, &mut Bounds::default(), look);
        }
        for (number, row) in self.sheets[sheet].rows.iter().enumerate() {
            if !look(number, Cow::Borrowed(row))? {
                return Ok(Walked::Enough);
            }
        }
        Ok(Walked::Whole)
    }

    fn read(&self, sheet: usize, bounds: &mut Bounds, look: Look<'_>) -> Result<Walked, ImportError> {
        match &self.long {
            Long::Held => Ok(Walked::Whole),
            Long::Workbook(book, kind) => excel::walk(&mut book.borrow_mut(), &self.sheets[sheet], kind, bounds, look),
            Long::Text { text, delimiter } => text_file::walk(text, *delimiter, bounds, look).map(|(walked, _)| walked),
        }
    }
}
