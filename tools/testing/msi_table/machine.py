# SPDX-License-Identifier: GPL-2.0
"""Boot a kernel in QEMU or as user mode Linux, and read its console."""
import os
import pathlib
import re
import subprocess
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
TREE = pathlib.Path(os.environ['TREE'])
BUILDS = pathlib.Path(os.environ['BUILDS'])
BUILD = BUILDS / 'build-debug'
UML_BUILD = BUILDS / 'build-uml-debug'
NOMSI_BUILD = BUILDS / 'build-nomsi'
LOGS = pathlib.Path(os.environ['MSI_TABLE_CACHE']) / 'log'
HOST_LOGS = pathlib.Path(os.environ['HOST_CACHE']) / 'log'
# Boots at a time: most of what a guest does, it does on one CPU.
JOBS = min(2, os.cpu_count())

sys.path.insert(0, str(TREE / 'tools/testing/kunit'))
from kunit_parser import TestStatus, parse_run_tests  # noqa: E402
from kunit_printer import null_printer  # noqa: E402

SPLAT = re.compile(
    r'WARNING:|BUG:|KASAN:|UBSAN:|ODEBUG:|Oops|Call Trace:|kernel BUG at|'
    r'Kernel panic|general protection|DEBUG_LOCKS_WARN|suspicious RCU|'
    r'INFO: (task|rcu|possible|inconsistent|trying|HARDIRQ|SOFTIRQ)|'
    r'possible .*(deadlock|recursive)|bad unlock balance|held lock freed|'
    r'scheduling while atomic|sleeping function|nobody cared|No irq handler for|'
    r'INTR-REMAP|'
    r'rust_kernel: panicked|'
    r'Cannot allocate a kmemleak_object|Kernel memory leak detector disabled')
# What kmemleak says, between which others may talk, and of that what is about one object;
# and what leaks by design: one test passes every handle to mem::forget() and shows that
# nothing else happens. And gcov keeps what a module has counted which goes (nvme.ko has
# a pci.o, as the PCI core).
LEAK_LINE = re.compile(r'^leak: (.*\n)', re.MULTILINE)
LEAK = re.compile(r'^unreferenced object.*\n(?: .*\n)*', re.MULTILINE)
LEAKS_BY_DESIGN = ('kernel3msi5tests5suite40kunit_rust_wrapper_whatever_is_forgotten',
                   'llvm_gcov_init')
END = re.compile(r'msi_table: end of the run, status 0$', re.MULTILINE)
KTAP_START = re.compile(r'^(?=KTAP version 1$)', re.MULTILINE)

EDU = 'edu,dma_mask=0xffffffff'
PLAIN = ['-device', EDU]
# With EIM the kernel has its CPUs in x2APIC mode, see ONE_THREAD.
REMAP = ['-device', 'intel-iommu,intremap=on,eim=on']
INTEL = [*REMAP, *PLAIN]
INTEL_CM = ['-device', 'intel-iommu,intremap=on,caching-mode=on', *PLAIN]
# A message that the edu writes by DMA has no requester id, and the IOMMU takes
# it for one of the IOAPIC, which QEMU says is 00:14.0: so that is where the edu
# goes. Linux wants a south bridge there, or does without remapping; it is told
# to look elsewhere. The pins of the IOAPIC are lost by that, the one of the
# boot-time timer check among them.
AMD = ['-device', 'amd-iommu,intremap=on', '-device', f'{EDU},addr=14.0']
AMD_APPEND = 'ivrs_ioapic=0@0000:00:1f.0 no_timer_check'

# Without pauth-impdef QEMU spends most of its time on pointer authentication.
GICV3 = ['-cpu', 'max,pauth-impdef=on', *PLAIN]
ITS = ['-M', 'virt,gic-version=3,its=on', *GICV3]
ITS_EL2 = ['-M', 'virt,gic-version=3,its=on,virtualization=on', *GICV3]
ITS_SMMU = ['-M', 'virt,gic-version=3,its=on,iommu=smmuv3', *GICV3]
GICV2M = ['-M', 'virt,gic-version=2', '-cpu', 'cortex-a57', *PLAIN]
# Its messages go to addresses of more than 32 bits.
EDU_64 = 'edu,dma_mask=0xffffffffff'
# The IOMMU is a device with a store which is not on PCI. It lets everything through.
RV64 = ['-M', 'virt,aia=aplic-imsic,iommu-sys=on', '-global', 'riscv-iommu.off=off',
        '-device', EDU_64]
IMSIC = [*RV64, '-cpu', 'rv64']
# As a guest: without the hypervisor extension
IMSIC_VIRT = [*RV64, '-cpu', 'rv64,h=off']

# For the KUnit suites: MSI-X and virtual functions, twice, multiple MSI, and two
# functions which send with the id of a bridge. On one bus the virtual functions of
# the two would overlap.
CARDS = ['-device', 'pcie-root-port,id=port1,chassis=1',
         '-device', 'pcie-root-port,id=port2,chassis=2',
         '-device', 'igb,bus=port1', '-device', 'igb,bus=port2',
         '-device', 'nec-usb-xhci,msi=on,msix=off',
         '-device', 'pcie-pci-bridge,id=bridge',
         '-device', 'edu,bus=bridge,addr=1', '-device', 'edu,bus=bridge,addr=2']

BOOT = 'loglevel=8 printk.time=0 printk.devkmsg=on panic=-1'
if os.environ.get('COVERAGE'):
    BOOT += ' COVERAGE=1'


# When a card comes or goes, when a function is reset and while the machine wakes up it
# changes where registers are. QEMU 10.0, which has a thread for each CPU, may take a
# write of a CPU at that time for one to somewhere else: mostly one to its local APIC,
# and where that was an end of interrupt the CPU gets nothing any more of what is not
# more important. In x2APIC mode the local APIC is not in memory. A machine without it
# which does such things has one thread for all CPUs.
ONE_THREAD = 'tcg,thread=single'


# Emulator, image and console of an architecture; the devices say which machine it is,
# but for x86.
EMULATORS = {
    'x86': ('qemu-system-x86_64', 'bzImage', 'ttyS0'),
    'arm64': ('qemu-system-aarch64', 'Image', 'ttyAMA0'),
    'riscv': ('qemu-system-riscv64', 'Image', 'ttyS0'),
}


# With 5-level page tables KASAN reports, now and then, an interrupt that comes while
# identify_boot_cpu() has the features of the CPU cleared. And where string instructions
# are fast Linux uses them for memory, which QEMU emulates, and counts, byte by byte.
CPU = 'max,la57=off,erms=off,fsrm=off,fzrm=off,fsrs=off'


def qemu(devices, append, build=None, arch='x86', serial='stdio', tcg='tcg', kvm=None):
    program, image, console = EMULATORS[arch]
    build = build or (BUILD if arch == 'x86' else BUILDS / f'build-debug-{arch}')
    kvm = os.environ.get('KVM') == '1' if kvm is None else kvm
    kvm = kvm and arch == 'x86'
    accel = ['kvm', '-cpu', 'host'] if kvm else [tcg]
    machine = []
    if arch == 'x86':
        machine = ['-M', 'q35,kernel-irqchip=split']
        accel += [] if kvm else ['-cpu', CPU]
    return [program, *machine, '-accel', *accel,
            '-smp', '2', '-m', '1G', '-nodefaults', '-display', 'none',
            '-no-reboot', '-serial', serial, *devices,
            '-kernel', build / f'arch/{arch}/boot/{image}',
            '-initrd', build / 'initramfs.cpio',
            '-append', f'console={console} {BOOT} {append}']


def uml(append, build, memory):
    """User mode Linux: no hardware, and the speed of the machine."""
    return [build / 'linux', f'mem={memory}', 'con=null', 'con0=null,fd:1',
            'seccomp=on', f'initrd={build}/initramfs.cpio',
            *f'{BOOT} {append}'.split()]


class Boot:
    """One boot, of a command whose output is the console.

    .console is its text, .trouble what went wrong if not None.
    """

    running = set()
    lock = threading.Lock()
    stopping = False

    def __init__(self, name, command, timeout=900):
        log = LOGS / f'boot-{name}.log'
        self.log = HOST_LOGS / log.name
        self.trouble = None
        with log.open('wb') as console, self.start(command, console) as process:
            try:
                errors = self.attend(process, log, timeout)
                if process.returncode:
                    self.trouble = errors or f'exit status {process.returncode}'
            except subprocess.TimeoutExpired as late:
                self.trouble = f'no end within {late.timeout} s\n' + \
                    (late.output or '')
            finally:
                process.kill()
                with self.lock:
                    self.running.remove(process)
        self.console = log.read_text(errors='replace').replace('\r', '')
        if not self.trouble and not END.search(self.console):
            self.trouble = 'the run did not reach its end'

    def start(self, command, console):
        with self.lock:
            if self.stopping:
                sys.exit(1)
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL,
                                       text=True, stdout=console,
                                       stderr=subprocess.PIPE)
            self.running.add(process)
        return process

    @classmethod
    def stop(cls):
        """No boot goes on, and none begins."""
        with cls.lock:
            cls.stopping = True
            for process in cls.running:
                process.kill()

    def attend(self, process, log, timeout):
        """Until it has ended; what it had to say besides."""
        return process.communicate(timeout=timeout)[1]

    def health(self):
        """(name, passed, detail) of what no boot may do."""
        splats = [line for line in self.console.splitlines()
                  if SPLAT.search(line)]
        leaks = [leak for leak in LEAK.findall(''.join(LEAK_LINE.findall(self.console)))
                 if not any(place in leak for place in LEAKS_BY_DESIGN)]
        return [('no splat', not splats, '; '.join(splats[:3])),
                ('no leak', not leaks, '\n'.join(leaks[:3])),
                ('reaches its end', not self.trouble, self.trouble)]

    def results(self):
        """(name, passed or None if skipped, detail) of each test."""
        return [*ktap(self.console), *self.health()]


def ktap(text):
    """Results of the leaves of KTAP output, by the kernel's own parser.

    It knows one document in a text, and here may be several.
    """
    def leaves(test, path):
        path = [*path, test.name] if test.name != 'main' else path
        name = '.'.join(path)
        for subtest in test.subtests:
            yield from leaves(subtest, path)
        if test.status == TestStatus.SKIPPED:
            if not test.subtests:
                yield (name, None, test.skip_reason)
        elif not test.subtests:
            yield (name, test.status == TestStatus.SUCCESS,
                   '\n'.join(test.log[-10:]))
        elif test.counts.errors:
            yield (name, False, 'malformed KTAP, or a test that crashed')

    for document in KTAP_START.split(text)[1:] or [text]:
        yield from leaves(parse_run_tests(document.splitlines(), null_printer),
                          [])
