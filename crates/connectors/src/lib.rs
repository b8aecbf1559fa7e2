//! The outside world: connectors (files, generators, the terminal) and formats (JSON, CSV, ...).
//!
//! One folder a connector, each behind a Cargo feature of its name; one file or folder a format. Everything is reached
//! through the traits of `tidemill_core` ([`Connector`], [`Source`](tidemill_core::source::Source),
//! [`Sink`](tidemill_core::sink::Sink), [`Format`](tidemill_core::format::Format)); nothing here knows SQL, plans or state.
//!
//! Read in this order: [`formats`] (blocks of records into columns and back), `records` (a stream of bytes, cut, decoded on
//! several threads, in order), then a small connector ([`print`](mod@print)), then the large one ([`filesystem`]).
//!
//! A new connector is a folder, a feature and a line in [`connectors`].

#[cfg(feature = "blackhole")]
pub mod blackhole;
#[cfg(any(feature = "filesystem", feature = "stdio", feature = "print", feature = "blackhole"))]
#[cfg_attr(not(any(feature = "filesystem", feature = "stdio")), expect(dead_code))]
mod changelog;
mod changes;
#[cfg(feature = "datagen")]
pub mod datagen;
#[cfg(feature = "filesystem")]
pub mod filesystem;
pub mod formats;
#[cfg(feature = "nexmark")]
pub mod nexmark;
#[cfg(any(feature = "datagen", feature = "nexmark"))]
mod pace;
#[cfg(feature = "print")]
pub mod print;
#[cfg(any(feature = "datagen", feature = "nexmark"))]
mod random;
#[cfg(any(feature = "filesystem", feature = "stdio"))]
// Each of the two uses its own half of it.
#[cfg_attr(not(all(feature = "filesystem", feature = "stdio")), expect(dead_code))]
mod records;
pub mod reference;
#[cfg(feature = "stdio")]
pub mod stdio;
mod table_options;
#[cfg(feature = "print")]
mod text;
#[cfg(any(feature = "filesystem", feature = "stdio", feature = "print", feature = "blackhole"))]
mod weights;

pub use table_options::TABLE_OPTIONS;

use tidemill_core::source::Connector;
use tidemill_core::{Error, Result};

/// All connectors.
pub fn connectors() -> &'static [&'static dyn Connector] {
    &[
        #[cfg(feature = "filesystem")]
        &filesystem::Filesystem,
        #[cfg(feature = "datagen")]
        &datagen::Datagen,
        #[cfg(feature = "nexmark")]
        &nexmark::Nexmark,
        #[cfg(feature = "stdio")]
        &stdio::Stdin,
        #[cfg(feature = "stdio")]
        &stdio::Stdout,
        #[cfg(feature = "print")]
        &print::Print,
        #[cfg(feature = "blackhole")]
        &blackhole::Blackhole,
    ]
}

/// The connector of this name.
pub fn connector(name: &str) -> Result<&'static dyn Connector> {
    connectors().iter().copied().find(|c| c.name().eq_ignore_ascii_case(name)).ok_or_else(|| {
        let known = connectors().iter().map(|c| c.name());
        Error::statement(format!("there is no connector '{name}'")).with_nearest(name, known)
    })
}
