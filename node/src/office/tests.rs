//! What an office tells of its own registers: what is to be filed, and how it stands.
#![allow(clippy::unwrap_used)]

use super::{Office, card, close, standing};
use crate::{
    config::Config,
    desk::{Desk, Draft},
    ledger::LedgerDesk,
};
use std::sync::Arc;
use taizhang_proto::{
    RecordId,
    cell::{self, Subject},
    citizen_id::check_character,
    date::{self, Day},
    indicator::{self, Part},
    month::Month,
    pb,
    plan::Counting,
    register::{Value, number, registered_on, registers},
};

/// An office on Tuesday, 1 April 2008.
fn office(dir: &std::path::Path) -> Arc<Office> {
    office_of(dir, "210402011003")
}

fn office_of(dir: &std::path::Path, unit: &str) -> Arc<Office> {
    let config = Config { unit: Some(unit.parse().unwrap()), ..Config::default() };
    let schedule = config.schedule().unwrap();
    Office::open(dir, &config, schedule, Arc::new(|| 1_207_015_200_000)).unwrap()
}

fn enter(office: &Office, register: u32, id: Option<RecordId>, fields: &[(&str, &str)]) -> RecordId {
    let desk = LedgerDesk::new(&office.ledger);
    let def = registers().get(register).unwrap();
    let mut draft = Draft::new(id.unwrap_or_else(|| desk.new_id()), register);
    for (name, written) in fields {
        let field = def.field_named(name).unwrap();
        draft.edits.push((field.tag, Some(Value::parse(field, written).unwrap().0)));
    }
    let id = draft.id;
    for answer in desk.save(vec![vec![draft]], "测试") {
        answer.unwrap();
    }
    id
}

fn day(month: i8, day: i8) -> Day {
    date::ymd(2008, month, day).unwrap()
}

/// A person who leaves the hardship of an earlier month.
fn left_hardship(office: &Office, name: &str, id_no: &str, exit: &str) -> RecordId {
    let last = check_character(id_no.as_bytes()).unwrap();
    let id_no = &format!("{id_no}{}", char::from(last));
    let person = enter(office, number::RESIDENT, None, &[("id_no", id_no), ("name", name)]).to_string();
    let fields = [
        ("person", person.as_str()),
        ("kind", "06"),
        ("applied_on", "2008-01-10"),
        ("recognised_on", "2008-01-20"),
        ("exit_on", exit),
        ("exit_cause", "1"),
    ];
    enter(office, number::HARDSHIP_CASE, None, &fields)
}

#[test]
fn what_is_to_be_filed_is_listed_with_its_days_until_an_entry_files_it() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let late = left_hardship(&office, "王强", "21040219700301011", "2008-03-10");
    left_hardship(&office, "李红", "21040219700301022", "2008-03-31");
    let paper = enter(
        &office,
        number::ARCHIVE_ENTRY,
        None,
        &[
            ("archive_no", "永-2008-1"),
            ("class", "1"),
            ("title", "求职登记表"),
            ("formed_on", "2008-03-20"),
            ("keep", "3"),
        ],
    );
    let listed = |on: Day, within: u32| office.to_file(pb::ToFileRequest { on, within }).unwrap();
    let answer = listed(0, 60);
    assert_eq!(answer.on, day(4, 1));
    let calendar = office.ledger.plans().on(day(3, 10)).calendar.clone();
    let seen: Vec<_> = answer.items.iter().map(|item| (item.title.as_str(), item.since, item.due_on)).collect();
    let due = |since: Day| calendar.after(since, 10, Counting::Working);
    let wanted = [("王强", day(3, 10)), ("求职登记表 永-2008-1", day(3, 20)), ("李红", day(3, 31))];
    assert_eq!(seen, wanted.map(|(title, since)| (title, since, due(since))));
    assert_eq!(answer.items[0].days_left, due(day(3, 10)) - day(4, 1));
    assert!(answer.items[0].days_left < 0 && answer.items[0].entry.is_empty());
    assert_eq!(answer.items[1].entry, paper.to_string());
    assert_eq!(listed(0, 3).items.len(), 2, "what falls due later is not asked for");
    assert_eq!(listed(day(3, 9), 60).items.len(), 0, "nothing was completed by then");

    // An entry takes the case's place in the list, and filing it takes it out, from that day on.
    let case = late.to_string();
    let fields = [
        ("archive_no", "永-2008-2"),
        ("class", "1"),
        ("title", "认定表"),
        ("record_ref", case.as_str()),
        ("formed_on", "2008-03-10"),
        ("keep", "3"),
    ];
    let entry = enter(&office, number::ARCHIVE_ENTRY, None, &fields);
    let items = listed(0, 60).items;
    assert_eq!((items.len(), &items[0].record, &items[0].entry), (3, &case, &entry.to_string()));
    enter(&office, number::ARCHIVE_ENTRY, Some(entry), &[("archived_on", "2008-04-01")]);
    enter(&office, number::ARCHIVE_ENTRY, Some(paper), &[("archived_on", "2008-03-25")]);
    let titles: Vec<String> = listed(0, 60).items.into_iter().map(|item| item.title).collect();
    assert_eq!(titles, ["李红"]);
    assert_eq!(listed(day(3, 31), 60).items.len(), 2, "on the day before it was not filed");

    // K37 says the same of those that are due.
    let answer = standing::standing(&office.ledger, day(4, 30)).unwrap();
    let filed = answer.lines.iter().find(|line| line.indicator == "K37").unwrap();
    assert_eq!((filed.numerator, filed.denominator), (1, 3));
}

#[test]
fn who_moves_between_two_stations_of_a_street_has_not_left_and_who_is_registered_at_two_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let office = office_of(dir.path(), "210402011000");
    let id_no = format!("21040219700301011{}", char::from(check_character(b"21040219700301011").unwrap()));
    let stations = ["210402011003", "210402011004"];
    let serves = |station: &str, days: &[(&str, &str)]| {
        let own = [("home_unit", station), ("name", "助手"), ("id_no", id_no.as_str())];
        enter(&office, number::ASSISTANT, None, &[&own[..], days].concat());
    };
    serves(stations[0], &[("from_on", "2007-12-01"), ("to_on", "2008-03-10")]);
    serves(stations[1], &[("from_on", "2008-03-10")]);
    for station in stations {
        let own = [("home_unit", station), ("id_no", id_no.as_str()), ("name", "王强")];
        enter(&office, number::RESIDENT, None, &own);
    }
    let sums =
        standing::Sums::count(&standing::Registers::read(&office.ledger).unwrap(), &office.ledger.plans()).unwrap();
    let figure = |code: &str| {
        let period = indicator::Period::up_to(day(4, 1), indicator::Span::Year);
        let sum = |part, dates| Ok::<_, ()>(sums.sum(part, dates));
        indicator::by_code(code).unwrap().figure(&period, sum).unwrap()
    };
    let (left, persons) = (figure("K17"), figure("K00"));
    assert_eq!((left.numerator, left.denominator), (0, 1));
    assert_eq!((persons.numerator, persons.duplicates, figure("K43").numerator), (1, 1, 1));
}

#[test]
fn the_worklist_has_what_no_total_counts_too_each_until_it_is_done() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let id_no = |digits: &str| format!("{digits}{}", char::from(check_character(digits.as_bytes()).unwrap()));
    let person = |name: &str, digits: &str| {
        enter(&office, number::RESIDENT, None, &[("id_no", &id_no(digits)), ("name", name)]).to_string()
    };
    let on = |on: Day, code: &str| -> Vec<(Day, String)> {
        let items = office.work(&pb::DueRequest { on, within: 0, to_file: false }).unwrap().items;
        items.into_iter().filter(|item| item.clock == code).map(|item| (item.due_on, item.title)).collect()
    };
    let soon = |day: Day, within: u32, code: &str| {
        let items = office.work(&pb::DueRequest { on: day, within, to_file: false }).unwrap().items;
        items.into_iter().filter(|item| item.clock == code).map(|item| item.due_on).collect::<Vec<_>>()
    };

    // Applied on a Monday: ten working days, Qingming among them; publicity for a week.
    let head = person("王强", "21040219700301011");
    let house = enter(&office, number::HOUSEHOLD, None, &[("hh_no", "零-1"), ("head_person", &head)]);
    let of = house.to_string();
    let member = [("household", of.as_str()), ("person", &head), ("relation", "01"), ("from_on", "2008-01-01")];
    enter(&office, number::MEMBER, None, &member);
    let applied = [
        ("household", of.as_str()),
        ("kind", "1"),
        ("applied_on", "2008-03-24"),
        ("publicity_from", "2008-03-25"),
        ("publicity_to", "2008-03-31"),
    ];
    let case = enter(&office, number::ZEF_CASE, None, &applied);
    let due = office.ledger.plans().on(day(3, 24)).calendar.after(day(3, 24), 10, Counting::Working);
    assert_eq!(due, day(4, 8));
    assert_eq!(soon(day(4, 1), 7, "recognition"), [due]);
    assert!(soon(day(4, 1), 6, "recognition").is_empty());
    assert_eq!(on(day(4, 1), "publicity"), [(day(3, 31), "王强".to_owned())]);
    enter(&office, number::ZEF_CASE, Some(case), &[("recognised_on", "2008-03-31")]);
    assert_eq!((on(day(4, 30), "recognition"), on(day(4, 30), "publicity")), (vec![], vec![]));

    // Three months without contact, from the recognition or the last service to anybody of it.
    assert_eq!(on(day(6, 30), "contact"), [(day(6, 30), "王强".to_owned())]);
    let visit = [("person", head.as_str()), ("kind", "1"), ("on", "2008-04-01"), ("by_assistant", "李红")];
    enter(&office, number::SERVICE_RECORD, None, &visit);
    assert!(on(day(6, 30), "contact").is_empty());
    assert_eq!(on(day(7, 1), "contact"), [(day(7, 1), "王强".to_owned())]);

    // Three years on a public-welfare post, or until a retirement that is near; a vacancy supports nobody.
    let post = |no: &str, kind: &str| {
        let fields = [("post_no", no), ("kind", kind), ("places", "3"), ("from_on", "2008-01-01")];
        enter(&office, number::POST, None, &fields).to_string()
    };
    let (welfare, vacancy) = (post("公-1", "20"), post("招-1", "10"));
    let placed = |person: &str, post: &str| {
        let fields = [
            ("person", person),
            ("kind", "4"),
            ("start_on", "2008-03-01"),
            ("post", post),
            ("contract_to", "2008-12-31"),
        ];
        enter(&office, number::PLACEMENT, None, &fields);
    };
    let old = person("赵老", "21040219490501013");
    placed(&head, &welfare);
    placed(&old, &welfare);
    placed(&person("孙六", "21040219800301019"), &vacancy);
    let far = date::ymd(2011, 3, 1).unwrap();
    let names: Vec<_> = on(far, "support").into_iter().collect();
    assert_eq!(names, [(date::ymd(2009, 5, 1).unwrap(), "赵老".to_owned()), (far, "王强".to_owned())]);
    assert_eq!(soon(day(12, 24), 7, "contract"), [day(12, 31); 3]);
    // Who had sixty days on another such post has sixty days less; days between posts are not counted.
    let before = [("person", head.as_str()), ("kind", "2"), ("start_on", "2007-06-01"), ("end_on", "2007-07-31")];
    let earlier = post("公-0", "20");
    enter(&office, number::POST, Some(earlier.parse().unwrap()), &[("from_on", "2007-01-01")]);
    enter(&office, number::PLACEMENT, None, &[&before[..], &[("post", earlier.as_str())]].concat());
    assert_eq!(on(far, "support")[1], (far - 60, "王强".to_owned()));

    let campaign = [("title", "就业援助月"), ("from_on", "2008-04-01"), ("to_on", "2008-04-20")];
    enter(&office, number::CAMPAIGN, None, &campaign);
    let window = |on| soon(on, 30, "campaign");
    assert_eq!((window(day(3, 31)), window(day(4, 1)), window(day(4, 21))), (vec![], vec![day(4, 20)], vec![]));
    // March waits to be closed, by the fifth working day of April.
    assert_eq!(soon(0, 10, "month"), [day(4, 8)]);
    // Who closed January is asked for February first.
    let leaves_out = |month: &str| close::leaves_out(&office.ledger, Month::read(month).unwrap()).unwrap();
    assert!(!leaves_out("2008-01") && leaves_out("2009-01"), "there are people since April");
    close::close(&office.ledger, Month::read("2008-01").unwrap(), "测试").unwrap();
    assert!(!leaves_out("2009-01"), "it is the first no more");
    let waits = || close::waiting(&office.ledger).unwrap().map(|(month, _)| month.to_string());
    assert_eq!(waits().as_deref(), Some("2008-02"));
    let close = |office: &Office, month: &str| close::close(&office.ledger, Month::read(month).unwrap(), "测试");
    // In their order: no month is left out, and none before the first comes after it.
    let early = close(&office, "2008-03").unwrap_err();
    assert!(early.to_string().contains("2008-02 尚未封账"), "{early}");
    close(&office, "2008-02").unwrap();
    assert_eq!(waits().as_deref(), Some("2008-03"));
    // What was left out before the first is not closed after it.
    let before = close(&office, "2007-12").unwrap_err();
    assert!(before.to_string().contains("2008-01 以前"), "{before}");
    // Nobody is asked for years at once, nor for a month of before there were registers.
    let other = tempfile::tempdir().unwrap();
    let other = office_of(other.path(), "210402011004");
    close(&other, "2006-01").unwrap();
    let waits = close::waiting(&other.ledger).unwrap().map(|(month, _)| month.to_string());
    assert_eq!(waits.as_deref(), Some("2007-04"));
    // Whoever goes back further all the same goes in order, too; what was left out is left out for good.
    let early = close(&other, "2006-04").unwrap_err();
    assert!(early.to_string().contains("2006-02 尚未封账"), "{early}");
    close(&other, "2006-02").unwrap();
    let early = close(&other, "2007-05").unwrap_err();
    assert!(early.to_string().contains("2007-04 尚未封账"), "{early}");
    let unsure = other.close_month(Month::read("2007-04").unwrap(), "测试", false).unwrap_err();
    assert!(unsure.to_string().contains("2006-03 起还有未封账的月份"), "{unsure}");
    close(&other, "2007-04").unwrap();
    let left_out = close(&other, "2006-03").unwrap_err();
    assert!(left_out.to_string().contains("2007-04 以前"), "{left_out}");
    let too_old = close(&other, "1908-10").unwrap_err();
    assert!(too_old.to_string().contains("请核对年份"), "{too_old}");
}

#[test]
fn what_should_be_looked_into_is_told_when_it_is_saved_and_listed_until_the_records_say_otherwise() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let id_no = |digits: &str| format!("{digits}{}", char::from(check_character(digits.as_bytes()).unwrap()));
    let person = |name: &str, digits: &str| {
        enter(&office, number::RESIDENT, None, &[("id_no", &id_no(digits)), ("name", name)]).to_string()
    };
    let codes = || -> Vec<(String, String)> {
        // No case here says what came before its recognition: that is asked of each, and looked at elsewhere.
        let items = office.doubtful(0, &[]).unwrap().items.into_iter().filter(|item| item.code != "missing_step");
        items.map(|item| (item.code, item.title)).collect()
    };
    let one = |code: &str, name: &str| vec![(code.to_owned(), name.to_owned())];
    let none = Vec::<(String, String)>::new();
    let told = |id: RecordId| {
        let words = office.doubts_of(id).unwrap().into_iter();
        words.filter(|words| !words.contains("without this step")).count()
    };
    let family = |no: &str, head: &str| {
        let household = enter(&office, number::HOUSEHOLD, None, &[("hh_no", no), ("head_person", head)]).to_string();
        let member = [("household", household.as_str()), ("person", head), ("relation", "02")];
        enter(&office, number::MEMBER, None, &member);
        household
    };
    let case_of = |household: &str, on: &str| {
        let fields = [("household", household), ("kind", "1"), ("recognised_on", on)];
        enter(&office, number::ZEF_CASE, None, &fields)
    };
    let head = person("王强", "21040219700301011");
    let household = family("户1", &head);
    let case = case_of(&household, "2008-02-01");
    assert_eq!(codes(), none);

    // Whoever leaves for refusing after two refusals has not refused enough; three are enough.
    let post = [("post_no", "岗1"), ("kind", "1"), ("employer", "环卫处"), ("places", "1")];
    let post = enter(&office, number::POST, None, &post).to_string();
    let refer = |on: &str, result: &str| {
        let fields = [("person", head.as_str()), ("post", post.as_str()), ("on", on), ("result", result)];
        enter(&office, number::REFERRAL, None, &fields)
    };
    refer("2008-01-20", "本人拒绝"); // before it was recognised
    refer("2008-02-10", "本人拒绝");
    refer("2008-02-20", "未录用");
    let visit = [("household", household.as_str()), ("kind", "1"), ("on", "2008-03-01"), ("refused", "是")];
    enter(&office, number::SERVICE_RECORD, None, &[&visit[..], &[("refused_reason", "路远")]].concat());
    assert_eq!(codes(), none);
    enter(&office, number::ZEF_CASE, Some(case), &[("exit_on", "2008-03-20"), ("exit_cause", "2")]);
    assert_eq!(codes(), one("not_refused", "王强"));
    assert_eq!(told(case), 1);
    refer("2008-03-15", "本人拒绝");
    assert_eq!(codes(), none, "three by then");
    let open = case_of(&household, "2008-03-25");
    assert_eq!(codes(), one("relapse", "王强"), "the earlier case is to be named");
    enter(&office, number::ZEF_CASE, Some(open), &[("relapse_of", &case.to_string())]);
    assert_eq!(codes(), none, "a new case begins anew");
    for on in ["2008-03-26", "2008-03-27", "2008-03-28"] {
        refer(on, "3");
    }
    assert_eq!(codes(), one("refused", "王强"));
    assert_eq!(told(open), 1);
    enter(&office, number::ZEF_CASE, Some(open), &[("exit_on", "2008-03-31"), ("exit_cause", "2")]);
    assert_eq!(codes(), none);

    // A year's contract is a stable job; half a year's is none.
    let next = person("李红", "21040219700301022");
    let other = family("户2", &next);
    let case = case_of(&other, "2008-02-01");
    let job = [("person", next.as_str()), ("kind", "1"), ("start_on", "2008-02-15"), ("contract_to", "2008-08-14")];
    let job = enter(&office, number::PLACEMENT, None, &job);
    enter(&office, number::ZEF_CASE, Some(case), &[("exit_on", "2008-03-20"), ("exit_cause", "1")]);
    assert_eq!(codes(), one("not_stable", "李红"));
    enter(&office, number::PLACEMENT, Some(job), &[("contract_to", "2009-02-14")]);
    assert_eq!(codes(), none, "a year to the day");
    // Flexible work is, once it is paid and insured. A second job beside the first is only asked about.
    let fields = [("person", next.as_str()), ("kind", "3"), ("start_on", "2008-04-01"), ("wage_month", "600")];
    let flexible = enter(&office, number::PLACEMENT, None, &fields);
    assert_eq!(codes().into_iter().map(|(code, _)| code).collect::<Vec<_>>(), ["second_job"]);
    assert_eq!((told(flexible), told(job)), (1, 0), "the later of the two");
    enter(&office, number::PLACEMENT, Some(job), &[("end_on", "2008-03-25")]);
    let fields = [("household", other.as_str()), ("kind", "1"), ("recognised_on", "2008-03-28")];
    let first = case.to_string();
    let case = enter(&office, number::ZEF_CASE, None, &[&fields[..], &[("relapse_of", &first)]].concat());
    assert_eq!(codes(), none, "paid, and not insured");
    enter(&office, number::PLACEMENT, Some(flexible), &[("social_ins", "是")]);
    assert_eq!(codes(), one("stable", "李红"));
    assert_eq!(told(case), 1);
    let stage = |on| {
        let facts =
            card::card(office.ledger.as_ref(), &office.ledger.plans(), next.parse().unwrap(), on).unwrap().unwrap();
        facts.into_iter().filter(|fact| fact.key == "case").map(|fact| fact.value).collect::<Vec<_>>()
    };
    assert!(stage(day(4, 1))[0].starts_with("一人就业，已稳定"), "{:?}", stage(day(4, 1)));

    // What the definition of a household without employment asks, and whoever leaves it.
    let old = person("赵老", "21040219400301013"); // 68
    let third = family("户3", &old);
    let case = case_of(&third, "2008-03-01");
    let names = || codes().into_iter().map(|(code, _)| code).filter(|code| code != "stable").collect::<Vec<_>>();
    assert_eq!(names(), ["uncountable"]);
    let farmer = enter(&office, number::RESIDENT, Some(old.parse().unwrap()), &[("hukou_kind", "农业")]);
    assert_eq!(names(), ["rural", "uncountable"]);
    assert_eq!(told(farmer), 0);
    let public = [("publicity_from", "2008-02-20"), ("publicity_to", "2008-03-01")];
    enter(&office, number::ZEF_CASE, Some(case), &public);
    assert_eq!(names(), ["rural", "uncountable", "unpublished"], "decided on the last day");
    let call = [("household", third.as_str()), ("kind", "2"), ("on", "2008-03-10"), ("next_on", "2008-03-17")];
    enter(&office, number::SERVICE_RECORD, None, &call);
    enter(&office, number::ZEF_CASE, Some(case), &[("exit_on", "2008-03-20"), ("exit_cause", "3")]);
    assert_eq!(names(), ["reached", "unpublished"]);
    enter(&office, number::ZEF_CASE, Some(case), &[("exit_cause", "4"), ("publicity_to", "2008-02-28")]);
    assert_eq!(names(), Vec::<String>::new());
    // A visit that was agreed is due until somebody has been there.
    let visits = |on| {
        let items = office.work(&pb::DueRequest { on, within: 7, to_file: false }).unwrap().items.into_iter();
        items.filter(|item| item.clock == "visit").map(|item| (item.due_on, item.title)).collect::<Vec<_>>()
    };
    assert_eq!(visits(day(3, 12)), [(day(3, 17), "赵老".to_owned())]);
    enter(&office, number::SERVICE_RECORD, None, &[("household", third.as_str()), ("kind", "1"), ("on", "2008-03-18")]);
    assert_eq!(visits(0), []);
    let issue = [("title", "漏登"), ("raised_on", "2008-03-20"), ("due_on", "2008-04-03"), ("owner", "孙丽")];
    enter(&office, number::ISSUE, None, &issue);
    let items = office.work(&pb::DueRequest { on: 0, within: 7, to_file: false }).unwrap().items;
    assert!(items.iter().any(|item| (item.clock.as_str(), item.due_on) == ("issue", day(4, 3))), "{items:?}");

    // Two spells at once, one beside a job; 4050 by the form and not by age; a public-welfare job without its post.
    let young = person("孙六", "21040219800301019");
    let spell = |on: &str| {
        let fields = [("person", young.as_str()), ("lost_on", "2008-01-05"), ("reg_on", on)];
        enter(&office, number::UNEMPLOYMENT_SPELL, None, &fields)
    };
    let (first, second) = (spell("2008-01-10"), spell("2008-02-10"));
    assert_eq!((told(first), told(second)), (0, 1));
    let job = [("person", young.as_str()), ("kind", "2"), ("start_on", "2008-03-01")];
    let job = enter(&office, number::PLACEMENT, None, &job);
    assert_eq!((told(first), told(second), told(job)), (1, 2, 1));
    let hard = |person: &str, kinds| {
        let fields = [("person", person), ("kind", kinds), ("applied_on", "2008-03-01")];
        told(enter(&office, number::HARDSHIP_CASE, None, &fields))
    };
    let other = person("钱七", "21040219800302011");
    assert_eq!((hard(&young, "01"), hard(&other, "06")), (1, 0));
    let claims = enter(&office, number::RESIDENT, Some(young.parse().unwrap()), &[("emp_claim", "20")]);
    assert_eq!(told(claims), 1, "the form says registered as unemployed, the records employed");

    // Level 3 asks for a year of level 4 before it, or a degree.
    let assistant = |name: &str, more: &[(&str, &str)]| {
        enter(&office, number::ASSISTANT, None, &[&[("name", name), ("from_on", "2005-01-01")], more].concat())
    };
    let certificate = |of: RecordId, level: &str, no: &str, issued: &str| {
        let of = of.to_string();
        let fields = [("assistant", of.as_str()), ("level", level), ("cert_no", no), ("issued_on", issued)];
        enter(&office, number::CREDENTIAL, None, &fields)
    };
    let sun = assistant("孙丽", &[]);
    let risen = certificate(sun, "3", "SAN-1", "2008-03-01");
    assert_eq!(told(risen), 1);
    certificate(sun, "4", "SI-1", "2007-03-02");
    assert_eq!(told(risen), 1, "a day short of a year");
    certificate(sun, "4", "SI-0", "2007-03-01");
    assert_eq!(told(risen), 0);
    let graduate = assistant("钱进", &[("edu", "30")]);
    assert_eq!(told(certificate(graduate, "3", "SAN-2", "2008-03-01")), 0);

    // One certificate of a kind is valid at a time.
    let held = |of: &str, no: &str, issued: &str| {
        let fields = [("person", of), ("kind", "失业证"), ("number", no), ("issued_on", issued)];
        enter(&office, number::HELD_CERTIFICATE, None, &fields)
    };
    let (first, second) = (held(&young, "抚失 0801", "2008-01-10"), held(&young, "抚失0802", "2008-02-01"));
    assert_eq!((told(first), told(second)), (0, 1));
    enter(&office, number::HELD_CERTIFICATE, Some(first), &[("void_on", "2008-02-01")]);
    assert_eq!(told(second), 0);

    // What an import could not place stays until somebody has cleared it.
    let unplaced = enter(&office, number::RESIDENT, Some(head.parse().unwrap()), &[("import_note", "文化程度：私塾")]);
    assert_eq!(told(unplaced), 1);
    assert_eq!(codes().iter().filter(|(code, _)| code == "imported").count(), 1);

    // A year that was written wrongly; a second household of one head, which would count as well.
    let spell = |of: &str, on: &str| {
        enter(&office, number::UNEMPLOYMENT_SPELL, None, &[("person", of), ("reg_on", on)]);
    };
    let listed = |only: &[&str]| {
        let only: Vec<String> = only.iter().map(|code| (*code).to_owned()).collect();
        office.doubtful(0, &only).unwrap()
    };
    for (nth, on) in ["1908-03-01", "2088-03-01"].into_iter().enumerate() {
        spell(&young, on);
        assert_eq!(listed(&["unlikely_day"]).total, nth as u64 + 1, "{on}");
    }
    enter(&office, number::HOUSEHOLD, None, &[("hh_no", "户99"), ("head_person", &head)]);
    // Of the two it is told once, and the other one is named; which comes later their ids say.
    let two = listed(&["head_of_two"]).items;
    let mut others = office.ledger.ids(number::HOUSEHOLD).unwrap().into_iter().map(|id| id.to_string());
    assert_eq!(two.len(), 1, "{two:?}");
    assert!(others.any(|other| other != two[0].record && two[0].what.contains(&other)), "{}", two[0].what);
    let all = listed(&[]);
    assert!(all.kinds.is_sorted_by_key(|kind| kind.count), "one kind of which there is much hides no other");
    assert_eq!(all.kinds.iter().map(|kind| kind.count).sum::<u64>(), all.total);
    assert_eq!(all.items.last().map(|item| &item.code), all.kinds.last().map(|kind| &kind.code));
}

#[test]
fn who_has_no_citizen_id_is_registered_by_another_card_and_a_skill_has_a_level() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let save = |register: &str, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        office.save_form(
            &office.clerk("").unwrap(),
            &pb::SaveRequest { register: register.into(), fields, ..pb::SaveRequest::default() },
        )
    };
    for without in
        [&[("name", "韩军")][..], &[("name", "韩军"), ("id_type", "02")], &[("name", "韩军"), ("other_no", "军1")]]
    {
        let refused = save("Resident", without).unwrap_err();
        assert!(refused.to_string().contains("公民身份号码"), "{refused}");
    }
    let officer = [("name", "韩军"), ("id_type", "军官证"), ("other_no", "军 字第0801号"), ("labour_able", "是")];
    let person = save("Resident", &officer).unwrap().record;
    let card = card::card(office.ledger.as_ref(), &office.ledger.plans(), person.parse().unwrap(), day(4, 1))
        .unwrap()
        .unwrap();
    assert!(card.iter().any(|fact| fact.key == "age" && fact.value.is_empty()), "nothing follows of it");
    let skill = |level: &str| save("PersonSkill", &[("person", &person), ("name", "电焊"), ("level", level)]);
    assert!(skill("6").unwrap_err().to_string().contains("1至5"));
    skill("3").unwrap();
    let card = card::card(office.ledger.as_ref(), &office.ledger.plans(), person.parse().unwrap(), day(4, 1))
        .unwrap()
        .unwrap();
    let knowns = card.iter().find(|fact| fact.key == "five_knowns").unwrap();
    assert!(!knowns.value.contains("技能"), "{}", knowns.value);
}

#[test]
fn somebody_registered_by_a_form_stands_on_the_register_from_that_day_or_the_one_it_says() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let save = |register: &str, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let request = pb::SaveRequest { register: register.into(), fields, ..pb::SaveRequest::default() };
        office.save_form(&office.clerk("").unwrap(), &request).unwrap().record.parse::<RecordId>().unwrap()
    };
    let known = |nth: u32| {
        let digits = format!("21040219730101{nth:03}");
        format!("{digits}{}", char::from(check_character(digits.as_bytes()).unwrap()))
    };
    let today = save("Resident", &[("id_no", &known(1)), ("name", "王强")]);
    let earlier = save("Resident", &[("id_no", &known(2)), ("name", "王丽"), ("registered_on", "2008-03-20")]);
    let household = save("Household", &[("hh_no", "户1"), ("status", "1"), ("registered_on", " ")]);
    // As a row of a file, which may be of any day.
    let always = enter(&office, number::RESIDENT, None, &[("id_no", &known(3)), ("name", "李明")]);
    let since = |id| {
        let record = office.ledger.view(id).unwrap().unwrap();
        record.day(registered_on(record.register).unwrap())
    };
    assert_eq!(
        [today, earlier, household, always].map(since),
        [Some(day(4, 1)), Some(day(3, 20)), Some(day(4, 1)), None]
    );
    let on_register = |on: Day| {
        let persons = [today, earlier, always].map(Subject::Person);
        let steps = persons
            .iter()
            .flat_map(|of| cell::contributions(office.ledger.as_ref(), *of, &office.ledger.plans()).unwrap());
        steps
            .filter(|step| step.key.part == Part::Residents.number() && step.key.date <= on)
            .map(|step| step.delta)
            .sum::<i64>()
    };
    assert_eq!([day(3, 19), day(3, 20), day(3, 31), day(4, 1)].map(on_register), [1, 2, 2, 3]);
}

#[test]
fn a_form_refuses_a_word_that_no_list_has_where_figures_go_by_it_and_names_the_words() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let save = |register: &str, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        office.save_form(
            &office.clerk("").unwrap(),
            &pb::SaveRequest { register: register.into(), fields, ..pb::SaveRequest::default() },
        )
    };
    let digits = "21040219730101101";
    let id_no = format!("{digits}{}", char::from(check_character(digits.as_bytes()).unwrap()));
    let person = save("Resident", &[("id_no", &id_no), ("name", "王强"), ("edu", "私塾")]).unwrap().record;
    let job = |kind: &str| save("Placement", &[("person", &person), ("start_on", "2008-03-01"), ("kind", kind)]);
    let refused = job("正式工").unwrap_err();
    assert!(refused.to_string().contains("就业形式") && refused.to_string().contains("公益性岗位"), "{refused}");
    assert!(office.ledger.ids(number::PLACEMENT).unwrap().is_empty());
    job("单位就业").unwrap();
    // And whom it has already it names.
    let again = save("Resident", &[("id_no", &id_no), ("name", "王刚")]).unwrap_err();
    assert!(again.to_string().contains(&person), "{again}");
}

#[test]
fn a_form_keeps_a_word_that_no_list_has_and_asks_why_a_number_or_a_wish_changes() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let save = |record: &str, reason: &str, fields: &[(&str, &str)]| {
        office.save_form(
            &office.clerk("").unwrap(),
            &pb::SaveRequest {
                register: "Resident".into(),
                record: record.into(),
                fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
                reason: reason.into(),
                ..pb::SaveRequest::default()
            },
        )
    };
    // Fifteen digits, a word that is in no list, and a wish.
    let fields = [("id_no", "210402730101101"), ("name", "王强"), ("political", "民兵"), ("job_willing", "是")];
    let answer = save("", "", &fields).unwrap();
    let id: RecordId = answer.record.parse().unwrap();
    let says = |tag| {
        let record = office.ledger.view(id).unwrap().unwrap();
        record.slice(tag).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
    };
    assert_eq!((says(21).len(), &says(21)[..8]), (18, "21040219"));
    assert_eq!((says(33).as_str(), says(8).as_str()), ("99", "政治面貌：民兵"));
    assert_eq!(answer.doubts.len(), 1, "{:?}", answer.doubts);
    save(&answer.record, "", &[("political", "群众"), ("phone", "13900000000")]).unwrap();
    assert_eq!((says(33).as_str(), says(8).as_str()), ("13", "政治面貌：民兵"), "until somebody clears it");
    let refused = save(&answer.record, " ", &[("job_willing", "否")]).unwrap_err();
    assert!(refused.to_string().contains("有就业愿望") && refused.to_string().contains("理由"), "{refused}");
    save(&answer.record, "", &[("job_willing", "是")]).unwrap();
    save(&answer.record, "本人申请", &[("job_willing", "否")]).unwrap();
    let other = format!("21040219730101102{}", char::from(check_character(b"21040219730101102").unwrap()));
    assert!(save(&answer.record, "", &[("id_no", &other)]).is_err());
    save(&answer.record, "录入错误", &[("id_no", &other), ("import_note", "")]).unwrap();
    assert_eq!((says(21), says(8)), (other, String::new()));
}

#[test]
fn a_second_click_saves_nothing_unless_somebody_says_that_it_is_another_one() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(std::sync::atomic::AtomicU64::new(1_207_015_200_000));
    let config = Config { unit: Some("210402011003".parse().unwrap()), ..Config::default() };
    let told = clock.clone();
    let office = Office::open(
        dir.path(),
        &config,
        config.schedule().unwrap(),
        Arc::new(move || told.load(std::sync::atomic::Ordering::Relaxed)),
    )
    .unwrap();
    let save = |register: &str, again: bool, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        office.save_form(
            &office.clerk("").unwrap(),
            &pb::SaveRequest { register: register.into(), fields, again, ..pb::SaveRequest::default() },
        )
    };
    let id_no = format!("21040219730101102{}", char::from(check_character(b"21040219730101102").unwrap()));
    let person = save("Resident", false, &[("id_no", &id_no), ("name", "王强")]).unwrap().record;
    let household = save("Household", false, &[("户编号", "户1")]).unwrap().record;
    let family = [("户主", "王强"), ("address", "和平街9号")];
    let job = [("person", person.as_str()), ("kind", "1"), ("start_on", "2008-03-01"), ("employer", "抚顺棉纺厂")];
    for (register, form) in [("Household", &family[..]), ("Placement", &job)] {
        let number = registers().named(register).unwrap().number;
        let before = office.ledger.ids(number).unwrap().len();
        let count = || office.ledger.ids(number).unwrap().len() - before;
        let first = save(register, false, form).unwrap().record;
        let refused = save(register, false, form).unwrap_err();
        assert!(refused.to_string().contains(&first) && refused.to_string().contains("--again"), "{refused}");
        assert_eq!(count(), 1);
        // A field without text says nothing more.
        assert!(save(register, false, &[form, &[("remark", "")]].concat()).is_err());
        // With one word more it is another one; so is one that is said to be, and the next day's.
        save(register, false, &[form, &[("remark", "另一处")]].concat()).unwrap();
        save(register, true, form).unwrap();
        clock.fetch_add(11 * 60 * 1_000, std::sync::atomic::Ordering::Relaxed);
        save(register, false, form).unwrap();
        assert_eq!(count(), 4);
    }
    // What is decided above does not stand as it was said; it was said all the same.
    let case =
        [("家庭", household.as_str()), ("kind", "1"), ("applied_on", "2008-03-10"), ("recognised_on", "2008-03-20")];
    save("ZefCase", false, &case).unwrap();
    let refused = save("ZefCase", false, &case).unwrap_err();
    assert!(refused.to_string().contains("--again"), "{refused}");
    // Of two at once one is saved.
    let twice = [("户主", "王强"), ("address", "和平街10号")];
    let saved = std::thread::scope(|scope| {
        let clicks: Vec<_> = (0..2).map(|_| scope.spawn(|| save("Household", false, &twice).is_ok())).collect();
        clicks.into_iter().filter_map(|click| click.join().ok()).filter(|saved| *saved).count()
    });
    assert_eq!(saved, 1);
    // An edit that is said twice is no second record.
    for _ in 0..2 {
        let request = pb::SaveRequest {
            register: "Resident".into(),
            record: person.clone(),
            fields: [("phone".to_owned(), "13900000000".to_owned())].into(),
            ..pb::SaveRequest::default()
        };
        office.save_form(&office.clerk("").unwrap(), &request).unwrap();
    }
}

#[test]
fn one_form_of_a_street_for_two_of_its_communities_is_no_second_click() {
    let dir = tempfile::tempdir().unwrap();
    let office = office_of(dir.path(), "210402011000");
    let save = |unit: &str| {
        let fields = [("kind", "1"), ("opened_on", "2008-03-01"), ("home_unit", unit)];
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        office.save_form(
            &office.clerk("").unwrap(),
            &pb::SaveRequest { register: "Facility".into(), fields, ..pb::SaveRequest::default() },
        )
    };
    save("210402011003").unwrap();
    save("210402011004").unwrap();
    assert!(save("210402011003").unwrap_err().to_string().contains("--again"));
}

#[test]
fn a_household_whose_head_has_moved_away_is_known_by_who_is_left_and_its_case_by_one_number() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let person = |name: &str, digits: &str, phone: &str| {
        let id_no = format!("{digits}{}", char::from(check_character(digits.as_bytes()).unwrap()));
        enter(&office, number::RESIDENT, None, &[("id_no", &id_no), ("name", name), ("phone", phone)]).to_string()
    };
    let (head, member) =
        (person("王强", "21040219730101102", "13900000001"), person("李红", "21040219730101104", "13900000002"));
    let household = enter(&office, number::HOUSEHOLD, None, &[("head_person", &head), ("hh_no", "户1")]).to_string();
    enter(&office, number::MEMBER, None, &[("household", &household), ("person", &member)]);
    let case = [("household", household.as_str()), ("kind", "1"), ("recognised_on", "2008-03-20")];
    let case = enter(&office, number::ZEF_CASE, None, &case).to_string();
    let listed = || {
        let request = pb::DueRequest { within: 60, ..pb::DueRequest::default() };
        let items = office.work(&request).unwrap().items.into_iter().filter(|item| item.clock == "K08");
        items.map(|item| (item.title, item.phone, item.record)).collect::<Vec<_>>()
    };
    let one = |name: &str, phone: &str| vec![(name.to_owned(), phone.to_owned(), case.clone())];
    assert_eq!(listed(), one("王强", "13900000001"));
    // Another day of recognition is a claim until somebody above has looked: whoever is late stays on the list.
    let claim = pb::SaveRequest {
        register: "ZefCase".into(),
        record: case.clone(),
        fields: [("recognised_on".to_owned(), "2008-03-31".to_owned())].into(),
        reason: "笔误".into(),
        ..pb::SaveRequest::default()
    };
    let due = || {
        let answer = office.work(&pb::DueRequest { within: 60, ..pb::DueRequest::default() }).unwrap();
        answer.items.into_iter().find(|item| item.clock == "K08").unwrap().due_on
    };
    let before = due();
    assert!(!office.save_form(&office.clerk("").unwrap(), &claim).unwrap().doubts.is_empty());
    assert_eq!((listed(), due()), (one("王强", "13900000001"), before));
    // Another office's now: nothing of it is held here.
    let elsewhere = RecordId::create(1, [9; 10]).to_string();
    enter(&office, number::HOUSEHOLD, household.parse().ok(), &[("head_person", &elsewhere)]);
    assert_eq!(listed(), one("李红（成员，户主不在本单位）", "13900000002"));
}

#[test]
fn a_form_names_records_as_people_do_and_says_what_waits_for_a_reviewer() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let save = |register: &str, record: &str, reason: &str, fields: &[(&str, &str)]| {
        office.save_form(
            &office.clerk("").unwrap(),
            &pb::SaveRequest {
                register: register.into(),
                record: record.into(),
                fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
                reason: reason.into(),
                ..pb::SaveRequest::default()
            },
        )
    };
    let id_no = format!("21040219730101102{}", char::from(check_character(b"21040219730101102").unwrap()));
    save("Resident", "", "", &[("id_no", &id_no), ("name", "王强")]).unwrap();
    save("Household", "", "", &[("户主", "王强"), ("hh_no", "H-1")]).unwrap();
    save("Household", "王强", "", &[("address", "和平街9号")]).unwrap();
    let case = save("ZefCase", "", "", &[("家庭", "H-1"), ("kind", "1"), ("recognised_on", "2008-03-10")]).unwrap();
    assert!(case.doubts.iter().all(|doubt| !doubt.contains("由街道或县区审核")), "{:?}", case.doubts);
    assert!(save("ZefCase", "", "", &[("家庭", "没有这户")]).unwrap_err().to_string().contains("没有找到"));
    // A number is given once; of two households of one head it names the one, and the head neither.
    let second = [("户编号", "H-1"), ("address", "和平街8号")];
    assert!(save("Household", "", "", &second).unwrap_err().to_string().contains("户编号已登记"));
    let other = save("Household", "", "", &[("户主", "王强"), ("户编号", "H-2")]).unwrap();
    assert!(
        save("Member", "", "", &[("家庭", "王强"), ("person", "王强")]).unwrap_err().to_string().contains("有 2 条")
    );
    save("Household", &other.record, "", &[("记录状态", "作废"), ("作废原因", "重复录入")]).unwrap();
    save("Member", "", "", &[("家庭", "王强"), ("person", "王强")]).unwrap();
    // Who stands in another register only is named there.
    let assistant = [("name", "秦小妹"), ("id_no", id_no.as_str()), ("from_on", "2008-03-01"), ("edu", "30")];
    let assistant = save("Assistant", "", "", &assistant).unwrap();
    assert_eq!(save("Assistant", "秦小妹", "", &[("remark", "一")]).unwrap().record, assistant.record);
    assert!(save("Resident", "秦小妹", "", &[("remark", "一")]).is_err());
    // What has happened lies on no day to come, whatever it is.
    let ahead = taizhang_proto::date::iso(office.ledger.business_day() + 2);
    for (register, record, field) in [
        ("Resident", "王强", "death_on"),
        ("Resident", "王强", "verified_on"),
        ("ZefCase", "王强", "applied_on"),
        ("ZefCase", "王强", "visited_on"),
    ] {
        let said = save(register, record, "更正", &[(field, &ahead)]).unwrap_err();
        assert!(said.to_string().contains("在今天之后"), "{field}: {said}");
    }
    // One case of a community at a time; one that was entered by mistake is none.
    let applied = [("applied_on", "2008-03-01"), ("stage", "1")];
    let title = save("FecCase", "", "", &applied).unwrap();
    let second = [("applied_on", "2008-03-02"), ("stage", "1")];
    let said = save("FecCase", "", "", &second).unwrap_err();
    assert!(said.to_string().contains("未结的充分就业社区创建") && said.to_string().contains(&title.record), "{said}");
    save("FecCase", &title.record, "", &[("记录状态", "作废"), ("作废原因", "误录")]).unwrap();
    save("FecCase", "", "", &second).unwrap();
    // By whom it is about; the day runs a clock.
    let changed = save("ZefCase", "王强", "申报表上为12日", &[("recognised_on", "2008-03-12")]).unwrap();
    assert_eq!(changed.record, case.record);
    assert!(changed.doubts[0].contains("由街道或县区审核"), "{:?}", changed.doubts);
}

#[test]
fn a_story_names_persons_and_units_and_its_page_stands_alone() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let case = left_hardship(&office, "王强", "21040219700301011", "2008-03-10");
    let story = super::history::story(&office.ledger, case).unwrap().unwrap();
    assert_eq!(
        (story.register.as_str(), story.record.as_str(), story.on),
        ("就业困难人员", &*case.to_string(), day(4, 1))
    );
    assert!(story.unit.contains("210402011003"), "{}", story.unit);
    let person = story.lines.iter().find(|line| line.field == "person").unwrap();
    assert!(person.value.starts_with("王强 ("), "{}", person.value);
    assert!(super::history::story(&office.ledger, RecordId([9; 16])).unwrap().is_none());
}

#[test]
fn a_card_says_what_follows_of_a_person_on_each_day() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    // A woman born on 1 March 1968: of the 4050 from her fortieth birthday on.
    let person = [
        ("id_no", "210402196803010022"),
        ("name", "王芳"),
        ("labour_able", "是"),
        ("job_willing", "是"),
        ("emp_claim", "11"),
        ("skill", "烹饪"),
        ("train_wish", "电脑"),
    ];
    let id_no = format!("21040219680301002{}", char::from(check_character(b"21040219680301002").unwrap()));
    let mut person = person.to_vec();
    person[0].1 = &id_no;
    let id = enter(&office, number::RESIDENT, None, &person);
    let of = id.to_string();
    let spell = [("person", of.as_str()), ("reg_on", "2008-02-01"), ("cause", "3")];
    let spell = enter(&office, number::UNEMPLOYMENT_SPELL, None, &spell);
    enter(&office, number::UNEMPLOYMENT_SPELL, Some(spell), &[("end_on", "2008-03-10"), ("end_cause", "1")]);
    let job = [("person", of.as_str()), ("kind", "3"), ("start_on", "2008-03-10"), ("end_on", "2008-03-20")];
    enter(&office, number::PLACEMENT, None, &job);
    let said = |on: Day, key: &str| {
        let facts = card::card(office.ledger.as_ref(), &office.ledger.plans(), id, on).unwrap().unwrap();
        facts.into_iter().find(|fact| fact.key == key).map(|fact| fact.value)
    };
    let employment = |on| said(on, "employment").unwrap();
    assert_eq!(
        [day(1, 31), day(2, 1), day(3, 10), day(3, 20)].map(employment),
        ["未登记失业", "登记失业", "灵活就业", "未登记失业"]
    );
    assert_eq!((said(day(2, 29), "elderly").unwrap(), said(day(3, 1), "elderly").unwrap()), ("否".into(), "是".into()));
    assert_eq!((said(day(3, 1), "sex").unwrap(), said(day(3, 1), "age").unwrap()), ("女".into(), "40".into()));
    assert_eq!(said(day(3, 1), "five_knowns").unwrap(), "缺家庭情况、择业意向 (without family, job wish)");
    assert!(said(day(3, 1), "contradicted").unwrap().contains("单位就业"));

    let household = enter(&office, number::HOUSEHOLD, None, &[("hh_no", "户1")]).to_string();
    enter(&office, number::MEMBER, None, &[("household", household.as_str()), ("person", &of), ("relation", "01")]);
    let case = [("household", household.as_str()), ("kind", "1"), ("recognised_on", "2008-03-21")];
    enter(&office, number::ZEF_CASE, None, &case);
    enter(&office, number::RESIDENT, Some(id), &[("intent_job", "厨师"), ("retire_on", "2008-04-05")]);
    assert_eq!(said(day(4, 1), "five_knowns").unwrap(), "齐全 (all)");
    assert_eq!(
        said(day(4, 1), "case").unwrap(),
        "未安置，20日期限 2008-04-10 (nobody placed; the first by 2008-04-10)"
    );
    assert_eq!(employment(day(4, 5)), "退休");
    assert!(
        card::card(office.ledger.as_ref(), &office.ledger.plans(), household.parse().unwrap(), day(4, 1))
            .unwrap()
            .is_none(),
        "no person"
    );
}

#[test]
fn who_is_entered_today_is_to_be_verified_from_today_on_whatever_day_the_register_began() {
    use crate::exchange::{self, Options, Source};
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let number = |serial: &str| {
        let last = check_character(serial.as_bytes()).unwrap();
        format!("{serial}{}", char::from(last))
    };
    let import = |nth: usize, extra: (&str, &str), registered_on: Option<Day>| {
        let id_no = number(&format!("21040219700301{nth:03}"));
        let text = format!("姓名,身份证号{}\n王强,{id_no}{}\n", extra.0, extra.1);
        let source = Source { file_name: "a.csv", content: text.as_bytes() };
        let options = Options { by: "测试".into(), registered_on, ..Options::default() };
        let report = exchange::import(&LedgerDesk::new(&office.ledger), &source, &options, &mut |_, _| {}).unwrap();
        assert_eq!(report.new_rows, 1, "{report:?}");
    };
    import(11, ("", ""), None);
    import(12, ("", ""), date::ymd(2007, 1, 1));
    // A file that has a day of its own, long ago.
    import(13, (",登记日期", ",2007-05-01"), None);
    let fields = [("name".to_owned(), "李红".to_owned()), ("id_no".to_owned(), number("21040219700301022"))];
    let form = pb::SaveRequest { register: "resident".into(), fields: fields.into(), ..pb::SaveRequest::default() };
    office.save_form(&office.clerk("").unwrap(), &form).unwrap();
    // A form that says since when, long ago.
    let since = [("name", "赵四"), ("id_no", &number("21040219700301033")), ("registered_on", "2007-05-01")];
    let fields = since.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    office
        .save_form(
            &office.clerk("").unwrap(),
            &pb::SaveRequest { register: "resident".into(), fields, ..pb::SaveRequest::default() },
        )
        .unwrap();
    let due = |on: Day, within: u32| {
        let answer = office.work(&pb::DueRequest { on, within, to_file: false }).unwrap();
        let items = answer.items.into_iter().filter(|item| item.clock == "K38");
        items.map(|item| (item.due_on, item.days_left)).collect::<Vec<_>>()
    };
    let today = day(4, 1);
    assert_eq!(due(today, 30), [], "nobody is late, or soon due, who was entered today");
    assert_eq!(due(today, 90), [(today + 90, 90); 5], "90 days from the day of entry, though a register began in 2007");
    assert_eq!(due(today + 91, 0), [(today + 90, -1); 5]);
}

#[test]
fn what_a_unit_should_have_had_before_it_kept_a_register_is_late_by_a_day_and_not_by_years() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let due = || {
        let items = office.work(&pb::DueRequest { within: 7, ..Default::default() }).unwrap().items;
        items.into_iter().find(|item| item.clock == "K15").map(|item| item.days_left)
    };
    assert_eq!(due(), Some(-1), "by the plan there was to be an assistant since 2007");
    enter(&office, number::RESIDENT, None, &[("name", "王强"), ("id_no", "110101196601010023")]);
    assert_eq!(due(), Some(-1));
}

#[test]
fn a_month_that_two_close_at_once_is_closed_once() {
    let dir = tempfile::tempdir().unwrap();
    let office = office(dir.path());
    let month = Month::read("2008-03").unwrap();
    let closed = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(|| office.close_month(month, "测试", true))).collect();
        all.into_iter().flat_map(|one| one.join().unwrap()).count()
    });
    assert_eq!((closed, office.ledger.ids(number::PERIOD_CLOSE).unwrap().len()), (1, 1));
}
