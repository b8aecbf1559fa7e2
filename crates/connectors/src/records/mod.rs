//! From a stream of bytes to decoded pieces, in order.
//!
//! ```text
//! bytes ─cut─► blocks of whole records ─decode (n threads)─► batches, back in order ─lay out─► pieces
//! ```
//!
//! Read in this order: `feed` (work that blocks, seen from async code), `cut` (a stream of bytes into blocks),
//! `layout` (which columns come from where), `pipe` (decoding on several threads, in order). Which bytes and from where is
//! the business of each connector.

pub(crate) mod cut;
pub(crate) mod feed;
pub(crate) mod layout;
pub(crate) mod pipe;
