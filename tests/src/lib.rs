//! What the tests and the demo share: the real server, real phones, and lines between them that fail.
//!
//! Map: [`world`] a server with a small [`company`], where most tests begin, and its [`phone`]s; [`process`] the server
//! as a process that can be killed; [`link`] a line that delays, loses and is cut; [`relay`] one that answers in the
//! server's place; [`impostor`] a server in between that says anything; [`tls`] a certificate authority and a
//! terminator; [`rest`], [`plain_client`], [`raw_socket`], [`oracle`] clients that are no phones, [`interop`]
//! clients and servers of others, [`forger`] what hostile ones say; [`fuzz`] what must hold for any bytes; [`inspect`]
//! what a store really holds; [`postgres`] a private server of that; [`clock`] a time that tests move; [`eventually`]
//! waiting for a condition; [`figures`] what the bench reports; [`seed`] randomness that can be repeated; [`simulated`]
//! the server on a network and in a time that are simulated; [`small_disk`] a disk that is full; [`turn`] heavy tests
//! one after another; [`skip`] saying loudly that a tool is missing; [`demo`] the story. Knows nothing of private modules.

pub mod clock;
pub mod company;
pub mod demo;
pub mod eventually;
pub mod figures;
pub mod forger;
pub mod fuzz;
pub mod impostor;
pub mod inspect;
pub mod interop;
pub mod link;
pub mod oracle;
pub mod phone;
pub mod plain_client;
pub mod postgres;
pub mod process;
pub mod raw_socket;
pub mod relay;
pub mod rest;
pub mod seed;
pub mod simulated;
pub mod skip;
pub mod small_disk;
pub mod tls;
pub mod turn;
pub mod world;
