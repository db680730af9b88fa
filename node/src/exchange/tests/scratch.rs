use super::{
    desk::{Memory, file},
    files::id,
};
use crate::exchange::{Options, Source, import};
#[test]
#[ignore]
fn speed() {
    let mut text = String::from("填报日期:2008.3.1\n姓名,身份证号,联系电话,就业状况,困难类别,家庭住址,下岗时间\n");
    for n in 0..100_000_u32 {
        let birth = format!("19{:02}{:02}{:02}", 50 + n % 40, n / 40 % 12 + 1, n / 480 % 28 + 1);
        text += &format!("张三,{},13800000000,失业,低保、残疾,{}号楼1单元1,2005.3.1\n", id(&birth, n / 13440), n);
    }
    let desk = Memory::street();
    let t = std::time::Instant::now();
    let r = desk.import_with("a.csv", text.as_bytes(), &Options { dry_run: true, ..Options::default() });
    println!("{:?} new {} same {} wrong {} {:?}", t.elapsed(), r.new_rows, r.same_rows, r.wrong_rows, r.findings);
}
#[test]
#[ignore]
fn fuzz() {
    let mut random = 88_172_645_463_325_252_u64 ^ u64::from(std::process::id());
    let mut seen = std::collections::BTreeMap::<String, u64>::new();
    for name in ["零就业家庭台账.xls", "求职登记台账.xlsx"] {
        let whole = file(name);
        for _ in 0..4000 {
            let mut s = whole.clone();
            for _ in 0..(random >> 50) % 6 + 1 {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                let place = random as usize % s.len();
                s[place] = (random >> 40) as u8;
            }
            let desk = Memory::street();
            let out = import(
                &desk,
                &Source { file_name: "x", content: &s },
                &Options { dry_run: true, ..Options::default() },
                &mut |_, _| {},
            );
            *seen
                .entry(match out {
                    Ok(_) => "ok".into(),
                    Err(e) => e.to_string().chars().take(60).collect(),
                })
                .or_default() += 1;
        }
    }
    println!("{seen:#?}");
}
