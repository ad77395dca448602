//! The import table, the doors and the avoided words, as data.
//!
//! CONTRIBUTING.md explains them; this file decides. A module that is not listed may use everything.

/// Folders whose Rust files are checked.
pub(super) const SOURCE_FOLDERS: [&str; 6] =
    ["shared/src", "mobile-core/src", "server/src", "tests/src", "bench/src", "xtask/src"];

/// Words for people and meetings that the product does not use, in any text.
pub(super) const AVOIDED_WORDS: [&str; 2] = ["\u{90e8}\u{4e0b}", "\u{9762}\u{8ac7}"];

/// What a module of the workspace may use of the workspace besides itself. Paths are `crate::module`, a prefix of what
/// is used; the crate's name is its folder's.
pub(super) struct Imports {
    /// The module.
    pub(super) module: &'static str,
    /// What it may use.
    pub(super) may_use: &'static [&'static str],
}

/// Who may import whom.
pub(super) const IMPORTS: &[Imports] = &[
    Imports { module: "shared::ids", may_use: &["shared::time"] },
    Imports { module: "shared::time", may_use: &[] },
    Imports { module: "shared::domain", may_use: &["shared::ids", "shared::time"] },
    Imports { module: "shared::documents", may_use: &["shared::ids", "shared::time", "shared::domain"] },
    // Access is the word both use for what a peer may do; the engine knows nothing else of the domain.
    Imports { module: "shared::sync", may_use: &["shared::ids", "shared::time", "shared::domain::ownership::Access"] },
    Imports { module: "shared::protocol", may_use: &["shared::ids", "shared::time", "shared::domain"] },
    Imports { module: "mobile-core::store", may_use: &["shared"] },
    Imports { module: "mobile-core::http", may_use: &["shared"] },
    Imports { module: "mobile-core::sync", may_use: &["shared", "mobile-core::store"] },
    Imports {
        module: "mobile-core::session",
        may_use: &["shared", "mobile-core::store", "mobile-core::http", "mobile-core::sync"],
    },
    Imports { module: "mobile-core::api", may_use: &["shared", "mobile-core::session"] },
    Imports { module: "server::store", may_use: &["shared", "server::entropy"] },
    Imports { module: "server::bus", may_use: &["shared"] },
    Imports { module: "server::metrics", may_use: &["shared"] },
    Imports { module: "server::clock", may_use: &["shared"] },
    Imports { module: "server::entropy", may_use: &[] },
    Imports { module: "server::key_file", may_use: &[] },
    Imports {
        module: "server::auth",
        may_use: &["shared", "server::store", "server::bus", "server::clock", "server::entropy", "server::key_file"],
    },
    Imports {
        module: "server::records",
        may_use: &[
            "shared",
            "server::store",
            "server::bus",
            "server::clock",
            "server::entropy",
            "server::key_file",
            "server::tips",
        ],
    },
    Imports {
        module: "server::tips",
        may_use: &["shared", "server::store", "server::entropy", "server::records::access"],
    },
    Imports {
        module: "server::operate",
        may_use: &[
            "shared::ids",
            "shared::time",
            "shared::domain",
            "shared::sync",
            "shared::documents::genesis",
            "server::store",
        ],
    },
    Imports {
        module: "server::sync",
        may_use: &[
            "shared::ids",
            "shared::time",
            "shared::domain",
            "shared::sync",
            "shared::documents::genesis",
            "server::store",
            "server::bus",
            "server::clock",
            "server::metrics",
            "server::records::access",
        ],
    },
];

/// What no file of a folder may use, though the table above would let it.
pub(super) struct Never {
    /// Prefix of the paths of files.
    pub(super) files: &'static str,
    /// What they may not use.
    pub(super) used: &'static str,
    /// What they may use of it all the same.
    pub(super) except: &'static str,
}

/// The server makes a document's first change and never looks into one.
pub(super) const NEVER: &[Never] =
    &[Never { files: "server/src/", used: "shared::documents", except: "shared::documents::genesis" }];

/// A third-party crate and the only places that may name it.
pub(super) struct Door {
    /// The crate, as written in paths.
    pub(super) krate: &'static str,
    /// Prefixes of paths of files; with the workspace's own crates in front.
    pub(super) files: &'static [&'static str],
}

/// One door per third-party crate.
pub(super) const DOORS: &[Door] = &[
    // The inspector of the tests reads a server's file from the outside.
    Door { krate: "sqlx", files: &["server/src/store/", "mobile-core/src/store/", "tests/src/inspect.rs"] },
    Door {
        krate: "axum",
        files: &[
            "server/src/http/",
            // Listening, and the sync socket, which the routes hand over.
            "server/src/server.rs",
            "server/src/sync/mod.rs",
            "server/src/sync/socket.rs",
            "server/src/sync/inbound.rs",
            "server/src/sync/outbound.rs",
            // The servers beside which the bench measures.
            "bench/src/peers/",
        ],
    },
    Door { krate: "tokio_tungstenite", files: &["mobile-core/src/sync/", "tests/src/"] },
    Door { krate: "reqwest", files: &["mobile-core/src/http/", "tests/src/"] },
    Door { krate: "uniffi", files: &["mobile-core/src/api/", "mobile-core/src/lib.rs"] },
    // The bench signs thousands in without their passwords.
    Door { krate: "jsonwebtoken", files: &["server/src/auth/token", "tests/src/", "bench/src/house/"] },
    Door { krate: "prometheus_client", files: &["server/src/metrics/"] },
    Door { krate: "argon2", files: &["server/src/auth/password"] },
    // What stands for people beside their ratings.
    Door { krate: "hmac", files: &["server/src/records/ratings/key.rs"] },
    Door { krate: "statrs", files: &["shared/src/domain/strengths/"] },
    Door { krate: "governor", files: &["server/src/http/"] },
    Door { krate: "automerge", files: &["shared/src/documents/", "shared/src/sync/", "tests/src/", "bench/src/"] },
    Door { krate: "minicbor", files: &["shared/src/sync/wire", "shared/src/documents/"] },
    Door { krate: "chacha20poly1305", files: &["mobile-core/src/store/"] },
    Door { krate: "csv", files: &["server/src/records/", "tests/src/"] },
    // The CSV files of Japanese Excel.
    Door { krate: "encoding_rs", files: &["server/src/records/import/text.rs"] },
    Door {
        krate: "utoipa",
        files: &["server/src/http/", "shared/src/ids", "shared/src/time", "shared/src/domain/", "shared/src/protocol/"],
    },
    Door { krate: "utoipa_axum", files: &["server/src/http/"] },
    Door { krate: "samod", files: &["bench/src/peers/samod.rs", "tests/src/"] },
    Door { krate: "hdrhistogram", files: &["bench/src/"] },
    Door { krate: "syn", files: &["xtask/src/tidy/"] },
];

/// Names of automerge that open a document; the sync engine uses none of them.
pub(super) const OPENS_A_DOCUMENT: [&str; 4] = ["AutoCommit", "Automerge", "ReadDoc", "Transactable"];
