//! What is said of a command line that can't be read: in Chinese first, then in clap's words.

use crate::show::{
    Reader,
    lang::{self, Lang},
};
use clap::{
    Error, ValueEnum,
    error::{ContextKind, ContextValue, ErrorKind},
};
use std::ffi::OsString;

/// Speaks the language that a command line asks for, though it can't be read as a whole.
pub(super) fn speak(arguments: &[OsString], reader: Reader) {
    let words: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).collect();
    let behind = || words.iter().position(|word| *word == "--lang").and_then(|place| words.get(place + 1)).copied();
    let asked = words.iter().find_map(|word| word.strip_prefix("--lang=")).or_else(behind);
    lang::set(asked.and_then(|asked| Lang::from_str(asked, true).ok()), reader);
}

/// What is wrong, in Chinese; nothing where help is asked for.
pub(super) fn in_chinese(error: &Error) -> Option<String> {
    let told = |kind: ContextKind| match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => Some(texts.join(" ")),
        _ => None,
    };
    let argument = || told(ContextKind::InvalidArg).unwrap_or_default();
    Some(match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => return None,
        ErrorKind::MissingRequiredArgument => format!("还缺少：{}", argument()),
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            "请写明命令，见下表".to_owned()
        }
        ErrorKind::UnknownArgument => format!("没有 {} 这个选项，或不应写在这里", argument()),
        ErrorKind::InvalidSubcommand => {
            format!("没有 {} 这个命令", told(ContextKind::InvalidSubcommand).unwrap_or_default())
        }
        ErrorKind::InvalidValue if told(ContextKind::InvalidValue).is_none_or(|value| value.is_empty()) => {
            format!("{} 后面要写值", argument())
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            format!("{} 不能写成“{}”", argument(), told(ContextKind::InvalidValue).unwrap_or_default())
        }
        ErrorKind::ArgumentConflict => match told(ContextKind::PriorArg) {
            Some(other) if other == argument() => format!("{other} 只能写一次"),
            Some(other) => format!("{} 不能与 {other} 同时使用", argument()),
            None => format!("{} 不能与其他选项同时使用", argument()),
        },
        _ => "命令写法不对".to_owned(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Program {
        #[arg(long)]
        number: Option<u32>,
        #[arg(long, conflicts_with = "number")]
        all: bool,
        #[arg(long)]
        reason: String,
    }

    #[test]
    fn wrong_use_is_told_in_chinese_with_what_is_wrong() {
        let cases: [(&[&str], &str); 7] = [
            (&[], "还缺少：--reason <REASON>"),
            (&["--no"], "没有 --no 这个选项，或不应写在这里"),
            (&["--reason", "x", "--number", "十"], "--number <NUMBER> 不能写成“十”"),
            (&["--reason"], "--reason <REASON> 后面要写值"),
            (&["--reason", "x", "--number", "1", "--all"], "--number <NUMBER> 不能与 --all 同时使用"),
            (&["--reason", "x", "--reason", "y"], "--reason <REASON> 只能写一次"),
            (&["--help"], ""),
        ];
        for (arguments, words) in cases {
            let error = Program::try_parse_from(std::iter::once(&"x").chain(arguments)).unwrap_err();
            assert_eq!(in_chinese(&error).unwrap_or_default(), words, "{arguments:?} {error}");
        }
    }
}
