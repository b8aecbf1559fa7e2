//! `'connector' = 'filesystem'`: files on this machine, or wherever a URL says.
//!
//! Reading, in this order:
//!
//! 1. `options`: what can be said in `WITH (..)`; `connector`: the connector.
//! 2. `location`: a path, directory, glob or URL, and the files it names, in name order.
//! 3. `object`: the bytes of one file, from anywhere in it; `compression`: through gzip or zstd.
//! 4. `source`: the splits of a table; `file_splits`: files as splits of their own; `columns`: the columns that are the same for a whole file.
//! 5. Files of records (JSON, CSV, ...): `archive` reads the files of a split to their end, `tail` follows them as they grow
//!    (`tail_position` is how far).
//! 6. Files with a structure of their own: `rows` (in order, on several threads), `new_files`, `parquet`, `arrow_ipc`, and
//!    `adapt`, which makes a file's columns those that were declared.
//!
//! Writing: `sink` (which file a row goes to, when a file is full and when it becomes visible), `part` (one file that is
//! being written), `partition` (`a=1/b=x` and back).

mod adapt;
mod archive;
mod arrow_ipc;
mod columns;
mod compression;
mod connector;
mod file_splits;
mod infer;
mod location;
mod new_files;
mod object;
mod options;
mod parquet;
mod part;
mod partition;
mod replaced;
mod rows;
mod sink;
mod source;
mod tail;
mod tail_position;

pub use connector::Filesystem;

#[cfg(test)]
mod tests;
