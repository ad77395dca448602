//! Inviting somebody from the phone: the link is made here, also offline, and works once the server has the command.
//!
//! The secret never leaves the phone except in the link that the person hands over; the server gets its hash.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use taiwa_shared::{
    domain::command::{Action, INVITATION_LIFE, InvitationHash, MAX_NAME_CHARS},
    ids::{CommandId, PairId, UserId},
    protocol::{
        commands::{Outcome, RejectionReason},
        login::Secret,
    },
    time::Timestamp,
};

use super::{
    super::{Session, SessionError, notebook::random},
    Decision, Order,
};
use crate::store::{CommandAbout, StoredCommand};

/// Longest e-mail address, in characters (RFC 5321, 4.5.3.1.3).
const MAX_EMAIL_CHARS: usize = 254;

/// How far an invitation has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InvitationState {
    /// Not at the server yet: the link does not work so far.
    Waiting,
    /// The server has it: the link can be used once, in the seven days from then. Whether it was used is not known here.
    Ready,
    /// The week in which it could be used is over.
    Expired,
    /// The server did not take it; a card says why.
    Rejected(RejectionReason),
}

/// An invitation of this person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// The command.
    pub id: CommandId,
    /// Name of who is invited.
    pub name: String,
    /// Their e-mail.
    pub email: String,
    /// What to hand over; whoever has it signs in as that person.
    pub link: Secret,
    /// When it was made.
    pub made: Timestamp,
    /// How far it has come.
    pub state: InvitationState,
}

impl Session {
    /// Invites somebody whose manager this person becomes, and gives the link to hand over. Works offline; the link works
    /// as soon as the server has it.
    ///
    /// # Errors
    /// [`SessionError::TooLong`] for the name, [`SessionError::Implausible`] for name or e-mail,
    /// [`SessionError::StorageFull`].
    pub async fn invite(&self, name: &str, email: &str) -> Result<Invitation, SessionError> {
        let (name, email) = (name.trim().to_owned(), email.trim().to_owned());
        if name.chars().count() > MAX_NAME_CHARS {
            return Err(SessionError::TooLong { limit: MAX_NAME_CHARS, length: name.chars().count() });
        }
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(SessionError::Implausible("the name"));
        }
        if !may_be_email(&email) {
            return Err(SessionError::Implausible("the e-mail"));
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).expect("the operating system gives random bytes");
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(secret));
        let now = self.core.now();
        let person = UserId::new(now, random());
        let invitation = InvitationHash::of(secret.expose());
        let action = Action::Invite { person, pair: PairId::new(now, random()), name, email, invitation };
        let order = Order { action, about: CommandAbout::default(), secret: Some(secret) };
        self.outbox.decide(move |_, _| Ok(Decision { seen: Vec::new(), order: Some(order) })).await?;
        let made = self.invitations_and_people().await?.into_iter().rev().find(|it| it.1 == person);
        made.map(|(invitation, _)| invitation).ok_or(SessionError::NotFound)
    }

    /// The invitations of this person that are kept, oldest first: for 30 days after the server had them. One that was
    /// refused is left out once the person has decided about its card.
    ///
    /// # Errors
    /// [`SessionError`] if the store cannot be read.
    pub async fn invitations(&self) -> Result<Vec<Invitation>, SessionError> {
        Ok(self.invitations_and_people().await?.into_iter().map(|(invitation, _)| invitation).collect())
    }

    async fn invitations_and_people(&self) -> Result<Vec<(Invitation, UserId)>, SessionError> {
        let commands = self.core.store.commands().await?;
        Ok(commands.into_iter().filter_map(|command| self.invitation_of(command)).collect())
    }

    fn invitation_of(&self, command: StoredCommand) -> Option<(Invitation, UserId)> {
        let is_over = |at: Timestamp| self.core.now() >= at.plus(INVITATION_LIFE);
        let state = match command.refusal() {
            Some(_) if command.seen_to => return None,
            Some(Outcome::Rejected { reason, .. }) => InvitationState::Rejected(*reason),
            Some(_) => InvitationState::Rejected(RejectionReason::Other),
            None if command.answer.is_none() => InvitationState::Waiting,
            // An answer that comes again in another epoch makes the link no younger.
            None if command.first_answered.is_some_and(is_over) => InvitationState::Expired,
            None => InvitationState::Ready,
        };
        let Action::Invite { person, name, email, .. } = command.action else { return None };
        let server = self.core.identity.server_url.trim_end_matches('/');
        let link = Secret::new(format!("{server}/invite/{}", command.secret?.expose()));
        Some((Invitation { id: command.id, name, email, link, made: command.made, state }, person))
    }
}

/// A first look; the server decides.
fn may_be_email(email: &str) -> bool {
    let has_both_sides = email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    has_both_sides && email.chars().count() <= MAX_EMAIL_CHARS && !email.chars().any(|c| c.is_control() || c == ' ')
}
