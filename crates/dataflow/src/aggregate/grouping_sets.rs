//! The keys of `GROUPING SETS`, `CUBE` and `ROLLUP`: each row counts once in every set, with the keys that are not in
//! the set NULL, and a grouping id that tells the sets apart, as DataFusion computes it.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, UInt8Array, UInt16Array, UInt32Array, UInt64Array, new_null_array};
use arrow::datatypes::DataType;
use tidemill_core::{Error, Result};
use tidemill_plan::op::GroupBy;

use crate::aggregate::kernel::Inputs;

/// All sets of an aggregation; none where it has a plain `GROUP BY`.
#[derive(Debug)]
pub struct GroupingSets {
    sets: Vec<GroupingSet>,
    id_type: DataType,
}

#[derive(Debug)]
struct GroupingSet {
    /// Which keys are NULL.
    nulls: Vec<bool>,
    id: u64,
}

impl GroupingSets {
    /// The sets of `group`.
    ///
    /// The low bits of an id say which keys are NULL, the last key in the lowest. A set that is written twice gives its
    /// rows twice: the bits above count how often the same set came before.
    pub fn try_new(group: &GroupBy) -> Result<Self> {
        let id_type = group.grouping_id.as_ref().map_or(DataType::UInt8, |f| f.data_type().clone());
        let mut seen: HashMap<&[bool], u64> = HashMap::new();
        let mut sets = vec![];
        for nulls in &group.sets {
            if nulls.len() != group.keys.len() || nulls.len() > 60 {
                return Err(Error::unsupported("grouping sets over more than 60 columns"));
            }
            let before = seen.entry(nulls).or_insert(0);
            let mask = nulls.iter().fold(0, |id, null| (id << 1) | u64::from(*null));
            sets.push(GroupingSet { nulls: nulls.clone(), id: mask | (*before << nulls.len()) });
            *before += 1;
        }
        Ok(Self { sets, id_type })
    }

    /// The key columns of `inputs`, once for each set.
    pub(super) fn keys_of(&self, inputs: &Inputs) -> Result<Vec<Vec<ArrayRef>>> {
        if self.sets.is_empty() {
            return Ok(vec![inputs.keys()]);
        }
        let one = |set: &GroupingSet| -> Result<Vec<ArrayRef>> {
            let keys = inputs.keys.iter().zip(&set.nulls).map(|(key, null)| match null {
                true => new_null_array(key.array.data_type(), inputs.rows),
                false => key.array.clone(),
            });
            let mut keys: Vec<ArrayRef> = keys.collect();
            keys.push(self.id_array(set.id, inputs.rows)?);
            Ok(keys)
        };
        self.sets.iter().map(one).collect()
    }

    /// The grouping ids of the sets without any key: such a set has a row even over nothing.
    pub(super) fn totals(&self) -> Vec<u64> {
        self.sets.iter().filter(|s| s.nulls.iter().all(|n| *n)).map(|s| s.id).collect()
    }

    pub(super) fn id_array(&self, id: u64, rows: usize) -> Result<ArrayRef> {
        Ok(match self.id_type {
            DataType::UInt8 => Arc::new(UInt8Array::from_value(id as u8, rows)),
            DataType::UInt16 => Arc::new(UInt16Array::from_value(id as u16, rows)),
            DataType::UInt32 => Arc::new(UInt32Array::from_value(id as u32, rows)),
            DataType::UInt64 => Arc::new(UInt64Array::from_value(id, rows)),
            ref other => return Err(Error::internal(format!("a grouping id of type {other}"))),
        })
    }
}
