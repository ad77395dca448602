//! Who is connected: to tell them news, to close them, and to keep a peer id with the person who uses it.

use std::{
    collections::{HashMap, hash_set},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use taiwa_shared::{
    ids::{DeviceId, OrganisationId, UserId},
    sync::wire::PeerId,
    time::Timestamp,
};

use super::connection::{Closing, Connection};

/// Sockets of one sign-in: a phone has one, a browser one per window. Of more, the oldest is closed, because it is the
/// one that probably broke without our noticing, and the newest is the one that somebody looks at.
const MAX_SOCKETS_PER_DEVICE: usize = 8;
/// With the id of the device behind it, the peer id of a phone.
const PHONE_PREFIX: &str = "taiwa-";

/// All connections, by organisation.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: Mutex<HashMap<OrganisationId, Members>>,
}

#[derive(Debug, Default)]
struct Members {
    connections: HashMap<UserId, Vec<Arc<Connection>>>,
    peers: HashMap<PeerId, Arc<Connection>>,
}

impl Roster {
    pub(super) fn add(&self, connection: &Arc<Connection>) {
        let mut members = self.members();
        let organisation = members.entry(connection.principal.organisation).or_default();
        let theirs = organisation.connections.entry(connection.principal.user).or_default();
        theirs.push(Arc::clone(connection));
        let of_device = || theirs.iter().filter(|listed| listed.principal.device == connection.principal.device);
        let too_many = of_device().count().saturating_sub(MAX_SOCKETS_PER_DEVICE);
        of_device().take(too_many).for_each(|oldest| oldest.close(Closing::crowded_out()));
    }

    /// Gives a peer id to a connection, unless it is that of another phone or somebody else is connected under it. An
    /// older connection of the same sign-in is closed: it is the one that broke without our noticing.
    pub(super) fn bind(&self, peer: &PeerId, connection: &Arc<Connection>) -> Result<(), Closing> {
        let phone = peer.as_str().strip_prefix(PHONE_PREFIX).and_then(|device| device.parse::<DeviceId>().ok());
        if phone.is_some_and(|device| device != connection.principal.device) {
            return Err(Closing::hostile("this peer id is kept for the phone with this device id"));
        }
        let mut members = self.members();
        let organisation = members.entry(connection.principal.organisation).or_default();
        if let Some(older) = organisation.peers.get(peer) {
            let (theirs, ours) = (&older.principal, &connection.principal);
            if (theirs.user, theirs.device) != (ours.user, ours.device) {
                return Err(Closing::hostile("this peer id belongs to another connection"));
            }
            if older.id != connection.id {
                older.close(Closing::replaced());
            }
        }
        organisation.peers.insert(peer.clone(), Arc::clone(connection));
        Ok(())
    }

    pub(super) fn remove(&self, connection: &Connection) {
        let mut members = self.members();
        let organisation = connection.principal.organisation;
        if let Some(of) = members.get_mut(&organisation) {
            let user = connection.principal.user;
            if let Some(theirs) = of.connections.get_mut(&user) {
                theirs.retain(|listed| listed.id != connection.id);
                if theirs.is_empty() {
                    of.connections.remove(&user);
                }
            }
            if let Some(peer) = connection.peer()
                && of.peers.get(peer).is_some_and(|holder| holder.id == connection.id)
            {
                of.peers.remove(peer);
            }
            if of.connections.is_empty() {
                members.remove(&organisation);
            }
        }
    }

    /// Calls `act` for each connection of some people of an organisation, or of all of them.
    pub(super) fn each_of(
        &self,
        organisation: OrganisationId,
        people: Option<hash_set::Iter<'_, UserId>>,
        act: impl FnMut(&Arc<Connection>),
    ) {
        if let Some(of) = self.members().get(&organisation) {
            match people {
                Some(people) => people.filter_map(|user| of.connections.get(user)).flatten().for_each(act),
                None => of.connections.values().flatten().for_each(act),
            }
        }
    }

    /// Calls `act` for each connection.
    pub(super) fn each(&self, act: impl FnMut(&Arc<Connection>)) {
        self.members().values().flat_map(|of| of.connections.values().flatten()).for_each(act);
    }

    /// Closes the sockets of a sign-in.
    pub(super) fn close_device(&self, device: DeviceId) {
        self.each(|connection| {
            if connection.principal.device == device {
                connection.close(Closing::revoked());
            }
        });
    }

    /// Closes the sockets whose token has expired.
    pub(super) fn close_expired(&self, now: Timestamp) {
        self.each(|connection| {
            if connection.expires() <= now {
                connection.close(Closing::expired());
            }
        });
    }

    pub(super) fn len(&self) -> usize {
        self.members().values().flat_map(|of| of.connections.values()).map(Vec::len).sum()
    }

    fn members(&self) -> MutexGuard<'_, HashMap<OrganisationId, Members>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use taiwa_shared::domain::people::Role;

    use super::*;
    use crate::{
        records::access::Principal,
        sync::{HubLimits, access::AccessVersions, quota::Quota},
    };

    fn connection(id: u64, user: u8, device: u8) -> Arc<Connection> {
        let organisation = OrganisationId::from_bytes([1; 16]);
        let principal = Principal {
            organisation,
            user: UserId::from_bytes([user; 16]),
            device: DeviceId::from_bytes([device; 16]),
            role: Role::Member,
            expires: Timestamp::from_millis(i64::MAX),
        };
        let quota = Quota::new(&HubLimits::default(), Timestamp::from_millis(0));
        Arc::new(Connection::new(id, principal, AccessVersions::default().of(organisation), Arc::new(quota)))
    }

    #[test]
    fn the_peer_id_of_a_phone_is_kept_for_it() {
        let roster = Roster::default();
        let (mine, squatter) = (connection(1, 1, 1), connection(2, 2, 2));
        let phone = PeerId::new(format!("taiwa-{}", mine.principal.device)).unwrap();
        let refused = roster.bind(&phone, &squatter).unwrap_err();
        assert!(refused.hostile && refused.message.contains("kept for the phone"), "{refused:?}");
        roster.bind(&phone, &mine).unwrap();
        roster.bind(&PeerId::new("taiwa-web").unwrap(), &squatter).unwrap();
        let taken = roster.bind(&PeerId::new("taiwa-web").unwrap(), &mine).unwrap_err();
        assert!(taken.message.contains("another connection"), "{taken:?}");
    }

    #[tokio::test]
    async fn the_oldest_of_too_many_sockets_of_a_sign_in_is_closed() {
        let roster = Roster::default();
        let all: Vec<_> = (0..=8).map(|id| connection(id, 1, 1)).collect();
        let other = connection(9, 1, 2);
        for connection in all.iter().chain([&other]) {
            roster.add(connection);
        }
        assert_eq!(all[0].closed().await, Closing::crowded_out());
        for connection in all[1..].iter().chain([&other]) {
            let closed = tokio::time::timeout(std::time::Duration::ZERO, connection.closed()).await;
            assert!(closed.is_err(), "{}", connection.id);
        }
    }
}
