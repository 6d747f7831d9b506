// SPDX-License-Identifier: GPL-2.0

//! Tests of stores which are restored, behind a slow bus, or plain MMIO.

use crate::macros;

#[macros::kunit_tests(rust_kernel_msi_stores)]
mod suite {
    use super::super::doubles::*;
    use crate::{
        msi::{
            fake::{
                fake_device,
                FakeDevice,
                Parent,
                Recorder, //
            },
            Affinity,
            Message,
            Request,
            Store,
            Table,
            VectorRef, //
        },
        new_mutex,
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Mutex, //
        },
    };

    #[test]
    fn restore() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_restore", 8);
        let table = Table::new(dev.as_ref(), c"ims", 16, Recorder::default())?;
        let store = table.store();

        table.restore();
        let four = table.alloc(4)?;
        let five = table.alloc(5)?;
        let five = five.request_irq(FLAGS, c"kunit", Counter(counts.clone()))?;
        let msg = store.message(5);

        for _ in 0..2 {
            store.wipe();
            assert_eq!(store.message(5), None);
            table.restore();
            assert_eq!(store.message(5), msg);
            assert_eq!(store.message(4), None);
            assert!(!store.is_masked(5));
            assert!(store.is_masked(4));
            // Of no vector at all
            assert!(!store.is_masked(3));
        }

        dev.parent().inject(store.message(5).ok_or(EINVAL)?)?;
        five.synchronize();
        assert_eq!(counts.handled.load(Relaxed), 1);
        drop(four);
        Ok(())
    }

    /// Returns whether `irqbalance` finds an interrupt of this device.
    #[cfg(CONFIG_SYSFS)]
    fn in_sysfs(dev: &FakeDevice, irq: u32) -> Result<bool> {
        let path = crate::str::CString::try_from_fmt(fmt!("msi_irqs/{irq}"))?;
        // SAFETY: The device is valid and registered, and the name is a string.
        let node = unsafe {
            bindings::kernfs_walk_and_get_ns(
                (*dev.as_ref().as_raw()).kobj.sd,
                path.as_char_ptr(),
                core::ptr::null(),
            )
        };

        // SAFETY: This is null, which does nothing, or comes with a reference.
        unsafe { bindings::kernfs_put(node) };
        Ok(!node.is_null())
    }

    #[test]
    fn slots_behind_the_end() -> Result {
        let dev = fake_device!(c"kunit_msi_recorder", 8);
        let table = Table::new(dev.as_ref(), c"ims", 17, Recorder::default())?;

        // More labels than slots: the store does not keep the message.
        let vector = table.alloc(16)?;
        let irq = vector.request_irq(FLAGS, c"kunit", Counter(Counts::new()?))?;
        for label in [16, 17, u32::MAX] {
            assert_eq!(table.store().message(label), None);
            assert!(!table.store().is_masked(label));
        }
        drop(irq);
        Ok(())
    }

    #[cfg(CONFIG_SYSFS)]
    #[test]
    fn no_sysfs() -> Result {
        use crate::msi::Options;

        let dev = fake_device!(c"kunit_msi_sysfs", 8);
        let new =
            |name, options: Options| Table::new(dev.as_ref(), name, options, Recorder::default());

        let shown = new(c"shown", Options::indexed(16))?.alloc(5)?;
        let hidden = new(c"hidden", Options::indexed(16).no_sysfs())?.alloc(5)?;
        assert!(in_sysfs(dev, shown.irq())?);
        assert!(!in_sysfs(dev, hidden.irq())?);

        // It does not take back the other word of the driver.
        let dev = fake_device!(c"kunit_msi_both", parent = Parent::without_ims(8)?);
        let options = Options::indexed(16).unremapped().no_sysfs();
        let both = Table::new(dev.as_ref(), c"both", options, Recorder::default())?.alloc(5)?;
        assert!(!in_sysfs(dev, both.irq())?);
        Ok(())
    }

    /// What the device sees of one label.
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Register {
        data: u32,
        masked: bool,
    }

    /// A store behind a slow bus, of eight labels.
    #[pin_data]
    struct Slow {
        data: [Atomic<u32>; 8],
        masked: [Atomic<bool>; 8],
        flushes: Atomic<u32>,
        #[pin]
        device: Mutex<[Register; 8]>,
    }

    impl Slow {
        fn new() -> impl PinInit<Self> {
            let device = [Register {
                data: 0,
                masked: false,
            }; 8];

            pin_init!(Self {
                data: core::array::from_fn(|_| Atomic::new(0)),
                masked: core::array::from_fn(|_| Atomic::new(false)),
                flushes: Atomic::new(0),
                device <- new_mutex!(device),
            })
        }

        fn register(&self, label: usize) -> Register {
            self.device.lock()[label]
        }

        fn flushes(&self) -> u32 {
            self.flushes.load(Relaxed)
        }
    }

    #[vtable]
    impl Store for Slow {
        type Cookie = ();

        fn write_msg(&self, vector: &VectorRef<Self>, msg: Message) {
            self.data[vector.label() as usize].store(msg.data, Relaxed);
        }

        fn mask(&self, vector: &VectorRef<Self>) {
            self.masked[vector.label() as usize].store(true, Relaxed);
        }

        fn unmask(&self, vector: &VectorRef<Self>) {
            self.masked[vector.label() as usize].store(false, Relaxed);
        }

        fn flush(&self) {
            // Sleeps, so the kernel would complain if this were called in atomic context.
            for (label, register) in self.device.lock().iter_mut().enumerate() {
                register.data = self.data[label].load(Relaxed);
                register.masked = self.masked[label].load(Relaxed);
            }
            self.flushes.add(1, Relaxed);
        }
    }

    const OFF: Register = Register {
        data: 0,
        masked: true,
    };

    #[test]
    fn slow_reaches_device() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_slow", parent = Parent::stable(16)?);
        let table = Table::new(dev.as_ref(), c"slow", 8, Slow::new())?;
        let store = table.store();
        assert_eq!(store.flushes(), 0);

        for _ in 0..2 {
            let five = table.alloc(5)?;
            assert_eq!(store.register(5), OFF);

            let before = store.flushes();
            let irq = five.request_irq(FLAGS, c"kunit", Counter(counts.clone()))?;
            let msg = irq.vector().message()?;
            assert!(store.flushes() > before);
            assert_eq!(
                store.register(5),
                Register {
                    data: msg.data,
                    masked: false,
                }
            );

            drop(irq);
            assert_eq!(store.register(5), OFF);
        }
        Ok(())
    }

    #[test]
    fn slow_flushes_once() -> Result {
        let dev = fake_device!(c"kunit_msi_flush", parent = Parent::stable(16)?);
        let table = Table::new(dev.as_ref(), c"slow", 8, Slow::new())?;
        let store = table.store();

        let vectors = table.alloc_many(.., 8..=8)?;
        let flushes = store.flushes();
        assert!(flushes > 0);
        for label in 0..8 {
            assert_eq!(store.register(label), OFF);
        }

        // The device has lost it.
        for register in store.device.lock().iter_mut() {
            register.masked = false;
        }
        table.restore();
        assert_eq!(store.flushes(), flushes + 1);
        for label in 0..8 {
            assert_eq!(store.register(label), OFF);
        }
        drop(vectors);
        assert_eq!(dev.parent().live(), 0);
        Ok(())
    }

    #[test]
    fn slow_needs_stable_messages() -> Result {
        let dev = fake_device!(c"kunit_msi_unstable", 8);
        let res = Table::new(dev.as_ref(), c"slow", 8, Slow::new());
        assert_eq!(res.err(), Some(EOPNOTSUPP));

        // CPU hotplug does not take the lock of the bus.
        let dev = fake_device!(c"kunit_msi_slow_cpu", parent = Parent::stable(8)?);
        let table = Table::new(dev.as_ref(), c"slow", 8, Slow::new())?;
        let affinity = Affinity::new(&*cpumask(0)?);
        let managed = affinity.clone().managed();
        let request = Request::any().affinity(&managed);
        assert_eq!(table.alloc(request).err(), Some(EOPNOTSUPP));
        assert!(table.alloc(Request::any().affinity(&affinity)).is_ok());
        Ok(())
    }
}

#[cfg(any(not(CONFIG_INDIRECT_IOMEM), CONFIG_INDIRECT_IOMEM_FALLBACK))]
#[macros::kunit_tests(rust_kernel_msi_mmio)]
mod mmio {
    use super::super::doubles::*;
    use crate::{
        irq::IrqReturn,
        msi::{
            fake::{
                fake_device,
                FakeDevice,
                Parent,
                Registers, //
            },
            Handler,
            Interrupt,
            Layout,
            Message,
            Mmio,
            Options,
            Request,
            Table,
            Vector,
            VectorRef, //
        },
        prelude::*,
        sync::{
            atomic::Relaxed,
            Arc, //
        },
    };

    const PATTERN: u32 = 0x5a5a5a5a;
    const BYTES: usize = 0x120;

    const LAYOUTS: [Layout; 3] = [
        Layout::MSIX,
        Layout {
            base: 0x20,
            stride: 32,
            address_lo: 20,
            address_hi: 4,
            data: 28,
            control: 8,
            mask: 1 << 4,
        },
        Layout {
            base: 0x10,
            stride: 20,
            address_lo: 12,
            address_hi: 8,
            data: 4,
            control: 0,
            mask: 1 << 31 | 1 << 1,
        },
    ];

    fn registers() -> Result<Arc<Registers>> {
        Ok(Arc::new(Registers::new(BYTES, PATTERN)?, GFP_KERNEL)?)
    }

    fn read(registers: &Registers, layout: &Layout, label: u32, offset: u32) -> u32 {
        registers.read(layout.base + (layout.stride * label + offset) as usize)
    }

    fn message(registers: &Registers, layout: &Layout, label: u32) -> Message {
        let read = |offset| read(registers, layout, label, offset);

        Message {
            address: u64::from(read(layout.address_hi)) << 32 | u64::from(read(layout.address_lo)),
            data: read(layout.data),
        }
    }

    fn masked(registers: &Registers, layout: &Layout, label: u32) -> bool {
        read(registers, layout, label, layout.control) & layout.mask == layout.mask
    }

    /// How many registers are not as a new table of 8 labels leaves them: all of them masked.
    fn changed(registers: &Registers, layout: &Layout) -> usize {
        let control = |label| layout.base + (layout.stride * label + layout.control) as usize;
        let new = |offset| {
            let mask = (0..8).any(|label| control(label) == offset);

            PATTERN | if mask { layout.mask } else { 0 }
        };

        (0..BYTES)
            .step_by(4)
            .filter(|&offset| registers.read(offset) != new(offset))
            .count()
    }

    #[test]
    fn message_life() -> Result {
        for layout in &LAYOUTS {
            let counts = Counts::new()?;
            let dev = fake_device!(c"kunit_msi_mmio", 8);
            let registers = registers()?;
            let store = Mmio::new(*layout, registers.clone());
            let table = Table::mmio(dev.as_ref(), c"mmio", 8, store)?;
            assert_eq!(table.size(), Some(8));
            assert_eq!(changed(&registers, layout), 0);

            let five = table.alloc(5)?;
            assert!(masked(&registers, layout, 5));
            assert!(changed(&registers, layout) <= 1);

            let irq = five.request_irq(FLAGS, c"kunit", Counter(counts.clone()))?;
            let msg = irq.vector().message()?;
            assert_eq!(message(&registers, layout, 5), msg);
            let control = read(&registers, layout, 5, layout.control);
            assert_eq!(control, PATTERN & !layout.mask);
            assert!(changed(&registers, layout) <= 4);

            dev.parent().inject(message(&registers, layout, 5))?;
            irq.synchronize();
            assert_eq!(counts.handled.load(Relaxed), 1);

            drop(table);
            drop(irq);
            assert!(!message(&registers, layout, 5).is_valid());
            let control = read(&registers, layout, 5, layout.control);
            assert_eq!(control, PATTERN | layout.mask);
            assert!(changed(&registers, layout) <= 4);
            assert_eq!(dev.parent().live(), 0);

            // The table had the only other reference.
            assert!(Arc::into_unique_or_drop(registers).is_some());
        }
        Ok(())
    }

    #[test]
    fn restore() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_mmio_lost", 8);
        let layout = &Layout::MSIX;
        let table = Table::mmio(dev.as_ref(), c"mmio", 8, Mmio::new(*layout, registers()?))?;
        let registers = table.store().mapping();

        let five = table
            .alloc(5)?
            .request_irq(FLAGS, c"kunit", Counter(counts.clone()))?;
        registers.fill(0);
        table.restore();
        assert_eq!(message(registers, layout, 5), five.vector().message()?);
        assert!(!masked(registers, layout, 5));
        Ok(())
    }

    #[test]
    fn errors() -> Result {
        let dev = fake_device!(c"kunit_msi_mmio_err", 8);
        let new = |layout, options: Options| {
            Table::mmio(
                dev.as_ref(),
                c"mmio",
                options,
                Mmio::new(layout, registers()?),
            )
        };
        let msix = Layout::MSIX;
        let last = BYTES - 8 * 16;

        assert!(new(msix, 18.into()).is_ok());
        assert!(new(Layout { base: last, ..msix }, 8.into()).is_ok());

        for base in [last + 4, last + 2, BYTES, usize::MAX & !3, 2] {
            let res = new(Layout { base, ..msix }, 8.into());
            assert_eq!(res.err(), Some(EINVAL));
        }
        for size in [0, 19, u32::MAX] {
            assert_eq!(new(msix, size.into()).err(), Some(EINVAL));
        }
        for stride in [0, 12, 18, u32::MAX - 3] {
            let res = new(Layout { stride, ..msix }, 8.into());
            assert_eq!(res.err(), Some(EINVAL));
        }
        assert_eq!(new(msix, Options::unindexed()).err(), Some(EINVAL));
        for bytes in [0, 3, 12] {
            let few = Mmio::new(msix, Registers::new(bytes, PATTERN)?);
            let res = Table::mmio(dev.as_ref(), c"mmio", 1, few);
            assert_eq!(res.err(), Some(EINVAL));
        }
        assert_eq!(
            new(Layout { mask: 0, ..msix }, 8.into()).err(),
            Some(EINVAL)
        );
        assert_eq!(
            new(Layout { data: 16, ..msix }, 8.into()).err(),
            Some(EINVAL)
        );
        assert_eq!(
            new(Layout { data: 6, ..msix }, 8.into()).err(),
            Some(EINVAL)
        );
        assert!(new(msix, 8.into()).is_ok());
        Ok(())
    }

    #[test]
    fn registers_behind_the_end() -> Result {
        let none = Registers::new(3, PATTERN)?;
        none.fill(0);
        for offset in [0, 1, usize::MAX] {
            assert_eq!(none.read(offset), !0);
        }

        let one = Registers::new(7, PATTERN)?;
        assert_eq!((one.read(0), one.read(3)), (PATTERN, PATTERN));
        assert_eq!(one.read(4), !0);
        Ok(())
    }

    #[test]
    fn failure_unmaps() -> Result {
        let dev = fake_device!(c"kunit_msi_mmio_unmap", 8);

        for (layout, size) in [
            (Layout::MSIX, 19),
            (
                Layout {
                    mask: 0,
                    ..Layout::MSIX
                },
                8,
            ),
        ] {
            let registers = registers()?;
            let store = Mmio::new(layout, registers.clone());

            assert!(Table::mmio(dev.as_ref(), c"mmio", size, store).is_err());
            assert!(Arc::into_unique_or_drop(registers).is_some());
        }
        Ok(())
    }

    #[test]
    fn can_be_sent_and_shared() {
        fn check<T: Send + Sync>() {}

        check::<Mmio<Registers>>();
        check::<Table<'_, Mmio<Registers>>>();
        check::<Vector<'_, Mmio<Registers>>>();
        check::<Interrupt<'_, Reader, Mmio<Arc<Registers>>>>();
    }

    /// A mapping is only good for the device which releases it, and that after the table.
    #[cfg(all(CONFIG_HAS_IOMEM, CONFIG_MSI_TABLE_DEVICE_KUNIT_TEST))]
    #[test]
    fn device_managed() -> Result {
        use crate::io::{
            mem::IoRequest,
            resource::Resource, //
        };

        // SAFETY: It is dropped below.
        let owner = unsafe { FakeDevice::new(c"kunit_msi_mmio_own", Parent::new(8)?) }?;
        let other = fake_device!(c"kunit_msi_mmio_oth", 8);
        // Where no RAM is, and writing changes nothing: the ROM or flash memory of a PC, and of
        // QEMU's machines for arm64 and riscv64
        let start = if cfg!(CONFIG_X86) {
            0xffff_0000
        } else if cfg!(CONFIG_ARM64) {
            0x0400_0000
        } else {
            0x1000
        };
        let mut raw = bindings::resource {
            start,
            end: start + BYTES as bindings::resource_size_t - 1,
            flags: bindings::IORESOURCE_MEM as usize,
            ..Default::default()
        };
        // SAFETY: It is valid during this function.
        let resource = unsafe { Resource::from_raw(&mut raw) };
        let map = || -> Result<_> {
            // SAFETY: The resource is valid for longer than the request.
            let request = unsafe { IoRequest::new(owner.as_ref(), resource) };

            request.iomap_sized::<BYTES>()?.into_devres()
        };

        let table = Table::mmio(owner.as_ref(), c"mmio", 8, Mmio::new(Layout::MSIX, map()?))?;
        // Masked once more when it is freed
        forget(table.alloc(5)?)?;
        let res = Table::mmio(other.as_ref(), c"mmio", 8, Mmio::new(Layout::MSIX, map()?));
        assert_eq!(res.err(), Some(EINVAL));

        let parent = owner.parent().clone();
        drop(table);
        assert_eq!(parent.live(), 1);
        drop(owner);
        assert_eq!(parent.live(), 0);
        Ok(())
    }

    #[test]
    fn cookies() -> Result {
        let counts = Counts::new()?;
        let dev = fake_device!(c"kunit_msi_mmio_cook", 8);
        let store = Mmio::new(Layout::MSIX, registers()?).with_cookies::<Arc<Counts>>();
        let table = Table::mmio(dev.as_ref(), c"mmio", 8, store)?;

        let request = Request::any().cookies([counts.clone(), counts.clone()]);
        let vectors = table.alloc_many(request, 2..=2)?;
        vectors[1].cookie().check(false);
        assert_eq!(counts.bad.load(Relaxed), 1);

        drop((table, vectors));
        assert!(Arc::into_unique_or_drop(counts).is_some());
        Ok(())
    }

    /// A handler which needs the registers.
    struct Reader(Arc<Counts>);

    impl Handler<Mmio<Arc<Registers>>> for Reader {
        fn handle(
            &self,
            vector: &VectorRef<Mmio<Arc<Registers>>>,
            store: &Mmio<Arc<Registers>>,
        ) -> IrqReturn {
            let layout = &Layout::MSIX;

            self.0
                .check(message(store.mapping(), layout, vector.label()).is_valid());
            self.0.handled.add(1, Relaxed);
            IrqReturn::Handled
        }
    }

    #[test]
    fn forgotten() -> Result {
        let counts = Counts::new()?;
        // SAFETY: It is dropped below.
        let dev = unsafe { FakeDevice::new(c"kunit_msi_mmio_leak", Parent::new(8)?) }?;
        let parent = dev.parent().clone();
        let layout = &Layout::MSIX;
        let registers = registers()?;
        let store = Mmio::new(*layout, registers.clone());
        let table = Table::mmio(dev.as_ref(), c"mmio", 8, store)?;

        let five = table.alloc(5)?;
        forget(five.request_irq(FLAGS, c"kunit", Reader(counts.clone()))?)?;
        drop(table);
        parent.inject(message(&registers, layout, 5))?;
        assert_eq!(counts.handled.load(Relaxed), 1);
        assert_eq!(counts.bad.load(Relaxed), 0);
        drop(dev);

        assert!(masked(&registers, layout, 5));
        assert!(!message(&registers, layout, 5).is_valid());
        assert_eq!(parent.live(), 0);
        // Leaked with the table
        assert!(Arc::into_unique_or_drop(registers).is_none());
        Ok(())
    }
}
