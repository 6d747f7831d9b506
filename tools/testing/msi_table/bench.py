#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""bench.py [quick] - run the benchmark, in instructions and in time; look at goals.

In QEMU with -icount, where the clock of the guest counts its instructions, and
in user mode Linux, where it is that of the machine; the kernel as it is, without
tables, counts as well. Leaves bench.json and plots in build/bench. A quick run only
shows that all of it works, but for that kernel.
"""
import concurrent.futures
import json
import os
import pathlib
import re
import statistics
import subprocess
import sys
import threading
import time

import machine

OUT = pathlib.Path(os.environ['SRC']) / 'build/bench'
LINE = re.compile(r'^(?:\[[^]]*\] )?bench: (.*)$')
MODES = ('instructions', 'ns')
# Drivers are compared in instructions, too, and so is the kernel which is not patched.
DRIVERS = 'drivers'
MODE_OF = {DRIVERS: 'instructions', 'stock': 'instructions', 'stock-tasks': 'tasks'}
SIDES = ('core', 'stock', 'mainline', 'table', 'rust')
TIMEOUT = 1200
AT = 2048
COUNT = ['-icount', 'shift=0,sleep=off', '-smp', '1']


def qemu(build, append, *options):
    return ['qemu-system-x86_64', '-M', 'q35', '-accel', 'tcg', *options,
            '-cpu', machine.CPU, '-m', '4G', '-nodefaults', '-display',
            'none', '-no-reboot', '-serial', 'stdio',
            '-kernel', build / 'arch/x86/boot/bzImage',
            '-initrd', build / 'initramfs.cpio',
            '-append', f'console=ttyS0 {machine.BOOT} {append}']


def empty_disk(name, device):
    return ['-drive', f'driver=null-co,size=16M,read-zeroes=on,if=none,id={name}',
            '-device', f'{device},drive={name}']


def count(build, append):
    return qemu(build, f'RUN=bench {append}', *COUNT, '-device',
                'nvme,serial=bench,msix_qsize=2048')


def tasks(build, append):
    return qemu(build, f'RUN=bench BENCH=tasks {append}', '-smp', '2')


def runs(build, uml_build, append='', scale=100):
    # User mode Linux 7.3 has two CPUs too, but its scheduler complains and
    # hangs. So two tasks have those of QEMU, each emulated by a thread.
    return {
        'instructions': count(build, append),
        DRIVERS: qemu(build, f'RUN=cost SCALE={scale} {append}', *COUNT,
                      '-device', 'intel-iommu,intremap=on',
                      *empty_disk('disk0', 'nvme,serial=disk'),
                      *empty_disk('disk1', 'nvme,serial=vfio,msix_qsize=64'),
                      *empty_disk('disk2', 'virtio-blk-pci')),
        'ns': machine.uml(f'RUN=bench {append}', uml_build, '4G'),
        'tasks': tasks(build, append),
    }


def figure(line, mode):
    """The side msix-table measuring cold becomes table measuring msix-cold."""
    words = dict(word.split('=') for word in line.split())
    bus, _, side = words['side'].rpartition('-')
    if bus:
        words |= {'side': side, 'what': f'{bus}-{words["what"]}'}
    if mode.startswith('stock'):
        words['side'] = 'stock' if words['side'] == 'mainline' else 'core of stock'
    words['mode'] = MODE_OF.get(mode, mode)
    return {key: int(value) if re.fullmatch(r'-?\d+', value) else value
            for key, value in words.items()}


def measure(mode, command):
    """All figures of one boot, shown as they come."""
    figures = []
    begin = time.monotonic()
    log = machine.LOGS / f'bench-{mode}.log'
    end = None
    with log.open('w') as out, \
         subprocess.Popen(command, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          errors='replace') as process:
        watchdog = threading.Timer(TIMEOUT, process.kill)
        watchdog.start()
        for text in process.stdout:
            out.write(text)
            line = LINE.match(text.rstrip())
            if not line:
                continue
            if line[1].startswith('end, '):
                end = line[1]
                # User mode Linux begins anew when it is told to reboot.
                process.kill()
            elif line[1].startswith('side='):
                figures.append(figure(line[1], mode))
            else:
                print(f'    {mode}, {time.monotonic() - begin:.0f} s: '
                      f'{line[1]}', flush=True)
        watchdog.cancel()
    if end != 'end, 0':
        sys.exit(f'the benchmark did not reach its end ({end}): '
                 f'{machine.HOST_LOGS}/{log.name}')
    return figures


class Figures:
    def __init__(self, figures):
        self.all = figures

    def one(self, mode, side, what, sysfs=0, live=AT):
        """Per operation: the median, or whatever it is."""
        for figure in self.all:
            if (figure['mode'], figure['side'], figure['what'],
                    figure.get('sysfs'), figure.get('live')) == \
               (mode, side, what, sysfs, live):
                return figure['median'] / figure['ops']
        raise KeyError(f'{mode} {side} {what} sysfs={sysfs} live={live}')

    def ratio(self, what, sysfs=0, live=AT, sides=('table', 'mainline')):
        ours, theirs = (self.one('instructions', side, what, sysfs, live)
                        for side in sides)
        return ours / theirs

    def most_live(self, prefix=''):
        return max(figure['live'] for figure in self.all
                   if figure['what'].startswith(prefix) and 'live' in figure)

    def rust(self):
        """The worst of all that was measured of both."""
        return max(self.ratio(figure['what'], figure['sysfs'], AT,
                              ('rust', 'table'))
                   for figure in self.all
                   if (figure['mode'], figure['side'], figure.get('live')) ==
                   ('instructions', 'rust', AT) and 'median' in figure)

    def memory(self, side, sysfs):
        """Bytes per interrupt above those of the irq core."""
        def total(side, sysfs):
            """From 16384 on: the more, the less do half-empty slabs count."""
            return next(figure['bytes'] for figure in reversed(self.all)
                        if figure['mode'] == 'instructions' and
                        figure['what'] == 'memory' and
                        (figure['side'], figure['sysfs']) == (side, sysfs))
        return total(side, sysfs) - total('core', 0)

    def huge(self):
        """What is slowest at 2^20 live, compared with 2048."""
        most = self.most_live()
        return max(self.one('instructions', 'table', figure['what'],
                            live=most) /
                   self.one('instructions', 'table', figure['what'])
                   for figure in self.all
                   if figure['mode'] == 'instructions' and
                   figure.get('live') == most and
                   not figure['what'].startswith('range-'))

    def range(self):
        at = {figure['what']: figure['median'] for figure in self.all
              if figure['mode'] == 'instructions' and
              figure['what'].startswith('range-')}
        return at['range-99.9'] / at['range-empty']

    def has_stock(self):
        """With KDIR= there is none."""
        return any(figure['side'] == 'stock' for figure in self.all)

    def tasks(self, side, what):
        """Of the median round: now and then one task, or both, are in luck."""
        return statistics.median(figure['two'] / figure['one'] for figure in self.all
                                 if (figure['side'], figure['what']) == (side, what))

    def queue(self):
        """What a controller reset takes more with one more queue."""
        ours, theirs = (self.one('instructions', side, 'nvme-reset-2', 1, 0) -
                        self.one('instructions', side, 'nvme-reset', 1, 0)
                        for side in ('table', 'mainline'))
        # Below that it is noise, and no ratio.
        return ours / theirs if ours > 0 and theirs > 0 else float('inf')

    def goals(self):
        churn = ('churn-any', 'churn-same')
        request = ('churn-any-request', 'churn-same-request')
        msix = self.most_live('msix-')

        def most(whats, sysfs):
            return max(self.ratio(what, sysfs) for what in whats)

        def msix_most(whats):
            return max(self.ratio(f'msix-{what}', 1, msix) for what in whats)

        def stock(what, side='mainline'):
            """At the worst level, with entries in sysfs, as all drivers have them"""
            return max(self.ratio(what, 1, figure['live'], (side, 'stock'))
                       for figure in self.all
                       if (figure['side'], figure['what'], figure.get('sysfs')) ==
                       ('stock', what, 1))

        wanted = [
            ('cold alloc + free, with sysfs', self.ratio('cold', 1), 0.97),
            ('cold alloc + free', self.ratio('cold'), 0.99),
            ('churn, bare', most(churn, 0), 0.05),
            ('churn, with sysfs', most(churn, 1), 0.12),
            ('churn, with request_irq', most(request, 0), 0.15),
            ('churn, with both', most(request, 1), 0.20),
            ('batch of 32, cold', self.ratio('batch'), 0.94),
            ('range alloc, table 99.9% full', self.range(), 1.3),
            ('anything, 2^20 live against 2048', self.huge(), 1.5),
            ('delivery to the handler', self.ratio('deliver'), 1.0),
            ('memory, with sysfs',
             self.memory('table', 1) / self.memory('mainline', 1), 1.0),
            ('memory',
             self.memory('table', 0) / self.memory('mainline', 0), 1.35),
            ('Rust against C, the worst', self.rust(), 1.02),
            ('MSI-X, cold alloc + free', msix_most(['cold']), 0.97),
            ('MSI-X, churn', msix_most(churn), 0.12),
            ('MSI-X, churn with request_irq', msix_most(request), 0.20),
            ('MSI-X, batch of 32, cold', msix_most(['batch']), 0.94),
            ('nvme-pci, one read', self.ratio('nvme-read', 1, 0), 1.0),
            ('nvme-pci, controller reset', self.ratio('nvme-reset', 1, 0), 1.0),
            ('nvme-pci, one queue deleted and created', self.queue(), 1.0),
            ('virtio_pci, one read', self.ratio('virtio-read', 1, 0), 1.0),
            ('vfio-pci, 64 vectors on and off', self.ratio('vfio-64', 1, 0), 1.0),
        ]
        if self.has_stock():
            wanted += [
                ('stock: MSI core, cold', stock('cold'), 0.90),
                ('stock: MSI core, 32, cold', stock('batch'), 0.90),
                ('stock: legacy MSI-X, cold', stock('msix-cold'), 0.90),
                ('stock: legacy MSI-X, 32 from nothing', stock('msix-whole'), 0.90),
                ('stock: MSI-X table, cold', stock('msix-cold', 'table'), 1.0),
                ('stock: MSI-X table, 32 from nothing', stock('msix-whole', 'table'), 1.0),
                ('stock: request_irq() of a table', stock('request', 'table'), 1.0),
            ]
        goals = [{'name': name, 'value': round(value, 3), 'goal': goal,
                  'met': round(value, 3) <= goal}
                 for name, value, goal in wanted]
        for name, side, what, goal in (
                ('two tasks, two tables, throughput', 'table', 'tasks-churn', 1.8),
                ('the same, cold', 'table', 'tasks-cold', 1.6),
                ('two tasks, two devices, cold', 'mainline', 'tasks-cold', 1.6)):
            value = round(self.tasks(side, what), 2)
            goals.append({'name': name, 'value': value, 'goal': goal, 'met': value >= goal})
        return goals

    def table(self):
        """What people look at first."""
        rows = dict.fromkeys((figure['what'], figure['sysfs'], figure['live'])
                             for figure in self.all if 'median' in figure)
        for what, sysfs, live in rows:
            cells = [f'{what:20} {"yes" if sysfs else "no":5} {live:8}']
            for mode in MODES:
                for side in SIDES:
                    try:
                        cells.append(f'{self.one(mode, side, what, sysfs, live):9.0f}')
                    except KeyError:
                        cells.append(f'{"":>9}')
            yield ' '.join(cells)


PLOT = '''
set terminal svg size 800,450 font ',12' background 'white'
set output '{output}'
set style data histograms
set style histogram clustered gap 2
set style fill solid 0.8
set boxwidth 0.9
set grid ytics
set key top right
set ylabel 'instructions'
set xtics rotate by -25
set yrange [0:*]
set title '{title}'
plot '{data}' using 2:xtic(1) title 'MSI core' lc rgb '#999999', \\
     '' using 3 title 'MSI table' lc rgb '#1f77b4'
'''

GROWTH = '''
set terminal svg size 800,450 font ',12' background 'white'
set output '{output}'
set style data linespoints
set logscale x 2
set grid
set key top right
set xlabel 'live vectors'
set ylabel 'instructions'
set yrange [0:*]
set title 'One vector freed and one allocated'
plot '{data}' using 1:2 title 'MSI core' lc rgb '#999999', \\
     '' using 1:3 title 'MSI table' lc rgb '#1f77b4'
'''


def plot(name, script, rows, **more):
    data, output = OUT / f'{name}.dat', OUT / f'{name}.svg'
    data.write_text(''.join(' '.join(map(str, row)) + '\n' for row in rows))
    subprocess.run(['gnuplot'], text=True, check=True,
                   input=script.format(data=data, output=output, **more))
    # cost.svg is kept here, where each file names its licence.
    svg = re.sub(' +$', '', output.read_text(), flags=re.MULTILINE)
    output.write_text(svg.replace('<svg', '<!-- SPDX-License-Identifier: GPL-2.0 -->\n<svg', 1))


def plots(figures):
    def sides(what, sysfs, live=AT):
        for side in ('mainline', 'table'):
            try:
                yield figures.one('instructions', side, what, sysfs, live)
            except KeyError:
                yield '?'
    whats = [('cold', 'cold'), ('churn-any', 'churn'),
             ('churn-any-request', 'churn,request'), ('batch', 'batch')]
    plot('cost', PLOT,
         [(f'{label}{",sysfs" if sysfs else ""}', *sides(what, sysfs))
          for what, label in whats for sysfs in (0, 1)],
         title=f'Allocate and free one vector, {AT} live')
    levels = sorted({figure['live'] for figure in figures.all
                     if figure['what'] == 'churn-any'})
    plot('growth', GROWTH,
         [(live, *sides('churn-any', 0, live)) for live in levels])


def quick():
    """Does every contender reach its end, and are there figures of each?

    With the kernels of make test. All that can be read off their figures is that a
    vector which was freed is used again: half of what a new one takes is far too much.
    """
    cold = {(side, 'cold') for side in ('core', 'mainline', 'table', 'rust')}
    wanted = {'instructions': cold | {('mainline', 'msix-cold'),
                                      ('table', 'msix-cold')},
              DRIVERS: {(side, what) for side in ('mainline', 'table')
                        for what in ('nvme-read', 'nvme-reset', 'nvme-reset-2',
                                     'virtio-read', 'vfio-64')},
              'ns': cold,
              'tasks': {('table', f'tasks-{what}') for what in ('cold', 'churn', 'churn-same')} |
                       {('mainline', 'tasks-cold')}}
    checks = sum(map(len, wanted.values())) + 1
    failed = 0
    commands = runs(machine.BUILD, machine.UML_BUILD,
                    'kunit.enable=0 msi_table_bench.quick=1', 1)
    with concurrent.futures.ThreadPoolExecutor(machine.JOBS) as pool:
        measured = dict(zip(commands, pool.map(measure, commands, commands.values())))
    for mode, figures in measured.items():
        found = {(figure['side'], figure['what']) for figure in figures}
        for side, what in sorted(wanted[mode] - found):
            print(f'FAILED {mode}: no figure {what} of {side}')
            failed += 1
        if mode == 'instructions':
            again, new = (min(figure['median'] / figure['ops'] for figure in figures
                              if (figure['side'], figure['what']) == ('table', what))
                          for what in ('churn-any', 'cold'))
            if again > new / 2:
                print(f'FAILED {mode}: {again:.0f} to use a vector again, '
                      f'{new:.0f} for a new one')
                failed += 1
    print(f'{checks - failed} passed, {failed} failed')
    return int(failed > 0)


def main(how=''):
    if how == 'quick':
        return quick()
    OUT.mkdir(parents=True, exist_ok=True)
    commands = runs(machine.BUILDS / 'build-bench', machine.BUILDS / 'build-uml-bench')
    stock = machine.BUILDS / 'build-bench-stock'
    if stock.exists():
        commands |= {'stock': count(stock, ''), 'stock-tasks': tasks(stock, '')}
    raw = [figure for mode, command in commands.items() for figure in measure(mode, command)]
    figures = Figures(raw)
    goals = figures.goals()
    (OUT / 'bench.json').write_text(
        json.dumps({'goals': goals, 'figures': raw}, indent=1) + '\n')
    plots(figures)
    print(f'{"":35} {"instructions":>49} {"ns":>49}')
    print(f'{"what":20} sysfs {"live":>8}' + ''.join(f' {side:>9}' for side in SIDES) * 2)
    for line in figures.table():
        print(line)
    print()
    for goal in goals:
        print(f'{goal["name"]:36} {goal["value"]:7} goal {goal["goal"]:5} '
              f'{"met" if goal["met"] else "NOT MET"}')
    if figures.has_stock():
        print(f'{"two tasks, two devices, cold: stock":36} '
              f'{figures.tasks("stock", "tasks-cold"):7.2f}')
    return 0


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
