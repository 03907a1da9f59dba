//! Writes the reports of the hand-made round of the tests, for looking at them:
//! `cargo run -p millstream-verify --example fixture_report -- FOLDER`

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::path::Path;

use millstream_verify::report;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "verification".to_owned());
    for (stem, round) in [("clean", fixture::round()), ("findings", fixture::with_findings())] {
        for path in report::write_all(Path::new(&folder), stem, &round)? {
            println!("{}", path.display());
        }
    }
    Ok(())
}
