//! Several jobs that fall into one commit of a hub: what they do together is what they would have done one by one.

use crate::pair::{community, hub, office, peer, phone, residents, save, sync};
use taizhang_hub::{
    totals::audit,
    writer::{Answer, Core, Job, Review},
};
use taizhang_proto::{RecordId, pb};

fn merge(survivor: RecordId, absorbed: RecordId, undo: bool) -> Job {
    Job::Review(Review::Merge(pb::MergeRequest {
        survivor: survivor.to_string(),
        absorbed: absorbed.to_string(),
        reason: "同一人".into(),
        by: "reviewer".into(),
        undo,
        ..pb::MergeRequest::default()
    }))
}

fn done(core: &Core, jobs: Vec<Job>) {
    for answer in core.commit(jobs) {
        let Answer::Reviewed(answer) = answer.unwrap() else { panic!("a reviewer's answer") };
        assert!(answer.failed.is_empty(), "{:?}", answer.failed);
    }
    let differences = audit::audit(core).unwrap().differences;
    assert!(differences.is_empty(), "{differences:?}");
}

#[test]
fn a_merge_taken_back_within_its_commit_leaves_the_count_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let core = hub(dir.path());
    let node = office(dir.path(), "node", community(), 900_000);
    let people = residents(&node, community(), 0..2);
    let me = peer("node", community());
    sync(&core, &node, &me);
    done(&core, vec![merge(people[0], people[1], false), merge(people[0], people[1], true)]);
    // What each of them contributed is asked for only when something of it changes.
    save(&node, vec![phone(people[0], "13900000001"), phone(people[1], "13900000002")]);
    sync(&core, &node, &me);
    done(&core, vec![merge(people[0], people[1], false)]);
    done(&core, vec![merge(people[0], people[1], true), merge(people[0], people[1], false)]);
    done(&core, vec![merge(people[0], people[1], true)]);
}
