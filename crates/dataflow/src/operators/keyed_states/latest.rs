//! The current row of each group: dense group numbers over [`Segments`].

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::SchemaRef;
use tidemill_core::Result;

use super::segments::{RowRef, Segments};

/// At most one row for each group.
#[derive(Debug)]
pub struct LatestRows {
    schema: SchemaRef,
    segments: Segments,
    latest: Vec<RowRef>,
    scratch: Vec<RowRef>,
}

impl LatestRows {
    /// No row yet, for rows with these columns.
    pub fn new(schema: SchemaRef) -> Self {
        Self { segments: Segments::new(schema.clone()), schema, latest: vec![], scratch: vec![] }
    }

    /// Whether `group` has a row.
    pub fn has(&self, group: usize) -> bool {
        self.latest.get(group).is_some_and(|r| r.is_some())
    }

    /// How many groups have a row.
    pub fn live(&self) -> usize {
        self.segments.live()
    }

    /// About how many bytes are held.
    pub fn bytes(&self) -> usize {
        self.segments.bytes()
    }

    /// The given columns of the rows of `groups`, in that order; each of them has a row.
    pub fn gather(&mut self, columns: impl IntoIterator<Item = usize>, groups: &[usize]) -> Result<Vec<ArrayRef>> {
        self.scratch.clear();
        self.scratch.extend(groups.iter().map(|g| self.latest[*g]));
        self.segments.gather(columns, &self.scratch)
    }

    /// Row `i` of `rows` becomes the row of `groups[i]`, in place of the one before. Each group comes once.
    pub fn put(&mut self, groups: &[usize], rows: RecordBatch) -> Result<()> {
        debug_assert_eq!(groups.len(), rows.num_rows(), "a row for each group");
        let Some(last) = groups.iter().max() else { return Ok(()) };
        if self.latest.len() <= *last {
            self.latest.resize(last + 1, RowRef::NONE);
        }
        let segment = self.segments.push(rows)?;
        for (row, group) in groups.iter().enumerate() {
            let before = std::mem::replace(&mut self.latest[*group], RowRef { segment, row: row as u32 });
            if before.is_some() {
                self.segments.release(before);
            }
        }
        if self.segments.wasteful(self.segments.live()) {
            let groups: Vec<usize> = (0..self.latest.len()).filter(|g| self.latest[*g].is_some()).collect();
            self.rewrite(&groups)?;
            self.point(groups);
        }
        Ok(())
    }

    /// Lets go of the row of `group`, if it has one.
    pub fn remove(&mut self, group: usize) {
        if let Some(row) = self.latest.get_mut(group)
            && row.is_some()
        {
            self.segments.release(std::mem::replace(row, RowRef::NONE));
        }
    }

    /// Gives groups new numbers: `old[i]`, where it has a row, becomes group `i`. All others are let go.
    pub fn renumber(&mut self, old: &[usize]) -> Result<()> {
        let kept: Vec<usize> = (0..old.len()).filter(|new| self.has(old[*new])).collect();
        let groups: Vec<usize> = kept.iter().map(|new| old[*new]).collect();
        self.rewrite(&groups)?;
        self.latest = vec![RowRef::NONE; old.len()];
        self.point(kept);
        Ok(())
    }

    /// Lets go of everything.
    pub fn clear(&mut self) {
        self.segments.clear();
        self.latest = vec![];
    }

    /// The rows of `groups` become the only ones, in one segment; the index does not know yet.
    fn rewrite(&mut self, groups: &[usize]) -> Result<()> {
        let columns = self.gather(0..self.schema.fields().len(), groups)?;
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(groups.len()));
        let rows = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        self.segments.replace(rows)?;
        Ok(())
    }

    fn point(&mut self, groups: Vec<usize>) {
        for (row, group) in groups.into_iter().enumerate() {
            self.latest[group] = RowRef { segment: 0, row: row as u32 };
        }
    }
}
