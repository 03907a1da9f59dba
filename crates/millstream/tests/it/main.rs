//! One file for each public capability.

mod creation;
mod element_types;
mod elementwise;
mod events;
mod examples;
mod faults;
mod generator;
mod imports;
mod kernels;
mod ladder;
mod leaks;
mod mixed;
mod out_of_memory;
mod parallel;
mod printing;
mod products;
mod reductions;
mod refusals;
mod scheduled;
mod shapes;
mod shutdown;
mod snapshot;
mod staging;
mod statistics;
mod streams;
mod views;
