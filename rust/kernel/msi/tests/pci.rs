// SPDX-License-Identifier: GPL-2.0

//! Tests of the tables of PCI functions, on every Intel 82576 (igb), which has MSI-X and MSI, and
//! every edu of QEMU, which has MSI with a single message. What has a driver is left alone.

use crate::macros;

#[macros::kunit_tests(rust_kernel_msi_pci)]
mod suite {
    use crate::{
        bindings,
        container_of,
        device::{
            self,
            Bound,
            Core, //
        },
        device_id::IdArray,
        driver,
        error::to_result,
        io::Io,
        irq::{
            self,
            Flags,
            IrqReturn, //
        },
        module::this_module,
        msi::{
            Kind,
            Kinds,
            Vector, //
        },
        pci,
        prelude::*,
        sync::{
            atomic::{
                Atomic,
                Relaxed, //
            },
            Arc, //
        },
        time::{
            delay::fsleep,
            Delta, //
        },
        LocalModule, //
    };
    use core::mem;

    const IGB_DEVICE_ID: u32 = 0x10c9;
    /// The vendor of the edu has no name, so it is found by its class first.
    const EDU_CLASS: u32 = 0x00ff00;
    const EDU_VENDOR_ID: u16 = 0x1234;
    const EDU_DEVICE_ID: u16 = 0x11e8;

    /// Functions which were probed, and those which passed.
    static PROBED: Atomic<u32> = Atomic::new(0);
    static PASSED: Atomic<u32> = Atomic::new(0);

    struct Edges;

    static IDS: IdArray<pci::DeviceId, Kind, 2> = IdArray::new([
        (
            pci::DeviceId::from_id(pci::Vendor::INTEL, IGB_DEVICE_ID),
            &Kind::MsiX,
        ),
        (pci::DeviceId::from_class(EDU_CLASS, 0xffffff), &Kind::Msi),
    ]);

    fn check(good: bool) -> Result {
        if good {
            Ok(())
        } else {
            Err(EIO)
        }
    }

    /// Each error of a table, and afterwards the table still works.
    fn edges(pdev: &pci::Device<Bound>, best: Kind) -> Result {
        type Cookie = Arc<u32>;

        let none = Kinds::default();
        check(pdev.msi_table(none).err() == Some(EINVAL))?;
        check(pdev.msi_table_with_cookies::<Cookie>(none).err() == Some(EINVAL))?;
        if best == Kind::Msi {
            check(pdev.msi_table(Kind::MsiX).err() == Some(ENODEV))?;
            check(pdev.msi_table_with_cookies::<Cookie>(Kind::MsiX).err() == Some(ENODEV))?;
        }

        let table = pdev.msi_table(Kind::MsiX | Kind::Msi)?;
        check(pdev.msi_table(best).err() == Some(EBUSY))?;
        check(pdev.msi_table(Kind::Msi).err() == Some(EBUSY))?;

        let size = table.size().ok_or(EIO)?;
        check(size > 1 || best == Kind::Msi)?;
        check(table.alloc(size).err() == Some(ERANGE))?;
        check(table.alloc(u32::MAX).err() == Some(ERANGE))?;
        check(table.alloc_many(.., 0..=1).err() == Some(EINVAL))?;
        check(table.alloc_many(.., size + 1..=u32::MAX).err() == Some(ENOSPC))?;

        let vectors = table.alloc_many(.., 1..=u32::MAX)?;
        check(!vectors.is_empty() && (best == Kind::Msi || vectors.len() == size as usize))?;
        check(table.alloc(0).err() == Some(EBUSY))?;
        drop(vectors);
        check(table.alloc(0)?.label() == 0)?;
        drop(table);

        check(pdev.msi_table_with_cookies::<Cookie>(best).is_ok())?;
        legacy_number(pdev, best)?;
        if best == Kind::Msi {
            line(pdev)?;
        }
        Ok(())
    }

    /// The number of a vector is not to be had by what was allocated in the legacy way.
    fn legacy_number(pdev: &pci::Device<Bound>, best: Kind) -> Result {
        let only_intx = pci::IrqTypes::default().with(pci::IrqType::Intx);
        let Ok(intx) = pdev.alloc_irq_vectors(1, 1, only_intx) else {
            // The function has none.
            return Ok(());
        };

        check(intx.index(0).is_ok())?;
        let table = pdev.msi_table(best)?;
        let vector = table.alloc(0)?;
        check(intx.index(0).err() == Some(EINVAL))?;
        drop((vector, table));
        check(intx.index(0).is_ok())
    }

    /// Registers of the edu: raises its interrupt, and takes that back.
    const EDU_RAISE: usize = 0x60;
    const EDU_ACK: usize = 0x64;

    /// Whose interrupt is raised, how often that was handled, and how often a thread was woken
    struct Edu {
        bar: pci::DevresBar<0x68>,
        count: Atomic<u32>,
        woken: Atomic<u32>,
    }

    impl Edu {
        /// It arrives, and once.
        fn raises(&self) -> Result {
            self.count.store(0, Relaxed);
            self.bar
                .try_access_with(|bar| bar.write32(1, EDU_RAISE))
                .ok_or(ENXIO)?;
            for _ in 0..1000 {
                if self.count.load(Relaxed) != 0 {
                    break;
                }
                fsleep(Delta::from_millis(10));
            }
            check(self.count.load(Relaxed) == 1)
        }
    }

    struct Line(Arc<Edu>);

    impl Line {
        fn handled(&self) -> IrqReturn {
            self.0.count.add(1, Relaxed);
            self.0.bar.try_access_with(|bar| bar.write32(1, EDU_ACK));
            IrqReturn::Handled
        }
    }

    impl irq::Handler for Line {
        fn handle(&self) -> IrqReturn {
            self.handled()
        }
    }

    /// Only its thread makes the line quiet, after a while.
    impl irq::ThreadedHandler for Line {
        fn handle(&self) -> irq::ThreadedIrqReturn {
            self.0.woken.add(1, Relaxed);
            irq::ThreadedIrqReturn::WakeThread
        }

        fn handle_threaded(&self) -> IrqReturn {
            fsleep(Delta::from_millis(10));
            self.handled()
        }
    }

    /// # Safety
    ///
    /// None.
    unsafe extern "C" fn other(_irq: c_int, _dev_id: *mut c_void) -> bindings::irqreturn_t {
        bindings::irqreturn_t(IrqReturn::None as c_uint)
    }

    /// The line of INTx, which another device may keep.
    fn line(pdev: &pci::Device<Bound>) -> Result {
        let Ok(vector) = pdev.msi_table(Kind::Intx).and_then(|table| table.alloc(0)) else {
            // The function has none.
            return Ok(());
        };
        let number = vector.irq();
        let bar = pdev.iomap_region_sized::<0x68>(0, c"kunit_msi_pci")?;
        let edu = Arc::new(
            Edu {
                bar: bar.into_devres()?,
                count: Atomic::new(0),
                woken: Atomic::new(0),
            },
            GFP_KERNEL,
        )?;

        let irq = vector.request_threaded_irq(Flags::TRIGGER_NONE, c"line", Line(edu.clone()))?;
        edu.raises()?;
        let woken = edu.woken.load(Relaxed);
        // The APLIC of RISC-V sends a level again when the first handler is done with it,
        // before the thread is.
        check(woken == 1 || cfg!(CONFIG_RISCV) && woken > 1)?;
        let vector = irq.free_irq();

        let dev_id = (&raw const PROBED).cast_mut().cast();
        // SAFETY: The handler is a function, which expects nothing of its argument.
        to_result(unsafe {
            bindings::request_threaded_irq(
                number,
                Some(other),
                None,
                bindings::IRQF_SHARED as usize,
                c"other".as_char_ptr(),
                dev_id,
            )
        })?;
        let res = disabled(vector, &edu);
        // SAFETY: The handler was installed above.
        unsafe { bindings::free_irq(number, dev_id) };
        res
    }

    /// Disabled, in each way, and freed, and then as good as new
    fn disabled(mut vector: Vector<'_>, edu: &Arc<Edu>) -> Result {
        for leak in [false, true] {
            let irq = vector.request_irq(Flags::TRIGGER_NONE, c"line", Line(edu.clone()))?;

            edu.raises()?;
            irq.disable();
            if leak {
                mem::forget(irq.disabled());
            }
            vector = irq.free_irq();
        }

        let irq = vector.request_irq(Flags::TRIGGER_NONE, c"line", Line(edu.clone()))?;
        let res = edu.raises();
        drop(irq);
        res
    }

    fn probe(pdev: &pci::Device<Core<'_>>, best: Option<&Kind>) -> Result {
        let best = *best.ok_or(EIO)?;
        let is_edu =
            pdev.vendor_id().as_raw() == EDU_VENDOR_ID && pdev.device_id() == EDU_DEVICE_ID;

        if best == Kind::Msi && !is_edu {
            return Err(ENODEV);
        }

        PROBED.add(1, Relaxed);
        pdev.enable_device_mem()?;
        let res = edges(pdev, best);
        let dev: &device::Device = pdev.as_ref();
        // SAFETY: By the type invariant of `pci::Device` this is the device of a `struct pci_dev`.
        let raw = unsafe { container_of!(dev.as_raw(), bindings::pci_dev, dev) };
        // SAFETY: The function is valid, and was enabled above. Nobody else would disable it.
        unsafe { bindings::pci_disable_device(raw) };
        res?;
        PASSED.add(1, Relaxed);
        Ok(())
    }

    impl pci::Driver for Edges {
        type IdInfo = Kind;
        type Data<'bound> = ();

        const ID_TABLE: pci::IdTable<Self::IdInfo> = &IDS;

        fn probe<'bound>(
            pdev: &'bound pci::Device<Core<'_>>,
            best: Option<&'bound Self::IdInfo>,
        ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
            probe(pdev, best)
        }
    }

    /// Says of the test which is running that it was skipped.
    fn skip() {
        // SAFETY: There are no requirements.
        let test = unsafe { bindings::kunit_get_current_test() };

        if !test.is_null() {
            // SAFETY: The test which is running is valid, and only it writes its status meanwhile.
            unsafe { (*test).status = bindings::kunit_status_KUNIT_SKIPPED };
        }
    }

    #[test]
    fn errors() -> Result {
        PROBED.store(0, Relaxed);
        PASSED.store(0, Relaxed);
        drop(KBox::pin_init(
            driver::Registration::<pci::Adapter<Edges>>::new(
                c"kunit_msi_pci",
                this_module::<LocalModule>(),
            ),
            GFP_KERNEL,
        )?);

        if PROBED.load(Relaxed) == 0 {
            skip();
        }
        assert_eq!(PASSED.load(Relaxed), PROBED.load(Relaxed));
        Ok(())
    }
}
