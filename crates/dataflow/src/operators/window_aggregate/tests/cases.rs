//! Single cases, as pictures.
