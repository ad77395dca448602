//! The machine: which core runs what, and what a process has used of it.
//!
//! Reads `/proc` and starts `taskset`; where there is no second core, nothing is pinned and the report says so. Decides
//! nothing about what is measured.

use std::{
    fs,
    io::Write,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use taiwa_tests::figures::Machine;

/// The core of the server that is measured.
pub(crate) const SERVER_CORE: usize = 0;
/// The unit of CPU time in /proc/pid/stat on Linux, whatever the kernel's own is.
const TICK: Duration = Duration::from_millis(10);
/// The core of this process, which makes the load.
const GENERATOR_CORE: usize = 1;

/// Keeps this process off the server's core; false if that cannot be. Call it before there are threads.
pub(crate) fn pin_self() -> bool {
    // Before, not after: a pinned process sees one core.
    if !std::thread::available_parallelism().is_ok_and(|cores| cores.get() > GENERATOR_CORE) {
        return false;
    }
    pin(std::process::id(), GENERATOR_CORE)
}

/// Moves a process of somebody else to the server's core, with whatever it starts from now on; false if that cannot be.
pub(crate) fn pin_to_server_core(pid: u32) -> bool {
    pin(pid, SERVER_CORE)
}

fn pin(pid: u32, core: usize) -> bool {
    let taskset = Command::new("taskset").args(["-a", "-p", "-c", &core.to_string(), &pid.to_string()]).output();
    taskset.is_ok_and(|output| output.status.success())
}

/// A command that runs on the server's core, if there is one for it.
pub(crate) fn on_server_core(program: impl AsRef<std::ffi::OsStr>, pinned: bool) -> Command {
    if !pinned {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &SERVER_CORE.to_string()]).arg(program);
    command
}

/// What all threads of a process have spent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times {
    /// Running.
    pub(crate) ran: Duration,
    /// Ready to run while something else had the core.
    pub(crate) waited: Duration,
    /// Running, of threads that have ended too, as a multiple of 10 ms.
    ran_coarsely: Duration,
}

impl Times {
    /// What was spent between two looks.
    pub(crate) fn since(self, before: Self) -> Self {
        // A thread that has ended takes its fine count with it, and then the coarse one is nearer.
        let ran_coarsely = self.ran_coarsely.saturating_sub(before.ran_coarsely);
        let ran = self.ran.saturating_sub(before.ran).max(ran_coarsely.saturating_sub(2 * TICK));
        Self { ran, waited: self.waited.saturating_sub(before.waited), ran_coarsely }
    }
}

/// What a process has spent so far.
///
/// # Errors
/// If there is no such process.
pub(crate) fn times(pid: u32) -> Result<Times> {
    let (mut ran, mut waited) = (0, 0);
    for task in fs::read_dir(format!("/proc/{pid}/task")).context("the process has ended")? {
        // A thread may end while we look.
        let Ok(schedstat) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
        let mut fields = schedstat.split_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
        ran += fields.next().unwrap_or(0);
        waited += fields.next().unwrap_or(0);
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).context("the process has ended")?;
    // Behind the name, which may hold anything: fields 14 and 15 of proc(5) are ticks in user and kernel mode.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    let ticks: u32 = fields.filter_map(|field| field.parse::<u32>().ok()).sum();
    Ok(Times { ran: Duration::from_nanos(ran), waited: Duration::from_nanos(waited), ran_coarsely: TICK * ticks })
}

/// Resident memory of a process in bytes.
///
/// # Errors
/// If there is no such process.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmRSS:")
}

/// The most resident memory that a process has had, in bytes.
///
/// # Errors
/// If there is no such process.
pub(crate) fn peak_resident_bytes(pid: u32) -> Result<u64> {
    status_bytes(pid, "VmHWM:")
}

fn status_bytes(pid: u32, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("the process has ended")?;
    let line = status.lines().find(|line| line.starts_with(field)).context("a field of /proc/pid/status")?;
    let kib: u64 = line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).context("a number of kB")?;
    Ok(kib * 1024)
}

/// What the report says about the machine.
pub(crate) fn describe(pinned: bool) -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("unknown");
    let meminfo = read("/proc/meminfo");
    let memory_kib = meminfo.split_whitespace().nth(1).and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
    Machine {
        cpu: model.trim_start_matches([' ', '\t', ':']).trim().to_owned(),
        cores: std::thread::available_parallelism().map_or(1, usize::from).max(cpuinfo.matches("processor\t").count()),
        memory_gib: (memory_kib / 1024.0 / 1024.0).round(),
        kernel: read("/proc/sys/kernel/osrelease").trim().split('-').next().unwrap_or_default().to_owned(),
        sync_to_disk_ms: sync_to_disk().map_or(0.0, |took| took.as_secs_f64() * 1_000.0),
        load_before: read("/proc/loadavg").split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0.0),
        pinned,
    }
}

/// The median of syncing a small file to the disk on which the measured data lie.
fn sync_to_disk() -> Result<Duration> {
    let folder = tempfile::tempdir()?;
    let mut file = fs::File::create(folder.path().join("sync"))?;
    let mut took = Vec::new();
    for _ in 0..41 {
        file.write_all(&[0; 4_096])?;
        let started = Instant::now();
        file.sync_data()?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    Ok(took[took.len() / 2])
}
