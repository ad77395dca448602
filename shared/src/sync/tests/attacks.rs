//! Single conversations with their figures.
