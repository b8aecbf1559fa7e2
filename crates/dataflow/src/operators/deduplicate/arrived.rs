//! The first row of each key that came: put out at once, for good.

use std::sync::Arc;

use arrow::array::{ArrayRef, UInt32Array};
use arrow::datatypes::SchemaRef;
use tidemill_core::{Delta, Result};
use tidemill_plan::op::DeduplicateOp;

use crate::operators::keyed_states::KeyDictionary;
use crate::{Cx, Operator, StateSize};

/// Lets the first row of each key through.
pub struct FirstArrived {
    keys: Vec<usize>,
    seen: KeyDictionary,
    ids: Vec<usize>,
}

impl FirstArrived {
    /// Over rows of `input`.
    pub fn new(op: &DeduplicateOp, input: &SchemaRef) -> Result<Self> {
        let keys = Arc::new(input.project(&op.keys)?);
        Ok(Self { keys: op.keys.clone(), seen: KeyDictionary::new(keys)?, ids: vec![] })
    }
}

impl Operator for FirstArrived {
    fn push(&mut self, _port: usize, delta: Delta, cx: &mut Cx) -> Result<()> {
        let keys: Vec<ArrayRef> = self.keys.iter().map(|c| Arc::clone(delta.batch.column(*c))).collect();
        let known = self.seen.size();
        self.seen.intern(&keys, delta.num_rows(), &mut self.ids)?;
        let mut new = vec![true; self.seen.size() - known];
        let mut first = |id: &usize| *id >= known && std::mem::replace(&mut new[id - known], false);
        let firsts: Vec<u32> = (0..).zip(&self.ids).filter(|(_, id)| first(id)).map(|(row, _)| row).collect();
        cx.emit(if firsts.len() == delta.num_rows() { delta } else { delta.take(&UInt32Array::from(firsts))? });
        Ok(())
    }

    fn state(&self) -> StateSize {
        StateSize { rows: self.seen.size(), bytes: self.seen.bytes(), oldest: None }
    }
}
