//! `tips`: what a reviewer sees and decides.

use anyhow::{Result, bail};
use clap::Subcommand;
use taiwa_shared::{ids::TipId, time::Clock};

use crate::{
    clock::SystemClock,
    config::Config,
    store::Store,
    tips::review::{Reviewed, Verdict, decide},
};

/// Tips that are shown at once.
const SHOWN: i64 = 100;

/// What to do with tips.
#[derive(Debug, Subcommand)]
pub(super) enum TipsCommand {
    /// Lists those that are offered to other companies and wait, and those that were reported.
    List,
    /// Lets other companies read a tip. Look for names of people, customers and companies first.
    Pass {
        /// The tip, as listed.
        id: TipId,
    },
    /// Keeps a tip within its company.
    Decline {
        /// The tip, as listed.
        id: TipId,
    },
    /// Removes a tip everywhere.
    TakeDown {
        /// The tip, as listed.
        id: TipId,
    },
    /// Says that a tip that was reported is in order.
    Keep {
        /// The tip, as listed.
        id: TipId,
    },
}

pub(super) async fn run(config: &Config, command: &TipsCommand) -> Result<()> {
    let store = Store::open(&config.database, SystemClock.now()).await?;
    let done = match command {
        TipsCommand::List => list(&store).await,
        TipsCommand::Pass { id } => review(&store, *id, Verdict::Pass).await,
        TipsCommand::Decline { id } => review(&store, *id, Verdict::Decline).await,
        TipsCommand::TakeDown { id } => review(&store, *id, Verdict::TakeDown).await,
        TipsCommand::Keep { id } => review(&store, *id, Verdict::Keep).await,
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

async fn review(store: &Store, tip: TipId, verdict: Verdict) -> Result<()> {
    match decide(store, tip, verdict, SystemClock.now()).await? {
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
        Reviewed::NotWaiting => bail!("tip {tip} does not wait for that: `tips list` says what waits"),
    }
}
