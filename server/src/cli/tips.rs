//! `tips`: what a reviewer sees and decides.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use taiwa_shared::{ids::TipId, time::Clock};

use super::organisation::find;
use crate::{
    clock::SystemClock,
    config::Config,
    store::Store,
    tips::review::{Reviewed, Verdict, decide, decide_in},
};

/// Tips that are shown at once.
const SHOWN: i64 = 100;

/// What to do with tips.
#[derive(Debug, Subcommand)]
pub(super) enum TipsCommand {
    /// Lists those that are offered to other companies and wait, and those that were reported.
    List,
    /// Lets other companies read a tip. Look for names of people, customers and companies first.
    Pass(Which),
    /// Keeps a tip within its company.
    Decline(Which),
    /// Removes a tip everywhere.
    TakeDown(Which),
    /// Says that a tip that was reported is in order.
    Keep(Which),
}

/// A tip.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// Short name of its organisation, where tips of several have this id.
    #[arg(long)]
    organisation: Option<String>,
    /// The tip, as listed.
    id: TipId,
}

pub(super) async fn run(config: &Config, command: &TipsCommand) -> Result<()> {
    let store = Store::open(&config.database, SystemClock.now()).await?;
    let done = match command {
        TipsCommand::List => list(&store).await,
        TipsCommand::Pass(which) => review(&store, which, Verdict::Pass).await,
        TipsCommand::Decline(which) => review(&store, which, Verdict::Decline).await,
        TipsCommand::TakeDown(which) => review(&store, which, Verdict::TakeDown).await,
        TipsCommand::Keep(which) => review(&store, which, Verdict::Keep).await,
    };
    store.close().await;
    done
}

async fn list(store: &Store) -> Result<()> {
    let tips = store.tips_to_review(SHOWN).await?;
    for tip in &tips {
        let waits = if tip.offered == "waiting" { "offered to others" } else { "" };
        let reports = if tip.reports > 0 { format!("reported {} times", tip.reports) } else { String::new() };
        let why: Vec<&str> = [waits, &reports].into_iter().filter(|word| !word.is_empty()).collect();
        println!("{}  {} × {}  {}\n  {}", tip.id, tip.topic, tip.response, why.join(", "), tip.text);
    }
    match tips.len() {
        0 => println!("nothing waits"),
        count if count as i64 == SHOWN => println!("the first {count}; there may be more"),
        _ => {}
    }
    Ok(())
}

async fn review(store: &Store, which: &Which, verdict: Verdict) -> Result<()> {
    let (tip, now) = (which.id, SystemClock.now());
    let reviewed = match &which.organisation {
        Some(slug) => decide_in(store, find(store, slug).await?.id, tip, verdict, now).await?,
        None => decide(store, tip, verdict, now).await?,
    };
    match reviewed {
        Reviewed::Done => {
            let what = match verdict {
                Verdict::Pass => "other companies read it now, without company and author",
                Verdict::Decline => "it stays within its company",
                Verdict::TakeDown => "it is gone everywhere",
                Verdict::Keep => "it stays, and its reports are forgotten",
            };
            println!("{what}");
            Ok(())
        }
        Reviewed::Absent => bail!("there is no tip {tip}: `tips list` names those that wait"),
        Reviewed::Several => bail!("tips of several companies have the id {tip}: say which one by --organisation"),
        Reviewed::NotWaiting => bail!("tip {tip} does not wait for that: `tips list` says what waits"),
    }
}
