// SPDX-License-Identifier: GPL-2.0

//! Stores of which one is a subtype of the other, with different cookies.

#![allow(coherence_leak_check)]

pub mod prelude;

use core::marker::PhantomData;
use kernel::{
    msi::{
        Interrupt,
        Lent,
        LentInterrupt,
        LentRef,
        Message,
        Request,
        Store,
        Table,
        Vector,
        VectorRef,
        Watch,
        Watcher, //
    },
    prelude::*, //
};
use prelude::{
    Program as LocalModule,
    Quiet, //
};

/// A store.
pub struct Of<T>(pub PhantomData<T>);

/// Takes any reference.
pub type Any = for<'x> fn(&'x u8);

/// Takes but a static one, so [`Any`] will do.
pub type Static = fn(&'static u8);

#[vtable]
impl Store for Of<Any> {
    type Cookie = KBox<u64>;

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

#[vtable]
impl Store for Of<Static> {
    type Cookie = KBox<&'static str>;

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// A watcher.
pub struct Deaf;

impl Watcher for Deaf {
    fn notify(&self, _msg: Option<Message>) {}
}

/// A number is not a string.
pub fn vector_of_a_subtype<'a>(
    number: Vector<'a, Of<Any>>,
    string: Vector<'a, Of<Static>>,
) -> usize {
    drop(string);
    #[cfg(vector_of_a_subtype)]
    let string: Vector<'a, Of<Static>> = number; //[vector_of_a_subtype]~ E0308
    #[cfg(not(vector_of_a_subtype))]
    let string = number;
    #[cfg(vector_of_a_subtype)]
    return string.cookie().len();
    #[cfg(not(vector_of_a_subtype))]
    return usize::from(*string.cookie() != 0);
}

/// Nor is one by reference.
pub fn reference_of_a_subtype(number: &VectorRef<Of<Any>>) -> u32 {
    #[cfg(reference_of_a_subtype)]
    let number: &VectorRef<Of<Static>> = number; //[reference_of_a_subtype]~ E0308
    number.label()
}

/// Nor is there another way to get it: a table,
pub fn table_of_a_subtype(number: &Table<'_, Of<Any>>) -> bool {
    #[cfg(table_of_a_subtype)]
    let number: &Table<'_, Of<Static>> = number; //[table_of_a_subtype]~ E0308
    number.is_dynamic()
}

/// an interrupt,
pub fn interrupt_of_a_subtype(number: &Interrupt<'_, Quiet, Of<Any>>) -> u32 {
    #[cfg(interrupt_of_a_subtype)]
    let number: &Interrupt<'_, Quiet, Of<Static>> = number; //[interrupt_of_a_subtype]~ E0308
    number.vector().label()
}

/// a vector which is lent,
pub fn lent_of_a_subtype(number: Lent<Of<Any>>) {
    #[cfg(lent_of_a_subtype)]
    let number: Lent<Of<Static>> = number; //[lent_of_a_subtype]~ E0308
    drop(number);
}

/// what shows it,
pub fn lent_ref_of_a_subtype(number: LentRef<'_, Of<Any>>) -> u32 {
    #[cfg(lent_ref_of_a_subtype)]
    let number: LentRef<'_, Of<Static>> = number; //[lent_ref_of_a_subtype]~ E0308
    number.label()
}

/// its interrupt,
pub fn borrower_of_a_subtype(number: LentInterrupt<Quiet, Of<Any>>) {
    #[cfg(borrower_of_a_subtype)]
    let number: LentInterrupt<Quiet, Of<Static>> = number; //[borrower_of_a_subtype]~ E0308
    drop(number);
}

/// or a watch.
pub fn watch_of_a_subtype<'a>(number: Watch<Deaf, Vector<'a, Of<Any>>>) {
    #[cfg(watch_of_a_subtype)]
    let number: Watch<Deaf, Vector<'a, Of<Static>>> = number; //[watch_of_a_subtype]~ E0308
    drop(number);
}

/// A cookie which borrows for a while is none that borrows for ever.
pub fn cookie_of_a_supertype(
    table: &Table<'_, Of<Static>>,
    #[cfg(cookie_of_a_supertype)] text: KBox<&str>,
    #[cfg(not(cookie_of_a_supertype))] text: KBox<&'static str>,
) -> Result {
    drop(table.alloc(Request::any().cookie(text))?); //[cookie_of_a_supertype]~ E0521
    Ok(())
}
