//! The first command of the README: it ends well only when the tiers agree with a recount.

use std::process::Command;

/// A small city with its hundred conflicts: the program says that nothing differs, and ends with 0.
#[test]
fn the_demo_comes_to_its_first_table_and_its_tiers_agree() {
    let shown = Command::new(env!("CARGO_BIN_EXE_demo"))
        .args(["--once", "--conflicts", "--nodes", "8", "--people", "1000"])
        .output()
        .unwrap();
    let (out, errors) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
    assert!(shown.status.success(), "{out}\n{errors}");
    for said in ["首张表 (first table)", "差异 0 处：一致", "剩余 (left) 0；各节点与县区一致 (digests equal): true"]
    {
        assert!(out.contains(said), "no {said:?} in\n{out}");
    }
}

/// A demo that is started again goes on: the same records at the same tiers, and nothing is loaded twice.
#[test]
fn a_finished_demo_goes_on_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let shown = Command::new(env!("CARGO_BIN_EXE_demo"))
            .args(["--once", "--nodes", "6", "--people", "700", "--dir"])
            .arg(dir.path())
            .args(more)
            .output()
            .unwrap();
        let (out, errors) = (String::from_utf8_lossy(&shown.stdout), String::from_utf8_lossy(&shown.stderr));
        assert!(shown.status.success(), "{out}\n{errors}");
        out.into_owned()
    };
    let check = |out: &str| out.lines().find(|line| line.contains("条记录")).unwrap().to_owned();
    let (first, second) = (run(&[]), run(&[]));
    assert!(
        !first.contains("继续") && second.contains("继续") && second.contains("nothing is loaded again"),
        "{second}"
    );
    assert!(!second.contains("求职登记台账.xlsx"), "{second}");
    assert_eq!(check(&first), check(&second), "the same persons, records and cells");
    assert!(check(&second).contains("一致 (city"));
    // Its conflicts are made once, too, whichever run they are asked of.
    assert!(run(&["--conflicts"]).contains("剩余 (left) 0"));
    assert!(run(&["--conflicts"]).contains("不再重做"));
    // One that was cut off while it was loaded is not taken for a whole one.
    std::fs::remove_file(dir.path().join("demo.json")).unwrap();
    let cut = Command::new(env!("CARGO_BIN_EXE_demo")).arg("--once").arg("--dir").arg(dir.path()).output().unwrap();
    assert!(!cut.status.success() && String::from_utf8_lossy(&cut.stderr).contains("没有准备完"));
}
