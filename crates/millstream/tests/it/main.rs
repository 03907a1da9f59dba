//! One file for each public capability.

mod events;
mod examples;
mod faults;
mod generator;
mod imports;
mod kernels;
mod ladder;
mod leaks;
mod out_of_memory;
mod parallel;
mod scheduled;
mod shapes;
mod shutdown;
mod snapshot;
mod staging;
mod statistics;
mod streams;
