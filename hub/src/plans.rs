//! What the city signs: its key, the list of plans that goes down, the list of orders.
//! Invariant: the key never leaves the city's disk; a version that was published is followed, and changed only where a city
//! that was restored has given its number out again.

use crate::state::Core;
use bytes::Bytes;
use prost::Message;
use ring::{
    rand::SystemRandom,
    signature::{Ed25519KeyPair, KeyPair},
};
use std::path::{Path, PathBuf};
use taizhang_node::disk::{self, Secrecy};
use taizhang_proto::{
    date,
    pb::{self, SignedOrders, TaskOrders, Tier},
    plan::{Plan, PlanError},
    sign::Purpose,
};

/// Why a plan can't be published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The text.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Not the city.
    #[error("工作目标由市级发布，请在市级运行 (the city publishes the plan: run this there)")]
    NotCity,
    /// Not newer.
    #[error("版本应大于已发布的第{0}版 (the version must be above the published one)")]
    Version(u64),
    /// It would change the past.
    #[error("生效日期应不早于今天 {0} (it can't take effect before today: past figures would move)")]
    Past(String),
    /// The key.
    #[error("签名密钥 {path} 不可用 (the signing key can't be used): {why}")]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The city's signing key; made on first use, for its owner only.
///
/// # Errors
/// When the file can't be read or written.
pub fn signing_key(data: &Path) -> Result<Ed25519KeyPair, PublishError> {
    let path = data.join("authority").join("sign.key");
    let fault = |why: String| PublishError::Key { path: path.clone(), why };
    if !path.exists() {
        let fresh = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|error| fault(error.to_string()))?;
        disk::write_file(&path, fresh.as_ref(), Secrecy::OwnerOnly).map_err(|error| fault(error.to_string()))?;
    }
    let bytes = std::fs::read(&path).map_err(|error| fault(error.to_string()))?;
    Ed25519KeyPair::from_pkcs8(&bytes).map_err(|error| fault(error.to_string()))
}

/// The public key and the signature of a text.
pub fn sign(key: &Ed25519KeyPair, purpose: Purpose, text: &[u8]) -> (Bytes, Bytes) {
    let signature = key.sign(&purpose.to_sign(text));
    (Bytes::copy_from_slice(key.public_key().as_ref()), Bytes::copy_from_slice(signature.as_ref()))
}

/// The list of orders, signed, as it goes down.
pub(crate) fn sign_orders(key: &Ed25519KeyPair, list: &TaskOrders) -> Bytes {
    let text = list.encode_to_vec();
    let (key, signature) = sign(key, Purpose::Orders, &text);
    SignedOrders { text: text.into(), key, signature }.encode_to_vec().into()
}

/// The published list with one more version, signed.
///
/// # Errors
/// When the text is no plan, is not newer, would change the past, or this is not the city.
pub fn publish(core: &Core, key: &Ed25519KeyPair, text: &str) -> Result<Bytes, PublishError> {
    if core.tier != Tier::City {
        return Err(PublishError::NotCity);
    }
    let plan = Plan::read(text)?;
    let known = core.published_plans();
    let stands = known.as_ref().map_or(u64::from(core.plans().version()), |(version, _)| *version);
    if u64::from(plan.version) <= stands {
        return Err(PublishError::Version(stands));
    }
    if plan.from() < core.today() {
        return Err(PublishError::Past(date::iso(core.today())));
    }
    let mut list = match known {
        Some((_, list)) => pb::PlanList::decode(list).unwrap_or_default(),
        None => pb::PlanList::default(),
    };
    let (public, signature) = sign(key, Purpose::Plan, text.as_bytes());
    list.plans.push(pb::SignedPlan { text: Bytes::copy_from_slice(text.as_bytes()), key: public, signature });
    Ok(list.encode_to_vec().into())
}
