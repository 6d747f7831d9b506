// SPDX-License-Identifier: GPL-2.0

//! Message stores, cookies, and the tables of them.

pub mod prelude;

use kernel::{
    device::{
        Bound,
        Device, //
    },
    msi::{
        Kind,
        Message,
        Request,
        Store,
        Table,
        VectorRef, //
    },
    pci,
    prelude::*,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        Arc,
        SetOnce, //
    },
    ModuleMetadata, //
};
use prelude::{
    Ims,
    Program as LocalModule, //
};

/// Code of the kernel has no module which somebody else's could pretend to be in.
pub fn owner_of_recorder() -> &'static ThisModule {
    #[cfg(recorder_as_owner)]
    type Owner = <kernel::msi::fake::Recorder as Store>::OwnerModule;
    #[cfg(not(recorder_as_owner))]
    type Owner = <Ims as Store>::OwnerModule;

    &<Owner as ModuleMetadata>::THIS_MODULE //[recorder_as_owner]~ E0277 ModuleMetadata
}

/// The operations of a store run at the same time for different vectors.
pub struct Shared(
    #[cfg(store_not_sync)] pub core::cell::Cell<u32>,
    #[cfg(not(store_not_sync))] pub Atomic<u32>,
);

#[vtable]
impl Store for Shared {
    //[store_not_sync]~^ E0277 `Cell<u32>` cannot be shared
    type Cookie = ();

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// A store is dropped with the last handle, wherever that is.
pub struct Local(
    #[cfg(store_not_send)] pub kernel::sync::MutexGuard<'static, u32>,
    #[cfg(not(store_not_send))] pub u32,
);

#[vtable]
impl Store for Local {
    //[store_not_send]~^ E0277 cannot be sent between threads safely
    type Cookie = ();

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// A cookie is seen by the store and by the handler at the same time, and dropped wherever the
/// vector is.
pub struct Queue(
    #[cfg(cookie_not_sync)] pub core::cell::Cell<u32>,
    #[cfg(not(cookie_not_sync))] pub Atomic<u32>,
    #[cfg(cookie_not_send)] pub kernel::sync::MutexGuard<'static, u32>,
    #[cfg(not(cookie_not_send))] pub u32,
);

/// A store keeps nothing of what it is called with, or only what it may.
pub struct Queues(
    #[cfg(store_keeps_vector)] pub SetOnce<&'static VectorRef<Self>>,
    #[cfg(not(store_keeps_vector))] pub SetOnce<u32>,
    #[cfg(store_keeps_cookie)] pub SetOnce<&'static Queue>,
    #[cfg(not(store_keeps_cookie))] pub SetOnce<u32>,
);

#[vtable]
impl Store for Queues {
    type Cookie = KBox<Queue>;
    //[cookie_not_sync]~^ E0277 `Cell<u32>` cannot be shared
    //[cookie_not_send]~^^ E0277 cannot be sent between threads safely

    fn write_msg(&self, vector: &VectorRef<Self>, _msg: Message) {
        #[cfg(store_keeps_vector)]
        self.0.populate(vector); //[store_keeps_vector]~ E0521
        #[cfg(not(store_keeps_vector))]
        self.0.populate(vector.label());

        #[cfg(store_keeps_cookie)]
        self.1.populate(vector.cookie()); //[store_keeps_cookie]~ E0521
        #[cfg(not(any(store_keeps_cookie, cookie_not_send)))]
        self.1.populate(vector.cookie().1);
    }

    fn clear_msg(&self, vector: &VectorRef<Self>) {
        #[cfg(store_moves_vector)]
        let vector = *vector; //[store_moves_vector]~ E0507
        let _ = vector.irq();
    }

    fn init_vector(&self, vector: &VectorRef<Self>) -> Result {
        #[cfg(cookie_changed)]
        {
            vector.cookie().0 = Atomic::new(0); //[cookie_changed]~ E0594
        }
        #[cfg(not(any(cookie_changed, cookie_not_sync)))]
        vector.cookie().0.store(0, Relaxed);
        Ok(())
    }
}

/// A store may borrow. Its cookies may not, even so: the vector which owns one may be leaked.
pub struct Borrowed<'a>(pub &'a Atomic<u32>);

#[vtable]
impl<'a> Store for Borrowed<'a> {
    #[cfg(cookie_borrows)]
    type Cookie = KBox<&'a Atomic<u32>>; //[cookie_borrows]~ E0477
    #[cfg(not(cookie_borrows))]
    type Cookie = KBox<&'static Atomic<u32>>;

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {
        self.0.add(1, Relaxed);
    }

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// A cookie is something which the C side can hold.
pub struct Plain;

#[vtable]
impl Store for Plain {
    #[cfg(cookie_not_foreign)]
    type Cookie = u32; //[cookie_not_foreign]~ E0277 ForeignOwnable
    #[cfg(not(cookie_not_foreign))]
    type Cookie = Arc<u32>;

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// Like this.
pub struct Numbers;

#[vtable]
impl Store for Numbers {
    type Cookie = Arc<u32>;

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// The type of a cookie is the one of the store.
pub fn cookie_of_other_type(table: &Table<'_, Numbers>) -> Result {
    #[cfg(cookie_of_other_type)]
    let cookie = KBox::new(1u32, GFP_KERNEL)?;
    #[cfg(not(cookie_of_other_type))]
    let cookie = Arc::new(1u32, GFP_KERNEL)?;
    drop(table.alloc(Request::at(3).cookie(cookie))?); //[cookie_of_other_type]~ E0277
    Ok(())
}

/// Where there is a cookie, every vector has one.
pub fn cookie_missing(table: &Table<'_, Numbers>) -> Result {
    let request = Request::at(3);
    #[cfg(not(cookie_missing))]
    let request = request.cookie(Arc::new(1u32, GFP_KERNEL)?);
    drop(table.alloc(request)?); //[cookie_missing]~ E0277
    Ok(())
}

/// The same, without a request.
pub fn cookie_missing_in_range(numbers: &Table<'_, Numbers>, table: &Table<'_, Ims>) -> Result {
    #[cfg(cookie_missing_in_range)]
    drop(numbers.alloc_range(3..)?); //[cookie_missing_in_range]~ E0599
    #[cfg(not(cookie_missing_in_range))]
    drop((numbers, table.alloc_range(3..)?));
    Ok(())
}

/// A cookie which has been handed over is not used any more.
pub fn cookie_after_move(table: &Table<'_, Queues>, cookie: KBox<Queue>) -> Result<usize> {
    let vector = table.alloc(Request::at(3).cookie(cookie))?;
    #[cfg(not(cookie_after_move))]
    let cookie = vector.cookie();
    let address = core::ptr::from_ref(&*cookie); //[cookie_after_move]~ E0382
    drop(vector);
    Ok(address.addr())
}

/// A cookie ends with its vector.
pub fn cookie_outlives_vector(table: &Table<'_, Queues>, cookie: KBox<Queue>) -> Result<usize> {
    let vector = table.alloc(Request::at(3).cookie(cookie))?;
    let cookie = vector.cookie();
    #[cfg(cookie_outlives_vector)]
    drop(vector); //[cookie_outlives_vector]~ E0505
    Ok(core::ptr::from_ref(cookie).addr())
}

/// The table may be leaked, so a store does not borrow from a function,
pub fn store_borrows(dev: &Device<Bound>) -> Result {
    #[cfg(store_borrows)]
    let count = &Atomic::new(0); //[store_borrows]~ E0716
    #[cfg(not(store_borrows))]
    let count = {
        static COUNT: Atomic<u32> = Atomic::new(0);
        &COUNT
    };
    drop(Table::new(dev, c"ims", 4, Borrowed(count))?);
    Ok(())
}

/// nor from what lives as long as the device is bound.
pub fn store_borrows_bound<'bound>(
    dev: &'bound Device<Bound>,
    #[cfg(store_borrows_bound)] count: &'bound Atomic<u32>,
    #[cfg(not(store_borrows_bound))] count: &'static Atomic<u32>,
) -> Result {
    drop(Table::new(dev, c"ims", 4, Borrowed(count))?); //[store_borrows_bound]~ E0521
    Ok(())
}

/// A store of any type.
pub struct Dynamic<'a>(pub KBox<dyn Fn() + Send + Sync + 'a>);

#[vtable]
impl Store for Dynamic<'_> {
    type Cookie = ();

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {
        (self.0)();
    }

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// It is no way around that.
pub fn store_borrows_dyn<'bound>(
    dev: &'bound Device<Bound>,
    #[cfg(store_borrows_dyn)] count: Atomic<u32>,
    #[cfg(not(store_borrows_dyn))] count: &'static Atomic<u32>,
) -> Result {
    #[cfg(store_borrows_dyn)]
    let count = &count; //[store_borrows_dyn]~ E0597
    let called = KBox::new(move || count.add(1, Relaxed), GFP_KERNEL)?;
    drop(Table::new(dev, c"ims", 4, Dynamic(called))?);
    Ok(())
}

/// It takes `unsafe` to say that no handle is leaked.
pub fn new_with_lt(dev: &Device<Bound>) -> Result {
    #[cfg(new_with_lt)]
    drop(Table::new_with_lt(dev, c"ims", 4, Ims)?); //[new_with_lt]~ E0133
    #[cfg(not(new_with_lt))]
    drop(Table::new(dev, c"ims", 4, Ims)?);
    Ok(())
}

/// A store has a place for the messages.
pub struct Writes;

#[vtable]
impl Store for Writes {
    //[no_write_msg]~^ E0046
    type Cookie = ();

    #[cfg(not(no_write_msg))]
    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// A store stops the device from sending in one way or the other.
pub struct Masks;

#[vtable]
impl Store for Masks {
    type Cookie = ();

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    #[cfg(not(any(no_mask, no_mask_no_clear)))]
    fn mask(&self, _vector: &VectorRef<Self>) {}

    #[cfg(not(any(no_unmask, no_mask_no_clear)))]
    fn unmask(&self, _vector: &VectorRef<Self>) {}
}

/// What masks also unmasks, and what does not mask clears.
pub fn masks(dev: &Device<Bound>) -> Result {
    //[no_mask]~ E0080 both `mask` and `unmask`, or neither
    drop(Table::new(dev, c"ims", 4, Masks)?);
    //[no_unmask]~^ E0080 both `mask` and `unmask`, or neither
    //[no_mask_no_clear]~^^ E0080 a message store without `mask` needs `clear_msg`
    Ok(())
}

/// A device which has a table is bound,
pub fn table_of_unbound(
    #[cfg(table_of_unbound)] dev: &Device<kernel::device::Normal>,
    #[cfg(not(table_of_unbound))] dev: &Device<Bound>,
) -> Result {
    drop(Table::new(dev, c"ims", 4, Ims)?); //[table_of_unbound]~ E0308
    Ok(())
}

/// also when it is a PCI function.
pub fn pci_table_of_unbound(
    #[cfg(pci_table_of_unbound)] pdev: &pci::Device<kernel::device::Normal>,
    #[cfg(not(pci_table_of_unbound))] pdev: &pci::Device<Bound>,
) -> Result {
    drop(pdev.msi_table(Kind::MsiX)?); //[pci_table_of_unbound]~ E0599
    Ok(())
}

/// The vectors of a PCI table have no cookie.
pub fn pci_cookie(pdev: &pci::Device<Bound>) -> Result {
    let request = Request::at(3);
    #[cfg(pci_cookie)]
    let request = request.cookie(Arc::new(1u32, GFP_KERNEL)?);
    drop(pdev.msi_table(Kind::MsiX)?.alloc(request)?); //[pci_cookie]~ E0277
    Ok(())
}

/// There is no PCI table but those which the PCI core gives.
pub fn pci_by_hand(dev: &Device<Bound>) -> Result {
    #[cfg(pci_by_hand)]
    let store = kernel::msi::Pci(core::marker::PhantomData::<()>); //[pci_by_hand]~ E0603
    #[cfg(not(pci_by_hand))]
    let store = Ims;
    drop(Table::new(dev, c"ims", 4, store)?); //[pci_by_hand]~ E0277 `Pci: Store`
    Ok(())
}

/// What is behind a table is a store or the PCI core, and no third thing.
pub struct Other;

#[cfg(backing_by_hand)]
impl kernel::msi::Backing for Other {
    //[backing_by_hand]~^ E0277 Sealed
    type Cookie = ();
}
