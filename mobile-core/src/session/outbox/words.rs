//! What a command was, and why it was not done, as people say it. Pure.

use taiwa_shared::{
    domain::{brief::local_time, cadence::Cadence, catalog::Language, command::Action, meeting::MeetingTime},
    protocol::commands::RejectionReason,
    time::{Timestamp, Zone},
};

use crate::store::StoredCommand;

/// How the reader is spoken to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) zone: &'a Zone,
    pub(super) now: Timestamp,
    pub(super) language: Language,
}

impl Reader<'_> {
    /// 「明日 11:00」; beside a time that differs in length alone, the length too: 「明日 11:00（45分）」.
    pub(super) fn time(&self, time: &MeetingTime, beside: Option<&MeetingTime>) -> String {
        let at = self.at(time);
        if !differs_in_length_alone(time, beside) {
            return at;
        }
        match self.language {
            Language::Ja => format!("{at}（{}分）", time.length_minutes),
            Language::En => format!("{at} ({} min)", time.length_minutes),
        }
    }

    fn at(&self, time: &MeetingTime) -> String {
        local_time(time.zone.at(time.starts), self.now, self.zone, self.language)
    }

    /// 「隔週 月曜日 10:00」.
    pub(super) fn cadence(&self, cadence: &Cadence) -> String {
        let time = cadence.time.strftime("%H:%M");
        match self.language {
            Language::Ja => format!("{} {time}（{}分）", cadence.words(self.language), cadence.length_minutes),
            Language::En => format!("{} {time} ({} min)", cadence.words(self.language), cadence.length_minutes),
        }
    }

    /// 「田中 花子さんとの1on1（明日 10:00）を 明日 11:00 に変更」.
    pub(super) fn what(&self, command: &StoredCommand) -> String {
        let before = command.about.time.as_ref();
        let whose = self.whose(command, asked_time(&command.action));
        match (&command.action, self.language) {
            (Action::Schedule { time, .. }, Language::Ja) => format!("{whose}を {} に設定", self.time(time, before)),
            (Action::Schedule { time, .. }, Language::En) => format!("set {whose} to {}", self.time(time, before)),
            (Action::Move { time, .. }, Language::Ja) => format!("{whose}を {} に変更", self.time(time, before)),
            (Action::Move { time, .. }, Language::En) => format!("move {whose} to {}", self.time(time, before)),
            (Action::Cancel { .. }, Language::Ja) => format!("{whose}の取りやめ"),
            (Action::Cancel { .. }, Language::En) => format!("cancel {whose}"),
            (Action::Finish { .. }, Language::Ja) => format!("{whose}の終了"),
            (Action::Finish { .. }, Language::En) => format!("finish {whose}"),
            (Action::BriefSeen { .. }, Language::Ja) => format!("{whose}の確認"),
            (Action::BriefSeen { .. }, Language::En) => format!("receipt for {whose}"),
            (Action::SetCadence { cadence, .. }, Language::Ja) => {
                format!("{whose}の予定を {} に変更", self.cadence(cadence))
            }
            (Action::SetCadence { cadence, .. }, Language::En) => {
                format!("hold {whose} {}", self.cadence(cadence))
            }
            (Action::Invite { name, .. }, Language::Ja) => format!("{name}さんの招待"),
            (Action::Invite { name, .. }, Language::En) => format!("invite {name}"),
            (Action::WriteTip { tip }, Language::Ja) => format!("ヒント「{}」の投稿", tip.text),
            (Action::WriteTip { tip }, Language::En) => format!("share the tip \"{}\"", tip.text),
            (Action::WithdrawTip { .. }, Language::Ja) => "ヒントの取り下げ".to_owned(),
            (Action::WithdrawTip { .. }, Language::En) => "take a tip back".to_owned(),
            (Action::TipHelped { .. }, Language::Ja) => "ヒントの「試してよかった」".to_owned(),
            (Action::TipHelped { .. }, Language::En) => "say whether a tip helped".to_owned(),
            (Action::ReportTip { .. }, Language::Ja) => "ヒントの報告".to_owned(),
            (Action::ReportTip { .. }, Language::En) => "report a tip".to_owned(),
            (Action::Unknown, Language::Ja) => "新しい版のアプリでの操作".to_owned(),
            (Action::Unknown, Language::En) => "something done with a newer version of the app".to_owned(),
        }
    }

    fn whose(&self, command: &StoredCommand, wanted: Option<&MeetingTime>) -> String {
        let name = &command.about.partner_name;
        let when =
            command.about.time.as_ref().map(|time| match (differs_in_length_alone(time, wanted), self.language) {
                (false, _) => self.at(time),
                (true, Language::Ja) => format!("{}、{}分", self.at(time), time.length_minutes),
                (true, Language::En) => format!("{}, {} min", self.at(time), time.length_minutes),
            });
        match (self.language, when) {
            (Language::Ja, Some(when)) => format!("{name}さんとの1on1（{when}）"),
            (Language::Ja, None) => format!("{name}さんとの1on1"),
            (Language::En, Some(when)) => format!("the 1on1 with {name} ({when})"),
            (Language::En, None) => format!("the 1on1 with {name}"),
        }
    }

    /// 「先に佐藤 健一さんが 明日 9:00 に変更しました。どちらにするか選んでください。」.
    pub(super) fn conflict(&self, by: Option<&str>, theirs: Option<&str>) -> String {
        match (self.language, by, theirs) {
            (Language::Ja, Some(by), Some(theirs)) => {
                format!("先に{by}さんが「{theirs}」に変更しました。どちらにするか選んでください。")
            }
            (Language::Ja, None, Some(theirs)) => {
                format!("先に「{theirs}」に変更されていました。どちらにするか選んでください。")
            }
            (Language::Ja, _, None) => "先にほかの変更がありました。どちらにするか選んでください。".to_owned(),
            (Language::En, Some(by), Some(theirs)) => {
                format!("{by} changed it to \"{theirs}\" first. Choose which one counts.")
            }
            (Language::En, None, Some(theirs)) => {
                format!("It was changed to \"{theirs}\" first. Choose which one counts.")
            }
            (Language::En, _, None) => "It was changed by somebody else first. Choose which one counts.".to_owned(),
        }
    }

    /// 「取りやめ」, said of how a meeting stands.
    pub(super) fn cancelled(&self) -> String {
        match self.language {
            Language::Ja => "取りやめ".to_owned(),
            Language::En => "cancelled".to_owned(),
        }
    }

    /// Why a command was not done, and what to do next.
    pub(super) fn why(&self, reason: RejectionReason) -> String {
        let (ja, en) = match reason {
            RejectionReason::TipNotTaken => (
                "ヒントは1段落・140文字までです。書き直して、もう一度送ってください。",
                "A tip is one paragraph of at most 140 characters. Change it and send it again.",
            ),
            RejectionReason::TipGone => ("このヒントはもうありません。", "This tip is not there any more."),
            RejectionReason::NotFound => (
                "この1on1は見つかりません。相手が変わったときは、新しい相手との予定を確認してください。",
                "This 1on1 is not there any more. If your partner has changed, look at the dates with the new one.",
            ),
            RejectionReason::PairClosed => (
                "この相手との1on1は終了しています。メモはこれまでどおり読めます。",
                "The 1on1s with this person have ended. You can still read the memos.",
            ),
            RejectionReason::AlreadyFinished => (
                "この1on1はすでに終わっています。次回の日時を変更してください。",
                "This 1on1 is over. Change the date of the next one instead.",
            ),
            RejectionReason::Implausible => (
                "日時・長さ・氏名・メールアドレスのどれかが正しくありません。確かめて、もう一度入力してください。",
                "A date, length, name or e-mail address cannot be right. Check it and enter it again.",
            ),
            RejectionReason::AddressTaken => (
                "このメールアドレスの人はすでに登録されています。管理者に確認してください。",
                "Somebody with this e-mail address is registered already. Ask your administrator.",
            ),
            RejectionReason::InvitesClosed => (
                "この組織では、招待は管理者が行います。管理者に依頼してください。",
                "In this organisation the administrator invites people. Ask your administrator.",
            ),
            RejectionReason::OutOfOrder => (
                "後の操作が先に届いたため、行われませんでした。必要ならもう一度送ってください。",
                "A later action arrived before this one, so it was not done. Send it again if you still want it.",
            ),
            RejectionReason::NotUnderstood => (
                "サーバーがこの操作に対応していません。サーバーの更新後に、もう一度送ってください。",
                "The server does not know this action yet. Send it again after the server was updated.",
            ),
            RejectionReason::Other => (
                "サーバーがこの操作を行いませんでした。アプリを更新してから、もう一度確かめてください。",
                "The server did not do this. Update the app and look again.",
            ),
        };
        match self.language {
            Language::Ja => ja.to_owned(),
            Language::En => en.to_owned(),
        }
    }
}

/// The time that a command asks for.
pub(super) fn asked_time(action: &Action) -> Option<&MeetingTime> {
    match action {
        Action::Schedule { time, .. } | Action::Move { time, .. } => Some(time),
        _ => None,
    }
}

/// Whether two times read the same and are not: people would be asked to choose between equal words.
fn differs_in_length_alone(time: &MeetingTime, beside: Option<&MeetingTime>) -> bool {
    beside.is_some_and(|other| {
        time.zone.at(time.starts) == other.zone.at(other.starts) && time.length_minutes != other.length_minutes
    })
}
