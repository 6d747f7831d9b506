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
    for name in fragments:
        lines.update(options(fragment(name).read_text()))
    return lines


def landed(option, line, config):
    """Has the .config (as given by options()) what a fragment asks for?"""
    is_not_set = f'# {option} is not set'
    return config.get(option, is_not_set) == line


def fragment(name):
    return HERE / 'configs' / f'{name}.config'


def inputs(fragments):
    """All that decides what the .config will be."""
    src = pathlib.Path(os.environ['SRC'])
    files = [fragment(name) for name in fragments]
    files += sorted(src.glob('patches/*'))
    files += sorted(path for top in ('kernel', 'drivers', 'samples', 'rust',
                                     'lib', 'arch')
                    for path in (src / top).rglob('Kconfig*'))
    return ''.join(path.read_text() for path in files)


def main(build, *fragments):
    build = pathlib.Path(build)
    tree = pathlib.Path(os.environ['TREE'])
    build.mkdir(parents=True, exist_ok=True)
    config, partial = build / '.config', build / '.config.partial'
    stamp = build / '.config.inputs'

    now = inputs(fragments)
    if config.exists() and stamp.exists() and stamp.read_text() == now:
        return None
    env = dict(os.environ, KCONFIG_CONFIG=str(partial))
    make = ['make', '-C', tree, f'O={build}', 'LLVM=1']
    subprocess.run([*make, 'tinyconfig'], env=env, check=True)
    subprocess.run([tree / 'scripts/kconfig/merge_config.sh', '-m',
                    partial, *map(fragment, fragments)], env=env, check=True)
    subprocess.run([*make, 'olddefconfig'], env=env, check=True)

    have = options(partial.read_text())
    missing = [line for option, line in wanted(fragments).items()
               if not landed(option, line, have)]
    if missing:
        return '\n'.join(['these lines did not land in .config:', *missing])
    if config.exists() and config.read_text() == partial.read_text():
        partial.unlink()
    else:
        partial.rename(config)
    stamp.write_text(now)
    return None


if __name__ == '__main__':
    sys.exit(main(*sys.argv[1:]))
