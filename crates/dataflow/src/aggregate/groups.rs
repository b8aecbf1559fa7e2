//! From keys to group numbers: the first key seen is group 0, the next new one group 1.

use arrow::array::ArrayRef;
use arrow::datatypes::SchemaRef;
use datafusion_expr::EmitTo;
use datafusion_physical_plan::aggregates::group_values::{GroupValues, new_group_values};
use datafusion_physical_plan::aggregates::order::GroupOrdering;
use tidemill_core::Result;

use crate::aggregate::kernel::conform;
use crate::aggregate::number_groups::groups_of;
use crate::expression::data_error;

/// The distinct keys so far.
pub struct Groups {
    schema: SchemaRef,
    values: Values,
}

enum Values {
    Keyed(Box<dyn GroupValues>),
    /// Without keys there is one group, as soon as there is a row.
    Global {
        open: bool,
    },
}

/// For one key that is a number our own, for all others DataFusion's.
fn group_values(schema: &SchemaRef) -> Result<Box<dyn GroupValues>> {
    let own = match &schema.fields()[..] {
        [key] => groups_of(key.data_type()),
        _ => None,
    };
    own.map_or_else(|| new_group_values(schema.clone(), &GroupOrdering::None).map_err(data_error), Ok)
}

impl Groups {
    /// None yet, for keys of `schema`.
    pub fn try_new(schema: &SchemaRef) -> Result<Self> {
        let values = match schema.fields().is_empty() {
            true => Values::Global { open: false },
            false => Values::Keyed(group_values(schema)?),
        };
        Ok(Self { schema: schema.clone(), values })
    }

    /// Puts the group number of each of `rows` rows into `ids`, with new groups for new keys.
    pub fn intern(&mut self, keys: &[ArrayRef], rows: usize, ids: &mut Vec<usize>) -> Result<()> {
        match &mut self.values {
            Values::Keyed(values) => values.intern(keys, ids).map_err(data_error),
            Values::Global { open } => {
                *open |= rows > 0;
                ids.clear();
                ids.resize(rows, 0);
                Ok(())
            }
        }
    }

    /// How many groups.
    pub fn len(&self) -> usize {
        match &self.values {
            Values::Keyed(values) => values.len(),
            Values::Global { open } => usize::from(*open),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the keys out, in the order of their numbers. There are no groups afterwards, but room for as many.
    pub fn emit(&mut self) -> Result<Vec<ArrayRef>> {
        match &mut self.values {
            Values::Keyed(values) => {
                let len = values.len();
                let keys = values.emit(EmitTo::All).map_err(data_error)?;
                values.clear_shrink(len);
                keys.into_iter().zip(self.schema.fields()).map(|(a, f)| conform(a, f.data_type())).collect()
            }
            Values::Global { open } => {
                *open = false;
                Ok(vec![])
            }
        }
    }

    /// Bytes held, about.
    pub fn bytes(&self) -> usize {
        match &self.values {
            Values::Keyed(values) => values.size(),
            Values::Global { .. } => 0,
        }
    }
}
