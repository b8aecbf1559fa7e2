//! `INSERT OVERWRITE`: the files whose rows give way to new ones.
//!
//! New files are there before the old ones go, so that a reader may for a moment see both, and never neither.

use std::collections::BTreeSet;

use object_store::ObjectStoreExt;
use object_store::path::Path;
use tidemill_core::{Error, Result};
use tokio::runtime::Handle;

use super::location::{FoundFile, Location};

/// The files of a table that are there now: all of them, or those below `directories`, each as `day=2024-01-31/`.
pub(super) fn files(
    location: &Location,
    directories: Option<&BTreeSet<String>>,
    runtime: &Handle,
) -> Result<Vec<FoundFile>> {
    let mut files = runtime.block_on(location.list())?;
    let Some(directories) = directories else { return Ok(files) };
    let local = location.directory()?;
    let below = |file: &FoundFile, directory: &str| match (&local, &file.local) {
        (Some(base), Some(file)) => file.starts_with(base.join(directory)),
        _ => Path::parse(format!("{}/{directory}", location.base)).is_ok_and(|d| file.path.prefix_matches(&d)),
    };
    files.retain(|file| directories.iter().any(|directory| below(file, directory)));
    Ok(files)
}

/// Removes them.
pub(super) fn remove(location: &Location, files: &[FoundFile], runtime: &Handle) -> Result<()> {
    for file in files {
        runtime.block_on(location.store.delete(&file.path)).map_err(|e| {
            Error::external(format!("cannot remove '{}', whose rows were replaced: {e}", file.name)).caused_by(e)
        })?;
    }
    Ok(())
}
