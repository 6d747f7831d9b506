// SPDX-License-Identifier: GPL-2.0

//! What the programs have in common: a module, and what is right about a driver.

use kernel::{
    irq::{
        self,
        IrqReturn, //
    },
    msi::{
        Message,
        Store,
        VectorRef, //
    },
    prelude::*, //
};

/// The module which a program is.
pub struct Program;

impl kernel::Module for Program {
    fn init(_module: &'static ThisModule) -> Result<Self> {
        Ok(Self)
    }
}

module! {
    type: Program,
    name: "msi_table_program",
    authors: ["The msi_table developers"],
    description: "A program which must not compile, or its control",
    license: "GPL v2",
}

/// A store.
pub struct Ims;

#[vtable]
impl Store for Ims {
    type Cookie = ();

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// A handler.
pub struct Quiet;

impl irq::Handler for Quiet {
    fn handle(&self) -> IrqReturn {
        IrqReturn::Handled
    }
}
