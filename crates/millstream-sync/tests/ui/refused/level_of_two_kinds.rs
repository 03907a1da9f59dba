//! A level is not nested in itself by the table.

millstream_sync::lock_table! {
    levels {
        Only;
    }
    nestings {
        Only > Only;
    }
}

fn main() {}
