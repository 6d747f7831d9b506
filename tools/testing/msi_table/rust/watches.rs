// SPDX-License-Identifier: GPL-2.0

//! Watchers of messages.

pub mod prelude;

use core::mem;
use kernel::{
    cpumask::Cpumask,
    device::Bound,
    faux,
    irq::Flags,
    msi::{
        Message,
        Table,
        Vector,
        Watch,
        Watchable,
        Watcher, //
    },
    prelude::*,
    sync::atomic::{
        Atomic,
        Relaxed, //
    },
};
use prelude::{
    Ims,
    Program as LocalModule,
    Quiet, //
};

/// A watcher.
pub struct Ignore;

impl Watcher for Ignore {
    fn notify(&self, _msg: Option<Message>) {}
}

/// A watcher is told on one CPU while others look at it.
pub struct Peer(
    #[cfg(watcher_not_sync)] pub core::cell::Cell<u32>,
    #[cfg(not(watcher_not_sync))] pub Atomic<u32>,
);

impl Watcher for Peer {
    //[watcher_not_sync]~^ E0277 `Cell<u32>` cannot be shared
    fn notify(&self, _msg: Option<Message>) {}
}

/// A watcher which borrows.
pub struct Borrowing<'a>(pub &'a Atomic<u32>);

impl Watcher for Borrowing<'_> {
    fn notify(&self, _msg: Option<Message>) {
        self.0.add(1, Relaxed);
    }
}

static COUNT: Atomic<u32> = Atomic::new(0);

/// The watch may be leaked, so a watcher does not borrow from a function.
pub fn watcher_borrows(vector: Vector<'_, Ims>) {
    #[cfg(watcher_borrows)]
    let count = &Atomic::new(0); //[watcher_borrows]~ E0716
    #[cfg(not(watcher_borrows))]
    let count = &COUNT;
    let _ = Watch::new(vector, Borrowing(count));
}

/// It takes `unsafe` to say that it is not leaked.
pub fn watch_with_lt(vector: Vector<'_, Ims>) {
    #[cfg(watch_with_lt)]
    let _ = Watch::new_with_lt(vector, Ignore); //[watch_with_lt]~ E0133
    #[cfg(not(watch_with_lt))]
    let _ = Watch::new(vector, Ignore);
}

/// A vector which is watched by reference is not freed meanwhile.
pub fn watch_outlives_vector(vector: Vector<'_, Ims>) -> Result {
    let watch = Watch::new(&vector, Ignore)?;
    #[cfg(watch_outlives_vector)]
    drop(vector); //[watch_outlives_vector]~ E0505
    drop(watch);
    Ok(())
}

/// Nor is it made an interrupt.
pub fn watch_outlives_request(vector: Vector<'_, Ims>, spare: Vector<'_, Ims>) -> Result {
    let watch = Watch::new(&vector, Ignore)?;
    #[cfg(watch_outlives_request)]
    let spare = vector; //[watch_outlives_request]~ E0505
    let irq = spare.request_irq(Flags::TRIGGER_NONE, c"spare", Quiet)?;
    drop((watch, irq));
    Ok(())
}

/// A watch owns the vector which it was given.
pub fn vector_after_watch(vector: Vector<'_, Ims>) -> Result<u32> {
    let watch = Watch::new(vector, Ignore)?;
    #[cfg(not(vector_after_watch))]
    let vector = watch.target();
    let label = vector.label(); //[vector_after_watch]~ E0382
    drop(watch);
    Ok(label)
}

/// With the vector it is as long as the device is bound.
pub fn watch_outlives_device() -> Result {
    let dev = faux::Registration::new(c"program", None)?;
    let bound: &faux::Device<Bound> = dev.as_ref();
    let vector = Table::new(bound.as_ref(), c"ims", 4, Ims)?.alloc(3)?;
    let watch = Watch::new(vector, Ignore)?;
    #[cfg(watch_outlives_device)]
    drop(dev); //[watch_outlives_device]~ E0505
    drop(watch);
    Ok(())
}

/// The C side points to a watcher, so another one is not put in its place,
pub fn watcher_exchanged<'a>(
    mut one: Watch<Ignore, Vector<'a, Ims>>,
    mut two: Watch<Ignore, Vector<'a, Ims>>,
) {
    #[cfg(watcher_exchanged)]
    mem::swap(one.watcher(), two.watcher()); //[watcher_exchanged]~ E0308
    #[cfg(not(watcher_exchanged))]
    mem::swap(&mut one, &mut two);
    drop((one, two));
}

/// nor is what it watches exchanged,
pub fn target_exchanged<'a>(
    mut one: Watch<Ignore, Vector<'a, Ims>>,
    mut two: Watch<Ignore, Vector<'a, Ims>>,
) {
    #[cfg(target_exchanged)]
    mem::swap(one.target(), two.target()); //[target_exchanged]~ E0308
    #[cfg(not(target_exchanged))]
    mem::swap(&mut one, &mut two);
    drop((one, two));
}

/// nor taken out.
pub fn target_taken(watch: Watch<Ignore, Vector<'_, Ims>>) -> u32 {
    #[cfg(target_taken)]
    let target = watch.target; //[target_taken]~ E0616
    #[cfg(not(target_taken))]
    let target = watch.target();
    target.label()
}

/// That something can be watched gives nobody the pointer which the C side knows it by.
pub fn watchable_as_raw<V: Watchable>(target: &V) -> bool {
    #[cfg(watchable_as_raw)]
    let target = target.as_raw(); //[watchable_as_raw]~ E0061
    mem::size_of_val(&target) != 0
}

/// Nor can what it takes to ask for it be made.
pub fn token_by_hand() -> usize {
    #[cfg(token_by_hand)]
    let token = kernel::msi::watch::private::Token; //[token_by_hand]~ E0603
    #[cfg(not(token_by_hand))]
    let token = ();
    mem::size_of_val(&token)
}

/// A watcher ends with its watch.
pub fn watcher_outlives_watch(watch: Watch<Ignore, Vector<'_, Ims>>) {
    let watcher = watch.watcher();
    #[cfg(watcher_outlives_watch)]
    drop(watch); //[watcher_outlives_watch]~ E0505
    watcher.notify(None);
}

/// What a callback gets can not be watched: it does not say for how long it is there.
pub fn watch_in_callback<'a>(vector: &'a Vector<'_, Ims>) {
    #[cfg(watch_in_callback)]
    let vector: &'a kernel::msi::VectorRef<Ims> = vector;
    let _ = Watch::new(vector, Ignore); //[watch_in_callback]~ E0277 Watchable
}

/// Nor can what is not a vector.
pub struct Other;

#[cfg(watchable_by_hand)]
impl kernel::msi::Watchable for Other {}
//[watchable_by_hand]~^ E0277 HasVector

/// To read a message takes a lock which a callback holds already.
pub fn message_in_callback(vector: &Vector<'_, Ims>) -> Result<Message> {
    #[cfg(message_in_callback)]
    let vector: &kernel::msi::VectorRef<Ims> = vector;
    vector.message() //[message_in_callback]~ E0599
}

/// So does moving the interrupt.
pub fn move_in_callback(vector: &Vector<'_, Ims>, mask: &Cpumask) -> Result {
    #[cfg(move_in_callback)]
    let vector: &kernel::msi::VectorRef<Ims> = vector;
    vector.set_affinity(mask) //[move_in_callback]~ E0599
}
