//! The Nexmark generator.
