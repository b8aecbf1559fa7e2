//! The operators, one file each. The list in [`build`] is the place to read which node becomes which steps.
