//! Looking at a page: what the script in it sees, what its console says, what it asks the network for.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::VIEWS;
use super::breaks::{BREAKS, BREAKS_BESIDE};
use super::driver::Browser;

const SCRIPT: &str = include_str!("checks.js");

/// What is wrong with `page` in a window of this size and theme: `check: problem`.
pub fn look(browser: &Browser, page: &Path, size: (u32, u32), dark: bool) -> Result<Vec<String>> {
    let json_file = page.with_extension("json");
    let text = fs::read_to_string(&json_file).with_context(|| format!("cannot read {}", json_file.display()))?;
    see(browser, page, &serde_json::from_str(&text)?, size, dark)
}

fn see(browser: &Browser, page: &Path, round: &Value, size: (u32, u32), dark: bool) -> Result<Vec<String>> {
    browser.emulate(size, dark)?;
    // What pages before this one left.
    drop((browser.log("browser")?, browser.log("performance")?));
    browser.open(page)?;
    let seen = browser.script(SCRIPT, &[round, &json!(size.0 < 500), &json!(dark)])?;
    let mut problems: Vec<String> = Vec::new();
    for pair in seen.as_array().context("the script gave no list")? {
        problems.push(format!("{}: {}", pair[0].as_str().unwrap_or("?"), pair[1].as_str().unwrap_or("?")));
    }
    for entry in browser.log("browser")? {
        problems.push(format!("console: {}", entry["message"].as_str().unwrap_or("?")));
    }
    for entry in browser.log("performance")? {
        let message: Value = serde_json::from_str(entry["message"].as_str().unwrap_or("null"))?;
        let message = &message["message"];
        let address = message["params"]["request"]["url"].as_str().unwrap_or_default();
        if message["method"] == "Network.requestWillBeSent" && !address.starts_with("file://") {
            problems.push(format!("network: asks for {address}"));
        }
    }
    Ok(problems)
}

/// The checks that do not see what they are there for: each page that is broken on purpose must make its check speak.
pub fn blind(browser: &Browser, page: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(page)?;
    let round: Value = serde_json::from_str(&fs::read_to_string(page.with_extension("json"))?)?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("broken.html");
    let mut blind = Vec::new();
    let (desk, phone_dark) = (VIEWS[0], VIEWS[3]);
    let all = BREAKS.iter().map(|way| (way, desk)).chain(BREAKS_BESIDE.iter().map(|way| (way, phone_dark)));
    for ((check, broken), (_, size, dark)) in all {
        let broken = broken(&text);
        fs::write(&file, &broken)?;
        let problems = see(browser, &file, &round, size, dark)?;
        if broken == text || !problems.iter().any(|problem| problem.starts_with(&format!("{check}: "))) {
            blind.push((*check).to_owned());
        }
    }
    Ok(blind)
}
