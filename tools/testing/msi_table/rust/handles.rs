// SPDX-License-Identifier: GPL-2.0

//! Tables, vectors and interrupts: who owns what, and for how long.

pub mod prelude;

use core::mem;
use kernel::{
    device::{
        Bound,
        Device, //
    },
    faux,
    irq::Flags,
    msi::{
        fake::{
            fake_device,
            FakeDevice,
            Parent, //
        },
        Interrupt,
        Table,
        Vector,
        VectorRef, //
    },
    prelude::*,
    sync::SetOnce, //
};
use prelude::{
    Ims,
    Program as LocalModule,
    Quiet, //
};

const FLAGS: Flags = Flags::TRIGGER_NONE;

fn bound(dev: &faux::Registration) -> &Device<Bound> {
    let dev: &faux::Device<Bound> = dev.as_ref();

    dev.as_ref()
}

/// A vector which is dropped is gone.
pub fn use_after_free(table: &Table<'_, Ims>) -> Result<u32> {
    let vector = table.alloc(3)?;
    #[cfg(use_after_free)]
    drop(vector);
    Ok(vector.irq()) //[use_after_free]~ E0382
}

/// And is not freed again.
pub fn double_free(table: &Table<'_, Ims>) -> Result {
    let vector = table.alloc(3)?;
    drop(vector);
    #[cfg(not(double_free))]
    let vector = table.alloc(3)?;
    drop(vector); //[double_free]~ E0382
    Ok(())
}

/// There is one handle of a vector, not two.
pub fn vector_twice(table: &Table<'_, Ims>) -> Result {
    let one = table.alloc(3)?;
    #[cfg(vector_twice)]
    let two = one.clone(); //[vector_twice]~ E0599
    #[cfg(not(vector_twice))]
    let two = table.alloc(4)?;
    drop((one, two));
    Ok(())
}

/// The data of a driver owns the table.
pub fn table_after_move(dev: &Device<Bound>) -> Result {
    let table = Table::new(dev, c"ims", 4, Ims)?;
    let vector = table.alloc(3)?;
    let data = KBox::new((table, vector), GFP_KERNEL)?;
    #[cfg(table_after_move)]
    let other = table.alloc(2)?; //[table_after_move]~ E0382
    #[cfg(not(table_after_move))]
    let other = data.0.alloc(2)?;
    drop((data, other));
    Ok(())
}

/// A handler belongs to a vector, and there is one of it.
pub fn two_handlers(table: &Table<'_, Ims>) -> Result {
    let vector = table.alloc(3)?;
    let one = vector.request_irq(FLAGS, c"one", Quiet)?;
    #[cfg(not(two_handlers))]
    let vector = table.alloc(4)?;
    let two = vector.request_irq(FLAGS, c"two", Quiet)?; //[two_handlers]~ E0382
    drop((one, two));
    Ok(())
}

/// The interrupt does not give the vector away for a second one,
pub fn second_handler(irq: Interrupt<'_, Quiet, Ims>, spare: Vector<'_, Ims>) -> Result {
    #[cfg(second_handler)]
    let vector = *irq.vector(); //[second_handler]~ E0507
    #[cfg(not(second_handler))]
    let vector = spare;
    let two = vector.request_irq(FLAGS, c"two", Quiet)?;
    drop((irq, two));
    Ok(())
}

/// nor can its field be reached.
pub fn private_vector<'a>(irq: &'a Interrupt<'_, Quiet, Ims>) -> &'a VectorRef<Ims> {
    #[cfg(private_vector)]
    return &irq.vector; //[private_vector]~ E0616
    #[cfg(not(private_vector))]
    return irq.vector();
}

/// A vector which has been made an interrupt is not a vector any more.
pub fn vector_after_request(table: &Table<'_, Ims>) -> Result<u32> {
    let vector = table.alloc(3)?;
    let irq = vector.request_irq(FLAGS, c"one", Quiet)?;
    #[cfg(not(vector_after_request))]
    let vector = irq.vector();
    let label = vector.label(); //[vector_after_request]~ E0382
    drop(irq);
    Ok(label)
}

/// An interrupt is disabled no longer than it is there.
pub fn disabled_outlives_interrupt(irq: Interrupt<'_, Quiet, Ims>) {
    let disabled = irq.disabled();
    #[cfg(disabled_outlives_interrupt)]
    drop(irq); //[disabled_outlives_interrupt]~ E0505
    drop(disabled);
}

/// And who has disabled it once enables it once.
pub fn enabled_twice(irq: Interrupt<'_, Quiet, Ims>) {
    let disabled = irq.disabled();
    drop(disabled);
    #[cfg(not(enabled_twice))]
    let disabled = irq.disabled();
    drop(disabled); //[enabled_twice]~ E0382
}

/// An interrupt whose vector is given back is gone.
pub fn interrupt_after_free(irq: Interrupt<'_, Quiet, Ims>, other: Interrupt<'_, Quiet, Ims>) {
    drop(irq.free_irq());
    #[cfg(not(interrupt_after_free))]
    let irq = other;
    drop(irq); //[interrupt_after_free]~ E0382
}

/// The C side points to a handler, so that is not moved out of the interrupt,
pub fn handler_taken(irq: Interrupt<'_, Quiet, Ims>) {
    #[cfg(handler_taken)]
    let handler = &{ *irq.handler() }; //[handler_taken]~ E0507
    #[cfg(not(handler_taken))]
    let handler = irq.handler();
    let _ = kernel::irq::Handler::handle(handler);
}

/// nor is another one put in its place,
pub fn handler_exchanged<'a>(
    mut one: Interrupt<'a, Quiet, Ims>,
    mut two: Interrupt<'a, Quiet, Ims>,
) {
    #[cfg(handler_exchanged)]
    mem::swap(one.handler(), two.handler()); //[handler_exchanged]~ E0308
    #[cfg(not(handler_exchanged))]
    mem::swap(&mut one, &mut two);
    drop((one, two));
}

/// nor another vector in that of its own.
pub fn vector_exchanged<'a>(
    mut one: Interrupt<'a, Quiet, Ims>,
    mut two: Interrupt<'a, Quiet, Ims>,
) {
    #[cfg(vector_exchanged)]
    mem::swap(one.vector(), two.vector()); //[vector_exchanged]~ E0308
    #[cfg(not(vector_exchanged))]
    mem::swap(&mut one, &mut two);
    drop((one, two));
}

/// A device is bound as long as there are vectors.
pub fn vector_outlives_device() -> Result {
    let dev = faux::Registration::new(c"program", None)?;
    let vector = Table::new(bound(&dev), c"ims", 4, Ims)?.alloc(3)?;
    #[cfg(vector_outlives_device)]
    drop(dev); //[vector_outlives_device]~ E0505
    drop(vector);
    Ok(())
}

/// Also as long as there are interrupts.
pub fn interrupt_outlives_device() -> Result {
    let dev = faux::Registration::new(c"program", None)?;
    let vector = Table::new(bound(&dev), c"ims", 4, Ims)?.alloc(3)?;
    let irq = vector.request_irq(FLAGS, c"one", Quiet)?;
    #[cfg(interrupt_outlives_device)]
    drop(dev); //[interrupt_outlives_device]~ E0505
    drop(irq);
    Ok(())
}

/// A fake device goes with the function which made it.
pub fn device_returned() -> Result {
    fn device() -> Result<&'static FakeDevice> {
        #[cfg(device_returned)]
        return Ok(fake_device!(c"program", 4)); //[device_returned]~ E0515
        #[cfg(not(device_returned))]
        Err(EINVAL)
    }
    device().map(|_| ())
}

/// So does a table of it, which is not for a static.
pub fn table_in_static() -> Result {
    #[cfg(table_in_static)]
    static TABLE: SetOnce<Table<'static, Ims>> = SetOnce::new();

    let dev = fake_device!(c"program", 4); //[table_in_static]~ E0716
    let table = Table::new(dev.as_ref(), c"ims", 4, Ims)?;
    #[cfg(table_in_static)]
    TABLE.populate(table);
    #[cfg(not(table_in_static))]
    drop(table);
    Ok(())
}

/// Nobody owns a fake device who does not say, in an unsafe block, that he drops it.
pub fn device_owned() -> Result {
    let parent = Parent::new(4)?;
    #[cfg(not(device_owned))]
    let dev = fake_device!(c"program", parent = parent);
    #[cfg(device_owned)]
    let dev = FakeDevice::new(c"program", parent)?; //[device_owned]~ E0133
    drop(Table::new(dev.as_ref(), c"ims", 4, Ims)?);
    Ok(())
}

/// What is declared before the device is dropped after it, which is too late for a table,
pub fn table_dropped_late() -> Result {
    #[cfg(table_dropped_late)]
    let table;
    let dev = faux::Registration::new(c"program", None)?;
    #[cfg(not(table_dropped_late))]
    let table;
    table = Table::new(bound(&dev), c"ims", 4, Ims)?; //[table_dropped_late]~ E0597
    let _ = table.store();
    Ok(())
}

/// for a vector,
pub fn vector_dropped_late() -> Result {
    #[cfg(vector_dropped_late)]
    let vector;
    let dev = faux::Registration::new(c"program", None)?;
    #[cfg(not(vector_dropped_late))]
    let vector;
    let table = Table::new(bound(&dev), c"ims", 4, Ims)?; //[vector_dropped_late]~ E0597
    vector = table.alloc(3)?;
    let _ = vector.label();
    Ok(())
}

/// and for an interrupt.
pub fn interrupt_dropped_late() -> Result {
    #[cfg(interrupt_dropped_late)]
    let irq;
    let dev = faux::Registration::new(c"program", None)?;
    #[cfg(not(interrupt_dropped_late))]
    let irq;
    let table = Table::new(bound(&dev), c"ims", 4, Ims)?; //[interrupt_dropped_late]~ E0597
    irq = table.alloc(3)?.request_irq(FLAGS, c"one", Quiet)?;
    irq.synchronize();
    Ok(())
}

/// A table does not leave the time for which the device is bound.
pub fn table_escapes<'bound>(
    dev: &'bound Device<Bound>,
    #[cfg(table_escapes)] keep: &mut Option<Table<'static, Ims>>,
    #[cfg(not(table_escapes))] keep: &mut Option<Table<'bound, Ims>>,
) -> Result {
    *keep = Some(Table::new(dev, c"ims", 4, Ims)?); //[table_escapes]~ E0521
    Ok(())
}

/// Neither does a vector.
pub fn vector_escapes<'bound>(
    dev: &'bound Device<Bound>,
    #[cfg(vector_escapes)] keep: &mut Option<Vector<'static, Ims>>,
    #[cfg(not(vector_escapes))] keep: &mut Option<Vector<'bound, Ims>>,
) -> Result {
    let table = Table::new(dev, c"ims", 4, Ims)?; //[vector_escapes]~ E0521
    *keep = Some(table.alloc(3)?);
    Ok(())
}

/// So it is not found in a static either.
pub fn vector_in_static(dev: &Device<Bound>) -> Result {
    static KEPT: SetOnce<Vector<'static, Ims>> = SetOnce::new();

    let table = Table::new(dev, c"ims", 4, Ims)?; //[vector_in_static]~ E0521
    let vector = table.alloc(3)?;
    #[cfg(vector_in_static)]
    KEPT.populate(vector);
    #[cfg(not(vector_in_static))]
    drop(vector);
    let _ = KEPT.as_ref();
    Ok(())
}

/// A reference to a vector ends with it.
pub fn ref_outlives_vector(vector: Vector<'_, Ims>) -> u32 {
    let reference: &VectorRef<Ims> = &vector;
    #[cfg(ref_outlives_vector)]
    drop(vector); //[ref_outlives_vector]~ E0505
    reference.irq()
}

/// A reference to a handler ends with its interrupt.
pub fn handler_outlives_interrupt(irq: Interrupt<'_, Quiet, Ims>) {
    let handler = irq.handler();
    #[cfg(handler_outlives_interrupt)]
    drop(irq); //[handler_outlives_interrupt]~ E0505
    let _ = kernel::irq::Handler::handle(handler);
}

/// A reference to a store ends with the handle it was had from.
pub fn store_outlives_table(table: Table<'_, Ims>, other: &Table<'_, Ims>) -> bool {
    let store = table.store();
    #[cfg(store_outlives_table)]
    drop(table); //[store_outlives_table]~ E0505
    core::ptr::eq(store, other.store())
}

/// What is behind two vectors can not be swapped. The vectors can.
pub fn vectors_swapped<'a>(mut one: Vector<'a, Ims>, mut two: Vector<'a, Ims>) {
    #[cfg(vectors_swapped)]
    mem::swap::<VectorRef<Ims>>(
        &mut one, //[vectors_swapped]~ E0596
        &mut two, //[vectors_swapped]~ E0596
    );
    #[cfg(not(vectors_swapped))]
    mem::swap(&mut one, &mut two);
    drop((one, two));
}

/// What the C side knows as a vector is not one, before the abstraction says so.
pub fn vector_by_hand<'a>(vector: &'a Vector<'_, Ims>) -> &'a VectorRef<Ims> {
    #[cfg(vector_by_hand)]
    return VectorRef::from_raw(core::ptr::null_mut()); //[vector_by_hand]~ E0624
    #[cfg(not(vector_by_hand))]
    return vector;
}
