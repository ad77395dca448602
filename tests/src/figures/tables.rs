//! Tables of a report: aligned for a screen, and as Markdown for docs/performance.md, where they stand between marks.
//!
//! Decides nothing about what is good; the words around the tables are written by hand and stay.

use std::fmt::Write;

use super::{
    Report, Row,
    goals::{Bound, goals},
};

/// Before the tables in docs/performance.md.
pub const BEGIN: &str = "<!-- begin: written by `cargo xtask bench --write-docs` -->";
/// After them.
pub const END: &str = "<!-- end -->";

/// A table of texts, the first row of which is its head.
struct Table {
    title: String,
    lines: Vec<Vec<String>>,
}

/// The tables for a screen.
pub fn for_screen(report: &Report) -> String {
    let mut text = String::new();
    for Table { title, lines } in tables(report) {
        let columns = lines[0].len();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let _ = writeln!(text, "{title}");
        for line in &lines {
            let cells = line.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
                let pad = " ".repeat(width - cell.chars().count());
                if column == 0 || column + 1 == columns { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
            });
            let _ = writeln!(text, "  {}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        text.push('\n');
    }
    text
}

/// The tables as Markdown, without the marks.
pub fn for_docs(report: &Report) -> String {
    let machine = &report.machine;
    let cores = if machine.pinned { "server and generator on a core each" } else { "server and generator not pinned" };
    let mut text = format!(
        "Measured on {} at `{}`{}: {}, {} cores ({cores}), {} GiB, Linux {}, syncing a small write to disk {} ms, load \
         average before {}.\n",
        report.date,
        report.commit,
        if report.quick { " with `--quick`" } else { "" },
        machine.cpu,
        machine.cores,
        machine.memory_gib,
        machine.kernel,
        number(machine.sync_to_disk_ms),
        number(machine.load_before),
    );
    for Table { title, lines } in tables(report) {
        let _ = write!(text, "\n### {title}\n\n");
        for (place, line) in lines.iter().enumerate() {
            let _ = writeln!(text, "| {} |", line.join(" | "));
            if place == 0 {
                let _ = writeln!(text, "|{}", " --- |".repeat(line.len()));
            }
        }
    }
    text
}

/// A page with the tables between the marks renewed; none if it lacks the marks.
pub fn renewed(page: &str, report: &Report) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n\n{}\n{END}{after}", for_docs(report)))
}

fn tables(report: &Report) -> Vec<Table> {
    let mut names: Vec<&str> = Vec::new();
    for row in &report.rows {
        if !names.contains(&row.row.as_str()) {
            names.push(&row.row);
        }
    }
    let of = |name: &str| report.rows.iter().filter(|row| row.row == name).collect::<Vec<_>>();
    names.iter().map(|name| table(name, &of(name))).chain([goal_table(report)]).collect()
}

fn table(title: &str, rows: &[&Row]) -> Table {
    let mut columns: Vec<(&str, &str)> = Vec::new();
    for figure in rows.iter().flat_map(|row| &row.figures) {
        if !columns.contains(&(&figure.name, &figure.unit)) {
            columns.push((&figure.name, &figure.unit));
        }
    }
    let head =
        |(name, unit): &(&str, &str)| if unit.is_empty() { (*name).to_owned() } else { format!("{name} ({unit})") };
    let mut lines = vec![[vec!["server".to_owned()], columns.iter().map(head).collect(), vec!["".to_owned()]].concat()];
    for row in rows {
        let cells = columns.iter().map(|(name, _)| row.figure(name).map_or("–".to_owned(), number));
        let unsound = if row.sound { "" } else { "FAILED. " };
        let remark = format!("{unsound}{}", row.remark).trim().to_owned();
        lines.push([vec![row.peer.clone()], cells.collect(), vec![remark]].concat());
    }
    Table { title: title.to_owned(), lines }
}

fn goal_table(report: &Report) -> Table {
    let mut lines = vec![["figure", "required", "measured", ""].map(str::to_owned).to_vec()];
    for goal in goals(report) {
        let required = match goal.bound {
            Bound::AtMost(most) => format!("≤ {} {}", number(most), goal.unit),
            Bound::AtLeast(least) => format!("≥ {} {}", number(least), goal.unit),
        };
        let measured = goal.measured.map_or("–".to_owned(), |measured| format!("{} {}", number(measured), goal.unit));
        let verdict = match goal.is_reached() {
            Some(true) => "reached",
            Some(false) => "NOT REACHED",
            None => "not measured",
        };
        lines.push(vec![goal.what.to_owned(), required, measured, verdict.to_owned()]);
    }
    Table { title: "figures of the design".to_owned(), lines }
}

/// Three digits, as far as they matter.
fn number(value: f64) -> String {
    let digits = match value.abs() {
        large if large >= 100.0 || large == 0.0 => 0,
        middle if middle >= 10.0 => 1,
        small if small >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) && digit.is_ascii_digit() && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { grouped } else { format!("{grouped}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_matter() {
        for (value, text) in [
            (0.0, "0"),
            (0.0834, "0.083"),
            (1.5, "1.5"),
            (12.34, "12.3"),
            (250.4, "250"),
            (12_345.6, "12,346"),
            (2.0, "2"),
        ] {
            assert_eq!(number(value), text);
        }
    }
}
