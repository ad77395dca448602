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
        organisation.connections.entry(connection.principal.user).or_default().push(Arc::clone(connection));
    }

    /// Gives a peer id to a connection; false if somebody else is connected under it. An older connection of the same
    /// sign-in is closed: it is the one that broke without our noticing.
    pub(super) fn bind(&self, peer: &PeerId, connection: &Arc<Connection>) -> bool {
        let mut members = self.members();
        let organisation = members.entry(connection.principal.organisation).or_default();
        if let Some(older) = organisation.peers.get(peer) {
            let (theirs, ours) = (&older.principal, &connection.principal);
            if (theirs.user, theirs.device) != (ours.user, ours.device) {
                return false;
            }
            if older.id != connection.id {
                older.close(Closing::replaced());
            }
        }
        organisation.peers.insert(peer.clone(), Arc::clone(connection));
        true
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
