//! Forms from what the registers declare: a new field of a register is in them without a line of code.
//! Invariant: what a form sends is what the desk's own words would be: text as a clerk writes it, checked where it is saved.

use super::Words;
use maud::{Markup, html};
use taizhang_proto::{
    pb::Format,
    register::{FieldDef, Shape},
};

/// What stands in a field of a form.
#[derive(Debug, Clone, Default)]
pub struct Filled {
    /// As a clerk writes it.
    pub value: String,
    /// What is wrong with it.
    pub wrong: Option<String>,
    /// What is suggested: names of records or units.
    pub offers: Vec<(String, String)>,
    /// Whether it only shows what stands.
    pub fixed: bool,
}

/// How wide a field's input is, in characters.
fn size(field: &FieldDef) -> usize {
    match field.format {
        Format::Date | Format::Money | Format::Code => 14,
        Format::CitizenId | Format::Phone => 22,
        _ => field.max.clamp(10, 60),
    }
}

/// A field with its label.
pub fn field(words: Words, field: &FieldDef, filled: &Filled) -> Markup {
    let id = format!("f-{}", field.name);
    let hint = format!("h-{}", field.name);
    let list = format!("l-{}", field.name);
    html! {
        div.field {
            label for=(id) {
                (words.lang.word(&field.zh, &field.en))
                @if field.required { span.must title=(words.say("required")) { "*" } }
            }
            @match (field.codes, field.shape) {
                (Some(codes), _) if !field.many => {
                    select id=(id) name=(field.name) aria-describedby=(hint) required[field.required] disabled[filled.fixed] {
                        option value="" selected[filled.value.is_empty()] {}
                        @for (code, meaning) in &codes.codes {
                            option value=(meaning) selected[*meaning == filled.value] {
                                (words.lang.word(meaning, codes.english(code).unwrap_or(meaning)))
                            }
                        }
                        // What no list has is kept as it was written.
                        @if !filled.value.is_empty() && !codes.codes.values().any(|meaning| *meaning == filled.value) {
                            option value=(filled.value) selected { (filled.value) }
                        }
                    }
                }
                (None, Shape::Bool) => {
                    select id=(id) name=(field.name) aria-describedby=(hint) disabled[filled.fixed] {
                        @for (value, says) in [("", ""), ("是", words.lang.word("是", "yes")), ("否", words.lang.word("否", "no"))] {
                            option value=(value) selected[value == filled.value] { (says) }
                        }
                    }
                }
                _ => {
                    input id=(id) name=(field.name) value=(filled.value) size=(size(field)) aria-describedby=(hint)
                        class=(if matches!(field.format, Format::CitizenId | Format::Phone | Format::Date | Format::Money) { "num" } else { "" })
                        inputmode=[matches!(field.format, Format::Phone | Format::Money).then_some("numeric")]
                        placeholder=[(field.format == Format::Date).then(|| words.say("date-like"))]
                        required[field.required] readonly[filled.fixed]
                        maxlength=[(!field.many && field.format == Format::Plain).then_some(field.max)]
                        aria-invalid=[filled.wrong.is_some().then_some("true")]
                        data-check=[check(field)] list=[(field.many && field.codes.is_some() || !filled.offers.is_empty()).then_some(&list)]
                        autocomplete="off";
                    @if !filled.offers.is_empty() {
                        datalist id=(list) { @for (value, says) in &filled.offers { option value=(value) { (says) } } }
                    } @else if let Some(codes) = field.codes {
                        datalist id=(list) { @for meaning in codes.codes.values() { option value=(meaning) {} } }
                    }
                }
            }
            div id=(hint) class=(if filled.wrong.is_some() { "hint bad" } else { "hint" }) aria-live="polite" {
                @if let Some(wrong) = &filled.wrong { (words.either(wrong)) } @else { (hints(words, field)) }
            }
        }
    }
}

/// What the page checks while somebody types.
fn check(field: &FieldDef) -> Option<&'static str> {
    match field.format {
        Format::CitizenId => Some("citizen-id"),
        Format::Date => Some("date"),
        _ => None,
    }
}

fn hints(words: Words, field: &FieldDef) -> String {
    let mut said = Vec::new();
    if field.many {
        said.push(words.say("hint-many"));
    }
    if field.reason {
        said.push(words.say("hint-reason"));
    }
    said.join(words.lang.word("；", "; "))
}
