//! One client at a memo, whatever its server speaks, as the crowd sees it: it types, listens, and compares.

use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::{Context, Result};
use bytes::Bytes;
use taiwa_shared::{
    ids::DocumentId,
    sync::{chunks::ChangeHash, document::SyncKind},
};

use tokio::time::Instant;

use crate::{
    client::Client,
    crowd::Base,
    house::{Seat, Table},
    line::LineClient,
    replica::Replica,
    socket::Socket,
    yjs::YjsClient,
};

/// What one change of the text that is there before has: 150 ms of typing.
const BASE_KEYS: &str = "来週の商";

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// The network protocol of automerge-repo.
    Repo,
    /// Frames without a protocol.
    Line,
    /// The protocol of hocuspocus.
    Yjs,
}

/// A connected client.
#[derive(Debug)]
pub(crate) enum Participant {
    /// Of an automerge-repo server.
    Repo(Box<Client>, DocumentId),
    /// Of the relay.
    Line(LineClient),
    /// Of hocuspocus.
    Yjs(Box<YjsClient>),
}

impl Participant {
    /// Connects everybody of a table; the first brings the base, and all others wait until they have it.
    ///
    /// # Errors
    /// If the server refuses one.
    pub(crate) async fn sit_down(table: &Table, base: Base) -> Result<Vec<Self>> {
        let mut participants = Vec::with_capacity(table.seats.len());
        let mut length = 0;
        for (number, seat) in table.seats.iter().enumerate() {
            let opened = match table.language {
                Language::Repo => {
                    let base = if number == 0 { base } else { Base { changes: 0, ..base } };
                    open_memo(table, seat, base, &mut length).await
                }
                Language::Line => LineClient::connect(&seat.door).await.map(Self::Line),
                Language::Yjs => {
                    let name = table.key.document_id(0).to_string();
                    YjsClient::connect(&seat.door, &name).await.map(|client| Self::Yjs(Box::new(client)))
                }
            };
            participants.push(opened.with_context(|| format!("connect {}", seat.name))?);
        }
        // Updates of Yjs reach who is there already.
        if let Some(Self::Yjs(first)) = participants.first_mut() {
            for _ in 0..base.changes {
                first.type_text(BASE_KEYS);
            }
            first.socket.flush().await?;
        }
        Ok(participants)
    }

    /// The socket.
    pub(crate) fn socket(&mut self) -> &mut Socket {
        match self {
            Self::Repo(client, _) => &mut client.socket,
            Self::Line(client) => &mut client.socket,
            Self::Yjs(client) => &mut client.socket,
        }
    }

    /// Queues one edit and returns what marks it.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn type_text(&mut self, text: &str) -> Result<ChangeHash> {
        match self {
            Self::Repo(client, document) => {
                let hash = client.replica(*document)?.type_text(text)?;
                client.speak(*document)?;
                Ok(hash)
            }
            Self::Line(client) => Ok(client.type_key()),
            Self::Yjs(client) => Ok(client.type_text(text)),
        }
    }

    /// When an acknowledgement that is owed has to be sent.
    pub(crate) fn acknowledge_at(&self) -> Option<Instant> {
        match self {
            Self::Repo(client, _) => client.acknowledge_at,
            Self::Line(_) | Self::Yjs(_) => None,
        }
    }

    /// Queues an acknowledgement that is owed.
    ///
    /// # Errors
    /// If it cannot be made.
    pub(crate) fn acknowledge(&mut self) -> Result<()> {
        match self {
            Self::Repo(client, document) => client.speak(*document),
            Self::Line(_) | Self::Yjs(_) => Ok(()),
        }
    }

    /// Takes everything that has arrived, queues the answers, and returns the marks of what is new.
    ///
    /// # Errors
    /// If the server closed or says something wrong.
    pub(crate) fn take(&mut self) -> Result<Vec<ChangeHash>> {
        match self {
            Self::Repo(client, _) => Ok(client.take()?.into_iter().map(|(_, hash)| hash).collect()),
            Self::Line(client) => client.take(),
            Self::Yjs(client) => client.take(),
        }
    }

    /// What it has said since it was asked last, if that is kept.
    pub(crate) fn said(&mut self) -> Vec<(SyncKind, Bytes)> {
        match self {
            Self::Repo(client, _) => client.said.as_mut().map(std::mem::take).unwrap_or_default(),
            Self::Line(_) | Self::Yjs(_) => Vec::new(),
        }
    }

    /// Names what it has: equal where everything is equal.
    ///
    /// # Errors
    /// If it holds no memo.
    pub(crate) fn state(&mut self) -> Result<u64> {
        let mut hasher = DefaultHasher::new();
        match self {
            Self::Repo(client, document) => client.replica(*document)?.heads().hash(&mut hasher),
            Self::Line(client) => client.seen.hash(&mut hasher),
            Self::Yjs(client) => client.clocks().hash(&mut hasher),
        }
        Ok(hasher.finish())
    }

    /// Whether the server, asked anew by somebody else, has what this client has.
    ///
    /// # Errors
    /// If it cannot be asked.
    pub(crate) async fn agrees_with_server(&mut self, table: &Table) -> Result<bool> {
        let seat = table.seats.first().context("a table has seats")?;
        match self {
            Self::Repo(client, document) => {
                let heads = client.replica(*document)?.heads();
                let fresh = crate::reader::read(&seat.door, &format!("reader-{document}"), *document, &heads).await?;
                Ok(fresh.heads == heads)
            }
            Self::Line(_) => Ok(true),
            Self::Yjs(client) => {
                let fresh = YjsClient::connect(&seat.door, &document_name(table)).await?;
                Ok(fresh.server_clocks() == client.clocks())
            }
        }
    }
}

fn document_name(table: &Table) -> String {
    table.key.document_id(0).to_string()
}

async fn open_memo(table: &Table, seat: &Seat, base: Base, length: &mut usize) -> Result<Participant> {
    let mut client = Client::connect(&seat.door, &seat.name).await?;
    client.said = base.is_recorded.then(Vec::new);
    let mut replica = Replica::new(&table.key, seat.user)?;
    replica.connect();
    for _ in 0..base.changes {
        replica.type_text(BASE_KEYS)?;
    }
    *length = replica.len().max(*length);
    let document = replica.document;
    client.hold(replica);
    client.settle().await?;
    while client.replica(document)?.len() < *length {
        client.listen().await?;
    }
    Ok(Participant::Repo(Box::new(client), document))
}
