// SPDX-License-Identifier: GPL-2.0

//! Handlers: what they may be, and what they may do with what they are given.

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
        Handler,
        Interrupt,
        ThreadedHandler,
        Vector,
        VectorRef, //
    },
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    },
};
use prelude::{
    Ims,
    Program as LocalModule,
    Quiet, //
};

const FLAGS: Flags = Flags::TRIGGER_NONE;

/// A handler runs while others look at it.
pub struct Counter(
    #[cfg(handler_not_sync)] pub core::cell::Cell<u32>,
    #[cfg(not(handler_not_sync))] pub Atomic<u32>,
);

impl Handler<Ims> for Counter {
    //[handler_not_sync]~^ E0277 `Cell<u32>` cannot be shared
    fn handle(&self, _vector: &VectorRef<Ims>, _store: &Ims) -> IrqReturn {
        IrqReturn::Handled
    }
}

/// So does a thread.
pub struct Worker(
    #[cfg(thread_not_sync)] pub core::cell::Cell<u32>,
    #[cfg(not(thread_not_sync))] pub Atomic<u32>,
);

impl ThreadedHandler<Ims> for Worker {
    //[thread_not_sync]~^ E0277 `Cell<u32>` cannot be shared
    fn handle_threaded(&self, _vector: &VectorRef<Ims>, _store: &Ims) -> IrqReturn {
        IrqReturn::Handled
    }
}

/// What the driver shares with a handler, both use at the same time.
pub struct Shared(
    #[cfg(data_not_sync)] pub Arc<core::cell::Cell<u32>>,
    #[cfg(not(data_not_sync))] pub Arc<Atomic<u32>>,
);

impl irq::Handler for Shared {
    //[data_not_sync]~^ E0277 `Cell<u32>` cannot be shared
    fn handle(&self) -> IrqReturn {
        IrqReturn::Handled
    }
}

/// A handler may be shared, and yet have to be dropped where it was made.
pub struct Local(
    #[cfg(handler_not_send)] pub kernel::sync::MutexGuard<'static, u32>,
    #[cfg(not(handler_not_send))] pub u32,
);

impl irq::Handler for Local {
    fn handle(&self) -> IrqReturn {
        IrqReturn::Handled
    }
}

/// But not in the data of a driver, which is dropped wherever the device is unbound.
pub fn handler_not_send(irq: Interrupt<'_, Local, Ims>) {
    fn driver_data<T: Send>(data: T) {
        drop(data);
    }

    driver_data(irq); //[handler_not_send]~ E0277 cannot be sent between threads safely
}

/// A handler which borrows.
pub struct Borrowing<'a>(pub &'a Atomic<u32>);

impl irq::Handler for Borrowing<'_> {
    fn handle(&self) -> IrqReturn {
        self.0.add(1, Relaxed);
        IrqReturn::Handled
    }
}

impl irq::ThreadedHandler for Borrowing<'_> {
    fn handle_threaded(&self) -> IrqReturn {
        self.0.add(1, Relaxed);
        IrqReturn::Handled
    }
}

static COUNT: Atomic<u32> = Atomic::new(0);

/// The interrupt may be leaked, so a handler does not borrow from a function,
pub fn handler_borrows(vector: Vector<'_, Ims>) {
    #[cfg(handler_borrows)]
    let count = &Atomic::new(0); //[handler_borrows]~ E0716
    #[cfg(not(handler_borrows))]
    let count = &COUNT;
    drop(vector.request_irq(FLAGS, c"borrowing", Borrowing(count)));
}

/// nor does a threaded one.
pub fn thread_borrows(vector: Vector<'_, Ims>) {
    #[cfg(thread_borrows)]
    let count = &Atomic::new(0); //[thread_borrows]~ E0716
    #[cfg(not(thread_borrows))]
    let count = &COUNT;
    drop(vector.request_threaded_irq(FLAGS, c"borrowing", Borrowing(count)));
}

/// A handler which borrows the device.
pub struct HasDevice<'a>(pub &'a Device<Bound>);

impl irq::Handler for HasDevice<'_> {
    fn handle(&self) -> IrqReturn {
        IrqReturn::Handled
    }
}

/// That a device is bound is no more than another thing to borrow.
pub fn handler_has_device<'a>(dev: &'a Device<Bound>, vector: Vector<'a, Ims>) {
    #[cfg(handler_has_device)]
    let handler = HasDevice(dev);
    #[cfg(not(handler_has_device))]
    let handler = Quiet;
    drop((dev, vector.request_irq(FLAGS, c"device", handler))); //[handler_has_device]~ E0521
}

/// A handler of any type.
pub struct Dynamic<'a>(pub KBox<dyn Fn() + Send + Sync + 'a>);

impl irq::Handler for Dynamic<'_> {
    fn handle(&self) -> IrqReturn {
        (self.0)();
        IrqReturn::Handled
    }
}

/// It is no way around that.
pub fn handler_borrows_dyn<'a>(
    vector: Vector<'a, Ims>,
    #[cfg(handler_borrows_dyn)] count: Atomic<u32>,
    #[cfg(not(handler_borrows_dyn))] count: &'static Atomic<u32>,
) -> Result {
    #[cfg(handler_borrows_dyn)]
    let count = &count; //[handler_borrows_dyn]~ E0597
    let called = KBox::new(move || count.add(1, Relaxed), GFP_KERNEL)?;
    drop(vector.request_irq(FLAGS, c"any", Dynamic(called)));
    Ok(())
}

/// It takes `unsafe` to say that the interrupt is not leaked.
pub fn request_with_lt(vector: Vector<'_, Ims>) {
    #[cfg(request_with_lt)]
    drop(vector.request_irq_with_lt(FLAGS, c"lt", Quiet)); //[request_with_lt]~ E0133
    #[cfg(not(request_with_lt))]
    drop(vector.request_irq(FLAGS, c"lt", Quiet));
}

/// The same, for a threaded handler.
pub fn request_threaded_with_lt(vector: Vector<'_, Ims>) {
    let handler = Borrowing(&COUNT);
    #[cfg(request_threaded_with_lt)]
    drop(vector.request_threaded_irq_with_lt(FLAGS, c"lt", handler));
    //[request_threaded_with_lt]~^ E0133
    #[cfg(not(request_threaded_with_lt))]
    drop(vector.request_threaded_irq(FLAGS, c"lt", handler));
}

/// The name of a handler is there when it is copied.
pub fn name_borrowed(vector: Vector<'_, Ims>) -> Result {
    #[cfg(name_borrowed)]
    let name = {
        let name = kernel::str::CString::try_from_fmt(fmt!("mine"))?;
        &*name //[name_borrowed]~ E0597
    };
    #[cfg(not(name_borrowed))]
    let name = c"mine";
    drop(vector.request_irq(FLAGS, name, Quiet));
    Ok(())
}

/// A handler which asks for the store.
pub struct OfIms;

impl Handler<Ims> for OfIms {
    fn handle(&self, _vector: &VectorRef<Ims>, _store: &Ims) -> IrqReturn {
        IrqReturn::Handled
    }
}

/// Another kind of table has another store.
pub fn handler_of_other_store(vector: Vector<'_, Ims>, other: Vector<'_>) {
    #[cfg(handler_of_other_store)]
    let vector = other;
    #[cfg(not(handler_of_other_store))]
    drop(other);
    let _ = vector.request_irq(FLAGS, c"ims", OfIms); //[handler_of_other_store]~ E0277 Handler<Pci>
}

/// A handler which keeps what it is given, or what it may keep of it.
pub struct Keeping(
    #[cfg(handler_keeps_vector)] pub SetOnce<&'static VectorRef<Ims>>,
    #[cfg(not(handler_keeps_vector))] pub SetOnce<u32>,
    #[cfg(handler_keeps_store)] pub SetOnce<&'static Ims>,
    #[cfg(not(handler_keeps_store))] pub SetOnce<bool>,
);

impl Handler<Ims> for Keeping {
    fn handle(&self, vector: &VectorRef<Ims>, store: &Ims) -> IrqReturn {
        #[cfg(handler_keeps_vector)]
        self.0.populate(vector); //[handler_keeps_vector]~ E0521
        #[cfg(not(handler_keeps_vector))]
        self.0.populate(vector.label());

        #[cfg(handler_keeps_store)]
        self.1.populate(store); //[handler_keeps_store]~ E0521
        #[cfg(not(handler_keeps_store))]
        self.1.populate(core::ptr::eq(store, &Ims));
        IrqReturn::Handled
    }
}

/// A handler does not change what it does not own alone.
pub struct Plain(pub u32);

impl irq::Handler for Plain {
    fn handle(&self) -> IrqReturn {
        #[cfg(handler_changes)]
        {
            self.0 += 1; //[handler_changes]~ E0594
        }
        IrqReturn::Handled
    }
}

/// The number of an interrupt is no permission to register a handler on it.
pub fn irq_request_by_hand(dev: &Device<Bound>, vector: &VectorRef<Ims>) -> (u32, bool) {
    #[cfg(irq_request_by_hand)]
    let irq = irq::IrqRequest::new(dev, vector.irq()).irq(); //[irq_request_by_hand]~ E0624
    #[cfg(not(irq_request_by_hand))]
    let irq = vector.irq();
    (irq, dev.fwnode().is_some())
}
