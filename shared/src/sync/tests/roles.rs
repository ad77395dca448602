//! What a peer may do, changed while it is connected.

use automerge::sync::{Message, State};

use super::{Hub, Phone, Seeded, Stock, document, edit, relay, user, writer};
use crate::sync::{
    document::{Authors, PeerAccess, PeerRole},
    rejection::Rejection,
};

const PEER: usize = 1;
const OTHER: usize = 2;

fn reader(n: u8) -> PeerRole {
    PeerRole { access: PeerAccess::Read, authors: Authors::Only(user(n)) }
}

/// The two ways to be a client.
trait Client {
    fn send(&mut self) -> Option<Vec<u8>>;
    fn take(&mut self, data: &[u8]);
    fn reconnect(&mut self);
    fn edit(&mut self, rng: &mut Seeded);
    fn heads(&mut self) -> Vec<super::ChangeHash>;
}

impl Client for Stock {
    fn send(&mut self) -> Option<Vec<u8>> {
        Stock::send(self)
    }
    fn take(&mut self, data: &[u8]) {
        self.receive(data);
    }
    fn reconnect(&mut self) {
        self.state = State::new();
    }
    fn edit(&mut self, rng: &mut Seeded) {
        edit(&mut self.doc, rng);
    }
    fn heads(&mut self) -> Vec<super::ChangeHash> {
        self.doc.get_heads()
    }
}

impl Client for Phone {
    fn send(&mut self) -> Option<Vec<u8>> {
        Phone::send(self)
    }
    fn take(&mut self, data: &[u8]) {
        self.receive(data).unwrap();
    }
    fn reconnect(&mut self) {
        self.sync.connect((), relay());
    }
    fn edit(&mut self, rng: &mut Seeded) {
        Phone::edit(self, rng);
    }
    fn heads(&mut self) -> Vec<super::ChangeHash> {
        self.sync.heads()
    }
}

fn clients() -> Vec<Box<dyn Client>> {
    let mut rng = Seeded(11);
    let stock = Stock { doc: document(&mut rng, Some(user(1))), state: State::new() };
    let mut phone = Phone::new(document(&mut rng, Some(user(1))));
    phone.sync.connect((), relay());
    vec![Box::new(stock), Box::new(phone)]
}

/// Talks until both are silent and returns how many changes went up.
fn talk(hub: &mut Hub, client: &mut dyn Client) -> usize {
    let mut sent_up = 0;
    for _ in 0..20 {
        let mut silent = true;
        while let Some(data) = client.send() {
            silent = false;
            sent_up += Message::decode(&data).unwrap().changes.len();
            match hub.receive(PEER, &data) {
                Ok(_) => hub.commit(),
                // Once it has seen flags, Automerge may send a whole document; a new session does without flags.
                Err(rejection) => {
                    assert_eq!(rejection, Rejection::DocumentChunk);
                    hub.sync.connect(PEER, writer(1));
                    client.reconnect();
                }
            }
        }
        while let Some(data) = hub.send(PEER) {
            silent = false;
            client.take(&data);
        }
        if silent {
            return sent_up;
        }
    }
    panic!("they do not stop talking");
}

#[test]
fn a_writer_who_becomes_a_reader_and_a_writer_again_loses_nothing() {
    for mut client in clients() {
        let (mut hub, mut rng) = (Hub::new(), Seeded(5));
        hub.sync.connect(PEER, writer(1));
        client.edit(&mut rng);
        talk(&mut hub, &mut *client);
        assert_eq!(client.heads(), hub.sync.heads());

        hub.sync.set_role(PEER, reader(1));
        talk(&mut hub, &mut *client);
        let before = hub.sync.heads();
        (0..3).for_each(|_| client.edit(&mut rng));
        assert_eq!(talk(&mut hub, &mut *client), 0, "a reader is told to keep its changes");
        assert_eq!(hub.sync.heads(), before);

        hub.sync.set_role(PEER, writer(1));
        talk(&mut hub, &mut *client);
        assert_eq!(client.heads(), hub.sync.heads(), "what was typed as a reader arrives");
    }
}

#[test]
fn a_reader_receives_what_others_write() {
    for mut client in clients() {
        let (mut hub, mut rng) = (Hub::new(), Seeded(6));
        hub.sync.connect(PEER, reader(1));
        talk(&mut hub, &mut *client);
        let mut other = Phone::new(document(&mut rng, Some(user(2))));
        other.sync.connect((), relay());
        hub.sync.connect(OTHER, writer(2));
        for _ in 0..3 {
            other.edit(&mut rng);
            while let Some(data) = other.send() {
                hub.receive(OTHER, &data).unwrap();
            }
            hub.commit();
            while let Some(data) = hub.send(OTHER) {
                other.receive(&data).unwrap();
            }
            talk(&mut hub, &mut *client);
            assert_eq!(client.heads(), hub.sync.heads());
        }
    }
}

#[test]
fn the_person_behind_an_actor_is_known_with_and_without_an_author_field() {
    for names_author in [true, false] {
        let (mut hub, mut rng) = (Hub::new(), Seeded(8));
        let mut phone = Phone::new(document(&mut rng, names_author.then(|| user(1))));
        phone.sync.connect((), relay());
        hub.sync.connect(PEER, writer(1));
        phone.edit(&mut rng);
        talk(&mut hub, &mut phone);
        let actor = phone.doc.get_actor().clone();
        assert_eq!(hub.sync.author_of(&actor), Some(user(1)));
        assert_eq!(hub.authors.is_empty(), names_author, "the binding is a record only if the change does not say it");
        hub.reopen();
        assert_eq!(hub.sync.author_of(&actor), Some(user(1)));
    }
}

#[test]
fn after_a_restore_participants_bring_each_others_changes() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(9));
    let mut one = Phone::new(document(&mut rng, Some(user(1))));
    let mut two = document(&mut rng, Some(user(2)));
    edit(&mut two, &mut rng);
    one.edit(&mut rng);
    for change in two.get_changes(&one.doc.get_heads()) {
        one.doc.apply_changes([change.clone()]).unwrap();
        let change = crate::sync::chunks::StoredChange::read(change.raw_bytes().to_vec().into()).unwrap();
        one.store.insert(change.header.hash, change.bytes.clone());
        one.sync.stage_local(change).unwrap();
    }
    one.sync.commit();
    one.sync.connect((), relay());
    hub.sync.connect(PEER, PeerRole { access: PeerAccess::Write, authors: Authors::Relayed });
    talk(&mut hub, &mut one);
    assert_eq!(hub.sync.heads(), one.sync.heads());
    assert_eq!(hub.sync.author_of(two.get_actor()), Some(user(2)));
}

#[test]
fn an_actor_that_was_relayed_without_an_author_is_never_bound_to_who_goes_on_with_it() {
    let (mut hub, mut rng) = (Hub::new(), Seeded(10));
    let mut phone = Phone::new(document(&mut rng, None));
    let actor = phone.doc.get_actor().clone();
    phone.edit(&mut rng);
    phone.sync.connect((), relay());
    hub.sync.connect(PEER, relay());
    talk(&mut hub, &mut phone);
    assert_eq!(hub.sync.author_of(&actor), None);
    // Whoever it was: the changes before are not known to be theirs.
    hub.sync.connect(PEER, writer(2));
    phone.sync.connect((), relay());
    phone.edit(&mut rng);
    talk(&mut hub, &mut phone);
    assert_eq!(hub.sync.heads(), phone.sync.heads());
    assert_eq!(hub.sync.author_of(&actor), None);
    assert!(hub.authors.is_empty());
}
