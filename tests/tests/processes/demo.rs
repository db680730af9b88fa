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
