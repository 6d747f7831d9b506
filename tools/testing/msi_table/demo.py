#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""demo.py run | shell - boot the demonstration for people to watch, or a prompt."""
import os
import re
import signal
import sys
import time

from machine import BUILDS, GICV2M, IMSIC, INTEL, Boot, qemu

ARCH = os.environ['ARCH']
BUILD = BUILDS / ('build-demo' if ARCH == 'x86' else f'build-demo-{ARCH}')
# Nobody vouches for messages on a machine that may be a hypervisor's but its drivers.
MACHINE, APPEND = {
    'x86': (INTEL, ''),
    'arm64': (GICV2M, 'PARAMS=unremapped=1'),
    'riscv': (IMSIC, ''),
}[ARCH]
DELIVERED = re.compile(r'\b(\w+): (\d+) of (\d+) expirations delivered')
DRIVERS = {'ims_timer', 'rust_ims_timer'}
# How long a machine with KVM may take for what takes it 3 s
PROBE = 30


def drivers(console):
    """Those whose every expiration was delivered."""
    return {name for name, delivered, expired in DELIVERED.findall(console)
            if delivered == expired and int(expired) >= 10}


def kvm():
    """Is a guest faster for KVM, and why not?

    There may be a /dev/kvm whose guests do nothing, or get no interrupts.
    """
    if ARCH != 'x86':
        return False, f'this machine is not {ARCH}'
    wanted = os.environ.get('KVM', '')
    if wanted in ('0', '1'):
        return wanted == '1', f'KVM={wanted}'
    if not os.access('/dev/kvm', os.R_OK | os.W_OK):
        return False, 'no /dev/kvm to use'
    command = qemu(INTEL, 'RUN=demo DRIVERS=ims_timer', BUILD, kvm=True)
    if drivers(Boot('probe', command, PROBE).console):
        return True, 'a guest of it got its interrupts'
    return False, 'a guest of it got no interrupts'


def run():
    use_kvm, why = kvm()
    print(f'boot QEMU ({"KVM" if use_kvm else "TCG"}: {why}), run both timers'
          ' ... ', end='', flush=True)
    begin = time.monotonic()
    boot = Boot('run', qemu(MACHINE, f'RUN=demo {APPEND}', BUILD, ARCH, kvm=use_kvm))
    bad = [(name, detail) for name, good, detail in boot.results()
           if good is not None and not good]
    print(f'{"FAILED" if bad else "ok"} [{time.monotonic() - begin:.1f}s]')
    for line in boot.console.splitlines():
        delivered = DELIVERED.search(line)
        if delivered or re.match(r'# |(not )?ok \d', line):
            print(delivered[0] if delivered else line)
    for name, detail in bad:
        print(f'FAILED {name}: {detail}')
    if bad or drivers(boot.console) != DRIVERS:
        print(f'not every expiration was delivered, or something else failed'
              f' (console: {boot.log})')
        return 1
    return 0


def main(command):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if command == 'run':
        return run()
    use_kvm, _ = kvm()
    command = qemu(MACHINE, 'RUN=shell', BUILD, ARCH, serial='mon:stdio', kvm=use_kvm)
    os.execvp(command[0], command)


if __name__ == '__main__':
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
