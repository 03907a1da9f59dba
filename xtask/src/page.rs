//! What a reader of a round's page sees, in a real browser: pictures, tables, streak, in the light and in the dark, on a desk and on a phone.
//!
//! Rounds are run for it, so that the page is a real one. Each check is held against a page that is broken on purpose, too: the run fails where a check does not see that. Without a browser
//! nothing has been checked, and the task says so and fails.

mod breaks;
mod checks;
mod driver;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use driver::Browser;

use crate::step::{self, cargo};

/// Window sizes and themes in which each page is looked at.
pub(crate) const VIEWS: [(&str, (u32, u32), bool); 4] = [
    ("light", (1100, 900), false),
    ("dark", (1100, 900), true),
    ("phone", (390, 844), false),
    ("phone-dark", (390, 844), true),
];

/// Settings of the rounds: small, but long enough that threads meet.
const SMALL: [&str; 12] =
    ["--threads", "8", "--iterations", "120", "--sync-every", "10", "--size", "64", "--duration", "0", "--soak", "3s"];

/// Runs it. `reports`: a folder with reports to look at, instead of rounds that are run now. `pictures`: where screenshots are left.
pub fn run(reports: Option<&Path>, pictures: Option<&Path>) -> Result<()> {
    let Some((browser, chromedriver)) = driver::installed() else {
        bail!("not run: no browser (chromium and chromedriver are looked for on the path)");
    };
    let folder = match reports {
        Some(folder) => folder.to_path_buf(),
        None => {
            let folder = rounds()?;
            conform(&folder)?;
            folder
        }
    };
    let pages = pages(&folder)?;
    if let Some(pictures) = pictures {
        std::fs::create_dir_all(pictures)?;
    }
    let browser = Browser::start(&browser, &chromedriver)?;
    let mut problems = Vec::new();
    for page in &pages {
        for (view, size, dark) in VIEWS {
            let found = checks::look(&browser, page, size, dark)?;
            let name = page.file_stem().unwrap_or_default().to_string_lossy();
            problems.extend(found.iter().map(|problem| format!("{name}, {view}: {problem}")));
            if let Some(pictures) = pictures {
                browser.picture(&pictures.join(format!("{name}-{view}.png")))?;
            }
        }
    }
    let richest = richest(&pages)?;
    let blind = checks::blind(&browser, &richest)?;
    problems.extend(blind.iter().map(|check| format!("the check \"{check}\" does not see a page that is broken so")));
    println!(
        "page: {} pages in {} views, {} broken pages: {} problems",
        pages.len(),
        VIEWS.len(),
        breaks::BREAKS.len() + breaks::BREAKS_BESIDE.len(),
        problems.len()
    );
    match problems.is_empty() {
        true => Ok(()),
        false => bail!("{}", problems.join("\n")),
    }
}

/// Two small rounds, one with all attempts, one with findings and one that is incomplete. A round that is not clean is looked at all the same.
fn rounds() -> Result<PathBuf> {
    let folder = step::target("page");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(folder.join("stale/crates/millstream-verify"))?;
    for name in ["Cargo.toml", "crates/millstream-verify/Cargo.toml"] {
        std::fs::write(folder.join("stale").join(name), "")?;
    }
    let out = folder.display().to_string();
    let verify = |more: &[&str]| -> Result<()> {
        let fixed = ["run", "--quiet", "--package", "millstream-cli", "--", "verify", "--out", &out];
        let status = cargo(&[&fixed[..], more].concat()).status().context("cannot start cargo")?;
        match status.code() {
            Some(0..=2) => Ok(()),
            _ => bail!("millstream verify {}: {status}", more.join(" ")),
        }
    };
    verify(&SMALL)?;
    verify(&SMALL)?;
    verify(&[&SMALL[..], &["--all"]].concat())?;
    let stale = folder.join("stale").display().to_string();
    verify(&[&SMALL[..], &["--source", &stale]].concat())?;
    // Another digest in the file: the replay has a finding.
    let text = std::fs::read_to_string(folder.join("round-N1.json"))?;
    let mut round: serde_json::Value = serde_json::from_str(&text)?;
    for attempt in round["attempts"].as_array_mut().into_iter().flatten() {
        if attempt.get("stress").is_some() {
            attempt["stress"]["values_digest"] = "00".into();
        }
    }
    let edited = folder.join("edited.json");
    std::fs::write(&edited, round.to_string())?;
    verify(&["--replay", &edited.display().to_string(), "--attempt", "extended_stress"])?;
    std::fs::remove_file(edited)?;
    Ok(folder)
}

/// The JSON of the rounds conforms to the published schema.
fn conform(folder: &Path) -> Result<()> {
    let test = ["test", "--quiet", "--package", "millstream-verify", "--test", "schema"];
    let only = ["--", "--ignored", "--exact", "rounds_in_a_folder_conform"];
    step::run("schema", cargo(&[&test[..], &only].concat()).env("MILLSTREAM_ROUNDS", std::path::absolute(folder)?))
}

/// The pages of a folder that have their round beside them.
fn pages(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut pages: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|end| end == "html") && path.with_extension("json").is_file())
        .collect();
    pages.sort();
    if pages.is_empty() {
        bail!("no page with its round in {}", folder.display());
    }
    Ok(pages)
}

/// The page with the most on it: the broken ones are made from it.
fn richest(pages: &[PathBuf]) -> Result<PathBuf> {
    let size = |page: &&PathBuf| std::fs::metadata(page).map_or(0, |data| data.len());
    pages.iter().max_by_key(size).cloned().context("no page")
}
