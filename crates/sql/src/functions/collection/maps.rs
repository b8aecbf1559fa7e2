//! Maps made of others.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, AsArray, MapArray, MutableArrayData, StructArray, UInt64Array};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::kernels::cmp::eq;
use arrow::compute::{cast, take};
use arrow::datatypes::{DataType, Field};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{Result, internal_err};
use datafusion::functions_nested::map::map_udf;
use datafusion::logical_expr::ReturnFieldArgs;

use super::super::declaration::{Function, Types};
use super::element_type;
use super::fit::{coerced, common, fitted};

pub(in super::super) static MAP_FROM_ARRAYS: Function = Function {
    names: &["map_from_arrays"],
    usage: "MAP_FROM_ARRAYS(keys, values)",
    about: "The map of an array of keys and an array, of the same length, of their values.",
    examples: &[("map_from_arrays(split('a,b', ','), split('1,2', ','))", "{a: 1, b: 2}")],
    types: |args| {
        let fields: Vec<_> = args.iter().map(|t| Arc::new(Field::new("array", t.clone(), true))).collect();
        let values = vec![None; args.len()];
        (args.len() == 2 && args.iter().all(|t| element_type(t).is_some())).then_some(())?;
        let field = map_udf()
            .return_field_from_args(ReturnFieldArgs { arg_fields: &fields, scalar_arguments: &values })
            .ok()?;
        Some(Types { args: args.to_vec(), result: field.data_type().clone() })
    },
    compute: |call| call.delegate(&map_udf()),
    ..Function::PLAIN
};

/// The types of the keys and values of a map.
fn entry_types(map: &DataType) -> Option<(&DataType, &DataType)> {
    let DataType::Map(entries, _) = map else { return None };
    let DataType::Struct(fields) = entries.data_type() else { return None };
    match fields.as_ref() {
        [key, value] => Some((key.data_type(), value.data_type())),
        _ => None,
    }
}

/// The type of the keys of a map, if they can be compared with others here.
pub(in super::super) fn key_type(map: &DataType) -> Option<&DataType> {
    entry_types(map).map(|(key, _)| key).filter(|key| !key.is_nested())
}

pub(in super::super) static MAP_VALUE: Function = Function {
    names: &["map_value"],
    usage: "MAP_VALUE(map, key)",
    about: "The value of a key, NULL if the map does not have it; the same as `map[key]`.",
    examples: &[
        ("map_value(str_to_map('a=1,b=2'), 'b')", "2"),
        ("map_value(str_to_map('a=1'), 'b')", "NULL"),
        ("map_value(str_to_map('a=1'), CAST(NULL AS STRING))", "NULL"),
    ],
    types: |args| {
        let [map, given] = args else { return None };
        let (key, value) = (key_type(map)?, entry_types(map)?.1);
        // A whole number that no key can be is no error.
        let given = match key.is_integer() && given.is_integer() {
            true => given.clone(),
            false => common(key, given).filter(|common| common == key)?,
        };
        Some(Types { args: vec![map.clone(), given], result: value.clone() })
    },
    compute: |call| {
        let (maps, mut wanted) = (call.array(0)?, call.array(1)?);
        let maps: &MapArray = maps.as_map();
        let offsets = maps.value_offsets();
        let entries = |row: usize| offsets[row] as usize..offsets[row + 1] as usize;
        let first = offsets[0] as usize;
        let mut keys = maps.keys().slice(first, offsets[maps.len()] as usize - first);
        if keys.data_type() != wanted.data_type() {
            (keys, wanted) = (cast(&keys, &DataType::Int64)?, cast(&wanted, &DataType::Int64)?);
        }
        // The row of each entry.
        let rows = (0..maps.len()).flat_map(|row| entries(row).map(move |_| row as u64));
        let wanted = take(&wanted, &UInt64Array::from_iter_values(rows), None)?;
        let same = eq(&keys, &wanted)?;
        let is_same = |entry: &usize| same.is_valid(entry - first) && same.value(entry - first);
        let places = (0..maps.len()).map(|row| {
            let found = maps.is_valid(row).then(|| entries(row).find(is_same)).flatten();
            found.map(|entry| entry as u64)
        });
        Ok(take(maps.values(), &places.collect::<UInt64Array>(), None)?)
    },
    ..Function::PLAIN
};

/// The type of maps with keys and values of these types.
fn map_of(key: DataType, value: DataType) -> DataType {
    let fields = vec![Field::new("key", key, false), Field::new("value", value, true)];
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(fields.into()), false)), false)
}

pub(in super::super) static MAP_UNION: Function = Function {
    names: &["map_union"],
    usage: "MAP_UNION(map, ...)",
    about: "The entries of all maps; of a key that several have the last value counts. NULL if one of the maps is NULL.",
    examples: &[
        ("map_union(str_to_map('a=1,b=2'), str_to_map('b=3,c=4'))", "{a: 1, b: 3, c: 4}"),
        ("map_union(str_to_map('a=1'), str_to_map(CAST(NULL AS STRING)))", "NULL"),
    ],
    types: |args| {
        let (first, rest) = args.split_first()?;
        let (key, value) = entry_types(first)?;
        let (key, value) = rest.iter().try_fold((key.clone(), value.clone()), |(key, value), map| {
            let (other_key, other_value) = entry_types(map)?;
            Some((common(&key, other_key)?, common(&value, other_value)?))
        })?;
        let result = map_of(key, value);
        Some(Types { args: args.iter().map(|map| coerced(map, &result)).collect(), result })
    },
    compute: |call| {
        let DataType::Map(field, sorted) = call.result_type() else { return internal_err!("MAP_UNION gives a map") };
        let maps = (0..call.len()).map(|i| fitted(&call.array(i)?, call.result_type())).collect::<Result<Vec<_>>>()?;
        let maps: Vec<&MapArray> = maps.iter().map(|map| map.as_map()).collect();
        let Some(first) = maps.first() else { return internal_err!("MAP_UNION has no arguments") };
        let converter = RowConverter::new(vec![SortField::new(first.key_type().clone())])?;
        let keys = maps.iter().map(|map| Ok(converter.convert_columns(&[Arc::clone(map.keys())])?));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let entries: Vec<_> = maps.iter().map(|map| map.entries().to_data()).collect();
        let mut out = MutableArrayData::new(entries.iter().collect(), false, entries.iter().map(|e| e.len()).sum());
        let (mut lengths, mut valid) = (Vec::with_capacity(call.rows), Vec::with_capacity(call.rows));
        let (mut seen, mut kept) = (HashMap::new(), vec![]);
        for row in 0..call.rows {
            seen.clear();
            kept.clear();
            let there = maps.iter().all(|map| map.is_valid(row));
            for (source, map) in maps.iter().enumerate().filter(|_| there) {
                let offsets = map.value_offsets();
                for entry in offsets[row] as usize..offsets[row + 1] as usize {
                    let place = *seen.entry(keys[source].row(entry)).or_insert(kept.len());
                    match kept.get_mut(place) {
                        Some(known) => *known = (source, entry),
                        None => kept.push((source, entry)),
                    }
                }
            }
            for (source, entry) in &kept {
                out.try_extend(*source, *entry, entry + 1)?;
            }
            lengths.push(kept.len());
            valid.push(there);
        }
        let entries = StructArray::from(out.freeze());
        let offsets = OffsetBuffer::from_lengths(lengths);
        let nulls = Some(NullBuffer::from(valid));
        Ok(Arc::new(MapArray::try_new(Arc::clone(field), offsets, entries, nulls, *sorted)?))
    },
    ..Function::PLAIN
};
