//! What a panic may say. Invariant: a log never holds what somebody entered, also where the program, or a library that reads
//! a file for it, has made a mistake: of a panic it holds the place, and the words only where they stand in the program.

use std::{
    any::Any,
    cell::Cell,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
};

thread_local! {
    /// A panic on this thread is an answer that is waited for.
    static IS_EXPECTED: Cell<bool> = const { Cell::new(false) };
}

/// Has panics of this process told so from now on.
pub fn tell_no_content() {
    panic::set_hook(Box::new(tell));
}

fn tell(panicked: &PanicHookInfo<'_>) {
    if IS_EXPECTED.get() {
        return;
    }
    let place = panicked.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    let what = words(panicked.payload());
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(place, thread, what, "the program has made a mistake (a panic)");
    } else {
        // Whatever the log leaves out, this is never told nowhere.
        eprintln!("the program has made a mistake (a panic) at {place}, thread {thread}: {what}");
    }
}

/// What a panic says, where that was written when the program was. What was put together while it ran may hold anything.
fn words(payload: &(dyn Any + Send)) -> &'static str {
    payload.downcast_ref::<&'static str>().copied().unwrap_or("(not told: it may hold what was entered)")
}

/// Runs what may panic on a damaged file; none where it did. That is no mistake of the program's, so nothing is told of it.
pub fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    let outer = IS_EXPECTED.replace(true);
    let outcome = panic::catch_unwind(AssertUnwindSafe(work));
    IS_EXPECTED.set(outer);
    outcome.ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_words_of_the_program_are_told() {
        let name = "王小明";
        let made = panic::catch_unwind(|| assert!(!name[..1].is_empty())).unwrap_err();
        assert!(made.downcast_ref::<String>().unwrap().contains(name), "as the library says it");
        assert!(!words(made.as_ref()).contains(name));
        let written = panic::catch_unwind(|| panic!("as written")).unwrap_err();
        assert_eq!(words(written.as_ref()), "as written");
    }

    #[test]
    fn what_is_caught_within_another_leaves_that_one_waiting() {
        let inner = caught(|| (caught(|| panic!("inside")).is_none(), IS_EXPECTED.get()));
        assert_eq!(inner, Some((true, true)));
        assert!(!IS_EXPECTED.get());
        assert_eq!(caught(|| 7), Some(7));
    }
}
