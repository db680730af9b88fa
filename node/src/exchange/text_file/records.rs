//! Text split into records and fields, with the quotes that people leave open. Pure.
//! Invariant: no line of the text is swallowed by a quote that a clerk typed as a sign (同上, inches): where every line that a
//! quote runs over is a whole row of the table by itself, the quote is a sign; where that can't be told, the text is refused.

/// A quote that never ends, by the line on which it stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct OpenQuote(pub(super) usize);

/// Most lines that the quotes of one record may take it over; more than any cell of Excel has. Behind that a quote is taken to be
/// open: a text of open quotes alone would be read to its end once for each of its lines.
const MOST_LINES: usize = 1_000;

/// The records of a text, one after the other, each as its fields. Lines without anything are no records.
pub(super) struct Records<'t> {
    lines: Vec<&'t str>,
    delimiter: char,
    width: usize,
    at: usize,
    /// The lines so far on which a quote was taken for a sign.
    pub(super) signs: Vec<usize>,
}

impl<'t> Records<'t> {
    /// The records of a text.
    pub(super) fn of(text: &'t str, delimiter: u8) -> Self {
        let delimiter = char::from(delimiter);
        let lines = lines(text);
        let width = usual_width(&lines, delimiter);
        Self { lines, delimiter, width, at: 0, signs: Vec::new() }
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Vec<String>, OpenQuote>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.lines.get(self.at)?.is_empty() {
            self.at += 1;
        }
        let (lines, at, delimiter, width) = (&self.lines, self.at, self.delimiter, self.width);
        let (record, used) = match strict(&lines[at..], delimiter) {
            Some((record, 1)) => (record, 1),
            Some((record, used)) if !are_rows(&lines[at..at + used], delimiter, width) => (record, used),
            _ if literal(lines[at], delimiter).len() == width => {
                self.signs.push(at + 1);
                (literal(lines[at], delimiter), 1)
            }
            _ => {
                // Nothing is read behind it.
                self.at = self.lines.len();
                return Some(Err(OpenQuote(at + 1)));
            }
        };
        self.at += used;
        Some(Ok(record))
    }
}

/// The lines of a text, whichever way they end.
fn lines(text: &str) -> Vec<&str> {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(['\n', '\r']) {
        lines.push(&rest[..end]);
        let after = &rest[end..];
        rest = after.strip_prefix("\r\n").unwrap_or(&after[1..]);
    }
    lines.push(rest);
    lines
}

/// How many fields most lines have by themselves.
fn usual_width(lines: &[&str], delimiter: char) -> usize {
    let mut counts = std::collections::HashMap::<usize, usize>::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        *counts.entry(literal(line, delimiter).len()).or_default() += 1;
    }
    counts
        .into_iter()
        .filter(|(width, _)| *width > 1)
        .max_by_key(|(width, count)| (*count, *width))
        .map_or(1, |(width, _)| width)
}

/// Whether each of these lines is a row of the table by itself.
fn are_rows(lines: &[&str], delimiter: char, width: usize) -> bool {
    width > 1 && lines.iter().all(|line| literal(line, delimiter).len() == width)
}

/// The record that begins with the first line, over as many lines as its quotes take it; none when one never ends.
fn strict(lines: &[&str], delimiter: char) -> Option<(Vec<String>, usize)> {
    let mut fields = Vec::new();
    let mut line = 0;
    let mut rest = lines.first().copied()?;
    loop {
        let mut field = String::new();
        if let Some(quoted) = rest.strip_prefix('"') {
            rest = quoted;
            loop {
                let Some(end) = rest.find('"') else {
                    field.push_str(rest);
                    line += 1;
                    rest = lines.get(line).copied().filter(|_| line < MOST_LINES)?;
                    field.push('\n');
                    continue;
                };
                field.push_str(&rest[..end]);
                rest = &rest[end + 1..];
                let Some(after) = rest.strip_prefix('"') else { break };
                field.push('"');
                rest = after;
            }
        }
        let end = rest.find(delimiter).unwrap_or(rest.len());
        field.push_str(&rest[..end]);
        fields.push(field);
        match rest[end..].strip_prefix(delimiter) {
            Some(after) => rest = after,
            None => return Some((fields, line + 1)),
        }
    }
}

/// The fields of one line by itself: a quote that does not end on it, before a separator, is a sign.
fn literal(line: &str, delimiter: char) -> Vec<String> {
    let mut fields = Vec::new();
    let mut rest = line;
    loop {
        let (field, after) = one(rest, delimiter);
        fields.push(field);
        match after.strip_prefix(delimiter) {
            Some(after) => rest = after,
            None => return fields,
        }
    }
}

fn one(rest: &str, delimiter: char) -> (String, &str) {
    if let Some(quoted) = rest.strip_prefix('"') {
        let mut field = String::new();
        let mut inner = quoted;
        while let Some(end) = inner.find('"') {
            field.push_str(&inner[..end]);
            let after = &inner[end + 1..];
            match after.strip_prefix('"') {
                Some(more) => {
                    field.push('"');
                    inner = more;
                }
                None if after.is_empty() || after.starts_with(delimiter) => return (field, after),
                None => break,
            }
        }
    }
    let end = rest.find(delimiter).unwrap_or(rest.len());
    let (field, after) = rest.split_at(end);
    // A lone quote is 同上; one before a text was to close behind it.
    let bare = field.strip_prefix('"').filter(|bare| !bare.trim().is_empty()).unwrap_or(field);
    (bare.to_owned(), after)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(text: &str, delimiter: u8) -> Result<(Vec<Vec<String>>, Vec<usize>), OpenQuote> {
        let mut records = Records::of(text, delimiter);
        let all = records.by_ref().collect::<Result<_, _>>()?;
        Ok((all, records.signs))
    }

    fn rows(text: &str) -> Vec<Vec<String>> {
        split(text, b',').unwrap().0
    }

    #[test]
    fn quotes_hold_separators_quotes_and_line_breaks() {
        let text = "a,b,c\n1,\"x,y\",\"say \"\"z\"\"\"\n2,\"one\ntwo\",3\r\n\r\n4,5,6";
        let expected = [["a", "b", "c"], ["1", "x,y", "say \"z\""], ["2", "one\ntwo", "3"], ["4", "5", "6"]];
        assert_eq!(rows(text), expected);
    }

    #[test]
    fn a_quote_that_is_a_sign_swallows_no_row() {
        let text = "a,b,c\n1,甲,x\n2,\",y\n3,\",z\n4,\"丁,w\n5,戊,v\n";
        let (found, signs) = split(text, b',').unwrap();
        assert_eq!(found.len(), 6);
        assert_eq!((found[2][1].as_str(), found[3][1].as_str(), found[4][1].as_str()), ("\"", "\"", "丁"));
        assert_eq!(signs, [3, 4, 5]);
    }

    #[test]
    fn a_quote_that_is_open_among_broken_lines_is_refused_by_its_line() {
        assert_eq!(split("a,b,c\n1,2,3\n2,\"x\ny\nz\n", b','), Err(OpenQuote(3)));
    }

    proptest! {
        #[test]
        fn what_the_writer_writes_is_read(cells in proptest::collection::vec(proptest::collection::vec("[a甲,\" 1]{0,5}", 3), 1..12)) {
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            for row in &cells {
                writer.write_record(row).unwrap();
            }
            let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(split(&text, b',').unwrap().0, cells);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a,\"\n\r]{0,40}") {
            _ = split(&text, b',');
        }
    }
}
