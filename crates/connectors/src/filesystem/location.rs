//! What a `path` names: a file, a directory, a glob or a URL, and the files there, in name order. Reads no file.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use globset::{GlobBuilder, GlobMatcher};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use tidemill_core::{Error, Result};
use url::Url;

use super::partition;

/// Where files are looked for.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    /// The path as it was written.
    pub(crate) written: Arc<str>,
    /// Where the bytes are.
    pub(crate) store: Arc<dyn ObjectStore>,
    /// The same, if it is this machine's file system.
    pub(crate) local: Option<Arc<LocalFileSystem>>,
    /// The file or directory, or the deepest directory above all that the glob matches.
    pub(crate) base: Path,
    /// `base` as a person would write it, the beginning of every file's name.
    shown: String,
    /// What stands before a path of the store in a full name: `/`, or `s3://bucket/`.
    root: String,
    /// Matches paths relative to `base`.
    glob: Option<GlobMatcher>,
    /// Whether files that begin with `.` or `_` are wanted, because the glob asks for them.
    hidden: bool,
}

/// One file.
#[derive(Debug, Clone)]
pub(crate) struct FoundFile {
    /// Its name in positions and messages: the written path and what is below it.
    pub(crate) name: Arc<str>,
    /// Its full name.
    pub(crate) full: String,
    /// Where it is in the store.
    pub(crate) path: Path,
    /// Where it is on this machine.
    pub(crate) local: Option<PathBuf>,
    pub(crate) size: u64,
    pub(crate) modified: DateTime<Utc>,
}

impl Location {
    /// Understands a path. Whether there is anything is not looked at.
    pub(crate) fn parse(written: &str) -> Result<Self> {
        if written.is_empty() {
            return Err(Error::statement("option 'path' is empty"));
        }
        match local_path(written) {
            Some(path) => Self::local(written, &path),
            None => Self::url(written),
        }
    }

    fn local(written: &str, path: &str) -> Result<Self> {
        let store = Arc::new(LocalFileSystem::new());
        // A file may be called `a[1].json`: what exists as it is written is no glob.
        let (base, glob) = if std::path::Path::new(path).exists() { (path, None) } else { split_glob(path) };
        let base_path = absolute(base).and_then(|p| Path::from_absolute_path(p).map_err(std::io::Error::other));
        let base_path = base_path.map_err(|e| Error::statement(format!("path '{written}' cannot be used: {e}")))?;
        Ok(Self {
            store: store.clone(),
            local: Some(store),
            base: base_path,
            shown: base.trim_end_matches('/').to_owned(),
            root: "/".to_owned(),
            glob: glob.map(|g| matcher(written, g)).transpose()?,
            hidden: glob.is_some_and(asks_for_hidden),
            written: written.into(),
        })
    }

    fn url(written: &str) -> Result<Self> {
        let (base, glob) = split_glob(written);
        let wrong = |e: &dyn std::fmt::Display| Error::statement(format!("path '{written}' cannot be used: {e}"));
        let url = Url::parse(base).map_err(|e| wrong(&e))?;
        let (store, path) = object_store::parse_url(&url).map_err(|_| {
            Error::unsupported(format!("path '{written}': there is no file system for '{}:' URLs", url.scheme()))
                .with_hint("Known: a path of this machine, file:, memory:.")
        })?;
        let mut location = Self::in_store(store.into(), path, written);
        location.shown = base.trim_end_matches('/').to_owned();
        location.root = base.strip_suffix(location.base.as_ref()).unwrap_or(base).to_owned();
        location.glob = glob.map(|g| matcher(written, g)).transpose()?;
        location.hidden = glob.is_some_and(asks_for_hidden);
        Ok(location)
    }

    /// A path of a given store.
    pub(crate) fn in_store(store: Arc<dyn ObjectStore>, base: Path, written: &str) -> Self {
        Self {
            written: written.into(),
            store,
            local: None,
            shown: written.to_owned(),
            root: String::new(),
            base,
            glob: None,
            hidden: false,
        }
    }

    /// The files there are now, in name order; none if there is nothing.
    pub(crate) async fn list(&self) -> Result<Vec<FoundFile>> {
        let fail = |e: object_store::Error| {
            Error::external(format!("cannot list the files of '{}': {e}", self.written)).caused_by(e)
        };
        if self.glob.is_none() {
            match self.store.head(&self.base).await {
                Ok(meta) => return Ok(vec![self.found(meta)?]),
                Err(object_store::Error::NotFound { .. }) => {}
                Err(e) => return Err(fail(e)),
            }
        }
        if self.local.is_some() && !self.base_exists() {
            return Ok(vec![]);
        }
        let mut metas = self.store.list(Some(&self.base));
        let mut files = Vec::new();
        while let Some(meta) = metas.try_next().await.map_err(fail)? {
            let relative = relative(&self.base, &meta.location);
            if self.wants(relative) {
                files.push(self.found(meta)?);
            }
        }
        files.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// The same, but none is an error that says what is missing.
    pub(crate) async fn list_some(&self) -> Result<Vec<FoundFile>> {
        let files = self.list().await?;
        if !files.is_empty() {
            return Ok(files);
        }
        let written = &self.written;
        Err(if self.glob.is_some() {
            Error::external(format!("no file matches '{written}'"))
        } else if self.local.is_none() || self.base_exists() {
            Error::external(format!("there is no file in '{written}'"))
                .with_hint("Files whose names begin with '.' or '_' are not read.")
        } else {
            let here = std::env::current_dir().map(|d| d.display().to_string()).unwrap_or_default();
            let error = Error::external(format!("there is no file or directory '{written}'"));
            let absolute = std::path::Path::new(self.shown.as_str()).is_absolute();
            if absolute { error } else { error.with_hint(format!("The path is relative to '{here}'.")) }
        })
    }

    /// Refuses a location that cannot be a directory to write into.
    pub(crate) fn check_directory(&self) -> Result<()> {
        if self.glob.is_some() {
            return Err(Error::statement(format!(
                "path '{}' is a pattern; a sink writes into a directory",
                self.written
            )));
        }
        match self.directory()? {
            Some(path) if path.is_file() => {
                Err(Error::statement(format!("path '{}' is a file; a sink writes into a directory", self.written)))
            }
            _ => Ok(()),
        }
    }

    /// Where the directory is on this machine, if it is there.
    pub(crate) fn directory(&self) -> Result<Option<PathBuf>> {
        let Some(store) = &self.local else { return Ok(None) };
        let path = store.path_to_filesystem(&self.base);
        path.map(Some)
            .map_err(|e| Error::statement(format!("path '{}' cannot be used: {e}", self.written)).caused_by(e))
    }

    fn base_exists(&self) -> bool {
        match self.directory() {
            Ok(path) => path.is_none_or(|p| p.exists()),
            // The root directory is no path of an object.
            Err(_) => true,
        }
    }

    fn wants(&self, relative: &str) -> bool {
        // `_x=1` is a partition, not a hidden directory.
        let is_hidden = |s: &str| s.starts_with('.') || (s.starts_with('_') && !s.contains('='));
        if !self.hidden && relative.split('/').any(is_hidden) {
            return false;
        }
        let Some(glob) = &self.glob else { return true };
        // A directory that matches stands for all below it.
        relative.match_indices('/').map(|(i, _)| &relative[..i]).chain([relative]).any(|p| glob.is_match(p))
    }

    fn found(&self, meta: ObjectMeta) -> Result<FoundFile> {
        let local = (self.local.as_ref()).map(|store| store.path_to_filesystem(&meta.location)).transpose();
        let local = local.map_err(|e| Error::external(format!("cannot read '{}': {e}", meta.location)).caused_by(e))?;
        let name = match relative(&self.base, &meta.location) {
            "" => self.shown.as_str().into(),
            below if self.shown.is_empty() => below.into(),
            below => format!("{}/{below}", self.shown).into(),
        };
        Ok(FoundFile {
            name,
            full: format!("{}{}", self.root, meta.location),
            path: meta.location,
            local,
            size: meta.size,
            modified: meta.last_modified,
        })
    }
}

/// The path on this machine that `written` means, unless it is a URL of another kind.
fn local_path(written: &str) -> Option<String> {
    let Some(rest) = written.strip_prefix("file:") else {
        return (!written.contains("://")).then(|| written.to_owned());
    };
    let path = rest.strip_prefix("//localhost/").or(rest.strip_prefix("//")).unwrap_or(rest);
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    Some(partition::unescape(&path))
}

/// The absolute path, with symbolic links and `..` resolved as far as it exists.
fn absolute(path: &str) -> std::io::Result<PathBuf> {
    let path = if path.is_empty() { "." } else { path };
    if let Ok(path) = std::fs::canonicalize(path) {
        return Ok(path);
    }
    let mut absolute = PathBuf::new();
    for part in std::path::absolute(path)?.components() {
        match part {
            std::path::Component::ParentDir => drop(absolute.pop()),
            part => absolute.push(part),
        }
    }
    Ok(absolute)
}

/// The part before the first segment with a pattern character, and the rest.
fn split_glob(path: &str) -> (&str, Option<&str>) {
    let Some(special) = path.find(['*', '?', '[', '{']) else { return (path, None) };
    match path[..special].rfind('/') {
        Some(0) => ("/", Some(&path[1..])),
        Some(slash) => (&path[..slash], Some(&path[slash + 1..])),
        None => ("", Some(path)),
    }
}

fn matcher(written: &str, glob: &str) -> Result<GlobMatcher> {
    let glob = GlobBuilder::new(glob.trim_end_matches('/')).literal_separator(true).build();
    let glob = glob.map_err(|e| Error::statement(format!("path '{written}' is not a pattern: {}", e.kind())))?;
    Ok(glob.compile_matcher())
}

fn asks_for_hidden(glob: &str) -> bool {
    glob.split('/').any(|s| s.starts_with(['.', '_']))
}

/// What of `path` is below `base`, or nothing if it is `base`.
fn relative<'a>(base: &Path, path: &'a Path) -> &'a str {
    path.as_ref().strip_prefix(base.as_ref()).unwrap_or(path.as_ref()).trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that `path` finds below a directory that holds `files`, without that directory.
    fn check(files: &[&str], path: &str, expected: &[&str]) {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            let file = dir.path().join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, "x").unwrap();
        }
        let root = dir.path().to_str().unwrap().to_owned();
        let written = path.replace("$", &root);
        let location = Location::parse(&written).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().build().unwrap();
        let found = runtime.block_on(location.list()).unwrap();
        let names: Vec<String> = found.iter().map(|f| f.name.replace(&root, "$")).collect();
        assert_eq!(names, expected, "{path}");
    }

    #[test]
    fn a_path_names_files() {
        let files = ["b.json", "a.json", "sub/c.json", "sub/x.csv", ".hidden", "_tmp/d.json", "sub/.part.json"];
        check(&files, "$/a.json", &["$/a.json"]);
        check(&files, "$", &["$/a.json", "$/b.json", "$/sub/c.json", "$/sub/x.csv"]);
        check(&files, "$/", &["$/a.json", "$/b.json", "$/sub/c.json", "$/sub/x.csv"]);
        check(&files, "$/sub/../a.json", &["$/sub/../a.json"]);
        check(&files, "$/*.json", &["$/a.json", "$/b.json"]);
        check(&files, "$/**/*.json", &["$/a.json", "$/b.json", "$/sub/c.json"]);
        check(&files, "$/{b,sub/c}.json", &["$/b.json", "$/sub/c.json"]);
        check(&files, "$/s*", &["$/sub/c.json", "$/sub/x.csv"]);
        check(&files, "$/_tmp/*", &["$/_tmp/d.json"]);
        check(&files, "$/.hid*", &["$/.hidden"]);
        check(&files, "file://$/a.json", &["$/a.json"]);
        check(&files, "$/none", &[]);
        check(&files, "$/none/*.json", &[]);
    }

    #[test]
    fn odd_names_are_read_as_they_are() {
        check(&["a[1].json", "a1.json"], "$/a[1].json", &["$/a[1].json"]);
        check(&["a b#%2F.json", "_p=1/ü.json"], "$", &["$/_p=1/ü.json", "$/a b#%2F.json"]);
    }

    #[test]
    fn an_unknown_scheme_is_refused() {
        let e = Location::parse("s3://bucket/data").unwrap_err();
        assert_eq!(e.message(), "path 's3://bucket/data': there is no file system for 's3:' URLs");
        assert!(Location::parse("gopher://x/y").unwrap_err().message().contains("'gopher:'"));
    }
}
