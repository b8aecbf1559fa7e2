//! Which files are splits of their own, where each file is one (`'source.splits' = 'file'`) and files are followed.
//!
//! A file that was renamed is not a new split: its reader goes on with it, and then with what took its name.

use std::sync::{Arc, Mutex, PoisonError};

use super::location::FoundFile;
use super::tail::inode_at;
use super::tail_position::Fingerprint;

/// The splits that were found so far. After a restart it knows none, so a file that was renamed meanwhile is a split anew.
#[derive(Debug, Default)]
pub(crate) struct FileSplits(Mutex<Vec<Known>>);

#[derive(Debug)]
struct Known {
    name: Arc<str>,
    inode: Option<u64>,
    fingerprint: Fingerprint,
}

impl FileSplits {
    /// The names of all splits, those of before and those that `listed` adds.
    pub(crate) fn add(&self, listed: Vec<FoundFile>) -> Vec<Arc<str>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for file in listed {
            let inode = file.local.as_deref().and_then(inode_at);
            let renamed = known.iter().any(|k| {
                let same = k.inode.is_some() && k.inode == inode;
                same && file.local.as_deref().is_some_and(|path| k.fingerprint.matches(path))
            });
            if !renamed {
                let fingerprint = file.local.as_deref().map(Fingerprint::of).unwrap_or_default();
                known.push(Known { name: file.name, inode, fingerprint });
            }
        }
        let mut names: Vec<Arc<str>> = Vec::new();
        for file in known.iter() {
            if !names.contains(&file.name) {
                names.push(file.name.clone());
            }
        }
        names
    }
}
