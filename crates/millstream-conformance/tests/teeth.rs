//! The suite has teeth: a device broken in one way fails the case that is there for it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod teeth {
    mod broken;
    mod cases;
}
