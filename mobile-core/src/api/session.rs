//! One signed-in person, as the app sees it: a function per question and per tap.
//!
//! No function of a screen waits for the network; what a function wrote is on the disk when it returns.

use std::{sync::Arc, time::Duration};

use taiwa_shared::ids::{MeetingId, PairId, UserId};

use super::{
    AgendaView, ApiError, BriefObserver, BriefView, HomeObserver, HomeView, IntentionView, Memo, PairView,
    PastMeetingView, PrepareObserver, PrepareView, PromiseView, ResponseOfferView, StatusObserver, StatusView,
    Subscription, TopicOfferView,
    error::parsed,
    observe::observed,
    runtime::{ask, run},
};
use crate::session::{self, SessionError};

/// One signed-in person.
#[derive(uniffi::Object)]
pub struct Session {
    pub(super) inner: session::Session,
}

impl Session {
    pub(super) fn new(inner: session::Session) -> Arc<Self> {
        Arc::new(Self { inner })
    }
}

pub(super) fn all<T, V: From<T>>(items: Vec<T>) -> Vec<V> {
    items.into_iter().map(V::from).collect()
}

pub(super) fn meeting(text: &str) -> Result<MeetingId, ApiError> {
    parsed("the meeting", text)
}

pub(super) fn meeting_if_any(text: Option<&str>) -> Result<Option<MeetingId>, ApiError> {
    text.map(meeting).transpose()
}

pub(super) fn pair(text: &str) -> Result<PairId, ApiError> {
    parsed("the pair", text)
}

#[uniffi::export]
impl Session {
    /// Who is signed in.
    pub fn user_id(&self) -> String {
        self.inner.me().to_string()
    }

    /// Name of the organisation.
    pub fn organisation_name(&self) -> String {
        self.inner.identity().organisation_name.clone()
    }

    /// Short name of the organisation, for signing in again.
    pub fn organisation_slug(&self) -> String {
        self.inner.identity().organisation_slug.clone()
    }

    /// Address of the server, for signing in again.
    pub fn server_url(&self) -> String {
        self.inner.identity().server_url.clone()
    }

    /// The home screen.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn home(&self) -> Result<HomeView, ApiError> {
        ask!(self.home()).map(Into::into)
    }

    /// Home, now and after each change.
    pub fn observe_home(&self, observer: Arc<dyn HomeObserver>) -> Arc<Subscription> {
        let watch = self.inner.observe(|session| async move { session.home().await });
        observed(watch, move |home| observer.on_home(home))
    }

    /// Where edits are and how the connection stands, now and after each change.
    pub fn observe_status(&self, observer: Arc<dyn StatusObserver>) -> Arc<Subscription> {
        let watch = self.inner.observe(status);
        observed(watch, move |status: StatusView| observer.on_status(status))
    }

    /// The people to hold 1on1s with.
    pub fn pairs(&self) -> Vec<PairView> {
        all(self.inner.pairs())
    }

    /// Meetings of a pair whose memo is on this phone, newest first.
    ///
    /// # Errors
    /// [`ApiError::InvalidArgument`].
    pub async fn past_meetings(&self, pair_id: String) -> Result<Vec<PastMeetingView>, ApiError> {
        let pair = pair(&pair_id)?;
        ask!(self.past_meetings(pair)).map(all)
    }

    /// The preparation form of a meeting.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`] if this person is not the member.
    pub async fn prepare(&self, meeting_id: String) -> Result<PrepareView, ApiError> {
        let meeting = meeting(&meeting_id)?;
        ask!(self.prepare(meeting)).map(Into::into)
    }

    /// The form, now and after each change.
    ///
    /// # Errors
    /// [`ApiError::InvalidArgument`].
    pub fn observe_prepare(
        &self,
        meeting_id: String,
        observer: Arc<dyn PrepareObserver>,
    ) -> Result<Arc<Subscription>, ApiError> {
        let meeting = meeting(&meeting_id)?;
        let watch = self.inner.observe(move |session| async move { session.prepare(meeting).await });
        Ok(observed(watch, move |form| observer.on_prepare(form)))
    }

    /// Every topic, for 「すべて見る」.
    pub fn all_topics(&self) -> Vec<TopicOfferView> {
        all(self.inner.all_topics())
    }

    /// The expected responses that can be set, in the order to offer them.
    pub fn responses(&self) -> Vec<ResponseOfferView> {
        all(self.inner.responses())
    }

    /// Chooses a topic.
    ///
    /// # Errors
    /// [`ApiError::TooLong`] if three are chosen, [`ApiError::StorageFull`].
    pub async fn choose_topic(&self, meeting_id: String, topic: String) -> Result<(), ApiError> {
        let (meeting, topic) = (meeting(&meeting_id)?, parsed("the topic", &topic)?);
        ask!(self.choose_topic(meeting, topic))
    }

    /// Takes a topic back.
    ///
    /// # Errors
    /// [`ApiError::StorageFull`].
    pub async fn unchoose_topic(&self, meeting_id: String, topic: String) -> Result<(), ApiError> {
        let (meeting, topic) = (meeting(&meeting_id)?, parsed("the topic", &topic)?);
        ask!(self.unchoose_topic(meeting, topic))
    }

    /// Sets how the manager should respond.
    ///
    /// # Errors
    /// [`ApiError::TooLong`] if the topic would be the fourth.
    pub async fn set_response(&self, meeting_id: String, topic: String, response: String) -> Result<(), ApiError> {
        let (meeting, topic) = (meeting(&meeting_id)?, parsed("the topic", &topic)?);
        let response = parsed("the response", &response)?;
        ask!(self.set_response(meeting, topic, response))
    }

    /// Sets the line in the member's own words.
    ///
    /// # Errors
    /// [`ApiError::TooLong`], [`ApiError::NotOneLine`].
    pub async fn set_word(&self, meeting_id: String, topic: String, word: String) -> Result<(), ApiError> {
        let (meeting, topic) = (meeting(&meeting_id)?, parsed("the topic", &topic)?);
        ask!(self.set_word(meeting, topic, word))
    }

    /// これで伝える. False if there was nothing new to tell.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::StorageFull`].
    pub async fn publish(&self, meeting_id: String) -> Result<bool, ApiError> {
        let meeting = meeting(&meeting_id)?;
        ask!(self.publish(meeting))
    }

    /// The brief of a meeting. Loading it tells nobody anything; see `brief_shown`.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`].
    pub async fn brief(&self, meeting_id: String) -> Result<BriefView, ApiError> {
        let meeting = meeting(&meeting_id)?;
        ask!(self.brief(meeting)).map(Into::into)
    }

    /// The brief, now and after each change.
    ///
    /// # Errors
    /// [`ApiError::InvalidArgument`].
    pub fn observe_brief(
        &self,
        meeting_id: String,
        observer: Arc<dyn BriefObserver>,
    ) -> Result<Arc<Subscription>, ApiError> {
        let meeting = meeting(&meeting_id)?;
        let watch = self.inner.observe(move |session| async move { session.brief(meeting).await });
        Ok(observed(watch, move |brief| observer.on_brief(brief)))
    }

    /// Call when the brief was on the screen for two seconds, unlocked and in front, and again two seconds after
    /// `on_brief` brought another one: the member learns that the manager has looked. Nothing else tells them.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::StorageFull`].
    pub async fn brief_shown(&self, meeting_id: String) -> Result<(), ApiError> {
        let meeting = meeting(&meeting_id)?;
        ask!(self.brief_shown(meeting))
    }

    /// The meeting whose brief a notification opens.
    pub fn nearest_meeting(&self) -> Option<String> {
        self.inner.nearest_meeting().map(|id| id.to_string())
    }

    /// Puts the memo of a meeting on screen; it is live until the object is released.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`].
    pub async fn memo(&self, meeting_id: String) -> Result<Arc<Memo>, ApiError> {
        let meeting = meeting(&meeting_id)?;
        let memo = ask!(self.memo(meeting))?;
        Ok(Memo::new(self.inner.clone(), memo))
    }

    /// All promises, done ones too, oldest first.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn promises(&self) -> Result<Vec<PromiseView>, ApiError> {
        ask!(self.promises()).map(all)
    }

    /// Writes a promise down; the answer is its id.
    ///
    /// # Errors
    /// [`ApiError::TooLong`], [`ApiError::NoAccess`].
    pub async fn add_promise(
        &self,
        pair_id: String,
        who_id: String,
        text: String,
        meeting_id: Option<String>,
    ) -> Result<String, ApiError> {
        let (pair, who) = (pair(&pair_id)?, parsed::<UserId>("the person", &who_id)?);
        let meeting = meeting_if_any(meeting_id.as_deref())?;
        ask!(self.add_promise(pair, who, text, meeting)).map(|id| id.to_string())
    }

    /// Ticks a promise.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`].
    pub async fn tick_promise(&self, pair_id: String, promise_id: String) -> Result<(), ApiError> {
        let (pair, promise) = (pair(&pair_id)?, parsed("the promise", &promise_id)?);
        ask!(self.tick_promise(pair, promise))
    }

    /// Opens a promise again.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`].
    pub async fn reopen_promise(&self, pair_id: String, promise_id: String) -> Result<(), ApiError> {
        let (pair, promise) = (pair(&pair_id)?, parsed("the promise", &promise_id)?);
        ask!(self.reopen_promise(pair, promise))
    }

    /// Changes what was promised.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`], [`ApiError::TooLong`].
    pub async fn set_promise_text(&self, pair_id: String, promise_id: String, text: String) -> Result<(), ApiError> {
        let (pair, promise) = (pair(&pair_id)?, parsed("the promise", &promise_id)?);
        ask!(self.set_promise_text(pair, promise, text))
    }

    /// Takes a promise away.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`].
    pub async fn delete_promise(&self, pair_id: String, promise_id: String) -> Result<(), ApiError> {
        let (pair, promise) = (pair(&pair_id)?, parsed("the promise", &promise_id)?);
        ask!(self.delete_promise(pair, promise))
    }

    /// All intentions, ended ones too, oldest first.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn intentions(&self) -> Result<Vec<IntentionView>, ApiError> {
        ask!(self.intentions()).map(all)
    }

    /// Writes down what to keep in mind until next time; the answer is its id.
    ///
    /// # Errors
    /// [`ApiError::TooLong`], [`ApiError::NotOneLine`].
    pub async fn add_intention(
        &self,
        pair_id: String,
        text: String,
        meeting_id: Option<String>,
    ) -> Result<String, ApiError> {
        let (pair, meeting) = (pair(&pair_id)?, meeting_if_any(meeting_id.as_deref())?);
        ask!(self.add_intention(pair, text, meeting)).map(|id| id.to_string())
    }

    /// Ends an intention.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`].
    pub async fn end_intention(&self, pair_id: String, intention_id: String) -> Result<(), ApiError> {
        let (pair, intention) = (pair(&pair_id)?, parsed("the intention", &intention_id)?);
        ask!(self.end_intention(pair, intention))
    }

    /// The points for the next agenda of a pair.
    ///
    /// # Errors
    /// [`ApiError::InvalidArgument`].
    pub async fn agenda(&self, pair_id: String) -> Result<Vec<AgendaView>, ApiError> {
        let pair = pair(&pair_id)?;
        ask!(self.agenda(pair)).map(all)
    }

    /// Puts a point on the next agenda; the answer is its id.
    ///
    /// # Errors
    /// [`ApiError::TooLong`].
    pub async fn add_agenda(&self, pair_id: String, text: String) -> Result<String, ApiError> {
        let pair = pair(&pair_id)?;
        ask!(self.add_agenda(pair, text)).map(|id| id.to_string())
    }

    /// Takes a point off the agenda.
    ///
    /// # Errors
    /// [`ApiError::NoAccess`].
    pub async fn delete_agenda(&self, pair_id: String, agenda_id: String) -> Result<(), ApiError> {
        let (pair, agenda) = (pair(&pair_id)?, parsed("the point", &agenda_id)?);
        ask!(self.delete_agenda(pair, agenda))
    }

    /// What waits for the server: own changes and commands.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the store cannot be read.
    pub async fn unsent(&self) -> Result<u32, ApiError> {
        ask!(self.unsent())
    }

    /// Pulls and sends what waits, for at most so many seconds; for background slots. True if everything was exchanged.
    ///
    /// # Errors
    /// [`ApiError::Unexpected`] if the core failed.
    pub async fn refresh(&self, at_most_seconds: u32) -> Result<bool, ApiError> {
        let session = self.inner.clone();
        let budget = Duration::from_secs(at_most_seconds.into());
        run(async move { Ok::<_, SessionError>(session.refresh(budget).await.is_complete()) }).await
    }

    /// The network is back, or is another one.
    pub fn network_available(&self) {
        self.inner.network_available();
    }

    /// The app came to the front.
    pub fn enter_foreground(&self) {
        self.inner.enter_foreground();
    }

    /// The app went to the back.
    pub fn enter_background(&self) {
        self.inner.enter_background();
    }
}

async fn status(session: session::Session) -> Result<StatusView, SessionError> {
    let save = session.save_state().await?.into();
    Ok(StatusView { save, connection: session.sync_status().connection.as_str().into() })
}
