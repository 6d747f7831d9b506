// SPDX-License-Identifier: GPL-2.0

//! Stores of which one is a subtype of the other, with different cookies.

#![allow(coherence_leak_check)]

pub mod prelude;

use core::marker::PhantomData;
use kernel::{
    msi::{
        Message,
        Store,
        Vector,
        VectorRef, //
    },
    prelude::*, //
};
use prelude::Program as LocalModule;

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
