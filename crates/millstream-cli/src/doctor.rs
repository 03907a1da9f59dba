//! `millstream doctor`: what there is, what is missing, and what to do about it.

use millstream_verify::doctor::{self, Report};

use crate::args;
use crate::exit::Ended;
use crate::output::{say, say_json, table};

/// Runs the command.
pub fn run(arguments: &args::Doctor) -> Ended {
    let report = doctor::examine(&arguments.out)?;
    if arguments.json {
        say_json(&report)?;
    } else {
        say(&text(&report))?;
    }
    Ok(0)
}

fn text(report: &Report) -> String {
    let machine = &report.machine;
    let memory = machine.memory_bytes.map(|bytes| format!(", {:.1} GiB", bytes as f64 / f64::from(1 << 30)));
    let features = report.subject.features.join(", ");
    let facts = [
        ("Version", report.version.to_owned()),
        ("Source", report.subject.source_sha256.clone()),
        ("Source tree", report.source.clone()),
        ("Compiler", format!("{}, {}", report.subject.rustc, report.subject.profile)),
        ("Target", report.subject.target.clone()),
        ("Features", if features.is_empty() { "none".to_owned() } else { features }),
        ("Machine", format!("{} {}, {}", machine.os, machine.arch, machine.cpu)),
        ("", format!("{} cores{}", machine.cores, memory.unwrap_or_default())),
        ("SIMD", format!("{} (has {})", report.simd.first().unwrap_or(&"none"), report.simd.join(", "))),
    ];
    let mut lines: Vec<String> = facts.iter().map(|(name, value)| format!("{name:<12} {value}")).collect();
    lines.extend(
        report
            .folders
            .iter()
            .map(|folder| format!("{:<12} {}: {}, {}", "Folder", folder.path, folder.purpose, folder.state)),
    );
    let rows: Vec<[String; 3]> = report
        .devices
        .iter()
        .map(|device| {
            let action = if device.action.is_empty() { String::new() } else { format!(": {}", device.action) };
            let found = if device.found { "found" } else { "missing" };
            [device.name.clone(), found.to_owned(), format!("{}{action}", device.detail)]
        })
        .collect();
    format!("{}\n\n{}", lines.join("\n"), table(["Device", "State", "Detail"], &rows, [false; 3]))
}
