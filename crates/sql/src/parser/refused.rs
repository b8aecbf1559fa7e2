//! Statements of Flink and of databases that are not there: what to do instead.

use tidemill_core::Error;

/// The statements, by their first words.
const STATEMENTS: &[(&str, &str)] = &[
    ("ADD", "Functions and formats are part of the program: there are no jars."),
    ("ANALYZE", "Plans do not depend on statistics."),
    ("BEGIN", "BEGIN STATEMENT SET; INSERT ..; END; makes one dataflow of several INSERTs; there are no transactions."),
    ("CALL", "There are no procedures."),
    ("COMPILE", "EXPLAIN shows the plan; a pipeline is its SQL file."),
    (
        "COPY",
        "INSERT INTO writes a query into a table; CREATE TABLE .. WITH ('connector' = 'filesystem', ..) names its files.",
    ),
    (
        "DELETE",
        "Rows are deleted by the changes of their source: see 'changelog.mode' and 'changelog.operation-column'.",
    ),
    ("EXECUTE", "EXECUTE STATEMENT SET BEGIN INSERT ..; END; runs several INSERTs."),
    ("LOAD", "All functions and formats are there: SHOW FUNCTIONS lists them. There are no modules."),
    ("MERGE", "INSERT INTO a table with a PRIMARY KEY and 'changelog.mode' = 'upsert' replaces rows by key."),
    ("REMOVE", "There are no jars."),
    ("STOP", "Ctrl-C stops what is running."),
    (
        "TRUNCATE",
        "INSERT OVERWRITE t SELECT .. replaces the rows of a table of files; SELECT .. WHERE FALSE leaves none.",
    ),
    ("UNLOAD", "There are no modules."),
    (
        "UPDATE",
        "Rows are updated by the changes of their source: see 'changelog.mode' and 'changelog.operation-column'.",
    ),
];

/// That a statement which begins so is not supported; `None` if there is no such statement.
pub(super) fn statement(word: &str) -> Option<Error> {
    let (_, instead) = STATEMENTS.iter().find(|(first, _)| *first == word)?;
    Some(Error::unsupported(format!("{word} is not supported")).with_hint(*instead))
}

/// That `CREATE word` is not supported.
pub(super) fn create(word: &str) -> Error {
    let error = Error::unsupported(format!("CREATE {word} is not supported"));
    match word {
        "CATALOG" => error.with_hint("There is one catalog, default_catalog: a file of CREATE TABLE statements is what keeps tables."),
        "DATABASE" | "SCHEMA" => error.with_hint("There is one database, default_database."),
        "FUNCTION" | "AGGREGATE" => error.with_hint(
            "SHOW FUNCTIONS lists what there is. A view can give an expression a name; a program that embeds the engine can compute in its sources and sinks.",
        ),
        "MODEL" | "CONNECTION" => error.with_hint("What a table needs to know stands in its WITH (..)."),
        "INDEX" => error.with_hint("What is looked up by key is kept by key: there is nothing to declare."),
        _ => error.with_hint("There are CREATE TABLE and CREATE VIEW."),
    }
}
