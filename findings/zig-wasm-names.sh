#!/usr/bin/env bash
# zig 0.17.1 (PyPI ziglang): `zig cc` has no way to keep the names of functions in a WebAssembly module without DWARF.
#
# Expected: as with clang and wasm-ld, a module has a `name` section unless it is stripped of all, and `-Wl,--strip-debug`
#   removes the sections of DWARF and keeps `name`.
# Seen: without `-g` there is no `name` section; with `-g` there is one, beside DWARF that is many times as large as the code;
#   `-g -Wl,--strip-debug` removes both.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check --only-binary :all: ziglang==0.17.1
export ZIG_GLOBAL_CACHE_DIR="$folder/cache" ZIG_LOCAL_CACHE_DIR="$folder/cache"

cat > a.c <<'C'
#include <stdlib.h>
__attribute__((noinline)) static int *inner(int count) { return calloc(count, sizeof(int)); }
__attribute__((export_name("outer"))) int *outer(int count) { return inner(count) + 1; }
C
cat > sections.mjs <<'JS'
import fs from 'fs';
const module = await WebAssembly.compile(fs.readFileSync(process.argv[2]));
const has = (name) => WebAssembly.Module.customSections(module, name).length;
console.log(`name ${has('name')}, .debug_info ${has('.debug_info')}`);
JS
build() { venv/bin/python-zig cc --target=wasm32-wasi -Os -mexec-model=reactor "$@" a.c -o a.wasm && node sections.mjs a.wasm; }
seen=$(printf '%s; ' "$(build)" "$(build -g)" "$(build -g -Wl,--strip-debug)")
echo "sections without flags; with -g; with -g -Wl,--strip-debug: $seen"
[ "$seen" = "name 0, .debug_info 0; name 1, .debug_info 1; name 0, .debug_info 0; " ]
