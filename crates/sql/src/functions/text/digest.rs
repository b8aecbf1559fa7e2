//! Digests, as texts of hexadecimal digits: `MD5`, `SHA1`, `SHA2` and its sizes.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_err, internal_err};
use datafusion::functions::crypto;
use datafusion::logical_expr::ScalarUDF;

use super::super::call::Call;
use super::super::declaration::{Function, Kind, Types, takes};

fn types(args: &[DataType]) -> Option<Types> {
    takes(args, &[Kind::Bytes], 1, DataType::Utf8)
}

/// DataFusion's digest, which is made of bytes, as text.
fn hexadecimal(call: &Call, digest: &ScalarUDF) -> Result<ArrayRef> {
    let digests = call.delegate_as(digest, Arc::new(Field::new("digest", DataType::Binary, true)))?;
    written(call, &cast(&digests, &DataType::Binary)?, |_| true)
}

fn written(call: &Call, digests: &ArrayRef, wanted: impl Fn(usize) -> bool) -> Result<ArrayRef> {
    let Some(digests) = digests.as_binary_opt::<i32>() else { return internal_err!("a digest is made of bytes") };
    call.written(|row, out| Ok((digests.is_valid(row) && wanted(row)).then(|| write_digits(digests.value(row), out))))
}

fn write_digits(digest: &[u8], out: &mut String) {
    // Writing to a string does not fail.
    digest.iter().for_each(|byte| _ = write!(out, "{byte:02x}"));
}

pub(in super::super) static MD5: Function = Function {
    names: &["md5"],
    usage: "MD5(string)",
    about: "The MD5 digest, as 32 hexadecimal digits.",
    examples: &[("md5('tide')", "97dc284cf580da5ebef4aa4b47c13dce"), ("md5(CAST(NULL AS STRING))", "NULL")],
    types,
    compute: |call| {
        let digests = call.delegate_as(&crypto::md5(), Arc::new(Field::new("digest", DataType::Utf8View, true)))?;
        Ok(cast(&digests, &DataType::Utf8)?)
    },
    ..Function::PLAIN
};

pub(in super::super) static SHA1: Function = Function {
    names: &["sha1"],
    usage: "SHA1(string)",
    about: "The SHA-1 digest, as 40 hexadecimal digits.",
    examples: &[
        ("sha1('abc')", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("sha1('')", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("sha1(repeat('a', 119))", "ee971065aaa017e0632a8ca6c77bb3bf8b1dfc56"),
    ],
    types,
    compute: |call| {
        let bytes = call.bytes(0)?;
        call.written(|row, out| Ok(bytes.at(row).map(|bytes| write_digits(&sha1(bytes), out))))
    },
    ..Function::PLAIN
};

/// FIPS 180-4, section 6.1: DataFusion does not have this one.
fn sha1(message: &[u8]) -> [u8; 20] {
    let mut state: [u32; 5] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0];
    let whole = message.chunks_exact(64);
    // The rest of the message, a bit 1, and the length in bits at the end of the last block.
    let rest = whole.remainder();
    let mut last = [0_u8; 128];
    last[..rest.len()].copy_from_slice(rest);
    last[rest.len()] = 0x80;
    let end = if rest.len() < 56 { 64 } else { 128 };
    last[end - 8..end].copy_from_slice(&(message.len() as u64 * 8).to_be_bytes());
    for block in whole.chain(last[..end].chunks_exact(64)) {
        let mut words = [0_u32; 80];
        for (word, bytes) in words.iter_mut().zip(block.chunks_exact(4)) {
            *word = bytes.iter().fold(0, |word, byte| word << 8 | u32::from(*byte));
        }
        for i in 16..80 {
            words[i] = (words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in words.iter().enumerate() {
            let (mix, constant) = match i {
                0..20 => ((b & c) | (!b & d), 0x5A82_7999),
                20..40 => (b ^ c ^ d, 0x6ED9_EBA1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8F1B_BCDC),
                _ => (b ^ c ^ d, 0xCA62_C1D6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(mix).wrapping_add(e).wrapping_add(constant).wrapping_add(*word);
            (a, b, c, d, e) = (next, a, b.rotate_left(30), c, d);
        }
        for (total, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *total = total.wrapping_add(part);
        }
    }
    let mut digest = [0; 20];
    for (bytes, word) in digest.chunks_exact_mut(4).zip(state) {
        bytes.copy_from_slice(&word.to_be_bytes());
    }
    digest
}

pub(in super::super) static SHA224: Function = Function {
    names: &["sha224"],
    usage: "SHA224(string)",
    about: "The SHA-224 digest, as 56 hexadecimal digits.",
    examples: &[("sha224('abc')", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7")],
    types,
    compute: |call| hexadecimal(call, &crypto::sha224()),
    ..Function::PLAIN
};

pub(in super::super) static SHA256: Function = Function {
    names: &["sha256"],
    usage: "SHA256(string)",
    about: "The SHA-256 digest, as 64 hexadecimal digits.",
    examples: &[("sha256('abc')", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")],
    types,
    compute: |call| hexadecimal(call, &crypto::sha256()),
    ..Function::PLAIN
};

pub(in super::super) static SHA384: Function = Function {
    names: &["sha384"],
    usage: "SHA384(string)",
    about: "The SHA-384 digest, as 96 hexadecimal digits.",
    examples: &[(
        "sha384('abc')",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
    )],
    types,
    compute: |call| hexadecimal(call, &crypto::sha384()),
    ..Function::PLAIN
};

pub(in super::super) static SHA512: Function = Function {
    names: &["sha512"],
    usage: "SHA512(string)",
    about: "The SHA-512 digest, as 128 hexadecimal digits.",
    examples: &[("left(sha512('abc'), 32)", "ddaf35a193617abacc417349ae204131")],
    types,
    compute: |call| hexadecimal(call, &crypto::sha512()),
    ..Function::PLAIN
};

pub(in super::super) static SHA2: Function = Function {
    names: &["sha2"],
    usage: "SHA2(string, bits)",
    about: "The digest of the SHA-2 family of that size: 224, 256, 384 or 512 bits.",
    examples: &[
        ("sha2('abc', 224)", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7"),
        ("sha2('abc', CAST(NULL AS INT))", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Bytes, Kind::Int], 2, DataType::Utf8),
    compute: |call| {
        let bits = call.int(1)?;
        // Few calls use more than one size; the digests of another size than a row's are thrown away.
        let mut answer: Option<ArrayRef> = None;
        let sizes: std::collections::BTreeSet<i64> = (0..call.rows).filter_map(|row| bits.at(row)).collect();
        for size in sizes {
            let digest = match size {
                224 => crypto::sha224(),
                256 | 0 => crypto::sha256(),
                384 => crypto::sha384(),
                512 => crypto::sha512(),
                _ => return exec_err!("SHA2 has no digest of {size} bits: it is 224, 256, 384 or 512"),
            };
            let field = Arc::new(Field::new("digest", DataType::Binary, true));
            let digests = cast(&call.delegate_first(&digest, field)?, &DataType::Binary)?;
            let texts = written(call, &digests, |row| bits.at(row) == Some(size))?;
            answer = Some(match answer {
                None => texts,
                Some(others) => {
                    let known = arrow::compute::is_not_null(&others)?;
                    arrow::compute::kernels::zip::zip(&known, &others, &texts)?
                }
            });
        }
        Ok(answer.unwrap_or_else(|| arrow::array::new_null_array(&DataType::Utf8, call.rows)))
    },
    ..Function::PLAIN
};
