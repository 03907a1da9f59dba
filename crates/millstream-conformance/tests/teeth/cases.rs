//! Each way of being broken, and the case that finds it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use millstream_conformance::suite::{CASES, case};
use millstream_hal::Backend;
use millstream_sync::Arc;

use super::broken::{Broken, How};

fn passes(name: &str, how: How, seed: u64) -> bool {
    let case = case(name).unwrap_or_else(|| panic!("no case {name}"));
    let make = || Arc::new(Broken::new(how, seed)) as Arc<dyn Backend>;
    catch_unwind(AssertUnwindSafe(|| case.run(&make))).is_ok()
}

/// The case fails on the broken device and passes on the whole one. A seed may make a device so eager that its fault does not show; of
/// eight seeds most must.
#[track_caller]
fn finds(name: &str, how: How) {
    let found = (0..8).filter(|seed| !passes(name, how, *seed)).count();
    assert!(found >= 4, "{name} found a device that is broken ({how:?}) with {found} of 8 seeds");
    assert!(passes(name, How::Nothing, 0), "{name} fails a device that is whole");
}

/// The case fails on the broken device, whatever the seed: what is broken is a value and no order. That the whole one passes is a test of the simulator.
#[track_caller]
fn refuses(name: &str, how: How) {
    assert!(!passes(name, how, 3), "{name} passes a device that is broken ({how:?})");
}

#[test]
fn a_wait_really_waits_finds_dropped_waits() {
    finds("a_wait_really_waits", How::DropsWaits);
    finds("a_chain_through_many_streams_counts_every_link", How::DropsWaits);
    finds("a_late_reader_is_waited_for", How::DropsWaits);
    finds("a_result_is_handed_from_thread_to_thread", How::DropsWaits);
}

#[test]
fn a_stream_runs_in_order_finds_launches_out_of_order() {
    finds("a_stream_runs_in_order", How::RunsLaunchesOutOfOrder);
}

#[test]
fn one_stream_driven_by_several_threads_finds_lost_launches() {
    finds("one_stream_driven_by_several_threads", How::LosesLaunches);
    finds("many_threads_each_on_its_own_stream", How::LosesLaunches);
}

#[test]
fn done_is_not_said_too_early_finds_early_and_late_answers() {
    finds("done_is_not_said_too_early", How::SaysDoneTooEarly);
}

#[test]
fn an_event_is_done_after_its_work_finds_events_that_stay_pending() {
    finds("an_event_is_done_after_its_work", How::NeverSaysDone);
}

#[test]
fn recording_again_moves_the_mark_finds_the_first_mark_kept() {
    finds("recording_again_moves_the_mark", How::KeepsTheFirstMark);
}

#[test]
fn an_event_that_was_never_recorded_finds_an_answer_to_it() {
    finds("an_event_that_was_never_recorded_is_an_error", How::KnowsEveryEvent);
}

#[test]
fn memory_cases_find_leaks_doubles_misalignment_and_promises_of_too_much() {
    finds("released_memory_comes_back", How::LeaksSegments);
    finds("segments_are_aligned_and_distinct", How::GivesOneSegmentTwice);
    finds("segments_are_aligned_and_distinct", How::MisalignsSegments);
    finds("a_huge_request_is_out_of_memory_and_the_device_goes_on", How::NeverRefusesMemory);
}

#[test]
fn kernel_cases_find_wrong_arithmetic() {
    finds("normals_follow_philox_and_box_muller", How::ForgetsTheOffsetOfRandom);
    finds("a_launch_continues_where_its_offset_says", How::ForgetsTheOffsetOfRandom);
    refuses("two_operands_are_exact", How::AddsForMultiplies);
    refuses("sums_and_means_are_within_their_bound", How::SumsForMean);
    refuses("a_fingerprint_is_that_of_the_bytes", How::ForgetsTheTail);
    refuses("a_choice_takes_from_one_side_or_the_other", How::SwapsTheSidesOfAChoice);
    refuses("a_batch_is_one_product_after_the_other", How::RepeatsTheFirstFactor);
    refuses("uniform_numbers_follow_philox_and_stay_below_their_end", How::WidensTheRange);
    finds("a_fill_writes_its_value_and_no_more", How::WritesOneWordMore);
    finds("a_download_leaves_the_bytes_around_it_alone", How::IgnoresTheTargetOfDownloads);
    finds("joined_downloads_bring_each_its_bytes", How::ForgetsWhatItJoined);
}

#[test]
fn value_cases_find_one_operation_for_another() {
    for name in [
        "a_fill_writes_its_value_and_no_more",
        "a_range_has_equal_steps",
        "one_operand_gives_what_its_operation_says",
        "two_operands_are_exact",
        "casts_follow_their_rules",
        "the_greatest_and_its_place_are_exact",
        "rows_are_chosen_by_number",
        "a_bias_is_added_and_what_follows_it_follows",
        "rows_are_normalised_within_their_bound",
        "attention_is_within_its_bound",
    ] {
        refuses(name, How::TakesOneOperationForAnother);
    }
}

#[test]
fn value_cases_find_views_that_are_read_wrong() {
    for how in [How::ForgetsTheOffsetOfViews, How::ForgetsStrides, How::ForgetsTheLastRow] {
        for name in [
            "one_operand_gives_what_its_operation_says",
            "two_operands_are_exact",
            "casts_follow_their_rules",
            "copy_makes_views_contiguous",
            "a_bias_is_added_and_what_follows_it_follows",
            "sums_and_means_are_within_their_bound",
            "the_greatest_and_its_place_are_exact",
        ] {
            refuses(name, how);
        }
    }
    refuses("sums_and_means_are_within_their_bound", How::KeepsOneAxisLess);
    refuses("the_greatest_and_its_place_are_exact", How::KeepsOneAxisLess);
}

#[test]
fn completed_positions_tell_the_truth_finds_a_position_ahead_of_its_work() {
    finds("completed_positions_tell_the_truth", How::MovesThePositionAhead);
}

#[test]
fn every_case_finds_a_device_with_a_fault() {
    for case in CASES.iter().filter(|c| ["memory", "order", "life"].contains(&c.group)) {
        assert!(!passes(case.name, How::HasAFault, 1), "{} passes a device with a fault", case.name);
    }
}
