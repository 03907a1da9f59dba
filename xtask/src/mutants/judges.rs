//! Who judges which file.

use anyhow::Result;

use crate::step;

/// One build and its tests.
#[derive(Clone)]
pub struct Judge {
    /// As people call it.
    pub name: String,
    /// The package with the tests.
    pub package: &'static str,
    /// Folder of its build and of what it left.
    pub target: &'static str,
    /// Environment of its build and run.
    pub environment: &'static [(&'static str, &'static str)],
    /// Options of cargo that pick features and test binaries.
    pub cargo: &'static [&'static str],
    /// Arguments of the test binary.
    pub tests: Vec<String>,
    /// After so many seconds a run counts as one without end.
    pub seconds: &'static str,
}

/// Files with the same judges.
pub struct Group {
    /// As people call it.
    pub name: String,
    /// Their package.
    pub package: &'static str,
    /// Paths from the root.
    pub files: Vec<String>,
    /// The one that sees most first.
    pub judges: Vec<Judge>,
}

const SYNC: &str = "crates/millstream-sync";

/// What is no protocol: what the checkers and the baton are made of.
const NO_PROTOCOL: &[&str] = &["atomic", "lib", "seam", "seeded", "schedule"];

/// The protocols of the runtime.
const RUNTIME: &[&str] = &[
    "event/cell",
    "event/pool",
    "fault",
    "fault/report",
    "memory/climb",
    "memory/growth",
    "memory/limbo",
    "memory/thread_cache",
    "memory/trim",
    "shutdown",
    "stream/guard",
    "stream/lease",
    "stream/load",
    "stream/order",
    "stream/pool",
    "stream/revoke",
    "stream/work",
    "thread_state",
];

/// The cases of the file of the same name, under loom.
fn loom(protocol: &str) -> Judge {
    Judge {
        name: format!("its loom cases ({protocol}/)"),
        package: "millstream-sync",
        target: "loom",
        environment: &[("RUSTFLAGS", "--cfg millstream_loom")],
        cargo: &["--features=seeded-bugs", "--test=loom"],
        tests: vec!["--cases".to_owned(), format!("{protocol}/")],
        seconds: "60",
    }
}

/// The unit tests of the module, and the one that plants a bug and unwinds.
fn units(module: &str) -> Judge {
    Judge {
        name: format!("its unit tests ({module}::)"),
        package: "millstream-sync",
        target: "plain",
        environment: &[],
        cargo: &["--features=seeded-bugs", "--lib", "--test=planted"],
        tests: vec![format!("{module}::"), "planted_bug".to_owned()],
        seconds: "60",
    }
}

/// What drives the runtime on the simulator or on the CPU and is quick, with few seeds.
fn simulator() -> Judge {
    let modules = [
        "drop_errors::",
        "events::",
        "faults::",
        "forks::",
        "growth::",
        "ladder::",
        "leases::",
        "limbo::",
        "out_of_memory::",
        "scheduled::",
        "shutdown::",
        "statistics::",
        "streams::",
        "traces::",
    ];
    // They compute for long; the last is held to a time, and fails on a machine that is busy.
    let skipped = [
        "faults::a_value_can_be_read",
        "ladder::the_host_waits_for_the_oldest",
        "leases::revoked_leases_change",
        "statistics::memory_does_not_grow",
        "shutdown::a_shutdown_waits_for_who_is_giving",
    ];
    let skips = skipped.iter().flat_map(|test| ["--skip", test]);
    let tests = ["--test-threads", "4"].into_iter().chain(modules).chain(skips).map(str::to_owned).collect();
    Judge {
        name: "the quick tests of millstream".to_owned(),
        package: "millstream",
        target: "quick",
        environment: &[("MILLSTREAM_SEEDS", "8")],
        cargo: &["--test=it"],
        tests,
        seconds: "45",
    }
}

/// The unit tests of millstream-runtime.
fn runtime_units() -> Judge {
    Judge {
        name: "the unit tests of millstream-runtime".to_owned(),
        package: "millstream-runtime",
        target: "quick",
        environment: &[],
        cargo: &["--lib"],
        tests: Vec::new(),
        seconds: "60",
    }
}

/// The files of millstream-sync, each with its cases.
pub fn sync(ending: &str) -> Result<Vec<Group>> {
    let files = step::files()?;
    let is_there = |path: &str| files.iter().any(|file| file.path == path);
    let mut groups = Vec::new();
    for file in &files {
        let name = file.path.strip_prefix(SYNC).and_then(|path| path.strip_prefix("/src/")?.strip_suffix(".rs"));
        let is_protocol = |name: &&str| {
            !name.ends_with("/tests") && name.split('/').next().is_some_and(|first| !NO_PROTOCOL.contains(&first))
        };
        let Some(name) = name.filter(is_protocol) else { continue };
        let has_cases = is_there(&format!("{SYNC}/tests/loom/protocols/{name}.rs"));
        let judges =
            has_cases.then(|| loom(name)).into_iter().chain([units(name.split('/').next().unwrap_or(name))]).collect();
        groups.push(Group {
            name: name.to_owned(),
            package: "millstream-sync",
            files: vec![file.path.clone()],
            judges,
        });
    }
    groups.retain(|group| group.files[0].ends_with(ending));
    Ok(groups)
}

/// The files of millstream-runtime, together: their judge is one binary.
pub fn runtime(ending: &str) -> Result<Vec<Group>> {
    let files = RUNTIME.iter().map(|name| format!("crates/millstream-runtime/src/{name}.rs"));
    let files: Vec<String> = files.filter(|file| file.ends_with(ending)).collect();
    if files.is_empty() {
        return Ok(Vec::new());
    }
    let name = format!("{} files of the runtime", files.len());
    Ok(vec![Group { name, package: "millstream-runtime", files, judges: vec![simulator(), runtime_units()] }])
}
