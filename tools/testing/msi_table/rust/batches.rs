// SPDX-License-Identifier: GPL-2.0

//! Batches of vectors, what they are asked for with, and stores in MMIO.

pub mod prelude;

use kernel::{
    device::{
        Bound,
        Device, //
    },
    faux,
    msi::{
        Affinity,
        Cookies,
        Layout,
        Message,
        Mmio,
        Options,
        Request,
        Store,
        Table,
        VectorRef, //
    },
    pci,
    prelude::*,
    sync::Arc, //
};
use prelude::{
    Ims,
    Program as LocalModule, //
};

/// A store with cookies.
pub struct Numbers;

#[vtable]
impl Store for Numbers {
    type Cookie = Arc<u32>;

    fn write_msg(&self, _vector: &VectorRef<Self>, _msg: Message) {}

    fn clear_msg(&self, _vector: &VectorRef<Self>) {}
}

/// All cookies of a batch have the type of the store.
pub fn cookies_of_other_type(table: &Table<'_, Numbers>) -> Result {
    #[cfg(cookies_of_other_type)]
    let cookie = KBox::new(1u32, GFP_KERNEL)?;
    #[cfg(not(cookies_of_other_type))]
    let cookie = Arc::new(1u32, GFP_KERNEL)?;
    let request = Request::any().cookies([cookie]);
    drop(table.alloc_many(request, 1..=1)?); //[cookies_of_other_type]~ E0271
    Ok(())
}

/// And there is one for each vector.
pub fn cookies_missing(table: &Table<'_, Numbers>) -> Result {
    let request = Request::any();
    #[cfg(not(cookies_missing))]
    let request = request.cookies([Arc::new(1u32, GFP_KERNEL)?]);
    drop(table.alloc_many(request, 1..=1)?); //[cookies_missing]~ E0277
    Ok(())
}

/// It takes more than the cookie of one vector.
pub fn cookies_shared(table: &Table<'_, Numbers>) -> Result {
    let cookie = Arc::new(1u32, GFP_KERNEL)?;
    #[cfg(cookies_shared)]
    let request = Request::any().cookie(cookie);
    #[cfg(not(cookies_shared))]
    let request = Request::any().cookies([cookie.clone(), cookie]);
    drop(table.alloc_many(request, 2..=2)?); //[cookies_shared]~ E0277
    Ok(())
}

/// A batch which is freed is gone.
pub fn batch_after_free(table: &Table<'_, Ims>) -> Result<usize> {
    let vectors = table.alloc_many(.., 1..=4)?;
    #[cfg(batch_after_free)]
    kernel::msi::Vector::free_many(vectors);
    Ok(vectors.len()) //[batch_after_free]~ E0382
}

/// A device is bound as long as there is a batch.
pub fn batch_outlives_device() -> Result {
    let dev = faux::Registration::new(c"program", None)?;
    let bound: &faux::Device<Bound> = dev.as_ref();
    let vectors = Table::new(bound.as_ref(), c"ims", 4, Ims)?.alloc_many(.., 1..=4)?;
    #[cfg(batch_outlives_device)]
    drop(dev); //[batch_outlives_device]~ E0505
    drop(vectors);
    Ok(())
}

/// Also if it is together with vectors of another one.
pub fn batch_of_two_devices() -> Result {
    let dev = faux::Registration::new(c"program", None)?;
    let other = faux::Registration::new(c"other", None)?;
    let (one, two): (&faux::Device<Bound>, &faux::Device<Bound>) = (dev.as_ref(), other.as_ref());
    let mut vectors = Table::new(one.as_ref(), c"ims", 4, Ims)?.alloc_many(.., 1..=4)?;
    Table::new(two.as_ref(), c"ims", 4, Ims)?.alloc_many_into(.., 1..=4, &mut vectors)?;
    #[cfg(batch_of_two_devices)]
    drop(other); //[batch_of_two_devices]~ E0505
    drop(vectors);
    Ok(())
}

/// Who is asked for a cookie does not reach where the vectors are going to be.
pub fn cookie_changes_batch(table: &Table<'_, Numbers>, cookie: Arc<u32>) -> Result {
    let mut vectors = KVec::new();
    let cookies = core::iter::repeat_with(|| {
        #[cfg(cookie_changes_batch)]
        vectors.clear();
        cookie.clone()
    });
    let request = Request::any().cookies(cookies);
    table.alloc_many_into(request, 1..=4, &mut vectors)?; //[cookie_changes_batch]~ E0499
    Ok(())
}

/// Nor are cookies to be had but by those who allocate.
pub fn cookies_taken<K: Cookies<Arc<u32>>>(cookies: &mut K) -> usize {
    #[cfg(cookies_taken)]
    let cookies = &cookies.next_cookie(); //[cookies_taken]~ E0061
    core::mem::size_of_val(cookies)
}

/// A vector of a batch is not used behind its back.
pub fn vector_of_batch(table: &Table<'_, Ims>) -> Result<u32> {
    let vectors = table.alloc_many(.., 1..=4)?;
    #[cfg(vector_of_batch)]
    let vector = vectors[0]; //[vector_of_batch]~ E0507
    #[cfg(not(vector_of_batch))]
    let vector = &vectors[0];
    Ok(vector.label())
}

/// An affinity is there as long as it is asked for.
pub fn affinity_outlived(table: &Table<'_, Ims>, affinity: KBox<Affinity>) -> Result {
    let request = Request::any().affinity(&affinity);
    #[cfg(affinity_outlived)]
    drop(affinity); //[affinity_outlived]~ E0505
    drop(table.alloc(request)?);
    Ok(())
}

/// It takes `unsafe` to say that a parent domain is one.
pub fn options_parent(dev: &Device<Bound>) -> Result {
    let options = Options::indexed(4);
    #[cfg(options_parent)]
    let options = options.parent(core::ptr::NonNull::dangling()); //[options_parent]~ E0133
    drop(Table::new(dev, c"ims", options, Ims)?);
    Ok(())
}

/// A table owns its registers.
pub fn mapping_after_move<'a>(dev: &'a Device<Bound>, bar: pci::Bar<'a, 64>) -> Result<usize> {
    let table = Table::mmio(dev, c"ims", 4, Mmio::new(Layout::MSIX, bar))?;
    #[cfg(not(mapping_after_move))]
    let bar = table.store().mapping();
    let size = core::mem::size_of_val(&bar); //[mapping_after_move]~ E0382
    drop(table);
    Ok(size)
}

/// It does not borrow them, since it may be leaked.
pub fn mapping_borrowed<'a>(dev: &'a Device<Bound>, bar: pci::Bar<'a, 64>) -> Result {
    #[cfg(mapping_borrowed)]
    let bar = &bar;
    let _ = Table::mmio(dev, c"ims", 4, Mmio::new(Layout::MSIX, bar))?;
    //[mapping_borrowed]~^ E0277 `Mapping` is not implemented
    Ok(())
}

/// It takes `unsafe` to say what is a mapping.
pub struct Registers;

#[cfg(mapping_by_hand)]
impl kernel::msi::Mapping for Registers {
    //[mapping_by_hand]~^ E0200
    fn region(&self, _dev: &Device<Bound>) -> Result<kernel::io::MmioRaw<kernel::io::Region>> {
        Err(EINVAL)
    }
}
