//! What both ends of a session agree on besides the messages: versions, bounds and who speaks when.
//!
//! The child opens with `Hello`; the hub answers `Welcome`. When the child has nothing pending, has pulled up to
//! the hub's head and both digests agree, that was the session: one round trip. Otherwise the hub repeats verdicts
//! that the child missed, the child pushes, the hub sends what changed in the scope, and closes with `Caught`.

/// The oldest protocol this build speaks.
pub const PROTOCOL_MIN: u32 = 2;
/// The newest protocol this build speaks.
pub const PROTOCOL_MAX: u32 = 2;

/// Most changes in one batch.
pub const MAX_BATCH_CHANGES: usize = 1024;
/// Largest batch before zstd, bytes.
pub const MAX_BATCH_BYTES: usize = 1024 * 1024;
/// Largest change that an office saves, bytes: far below a batch, so that what the hub adds to it fits beside it.
pub const MAX_CHANGE_BYTES: usize = 256 * 1024;
/// Largest change that goes up at all, alone in its batch, bytes: logs of earlier builds may hold larger ones than are
/// saved now.
pub const MAX_LONE_CHANGE_BYTES: usize = MAX_MESSAGE_BYTES - 64 * 1024;
/// Largest message on the wire, bytes.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;
/// Largest roll of retirements and used tokens, bytes: some sixteen thousand computers.
pub const MAX_ROLL_BYTES: usize = 1024 * 1024;
/// Bytes of the name of a stretch of a hub's history: from one start of the hub to the next.
pub const STRETCH_NAME: usize = 16;
/// Names of stretches that an office remembers, newest first.
pub const STRETCHES_HEARD: usize = 8;
/// No counter of a peer reaches this: changes, revisions, versions. What says more is wrong, and could overflow.
pub const MAX_NUMBER: u64 = 1 << 62;
/// Batches on their way without an answer.
pub const IN_FLIGHT: usize = 6;

/// Why two builds can't speak to each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// The peer speaks only older protocols.
    #[error("对方版本过旧：其协议最高为 {theirs}，本机最低要求 {PROTOCOL_MIN}，请升级对方 (peer too old: upgrade it)")]
    TooOld {
        /// The peer's newest.
        theirs: u32,
    },
    /// The peer speaks only newer protocols.
    #[error(
        "对方版本过新：其协议最低为 {theirs}，本机最高支持 {PROTOCOL_MAX}，请升级本机 (peer too new: upgrade this side)"
    )]
    TooNew {
        /// The peer's oldest.
        theirs: u32,
    },
}

/// The newest protocol that both sides speak.
///
/// # Errors
/// Says which side must be upgraded.
pub fn negotiate(min: u32, max: u32) -> Result<u32, VersionError> {
    if max < PROTOCOL_MIN {
        return Err(VersionError::TooOld { theirs: max });
    }
    if min > PROTOCOL_MAX {
        return Err(VersionError::TooNew { theirs: min });
    }
    Ok(max.min(PROTOCOL_MAX))
}

/// When a node of this identity syncs: seconds after the window opens, the same every night, spread over the
/// window by a hash so that a thousand nodes do not call at once.
pub fn slot_in_window(identity: &str, window_seconds: u64) -> u64 {
    let hash = blake3::hash(identity.as_bytes());
    let mut low = [0; 8];
    low.copy_from_slice(&hash.as_bytes()[..8]);
    if window_seconds == 0 { 0 } else { u64::from_le_bytes(low) % window_seconds }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_meet_or_say_who_must_upgrade() {
        assert_eq!(negotiate(1, 9), Ok(PROTOCOL_MAX));
        assert_eq!(negotiate(0, 0), Err(VersionError::TooOld { theirs: 0 }));
        assert_eq!(negotiate(7, 9), Err(VersionError::TooNew { theirs: 7 }));
    }

    #[test]
    fn slots_spread_over_the_window() {
        let slots: Vec<u64> = (0..1_000).map(|node| slot_in_window(&format!("node-{node}"), 7_200)).collect();
        for quarter in 0..4 {
            let count = slots.iter().filter(|slot| **slot / 1_800 == quarter).count();
            assert!((200..300).contains(&count), "{count} of 1000 in quarter {quarter}");
        }
    }
}
