//! What a district's reviewer reads: lists, a search, a person's card, a record's history, exports. Names are masked without
//! `--names`, and every look at names is kept (`looks`).

use super::Guarded;
use clap::Subcommand;
use std::path::PathBuf;
use taizhang_node::{
    cli::{SearchArgs, Who, page, parse_day, parse_doubt, print_doubts, print_found, print_list, print_story},
    disk::{self, Secrecy},
    show::{self, Reader},
};
use taizhang_proto::{
    OrgCode,
    date::Day,
    pb::{self, reading_client::ReadingClient},
};

#[derive(Subcommand)]
pub(super) enum Command {
    /// 列出登记表 (list a register)
    List {
        /// 登记表 (register)
        register: String,
        /// 只列此单位及下级 (only this unit and below)
        #[arg(long)]
        unit: Option<OrgCode>,
        /// 最多几条 (at most)
        #[arg(long, default_value_t = 20)]
        limit: u32,
        #[command(flatten)]
        who: Who,
    },
    /// 查找：姓名、拼音或首字母、证号后四位、电话、住址的一部分；几个词逐步缩小 (find by a part of the name, pinyin or its initials, the
    /// end of a number, phone or address; several words narrow)
    Search {
        #[command(flatten)]
        search: SearchArgs,
        #[command(flatten)]
        who: Who,
    },
    /// 一个人的情况 (a person on one page)
    Card {
        /// 身份证号、姓名或记录编号 (id number, name or record id)
        person: String,
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<Day>,
        #[command(flatten)]
        who: Who,
    },
    /// 一条记录的全部历史：谁、何时、为何 (a record's whole story: who, when, why)
    History {
        /// 身份证号、姓名、案件或证书编号，或记录编号 (id number, name, case or certificate number, or record id)
        record: String,
        /// 写成可打印的网页 (as a page to print, HTML)
        #[arg(long)]
        print: Option<PathBuf>,
        #[command(flatten)]
        who: Who,
    },
    /// 导出登记表 (export a register)
    Export {
        /// 登记表 (register)
        register: String,
        /// 文件，按扩展名 csv 或 xlsx (file; its extension decides)
        file: PathBuf,
        /// 只导出此单位及下级 (only this unit and below)
        #[arg(long)]
        unit: Option<OrgCode>,
        #[command(flatten)]
        who: Who,
    },
    /// 存疑清单：需要核实的登记，如改动过的认定日期 (what should be looked into)
    Doubts {
        /// 只看此类，可多次 (only these kinds, by the code in the first column)
        #[arg(long = "only", value_parser = parse_doubt)]
        only: Vec<String>,
        /// 只看此单位及下级 (only this unit and below)
        #[arg(long)]
        unit: Option<OrgCode>,
        /// 哪一天，默认今天 (as of)
        #[arg(long, value_parser = parse_day)]
        on: Option<Day>,
        /// 最多几条 (at most)
        #[arg(long, default_value_t = 100)]
        limit: u32,
        #[command(flatten)]
        who: Who,
    },
    /// 查阅记录：谁在何时查看过姓名 (who looked at names, and when)
    Looks {
        /// 最多几条 (at most)
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
}

pub(super) async fn run(mut reading: ReadingClient<Guarded>, command: Command, reader: Reader) -> anyhow::Result<()> {
    let code = |unit: Option<OrgCode>| unit.map_or(0, OrgCode::number);
    match command {
        Command::List { register, unit, limit, who } => {
            let unit = code(unit);
            let of = register.clone();
            let request = pb::ReadRequest { register, unit, limit, who: Some(who.looker()), ..Default::default() };
            print_list(&reading.list(request).await?.into_inner(), &of, reader);
        }
        Command::Search { search: SearchArgs { words, register, unit, limit }, who } => {
            let (reference, unit) = (words.join(" "), code(unit));
            let who = Some(who.looker());
            let request = pb::ReadRequest { reference, register, unit, limit, who, ..Default::default() };
            print_found(&reading.search(request).await?.into_inner(), reader);
        }
        Command::Card { person, on, who } => {
            let on = on.unwrap_or(0);
            let request = pb::ReadRequest { reference: person, on, who: Some(who.looker()), ..Default::default() };
            show::facts(reader, &reading.card(request).await?.into_inner().facts);
        }
        Command::History { record, print, who } => {
            let request = pb::ReadRequest { reference: record, who: Some(who.looker()), ..Default::default() };
            let answer = reading.history(request).await?.into_inner();
            let Some(file) = print else {
                print_story(&answer, reader);
                return Ok(());
            };
            page::print(&answer, &file, reader)?;
        }
        Command::Export { register, file, unit, who } => {
            let format = file.extension().and_then(|extension| extension.to_str()).unwrap_or("csv").to_lowercase();
            let unit = code(unit);
            let request = pb::ReadRequest { register, unit, format, who: Some(who.looker()), ..Default::default() };
            let answer = reading.export(request).await?.into_inner();
            disk::write_file(&file, &answer.content, Secrecy::OwnerOnly)?;
            show::exported(reader, answer.rows, &file);
        }
        Command::Doubts { only, unit, on, limit, who } => {
            let (unit, on) = (code(unit), on.unwrap_or(0));
            let request = pb::ReadRequest { unit, on, limit, only, who: Some(who.looker()), ..Default::default() };
            print_doubts(&reading.doubts(request).await?.into_inner(), reader);
        }
        Command::Looks { limit } => {
            let request = pb::ReadRequest { limit, ..Default::default() };
            let row = |line: &pb::LookLine| {
                let what = if reader == Reader::Program { &line.what } else { show::act(&line.what) };
                vec![show::time(line.at), line.by.clone(), what.to_owned(), line.of.clone()]
            };
            let looks = reading.looks(request).await?.into_inner().looks;
            let headings = [("at", "时间"), ("by", "查阅人"), ("what", "命令"), ("of", "对象")];
            show::table(reader, &headings, &looks.iter().map(row).collect::<Vec<_>>());
        }
    }
    Ok(())
}
