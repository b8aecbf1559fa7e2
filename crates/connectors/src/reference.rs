//! The reference page of all connectors, formats and options, made from their declarations.

use tidemill_core::{OptionKind, OptionSpec};

use crate::{TABLE_OPTIONS, connectors, formats};

/// The page, in Markdown.
pub fn markdown() -> String {
    let mut out = String::from(
        "# Connectors and formats\n\nWhat can stand in `CREATE TABLE .. WITH (..)`. This page is made from the declarations in \
         `crates/connectors`; do not edit it.\n\n## Every table\n",
    );
    options(&mut out, TABLE_OPTIONS);
    for connector in connectors() {
        section(&mut out, "connector", connector.name(), connector.doc());
        options(&mut out, connector.options());
        let metadata = connector.metadata();
        if !metadata.is_empty() {
            out.push_str("\nMetadata columns (`name TYPE METADATA FROM 'key'`):\n\n| key | type |\n| --- | --- |\n");
            for field in metadata {
                let null = if field.is_nullable() { "" } else { " NOT NULL" };
                row(
                    &mut out,
                    &[&format!("`{}`", field.name()), &format!("{}{null}", formats::sql_type(field.data_type()))],
                );
            }
        }
    }
    for format in formats::formats() {
        section(&mut out, "format", format.name(), format.doc());
        options(&mut out, format.options());
    }
    out
}

fn section(out: &mut String, kind: &str, name: &str, doc: &str) {
    out.push_str(&format!("\n## {kind} `{name}`\n\n{doc}\n"));
}

fn options(out: &mut String, specs: &[OptionSpec]) {
    if specs.is_empty() {
        out.push_str("\nIt has no options.\n");
        return;
    }
    out.push_str("\n| option | value | default | meaning |\n| --- | --- | --- | --- |\n");
    for spec in specs {
        let default = match spec.default {
            Some(default) => format!("`{default}`"),
            None if spec.required => "required".to_owned(),
            None => String::new(),
        };
        row(out, &[&format!("`{}`", spec.name), &kind(spec.kind), &default, spec.doc]);
    }
}

fn kind(kind: OptionKind) -> String {
    match kind {
        OptionKind::Text => "text".to_owned(),
        OptionKind::Bool => "`true`, `false`".to_owned(),
        OptionKind::Int => "whole number".to_owned(),
        OptionKind::Float => "number".to_owned(),
        OptionKind::Duration => "duration".to_owned(),
        OptionKind::Size => "size".to_owned(),
        OptionKind::OneOf(words) => words.iter().map(|w| format!("`{w}`")).collect::<Vec<_>>().join(", "),
    }
}

fn row(out: &mut String, cells: &[&str]) {
    for cell in cells {
        // A bar would end the cell.
        out.push_str("| ");
        out.push_str(&cell.replace('|', "\\|"));
        out.push(' ');
    }
    out.push_str("|\n");
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    // The page is about all connectors: with fewer features it would be another.
    #[test]
    #[cfg(all(
        feature = "filesystem",
        feature = "datagen",
        feature = "nexmark",
        feature = "stdio",
        feature = "print",
        feature = "blackhole"
    ))]
    fn the_page_is_up_to_date() {
        expect_file!["../../../docs/connectors.md"].assert_eq(&super::markdown());
    }
}
