// SPDX-License-Identifier: GPL-2.0

//! KUnit tests of tables in MMIO.

use crate::macros;

#[macros::kunit_tests(rust_kernel_msi_mmio)]
mod suite {
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
