// SPDX-License-Identifier: GPL-2.0

//! MSI table sample: an NVMe controller, whose queues come and go with their interrupts.
//!
//! Any controller will do, such as QEMU's `-device nvme,serial=1,drive=...`. The first 8 MiB of its
//! first namespace are overwritten, so the driver wants the parameter `overwrite=1`.
//!
//! Entry 0 of the MSI-X table is for the admin queue. When that has told how many I/O queues there
//! can be, these get one entry each, spread over the CPUs. For each of them a worker writes blocks
//! through it, reads them back through the next one, and compares. Meanwhile one queue after the
//! other is deleted, its vector freed, and both are created again under the same number.
//!
//! A handler reaps its completion queue, and wakes who waits for the commands. What the two share
//! is under a lock which disables interrupts. A submission queue is used by one task at a time, or
//! deleted, and has a mutex for that. Memory for DMA is freed after the controller is disabled.
//!
//! Names are those of the NVM Express Base Specification 2.0.

use kernel::{
    device::{
        Bound,
        Core, //
    },
    dma::Coherent,
    io::{
        io_project,
        io_read,
        io_write,
        poll::read_poll_timeout,
        Io, //
    },
    irq::{
        Flags,
        Handler,
        IrqReturn, //
    },
    msi,
    new_condvar,
    new_mutex,
    new_spinlock_irq,
    pci,
    prelude::*,
    sizes::SZ_4K,
    str::CString,
    sync::{
        atomic::{
            Atomic,
            Relaxed, //
        },
        barrier::{
            dma_mb,
            Read, //
        },
        Arc,
        Completion,
        CondVar,
        CondVarTimeoutResult,
        Mutex,
        SetOnce,
        SpinLockIrq, //
    },
    time::{
        msecs_to_jiffies,
        Delta, //
    },
    workqueue, //
};

mod regs {
    /// Capabilities, Configuration, Status.
    pub(super) const CAP: usize = 0x00;
    pub(super) const CC: usize = 0x14;
    pub(super) const CSTS: usize = 0x1c;

    /// The admin queue: sizes and base addresses.
    pub(super) const AQA: usize = 0x24;
    pub(super) const ASQ: usize = 0x28;
    pub(super) const ACQ: usize = 0x30;

    /// The first doorbell. How far apart they are is up to the controller.
    pub(super) const SQ0TDBL: usize = 0x1000;

    /// `CAP`: Maximum Queue Entries Supported, less one.
    pub(super) const CAP_MQES: u64 = 0xffff;
    /// `CAP`: Timeout, in units of 500 ms.
    pub(super) const CAP_TO_SHIFT: u64 = 24;
    /// `CAP`: Doorbell Stride, as a power of two words.
    pub(super) const CAP_DSTRD_SHIFT: u64 = 32;
    /// `CAP`: Memory Page Size Minimum. 0 is 4 KiB.
    pub(super) const CAP_MPSMIN: u64 = 0xf << 48;

    /// `CC`: Enable; sizes of queue entries, as powers of two.
    pub(super) const CC_EN: u32 = 1 << 0;
    pub(super) const CC_IOSQES: u32 = 6 << 16;
    pub(super) const CC_IOCQES: u32 = 4 << 20;

    /// `CSTS`: Ready.
    pub(super) const CSTS_RDY: u32 = 1 << 0;
}

mod opcode {
    pub(super) const DELETE_IO_SQ: u32 = 0x00;
    pub(super) const CREATE_IO_SQ: u32 = 0x01;
    pub(super) const DELETE_IO_CQ: u32 = 0x04;
    pub(super) const CREATE_IO_CQ: u32 = 0x05;
    pub(super) const IDENTIFY: u32 = 0x06;
    pub(super) const SET_FEATURES: u32 = 0x09;

    pub(super) const WRITE: u32 = 0x01;
    pub(super) const READ: u32 = 0x02;
}

/// Set Features: Number of Queues.
const FID_NUMBER_OF_QUEUES: u32 = 0x07;
/// Identify: the namespace.
const CNS_NAMESPACE: u32 = 0x00;
/// Create I/O Queue: Physically Contiguous; Interrupts Enabled.
const PC: u32 = 1 << 0;
const IEN: u32 = 1 << 1;
/// Completion queue entry, double word 3: Phase Tag; Status.
const CQE_P: u32 = 1 << 16;
const CQE_STATUS_SHIFT: u32 = 17;

const NSID: u32 = 1;
/// The label of the admin queue's vector. That of an I/O queue is its identifier.
const ADMIN: u32 = 0;
const MAX_QUEUES: u32 = 4;
/// Entries of a queue.
const DEPTH: usize = 64;
/// Blocks of 4 KiB, and commands, which are under way at a time in a queue.
const BATCH: usize = 8;
const WORDS: usize = BATCH * SZ_4K / size_of::<u32>();
/// How many batches of a worker go to different blocks.
const AREA: usize = 64;
const TIMEOUT_MS: u32 = 30_000;

type Bar0 = pci::DevresBar<{ regs::SQ0TDBL }>;

type Sqe = [u32; 16];
type Cqe = [u32; 4];

fn command(opcode: u32, nsid: u32, prp1: u64, cdw10: [u32; 3]) -> Sqe {
    let mut sqe = [0; 16];

    sqe[0] = opcode;
    sqe[1] = nsid;
    [sqe[6], sqe[7]] = halves(prp1);
    [sqe[10], sqe[11], sqe[12]] = cdw10;
    sqe
}

/// Returns the low and the high half.
fn halves(value: u64) -> [u32; 2] {
    // CAST: That is what is asked for.
    [value as u32, (value >> 32) as u32]
}

/// What has been submitted since the queue was created.
#[derive(Default)]
struct Submitted {
    tail: usize,
    batches: u32,
}

/// What has come back since then.
#[derive(Default)]
struct Reaped {
    head: usize,
    /// How often the queue has wrapped around.
    rounds: u32,
    interrupts: u32,
    errors: u32,
    /// The commands which have not come back, a bit for each.
    outstanding: u32,
    /// Double word 0 of the last entry.
    result: u32,
}

/// A submission and a completion queue.
///
/// The interrupt is not in here. It ends with the device, and a worker may not.
#[pin_data]
struct Queue {
    id: u32,
    bar: Arc<Bar0>,
    /// How far apart doorbells are.
    stride: usize,
    sqes: Coherent<[Sqe; DEPTH]>,
    cqes: Coherent<[Cqe; DEPTH]>,
    /// For who submits. After a time-out the controller may still use it, until it is disabled.
    data: Coherent<[u32; WORDS]>,
    #[pin]
    submitted: Mutex<Submitted>,
    #[pin]
    reaped: SpinLockIrq<Reaped>,
    #[pin]
    done: CondVar,
}

impl Queue {
    fn new(
        pdev: &pci::Device<Bound>,
        bar: &Arc<Bar0>,
        id: u32,
        submitted: impl PinInit<Mutex<Submitted>>,
    ) -> Result<Arc<Self>> {
        let cap = bar.access(pdev.as_ref())?.try_read64(regs::CAP)?;

        Arc::pin_init(
            try_pin_init!(Self {
                id,
                bar: bar.clone(),
                stride: size_of::<u32>() << (cap >> regs::CAP_DSTRD_SHIFT & 0xf),
                sqes: Coherent::zeroed(pdev.as_ref(), GFP_KERNEL)?,
                cqes: Coherent::zeroed(pdev.as_ref(), GFP_KERNEL)?,
                data: Coherent::zeroed(pdev.as_ref(), GFP_KERNEL)?,
                submitted <- submitted,
                reaped <- new_spinlock_irq!(Reaped::default()),
                done <- new_condvar!(),
            }),
            GFP_KERNEL,
        )
    }

    /// Makes it as new. The controller does not know it any more.
    fn reset(&self, submitted: &mut Submitted) -> Result {
        for i in 0..DEPTH {
            io_write!(self.cqes, [try: i][build: 3], 0);
        }
        *self.reaped.lock() = Reaped::default();
        *submitted = Submitted::default();
        Ok(())
    }

    /// Tells the controller the tail of the submission queue, or the head of the other.
    fn ring(&self, completion: bool, index: usize) -> Result {
        let nth = 2 * self.id as usize + usize::from(completion);
        let offset = regs::SQ0TDBL + nth * self.stride;
        let index = u32::try_from(index)?;

        self.bar
            .try_access_with(|bar| bar.try_write32(index, offset))
            .ok_or(ENODEV)?
    }

    /// Takes the entries which are new.
    fn reap(&self) -> IrqReturn {
        let mut reaped = self.reaped.lock();
        let before = reaped.head;

        reaped.interrupts += 1;
        loop {
            let cqe = io_project!(self.cqes, [panic: reaped.head]);
            let dw3 = u32::from_le(io_read!(cqe, [build: 3]));

            // The phase tag is set in the first round, and clear in the second.
            if (dw3 & CQE_P != 0) != (reaped.rounds % 2 == 0) {
                break;
            }
            // Neither the rest of the entry nor the data of its command may be read before.
            dma_mb(Read);

            let command = 1u32.checked_shl(dw3 & 0xffff).unwrap_or(0);

            if reaped.outstanding & command == 0 || dw3 >> CQE_STATUS_SHIFT != 0 {
                pr_err!("queue {}: unexpected completion {:#010x}\n", self.id, dw3);
                reaped.errors += 1;
            }
            reaped.outstanding &= !command;
            reaped.result = u32::from_le(io_read!(cqe, [build: 0]));

            reaped.head = (reaped.head + 1) % DEPTH;
            reaped.rounds += u32::from(reaped.head == 0);
        }

        if reaped.head == before {
            return IrqReturn::None;
        }
        // Without the device this fails, and so does that of who submits.
        let _ = self.ring(true, reaped.head);
        if reaped.outstanding == 0 {
            self.done.notify_one();
        }
        IrqReturn::Handled
    }

    /// Has the controller execute up to `BATCH` commands, and waits. Returns the last result.
    fn execute(&self, submitted: &mut Submitted, commands: &[Sqe]) -> Result<u32> {
        let mut reaped = self.reaped.lock();
        if reaped.outstanding != 0 {
            // There was a time-out.
            return Err(EBUSY);
        }
        reaped.outstanding = (1 << commands.len()) - 1;
        drop(reaped);

        for (cid, &(mut sqe)) in (0..).zip(commands) {
            sqe[0] |= cid << 16;
            io_project!(self.sqes, [try: submitted.tail]).copy_write(sqe.map(u32::to_le));
            submitted.tail = (submitted.tail + 1) % DEPTH;
        }
        submitted.batches += 1;
        self.ring(false, submitted.tail)?;

        let mut reaped = self.reaped.lock();
        while reaped.outstanding != 0 {
            let woken = self
                .done
                .wait_interruptible_timeout(&mut reaped, msecs_to_jiffies(TIMEOUT_MS));

            match woken {
                _ if reaped.outstanding == 0 => (),
                CondVarTimeoutResult::Woken { .. } => (),
                CondVarTimeoutResult::Timeout => return Err(ETIMEDOUT),
                CondVarTimeoutResult::Signal { .. } => return Err(EINTR),
            }
        }
        if reaped.errors != 0 {
            return Err(EIO);
        }
        Ok(reaped.result)
    }

    /// Checks that there was an interrupt for each batch. Returns how many there were.
    fn check(&self, submitted: &Submitted) -> Result<u32> {
        let reaped = self.reaped.lock();

        if reaped.errors != 0 || reaped.interrupts < submitted.batches {
            return Err(EIO);
        }
        Ok(reaped.interrupts)
    }
}

struct Reaper(Arc<Queue>);

impl Handler for Reaper {
    fn handle(&self) -> IrqReturn {
        self.0.reap()
    }
}

type Interrupt<'bound> = msi::Interrupt<'bound, Reaper>;

#[pin_data]
struct Task {
    stop: Atomic<bool>,
    /// How many blocks were written and compared.
    blocks: SetOnce<Result<u32>>,
    #[pin]
    done: Completion,
}

struct Worker {
    queue: Arc<Queue>,
    next: Arc<Queue>,
    lbas_per_block: u32,
    task: Arc<Task>,
}

impl Worker {
    fn fill(&self, pattern: impl Fn(usize) -> u32) -> Result {
        for i in 0..WORDS {
            io_write!(self.queue.data, [try: i], pattern(i));
        }
        Ok(())
    }

    fn compare(&self, pattern: impl Fn(usize) -> u32) -> Result {
        for i in 0..WORDS {
            let (is, should) = (io_read!(self.queue.data, [try: i]), pattern(i));

            if is != should {
                pr_err!("word {} is {:#x}, and not {:#x}\n", i, is, should);
                return Err(EBADMSG);
            }
        }
        Ok(())
    }

    fn transfer(&self, queue: &Queue, opcode: u32, block: usize) -> Result {
        let commands: [_; BATCH] = core::array::from_fn(|i| {
            let prp1 = self.queue.data.dma_address() + (i * SZ_4K) as u64;
            let slba = (block + i) as u64 * u64::from(self.lbas_per_block);
            let [low, high] = halves(slba);

            command(opcode, NSID, prp1, [low, high, self.lbas_per_block - 1])
        });

        queue.execute(&mut queue.submitted.lock(), &commands)?;
        Ok(())
    }

    fn work(&self) -> Result<u32> {
        let mut blocks = 0;

        for round in 0.. {
            if self.task.stop.load(Relaxed) && blocks >= *module_parameters::blocks.value_ref() {
                break;
            }

            let area = (self.queue.id - 1) as usize * AREA;
            let block = (area + round % AREA) * BATCH;
            // CAST: The low bits will do.
            let seed = ((block << 16 ^ round) as u32).wrapping_mul(0x9e37_79b1);
            let pattern = |i| seed.wrapping_add(i as u32);

            self.fill(pattern)?;
            self.transfer(&self.queue, opcode::WRITE, block)?;
            self.fill(|_| !0)?;
            self.transfer(&self.next, opcode::READ, block)?;
            self.compare(pattern)?;
            blocks += BATCH as u32;
        }
        Ok(blocks)
    }

    fn run(self) {
        let blocks = self.work();
        let task = self.task.clone();

        // Whoever is told may free the queues.
        drop(self);
        task.blocks.populate(blocks);
        task.done.complete_all();
    }
}

/// A worker at work. Dropping it stops it, and waits.
struct Running(Arc<Task>);

impl Running {
    fn start(queue: Arc<Queue>, next: Arc<Queue>, lbas_per_block: u32) -> Result<Self> {
        let task = Arc::pin_init(
            pin_init!(Task {
                stop: Atomic::new(false),
                blocks: SetOnce::new(),
                done <- Completion::new(),
            }),
            GFP_KERNEL,
        )?;
        let worker = Worker {
            queue,
            next,
            lbas_per_block,
            task: task.clone(),
        };

        workqueue::system_unbound().try_spawn(GFP_KERNEL, move || worker.run())?;
        Ok(Self(task))
    }

    fn finish(&self) -> Result<u32> {
        self.0.stop.store(true, Relaxed);
        self.0.done.wait_for_completion();
        self.0.blocks.copy().unwrap_or(Err(EIO))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.finish();
    }
}

struct Driver<'bound> {
    pdev: &'bound pci::Device<Bound>,
    bar: Arc<Bar0>,
    table: msi::Table<'bound>,
    admin: Arc<Queue>,
    _admin_irq: Interrupt<'bound>,
    queues: KVec<Arc<Queue>>,
    irqs: KVec<Option<Interrupt<'bound>>>,
}

impl<'bound> Driver<'bound> {
    fn new(pdev: &'bound pci::Device<Bound>) -> Result<Self> {
        let bar = pdev.iomap_region_sized::<{ regs::SQ0TDBL }>(0, c"rust_nvme_queues")?;
        let bar = Arc::new(bar.into_devres()?, GFP_KERNEL)?;
        let table = pdev.msi_table(msi::Kind::MsiX)?;

        // Taken while that of an I/O queue is held, so it has a lock class of its own.
        let submitted = new_mutex!(Submitted::default(), "rust_nvme_queues-admin");
        let admin = Queue::new(pdev, &bar, ADMIN, submitted)?;
        let irq = table.alloc(ADMIN)?.request_irq(
            Flags::TRIGGER_NONE,
            c"rust_nvme_queues-admin",
            Reaper(admin.clone()),
        )?;

        let mut this = Self {
            pdev,
            bar,
            table,
            admin,
            _admin_irq: irq,
            queues: KVec::new(),
            irqs: KVec::new(),
        };

        this.disable()?;
        this.enable()?;
        this.create_queues()?;
        this.run()?;
        Ok(this)
    }

    fn wait_ready(&self, ready: bool) -> Result {
        let bar = self.bar.access(self.pdev.as_ref())?;
        let timeout = 1 + (bar.try_read64(regs::CAP)? >> regs::CAP_TO_SHIFT & 0xff);

        read_poll_timeout(
            || match bar.read32(regs::CSTS) {
                // The device has gone.
                u32::MAX => Err(ENODEV),
                csts => Ok(csts & regs::CSTS_RDY != 0),
            },
            |is_ready| *is_ready == ready,
            Delta::from_millis(1),
            Delta::from_millis(500 * timeout as i64),
        )?;
        Ok(())
    }

    /// Disables the controller, which deletes all queues. It leaves memory alone after that.
    fn disable(&self) -> Result {
        let bar = self.bar.access(self.pdev.as_ref())?;

        bar.write32(bar.read32(regs::CC) & !regs::CC_EN, regs::CC);
        self.wait_ready(false)
    }

    fn enable(&self) -> Result {
        let bar = self.bar.access(self.pdev.as_ref())?;
        let cap = bar.try_read64(regs::CAP)?;
        let last = DEPTH as u32 - 1;

        if cap & regs::CAP_MQES < u64::from(last) || cap & regs::CAP_MPSMIN != 0 {
            return Err(EOPNOTSUPP);
        }
        bar.write32(last << 16 | last, regs::AQA);
        bar.try_write64(self.admin.sqes.dma_address(), regs::ASQ)?;
        bar.try_write64(self.admin.cqes.dma_address(), regs::ACQ)?;
        bar.write32(regs::CC_IOCQES | regs::CC_IOSQES | regs::CC_EN, regs::CC);
        self.wait_ready(true)
    }

    fn admin(&self, opcode: u32, nsid: u32, prp1: u64, cdw10: u32, cdw11: u32) -> Result<u32> {
        let command = command(opcode, nsid, prp1, [cdw10, cdw11, 0]);

        self.admin
            .execute(&mut self.admin.submitted.lock(), &[command])
    }

    fn create_queues(&mut self) -> Result {
        let cdw11 = (MAX_QUEUES - 1) << 16 | (MAX_QUEUES - 1);
        let granted = self.admin(opcode::SET_FEATURES, 0, 0, FID_NUMBER_OF_QUEUES, cdw11)?;
        let count = MAX_QUEUES
            .min(1 + (granted >> 16))
            .min(1 + (granted & 0xffff));

        let spread = msi::Spread::default();
        let request = msi::Request::range(ADMIN + 1..).spread(&spread);

        for vector in self.table.alloc_many(request, 1..=count)? {
            let submitted = new_mutex!(Submitted::default());
            let queue = Queue::new(self.pdev, &self.bar, vector.label(), submitted)?;

            // Before the controller knows its memory.
            self.queues.push(queue.clone(), GFP_KERNEL)?;
            let irq = self.create(&queue, &mut queue.submitted.lock(), vector)?;
            self.irqs.push(Some(irq), GFP_KERNEL)?;
        }
        Ok(())
    }

    fn create(
        &self,
        queue: &Arc<Queue>,
        submitted: &mut Submitted,
        vector: msi::Vector<'bound>,
    ) -> Result<Interrupt<'bound>> {
        let (qid, iv) = (queue.id, vector.label());
        let cdw10 = (DEPTH as u32 - 1) << 16 | qid;
        let (sqes, cqes) = (queue.sqes.dma_address(), queue.cqes.dma_address());

        queue.reset(submitted)?;
        let irq = vector.request_irq(
            Flags::TRIGGER_NONE,
            CString::try_from_fmt(fmt!("rust_nvme_queues-{}", qid))?,
            Reaper(queue.clone()),
        )?;

        self.admin(opcode::CREATE_IO_CQ, 0, cqes, cdw10, iv << 16 | IEN | PC)?;
        self.admin(opcode::CREATE_IO_SQ, 0, sqes, cdw10, qid << 16 | PC)?;
        Ok(irq)
    }

    fn delete(&self, qid: u32) -> Result {
        self.admin(opcode::DELETE_IO_SQ, 0, 0, qid, 0)?;
        self.admin(opcode::DELETE_IO_CQ, 0, 0, qid, 0)?;
        Ok(())
    }

    /// Deletes a queue, frees its vector, and has both again. Returns how many interrupts it had.
    fn exchange(&mut self, index: usize) -> Result<u32> {
        let queue = self.queues[index].clone();
        let mut submitted = queue.submitted.lock();
        let irq = self.irqs[index].take().ok_or(ENODEV)?;
        let label = irq.vector().label();

        self.delete(queue.id)?;
        drop(irq);
        let interrupts = queue.check(&submitted)?;

        let vector = self.table.alloc(label)?;
        self.irqs[index] = Some(self.create(&queue, &mut submitted, vector)?);
        Ok(interrupts)
    }

    fn lbas_per_block(&self) -> Result<u32> {
        let data = &self.admin.data;

        self.admin(opcode::IDENTIFY, NSID, data.dma_address(), CNS_NAMESPACE, 0)?;

        // Byte 26 is FLBAS: the number of the format, in the table from byte 128 on.
        let flbas = u32::from_le(io_read!(data, [build: 6])) >> 16 & 0xf;
        let lbaf = u32::from_le(io_read!(data, [try: 32 + flbas as usize]));
        let (ms, lbads) = (lbaf & 0xffff, lbaf >> 16 & 0xff);

        if ms != 0 || !(9..=12).contains(&lbads) {
            return Err(EOPNOTSUPP);
        }
        Ok(SZ_4K as u32 >> lbads)
    }

    fn run(&mut self) -> Result {
        let exchanges = *module_parameters::exchanges.value_ref();
        let count = self.queues.len();
        let lbas_per_block = self.lbas_per_block()?;
        let (mut blocks, mut interrupts) = (0, 0);

        let mut workers = KVec::new();
        for (n, queue) in self.queues.iter().enumerate() {
            let next = self.queues[(n + 1) % count].clone();
            let worker = Running::start(queue.clone(), next, lbas_per_block)?;

            workers.push(worker, GFP_KERNEL)?;
        }

        for n in 0..exchanges as usize {
            interrupts += self
                .exchange(n % count)
                .inspect_err(|e| dev_err!(self.pdev, "exchange {}: {:?}\n", n, e))?;
        }
        for (n, worker) in workers.iter().enumerate() {
            blocks += worker
                .finish()
                .inspect_err(|e| dev_err!(self.pdev, "worker {}: {:?}\n", n, e))?;
        }
        for queue in &self.queues {
            interrupts += queue
                .check(&queue.submitted.lock())
                .inspect_err(|_| dev_err!(self.pdev, "queue {}: interrupts lost\n", queue.id))?;
        }

        dev_info!(
            self.pdev,
            "{} queues, {} blocks written and compared, {} times a queue deleted and created, \
             {} interrupts\n",
            count,
            blocks,
            exchanges,
            interrupts,
        );
        Ok(())
    }
}

impl Drop for Driver<'_> {
    fn drop(&mut self) {
        // What this leaves goes when the controller is disabled.
        for queue in &self.queues {
            if self.delete(queue.id).is_err() {
                break;
            }
        }
        if self.disable().is_err() {
            dev_err!(
                self.pdev,
                "the controller can not be disabled, and keeps its memory\n"
            );
            core::mem::forget(self.admin.clone());
            self.queues.drain_all().for_each(core::mem::forget);
        }
    }
}

struct NvmeQueues;

kernel::pci_device_table!(
    PCI_TABLE,
    <NvmeQueues as pci::Driver>::IdInfo,
    [(
        pci::DeviceId::from_class(
            pci::Class::STORAGE_EXPRESS.as_raw(),
            pci::ClassMask::Full as u32,
        ),
        ()
    )]
);

impl pci::Driver for NvmeQueues {
    type IdInfo = ();
    type Data<'bound> = Driver<'bound>;

    const ID_TABLE: pci::IdTable<Self::IdInfo> = &PCI_TABLE;

    fn probe<'bound>(
        pdev: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound Self::IdInfo>,
    ) -> impl PinInit<Self::Data<'bound>, Error> + 'bound {
        pin_init::pin_init_scope(move || {
            if !*module_parameters::overwrite.value_ref() {
                dev_err!(pdev, "would be overwritten with overwrite=1\n");
                return Err(ENODEV);
            }

            pdev.enable_device_mem()?;
            pdev.set_master();

            Ok(Driver::new(pdev))
        })
    }
}

kernel::module_pci_driver! {
    type: NvmeQueues,
    name: "rust_nvme_queues",
    authors: ["The msi_table developers"],
    description: "MSI table sample: NVMe queues which come and go with their interrupts",
    license: "GPL v2",
    params: {
        overwrite: bool {
            default: false,
            description: "Overwrite the first 8 MiB of the first namespace",
        },
        blocks: u32 {
            default: 256,
            description: "Number of 4 KiB blocks to write in each queue, at least",
        },
        exchanges: u32 {
            default: 100,
            description: "How often to delete a queue and create it again",
        },
    },
}
