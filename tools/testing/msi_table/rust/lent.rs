// SPDX-License-Identifier: GPL-2.0

//! Vectors which another driver handles.

pub mod prelude;

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
        Message,
        Vector,
        Watch,
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
        core::mem::forget(KBox::pin_init(Watch::new(vector, Deaf), GFP_KERNEL));
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
