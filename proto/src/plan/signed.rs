//! The plan as it travels: every version that the city has published, each signed by the city.
//! Invariant: a receiver takes a list whole or not at all, and never one under another key than the first it took: who
//! breaks into a district can't give its offices other targets.

use super::{MAX_PLAN, Plan, PlanError, Plans};
use crate::{pb, sign::Purpose};
use bytes::Bytes;
use prost::Message;

/// Most versions that are kept.
const MAX_VERSIONS: usize = 256;

/// A list that was checked.
#[derive(Debug, Clone)]
pub struct Published {
    /// Every version, the built-in one as the first.
    pub plans: Plans,
    /// The highest version.
    pub version: u64,
    /// The city's key.
    pub key: Bytes,
}

/// Reads a list of published plans. `known` is the city's key as it was first heard.
///
/// # Errors
/// When a text is no plan, a signature is wrong, or it is another key's.
pub fn read_list(list: &[u8], known: Option<&[u8]>) -> Result<Published, PlanError> {
    let wrong = |place: &str, why| PlanError::Value { place: place.to_owned(), why };
    let list = pb::PlanList::decode(list).map_err(|_| wrong("", "不是工作目标清单 (no list of plans)"))?;
    let key = list.plans.first().map(|plan| plan.key.clone());
    let key = key.ok_or_else(|| wrong("", "清单为空 (the list is empty)"))?;
    if list.plans.len() > MAX_VERSIONS {
        return Err(wrong("", "版本过多 (too many versions)"));
    }
    if known.is_some_and(|known| *known != key[..]) {
        return Err(wrong("key", "不是本市的签名密钥 (not the key of this city)"));
    }
    let mut plans: Vec<Plan> = Plans::notice_2008().iter().cloned().collect();
    let mut version = 0;
    for signed in &list.plans {
        let text = String::from_utf8_lossy(&signed.text);
        if signed.key != key || signed.text.len() > MAX_PLAN {
            return Err(wrong("key", "各版本的签名密钥不一致或文件过大 (another key, or too long)"));
        }
        if !Purpose::Plan.is_signed(&signed.text, &key, &signed.signature) {
            return Err(wrong("signature", "签名不符 (the signature is wrong)"));
        }
        let plan = Plan::heard(&text)?;
        if u64::from(plan.version) <= version {
            return Err(wrong("version", "版本应逐次增大 (versions grow)"));
        }
        version = plan.version.into();
        plans.push(plan);
    }
    let plans = Plans::of(plans).ok_or_else(|| wrong("", "清单为空 (the list is empty)"))?;
    Ok(Published { plans, version, key })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::date;
    use ring::signature::{Ed25519KeyPair, KeyPair};

    fn signed(key: &Ed25519KeyPair, text: &str) -> pb::SignedPlan {
        pb::SignedPlan {
            text: text.to_owned().into_bytes().into(),
            key: Bytes::copy_from_slice(key.public_key().as_ref()),
            signature: Bytes::copy_from_slice(key.sign(&Purpose::Plan.to_sign(text.as_bytes())).as_ref()),
        }
    }

    #[test]
    fn a_list_is_taken_whole_and_only_under_the_known_key() {
        let [one, other] = [[1; 32], [2; 32]].map(|seed| Ed25519KeyPair::from_seed_unchecked(&seed).unwrap());
        let text = include_str!("../../plan-2008.toml")
            .replace("version = 1\n", "version = 2\n")
            .replace("effective_on = \"2008-01-01\"", "effective_on = \"2008-07-01\"")
            .replace("days = 20 ", "days = 15 ");
        let list = pb::PlanList { plans: vec![signed(&one, &text)] }.encode_to_vec();
        let read = read_list(&list, None).unwrap();
        assert_eq!(read.version, 2);
        let july = date::ymd(2008, 7, 1).unwrap();
        assert_eq!((read.plans.on(july - 1).zef.days, read.plans.on(july).zef.days), (20, 15));
        assert!(read_list(&list, Some(&read.key)).is_ok());
        assert!(read_list(&list, Some(other.public_key().as_ref())).is_err());
        let mut forged = signed(&one, &text);
        forged.text = text.replace("days = 15 ", "days = 90 ").into_bytes().into();
        assert!(read_list(&pb::PlanList { plans: vec![forged] }.encode_to_vec(), None).is_err());
        assert!(read_list(&[], None).is_err());
    }
}
