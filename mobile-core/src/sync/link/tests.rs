use rand::{SeedableRng, rngs::StdRng};
use taiwa_shared::{protocol::login::Secret, time::Timestamp};

use super::*;
use crate::sync::lease::RENEW_AGAIN;

/// A link with a clock of its own.
struct Script {
    link: Link,
    rng: StdRng,
    now: Now,
}

const START: i64 = 1_760_000_000_000;

impl Script {
    fn new() -> Self {
        let now = Now { elapsed: Duration::ZERO, wall: Timestamp::from_millis(START) };
        Self { link: Link::new(Backoff::default()), rng: StdRng::seed_from_u64(7), now }
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        self.link.step(event, self.now, &mut self.rng)
    }

    fn pass(&mut self, time: Duration) -> Vec<Effect> {
        self.now.elapsed += time;
        self.now.wall = self.now.wall.plus(time);
        self.step(Event::Tick)
    }

    /// Lets time go on to the next deadline.
    fn wait(&mut self) -> (Duration, Vec<Effect>) {
        let at = self.link.next_tick().expect("a deadline");
        let time = at.saturating_sub(self.now.elapsed);
        (time, self.pass(time))
    }

    fn token(&self, life: Duration) -> AccessToken {
        AccessToken { token: Secret::new("token"), expires: self.now.wall.plus(life) }
    }

    fn settle(&mut self) {
        self.step(Event::Documents(Exchange::Settled));
    }

    /// Connected, records exchanged, documents in sync.
    fn online(life: Duration) -> Self {
        let mut script = Self::new();
        assert_eq!(script.step(Event::Tick), [Effect::Attempt(Freshness::Cached)]);
        script.connect(life);
        script.settle();
        script
    }

    fn connect(&mut self, life: Duration) {
        let token = self.token(life);
        assert_eq!(self.step(Event::Attempted(Ok(token))), [Effect::Join, Effect::Prepare]);
        assert_eq!(self.step(Event::Joined), []);
        assert_eq!(self.link.connection(), Connection::Connecting);
        assert_eq!(self.step(Event::Prepared(Ok(()))), [Effect::Plan]);
        assert_eq!(self.link.connection(), Connection::Online);
    }
}

const TEN_MINUTES: Duration = Duration::from_secs(600);

fn offline() -> CredentialsError {
    CredentialsError::TryLater("no route".into())
}

#[test]
fn records_come_before_documents() {
    let mut script = Script::new();
    script.step(Event::Tick);
    let token = script.token(TEN_MINUTES);
    script.step(Event::Attempted(Ok(token)));
    script.step(Event::Joined);
    assert!(!script.link.is_online());
    assert_eq!(script.step(Event::Prepared(Ok(()))), [Effect::Plan]);
    assert!(script.link.is_online() && !script.link.is_settled());
    script.settle();
    assert!(script.link.is_settled());
}

#[test]
fn records_are_fetched_while_the_server_answers_and_documents_wait_for_both() {
    let mut script = Script::new();
    script.step(Event::Tick);
    let token = script.token(TEN_MINUTES);
    assert_eq!(script.step(Event::Attempted(Ok(token))), [Effect::Join, Effect::Prepare]);
    assert_eq!(script.step(Event::Prepared(Ok(()))), []);
    assert!(!script.link.is_online());
    assert_eq!(script.step(Event::Joined), [Effect::Plan]);
    assert!(script.link.is_online());
}

#[test]
fn waits_grow_until_documents_are_in_sync_and_not_only_until_the_handshake() {
    let mut script = Script::new();
    script.step(Event::Tick);
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        script.step(Event::Attempted(Err(AttemptFailure::Unreachable)));
        assert_eq!(script.link.connection(), Connection::Offline);
        let (time, effects) = script.wait();
        assert_eq!(effects, [Effect::Attempt(Freshness::Cached)]);
        longest = longest.max(time);
    }
    assert!(longest > Duration::from_secs(20) && longest <= Duration::from_secs(60), "{longest:?}");

    // A server that accepts connections and then breaks them gains nothing.
    script.connect(TEN_MINUTES);
    script.step(Event::Closed(Closing::Lost));
    assert_eq!(script.link.failures, 21);
    script.wait();
    script.connect(TEN_MINUTES);
    script.settle();
    script.step(Event::Closed(Closing::Lost));
    assert_eq!(script.link.failures, 1);
    assert!(script.wait().0 <= Duration::from_millis(500));
}

#[test]
fn a_server_that_takes_no_more_for_now_is_left_alone_for_long() {
    let mut script = Script::new();
    script.step(Event::Tick);
    let mut longest = Duration::ZERO;
    for _ in 0..20 {
        script.connect(TEN_MINUTES);
        script.settle();
        script.step(Event::Closed(Closing::Later));
        longest = longest.max(script.wait().0);
    }
    assert!(longest > Duration::from_secs(20) && longest <= Duration::from_secs(60), "{longest:?}");
}

#[test]
fn the_network_coming_back_ends_every_wait() {
    let mut script = Script::new();
    script.step(Event::Tick);
    script.step(Event::Attempted(Err(AttemptFailure::Unreachable)));
    assert_eq!(script.step(Event::NetworkAvailable), [Effect::Attempt(Freshness::Cached)]);
    // It came back while the attempt still hung in the old one.
    assert_eq!(script.step(Event::NetworkAvailable), []);
    assert_eq!(script.step(Event::Attempted(Err(AttemptFailure::Unreachable))), [Effect::Attempt(Freshness::Cached)]);
    script.step(Event::Attempted(Err(AttemptFailure::Unreachable)));
    assert_eq!(script.step(Event::Foreground), [Effect::Attempt(Freshness::Cached)]);
}

#[test]
fn an_attempt_that_hangs_from_before_the_network_came_back_is_made_anew() {
    let mut script = Script::new();
    script.step(Event::Tick);
    assert_eq!(script.pass(Duration::from_secs(10)), []);
    let anew = [Effect::Disconnect, Effect::Attempt(Freshness::Cached)];
    assert_eq!(script.step(Event::NetworkAvailable), anew);
    // Hosts repeat themselves: a young attempt gets its time, and no more.
    assert_eq!(script.step(Event::NetworkAvailable), []);
    assert_eq!(script.wait(), (HANG, anew.into()));
    assert_eq!(script.link.next_tick(), None);
}

#[test]
fn a_connection_that_survived_a_change_of_network_is_asked_and_not_torn_down() {
    let mut script = Script::online(TEN_MINUTES);
    assert_eq!(script.step(Event::NetworkAvailable), [Effect::Ping]);
    script.pass(Duration::from_secs(1));
    script.step(Event::Arrived);
    assert_eq!(script.pass(Duration::from_secs(6)), []);
    assert_eq!(script.step(Event::NetworkAvailable), [Effect::Ping]);
    assert_eq!(script.pass(PROBE), [Effect::Disconnect]);
}

#[test]
fn forty_five_seconds_of_silence_end_the_connection() {
    let mut script = Script::online(TEN_MINUTES);
    assert_eq!(script.wait(), (ASK_AFTER, vec![Effect::Ping]));
    script.step(Event::Arrived);
    assert_eq!(script.wait(), (ASK_AFTER, vec![Effect::Ping]));
    assert_eq!(script.wait(), (SILENCE - ASK_AFTER, vec![Effect::Disconnect]));
    assert_eq!(script.link.connection(), Connection::Offline);
}

/// Passes time with a frame from the server every 20 s.
fn pass_alive(script: &mut Script, time: Duration) -> Vec<Effect> {
    let end = script.now.elapsed + time;
    let mut effects = Vec::new();
    while script.now.elapsed < end {
        let step = Duration::from_secs(20).min(end - script.now.elapsed);
        effects.extend(script.pass(step));
        effects.extend(script.step(Event::Arrived));
    }
    effects
}

#[test]
fn the_token_is_renewed_two_minutes_before_it_ends() {
    let mut script = Script::online(TEN_MINUTES);
    assert_eq!(pass_alive(&mut script, Duration::from_secs(479)), []);
    assert_eq!(pass_alive(&mut script, Duration::from_secs(1)), [Effect::FetchToken]);
    assert_eq!(pass_alive(&mut script, Duration::from_secs(5)), []);
    let token = script.token(TEN_MINUTES);
    assert_eq!(script.step(Event::Renewed(Ok(token.clone()))), [Effect::Renew(token)]);
    assert_eq!(pass_alive(&mut script, Duration::from_secs(479)), []);
    assert_eq!(pass_alive(&mut script, Duration::from_secs(1)), [Effect::FetchToken]);
    // The server cannot be asked now; the old token is still good for a while.
    assert_eq!(script.step(Event::Renewed(Err(offline()))), []);
    assert_eq!(pass_alive(&mut script, RENEW_AGAIN), [Effect::FetchToken]);
    assert_eq!(script.step(Event::Renewed(Err(CredentialsError::SignInAgain))), [Effect::Disconnect]);
    assert_eq!(script.link.connection(), Connection::SignInAgain);
}

#[test]
fn a_token_that_ended_while_the_phone_slept_is_renewed_at_the_next_event() {
    let mut script = Script::online(TEN_MINUTES);
    // The monotonic clock stands still while a phone sleeps.
    script.now.wall = script.now.wall.plus(Duration::from_secs(550));
    assert_eq!(script.step(Event::Arrived), [Effect::FetchToken]);
}

#[test]
fn an_expired_token_is_replaced_and_the_connection_is_back_at_once_but_not_for_ever() {
    let mut script = Script::online(TEN_MINUTES);
    assert_eq!(
        script.step(Event::Closed(Closing::TokenExpired)),
        [Effect::Disconnect, Effect::Attempt(Freshness::Renewed)]
    );
    script.connect(TEN_MINUTES);
    assert_eq!(script.step(Event::Closed(Closing::TokenExpired)), [Effect::Disconnect]);
    assert_eq!(script.wait().1, [Effect::Attempt(Freshness::Renewed)]);
}

#[test]
fn a_refused_token_is_renewed_at_once_and_then_with_patience_until_the_server_says_that_the_sign_in_is_over() {
    let mut script = Script::new();
    script.step(Event::Tick);
    assert_eq!(script.step(Event::Attempted(Err(AttemptFailure::Unauthorized))), [Effect::Attempt(Freshness::Renewed)]);
    // The new one as well, as when a clock jumped in between: that is no reason to ask for a password.
    for _ in 0..3 {
        assert_eq!(script.step(Event::Attempted(Err(AttemptFailure::Unauthorized))), []);
        assert_eq!(script.link.connection(), Connection::Offline);
        let (waited, effects) = script.wait();
        assert!(waited > Duration::ZERO);
        assert_eq!(effects, [Effect::Attempt(Freshness::Renewed)]);
    }
    assert_eq!(script.step(Event::Attempted(Err(AttemptFailure::SignInAgain))), []);
    assert_eq!(script.link.connection(), Connection::SignInAgain);
    assert!(script.link.is_blocked());
    assert_eq!(script.link.next_tick(), None);
    // Somebody signed in again, or wants to know whether it works now.
    assert_eq!(script.step(Event::Foreground), [Effect::Attempt(Freshness::Renewed)]);
}

#[test]
fn a_forbidden_sign_in_asks_for_a_token_and_the_answer_decides() {
    let mut script = Script::online(TEN_MINUTES);
    script.step(Event::Closed(Closing::Forbidden));
    assert_eq!(script.link.connection(), Connection::Offline);
    assert_eq!(script.wait().1, [Effect::Attempt(Freshness::Renewed)]);
    script.step(Event::Attempted(Err(AttemptFailure::SignInAgain)));
    assert_eq!(script.link.connection(), Connection::SignInAgain);
}

#[test]
fn a_burst_of_news_is_one_pull_and_none_is_missed() {
    let mut script = Script::online(TEN_MINUTES);
    for _ in 0..50 {
        assert_eq!(script.step(Event::News), []);
    }
    assert_eq!(script.wait(), (NEWS_DEBOUNCE, vec![Effect::Prepare]));
    // More news while the pull is under way: it may have missed them.
    assert_eq!(script.step(Event::News), []);
    assert_eq!(script.pass(Duration::from_secs(1)), []);
    assert_eq!(script.step(Event::Prepared(Ok(()))), [Effect::Plan, Effect::Prepare]);
    script.settle();
    assert!(!script.link.is_settled());
    assert_eq!(script.step(Event::Prepared(Ok(()))), [Effect::Plan]);
    script.settle();
    assert!(script.link.is_settled());
}

#[test]
fn in_the_background_what_is_under_way_is_finished_and_then_it_rests() {
    let mut script = Script::online(TEN_MINUTES);
    script.step(Event::Documents(Exchange::Busy));
    assert_eq!(script.step(Event::Background), []);
    assert_eq!(script.pass(Duration::from_secs(2)), []);
    assert_eq!(script.step(Event::Documents(Exchange::Settled)), [Effect::Disconnect]);
    assert_eq!(script.link.next_tick(), None);
    assert_eq!(script.step(Event::Foreground), [Effect::Attempt(Freshness::Cached)]);
}

#[test]
fn in_the_background_an_exchange_that_does_not_end_is_cut() {
    let mut script = Script::online(TEN_MINUTES);
    script.step(Event::Documents(Exchange::Busy));
    script.step(Event::Background);
    assert_eq!(script.wait(), (FINISH, vec![Effect::Disconnect]));
}

#[test]
fn a_bounded_run_in_the_background_exchanges_records_and_ends() {
    let mut script = Script::online(TEN_MINUTES);
    assert_eq!(script.step(Event::Background), [Effect::Disconnect]);
    let until = script.now.elapsed + Duration::from_secs(25);
    assert_eq!(script.step(Event::RunUntil(until)), [Effect::Attempt(Freshness::Cached)]);
    script.connect(TEN_MINUTES);
    script.settle();
    assert!(script.link.is_settled());
    assert_eq!(script.step(Event::RunOver), [Effect::Disconnect]);

    script.step(Event::RunUntil(script.now.elapsed + Duration::from_secs(20)));
    script.connect(TEN_MINUTES);
    assert_eq!(script.wait(), (Duration::from_secs(20), vec![Effect::Disconnect]));
}

#[test]
fn a_bounded_run_on_an_open_connection_pulls_records_anew() {
    let mut script = Script::online(TEN_MINUTES);
    let until = script.now.elapsed + Duration::from_secs(25);
    assert_eq!(script.step(Event::RunUntil(until)), [Effect::Ping, Effect::Prepare]);
    assert!(!script.link.is_settled());
}

#[test]
fn a_store_that_cannot_write_is_shown_until_it_can() {
    let mut script = Script::online(TEN_MINUTES);
    script.step(Event::Closed(Closing::StorageFailed));
    assert_eq!(script.link.connection(), Connection::StorageFailed);
    script.wait();
    script.connect(TEN_MINUTES);
    script.settle();
    script.step(Event::Closed(Closing::Lost));
    assert_eq!(script.link.connection(), Connection::Offline);
}

#[test]
fn late_answers_change_nothing() {
    let mut script = Script::online(TEN_MINUTES);
    script.step(Event::Closed(Closing::Lost));
    for late in [Event::Joined, Event::Prepared(Ok(())), Event::Renewed(Err(offline())), Event::News] {
        assert_eq!(script.step(late), []);
        assert_eq!(script.link.connection(), Connection::Offline);
    }
}
