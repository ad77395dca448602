//! docs/operating.md, followed to the letter in a fresh folder against the real program.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends there")]

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use taiwa_tests::{
    eventually::eventually,
    process::{Reaped, binary, free_address},
    rest::Rest,
};

const MANUAL: &str = include_str!("../../docs/operating.md");
const PATIENCE: Duration = Duration::from_secs(30);

/// What the manual has somebody do.
#[derive(Debug, PartialEq)]
enum Step {
    Run(String),
    Serve(String),
    Stop,
}

fn steps(manual: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut lines = manual.lines();
    while let Some(line) = lines.next() {
        let Some(kind) = line.strip_prefix("```").filter(|kind| !kind.is_empty()) else { continue };
        let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        match kind {
            "sh run" => steps.push(Step::Run(block.join("\n"))),
            "sh serve" => steps.push(Step::Serve(block.join("\n"))),
            "sh stop" => steps.push(Step::Stop),
            "sh" | "text" => {}
            other => panic!("the manual has a block of unknown kind {other:?}"),
        }
    }
    steps
}

/// A shell as an operator has it: the program is installed, and the server listens where nobody else does.
fn shell(folder: &Path, address: &str, script: &str) -> Command {
    let program = binary("taiwa-server");
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let mut shell = Command::new("bash");
    shell.args(["-euo", "pipefail", "-c", script]).current_dir(folder).stdin(Stdio::null());
    shell.env("PATH", path).env("TAIWA_LISTEN", address);
    shell
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_manual_works_when_it_is_followed_to_the_letter() {
    let folder = tempfile::tempdir().unwrap();
    let address = free_address().unwrap();
    let mut server: Option<Reaped> = None;
    let (mut ran, mut served) = (0, 0);
    for step in steps(MANUAL) {
        match step {
            Step::Run(script) => {
                let output = shell(folder.path(), &address.to_string(), &script).output().unwrap();
                let said = String::from_utf8_lossy(&output.stderr);
                assert!(output.status.success(), "{script}\nended with {}: {said}", output.status);
                ran += 1;
            }
            Step::Serve(script) => {
                assert!(server.is_none(), "the manual starts the server twice");
                let mut command = shell(folder.path(), &address.to_string(), &format!("exec {script}"));
                command.stdout(Stdio::null()).stderr(Stdio::null());
                server = Some(Reaped::new(command.spawn().unwrap()));
                let rest = Rest::new(address);
                eventually("the server is ready", PATIENCE, || async {
                    rest.get("/readyz").await.ok().filter(|answer| answer.status.is_success())
                })
                .await;
                served += 1;
            }
            Step::Stop => {
                let running = server.take().expect("the manual stops a server that runs");
                tokio::task::spawn_blocking(|| running.terminate()).await.unwrap().unwrap();
            }
        }
    }
    assert!(server.is_none(), "the manual leaves the server running");
    assert!(ran >= 5 && served == 2, "{ran} blocks run, {served} servers started");
}

#[test]
fn the_units_name_each_other_and_the_program() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    for name in ["taiwa-server.service", "taiwa-backup.service", "taiwa-backup.timer"] {
        assert!(MANUAL.contains(name), "the manual does not mention {name}");
        let mut section = "";
        for line in read(name).lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some("Unit" | "Service" | "Timer" | "Install") => section = "known",
                Some(other) => panic!("{name}: unknown section {other}"),
                None => assert!(section == "known" && line.contains('='), "{name}: {line}"),
            }
        }
    }
    for name in ["taiwa-server.service", "taiwa-backup.service"] {
        assert!(read(name).contains("/usr/local/bin/taiwa-server --config /etc/taiwa/taiwa.toml "), "{name}");
    }
    verify_where_systemd_is(&folder);
}

/// Beside the check above, what systemd itself says, on machines that have it; with a program that exists.
fn verify_where_systemd_is(folder: &Path) {
    if Command::new("systemd-analyze").arg("--version").output().is_err() {
        return;
    }
    let copy = tempfile::tempdir().unwrap();
    let program = binary("taiwa-server");
    for name in ["taiwa-server.service", "taiwa-backup.service", "taiwa-backup.timer"] {
        let unit = std::fs::read_to_string(folder.join(name)).unwrap();
        let unit = unit.replace("/usr/local/bin/taiwa-server", program.to_str().unwrap());
        let unit = unit.replace("User=taiwa", "User=root").replace("Group=taiwa", "Group=root");
        std::fs::write(copy.path().join(name), unit).unwrap();
    }
    let units =
        ["taiwa-server.service", "taiwa-backup.service", "taiwa-backup.timer"].map(|name| copy.path().join(name));
    let said = Command::new("systemd-analyze").arg("verify").args(units).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
}
