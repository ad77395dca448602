//! `cargo xtask demo`: the demo company on a server that stays up.
//!
//! Uses the server's own commands. What it makes in the folder stays there; running it again goes on with it.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
};

use anyhow::{Context, Result};

use super::company::{self, Employee};
use crate::process::{ServerProcess, run_server_command};

/// Where the demo listens: the server's own default.
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 4150);

/// Fills `folder` with the demo company, serves it, prints invitation links and stays until Ctrl-C.
///
/// # Errors
/// If the port is taken, or the import fails.
pub async fn serve(folder: &Path, seed: u64) -> Result<()> {
    let folder = std::path::absolute(folder).context("find the folder for the data")?;
    let people = company::employees(seed);
    let said = import(&folder, &people).await?;
    println!("{}", said.trim_end());
    let mut server = ServerProcess::start_at(&folder, ADDRESS).await?;
    println!("\n{} on {}, data in {}", company::NAME, server.url(), folder.display());
    println!("One-use invitations, seven days each:");
    for (who, person) in cast(&people)? {
        let link = invitation(&server, &person.email).await?;
        println!("  {who:8} {} ({}, {})  {link}", person.name, person.site, person.email);
    }
    println!("\nCtrl-C stops the server; `cargo xtask demo` starts it again on the same data.");
    tokio::signal::ctrl_c().await.context("wait for Ctrl-C")?;
    server.stop().await
}

/// Imports the company with the ordinary command.
///
/// # Errors
/// If the command refuses the file.
pub(super) async fn import(folder: &Path, people: &[Employee]) -> Result<String> {
    std::fs::create_dir_all(folder)?;
    let file = folder.join("people.csv");
    std::fs::write(&file, company::csv(people)).context("write the list of people")?;
    let file = file.to_str().context("the folder's name is no text")?;
    run_server_command(folder, &["import", "--organisation", company::SLUG, "--name", company::NAME, file]).await
}

/// An invitation link for somebody, made with the ordinary command.
///
/// # Errors
/// If there is no such person.
pub(super) async fn invitation(server: &ServerProcess, email: &str) -> Result<String> {
    let link = server.run_command(&["invite", "--organisation", company::SLUG, email]).await?;
    Ok(link.trim().to_owned())
}

/// A member, their manager and somebody of HR.
fn cast(people: &[Employee]) -> Result<[(&'static str, &Employee); 3]> {
    let member = people.iter().find(|person| person.manager.is_some()).context("the company has members")?;
    let manager = people.iter().find(|person| Some(&person.email) == member.manager.as_ref());
    let hr = people.iter().find(|person| person.hr);
    Ok([
        ("member", member),
        ("manager", manager.context("the member has a manager")?),
        ("HR", hr.context("the company has HR")?),
    ])
}
