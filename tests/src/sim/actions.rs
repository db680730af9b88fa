//! Everything that can happen, with how likely it is. A new kind of event is one line here and one function.

use super::world::{Options, World};

/// One kind of event.
pub(super) struct Action {
    /// For the trace and the counts.
    pub(super) name: &'static str,
    /// How often it is drawn, against the others.
    pub(super) weight: fn(&Options) -> u32,
    /// Lets it happen. Returns whether it could.
    pub(super) run: fn(&mut World) -> Result<bool, String>,
}

macro_rules! actions {
    ($($weight:expr, $name:literal, $run:path;)*) => {
        &[$(Action { name: $name, weight: $weight, run: $run }),*]
    };
}

/// The table.
pub(super) const ACTIONS: &[Action] = actions! {
    // Clerks enter.
    |_| 30, "a resident is registered", World::register_resident;
    |_| 12, "a household is registered", World::register_household;
    |_| 14, "a member joins", World::add_member;
    |_| 8, "a spell begins", World::begin_spell;
    |_| 10, "a placement begins", World::begin_placement;
    |_| 6, "a post is offered", World::offer_post;
    |_| 6, "a post is filled", World::fill_post;
    |_| 8, "a case is opened", World::open_case;
    |_| 5, "a facility is registered", World::register_facility;
    |_| 4, "a full-employment case is opened", World::open_fec_case;
    // Clerks edit.
    |_| 40, "a LATEST field is edited", World::edit_latest;
    |_| 30, "a REVIEW field is edited", World::edit_reviewed;
    |_| 24, "a UNION field is edited", World::edit_union;
    |_| 12, "an OWNED field is edited", World::edit_owned;
    |_| 8, "a FIXED field is edited", World::edit_fixed;
    |_| 12, "a field is cleared", World::clear_field;
    |_| 10, "a form of several fields is saved", World::edit_many;
    |_| 8, "a record is voided", World::void_record;
    |_| 6, "a household is closed", World::close_household;
    |options| 8 * often(options), "a record moves home", World::move_home;
    |options| 6 * often(options), "a person or household is sent out", World::send_out;
    |options| 16 * often(options), "a transfer is answered", World::answer_transfer;
    |_| 8, "a spell, placement, membership or case ends", World::end_something;
    // Reviewers.
    |_| 14, "a conflict is ruled on", World::rule;
    |_| 4, "a ruling is reopened", World::reopen_ruling;
    |_| 8, "two records are merged", World::merge_records;
    |_| 8, "a merge is taken back", World::unmerge_records;
    |_| 8, "the district edits", World::revise_record;
    |options| 5 * often(options), "a post gets another owner", World::hand_on_post;
    |_| 1, "the mark key is changed", World::rotate_key;
    // The network.
    |_| 45, "an office syncs", World::start_office_session;
    |_| 14, "a district syncs", World::start_district_session;
    |_| 160, "messages travel", World::messages_travel;
    |_| 12, "a session runs to its end", World::run_one_session;
    |_| 18, "a session breaks", World::break_session;
    |_| 12, "a batch is repeated", World::repeat_batch;
    |_| 8, "an office is cut off or connected again", World::cut_off;
    // Machines.
    |_| 6, "an office dies", World::office_dies;
    |_| 5, "a hub dies", World::hub_dies;
    |_| 6, "a district tidies its store", World::district_tidies;
    |_| 6, "a clock jumps", World::clock_jumps;
    |options| 6 * often(options), "an office is backed up", World::back_up_office;
    |options| 8 * often(options), "an office comes back from an old backup", World::restore_office;
    |options| 2 * often(options), "an office loses its store", World::lose_store;
    |options| if options.hub_restores { 8 * often(options) } else { 0 }, "a hub is backed up", World::back_up_hub;
    |options| if options.hub_restores { 8 * often(options) } else { 0 }, "a hub comes back from an old backup", World::restore_hub;
    |options| if options.hub_restores { often(options) } else { 0 }, "a district loses its store", World::lose_hub_store;
};

/// How much more often backups come back and records move where a seed is to be rough.
fn often(options: &Options) -> u32 {
    if options.restores_and_moves { 4 } else { 1 }
}
