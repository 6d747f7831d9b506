#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""configure.py BUILD FRAGMENT... - a .config of tinyconfig and fragments.

Does nothing when nothing that goes into it has changed since.
"""
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def options(text):
    """CONFIG_X -> its line, of a fragment or a .config."""
    found = {}
    for line in text.splitlines():
        words = line.split()
        if line.startswith('CONFIG_'):
            found[line.split('=')[0]] = line
        elif line.startswith('# CONFIG_') and line.endswith(' is not set'):
            found[words[1]] = line
    return found


def wanted(fragments):
    """CONFIG_X -> the line asked for; a later fragment overrides."""
    lines = {}
    for path in paths(fragments):
        lines.update(options(path.read_text()))
    return lines


def landed(option, line, config):
    """Has the .config (as given by options()) what a fragment asks for?"""
    is_not_set = f'# {option} is not set'
    return config.get(option, is_not_set) == line


def arch():
    """The folder of the architecture which is built for."""
    return os.environ.get('ARCH') or 'x86'


def paths(fragments):
    """Those there are of NAME.config and NAME-ARCH.config, of each fragment."""
    for name in fragments:
        path = HERE / 'configs' / f'{name}.config'
        yield path
        path = path.with_stem(f'{name}-{arch()}')
        if path.exists():
            yield path


def inputs(fragments):
    """All that decides what the .config will be."""
    src, tree = pathlib.Path(os.environ['SRC']), pathlib.Path(os.environ['TREE'])
    files = [*paths(fragments)]
    files += sorted(tree.glob('.msi_table/*Kconfig.patch'))
    files += sorted(path for top in ('kernel', 'drivers', 'samples', 'rust',
                                     'lib', 'arch')
                    for path in (src / top).rglob('Kconfig*'))
    return ''.join(path.read_text() for path in files)


def main(build, *fragments, missing_ok=False):
    build = pathlib.Path(build)
    tree = pathlib.Path(os.environ['TREE'])
    build.mkdir(parents=True, exist_ok=True)
    config, partial = build / '.config', build / '.config.partial'
    stamp = build / '.config.inputs'

    now = inputs(fragments)
    if config.exists() and stamp.exists() and stamp.read_text() == now:
        return None
    # As tinyconfig and merge_config.sh do, but Kconfig asks the compiler some
    # 200 questions each time it reads its files: so it does that once.
    tiny = [tree / 'kernel/configs' / name
            for name in ('tiny-base.config', 'tiny.config')]
    tiny += [path for path in [tree / 'arch' / arch() / 'configs/tiny.config']
             if path.exists()]
    asked = {}
    for path in tiny:
        asked.update(options(path.read_text()))
    asked.update(wanted(fragments))
    all_config = build / '.config.asked'
    all_config.write_text('\n'.join(asked.values()) + '\n')
    env = dict(os.environ, KCONFIG_CONFIG=str(partial),
               KCONFIG_ALLCONFIG=str(all_config))
    subprocess.run(['make', '-C', tree, f'O={build}', 'allnoconfig'], env=env,
                   check=True)

    have = options(partial.read_text())
    missing = [line for option, line in wanted(fragments).items()
               if not landed(option, line, have)]
    if missing and not missing_ok:
        return '\n'.join(['these lines did not land in .config:', *missing])
    if config.exists() and config.read_text() == partial.read_text():
        partial.unlink()
    else:
        partial.rename(config)
    stamp.write_text(now)
    return None


if __name__ == '__main__':
    # Where a tree does not have all of it yet
    missing_ok = sys.argv[1] == '--missing-ok'
    sys.exit(main(*sys.argv[1 + missing_ok:], missing_ok=missing_ok))
