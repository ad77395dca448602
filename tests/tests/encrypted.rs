//! The line is encrypted: a phone synchronises over TLS with the company's own authority, and never without TLS off
//! the device.

use taiwa_mobile_core::session::SessionError;
use taiwa_tests::{
    tls::{TestAuthority, TlsFront},
    world::World,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_phone_synchronises_over_tls_with_the_companys_own_authority() {
    let world = World::open("tls").await;
    let authority = TestAuthority::new().unwrap();
    let front = TlsFront::open(&authority, world.address()).await.unwrap();
    let url = format!("https://localhost:{}", front.address().port());
    let member = world.phone_at("tanaka", &url, Some(authority.certificate_pem())).await.unwrap();
    let manager = world.phone("sato").await;
    let meeting = member.next_meeting_with(&manager).await;
    member.type_into_memo(meeting, 0, "暗号化した線で").await;
    member.settled().await;
    manager.eventually_reads(meeting, "暗号化した線で").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_that_nobody_named_is_not_trusted() {
    let world = World::open("unknown authority").await;
    let front = TlsFront::open(&TestAuthority::new().unwrap(), world.address()).await.unwrap();
    let another = TestAuthority::new().unwrap();
    let url = format!("https://localhost:{}", front.address().port());
    for roots in [None, Some(another.certificate_pem())] {
        assert!(world.phone_at("tanaka", &url, roots).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unencrypted_address_off_the_device_is_refused() {
    let world = World::open("unencrypted").await;
    // Addresses for documentation (RFC 5737, 3849) and a name: nothing may be sent there, so nothing needs to answer.
    for url in ["http://192.0.2.1:4150", "http://[2001:db8::1]:4150", "http://taiwa.example.jp", "ws://192.0.2.1:4150"]
    {
        let error = world.phone_at("tanaka", url, None).await.err().expect(url);
        assert!(matches!(error.downcast_ref(), Some(SessionError::Address(_))), "{url}: {error:#}");
    }
}
