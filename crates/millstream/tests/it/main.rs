//! One file for each public capability.

mod events;
mod examples;
mod generator;
mod imports;
mod out_of_memory;
mod parallel;
mod shapes;
mod shutdown;
mod statistics;
mod streams;
