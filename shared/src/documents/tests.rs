//! Tests of the documents through their public API.
