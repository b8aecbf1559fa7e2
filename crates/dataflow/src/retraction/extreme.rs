//! `MIN` and `MAX`: the values of all groups in order, each with how often it is there, so that the next one is found when
//! the first is taken back. A change and a result each cost a logarithm.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowNativeTypeOp, ArrowPrimitiveType, AsArray, PrimitiveArray, new_null_array};
use arrow::datatypes::DataType;
use arrow::row::{RowConverter, SortField};
use tidemill_core::Result;

use super::{Changing, Rows};

/// How the values of a column are put in order, and become a column again.
pub trait Ordered: Send {
    /// A value.
    type Key: Ord + Clone + Send;

    /// A value that none is before.
    fn least(&self) -> Self::Key;

    /// Makes the values of `column` known.
    fn read(&mut self, column: &ArrayRef) -> Result<()>;

    /// The value of a row of the column that was read last.
    fn key(&self, row: usize) -> Self::Key;

    /// How that value compares with another.
    fn compare(&self, row: usize, with: &Self::Key) -> Ordering;

    /// A column of values.
    fn column(&self, keys: Vec<Option<&Self::Key>>) -> Result<ArrayRef>;

    /// Bytes of a value beside the value itself.
    fn heap(_key: &Self::Key) -> usize {
        0
    }
}

/// The values of all groups.
pub struct Extreme<O: Ordered> {
    order: O,
    greatest: bool,
    values: BTreeMap<(u32, O::Key), i64>,
    /// Bytes on the heap of all values.
    heap: usize,
}

impl<O: Ordered> Extreme<O> {
    /// `MIN`, or `MAX`, of values in `order`.
    pub fn new(order: O, greatest: bool) -> Self {
        Self { order, greatest, values: BTreeMap::new(), heap: 0 }
    }

    /// All values of a group.
    fn range(&self, group: usize) -> std::ops::Range<(u32, O::Key)> {
        (group as u32, self.order.least())..(group as u32 + 1, self.order.least())
    }

    fn value(&self, group: usize) -> Option<&O::Key> {
        let mut range = self.values.range(self.range(group)).filter(|(_, count)| **count > 0);
        let found = if self.greatest { range.next_back() } else { range.next() };
        found.map(|((_, key), _)| key)
    }
}

impl<O: Ordered> Changing for Extreme<O> {
    fn change(&mut self, rows: Rows) -> Result<()> {
        use std::collections::btree_map::Entry;
        self.order.read(&rows.args[0])?;
        let (order, values, heap) = (&self.order, &mut self.values, &mut self.heap);
        rows.each(|row, id, weight| match values.entry((id as u32, order.key(row))) {
            Entry::Vacant(vacant) => {
                *heap += O::heap(&vacant.key().1);
                vacant.insert(weight);
            }
            Entry::Occupied(mut occupied) => {
                *occupied.get_mut() += weight;
                if *occupied.get() == 0 {
                    *heap -= O::heap(&occupied.key().1);
                    occupied.remove();
                }
            }
        });
        Ok(())
    }

    fn values(&mut self, groups: &[usize]) -> Result<ArrayRef> {
        self.order.column(groups.iter().map(|g| self.value(*g)).collect())
    }

    fn forget(&mut self, groups: &[usize]) {
        for group in groups {
            let keys: Vec<_> = self.values.range(self.range(*group)).map(|(key, _)| key.clone()).collect();
            for key in keys {
                self.heap -= O::heap(&key.1);
                self.values.remove(&key);
            }
        }
    }

    fn renumber(&mut self, old: &[usize]) -> Result<()> {
        // The numbers ascend before and after, so that the order stays.
        let values = std::mem::take(&mut self.values).into_iter();
        let kept = values.filter_map(|((group, key), count)| {
            Some(((old.binary_search(&(group as usize)).ok()? as u32, key), count))
        });
        self.values = kept.collect();
        self.heap = self.values.keys().map(|(_, key)| O::heap(key)).sum();
        Ok(())
    }

    fn bytes(&self) -> usize {
        // Nodes of the tree are about three quarters full.
        self.values.len() * size_of::<((u32, O::Key), i64)>() * 4 / 3 + self.heap
    }
}

/// Numbers and times, in the order of Arrow: NaN is above all.
#[derive(Debug)]
pub struct Primitive<T: ArrowPrimitiveType> {
    of: DataType,
    values: PrimitiveArray<T>,
}

impl<T: ArrowPrimitiveType> Primitive<T> {
    /// For columns of type `of`.
    pub fn new(of: &DataType) -> Self {
        Self { of: of.clone(), values: PrimitiveArray::new_null(0) }
    }
}

/// A number in the order of Arrow.
#[derive(Debug, Clone, Copy)]
pub struct Total<N>(N);

impl<N: ArrowNativeTypeOp> PartialEq for Total<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.compare(other.0).is_eq()
    }
}

impl<N: ArrowNativeTypeOp> Eq for Total<N> {}

impl<N: ArrowNativeTypeOp> PartialOrd for Total<N> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<N: ArrowNativeTypeOp> Ord for Total<N> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.compare(other.0)
    }
}

impl<T: ArrowPrimitiveType> Ordered for Primitive<T> {
    type Key = Total<T::Native>;

    fn least(&self) -> Self::Key {
        Total(T::Native::MIN_TOTAL_ORDER)
    }

    fn read(&mut self, column: &ArrayRef) -> Result<()> {
        self.values = column.as_primitive::<T>().clone();
        Ok(())
    }

    fn key(&self, row: usize) -> Self::Key {
        Total(self.values.values()[row])
    }

    fn compare(&self, row: usize, with: &Self::Key) -> Ordering {
        self.values.values()[row].compare(with.0)
    }

    fn column(&self, keys: Vec<Option<&Self::Key>>) -> Result<ArrayRef> {
        let values: PrimitiveArray<T> = keys.into_iter().map(|k| k.map(|k| k.0)).collect();
        Ok(Arc::new(values.with_data_type(self.of.clone())))
    }
}

/// Texts and bytes, in the row format of Arrow.
pub struct Encoded {
    of: DataType,
    converter: RowConverter,
    rows: Option<arrow::row::Rows>,
}

impl Encoded {
    /// For columns of type `of`.
    pub fn try_new(of: &DataType) -> Result<Self> {
        let converter = RowConverter::new(vec![SortField::new(of.clone())])?;
        Ok(Self { of: of.clone(), converter, rows: None })
    }
}

impl Ordered for Encoded {
    type Key = Box<[u8]>;

    fn least(&self) -> Self::Key {
        Box::default()
    }

    fn read(&mut self, column: &ArrayRef) -> Result<()> {
        self.rows = Some(self.converter.convert_columns(std::slice::from_ref(column))?);
        Ok(())
    }

    fn key(&self, row: usize) -> Self::Key {
        self.rows.as_ref().map(|rows| rows.row(row).data().into()).unwrap_or_default()
    }

    fn compare(&self, row: usize, with: &Self::Key) -> Ordering {
        self.rows.as_ref().map_or(Ordering::Less, |rows| rows.row(row).data().cmp(with))
    }

    fn column(&self, keys: Vec<Option<&Self::Key>>) -> Result<ArrayRef> {
        // A NULL stands for a group without values: the encoding of a column of one.
        let null = self.converter.convert_columns(&[new_null_array(&self.of, 1)])?;
        let parser = self.converter.parser();
        let null = null.row(0);
        let rows = keys.into_iter().map(|key| match key {
            Some(key) => parser.parse(key),
            None => parser.parse(null.data()),
        });
        let mut columns = self.converter.convert_rows(rows)?;
        Ok(columns.swap_remove(0))
    }

    fn heap(key: &Self::Key) -> usize {
        key.len() + 16
    }
}
