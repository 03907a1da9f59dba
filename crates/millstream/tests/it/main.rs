//! One file for each public capability.

mod parallel;
