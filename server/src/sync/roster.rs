//! Who is connected: to tell them news, to close them, and to keep a peer id with the person who uses it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use taiwa_shared::{
    ids::{DeviceId, OrganisationId},
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
    connections: HashMap<u64, Arc<Connection>>,
    peers: HashMap<PeerId, Arc<Connection>>,
}

impl Roster {
    pub(super) fn add(&self, connection: &Arc<Connection>) {
        let mut members = self.members();
        let organisation = members.entry(connection.principal.organisation).or_default();
        organisation.connections.insert(connection.id, Arc::clone(connection));
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
            of.connections.remove(&connection.id);
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

    /// Calls `act` for each connection of an organisation.
    pub(super) fn each_of(&self, organisation: OrganisationId, act: impl FnMut(&Arc<Connection>)) {
        if let Some(of) = self.members().get(&organisation) {
            of.connections.values().for_each(act);
        }
    }

    /// Calls `act` for each connection.
    pub(super) fn each(&self, act: impl FnMut(&Arc<Connection>)) {
        self.members().values().flat_map(|of| of.connections.values()).for_each(act);
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
        self.members().values().map(|of| of.connections.len()).sum()
    }

    fn members(&self) -> MutexGuard<'_, HashMap<OrganisationId, Members>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
