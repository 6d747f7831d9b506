// SPDX-License-Identifier: GPL-2.0

//! The check which says that no program and no sample has `unsafe` in it.

pub mod prelude;

use prelude::{
    Program,
    Program as LocalModule, //
};

/// It would notice.
pub fn unsafe_block() -> Program {
    #[cfg(unsafe_block)]
    // SAFETY: `Program` has no fields.
    return unsafe { core::mem::zeroed() }; //[unsafe_block]~ unsafe_code
    #[cfg(not(unsafe_block))]
    return Program;
}

/// Also of a promise that is not kept.
pub struct Promise;

#[cfg(unsafe_impl)]
// SAFETY: `Promise` has no fields.
unsafe impl Sync for Promise {} //[unsafe_impl]~ unsafe_code
