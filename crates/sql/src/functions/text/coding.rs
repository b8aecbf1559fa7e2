//! Texts and bytes in other forms: base 64, hexadecimal, binary digits, URLs, codes of characters.

use std::fmt::Write;
use std::sync::Arc;

use arrow::array::{BinaryBuilder, Int32Array};
use arrow::datatypes::DataType;

use super::super::declaration::{Function, Kind, takes};

pub(in super::super) static ASCII: Function = Function {
    names: &["ascii"],
    usage: "ASCII(string)",
    about: "The code of the first character; 0 for an empty text.",
    examples: &[("ascii('abc')", "97"), ("ascii('')", "0"), ("ascii(CAST(NULL AS STRING))", "NULL")],
    types: |args| takes(args, &[Kind::Text], 1, DataType::Int32),
    compute: |call| {
        let text = call.text(0)?;
        call.collected::<i32, Int32Array>(|row| Ok(text.at(row).map(|t| t.chars().next().map_or(0, |c| c as i32))))
    },
    ..Function::PLAIN
};

pub(in super::super) static CHR: Function = Function {
    names: &["chr"],
    usage: "CHR(code)",
    about: "The character of a code from 0 to 255; of a larger one only the last 8 bits count. Empty for a negative one.",
    examples: &[("chr(97)", "a"), ("chr(353)", "a"), ("chr(-1)", ""), ("chr(CAST(NULL AS INT))", "NULL")],
    types: |args| takes(args, &[Kind::Int], 1, DataType::Utf8),
    compute: |call| {
        let code = call.int(0)?;
        call.written(|row, out| {
            Ok(code.at(row).map(|code| {
                if code >= 0 {
                    out.push(char::from((code & 0xFF) as u8));
                }
            }))
        })
    },
    ..Function::PLAIN
};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(in super::super) static TO_BASE64: Function = Function {
    names: &["to_base64"],
    usage: "TO_BASE64(string)",
    about: "The bytes of a text in base 64.",
    examples: &[
        ("to_base64('hello world')", "aGVsbG8gd29ybGQ="),
        ("to_base64('a')", "YQ=="),
        ("to_base64('')", ""),
        ("to_base64(CAST(NULL AS STRING))", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Bytes], 1, DataType::Utf8),
    compute: |call| {
        let bytes = call.bytes(0)?;
        call.written(|row, out| {
            let Some(bytes) = bytes.at(row) else { return Ok(None) };
            for chunk in bytes.chunks(3) {
                let word =
                    chunk.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
                for i in 0..4 {
                    let sign = BASE64[(word >> (18 - 6 * i)) as usize & 63];
                    out.push(if i <= chunk.len() { sign as char } else { '=' });
                }
            }
            Ok(Some(()))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static FROM_BASE64: Function = Function {
    names: &["from_base64"],
    usage: "FROM_BASE64(string)",
    about: "The text that was written in base 64; NULL if it was not.",
    examples: &[
        ("from_base64('aGVsbG8gd29ybGQ=')", "hello world"),
        ("from_base64('YQ')", "a"),
        ("from_base64('?')", "NULL"),
        ("from_base64('/w==')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text], 1, DataType::Utf8),
    compute: |call| {
        let text = call.text(0)?;
        let mut bytes = Vec::new();
        call.written(|row, out| {
            let Some(text) = text.at(row) else { return Ok(None) };
            bytes.clear();
            let (mut word, mut bits) = (0_u32, 0);
            for sign in text.trim_end_matches('=').bytes() {
                let Some(value) = BASE64.iter().position(|known| *known == sign) else { return Ok(None) };
                word = word << 6 | value as u32;
                bits += 6;
                if bits >= 8 {
                    bits -= 8;
                    bytes.push((word >> bits) as u8);
                }
            }
            Ok(std::str::from_utf8(&bytes).ok().map(|text| out.push_str(text)))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static HEX: Function = Function {
    names: &["hex"],
    usage: "HEX(number or string)",
    about: "A whole number, or the bytes of a text, in hexadecimal digits.",
    examples: &[
        ("hex(20)", "14"),
        ("hex(-1)", "FFFFFFFFFFFFFFFF"),
        ("hex('hello')", "68656C6C6F"),
        ("hex(CAST(NULL AS STRING))", "NULL"),
    ],
    types: |args| {
        takes(args, &[Kind::Bytes], 1, DataType::Utf8).or_else(|| takes(args, &[Kind::Int], 1, DataType::Utf8))
    },
    compute: |call| {
        // Writing to a string does not fail.
        if call.type_of(0) == &DataType::Int64 {
            let number = call.int(0)?;
            return call.written(|row, out| Ok(number.at(row).map(|n| _ = write!(out, "{n:X}"))));
        }
        let bytes = call.bytes(0)?;
        call.written(|row, out| Ok(bytes.at(row).map(|bytes| bytes.iter().for_each(|b| _ = write!(out, "{b:02X}")))))
    },
    ..Function::PLAIN
};

pub(in super::super) static UNHEX: Function = Function {
    names: &["unhex"],
    usage: "UNHEX(string)",
    about: "The bytes that the hexadecimal digits stand for, as BYTES; NULL if they are no such digits.",
    examples: &[("decode(unhex('68656C6C6F'), 'UTF-8')", "hello"), ("unhex('F0f')", "0f0f"), ("unhex('xy')", "NULL")],
    types: |args| takes(args, &[Kind::Text], 1, DataType::Binary),
    compute: |call| {
        let text = call.text(0)?;
        let mut out = BinaryBuilder::new();
        for row in 0..call.rows {
            out.append_option(text.at(row).and_then(unhex));
        }
        Ok(Arc::new(out.finish()))
    },
    ..Function::PLAIN
};

/// An odd digit in front counts as if a 0 stood before it.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.bytes().map(|b| char::from(b).to_digit(16)).collect::<Option<Vec<_>>>()?;
    let (first, pairs) = digits.split_at(digits.len() % 2);
    Some(
        first
            .chunks(1)
            .chain(pairs.chunks(2))
            .map(|p| p.iter().fold(0, |byte, digit| byte << 4 | *digit as u8))
            .collect(),
    )
}

pub(in super::super) static BIN: Function = Function {
    names: &["bin"],
    usage: "BIN(number)",
    about: "A whole number in binary digits.",
    examples: &[("bin(4)", "100"), ("bin(0)", "0"), ("bin(CAST(NULL AS INT))", "NULL")],
    types: |args| takes(args, &[Kind::Int], 1, DataType::Utf8),
    compute: |call| {
        let number = call.int(0)?;
        call.written(|row, out| Ok(number.at(row).map(|n| _ = write!(out, "{n:b}"))))
    },
    ..Function::PLAIN
};

pub(in super::super) static URL_ENCODE: Function = Function {
    names: &["url_encode"],
    usage: "URL_ENCODE(string)",
    about: "The text as a part of a URL's query: a space becomes `+`, most signs become `%` and their code.",
    examples: &[("url_encode('a b&ü/1')", "a+b%26%C3%BC%2F1"), ("url_encode('')", "")],
    types: |args| takes(args, &[Kind::Text], 1, DataType::Utf8),
    compute: |call| {
        let text = call.text(0)?;
        call.written(|row, out| {
            Ok(text.at(row).map(|text| {
                for byte in text.bytes() {
                    match byte {
                        b' ' => out.push('+'),
                        b if b.is_ascii_alphanumeric() || b"-_.*".contains(&b) => out.push(b.into()),
                        b => _ = write!(out, "%{b:02X}"),
                    }
                }
            }))
        })
    },
    ..Function::PLAIN
};

pub(in super::super) static URL_DECODE: Function = Function {
    names: &["url_decode"],
    usage: "URL_DECODE(string)",
    about: "The text that was written as a part of a URL's query; NULL if it was not.",
    examples: &[
        ("url_decode('a+b%26%C3%BC%2F1')", "a b&ü/1"),
        ("url_decode('100%')", "NULL"),
        ("url_decode('%FF')", "NULL"),
    ],
    types: |args| takes(args, &[Kind::Text], 1, DataType::Utf8),
    compute: |call| {
        let text = call.text(0)?;
        let mut decoded = Vec::new();
        call.written(|row, out| {
            let Some(text) = text.at(row) else { return Ok(None) };
            decoded.clear();
            let mut bytes = text.bytes();
            while let Some(byte) = bytes.next() {
                decoded.push(match byte {
                    b'+' => b' ',
                    b'%' => {
                        let mut digit = || char::from(bytes.next()?).to_digit(16);
                        let (Some(high), Some(low)) = (digit(), digit()) else { return Ok(None) };
                        (high << 4 | low) as u8
                    }
                    other => other,
                });
            }
            Ok(std::str::from_utf8(&decoded).ok().map(|text| out.push_str(text)))
        })
    },
    ..Function::PLAIN
};
