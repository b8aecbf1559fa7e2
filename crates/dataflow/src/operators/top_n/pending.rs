//! The changes of an epoch, sorted as partitions are: by partition, then by their bytes, each row once.

use super::ranking::Ranked;

/// A change: where its bytes stand, and how often the row comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) partition: u32,
    order: u32,
    start: usize,
    len: u32,
    pub(super) weight: i64,
    /// The first bytes of the order, so that most comparisons need not look further.
    head: u128,
}

/// Changes, with the bytes of their rows one behind the other.
#[derive(Debug, Default)]
pub(super) struct Pending {
    bytes: Vec<u8>,
    changes: Vec<Change>,
}

/// The first bytes as a number that compares as they do, as far as they go.
pub(crate) fn head(bytes: &[u8]) -> u128 {
    let mut first = [0; 16];
    let len = bytes.len().min(16);
    first[..len].copy_from_slice(&bytes[..len]);
    u128::from_be_bytes(first)
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// How many changes.
    pub(super) fn len(&self) -> usize {
        self.changes.len()
    }

    /// Bytes held.
    pub(super) fn size(&self) -> usize {
        self.bytes.capacity() + self.changes.capacity() * size_of::<Change>()
    }

    pub(super) fn push(&mut self, partition: u32, order: &[u8], row: &[u8], weight: i64) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(order);
        self.bytes.extend_from_slice(row);
        let len = (order.len() + row.len()) as u32;
        self.changes.push(Change { partition, order: order.len() as u32, start, len, weight, head: head(order) });
    }

    /// Sorts the changes, and adds up those of one row; what adds up to nothing is not there.
    pub(super) fn settle(&mut self) {
        let bytes = &self.bytes;
        let of = |c: &Change| &bytes[c.start..c.start + c.len as usize];
        self.changes
            .sort_unstable_by(|a, b| (a.partition, a.head).cmp(&(b.partition, b.head)).then_with(|| of(a).cmp(of(b))));
        self.changes.dedup_by(|next, kept| {
            let same = next.partition == kept.partition && next.head == kept.head && of(next) == of(kept);
            if same {
                kept.weight += next.weight;
            }
            same
        });
        self.changes.retain(|c| c.weight != 0);
    }

    /// The changes of each partition that has any, after [`settle`](Self::settle).
    pub(super) fn by_partition(&self) -> impl Iterator<Item = &[Change]> {
        self.changes.chunk_by(|a, b| a.partition == b.partition)
    }

    /// Changes of a partition as rows.
    pub(super) fn ranked<'a>(&'a self, changes: &'a [Change]) -> impl Iterator<Item = Ranked<'a>> {
        changes.iter().map(|change| {
            let bytes = &self.bytes[change.start..change.start + change.len as usize];
            Ranked { bytes, order: change.order as usize, weight: change.weight }
        })
    }

    /// Forgets all of them, and keeps a little room for the next.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.changes.clear();
        self.bytes.shrink_to(1 << 20);
        self.changes.shrink_to(1 << 14);
    }
}
