#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""torture.py SECONDS SEED [kcsan] [SUITE] - what may take as long as one likes.

SECONDS are shared out between the boots, which take some time more, and of which
two run at a time; SEED 0 is a random one. With kcsan it is the kernel which
looks for data races that boots.
"""
import contextlib
import json
import math
import os
import pathlib
import random
import re
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time

import machine
import test
from suites import ELSEWHERE, arch_of

KCSAN_BUILD = machine.BUILDS / 'build-kcsan'

# The edu device in a slot. Native hotplug is what is left without that of ACPI.
CARD = {'driver': 'edu', 'id': 'card', 'bus': 'slot0', 'dma_mask': 0xffffffff}
SLOT = [*machine.REMAP, '-device', 'pcie-root-port,id=slot0,chassis=9,slot=9',
        '-device', ','.join(f'{key}={value}' if key != 'driver' else value
                            for key, value in CARD.items())]
NATIVE = ['-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off']

# The devices, what to tell the kernel, the share of the time, and the figures
# which must not be 0. What needs no device runs in user mode Linux, too, which
# has one CPU but does in a minute what takes an emulated machine an hour.
UML = None
MODEL = ['model: operations', 'model: faults', 'shared: vectors', 'raised',
         'flood: raised', 'input: cases', 'limits: cases']
IGB = ['igb: raised', 'igb: raised while disabled',
       'igb: raised by virtual functions', 'igb: moves', 'igb: reregistered',
       'igb: allocated', 'igb: freed', 'igb: refused', 'igb: resets',
       'igb: offline', 'igb: read']
REMOVAL = ['removal: rounds', 'removal: delivered', 'removal: moves']
# What the model believes is wrong, for once: of a label which was freed.
PLANTED = []
SUITES = {
    'plant': (UML, 'RUN=torture TASK=model msi_table_torture.plant=5', 3,
              PLANTED),
    'model': (UML, 'RUN=torture TASK=model', 30,
              [*MODEL, 'model: faults of memory', 'shared: faults of memory']),
    'model-smp': ([*machine.INTEL, *machine.CARDS], 'RUN=torture TASK=model',
                  20, MODEL),
    'hotplug-acpi': (SLOT, 'RUN=removal TASK=unplug', 50, REMOVAL),
    'hotplug-native': ([*SLOT, *NATIVE], 'RUN=removal TASK=surprise', 20,
                       [*REMOVAL, 'removal: surprises']),
    'igb-intel': ([*machine.INTEL, *machine.CARDS], 'RUN=torture TASK=igb', 15,
                  IGB),
    'igb-plain': ([*machine.PLAIN, *machine.CARDS], 'RUN=torture TASK=igb', 15,
                  IGB),
    'rebind': (SLOT, 'RUN=removal TASK=rebind', 15, REMOVAL),
    'suspend': (SLOT, 'RUN=removal TASK=suspend', 10, REMOVAL),
    # Of other architectures. No message of the edu has a DeviceID for an ITS.
    **{f'igb-{name}': ([*devices, *machine.CARDS], 'RUN=torture TASK=igb', 15, IGB)
       for name, devices in ELSEWHERE.items()},
    'rebind-gicv2m': (machine.GICV2M, 'RUN=removal TASK=rebind PARAMS=unremapped=1', 15,
                      REMOVAL),
    'rebind-imsic': (machine.IMSIC, 'RUN=removal TASK=rebind', 15, REMOVAL),
}
# What changes where registers are all the time has one thread for all CPUs, see
# machine.ONE_THREAD: here QEMU also ended with "iotlb_to_section: Assertion failed".
# But such a machine has no data races, so KCSAN does without resets.
KCSAN_SUITES = {
    'model-kcsan': SUITES['model-smp'],
    'igb-kcsan': ([*machine.INTEL, *machine.CARDS],
                  'RUN=torture TASK=igb msi_table_pci_torture.resets=0', 15,
                  [figure for figure in IGB if figure != 'igb: resets']),
}
# Besides the time which a suite has: to boot, to measure, to look for leaks
OVERHEAD = 1200
# To get to init, which takes a tenth of that
BOOT = 300

FIGURE = re.compile(r'^torture: (?!host: )(.*) (\d+)$', re.MULTILINE)
# Whatever is counted under one of these names should not have happened.
NEVER = re.compile(r'(^|: )(lost|wrong|extra|irqs left)$')
SAID = re.compile(r'^torture: (?!host: )(.*)$', re.MULTILINE)
SHRUNK = re.compile(r'^torture: fails after (\d+) operations', re.MULTILINE)
ASKED = re.compile(r'^torture: host: (\w+)')
INIT = 'Run /init as init process'
# Of QEMU's registers: where a CPU is, and does it wait for an interrupt
REGISTERS = re.compile(r'^(?:CPU#|[ER]IP=|ISR|IRR).*', re.MULTILINE)
# What the timers say when an interrupt did not come. When the card was pulled,
# or the machine was off, there is none.
MISSING = re.compile(r'DMA does not end|an interrupt is missing')
REPORT = re.compile(r'^=+\nBUG: KCSAN: (.*)\n((?:.*\n)*?)=+\n', re.MULTILINE)
# Linux 7.3 takes the lock for a reset again, below that for a removal, while it
# takes a card out which was pulled. Nobody else is in that report, after which
# lockdep is off.
PCIEHP = re.compile(
    r'^=+\nWARNING: possible circular locking dependency detected\n.*\n-+\n'
    r'.*pciehp.* is trying to acquire lock:\n.*&ctrl->reset_lock.*'
    r'pciehp_unconfigure_device(?:(?!.*(?:BUG|WARNING):).*\n)*? </TASK>\n',
    re.MULTILINE)
FRAME = re.compile(r'^ (\w+)[\w.]*\+0x', re.MULTILINE)


class Monitor:
    """QMP: JSON both ways, a line for each message."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.buffer = b''
        self.events = []
        self.execute('qmp_capabilities')

    def receive(self, timeout):
        """The next message, or None."""
        while b'\n' not in self.buffer:
            if not select.select([self.socket], [], [], timeout)[0]:
                return None
            data = self.socket.recv(65536)
            if not data:
                raise ConnectionError('QEMU has closed its monitor')
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b'\n')
        message = json.loads(line)
        if 'event' in message:
            self.events.append(message)
        return message

    def answer(self, command, **arguments):
        request = {'execute': command, 'arguments': arguments}
        self.socket.sendall(json.dumps(request).encode() + b'\n')
        while True:
            answer = self.receive(10)
            if answer is None:
                raise TimeoutError(f'no answer to {command}')
            if 'return' in answer or 'error' in answer:
                return answer

    def execute(self, command, **arguments):
        """Has it worked?"""
        return 'return' in self.answer(command, **arguments)

    def human(self, line):
        """What QEMU has to say for people."""
        answer = self.answer('human-monitor-command', **{'command-line': line})
        return str(answer.get('return'))

    def happened(self):
        """The events since the last time."""
        while self.receive(0):
            pass
        events, self.events = self.events, []
        return events


class Host:
    """What the guest asks for and only its QEMU can do."""

    def __init__(self, monitor):
        self.monitor = monitor
        self.wanted = self.plugged = True
        self.pressing = False
        self.asleep = False
        self.not_before = 0

    def ask(self, what):
        """Said by the guest."""
        if what in ('plug', 'unplug', 'pull'):
            self.wanted = what == 'plug'
            # Of a card which is pulled the guest itself takes care.
            self.not_before = math.inf if what == 'pull' else 0
        elif what in ('press', 'awake'):
            self.pressing = what == 'press'
            self.not_before = time.monotonic() + 2

    def step(self):
        """Do what there is to do."""
        for event in self.monitor.happened():
            if event['event'] == 'DEVICE_DELETED' and \
               event['data'].get('device') == CARD['id']:
                self.plugged = False
            elif event['event'] == 'SUSPEND':
                self.asleep = True
                self.not_before = time.monotonic() + 1
        if time.monotonic() < self.not_before:
            return
        if self.asleep:
            self.asleep = not self.monitor.execute('system_wakeup')
            self.not_before = time.monotonic() + 1
        elif self.pressing:
            # Too early it does not wake anybody up: again and again.
            self.monitor.execute('system_powerdown')
            self.not_before = time.monotonic() + 3
        elif self.plugged and not self.wanted:
            # The guest may not have noticed. It is told once more, later.
            self.monitor.execute('device_del', id=CARD['id'])
            self.not_before = time.monotonic() + 20
        elif self.wanted and not self.plugged:
            self.plugged = self.monitor.execute('device_add', **CARD)
            self.not_before = time.monotonic() + 0.5


class Boot(machine.Boot):
    """One boot of QEMU, with somebody at the machine.

    .stuck: it did not even get to init, and said nothing.
    """

    def __init__(self, name, command, timeout):
        self.stuck = False
        with tempfile.TemporaryDirectory() as folder:
            self.qmp = pathlib.Path(folder) / 'qmp'
            super().__init__(name, [*command, '-qmp',
                                    f'unix:{self.qmp},server=on,wait=off'],
                             timeout)
        if machine.SPLAT.search(self.console):
            self.stuck = False

    def attend(self, process, log, timeout):
        begin = time.monotonic()
        limit = BOOT
        host = None
        read, rest = 0, b''
        while process.poll() is None:
            if time.monotonic() > begin + limit:
                self.stuck = limit == BOOT
                raise subprocess.TimeoutExpired('QEMU', limit,
                                                host and self.state(host))
            time.sleep(0.05)
            # When QEMU ends then that is what the next look at it shows. If it
            # was something else, the guest waits in vain, and says so.
            with contextlib.suppress(OSError):
                host = host or Host(Monitor(self.qmp))
                with log.open('rb') as console:
                    console.seek(read)
                    new = console.read()
                read += len(new)
                *lines, rest = (rest + new).split(b'\n')
                for line in lines:
                    line = line.decode(errors='replace')
                    asked = ASKED.match(line)
                    if asked:
                        host.ask(asked[1])
                    if line.startswith(INIT):
                        limit = timeout
                host.step()
        return process.communicate()[1]

    def state(self, host):
        """Where the CPUs are, and which interrupts they have taken and not."""
        try:
            text = ''.join(map(host.monitor.human,
                               ['info registers -a', 'info lapic 0',
                                'info lapic 1']))
            return '\n'.join(REGISTERS.findall(text.replace('\r', '')))
        except OSError as error:
            return f'QEMU does not say where its CPUs are: {error}'


def own_objects():
    """Of the product and its tests, in the kernel with KCSAN."""
    return {*KCSAN_BUILD.glob('kernel/irq/msi_table*.o'),
            *KCSAN_BUILD.glob('kernel/irq/tests/msi_table*.o'),
            *KCSAN_BUILD.glob('drivers/pci/msi/table*.o'),
            *KCSAN_BUILD.glob('drivers/pci/msi/tests/*.o')}


def functions(objects):
    output = subprocess.run(['nm', *objects], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    return set(re.findall(r'^[0-9a-f]+ [tT] (\w+)', output, re.MULTILINE))


def races(text):
    """(title, is it ours?) of each data race which KCSAN reports.

    A race is ours if one of our functions is close to one of the two accesses:
    it does that itself, or calls what does it, a list or a bitmap, say. What the
    irq core does on both sides is its own: to free a handler under interrupts
    which arrive, for one. So are the tree of its descriptors, the one maple tree
    which we get to, and the time.
    """
    own = functions(own_objects())
    core = functions({*KCSAN_BUILD.glob('kernel/irq/*.o'),
                      KCSAN_BUILD / 'lib/maple_tree.o',
                      KCSAN_BUILD / 'kernel/time/timekeeping.o'} -
                     own_objects())
    for title, body in REPORT.findall(text):
        stacks = [FRAME.findall(stack)[:3] for stack in body.split('\n\n')]
        stacks = [stack for stack in stacks if stack]
        near = {name for stack in stacks for name in stack}
        yield (title, not own.isdisjoint(near) and
               not core.issuperset(stack[0] for stack in stacks))


def judge(boot, needed):
    """What the guest counted, and what it should not have said."""
    said = SAID.findall(boot.console)
    figures = {what: int(n) for what, n in FIGURE.findall(boot.console)}
    for what, n in figures.items():
        yield f'{what} {n}'
        if NEVER.search(what):
            yield (f'{what}: none', n == 0, f'{n} of them')
    for what in needed:
        yield (f'{what}: some', figures.get(what, 0) > 0,
               'none, or not counted')
    if 'igb: raised' in needed:
        yield ('igb: as many received as raised',
               figures.get('igb: raised') == figures.get('igb: received'), '')
    if not needed[0].startswith('removal'):
        yield ('says it is ok', 'ok' in said and
               not any(line.startswith('FAILED') for line in said),
               '\n'.join(said[:100]))
    else:
        missing = len(MISSING.findall(boot.console))
        may_miss = figures.get('removal: surprises', 0) + \
            figures.get('removal: sent while asleep', 0)
        yield ('every message of a timer arrives', missing <= may_miss,
               f'{missing} are missing, {may_miss} may be')


def judge_planted(boot):
    """To take, free, and take again is all it takes.

    Unless those which free the way for it are needed as well: no operation is
    made simpler, only left out.
    """
    said = SAID.findall(boot.console)
    shrunk = SHRUNK.search(boot.console)
    yield ('the planted failure is found',
           any(line.startswith('FAILED') for line in said), '\n'.join(said))
    yield ('it is shrunk to a few operations',
           shrunk and 3 <= int(shrunk[1]) <= 12,
           '\n'.join(said))


def suite(name, seconds, seed, build):
    suites = KCSAN_SUITES if build == KCSAN_BUILD else SUITES
    devices, append, _, needed = suites[name]
    append += f' kunit.enable=0 DURATION={seconds} SEED={seed}'
    timeout = 2 * seconds + OVERHEAD
    results = []
    if devices is UML:
        boot = machine.Boot(f'torture-{name}',
                            machine.uml(append, machine.UML_BUILD, '4G'),
                            timeout)
    else:
        arch = arch_of(name)
        tcg = 'tcg' if needed is MODEL or build == KCSAN_BUILD or arch != 'x86' else \
            machine.ONE_THREAD
        command = machine.qemu(devices, append, build, arch, tcg=tcg)
        boot = Boot(f'torture-{name}', command, timeout)
        # Seen once in some hundred boots with one thread, and long before there
        # is a device: nothing came of it to be judged. Twice is a failure.
        if boot.stuck:
            results.append('stuck before init, and booted once more: '
                           f'{boot.log}\n{boot.trouble}')
            boot = Boot(f'torture-{name}-again', command, timeout)
    boot.console, known = PCIEHP.subn('', boot.console)
    if known:
        results.append('lockdep complained about pciehp, and went off')
    if build == KCSAN_BUILD:
        found = list(races(boot.console))
        ours = [title for title, is_ours in found if is_ours]
        results += [f'{len(found) - len(ours)} data races elsewhere',
                    ('no data race', not ours, '\n'.join(ours))]
        # The others are for others, and no splat.
        boot.console = REPORT.sub('', boot.console)
    if needed is PLANTED:
        results += [*judge_planted(boot), *boot.health()]
    else:
        results += [*judge(boot, needed), *boot.results()]
    for result in results:
        if not isinstance(result, str):
            what, good, detail = result
            result = (what, good, f'{detail or ""}\n(seed {seed})')
        yield result


def main(seconds, seed, kind='', only=None):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    build = KCSAN_BUILD if kind else None
    suites = KCSAN_SUITES if kind else SUITES
    if only and only not in suites:
        return f'no suite {only}; there are: {" ".join(suites)}'
    if not seconds.isdigit() or not seed.isdigit():
        return 'DURATION= is in seconds, and SEED= a number'
    seed = int(seed) % 2**32 or random.randrange(1, 2**31)
    arch = os.environ.get('ARCH') or 'x86'
    names = [only] if only else [name for name in suites if arch_of(name) == arch]
    shares = sum(suites[name][2] for name in names)
    print(f'seed {seed}, {seconds} s (SEED={seed} repeats it)')
    jobs = 1 if only else test.JOBS

    def run(name):
        share = suites[name][2]
        share = min(int(seconds) * jobs * share // shares, int(seconds))
        return suite(name, max(share, 5), seed, build)

    return test.test(names, {name: lambda name=name: run(name)
                             for name in names}, 'torture')


if __name__ == '__main__':
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
