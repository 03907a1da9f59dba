//! The backend over a driver without a device: order, lifetimes, faults, and how many driver calls an operation makes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod mock {
    mod calls;
    mod deadline;
    mod devices;
    mod driver_calls;
    mod faults;
    mod opening;
    mod rig;
}
