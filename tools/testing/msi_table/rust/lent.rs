// SPDX-License-Identifier: GPL-2.0

//! Vectors which another driver handles.

pub mod prelude;

#[cfg(cookie_kept)]
use kernel::sync::ArcBorrow;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    irq::{
        self,
        Flags,
        IrqReturn, //
    },
    msi::{
        Lent,
        LentInterrupt,
        Message,
        Pci,
        Vector,
        Watch,
        Watcher, //
    },
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc, //
    },
};
use prelude::{
    Ims,
    Program as LocalModule,
    Quiet, //
};

const FLAGS: Flags = Flags::TRIGGER_NONE;

/// Who lends a vector can not handle it.
pub fn vector_after_lending(vector: Vector<'_, Ims>, spare: Vector<'_, Ims>) -> Result {
    let lent = Lent::new(vector)?;
    #[cfg(not(vector_after_lending))]
    let vector = spare;
    let _ = vector.request_irq(FLAGS, c"mine", Quiet); //[vector_after_lending]~ E0382
    drop(lent);
    Ok(())
}

/// Who borrows it can not keep it.
pub fn vector_kept(lent: &Lent<Ims>) -> Option<u32> {
    #[cfg(vector_kept)]
    let mut kept: Option<kernel::msi::LentRef<'_, Ims>> = None;
    #[cfg(not(vector_kept))]
    let mut kept = None;
    lent.try_access_with(|vector| {
        #[cfg(vector_kept)]
        kept.replace(vector); //[vector_kept]~ E0521
        #[cfg(not(vector_kept))]
        kept.replace(vector.label());
    });
    #[cfg(vector_kept)]
    let kept = kept.map(|vector| vector.label());
    kept
}

/// Nor what he finds with it: the store,
pub fn store_kept(lent: &Lent<Ims>) -> bool {
    #[cfg(store_kept)]
    let mut kept: Option<&Ims> = None;
    #[cfg(not(store_kept))]
    let mut kept = None;
    lent.try_access_with(|vector| {
        #[cfg(store_kept)]
        kept.replace(vector.store()); //[store_kept]~ E0521
        #[cfg(not(store_kept))]
        kept.replace(core::ptr::eq(vector.store(), &Ims));
    });
    kept.is_some()
}

/// or the cookie.
pub fn cookie_kept(lent: &Lent<Pci<Arc<u32>>>) -> Option<u32> {
    #[cfg(cookie_kept)]
    let mut kept: Option<ArcBorrow<'_, u32>> = None;
    #[cfg(not(cookie_kept))]
    let mut kept = None;
    lent.try_access_with(|vector| {
        #[cfg(cookie_kept)]
        let cookie = vector.cookie(); //[cookie_kept]~ E0597
        #[cfg(cookie_kept)]
        kept.replace(cookie); //[cookie_kept]~ E0521
        #[cfg(not(cookie_kept))]
        kept.replace(*vector.cookie());
    });
    #[cfg(cookie_kept)]
    let kept = kept.map(|cookie| *cookie);
    kept
}

/// The C side points to a handler, so that is not moved out of the interrupt.
pub fn borrower_taken(irq: LentInterrupt<Quiet, Ims>) {
    #[cfg(borrower_taken)]
    let handler = &{ *irq.handler() }; //[borrower_taken]~ E0507
    #[cfg(not(borrower_taken))]
    let handler = irq.handler();
    let _ = irq::Handler::handle(handler);
}

/// And it is there as long as the interrupt.
pub fn handler_outlives_borrower(irq: LentInterrupt<Quiet, Ims>) {
    let handler = irq.handler();
    #[cfg(handler_outlives_borrower)]
    drop(irq); //[handler_outlives_borrower]~ E0505
    let _ = irq::Handler::handle(handler);
}

/// A watcher.
pub struct Deaf;

impl Watcher for Deaf {
    fn notify(&self, _msg: Option<Message>) {}
}

/// Nor watch it, as a watch which is forgotten might be called when the borrower is unloaded.
pub fn lent_watched(lent: &Lent<Ims>, vector: &Vector<'_, Ims>) {
    lent.try_access_with(|_lent| {
        #[cfg(lent_watched)]
        let vector = &_lent;
        core::mem::forget(Watch::new(vector, Deaf));
        //[lent_watched]~^ E0277 not implemented for `LentRef<'_, Ims>`
    });
}

/// A handler which borrows.
pub struct Borrowing<'a>(pub &'a Atomic<u32>);

impl irq::Handler for Borrowing<'_> {
    fn handle(&self) -> IrqReturn {
        self.0.add(1, Relaxed);
        IrqReturn::Handled
    }
}

static COUNT: Atomic<u32> = Atomic::new(0);

/// What handles a lent vector does not borrow either.
pub fn borrower_borrows(lent: &Lent<Ims>, dev: &Device<Bound>) {
    #[cfg(borrower_borrows)]
    let count = &Atomic::new(0); //[borrower_borrows]~ E0716
    #[cfg(not(borrower_borrows))]
    let count = &COUNT;
    let _ = lent.request_irq(dev, FLAGS, c"borrowing", Borrowing(count));
}

/// A borrower has a device too, which is bound.
pub fn borrower_unbound(
    lent: &Lent<Ims>,
    #[cfg(borrower_unbound)] dev: &Device<kernel::device::Normal>,
    #[cfg(not(borrower_unbound))] dev: &Device<Bound>,
) {
    let _ = lent.request_irq(dev, FLAGS, c"quiet", Quiet); //[borrower_unbound]~ E0308
}
