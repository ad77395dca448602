//! The story of `cargo xtask demo --once`: its people, its time, and the order of its acts.
//!
//! Each act is a module below; what it says is checked from the outside. Decides nothing about the product.

mod brief;
mod field_staff;
mod memo;
mod people_change;
mod power_cut;
mod private_note;
mod promises;
mod rating;
mod rescheduling;
mod restore;
mod strengths;
mod tips;
mod tunnel;

use std::{path::Path, time::Duration};

use anyhow::{Context, Result};
use taiwa_server::{clock::SystemClock, store::Store};
use taiwa_shared::{
    domain::people::Side,
    ids::{MeetingId, PairId},
    time::Clock,
};
use tempfile::TempDir;

use super::{
    company::{self, Employee},
    phone::Phone,
    serve,
    timeline::Timeline,
};
use crate::{clock::TestClock, process::ServerProcess, seed::Seed};

/// A member and their manager, each with a phone.
pub(super) struct Couple {
    pub(super) member: Phone,
    pub(super) manager: Phone,
    pub(super) pair: PairId,
    /// The member's address in the company's list.
    pub(super) member_email: String,
}

/// Everything the acts share.
pub(super) struct Story {
    pub(super) timeline: Timeline,
    pub(super) clock: TestClock,
    pub(super) server: ServerProcess,
    pub(super) office: Couple,
    pub(super) field: Couple,
    /// The company's list, as it was imported last.
    pub(super) people: Vec<Employee>,
    folder: TempDir,
}

/// Plays the story in a temporary folder; true if every check held.
///
/// # Errors
/// If something could not even be tried.
pub async fn play_once(seed: u64) -> Result<bool> {
    let mut story = Story::begin(seed).await?;
    let prepared = story.office.next_meeting().await?;
    tunnel::play(&mut story).await?;
    brief::play(&mut story).await?;
    memo::play(&mut story).await?;
    private_note::write(&mut story).await?;
    promises::play(&mut story).await?;
    rating::play(&mut story).await?;
    Box::pin(tips::play(&mut story)).await?;
    field_staff::play(&mut story).await?;
    Box::pin(rescheduling::play(&mut story)).await?;
    power_cut::play(&mut story).await?;
    Box::pin(restore::play(&mut story)).await?;
    Box::pin(strengths::play(&mut story)).await?;
    Box::pin(people_change::play(&mut story)).await?;
    Box::pin(story.look_inside(prepared)).await
}

impl Story {
    async fn begin(seed: u64) -> Result<Self> {
        let timeline = Timeline::start();
        let folder = tempfile::Builder::new().prefix("taiwa-demo-").tempdir()?;
        let people = company::employees(seed);
        timeline.act(&format!("{}（架空）", company::NAME));
        let said = serve::import(&folder.path().join("server"), &people).await?;
        said.lines().for_each(|line| timeline.say("運用担当", line));
        let server = ServerProcess::start(folder.path().join("server")).await?;
        timeline.say("サーバー", format!("{} で起動しました", server.url()));

        let clock = TestClock::new();
        let mut couples = Vec::new();
        for member in two_members_of_different_managers(&people)? {
            let member_email = member.email.clone();
            let manager = people.iter().find(|person| Some(&person.email) == member.manager.as_ref());
            let manager = manager.context("every member of the company has a manager")?;
            let member = unpack(&timeline, folder.path(), &server, &clock, member, seed).await?;
            let manager = unpack(&timeline, folder.path(), &server, &clock, manager, seed).await?;
            let pair = member.session().await?.pairs().first().context("the member is in a pair")?.pair;
            couples.push(Couple { member, manager, pair, member_email });
        }
        let field = couples.pop().context("two couples")?;
        let office = couples.pop().context("two couples")?;
        Ok(Self { timeline, clock, server, office, field, people, folder })
    }

    /// Lets time pass on every phone until so long before the next 1on1 of the couple in the office.
    pub(super) async fn move_to_before(&self, meeting: MeetingId, ahead: Duration) -> Result<()> {
        let upcoming = self.office.member.session().await?.upcoming().await?;
        let meeting = upcoming.iter().find(|it| it.meeting == meeting).context("the meeting is to come")?;
        let now = self.clock.now();
        let wanted = meeting.starts.minus(ahead);
        if wanted > now {
            self.clock.advance(wanted.since(now));
        }
        Ok(())
    }

    /// A new file in the story's folder.
    pub(super) fn file(&self, name: &str) -> Result<String> {
        Ok(self.folder.path().join(name).to_str().context("the folder's name is no text")?.to_owned())
    }

    /// Decodes what the phones and the server hold at the end, and closes the story.
    async fn look_inside(self, prepared: MeetingId) -> Result<bool> {
        let Self { mut timeline, mut server, office, field, folder, .. } = self;
        timeline.act("最後に、端末とサーバーの中身を外から調べます");
        server.stop().await?;
        private_note::look_inside(&mut timeline, &server, office, prepared).await?;
        drop(field);
        let held = timeline.end();
        folder.close().context("remove the temporary folder")?;
        Ok(held)
    }
}

impl Couple {
    /// The next 1on1, as the member's phone knows by itself.
    pub(super) async fn next_meeting(&self) -> Result<MeetingId> {
        let home = self.member.session().await?.home().await?;
        let next = home.next.context("the phone knows the next 1on1")?;
        anyhow::ensure!(next.side == Side::Member, "the member looks from the member's side");
        Ok(next.meeting)
    }
}

/// The server's database, beside it.
async fn server_store(server: &ServerProcess) -> Result<Store> {
    Ok(Store::open(&server.database().to_string_lossy(), SystemClock.now()).await?)
}

async fn unpack(
    timeline: &Timeline,
    folder: &Path,
    server: &ServerProcess,
    clock: &TestClock,
    person: &Employee,
    seed: u64,
) -> Result<Phone> {
    let link = serve::invitation(server, &person.email).await?;
    let family = person.name.split(' ').next().unwrap_or(&person.name);
    let who = format!("{family}さん");
    let directory = folder.join(&person.email);
    let phone = Phone::sign_in(&who, directory, server.address(), clock, &link, Seed::fixed(seed)).await?;
    let paired = phone.sees(|session| async move { Ok(session.pairs()) }, |pairs| !pairs.is_empty()).await?;
    let pairs = paired.context("the records reach a new phone")?.len();
    timeline.say(&phone.who, format!("招待リンクでサインインしました（{}、1on1の相手 {pairs}人）", person.site));
    Ok(phone)
}

/// The first members of the first two teams.
fn two_members_of_different_managers(people: &[Employee]) -> Result<[&Employee; 2]> {
    let first = people.iter().find(|person| person.manager.is_some()).context("the company has members")?;
    let other = people.iter().find(|person| person.manager.is_some() && person.manager != first.manager);
    Ok([first, other.context("the company has two teams")?])
}
