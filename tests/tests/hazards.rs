//! The hazards of living in other people's processes. Each guest (`tests/guests`) is such a process.

use tests::guest::Home;

type Tested = Result<(), String>;

#[test]
fn cancelled_threads_leave_nothing_behind() -> Tested {
    Home::new()?.host("cancel", &[]).map(drop)
}

#[test]
fn a_signal_handler_may_jump_out() -> Tested {
    Home::new()?.host("longjmp", &[]).map(drop)
}

#[test]
fn a_storm_of_signals_does_not_move_the_deadline() -> Tested {
    Home::new()?.host("storm", &[]).map(drop)
}

#[test]
fn children_of_a_threaded_process_do_not_hang() -> Tested {
    let home = Home::new()?;
    home.host("forks", &["1", "300"])?;
    home.host("forks", &["8", "700"]).map(drop)
}

#[test]
fn a_process_may_be_forked_inside_a_lookup() -> Tested {
    Home::new()?.host("fork_inside", &[]).map(drop)
}

#[test]
fn asynchronous_lookups_work() -> Tested {
    Home::new()?.host("asynchronous", &[]).map(drop)
}

#[test]
fn a_small_stack_is_enough() -> Tested {
    Home::new()?.host("stack", &[]).map(drop)
}
