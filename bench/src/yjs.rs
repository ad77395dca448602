//! A client of hocuspocus: Yjs updates made without a document, in the frames of hocuspocus 3.
//!
//! Formats: y-protocols `sync.js`, yjs `UpdateEncoder.js` version 1, hocuspocus `MessageReceiver.ts`. One update is one
//! inserted string behind the client's own last one, as a keyboard makes them.

use std::collections::HashMap;

use anyhow::{Context, Result, bail, ensure};
use taiwa_shared::sync::chunks::ChangeHash;

use crate::socket::{Door, Message, Socket};

const SYNC: u64 = 0;
const AUTH: u64 = 2;
const SYNC_REPLY: u64 = 4;
const STEP_1: u64 = 0;
const STEP_2: u64 = 1;
const UPDATE: u64 = 2;
/// A string, with an origin on its left.
const STRING_AFTER: u8 = 0x84;
/// A string without neighbours, which names its parent.
const STRING_FIRST: u8 = 0x04;

/// A connected client.
#[derive(Debug)]
pub(crate) struct YjsClient {
    /// The socket.
    pub(crate) socket: Socket,
    name: String,
    client: u64,
    /// UTF-16 units that each client has typed, as far as known here.
    clocks: HashMap<u64, u64>,
    /// What the server said to have when we came.
    server: HashMap<u64, u64>,
}

impl YjsClient {
    /// Connects and synchronises.
    ///
    /// # Errors
    /// If the server refuses.
    pub(crate) async fn connect(door: &Door, document: &str) -> Result<Self> {
        let socket = Socket::open(door).await?;
        let (client, name) = (u64::from(rand::random::<u32>()), document.to_owned());
        let mut own = Self { socket, name, client, clocks: HashMap::new(), server: HashMap::new() };
        let mut auth = own.message(AUTH);
        write_number(&mut auth, 0);
        write_bytes(&mut auth, b"bench");
        own.socket.queue(&auth);
        let mut hello = own.message(SYNC);
        write_number(&mut hello, STEP_1);
        // Nothing of nobody.
        write_bytes(&mut hello, &[0]);
        own.socket.queue(&hello);
        own.socket.flush().await?;
        let mut is_told = false;
        while !is_told {
            let Message::Binary(bytes) = own.socket.next().await? else { bail!("hocuspocus closed") };
            is_told = own.read(&bytes)?.is_some_and(|told| matches!(told, Told::State));
        }
        Ok(own)
    }

    /// Queues an update with a text and returns what marks it.
    pub(crate) fn type_text(&mut self, text: &str) -> ChangeHash {
        let clock = self.clocks.get(&self.client).copied().unwrap_or(0);
        let mut update = Vec::with_capacity(32 + text.len());
        // One client, one struct.
        write_number(&mut update, 1);
        write_number(&mut update, 1);
        write_number(&mut update, self.client);
        write_number(&mut update, clock);
        if clock == 0 {
            update.push(STRING_FIRST);
            write_number(&mut update, 1);
            write_bytes(&mut update, b"body");
        } else {
            update.push(STRING_AFTER);
            write_number(&mut update, self.client);
            write_number(&mut update, clock - 1);
        }
        write_bytes(&mut update, text.as_bytes());
        // Nothing is deleted.
        write_number(&mut update, 0);
        let mut message = self.message(SYNC);
        write_number(&mut message, UPDATE);
        write_bytes(&mut message, &update);
        self.socket.queue(&message);
        self.note(self.client, clock, text.encode_utf16().count() as u64)
    }

    /// Takes everything that has arrived.
    ///
    /// # Errors
    /// If the server closed or says something wrong.
    pub(crate) fn take(&mut self) -> Result<Vec<ChangeHash>> {
        let mut marks = Vec::new();
        while let Some(message) = self.socket.take()? {
            let Message::Binary(bytes) = message else { bail!("hocuspocus closed") };
            if let Some(Told::Update(mark)) = self.read(&bytes)? {
                marks.push(mark);
            }
        }
        Ok(marks)
    }

    /// How much of whom is here, sorted: equal where all updates are.
    pub(crate) fn clocks(&self) -> Vec<(u64, u64)> {
        let mut clocks: Vec<_> = self.clocks.iter().map(|(client, clock)| (*client, *clock)).collect();
        clocks.sort_unstable();
        clocks
    }

    /// How much of whom the server had when this client came, sorted.
    pub(crate) fn server_clocks(&self) -> Vec<(u64, u64)> {
        let mut clocks: Vec<_> = self.server.iter().map(|(client, clock)| (*client, *clock)).collect();
        clocks.sort_unstable();
        clocks
    }

    fn message(&self, kind: u64) -> Vec<u8> {
        let mut message = Vec::with_capacity(96);
        write_bytes(&mut message, self.name.as_bytes());
        write_number(&mut message, kind);
        message
    }

    fn read(&mut self, mut bytes: &[u8]) -> Result<Option<Told>> {
        let reader = &mut bytes;
        read_bytes(reader)?;
        if !matches!(read_number(reader)?, SYNC | SYNC_REPLY) {
            return Ok(None);
        }
        match read_number(reader)? {
            STEP_1 => {
                let reader = &mut read_bytes(reader)?;
                for _ in 0..read_number(reader)? {
                    let (client, clock) = (read_number(reader)?, read_number(reader)?);
                    self.server.insert(client, clock);
                }
                Ok(Some(Told::State))
            }
            UPDATE => self.read_update(read_bytes(reader)?).map(Some),
            // What was there before we came is counted by the server's state.
            STEP_2 => Ok(None),
            other => bail!("a sync message of type {other}"),
        }
    }

    /// Only what clients of this kind send: one client, one string.
    fn read_update(&mut self, mut update: &[u8]) -> Result<Told> {
        let reader = &mut update;
        ensure!((read_number(reader)?, read_number(reader)?) == (1, 1), "an update of one struct");
        let (client, clock) = (read_number(reader)?, read_number(reader)?);
        let (info, rest) = reader.split_first().context("a struct")?;
        *reader = rest;
        match *info {
            STRING_AFTER => {
                read_number(reader)?;
                read_number(reader)?;
            }
            STRING_FIRST => {
                read_number(reader)?;
                read_bytes(reader)?;
            }
            other => bail!("a struct of kind {other}"),
        }
        let text = std::str::from_utf8(read_bytes(reader)?)?;
        Ok(Told::Update(self.note(client, clock, text.encode_utf16().count() as u64)))
    }

    fn note(&mut self, client: u64, clock: u64, units: u64) -> ChangeHash {
        let known = self.clocks.entry(client).or_default();
        *known = (*known).max(clock + units);
        let mut mark = [0; 32];
        mark[..8].copy_from_slice(&client.to_be_bytes());
        mark[8..16].copy_from_slice(&clock.to_be_bytes());
        ChangeHash(mark)
    }
}

enum Told {
    State,
    Update(ChangeHash),
}

fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn write_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    write_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn read_number(reader: &mut &[u8]) -> Result<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = reader.split_first().context("a number")?;
        *reader = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    bail!("a number of more than 64 bits")
}

fn read_bytes<'a>(reader: &mut &'a [u8]) -> Result<&'a [u8]> {
    let length = usize::try_from(read_number(reader)?)?;
    let (bytes, rest) = reader.split_at_checked(length).context("a text")?;
    *reader = rest;
    Ok(bytes)
}
