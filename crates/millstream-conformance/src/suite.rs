//! The suite: one function per case, a table of them, and a macro that makes a test of each.
//!
//! A case gets a way to make a fresh device, drives it through [`millstream_hal::Backend`] alone and panics with a sentence when the device
//! breaks its promise. Work that does not complete within twenty seconds counts as lost. Every case ends with the
//! device in health and everything given back, so a checker below may judge the suite itself.

mod capture;
mod elementwise;
mod events;
mod host;
mod layers;
mod life;
mod matmul;
mod memory;
mod order;
mod random;
mod reduce;
mod rig;
mod same_bits;
mod threads;
mod transfer;
mod typed;

use millstream_hal::Backend;
use millstream_sync::Arc;

/// Makes a fresh device.
pub type Make<'a> = &'a dyn Fn() -> Arc<dyn Backend>;

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it asks, as a sentence; also the name of its test.
    pub name: &'static str,
    /// What part of the contract it belongs to: `memory`, `order`, `events`, `threads`, ...
    pub group: &'static str,
    run: fn(Make<'_>),
}

impl Case {
    /// Runs the case. Panics with a sentence when the device fails it.
    pub fn run(&self, make: Make<'_>) {
        (self.run)(make);
    }
}

/// Calls `$then!` with the module and name of every case. For the table and for [`crate::conformance_suite`].
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_cases {
    ($($then:ident)::+, $($args:tt)*) => {
        $($then)::+! {
            [$($args)*]
            memory::segments_are_aligned_and_distinct
            memory::a_huge_request_is_out_of_memory_and_the_device_goes_on
            memory::released_memory_comes_back
            transfer::staging_carries_bytes_there_and_back
            transfer::a_download_leaves_the_bytes_around_it_alone
            transfer::joined_downloads_bring_each_its_bytes
            order::a_stream_runs_in_order
            order::a_wait_really_waits
            order::a_late_reader_is_waited_for
            order::a_wait_keeps_the_mark_of_its_call
            order::a_chain_through_many_streams_counts_every_link
            events::an_event_that_was_never_recorded_is_an_error
            events::an_event_is_done_after_its_work
            events::done_is_not_said_too_early
            events::a_host_wait_gives_up_at_its_timeout
            events::recording_again_moves_the_mark
            events::a_later_mark_of_a_stream_implies_the_earlier
            events::elapsed_time_covers_the_work_between
            threads::many_threads_each_on_its_own_stream
            threads::one_stream_driven_by_several_threads
            threads::a_result_is_handed_from_thread_to_thread
            elementwise::a_fill_writes_its_value_and_no_more
            elementwise::poison_writes_its_word_and_no_more
            elementwise::a_range_has_equal_steps
            elementwise::one_operand_gives_what_its_operation_says
            elementwise::two_operands_are_exact
            elementwise::many_elements_are_as_exact_as_few
            elementwise::a_choice_takes_from_one_side_or_the_other
            elementwise::casts_follow_their_rules
            elementwise::copy_makes_views_contiguous
            matmul::products_are_within_their_bound
            matmul::a_batch_is_one_product_after_the_other
            matmul::an_empty_inner_dimension_gives_zeros
            reduce::sums_and_means_are_within_their_bound
            reduce::the_greatest_and_its_place_are_exact
            reduce::an_empty_sum_is_zero_and_an_empty_mean_is_nan
            layers::rows_are_chosen_by_number
            layers::a_bias_is_added_and_what_follows_it_follows
            layers::rows_are_normalised_within_their_bound
            layers::attention_is_within_its_bound
            random::normals_follow_philox_and_box_muller
            random::uniform_numbers_follow_philox_and_stay_below_their_end
            random::a_launch_continues_where_its_offset_says
            transfer::a_fingerprint_is_that_of_the_bytes
            same_bits::the_same_work_gives_the_same_bits_on_any_stream_and_device
            same_bits::how_operands_lie_changes_no_bit
            capture::a_capture_is_replayed_or_unsupported
            life::streams_and_events_come_and_go
            life::completed_positions_tell_the_truth
        }
    };
}

macro_rules! table {
    ([] $($module:ident::$case:ident)*) => {
        /// Every case, in the order of the contract.
        pub const CASES: &[Case] = &[$(Case { name: stringify!($case), group: stringify!($module), run: $module::$case }),*];
    };
}
__conformance_cases!(table,);

/// The case of that name.
#[must_use]
pub fn case(name: &str) -> Option<&'static Case> {
    CASES.iter().find(|case| case.name == name)
}

/// Makes a module with one test for each case of the suite: `conformance_suite!(name, make)`, where `make` is an expression of type
/// `Fn() -> Arc<B>` and `B` a [`millstream_hal::Backend`].
#[macro_export]
macro_rules! conformance_suite {
    ($name:ident, $make:expr) => {
        #[allow(unused_imports, reason = "what the expression names")]
        mod $name {
            use super::*;
            $crate::__conformance_cases!($crate::__conformance_tests, $make);
        }
    };
}

/// A test for each case.
#[doc(hidden)]
#[macro_export]
macro_rules! __conformance_tests {
    ([$make:expr] $($module:ident::$case:ident)*) => {
        $(
            #[test]
            fn $case() {
                let make = $make;
                let case = $crate::suite::case(stringify!($case)).expect("every test is a case");
                case.run(&|| make());
            }
        )*
    };
}
