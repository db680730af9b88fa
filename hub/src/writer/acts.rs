//! Which jobs are somebody's act, and what the audit log says of each. Pure.
//! Invariant: what the log says is known before the job is done, and is written only with it.

use super::job::{Answer, Job, Review, WriteError};
use crate::audit_log::Entry;
use prost::Message;
use taizhang_node::caller::Role;
use taizhang_proto::{
    OrgCode, RecordId,
    pb::{Choice, MonthText},
};

/// What the log says of a job that this hub of `unit` does at `at`, seconds since 1970; none of what nobody decides. What comes from
/// the parent is not decided here: `is_city` says that plans, tasks and months are this hub's own.
pub(super) fn act_of(job: &Job, unit: OrgCode, at: u64, is_city: bool) -> Option<Entry> {
    let entry = |role: Role, by: &str, what: &str, of: String| Entry {
        at,
        by: by.trim().to_owned(),
        what: what.to_owned(),
        of,
        unit: unit.number(),
        role: role.into(),
        reason: String::new(),
    };
    let because =
        |entry: Option<Entry>, reason: &str| entry.map(|entry| Entry { reason: reason.trim().to_owned(), ..entry });
    let operator = |by: &str, what: &str, of: String| Some(entry(Role::Operator, by, what, of));
    match job {
        Job::By(name, job) => act_of(job, unit, at, is_city).map(|act| Entry { by: name.trim().to_owned(), ..act }),
        Job::Review(review) => Some(of_review(review, &entry)),
        Job::ReviewBelow(below, review) => Some(Entry { unit: below.number(), ..of_review(review, &entry) }),
        Job::Retire { id, undo, decided } => {
            let what = if *undo { "retire --undo" } else { "retire" };
            because(operator(&decided.by, what, id.clone()), &decided.reason)
        }
        Job::Aside { child, undo } => {
            let what = if *undo { "aside --undo" } else { "aside" };
            because(operator(&child.by, what, format!("unit {}", child.unit)), &child.reason)
        }
        Job::Token(_, row) => operator("", "token", format!("unit {} {}", row.unit, row.reader).trim().to_owned()),
        Job::Enrolled(row, _) => operator("", "enrol", format!("{} {}", row.id, row.unit)),
        Job::Reader(_, _, reader) => operator("", "enrol", format!("{} {}", reader.id, reader.unit)),
        Job::RotateKey => operator("", "keys rotate", String::new()),
        Job::Confirm(by) => operator(by, "confirm", String::new()),
        // A tree that an operator hands over; the parent's has its number.
        Job::Tree(_, None) => operator("", "units", String::new()),
        Job::Draw(..) => operator("", "draw", String::new()),
        Job::Plans(_) if is_city => operator("", "plan", String::new()),
        Job::Month { signed, .. } if is_city => {
            let text = MonthText::decode(signed.text.clone()).unwrap_or_default();
            because(operator(&text.by, "lock", text.month), &text.reason)
        }
        _ => None,
    }
}

fn of_review(review: &Review, entry: &impl Fn(Role, &str, &str, String) -> Entry) -> Entry {
    match review {
        Review::Resolve(request) => {
            let mut numbers: Vec<String> = request.numbers.iter().take(NAMED).copied().map(conflict).collect();
            numbers.extend((request.numbers.len() > NAMED).then(|| format!("… {}", request.numbers.len())));
            let choice = Choice::try_from(request.choice).unwrap_or_default().as_str_name().to_lowercase();
            entry(Role::Reviewer, &request.by, "resolve", format!("{choice} {}", numbers.join(" ")))
        }
        Review::Reopen(request) => entry(Role::Reviewer, &request.by, "reopen", conflict(request.number)),
        Review::Merge(request) => {
            let what = if request.undo { "merge --undo" } else { "merge" };
            entry(Role::Reviewer, &request.by, what, format!("{} {}", id(&request.survivor), id(&request.absorbed)))
        }
        Review::Revise(request) => {
            // A district approves a month, or sends it back, by an edit of its closing.
            let what = match request.fields.keys().map(String::as_str).find(|name| MONTHS.contains(name)) {
                Some("approved_on") => "approve",
                Some(_) => "approve --return",
                None => "revise",
            };
            let act = entry(Role::Reviewer, &request.by, what, format!("{} {}", request.register, id(&request.record)));
            // Why a month was sent back is said of the month, and of nobody.
            let reason = if what == "approve --return" { request.reason.trim().to_owned() } else { String::new() };
            Entry { reason, ..act }
        }
    }
}

/// A conflict, as a line names it.
fn conflict(number: u64) -> String {
    format!("#{number}")
}

/// A record's id as it was asked for; anything else that was written there is nothing to keep.
fn id(written: &str) -> String {
    written.parse::<RecordId>().map(|id| id.to_string()).unwrap_or_default()
}

/// Fields of a month's closing that the district writes.
const MONTHS: [&str; 2] = ["approved_on", "returned_on"];

/// Most conflicts of one ruling that a line names.
const NAMED: usize = 32;

/// What of an act was done; none where nothing was. Conflicts that could not be settled with the others are left out.
pub(super) fn done(act: Option<Entry>, answer: &Result<Answer, WriteError>) -> Option<Entry> {
    match answer {
        Ok(Answer::Refused(_)) | Err(_) => None,
        Ok(Answer::Reviewed(reviewed)) if reviewed.settled == 0 => None,
        Ok(Answer::Reviewed(reviewed)) => {
            let failed: Vec<String> =
                reviewed.failed.iter().filter_map(|why| Some(format!("#{}", why.split_once(':')?.0))).collect();
            act.map(|act| {
                let of = act.of.split(' ').filter(|word| !failed.iter().any(|failed| failed == word));
                Entry { of: of.collect::<Vec<_>>().join(" "), ..act }
            })
        }
        // One that was entered anew has its number now.
        Ok(Answer::Revised(record)) => act.map(|act| match act.of.strip_suffix(' ') {
            Some(register) => Entry { of: format!("{register} {record}"), ..act },
            None => act,
        }),
        Ok(_) => act,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::rows::TokenRow;
    use taizhang_proto::pb;

    #[test]
    fn a_line_says_who_and_at_what_and_nobodys_number() {
        let unit = OrgCode::new(210_402_000_000).unwrap();
        let line = |job: Job| act_of(&job, unit, 7, false);
        let id = RecordId([7; 16]);
        let survivor = "110101196601010023".to_owned();
        let merge =
            pb::MergeRequest { survivor, absorbed: id.to_string(), by: " 王科长 ".into(), ..Default::default() };
        let merged = line(Job::Review(Review::Merge(merge))).unwrap();
        assert_eq!((merged.by.as_str(), merged.what.as_str(), merged.role()), ("王科长", "merge", Role::Reviewer));
        assert_eq!((merged.of.trim(), merged.unit, merged.at), (id.to_string().as_str(), unit.number(), 7));

        let below = OrgCode::new(210_402_011_000).unwrap();
        let numbers = (1..=40).collect();
        let ruling = pb::ResolveRequest { numbers, choice: Choice::Take.into(), ..Default::default() };
        let ruled = line(Job::ReviewBelow(below, Review::Resolve(ruling))).unwrap();
        assert!(ruled.of.starts_with("take #1 #2 #3") && ruled.of.ends_with("#32 … 40"), "{}", ruled.of);
        assert_eq!(ruled.unit, below.number());

        let token = TokenRow { unit: below.number(), ..TokenRow::default() };
        assert_eq!(line(Job::Token([0; 32], token)).unwrap().of, format!("unit {below}"));

        let decided = super::super::job::Decided { by: "王科长".into(), reason: " 电脑报废 ".into() };
        let retired = line(Job::Retire { id: "n1".into(), undo: false, decided }).unwrap();
        assert_eq!((retired.of.as_str(), retired.reason.as_str()), ("n1", "电脑报废"));

        // What the parent says is nobody's act here.
        assert!(line(Job::Plans(bytes::Bytes::new())).is_none() && line(Job::Settle).is_none());
        assert!(act_of(&Job::Plans(bytes::Bytes::new()), unit, 7, true).is_some());
        let named = line(Job::By(" 王科长".into(), Box::new(Job::RotateKey))).unwrap();
        assert_eq!((named.by.as_str(), named.what.as_str()), ("王科长", "keys rotate"));
        assert!(line(Job::By("王科长".into(), Box::new(Job::Settle))).is_none());
    }

    #[test]
    fn what_was_refused_leaves_no_line() {
        let act = || Some(Entry { of: "take #4 #5 #999".into(), ..Entry::default() });
        assert_eq!(done(act(), &Ok(Answer::Refused(String::new()))), None);
        assert_eq!(done(act(), &Err(WriteError::ReadOnly)), None);
        let reviewed = |settled| {
            let failed = ["4: 已经处理过", "999: 没有此冲突"].map(str::to_owned).to_vec();
            Ok(Answer::Reviewed(pb::ResolveAnswer { settled, failed }))
        };
        assert_eq!(done(act(), &reviewed(0)), None);
        assert_eq!(done(act(), &reviewed(1)).unwrap().of, "take #5", "what was done, and no more");
        assert_eq!(done(act(), &Ok(Answer::Done)), act());
    }
}
