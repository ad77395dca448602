//! Performs what the link decides: errands that go to the network run beside the loop and report back.
//!
//! An errand belongs to one connection; when that ends it is aborted, and a late answer is ignored.

use rand::RngExt;
use taiwa_shared::sync::wire::{Frame, PROTOCOL_VERSION, PeerMetadata, RenewalToken};
use tokio::task::JoinError;

use super::{
    credentials::{AccessToken, Credentials, CredentialsError, Freshness},
    event::SyncEvent,
    signals::{AttemptFailure, Closing, Effect, Event},
    socket::{Socket, ping},
    task::Task,
    traffic::Contact,
};
use crate::store::StoreError;

/// Work done beside the loop, with its answer.
pub(super) enum Errand {
    Attempted(Result<(Socket, AccessToken), AttemptFailure>),
    Prepared(Result<(), CredentialsError>),
    Renewed(Result<AccessToken, CredentialsError>),
    SaidGoodbye,
}

impl<C: Credentials> Task<C> {
    pub(super) async fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Attempt(freshness) => self.attempt(freshness),
            Effect::Join => self.join(),
            Effect::Prepare => {
                let credentials = self.credentials.clone();
                self.run_errand(async move { Errand::Prepared(credentials.before_sync().await) });
            }
            Effect::FetchToken => {
                let credentials = self.credentials.clone();
                self.run_errand(async move { Errand::Renewed(credentials.access_token(Freshness::Renewed).await) });
            }
            Effect::Renew(token) => {
                let me = self.me.clone();
                let access_token = RenewalToken::new(token.token.expose());
                if let Some(contact) = &mut self.contact {
                    contact.say(|target| Frame::Renew { sender: me, target, access_token });
                }
            }
            Effect::Ping => {
                if let Some(contact) = &mut self.contact {
                    contact.control.push_back(ping());
                }
            }
            Effect::Plan => {
                self.emit(SyncEvent::News).await;
                if let Err(error) = self.plan().await {
                    self.storage_failed(&error);
                }
            }
            Effect::Disconnect => self.disconnect(),
        }
    }

    /// Decides which documents to exchange.
    pub(super) async fn plan(&mut self) -> Result<(), StoreError> {
        let Some(contact) = &mut self.contact else { return Ok(()) };
        self.replan = false;
        let on_screen = self.on_screen.keys().copied().collect();
        let outcome = contact.exchanges.plan(on_screen, &self.wanted, &mut self.quarantine).await?;
        self.wanted.clear();
        self.refused = contact.exchanges.refused().collect();
        self.waiting_changed = true;
        self.follow(outcome).await;
        Ok(())
    }

    pub(super) fn errand_done(&mut self, done: Result<(u64, Errand), JoinError>) {
        match done {
            Ok((number, errand)) if number == self.connection_number => match errand {
                Errand::Attempted(Ok((socket, token))) => {
                    let session: [u8; 8] = self.rng.random();
                    self.contact = Some(Contact::new(socket, self.store.clone(), u64::from_be_bytes(session)));
                    self.feed(Event::Attempted(Ok(token)));
                }
                Errand::Attempted(Err(failure)) => self.feed(Event::Attempted(Err(failure))),
                Errand::Prepared(result) => self.feed(Event::Prepared(result)),
                Errand::Renewed(result) => self.feed(Event::Renewed(result)),
                Errand::SaidGoodbye => {}
            },
            Ok(_) => {}
            Err(error) if error.is_cancelled() => {}
            // Without its text: what a panic says may quote a document or a token.
            Err(_) => {
                tracing::error!("an errand of synchronising panicked");
                self.feed(Event::Attempted(Err(AttemptFailure::Unreachable)));
                self.feed(Event::Closed(Closing::Lost));
            }
        }
    }

    fn attempt(&mut self, freshness: Freshness) {
        let credentials = self.credentials.clone();
        let (address, tls) = (self.config.address.clone(), self.config.tls.clone());
        self.run_errand(async move {
            let token = match credentials.access_token(freshness).await {
                Ok(token) => token,
                Err(error) => return Errand::Attempted(Err(failure_of(&error))),
            };
            let socket = Socket::open(&address, tls, &token.token).await;
            Errand::Attempted(socket.map(|socket| (socket, token)))
        });
    }

    fn join(&mut self) {
        let metadata =
            PeerMetadata { storage_id: Some(self.config.device.to_string()), is_ephemeral: false, taiwa: true };
        let versions = vec![PROTOCOL_VERSION.to_owned()];
        let join = Frame::Join { sender: self.me.clone(), metadata, versions };
        if let Some(contact) = &mut self.contact {
            contact.control.push_back(super::socket::message_of(join.encode()));
        }
    }

    fn disconnect(&mut self) {
        self.running.drain(..).for_each(|errand| errand.abort());
        self.connection_number += 1;
        if let Some(contact) = self.contact.take() {
            let me = self.me.clone();
            let number = self.connection_number;
            self.errands.spawn(async move {
                contact.say_goodbye(&me).await;
                (number, Errand::SaidGoodbye)
            });
        }
    }

    fn run_errand(&mut self, errand: impl Future<Output = Errand> + Send + 'static) {
        let number = self.connection_number;
        self.running.retain(|errand| !errand.is_finished());
        self.running.push(self.errands.spawn(async move { (number, errand.await) }));
    }
}

fn failure_of(error: &CredentialsError) -> AttemptFailure {
    match error {
        CredentialsError::SignInAgain => AttemptFailure::SignInAgain,
        CredentialsError::UpdateApp => AttemptFailure::UpdateApp,
        CredentialsError::TryLater(_) => AttemptFailure::Unreachable,
    }
}
