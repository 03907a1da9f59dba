//! A table with a cycle.

millstream_sync::lock_table! {
    levels {
        First;
        Second;
        Third;
    }
    nestings {
        First > Second;
        Second > Third;
        Third > First;
    }
}

fn main() {}
